// The overlay of a volume: a sheet of its slices with prompts, and of those with the largest masks.
#ifndef MG_FINETUNE_PREDICT_SHEET_H
#define MG_FINETUNE_PREDICT_SHEET_H

#include "finetune/predict_prompts.h"
#include "finetune/volume_session.h"

enum { MG_SHEET_SLICES = 9 };

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
