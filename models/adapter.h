// The bottleneck that is grafted into a frozen network (model.md section 10.1):
//   U(x) = D_fc2( ReLU( D_fc1(x) ) ),   U(x | e) = D_fc2( ReLU( D_fc1(x) + D_fcp(e) ) )
// It has no skip of its own. Names: <prefix>.D_fc1.weight, .bias, (.D_fcp.*,) .D_fc2.*.
#ifndef MG_MODELS_ADAPTER_H
#define MG_MODELS_ADAPTER_H

#include "models/params.h"

typedef struct {
    int width, hidden; // n, h
    int fc1_w, fc1_b;  // [h, n], [h]: indices into the table
    int fcp_w, fcp_b;  // the same, -1 if not conditioned on a prompt
    int fc2_w, fc2_b;  // [n, h], [n], zero at the start
} mg_adapter;

// Add the tensors under "<prefix>." with the initial values of model.md 10.6.
mg_adapter mg_adapter_add(mg_params *p, const char *prefix, int width, int hidden,
                          bool conditioned);

// out[rows, n] += scale * U(x | e). With out NULL only `hidden` is written.
//   x [rows, n]   e [rows, n] or NULL   hidden [rows, h] written (after ReLU); backward reads it
//   scratch [rows, n] floats, needed only if scale is not 1
void mg_adapter_forward(float *out, float *hidden, const float *x, const float *e,
                        const mg_adapter *a, const mg_params *p, int rows, float scale,
                        float *scratch);

// dx [rows, n] and de are ADDED to (NULL: not wanted); `grads` as in mg_grad.
//   scratch: mg_adapter_scratch floats
void mg_adapter_backward(float *dx, float *de, float *grads, const float *dout, const float *hidden,
                         const float *x, const float *e, const mg_adapter *a, const mg_params *p,
                         int rows, float scale, float *scratch);
size_t mg_adapter_scratch(const mg_adapter *a, int rows);

#endif
