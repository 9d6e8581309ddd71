// MAE: masks, encoder on visible tokens, decoder on all, loss on hidden ones.
#include "models/mae.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "models/tokens.h"
#include "nn/nn.h"
#include "runtime/rng.h"

static const float EPS = 1e-6f;

// --- tensors --------------------------------------------------------------------------------------

static int visible_tokens(double ratio, int L)
{
    return (int)(L * (1.0 - ratio)); // truncated as in the reference: 10 * (1 - 0.9) gives 0
}

mg_status mg_mae_check(const mg_mae_config *cfg, const mg_vit_config *vit)
{
    int L = (vit->Y / vit->patch) * (vit->X / vit->patch), keep = visible_tokens(cfg->ratio, L);

    MG_CHECK(vit->mae, MG_ERR_CONFIG, "MAE needs an encoder for pretraining");
    MG_CHECK(keep >= 1 && keep < L, MG_ERR_CONFIG,
             "mask ratio %g leaves %d of %d tokens visible, expected 1 to %d", cfg->ratio, keep, L,
             L - 1);
    if (cfg->dense) {
        MG_CHECK(!vit->cls, MG_ERR_CONFIG, "dense mode has no class token");
        return MG_OK;
    }
    MG_CHECK(!vit->window, MG_ERR_CONFIG,
             "MAE drops tokens and cannot run windows of %d, use dense mode", vit->window);
    MG_CHECK(cfg->depth >= 1 && cfg->depth <= MG_MAX_BLOCKS && cfg->heads >= 1 &&
                 cfg->D % cfg->heads == 0 && cfg->D % 4 == 0 && cfg->hidden >= 1,
             MG_ERR_CONFIG, "decoder of width %d, depth %d, %d heads cannot be built", cfg->D,
             cfg->depth, cfg->heads);
    return MG_OK;
}

void mg_mae_add_tokens(mg_mae *m, mg_params *p, const mg_mae_config *cfg, const mg_vit *vit)
{
    const mg_vit_config *v = &vit->cfg;

    *m = (mg_mae){.cfg = *cfg,
                  .vit = vit,
                  .L = vit->gh * vit->gw,
                  .n = v->patch * v->patch * v->C,
                  .cls = v->cls ? 1 : 0};
    m->keep = visible_tokens(cfg->ratio, m->L);
    if (cfg->dense) {
        m->mask_token = mg_params_add(p, "enc_mask_token", MG_INIT_NORMAL, 0.02, 3, 1, 1, v->D);
        return;
    }
    m->mask_token = mg_params_add(p, "mask_token", MG_INIT_NORMAL, 0.02, 3, 1, 1, cfg->D);
    m->pos =
        mg_params_add_buffer(p, "decoder_pos_embed", MG_INIT_TABLE, 0, 3, 1, m->cls + m->L, cfg->D);
}

void mg_mae_add_layers(mg_mae *m, mg_params *p)
{
    const mg_mae_config *c = &m->cfg;
    int D = m->vit->cfg.D, n = m->n;
    mg_block_config blocks = {.D = c->D,
                              .heads = c->heads,
                              .hidden = c->hidden,
                              .mae = true,
                              .gh = m->vit->gh,
                              .gw = m->vit->gw};

    if (c->dense) {
        m->pred_w =
            mg_params_add(p, "dense_pred.weight", MG_INIT_UNIFORM, mg_xavier_bound(D, n), 2, n, D);
        m->pred_b = mg_params_add(p, "dense_pred.bias", MG_INIT_ZERO, 0, 1, n);
        return;
    }
    m->embed_w = mg_params_add(p, "decoder_embed.weight", MG_INIT_UNIFORM, mg_xavier_bound(D, c->D),
                               2, c->D, D);
    m->embed_b = mg_params_add(p, "decoder_embed.bias", MG_INIT_ZERO, 0, 1, c->D);
    mg_stack_add(&m->decoder, p, "decoder_blocks", &blocks, c->depth, 0);
    m->norm_w = mg_params_add(p, "decoder_norm.weight", MG_INIT_ONE, 0, 1, c->D);
    m->norm_b = mg_params_add(p, "decoder_norm.bias", MG_INIT_ZERO, 0, 1, c->D);
    m->pred_w = mg_params_add(p, "decoder_pred.weight", MG_INIT_UNIFORM, mg_xavier_bound(c->D, n),
                              2, n, c->D);
    m->pred_b = mg_params_add(p, "decoder_pred.bias", MG_INIT_ZERO, 0, 1, n);
}

