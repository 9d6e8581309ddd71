// From a pretrained encoder to SAM's image encoder (pretraining.md section 7): equal tensors are
// copied, fc1/fc2 become lin1/lin2, the fixed position table is resized and becomes a parameter,
// position tables of the attention start at zero unless the pretraining had them, the neck stays
// fresh, the final norm and the heads are dropped.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "finetune/seg_model.h"
#include "nn/nn.h"
#include "runtime/checkpoint.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// Name in the pretraining checkpoint of a tensor of the image encoder; false: it has none there.
static bool source_name(const char *name, char *out, size_t room)
{
    const char *tail = name + strlen("image_encoder.");

    if (strncmp(name, "image_encoder.", 14) || strstr(tail, "neck.") || strstr(tail, "_Adapter."))
        return false;
    const char *mlp = strstr(tail, "mlp.lin");
    if (mlp)
        snprintf(out, room, "params/%.*smlp.fc%s", (int)(mlp - tail), tail,
                 mlp + strlen("mlp.lin"));
    else
        snprintf(out, room, "params/%s", tail);
    return true;
}

static const mg_ckpt_array *find(const mg_ckpt *list, const char *name)
{
    for (int i = 0; i < list->arrays; i++)
        if (strcmp(list->array[i].name, name) == 0) return &list->array[i];
    return NULL;
}

static int64_t values(const mg_ckpt_array *a)
{
    int64_t n = 1;
    for (int i = 0; i < a->ndim; i++) n *= a->dim[i];
    return n;
}

// The token grid table [1, L (+ 1), D] to [1, gh, gw, D].
static mg_status take_positions(const float *from, const mg_ckpt_array *a, const mg_param *t,
                                float *to)
{
    int D = (int)t->dim[3], rows = (int)a->dim[1];
    int side = (int)sqrt((double)rows), cls = side * side == rows ? 0 : 1;

    side = (int)sqrt((double)(rows - cls));
    MG_CHECK(a->ndim == 3 && a->dim[2] == D && side * side == rows - cls, MG_ERR_FORMAT,
             "pretrained position table has %d rows of %lld, expected a square grid of %d", rows,
             (long long)a->dim[2], D);
    int gh = (int)t->dim[1], gw = (int)t->dim[2];
    float *scratch = mg_alloc(mg_resize_scratch(side, side, D, gh, gw) * sizeof *scratch);
    MG_CHECK(scratch, MG_ERR_MEMORY, "cannot allocate a position table");
    mg_resize_forward(to, from + (size_t)cls * D, side, side, D, gh, gw, MG_RESIZE_CUBIC, scratch);
    mg_free(scratch);
    return MG_OK;
}

// A table of relative positions [L, d] to [L2, d], linear.
static mg_status take_relative(const float *from, const mg_ckpt_array *a, const mg_param *t,
                               float *to)
{
    int L = (int)a->dim[0], L2 = (int)t->dim[0], d = (int)t->dim[1];

    MG_CHECK(a->ndim == 2 && a->dim[1] == d, MG_ERR_FORMAT, "'%s' is %lld wide, expected %d",
             a->name, (long long)a->dim[1], d);
    float *scratch = mg_alloc(mg_resize_scratch(L, 1, d, L2, 1) * sizeof *scratch);
    MG_CHECK(scratch, MG_ERR_MEMORY, "cannot allocate a position table");
    mg_resize_forward(to, from, L, 1, d, L2, 1, MG_RESIZE_LINEAR, scratch);
    mg_free(scratch);
    return MG_OK;
}

// One tensor of the model from the array that was read for it.
static mg_status take(const float *from, const mg_ckpt_array *a, const mg_param *t, float *to)
{
    if (strcmp(t->name, "image_encoder.pos_embed") == 0) return take_positions(from, a, t, to);
    if (strstr(t->name, ".rel_pos_")) return take_relative(from, a, t, to);
    bool same = a->ndim == t->ndim;
    for (int i = 0; i < t->ndim && same; i++) same = a->dim[i] == t->dim[i];
    MG_CHECK(same, MG_ERR_FORMAT, "pretrained '%s' does not have the shape of '%s'", a->name,
             t->name);
    memcpy(to, from, t->size * sizeof *to);
    return MG_OK;
}

// Read the arrays that have a place in the model into one block each; *count of them.
static mg_status choose(const mg_ckpt *list, const mg_params *p, mg_ckpt_array *want, int *target,
                        int *count)
{
    char name[256];

    *count = 0;
    for (int i = 0; i < p->count; i++) {
        if (!source_name(p->list[i].name, name, sizeof name)) continue;
        const mg_ckpt_array *a = find(list, name);
        if (!a && strstr(name, ".rel_pos_")) continue; // zero in pretraining: stays zero
        MG_CHECK(a, MG_ERR_FORMAT, "pretrained checkpoint lacks '%s', needed for '%s'", name,
                 p->list[i].name);
        want[*count] = *a;
        want[*count].data = mg_alloc((size_t)values(a) * sizeof(float));
        MG_CHECK(want[*count].data, MG_ERR_MEMORY, "cannot allocate '%s'", name);
        target[(*count)++] = i;
    }
    return MG_OK;
}

mg_status mg_seg_handover(const mg_comm *world, const char *file, mg_seg_model *m)
{
    mg_params *p = &m->params;
    mg_ckpt list = {0};
    mg_ckpt_array *want = mg_calloc((size_t)p->count, sizeof *want);
    int *target = mg_calloc((size_t)p->count, sizeof *target), count = 0, facts = 0;
    mg_ckpt_fact *fact = NULL;
    mg_status st = want && target ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a hand-over");

    if (!st) st = mg_ckpt_list(file, &list);
    if (!st) st = choose(&list, p, want, target, &count);
    st = mg_comm_agree(world, st);
    mg_ckpt what = {want, count, NULL, 0};
    if (!st) st = mg_ckpt_load(world, file, &what, &fact, &facts);
    for (int i = 0; i < count && !st; i++)
        st = take(want[i].data, &want[i], &p->list[target[i]], mg_weight(p, target[i]));
    if (!st) mg_info("init %s pretrained_tensors %d (decoder and neck start fresh)", file, count);
    mg_ckpt_facts_free(&fact, facts);
    for (int i = 0; i < count; i++) mg_free(want[i].data);
    mg_free(want), mg_free(target);
    mg_ckpt_list_free(&list);
    return st;
}
