// Layer norm over the last axis of [rows, cols] (channel-last maps: the 2-d layer norm of SAM too).
//   xhat = (inp - mean) rstd, rstd = 1 / sqrt(var + eps), out = xhat weight + bias
//   dinp = rstd (g - mean(g) - xhat mean(g xhat)),  g = dout weight
// Rows are independent. dweight and dbias sum over rows: each of at most BANDS bands of rows has its
// own partial sums, added in band order, so the bits do not depend on the number of threads.
// The rows themselves are in nn/body_pointwise.h.
#include "nn/nn.h"

#include <string.h>

#include "nn/kernels.h"

enum {
    BANDS = 64,
    BAND_ROWS = 8, // a band has at least this many rows
};

void mg_layernorm_forward(float *out, float *mean, float *rstd, const float *inp,
                          const float *weight, const float *bias, int rows, int cols, float eps)
{
    const mg_kernels *kern = mg_kernels_get();

#pragma omp parallel for schedule(static) if ((size_t)rows * cols > 16384)
    for (int r = 0; r < rows; r++) {
        size_t at = (size_t)r * cols;
        kern->norm_forward(out + at, mean + r, rstd + r, inp + at, weight, bias, cols, eps);
    }
}

size_t mg_layernorm_scratch(int cols)
{
    return (size_t)BANDS * 2 * cols;
}

void mg_layernorm_backward(float *dinp, float *dweight, float *dbias, const float *dout,
                           const float *inp, const float *weight, const float *mean,
                           const float *rstd, int rows, int cols, bool add, float *scratch)
{
    const mg_kernels *kern = mg_kernels_get();
    int bands = (rows + BAND_ROWS - 1) / BAND_ROWS;

    if (bands > BANDS) bands = BANDS;
#pragma omp parallel for schedule(static) if ((size_t)rows * cols > 16384)
    for (int band = 0; band < bands; band++) {
        float *dw = dweight ? scratch + (size_t)band * 2 * cols : NULL;
        float *db = dbias ? scratch + ((size_t)band * 2 + 1) * cols : NULL;
        int lo = (int)((long)rows * band / bands), hi = (int)((long)rows * (band + 1) / bands);

        if (dw) memset(dw, 0, (size_t)cols * sizeof *dw);
        if (db) memset(db, 0, (size_t)cols * sizeof *db);
        for (int r = lo; r < hi; r++) {
            size_t at = (size_t)r * cols;
            kern->norm_backward(dinp + at, dw, db, dout + at, inp + at, weight, mean[r], rstd[r],
                                cols, add);
        }
    }
    for (int band = 0; band < bands; band++) {
        const float *part = scratch + (size_t)band * 2 * cols;

        if (dweight)
            for (int c = 0; c < cols; c++) dweight[c] += part[c];
        if (dbias)
            for (int c = 0; c < cols; c++) dbias[c] += part[cols + c];
    }
}
