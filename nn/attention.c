// Attention of groups of queries over groups of keys, forward and backward; see mg_attn in nn/nn.h.
//   out_i = sum_j p_ij v_j,   p_ij = exp(s_ij - lse_i)
//   dv_j = sum_i p_ij dout_i,   ds_ij = p_ij (<dout_i, v_j> - <dout_i, out_i>)
//   dq_i = sum_j ds_ij (scale k_j + rel),   dk_j = sum_i ds_ij scale q_i
// Here are the row lists and the threads. Rows of one head are gathered to contiguous scratch, keys
// and values once per problem and head, queries block by block; padding queries are left out. The
// arithmetic of a block of queries is in nn/body_attention.h.
// Threads take runs of (problem, head, block of queries) forward, of (problem, head) backward. Sums
// over problems (tables, padding) go to SLOTS fixed runs of pairs, added in order: no bit depends on
// the number of threads.
#include "nn/nn.h"

#include <omp.h>
#include <string.h>

#include "nn/kernels.h"

enum { SLOTS = 64 };

// A thread's scratch beside the kernels' own, and what it holds now.
typedef struct {
    attn_work w;
    const mg_attn *a;
    const mg_kernels *kern;
    int32_t *grid_y, *grid_x;   // [nk] place of each token of a full grid
    int32_t *token_y, *token_x; // [nk] place of each token of this problem
    int32_t *queries, *rows;    // [nq] real queries, their rows
    int count;                  // of real queries
    int problem, head;          // -1 before the first
} worker;

static int round_up(int x)
{
    return (x + ATTN_ROUND - 1) / ATTN_ROUND * ATTN_ROUND;
}

static size_t table_rows(int g)
{
    return g ? 2 * (size_t)g - 1 : 0;
}

// Scratch in pieces of whole cache lines; with base NULL only counts.
typedef struct {
    float *base;
    size_t used;
} pool;

static float *take(pool *p, size_t floats)
{
    float *piece = p->base ? p->base + p->used : NULL;

    p->used += (floats + 15) / 16 * 16;
    return piece;
}

static void place_worker(worker *k, const mg_attn *a, pool *p)
{
    attn_work *w = &k->w;
    size_t dp = (size_t)round_up(a->d), nk = (size_t)a->nk * dp, block = ATTN_QUERIES * dp;
    int g = a->gh > a->gw ? a->gh : a->gw;
    float **heads[] = {&w->K, &w->V, &w->dK, &w->dV};
    float **blocks[] = {&w->Q, &w->O, &w->dO, &w->dQ, &w->Qt, &w->dOt};
    int32_t **tokens[] = {&k->grid_y, &k->grid_x, &k->token_y, &k->token_x};

    for (int i = 0; i < 4; i++) *heads[i] = take(p, nk);
    for (int i = 0; i < 6; i++) *blocks[i] = take(p, block);
    w->S = take(p, (size_t)ATTN_KEYS * ATTN_QUERIES);
    w->dS = take(p, (size_t)ATTN_KEYS * ATTN_QUERIES);
    w->relh = take(p, (size_t)a->gh * ATTN_QUERIES);
    w->relw = take(p, (size_t)a->gw * ATTN_QUERIES);
    w->drelh = take(p, (size_t)a->gh * ATTN_QUERIES);
    w->drelw = take(p, (size_t)a->gw * ATTN_QUERIES);
    w->table_product = take(p, table_rows(g) * ATTN_QUERIES);
    for (int i = 0; i < 4; i++) *tokens[i] = (int32_t *)take(p, (size_t)a->nk);
    k->queries = (int32_t *)take(p, (size_t)a->nq);
    k->rows = (int32_t *)take(p, (size_t)a->nq);
    // Four arrays of a block of queries and four of keys at most, in pointers of two floats.
    w->ahead = (const float **)take(p, 2 * (4 * ATTN_QUERIES + 4 * (size_t)a->nk));
}

