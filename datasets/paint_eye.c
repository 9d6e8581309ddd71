// Fundus photographs for phantoms: the bright circle, disc and cup, macula, arcades of branching
// vessels, lesions of diabetic retinopathy by grade. Lengths in radii R of the circle, or in u, a
// pixel of a picture 300 px high.
#include "datasets/paint.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

// Where things are.
typedef struct {
    double x, y, R, u;     // centre and radius of the circle
    double disc_x, disc_y; // optic disc
    double macula_x, macula_y;
    double side; // direction from the disc to the macula: +1 right, -1 left
} eye;

static float *clear(mg_canvas *c)
{
    return memset(c->work[0], 0, (size_t)mg_canvas_cells(c) * sizeof(float));
}

static eye place_eye(mg_pen *pen, const mg_canvas *c, bool left)
{
    eye e = {.side = left ? 1 : -1};
    e.u = c->height / 300.0;
    e.R = c->height * mg_pen_between(pen, .45, .55);
    if (e.R > .49 * c->width) e.R = .49 * c->width;
    e.x = c->width * .5 + e.u * mg_pen_between(pen, -6, 6);
    e.y = c->height * .5 + e.u * mg_pen_between(pen, -3, 3);
    double shift = mg_pen_between(pen, -.2, .2); // where the camera looked
    e.macula_x = e.x + e.side * e.R * (.05 + shift);
    e.macula_y = e.y + e.R * mg_pen_between(pen, -.08, .08);
    e.disc_x = e.macula_x - e.side * e.R * mg_pen_between(pen, .5, .58);
    e.disc_y = e.macula_y + e.R * mg_pen_between(pen, -.1, .03);
    return e;
}

// Colour, darker outwards and to one side; the choroid's faint texture.
static void paint_ground(mg_pen *pen, mg_canvas *c, const eye *e)
{
    double light = mg_pen_between(pen, .6, 1.1), red = mg_pen_between(pen, .9, 1.1);
    double shade[3] = {.74 * light * red, .36 * light, .17 * light * mg_pen_between(pen, .6, 1.3)};
    double angle = mg_pen_between(pen, 0, 2 * pi), slope = mg_pen_between(pen, 0, .3);
    double fall = mg_pen_between(pen, .15, .5);

    mg_draw_noise(pen, c->work[0], c->height, c->width, 14 * e->u, .035, c->work[1]);
    mg_draw_noise(pen, c->work[2], c->height, c->width, 3.5 * e->u, .02, c->work[1]);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int64_t i = (int64_t)y * c->width + x;
            double dx = (x - e->x) / e->R, dy = (y - e->y) / e->R;
            double v = 1 - fall * (dx * dx + dy * dy) + slope * (cos(angle) * dx + sin(angle) * dy);
            v += c->work[0][i] + c->work[2][i];
            double mx = (x - e->macula_x) / e->R, my = (y - e->macula_y) / e->R;
            double macula = exp(-(mx * mx + my * my) / (2 * .13 * .13));
            double fovea = exp(-(mx * mx + my * my) / (2 * .035 * .035));
            v *= 1 - .32 * macula - .18 * fovea;
            for (int ch = 0; ch < 3; ch++) c->rgb[ch][i] = (float)(shade[ch] * v);
        }
}

static void paint_disc(mg_pen *pen, mg_canvas *c, const eye *e)
{
    double r = e->R * mg_pen_between(pen, .105, .135), cup = mg_pen_between(pen, .3, .65);
    double pale = mg_pen_between(pen, .7, 1.1);
    float *inside = c->work[0];

    mg_draw_blob(pen, inside, c->height, c->width, e->disc_x, e->disc_y, r, .06, 1.25);
    for (int64_t i = 0; i < mg_canvas_cells(c); i++) c->label[i] = inside[i] > 0;
    mg_draw_blur(inside, c->height, c->width, 1.6 * e->u, 1.6 * e->u, c->work[1]);
    mg_canvas_tint(c, inside, .24 * pale, .27 * pale, .14 * pale);
    mg_draw_blob(pen, inside, c->height, c->width, e->disc_x, e->disc_y, r * cup, .06, 1.2);
    for (int64_t i = 0; i < mg_canvas_cells(c); i++)
        if (inside[i] > 0 && c->label[i]) c->label[i] = 2;
    mg_draw_blur(inside, c->height, c->width, 2.2 * e->u, 2.2 * e->u, c->work[1]);
    mg_canvas_tint(c, inside, .10 * pale, .18 * pale, .16 * pale);
}

// A vessel that bends by `turn` per u, thins out and sends off branches.
static void draw_vessel(mg_pen *pen, mg_canvas *c, const eye *e, float *plane, double x, double y,
                        double heading, double turn, double length, double r, int order)
{
    double next = mg_pen_between(pen, 15, 40);
    int steps = (int)(length * e->u);

    for (int i = 0; i < steps; i++) {
        double at = (double)i / steps, radius = r * (1 - .6 * at);
        mg_draw_dot(plane, c->height, c->width, x, y, radius * e->u, 1);
        heading += (turn + mg_pen_normal(pen, .03)) / e->u;
        x += cos(heading);
        y += sin(heading);
        if (hypot(x - e->x, y - e->y) > e->R) return;
        if (order == 0 || i < next * e->u) continue;
        next += mg_pen_between(pen, 15, 45);
        double off = (mg_pen_chance(pen, .5) ? 1 : -1) * mg_pen_between(pen, .4, .9);
        draw_vessel(pen, c, e, plane, x, y, heading + off, mg_pen_between(pen, -.008, .008),
                    length * mg_pen_between(pen, .3, .6), .7 * radius, order - 1);
    }
}

