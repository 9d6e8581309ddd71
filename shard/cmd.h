// Commands of this folder, for the table in main.c.
#ifndef MG_SHARD_CMD_H
#define MG_SHARD_CMD_H

#include "runtime/cli.h"

mg_status mg_cmd_shard(const mg_args *args);
int mg_cmd_shard_options(mg_option_group *groups, int room);
mg_status mg_cmd_inspect(const mg_args *args);
int mg_cmd_inspect_options(mg_option_group *groups, int room);

#endif
