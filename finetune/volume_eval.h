// Scoring a model on one volume (prompts-and-metrics.md 4.3, 4.4, 7): the case is cut into stacks, each
// encoded once and prompted with a history of its own; masks are scored as a whole on the original
// grid. Clicks are found on the stored grid, which is the one the model sees. Part of seg_eval.
#ifndef MG_FINETUNE_VOLUME_EVAL_H
#define MG_FINETUNE_VOLUME_EVAL_H

#include "finetune/seg_eval.h"

typedef struct mg_volume_evaluator mg_volume_evaluator;

// Borrows model, reader and plan. MG_ERR_MEMORY.
mg_status mg_volume_evaluator_create(const mg_seg_model *model, const mg_reader *reader,
                                     const mg_eval_plan *plan, mg_volume_evaluator **out);
void mg_volume_evaluator_destroy(mg_volume_evaluator **evaluator);

mg_status mg_volume_evaluator_run(mg_volume_evaluator *e, int64_t sample, mg_case_maps *maps,
                                  mg_status (*done)(void *ctx, const mg_eval_target *target),
                                  void *ctx);

#endif
