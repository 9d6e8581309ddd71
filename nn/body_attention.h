// Body of attention, compiled once per instruction set: one block of up to QUERIES queries against
// all keys of its problem and head, forward and backward, in blocks of keys.
//   scores in powers of two:  s = log2(e) (scale <q, k> + <q, rel_h> + <q, rel_w>),  P = 2^(s - lse)
// They are kept transposed, keys x queries with queries in the vector lanes, so that maxima and sums
// are lane by lane and only Q and dout are ever transposed. All products are one register kernel,
//   C[m][n] (+)= sum_k A[m, k] B[k][n],  scalars of A broadcast from memory, n in lanes.
// In the backward pass the sums of the scores start at -lse and those of dP = V dout^T at
// -D, D = <out, dout>, so that P = 2^sum and dS = P sum come straight out of the registers.

#if W == 16
enum { TILE_VECS = 5, QUERY_VECS = 4 };
#else
enum { TILE_VECS = 2, QUERY_VECS = 2 };
#endif
enum { QUERIES = QUERY_VECS * W }; // <= ATTN_QUERIES

#define LOG2E 1.44269504f

// Rows of a tile of nv vectors: full ones (24 sums for W = 16, 12 for W = 8), and those of the rest.
#define FULL(nv) (W == 8 ? 6 : (nv) <= 2 ? 12 : (nv) == 3 ? 8 : (nv) == 4 ? 6 : 5)
#define SOME(nv) ((nv) <= 2 && W == 16 ? 4 : 2)

// Call one tile after the other down M rows; `tile_call` uses m and rows.
#define DOWN(M, nv, tile_call)                       \
    do {                                             \
        int m = 0;                                   \
        for (; m + FULL(nv) <= (M); m += FULL(nv)) { \
            const int rows = FULL(nv);               \
            tile_call;                               \
        }                                            \
        for (; m + SOME(nv) <= (M); m += SOME(nv)) { \
            const int rows = SOME(nv);               \
            tile_call;                               \
        }                                            \
        for (; m < (M); m++) {                       \
            const int rows = 1;                      \
            tile_call;                               \
        }                                            \
    } while (0)

// acc[r][v] += sum_k A[r, k] B[k][v]
INLINE void multiply(vec acc[12][TILE_VECS], const float *A, size_t a_row, size_t a_k,
                     const float *B, size_t ldb, int rows, int nv, int K)
{
    for (int k = 0; k < K; k++) {
        vec b[TILE_VECS];
#pragma GCC unroll 8
        for (int v = 0; v < nv; v++) b[v] = load(B + k * ldb + v * W);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
            for (int v = 0; v < nv; v++) acc[r][v] += A[r * a_row + k * a_k] * b[v];
    }
}

INLINE void add_tile(float *C, size_t ldc, const float *A, size_t a_row, size_t a_k, const float *B,
                     size_t ldb, int rows, int nv, int K)
{
    vec acc[12][TILE_VECS];

#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < nv; v++) acc[r][v] = load(C + r * ldc + v * W);
    multiply(acc, A, a_row, a_k, B, ldb, rows, nv, K);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < nv; v++) store(C + r * ldc + v * W, acc[r][v]);
}

INLINE void add_columns(float *C, size_t ldc, const float *A, size_t a_row, size_t a_k,
                        const float *B, size_t ldb, int M, int nv, int K)
{
    DOWN(M, nv, add_tile(C + m * ldc, ldc, A + m * a_row, a_row, a_k, B, ldb, rows, nv, K));
}

// C[M][vecs W] += A[M, K] B[K][vecs W]
INLINE void add_product(float *C, size_t ldc, const float *A, size_t a_row, size_t a_k,
                        const float *B, size_t ldb, int M, int vecs, int K)
{
    while (vecs > 0) {
        int nv = vecs > TILE_VECS ? (W == 16 ? 4 : 2) : vecs;

        switch (nv) {
        case 1:
            add_columns(C, ldc, A, a_row, a_k, B, ldb, M, 1, K);
            break;
#if W == 16
        case 2:
            add_columns(C, ldc, A, a_row, a_k, B, ldb, M, 2, K);
            break;
        case 3:
            add_columns(C, ldc, A, a_row, a_k, B, ldb, M, 3, K);
            break;
        case 4:
            add_columns(C, ldc, A, a_row, a_k, B, ldb, M, 4, K);
            break;
#endif
        default:
            add_columns(C, ldc, A, a_row, a_k, B, ldb, M, TILE_VECS, K);
        }
        C += nv * W, B += nv * W, vecs -= nv;
    }
}

