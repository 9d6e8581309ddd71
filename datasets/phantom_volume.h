// Volumes of phantoms: where their axes point, and NIfTI files of them in any type.
#ifndef MG_DATASETS_PHANTOM_VOLUME_H
#define MG_DATASETS_PHANTOM_VOLUME_H

#include "datasets/nifti.h"
#include "datasets/phantom.h"
#include "datasets/solid.h"

// How a volume is kept in its file.
typedef struct {
    char axes[4];      // where the file's axes point: "LPS"
    double tilt;       // of the grid about x, radians: an oblique scan
    double spacing[3]; // mm, x, y, z
    double origin[3];  // RAS mm of the first cell of our grid
    mg_dtype type;
} mg_phantom_frame;

// The header of a volume of this size (our grid) in that frame.
void mg_phantom_head(const mg_phantom_frame *frame, int depth, int height, int width,
                     mg_nifti_head *out);

// Write whole numbers, [depth, height, width] of our grid, as `type`; the first `share` of the bytes.
mg_status mg_phantom_volume(const mg_phantom_order *order, const char *name,
                            const mg_nifti_head *head, mg_dtype type, const int16_t *values,
                            double share);

// What drawing a case needs.
typedef struct {
    mg_solid solid;
    float *real;     // values as drawn
    float *work;     // a slice
    int16_t *values; // as stored
    int16_t *label;
    int64_t cells;
} mg_phantom_case;
mg_status mg_phantom_case_create(int depth, int height, int width, mg_phantom_case *out);
void mg_phantom_case_free(mg_phantom_case *c);

// real to values, rounded and clipped to [low, 32767].
void mg_phantom_round(mg_phantom_case *c, double low);

#endif
