// The training task of stage two for the trainer: encode each picture once, decode its target in
// several passes with simulated clicks, give every pass its loss, and send the summed gradient of
// the image embedding back through the encoder once (prompts-and-metrics.md 5.4).
#ifndef MG_FINETUNE_SEG_TASK_H
#define MG_FINETUNE_SEG_TASK_H

#include "finetune/seg_sample.h"
#include "models/trainer.h"

typedef struct mg_seg_task mg_seg_task;

// Everything the task needs for this rank's share of a step (`share` from mg_train_share).
// Model, data and config are borrowed. `yaml` goes into checkpoints. MG_ERR_MEMORY.
mg_status mg_seg_task_create(const mg_comm *world, mg_seg_model *model, mg_seg_data *data,
                             const mg_finetune_config *config, const mg_step *share,
                             const char *yaml, mg_seg_task **out);
// Bytes of its activations, for planning: of `data` only volumes and slices are looked at, of the model
// only its sizes.
size_t mg_seg_task_bytes(const mg_seg_model *model, mg_seg_data *data,
                         const mg_finetune_config *config, int leaf_size);
void mg_seg_task_destroy(mg_seg_task **task);

// For mg_train; borrowed from the task.
const mg_task *mg_seg_task_trainer(mg_seg_task *task);

#endif
