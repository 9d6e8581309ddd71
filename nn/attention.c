// Attention of groups of queries over groups of keys, forward and backward; see mg_attn in nn/nn.h.
//   out_i = sum_j p_ij v_j,   p_ij = exp(s_ij - lse_i)
//   dv_j = sum_i p_ij dout_i,   ds_ij = p_ij (<dout_i, v_j> - <dout_i, out_i>)
//   dq_i = sum_j ds_ij (scale k_j + rel),   dk_j = sum_i ds_ij scale q_i
// The scores of one query at a time are held. Pairs of (problem, head) are spread over threads.
#include "nn/nn.h"

#include <math.h>
#include <omp.h>
#include <string.h>

// What one pair needs while it runs, and the thread's share of the sums over pairs.
typedef struct {
    float *p, *ds;          // [nk]
    float *relh, *relw;     // [gh], [gw]: <q, rel row> per key row, key column
    float *dk_pad, *dv_pad; // [heads * d]
    float *drel_h, *drel_w; // tables
} work;

static size_t table_h(const mg_attn *a)
{
    return a->rel_h ? (size_t)(2 * a->gh - 1) * a->d : 0;
}
static size_t table_w(const mg_attn *a)
{
    return a->rel_w ? (size_t)(2 * a->gw - 1) * a->d : 0;
}

static size_t shared_floats(const mg_attn *a)
{
    return (size_t)2 * a->heads * a->d + table_h(a) + table_w(a);
}

static size_t thread_floats(const mg_attn *a)
{
    return 2 * (size_t)a->nk + a->gh + a->gw + shared_floats(a);
}

size_t mg_attn_scratch(const mg_attn *a, int threads)
{
    return (size_t)threads * thread_floats(a);
}

static work place(const mg_attn *a, float *at)
{
    work w = {.p = at, .ds = at + a->nk};

    w.relh = w.ds + a->nk;
    w.relw = w.relh + a->gh;
    w.dk_pad = w.relw + a->gw;
    w.dv_pad = w.dk_pad + (size_t)a->heads * a->d;
    w.drel_h = w.dv_pad + (size_t)a->heads * a->d;
    w.drel_w = w.drel_h + table_h(a);
    return w;
}

static float dot(const float *x, const float *y, int n)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static void axpy(float *y, float alpha, const float *x, int n)
{
    for (int i = 0; i < n; i++) y[i] += alpha * x[i];
}

static int query_row(const mg_attn *a, int p, int i)
{
    return a->qrow ? a->qrow[(size_t)p * a->nq + i] : p * a->nq + i;
}

static int key_row(const mg_attn *a, int p, int j)
{
    return a->krow ? a->krow[(size_t)p * a->nk + j] : p * a->nk + j;
}

// Place of a token on the grid.
static int place_of(const mg_attn *a, int p, int i)
{
    return a->coord ? a->coord[(size_t)p * a->nq + i] : i;
}

// Row of key j of this head in k or v.
static const float *key(const float *k, const float *pad, int stride, const mg_attn *a, int p,
                        int h, int j)
{
    int row = key_row(a, p, j);
    return (row < 0 ? pad : k + (size_t)row * stride) + (size_t)h * a->d;
}

// Scores of query i against all keys into w->p.
static void scores(work *w, const float *q, const float *k, const mg_attn *a, int p, int h, int i)
{
    if (a->rel_h) {
        int at = place_of(a, p, i), r = at / a->gw, c = at % a->gw;

        for (int y = 0; y < a->gh; y++)
            w->relh[y] = dot(q, a->rel_h + (size_t)(r - y + a->gh - 1) * a->d, a->d);
        for (int x = 0; x < a->gw; x++)
            w->relw[x] = dot(q, a->rel_w + (size_t)(c - x + a->gw - 1) * a->d, a->d);
    }
    for (int j = 0; j < a->nk; j++) {
        w->p[j] = a->scale * dot(q, key(k, a->k_pad, a->k_stride, a, p, h, j), a->d);
        if (a->rel_h) {
            int at = place_of(a, p, j);
            w->p[j] += w->relh[at / a->gw] + w->relw[at % a->gw];
        }
    }
}

static void pair_forward(float *out, float *lse, const float *q, const float *k, const float *v,
                         const mg_attn *a, work *w, int p, int h)
{
    for (int i = 0; i < a->nq; i++) {
        int row = query_row(a, p, i);
        float top = -INFINITY, sum = 0;

        if (row < 0) continue;
        float *o = out + (size_t)row * a->o_stride + (size_t)h * a->d;
        scores(w, q + (size_t)row * a->q_stride + (size_t)h * a->d, k, a, p, h, i);
        for (int j = 0; j < a->nk; j++) top = fmaxf(top, w->p[j]);
        memset(o, 0, (size_t)a->d * sizeof *o);
        for (int j = 0; j < a->nk; j++) {
            float e = expf(w->p[j] - top);

            sum += e;
            axpy(o, e, key(v, a->v_pad, a->v_stride, a, p, h, j), a->d);
        }
        for (int c = 0; c < a->d; c++) o[c] /= sum;
        lse[((size_t)p * a->heads + h) * a->nq + i] = top + logf(sum);
    }
}

