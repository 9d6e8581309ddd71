// CLIP's text transformer; see clip_text.h. Here N is the number of rows of all texts together.
#include "models/clip_text.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "nn/gemm.h"
#include "nn/nn.h"
#include "runtime/mem.h"

enum { BATCH = 32 }; // texts embedded together

// --- parameters -------------------------------------------------------------------------------------

static int add(mg_params *p, int layer, const char *name, int rows, int cols)
{
    char full[128];

    snprintf(full, sizeof full, "transformer.resblocks.%d.%s", layer, name);
    return cols ? mg_params_add(p, full, MG_INIT_ZERO, 0, 2, rows, cols)
                : mg_params_add(p, full, MG_INIT_ZERO, 0, 1, rows);
}

static mg_clip_layer add_layer(mg_params *p, int l, const mg_clip_config *c)
{
    int D = c->width;

    return (mg_clip_layer){
        .norm1_w = add(p, l, "ln_1.weight", D, 0),
        .norm1_b = add(p, l, "ln_1.bias", D, 0),
        .qkv_w = add(p, l, "attn.in_proj_weight", 3 * D, D),
        .qkv_b = add(p, l, "attn.in_proj_bias", 3 * D, 0),
        .out_w = add(p, l, "attn.out_proj.weight", D, D),
        .out_b = add(p, l, "attn.out_proj.bias", D, 0),
        .norm2_w = add(p, l, "ln_2.weight", D, 0),
        .norm2_b = add(p, l, "ln_2.bias", D, 0),
        .fc1_w = add(p, l, "mlp.c_fc.weight", c->hidden, D),
        .fc1_b = add(p, l, "mlp.c_fc.bias", c->hidden, 0),
        .fc2_w = add(p, l, "mlp.c_proj.weight", D, c->hidden),
        .fc2_b = add(p, l, "mlp.c_proj.bias", D, 0),
    };
}

mg_status mg_clip_text_build(const mg_clip_config *c, mg_clip_text *out)
{
    mg_params *p = &out->params;

    *out = (mg_clip_text){.cfg = *c};
    MG_CHECK(c->layers >= 1 && c->layers <= MG_CLIP_LAYERS_MOST, MG_ERR_CONFIG,
             "%d layers of CLIP's text transformer, expected 1 to %d", c->layers,
             MG_CLIP_LAYERS_MOST);
    MG_CHECK(c->heads >= 1 && c->width % c->heads == 0, MG_ERR_CONFIG,
             "%d heads do not divide a width of %d", c->heads, c->width);
    MG_CHECK(c->context >= 3 && c->vocab >= 3 && c->embed >= 1 && c->hidden >= 1, MG_ERR_CONFIG,
             "context %d, vocabulary %d, embedding %d, hidden width %d are too small", c->context,
             c->vocab, c->embed, c->hidden);
    out->tokens =
        mg_params_add(p, "token_embedding.weight", MG_INIT_ZERO, 0, 2, c->vocab, c->width);
    out->positions =
        mg_params_add(p, "positional_embedding", MG_INIT_ZERO, 0, 2, c->context, c->width);
    for (int l = 0; l < c->layers; l++) out->layer[l] = add_layer(p, l, c);
    out->final_w = mg_params_add(p, "ln_final.weight", MG_INIT_ZERO, 0, 1, c->width);
    out->final_b = mg_params_add(p, "ln_final.bias", MG_INIT_ZERO, 0, 1, c->width);
    out->projection = mg_params_add(p, "text_projection", MG_INIT_ZERO, 0, 2, c->width, c->embed);
    mg_status st = mg_params_alloc(p);
    if (st) mg_clip_text_free(out);
    return st;
}

void mg_clip_text_free(mg_clip_text *m)
{
    mg_params_free(&m->params);
}

// --- one block --------------------------------------------------------------------------------------

// Query i of each text that has one, on its keys 0..i.
static mg_attn causal(const mg_clip_text *m, int i, int texts)
{
    int d = m->cfg.width / m->cfg.heads, stride = 3 * m->cfg.width;

    return (mg_attn){.heads = m->cfg.heads,
                     .d = d,
                     .problems = texts,
                     .nq = 1,
                     .nk = i + 1,
                     .q_stride = stride,
                     .k_stride = stride,
                     .v_stride = stride,
                     .o_stride = m->cfg.width,
                     .scale = 1 / sqrtf((float)d)};
}

