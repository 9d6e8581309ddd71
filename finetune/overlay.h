// Pictures of results: the case with reference and prediction outlined and the clicks drawn.
#ifndef MG_FINETUNE_OVERLAY_H
#define MG_FINETUNE_OVERLAY_H

#include <stdint.h>

#include "finetune/clicks.h"
#include "runtime/err.h"

typedef struct {
    const uint8_t *pixels; // [height, width, channels]
    int height, width, channels;
    const uint8_t *gt, *pred; // [grid_height, grid_width]; gt may be NULL
    int grid_height, grid_width;
    const mg_click *click; // in cells of the grid
    int clicks;
} mg_overlay;

// Write a PNG with the long side near `side`: the picture, the reference outlined in green, the
// prediction filled and outlined in orange, positive clicks as green and negative ones as red dots.
mg_status mg_overlay_write(const char *path, const mg_overlay *o, int side);

#endif