void mg_mae_fill_tables(const mg_mae *m, mg_params *p)
{
    if (!m->cfg.dense)
        mg_sincos_table(mg_weight(p, m->pos), m->vit->gh, m->vit->gw, m->cfg.D, m->cls);
}

// --- layouts --------------------------------------------------------------------------------------

// Tokens of one image in the encoder, and in what predicts.
static int enc_tokens(const mg_mae *m)
{
    return m->cfg.dense ? m->L : m->cls + m->keep;
}

static int dec_tokens(const mg_mae *m)
{
    return m->cls + m->L;
}

void mg_mae_acts_layout(mg_layout *at, mg_mae_acts *a, const mg_mae *m, int B, mg_keep keep)
{
    int N = enc_tokens(m), ND = dec_tokens(m), D = m->cfg.D;
    size_t rows = (size_t)B * ND;

    mg_vit_acts_layout(at, &a->enc, m->vit, B, N, keep);
    a->shuffle = mg_place_bytes(at, (size_t)B * m->L * sizeof *a->shuffle);
    a->keys = mg_place_bytes(at, (size_t)2 * m->L * sizeof *a->keys);
    a->visible = mg_place_bytes(at, (size_t)B * m->keep * sizeof *a->visible);
    a->enc_row = mg_place_bytes(at, (size_t)B * N * sizeof *a->enc_row);
    a->enc_place = mg_place_bytes(at, (size_t)B * N * sizeof *a->enc_place);
    a->e = mg_place(at, (size_t)B * m->keep * m->vit->cfg.D);
    a->pred = mg_place(at, rows * m->n);
    a->per_patch = mg_place(at, (size_t)B * m->L);
    a->variance = mg_place(at, (size_t)B * m->L);
    if (m->cfg.dense) return;
    mg_stack_acts_layout(at, &a->dec, &m->decoder, B, ND, keep);
    a->dec_row = mg_place_bytes(at, rows * sizeof *a->dec_row);
    a->dec_place = mg_place_bytes(at, rows * sizeof *a->dec_place);
    a->dec_norm = mg_place(at, rows * D);
    a->mean = mg_place(at, rows);
    a->rstd = mg_place(at, rows);
    a->du = keep == MG_KEEP_NONE ? NULL : mg_place(at, rows * D);
}

typedef struct {
    float *z;            // [B, encoder tokens, decoder D], and its gradient
    float *dpred, *norm; // [B, decoder tokens, n]
} workspace;

static void workspace_layout(mg_layout *at, workspace *w, const mg_mae *m, int B)
{
    mg_layout pred = *at;

    w->z = mg_place(at, (size_t)B * enc_tokens(m) * (m->cfg.dense ? 0 : m->cfg.D));
    w->dpred = mg_place(&pred, (size_t)B * dec_tokens(m) * m->n);
    w->norm = mg_place(&pred, m->cfg.dense ? 0 : mg_layernorm_scratch(m->cfg.D));
    if (pred.used > at->used) at->used = pred.used;
}

size_t mg_mae_scratch(const mg_mae *m, int B)
{
    size_t most = mg_vit_scratch(m->vit, B, enc_tokens(m)), n;
    mg_layout at = {0};
    workspace w;

    workspace_layout(&at, &w, m, B);
    n = at.used / sizeof(float);
    most = n > most ? n : most;
    if (m->cfg.dense) return most;
    n = mg_stack_scratch(&m->decoder, B, dec_tokens(m));
    return n > most ? n : most;
}

static workspace workspace_of(float *scratch, const mg_mae *m, int B)
{
    mg_layout at = {.base = (char *)scratch};
    workspace w;

    workspace_layout(&at, &w, m, B);
    return w;
}

// --- masks ----------------------------------------------------------------------------------------

void mg_mae_draw(mg_mae_acts *a, const mg_mae *m, uint64_t seed, uint32_t epoch, uint32_t sample,
                 int b)
{
    mg_stream s = {seed, MG_RNG_MASK, epoch, sample};

    mg_rng_order(&s, (uint32_t)m->L, a->shuffle + (size_t)b * m->L, a->keys);
}

