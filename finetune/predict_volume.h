// Masks of one volume: cut into stacks as evaluation does (prompts-and-metrics.md 4.3), each stack encoded
// once for all targets, and only where some target has a prompt. A click reaches the slices of its
// stacks, from slice to slice; what no stack reaches is background. Stacks go by one after the other: memory
// does not grow with their number but for the volume itself, its label map and what is asked of
// probabilities.
#ifndef MG_FINETUNE_PREDICT_VOLUME_H
#define MG_FINETUNE_PREDICT_VOLUME_H

#include "datasets/decode.h"
#include "finetune/predict_results.h"
#include "finetune/seg_model.h"

typedef struct {
    int slices;           // D
    bool carry;           // masks go from slice to slice
    bool by_slice;        // only the slices that have a prompt are decoded, each by itself
    const double *window; // of CT, NULL: the usual one; not owned
    int input[3];         // channels of the file for the model's three inputs
} mg_predict_volume_plan;

// Write the mask (label map on the file's grid), and the overlay (a sheet of slices) and probabilities
// (float32) that are wanted. `prompts` are placed. MG_ERR_MEMORY, MG_ERR_IO.
mg_status mg_predict_volume(const mg_seg_model *model, const mg_volume_file *file,
                            const mg_predict_volume_plan *plan, const mg_predict_prompts *prompts,
                            const mg_predict_files *files);

#endif
