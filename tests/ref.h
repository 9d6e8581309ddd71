// Naive double-precision layers: plain loops that judge every faster kernel.
#ifndef MG_TESTS_REF_H
#define MG_TESTS_REF_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/nn.h"

// C[M, N] = op(A) op(B), doubles inside.
void ref_matmul(double *C, const float *A, bool ta, const float *B, bool tb, int M, int N, int K);

// Copies between precisions.
void ref_widen(double *out, const float *inp, size_t n);
void ref_narrow(float *out, const double *inp, size_t n);

double ref_gelu(double x);
double ref_gelu_slope(double x);

// Layer norm of one row.
void ref_layernorm(double *out, const double *inp, const double *weight, const double *bias,
                   int cols, double eps);

// The arrays of one attention call in double; k_pad, v_pad, rel_h, rel_w NULL where absent. The
// pointers of the same names in mg_attn only say which are there.
typedef struct {
    double *q, *k, *v, *k_pad, *v_pad, *rel_h, *rel_w;
} ref_attn;

// out as mg_attn_forward (padding queries are left alone).
void ref_attention(double *out, const ref_attn *in, const mg_attn *a);

// Adds all gradients to `grad`, whose arrays are those of `in` in shape.
void ref_attention_backward(ref_attn *grad, const double *dout, const ref_attn *in,
                            const mg_attn *a);

#endif
