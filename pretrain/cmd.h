// The commands of this folder, and their option tables for --help and docs/config.md.
#ifndef MG_PRETRAIN_CMD_H
#define MG_PRETRAIN_CMD_H

#include "models/plan.h"
#include "runtime/cli.h"

mg_status mg_cmd_pretrain(const mg_args *args);
int mg_cmd_pretrain_options(mg_option_group *groups, int room);

mg_status mg_cmd_probe(const mg_args *args);
int mg_cmd_probe_options(mg_option_group *groups, int room);

// For mg_plan_register: what a run of pretrain needs.
mg_status mg_pretrain_plan_run(const mg_args *args, const mg_option_group *plan, mg_plan *out);

#endif
