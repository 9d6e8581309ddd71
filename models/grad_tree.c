// Binary-counter addition of leaf gradients; the last leaf is folded in from the end of the array as
// its backward pass finishes parts of it, so that the sum over ranks runs beside that pass.
#include "models/grad_tree.h"

#include <string.h>

#include "runtime/mem.h"

enum { MAX_LEVELS = 24, BUCKET = 1 << 20 };

struct mg_grad_tree {
    size_t floats;
    int leaves, current;
    float *buffer[MAX_LEVELS + 1]; // [levels + 1]; one of them is the current leaf's
    float *level[MAX_LEVELS];      // waiting sums, NULL if none (borrowed from buffer)
    float *leaf;                   // the current leaf's
    float *spare[MAX_LEVELS + 1];  // free buffers
    int spares, buffers;
    size_t folded; // of the last leaf: offsets >= folded are in the tree
    mg_reducer *reducer;
    double wait_s;
};

static int levels_of(int leaves)
{
    int levels = 0;
    while (leaves >> levels > 1) levels++;
    return leaves == 1 << levels ? levels : levels + 1;
}

mg_grad_tree_memory mg_grad_tree_memory_of(int ranks, bool exact, size_t floats, int leaves)
{
    return (mg_grad_tree_memory){.buffers =
                                     (size_t)(levels_of(leaves) + 1) * floats * sizeof(float),
                                 .exchange = mg_reducer_bytes(ranks, exact, floats, BUCKET)};
}

mg_status mg_grad_tree_create(const mg_comm *world, bool exact, size_t floats, int leaves,
                              mg_grad_tree **out)
{
    mg_grad_tree *t = mg_calloc(1, sizeof *t);
    mg_status st = MG_OK;

    *out = NULL;
    if (!t) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a gradient tree");
    if (t) {
        t->floats = floats;
        t->leaves = leaves;
        t->buffers = levels_of(leaves) + 1;
        for (int i = 0; i < t->buffers && !st; i++) {
            t->buffer[i] = mg_alloc(floats * sizeof(float));
            if (!t->buffer[i])
                st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate gradient buffer %d of %d (%zu bytes)",
                             i + 1, t->buffers, floats * sizeof(float));
        }
    }
    st = mg_comm_agree(world, st);
    if (!st)
        st = mg_comm_agree(world, mg_reducer_create(world, exact, floats, BUCKET, &t->reducer));
    if (st)
        mg_grad_tree_destroy(&t);
    else
        *out = t;
    return st;
}

void mg_grad_tree_destroy(mg_grad_tree **tree)
{
    mg_grad_tree *t = *tree;

    if (!t) return;
    mg_reducer_destroy(&t->reducer);
    for (int i = 0; i < t->buffers; i++) mg_free(t->buffer[i]);
    mg_free(t);
    *tree = NULL;
}

float *mg_grad_tree_leaf(mg_grad_tree *t, int i)
{
    if (i == 0) {
        memset(t->level, 0, sizeof t->level);
        t->spares = t->buffers;
        memcpy(t->spare, t->buffer, sizeof t->buffer);
    }
    t->current = i;
    t->leaf = t->spare[--t->spares];
    t->folded = t->floats;
    memset(t->leaf, 0, t->floats * sizeof(float));
    if (i == t->leaves - 1) mg_reducer_begin(t->reducer, t->leaf, t->floats);
    return t->leaf;
}

// sum[lo..hi) = left[lo..hi) + sum[lo..hi)
static void fold(float *sum, const float *left, size_t lo, size_t hi)
{
#pragma omp parallel for simd schedule(static) if (hi - lo > 65536)
    for (size_t i = lo; i < hi; i++) sum[i] = left[i] + sum[i];
}

void mg_grad_tree_ready(void *tree, size_t from)
{
    mg_grad_tree *t = tree;

    if (t->current != t->leaves - 1 || from >= t->folded) return;
    // Behind the last leaf nothing follows: what waits on any level joins now, lowest level first.
    for (int l = 0; l < MAX_LEVELS; l++)
        if (t->level[l]) fold(t->leaf, t->level[l], from, t->folded);
    t->folded = from;
    mg_reducer_ready(t->reducer, from);
    mg_reducer_poll(t->reducer);
}

void mg_grad_tree_done(mg_grad_tree *t)
{
    if (t->current == t->leaves - 1) {
        mg_grad_tree_ready(t, 0);
        mg_reducer_finish(t->reducer, &t->wait_s);
        return;
    }
    float *sum = t->leaf;
    int l = 0;
    for (; t->level[l]; l++) {
        fold(sum, t->level[l], 0, t->floats);
        t->spare[t->spares++] = t->level[l];
        t->level[l] = NULL;
    }
    t->level[l] = sum;
}

float *mg_grad_tree_sum(mg_grad_tree *t, double *wait_s)
{
    *wait_s = t->wait_s;
    return t->leaf;
}