// Row lists of models/tokens.h. Embeddings lie at (list[b], t) in arrays of all patches, or at (b, j)
// where visible ones alone were embedded.
static void list_rows(mg_mae_acts *a, const mg_mae *m, const int32_t *list, int B, bool all)
{
    int N = enc_tokens(m), ND = dec_tokens(m);

    for (int b = 0; b < B; b++) {
        const uint32_t *shuffle = a->shuffle + (size_t)b * m->L;
        int32_t *row = a->enc_row + (size_t)b * N, *place = a->enc_place + (size_t)b * N;
        int32_t base = (int32_t)((list ? list[b] : b) * m->L);

        for (int i = 0; i < N; i++) row[i] = -1, place[i] = m->cfg.dense ? i : 0;
        for (int j = 0; j < m->keep; j++) {
            int t = (int)shuffle[j], i = m->cfg.dense ? t : m->cls + j;
            a->visible[b * m->keep + j] = t;
            row[i] = all ? base + t : b * m->keep + j;
            place[i] = m->cls + t;
        }
        if (m->cfg.dense) continue;
        row = a->dec_row + (size_t)b * ND;
        place = a->dec_place + (size_t)b * ND;
        for (int i = 0; i < ND; i++) row[i] = -1, place[i] = i;
        if (m->cls) row[0] = b * N;
        for (int j = 0; j < m->keep; j++) row[m->cls + shuffle[j]] = b * N + m->cls + j;
    }
}

// --- forward --------------------------------------------------------------------------------------

static const float *enc_filler(const mg_mae *m, const mg_params *p)
{
    if (m->cfg.dense) return mg_weight(p, m->mask_token);
    return m->cls ? mg_weight(p, m->vit->cls) : NULL;
}

static void decode(mg_mae_acts *a, const mg_mae *m, const mg_params *p, int B, float *scratch)
{
    const mg_mae_config *c = &m->cfg;
    int rows = B * dec_tokens(m);
    workspace w = workspace_of(scratch, m, B);

    mg_linear_forward(w.z, a->enc.y, mg_weight(p, m->embed_w), mg_weight(p, m->embed_b),
                      B * enc_tokens(m), m->vit->cfg.D, c->D, p->precision);
    mg_tokens_gather(a->dec.x[0], w.z, a->dec_row, mg_weight(p, m->mask_token),
                     mg_weight(p, m->pos), a->dec_place, rows, c->D);
    mg_stack_forward(&a->dec, &m->decoder, p, B, dec_tokens(m), 1, NULL, scratch);
    mg_layernorm_forward(a->dec_norm, a->mean, a->rstd, a->dec.x[c->depth], mg_weight(p, m->norm_w),
                         mg_weight(p, m->norm_b), rows, c->D, EPS);
    mg_linear_forward(a->pred, a->dec_norm, mg_weight(p, m->pred_w), mg_weight(p, m->pred_b), rows,
                      c->D, m->n, p->precision);
}

void mg_mae_forward(mg_mae_acts *a, const mg_mae *m, const mg_params *p, const float *images,
                    const float *e, const int32_t *list, int B, float *scratch)
{
    const mg_vit *v = m->vit;
    int N = enc_tokens(m);

    assert(e || !list);
    a->B = B;
    list_rows(a, m, list, B, e != NULL);
    if (!e) mg_vit_embed(a->e, v, p, images, B, a->visible, m->keep, scratch);
    mg_tokens_gather(a->enc.stack.x[0], e ? e : a->e, a->enc_row, enc_filler(m, p),
                     mg_weight(p, v->pos), a->enc_place, B * N, v->cfg.D);
    // Without a class token the place in the table is the place on the grid.
    mg_vit_encode(&a->enc, v, p, B, N, 1, v->cfg.rel_h ? a->enc_place : NULL, scratch);
    if (m->cfg.dense)
        mg_linear_forward(a->pred, a->enc.y, mg_weight(p, m->pred_w), mg_weight(p, m->pred_b),
                          B * N, v->cfg.D, m->n, p->precision);
    else
        decode(a, m, p, B, scratch);
}

// --- target and loss ------------------------------------------------------------------------------

