// Outlines of regions drawn by hand, as DDTI keeps them: JSON text to polygons, polygons to a mask.
//   [{"points": [{"x": 291, "y": 127}, ...], "annotation": {}, "regionType": "freehand"}, ...]
// x to the right, y down; whole numbers are the middles of pixels; a polygon closes by itself.
#ifndef MG_DATASETS_OUTLINE_H
#define MG_DATASETS_OUTLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/err.h"

enum { MG_OUTLINE_POINTS = 1 << 16 }; // of all regions

typedef struct {
    double x, y;
} mg_point;

// Regions of a picture: region r is points [end of r - 1, end of r). Zero to begin with.
typedef struct {
    mg_point *point; // [MG_OUTLINE_POINTS] once there is a region
    int *end;        // [regions]
    int regions, room;
    bool truncated; // a text ended early: what came before is here
    bool
        open; // the last region of such a text is not whole: it ends at its last whole point, or is lost
} mg_outlines;

// Add the regions of one text. Where it ends early, what is whole is kept: points up to the last whole one. Regions
// of fewer than three points are left out. MG_ERR_FORMAT names `name`, what was found and what was expected.
mg_status mg_outlines_add(const char *text, const char *name, mg_outlines *out);
void mg_outlines_free(mg_outlines *outlines);

// mask [height, width] becomes 1 in every region, 0 elsewhere: pixels whose middle lies inside of a polygon
// (even-odd rule), and the pixels that its outline passes through, as OpenCV and Pillow fill. Points outside of the
// frame are moved to its edge. MG_ERR_MEMORY.
mg_status mg_outlines_fill(const mg_outlines *outlines, int height, int width, uint8_t *mask);

#endif