// Two arcades around the macula and small vessels to the other side: veins, then arteries.
static void paint_vessels(mg_pen *pen, mg_canvas *c, const eye *e)
{
    double forward = e->side > 0 ? 0 : pi;

    for (int kind = 0; kind < 2; kind++) {
        float *plane = clear(c);
        double r = kind ? 1.5 : 2.1;
        for (int up = -1; up <= 1; up += 2) {
            double turn = -up * e->side * mg_pen_between(pen, .009, .013);
            double start = mg_pen_between(pen, 1.2, 1.55) + .12 * kind;
            draw_vessel(pen, c, e, plane, e->disc_x, e->disc_y + 2 * up * e->u,
                        forward + up * e->side * start, turn, 230, r, 2);
            start = mg_pen_between(pen, 2.0, 2.6);
            draw_vessel(pen, c, e, plane, e->disc_x, e->disc_y + up * e->u,
                        forward + up * e->side * start, mg_pen_between(pen, -.006, .006), 130,
                        .75 * r, 2);
        }
        mg_draw_blur(plane, c->height, c->width, .7 * e->u, .7 * e->u, c->work[1]);
        double deep = mg_pen_between(pen, .8, 1.2);
        if (kind)
            mg_canvas_tint(c, plane, -.12 * deep, -.16 * deep, -.06 * deep);
        else
            mg_canvas_tint(c, plane, -.24 * deep, -.19 * deep, -.08 * deep);
    }
}

// `count` spots of one kind anywhere in the circle, but not on the disc.
static void paint_spots(mg_pen *pen, mg_canvas *c, const eye *e, int count, double r_low,
                        double r_high, double edge, const double colour[3])
{
    float *plane = clear(c);
    for (int n = 0; n < count; n++) {
        double angle = mg_pen_between(pen, 0, 2 * pi), far = .9 * sqrt(mg_pen_between(pen, 0, 1));
        double x = e->x + e->R * far * cos(angle), y = e->y + e->R * far * sin(angle);
        double r = e->u * mg_pen_between(pen, r_low, r_high);
        if (hypot(x - e->disc_x, y - e->disc_y) < .2 * e->R) continue;
        for (int part = 0; part < 3; part++) // three dots make an uneven spot
            mg_draw_dot(plane, c->height, c->width, x + mg_pen_normal(pen, .4 * r),
                        y + mg_pen_normal(pen, .4 * r), .8 * r, 1);
    }
    mg_draw_blur(plane, c->height, c->width, edge * e->u, edge * e->u, c->work[1]);
    mg_canvas_tint(c, plane, colour[0], colour[1], colour[2]);
}

static void paint_lesions(mg_pen *pen, mg_canvas *c, const eye *e, int grade)
{
    static const double red[3] = {-.25, -.22, -.08}, yellow[3] = {.22, .26, .10};
    static const double white[3] = {.12, .16, .12}, scar[3] = {-.2, -.12, .0};

    if (grade >= 1) paint_spots(pen, c, e, 6 * grade, .8, 1.6, .5, red);
    if (grade >= 2) {
        paint_spots(pen, c, e, 4 * grade, 2, 5, 1, red);
        paint_spots(pen, c, e, mg_pen_from(pen, 0, 10 * grade), .8, 2.5, .5, yellow);
    }
    if (grade >= 3) paint_spots(pen, c, e, mg_pen_from(pen, 1, 5), 4, 8, 3, white);
    if (grade < 4) return;
    paint_spots(pen, c, e, mg_pen_from(pen, 1, 2), 9, 18, 1.5, red);
    if (mg_pen_chance(pen, .5)) paint_spots(pen, c, e, 40, 2, 3.5, 1, scar);
}

static void paint_at(mg_pen *pen, mg_canvas *c, const eye *e, int grade)
{
    paint_ground(pen, c, e);
    paint_disc(pen, c, e);
    paint_vessels(pen, c, e);
    paint_lesions(pen, c, e, grade);
    double blur = mg_pen_chance(pen, .15) ? e->u * mg_pen_between(pen, .8, 2) : 0;
    double noise = mg_pen_between(pen, .004, .015);
    for (int ch = 0; ch < 3; ch++) {
        if (blur > 0) mg_draw_blur(c->rgb[ch], c->height, c->width, blur, blur, c->work[1]);
        mg_draw_white(pen, c->work[0], mg_canvas_cells(c));
        mg_draw_add(c->rgb[ch], c->work[0], noise, mg_canvas_cells(c));
    }
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            double q = hypot(x - e->x, y - e->y) / e->R;
            float in = q < .985 ? 1 : q > 1 ? 0 : (float)((1 - q) / .015);
            for (int ch = 0; ch < 3; ch++) {
                float *v = &c->rgb[ch][(int64_t)y * c->width + x];
                *v = in * *v + (1 - in) * .008f;
            }
        }
}

void mg_paint_eye(mg_pen *pen, mg_canvas *c, bool left, int grade)
{
    eye e = place_eye(pen, c, left);
    paint_at(pen, c, &e, grade);
}

void mg_paint_optic_disc(mg_pen *pen, mg_canvas *c, bool left, double zoom)
{
    eye e = place_eye(pen, c, left);
    double *const x[] = {&e.x, &e.macula_x, &e.disc_x}, *const y[] = {&e.y, &e.macula_y, &e.disc_y};
    double disc_x = e.disc_x, disc_y = e.disc_y;

    for (int i = 0; i < 3; i++) {
        *x[i] = c->width * .5 + zoom * (*x[i] - disc_x);
        *y[i] = c->height * .5 + zoom * (*y[i] - disc_y);
    }
    e.R *= zoom;
    e.u *= zoom;
    paint_at(pen, c, &e, 0);
}
