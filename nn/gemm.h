// Matrix products, row-major. The one file that uses BLAS.
// Work is split over OpenMP threads by rows (or columns where there are few rows), each band one
// single-threaded BLAS call; inside a parallel region the calling thread does it alone.
// Bits of a row do not depend on how many rows are multiplied (tests/test_gemm.c keeps proving it),
// nor on the number of threads when bands are cut along rows.
#ifndef MG_NN_GEMM_H
#define MG_NN_GEMM_H

#include <stdbool.h>

// Tell BLAS to use one thread per call (design.md section 6). Called once at start by the program
// and by each test.
void mg_gemm_init(void);

// Name of the library and the kernel it chose, for provenance and doctor. Static.
const char *mg_gemm_library(void);

// C[M, N] = alpha op(A)[M, K] op(B)[K, N] + beta C. `ta`: A is stored [K, M]; `tb`: B is [N, K].
// Leading dimensions in floats.
void mg_gemm(float *C, int ldc, const float *A, int lda, bool ta, const float *B, int ldb, bool tb,
             int M, int N, int K, float alpha, float beta);

#endif