// The tables with rows of dp floats, shared by all threads, and the sums of one slot.
typedef struct {
    float *rel_h, *rel_w;
} tables;

typedef struct {
    float *dk_pad, *dv_pad; // [heads, d]
    float *drel_h, *drel_w; // [2 g - 1, dp]
    size_t floats;
} sums;

static tables place_tables(const mg_attn *a, pool *p)
{
    size_t dp = (size_t)round_up(a->d);
    tables t = {take(p, table_rows(a->gh) * dp), take(p, table_rows(a->gw) * dp)};

    return t;
}

static sums place_sums(const mg_attn *a, pool *p)
{
    size_t dp = (size_t)round_up(a->d), pad = a->k_pad ? (size_t)a->heads * a->d : 0;
    size_t before = p->used;
    sums s = {.dk_pad = take(p, pad), .dv_pad = take(p, pad)};

    s.drel_h = take(p, table_rows(a->gh) * dp);
    s.drel_w = take(p, table_rows(a->gw) * dp);
    s.floats = p->used - before;
    return s;
}

size_t mg_attn_scratch(const mg_attn *a, int threads)
{
    pool p = {0};
    worker k;

    place_worker(&k, a, &p);
    p.used *= (size_t)threads;
    place_tables(a, &p);
    for (int i = 0; i < SLOTS; i++) place_sums(a, &p);
    return p.used + 16;
}

// The scratch, from its first cache line on.
static pool pool_of(float *scratch)
{
    return (pool){(float *)(((uintptr_t)scratch + 63) / 64 * 64), 0};
}

static int threads_now(void)
{
    return omp_in_parallel() ? 1 : omp_get_max_threads();
}

static void start_worker(worker *k, const mg_attn *a, const mg_kernels *kern, const tables *t,
                         pool all, int thread)
{
    pool p = {0};
    attn_work *w = &k->w;

    place_worker(k, a, &p); // counts
    p = (pool){all.base + (size_t)thread * p.used, 0};
    place_worker(k, a, &p);
    k->a = a, k->kern = kern;
    k->problem = k->head = -1;
    w->d = a->d, w->dp = round_up(a->d), w->nk = a->nk, w->scale = a->scale;
    w->gh = a->gh, w->gw = a->gw;
    w->rel_h = t->rel_h, w->rel_w = t->rel_w;
    w->drel_h = w->drel_w = NULL;
    w->ahead_count = w->ahead_done = 0;
    w->y = a->coord ? k->token_y : k->grid_y;
    w->x = a->coord ? k->token_x : k->grid_x;
    for (int i = 0; i < a->nk && a->gh; i++) k->grid_y[i] = i / a->gw, k->grid_x[i] = i % a->gw;
}

// Tables with padded rows, in scratch behind the workers.
static tables fill_tables(const mg_attn *a, const mg_kernels *kern, pool *p)
{
    tables t = place_tables(a, p);
    int dp = round_up(a->d);

    if (a->gh) {
        kern->attn_gather(t.rel_h, a->rel_h, NULL, NULL, 0, a->d, 2 * a->gh - 1, a->d, dp);
        kern->attn_gather(t.rel_w, a->rel_w, NULL, NULL, 0, a->d, 2 * a->gw - 1, a->d, dp);
    }
    return t;
}

