// Commands of this folder, for the table in main.c.
#ifndef MG_MODELS_CMD_H
#define MG_MODELS_CMD_H

#include "runtime/cli.h"

mg_status mg_cmd_bench(const mg_args *args);
int mg_cmd_bench_options(mg_option_group *groups, int room);

mg_status mg_cmd_convert(const mg_args *args);
int mg_cmd_convert_options(mg_option_group *groups, int room);

mg_status mg_cmd_plan(const mg_args *args);
int mg_cmd_plan_options(mg_option_group *groups, int room);

#endif
