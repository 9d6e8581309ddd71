// The four kinds of pictures of the demo, as demo.md section 2 gives them: each holds several objects
// of similar look, which is what makes a click matter. Lengths there are for 96 px; k scales them.
#include "datasets/paint.h"

#include <math.h>
#include <string.h>

enum { MAX_SPOTS = 8, TRIES = 200, SMALLEST = 60 }; // SMALLEST: cells of an object at 96 px

static const double pi = 3.14159265358979323846;

double mg_paint_scale(const mg_canvas *c)
{
    return c->width / 96.0;
}

bool mg_paint_claim(mg_canvas *c, float *inside, int number)
{
    int64_t kept = 0;
    double k = mg_paint_scale(c);

    for (int64_t i = 0; i < mg_canvas_cells(c); i++) {
        if (c->label[i]) inside[i] = 0;
        kept += inside[i] > 0;
    }
    if ((double)kept < SMALLEST * k * k) return false;
    for (int64_t i = 0; i < mg_canvas_cells(c); i++)
        if (inside[i] > 0) c->label[i] = (uint8_t)number;
    return true;
}

void mg_paint_grey(mg_canvas *c)
{
    for (int ch = 1; ch < 3; ch++)
        memcpy(c->rgb[ch], c->rgb[0], (size_t)mg_canvas_cells(c) * sizeof(float));
}

// --- ct ---------------------------------------------------------------------------------------------

typedef struct {
    double x, y, ax, ay; // body ellipse
    double tissue;
    mg_spot spine;
} body;

static double body_radius(const body *b, double x, double y)
{
    return hypot((x - b->x) / b->ax, (y - b->y) / b->ay);
}

static body paint_body(mg_pen *pen, mg_canvas *c)
{
    double k = mg_paint_scale(c), S = c->width;
    body b = {.x = S / 2, .y = c->height / 2.0};
    float *plane = c->rgb[0], *noise = c->work[0];

    b.ax = S * mg_pen_between(pen, .43, .48);
    b.ay = c->height * mg_pen_between(pen, .38, .45);
    b.tissue = mg_pen_between(pen, .40, .50);
    mg_draw_noise(pen, noise, c->height, c->width, 4 * k, .015, c->work[1]);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double q = body_radius(&b, x, y);
            plane[i] = (float)(q > 1 ? .02 : q > .86 ? .22 : b.tissue + noise[i]);
        }

    b.spine = (mg_spot){b.x, b.y + .66 * b.ay, k * mg_pen_between(pen, 6, 8)};
    double bone = mg_pen_between(pen, .9, 1);
    mg_draw_blob(pen, c->work[0], c->height, c->width, b.spine.x, b.spine.y, b.spine.r, .14, 1.2);
    for (int64_t i = 0; i < mg_canvas_cells(c); i++)
        if (c->work[0][i] > 0) plane[i] = (float)bone;
    return b;
}

// A free place for an organ inside the soft tissue, clear of the spine.
static bool place_organ(mg_pen *pen, const body *b, const mg_spot *placed, int count, mg_spot *spot)
{
    for (int t = 0; t < TRIES; t++) {
        spot->x = b->x + b->ax * mg_pen_between(pen, -1, 1);
        spot->y = b->y + b->ay * mg_pen_between(pen, -1, 1);
        double room = .86 - .7 * spot->r / fmin(b->ax, b->ay);
        if (body_radius(b, spot->x, spot->y) < room && mg_spot_is_free(spot, &b->spine, 1, 1.05) &&
            mg_spot_is_free(spot, placed, count, 1.05))
            return true;
    }
    return false;
}

// The organ's difference to the tissue around it: hardly visible in three of ten.
static double contrast(mg_pen *pen)
{
    double d = mg_pen_chance(pen, .3) ? mg_pen_between(pen, 0, .04) : mg_pen_between(pen, .06, .32);
    return mg_pen_chance(pen, .6) ? d : -d;
}

static void paint_organ(mg_pen *pen, mg_canvas *c, const body *b, const mg_spot *spot, int number)
{
    float *inside = c->work[0], *noise = c->work[1];
    double value = b->tissue + contrast(pen);

    mg_draw_blob(pen, inside, c->height, c->width, spot->x, spot->y, spot->r, .14, 1.7);
    mg_draw_noise(pen, noise, c->height, c->width, 2 * mg_paint_scale(c), .015, c->work[2]);
    if (!mg_paint_claim(c, inside, number)) return;
    for (int64_t i = 0; i < mg_canvas_cells(c); i++)
        if (inside[i] > 0) c->rgb[0][i] = (float)value + noise[i];
}

