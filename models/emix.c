// e-Mix: mixing, head, contrast over the global batch, and their gradients.
#include "models/emix.h"

#include <math.h>
#include <string.h>

#include "models/tokens.h"
#include "nn/gemm.h"
#include "nn/nn.h"
#include "runtime/rng.h"

static const float HEAD_EPS = 1e-5f; // not the encoder's 1e-6

void mg_emix_add(mg_emix *e, mg_params *p, int d, const mg_vit *vit)
{
    int D = vit->cfg.D;

    *e = (mg_emix){.vit = vit, .L = vit->gh * vit->gw, .d = d, .cls = vit->cfg.cls ? 1 : 0};
    e->norm_w = mg_params_add(p, "emix_head.norm.weight", MG_INIT_ONE, 0, 1, D);
    e->norm_b = mg_params_add(p, "emix_head.norm.bias", MG_INIT_ZERO, 0, 1, D);
    e->proj_w =
        mg_params_add(p, "emix_head.proj.weight", MG_INIT_UNIFORM, mg_xavier_bound(D, d), 2, d, D);
    e->proj_b = mg_params_add(p, "emix_head.proj.bias", MG_INIT_ZERO, 0, 1, d);
}

static void pass_layout(mg_layout *at, mg_emix_pass *a, const mg_emix *e, mg_vit_acts *enc, int B)
{
    int D = e->vit->cfg.D;

    a->enc = enc;
    a->pool = mg_place(at, (size_t)B * D);
    a->head = mg_place(at, (size_t)B * D);
    a->mean = mg_place(at, B);
    a->rstd = mg_place(at, B);
    a->u = mg_place(at, (size_t)B * e->d);
    a->z = mg_place(at, (size_t)B * e->d);
}

void mg_emix_acts_layout(mg_layout *at, mg_emix_acts *a, const mg_emix *e, mg_vit_acts *mix,
                         mg_vit_acts *clean, int B)
{
    size_t rows = (size_t)B * (e->cls + e->L);

    pass_layout(at, &a->mix, e, mix, B);
    pass_layout(at, &a->clean, e, clean, B);
    a->kept = mix != clean;
    a->mixed = mg_place(at, (size_t)B * e->L * e->vit->cfg.D);
    a->row = mg_place_bytes(at, rows * sizeof *a->row);
    a->place = mg_place_bytes(at, rows * sizeof *a->place);
}

// Scratch of the head's backward pass.
typedef struct {
    float *du, *dhead, *norm; // [B, d], [B, D]
} workspace;

static void workspace_layout(mg_layout *at, workspace *w, const mg_emix *e, int B)
{
    w->du = mg_place(at, (size_t)B * e->d);
    w->dhead = mg_place(at, (size_t)B * e->vit->cfg.D);
    w->norm = mg_place(at, mg_layernorm_scratch(e->vit->cfg.D));
}

size_t mg_emix_scratch(const mg_emix *e, int B)
{
    size_t vit = mg_vit_scratch(e->vit, B, e->cls + e->L);
    mg_layout at = {0};
    workspace w;

    workspace_layout(&at, &w, e, B);
    mg_layout project = {0};
    mg_emix_pass pass;
    pass_layout(&project, &pass, e, NULL, B);
    if (project.used > at.used) at.used = project.used;
    return at.used / sizeof(float) > vit ? at.used / sizeof(float) : vit;
}

// --- random numbers -------------------------------------------------------------------------------

float mg_emix_draw(double alpha, uint64_t seed, uint32_t epoch, uint32_t sample)
{
    mg_stream s = {seed, MG_RNG_LAMBDA, epoch, sample};
    double b = mg_rng_beta(&s, alpha);

    return (float)(b > 1 - b ? b : 1 - b);
}

void mg_emix_pairs(uint32_t *pi, uint64_t seed, uint32_t epoch, uint32_t step, int M,
                   uint64_t *keys)
{
    mg_stream s = {seed, MG_RNG_PAIRS, epoch, step};

    mg_rng_order(&s, (uint32_t)M, pi, keys);
}

// --- one pass -------------------------------------------------------------------------------------

static float norm_of(const float *u, int d)
{
    double sum = 0;

    for (int c = 0; c < d; c++) sum += (double)u[c] * u[c];
    return (float)fmax(sqrt(sum), 1e-12);
}

// Head: a->pool -> a->z.
static void head_forward(mg_emix_pass *a, const mg_emix *e, const mg_params *p, int B)
{
    mg_layernorm_forward(a->head, a->mean, a->rstd, a->pool, mg_weight(p, e->norm_w),
                         mg_weight(p, e->norm_b), B, e->vit->cfg.D, HEAD_EPS);
    mg_linear_forward(a->u, a->head, mg_weight(p, e->proj_w), mg_weight(p, e->proj_b), B,
                      e->vit->cfg.D, e->d, p->precision);
    for (int b = 0; b < B; b++) {
        const float *u = a->u + (size_t)b * e->d;
        float norm = norm_of(u, e->d);
        for (int c = 0; c < e->d; c++) a->z[(size_t)b * e->d + c] = u[c] / norm;
    }
}