typedef struct {
    float *y, *wide;      // [N, D]; [N, max(3 D, hidden)]
    float *mean, *rstd;   // [N]
    float *lse;           // [texts, H]
    int32_t *qrow, *krow; // [texts], [texts, longest]
    float *attn;
} workspace;

static workspace place(mg_layout *at, const mg_clip_text *m, const mg_clip_rows *r)
{
    size_t N = (size_t)r->rows, texts = (size_t)r->texts;
    size_t wide = m->cfg.hidden > 3 * m->cfg.width ? m->cfg.hidden : 3 * m->cfg.width;
    mg_attn a = causal(m, r->longest - 1, r->texts);
    workspace w = {.y = mg_place(at, N * m->cfg.width), .wide = mg_place(at, N * wide)};

    w.mean = mg_place(at, N);
    w.rstd = mg_place(at, N);
    w.lse = mg_place(at, texts * m->cfg.heads);
    w.qrow = mg_place_bytes(at, texts * sizeof *w.qrow);
    w.krow = mg_place_bytes(at, texts * r->longest * sizeof *w.krow);
    w.attn = mg_place(at, mg_attn_scratch(&a, omp_get_max_threads()));
    return w;
}

size_t mg_clip_text_scratch(const mg_clip_text *m, const mg_clip_rows *r)
{
    mg_layout at = {0};

    place(&at, m, r);
    return at.used / sizeof(float);
}

// out [N, D] from qkv [N, 3 D]: the attention of position i, for all texts together, i in turn.
static void attend(float *out, const float *qkv, const mg_clip_text *m, const mg_clip_rows *r,
                   const workspace *w)
{
    int D = m->cfg.width;

    for (int i = 0; i < r->longest; i++) {
        int n = 0;
        for (int t = 0; t < r->texts; t++) {
            if (r->first[t + 1] - r->first[t] <= i) continue;
            w->qrow[n] = r->first[t] + i;
            for (int j = 0; j <= i; j++) w->krow[n * (i + 1) + j] = r->first[t] + j;
            n++;
        }
        mg_attn a = causal(m, i, n);
        a.qrow = w->qrow;
        a.krow = w->krow;
        mg_attn_forward(out, w->lse, qkv, qkv + D, qkv + 2 * D, &a, w->attn);
    }
}

static void quick_gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] /= 1 + expf(-1.702f * x[i]);
}

void mg_clip_text_layer(float *x, int layer, const mg_clip_text *m, const mg_clip_rows *r,
                        float *scratch)
{
    mg_layout at = {.base = (char *)scratch};
    workspace w = place(&at, m, r);
    const mg_clip_layer *l = &m->layer[layer];
    const mg_params *p = &m->params;
    int N = r->rows, D = m->cfg.width, hidden = m->cfg.hidden;
    float eps = (float)m->cfg.eps;

    mg_layernorm_forward(w.y, w.mean, w.rstd, x, mg_weight(p, l->norm1_w), mg_weight(p, l->norm1_b),
                         N, D, eps);
    mg_linear_forward(w.wide, w.y, mg_weight(p, l->qkv_w), mg_weight(p, l->qkv_b), N, D, 3 * D,
                      MG_FLOAT32);
    attend(w.y, w.wide, m, r, &w);
    mg_linear_residual_forward(x, x, w.y, mg_weight(p, l->out_w), mg_weight(p, l->out_b), N, D, D,
                               MG_FLOAT32);
    mg_layernorm_forward(w.y, w.mean, w.rstd, x, mg_weight(p, l->norm2_w), mg_weight(p, l->norm2_b),
                         N, D, eps);
    mg_linear_forward(w.wide, w.y, mg_weight(p, l->fc1_w), mg_weight(p, l->fc1_b), N, D, hidden,
                      MG_FLOAT32);
    quick_gelu(w.wide, (size_t)N * hidden);
    mg_linear_residual_forward(x, x, w.wide, mg_weight(p, l->fc2_w), mg_weight(p, l->fc2_b), N,
                               hidden, D, MG_FLOAT32);
}

// --- before and after -------------------------------------------------------------------------------

