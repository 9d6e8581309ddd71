// A brain without its skull, for phantoms of MR in four contrasts, with a tumour in three parts: oedema
// around a core that enhances at its rim and is dead inside. Lengths as in solid.h.
#include "datasets/solid.h"

// Brightness of fluid, grey and white matter, necrosis, oedema, enhancing rim; background is exactly 0.
const float mg_brain_mr[4][MG_BRAIN_TISSUES] = {
    {0, 90, 420, 340, 250, 720, 560},  // flair
    {0, 130, 380, 520, 210, 330, 360}, // t1
    {0, 140, 400, 540, 220, 340, 900}, // t1ce
    {0, 950, 480, 360, 820, 700, 560}, // t2
};

static double between(mg_pen *pen, double lo, double hi)
{
    return mg_pen_between(pen, lo, hi);
}

void mg_paint_brain(mg_pen *pen, mg_solid *s)
{
    const double side = mg_pen_chance(pen, .5) ? 1 : -1, grow = between(pen, .9, 1.05);
    const double x = side * between(pen, .22, .36), y = between(pen, -.35, .4),
                 z = between(pen, -.1, .35);
    const double r = between(pen, .2, .32);
    const mg_body body[] = {
        {0, 0, 0, .72 * grow, .86 * grow, .84, .02, MG_FLUID, 0, 0},
        {0, 0, 0, .69 * grow, .83 * grow, .80, .03, MG_GREY, 0, 0},
        {.3, 0, .02, .32, .66, .62, .12, MG_WHITE, 0, 0},
        {-.3, 0, .02, .32, .66, .62, .12, MG_WHITE, 0, 0},
        {.22, .05, 0, .10, .18, .16, .1, MG_GREY, 0, 0},
        {-.22, .05, 0, .10, .18, .16, .1, MG_GREY, 0, 0},
        {.08, .02, .12, .06, .34, .14, .1, MG_FLUID, 0, 0},
        {-.08, .02, .12, .06, .34, .14, .1, MG_FLUID, 0, 0},
        {x, y, z, r, r, r * 1.1, .15, MG_EDEMA, 2, 0},
        {x, y, z, r * .62, r * .62, r * .7, .15, MG_ENHANCING, 4, 2},
        {x, y, z, r * .38, r * .38, r * .42, .15, MG_NECROSIS, 1, 4},
    };

    for (size_t i = 0; i < sizeof body / sizeof *body; i++) mg_solid_body(pen, s, &body[i]);
}
