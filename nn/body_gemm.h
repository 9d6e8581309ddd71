// Body of the products, compiled once per instruction set: C[m][n] = sum_k A[m][k] B[k][n] in tiles
// of GEMM_STRIP rows x NV vectors whose sums stay in registers. Scalars of A are broadcast from
// memory, rows of B come from packed panels. Each element is one chain of multiply-adds over k, so
// its bits depend on nothing but its own row, column and K.

#if W == 16
enum { NV = 4 };
#else
enum { NV = 2 };
#endif
enum { PANEL = NV * W };

// One panel of `cols` columns from B stored [N, K].
static void pack_transposed(float *to, const float *B, int ldb, int cols, int K)
{
    int width = (cols + W - 1) / W * W;

    for (int n = 0; n < cols; n += W) {
        int some = cols - n < W ? cols - n : W, k = 0;

        if (some == W)
            for (; k + W <= K; k += W)
                transpose_block(to + (size_t)k * width + n, width, B + (size_t)n * ldb + k, ldb, 1);
        if (k < K)
            transpose_part(to + (size_t)k * width + n, width, B + (size_t)n * ldb + k, ldb, some,
                           K - k, 1);
    }
}

static void gemm_pack_b(float *packed, const float *B, int ldb, bool tb, int N, int K)
{
    for (int n = 0; n < N; n += PANEL) {
        int cols = N - n < PANEL ? N - n : PANEL, width = (cols + W - 1) / W * W;
        float *to = packed + (size_t)n * K;

        if (tb) {
            pack_transposed(to, B + (size_t)n * ldb, ldb, cols, K);
            continue;
        }
        for (int k = 0; k < K; k++) {
            const float *row = B + (size_t)k * ldb + n;
            int c = 0;

            for (; c + W <= cols; c += W) store(to + (size_t)k * width + c, load(row + c));
            if (c < cols) store(to + (size_t)k * width + c, load_part(row + c, cols - c));
        }
    }
}

// Row by row of the stored matrix, so that each line is read once: its columns lie pages apart.
static void gemm_pack_a(float *packed, const float *A, int lda, int M, int K)
{
    int whole = M / GEMM_STRIP * GEMM_STRIP, rest = M - whole;

    for (int k = 0; k < K; k++) {
        const float *row = A + (size_t)k * lda;

        for (int m = 0; m < whole; m += GEMM_STRIP) // a copy of constant size is two moves
            memcpy(packed + (size_t)m * K + k * GEMM_STRIP, row + m, GEMM_STRIP * sizeof *row);
        if (rest)
            memcpy(packed + (size_t)whole * K + k * rest, row + whole, (size_t)rest * sizeof *row);
    }
}

// Result of one vector of row m, columns n.. of the block; `part` > 0: only so many columns.
INLINE void finish(const gemm_result *to, vec sum, int m, int n, int part)
{
    float *c = to->C + (size_t)m * to->ldc + n;
    vec x = to->alpha * sum;

    if (to->beta != 0) {
        const float *add = to->add + (size_t)m * to->ld_add + n;
        x += to->beta * (part ? load_part(add, part) : load(add));
    }
    if (to->bias) x += part ? load_part(to->bias + n, part) : load(to->bias + n);
    if (part)
        store_part(c, x, part);
    else
        store(c, x);
}

// One tile of the result.
typedef struct {
    const gemm_result *to;
    const float *A, *B; // its strip and its panel
    int lda;            // of a strip read in place
    int m, n, part, K;  // first row and column in the block; columns of the last vector, 0 for all
    const gemm_ahead *ahead;
    int number; // of the tile in the block
} gemm_tile;

// Fetch one row of what is packed next; `next` moves on.
INLINE void fetch_row(const float **next, int lda)
{
    for (int c = 0; c < GEMM_ROWS; c += 16) __builtin_prefetch(*next + c, 0, 2);
    __builtin_prefetch(*next + GEMM_ROWS - 1, 0, 2);
    *next += lda;
}

// sum[r][v] over k0 <= k < k1. Packed strips leave room for fetching the panel ahead; where A is read
// in place its own misses need it.
INLINE void accumulate(vec sum[GEMM_STRIP][NV], const gemm_tile *t, int rows, int nv, bool packed,
                       int k0, int k1)
{
    size_t a_row = packed ? 1 : (size_t)t->lda, a_k = packed ? (size_t)rows : 1;

    for (int k = k0; k < k1; k++) {
        const float *row = t->B + (size_t)k * nv * W;
        vec b[NV];
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) b[v] = load(row + v * W);
#pragma GCC unroll 4
        for (int v = 0; v < nv && packed; v++) __builtin_prefetch(row + (8 * nv + v) * W, 0, 3);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < nv; v++) sum[r][v] += t->A[r * a_row + k * a_k] * b[v];
    }
}

