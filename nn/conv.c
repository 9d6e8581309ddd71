// Convolutions of the networks as matrix products over rearranged rows, channel-last inside.
//   patches        kernel = stride = p, from NCHW images (patch embedding)
//   space to depth kernel = stride = 2 (mask prompt)
//   3x3            zero padding 1, through rows of 9 C neighbours (neck)
//   transposed 2x2 kernel = stride = 2, no overlap (upscaling)
// Weights keep the order of the checkpoint, so a flattened filter is (channel, row, column) and the
// rearranged rows follow it. Products are nn/gemm.c's, the 1x1 case is nn/linear.c's.
#include <assert.h>
#include <string.h>

#include "nn/gemm.h"
#include "nn/nn.h"

// --- patches ----------------------------------------------------------------------------------------

void mg_patches(float *out, const float *image, int B, int C, int Y, int X, int p,
                const int32_t *keep, int n)
{
    int gw = X / p, tokens = keep ? n : (Y / p) * gw;
    size_t width = (size_t)C * p * p;

#pragma omp parallel for collapse(2)
    for (int b = 0; b < B; b++)
        for (int i = 0; i < tokens; i++) {
            int t = keep ? keep[(size_t)b * n + i] : i;
            float *row = out + ((size_t)b * tokens + i) * width;
            for (int c = 0; c < C; c++)
                for (int y = 0; y < p; y++, row += p) {
                    size_t line = ((size_t)b * C + c) * Y + (size_t)(t / gw) * p + y;
                    memcpy(row, image + line * X + (size_t)(t % gw) * p, (size_t)p * sizeof *row);
                }
        }
}

void mg_patches_backward(float *dimage, const float *dout, int B, int C, int Y, int X, int p)
{
    int gh = Y / p, gw = X / p;
    size_t width = (size_t)C * p * p;

    memset(dimage, 0, (size_t)B * C * Y * X * sizeof *dimage); // pixels outside of whole patches
#pragma omp parallel for collapse(2)
    for (int b = 0; b < B; b++)
        for (int t = 0; t < gh * gw; t++) {
            const float *row = dout + ((size_t)b * gh * gw + t) * width;
            for (int c = 0; c < C; c++)
                for (int y = 0; y < p; y++, row += p) {
                    size_t line = ((size_t)b * C + c) * Y + (size_t)(t / gw) * p + y;
                    memcpy(dimage + line * X + (size_t)(t % gw) * p, row, (size_t)p * sizeof *row);
                }
        }
}

// --- 2x2, stride 2 ----------------------------------------------------------------------------------

void mg_space_to_depth(float *out, const float *inp, int B, int Y, int X, int C)
{
    assert(Y % 2 == 0 && X % 2 == 0);
#pragma omp parallel for
    for (int r = 0; r < B * (Y / 2); r++) // image rows two by two; B Y is a multiple of 2
        for (int x = 0; x < X / 2; x++) {
            float *o = out + ((size_t)r * (X / 2) + x) * C * 4;
            for (int a = 0; a < 2; a++)
                for (int b = 0; b < 2; b++) {
                    const float *i = inp + (((size_t)2 * r + a) * X + 2 * x + b) * C;
                    for (int c = 0; c < C; c++) o[c * 4 + a * 2 + b] = i[c];
                }
        }
}

void mg_space_to_depth_backward(float *dinp, const float *dout, int B, int Y, int X, int C)
{
    assert(Y % 2 == 0 && X % 2 == 0);
#pragma omp parallel for
    for (int r = 0; r < B * (Y / 2); r++)
        for (int x = 0; x < X / 2; x++) {
            const float *o = dout + ((size_t)r * (X / 2) + x) * C * 4;
            for (int a = 0; a < 2; a++)
                for (int b = 0; b < 2; b++) {
                    float *i = dinp + (((size_t)2 * r + a) * X + 2 * x + b) * C;
                    for (int c = 0; c < C; c++) i[c] = o[c * 4 + a * 2 + b];
                }
        }
}

// --- 3x3 --------------------------------------------------------------------------------------------

size_t mg_conv3x3_scratch(int Y, int X, int C, int O)
{
    (void)O;
    return (size_t)Y * X * 9 * C;
}

// Rows of neighbours of one image: col [Y X, C 9] in the order (c, row, column), zero outside.
static void neighbours(float *col, const float *inp, int Y, int X, int C)
{
#pragma omp parallel for collapse(2)
    for (int y = 0; y < Y; y++)
        for (int x = 0; x < X; x++) {
            float *row = col + ((size_t)y * X + x) * 9 * C;
            for (int k = 0; k < 9; k++) {
                int yy = y + k / 3 - 1, xx = x + k % 3 - 1;
                bool inside = yy >= 0 && yy < Y && xx >= 0 && xx < X;
                const float *i = inp + (inside ? ((size_t)yy * X + xx) * C : 0);
                for (int c = 0; c < C; c++) row[c * 9 + k] = inside ? i[c] : 0;
            }
        }
}