// Make (problem, head) the current one: its places, its real queries, its keys and values.
static void enter(worker *k, const float *key, const float *value, int problem, int head)
{
    const mg_attn *a = k->a;
    attn_work *w = &k->w;
    size_t first_key = (size_t)problem * a->nk, first = (size_t)problem * a->nq;
    size_t at = (size_t)head * a->d;
    const int32_t *krow = a->krow ? a->krow + first_key : NULL;

    if (problem != k->problem) {
        k->count = 0;
        for (int i = 0; i < a->nq; i++) {
            int32_t row = a->qrow ? a->qrow[first + i] : (int32_t)(first + i);
            if (row < 0) continue;
            k->queries[k->count] = i;
            k->rows[k->count++] = row;
        }
        for (int i = 0; i < a->nk && a->coord; i++) {
            k->token_y[i] = a->coord[first_key + i] / a->gw;
            k->token_x[i] = a->coord[first_key + i] % a->gw;
        }
    }
    if (problem != k->problem || head != k->head) {
        k->kern->attn_gather(w->K, key + at, a->k_pad ? a->k_pad + at : NULL, krow, first_key,
                             a->k_stride, a->nk, a->d, w->dp);
        k->kern->attn_gather(w->V, value + at, a->v_pad ? a->v_pad + at : NULL, krow, first_key,
                             a->v_stride, a->nk, a->d, w->dp);
    }
    k->problem = problem, k->head = head;
}

// Queries from number q0 of the problem's real ones on: how many, their places, their q.
static void take_queries(worker *k, const float *q, int q0)
{
    attn_work *w = &k->w;
    int size = k->kern->attn_queries;

    w->n = k->count - q0 < size ? k->count - q0 : size;
    for (int i = 0; i < w->n && w->gh; i++) {
        w->qy[i] = w->y[k->queries[q0 + i]];
        w->qx[i] = w->x[k->queries[q0 + i]];
    }
    k->kern->attn_gather(w->Q, q + (size_t)k->head * w->d, NULL, k->rows + q0, 0, k->a->q_stride,
                         w->n, w->d, w->dp);
}

// lse of the pair's query number i of the problem.
static size_t lse_at(const worker *k, int i)
{
    return ((size_t)k->problem * k->a->heads + k->head) * k->a->nq + k->queries[i];
}

// Queue rows i0 .. i1 of a list (NULL: first + i) to be fetched.
static void look_ahead(attn_work *w, const float *array, int stride, const int32_t *rows,
                       size_t first, int i0, int i1)
{
    for (int i = i0; i < i1; i++)
        if (!rows || rows[i] >= 0)
            w->ahead[w->ahead_count++] = array + (rows ? (size_t)rows[i] : first + i) * stride;
}

// Spread what is queued over `products` products of scores.
static void spread_ahead(attn_work *w, int products)
{
    int chances = products * (w->nk / 12 + 1) * (w->dp / ATTN_ROUND);

    w->ahead_done = 0;
    w->ahead_rate = (w->ahead_count + chances - 1) / chances;
}

// The next head of this problem, or the first one of the next problem; false after the last.
static bool next_pair(const worker *k, int *problem, int *head)
{
    *head = k->head + 1 < k->a->heads ? k->head + 1 : 0;
    *problem = k->problem + (*head == 0);
    return *problem < k->a->problems;
}

// Queue from an array of queries what follows the block [q0, q1): the next block of this pair, or the
// first one of the next pair.
static void next_queries(worker *k, const float *array, int stride, int q1)
{
    const mg_attn *a = k->a;
    int size = k->kern->attn_queries, problem, head;

    if (q1 < k->count) {
        look_ahead(&k->w, array + (size_t)k->head * a->d, stride, k->rows, 0, q1,
                   q1 + size < k->count ? q1 + size : k->count);
    } else if (next_pair(k, &problem, &head)) {
        size_t first = (size_t)problem * a->nq;
        look_ahead(&k->w, array + (size_t)head * a->d, stride, a->qrow ? a->qrow + first : NULL,
                   first, 0, a->nq < size ? a->nq : size);
    }
}

// Queue the share of the block [q0, q1) in an array of keys of a pair.
static void share_of_keys(worker *k, const float *array, int stride, int problem, int head, int q0,
                          int q1)
{
    const mg_attn *a = k->a;
    size_t first = (size_t)problem * a->nk;

    look_ahead(&k->w, array + (size_t)head * a->d, stride, a->krow ? a->krow + first : NULL, first,
               (int)((long)a->nk * q0 / k->count), (int)((long)a->nk * q1 / k->count));
}

