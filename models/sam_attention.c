// Affine maps, norms and the attention of SAM's decoder (model.md 6.2):
//   A(xq, xk, xv) = o( softmax( <q(xq), k(xk)> / sqrt(d) ) v(xv) ),  d = inner / heads
// with separate projections E -> inner and inner -> E. No position tables: codes are added by callers.
#include <math.h>
#include <omp.h>

#include "models/sam_parts.h"
#include "nn/nn.h"

void mg_sam_linear(float *out, const float *res, const float *inp, const mg_sam_affine *a,
                   const mg_params *p, int rows)
{
    const float *w = mg_weight(p, a->weight), *b = mg_weight(p, a->bias);

    if (res)
        mg_linear_residual_forward(out, res, inp, w, b, rows, a->in, a->out, MG_FLOAT32);
    else
        mg_linear_forward(out, inp, w, b, rows, a->in, a->out, MG_FLOAT32);
}

void mg_sam_linear_backward(float *dinp, float *grads, const float *dout, const float *inp,
                            const mg_sam_affine *a, const mg_params *p, int rows, bool add)
{
    mg_linear_backward(dinp, mg_grad(p, grads, a->weight), mg_grad(p, grads, a->bias), dout, inp,
                       mg_weight(p, a->weight), rows, a->in, a->out, add, MG_FLOAT32);
}

void mg_sam_norm_layout(mg_layout *at, mg_sam_norm_acts *n, int rows, int width)
{
    n->pre = mg_place(at, (size_t)rows * width);
    n->out = mg_place(at, (size_t)rows * width);
    n->mean = mg_place(at, (size_t)rows);
    n->rstd = mg_place(at, (size_t)rows);
}

void mg_sam_norm(mg_sam_norm_acts *n, const mg_sam_affine *a, const mg_params *p, int rows,
                 float eps)
{
    mg_layernorm_forward(n->out, n->mean, n->rstd, n->pre, mg_weight(p, a->weight),
                         mg_weight(p, a->bias), rows, a->out, eps);
}

void mg_sam_norm_backward(float *dpre, float *grads, const float *dout, const mg_sam_norm_acts *n,
                          const mg_sam_affine *a, const mg_params *p, int rows, float *scratch)
{
    mg_layernorm_backward(dpre, mg_grad(p, grads, a->weight), mg_grad(p, grads, a->bias), dout,
                          n->pre, mg_weight(p, a->weight), n->mean, n->rstd, rows, a->out, false,
                          scratch);
}

void mg_sam_attention_layout(mg_layout *at, mg_sam_attention_acts *a, const mg_sam_attention *m,
                             int B, int nq, int nk)
{
    a->q = mg_place(at, (size_t)B * nq * m->inner);
    a->k = mg_place(at, (size_t)B * nk * m->inner);
    a->v = mg_place(at, (size_t)B * nk * m->inner);
    a->lse = mg_place(at, (size_t)B * m->heads * nq);
    a->mix = mg_place(at, (size_t)B * nq * m->inner);
}

static mg_attn core(const mg_sam_attention *m, int B, int nq, int nk)
{
    int d = m->inner / m->heads;

    return (mg_attn){.heads = m->heads,
                     .d = d,
                     .problems = B,
                     .nq = nq,
                     .nk = nk,
                     .q_stride = m->inner,
                     .k_stride = m->inner,
                     .v_stride = m->inner,
                     .o_stride = m->inner,
                     .scale = (float)(1 / sqrt(d))};
}

// dmix, dq [B nq, inner], dk, dv [B nk, inner], and what the core needs.
size_t mg_sam_attention_scratch(const mg_sam_attention *m, int B, int nq, int nk)
{
    mg_attn a = core(m, B, nq, nk);

    return 2 * mg_sam_piece((size_t)B * nq * m->inner) +
           2 * mg_sam_piece((size_t)B * nk * m->inner) + mg_attn_scratch(&a, omp_get_max_threads());
}

void mg_sam_attend(float *out, const float *res, mg_sam_attention_acts *a, const float *xq,
                   const float *xk, const float *xv, const mg_sam_attention *m, const mg_params *p,
                   int B, int nq, int nk, float *scratch)
{
    mg_attn c = core(m, B, nq, nk);

    mg_sam_linear(a->q, NULL, xq, &m->q, p, B * nq);
    mg_sam_linear(a->k, NULL, xk, &m->k, p, B * nk);
    mg_sam_linear(a->v, NULL, xv, &m->v, p, B * nk);
    mg_attn_forward(a->mix, a->lse, a->q, a->k, a->v, &c, scratch);
    mg_sam_linear(out, res, a->mix, &m->o, p, B * nq);
}

void mg_sam_attend_backward(float *dxq, float *dxk, float *dxv, float *grads, const float *dout,
                            const mg_sam_attention_acts *a, const float *xq, const float *xk,
                            const float *xv, const mg_sam_attention *m, const mg_params *p, int B,
                            int nq, int nk, float *scratch)
{
    mg_attn c = core(m, B, nq, nk);
    size_t queries = mg_sam_piece((size_t)B * nq * m->inner);
    size_t keys = mg_sam_piece((size_t)B * nk * m->inner);
    float *dmix = scratch, *dq = dmix + queries, *dk = dq + queries, *dv = dk + keys;

    mg_sam_linear_backward(dmix, grads, dout, a->mix, &m->o, p, B * nq, false);
    mg_attn_backward(dq, dk, dv, NULL, NULL, NULL, NULL, dmix, a->mix, a->lse, a->q, a->k, a->v, &c,
                     dv + keys);
    mg_sam_linear_backward(dxq, grads, dq, xq, &m->q, p, B * nq, true);
    // A constant added to all keys moves no softmax: the true gradient of k's bias is zero, and what
    // rounding would leave there is not added.
    mg_linear_backward(dxk, mg_grad(p, grads, m->k.weight), NULL, dk, xk, mg_weight(p, m->k.weight),
                       B * nk, m->k.in, m->k.out, true, MG_FLOAT32);
    mg_sam_linear_backward(dxv, grads, dv, xv, &m->v, p, B * nk, true);
}
