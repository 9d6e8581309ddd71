// Exact Euclidean distance transforms (prompts-and-metrics.md section 2): the distance of each cell
// of a mask to the nearest zero cell, squared. Roots are left to the caller.
//   raw:    only the cells of the array count; without any zero everything is infinitely far
//   padded: the array is surrounded by one layer of zeros (in 3-D in depth too)
// Arrays are [depth, height, width], row-major. Nothing here allocates.
#ifndef MG_FINETUNE_DISTANCE_H
#define MG_FINETUNE_DISTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MG_FAR = INT32_MAX }; // "no zero anywhere" of the integer transform

typedef struct {
    bool padded;
    int ndim;          // 2: depth is 1 and is not padded; 3
    int dim[3];        // z, y, x
    double spacing[3]; // z, y, x
} mg_grid;

// 2-D, unit spacing, integers.
//   d2, mask [height, width]   d2 is 0 on zero cells; a stride may skip part of a wider mask's rows
//   scratch  mg_distance_int_scratch bytes
// Sides up to 46340.
void mg_distance_int(int32_t *d2, const uint8_t *mask, int mask_stride, int height, int width,
                     bool padded, void *scratch);
size_t mg_distance_int_scratch(int width);

// Any spacing, 2-D or 3-D, doubles: d2 [dim], INFINITY where no zero can be reached.
//   scratch  mg_distance_scratch bytes for `threads` threads (the result does not depend on them)
void mg_distance(double *d2, const uint8_t *mask, const mg_grid *grid, int threads, void *scratch);
size_t mg_distance_scratch(const mg_grid *grid, int threads);

#endif
