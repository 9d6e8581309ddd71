// Values of volumes as models take them: 8 bits, three channels (model.md section 3; the windows and
// percentiles of datasets.md).
#ifndef MG_SHARD_LEVELS_H
#define MG_SHARD_LEVELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/h5.h"

// Each input channel is (v - low) / (high - low), clipped and rounded to 0..255.
typedef struct {
    mg_dtype type; // MG_U8, MG_I16, MG_F32
    int channels;
    int input[3];             // channels that the three inputs are made of; -1: zeros
    const double (*range)[2]; // low and high of each channel; equal: none, and NULL: none at all.
                              // Without, 8-bit values stay as they are, others become 0
    bool ct;                  // otherwise a zero stays zero
    const double *window;     // of CT: low and high instead of the range; NULL without
} mg_levels;

// pixels [cells, channels] to out [cells, 3].
void mg_levels_apply(const mg_levels *levels, const void *pixels, size_t cells, uint8_t *out);

#endif
