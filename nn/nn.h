// Layer prototypes and the alphabet of sizes.
//   B batch, N tokens, D width, H heads, L depth, C channels, Y/X image rows/columns, K classes.
// Arrays are row-major float32, last index fastest; token maps are [B, N, D] with N = row * X + col;
// feature maps inside the networks are channel-last ([B, Y, X, C]), so that a 2-d layer norm is a
// layer norm over rows and a 1x1 convolution a linear layer.
// Kernels are arithmetic only: no files, no MPI, no allocation, no globals; scratch is an argument.
// Unless said otherwise a backward function ADDS to parameter gradients (dweight, dbias, ...), which
// may be NULL (frozen: the work is skipped), and OVERWRITES input gradients, or adds to them where
// it takes `add`. Sums over samples run in a fixed order for a given number of threads.
#ifndef MG_NN_NN_H
#define MG_NN_NN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How the operands of products are read: as they are, or rounded to bfloat16 (to nearest, even). Sums are
// float32. The processor may lack the second (nn/gemm.h).
typedef enum { MG_FLOAT32, MG_BFLOAT16 } mg_precision;

// --- linear.c -------------------------------------------------------------------------------------

// out[r, o] = bias[o] + sum_i inp[r, i] weight[o, i]
//   out [rows, out_dim]   inp [rows, in_dim]   weight [out_dim, in_dim]   bias [out_dim] or NULL
void mg_linear_forward(float *out, const float *inp, const float *weight, const float *bias,
                       int rows, int in_dim, int out_dim, mg_precision precision);

// The same onto a residual: out = res + bias + inp weight^T. res may be out.
void mg_linear_residual_forward(float *out, const float *res, const float *inp, const float *weight,
                                const float *bias, int rows, int in_dim, int out_dim,
                                mg_precision precision);

// Gradient of both (the residual's gradient is dout itself). dinp may be NULL; `add` adds to it.
void mg_linear_backward(float *dinp, float *dweight, float *dbias, const float *dout,
                        const float *inp, const float *weight, int rows, int in_dim, int out_dim,
                        bool add, mg_precision precision);

// dbias[c] += sum_r dout[r, c]
void mg_bias_backward(float *dbias, const float *dout, int rows, int cols);

// --- norm.c ---------------------------------------------------------------------------------------

// Layer norm over the last axis: out = (inp - mean) * rstd * weight + bias.
//   out, inp     [rows, cols]   may be the same array if no backward pass follows
//   mean, rstd   [rows]         written; the backward pass reads them
//   weight, bias [cols]
void mg_layernorm_forward(float *out, float *mean, float *rstd, const float *inp,
                          const float *weight, const float *bias, int rows, int cols, float eps);

// Adds to dweight and dbias. dinp is overwritten, or added to with `add` (the residual's gradient
// that lies there already); without `add` it may be dout. `scratch`: mg_layernorm_scratch floats.
void mg_layernorm_backward(float *dinp, float *dweight, float *dbias, const float *dout,
                           const float *inp, const float *weight, const float *mean,
                           const float *rstd, int rows, int cols, bool add, float *scratch);
size_t mg_layernorm_scratch(int cols);

// --- pointwise.c ----------------------------------------------------------------------------------

// Exact GELU, x Phi(x). out may be inp if no backward pass follows.
void mg_gelu_forward(float *out, const float *inp, size_t n);
void mg_gelu_backward(float *dinp, const float *dout, const float *inp,
                      size_t n);                              // dinp may be dout
void mg_relu_forward(float *out, const float *inp, size_t n); // in place allowed
// `out` is the forward result (positive where the unit was on). dinp may be dout.
void mg_relu_backward(float *dinp, const float *dout, const float *out, size_t n);
void mg_add(float *out, const float *a, const float *b, size_t n); // out = a + b, aliases allowed
void mg_add_scaled(float *out, const float *a, float scale, size_t n);           // out += scale * a
void mg_add_rows(float *out, const float *row_table, int B, int rows, int cols); // out[b] += table
// dtable[rows, cols] += sum_b dout[b, rows, cols], b in order
void mg_add_rows_backward(float *dtable, const float *dout, int B, int rows, int cols);

// --- attention.c ----------------------------------------------------------------------------------

// One form for plain, windowed, cross and depth attention. A problem is one softmax group (an image,
// a window, a sequence over depth) and has nq queries and nk keys; heads split the width.
//   q row of query i of problem p: q + qrow[p * nq + i] * q_stride + head * d, and so on.
// Row lists: NULL means contiguous (p * nq + i, p * nk + j). An entry of -1 in qrow is a padding
// query: no work, nothing written. -1 in krow is a padding key: its key and value are k_pad and
// v_pad (in windows: the bias of qkv), and its gradients are added to dk_pad, dv_pad.
// Scores: scale <q, k> (+ <q, rel_h[r - r' + gh - 1]> + <q, rel_w[c - c' + gw - 1]> with the
// unscaled q, where query i lies at (i / gw, i % gw), key j at (j / gw, j % gw); self-attention
// with nq = nk = gh gw only). With `coord` set (nq = nk, qrow = krow = NULL) token i of problem p
// lies at (coord / gw, coord % gw) with coord = coord[p * nq + i] instead.
typedef struct {
    int heads, d; // d = width of one head
    int problems; // p
    int nq, nk;
    const int32_t *qrow, *krow;
    int q_stride, k_stride, v_stride, o_stride; // floats from one row to the next
    float scale;                                // usually d^-1/2
    const float *k_pad, *v_pad;                 // [heads * d] or NULL
    int gh, gw;                                 // grid of the relative positions, 0 for none
    const float *rel_h, *rel_w;                 // [2 gh - 1, d], [2 gw - 1, d] or NULL
    const int32_t *coord;
} mg_attn;