static void forward_ahead(worker *k, const float *out, const float *q, const float *key,
                          const float *value, int q0)
{
    const mg_attn *a = k->a;
    int q1 = q0 + k->w.n, problem, head;

    k->w.ahead_count = 0;
    look_ahead(&k->w, out + (size_t)k->head * a->d, a->o_stride, k->rows, 0, q0, q1);
    next_queries(k, q, a->q_stride, q1);
    if (next_pair(k, &problem, &head)) {
        share_of_keys(k, key, a->k_stride, problem, head, q0, q1);
        share_of_keys(k, value, a->v_stride, problem, head, q0, q1);
    }
    spread_ahead(&k->w, 1);
}

static void forward_block(worker *k, float *out, float *lse, const float *q, const float *key,
                          const float *value, int q0)
{
    attn_work *w = &k->w;

    if (q0 >= k->count) return;
    take_queries(k, q, q0);
    forward_ahead(k, out, q, key, value, q0);
    k->kern->attn_forward(w);
    k->kern->attn_scatter(out + (size_t)k->head * w->d, NULL, k->rows + q0, 0, k->a->o_stride, w->O,
                          w->n, w->d, w->dp, 1);
    for (int i = 0; i < w->n; i++) lse[lse_at(k, q0 + i)] = w->lse[i];
}

void mg_attn_forward(float *out, float *lse, const float *q, const float *k, const float *v,
                     const mg_attn *a, float *scratch)
{
    const mg_kernels *kern = mg_kernels_get();
    int threads = threads_now(), blocks = (a->nq + kern->attn_queries - 1) / kern->attn_queries;
    long tasks = (long)a->problems * a->heads * blocks;
    pool all = pool_of(scratch), behind = all;
    worker counted;

    place_worker(&counted, a, &behind);
    behind.used *= (size_t)threads;
    tables t = fill_tables(a, kern, &behind);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int thread = 0; thread < threads; thread++) {
        worker me;

        start_worker(&me, a, kern, &t, all, thread);
        for (long i = tasks * thread / threads; i < tasks * (thread + 1) / threads; i++) {
            int pair = (int)(i / blocks);
            enter(&me, k, v, pair / a->heads, pair % a->heads);
            forward_block(&me, out, lse, q, k, v, (int)(i % blocks) * kern->attn_queries);
        }
    }
}

// The arrays of one backward call.
typedef struct {
    float *dq, *dk, *dv;
    const float *dout, *out, *lse, *q, *k, *v;
} backward_arrays;

static void backward_ahead(worker *k, const backward_arrays *x, int q0)
{
    const mg_attn *a = k->a;
    int q1 = q0 + k->w.n, problem, head;

    k->w.ahead_count = 0;
    look_ahead(&k->w, x->dq + (size_t)k->head * a->d, a->q_stride, k->rows, 0, q0, q1);
    next_queries(k, x->q, a->q_stride, q1);
    next_queries(k, x->out, a->o_stride, q1);
    next_queries(k, x->dout, a->o_stride, q1);
    share_of_keys(k, x->dk, a->k_stride, k->problem, k->head, q0, q1);
    share_of_keys(k, x->dv, a->v_stride, k->problem, k->head, q0, q1);
    if (next_pair(k, &problem, &head)) {
        share_of_keys(k, x->k, a->k_stride, problem, head, q0, q1);
        share_of_keys(k, x->v, a->v_stride, problem, head, q0, q1);
    }
    spread_ahead(&k->w, 2);
}