float mg_mae_target(float *out, const mg_mae *m, const float *image, int t, float *mean)
{
    const mg_vit_config *c = &m->vit->cfg;
    int p = c->patch, top = t / m->vit->gw * p, left = t % m->vit->gw * p;
    float *to = out;
    double sum = 0, square = 0;

    for (int y = 0; y < p; y++)
        for (int x = 0; x < p; x++)
            for (int k = 0; k < c->C; k++)
                *to++ = image[((size_t)k * c->Y + top + y) * c->X + left + x];
    for (int i = 0; i < m->n; i++) sum += out[i];
    double mid = sum / m->n;
    for (int i = 0; i < m->n; i++) square += (out[i] - mid) * (out[i] - mid);
    double var = square / (m->n - 1); // unbiased, as in the reference
    if (m->cfg.norm_pix) {
        double scale = 1 / sqrt(var + 1e-6);
        for (int i = 0; i < m->n; i++) out[i] = (float)((out[i] - mid) * scale);
    }
    *mean = (float)mid;
    return (float)var;
}

static const float *image_of(const mg_mae *m, const float *images, const int32_t *list, int b)
{
    const mg_vit_config *c = &m->vit->cfg;

    return images + (size_t)(list ? list[b] : b) * c->C * c->Y * c->X;
}

// Target into `row` and from there weight (pred - target); returns the mean square and the variance.
static float token_loss(float *row, const float *pred, const mg_mae *m, const float *image, int t,
                        float weight, float *variance)
{
    double sum = 0;
    float mean;

    *variance = mg_mae_target(row, m, image, t, &mean);
    for (int i = 0; i < m->n; i++) {
        float gap = pred[i] - row[i];
        sum += (double)gap * gap;
        row[i] = weight * gap;
    }
    return (float)(sum / m->n);
}

mg_mae_loss mg_mae_measure(mg_mae_acts *a, const mg_mae *m, const float *images,
                           const int32_t *list, double count, float *scratch)
{
    mg_mae_loss out = {0};
    int ND = dec_tokens(m);
    workspace w = workspace_of(scratch, m, a->B);

#pragma omp parallel for collapse(2) schedule(static)
    for (int b = 0; b < a->B; b++)
        for (int t = 0; t < m->L; t++) {
            size_t at = (size_t)b * m->L + t;
            size_t row = ((size_t)b * ND + m->cls + t) * m->n;

            a->per_patch[at] = token_loss(w.dpred + row, a->pred + row, m,
                                          image_of(m, images, list, b), t, 1, &a->variance[at]);
        }
    for (int b = 0; b < a->B; b++)
        for (int j = m->keep; j < m->L; j++) {
            size_t at = (size_t)b * m->L + a->shuffle[(size_t)b * m->L + j];
            out.loss += a->per_patch[at];
            if (a->variance[at] > 1e-4f) out.textured_sum += a->per_patch[at], out.textured++;
        }
    out.loss /= count;
    return out;
}

// --- backward -------------------------------------------------------------------------------------

// dpred = weight * 2 (pred - target) / (n count) at hidden tokens, 0 elsewhere.
static void loss_backward(float *dpred, const mg_mae_acts *a, const mg_mae *m, const float *images,
                          const int32_t *list, double count, double weight)
{
    int ND = dec_tokens(m);

    memset(dpred, 0, (size_t)a->B * ND * m->n * sizeof *dpred);
#pragma omp parallel for collapse(2) schedule(static)
    for (int b = 0; b < a->B; b++)
        for (int j = m->keep; j < m->L; j++) {
            int t = (int)a->shuffle[(size_t)b * m->L + j];
            size_t row = ((size_t)b * ND + m->cls + t) * m->n;
            float variance;

            token_loss(dpred + row, a->pred + row, m, image_of(m, images, list, b), t,
                       (float)(2 * weight / (m->n * count)), &variance);
        }
}

