// Pictures of phantoms: each painter fills a canvas from a pen, with object numbers 1.. in the label
// where it has targets. Sizes inside scale with the canvas.
#ifndef MG_DATASETS_PAINT_H
#define MG_DATASETS_PAINT_H

#include "datasets/draw.h"

typedef void (*mg_painter)(mg_pen *pen, mg_canvas *canvas);

// Demo (demo.md section 2): square pictures, 96 px unless asked otherwise.
void mg_paint_demo_ct(mg_pen *pen, mg_canvas *canvas);     // up to 6 organs
void mg_paint_demo_fundus(mg_pen *pen, mg_canvas *canvas); // the disc and up to 4 lesions
void mg_paint_demo_us(mg_pen *pen, mg_canvas *canvas);     // no targets
void mg_paint_demo_derm(mg_pen *pen, mg_canvas *canvas);   // no targets
// Spleen, right kidney, left kidney, liver, aorta (1 to 5), each at its place.
void mg_paint_demo_organs(mg_pen *pen, mg_canvas *canvas);

// Shared by these: pixels for a length at 96 px; the first plane into all three; and taking the body in
// `inside` as object `number` where no earlier object is: `inside` is cut down to what remains, and if
// that is too little, false is returned and nothing taken.
double mg_paint_scale(const mg_canvas *canvas);
void mg_paint_grey(mg_canvas *canvas);
bool mg_paint_claim(mg_canvas *canvas, float *inside, int number);

// Larger pictures with the look of their modality. Grey ones are in the first plane.
void mg_paint_ct_abdomen(mg_pen *pen, mg_canvas *canvas);
void mg_paint_ct_chest(mg_pen *pen, mg_canvas *canvas);
void mg_paint_mr_brain(mg_pen *pen, mg_canvas *canvas);
void mg_paint_mr_knee(mg_pen *pen, mg_canvas *canvas);
void mg_paint_ultrasound(mg_pen *pen, mg_canvas *canvas);           // label 1: the nodule
void mg_paint_nodules(mg_pen *pen, mg_canvas *canvas, int nodules); // 1 or 2, by their numbers
void mg_paint_skin(mg_pen *pen, mg_canvas *canvas);                 // label 1: the lesion
// A left or right eye with the lesions of a grade of diabetic retinopathy, 0 to 4.
// Label 1: the rim of the disc, 2: the cup.
void mg_paint_eye(mg_pen *pen, mg_canvas *canvas, bool left, int grade);
// The same, `zoom` times larger, with the disc in the middle.
void mg_paint_optic_disc(mg_pen *pen, mg_canvas *canvas, bool left, double zoom);

#endif
