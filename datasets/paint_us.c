// Ultrasound of the thyroid for phantoms: skin and muscle layers with bright fascia, the gland with a
// nodule, shadows and enhancement behind it, speckle, logarithmic compression, sometimes calipers
// and a scale burnt in.
#include "datasets/paint.h"

#include <math.h>
#include <string.h>

// Echo strength in decibel below the brightest, in the first plane.
static void paint_tissue(mg_pen *pen, mg_canvas *c, double u)
{
    double gland = mg_pen_between(pen, .16, .3), end = mg_pen_between(pen, .75, 1.05);
    double tilt = mg_pen_between(pen, -.12, .12), bow = mg_pen_between(pen, -.15, .2);
    double level = mg_pen_between(pen, -20, -12), deep = mg_pen_between(pen, -30, -20);
    double bands = mg_pen_between(pen, 40, 90), phase = mg_pen_between(pen, 0, 6);

    mg_draw_noise(pen, c->work[0], c->height, c->width, 14 * u, .02, c->work[3]); // of the borders
    mg_draw_noise(pen, c->work[1], c->height, c->width, 5 * u, 2.5, c->work[3]);  // of the echo
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double side = (double)x / c->width - .5;
            double at = (double)y / c->height + tilt * side + bow * side * side + c->work[0][i];
            double v = at < gland ? -24 + 6 * sin(bands * at + phase + c->work[1][i])
                       : at < end ? level
                                  : deep;
            double fascia = fmin(fabs(at - gland), fabs(at - end));
            v += 16 * exp(-.5 * pow(fascia / .012, 2));
            if (at < .04) v = -8;
            c->rgb[0][i] = (float)(v + c->work[1][i]);
        }
}

// Threads of connective tissue.
static void paint_threads(mg_pen *pen, mg_canvas *c, double u)
{
    int threads = mg_pen_from(pen, 4, 14);

    memset(c->work[0], 0, (size_t)mg_canvas_cells(c) * sizeof(float));
    for (int i = 0; i < threads; i++)
        mg_draw_walk(pen, c->work[0], c->height, c->width, c->width * mg_pen_between(pen, -.1, .9),
                     c->height * mg_pen_between(pen, 0, 1), mg_pen_between(pen, -.25, .25),
                     u * mg_pen_between(pen, 20, 120), .03, 1.2 * u, .6 * u);
    mg_draw_blur(c->work[0], c->height, c->width, .6 * u, u, c->work[3]);
    mg_draw_add(c->rgb[0], c->work[0], mg_pen_between(pen, 5, 12), mg_canvas_cells(c));
}

// The nodule: darker, sometimes like the gland with a dark rim, sometimes with calcifications and
// their shadow; a cyst brightens what lies behind it.
static void paint_nodule(mg_pen *pen, mg_canvas *c, double u, const mg_spot *s, int number)
{
    float *inside = c->work[0], *rim = c->work[1];
    double edge = u * mg_pen_between(pen, .8, 2.5), depth = mg_pen_between(pen, -16, -3);
    bool halo = mg_pen_chance(pen, .5), cyst = mg_pen_chance(pen, .2);
    int64_t cells = mg_canvas_cells(c);

    mg_draw_blob(pen, inside, c->height, c->width, s->x, s->y, s->r, .18, 1.8);
    for (int64_t i = 0; i < cells; i++)
        if (inside[i] > 0) c->label[i] = (uint8_t)number;
    memcpy(rim, inside, (size_t)cells * sizeof *rim);
    mg_draw_blur(rim, c->height, c->width, 2.5 * u, 2.5 * u, c->work[3]);
    mg_draw_blur(inside, c->height, c->width, edge, edge, c->work[3]);
    if (cyst) depth = -28;
    mg_draw_add(c->rgb[0], inside, depth, cells);
    for (int64_t i = 0; i < cells && halo; i++) c->rgb[0][i] -= 28 * rim[i] * (1 - rim[i]);
    mg_draw_noise(pen, c->work[2], c->height, c->width, 4 * u, 3, c->work[3]);
    for (int64_t i = 0; i < cells; i++) c->rgb[0][i] += inside[i] * c->work[2][i];
    double behind = cyst ? 7 : mg_pen_between(pen, -9, 3);
    for (int y = (int)s->y; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double shade = exp(-.5 * pow((x - s->x) / (.55 * s->r), 2));
            c->rgb[0][i] += (float)(behind * shade * (1 - inside[i]));
        }
    if (!mg_pen_chance(pen, .3)) return;
    memset(rim, 0, (size_t)cells * sizeof *rim);
    for (int n = mg_pen_from(pen, 2, 7); n > 0; n--)
        mg_draw_dot(rim, c->height, c->width, s->x + mg_pen_normal(pen, .3 * s->r),
                    s->y + mg_pen_normal(pen, .3 * s->r), u * mg_pen_between(pen, .8, 2), 1);
    mg_draw_add(c->rgb[0], rim, 18, cells);
}

