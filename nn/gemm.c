// Matrix products: C = alpha op(A) op(B) + beta C, row-major, in blocks over the kernels of
// nn/body_gemm.h. Op(B) is packed into panels that stay in the second-level cache, a block of K at a
// time; A is read where it lies unless it is transposed. K is cut in the same places for any M and
// N and columns only between panels, so the bits of an element depend on its row of op(A), its
// column of op(B) and K alone, not on threads or the number of rows.
// The OpenBLAS product stands beside it: the yardstick of `medgraft bench`.
#include "nn/gemm.h"

#include <cblas.h>
#include <omp.h>
#include <stddef.h>
#include <stdio.h>

#include "nn/kernels.h"

enum { MIN_WORK = 1 << 17 }; // multiply-adds below which one thread is faster

void mg_gemm_init(void)
{
    openblas_set_num_threads(1);
}

const char *mg_gemm_library(void)
{
    static char text[256]; // written with the same words by whoever comes first

    const char *bf16 = mg_gemm_bf16();
    snprintf(text, sizeof text, "medgraft %s kernels, bf16 %s; %s", mg_kernels_get()->name,
             bf16 ? bf16 : "none", openblas_get_config());
    return text;
}

void mg_gemm_blas(float *C, int ldc, const float *A, int lda, bool ta, const float *B, int ldb,
                  bool tb, int M, int N, int K, float alpha, float beta)
{
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, M, N,
                K, alpha, A, lda, B, ldb, beta, C, ldc);
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

// Rows m.. of a block whose B is packed: A is [K, M] here, so its rows are packed too.
static void block_transposed(const mg_kernels *kern, gemm_result to, const float *A, int lda,
                             const float *packed_b, int M, int N, int K)
{
    float packed_a[GEMM_ROWS * GEMM_DEPTH_TA] __attribute__((aligned(64)));

    for (int m = 0; m < M; m += GEMM_ROWS) {
        int rows = min_int(M - m, GEMM_ROWS);
        gemm_result part = to;

        part.C += (size_t)m * to.ldc;
        if (to.add) part.add += (size_t)m * to.ld_add;
        gemm_ahead ahead = {A + m + rows, lda,
                            ceil_div(rows, GEMM_STRIP) * ceil_div(N, kern->panel)};

        kern->gemm_pack_a(packed_a, A + m, lda, rows, K);
        kern->gemm_block(&part, packed_a, 0, packed_b, rows, N, K,
                         m + 2 * GEMM_ROWS <= M ? &ahead : NULL);
    }
}

// Rows [m0, m1) and columns [n0, n1) of the product, one thread.
typedef void gemm_part(const gemm_result *to, const gemm_product *x, int m0, int m1, int n0,
                       int n1);

// Where block b of `blocks` of K begins.
static int cut(int K, int b, int blocks)
{
    return (int)((long)K * b / blocks);
}

// Where a block of rows m0 .. and columns n .. goes; all but the first of K are added.
static gemm_result block_result(const gemm_result *to, int m0, int n, bool first)
{
    gemm_result r = *to;

    r.C += (size_t)m0 * to->ldc + n;
    if (!first) r.add = to->C, r.ld_add = to->ldc, r.beta = 1, r.bias = NULL;
    if (r.add) r.add += (size_t)m0 * r.ld_add + n;
    if (r.bias) r.bias += n;
    return r;
}

static const float *block_of_b(const gemm_product *x, int k, int n)
{
    return x->B + (x->tb ? (size_t)n * x->ldb + k : (size_t)k * x->ldb + n);
}

static const float *block_of_a(const gemm_product *x, int m, int k)
{
    return x->A + (x->ta ? (size_t)k * x->lda + m : (size_t)m * x->lda + k);
}

static void part_float32(const gemm_result *to, const gemm_product *x, int m0, int m1, int n0,
                         int n1)
{
    const mg_kernels *kern = mg_kernels_get();
    float packed_b[GEMM_BLOCK] __attribute__((aligned(64)));
    int deepest = x->ta ? GEMM_DEPTH_TA : GEMM_DEPTH, width = GEMM_BLOCK / deepest;
    int blocks = x->K > 0 ? ceil_div(x->K, deepest) : 1;

    for (int n = n0; n < n1; n += width)
        for (int b = 0; b < blocks; b++) {
            int k = cut(x->K, b, blocks), depth = cut(x->K, b + 1, blocks) - k;
            int cols = min_int(n1 - n, width);
            gemm_result r = block_result(to, m0, n, b == 0);
            const float *A = block_of_a(x, m0, k);

            kern->gemm_pack_b(packed_b, block_of_b(x, k, n), x->ldb, x->tb, cols, depth);
            if (x->ta)
                block_transposed(kern, r, A, x->lda, packed_b, m1 - m0, cols, depth);
            else
                kern->gemm_block(&r, A, x->lda, packed_b, m1 - m0, cols, depth, NULL);
        }
}

