// Slices for phantoms: abdomen and chest as a CT window shows them, brain and knee in MR. Lengths
// are shares of the picture's width and height; u is a pixel of a 224 px picture.
#include "datasets/paint.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

static double unit_of(const mg_canvas *c)
{
    return (c->width < c->height ? c->width : c->height) / 224.0;
}

// A body with soft edges at (x, y), shares of width and height from the middle; r in u. Only the rows it
// can reach are blurred and mixed in: elsewhere work[0] is zero.
static void organ(mg_pen *pen, mg_canvas *c, double x, double y, double r, double wob, double ecc,
                  double value)
{
    double u = unit_of(c), middle = c->height * (.5 + y), sd = .7 * u;
    // mg_draw_blob: up to r (1 + wob (1 + 1/2 + 1/3 + 1/4)) sqrt(ecc); the blur adds 4 sd.
    int reach = (int)(r * u * (1 + 2.1 * wob) * sqrt(ecc) + 4 * sd) + 3;
    int top = (int)fmax(floor(middle) - reach, 0);
    int rows = (int)fmin(ceil(middle) + reach, c->height) - top;
    float *band = c->work[0] + (int64_t)top * c->width;

    mg_draw_blob(pen, c->work[0], c->height, c->width, c->width * (.5 + x), middle, r * u, wob,
                 ecc);
    if (rows <= 0) return;
    mg_draw_blur(band, rows, c->width, sd, sd, c->work[1]);
    mg_draw_mix(c->rgb[0] + (int64_t)top * c->width, band, value, (int64_t)rows * c->width);
}

// Distance from the middle in half axes given as shares, uneven by the noise in work[0].
static double ring(const mg_canvas *c, int x, int y, double ax, double ay)
{
    double dx = ((double)x / c->width - .5) / ax, dy = ((double)y / c->height - .5) / ay;
    return hypot(dx, dy) + c->work[0][(int64_t)y * c->width + x];
}

static void grain(mg_pen *pen, mg_canvas *c, double amplitude)
{
    mg_draw_white(pen, c->work[0], mg_canvas_cells(c));
    mg_draw_blur(c->work[0], c->height, c->width, .6, .6, c->work[1]);
    mg_draw_add(c->rgb[0], c->work[0], amplitude / .48,
                mg_canvas_cells(c)); // .48: what the blur leaves
}

static double jitter(mg_pen *pen, double at, double by)
{
    return at + mg_pen_between(pen, -by, by);
}

// --- ct ---------------------------------------------------------------------------------------------

typedef struct {
    double ax, ay, fat; // half axes; where the fat under the skin ends
} trunk;

// Skin, fat, wall of muscle, inside; the table below.
static trunk paint_trunk(mg_pen *pen, mg_canvas *c, double inside)
{
    trunk t = {mg_pen_between(pen, .42, .47), mg_pen_between(pen, .31, .38),
               mg_pen_between(pen, .80, .92)};

    mg_draw_noise(pen, c->work[0], c->height, c->width, 22 * unit_of(c), .015, c->work[1]);
    mg_draw_noise(pen, c->work[2], c->height, c->width, 3 * unit_of(c), .03, c->work[1]);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double q = ring(c, x, y, t.ax, t.ay), v = 0;
            if (q < 1) v = .42;
            if (q < .98) v = .20 + .4 * c->work[2][i];
            if (q < t.fat) v = .47 + c->work[2][i];
            if (q < t.fat - .09) v = inside + c->work[2][i];
            double table = hypot((double)x / c->width - .5, (double)y / c->height + .55);
            if (q > 1.02 && fabs(table - 1.45) < .006) v = .22;
            c->rgb[0][i] = (float)v;
        }
    return t;
}

static void paint_spine(mg_pen *pen, mg_canvas *c, const trunk *t)
{
    double y = .55 * t->ay, r = mg_pen_between(pen, 11, 14);

    for (int side = -1; side <= 1; side += 2) {
        organ(pen, c, side * .09, y + .07, 15, .15, 1.6, .48);
        organ(pen, c, side * .05, y + .085, 4, .2, 2.2, .75); // transverse process
    }
    organ(pen, c, 0, y, r, .08, 1.3, .80);
    organ(pen, c, 0, y, r - 3, .08, 1.3, .62);
    organ(pen, c, 0, y + .085, 8, .1, 1.2, .78); // arch with the canal in it
    organ(pen, c, 0, y + .078, 5, .05, 1.1, .42);
    organ(pen, c, 0, y + .125, 4, .2, 2, .72);
}

static void paint_ribs(mg_pen *pen, mg_canvas *c, const trunk *t)
{
    int ribs = mg_pen_from(pen, 4, 6);
    for (int side = -1; side <= 1; side += 2)
        for (int i = 0; i < ribs; i++) {
            double angle = -.9 + 2.1 * (i + mg_pen_between(pen, 0, .6)) / ribs;
            double q = t->fat - .05;
            organ(pen, c, side * q * t->ax * cos(angle), q * t->ay * sin(angle),
                  mg_pen_between(pen, 3, 4.5), .15, 3, .85);
        }
}

