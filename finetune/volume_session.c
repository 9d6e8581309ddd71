// Stacks of a case: cut, encoded, decoded.
#include "finetune/volume_session.h"

#include <string.h>

#include "runtime/mem.h"

// --- creation ---------------------------------------------------------------------------------------

static void place(mg_layout *at, mg_volume_session *s, int clicks)
{
    const mg_seg_model *m = s->model;
    int tokens = m->vit.gh * m->vit.gw;

    s->images = mg_place(at, (size_t)s->D * 3 * m->side * m->side);
    mg_vit_acts_layout(at, &s->vit, &m->vit, s->D, tokens, MG_KEEP_NONE);
    s->vit_scratch = mg_place(at, mg_vit_scratch(&m->vit, s->D, tokens));
    mg_seg_stack_place(at, &s->stack, m, s->D, clicks, false);
}

mg_status mg_volume_session_create(const mg_seg_model *model, int D, bool carry, int clicks,
                                   mg_volume_session **out)
{
    mg_volume_session *s = mg_calloc(1, sizeof *s);
    mg_layout measure = {0};

    *out = NULL;
    MG_CHECK(s, MG_ERR_MEMORY, "cannot allocate a session");
    s->model = model;
    s->D = D;
    s->carry = carry;
    place(&measure, s, clicks);
    s->block = mg_alloc(measure.used);
    if (!s->block) {
        mg_volume_session_destroy(&s);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes of activations for %d slices",
                       measure.used, D);
    }
    mg_layout at = {.base = s->block};
    place(&at, s, clicks);
    s->stack.volume = true;
    *out = s;
    return MG_OK;
}

void mg_volume_session_destroy(mg_volume_session **session)
{
    mg_volume_session *s = *session;

    if (!s) return;
    mg_volume_session_close(s);
    mg_free(s->block);
    mg_free(s);
    *session = NULL;
}

// --- the case ---------------------------------------------------------------------------------------

// Floats of the embedding of a slice.
static size_t embedding_of(const mg_volume_session *s)
{
    const mg_seg_model *m = s->model;
    return (size_t)m->vit.gh * m->vit.gw * m->sam.cfg.prompt_dim;
}

// With a depth branch the slices of a stack belong together; otherwise each is encoded by itself, and stacks
// that overlap share it.
static bool stands_alone(const mg_volume_session *s)
{
    return !s->model->vit.cfg.depth_branch;
}

// Slices that there is room for.
static size_t room_of(const mg_volume_session *s)
{
    if (!s->keep) return (size_t)s->slices;
    return stands_alone(s) ? (size_t)s->from.depth : (size_t)s->stacks * s->slices;
}

mg_status mg_volume_session_open(mg_volume_session *s, const mg_slices *from, bool keep)
{
    size_t scratch;

    mg_volume_session_close(s);
    s->from = *from;
    s->keep = keep;
    s->held = 0;
    s->frame = mg_seg_frame(s->model, from->height, from->width);
    s->slices = from->depth < s->D ? from->depth : s->D;
    s->stacks = mg_stack_count(from->depth, s->D);
    s->pixels = (size_t)from->height * from->width;
    s->stack.scale = mg_seg_scale_picture(s->frame);
    scratch = mg_sam_postprocess_scratch(&s->model->sam.cfg, s->frame);
    s->bytes = mg_alloc((size_t)s->slices * s->pixels * 3);
    s->full = mg_alloc((s->pixels + scratch) * sizeof *s->full);
    s->embedding = mg_alloc(room_of(s) * embedding_of(s) * sizeof *s->embedding);
    s->encoded = mg_calloc(room_of(s), sizeof *s->encoded);
    if (s->bytes && s->full && s->embedding && s->encoded) return MG_OK;
    mg_volume_session_close(s);
    return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a volume of %d slices as %d stacks of %d",
                   from->depth, mg_stack_count(from->depth, s->D), s->D);
}

void mg_volume_session_close(mg_volume_session *s)
{
    mg_free(s->embedding), mg_free(s->encoded), mg_free(s->bytes), mg_free(s->full);
    s->embedding = s->full = NULL;
    s->encoded = NULL;
    s->bytes = NULL;
}

// --- a stack ----------------------------------------------------------------------------------------

static mg_status encode(mg_volume_session *s, int first, int n, float *out)
{
    const mg_seg_model *m = s->model;
    size_t image = 3 * (size_t)m->side * m->side;

    MG_TRY(s->from.read(s->from.ctx, first, n, s->bytes));
    for (int z = 0; z < n; z++)
        MG_TRY(mg_seg_picture(m, s->images + z * image, s->bytes + z * s->pixels * 3,
                              s->from.height, s->from.width, 3));
    mg_vit_forward(&s->vit, &m->vit, &m->params, s->images, n, m->vit.cfg.depth_branch ? n : 1,
                   s->vit_scratch);
    memcpy(out, s->vit.out, (size_t)n * embedding_of(s) * sizeof *out);
    return MG_OK;
}

// Only one stack is held: move what the stack at `first` has in common with it to the front.
static void slide(mg_volume_session *s, int first)
{
    int shift = first - s->held;
    int common = stands_alone(s) && shift >= 0 && shift < s->slices ? s->slices - shift : 0;

    for (int z = 0; z < s->slices; z++) s->encoded[z] = z < common && s->encoded[z + shift];
    memmove(s->embedding, s->embedding + (common ? shift : 0) * embedding_of(s),
            (size_t)common * embedding_of(s) * sizeof *s->embedding);
    s->held = first;
}

int mg_volume_session_first(const mg_volume_session *s, int i)
{
    return mg_stack_first(s->from.depth, s->D, i);
}

mg_status mg_volume_session_stack(mg_volume_session *s, int i)
{
    int first = mg_volume_session_first(s, i), ready = 0;
    size_t place = !s->keep ? 0 : stands_alone(s) ? (size_t)first : (size_t)i * s->slices;
    float *to = s->embedding + place * embedding_of(s);

    if (!s->keep) slide(s, first);
    s->first = first;
    s->stack.embedding = to;
    mg_volume_session_reset(s);
    while (ready < s->slices && s->encoded[place + ready]) ready++;
    if (ready == s->slices) return MG_OK;
    MG_TRY(encode(s, first + ready, s->slices - ready, to + ready * embedding_of(s)));
    for (int z = ready; z < s->slices; z++) s->encoded[place + z] = true;
    return MG_OK;
}

void mg_volume_session_reset(mg_volume_session *s)
{
    mg_seg_stack_reset(&s->stack, s->slices);
}

void mg_volume_session_carry(mg_volume_session *s)
{
    mg_seg_stack_plan(&s->stack, s->carry ? MG_PLAN_CARRY : MG_PLAN_NO_CARRY);
}

void mg_volume_session_decode(mg_volume_session *s, uint8_t *mask)
{
    const mg_seg_stack *stack = &s->stack;
    size_t cells = (size_t)s->model->cells * s->model->cells;

    mg_seg_stack_decode(&s->stack);
    for (int i = 0; i < stack->count && mask; i++) {
        int z = stack->order[i];
        uint8_t *to = mask + z * s->pixels;
        mg_sam_postprocess(s->full, stack->logits + z * cells, &s->model->sam.cfg, s->frame,
                           s->full + s->pixels);
        for (size_t k = 0; k < s->pixels; k++) to[k] = s->full[k] > 0;
    }
}
