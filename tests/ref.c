// Naive double-precision layers.
#include "tests/ref.h"

#include <stddef.h>

void ref_matmul(double *C, const float *A, bool ta, const float *B, bool tb, int M, int N, int K)
{
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++) {
            double sum = 0;
            for (int k = 0; k < K; k++)
                sum += (double)A[ta ? (size_t)k * M + m : (size_t)m * K + k] *
                       B[tb ? (size_t)n * K + k : (size_t)k * N + n];
            C[(size_t)m * N + n] = sum;
        }
}