// K is cut at multiples of 32, so that only its last tile holds zeros.
static void part_bf16(const gemm_result *to, const gemm_product *x, int m0, int m1, int n0, int n1)
{
    enum { UNIT = 2 * BF16_TILE };
    const mg_bf16_kernels *kern = mg_bf16_kernels_get();
    uint32_t b_tiles[BF16_BLOCK / 2] __attribute__((aligned(64)));
    uint32_t a_tiles[BF16_ROWS * BF16_DEPTH / 2] __attribute__((aligned(64)));
    int units = ceil_div(x->K, UNIT), blocks = x->K > 0 ? ceil_div(x->K, BF16_DEPTH) : 1;
    int deepest = UNIT * ceil_div(units, blocks), width = UNIT;

    if (deepest > 0) width = BF16_BLOCK / deepest / UNIT * UNIT;
    kern->begin();
    for (int n = n0; n < n1; n += width)
        for (int b = 0; b < blocks; b++) {
            int k = UNIT * cut(units, b, blocks);
            int depth = min_int(UNIT * cut(units, b + 1, blocks), x->K) - k;
            int cols = min_int(n1 - n, width);

            kern->pack_b(b_tiles, block_of_b(x, k, n), x->ldb, x->tb, cols, depth);
            for (int m = m0; m < m1; m += BF16_ROWS) {
                int rows = min_int(m1 - m, BF16_ROWS);
                gemm_result r = block_result(to, m, n, b == 0);

                kern->pack_a(a_tiles, block_of_a(x, m, k), x->lda, x->ta, rows, depth);
                kern->block(&r, a_tiles, b_tiles, rows, cols, depth);
            }
        }
    kern->end();
}

// Into how many groups of columns the work of `threads` threads is best cut (rows take the rest):
// the longest part decides, and packing a panel costs about as much as two strips.
static int column_groups(int threads, int strips, int panels)
{
    int best = 1;
    double least = 0;

    for (int groups = 1; groups <= threads; groups++) {
        if (threads % groups) continue;
        double cost = ceil_div(panels, groups) * (double)(ceil_div(strips, threads / groups) + 2);
        if (groups == 1 || cost < least) best = groups, least = cost;
    }
    return best;
}

// The product on all threads, cut between strips of rows and panels of columns.
static void run(const gemm_result *to, const gemm_product *x, gemm_part *part, int strip, int panel)
{
    int threads = omp_in_parallel() ? 1 : omp_get_max_threads();

    if (x->M <= 0 || x->N <= 0) return;
    if (threads == 1 || (double)x->M * x->N * x->K < MIN_WORK) {
        part(to, x, 0, x->M, 0, x->N);
        return;
    }
    int strips = ceil_div(x->M, strip), panels = ceil_div(x->N, panel);
    int across = column_groups(threads, strips, panels), down = threads / across;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        int i = t / across, j = t % across;
        int m0 = (int)((long)strips * i / down) * strip;
        int m1 = min_int((int)((long)strips * (i + 1) / down) * strip, x->M);
        int n0 = (int)((long)panels * j / across) * panel;
        int n1 = min_int((int)((long)panels * (j + 1) / across) * panel, x->N);

        if (m0 < m1 && n0 < n1) part(to, x, m0, m1, n0, n1);
    }
}

static void multiply(const gemm_result *to, const gemm_product *x, mg_precision precision)
{
    if (precision == MG_BFLOAT16)
        run(to, x, part_bf16, BF16_ROWS, 2 * BF16_TILE);
    else
        run(to, x, part_float32, GEMM_STRIP, mg_kernels_get()->panel);
}

const char *mg_gemm_bf16(void)
{
    const mg_bf16_kernels *kern = mg_bf16_kernels_get();
    return kern ? kern->name : NULL;
}

void mg_gemm_as(mg_precision precision, float *C, int ldc, const float *A, int lda, bool ta,
                const float *B, int ldb, bool tb, int M, int N, int K, float alpha, float beta)
{
    multiply(&(gemm_result){C, ldc, alpha, beta, C, ldc, NULL},
             &(gemm_product){A, B, lda, ldb, ta, tb, M, N, K}, precision);
}

void mg_gemm(float *C, int ldc, const float *A, int lda, bool ta, const float *B, int ldb, bool tb,
             int M, int N, int K, float alpha, float beta)
{
    mg_gemm_as(MG_FLOAT32, C, ldc, A, lda, ta, B, ldb, tb, M, N, K, alpha, beta);
}

void mg_gemm_affine(mg_precision precision, float *C, int ldc, const float *A, int lda,
                    const float *B, int ldb, bool tb, int M, int N, int K, const float *bias,
                    const float *add, int ld_add)
{
    multiply(&(gemm_result){C, ldc, 1, add ? 1 : 0, add, ld_add, bias},
             &(gemm_product){A, B, lda, ldb, false, tb, M, N, K}, precision);
}

double mg_gemm_multiply_adds(long rounds)
{
    volatile float sum = mg_kernels_get()->multiply_adds(rounds);

    (void)sum;
    return mg_kernels_get()->round_flops;
}
