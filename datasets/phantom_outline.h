// Outlines for phantoms: the border of a body in a label, as DDTI's case files have it.
#ifndef MG_DATASETS_PHANTOM_OUTLINE_H
#define MG_DATASETS_PHANTOM_OUTLINE_H

#include "datasets/draw.h"

// JSON text of the regions of label values 1, 2, ... of a canvas: of each the outer border of its part that comes
// first, every `step`-th pixel. `shift` is added to x and y (points outside of the frame). mg_free; NULL without
// memory.
char *mg_phantom_outline(const mg_canvas *canvas, int step, int shift);

#endif