static void paint_bowel(mg_pen *pen, mg_canvas *c)
{
    int loops = mg_pen_from(pen, 9, 16);
    for (int i = 0; i < loops; i++) {
        double x = mg_pen_between(pen, -.24, .24), y = mg_pen_between(pen, -.2, .02);
        double r = mg_pen_between(pen, 8, 17);
        bool gas = mg_pen_chance(pen, .35);
        organ(pen, c, x, y, r, .2, 2, .50);
        organ(pen, c, x, y - (gas ? .01 : 0), r * .72, .25, 2,
              gas ? .02 : mg_pen_between(pen, .36, .46));
    }
}

void mg_paint_ct_abdomen(mg_pen *pen, mg_canvas *c)
{
    trunk t = paint_trunk(pen, c, .22);
    bool upper = mg_pen_chance(pen, .6);

    paint_bowel(pen, c);
    if (upper) {
        organ(pen, c, jitter(pen, -.19, .03), jitter(pen, -.05, .02), mg_pen_between(pen, 36, 43),
              .22, 1.7, .58);
        organ(pen, c, jitter(pen, .13, .03), jitter(pen, -.12, .03), mg_pen_between(pen, 20, 27),
              .2, 1.7, .46);
        if (mg_pen_chance(pen, .5))
            organ(pen, c, jitter(pen, .12, .03), jitter(pen, -.16, .02), 12, .15, 2, .02);
        organ(pen, c, jitter(pen, .28, .02), jitter(pen, .03, .03), mg_pen_between(pen, 15, 21), .2,
              2, .56);
    }
    for (int side = -1; side <= 1; side += 2) {
        double x = side * jitter(pen, .15, .02), y = jitter(pen, .09, .02);
        organ(pen, c, x, y, mg_pen_between(pen, 13, 17), .12, 1.6, .60);
        organ(pen, c, x - side * .015, y, 6, .25, 1.8, .30);
    }
    organ(pen, c, .025, .05, 7, .05, 1.1, .60);
    organ(pen, c, -.045, .045, 7, .1, 1.4, .55);
    paint_spine(pen, c, &t);
    if (upper) paint_ribs(pen, c, &t);
    grain(pen, c, mg_pen_between(pen, .015, .04));
}

void mg_paint_ct_chest(mg_pen *pen, mg_canvas *c)
{
    trunk t = paint_trunk(pen, c, .46);
    double u = unit_of(c);

    for (int side = -1; side <= 1; side += 2) {
        double x = side * jitter(pen, .19, .01), y = jitter(pen, -.02, .02);
        int vessels = mg_pen_from(pen, 10, 18);
        organ(pen, c, x, y, mg_pen_between(pen, 34, 39), .1, 1.5, .06);
        memset(c->work[0], 0, (size_t)mg_canvas_cells(c) * sizeof(float));
        for (int i = 0; i < vessels; i++)
            mg_draw_walk(
                pen, c->work[0], c->height, c->width, c->width * (.5 + side * .10), c->height * .5,
                side > 0 ? mg_pen_between(pen, -1.4, 1.4) : pi + mg_pen_between(pen, -1.4, 1.4),
                u * mg_pen_between(pen, 12, 42), .12, 1.8 * u, .4 * u);
        mg_draw_mix(c->rgb[0], c->work[0], .45, mg_canvas_cells(c));
    }
    organ(pen, c, jitter(pen, .05, .02), jitter(pen, -.05, .02), mg_pen_between(pen, 26, 34), .12,
          1.6, .54);
    organ(pen, c, .07, .09, 8, .05, 1.2, .58);
    organ(pen, c, -.01, .03, 5, .1, 1.3, .03); // air in the trachea
    paint_spine(pen, c, &t);
    paint_ribs(pen, c, &t);
    if (mg_pen_chance(pen, .3))
        organ(pen, c, (mg_pen_chance(pen, .5) ? 1 : -1) * jitter(pen, .2, .06),
              jitter(pen, -.03, .08), mg_pen_between(pen, 3, 9), .25, 1.5, .5);
    grain(pen, c, mg_pen_between(pen, .015, .04));
}

// --- mr ---------------------------------------------------------------------------------------------

typedef struct {
    double fluid, grey, white, fat, lesion;
} contrast;

static const contrast mr_contrast[] = {
    {.10, .42, .62, .90, .38}, // T1
    {.95, .60, .42, .70, .85}, // T2
    {.08, .55, .45, .60, .90}, // FLAIR
    {.80, .72, .58, .75, .80}, // proton density
};

// Folds: dark furrows where the slow noise in work[2] passes through zero, grey beside them.
static double brain_value(const contrast *m, double q, double fold)
{
    double outer = fmin(fmax((q - .35) / .3, 0), 1);
    if (fabs(fold) < .17 * outer) return m->fluid;
    if (fabs(fold) < .62 * outer || q > .77) return m->grey;
    return m->white;
}