// Rows of keys (or of a table) from the queries' side: A[m, k] = A[k QUERIES + m].
static void add_by_query(float *C, int dp, const float *A, const float *B, int M, int K)
{
    add_product(C, (size_t)dp, A, 1, QUERIES, B, (size_t)dp, M, dp / W, K);
}

// The other way round: A[m, k] = A[m QUERIES + k].
static void add_by_key(float *C, int dp, const float *A, const float *B, int M, int K)
{
    add_product(C, (size_t)dp, A, QUERIES, 1, B, (size_t)dp, M, dp / W, K);
}

// to[c][q] = factor * from[q][c], zeros from query n on
static void across(float *to, const float *from, int n, int dp, float factor)
{
    for (int q = 0; q < n; q += W)
        for (int c = 0; c < dp; c += W) {
            float *block = to + (size_t)c * QUERIES + q;

            if (q + W <= n)
                transpose_block(block, QUERIES, from + (size_t)q * dp + c, dp, factor);
            else
                transpose_part(block, QUERIES, from + (size_t)q * dp + c, dp, n - q, W, factor);
        }
}

// --- relative positions ---------------------------------------------------------------------------

// Table rows that the block needs on one axis: [*lo, *lo + returned number).
static int rows_needed(int *lo, const int32_t *place, int n, int g)
{
    int low = place[0], high = place[0];

    for (int q = 1; q < n; q++) {
        low = place[q] < low ? place[q] : low;
        high = place[q] > high ? place[q] : high;
    }
    *lo = low;
    return high - low + g;
}

// Where query q finds the term of key place 0 in products with the table rows from lo on; those of
// place r lie r rows before it.
static void skew(int32_t *at, const int32_t *place, int n, int g, int lo)
{
    for (int q = 0; q < QUERIES; q++) at[q] = ((q < n ? place[q] : lo) + g - 1 - lo) * QUERIES + q;
}

// rel[r][q] = log2(e) <q, table[place(q) - r + g - 1]>; Q is scaled by scale log2(e) already.
static void positions(float *rel, attn_work *w, const float *table, const int32_t *place, int g)
{
    int lo, rows = rows_needed(&lo, place, w->n, g), nv = (w->n + W - 1) / W;
    int32_t at[QUERIES];
    float inverse = 1 / w->scale, *T = w->table_product;

    skew(at, place, w->n, g, lo);
    memset(T, 0, (size_t)rows * QUERIES * sizeof *T);
    add_product(T, QUERIES, table + (size_t)lo * w->dp, (size_t)w->dp, 1, w->Qt, QUERIES, rows, nv,
                w->dp);
    for (int r = 0; r < g; r++)
        for (int q = 0; q < nv * W; q++) rel[r * QUERIES + q] = inverse * T[at[q] - r * QUERIES];
}

// Adjoint of the above: from drel to dQ, and to the table's gradient if there is one.
static void positions_backward(float *dtable, attn_work *w, const float *drel, const float *table,
                               const int32_t *place, int g)
{
    int lo, rows = rows_needed(&lo, place, w->n, g);
    int32_t at[QUERIES];
    float *dT = w->table_product;

    skew(at, place, w->n, g, lo);
    memset(dT, 0, (size_t)rows * QUERIES * sizeof *dT);
    for (int r = 0; r < g; r++)
        for (int q = 0; q < w->n; q++) dT[at[q] - r * QUERIES] = drel[r * QUERIES + q];
    add_by_query(w->dQ, w->dp, dT, table + (size_t)lo * w->dp, w->n, rows);
    if (dtable) add_by_key(dtable + (size_t)lo * w->dp, w->dp, dT, w->Q, rows, w->n);
}

INLINE void fetch_ahead(attn_work *w)
{
    for (int i = 0; i < w->ahead_rate && w->ahead_done < w->ahead_count; i++) {
        const float *row = w->ahead[w->ahead_done++];

        for (int c = 0; c < w->d; c += 16) __builtin_prefetch(row + c, 0, 2);
    }
}

// --- tiles of scores ------------------------------------------------------------------------------

enum { SCORES, PROBABILITIES, SLOPES };