void mg_paint_demo_ct(mg_pen *pen, mg_canvas *c)
{
    double k = mg_paint_scale(c);
    mg_spot want[MAX_SPOTS], placed[MAX_SPOTS];
    int wanted = mg_pen_from(pen, 4, 6), count = 0;
    body b = paint_body(pen, c);

    for (int i = 0; i < wanted; i++) want[i].r = k * mg_pen_between(pen, 7, 18);
    mg_spots_sort(want, wanted);
    for (int i = 0; i < wanted; i++)
        if (place_organ(pen, &b, placed, count, &want[i])) placed[count++] = want[i];
    for (int i = 0; i < count; i++) paint_organ(pen, c, &b, &placed[i], i + 1);

    mg_draw_blur(c->rgb[0], c->height, c->width, .6 * k, .6 * k, c->work[0]);
    double amplitude = mg_pen_between(pen, .02, .08);
    mg_draw_white(pen, c->work[0], mg_canvas_cells(c));
    mg_draw_blur(c->work[0], c->height, c->width, .5, .5, c->work[1]);
    mg_draw_add(c->rgb[0], c->work[0], amplitude, mg_canvas_cells(c));
    mg_paint_grey(c);
}

// --- fundus -----------------------------------------------------------------------------------------

static double eye_radius(const mg_canvas *c, double x, double y)
{
    return hypot(x - c->width / 2.0, y - c->height / 2.0) / (.47 * c->width);
}

static void paint_retina(mg_pen *pen, mg_canvas *c)
{
    static const double colour[3] = {.75, .38, .18};
    double light = mg_pen_between(pen, .7, 1.1), shade[3];

    for (int ch = 0; ch < 3; ch++) shade[ch] = colour[ch] * light * mg_pen_between(pen, .9, 1.1);
    mg_draw_noise(pen, c->work[0], c->height, c->width, 6 * mg_paint_scale(c), .03, c->work[1]);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double q = eye_radius(c, x, y);
            for (int ch = 0; ch < 3; ch++)
                c->rgb[ch][i] = (float)(shade[ch] * (1 - .35 * q * q) + c->work[0][i]);
        }
}

static void paint_disc(mg_pen *pen, mg_canvas *c, const mg_spot *disc)
{
    double k = mg_paint_scale(c);
    float *inside = c->work[0];

    mg_draw_blob(pen, inside, c->height, c->width, disc->x, disc->y, disc->r, .06, 1.2);
    mg_paint_claim(c, inside, 1);
    mg_draw_blur(inside, c->height, c->width, k, k, c->work[1]);
    mg_canvas_tint(c, inside, .22, .22, .7 * .22);
    mg_draw_blob(pen, inside, c->height, c->width, disc->x, disc->y,
                 disc->r * mg_pen_between(pen, .3, .5), .06, 1.2);
    mg_draw_blur(inside, c->height, c->width, k, k, c->work[1]);
    mg_canvas_tint(c, inside, .18, .18, .7 * .18);
}

static void paint_lesion(mg_pen *pen, mg_canvas *c, const mg_spot *spot, int number)
{
    static const double dark[3] = {-.30, -.22, -.10}, bright[3] = {.15, .22, .10};
    const double *colour = mg_pen_chance(pen, .6) ? dark : bright;
    double strength = mg_pen_between(pen, .5, 1.1);
    double edge = mg_paint_scale(c) * mg_pen_between(pen, .8, 1.8);
    float *inside = c->work[0];

    mg_draw_blob(pen, inside, c->height, c->width, spot->x, spot->y, spot->r, .22, 1.7);
    if (!mg_paint_claim(c, inside, number)) return;
    mg_draw_blur(inside, c->height, c->width, edge, edge, c->work[1]);
    mg_canvas_tint(c, inside, strength * colour[0], strength * colour[1], strength * colour[2]);
}

static void paint_vessels(mg_pen *pen, mg_canvas *c, const mg_spot *disc)
{
    double k = mg_paint_scale(c), turn = mg_pen_between(pen, 0, 2 * pi);
    int vessels = mg_pen_from(pen, 5, 8);
    float *plane = c->work[0];

    memset(plane, 0, (size_t)mg_canvas_cells(c) * sizeof *plane);
    for (int i = 0; i < vessels; i++) {
        double heading = turn + 2 * pi * i / vessels + mg_pen_between(pen, -.3, .3);
        mg_draw_walk(pen, plane, c->height, c->width, disc->x, disc->y, heading, 70 * k,
                     .12 / sqrt(k), .9 * k, .5 * k);
    }
    mg_draw_blur(plane, c->height, c->width, .8 * k, .8 * k, c->work[1]);
    mg_canvas_tint(c, plane, -.25, -.22, -.08);
}

