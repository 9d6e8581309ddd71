// The training task of stage one for the trainer: MAE, e-Mix and ShED on one encoder
// (pretraining.md section 5), with one contrast set over all ranks.
#ifndef MG_PRETRAIN_PRETRAIN_TASK_H
#define MG_PRETRAIN_PRETRAIN_TASK_H

#include "pretrain/pretrain_config.h"
#include "pretrain/pretrain_data.h"
#include "runtime/run.h"

typedef struct mg_pretrain_task mg_pretrain_task;

// Everything the task needs for this rank's share of a step (`share` from mg_train_share). Model,
// data, settings and run are borrowed; `yaml` goes into checkpoints. Fails with MG_ERR_CONFIG when
// the contrast set would hold fewer than two samples, or MG_ERR_MEMORY.
mg_status mg_pretrain_task_create(const mg_comm *world, mg_run *run, mg_pretrain_model *model,
                                  mg_pretrain_data *data, const mg_pretrain_settings *settings,
                                  const mg_step *share, const char *yaml, mg_pretrain_task **out);
// Bytes of a task's share of a step, for planning; of `data` only the size is looked at, and a model
// without values (mg_pretrain_plan) is enough.
size_t mg_pretrain_task_bytes(mg_pretrain_model *model, mg_pretrain_data *data,
                              const mg_pretrain_settings *settings, const mg_step *share);
void mg_pretrain_task_destroy(mg_pretrain_task **task);

// For mg_train; borrowed from the task.
const mg_task *mg_pretrain_task_trainer(mg_pretrain_task *task);

#endif
