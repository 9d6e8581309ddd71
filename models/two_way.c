// A layer of the two-way transformer (model.md 6.3), in layer 0 with the adapters of MSA (10.4):
//   q = norm1( A_self(q, q, q) )  first layer,   norm1( q + A_self(q+tok, q+tok, q) )  later ones
//   hq = q + A_t2i(q+tok, k+code, k);   q = norm2( hq  (+ U_prompt(hq | q after norm1)) )
//   q = norm3( q + lin2(ReLU(lin1(q)))  (+ s U_mlp(q)) )
//   hk = k + A_i2t(k+code, q+tok, q);   k = norm4( hk  (+ U_image(hk)) )
// Without adapters hq and hk are the norms' inputs themselves.
#include <string.h>

#include "models/sam_parts.h"
#include "nn/nn.h"

static const float EPS = 1e-5f; // of every norm of the transformer

void mg_two_way_layout(mg_layout *at, mg_two_way_acts *a, const mg_two_way *l, int B, int Nt, int N,
                       int E)
{
    int R = B * Nt;
    size_t tokens = (size_t)R * E;

    a->pos0 = l->first ? NULL : mg_place(at, tokens);
    mg_sam_attention_layout(at, &a->self, &l->self, B, Nt, Nt);
    mg_sam_norm_layout(at, &a->norm1, R, E);
    a->pos1 = mg_place(at, tokens);
    mg_sam_attention_layout(at, &a->token_to_image, &l->token_to_image, B, Nt, N);
    mg_sam_norm_layout(at, &a->norm2, R, E);
    a->hidden = mg_place(at, (size_t)R * l->lin1.out);
    mg_sam_norm_layout(at, &a->norm3, R, E);
    a->pos3 = mg_place(at, tokens);
    mg_sam_attention_layout(at, &a->image_to_token, &l->image_to_token, B, N, Nt);
    mg_sam_norm_layout(at, &a->norm4, B * N, E);
    if (l->adapters) {
        a->hq = mg_place(at, tokens);
        a->hk = mg_place(at, (size_t)B * N * E);
        a->prompt_hidden = mg_place(at, (size_t)R * l->prompt_adapter.hidden);
        a->mlp_hidden = mg_place(at, (size_t)R * l->mlp_adapter.hidden);
        a->image_hidden = mg_place(at, (size_t)B * N * l->image_adapter.hidden);
    } else {
        a->hq = a->norm2.pre;
        a->hk = a->norm4.pre;
    }
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

// The parts run one after the other and share what they need.
static size_t part_scratch(const mg_two_way *l, int B, int Nt, int N, int E)
{
    size_t n = mg_layernorm_scratch(E);

    n = larger(n, mg_sam_attention_scratch(&l->self, B, Nt, Nt));
    n = larger(n, mg_sam_attention_scratch(&l->token_to_image, B, Nt, N));
    n = larger(n, mg_sam_attention_scratch(&l->image_to_token, B, N, Nt));
    if (l->adapters) {
        n = larger(n, mg_adapter_scratch(E, l->prompt_adapter.hidden, B * Nt));
        n = larger(n, mg_adapter_scratch(E, l->mlp_adapter.hidden, B * Nt));
        n = larger(n, mg_adapter_scratch(E, l->image_adapter.hidden, B * N));
    }
    return n;
}

// dpos, spare [R, E] and dhidden [R, mlp] of the backward pass come before it.
size_t mg_two_way_scratch(const mg_two_way *l, int B, int Nt, int N, int E)
{
    size_t R = (size_t)B * Nt;

    return 2 * mg_sam_piece(R * E) + mg_sam_piece(R * l->lin1.out) + part_scratch(l, B, Nt, N, E);
}

static void fill_kpos(const mg_two_way_pass *s, const float *k)
{
    size_t n = (size_t)s->N * s->E;

    for (int b = 0; b < s->B; b++) mg_add(s->kpos + b * n, k + b * n, s->code, n);
}

void mg_two_way_forward(mg_two_way_acts *a, const float *q, const float *k, const mg_two_way *l,
                        const mg_params *p, const mg_two_way_pass *s)
{
    int B = s->B, Nt = s->Nt, N = s->N, R = B * Nt;
    size_t tokens = (size_t)R * s->E, cells = (size_t)B * N * s->E;

    fill_kpos(s, k);
    if (l->first) {
        mg_sam_attend(a->norm1.pre, NULL, &a->self, q, q, q, &l->self, p, B, Nt, Nt, s->scratch);
    } else {
        mg_add(a->pos0, q, s->tok, tokens);
        mg_sam_attend(a->norm1.pre, q, &a->self, a->pos0, a->pos0, q, &l->self, p, B, Nt, Nt,
                      s->scratch);
    }
    mg_sam_norm(&a->norm1, &l->norm1, p, R, EPS);

    const float *q1 = a->norm1.out;
    mg_add(a->pos1, q1, s->tok, tokens);
    mg_sam_attend(a->hq, q1, &a->token_to_image, a->pos1, s->kpos, k, &l->token_to_image, p, B, Nt,
                  N, s->scratch);
    if (l->adapters) {
        memcpy(a->norm2.pre, a->hq, tokens * sizeof(float));
        mg_adapter_forward(a->norm2.pre, a->prompt_hidden, a->hq, q1, &l->prompt_adapter, p, R, 1,
                           s->scratch);
    }
    mg_sam_norm(&a->norm2, &l->norm2, p, R, EPS);

    const float *q2 = a->norm2.out;
    mg_sam_linear(a->hidden, NULL, q2, &l->lin1, p, R);
    mg_relu_forward(a->hidden, a->hidden, (size_t)R * l->lin1.out);
    mg_sam_linear(a->norm3.pre, q2, a->hidden, &l->lin2, p, R);
    if (l->adapters)
        mg_adapter_forward(a->norm3.pre, a->mlp_hidden, q2, NULL, &l->mlp_adapter, p, R, l->scale,
                           s->scratch);
    mg_sam_norm(&a->norm3, &l->norm3, p, R, EPS);

    const float *q3 = a->norm3.out;
    mg_add(a->pos3, q3, s->tok, tokens);
    mg_sam_attend(a->hk, k, &a->image_to_token, s->kpos, a->pos3, q3, &l->image_to_token, p, B, N,
                  Nt, s->scratch);
    if (l->adapters) {
        memcpy(a->norm4.pre, a->hk, cells * sizeof(float));
        mg_adapter_forward(a->norm4.pre, a->image_hidden, a->hk, NULL, &l->image_adapter, p, B * N,
                           1, s->scratch);
    }
    mg_sam_norm(&a->norm4, &l->norm4, p, B * N, EPS);
}

static void zero(float *x, size_t n)
{
    memset(x, 0, n * sizeof *x);
}

void mg_two_way_backward(float *dq, float *dk, float *dtok, float *grads, const mg_two_way_acts *a,
                         const float *q, const float *k, const mg_two_way *l, const mg_params *p,
                         const mg_two_way_pass *s)
{
    int B = s->B, Nt = s->Nt, N = s->N, R = B * Nt;
    size_t tokens = (size_t)R * s->E;
    float *dpos = s->scratch, *spare = dpos + mg_sam_piece(tokens);
    float *dhidden = spare + mg_sam_piece(tokens);
    float *scratch = dhidden + mg_sam_piece((size_t)R * l->lin1.out);

    fill_kpos(s, k);

    // k = norm4( hk + U_image(hk) ), hk = k + A_i2t(k+code, q3+tok, q3)
    mg_sam_norm_backward(dk, grads, dk, &a->norm4, &l->norm4, p, B * N, scratch);
    if (l->adapters)
        mg_adapter_backward(dk, NULL, grads, dk, a->image_hidden, a->hk, NULL, &l->image_adapter, p,
                            B * N, 1, scratch);
    zero(dpos, tokens);
    mg_sam_attend_backward(dk, dpos, dq, grads, dk, &a->image_to_token, s->kpos, a->pos3,
                           a->norm3.out, &l->image_to_token, p, B, N, Nt, scratch);
    mg_add(dq, dq, dpos, tokens);
    mg_add(dtok, dtok, dpos, tokens);

    // q3 = norm3( q2 + lin2(ReLU(lin1(q2))) + s U_mlp(q2) )
    mg_sam_norm_backward(dq, grads, dq, &a->norm3, &l->norm3, p, R, scratch);
    mg_sam_linear_backward(dhidden, grads, dq, a->hidden, &l->lin2, p, R, false);
    mg_relu_backward(dhidden, dhidden, a->hidden, (size_t)R * l->lin1.out);
    if (l->adapters)
        mg_adapter_backward(dq, NULL, grads, dq, a->mlp_hidden, a->norm2.out, NULL, &l->mlp_adapter,
                            p, R, l->scale, scratch);
    mg_sam_linear_backward(dq, grads, dhidden, a->norm2.out, &l->lin1, p, R, true);

    // q2 = norm2( hq + U_prompt(hq | q1) ), hq = q1 + A_t2i(q1+tok, k+code, k)
    mg_sam_norm_backward(dq, grads, dq, &a->norm2, &l->norm2, p, R, scratch);
    zero(dpos, tokens);
    zero(spare, tokens);
    if (l->adapters)
        mg_adapter_backward(dq, spare, grads, dq, a->prompt_hidden, a->hq, a->norm1.out,
                            &l->prompt_adapter, p, R, 1, scratch);
    mg_sam_attend_backward(dpos, dk, dk, grads, dq, &a->token_to_image, a->pos1, s->kpos, k,
                           &l->token_to_image, p, B, Nt, N, scratch);
    mg_add(dtok, dtok, dpos, tokens);
    mg_add(dq, dq, dpos, tokens);
    mg_add(dq, dq, spare, tokens);

    // q1 = norm1( A_self )
    mg_sam_norm_backward(dq, grads, dq, &a->norm1, &l->norm1, p, R, scratch);
    zero(dpos, tokens);
    if (l->first) {
        mg_sam_attend_backward(dpos, dpos, dpos, grads, dq, &a->self, q, q, q, &l->self, p, B, Nt,
                               Nt, scratch);
        memcpy(dq, dpos, tokens * sizeof *dq);
    } else {
        mg_sam_attend_backward(dpos, dpos, dq, grads, dq, &a->self, a->pos0, a->pos0, q, &l->self,
                               p, B, Nt, Nt, scratch);
        mg_add(dtok, dtok, dpos, tokens);
        mg_add(dq, dq, dpos, tokens);
    }
}
