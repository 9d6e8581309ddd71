// The random resized crop of a picture and its mirroring, as drawn from the sample's own streams
// (pretraining.md 6.3 and 8.3). The pixels are resize.c's work.
#ifndef MG_SHARD_CROP_H
#define MG_SHARD_CROP_H

#include <stdbool.h>
#include <stdint.h>

// What may be drawn: share of the picture's area, and width over height.
typedef struct {
    double area[2];   // smallest, largest; usually 0.2, 1
    double aspect[2]; // usually 3/4, 4/3
} mg_crop_law;

typedef struct {
    int top, left, height, width;
    bool flip; // mirror left and right after cropping
} mg_crop;

// The usual law: area 0.2 to 1, aspect 3/4 to 4/3.
mg_crop_law mg_crop_law_default(void);

// The rectangle inside an h x w picture for this sample in this epoch. Purposes 2 (crop), 3 (flip).
mg_crop mg_crop_rect(const mg_crop_law *law, uint64_t seed, uint32_t epoch, uint32_t sample, int h,
                     int w);

#endif