static void backward_block(worker *k, const backward_arrays *x, int q0)
{
    const mg_attn *a = k->a;
    attn_work *w = &k->w;
    size_t at = (size_t)k->head * a->d;
    const int32_t *rows = k->rows + q0;

    take_queries(k, x->q, q0);
    k->kern->attn_gather(w->O, x->out + at, NULL, rows, 0, a->o_stride, w->n, w->d, w->dp);
    k->kern->attn_gather(w->dO, x->dout + at, NULL, rows, 0, a->o_stride, w->n, w->d, w->dp);
    for (int i = 0; i < w->n; i++) w->lse[i] = x->lse[lse_at(k, q0 + i)];
    backward_ahead(k, x, q0);
    k->kern->attn_backward(w);
    k->kern->attn_scatter(x->dq + at, NULL, rows, 0, a->q_stride, w->dQ, w->n, w->d, w->dp, 1);
}

static void backward_pair(worker *k, const backward_arrays *x, const sums *s, int pair)
{
    const mg_attn *a = k->a;
    attn_work *w = &k->w;
    int problem = pair / a->heads, head = pair % a->heads;
    size_t at = (size_t)head * a->d, first = (size_t)problem * a->nk;
    const int32_t *krow = a->krow ? a->krow + first : NULL;

    enter(k, x->k, x->v, problem, head);
    memset(w->dK, 0, (size_t)a->nk * w->dp * sizeof *w->dK);
    memset(w->dV, 0, (size_t)a->nk * w->dp * sizeof *w->dV);
    for (int q0 = 0; q0 < k->count; q0 += k->kern->attn_queries) backward_block(k, x, q0);
    k->kern->attn_scatter(x->dk + at, s->dk_pad + at, krow, first, a->k_stride, w->dK, a->nk, a->d,
                          w->dp, a->scale);
    k->kern->attn_scatter(x->dv + at, s->dv_pad + at, krow, first, a->v_stride, w->dV, a->nk, a->d,
                          w->dp, 1);
}

static void add_rows(float *to, const float *from, size_t rows, int d, int dp)
{
    if (!to) return;
    for (size_t r = 0; r < rows; r++)
        for (int c = 0; c < d; c++) to[r * d + c] += from[r * dp + c];
}

void mg_attn_backward(float *dq, float *dk, float *dv, float *dk_pad, float *dv_pad, float *drel_h,
                      float *drel_w, const float *dout, const float *out, const float *lse,
                      const float *q, const float *k, const float *v, const mg_attn *a,
                      float *scratch)
{
    const mg_kernels *kern = mg_kernels_get();
    const backward_arrays x = {dq, dk, dv, dout, out, lse, q, k, v};
    int threads = threads_now(), pairs = a->problems * a->heads, dp = round_up(a->d);
    int slots = pairs < SLOTS ? pairs : SLOTS;
    pool all = pool_of(scratch), behind = all;
    worker counted;
    sums s[SLOTS];

    place_worker(&counted, a, &behind);
    behind.used *= (size_t)threads;
    tables t = fill_tables(a, kern, &behind);
    for (int i = 0; i < slots; i++) {
        size_t before = behind.used;
        s[i] = place_sums(a, &behind);
        memset(behind.base + before, 0, s[i].floats * sizeof(float));
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int thread = 0; thread < threads; thread++) {
        worker me;

        start_worker(&me, a, kern, &t, all, thread);
        for (int i = slots * thread / threads; i < slots * (thread + 1) / threads; i++) {
            me.w.drel_h = drel_h ? s[i].drel_h : NULL;
            me.w.drel_w = drel_w ? s[i].drel_w : NULL;
            for (int pair = (int)((long)pairs * i / slots);
                 pair < (int)((long)pairs * (i + 1) / slots); pair++)
                backward_pair(&me, &x, &s[i], pair);
        }
    }
    for (int i = 0; i < slots; i++) {
        add_rows(a->k_pad ? dk_pad : NULL, s[i].dk_pad, 1, a->heads * a->d, 0);
        add_rows(a->v_pad ? dv_pad : NULL, s[i].dv_pad, 1, a->heads * a->d, 0);
        add_rows(drel_h, s[i].drel_h, table_rows(a->gh), a->d, dp);
        add_rows(drel_w, s[i].drel_w, table_rows(a->gw), a->d, dp);
    }
}
