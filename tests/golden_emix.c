// Golden files of kinds emix (one rank) and emix_ranks (the same global batch on 1, 2 and 4 ranks,
// which are played one after another here).
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/golden_pretrain.h"

typedef struct {
    mg_pretrain_model *m;
    mg_pretrain_leaf leaf; // the whole batch
    int M, d;
    size_t size; // floats of one sample's embeddings
    uint32_t *pi;
    float *partner, *lam, *z, *zm, *dz, *dzm, *grads, *scratch;
} step;

static step open_step(golden *g, const char *prefix, int slots)
{
    const char *group = *prefix ? golden_name(g, "%.*s", (int)strlen(prefix) - 1, prefix) : "/";
    mg_pretrain_config cfg = golden_encoder_config(g, group);
    step s = {0};

    cfg.use_emix = true;
    cfg.emix_dim = (int)golden_int(g, group, "out_dim");
    cfg.emix_alpha = golden_real(g, group, "alpha");
    cfg.emix_tau = golden_real(g, group, "temperature");
    cfg.emix_slots = slots;
    s.m = golden_pretrain_open(g, &cfg, prefix);
    s.leaf = golden_leaf(g, s.m, prefix);
    s.M = s.leaf.n;
    s.d = s.m->emix.d;
    s.size = (size_t)s.m->L * s.m->vit.cfg.D;
    s.pi = golden_load(g, golden_name(g, "%srand/perm", prefix), MG_U32, NULL);
    s.partner = golden_alloc(g, s.M * s.size * sizeof(float));
    for (int i = 0; i < s.M; i++)
        memcpy(s.partner + i * s.size, s.leaf.e + s.pi[i] * s.size, s.size * sizeof(float));
    float **rows[] = {&s.z, &s.zm, &s.dz, &s.dzm};
    for (int i = 0; i < 4; i++) *rows[i] = golden_alloc(g, (size_t)s.M * s.d * sizeof(float));
    s.lam = golden_alloc(g, (size_t)s.M * sizeof(float));
    s.grads = golden_alloc(g, s.m->params.trainable_size * sizeof(float));
    s.scratch = golden_alloc(g, mg_emix_contrast_scratch(s.M, s.d) * sizeof(float));
    uint32_t *pi = golden_alloc(g, (size_t)s.M * sizeof *pi);
    mg_emix_pairs(pi, s.leaf.seed, s.leaf.epoch, (uint32_t)golden_int(g, group, "step"), s.M,
                  golden_alloc(g, (size_t)2 * s.M * sizeof(uint64_t)));
    golden_exact(g, !memcmp(pi, s.pi, (size_t)s.M * sizeof *pi), "rand/perm differs from the draw");
    return s;
}

// Samples lo .. hi - 1 as a leaf of their own.
static mg_pretrain_leaf part_of(const step *s, int lo, int hi)
{
    mg_pretrain_leaf leaf = s->leaf;
    const mg_vit_config *v = &s->m->vit.cfg;

    leaf.images += (size_t)lo * v->C * v->Y * v->X;
    leaf.sample += lo;
    leaf.n = hi - lo;
    leaf.e += lo * s->size;
    leaf.de += lo * s->size;
    return leaf;
}

static void forward(step *s, int slot, int lo, int hi)
{
    mg_pretrain_leaf leaf = part_of(s, lo, hi);

    mg_pretrain_emix_forward(s->m, slot, &leaf, NULL, hi - lo, s->partner + lo * s->size,
                             s->lam + lo, s->z + lo * s->d, s->zm + lo * s->d);
}

static mg_emix_loss contrast(step *s, bool batch_mean, int lo, int hi)
{
    return mg_emix_contrast(s->dz + lo * s->d, s->dzm + lo * s->d, s->z, s->zm, s->lam, s->pi, s->M,
                            s->d, s->m->cfg.emix_tau, batch_mean, 1, lo, hi, s->scratch);
}

static void backward(step *s, int slot, int lo, int hi)
{
    mg_pretrain_leaf leaf = part_of(s, lo, hi);

    memset(leaf.de, 0, (size_t)leaf.n * s->size * sizeof(float));
    mg_pretrain_emix_backward(s->m, slot, &leaf, NULL, hi - lo, s->partner + lo * s->size,
                              s->lam + lo, s->dz + lo * s->d, s->dzm + lo * s->d, s->grads, NULL);
    mg_pretrain_embed_backward(s->m, &leaf, s->grads);
}

