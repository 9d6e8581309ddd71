// The adapter bottleneck, forward and backward.
#include "models/adapter.h"

#include <stdio.h>

#include "nn/nn.h"

static void add_linear(mg_params *p, const char *prefix, const char *name, int out_dim, int in_dim,
                       bool zero, int *weight, int *bias)
{
    char full[256];
    mg_init init = zero ? MG_INIT_ZERO : MG_INIT_UNIFORM;
    double bound = mg_fan_in_bound(in_dim);

    snprintf(full, sizeof full, "%s.%s.weight", prefix, name);
    *weight = mg_params_add(p, full, init, bound, 2, out_dim, in_dim);
    snprintf(full, sizeof full, "%s.%s.bias", prefix, name);
    *bias = mg_params_add(p, full, init, bound, 1, out_dim);
}

mg_adapter mg_adapter_add(mg_params *p, const char *prefix, int width, int hidden, bool conditioned)
{
    mg_adapter a = {.width = width, .hidden = hidden, .fcp_w = -1, .fcp_b = -1};

    add_linear(p, prefix, "D_fc1", hidden, width, false, &a.fc1_w, &a.fc1_b);
    if (conditioned) add_linear(p, prefix, "D_fcp", hidden, width, false, &a.fcp_w, &a.fcp_b);
    add_linear(p, prefix, "D_fc2", width, hidden, true, &a.fc2_w, &a.fc2_b);
    return a;
}

void mg_adapter_forward(float *out, float *hidden, const float *x, const float *e,
                        const mg_adapter *a, const mg_params *p, int rows, float scale,
                        float *scratch)
{
    const float *w2 = mg_weight(p, a->fc2_w), *b2 = mg_weight(p, a->fc2_b);

    mg_linear_forward(hidden, x, mg_weight(p, a->fc1_w), mg_weight(p, a->fc1_b), rows, a->width,
                      a->hidden);
    if (e)
        mg_linear_residual_forward(hidden, hidden, e, mg_weight(p, a->fcp_w),
                                   mg_weight(p, a->fcp_b), rows, a->width, a->hidden);
    mg_relu_forward(hidden, hidden, (size_t)rows * a->hidden);
    if (!out) return;
    if (scale == 1) {
        mg_linear_residual_forward(out, out, hidden, w2, b2, rows, a->hidden, a->width);
        return;
    }
    mg_linear_forward(scratch, hidden, w2, b2, rows, a->hidden, a->width);
    mg_add_scaled(out, scratch, scale, (size_t)rows * a->width);
}

size_t mg_adapter_scratch(const mg_adapter *a, int rows)
{
    return (size_t)rows * (a->hidden + a->width);
}

void mg_adapter_backward(float *dx, float *de, float *grads, const float *dout, const float *hidden,
                         const float *x, const float *e, const mg_adapter *a, const mg_params *p,
                         int rows, float scale, float *scratch)
{
    size_t n = (size_t)rows * a->width;
    float *dhidden = scratch, *scaled = scratch + (size_t)rows * a->hidden;

    if (scale != 1) {
        for (size_t i = 0; i < n; i++) scaled[i] = scale * dout[i];
        dout = scaled;
    }
    mg_linear_backward(dhidden, mg_grad(p, grads, a->fc2_w), mg_grad(p, grads, a->fc2_b), dout,
                       hidden, mg_weight(p, a->fc2_w), rows, a->hidden, a->width, false);
    mg_relu_backward(dhidden, dhidden, hidden, (size_t)rows * a->hidden);
    mg_linear_backward(dx, mg_grad(p, grads, a->fc1_w), mg_grad(p, grads, a->fc1_b), dhidden, x,
                       mg_weight(p, a->fc1_w), rows, a->width, a->hidden, true);
    if (e)
        mg_linear_backward(de, mg_grad(p, grads, a->fcp_w), mg_grad(p, grads, a->fcp_b), dhidden, e,
                           mg_weight(p, a->fcp_w), rows, a->width, a->hidden, true);
}
