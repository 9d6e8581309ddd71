// What the phantom writers share: files in place, tables as text, defects planted at known places.
#ifndef MG_DATASETS_PHANTOM_H
#define MG_DATASETS_PHANTOM_H

#include "datasets/dataset.h"
#include "datasets/draw.h"

// Which defect item i carries: 0 for none, else 1..kinds, each of which is planted once, evenly over
// the items (the first ones if there are fewer items than kinds).
int mg_phantom_defect(const mg_phantom_order *order, int64_t i, int kinds);
// True on the rank that writes lists and fills the report.
bool mg_phantom_first(const mg_phantom_order *order);
// Put "what: where" into the report, if there is one.
mg_status mg_phantom_planted(const mg_phantom_order *order, const char *what, const char *where);

// Write below order->out, with the folders of the name.
mg_status mg_phantom_file(const mg_phantom_order *order, const char *name, const void *data,
                          size_t bytes);
// The canvas after mg_canvas_finish, as mg_phantom_pixels. Only the first `share` of the bytes is written
// (1: all).
mg_status mg_phantom_picture(const mg_phantom_order *order, const char *name,
                             const mg_canvas *canvas, int channels, double share);
// Pixels [height, width, channels] as PNG, TIFF, BMP or JPEG by the name's extension.
mg_status mg_phantom_pixels(const mg_phantom_order *order, const char *name, const uint8_t *pixels,
                            int height, int width, int channels, double share);
// A mask of 0 and 255 from the label.
mg_status mg_phantom_mask(const mg_phantom_order *order, const char *name, const uint8_t *label,
                          int height, int width);
// Files that readers must pass over: __MACOSX/, ._x, .DS_Store, Thumbs.db.
mg_status mg_phantom_junk(const mg_phantom_order *order);

// A table under construction. Zero to begin with.
typedef struct {
    char *text;
    size_t bytes, room;
} mg_phantom_table;

mg_status mg_phantom_row(mg_phantom_table *table, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
// Write and release.
mg_status mg_phantom_table_end(const mg_phantom_order *order, const char *name,
                               mg_phantom_table *table);

// Draw and write one item on a canvas of the size that `size_of` gives for it.
typedef mg_status (*mg_phantom_item)(const mg_phantom_order *order, int64_t i, mg_canvas *canvas);
typedef void (*mg_phantom_size)(const mg_phantom_order *order, int64_t i, int *height, int *width);
mg_status mg_phantom_items(const mg_phantom_order *order, mg_phantom_size size_of,
                           mg_phantom_item write);

#endif
