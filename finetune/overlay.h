// Pictures of results: the case with reference and predictions outlined and the prompts drawn.
#ifndef MG_FINETUNE_OVERLAY_H
#define MG_FINETUNE_OVERLAY_H

#include <stdint.h>

#include "finetune/clicks.h"
#include "runtime/err.h"

typedef struct {
    const uint8_t *pixels; // [height, width, channels]
    int height, width, channels;
    const uint8_t *gt,
        *pred; // [grid_height, grid_width]; gt may be NULL, pred holds numbers of targets
    int grid_height, grid_width;
    const mg_click *click; // in cells of the grid
    int clicks;
    const double (*box)[4]; // x0, y0, x1, y1, in cells of the grid, both ends included
    int boxes;
    const uint8_t *click_of,
        *box_of; // numbers of their targets, whose colours they get; NULL: white
    double tall; // height of a pixel over its width; 0 stands for 1
    bool
        turned; // by half a turn: axial slices of our grid as they are looked at, front up, right side left
} mg_overlay;

// Write a PNG with the long side near `side`: the picture, the reference outlined in green, each target's
// prediction filled and outlined in its colour (orange, blue, violet, yellow, ... again), positive clicks as
// green and negative ones as red dots with a ring, boxes as frames.
mg_status mg_overlay_write(const char *path, const mg_overlay *o, int side);

// Several of them in one PNG, in rows of `columns`, each with the long side near `side`.
mg_status mg_overlay_sheet(const char *path, const mg_overlay *o, int count, int columns, int side);

#endif