// dpred -> a->enc.dx through the decoder.
static void decode_backward(float *grads, mg_mae_acts *a, const mg_mae *m, const mg_params *p,
                            const float *dpred, const mg_ready *ready, float *scratch)
{
    const mg_mae_config *c = &m->cfg;
    int rows = a->B * dec_tokens(m), enc_rows = a->B * enc_tokens(m);
    workspace w = workspace_of(scratch, m, a->B);

    mg_linear_backward(a->du, mg_grad(p, grads, m->pred_w), mg_grad(p, grads, m->pred_b), dpred,
                       a->dec_norm, mg_weight(p, m->pred_w), rows, c->D, m->n, false, p->precision);
    mg_layernorm_backward(a->du, mg_grad(p, grads, m->norm_w), mg_grad(p, grads, m->norm_b), a->du,
                          a->dec.x[c->depth], mg_weight(p, m->norm_w), a->mean, a->rstd, rows, c->D,
                          false, w.norm);
    mg_ready_from(ready, p, m->norm_w);
    mg_stack_backward(a->du, true, grads, &a->dec, &m->decoder, p, ready, scratch);
    memset(w.z, 0, (size_t)enc_rows * c->D * sizeof *w.z);
    mg_tokens_scatter(w.z, mg_grad(p, grads, m->mask_token), a->du, a->dec_row, rows, c->D);
    mg_linear_backward(a->enc.dx, mg_grad(p, grads, m->embed_w), mg_grad(p, grads, m->embed_b), w.z,
                       a->enc.y, mg_weight(p, m->embed_w), enc_rows, m->vit->cfg.D, c->D, false,
                       p->precision);
    mg_ready_from(ready, p, m->embed_w);
}

void mg_mae_backward(float *de, float *grads, mg_mae_acts *a, const mg_mae *m, const mg_params *p,
                     const float *images, const int32_t *list, double count, double weight,
                     const mg_ready *ready, float *scratch)
{
    const mg_vit *v = m->vit;
    int rows = a->B * enc_tokens(m);
    workspace w = workspace_of(scratch, m, a->B);
    int filler = m->cfg.dense ? m->mask_token : v->cls;

    loss_backward(w.dpred, a, m, images, list, count, weight);
    if (m->cfg.dense)
        mg_linear_backward(a->enc.dx, mg_grad(p, grads, m->pred_w), mg_grad(p, grads, m->pred_b),
                           w.dpred, a->enc.y, mg_weight(p, m->pred_w), rows, v->cfg.D, m->n, false,
                           p->precision);
    else
        decode_backward(grads, a, m, p, w.dpred, ready, scratch);
    mg_vit_encode_backward(&a->enc, true, grads, v, p, ready, scratch);
    if (!de) memset(a->e, 0, (size_t)a->B * m->keep * v->cfg.D * sizeof *a->e);
    mg_tokens_scatter(de ? de : a->e, filler >= 0 ? mg_grad(p, grads, filler) : NULL, a->enc.dx,
                      a->enc_row, rows, v->cfg.D);
    if (!de)
        mg_vit_embed_backward(NULL, grads, v, p, images, a->e, a->B, a->visible, m->keep, scratch);
}

// --- pictures -------------------------------------------------------------------------------------

// Write a patch of values in the order (row, column, channel): scale * from[i] + shift.
static void paint(float *image, const mg_mae *m, int t, const float *from, float scale, float shift)
{
    const mg_vit_config *c = &m->vit->cfg;
    int p = c->patch, top = t / m->vit->gw * p, left = t % m->vit->gw * p;

    for (int y = 0; y < p; y++)
        for (int x = 0; x < p; x++)
            for (int k = 0; k < c->C; k++)
                image[((size_t)k * c->Y + top + y) * c->X + left + x] = scale * *from++ + shift;
}

void mg_mae_pictures(float *seen, float *filled, const mg_mae_acts *a, const mg_mae *m,
                     const float *images, const int32_t *list, float *scratch)
{
    const mg_vit_config *c = &m->vit->cfg;
    size_t size = (size_t)c->C * c->Y * c->X;

    for (int b = 0; b < a->B; b++) {
        const float *image = image_of(m, images, list, b);
        memcpy(seen + b * size, image, size * sizeof *seen);
        memcpy(filled + b * size, image, size * sizeof *filled);
        for (int j = m->keep; j < m->L; j++) {
            int t = (int)a->shuffle[(size_t)b * m->L + j];
            const float *pred = a->pred + ((size_t)b * dec_tokens(m) + m->cls + t) * m->n;
            float mean, var = mg_mae_target(scratch, m, image, t, &mean);
            bool norm = m->cfg.norm_pix;

            paint(filled + b * size, m, t, pred, norm ? sqrtf(var + 1e-6f) : 1, norm ? mean : 0);
            paint(seen + b * size, m, t, pred, 0, 0);
        }
    }
}