// Adjoint of the above: each cell gathers what its neighbours took from it.
static void neighbours_backward(float *dinp, const float *dcol, int Y, int X, int C)
{
#pragma omp parallel for collapse(2)
    for (int y = 0; y < Y; y++)
        for (int x = 0; x < X; x++) {
            float *d = dinp + ((size_t)y * X + x) * C;
            memset(d, 0, (size_t)C * sizeof *d);
            for (int k = 0; k < 9; k++) {
                int yy = y - (k / 3 - 1), xx = x - (k % 3 - 1);
                if (yy < 0 || yy >= Y || xx < 0 || xx >= X) continue;
                const float *row = dcol + ((size_t)yy * X + xx) * 9 * C;
                for (int c = 0; c < C; c++) d[c] += row[c * 9 + k];
            }
        }
}

void mg_conv3x3_forward(float *out, const float *inp, const float *weight, int B, int Y, int X,
                        int C, int O, float *scratch)
{
    size_t cells = (size_t)Y * X;

    for (int b = 0; b < B; b++) {
        neighbours(scratch, inp + b * cells * C, Y, X, C);
        mg_gemm(out + b * cells * O, O, scratch, 9 * C, false, weight, 9 * C, true, Y * X, O, 9 * C,
                1, 0);
    }
}

void mg_conv3x3_backward(float *dinp, float *dweight, const float *dout, const float *inp,
                         const float *weight, int B, int Y, int X, int C, int O, float *scratch)
{
    size_t cells = (size_t)Y * X;

    for (int b = 0; b < B; b++) {
        const float *d = dout + b * cells * O;
        if (dweight) {
            neighbours(scratch, inp + b * cells * C, Y, X, C);
            mg_gemm(dweight, 9 * C, d, O, true, scratch, 9 * C, false, O, 9 * C, Y * X, 1, 1);
        }
        if (dinp) {
            mg_gemm(scratch, 9 * C, d, O, false, weight, 9 * C, false, Y * X, 9 * C, O, 1, 0);
            neighbours_backward(dinp + b * cells * C, scratch, Y, X, C);
        }
    }
}

// --- transposed 2x2, stride 2 -----------------------------------------------------------------------

// inp W = tile [B Y X, O 4], element order (o, a, b); tile (o, a, b) of cell (y, x) is out (2y + a,
// 2x + b, o).
void mg_convt2x2_forward(float *out, const float *inp, const float *weight, const float *bias,
                         int B, int Y, int X, int C, int O, float *scratch)
{
    mg_gemm(scratch, 4 * O, inp, C, false, weight, 4 * O, false, B * Y * X, 4 * O, C, 1, 0);
#pragma omp parallel for
    for (int r = 0; r < B * Y; r++)
        for (int x = 0; x < X; x++) {
            const float *tile = scratch + ((size_t)r * X + x) * 4 * O;
            for (int k = 0; k < 4; k++) {
                float *o = out + (((size_t)2 * r + k / 2) * 2 * X + 2 * x + k % 2) * O;
                for (int c = 0; c < O; c++) o[c] = tile[c * 4 + k] + bias[c];
            }
        }
}

void mg_convt2x2_backward(float *dinp, float *dweight, float *dbias, const float *dout,
                          const float *inp, const float *weight, int B, int Y, int X, int C, int O,
                          float *scratch)
{
#pragma omp parallel for
    for (int r = 0; r < B * Y; r++)
        for (int x = 0; x < X; x++) {
            float *tile = scratch + ((size_t)r * X + x) * 4 * O;
            for (int k = 0; k < 4; k++) {
                const float *o = dout + (((size_t)2 * r + k / 2) * 2 * X + 2 * x + k % 2) * O;
                for (int c = 0; c < O; c++) tile[c * 4 + k] = o[c];
            }
        }
    if (dbias) mg_bias_backward(dbias, dout, B * Y * X * 4, O);
    if (dweight)
        mg_gemm(dweight, 4 * O, inp, C, true, scratch, 4 * O, false, C, 4 * O, B * Y * X, 1, 1);
    if (dinp)
        mg_gemm(dinp, C, scratch, 4 * O, false, weight, 4 * O, true, B * Y * X, C, 4 * O, 1, 0);
}

// --- layouts ----------------------------------------------------------------------------------------

// out[b, c, r] = inp[b, r, c], in tiles that stay in cache.
static void transpose(float *out, const float *inp, int B, int rows, int cols)
{
    enum { TILE = 32 };
#pragma omp parallel for collapse(2)
    for (int b = 0; b < B; b++)
        for (int r0 = 0; r0 < rows; r0 += TILE) {
            size_t base = (size_t)b * rows * cols;
            int r1 = r0 + TILE < rows ? r0 + TILE : rows;
            for (int c0 = 0; c0 < cols; c0 += TILE) {
                int c1 = c0 + TILE < cols ? c0 + TILE : cols;
                for (int c = c0; c < c1; c++)
                    for (int r = r0; r < r1; r++)
                        out[base + (size_t)c * rows + r] = inp[base + (size_t)r * cols + c];
            }
        }
}

void mg_to_channels_first(float *out, const float *inp, int B, int N, int C)
{
    transpose(out, inp, B, N, C);
}

void mg_to_channels_last(float *out, const float *inp, int B, int N, int C)
{
    transpose(out, inp, B, C, N);
}