static void compare_forward(golden *g, const step *s, const char *prefix)
{
    const mg_emix_acts *a = &s->m->slot[0];
    const mg_emix_pass *pass[] = {&a->mix, &a->clean};
    static const char *const names[] = {"mix", "clean"};
    size_t map = s->M * s->size, D = (size_t)s->m->vit.cfg.D, z = (size_t)s->M * s->d;

    golden_out(g, prefix, "patch_embed", s->leaf.e, map);
    golden_out(g, prefix, "mixed", a->mixed, map);
    for (int k = 0; k < 2; k++) {
        golden_out(g, prefix, golden_name(g, "%s_in", names[k]), pass[k]->enc->stack.x[0], map);
        for (int i = 0; i < s->m->vit.cfg.depth; i++)
            golden_out(g, prefix, golden_name(g, "%s_block%d", names[k], i),
                       pass[k]->enc->stack.x[i + 1], map);
        golden_out(g, prefix, golden_name(g, "%s_norm", names[k]), pass[k]->enc->y, map);
        golden_out(g, prefix, golden_name(g, "pool_%s", names[k]), pass[k]->pool, s->M * D);
        golden_out(g, prefix, golden_name(g, "head_%s", names[k]), pass[k]->u, z);
    }
    golden_out(g, prefix, "z_mix", s->zm, z);
    golden_out(g, prefix, "z_clean", s->z, z);
    const float *lam = golden_f32(g, golden_name(g, "%srand/lam", prefix), NULL);
    golden_exact(g, !memcmp(lam, s->lam, (size_t)s->M * sizeof *lam),
                 "rand/lam differs from the draw");
}

static void run_whole(golden *g, const char *prefix, int slots)
{
    step s = open_step(g, prefix, slots);

    forward(&s, 0, 0, s.M);
    if (slots) compare_forward(g, &s, prefix);
    golden_loss(g, prefix, "loss_batchmean_lambda", contrast(&s, true, 0, s.M).loss);
    mg_emix_loss loss = contrast(&s, false, 0, s.M);
    golden_loss(g, prefix, "loss", loss.loss);
    float acc = (float)loss.hits / (float)s.M;
    golden_out(g, prefix, "acc", &acc, 1);
    golden_dout(g, prefix, "z_clean", s.dz, (size_t)s.M * s.d);
    golden_dout(g, prefix, "z_mix", s.dzm, (size_t)s.M * s.d);
    backward(&s, 0, 0, s.M);
    golden_dout(g, prefix, "patch_embed", s.leaf.de, s.M * s.size);
    golden_pretrain_grads(g, &s.m->params, s.grads, prefix, true);
    mg_pretrain_close(&s.m);
}

void golden_kind_emix(golden *g)
{
    run_whole(g, "", 1); // activations kept
    run_whole(g, "", 0); // forward repeated
}

// One rank after another, each with its own rows of dZ alone.
static void run_ranks(golden *g, int ranks)
{
    step s = open_step(g, "ranks1/", 0);
    int B = s.M / ranks;
    double total = 0;

    for (int r = 0; r < ranks; r++) forward(&s, 0, r * B, (r + 1) * B);
    for (int r = 0; r < ranks; r++) {
        char *prefix = golden_name(g, "ranks%d/rank%d/", ranks, r);
        size_t at = (size_t)r * B * s.d, n = (size_t)B * s.d;
        mg_emix_loss loss = contrast(&s, false, r * B, (r + 1) * B);
        double want =
            *(double *)golden_load(g, golden_name(g, "%sloss_part", prefix), MG_F64, NULL);

        total += loss.loss;
        golden_note(g, "loss", fabs(loss.loss - want) / fabs(want), 1e-5);
        golden_note(
            g, "forward",
            golden_max(s.z + at, golden_f32(g, golden_name(g, "%sz_clean", prefix), NULL), n),
            1e-5);
        golden_note(
            g, "forward",
            golden_max(s.zm + at, golden_f32(g, golden_name(g, "%sz_mix", prefix), NULL), n), 1e-5);
        golden_note(
            g, "grads",
            golden_max(s.dz + at, golden_f32(g, golden_name(g, "%sd_z_clean", prefix), NULL), n),
            5e-5);
        golden_note(
            g, "grads",
            golden_max(s.dzm + at, golden_f32(g, golden_name(g, "%sd_z_mix", prefix), NULL), n),
            5e-5);
        memset(s.grads, 0, s.m->params.trainable_size * sizeof(float));
        backward(&s, 0, r * B, (r + 1) * B);
        golden_pretrain_grads(g, &s.m->params, s.grads, prefix, true);
    }
    double want = golden_real(g, golden_name(g, "ranks%d", ranks), "loss");
    golden_note(g, "loss", fabs(total - want) / fabs(want), 1e-5);
    mg_pretrain_close(&s.m);
}

void golden_kind_emix_ranks(golden *g)
{
    int count = 0, ranks = 0;
    char **names = golden_list(g, "/", &count);

    run_whole(g, "ranks1/", 1);
    for (int i = 0; i < count; i++)
        if (sscanf(names[i], "ranks%d", &ranks) == 1 && ranks > 1) run_ranks(g, ranks);
}
