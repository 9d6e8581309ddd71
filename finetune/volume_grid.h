// From the grid that a model sees to the original grid of a volume, where a data set's preprocessing left
// it (crop, spacing): logits slice by slice, linearly between cells.
#ifndef MG_FINETUNE_VOLUME_GRID_H
#define MG_FINETUNE_VOLUME_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/err.h"

// Between which stored cells a cell of the original grid lies; low < 0: outside.
typedef struct {
    int low, high;
    float part; // of `high`
} mg_grid_spot;

typedef struct {
    int full[3], stored[3]; // cells along z, y, x of the original and of the stored grid
    mg_grid_spot *spot[3];  // [full[a]]
    float *slice;           // [full[1], full[2]] scratch
    bool same;
} mg_grid;

// Stored cell i of axis a lies at grid[a][0] + grid[a][1] i of the original grid. MG_ERR_MEMORY.
mg_status mg_grid_create(const int full[3], const int stored[3], const double grid[3][2],
                         mg_grid *out);
void mg_grid_free(mg_grid *g);

// Logits of original slice z from the stored slices that it lies between, g->spot[0][z].low and .high; cells
// that the stored grid does not reach are -INFINITY, and so is the slice if it lies outside (then neither is
// looked at).
void mg_grid_slice(const mg_grid *g, int z, const float *low, const float *high, float *out);

// Mask [full] of the logits [stored] of a whole case: above 0. Uses g->slice.
void mg_grid_mask(const mg_grid *g, const float *logits, uint8_t *mask);

#endif
