// One picture, encoded once, prompted again and again: what evaluation and prediction do with a
// model (prompts-and-metrics.md 4.4). One thread.
#ifndef MG_FINETUNE_SEG_SESSION_H
#define MG_FINETUNE_SEG_SESSION_H

#include "finetune/seg_model.h"
#include "finetune/seg_stack.h"

typedef struct mg_seg_session mg_seg_session;

// Work space for a model (borrowed). MG_ERR_MEMORY.
mg_status mg_seg_session_create(const mg_seg_model *model, mg_seg_session **out);
void mg_seg_session_destroy(mg_seg_session **session);

// Encode an 8-bit picture [height, width, channels]; forgets the prompts before it. MG_ERR_MEMORY.
mg_status mg_seg_session_picture(mg_seg_session *s, const uint8_t *pixels, int height, int width,
                                 int channels);

// The grid that clicks and masks refer to, if it is not that of the picture (a label on its original
// grid). Same aspect ratio up to rounding.
void mg_seg_session_grid(mg_seg_session *s, int height, int width);

// Begin a new target: no clicks, no box, no text, no mask prompt.
void mg_seg_session_reset(mg_seg_session *s);
void mg_seg_session_click(mg_seg_session *s, mg_click click); // cells of the grid
void mg_seg_session_box(mg_seg_session *s, const double box[4]);
// A text by its embedding; the model takes texts (model->text.width numbers).
void mg_seg_session_text(mg_seg_session *s, const float *unit);

// Decode with everything given so far and the logits of the chosen mask before; chooses a mask by
// the rule of 4.4. mask [height, width] of the grid: logit > 0. `logits` on the same grid and the
// predicted IoU may be NULL. MG_ERR_MEMORY.
mg_status mg_seg_session_decode(mg_seg_session *s, uint8_t *mask, float *logits, float *iou);

#endif