void mg_clip_text_begin(float *x, const int32_t *ids, const mg_clip_text *m, const mg_clip_rows *r)
{
    const float *token = mg_weight(&m->params, m->tokens);
    const float *position = mg_weight(&m->params, m->positions);
    size_t D = (size_t)m->cfg.width;

    for (int t = 0; t < r->texts; t++)
        for (int row = r->first[t]; row < r->first[t + 1]; row++)
            mg_add(x + row * D, token + ids[row] * D, position + (row - r->first[t]) * D, D);
}

void mg_clip_text_norm(float *out, const float *x, const mg_clip_text *m, int rows, float *scratch)
{
    const mg_params *p = &m->params;

    mg_layernorm_forward(out, scratch, scratch + rows, x, mg_weight(p, m->final_w),
                         mg_weight(p, m->final_b), rows, m->cfg.width, (float)m->cfg.eps);
}

void mg_clip_text_project(float *out, const float *x, const mg_clip_text *m, int rows)
{
    int D = m->cfg.width, E = m->cfg.embed;

    mg_gemm(out, E, x, D, false, mg_weight(&m->params, m->projection), E, false, rows, E, D, 1, 0);
}

// --- texts to vectors -------------------------------------------------------------------------------

// Place of the first of the largest numbers: the end token has the largest of all.
static int end_of(const int32_t *ids, int context)
{
    int end = 0;
    for (int i = 1; i < context; i++)
        if (ids[i] > ids[end]) end = i;
    return end;
}

static mg_status make_unit(float *v, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++) sum += (double)v[i] * v[i];
    MG_CHECK(sum > 0 && sum < INFINITY, MG_ERR_NUMERIC, "embedding of a text has the length %g",
             sqrt(sum));
    for (int i = 0; i < n; i++) v[i] = (float)(v[i] / sqrt(sum));
    return MG_OK;
}

// Up to BATCH texts.
static mg_status embed_batch(const mg_clip_text *m, const int32_t *ids, int texts, float *unit)
{
    int32_t first[BATCH + 1] = {0};
    mg_clip_rows r = {.texts = texts, .first = first};
    size_t D = (size_t)m->cfg.width, context = (size_t)m->cfg.context;

    for (int t = 0; t < texts; t++) {
        int length = end_of(ids + t * context, m->cfg.context) + 1;
        first[t + 1] = first[t] + length;
        if (length > r.longest) r.longest = length;
    }
    r.rows = first[texts];
    int32_t *row_ids = mg_alloc((size_t)r.rows * sizeof *row_ids);
    float *x = mg_alloc((size_t)r.rows * D * sizeof *x);
    float *scratch = mg_alloc(mg_clip_text_scratch(m, &r) * sizeof *scratch);
    mg_status st = MG_OK;
    if (!row_ids || !x || !scratch) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a text transformer for %d tokens", r.rows);
        goto done;
    }
    for (int t = 0; t < texts; t++)
        memcpy(row_ids + first[t], ids + t * context,
               (size_t)(first[t + 1] - first[t]) * sizeof *ids);
    mg_clip_text_begin(x, row_ids, m, &r);
    for (int l = 0; l < m->cfg.layers; l++) mg_clip_text_layer(x, l, m, &r, scratch);
    // The states of the end tokens, side by side: text t lies behind none of rows 0..t.
    for (int t = 0; t < texts; t++) memmove(x + t * D, x + (first[t + 1] - 1) * D, D * sizeof *x);
    mg_clip_text_norm(x, x, m, texts, scratch);
    mg_clip_text_project(unit, x, m, texts);
    for (int t = 0; t < texts && !st; t++)
        st = make_unit(unit + (size_t)t * m->cfg.embed, m->cfg.embed);

done:
    mg_free(row_ids);
    mg_free(x);
    mg_free(scratch);
    return st;
}

mg_status mg_clip_text_embed(const mg_clip_text *m, const int32_t *ids, int texts, float *unit)
{
    for (size_t i = 0; i < (size_t)texts * m->cfg.context; i++)
        MG_CHECK(ids[i] >= 0 && ids[i] < m->cfg.vocab, MG_ERR_USAGE,
                 "token %d does not fit a vocabulary of %d", (int)ids[i], m->cfg.vocab);
    for (int t = 0; t < texts; t += BATCH)
        MG_TRY(embed_batch(m, ids + (size_t)t * m->cfg.context,
                           texts - t < BATCH ? texts - t : BATCH, unit + (size_t)t * m->cfg.embed));
    return MG_OK;
}
