// The loop over blocks, and the row lists that windows and the depth branch read.
#include "models/stack.h"

#include <assert.h>
#include <stdio.h>

void mg_ready_from(const mg_ready *ready, const mg_params *p, int first)
{
    if (!ready || !ready->call) return;
    for (int i = first; i < p->count; i++)
        if (p->list[i].trainable) {
            ready->call(ready->ctx, p->list[i].grad);
            return;
        }
}

void mg_stack_add(mg_stack *s, mg_params *p, const char *prefix, const mg_block_config *cfg,
                  int depth, uint64_t global)
{
    char name[256];

    assert(depth <= MG_MAX_BLOCKS);
    s->cfg = *cfg;
    s->depth = depth;
    s->any_windowed = false;
    for (int i = 0; i < depth; i++) {
        bool windowed = cfg->window > 0 && !(global >> i & 1);

        snprintf(name, sizeof name, "%s.%d", prefix, i);
        s->block[i] = mg_block_add(p, name, cfg, windowed);
        s->any_windowed = s->any_windowed || windowed;
    }
}

void mg_stack_acts_layout(mg_layout *at, mg_stack_acts *a, const mg_stack *s, int B, int N,
                          mg_keep keep)
{
    const mg_block_config *c = &s->cfg;
    size_t map = (size_t)B * N * c->D;

    a->keep = keep;
    a->max_B = B;
    a->max_N = N;
    for (int i = 0; i <= s->depth; i++)
        a->x[i] = keep == MG_KEEP_NONE && i > 1 ? a->x[i - 2] : mg_place(at, map);
    if (keep == MG_KEEP_ALL) {
        for (int i = 0; i < s->depth; i++)
            mg_block_acts_layout(at, &a->block[i], c, s->block[i].windowed, B, N);
    } else {
        // One set for all; the larger of the two kinds of block.
        mg_layout windowed = *at, global = *at;
        mg_block_acts kind[2];
        mg_block_acts_layout(&global, &kind[0], c, false, B, N);
        if (s->any_windowed) mg_block_acts_layout(&windowed, &kind[1], c, true, B, N);
        for (int i = 0; i < s->depth; i++) a->block[i] = kind[s->block[i].windowed];
        at->used = windowed.used > global.used ? windowed.used : global.used;
    }
    a->windows = NULL;
    a->stacks = NULL;
    if (s->any_windowed)
        a->windows = mg_place_bytes(at, (size_t)B * mg_block_windows(c) * c->window * c->window *
                                            sizeof(int32_t));
    if (c->depth) a->stacks = mg_place_bytes(at, (size_t)B * N * sizeof(int32_t));
}

size_t mg_stack_scratch(const mg_stack *s, int B, int N)
{
    return mg_block_scratch(&s->cfg, s->any_windowed, B, N);
}

// Windows in the order image, window row, window column (model.md 4.4).
static void list_windows(int32_t *list, const mg_block_config *c, int B)
{
    int w = c->window, down = (c->gh + w - 1) / w, across = (c->gw + w - 1) / w;

    for (int b = 0; b < B; b++)
        for (int k = 0; k < down * across; k++)
            for (int i = 0; i < w * w; i++) {
                int row = k / across * w + i / w, col = k % across * w + i % w;
                bool real = row < c->gh && col < c->gw;
                *list++ = real ? (b * c->gh + row) * c->gw + col : -1;
            }
}

// One sequence over the slices per stack and token place; the slice index runs fastest in a batch.
static void list_stacks(int32_t *list, int B, int N, int slices)
{
    for (int v = 0; v < B / slices; v++)
        for (int t = 0; t < N; t++)
            for (int z = 0; z < slices; z++) *list++ = (v * slices + z) * N + t;
}

void mg_stack_forward(mg_stack_acts *a, const mg_stack *s, const mg_params *p, int B, int N,
                      int slices, const int32_t *coord, float *scratch)
{
    assert(B <= a->max_B && N <= a->max_N && (!slices || B % slices == 0));
    assert(!s->any_windowed || N == s->cfg.gh * s->cfg.gw);
    if (s->any_windowed) list_windows(a->windows, &s->cfg, B);
    if (s->cfg.depth && slices) list_stacks(a->stacks, B, N, slices);
    a->pass = (mg_block_pass){.cfg = &s->cfg,
                              .B = B,
                              .N = N,
                              .slices = slices,
                              .windows = a->windows,
                              .stacks = a->stacks,
                              .coord = coord,
                              .scratch = scratch};
    for (int i = 0; i < s->depth; i++) {
        a->block[i].x = a->x[i];
        mg_block_forward(a->x[i + 1], &a->block[i], &s->block[i], p, &a->pass);
    }
}

void mg_stack_backward(float *dx, bool through, float *grads, mg_stack_acts *a, const mg_stack *s,
                       const mg_params *p, const mg_ready *ready, float *scratch)
{
    int lowest = 0;

    assert(a->keep != MG_KEEP_NONE);
    if (!through)
        while (lowest < s->depth && !(grads && mg_block_trained(&s->block[lowest], p))) lowest++;
    a->pass.scratch = scratch;
    for (int i = s->depth - 1; i >= lowest; i--) {
        // The last block's activations are still there, whatever is kept.
        if (a->keep == MG_KEEP_INPUTS && i < s->depth - 1)
            mg_block_forward(NULL, &a->block[i], &s->block[i], p, &a->pass);
        mg_block_backward(dx, through || i > lowest, grads, &a->block[i], &s->block[i], p,
                          &a->pass);
        mg_ready_from(ready, p, s->block[i].first);
    }
}