void mg_emix_project(float *z, const mg_emix *e, const mg_params *p, const float *pool, int B,
                     float *scratch)
{
    mg_layout at = {.base = (char *)scratch};
    mg_emix_pass a = {0};

    pass_layout(&at, &a, e, NULL, B);
    memcpy(a.pool, pool, (size_t)B * e->vit->cfg.D * sizeof *pool);
    head_forward(&a, e, p, B);
    memcpy(z, a.z, (size_t)B * e->d * sizeof *z);
}

// Encoder and head over embeddings `rows`; `place` counts 0 .. N - 1 in every sample.
static void pass_forward(mg_emix_pass *a, const mg_emix *e, const mg_params *p, const float *src,
                         const int32_t *row, const int32_t *place, int B, float *scratch)
{
    const mg_vit *v = e->vit;
    int N = e->cls + e->L, D = v->cfg.D;

    mg_tokens_gather(a->enc->stack.x[0], src, row, e->cls ? mg_weight(p, v->cls) : NULL,
                     mg_weight(p, v->pos), place, B * N, D);
    mg_vit_encode(a->enc, v, p, B, N, 1, NULL, scratch);
    mg_tokens_mean(a->pool, a->enc->y, B, N, e->cls, D);
    head_forward(a, e, p, B);
}

// From dz to a->enc->dx, the gradient of the tokens that went in.
static void pass_backward(mg_emix_pass *a, const mg_emix *e, const mg_params *p, float *grads,
                          const float *dz, int B, const mg_ready *ready, float *scratch)
{
    int D = e->vit->cfg.D;
    mg_layout at = {.base = (char *)scratch};
    workspace w;

    workspace_layout(&at, &w, e, B);
    for (int b = 0; b < B; b++) { // du = (dz - z <z, dz>) / ||u||
        size_t row = (size_t)b * e->d;
        float norm = norm_of(a->u + row, e->d);
        double along = 0;

        for (int c = 0; c < e->d; c++) along += (double)a->z[row + c] * dz[row + c];
        for (int c = 0; c < e->d; c++)
            w.du[row + c] = (float)(dz[row + c] - a->z[row + c] * along) / norm;
    }
    mg_linear_backward(w.dhead, mg_grad(p, grads, e->proj_w), mg_grad(p, grads, e->proj_b), w.du,
                       a->head, mg_weight(p, e->proj_w), B, D, e->d, false, p->precision);
    mg_layernorm_backward(w.dhead, mg_grad(p, grads, e->norm_w), mg_grad(p, grads, e->norm_b),
                          w.dhead, a->pool, mg_weight(p, e->norm_w), a->mean, a->rstd, B, D, false,
                          w.norm);
    mg_tokens_mean_backward(a->enc->dx, w.dhead, B, e->cls + e->L, e->cls, D);
    mg_vit_encode_backward(a->enc, true, grads, e->vit, p, ready, scratch);
}

// --- both passes ----------------------------------------------------------------------------------

// The mixed embeddings, and the row lists of the clean pass (list) or of the mixed one (NULL).
static void mix(mg_emix_acts *a, const mg_emix *e, const float *own, const int32_t *list,
                const float *partner, const float *lam, int B)
{
    size_t size = (size_t)e->L * e->vit->cfg.D;

    a->B = B;
#pragma omp parallel for schedule(static)
    for (int b = 0; b < B; b++) {
        const float *x = own + (list ? list[b] : b) * size, *y = partner + b * size;
        float *to = a->mixed + b * size, keep = lam[b], take = 1 - lam[b];
        for (size_t i = 0; i < size; i++) to[i] = keep * x[i] + take * y[i];
    }
}

static void list_rows(mg_emix_acts *a, const mg_emix *e, const int32_t *list, int B)
{
    int N = e->cls + e->L;

    for (int b = 0; b < B; b++)
        for (int i = 0; i < N; i++) {
            a->row[b * N + i] = i < e->cls ? -1 : (list ? list[b] : b) * e->L + i - e->cls;
            a->place[b * N + i] = i;
        }
}

void mg_emix_forward(mg_emix_acts *a, const mg_emix *e, const mg_params *p, float *z, float *zm,
                     const float *own, const int32_t *list, const float *partner, const float *lam,
                     int B, float *scratch)
{
    size_t bytes = (size_t)B * e->d * sizeof *z;

    mix(a, e, own, list, partner, lam, B);
    list_rows(a, e, NULL, B);
    pass_forward(&a->mix, e, p, a->mixed, a->row, a->place, B, scratch);
    memcpy(zm, a->mix.z, bytes);
    list_rows(a, e, list, B);
    pass_forward(&a->clean, e, p, own, a->row, a->place, B, scratch);
    memcpy(z, a->clean.z, bytes);
}

