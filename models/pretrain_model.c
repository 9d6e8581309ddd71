// The three objectives on one encoder: table in file order, one plan of memory, thin calls.
#include "models/pretrain_model.h"

#include <assert.h>

#include "models/tokens.h"

// --- configuration --------------------------------------------------------------------------------

mg_status mg_pretrain_defaults(const char *encoder, int side, int leaf, mg_pretrain_config *cfg)
{
    *cfg = (mg_pretrain_config){
        .use_mae = true,
        .use_emix = true,
        .use_shed = true,
        .mae = {.ratio = 0.75, .norm_pix = true, .D = 512, .depth = 8, .heads = 16, .hidden = 2048},
        .shed_fraction = 0.15,
        .emix_dim = 128,
        .emix_alpha = 1,
        .emix_tau = 0.2,
        .keep = MG_KEEP_ALL,
        .leaf = leaf,
        .each = leaf,
        .emix_slots = 1};
    MG_TRY(mg_vit_named_mae(encoder, side, &cfg->vit));
    return MG_OK;
}

mg_status mg_pretrain_check(const mg_pretrain_config *c)
{
    MG_TRY(mg_vit_check(&c->vit));
    MG_CHECK(c->vit.mae && !c->vit.neck && !c->vit.adapter, MG_ERR_CONFIG,
             "the encoder is not one for pretraining");
    MG_CHECK(c->use_mae || c->use_emix || c->use_shed, MG_ERR_CONFIG, "no objective is chosen");
    MG_CHECK(c->leaf >= 1 && c->each >= 1 && c->each <= c->leaf, MG_ERR_CONFIG,
             "%d samples of a leaf of %d cannot serve an objective", c->each, c->leaf);
    if (c->use_mae) MG_TRY(mg_mae_check(&c->mae, &c->vit));
    if (c->use_shed) MG_TRY(mg_shed_check(c->shed_fraction, &c->vit));
    if (c->use_emix) {
        MG_CHECK(c->emix_dim >= 1, MG_ERR_CONFIG, "e-Mix width must be positive, not %d",
                 c->emix_dim);
        MG_CHECK(c->emix_alpha > 0 && c->emix_tau > 0, MG_ERR_CONFIG,
                 "e-Mix alpha %g and temperature %g must be positive", c->emix_alpha, c->emix_tau);
    }
    return MG_OK;
}

// --- table and memory -----------------------------------------------------------------------------

static void build_table(mg_pretrain_model *m)
{
    const mg_pretrain_config *c = &m->cfg;
    mg_params *p = &m->params;

    mg_vit_add_tables(&m->vit, p, &c->vit);
    if (c->use_mae) mg_mae_add_tokens(&m->mae, p, &c->mae, &m->vit);
    mg_vit_add_layers(&m->vit, p);
    if (c->use_mae) mg_mae_add_layers(&m->mae, p);
    if (c->use_emix) mg_emix_add(&m->emix, p, c->emix_dim, &m->vit);
    if (c->use_shed) mg_shed_add(&m->shed, p, c->shed_fraction, &m->vit);
    mg_params_train(p, NULL, NULL);
    m->L = m->vit.gh * m->vit.gw;
}

