// Drawing of phantoms: planes of floats, blurs, noise, wobbly bodies, strokes. Everything is a
// function of (seed, what is drawn, number of the picture): random numbers are Philox purpose 9 with
// epoch 256 tag + field and index picture; field 0 gives the shapes, each noise plane has its own.
#ifndef MG_DATASETS_DRAW_H
#define MG_DATASETS_DRAW_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/err.h"
#include "runtime/rng.h"

// --- random numbers ---------------------------------------------------------------------------------

typedef struct {
    uint64_t seed;
    uint32_t tag, index;
    uint32_t fields; // noise planes drawn so far
    mg_cursor at;    // for shapes
} mg_pen;

mg_pen mg_pen_at(uint64_t seed, uint32_t tag, uint32_t index);
double mg_pen_between(mg_pen *pen, double low, double high);
int mg_pen_from(mg_pen *pen, int low, int high); // a whole number, both ends included
double mg_pen_normal(mg_pen *pen, double sd);
bool mg_pen_chance(mg_pen *pen, double probability);

// --- canvas -----------------------------------------------------------------------------------------

enum { MG_CANVAS_WORK = 4 };

// Planes [height, width]. `work` is scratch; drawing functions say which they need by taking it.
typedef struct {
    int height, width;
    float *rgb[3]; // 0..1 is the visible range
    float *work[MG_CANVAS_WORK];
    uint8_t *label; // object number, 0 background
    uint8_t *bytes; // [height, width, 3], filled by mg_canvas_finish
    void *block;
} mg_canvas;

mg_status mg_canvas_create(int height, int width, mg_canvas *out);
void mg_canvas_free(mg_canvas *c);
void mg_canvas_clear(mg_canvas *c, double red, double green, double blue); // and the label
int64_t mg_canvas_cells(const mg_canvas *c);
// Add a colour where `alpha` is 1, less where it is less.
void mg_canvas_tint(mg_canvas *c, const float *alpha, double red, double green, double blue);
// Round 255 v, clipped to 0..255, into `bytes`: 3 channels, or the first plane as 1.
void mg_canvas_finish(mg_canvas *c, int channels);

// Write `bytes` (or the label) plainly: phantoms can be drawn again, so nothing is synced.
mg_status mg_canvas_write_png(const mg_canvas *c, const char *path, int channels);
mg_status mg_canvas_write_jpeg(const mg_canvas *c, const char *path, int channels, int quality);
mg_status mg_draw_write_label(const char *path, const uint8_t *label, int height, int width);
mg_status mg_draw_put_file(const char *path, const void *data, size_t bytes);

// --- planes -----------------------------------------------------------------------------------------

// Gaussian blur, standard deviations in pixels down and across, mirrored at the border.
// `work` is another plane.
void mg_draw_blur(float *plane, int height, int width, double sd_y, double sd_x, float *work);

// White noise of standard deviation 1.
void mg_draw_white(mg_pen *pen, float *plane, int64_t count);

// White noise blurred by `sd`, then scaled to standard deviation `amplitude`; `work` as above.
// Above 8 px it is made on a coarser grid.
void mg_draw_noise(mg_pen *pen, float *plane, int height, int width, double sd, double amplitude,
                   float *work);

// plane = 1 inside of a body, 0 outside; returns the number of cells inside. The body at (x, y):
// with a = sqrt(U(1, ecc)) and a random rotation, u and v the turned offsets, inside is where
// hypot(u / a, v a) < r (1 + sum k=2..5 of wob / (k-1) U(-1, 1) cos(k theta + phase)).
int64_t mg_draw_blob(mg_pen *pen, float *plane, int height, int width, double x, double y, double r,
                     double wob, double ecc);

// A round dot with a soft edge: plane = max(plane, value * cover).
void mg_draw_dot(float *plane, int height, int width, double x, double y, double r, double value);

// A stroke that starts at (x, y) in direction `heading`, `length` steps of one radius or less; the
// heading changes by normal(0, bend) and the radius goes from r0 to r1.
void mg_draw_walk(mg_pen *pen, float *plane, int height, int width, double x, double y,
                  double heading, double length, double bend, double r0, double r1);

// plane += amount * alpha; plane = plane + alpha (value - plane).
void mg_draw_add(float *plane, const float *alpha, double amount, int64_t cells);
void mg_draw_mix(float *plane, const float *alpha, double value, int64_t cells);

// --- placing ----------------------------------------------------------------------------------------

typedef struct {
    double x, y, r;
} mg_spot;

// True if a spot keeps the distance gap (r + r') from each of the `count` others.
bool mg_spot_is_free(const mg_spot *spot, const mg_spot *others, int count, double gap);
// Largest first.
void mg_spots_sort(mg_spot *spots, int count);

#endif