static bool place_lesion(mg_pen *pen, const mg_canvas *c, const mg_spot *placed, int count,
                         mg_spot *spot)
{
    for (int t = 0; t < TRIES; t++) {
        spot->x = c->width * mg_pen_between(pen, 0, 1);
        spot->y = c->height * mg_pen_between(pen, 0, 1);
        if (eye_radius(c, spot->x, spot->y) < .95 - spot->r / (.47 * c->width) &&
            mg_spot_is_free(spot, placed, count, 1.15))
            return true;
    }
    return false;
}

void mg_paint_demo_fundus(mg_pen *pen, mg_canvas *c)
{
    double k = mg_paint_scale(c);
    mg_spot want[MAX_SPOTS], placed[MAX_SPOTS];
    int lesions = mg_pen_from(pen, 2, 4), count = 1;

    paint_retina(pen, c);
    placed[0].x = c->width / 2.0 + k * mg_pen_between(pen, -22, 22);
    placed[0].y = c->height / 2.0 + k * mg_pen_between(pen, -12, 12);
    placed[0].r = k * mg_pen_between(pen, 9, 14);
    for (int i = 0; i < lesions; i++) want[i].r = k * mg_pen_between(pen, 6, 12);
    mg_spots_sort(want, lesions);
    for (int i = 0; i < lesions; i++)
        if (place_lesion(pen, c, placed, count, &want[i])) placed[count++] = want[i];

    paint_disc(pen, c, &placed[0]);
    for (int i = 1; i < count; i++) paint_lesion(pen, c, &placed[i], i + 1);
    paint_vessels(pen, c, &placed[0]);
    for (int ch = 0; ch < 3; ch++) {
        mg_draw_white(pen, c->work[0], mg_canvas_cells(c));
        mg_draw_add(c->rgb[ch], c->work[0], .025, mg_canvas_cells(c));
    }
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++)
            if (eye_radius(c, x, y) > 1)
                for (int ch = 0; ch < 3; ch++) c->rgb[ch][(int64_t)y * c->width + x] = 0;
}

// --- us ---------------------------------------------------------------------------------------------

// Bands of tissue with wavy borders.
static void paint_layers(mg_pen *pen, mg_canvas *c)
{
    double k = mg_paint_scale(c), depth[6] = {0}, level[7] = {0},
           wave = mg_pen_between(pen, 0, 2 * pi);
    int borders = mg_pen_from(pen, 3, 5);

    for (int i = 0; i < borders; i++)
        depth[i] = c->height * (.12 + .8 * (i + mg_pen_between(pen, .2, .8)) / borders);
    for (int i = 0; i <= borders; i++) level[i] = mg_pen_between(pen, .25, .75);
    mg_draw_noise(pen, c->work[0], c->height, c->width, 9 * k, 2.5 * k, c->work[1]);
    mg_draw_noise(pen, c->work[2], c->height, c->width, 3 * k, .06, c->work[1]);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double at = y + c->work[0][i] + 4 * k * sin(wave + 2 * pi * x / c->width);
            int band = 0;
            while (band < borders && at > depth[band]) band++;
            double rim = band ? exp(-.5 * pow((at - depth[band - 1]) / (1.2 * k), 2)) : 0;
            c->rgb[0][i] = (float)(level[band] + c->work[2][i] + .3 * rim);
        }
}

// Dark nodules; a bright or dark shadow below some.
static void paint_nodules(mg_pen *pen, mg_canvas *c)
{
    double k = mg_paint_scale(c);
    mg_spot placed[4];
    int wanted = mg_pen_from(pen, 2, 4), count = 0;

    for (int n = 0; n < wanted; n++) {
        mg_spot s = {.r = k * mg_pen_between(pen, 7, 14)};
        int tries = 0;
        do {
            s.x = c->width * mg_pen_between(pen, .2, .8);
            s.y = c->height * mg_pen_between(pen, .25, .85);
        } while (!mg_spot_is_free(&s, placed, count, 1.1) && ++tries < TRIES);
        if (tries == TRIES) continue;
        placed[count++] = s;
        double dark = mg_pen_between(pen, .35, .75), below = mg_pen_between(pen, -.4, .25);
        mg_draw_blob(pen, c->work[0], c->height, c->width, s.x, s.y, s.r, .14, 1.7);
        mg_draw_blur(c->work[0], c->height, c->width, k, k, c->work[1]);
        for (int y = 0; y < c->height; y++)
            for (int x = 0; x < c->width; x++) {
                int64_t i = (int64_t)y * c->width + x;
                double behind = y > s.y ? exp(-.5 * pow((x - s.x) / (.6 * s.r), 2)) : 0;
                behind *= 1 - c->work[0][i];
                c->rgb[0][i] *= (float)((1 - dark * c->work[0][i]) * (1 + below * behind));
            }
    }
}