static int slots(const mg_pretrain_config *c)
{
    return c->emix_slots > 1 ? c->emix_slots : 1;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t scratch_floats(const mg_pretrain_model *m)
{
    const mg_pretrain_config *c = &m->cfg;
    size_t n = mg_vit_scratch(&m->vit, c->leaf, m->L + (c->vit.cls ? 1 : 0));

    if (c->use_mae) n = most(n, mg_mae_scratch(&m->mae, c->each));
    if (c->use_shed) n = most(n, mg_shed_scratch(&m->shed, c->each));
    if (c->use_emix) n = most(n, mg_emix_scratch(&m->emix, c->each));
    return n;
}

// MAE, the full passes of ShED and e-Mix, and the pass for features never run at the same time and
// share memory; slots of several leaves are kept apart.
static void plan(mg_layout *at, mg_pretrain_model *m)
{
    const mg_pretrain_config *c = &m->cfg;
    int N = m->L + (c->vit.cls ? 1 : 0);

    m->scratch = mg_place(at, scratch_floats(m));
    for (int i = 0; c->use_emix && c->emix_slots > 1 && i < c->emix_slots; i++) {
        mg_vit_acts *enc = m->enc + 2 + 2 * i;
        for (int k = 0; k < 2; k++) mg_vit_acts_layout(at, enc + k, &m->vit, c->each, N, c->keep);
        mg_emix_acts_layout(at, &m->slot[i], &m->emix, enc, enc + 1, c->each);
    }
    mg_layout mae = *at, full = *at, features = *at;
    if (c->use_mae) mg_mae_acts_layout(&mae, &m->mae_acts, &m->mae, c->each, c->keep);
    if (c->use_shed || c->use_emix)
        mg_vit_acts_layout(&full, &m->enc[0], &m->vit, c->each, N, c->keep);
    if (c->use_shed) mg_shed_acts_layout(&full, &m->shed_acts, &m->shed, &m->enc[0], c->each);
    if (c->use_emix && c->emix_slots <= 1) {
        bool kept = c->emix_slots == 1;
        if (kept) mg_vit_acts_layout(&full, &m->enc[1], &m->vit, c->each, N, c->keep);
        mg_emix_acts_layout(&full, &m->slot[0], &m->emix, &m->enc[0], &m->enc[kept], c->each);
    }
    mg_vit_acts_layout(&features, &m->features, &m->vit, c->leaf, N, MG_KEEP_NONE);
    at->used = most(most(mae.used, full.used), features.used);
}

mg_status mg_pretrain_plan(const mg_pretrain_config *cfg, mg_pretrain_model **out)
{
    mg_layout at = {0};

    *out = NULL;
    MG_TRY(mg_pretrain_check(cfg));
    mg_pretrain_model *m = mg_calloc(1, sizeof *m);
    MG_CHECK(m, MG_ERR_MEMORY, "cannot allocate a model");
    m->cfg = *cfg;
    m->enc = mg_calloc(2 + 2 * (size_t)slots(cfg), sizeof *m->enc);
    m->slot = mg_calloc((size_t)slots(cfg), sizeof *m->slot);
    if (!m->enc || !m->slot) {
        mg_pretrain_close(&m);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a model");
    }
    build_table(m);
    mg_status st = mg_params_check(&m->params);
    if (st) {
        mg_pretrain_close(&m);
        return st;
    }
    plan(&at, m);
    m->block_bytes = at.used;
    *out = m;
    return MG_OK;
}

mg_status mg_pretrain_open(const mg_pretrain_config *cfg, mg_pretrain_model **out)
{
    mg_pretrain_model *m = NULL;
    mg_status st = MG_OK;

    *out = NULL;
    MG_TRY(mg_pretrain_plan(cfg, &m));
    m->block = mg_alloc(m->block_bytes);
    if (!m->block) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes of activations", m->block_bytes);
        goto done;
    }
    mg_layout at = {.base = m->block};
    plan(&at, m);
    st = mg_params_alloc(&m->params);
    if (st) goto done;
    mg_pretrain_fill_tables(m);
    *out = m;

done:
    if (st) mg_pretrain_close(&m);
    return st;
}

void mg_pretrain_close(mg_pretrain_model **model)
{
    mg_pretrain_model *m = *model;

    if (!m) return;
    mg_params_free(&m->params);
    mg_free(m->enc);
    mg_free(m->slot);
    mg_free(m->block);
    mg_free(m);
    *model = NULL;
}

void mg_pretrain_fill_tables(mg_pretrain_model *m)
{
    mg_vit_fill_tables(&m->vit, &m->params);
    if (m->cfg.use_mae) mg_mae_fill_tables(&m->mae, &m->params);
}

void mg_pretrain_init(mg_pretrain_model *m, uint64_t seed)
{
    mg_params_init(&m->params, seed);
    mg_pretrain_fill_tables(m);
}

// --- objectives -----------------------------------------------------------------------------------

void mg_pretrain_embed(mg_pretrain_model *m, float *e, const float *images, int n)
{
    assert(n <= m->cfg.leaf);
    mg_vit_embed(e, &m->vit, &m->params, images, n, NULL, m->L, m->scratch);
}

void mg_pretrain_embed_backward(mg_pretrain_model *m, const mg_pretrain_leaf *leaf, float *grads)
{
    mg_vit_embed_backward(NULL, grads, &m->vit, &m->params, leaf->images, leaf->de, leaf->n, NULL,
                          m->L, m->scratch);
}

// Index of the sample that is entry b of a list.
static uint32_t sample_of(const mg_pretrain_leaf *leaf, const int32_t *list, int b)
{
    return leaf->sample[list ? list[b] : b];
}

