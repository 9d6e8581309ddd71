// Commands of this folder, for the table in main.c.
#ifndef MG_DATASETS_CMD_H
#define MG_DATASETS_CMD_H

#include "runtime/cli.h"

mg_status mg_cmd_phantom(const mg_args *args);
int mg_cmd_phantom_options(mg_option_group *groups, int room);

mg_status mg_cmd_check_data(const mg_args *args);
int mg_cmd_check_data_options(mg_option_group *groups, int room);

#endif