// Speckle of standard deviations (sd_y, sd_x), compressed to a range of decibels; gain falls off
// with depth.
static void speckle(mg_pen *pen, mg_canvas *c, double sd_y, double sd_x)
{
    float *re = c->work[0], *im = c->work[1];
    double range = mg_pen_between(pen, 42, 52), fall = mg_pen_between(pen, 0, 8), square = 0;

    mg_draw_white(pen, re, mg_canvas_cells(c));
    mg_draw_white(pen, im, mg_canvas_cells(c));
    mg_draw_blur(re, c->height, c->width, sd_y, sd_x, c->work[3]);
    mg_draw_blur(im, c->height, c->width, sd_y, sd_x, c->work[3]);
    for (int64_t i = 0; i < mg_canvas_cells(c); i++)
        square += (double)re[i] * re[i] + im[i] * im[i];
    square /= (double)mg_canvas_cells(c);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double power = ((double)re[i] * re[i] + im[i] * im[i]) / square;
            double decibel = c->rgb[0][i] + 10 * log10(fmax(power, 1e-3)) - fall * y / c->height;
            c->rgb[0][i] = (float)(1 + decibel / range);
        }
    mg_draw_blur(c->rgb[0], c->height, c->width, .5, .5, c->work[3]);
    for (int64_t i = 0; i < mg_canvas_cells(c); i++) { // the bend of a screen's curve
        float v = c->rgb[0][i] < 0 ? 0 : c->rgb[0][i];
        c->rgb[0][i] = .95f * v * sqrtf(v);
    }
}

// Crosses at two ends of the nodule, and a scale on the right.
static void burn_in(mg_pen *pen, mg_canvas *c, double u, const mg_spot *s)
{
    float *plane = c->work[0];
    memset(plane, 0, (size_t)mg_canvas_cells(c) * sizeof *plane);
    if (mg_pen_chance(pen, .3))
        for (int end = -1; end <= 1; end += 2)
            for (int t = -4; t <= 4; t++)
                for (int turn = -1; turn <= 1; turn += 2)
                    mg_draw_dot(plane, c->height, c->width, s->x + end * 1.1 * s->r + t * u,
                                s->y + turn * t * u, .6 * u, 1);
    if (mg_pen_chance(pen, .3))
        for (int i = 1; i < 10; i++)
            for (int t = 0; t < (i % 5 ? 3 : 6); t++)
                mg_draw_dot(plane, c->height, c->width, c->width - (3 + t) * u,
                            c->height * i / 10.0, .6 * u, 1);
    mg_draw_mix(c->rgb[0], plane, .8, mg_canvas_cells(c));
}

void mg_paint_ultrasound(mg_pen *pen, mg_canvas *c)
{
    mg_paint_nodules(pen, c, 1);
}

void mg_paint_nodules(mg_pen *pen, mg_canvas *c, int nodules)
{
    double u = (c->width < c->height ? c->width : c->height) / 224.0;
    double grain = mg_pen_between(pen, .7, 1.3);
    mg_spot s = {c->width * mg_pen_between(pen, .35, .65),
                 c->height * mg_pen_between(pen, .42, .65), u * mg_pen_between(pen, 18, 50)};

    paint_tissue(pen, c, u);
    paint_threads(pen, c, u);
    paint_nodule(pen, c, u, &s, 1);
    if (nodules > 1) { // on the wider side of the first
        mg_spot other = {s.x < c->width / 2.0 ? c->width * .82 : c->width * .2, s.y,
                         u * mg_pen_between(pen, 14, 22)};
        paint_nodule(pen, c, u, &other, 2);
    }
    speckle(pen, c, .9 * grain * u, 1.6 * grain * u);
    burn_in(pen, c, u, &s);
    if (mg_pen_chance(pen, .25)) { // a fan instead of a box
        double top = mg_pen_between(pen, .2, .35);
        for (int y = 0; y < c->height; y++)
            for (int x = 0; x < c->width; x++)
                if (fabs((double)x / c->width - .5) > top + (.52 - top) * y / c->height) {
                    c->rgb[0][(int64_t)y * c->width + x] = 0;
                    c->label[(int64_t)y * c->width + x] = 0;
                }
    }
}
