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

mg_adapter mg_adapter_add(mg_params *p, const char *prefix, int width, int hidden,
                          mg_adapter_form form, bool conditioned)
{
    mg_adapter a = {.width = width, .hidden = hidden, .gelu = form.gelu, .fcp_w = -1, .fcp_b = -1};

    add_linear(p, prefix, "D_fc1", hidden, width, false, &a.fc1_w, &a.fc1_b);
    if (conditioned) add_linear(p, prefix, "D_fcp", hidden, width, false, &a.fcp_w, &a.fcp_b);
    add_linear(p, prefix, "D_fc2", width, hidden, !form.linear_init, &a.fc2_w, &a.fc2_b);
    return a;
}

size_t mg_adapter_scratch(int width, int hidden, int rows)
{
    return (size_t)rows * (2 * (size_t)hidden + width);
}

// What D_fc2 reads. ReLU is done in place; of GELU `hidden` keeps the argument, its values go to `room`.
static const float *activate(float *hidden, float *room, const mg_adapter *a, int rows)
{
    size_t n = (size_t)rows * a->hidden;

    if (a->gelu)
        mg_gelu_forward(room, hidden, n);
    else
        mg_relu_forward(hidden, hidden, n);
    return a->gelu ? room : hidden;
}

void mg_adapter_forward(float *out, float *hidden, const float *x, const float *e,
                        const mg_adapter *a, const mg_params *p, int rows, float scale,
                        float *scratch)
{
    const float *w2 = mg_weight(p, a->fc2_w), *b2 = mg_weight(p, a->fc2_b);
    float *product = scratch + (size_t)rows * a->hidden;

    mg_linear_forward(hidden, x, mg_weight(p, a->fc1_w), mg_weight(p, a->fc1_b), rows, a->width,
                      a->hidden, p->precision);
    if (e)
        mg_linear_residual_forward(hidden, hidden, e, mg_weight(p, a->fcp_w),
                                   mg_weight(p, a->fcp_b), rows, a->width, a->hidden, p->precision);
    const float *h = activate(hidden, scratch, a, rows);
    if (!out) return;
    if (scale == 1) {
        mg_linear_residual_forward(out, out, h, w2, b2, rows, a->hidden, a->width, p->precision);
        return;
    }
    mg_linear_forward(product, h, w2, b2, rows, a->hidden, a->width, p->precision);
    mg_add_scaled(out, product, scale, (size_t)rows * a->width);
}

void mg_adapter_backward(float *dx, float *de, float *grads, const float *dout, const float *hidden,
                         const float *x, const float *e, const mg_adapter *a, const mg_params *p,
                         int rows, float scale, float *scratch)
{
    size_t n = (size_t)rows * a->width, inner = (size_t)rows * a->hidden;
    float *dhidden = scratch, *values = dhidden + inner, *scaled = values + inner;
    float *dfc2 = mg_grad(p, grads, a->fc2_w);
    const float *h = hidden;

    if (scale != 1) {
        for (size_t i = 0; i < n; i++) scaled[i] = scale * dout[i];
        dout = scaled;
    }
    if (a->gelu && dfc2) mg_gelu_forward(values, hidden, inner), h = values;
    mg_linear_backward(dhidden, dfc2, mg_grad(p, grads, a->fc2_b), dout, h, mg_weight(p, a->fc2_w),
                       rows, a->hidden, a->width, false, p->precision);
    if (a->gelu)
        mg_gelu_backward(dhidden, dhidden, hidden, inner);
    else
        mg_relu_backward(dhidden, dhidden, hidden, inner);
    mg_linear_backward(dx, mg_grad(p, grads, a->fc1_w), mg_grad(p, grads, a->fc1_b), dhidden, x,
                       mg_weight(p, a->fc1_w), rows, a->width, a->hidden, true, p->precision);
    if (e)
        mg_linear_backward(de, mg_grad(p, grads, a->fcp_w), mg_grad(p, grads, a->fcp_b), dhidden, e,
                           mg_weight(p, a->fcp_w), rows, a->width, a->hidden, true, p->precision);
}