// Floats of scratch for forward and backward with up to `threads` threads.
size_t mg_attn_scratch(const mg_attn *a, int threads);

// out[row, head * d + .] = softmax over keys of the scores, times v; lse [problems, heads, nq] is the
// logarithm (any fixed base) of the sum of exponentials, read by the backward pass.
void mg_attn_forward(float *out, float *lse, const float *q, const float *k, const float *v,
                     const mg_attn *a, float *scratch);

// dq, dk, dv have the strides and row lists of q, k, v. Rows that a problem names are overwritten;
// each row must be named by one problem only. dk_pad, dv_pad [heads * d] and drel_h, drel_w (table
// shapes) are added to; NULL skips them.
void mg_attn_backward(float *dq, float *dk, float *dv, float *dk_pad, float *dv_pad, float *drel_h,
                      float *drel_w, const float *dout, const float *out, const float *lse,
                      const float *q, const float *k, const float *v, const mg_attn *a,
                      float *scratch);

// --- conv.c ---------------------------------------------------------------------------------------

// Patches of an image as rows: out [B, (Y/p) (X/p), C p p], element order (channel, row, col), from
// NCHW images [B, C, Y, X]. `keep` [B, n] lists the patches wanted per image (NULL: all, n = all).
void mg_patches(float *out, const float *image, int B, int C, int Y, int X, int p,
                const int32_t *keep, int n);
// Adjoint without a list: dimage is overwritten.
void mg_patches_backward(float *dimage, const float *dout, int B, int C, int Y, int X, int p);

// Space to depth for channel-last maps: out [B, Y/2, X/2, C 4], element order (c, a, b) as in a 2x2
// stride 2 convolution weight [O, C, 2, 2] flattened; and its adjoint (overwrites).
void mg_space_to_depth(float *out, const float *inp, int B, int Y, int X, int C);
void mg_space_to_depth_backward(float *dinp, const float *dout, int B, int Y, int X, int C);

// 3x3 convolution, zero padding 1, channel-last: out [B, Y, X, O], weight [O, C, 3, 3], no bias.
// `scratch`: mg_conv3x3_scratch floats.
void mg_conv3x3_forward(float *out, const float *inp, const float *weight, int B, int Y, int X,
                        int C, int O, float *scratch);
void mg_conv3x3_backward(float *dinp, float *dweight, const float *dout, const float *inp,
                         const float *weight, int B, int Y, int X, int C, int O, float *scratch);
size_t mg_conv3x3_scratch(int Y, int X, int C, int O);

// Transposed 2x2 convolution with stride 2, channel-last: inp [B, Y, X, C] -> out [B, 2Y, 2X, O],
// weight [C, O, 2, 2], bias [O]. `scratch`: B Y X 4 O floats.
void mg_convt2x2_forward(float *out, const float *inp, const float *weight, const float *bias,
                         int B, int Y, int X, int C, int O, float *scratch);
void mg_convt2x2_backward(float *dinp, float *dweight, float *dbias, const float *dout,
                          const float *inp, const float *weight, int B, int Y, int X, int C, int O,
                          float *scratch);

// NCHW from channel-last and back, [B, C, N] <-> [B, N, C].
void mg_to_channels_first(float *out, const float *inp, int B, int N, int C);
void mg_to_channels_last(float *out, const float *inp, int B, int N, int C);

// --- resize.c (tables and logits; model.md section 4.6) ---------------------------------------------

typedef enum { MG_RESIZE_LINEAR, MG_RESIZE_CUBIC } mg_resize_kind; // cubic: a = -0.75
// Separable resizing of a map [Y, X, C] (channel-last; C = 1 for logits) to [Y2, X2, C], half-pixel
// centres, no antialiasing. `scratch`: mg_resize_scratch floats. The adjoint adds to dinp.
void mg_resize_forward(float *out, const float *inp, int Y, int X, int C, int Y2, int X2,
                       mg_resize_kind kind, float *scratch);
void mg_resize_backward(float *dinp, const float *dout, int Y, int X, int C, int Y2, int X2,
                        mg_resize_kind kind, float *scratch);
size_t mg_resize_scratch(int Y, int X, int C, int Y2, int X2);

// Row of a relative-position table for query i, key j (model.md 4.5); nq = nk in the networks here.
int mg_relpos_row(int i, int j, int nq, int nk);

// Fixed sin-cos table (pretraining.md section 4): out [cls + gh gw, D], column half first.
void mg_sincos_table(float *out, int gh, int gw, int D, bool cls);

#endif
