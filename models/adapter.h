// The bottleneck that is grafted into a frozen network (model.md section 10.1):
//   U(x) = D_fc2( act( D_fc1(x) ) ),   U(x | e) = D_fc2( act( D_fc1(x) + D_fcp(e) ) )
// with act = ReLU in the paper's form, GELU in the released one. It has no skip of its own.
// Names: <prefix>.D_fc1.weight, .bias, (.D_fcp.*,) .D_fc2.*.
#ifndef MG_MODELS_ADAPTER_H
#define MG_MODELS_ADAPTER_H

#include "models/params.h"

// What differs between the paper (both false) and the released code (both true; model.md 11).
typedef struct {
    bool gelu;        // act is GELU, else ReLU
    bool linear_init; // D_fc2 starts like any linear map, else at zero: then U is zero at the start
} mg_adapter_form;

typedef struct {
    int width, hidden; // n, h
    bool gelu;
    int fc1_w, fc1_b; // [h, n], [h]: indices into the table
    int fcp_w, fcp_b; // the same, -1 if not conditioned on a prompt
    int fc2_w, fc2_b; // [n, h], [n]
} mg_adapter;

// Add the tensors under "<prefix>." with the initial values of model.md 10.6, or 8.2 if linear.
mg_adapter mg_adapter_add(mg_params *p, const char *prefix, int width, int hidden,
                          mg_adapter_form form, bool conditioned);

// out[rows, n] += scale * U(x | e). With out NULL only `hidden` is written.
//   x [rows, n]   e [rows, n] or NULL
//   hidden [rows, h] written (after ReLU, or before GELU); backward reads it
//   scratch: mg_adapter_scratch floats
void mg_adapter_forward(float *out, float *hidden, const float *x, const float *e,
                        const mg_adapter *a, const mg_params *p, int rows, float scale,
                        float *scratch);

// dx [rows, n] and de are ADDED to (NULL: not wanted); `grads` as in mg_grad.
void mg_adapter_backward(float *dx, float *de, float *grads, const float *dout, const float *hidden,
                         const float *x, const float *e, const mg_adapter *a, const mg_params *p,
                         int rows, float scale, float *scratch);

// Floats of scratch for both.
size_t mg_adapter_scratch(int width, int hidden, int rows);

#endif