void mg_attn_forward(float *out, float *lse, const float *q, const float *k, const float *v,
                     const mg_attn *a, float *scratch)
{
#pragma omp parallel for schedule(static)
    for (int pair = 0; pair < a->problems * a->heads; pair++) {
        work w = place(a, scratch + (size_t)omp_get_thread_num() * thread_floats(a));

        pair_forward(out, lse, q, k, v, a, &w, pair / a->heads, pair % a->heads);
    }
}

// Gradients of the scores of query i (in w->ds) to q, k and the tables.
static void scores_backward(float *dq, float *dk, const float *q, const float *k, const mg_attn *a,
                            work *w, int p, int h, int i)
{
    for (int j = 0; j < a->nk; j++) {
        int row = key_row(a, p, j);
        float *to = row < 0 ? w->dk_pad : dk + (size_t)row * a->k_stride;

        axpy(dq, a->scale * w->ds[j], key(k, a->k_pad, a->k_stride, a, p, h, j), a->d);
        axpy(to + (size_t)h * a->d, a->scale * w->ds[j], q, a->d);
    }
    if (!a->rel_h) return;
    int at = place_of(a, p, i), r = at / a->gw, c = at % a->gw;
    memset(w->relh, 0, (size_t)(a->gh + a->gw) * sizeof *w->relh);
    for (int j = 0; j < a->nk; j++) {
        int to = place_of(a, p, j);
        w->relh[to / a->gw] += w->ds[j];
        w->relw[to % a->gw] += w->ds[j];
    }
    for (int y = 0; y < a->gh; y++) {
        size_t row = (size_t)(r - y + a->gh - 1) * a->d;
        axpy(dq, w->relh[y], a->rel_h + row, a->d);
        axpy(w->drel_h + row, w->relh[y], q, a->d);
    }
    for (int x = 0; x < a->gw; x++) {
        size_t row = (size_t)(c - x + a->gw - 1) * a->d;
        axpy(dq, w->relw[x], a->rel_w + row, a->d);
        axpy(w->drel_w + row, w->relw[x], q, a->d);
    }
}

static void pair_backward(float *dq, float *dk, float *dv, const float *dout, const float *out,
                          const float *lse, const float *q, const float *k, const float *v,
                          const mg_attn *a, work *w, int p, int h)
{
    size_t head = (size_t)h * a->d, bytes = (size_t)a->d * sizeof(float);

    for (int j = 0; j < a->nk; j++) {
        int row = key_row(a, p, j);

        if (row < 0) continue;
        memset(dk + (size_t)row * a->k_stride + head, 0, bytes);
        memset(dv + (size_t)row * a->v_stride + head, 0, bytes);
    }
    for (int i = 0; i < a->nq; i++) {
        int row = query_row(a, p, i);

        if (row < 0) continue;
        const float *qi = q + (size_t)row * a->q_stride + head;
        const float *doi = dout + (size_t)row * a->o_stride + head;
        float D = dot(doi, out + (size_t)row * a->o_stride + head, a->d);
        float L = lse[((size_t)p * a->heads + h) * a->nq + i];

        scores(w, qi, k, a, p, h, i);
        for (int j = 0; j < a->nk; j++) {
            int to = key_row(a, p, j);
            float e = expf(w->p[j] - L);

            w->ds[j] = e * (dot(doi, key(v, a->v_pad, a->v_stride, a, p, h, j), a->d) - D);
            axpy((to < 0 ? w->dv_pad : dv + (size_t)to * a->v_stride) + head, e, doi, a->d);
        }
        memset(dq + (size_t)row * a->q_stride + head, 0, bytes);
        scores_backward(dq + (size_t)row * a->q_stride + head, dk, qi, k, a, w, p, h, i);
    }
}

static void add_to(float *to, const float *from, size_t n)
{
    if (to)
        for (size_t i = 0; i < n; i++) to[i] += from[i];
}

void mg_attn_backward(float *dq, float *dk, float *dv, float *dk_pad, float *dv_pad, float *drel_h,
                      float *drel_w, const float *dout, const float *out, const float *lse,
                      const float *q, const float *k, const float *v, const mg_attn *a,
                      float *scratch)
{
    size_t width = (size_t)a->heads * a->d, each = thread_floats(a);
    int threads = omp_in_parallel() ? 1 : omp_get_max_threads();

    for (int t = 0; t < threads; t++) {
        work w = place(a, scratch + t * each);
        memset(w.dk_pad, 0, shared_floats(a) * sizeof(float));
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int pair = 0; pair < a->problems * a->heads; pair++) {
        work w = place(a, scratch + (size_t)omp_get_thread_num() * each);

        pair_backward(dq, dk, dv, dout, out, lse, q, k, v, a, &w, pair / a->heads, pair % a->heads);
    }
    for (int t = 0; t < threads; t++) {
        work w = place(a, scratch + t * each);
        add_to(dk_pad, w.dk_pad, width);
        add_to(dv_pad, w.dv_pad, width);
        add_to(drel_h, w.drel_h, table_h(a));
        add_to(drel_w, w.drel_w, table_w(a));
    }
}