mg_mae_loss mg_pretrain_mae(mg_pretrain_model *m, const mg_pretrain_leaf *leaf, const int32_t *list,
                            int B, int64_t count, double weight, float *grads,
                            const mg_ready *ready)
{
    mg_mae_acts *a = &m->mae_acts;
    double hidden = (double)count * (m->L - m->mae.keep);

    assert(B <= m->cfg.each);
    for (int b = 0; b < B; b++)
        mg_mae_draw(a, &m->mae, leaf->seed, leaf->epoch, sample_of(leaf, list, b), b);
    mg_mae_forward(a, &m->mae, &m->params, leaf->images, leaf->e, list, B, m->scratch);
    mg_mae_loss loss = mg_mae_measure(a, &m->mae, leaf->images, list, hidden, m->scratch);
    if (grads)
        mg_mae_backward(leaf->e ? leaf->de : NULL, grads, a, &m->mae, &m->params, leaf->images,
                        list, hidden, weight, ready, m->scratch);
    return loss;
}

mg_shed_loss mg_pretrain_shed(mg_pretrain_model *m, const mg_pretrain_leaf *leaf,
                              const int32_t *list, int B, int64_t count, double weight,
                              float *grads, const mg_ready *ready)
{
    mg_shed_acts *a = &m->shed_acts;
    double tokens = (double)count * m->L;

    assert(B <= m->cfg.each);
    for (int b = 0; b < B; b++)
        mg_shed_draw(a, &m->shed, leaf->seed, leaf->epoch, sample_of(leaf, list, b), b);
    mg_shed_forward(a, &m->shed, &m->params, leaf->e, list, B, m->scratch);
    mg_shed_loss loss = mg_shed_measure(a, &m->shed, tokens);
    if (grads)
        mg_shed_backward(leaf->de, grads, a, &m->shed, &m->params, tokens, weight, ready,
                         m->scratch);
    return loss;
}

void mg_pretrain_emix_forward(mg_pretrain_model *m, int slot, const mg_pretrain_leaf *leaf,
                              const int32_t *list, int B, const float *partner, float *lam,
                              float *z, float *zm)
{
    assert(B <= m->cfg.each && slot < slots(&m->cfg));
    for (int b = 0; b < B; b++)
        lam[b] = mg_emix_draw(m->cfg.emix_alpha, leaf->seed, leaf->epoch, sample_of(leaf, list, b));
    mg_emix_forward(&m->slot[slot], &m->emix, &m->params, z, zm, leaf->e, list, partner, lam, B,
                    m->scratch);
}

void mg_pretrain_emix_backward(mg_pretrain_model *m, int slot, const mg_pretrain_leaf *leaf,
                               const int32_t *list, int B, const float *partner, const float *lam,
                               const float *dz, const float *dzm, float *grads,
                               const mg_ready *ready)
{
    mg_emix_backward(leaf->de, grads, &m->slot[slot], &m->emix, &m->params, dz, dzm, leaf->e, list,
                     partner, lam, B, ready, m->scratch);
}

// --- looking at the encoder -----------------------------------------------------------------------

void mg_pretrain_features(mg_pretrain_model *m, float *features, const float *images, int n)
{
    mg_vit_acts *a = &m->features;
    int cls = m->cfg.vit.cls ? 1 : 0;

    assert(n <= m->cfg.leaf);
    mg_vit_forward(a, &m->vit, &m->params, images, n, 1, m->scratch);
    mg_tokens_mean(features, a->y, n, cls + m->L, cls, m->vit.cfg.D);
}

void mg_pretrain_project(mg_pretrain_model *m, float *z, const float *images, int n)
{
    // The head's input goes where the tokens came from: the encoder is done with them.
    float *pool = m->features.stack.x[0];

    mg_pretrain_features(m, pool, images, n);
    mg_emix_project(z, &m->emix, &m->params, pool, n, m->scratch);
}

void mg_pretrain_pictures(mg_pretrain_model *m, float *seen, float *filled, const float *images,
                          const uint32_t *sample, int n, uint64_t seed, uint32_t epoch)
{
    mg_mae_acts *a = &m->mae_acts;

    assert(n <= m->cfg.each);
    for (int b = 0; b < n; b++) mg_mae_draw(a, &m->mae, seed, epoch, sample[b], b);
    mg_mae_forward(a, &m->mae, &m->params, images, NULL, NULL, n, m->scratch);
    mg_mae_pictures(seen, filled, a, &m->mae, images, NULL, m->scratch);
}
