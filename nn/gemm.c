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

typedef struct {
    const float *A, *B;
    int lda, ldb;
    bool ta, tb;
    int M, N, K;
} product;

void mg_gemm_init(void)
{
    openblas_set_num_threads(1);
}

const char *mg_gemm_library(void)
{
    static char text[256]; // written with the same words by whoever comes first

    snprintf(text, sizeof text, "medgraft %s kernels; %s", mg_kernels_get()->name,
             openblas_get_config());
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
static void part(const mg_kernels *kern, const gemm_result *to, const product *x, int m0, int m1,
                 int n0, int n1)
{
    float packed_b[GEMM_BLOCK] __attribute__((aligned(64)));
    int deepest = x->ta ? GEMM_DEPTH_TA : GEMM_DEPTH, width = GEMM_BLOCK / deepest;
    int blocks = x->K > 0 ? ceil_div(x->K, deepest) : 1;

    for (int n = n0; n < n1; n += width)
        for (int b = 0; b < blocks; b++) {
            int k = (int)((long)x->K * b / blocks),
                depth = (int)((long)x->K * (b + 1) / blocks) - k;
            int cols = min_int(n1 - n, width);
            gemm_result r = *to;

            r.C += (size_t)m0 * to->ldc + n;
            if (b > 0) r.add = to->C, r.ld_add = to->ldc, r.beta = 1, r.bias = NULL;
            if (r.add) r.add += (size_t)m0 * r.ld_add + n;
            if (r.bias) r.bias += n;
            kern->gemm_pack_b(packed_b,
                              x->B + (x->tb ? (size_t)n * x->ldb + k : (size_t)k * x->ldb + n),
                              x->ldb, x->tb, cols, depth);
            if (x->ta)
                block_transposed(kern, r, x->A + (size_t)k * x->lda + m0, x->lda, packed_b, m1 - m0,
                                 cols, depth);
            else
                kern->gemm_block(&r, x->A + (size_t)m0 * x->lda + k, x->lda, packed_b, m1 - m0,
                                 cols, depth, NULL);
        }
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

// The product on all threads.
static void run(const gemm_result *to, const product *x)
{
    const mg_kernels *kern = mg_kernels_get();
    int threads = omp_in_parallel() ? 1 : omp_get_max_threads();

    if (x->M <= 0 || x->N <= 0) return;
    if (threads == 1 || (double)x->M * x->N * x->K < MIN_WORK) {
        part(kern, to, x, 0, x->M, 0, x->N);
        return;
    }
    int strips = ceil_div(x->M, GEMM_STRIP), panels = ceil_div(x->N, kern->panel);
    int across = column_groups(threads, strips, panels), down = threads / across;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        int i = t / across, j = t % across;
        int m0 = (int)((long)strips * i / down) * GEMM_STRIP;
        int m1 = min_int((int)((long)strips * (i + 1) / down) * GEMM_STRIP, x->M);
        int n0 = (int)((long)panels * j / across) * kern->panel;
        int n1 = min_int((int)((long)panels * (j + 1) / across) * kern->panel, x->N);

        if (m0 < m1 && n0 < n1) part(kern, to, x, m0, m1, n0, n1);
    }
}

void mg_gemm(float *C, int ldc, const float *A, int lda, bool ta, const float *B, int ldb, bool tb,
             int M, int N, int K, float alpha, float beta)
{
    run(&(gemm_result){C, ldc, alpha, beta, C, ldc, NULL},
        &(product){A, B, lda, ldb, ta, tb, M, N, K});
}

void mg_gemm_affine(float *C, int ldc, const float *A, int lda, const float *B, int ldb, bool tb,
                    int M, int N, int K, const float *bias, const float *add, int ld_add)
{
    run(&(gemm_result){C, ldc, 1, add ? 1 : 0, add, ld_add, bias},
        &(product){A, B, lda, ldb, false, tb, M, N, K});
}

double mg_gemm_multiply_adds(long rounds)
{
    volatile float sum = mg_kernels_get()->multiply_adds(rounds);

    (void)sum;
    return mg_kernels_get()->round_flops;
}
