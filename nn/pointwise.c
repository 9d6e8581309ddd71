// Elementwise maps: GELU, ReLU, additions.
//   GELU(x) = x Phi(x),  GELU'(x) = Phi(x) + x phi(x),  Phi and phi of the standard normal
#include "nn/nn.h"

#include <math.h>

enum { SMALL = 16384 }; // fewer elements than this stay in one thread

void mg_gelu_forward(float *out, const float *inp, size_t n)
{
#pragma omp parallel for schedule(static) if (n > SMALL)
    for (size_t i = 0; i < n; i++) out[i] = 0.5f * inp[i] * (1 + erff(inp[i] * 0.70710678f));
}

void mg_gelu_backward(float *dinp, const float *dout, const float *inp, size_t n)
{
#pragma omp parallel for schedule(static) if (n > SMALL)
    for (size_t i = 0; i < n; i++) {
        float x = inp[i];
        float phi = 0.39894228f * expf(-0.5f * x * x);

        dinp[i] = dout[i] * (0.5f * (1 + erff(x * 0.70710678f)) + x * phi);
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
