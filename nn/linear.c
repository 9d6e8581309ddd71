// Affine map: out = inp W^T + bias, W [out_dim, in_dim], and its gradients
//   dinp = dout W,  dW += dout^T inp,  dbias += column sums of dout.
// The bias (and the residual) is written into `out` first and the product added onto it, so that it
// costs no pass of its own.
#include "nn/nn.h"

#include <string.h>

#include "nn/gemm.h"

void mg_linear_forward(float *out, const float *inp, const float *weight, const float *bias,
                       int rows, int in_dim, int out_dim)
{
    if (bias) {
#pragma omp parallel for schedule(static) if ((size_t)rows * out_dim > 16384)
        for (int r = 0; r < rows; r++)
            memcpy(out + (size_t)r * out_dim, bias, (size_t)out_dim * sizeof *out);
    }
    mg_gemm(out, out_dim, inp, in_dim, false, weight, in_dim, true, rows, out_dim, in_dim, 1,
            bias ? 1 : 0);
}

void mg_linear_residual_forward(float *out, const float *res, const float *inp, const float *weight,
                                const float *bias, int rows, int in_dim, int out_dim)
{
#pragma omp parallel for schedule(static) if ((size_t)rows * out_dim > 16384)
    for (int r = 0; r < rows; r++) {
        float *o = out + (size_t)r * out_dim;
        const float *x = res + (size_t)r * out_dim;

        for (int c = 0; c < out_dim; c++) o[c] = x[c] + (bias ? bias[c] : 0);
    }
    mg_gemm(out, out_dim, inp, in_dim, false, weight, in_dim, true, rows, out_dim, in_dim, 1, 1);
}

void mg_bias_backward(float *dbias, const float *dout, int rows, int cols)
{
    enum { STRIP = 64 }; // columns that one thread sums, over all rows in order

#pragma omp parallel for schedule(static) if ((size_t)rows * cols > 16384)
    for (int lo = 0; lo < cols; lo += STRIP) {
        int n = cols - lo < STRIP ? cols - lo : STRIP;
        float sum[STRIP] = {0};

        for (int r = 0; r < rows; r++) {
            const float *row = dout + (size_t)r * cols + lo;
            for (int c = 0; c < n; c++) sum[c] += row[c];
        }
        for (int c = 0; c < n; c++) dbias[lo + c] += sum[c];
    }
}

void mg_linear_backward(float *dinp, float *dweight, float *dbias, const float *dout,
                        const float *inp, const float *weight, int rows, int in_dim, int out_dim,
                        bool add)
{
    if (dinp)
        mg_gemm(dinp, in_dim, dout, out_dim, false, weight, in_dim, false, rows, in_dim, out_dim, 1,
                add ? 1 : 0);
    if (dweight)
        mg_gemm(dweight, in_dim, dout, out_dim, true, inp, in_dim, false, out_dim, in_dim, rows, 1,
                1);
    if (dbias) mg_bias_backward(dbias, dout, rows, out_dim);
}
