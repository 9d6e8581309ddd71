// Clicks and boxes into decoder inputs.
#include "finetune/seg_prompt.h"

mg_seg_scale mg_seg_scale_grid(double cell)
{
    return (mg_seg_scale){cell, cell, 0.5 * cell - 0.5};
}

mg_seg_scale mg_seg_scale_picture(mg_sam_frame f)
{
    return (mg_seg_scale){(double)f.width2 / f.width, (double)f.height2 / f.height, 0};
}

void mg_seg_prompt_add(mg_seg_prompt *p, mg_click click)
{
    if (click.label >= 0 && p->count < MG_PROMPT_CLICKS_MAX) p->click[p->count++] = click;
}

mg_sam_prompt mg_seg_prompt_for(mg_seg_prompt *p, mg_seg_scale s, const float *logits)
{
    for (int i = 0; i < p->count; i++) {
        p->point[2 * i] = (float)(p->click[i].x * s.scale_x + s.shift);
        p->point[2 * i + 1] = (float)(p->click[i].y * s.scale_y + s.shift);
        p->label[i] = p->click[i].label;
    }
    for (int i = 0; i < 4; i++)
        p->corner[i] = (float)(p->box[i] * (i % 2 ? s.scale_y : s.scale_x) + s.shift);
    return (mg_sam_prompt){.B = 1,
                           .has_points = p->count > 0 || (!p->has_box && !p->text),
                           .N = p->count,
                           .points = p->point,
                           .labels = p->label,
                           .boxes = p->has_box ? p->corner : NULL,
                           .masks = p->has_mask ? logits : NULL,
                           .extra = p->text,
                           .n_extra = p->text != NULL};
}
