// Bodies in three dimensions for phantoms of volumes: cells get a tissue and an organ, then values by a
// table of tissues. Places and sizes are shares of half the volume: x -1 (left) to 1 (right), y -1 (back)
// to 1 (front), z -1 (down) to 1 (up). Drawing is a function of the pen (draw.h).
#ifndef MG_DATASETS_SOLID_H
#define MG_DATASETS_SOLID_H

#include <stdint.h>

#include "datasets/draw.h"

typedef struct {
    int depth, height, width;
    uint8_t *tissue; // [depth, height, width], 0 is air
    uint8_t *organ;  // the same; 0 is none
    void *block;
} mg_solid;

mg_status mg_solid_create(int depth, int height, int width, mg_solid *out);
void mg_solid_free(mg_solid *s);

// An uneven ellipsoid; rz 0 makes it a cylinder through all slices. Where `inside` is not 0, only cells of
// that organ change. Organ 255 leaves the organ as it is.
typedef struct {
    double x, y, z, rx, ry, rz;
    double wobble; // 0 to about .2
    int tissue, organ, inside;
} mg_body;
void mg_solid_body(mg_pen *pen, mg_solid *s, const mg_body *body);

// Values of the tissues, softened by about a cell within each slice, with grain of this deviation.
// `values` [depth, height, width]; `work` is one slice.
void mg_solid_values(mg_pen *pen, const mg_solid *s, const float *of_tissue, double grain,
                     float *values, float *work);

// Numbers of organs and tissues of mg_paint_abdomen: 1 to 15 as AMOS counts, then:
enum { MG_VEINS = 16, MG_FAT, MG_MUSCLE, MG_BONE, MG_LUNG, MG_GAS, MG_ABDOMEN_TISSUES };
void mg_paint_abdomen(mg_pen *pen, mg_solid *s);
extern const float mg_abdomen_ct[MG_ABDOMEN_TISSUES], mg_abdomen_mr[MG_ABDOMEN_TISSUES];

// Tissues of mg_paint_brain; organs are the parts of the tumor: 1 necrosis, 2 oedema, 4 enhancing.
enum { MG_FLUID = 1, MG_GREY, MG_WHITE, MG_NECROSIS, MG_EDEMA, MG_ENHANCING, MG_BRAIN_TISSUES };
void mg_paint_brain(mg_pen *pen, mg_solid *s);
extern const float mg_brain_mr[4][MG_BRAIN_TISSUES]; // flair, t1, t1ce, t2

#endif