void mg_paint_demo_us(mg_pen *pen, mg_canvas *c)
{
    double k = mg_paint_scale(c), top = mg_pen_between(pen, .25, .4),
           fade = mg_pen_between(pen, 0, .5);
    float *re = c->work[0], *im = c->work[1];

    paint_layers(pen, c);
    paint_nodules(pen, c);
    mg_draw_white(pen, re, mg_canvas_cells(c));
    mg_draw_white(pen, im, mg_canvas_cells(c));
    mg_draw_blur(re, c->height, c->width, .6 * k, 1.1 * k, c->work[2]);
    mg_draw_blur(im, c->height, c->width, .6 * k, 1.1 * k, c->work[2]);
    double square = 0;
    for (int64_t i = 0; i < mg_canvas_cells(c); i++)
        square += (double)re[i] * re[i] + im[i] * im[i];
    double mean = sqrt(pi / 4 * square / (double)mg_canvas_cells(c)); // of a Rayleigh amplitude
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double down = (double)y / c->height, side = fabs(x - c->width / 2.0) / c->width;
            double speckle = hypot(re[i], im[i]) / mean;
            double v = fmax(c->rgb[0][i], 0) * (.35 + .65 * speckle) * (1 - fade * down);
            bool inside = side < top + (.49 - top) * down;
            c->rgb[0][i] = inside ? (float)v : 0;
        }
    mg_paint_grey(c);
}

// --- derm -------------------------------------------------------------------------------------------

static void paint_mole(mg_pen *pen, mg_canvas *c, const mg_spot *s)
{
    double k = mg_paint_scale(c), edge = k * mg_pen_between(pen, 1, 3),
           deep = mg_pen_between(pen, .5, 1);
    float *inside = c->work[0], *texture = c->work[1];

    mg_draw_blob(pen, inside, c->height, c->width, s->x, s->y, s->r, .25, 1.7);
    mg_draw_blur(inside, c->height, c->width, edge, edge, c->work[2]);
    mg_draw_noise(pen, texture, c->height, c->width, 2 * k, .2, c->work[2]);
    for (int64_t i = 0; i < mg_canvas_cells(c); i++) inside[i] *= 1 + texture[i];
    mg_canvas_tint(c, inside, -.38 * deep, -.42 * deep, -.38 * deep);
}

static void paint_hairs(mg_pen *pen, mg_canvas *c)
{
    double k = mg_paint_scale(c), main_heading = mg_pen_between(pen, 0, 2 * pi);
    int hairs = mg_pen_from(pen, 0, 13);
    float *plane = c->work[0];

    memset(plane, 0, (size_t)mg_canvas_cells(c) * sizeof *plane);
    for (int i = 0; i < hairs; i++)
        mg_draw_walk(pen, plane, c->height, c->width, c->width * mg_pen_between(pen, 0, 1),
                     c->height * mg_pen_between(pen, 0, 1), main_heading + mg_pen_normal(pen, .5),
                     k * mg_pen_between(pen, 25, 80), .05 / sqrt(k), .55 * k, .3 * k);
    mg_canvas_tint(c, plane, -.35, -.35, -.33);
}

void mg_paint_demo_derm(mg_pen *pen, mg_canvas *c)
{
    double k = mg_paint_scale(c), light = mg_pen_between(pen, .85, 1.1);
    int moles = mg_pen_from(pen, 1, 2);

    mg_canvas_clear(c, .86 * light, .67 * light * mg_pen_between(pen, .92, 1.05),
                    .58 * light * mg_pen_between(pen, .9, 1.1));
    mg_draw_noise(pen, c->work[0], c->height, c->width, 8 * k, .03, c->work[1]);
    for (int ch = 0; ch < 3; ch++) mg_draw_add(c->rgb[ch], c->work[0], 1, mg_canvas_cells(c));
    for (int i = 0; i < moles; i++) {
        mg_spot s = {c->width * mg_pen_between(pen, .25, .75),
                     c->height * mg_pen_between(pen, .25, .75),
                     k * mg_pen_between(pen, 8, moles > 1 ? 16 : 26)};
        paint_mole(pen, c, &s);
    }
    paint_hairs(pen, c);
    mg_draw_white(pen, c->work[0], mg_canvas_cells(c));
    mg_draw_blur(c->work[0], c->height, c->width, .5, .5, c->work[1]);
    for (int ch = 0; ch < 3; ch++) mg_draw_add(c->rgb[ch], c->work[0], .03, mg_canvas_cells(c));
}
