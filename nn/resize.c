// Tables and logits on another grid (model.md section 4.6), relative-position lookup (4.5), and the
// fixed sin-cos table (pretraining.md section 4).
// Half-pixel centres, no antialiasing: source position of output o is t = (o + 0.5) n_in/n_out - 0.5.
//   linear  t clamped below at 0; taps floor(t), floor(t) + 1
//   cubic   taps floor(t) - 1 .. floor(t) + 2, Keys kernel with a = -0.75
// Indices are clamped to the grid. Rows first, then columns. Pictures and label maps are resized by
// other rules elsewhere.
#include <math.h>
#include <string.h>

#include "nn/nn.h"

typedef struct {
    int index[4];
    float weight[4];
    int count;
} taps;

static double keys(double u)
{
    const double a = -0.75;

    return u <= 1 ? ((a + 2) * u - (a + 3)) * u * u + 1 : ((a * u - 5 * a) * u + 8 * a) * u - 4 * a;
}

static taps taps_of(int o, int n_in, int n_out, mg_resize_kind kind)
{
    double t = (o + 0.5) * n_in / n_out - 0.5;
    if (kind == MG_RESIZE_LINEAR && t < 0) t = 0;

    int base = (int)floor(t), first = kind == MG_RESIZE_CUBIC ? -1 : 0;
    double frac = t - base;
    taps s = {.count = kind == MG_RESIZE_CUBIC ? 4 : 2};
    for (int k = 0; k < s.count; k++) {
        int i = base + first + k;
        double u = fabs(frac - (first + k));
        s.index[k] = i < 0 ? 0 : i < n_in ? i : n_in - 1;
        s.weight[k] = (float)(kind == MG_RESIZE_CUBIC ? keys(u) : 1 - u);
    }
    return s;
}

size_t mg_resize_scratch(int Y, int X, int C, int Y2, int X2)
{
    (void)Y, (void)X2;
    return (size_t)Y2 * X * C;
}

void mg_resize_forward(float *out, const float *inp, int Y, int X, int C, int Y2, int X2,
                       mg_resize_kind kind, float *scratch)
{
    size_t line = (size_t)X * C;

#pragma omp parallel for
    for (int y = 0; y < Y2; y++) {
        taps ty = taps_of(y, Y, Y2, kind);
        float *mid = scratch + y * line;
        for (size_t i = 0; i < line; i++) {
            float sum = 0;
            for (int k = 0; k < ty.count; k++) sum += ty.weight[k] * inp[ty.index[k] * line + i];
            mid[i] = sum;
        }
        for (int x = 0; x < X2; x++) {
            taps tx = taps_of(x, X, X2, kind);
            float *o = out + ((size_t)y * X2 + x) * C;
            for (int c = 0; c < C; c++) {
                float sum = 0;
                for (int k = 0; k < tx.count; k++)
                    sum += tx.weight[k] * mid[(size_t)tx.index[k] * C + c];
                o[c] = sum;
            }
        }
    }
}

void mg_resize_backward(float *dinp, const float *dout, int Y, int X, int C, int Y2, int X2,
                        mg_resize_kind kind, float *scratch)
{
    size_t line = (size_t)X * C;

#pragma omp parallel
    {
#pragma omp for
        for (int y = 0; y < Y2; y++) {
            float *dmid = scratch + y * line;
            memset(dmid, 0, line * sizeof *dmid);
            for (int x = 0; x < X2; x++) {
                taps tx = taps_of(x, X, X2, kind);
                const float *d = dout + ((size_t)y * X2 + x) * C;
                for (int k = 0; k < tx.count; k++)
                    for (int c = 0; c < C; c++)
                        dmid[(size_t)tx.index[k] * C + c] += tx.weight[k] * d[c];
            }
        }
#pragma omp for
        for (int x = 0; x < X; x++) // each thread owns columns, so sums run in the order of y
            for (int y = 0; y < Y2; y++) {
                taps ty = taps_of(y, Y, Y2, kind);
                const float *dmid = scratch + y * line + (size_t)x * C;
                for (int k = 0; k < ty.count; k++) {
                    float *d = dinp + ty.index[k] * line + (size_t)x * C;
                    for (int c = 0; c < C; c++) d[c] += ty.weight[k] * dmid[c];
                }
            }
    }
}

int mg_relpos_row(int i, int j, int nq, int nk)
{
    double fq = nk > nq ? (double)nk / nq : 1, fk = nq > nk ? (double)nq / nk : 1;

    return (int)(i * fq - j * fk + (nk - 1) * fk);
}

void mg_sincos_table(float *out, int gh, int gw, int D, bool cls)
{
    int quarter = D / 4;

    if (cls) {
        memset(out, 0, (size_t)D * sizeof *out);
        out += D;
    }
    for (int t = 0; t < gh * gw; t++)
        for (int k = 0; k < quarter; k++) {
            double w = pow(10000, -(double)k / quarter);
            float *row = out + (size_t)t * D + k;
            row[0] = (float)sin(t % gw * w);
            row[quarter] = (float)cos(t % gw * w);
            row[2 * quarter] = (float)sin(t / gw * w);
            row[3 * quarter] = (float)cos(t / gw * w);
        }
}