INLINE void tile(const gemm_tile *t, int rows, int nv, bool packed)
{
    const gemm_result *to = t->to;
    vec sum[GEMM_STRIP][NV];

#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) {
            sum[r][v] = (vec){0};
            if (to->beta != 0)
                __builtin_prefetch(to->add + (size_t)(t->m + r) * to->ld_add + t->n + v * W, 1);
        }
    if (packed && t->ahead) {
        int chunk = t->ahead->tiles;
        const float *next = t->ahead->A + (size_t)t->number * (t->K / chunk) * t->ahead->lda;

        for (int k = 0; k < t->K; k += chunk) {
            fetch_row(&next, t->ahead->lda);
            accumulate(sum, t, rows, nv, packed, k, k + chunk < t->K ? k + chunk : t->K);
        }
    } else {
        accumulate(sum, t, rows, nv, packed, 0, t->K);
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++)
            finish(to, sum[r][v], t->m + r, t->n + v * W, v == nv - 1 ? t->part : 0);
}

// Each size is a function of its own: in one large function the compiler runs out of registers.
#define TILE(rows, nv)                                                              \
    static __attribute__((noinline)) void natural_##rows##_##nv(const gemm_tile *t) \
    {                                                                               \
        tile(t, rows, nv, false);                                                   \
    }                                                                               \
    static __attribute__((noinline)) void packed_##rows##_##nv(const gemm_tile *t)  \
    {                                                                               \
        tile(t, rows, nv, true);                                                    \
    }
#define STRIP(nv) TILE(1, nv) TILE(2, nv) TILE(3, nv) TILE(4, nv) TILE(5, nv) TILE(6, nv)
#define NAMES(kind, nv)                                                                          \
    {                                                                                            \
        kind##_1_##nv, kind##_2_##nv, kind##_3_##nv, kind##_4_##nv, kind##_5_##nv, kind##_6_##nv \
    }

// clang-format off
STRIP(1)
STRIP(2)
#if W == 16
STRIP(3)
STRIP(4)
#endif
// clang-format on

static void (*const tiles[2][NV][GEMM_STRIP])(const gemm_tile *t) = {
#if W == 16
    {NAMES(natural, 1), NAMES(natural, 2), NAMES(natural, 3), NAMES(natural, 4)},
    {NAMES(packed, 1), NAMES(packed, 2), NAMES(packed, 3), NAMES(packed, 4)},
#else
    {NAMES(natural, 1), NAMES(natural, 2)},
    {NAMES(packed, 1), NAMES(packed, 2)},
#endif
};

static void gemm_block(const gemm_result *to, const float *A, int lda, const float *packed_b, int M,
                       int N, int K, const gemm_ahead *ahead)
{
    gemm_tile t = {.to = to, .lda = lda, .K = K, .ahead = ahead};

    for (t.m = 0; t.m < M; t.m += GEMM_STRIP) {
        int rows = M - t.m < GEMM_STRIP ? M - t.m : GEMM_STRIP;

        t.A = A + (size_t)t.m * (lda ? lda : K);
        for (t.n = 0; t.n < N; t.n += PANEL, t.number++) {
            int cols = N - t.n < PANEL ? N - t.n : PANEL, nv = (cols + W - 1) / W;

            t.B = packed_b + (size_t)t.n * K;
            t.part = cols % W;
            tiles[lda ? 0 : 1][nv - 1][rows - 1](&t);
        }
    }
}

// The ceiling of everything above: as many sums as a tile has, and no memory.
enum { PEAK_SUMS = GEMM_STRIP * NV };

static float multiply_adds(long rounds)
{
    vec sum[PEAK_SUMS], x = splat(0.999f), y = splat(0.001f), total = {0};

#pragma GCC unroll 32
    for (int i = 0; i < PEAK_SUMS; i++) sum[i] = splat((float)i);
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 32
        for (int i = 0; i < PEAK_SUMS; i++) sum[i] = sum[i] * x + y;
#pragma GCC unroll 32
    for (int i = 0; i < PEAK_SUMS; i++) total += sum[i];
    return total[0];
}
