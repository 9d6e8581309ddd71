// The commands of this folder, and their option tables for --help and docs/config.md.
#ifndef MG_FINETUNE_CMD_H
#define MG_FINETUNE_CMD_H

#include "models/plan.h"
#include "runtime/cli.h"

mg_status mg_cmd_finetune(const mg_args *args);
int mg_cmd_finetune_options(mg_option_group *groups, int room);

mg_status mg_cmd_evaluate(const mg_args *args);
int mg_cmd_evaluate_options(mg_option_group *groups, int room);

mg_status mg_cmd_report(const mg_args *args);
int mg_cmd_report_options(mg_option_group *groups, int room);

mg_status mg_cmd_predict(const mg_args *args);
int mg_cmd_predict_options(mg_option_group *groups, int room);

mg_status mg_cmd_text(const mg_args *args);
int mg_cmd_text_options(mg_option_group *groups, int room);

// For mg_plan_register: what a run of finetune needs.
mg_status mg_finetune_plan_run(const mg_args *args, const mg_option_group *plan, mg_plan *out);

#endif