// Keys m.. of the block from k0. SCORES: S and its maxima. PROBABILITIES: P = 2^s into S. SLOPES:
// dS = P (<v, dout> - D), also summed over the keys of each grid row and column.
INLINE void score_tile(attn_work *w, int k0, int m, int rows, int nv, int kind)
{
    const float *start = kind == SLOPES ? w->minus_D : w->base;
    const float *A = (kind == SLOPES ? w->V : w->K) + (size_t)(k0 + m) * w->dp;
    bool placed = w->gh && kind != SLOPES;
    vec acc[12][TILE_VECS];

#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        const float *row = placed ? w->relh + w->y[k0 + m + r] * QUERIES : start;
        const float *col = placed ? w->relw + w->x[k0 + m + r] * QUERIES : NULL;
#pragma GCC unroll 8
        for (int v = 0; v < nv; v++) {
            acc[r][v] = load(row + v * W);
            if (placed) acc[r][v] += load(col + v * W);
        }
    }
    for (int c = 0; c < w->dp; c += ATTN_ROUND) {
        fetch_ahead(w);
        multiply(acc, A + c, (size_t)w->dp, 1,
                 (kind == SLOPES ? w->dOt : w->Qt) + (size_t)c * QUERIES, QUERIES, rows, nv,
                 ATTN_ROUND);
    }
#pragma GCC unroll 8
    for (int v = 0; v < nv; v++) {
        vec top = kind == SCORES ? load(w->top + v * W) : (vec){0};
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            float *s = w->S + (m + r) * QUERIES + v * W;

            if (kind == SCORES) top = max_of(top, acc[r][v]);
            if (kind == SCORES) store(s, acc[r][v]);
            if (kind == PROBABILITIES) store(s, exp2_of(acc[r][v]));
            if (kind == SLOPES) {
                acc[r][v] *= load(s);
                store(w->dS + (m + r) * QUERIES + v * W, acc[r][v]);
            }
        }
        if (kind == SCORES) store(w->top + v * W, top);
    }
    if (kind == SLOPES && w->gh) {
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            float *row = w->drelh + w->y[k0 + m + r] * QUERIES;
            float *col = w->drelw + w->x[k0 + m + r] * QUERIES;
#pragma GCC unroll 8
            for (int v = 0; v < nv; v++) {
                store(row + v * W, load(row + v * W) + acc[r][v]);
                store(col + v * W, load(col + v * W) + acc[r][v]);
            }
        }
    }
}

INLINE void score_block(attn_work *w, int k0, int keys, int kind)
{
    switch ((w->n + W - 1) / W) {
    case 1:
        DOWN(keys, 1, score_tile(w, k0, m, rows, 1, kind));
        break;
#if W == 16
    case 2:
        DOWN(keys, 2, score_tile(w, k0, m, rows, 2, kind));
        break;
    case 3:
        DOWN(keys, 3, score_tile(w, k0, m, rows, 3, kind));
        break;
#endif
    default:
        DOWN(keys, QUERY_VECS, score_tile(w, k0, m, rows, QUERY_VECS, kind));
    }
}

static void scores(attn_work *w, int k0, int keys)
{
    score_block(w, k0, keys, SCORES);
}

static void probabilities(attn_work *w, int k0, int keys)
{
    score_block(w, k0, keys, PROBABILITIES);
}

static void slopes(attn_work *w, int k0, int keys)
{
    score_block(w, k0, keys, SLOPES);
}

// --- blocks of queries ----------------------------------------------------------------------------

// Size of the key blocks: even, and whole tiles.
static int key_block(int nk)
{
    int blocks = (nk + ATTN_KEYS - 1) / ATTN_KEYS;

    return blocks <= 1 ? nk : ((nk + blocks - 1) / blocks + 11) / 12 * 12;
}

// S to probabilities against the new maxima; the sums so far and O follow where a maximum moved.
static void exponentials(attn_work *w, const float *old, int keys, bool first)
{
    int nv = (w->n + W - 1) / W;
    float moved[QUERIES];

    for (int v = 0; v < nv; v++) {
        vec top = load(w->top + v * W), factor = exp2_of(load(old + v * W) - top);
        vec sum = load(w->sum + v * W) * factor;

        store(moved + v * W, factor);
        for (int m = 0; m < keys; m++) {
            float *s = w->S + m * QUERIES + v * W;
            vec e = exp2_of(load(s) - top);

            sum += e;
            store(s, e);
        }
        store(w->sum + v * W, sum);
    }
    for (int q = 0; q < w->n && !first; q++)
        if (moved[q] != 1)
            for (int c = 0; c < w->dp; c += W)
                store(w->O + q * w->dp + c, load(w->O + q * w->dp + c) * moved[q]);
}

