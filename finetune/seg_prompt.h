// The prompt of one target as it grows from pass to pass, in cells of some grid, and its form in
// pixels of the model frame that the decoder takes.
#ifndef MG_FINETUNE_SEG_PROMPT_H
#define MG_FINETUNE_SEG_PROMPT_H

#include "finetune/clicks.h"
#include "models/sam.h"

enum { MG_PROMPT_CLICKS_MAX = 128 };

typedef struct {
    mg_click click[MG_PROMPT_CLICKS_MAX];
    int count;
    bool has_box;
    double box[4];     // x0, y0, x1, y1, in cells, both ends included
    bool has_mask;     // logits of an earlier pass go along
    const float *text; // token of a text [E], not owned; NULL without
    // The same for the decoder.
    float point[2 * MG_PROMPT_CLICKS_MAX];
    int32_t label[MG_PROMPT_CLICKS_MAX];
    float corner[4];
} mg_seg_prompt;

// How cells become pixels of the model frame: pixel = cell * scale + shift on each axis.
typedef struct {
    double scale_x, scale_y, shift;
} mg_seg_scale;
// Cells of the logit grid, `cell` pixels wide: (x + 0.5) * cell - 0.5.
mg_seg_scale mg_seg_scale_grid(double cell);
// Pixels of an original picture: x * w' / w.
mg_seg_scale mg_seg_scale_picture(mg_sam_frame frame);

// Add a click; one with label -1, or one too many, changes nothing.
void mg_seg_prompt_add(mg_seg_prompt *p, mg_click click);

// What the decoder is given; `logits` is the mask prompt [4 gh, 4 gw], used if has_mask. The result
// points into `p` and lives as long. A prompt without
// anything has an empty point list; a text alone has none.
mg_sam_prompt mg_seg_prompt_for(mg_seg_prompt *p, mg_seg_scale scale, const float *logits);

#endif
