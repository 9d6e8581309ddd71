// Sums and means of logits.
#include "finetune/volume_blend.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"

mg_status mg_blend_create(const mg_seg_model *m, mg_sam_frame frame, int moments, int room,
                          mg_blend *b)
{
    *b = (mg_blend){.sam = &m->sam.cfg,
                    .frame = frame,
                    .moments = moments,
                    .room = room,
                    .cells = (size_t)m->cells * m->cells};
    b->sum = mg_alloc((size_t)moments * room * b->cells * sizeof *b->sum);
    b->decoded = mg_alloc((size_t)moments * room * sizeof *b->decoded);
    b->scratch = mg_alloc(mg_sam_postprocess_scratch(b->sam, frame) * sizeof *b->scratch);
    if (!b->sum || !b->decoded || !b->scratch) {
        mg_blend_free(b);
        return MG_FAIL(MG_ERR_MEMORY,
                       "cannot allocate logits of %d slices for %d numbers of clicks", room,
                       moments);
    }
    mg_blend_reset(b);
    return MG_OK;
}

void mg_blend_free(mg_blend *b)
{
    mg_free(b->sum);
    mg_free(b->decoded);
    mg_free(b->scratch);
    memset(b, 0, sizeof *b);
}

void mg_blend_reset(mg_blend *b)
{
    size_t slices = (size_t)b->moments * b->room;

    memset(b->sum, 0, slices * b->cells * sizeof *b->sum);
    memset(b->decoded, 0, slices * sizeof *b->decoded);
}

static size_t place_of(const mg_blend *b, int moment, int z)
{
    return (size_t)moment * b->room + z % b->room;
}

void mg_blend_add(mg_blend *b, int moment, const mg_seg_stack *stack, int first)
{
    for (int z = 0; z < stack->slices; z++) {
        size_t to = place_of(b, moment, first + z);
        const float *logits = stack->logits + z * b->cells;
        if (!stack->prompt[z].has_mask) continue;
        for (size_t i = 0; i < b->cells; i++) b->sum[to * b->cells + i] += logits[i];
        b->decoded[to]++;
    }
}

// The mean is taken before the resizing, which is linear.
bool mg_blend_take(mg_blend *b, int moment, int z, float *out)
{
    size_t pixels = (size_t)b->frame.height * b->frame.width;
    size_t from = place_of(b, moment, z);
    float *sum = b->sum + from * b->cells;

    if (b->decoded[from] == 0) {
        for (size_t i = 0; i < pixels; i++) out[i] = -INFINITY;
        return false;
    }
    for (size_t i = 0; i < b->cells; i++) sum[i] /= (float)b->decoded[from];
    mg_sam_postprocess(out, sum, b->sam, b->frame, b->scratch);
    memset(sum, 0, b->cells * sizeof *sum);
    b->decoded[from] = 0;
    return true;
}