void mg_emix_backward(float *de, float *grads, mg_emix_acts *a, const mg_emix *e,
                      const mg_params *p, const float *dz, const float *dzm, const float *own,
                      const int32_t *list, const float *partner, const float *lam, int B,
                      const mg_ready *ready, float *scratch)
{
    const mg_vit *v = e->vit;
    int N = e->cls + e->L, D = v->cfg.D;
    float *dcls = e->cls ? mg_grad(p, grads, v->cls) : NULL;

    if (!a->kept) {
        mix(a, e, own, list, partner, lam, B);
        list_rows(a, e, NULL, B);
        pass_forward(&a->mix, e, p, a->mixed, a->row, a->place, B, scratch);
    }
    pass_backward(&a->mix, e, p, grads, dzm, B, NULL, scratch);
    list_rows(a, e, list, B);
    mg_tokens_scatter(NULL, dcls, a->mix.enc->dx, a->row, B * N, D);
#pragma omp parallel for collapse(2) schedule(static)
    for (int b = 0; b < B; b++)
        for (int t = 0; t < e->L; t++) {
            const float *from = a->mix.enc->dx + ((size_t)b * N + e->cls + t) * D;
            float *to = de + ((size_t)(list ? list[b] : b) * e->L + t) * D;
            for (int c = 0; c < D; c++) to[c] += lam[b] * from[c];
        }
    if (!a->kept) pass_forward(&a->clean, e, p, own, a->row, a->place, B, scratch);
    pass_backward(&a->clean, e, p, grads, dz, B, ready, scratch);
    mg_tokens_scatter(de, dcls, a->clean.enc->dx, a->row, B * N, D);
}

// --- contrast -------------------------------------------------------------------------------------

enum { BLOCK = 32 }; // rows of S at a time

size_t mg_emix_contrast_scratch(int M, int d)
{
    (void)d;
    return (size_t)BLOCK * M;
}

// One row of S: its loss term; S becomes dS.
static double contrast_row(float *S, int i, int partner, double lam, int M, double scale, bool *hit)
{
    double top = S[0];
    int best = 0;

    for (int j = 1; j < M; j++)
        if (S[j] > top) top = S[j], best = j;
    double sum = exp(S[0] - top);
    for (int j = 1; j < M; j++) sum += exp(S[j] - top);
    double lse = top + log(sum);
    double loss = lam * (lse - S[i]) + (1 - lam) * (lse - S[partner]);
    *hit = best == i;
    for (int j = 0; j < M; j++) {
        double want = (j == i ? lam : 0) + (j == partner ? 1 - lam : 0);
        S[j] = (float)(scale * (exp(S[j] - lse) - want));
    }
    return loss;
}

// to [d] += sum_k weight[k * stride] rows[k, d], k in order
static void add_weighted(float *to, const float *weight, size_t stride, const float *rows,
                         int count, int d)
{
    for (int k = 0; k < count; k++) {
        float w = weight[k * stride];
        for (int c = 0; c < d; c++) to[c] += w * rows[(size_t)k * d + c];
    }
}

mg_emix_loss mg_emix_contrast(float *dz, float *dzm, const float *Z, const float *ZM,
                              const float *lam, const uint32_t *pi, int M, int d, double tau,
                              bool batch_mean, double weight, int lo, int hi, float *scratch)
{
    mg_emix_loss out = {0};
    double mean = 0, scale = weight / (M * tau);

    for (int i = 0; i < M; i++) mean += lam[i];
    mean /= M;
    if (dz) memset(dz, 0, (size_t)(hi - lo) * d * sizeof *dz);
    if (dzm) memset(dzm, 0, (size_t)(hi - lo) * d * sizeof *dzm);
    for (int first = 0; first < M; first += BLOCK) {
        int rows = M - first < BLOCK ? M - first : BLOCK;
        double loss[BLOCK];
        bool hit[BLOCK];

        mg_gemm(scratch, M, ZM + (size_t)first * d, d, false, Z, d, true, rows, M, d,
                (float)(1 / tau), 0);
#pragma omp parallel for schedule(static)
        for (int k = 0; k < rows; k++)
            loss[k] = contrast_row(scratch + (size_t)k * M, first + k, (int)pi[first + k],
                                   batch_mean ? mean : lam[first + k], M, scale, &hit[k]);
        for (int k = 0; k < rows; k++) {
            if (first + k < lo || first + k >= hi) continue;
            out.loss += loss[k];
            out.hits += hit[k];
        }
        if (!dz) continue;
#pragma omp parallel for schedule(static)
        for (int j = lo; j < hi; j++) {
            add_weighted(dz + (size_t)(j - lo) * d, scratch + j, (size_t)M, ZM + (size_t)first * d,
                         rows, d);
            if (j >= first && j < first + rows)
                add_weighted(dzm + (size_t)(j - lo) * d, scratch + (size_t)(j - first) * M, 1, Z, M,
                             d);
        }
    }
    out.loss /= M;
    return out;
}
