// Layer norm over the last axis of [rows, cols] (channel-last maps: the 2-d layer norm of SAM too).
//   xhat = (inp - mean) rstd, rstd = 1 / sqrt(var + eps), out = xhat weight + bias
//   dinp = rstd (g - mean(g) - xhat mean(g xhat)),  g = dout weight
// Rows are independent. dweight and dbias sum over rows: each of at most BANDS bands of rows has its
// own partial sums, added in band order, so the bits do not depend on the number of threads.
#include "nn/nn.h"

#include <math.h>
#include <string.h>

enum {
    BANDS = 64,
    BAND_ROWS = 8, // a band has at least this many rows
};

void mg_layernorm_forward(float *out, float *mean, float *rstd, const float *inp,
                          const float *weight, const float *bias, int rows, int cols, float eps)
{
#pragma omp parallel for schedule(static) if ((size_t)rows * cols > 16384)
    for (int r = 0; r < rows; r++) {
        const float *x = inp + (size_t)r * cols;
        float *o = out + (size_t)r * cols;
        float sum = 0, square = 0;

#pragma omp simd reduction(+ : sum)
        for (int c = 0; c < cols; c++) sum += x[c];
        float m = sum / (float)cols;
#pragma omp simd reduction(+ : square)
        for (int c = 0; c < cols; c++) square += (x[c] - m) * (x[c] - m);
        float s = 1.0f / sqrtf(square / (float)cols + eps);
        for (int c = 0; c < cols; c++) o[c] = (x[c] - m) * s * weight[c] + bias[c];
        mean[r] = m;
        rstd[r] = s;
    }
}

size_t mg_layernorm_scratch(int cols)
{
    return (size_t)BANDS * 2 * cols;
}

// One row: dinp, and its terms of dweight (dw) and dbias (db), which may be NULL.
static void row_backward(float *dx, float *dw, float *db, const float *dy, const float *x,
                         const float *weight, float m, float s, int cols, bool add)
{
    float sum = 0, dot = 0;

#pragma omp simd reduction(+ : sum, dot)
    for (int c = 0; c < cols; c++) {
        float g = dy[c] * weight[c];
        sum += g;
        dot += g * (x[c] - m);
    }
    float a = sum / (float)cols, b = dot * s * s / (float)cols;
    if (dw)
        for (int c = 0; c < cols; c++) dw[c] += dy[c] * (x[c] - m) * s;
    if (db)
        for (int c = 0; c < cols; c++) db[c] += dy[c];
    if (add)
        for (int c = 0; c < cols; c++) dx[c] += s * (dy[c] * weight[c] - a - (x[c] - m) * b);
    else
        for (int c = 0; c < cols; c++) dx[c] = s * (dy[c] * weight[c] - a - (x[c] - m) * b);
}

void mg_layernorm_backward(float *dinp, float *dweight, float *dbias, const float *dout,
                           const float *inp, const float *weight, const float *mean,
                           const float *rstd, int rows, int cols, bool add, float *scratch)
{
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
            row_backward(dinp + at, dw, db, dout + at, inp + at, weight, mean[r], rstd[r], cols,
                         add);
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
