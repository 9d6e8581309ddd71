// Elementwise maps: GELU, ReLU, additions.
//   GELU(x) = x Phi(x),  GELU'(x) = Phi(x) + x phi(x),  Phi and phi of the standard normal
#include "nn/nn.h"

#include <omp.h>

#include "nn/kernels.h"

enum { SMALL = 16384 }; // fewer elements than this stay in one thread

// Piece `t` of `pieces` of n elements, cut at multiples of 64.
static size_t cut(size_t n, int t, int pieces)
{
    return t == pieces ? n : n / 64 * (size_t)t / (size_t)pieces * 64;
}

void mg_gelu_forward(float *out, const float *inp, size_t n)
{
    const mg_kernels *kern = mg_kernels_get();

#pragma omp parallel if (n > SMALL)
    {
        int t = omp_get_thread_num(), pieces = omp_get_num_threads();
        size_t lo = cut(n, t, pieces), hi = cut(n, t + 1, pieces);
        kern->gelu_forward(out + lo, inp + lo, hi - lo);
    }
}

void mg_gelu_backward(float *dinp, const float *dout, const float *inp, size_t n)
{
    const mg_kernels *kern = mg_kernels_get();

#pragma omp parallel if (n > SMALL)
    {
        int t = omp_get_thread_num(), pieces = omp_get_num_threads();
        size_t lo = cut(n, t, pieces), hi = cut(n, t + 1, pieces);
        kern->gelu_backward(dinp + lo, dout + lo, inp + lo, hi - lo);
    }
}

void mg_relu_forward(float *out, const float *inp, size_t n)
{
#pragma omp parallel for simd schedule(static) if (parallel : n > SMALL)
    for (size_t i = 0; i < n; i++) out[i] = inp[i] > 0 ? inp[i] : 0;
}

void mg_relu_backward(float *dinp, const float *dout, const float *out, size_t n)
{
#pragma omp parallel for simd schedule(static) if (parallel : n > SMALL)
    for (size_t i = 0; i < n; i++) dinp[i] = out[i] > 0 ? dout[i] : 0;
}

void mg_add(float *out, const float *a, const float *b, size_t n)
{
#pragma omp parallel for simd schedule(static) if (parallel : n > SMALL)
    for (size_t i = 0; i < n; i++) out[i] = a[i] + b[i];
}

void mg_add_scaled(float *out, const float *a, float scale, size_t n)
{
#pragma omp parallel for simd schedule(static) if (parallel : n > SMALL)
    for (size_t i = 0; i < n; i++) out[i] += scale * a[i];
}

void mg_add_rows(float *out, const float *row_table, int B, int rows, int cols)
{
    size_t n = (size_t)rows * cols;

#pragma omp parallel for schedule(static) if (B * n > SMALL)
    for (int b = 0; b < B; b++)
        for (size_t i = 0; i < n; i++) out[b * n + i] += row_table[i];
}

void mg_add_rows_backward(float *dtable, const float *dout, int B, int rows, int cols)
{
    size_t n = (size_t)rows * cols;

#pragma omp parallel for schedule(static) if (B * n > SMALL)
    for (int r = 0; r < rows; r++)
        for (int b = 0; b < B; b++) {
            float *to = dtable + (size_t)r * cols;
            const float *from = dout + b * n + (size_t)r * cols;

            for (int c = 0; c < cols; c++) to[c] += from[c];
        }
}
