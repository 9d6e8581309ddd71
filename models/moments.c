// Parts are cut between cache lines.
#include "models/moments.h"

#include <string.h>

#include "runtime/mem.h"

enum { LINE = 16 }; // floats; tensors start on lines too

// Of a gradient array.
typedef struct {
    size_t lo, hi;
} range;

static range part_of(const mg_params *p, int rank, int ranks)
{
    int64_t lo, hi;

    mg_comm_range((int64_t)(p->trainable_size / LINE), rank, ranks, &lo, &hi);
    return (range){(size_t)lo * LINE, (size_t)hi * LINE};
}

// What two ranges share; empty ones have lo = hi.
static range common(range a, range b)
{
    range c = {a.lo > b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi};
    if (c.hi < c.lo) c.hi = c.lo;
    return c;
}

static range tensor_of(const mg_params *p, int tensor)
{
    const mg_param *t = &p->list[tensor];
    return (range){t->grad, t->grad + t->size};
}

static size_t largest_tensor(const mg_params *p)
{
    size_t most = 1;

    for (int i = 0; i < p->count; i++)
        if (p->list[i].trainable && p->list[i].size > most) most = p->list[i].size;
    return most;
}

size_t mg_moments_bytes(const mg_params *p, bool shard, int ranks)
{
    if (!shard || ranks == 1) return 2 * p->trainable_size * sizeof(float);
    range first = part_of(p, 0, ranks);
    return (2 * (first.hi - first.lo) + largest_tensor(p)) * sizeof(float);
}

mg_status mg_moments_create(const mg_comm *world, mg_params *p, bool shard, mg_moments *o)
{
    int ranks = mg_comm_size(world);
    range all = {0, p->trainable_size}, own = all;

    if (shard) own = part_of(p, mg_comm_rank(world), ranks);
    *o = (mg_moments){.world = world, .params = p, .lo = own.lo, .hi = own.hi};
    o->m = mg_calloc(own.hi - own.lo, sizeof *o->m);
    o->v = mg_calloc(own.hi - own.lo, sizeof *o->v);
    o->bytes = mg_calloc(2 * (size_t)ranks, sizeof *o->bytes);
    if (shard && ranks > 1) o->piece = mg_alloc(largest_tensor(p) * sizeof *o->piece);
    MG_CHECK(o->m && o->v && o->bytes && (!shard || ranks == 1 || o->piece), MG_ERR_MEMORY,
             "cannot allocate %zu bytes of optimizer moments", mg_moments_bytes(p, shard, ranks));
    return MG_OK;
}

void mg_moments_free(mg_moments *o)
{
    mg_free(o->m), mg_free(o->v), mg_free(o->piece), mg_free(o->bytes);
    *o = (mg_moments){0};
}

// Weights of the trained tensors within a range of the gradient index space, to or from an array of it.
static void copy_weights(const mg_params *p, float *grads, range r, bool to_weights)
{
    for (int i = 0; i < p->count; i++) {
        if (!p->list[i].trainable) continue;
        range t = common(tensor_of(p, i), r);
        float *weights = mg_weight(p, i) + (t.lo - p->list[i].grad), *array = grads + t.lo;
        if (t.lo < t.hi)
            memcpy(to_weights ? weights : array, to_weights ? array : weights,
                   (t.hi - t.lo) * sizeof *grads);
    }
}

// The updated parts of all ranks to all ranks, through the array of gradients.
static void share_weights(mg_moments *o, float *grads)
{
    int ranks = mg_comm_size(o->world);

    copy_weights(o->params, grads, (range){o->lo, o->hi}, false);
    for (int r = 0; r < ranks; r++) {
        range part = part_of(o->params, r, ranks);
        o->bytes[r] = (part.hi - part.lo) * sizeof *grads;
    }
    mg_comm_allgatherv(o->world, grads + o->lo, o->bytes, grads);
    copy_weights(o->params, grads, (range){0, o->lo}, true);
    copy_weights(o->params, grads, (range){o->hi, o->params->trainable_size}, true);
}

void mg_moments_update(mg_moments *o, float *grads, const mg_segment *list, int count,
                       const mg_adamw *how, int64_t t, double rate, double clip)
{
    mg_adamw_update(o->params->data, o->m, o->v, grads, list, count, o->lo, o->hi, how, t, rate,
                    clip);
    if (o->piece) share_weights(o, grads);
}

void mg_moments_bring(mg_moments *o, int tensor, bool second)
{
    int ranks = mg_comm_size(o->world), rank = mg_comm_rank(o->world);
    range t = tensor_of(o->params, tensor), own = common(t, (range){o->lo, o->hi});
    size_t *send = o->bytes, *recv = o->bytes + ranks;

    memset(o->bytes, 0, 2 * (size_t)ranks * sizeof *o->bytes);
    send[0] = (own.hi - own.lo) * sizeof(float);
    for (int r = 0; r < ranks && rank == 0; r++) {
        range part = common(t, part_of(o->params, r, ranks));
        recv[r] = (part.hi - part.lo) * sizeof(float);
    }
    mg_comm_alltoallv(o->world, (second ? o->v : o->m) + (send[0] ? own.lo - o->lo : 0), send,
                      o->piece, recv);
}

void mg_moments_take(mg_moments *o, int tensor, bool second)
{
    range t = tensor_of(o->params, tensor), own = common(t, (range){o->lo, o->hi});

    if (own.lo < own.hi)
        memcpy((second ? o->v : o->m) + (own.lo - o->lo), o->piece + (own.lo - t.lo),
               (own.hi - own.lo) * sizeof(float));
}
