// What `medgraft predict` leaves behind: names of files, one line for each target, probabilities.
#ifndef MG_FINETUNE_PREDICT_RESULTS_H
#define MG_FINETUNE_PREDICT_RESULTS_H

#include "finetune/predict_prompts.h"

// Files to write; "" where one is not wanted. Not owned.
typedef struct {
    const char *mask, *overlay, *probability;
} mg_predict_files;

// Name of a mask that was not named: of the picture or volume, in the folder at hand, "liver-mask.png",
// "case-mask.nii.gz"; mg_free. NULL without memory.
char *mg_predict_default_mask(const char *input, bool volume);

// The endings fit what is written: .png of pictures, .nii or .nii.gz of volumes. MG_ERR_CONFIG.
mg_status mg_predict_check_files(const mg_predict_files *files, bool volume);

// File for the probability of target i: as named if there is one target, otherwise with its number,
// "p-1.nii.gz"; mg_free. NULL without memory.
char *mg_predict_probability_name(const mg_predict_files *files, int i, int targets);

double mg_predict_probability(float logit);

// The line of target i: its prompts and result. `size` like "pixels 812".
void mg_predict_print(const mg_predict_target *t, int i, const char *size, double iou);

#endif
