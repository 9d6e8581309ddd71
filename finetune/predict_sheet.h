// Overlays of predictions: the prompts on a picture or slice, and the sheet of a volume: its slices with
// prompts, and those with the largest masks.
#ifndef MG_FINETUNE_PREDICT_SHEET_H
#define MG_FINETUNE_PREDICT_SHEET_H

#include "finetune/overlay.h"
#include "finetune/predict_prompts.h"
#include "finetune/volume_session.h"

enum { MG_SHEET_SLICES = 9, MG_MARKS_MAX = 256 };

// Placed prompts of one slice; the first ones, if there are too many.
typedef struct {
    mg_click click[MG_MARKS_MAX];
    double box[MG_MARKS_MAX][4];
    uint8_t click_of[MG_MARKS_MAX], box_of[MG_MARKS_MAX]; // numbers of targets
    int clicks, boxes;
} mg_predict_marks;

// Those of slice z (0 of a picture), and have them drawn: the overlay borrows them.
void mg_predict_mark(const mg_predict_prompts *prompts, int z, mg_predict_marks *marks,
                     mg_overlay *overlay);

typedef struct {
    mg_slices slices;   // pictures
    const uint8_t *map; // [depth, height, width] label map on their grid
    const mg_predict_prompts *prompts;
    double tall;                // height of a pixel over its width
    int shown;                  // written: how many slices
    int slice[MG_SHEET_SLICES]; // and which
} mg_predict_sheet;

// MG_ERR_MEMORY, MG_ERR_IO.
mg_status mg_predict_sheet_write(const char *path, mg_predict_sheet *sheet);

#endif
