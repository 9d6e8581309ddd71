// Dermoscopy for phantoms: skin, one lesion of several browns with an uneven border (label 1), hairs,
// and what the instrument adds: dark corners, a ruler, a coloured sticker, bubbles of gel. Lengths
// in u, a pixel of a picture 450 px high.
#include "datasets/paint.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

static void cover(mg_canvas *c, const float *alpha, double red, double green, double blue)
{
    mg_draw_mix(c->rgb[0], alpha, red, mg_canvas_cells(c));
    mg_draw_mix(c->rgb[1], alpha, green, mg_canvas_cells(c));
    mg_draw_mix(c->rgb[2], alpha, blue, mg_canvas_cells(c));
}

static float *clear(mg_canvas *c)
{
    return memset(c->work[0], 0, (size_t)mg_canvas_cells(c) * sizeof(float));
}

static void paint_ground(mg_pen *pen, mg_canvas *c, double u)
{
    static const double skin[4][3] = {
        {.88, .76, .70}, {.90, .62, .62}, {.78, .62, .48}, {.72, .68, .70}};
    const double *s = skin[mg_pen_from(pen, 0, 3)];
    double light = mg_pen_between(pen, .88, 1.08);

    mg_canvas_clear(c, s[0] * light, s[1] * light * mg_pen_between(pen, .95, 1.05),
                    s[2] * light * mg_pen_between(pen, .93, 1.07));
    mg_draw_noise(pen, c->work[0], c->height, c->width, 40 * u, .02, c->work[1]);
    mg_canvas_tint(c, c->work[0], 1, 1.2, 1.2);
    mg_draw_noise(pen, c->work[0], c->height, c->width, 2.5 * u, .012, c->work[1]);
    mg_canvas_tint(c, c->work[0], 1, 1.3, 1.3);
    for (int n = mg_pen_from(pen, 0, 12); n > 0; n--) { // small vessels and pores
        float *plane = clear(c);
        mg_draw_walk(pen, plane, c->height, c->width, c->width * mg_pen_between(pen, 0, 1),
                     c->height * mg_pen_between(pen, 0, 1), mg_pen_between(pen, 0, 2 * pi),
                     u * mg_pen_between(pen, 10, 60), .2, 1.2 * u, u);
        mg_draw_blur(plane, c->height, c->width, u, u, c->work[1]);
        mg_canvas_tint(c, plane, -.02, -.09, -.07);
    }
}

// Texture of the lesion: patches, a net of lines where slow noise crosses zero, dots.
static void paint_texture(mg_pen *pen, mg_canvas *c, double u, const float *inside, double strength)
{
    double net = mg_pen_between(pen, 0, .12), patch = mg_pen_between(pen, .04, .12);

    mg_draw_noise(pen, c->work[2], c->height, c->width, 18 * u, patch, c->work[1]);
    for (int64_t i = 0; i < mg_canvas_cells(c); i++) c->work[2][i] *= inside[i];
    mg_canvas_tint(c, c->work[2], strength, .9 * strength, .6 * strength);
    mg_draw_noise(pen, c->work[2], c->height, c->width, 3 * u, 1, c->work[1]);
    for (int64_t i = 0; i < mg_canvas_cells(c); i++) {
        float line = c->work[2][i];
        c->work[2][i] = inside[i] * expf(-6 * line * line);
    }
    mg_canvas_tint(c, c->work[2], -net, -net, -.8 * net);
}

static void paint_lesion(mg_pen *pen, mg_canvas *c, double u)
{
    static const double brown[4][3] = {
        {-.40, -.46, -.46}, {-.30, -.38, -.42}, {-.55, -.58, -.55}, {-.20, -.30, -.28}};
    const double *b = brown[mg_pen_from(pen, 0, 3)];
    double r = u * mg_pen_between(pen, 50, 130), strength = mg_pen_between(pen, .6, 1.1);
    double edge = u * mg_pen_between(pen, 1.5, 7), fraction = mg_pen_between(pen, .3, .8);
    double x = c->width * mg_pen_between(pen, .42, .58),
           y = c->height * mg_pen_between(pen, .42, .58);
    float *inside = c->work[3];
    int64_t cells = mg_canvas_cells(c);

    mg_draw_blob(pen, inside, c->height, c->width, x, y, r, mg_pen_between(pen, .15, .45), 1.9);
    // The border is frayed: noise added before the cut.
    mg_draw_blur(inside, c->height, c->width, 5 * u, 5 * u, c->work[1]);
    mg_draw_noise(pen, c->work[0], c->height, c->width, 5 * u, .14, c->work[1]);
    for (int64_t i = 0; i < cells; i++) {
        inside[i] = inside[i] + c->work[0][i] * 4 * inside[i] * (1 - inside[i]) > .5f;
        c->label[i] = inside[i] > 0;
    }
    mg_draw_blur(inside, c->height, c->width, edge, edge, c->work[1]);
    mg_canvas_tint(c, inside, strength * b[0], strength * b[1], strength * b[2]);
    paint_texture(pen, c, u, inside, strength);
    if (mg_pen_chance(pen, .6)) { // a darker part
        mg_draw_blob(pen, c->work[0], c->height, c->width, x + mg_pen_normal(pen, .3 * r),
                     y + mg_pen_normal(pen, .3 * r), r * fraction, .3, 1.8);
        mg_draw_blur(c->work[0], c->height, c->width, 6 * u, 6 * u, c->work[1]);
        for (int64_t i = 0; i < cells; i++) c->work[0][i] *= inside[i];
        mg_canvas_tint(c, c->work[0], -.16, -.14, -.08);
    }
    float *dots = clear(c);
    for (int n = mg_pen_from(pen, 0, 25); n > 0; n--)
        mg_draw_dot(dots, c->height, c->width, x + mg_pen_normal(pen, .4 * r),
                    y + mg_pen_normal(pen, .4 * r), u * mg_pen_between(pen, 1.5, 4), 1);
    for (int64_t i = 0; i < cells; i++) dots[i] *= inside[i];
    mg_canvas_tint(c, dots, -.15, -.14, -.10);
}