static void attn_forward(attn_work *w)
{
    int step = key_block(w->nk);

    across(w->Qt, w->Q, w->n, w->dp, w->scale * LOG2E);
    if (w->gh) {
        positions(w->relh, w, w->rel_h, w->qy, w->gh);
        positions(w->relw, w, w->rel_w, w->qx, w->gw);
    }
    for (int q = 0; q < QUERIES; q++) w->top[q] = -1e30f, w->sum[q] = w->base[q] = 0;
    memset(w->O, 0, (size_t)w->n * w->dp * sizeof *w->O);
    for (int k0 = 0; k0 < w->nk; k0 += step) {
        int keys = w->nk - k0 < step ? w->nk - k0 : step;
        float old[QUERIES];

        memcpy(old, w->top, sizeof old);
        scores(w, k0, keys);
        exponentials(w, old, keys, k0 == 0);
        add_by_query(w->O, w->dp, w->S, w->V + (size_t)k0 * w->dp, w->n, keys);
    }
    for (int q = 0; q < w->n; q++) {
        float inverse = 1 / w->sum[q];

        for (int c = 0; c < w->dp; c += W)
            store(w->O + q * w->dp + c, load(w->O + q * w->dp + c) * inverse);
        w->lse[q] = w->top[q] + log2f(w->sum[q]);
    }
}

static void attn_backward(attn_work *w)
{
    int step = key_block(w->nk), nv = (w->n + W - 1) / W;

    across(w->Qt, w->Q, w->n, w->dp, w->scale * LOG2E);
    across(w->dOt, w->dO, w->n, w->dp, 1);
    for (int q = 0; q < QUERIES; q++) w->base[q] = w->minus_D[q] = 0;
    for (int q = 0; q < w->n; q++) {
        vec sum = {0};
        float D = 0;

        for (int c = 0; c < w->dp; c += W)
            sum += load(w->O + q * w->dp + c) * load(w->dO + q * w->dp + c);
        for (int i = 0; i < W; i++) D += sum[i];
        w->minus_D[q] = -D;
        w->base[q] = -w->lse[q];
    }
    if (w->gh) {
        positions(w->relh, w, w->rel_h, w->qy, w->gh);
        positions(w->relw, w, w->rel_w, w->qx, w->gw);
        for (int r = 0; r < w->gh; r++)
            for (int q = 0; q < nv * W; q++) w->relh[r * QUERIES + q] += w->base[q];
        memset(w->drelh, 0, (size_t)w->gh * QUERIES * sizeof *w->drelh);
        memset(w->drelw, 0, (size_t)w->gw * QUERIES * sizeof *w->drelw);
    }
    memset(w->dQ, 0, (size_t)w->n * w->dp * sizeof *w->dQ);
    for (int k0 = 0; k0 < w->nk; k0 += step) {
        int keys = w->nk - k0 < step ? w->nk - k0 : step;
        size_t at = (size_t)k0 * w->dp;

        probabilities(w, k0, keys);
        slopes(w, k0, keys);
        add_by_key(w->dV + at, w->dp, w->S, w->dO, keys, w->n);
        add_by_key(w->dK + at, w->dp, w->dS, w->Q, keys, w->n);
        add_by_query(w->dQ, w->dp, w->dS, w->K + at, w->n, keys);
    }
    for (int i = 0; i < w->n * w->dp; i += W) store(w->dQ + i, load(w->dQ + i) * w->scale);
    if (w->gh) {
        positions_backward(w->drel_h, w, w->drelh, w->rel_h, w->qy, w->gh);
        positions_backward(w->drel_w, w, w->drelw, w->rel_w, w->qx, w->gw);
    }
}

// --- rows in and out ------------------------------------------------------------------------------

// to[i] = row i of a head, d floats and zeros up to dp: row rows[i] of `from` (NULL: first + i), or
// `pad` where that is negative.
static void attn_gather(float *to, const float *from, const float *pad, const int32_t *rows,
                        size_t first, int stride, int n, int d, int dp)
{
    for (int i = 0; i < n; i++, to += dp) {
        const float *row = from + (rows ? (size_t)rows[i] : first + i) * stride;
        int c = 0;

        if (rows && rows[i] < 0) row = pad;
        for (; c + W <= d; c += W) store(to + c, load(row + c));
        for (; c < d; c++) to[c] = row[c];
        for (; c < dp; c++) to[c] = 0;
    }
}

// The way back, times `factor`: rows are overwritten, what belongs to padding is added to pad_sum.
static void attn_scatter(float *to, float *pad_sum, const int32_t *rows, size_t first, int stride,
                         const float *from, int n, int d, int dp, float factor)
{
    for (int i = 0; i < n; i++, from += dp) {
        float *row = to + (rows ? (size_t)rows[i] : first + i) * stride;
        int c = 0;

        if (rows && rows[i] < 0) {
            for (; c < d; c++) pad_sum[c] += factor * from[c];
            continue;
        }
        for (; c + W <= d; c += W) store(row + c, load(from + c) * factor);
        for (; c < d; c++) row[c] = from[c] * factor;
    }
}
