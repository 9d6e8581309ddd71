// An abdomen for phantoms of CT and MR: 15 organs as AMOS counts them, the portal and splenic veins, lungs
// above, pelvis below. Every case has its own places and sizes; lengths as in solid.h.
#include "datasets/solid.h"

// Hounsfield units after contrast, portal phase; and brightness in a T1-weighted MR.
const float mg_abdomen_ct[MG_ABDOMEN_TISSUES] = {-1000, 120, 185, 185, 12,   45,  110, 38,
                                                 175,   150, 95,  70,  70,   60,  8,   55,
                                                 165,   -98, 55,  480, -840, -900};
const float mg_abdomen_mr[MG_ABDOMEN_TISSUES] = {0,  170, 150, 150, 60,  190, 260, 120,
                                                 40, 60,  280, 200, 200, 180, 50,  170,
                                                 80, 420, 150, 30,  8,   4};

enum {
    SPLEEN = 1,
    R_KIDNEY,
    L_KIDNEY,
    GALLBLADDER,
    ESOPHAGUS,
    LIVER,
    STOMACH,
    AORTA,
    CAVA,
    PANCREAS,
    R_ADRENAL,
    L_ADRENAL,
    DUODENUM,
    BLADDER,
    PROSTATE
};

// One after the other: later ones lie over earlier ones. The tissue is the organ.
// clang-format off
static const struct {
    int organ;
    double x, y, z, rx, ry, rz;
} organs[] = {
    {LIVER,        .36,  .08,  .42, .42, .36, .44}, {SPLEEN,     -.56, -.14,  .42, .15, .20, .24},
    {STOMACH,     -.28,  .22,  .36, .24, .20, .26}, {DUODENUM,    .18,  .10,  .00, .09, .09, .15},
    {PANCREAS,    -.06,  .06,  .12, .28, .08, .09}, {MG_VEINS,   -.08,  .00,  .24, .32, .045, .06},
    {GALLBLADDER,  .34,  .34,  .14, .10, .10, .14}, {R_KIDNEY,    .36, -.24,  .02, .13, .14, .26},
    {L_KIDNEY,    -.36, -.24,  .08, .13, .14, .26}, {R_ADRENAL,   .24, -.16,  .36, .06, .05, .09},
    {L_ADRENAL,   -.24, -.16,  .40, .06, .05, .09}, {AORTA,      -.07, -.16,  .40, .07, .07, .95},
    {CAVA,         .10, -.14,  .25, .075, .07, .75}, {ESOPHAGUS, -.03, -.04,  .95, .055, .05, .45},
    {BLADDER,      .00,  .14, -.70, .22, .18, .20}, {PROSTATE,    .00, -.02, -.93, .13, .11, .13},
};
// clang-format on

static double shift(mg_pen *pen, double at)
{
    return at + mg_pen_between(pen, -.025, .025);
}

static void paint_trunk(mg_pen *pen, mg_solid *s, double wide)
{
    const double ry = .66 * wide, fat = mg_pen_between(pen, .8, .92);
    const mg_body layer[] = {
        {0, 0, 0, wide, ry, 0, .02, MG_FAT, 0, 0},
        {0, 0, 0, wide * fat, ry * fat, 0, .02, MG_MUSCLE, 0, 0},
        {0, .03, 0, wide * fat - .07, ry * fat - .08, 0, .02, MG_FAT, 0, 0},
        {0, -.36 * wide, 0, .22, .13, 0, .05, MG_MUSCLE, 0, 0},
        {0, -.34 * wide, 0, .11, .10, 0, .03, MG_BONE, 0, 0},
        {0, -.44 * wide, 0, .04, .03, 0, .03, MG_MUSCLE, 0, 0},
        {.42, 0, 1.1, .34, .44, .42, .05, MG_LUNG, 0, 0},
        {-.42, 0, 1.1, .34, .44, .42, .05, MG_LUNG, 0, 0},
        {.5, -.16, -.85, .16, .22, .24, .1, MG_BONE, 0, 0},
        {-.5, -.16, -.85, .16, .22, .24, .1, MG_BONE, 0, 0},
    };

    for (size_t i = 0; i < sizeof layer / sizeof *layer; i++) mg_solid_body(pen, s, &layer[i]);
}

void mg_paint_abdomen(mg_pen *pen, mg_solid *s)
{
    double wide = mg_pen_between(pen, .86, .95);

    paint_trunk(pen, s, wide);
    for (size_t i = 0; i < sizeof organs / sizeof *organs; i++) {
        double grow = mg_pen_between(pen, .9, 1.12);
        mg_body b = {.x = shift(pen, organs[i].x),
                     .y = shift(pen, organs[i].y),
                     .z = shift(pen, organs[i].z),
                     .rx = organs[i].rx * grow,
                     .ry = organs[i].ry * grow,
                     .rz = organs[i].rz * grow,
                     .wobble = .1,
                     .tissue = organs[i].organ,
                     .organ = organs[i].organ};
        mg_solid_body(pen, s, &b);
    }
    // Gas in the stomach rises to the front.
    const mg_body gas = {-.28, .36, .36, .16, .09, .18, .1, MG_GAS, 255, STOMACH};
    mg_solid_body(pen, s, &gas);
}
