// All targets of a case in one picture, for reports that show methods side by side: what evaluate keeps
// of a few cases. Of a volume it is one slice, which the reference alone decides on, so every method
// shows the same, turned as it is looked at: front up, right side left. The reference has a label map, and so has each protocol; they are sampled to a long
// side of at most 384. Files: docs/formats.md, "Maps of an evaluation".
#ifndef MG_FINETUNE_CASE_MAPS_H
#define MG_FINETUNE_CASE_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/err.h"
#include "shard/shard.h"

enum { MG_CASE_SIDE = 384, MG_CASE_TARGETS = MG_SHARD_CLASSES };

typedef struct {
    char protocol[48];
    double
        dice[MG_CASE_TARGETS]; // by number - 1, of the whole case; NaN where it was not asked for
    float *best;               // [height, width], and behind it:
    uint8_t *label;            // [height, width]
} mg_case_map;

typedef struct {
    int slice;                      // of a volume; -1 for a picture
    int grid_height, grid_width;    // of what is given
    int height, width;              // of what is kept
    uint8_t *picture;               // [height, width, 3]
    uint8_t *reference;             // [height, width]
    float *sampled;                 // [height, width], work space
    char name[MG_CASE_TARGETS][64]; // by number - 1; "" without
    bool nested; // some targets of the reference lie within each other: later ones then lie on top
    mg_case_map *map;
    int maps;
} mg_case_maps;

// Forget the case before and begin one. MG_ERR_MEMORY.
mg_status mg_case_maps_begin(mg_case_maps *m, int slice, int height, int width);
void mg_case_maps_free(mg_case_maps *m);

// The picture [height, width, channels], of any size.
void mg_case_maps_picture(mg_case_maps *m, const uint8_t *pixels, int height, int width,
                          int channels);
// A target and its mask on the grid. All targets come before the first result.
void mg_case_maps_target(mg_case_maps *m, int number, const char *name, const uint8_t *mask);
// What a protocol gave for a target: logits on the grid (-INFINITY where nothing was decoded), and the
// Dice of the whole case. Targets come in rising order. MG_ERR_MEMORY.
mg_status mg_case_maps_add(mg_case_maps *m, const char *protocol, int number, double dice,
                           const float *logits);

// Write STEM.json and its PNGs into the folder, which is made. MG_ERR_IO, MG_ERR_MEMORY.
mg_status mg_case_maps_write(const mg_case_maps *m, const char *folder, const char *stem,
                             const char *set, const char *id);

#endif
