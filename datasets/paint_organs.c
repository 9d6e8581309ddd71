// A slice of the abdomen with the look of MR: five organs at their places, each of its own kind, so that a
// text can name what a click points at. Liver and spleen look alike and so do the kidneys: only their
// place tells them apart. Kidneys have a bright rim around a dark middle, organs have soft edges, and the
// light changes across the picture. Lengths are for 96 px.
#include "datasets/paint.h"

#include <math.h>
#include <stddef.h>

enum { ORGANS = 5 };

// Middle in shares of the body's half axes, radius in pixels, brightness over the tissue. As in a scan,
// the body's right side is on the left of the picture.
static const struct {
    double x, y, r, value;
} organ[ORGANS] = {
    {.54, -.16, 10.5, .20}, // spleen
    {-.40, .42, 8, .34},    // right kidney
    {.40, .42, 8, .34},     // left kidney
    {-.46, -.22, 17, .14},  // liver
    {.02, .24, 5.5, -.30},  // aorta
};
// Largest last: an organ never covers an earlier one.
static const int order[ORGANS] = {4, 1, 2, 0, 3};

typedef struct {
    double x, y, ax, ay, tissue;
} body;

static body paint_body(mg_pen *pen, mg_canvas *c)
{
    double k = mg_paint_scale(c);
    body b = {.x = c->width / 2.0 + k * mg_pen_between(pen, -2, 2),
              .y = c->height / 2.0 + k * mg_pen_between(pen, -2, 2),
              .ax = c->width * mg_pen_between(pen, .43, .47),
              .ay = c->height * mg_pen_between(pen, .37, .43),
              .tissue = mg_pen_between(pen, .30, .42)};

    mg_draw_noise(pen, c->work[0], c->height, c->width, 5 * k, .03, c->work[1]);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double q = hypot((x - b.x) / b.ax, (y - b.y) / b.ay);
            c->rgb[0][i] = (float)(q > 1 ? .02 : q > .88 ? .85 : b.tissue + c->work[0][i]);
        }
    return b;
}

// The dark spine below the middle; no target.
static void paint_spine(mg_pen *pen, mg_canvas *c, const body *b)
{
    double k = mg_paint_scale(c);

    mg_draw_blob(pen, c->work[0], c->height, c->width, b->x, b->y + .58 * b->ay, 7 * k, .14, 1.2);
    mg_draw_mix(c->rgb[0], c->work[0], .12, mg_canvas_cells(c));
}

static void paint_organ(mg_pen *pen, mg_canvas *c, const body *b, int i)
{
    double k = mg_paint_scale(c), jitter = i == 4 ? 2 : 4;
    double x = b->x + organ[i].x * b->ax + k * mg_pen_between(pen, -jitter, jitter);
    double y = b->y + organ[i].y * b->ay + k * mg_pen_between(pen, -jitter, jitter);
    double r = organ[i].r * k * mg_pen_between(pen, .85, 1.15);
    double value = b->tissue + organ[i].value * mg_pen_between(pen, .6, 1.2);
    bool kidney = i == 1 || i == 2;
    float *inside = c->work[0], *texture = c->work[1];

    mg_draw_blob(pen, inside, c->height, c->width, x, y, r, .14, i == 4 ? 1.1 : 1.5);
    if (!mg_paint_claim(c, inside, i + 1)) return;
    mg_draw_noise(pen, texture, c->height, c->width, 1.5 * k, .05, c->work[2]);
    for (int64_t p = 0; p < mg_canvas_cells(c); p++)
        if (inside[p] > 0) c->rgb[0][p] = (float)value + texture[p];
    if (!kidney) return;
    mg_draw_blob(pen, c->work[2], c->height, c->width, x, y, .55 * r, .14, 1.5);
    for (int64_t p = 0; p < mg_canvas_cells(c); p++)
        if (inside[p] > 0 && c->work[2][p] > 0) c->rgb[0][p] = (float)(b->tissue - .1) + texture[p];
}

void mg_paint_demo_organs(mg_pen *pen, mg_canvas *c)
{
    double k = mg_paint_scale(c);
    body b = paint_body(pen, c);

    paint_spine(pen, c, &b);
    for (int i = 0; i < ORGANS; i++) paint_organ(pen, c, &b, order[i]);
    mg_draw_blur(c->rgb[0], c->height, c->width, .8 * k, .8 * k, c->work[0]);
    mg_draw_noise(pen, c->work[0], c->height, c->width, 24 * k, .15, c->work[1]); // light
    mg_draw_white(pen, c->work[1], mg_canvas_cells(c));
    for (int64_t i = 0; i < mg_canvas_cells(c); i++)
        c->rgb[0][i] = c->rgb[0][i] * (1 + c->work[0][i]) + .03f * c->work[1][i];
    mg_paint_grey(c);
}