static void paint_head(mg_pen *pen, mg_canvas *c, const contrast *m, bool stripped)
{
    double u = unit_of(c), ax = mg_pen_between(pen, .34, .38), ay = mg_pen_between(pen, .42, .46);

    mg_draw_noise(pen, c->work[0], c->height, c->width, 20 * u, .012, c->work[1]);
    mg_draw_noise(pen, c->work[2], c->height, c->width, 4.5 * u, 1, c->work[1]);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double q = ring(c, x, y, ax, ay), v = .02;
            double midline = fabs((double)x / c->width - .5) + .02 * c->work[0][i];
            if (q < 1 && !stripped) v = m->fat;
            if (q < .94 && !stripped) v = .05;
            if (q < .88) v = m->fluid;
            if (q < .84) v = brain_value(m, q, c->work[2][i]);
            if (q < .84 && midline < .006 && (q > .35 || stripped)) v = m->fluid;
            c->rgb[0][i] = (float)v;
        }
}

void mg_paint_mr_brain(mg_pen *pen, mg_canvas *c)
{
    const contrast *m = &mr_contrast[mg_pen_from(pen, 0, 3)];
    double wide = mg_pen_between(pen, .7, 1.5), u = unit_of(c);

    paint_head(pen, c, m, mg_pen_chance(pen, .35));
    for (int side = -1; side <= 1; side += 2) {
        organ(pen, c, side * .09, jitter(pen, .0, .01), 11, .15, 1.8, m->grey); // deep nuclei
        organ(pen, c, side * .033 * wide, -.06, 6 * wide, .2, 2.5, m->fluid);   // ventricles
        organ(pen, c, side * .045 * wide, .07, 6 * wide, .2, 2.5, m->fluid);
    }
    if (mg_pen_chance(pen, .4))
        organ(pen, c, (mg_pen_chance(pen, .5) ? 1 : -1) * jitter(pen, .13, .06),
              jitter(pen, -.02, .15), mg_pen_between(pen, 6, 20), .3, 1.7, m->lesion);
    mg_draw_blur(c->rgb[0], c->height, c->width, .6 * u, .6 * u, c->work[1]);
    mg_draw_noise(pen, c->work[2], c->height, c->width, 60 * u, .08, c->work[1]); // coil
    for (int64_t i = 0; i < mg_canvas_cells(c); i++) c->rgb[0][i] *= 1 + c->work[2][i];
    grain(pen, c, mg_pen_between(pen, .01, .03));
}

static void paint_bone(mg_pen *pen, mg_canvas *c, double x, double y, double r, double marrow)
{
    mg_pen same = *pen; // the same outline twice: dark rim, then marrow
    organ(pen, c, x, y, r, .12, 1.5, .06);
    organ(&same, c, x, y, r - 2.5, .12, 1.5, marrow);
}

// From the side: thigh bone above, shin bone below, kneecap in front.
void mg_paint_mr_knee(mg_pen *pen, mg_canvas *c)
{
    double u = unit_of(c), marrow = mg_pen_between(pen, .55, .85),
           muscle = mg_pen_between(pen, .22, .35);
    double front = mg_pen_chance(pen, .5) ? 1 : -1;

    mg_draw_noise(pen, c->work[0], c->height, c->width, 25 * u, .05, c->work[1]);
    mg_draw_noise(pen, c->work[2], c->height, c->width, 3 * u, .05, c->work[1]);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double side = fabs((double)x / c->width - .5) * 2 + c->work[0][i];
            double v = side < .62 ? muscle + c->work[2][i] : side < .8 ? .85 + c->work[2][i] : .02;
            c->rgb[0][i] = (float)v;
        }
    for (int i = 0; i < 5; i++) { // planes of fat between the muscles
        memset(c->work[0], 0, (size_t)mg_canvas_cells(c) * sizeof(float));
        mg_draw_walk(pen, c->work[0], c->height, c->width, c->width * mg_pen_between(pen, .25, .75),
                     c->height * mg_pen_between(pen, -.05, .6),
                     pi / 2 + mg_pen_between(pen, -.3, .3), u * mg_pen_between(pen, 40, 120), .04,
                     2 * u, u);
        mg_draw_mix(c->rgb[0], c->work[0], .8, mg_canvas_cells(c));
    }
    double gap = mg_pen_between(pen, -.01, .03);
    paint_bone(pen, c, .01, -.38, 24, marrow);
    paint_bone(pen, c, .01, -.28, 26, marrow);
    paint_bone(pen, c, .02, -.13 + gap, 36, marrow);
    paint_bone(pen, c, .01, .42, 24, marrow);
    organ(pen, c, .01, .045 + gap, 28, .1, 3, .5); // cartilage and meniscus
    paint_bone(pen, c, .01, .22 + gap, 36, marrow);
    paint_bone(pen, c, front * .24, -.14, 13, marrow);
    organ(pen, c, front * .2, .04, 10, .3, 2, .85); // fat pad
    mg_draw_blur(c->rgb[0], c->height, c->width, .7 * u, .7 * u, c->work[1]);
    grain(pen, c, mg_pen_between(pen, .015, .035));
}
