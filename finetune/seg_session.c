// Encoding once, decoding pass after pass, masks on the picture's own grid.
#include "finetune/seg_session.h"

#include <string.h>

#include "runtime/mem.h"

struct mg_seg_session {
    const mg_seg_model *m; // not owned
    mg_sam_frame frame;    // of the grid
    void *block;
    float *image; // [3, S, S]
    mg_vit_acts vit;
    float *vit_scratch;
    mg_seg_stack stack; // of one slice
    float *full;        // logits on the grid, and scratch behind them; grows with the pictures
    size_t full_floats;
};

static void place(mg_layout *at, mg_seg_session *s)
{
    const mg_seg_model *m = s->m;
    int tokens = m->vit.gh * m->vit.gw;

    s->image = mg_place(at, 3 * (size_t)m->side * m->side);
    mg_vit_acts_layout(at, &s->vit, &m->vit, 1, tokens, MG_KEEP_NONE);
    s->vit_scratch = mg_place(at, mg_vit_scratch(&m->vit, 1, tokens));
    mg_seg_stack_place(at, &s->stack, m, 1, MG_PROMPT_CLICKS_MAX, false);
}

mg_status mg_seg_session_create(const mg_seg_model *model, mg_seg_session **out)
{
    mg_seg_session *s = mg_calloc(1, sizeof *s);
    mg_layout measure = {0};

    *out = NULL;
    MG_CHECK(s, MG_ERR_MEMORY, "cannot allocate a session");
    s->m = model;
    place(&measure, s);
    s->block = mg_alloc(measure.used);
    if (!s->block) {
        mg_seg_session_destroy(&s);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes of activations", measure.used);
    }
    mg_layout at = {.base = s->block};
    place(&at, s);
    *out = s;
    return MG_OK;
}

void mg_seg_session_destroy(mg_seg_session **session)
{
    mg_seg_session *s = *session;

    if (!s) return;
    mg_free(s->block);
    mg_free(s->full);
    mg_free(s);
    *session = NULL;
}

mg_status mg_seg_session_picture(mg_seg_session *s, const uint8_t *pixels, int height, int width,
                                 int channels)
{
    const mg_seg_model *m = s->m;

    MG_TRY(mg_seg_picture(m, s->image, pixels, height, width, channels));
    mg_vit_forward(&s->vit, &m->vit, &m->params, s->image, 1, 0, s->vit_scratch);
    mg_seg_session_grid(s, height, width);
    mg_seg_session_reset(s);
    return MG_OK;
}

void mg_seg_session_grid(mg_seg_session *s, int height, int width)
{
    s->frame = mg_seg_frame(s->m, height, width);
}

void mg_seg_session_reset(mg_seg_session *s)
{
    mg_seg_stack_reset(&s->stack, 1);
}

void mg_seg_session_click(mg_seg_session *s, mg_click click)
{
    mg_seg_prompt_add(&s->stack.prompt[0], click);
}

void mg_seg_session_box(mg_seg_session *s, const double box[4])
{
    mg_seg_prompt *prompt = &s->stack.prompt[0];

    memcpy(prompt->box, box, sizeof prompt->box);
    prompt->has_box = true;
}

void mg_seg_session_text(mg_seg_session *s, const float *unit)
{
    mg_seg_stack_text(&s->stack, unit);
}

static mg_status reserve(mg_seg_session *s, size_t floats)
{
    if (floats <= s->full_floats) return MG_OK;
    mg_free(s->full);
    s->full = mg_alloc(floats * sizeof *s->full);
    s->full_floats = s->full ? floats : 0;
    MG_CHECK(s->full, MG_ERR_MEMORY, "cannot allocate %zu bytes for a mask",
             floats * sizeof *s->full);
    return MG_OK;
}

mg_status mg_seg_session_decode(mg_seg_session *s, uint8_t *mask, float *logits, float *iou)
{
    const mg_sam_config *sam = &s->m->sam.cfg;
    size_t pixels = (size_t)s->frame.height * s->frame.width;

    MG_TRY(reserve(s, pixels + mg_sam_postprocess_scratch(sam, s->frame)));
    s->stack.embedding = s->vit.out;
    s->stack.scale = mg_seg_scale_picture(s->frame);
    mg_seg_stack_plan(&s->stack, MG_PLAN_EACH);
    mg_seg_stack_decode(&s->stack);
    if (iou) *iou = s->stack.iou[0];
    float *full = logits ? logits : s->full;
    mg_sam_postprocess(full, s->stack.logits, sam, s->frame, s->full + pixels);
    for (size_t i = 0; i < pixels; i++) mask[i] = full[i] > 0;
    return MG_OK;
}
