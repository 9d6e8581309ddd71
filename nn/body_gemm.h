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

// One tile: `rows` x `nv` vectors from row m, column n of the block.
INLINE void tile(const gemm_result *to, const float *A, size_t a_row, size_t a_k, const float *B,
                 int rows, int nv, int m, int n, int part, int K, const gemm_ahead *ahead,
                 int number)
{
    vec acc[GEMM_STRIP][NV];
    int chunk = ahead ? ahead->tiles : K;
    const float *next = ahead ? ahead->A + (size_t)number * (K / chunk) * ahead->lda : NULL;

    if (to->beta != 0)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < nv; v++)
                __builtin_prefetch(to->add + (size_t)(m + r) * to->ld_add + n + v * W, 1);

#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) acc[r][v] = (vec){0};
    for (int k0 = 0; k0 < K; k0 += chunk) {
        int k1 = k0 + chunk < K ? k0 + chunk : K;
        if (next) {
            __builtin_prefetch(next, 0, 2);
            __builtin_prefetch(next + 16, 0, 2);
            __builtin_prefetch(next + 32, 0, 2);
            __builtin_prefetch(next + 47, 0, 2);
            next += ahead->lda;
        }
        for (int k = k0; k < k1; k++) {
            vec b[NV];
#pragma GCC unroll 4
            for (int v = 0; v < nv; v++) b[v] = load(B + (size_t)k * nv * W + v * W);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int v = 0; v < nv; v++) acc[r][v] += A[r * a_row + k * a_k] * b[v];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++)
            finish(to, acc[r][v], m + r, n + v * W, v == nv - 1 ? part : 0);
}

// A tile of fewer rows: the last strip.
#define TILE(rows, nv) tile(to, A, a_row, a_k, B, rows, nv, m, n, part, K, ahead, number)
INLINE void tile_rows(const gemm_result *to, const float *A, size_t a_row, size_t a_k,
                      const float *B, int rows, int nv, int m, int n, int part, int K,
                      const gemm_ahead *ahead, int number)
{
    switch (rows) {
    case 1:
        TILE(1, nv);
        break;
    case 2:
        TILE(2, nv);
        break;
    case 3:
        TILE(3, nv);
        break;
    case 4:
        TILE(4, nv);
        break;
    case 5:
        TILE(5, nv);
        break;
    default:
        TILE(6, nv);
    }
}

static void gemm_block(const gemm_result *to, const float *A, int lda, const float *packed_b, int M,
                       int N, int K, const gemm_ahead *ahead)
{
    int number = 0;

    for (int m0 = 0; m0 < M; m0 += GEMM_STRIP) {
        int m = m0, rows = M - m < GEMM_STRIP ? M - m : GEMM_STRIP;
        size_t a_row = lda ? (size_t)lda : 1, a_k = lda ? 1 : (size_t)rows;
        const float *strip = A + (size_t)m * (lda ? lda : K);

        for (int n = 0; n < N; n += PANEL, number++) {
            int cols = N - n < PANEL ? N - n : PANEL, part = cols % W;
            const float *B = packed_b + (size_t)n * K;

            switch ((cols + W - 1) / W) {
            case 1:
                tile_rows(to, strip, a_row, a_k, B, rows, 1, m, n, part, K, ahead, number);
                break;
#if W == 16
            case 2:
                tile_rows(to, strip, a_row, a_k, B, rows, 2, m, n, part, K, ahead, number);
                break;
            case 3:
                tile_rows(to, strip, a_row, a_k, B, rows, 3, m, n, part, K, ahead, number);
                break;
#endif
            default:
                tile_rows(to, strip, a_row, a_k, B, rows, NV, m, n, part, K, ahead, number);
            }
        }
    }
}
#undef TILE

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
