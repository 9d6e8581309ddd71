// Matrix products over OpenBLAS: C = alpha op(A) op(B) + beta C, row-major.
// Work is cut into bands of rows (of columns where rows are few), one single-threaded BLAS call
// each: the library's own threads do worse (docs/performance.md). BLAS sums each element of C over
// K in an order that depends on K alone, so bands do not change bits; tests/test_gemm.c proves it.
#include "nn/gemm.h"

#include <cblas.h>
#include <omp.h>
#include <stddef.h>

enum {
    MIN_WORK = 1 << 18, // multiply-adds below which one thread is faster
    BAND = 16,          // bands are multiples of this
};

void mg_gemm_init(void)
{
    openblas_set_num_threads(1);
}

const char *mg_gemm_library(void)
{
    return openblas_get_config();
}

static void gemm_alone(float *C, int ldc, const float *A, int lda, bool ta, const float *B, int ldb,
                       bool tb, int M, int N, int K, float alpha, float beta)
{
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, M, N,
                K, alpha, A, lda, B, ldb, beta, C, ldc);
}

// Start of band t of n over `total`, a multiple of BAND.
static int band_start(int total, int t, int n)
{
    int blocks = (total + BAND - 1) / BAND;
    int start = (int)((long)blocks * t / n) * BAND;

    return start < total ? start : total;
}

void mg_gemm(float *C, int ldc, const float *A, int lda, bool ta, const float *B, int ldb, bool tb,
             int M, int N, int K, float alpha, float beta)
{
    int threads = omp_in_parallel() ? 1 : omp_get_max_threads();

    if (M <= 0 || N <= 0) return;
    if (threads == 1 || (double)M * N * K < MIN_WORK) {
        gemm_alone(C, ldc, A, lda, ta, B, ldb, tb, M, N, K, alpha, beta);
        return;
    }
    bool by_rows = M >= N || M >= 4 * BAND * threads;
#pragma omp parallel num_threads(threads)
    {
        int n = omp_get_num_threads(), t = omp_get_thread_num();
        int lo = band_start(by_rows ? M : N, t, n), hi = band_start(by_rows ? M : N, t + 1, n);

        if (lo < hi && by_rows)
            gemm_alone(C + (size_t)lo * ldc, ldc, A + (ta ? (size_t)lo : (size_t)lo * lda), lda, ta,
                       B, ldb, tb, hi - lo, N, K, alpha, beta);
        else if (lo < hi)
            gemm_alone(C + lo, ldc, A, lda, ta, B + (tb ? (size_t)lo * ldb : (size_t)lo), ldb, tb,
                       M, hi - lo, K, alpha, beta);
    }
}
