// Order of the slices of a pass, and the pass itself.
#include "finetune/seg_stack.h"

#include <stdlib.h>
#include <string.h>

// The largest pass of a slice: every slot, a mask prompt, all clicks, a box and a text.
static mg_sam_shape largest_shape(const mg_seg_model *m, int clicks)
{
    return (mg_sam_shape){.B = 1, .sparse = clicks + 4, .slots = {0, m->sam.T}, .masks = true};
}

void mg_seg_stack_place(mg_layout *at, mg_seg_stack *s, const mg_seg_model *m, int slices,
                        int clicks, bool keep)
{
    size_t n = (size_t)slices, cells = (size_t)m->cells * m->cells;
    mg_sam_shape shape = largest_shape(m, clicks);
    mg_layout inner = {0};
    mg_sam_pass pass;

    s->model = m;
    mg_sam_pass_layout(&inner, &pass, &m->sam, shape);
    s->one_pass = keep ? inner.used : 0;
    s->base = mg_place_bytes(at, keep ? n * inner.used : inner.used);
    s->scratch = mg_place(at, mg_sam_scratch(&m->sam, shape));
    s->prompt = mg_place_bytes(at, n * sizeof *s->prompt);
    s->order = mg_place_bytes(at, n * sizeof *s->order);
    s->from = mg_place_bytes(at, n * sizeof *s->from);
    s->given = mg_place_bytes(at, n * sizeof *s->given);
    s->pass = mg_place_bytes(at, n * sizeof *s->pass);
    s->logits = mg_place(at, n * cells);
    s->iou = mg_place(at, n);
    s->token = mg_place(at, (size_t)m->sam.cfg.prompt_dim);
}

void mg_seg_stack_reset(mg_seg_stack *s, int slices)
{
    s->slices = slices;
    s->count = 0;
    for (int z = 0; z < slices; z++) {
        s->prompt[z].count = 0;
        s->prompt[z].has_box = s->prompt[z].has_mask = false;
        s->prompt[z].text = NULL;
    }
}

void mg_seg_stack_text(mg_seg_stack *s, const float *unit)
{
    mg_text_prompt_forward(s->token, unit, &s->model->text, &s->model->params);
    for (int z = 0; z < s->slices; z++) s->prompt[z].text = s->token;
}

// --- order ------------------------------------------------------------------------------------------

static bool is_prompted(const mg_seg_stack *s, int z)
{
    return s->prompt[z].count > 0 || s->prompt[z].has_box || s->prompt[z].text;
}

void mg_seg_stack_only(mg_seg_stack *s, const int *slices, int count)
{
    s->count = count;
    for (int i = 0; i < count; i++) {
        s->order[i] = slices[i];
        s->from[slices[i]] = MG_FROM_ITSELF;
    }
}

static void plan_each(mg_seg_stack *s)
{
    s->count = s->slices;
    for (int z = 0; z < s->slices; z++) {
        s->order[z] = z;
        s->from[z] = MG_FROM_ITSELF;
    }
}

// The nearest slice that has a prompt (tie: the smaller z), -1 if there is none.
static int nearest_prompted(const mg_seg_stack *s, int z)
{
    for (int d = 0; d < s->slices; d++) {
        if (z - d >= 0 && is_prompted(s, z - d)) return z - d;
        if (z + d < s->slices && is_prompted(s, z + d)) return z + d;
    }
    return -1;
}

// By distance to the nearest prompt, so the neighbour on that side has been decoded before.
static void plan_outward(mg_seg_stack *s, bool carry)
{
    s->count = 0;
    for (int d = 0; d < s->slices; d++)
        for (int z = 0; z < s->slices; z++) {
            int nearest = nearest_prompted(s, z);
            if (nearest < 0 || abs(nearest - z) != d) continue;
            s->order[s->count++] = z;
            s->from[z] = d == 0  ? MG_FROM_ITSELF
                         : carry ? (nearest < z ? z - 1 : z + 1)
                                 : MG_FROM_NOWHERE;
        }
}

void mg_seg_stack_plan(mg_seg_stack *s, mg_stack_plan plan)
{
    if (plan == MG_PLAN_EACH)
        plan_each(s);
    else
        plan_outward(s, plan == MG_PLAN_CARRY);
}

// --- a pass -----------------------------------------------------------------------------------------

static void decode_slice(mg_seg_stack *s, int z)
{
    const mg_seg_model *m = s->model;
    size_t cells = (size_t)m->cells * m->cells;
    size_t embedding = (size_t)m->vit.gh * m->vit.gw * m->sam.cfg.prompt_dim;
    mg_seg_prompt *prompt = &s->prompt[z];
    mg_sam_pass *pass = &s->pass[z];
    mg_layout at = {.base = s->base + (size_t)z * s->one_pass};
    mg_sam_slots slots = {0, 1};
    int from = s->from[z] == MG_FROM_ITSELF ? z : s->from[z];

    if (s->from[z] != MG_FROM_ITSELF) prompt->has_mask = from >= 0;
    s->given[z] = mg_seg_prompt_for(prompt, s->scale, from < 0 ? NULL : s->logits + from * cells);
    if (!m->single_output)
        slots = mg_sam_wanted(&m->sam, prompt->count, prompt->has_box, prompt->text, s->volume);
    mg_sam_pass_layout(&at, pass, &m->sam, mg_sam_shape_of(&s->given[z], slots));
    mg_sam_forward(pass, &m->sam, &m->params, s->embedding + (size_t)z * embedding, m->code,
                   &s->given[z], s->scratch);
    int best = mg_sam_best(pass->iou, slots.count);
    memcpy(s->logits + (size_t)z * cells, pass->masks + (size_t)best * cells,
           cells * sizeof *s->logits);
    s->iou[z] = pass->iou[best];
    prompt->has_mask = true;
}

void mg_seg_stack_decode(mg_seg_stack *s)
{
    for (int i = 0; i < s->count; i++) decode_slice(s, s->order[i]);
}

// --- stacks of a case -------------------------------------------------------------------------------

int mg_stack_count(int depth, int D)
{
    int step = (D + 1) / 2;
    return depth <= D ? 1 : (depth - D + step - 1) / step + 1;
}

int mg_stack_first(int depth, int D, int i)
{
    int first = i * ((D + 1) / 2), last = depth > D ? depth - D : 0;
    return first < last ? first : last;
}
