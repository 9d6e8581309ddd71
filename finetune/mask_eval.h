// Scoring masks that any program wrote, by the metric code and into the rows that models are scored with
// (prompts-and-metrics.md 7): one row for each target of each case, protocol "masks". A case without a
// mask is scored as if the mask were empty, and is named.
#ifndef MG_FINETUNE_MASK_EVAL_H
#define MG_FINETUNE_MASK_EVAL_H

#include "finetune/mask_files.h"
#include "finetune/seg_eval.h"
#include "runtime/json.h"

// Settings of section "evaluate." for masks. Owned by the option table.
typedef struct {
    char *folder, *name;
    mg_json *labels; // {value: class or [class, ...]}; NULL: value v is class v
    double threshold;
    bool absent; // also score targets that the case does not have
} mg_mask_config;

typedef struct mg_mask_evaluator mg_mask_evaluator;

// Pair the files with the reader's items. Borrows everything. MG_ERR_CONFIG, MG_ERR_IO; MG_ERR_FORMAT if two
// items ask for one file, or no file is asked for.
mg_status mg_mask_evaluator_create(const mg_mask_config *config, const mg_reader *reader,
                                   const mg_eval_plan *plan, mg_mask_evaluator **out);
void mg_mask_evaluator_destroy(mg_mask_evaluator **evaluator);

// Names that items of a set (NULL: of all) ask for and that no file has, in the order of the items; added to `out`.
mg_status mg_mask_evaluator_missing(const mg_mask_evaluator *e, const char *set, mg_texts *out);
// Files that no item asks for; added to `out`.
mg_status mg_mask_evaluator_extra(const mg_mask_evaluator *e, mg_texts *out);

// As mg_evaluator_run. A file that does not fit its case is MG_ERR_FORMAT.
mg_status mg_mask_evaluator_run(mg_mask_evaluator *e, int64_t sample, mg_case_maps *maps,
                                mg_status (*done)(void *ctx, const mg_eval_target *target),
                                void *ctx);

#endif
