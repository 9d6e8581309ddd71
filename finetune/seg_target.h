// One target of training: its passes with simulated clicks, each with its loss, whose gradients go
// back at once into the decoder and into the image embedding (prompts-and-metrics.md 5.4 and 6).
// A picture and a stack of slices are the same here: a picture is one slice.
#ifndef MG_FINETUNE_SEG_TARGET_H
#define MG_FINETUNE_SEG_TARGET_H

#include "finetune/seg_sample.h"
#include "finetune/seg_stack.h"
#include "models/trainer.h"

// Sums over the targets of a step; each already carries 1 / M.
enum {
    MG_SEG_LOSS,
    MG_SEG_DICE_FIRST, // of the thresholded masks on the logit grid, after the first pass
    MG_SEG_DICE_LAST,
    MG_SEG_IOU_ERROR,
    MG_SEG_SCALARS
};

typedef struct mg_click_history mg_click_history;

// Work space of one target at a time.
typedef struct {
    const mg_seg_model *model;        // not owned
    const mg_finetune_config *config; // not owned
    bool volumes;                     // targets are stacks
    mg_seg_loss loss;                 // of the config
    int64_t valid_cells;              // of the global batch, set before each step
    mg_clicker *clicker;              // for slices of the logit grid, not owned
    mg_seg_stack stack;
    mg_click_history *history; // [slices]
    uint8_t *pred;             // [slices, cells, cells] of the last pass, thresholded
    float *dmasks;             // of a pass, all slots
    float *diou;
    float *weight; // of the cells [slices, cells, cells], with train.click_weighting
    float *dtoken; // of the text [E]
} mg_target_work;

// Place the arrays for targets of up to `slices` slices; model, config, volumes are set before.
void mg_target_work_place(mg_layout *at, mg_target_work *w, int slices);

// Where one target stands.
typedef struct {
    const mg_step *step;
    const mg_seg_sample *sample;
    int64_t slice_number;   // dataset-wide, of its first slice
    const float *embedding; // [slices, N, E]
    float *dembedding;      // the same, added to
    float *grads;           // added to
    double *scalars;        // [MG_SEG_SCALARS], added to
} mg_target_run;

void mg_target_train(mg_target_work *w, const mg_target_run *r);

#endif
