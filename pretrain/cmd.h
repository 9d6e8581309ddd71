// The commands of this folder, and their option tables for --help and docs/config.md.
#ifndef MG_PRETRAIN_CMD_H
#define MG_PRETRAIN_CMD_H

#include "runtime/cli.h"

mg_status mg_cmd_pretrain(const mg_args *args);
int mg_cmd_pretrain_options(mg_option_group *groups, int room);

mg_status mg_cmd_probe(const mg_args *args);
int mg_cmd_probe_options(mg_option_group *groups, int room);

#endif
