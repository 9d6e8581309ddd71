// Matrix products, row-major, over our own kernels; OpenBLAS stands beside them as the yardstick of
// `medgraft bench` (docs/performance.md). The one file that uses BLAS.
// Work is split over OpenMP threads; inside a parallel region the calling thread does it alone.
// The bits of an element depend on its row of op(A), its column of op(B) and K (and N's cut into
// panels) alone: not on how many rows are multiplied, nor on the number of threads
// (tests/test_gemm.c proves it).
#ifndef MG_NN_GEMM_H
#define MG_NN_GEMM_H

#include <stdbool.h>

#include "nn/nn.h"

// The kernels for MG_BFLOAT16 on this processor ("amx", "avx512_bf16"); NULL: it has none.
const char *mg_gemm_bf16(void);

// Tell BLAS to use one thread per call. Called once at start by the program.
void mg_gemm_init(void);

// Our kernel version and the BLAS library with its own, for provenance and doctor. Static.
const char *mg_gemm_library(void);

// C[M, N] = alpha op(A)[M, K] op(B)[K, N] + beta C. `ta`: A is stored [K, M]; `tb`: B is [N, K].
// Leading dimensions in floats.
void mg_gemm(float *C, int ldc, const float *A, int lda, bool ta, const float *B, int ldb, bool tb,
             int M, int N, int K, float alpha, float beta);
// The same in a precision that the processor has.
void mg_gemm_as(mg_precision precision, float *C, int ldc, const float *A, int lda, bool ta,
                const float *B, int ldb, bool tb, int M, int N, int K, float alpha, float beta);

// C[M, N] = A[M, K] op(B) + add + bias, in one pass over C.
//   bias [N] or NULL   add [M, N] with leading dimension ld_add, or NULL; may be C
void mg_gemm_affine(mg_precision precision, float *C, int ldc, const float *A, int lda,
                    const float *B, int ldb, bool tb, int M, int N, int K, const float *bias,
                    const float *add, int ld_add);

// The product by BLAS, on the calling thread.
void mg_gemm_blas(float *C, int ldc, const float *A, int lda, bool ta, const float *B, int ldb,
                  bool tb, int M, int N, int K, float alpha, float beta);

// For measuring: `rounds` of multiply-adds that never leave the registers, on the calling thread.
// Returns the number of floating-point operations of one round.
double mg_gemm_multiply_adds(long rounds);

#endif
