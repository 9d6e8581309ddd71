// Naive double-precision layers: plain loops that judge every faster kernel.
#ifndef MG_TESTS_REF_H
#define MG_TESTS_REF_H

#include <stdbool.h>

// C[M, N] = op(A) op(B), doubles inside.
void ref_matmul(double *C, const float *A, bool ta, const float *B, bool tb, int M, int N, int K);

#endif
