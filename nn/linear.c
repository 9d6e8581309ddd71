// Affine map: out = inp W^T + bias, W [out_dim, in_dim], and its gradients
//   dinp = dout W,  dW += dout^T inp,  dbias += column sums of dout.
// Bias and residual are added where the product's tiles are stored: they cost no pass of their own.
#include "nn/nn.h"

#include <omp.h>

#include "nn/gemm.h"
#include "nn/kernels.h"

void mg_linear_forward(float *out, const float *inp, const float *weight, const float *bias,
                       int rows, int in_dim, int out_dim, mg_precision precision)
{
    mg_gemm_affine(precision, out, out_dim, inp, in_dim, weight, in_dim, true, rows, out_dim,
                   in_dim, bias, NULL, 0);
}

void mg_linear_residual_forward(float *out, const float *res, const float *inp, const float *weight,
                                const float *bias, int rows, int in_dim, int out_dim,
                                mg_precision precision)
{
    mg_gemm_affine(precision, out, out_dim, inp, in_dim, weight, in_dim, true, rows, out_dim,
                   in_dim, bias, res, out_dim);
}

// Threads take columns and add whole rows in order: the same bits for any number of them.
void mg_bias_backward(float *dbias, const float *dout, int rows, int cols)
{
    const mg_kernels *kern = mg_kernels_get();

#pragma omp parallel if ((size_t)rows * cols > 16384)
    {
        int t = omp_get_thread_num(), threads = omp_get_num_threads(), lines = (cols + 15) / 16;
        int lo = (int)((long)lines * t / threads) * 16;
        int hi = (int)((long)lines * (t + 1) / threads) * 16;

        if (hi > cols) hi = cols;
        if (lo < hi) kern->sum_rows(dbias + lo, dout + lo, cols, rows, hi - lo);
    }
}

void mg_linear_backward(float *dinp, float *dweight, float *dbias, const float *dout,
                        const float *inp, const float *weight, int rows, int in_dim, int out_dim,
                        bool add, mg_precision precision)
{
    if (dinp)
        mg_gemm_as(precision, dinp, in_dim, dout, out_dim, false, weight, in_dim, false, rows,
                   in_dim, out_dim, 1, add ? 1 : 0);
    if (dweight)
        mg_gemm_as(precision, dweight, in_dim, dout, out_dim, true, inp, in_dim, false, out_dim,
                   in_dim, rows, 1, 1);
    if (dbias) mg_bias_backward(dbias, dout, rows, out_dim);
}
