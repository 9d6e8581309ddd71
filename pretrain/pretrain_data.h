// Pictures for pretraining: stored 8-bit pictures cropped, mirrored and normalised
// (pretraining.md 6.3), each a function of (seed, epoch, sample).
#ifndef MG_PRETRAIN_DATA_H
#define MG_PRETRAIN_DATA_H

#include "shard/crop.h"
#include "shard/shard.h"

typedef struct {
    const mg_reader *reader; // not owned
    uint64_t seed;
    int size;        // side of the crop in pixels
    bool flip;       // mirror half of the crops
    mg_crop_law law; // of the random resized crop; area {1, 1}: the whole picture is resized
    bool crop;       // false: no random crop
} mg_pretrain_data;

// Floats of one prepared picture, [3, size, size].
size_t mg_pretrain_floats(const mg_pretrain_data *data);

// Has the type of mg_produce; ctx is a mg_pretrain_data.
mg_status mg_pretrain_produce(void *ctx, int64_t epoch, int64_t sample, void *slot);

// The picture for looking at features (pretraining.md 9): shorter side to size * 256 / 224, centre
// crop, no randomness. out [3, size, size].
mg_status mg_pretrain_centre(const mg_pretrain_data *data, int64_t sample, float *out);

// Sample number i of `count` that are spread evenly over the data (its sets lie one after another).
int64_t mg_pretrain_spread(const mg_pretrain_data *data, int count, int i);

#endif