static void paint_hairs(mg_pen *pen, mg_canvas *c, double u)
{
    int hairs = mg_pen_chance(pen, .5) ? mg_pen_from(pen, 0, 4) : mg_pen_from(pen, 4, 30);
    double along = mg_pen_between(pen, 0, 2 * pi), dark = mg_pen_between(pen, .25, 1);
    float *plane = clear(c);

    for (int i = 0; i < hairs; i++) {
        double r = u * mg_pen_between(pen, .5, 1.3);
        mg_draw_walk(pen, plane, c->height, c->width, c->width * mg_pen_between(pen, -.1, 1.1),
                     c->height * mg_pen_between(pen, -.1, 1.1), along + mg_pen_normal(pen, .5),
                     u * mg_pen_between(pen, 80, 420), .012 / sqrt(u), r, .5 * r);
    }
    cover(c, plane, .55 - .4 * dark, .45 - .38 * dark, .4 - .35 * dark);
}

static void paint_ruler(mg_pen *pen, mg_canvas *c, double u)
{
    double x = c->width * mg_pen_between(pen, .2, .4),
           y = c->height * mg_pen_between(pen, .85, .95);
    double tilt = mg_pen_between(pen, -.4, .1), step = u * mg_pen_between(pen, 12, 18);
    float *plane = clear(c);

    for (int tick = 0; tick <= 12; tick++) {
        double px = x + tick * step * cos(tilt), py = y + tick * step * sin(tilt);
        for (double t = 0; t < u * (tick % 5 ? 8 : 16); t++)
            mg_draw_dot(plane, c->height, c->width, px + t * sin(tilt), py - t * cos(tilt), .8 * u,
                        1);
        for (double t = 0; tick < 12 && t < step; t++)
            mg_draw_dot(plane, c->height, c->width, px + t * cos(tilt), py + t * sin(tilt), .8 * u,
                        1);
    }
    cover(c, plane, .12, .1, .1);
}

static void paint_sticker(mg_pen *pen, mg_canvas *c, double u)
{
    static const double colour[4][3] = {
        {.10, .45, .75}, {.95, .50, .10}, {.15, .60, .25}, {.45, .80, .78}};
    const double *s = colour[mg_pen_from(pen, 0, 3)];
    double angle = mg_pen_between(pen, 0, 2 * pi);

    mg_draw_blob(pen, c->work[0], c->height, c->width, c->width * (.5 + .55 * cos(angle)),
                 c->height * (.5 + .6 * sin(angle)), u * mg_pen_between(pen, 70, 110), 0, 1.05);
    for (int64_t i = 0; i < mg_canvas_cells(c); i++)
        if (c->label[i]) c->work[0][i] = 0;
    mg_draw_blur(c->work[0], c->height, c->width, u, u, c->work[1]);
    cover(c, c->work[0], s[0], s[1], s[2]);
}

static void paint_bubbles(mg_pen *pen, mg_canvas *c, double u)
{
    for (int n = mg_pen_from(pen, 1, 5); n > 0; n--) {
        double x = c->width * mg_pen_between(pen, 0, 1), y = c->height * mg_pen_between(pen, 0, 1);
        double r = u * mg_pen_between(pen, 4, 16);
        float *plane = clear(c);
        for (double a = 0; a < 2 * pi; a += .5 / r)
            mg_draw_dot(plane, c->height, c->width, x + r * cos(a), y + r * sin(a), .8 * u,
                        .5 + .5 * cos(a - 1));
        mg_draw_dot(plane, c->height, c->width, x - .4 * r, y - .4 * r, .25 * r, 1);
        mg_canvas_tint(c, plane, .2, .22, .22);
    }
}

// Light from the middle; in some pictures the end of the tube is seen.
static void paint_corners(mg_pen *pen, mg_canvas *c)
{
    double fall = mg_pen_between(pen, 0, .35),
           tube = mg_pen_chance(pen, .3) ? mg_pen_between(pen, .98, 1.2) : 9;
    double longer = c->width > c->height ? c->width : c->height;

    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double q = 2 * hypot(x - c->width / 2.0, y - c->height / 2.0) / longer;
            double v = (1 - fall * pow(q, 4) / 2) * (q < tube ? 1 : fmax(.05, 1 - (q - tube) * 15));
            for (int ch = 0; ch < 3; ch++) c->rgb[ch][i] *= (float)v;
            if (q > tube) c->label[i] = 0;
        }
}

void mg_paint_skin(mg_pen *pen, mg_canvas *c)
{
    double u = c->height / 450.0;

    paint_ground(pen, c, u);
    paint_lesion(pen, c, u);
    if (mg_pen_chance(pen, .2)) paint_ruler(pen, c, u);
    if (mg_pen_chance(pen, .12)) paint_sticker(pen, c, u);
    if (mg_pen_chance(pen, .25)) paint_bubbles(pen, c, u);
    paint_hairs(pen, c, u);
    paint_corners(pen, c);
    mg_draw_white(pen, c->work[0], mg_canvas_cells(c));
    mg_draw_blur(c->work[0], c->height, c->width, .6, .6, c->work[1]);
    mg_canvas_tint(c, c->work[0], .02, .02, .02);
}
