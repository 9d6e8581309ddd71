// Texts of `medgraft predict` as vectors: looked up in a file of embedded texts, or embedded by CLIP on
// the spot. They must come from what embedded the texts that the model was trained with.
#ifndef MG_FINETUNE_PREDICT_TEXT_H
#define MG_FINETUNE_PREDICT_TEXT_H

#include "finetune/finetune_config.h"
#include "finetune/predict_prompts.h"

// Names of files, "" if not given.
typedef struct {
    char *texts;                             // made by medgraft text
    char *weights, *config, *merges, *vocab; // of CLIP
    int64_t heads;
} mg_predict_text_files;

// Fill target[..].unit of the targets that have a text. `trained`: settings of the model. MG_ERR_CONFIG
// names a text that is not there, or files that do not belong to the model.
mg_status mg_predict_embed(mg_predict_prompts *prompts, const mg_predict_text_files *files,
                           const mg_finetune_config *trained);

#endif
