// Masks of one picture: encoded once, every target prompted by itself (prompts-and-metrics.md 4.4).
#ifndef MG_FINETUNE_PREDICT_PICTURE_H
#define MG_FINETUNE_PREDICT_PICTURE_H

#include "datasets/decode.h"
#include "finetune/predict_results.h"
#include "finetune/seg_model.h"

// Write the mask (label map PNG), and the overlay and probabilities (16-bit PNG, 65535 is 1) that are wanted.
// `picture` has 8 bits, `prompts` are placed. Fails with MG_ERR_MEMORY, MG_ERR_IO.
mg_status mg_predict_picture(const mg_seg_model *model, const mg_picture *picture,
                             const mg_predict_prompts *prompts, const mg_predict_files *files);

#endif
