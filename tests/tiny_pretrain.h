// A tiny pretraining model for unit tests: 3 x 2 tokens, width 8, two blocks; every tensor random.
#ifndef MG_TESTS_TINY_PRETRAIN_H
#define MG_TESTS_TINY_PRETRAIN_H

#include "models/pretrain_model.h"
#include "nn/gemm.h"
#include "runtime/mem.h"
#include "tests/check.h"

enum { TINY_N = 4 }; // samples

static const uint32_t tiny_samples[TINY_N] = {11, 5, 900, 3};

static inline mg_pretrain_config tiny_config(void)
{
    return (mg_pretrain_config){
        .vit = {.prefix = "",
                .Y = 12,
                .X = 8,
                .C = 2,
                .patch = 4,
                .D = 8,
                .depth = 2,
                .heads = 2,
                .hidden = 12,
                .mae = true},
        .mae = {.ratio = 0.5, .norm_pix = true, .D = 8, .depth = 1, .heads = 2, .hidden = 8},
        .shed_fraction = 0.5,
        .emix_dim = 5,
        .emix_alpha = 0.7,
        .emix_tau = 0.4,
        .keep = MG_KEEP_ALL,
        .leaf = TINY_N,
        .each = TINY_N,
        .emix_slots = 1};
}

typedef struct {
    mg_pretrain_model *m;
    mg_pretrain_leaf leaf;
    float *images, *e, *de, *grads;
    size_t picture, size; // floats of one picture, of its embeddings
} tiny;

static inline void tiny_embed(tiny *t)
{
    mg_pretrain_embed(t->m, t->e, t->images, TINY_N);
    memset(t->de, 0, TINY_N * t->size * sizeof(float));
}

static inline tiny tiny_open(const mg_pretrain_config *cfg)
{
    tiny t = {0};

    OK(mg_pretrain_open(cfg, &t.m));
    mg_pretrain_init(t.m, 21);
    for (int i = 0; i < t.m->params.count; i++) {
        float *w = mg_weight(&t.m->params, i), z;
        for (size_t k = 0; k < t.m->params.list[i].size; k++) {
            if (t.m->params.list[i].buffer) continue;
            check_fill(&z, 1, 1000 * (uint64_t)i + k, 0.3);
            w[k] += z;
        }
    }
    t.picture = (size_t)cfg->vit.C * cfg->vit.Y * cfg->vit.X;
    t.size = (size_t)t.m->L * cfg->vit.D;
    t.images = mg_alloc(TINY_N * t.picture * sizeof(float));
    check_fill(t.images, TINY_N * t.picture, 3, 1);
    t.e = mg_alloc(TINY_N * t.size * sizeof(float));
    t.de = mg_alloc(TINY_N * t.size * sizeof(float));
    t.grads = mg_calloc(t.m->params.trainable_size, sizeof(float));
    t.leaf = (mg_pretrain_leaf){.images = t.images,
                                .sample = tiny_samples,
                                .n = TINY_N,
                                .seed = 77,
                                .epoch = 2,
                                .e = t.e,
                                .de = t.de};
    return t;
}

static inline void tiny_close(tiny *t)
{
    mg_pretrain_close(&t->m);
    mg_free(t->images);
    mg_free(t->e);
    mg_free(t->de);
    mg_free(t->grads);
}

// Hold t->grads against finite differences of loss(t), one random direction per trained tensor.
static inline void tiny_check_gradients(tiny *t, double (*loss)(tiny *t))
{
    mg_params *p = &t->m->params;

    for (int i = 0; i < p->count; i++) {
        size_t size = p->list[i].size;
        float *w = mg_weight(p, i), *g = mg_grad(p, t->grads, i), step[1024], kept[1024];
        double along = 0, norm = 0, h = 2e-3;

        if (!g) continue;
        assert_true(size <= 1024);
        check_fill(step, size, 50 + (uint64_t)i, 1);
        memcpy(kept, w, size * sizeof *w);
        for (size_t k = 0; k < size; k++) along += (double)g[k] * step[k], norm += g[k] * g[k];
        for (size_t k = 0; k < size; k++) w[k] = kept[k] + (float)h * step[k];
        double up = loss(t);
        for (size_t k = 0; k < size; k++) w[k] = kept[k] - (float)h * step[k];
        double down = loss(t);
        memcpy(w, kept, size * sizeof *w);
        double gap = fabs((up - down) / (2 * h) - along);
        if (!(gap <= 0.02 * sqrt(norm) + 1e-3))
            fail_msg("%s: %g by differences, %g by gradient", p->list[i].name,
                     (up - down) / (2 * h), along);
    }
}

#endif
