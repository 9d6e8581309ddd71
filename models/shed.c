// ShED: choice, shifted tokens, two-way cross-entropy of every token.
#include "models/shed.h"

#include <math.h>

#include "models/tokens.h"
#include "nn/nn.h"
#include "runtime/rng.h"

static int chosen(double fraction, int L)
{
    return (int)ceil(fraction * L);
}

mg_status mg_shed_check(double fraction, const mg_vit_config *vit)
{
    int L = (vit->Y / vit->patch) * (vit->X / vit->patch), k = chosen(fraction, L);

    MG_CHECK(k >= 2 && k <= L, MG_ERR_CONFIG,
             "shuffled fraction %g moves %d of %d tokens, expected 2 to %d", fraction, k, L, L);
    return MG_OK;
}

void mg_shed_add(mg_shed *s, mg_params *p, double fraction, const mg_vit *vit)
{
    int D = vit->cfg.D;

    *s = (mg_shed){.vit = vit, .L = vit->gh * vit->gw, .cls = vit->cfg.cls ? 1 : 0};
    s->k = chosen(fraction, s->L);
    s->head_w =
        mg_params_add(p, "shed_head.weight", MG_INIT_UNIFORM, mg_xavier_bound(D, 2), 2, 2, D);
    s->head_b = mg_params_add(p, "shed_head.bias", MG_INIT_ZERO, 0, 1, 2);
}

void mg_shed_acts_layout(mg_layout *at, mg_shed_acts *a, const mg_shed *s, mg_vit_acts *enc, int B)
{
    size_t rows = (size_t)B * (s->cls + s->L);

    a->enc = enc;
    a->row = mg_place_bytes(at, rows * sizeof *a->row);
    a->place = mg_place_bytes(at, rows * sizeof *a->place);
    a->order = mg_place_bytes(at, (size_t)s->L * sizeof *a->order);
    a->keys = mg_place_bytes(at, (size_t)2 * s->L * sizeof *a->keys);
    a->picks = mg_place_bytes(at, (size_t)B * s->k * sizeof *a->picks);
    a->source = mg_place_bytes(at, (size_t)B * s->L * sizeof *a->source);
    a->logits = mg_place(at, rows * 2);
    a->per_token = mg_place(at, (size_t)B * s->L);
}

size_t mg_shed_scratch(const mg_shed *s, int B)
{
    size_t vit = mg_vit_scratch(s->vit, B, s->cls + s->L);
    size_t dlogits = (size_t)B * (s->cls + s->L) * 2;

    return vit > dlogits ? vit : dlogits;
}

void mg_shed_draw(mg_shed_acts *a, const mg_shed *s, uint64_t seed, uint32_t epoch, uint32_t sample,
                  int b)
{
    mg_stream stream = {seed, MG_RNG_SHED, epoch, sample};
    int32_t *c = a->picks + (size_t)b * s->k, *source = a->source + (size_t)b * s->L;

    mg_rng_order(&stream, (uint32_t)s->L, a->order, a->keys);
    for (int j = 0; j < s->k; j++) c[j] = (int32_t)a->order[j];
    for (int t = 0; t < s->L; t++) source[t] = t;
    for (int j = 0; j < s->k; j++) source[c[j]] = c[(j + s->k - 1) % s->k];
}

void mg_shed_forward(mg_shed_acts *a, const mg_shed *s, const mg_params *p, const float *e,
                     const int32_t *list, int B, float *scratch)
{
    const mg_vit *v = s->vit;
    int N = s->cls + s->L, D = v->cfg.D;

    a->B = B;
    for (int b = 0; b < B; b++)
        for (int i = 0; i < N; i++) {
            int t = i - s->cls, base = (list ? list[b] : b) * s->L;
            a->row[b * N + i] = t < 0 ? -1 : base + a->source[b * s->L + t];
            a->place[b * N + i] = i;
        }
    mg_tokens_gather(a->enc->stack.x[0], e, a->row, s->cls ? mg_weight(p, v->cls) : NULL,
                     mg_weight(p, v->pos), a->place, B * N, D);
    mg_vit_encode(a->enc, v, p, B, N, 1, NULL, scratch);
    mg_linear_forward(a->logits, a->enc->y, mg_weight(p, s->head_w), mg_weight(p, s->head_b), B * N,
                      D, 2, p->precision);
}

mg_shed_loss mg_shed_measure(mg_shed_acts *a, const mg_shed *s, double count)
{
    mg_shed_loss out = {0};

    for (int b = 0; b < a->B; b++)
        for (int t = 0; t < s->L; t++) {
            const float *z = a->logits + ((size_t)b * (s->cls + s->L) + s->cls + t) * 2;
            bool moved = a->source[b * s->L + t] != t, says = z[1] > z[0];
            double gap = moved ? (double)z[0] - z[1] : (double)z[1] - z[0]; // wrong minus right
            double ce = gap > 0 ? gap + log1p(exp(-gap)) : log1p(exp(gap));

            a->per_token[(size_t)b * s->L + t] = (float)ce;
            out.loss += ce;
            *(moved ? &out.moved : &out.kept) += 1;
            *(moved ? &out.moved_found : &out.kept_found) += says == moved;
        }
    out.loss /= count;
    return out;
}

void mg_shed_backward(float *de, float *grads, mg_shed_acts *a, const mg_shed *s,
                      const mg_params *p, double count, double weight, const mg_ready *ready,
                      float *scratch)
{
    const mg_vit *v = s->vit;
    int N = s->cls + s->L, D = v->cfg.D, rows = a->B * N;
    float *dlogits = scratch;

    for (int b = 0; b < a->B; b++)
        for (int i = 0; i < N; i++) {
            size_t at = (size_t)b * N + i;
            int t = i - s->cls;
            double moved = t >= 0 && a->source[b * s->L + t] != t;
            double p1 = 1 / (1 + exp((double)a->logits[2 * at] - a->logits[2 * at + 1]));

            dlogits[2 * at + 1] = t < 0 ? 0 : (float)(weight / count * (p1 - moved));
            dlogits[2 * at] = -dlogits[2 * at + 1];
        }
    mg_linear_backward(a->enc->dx, mg_grad(p, grads, s->head_w), mg_grad(p, grads, s->head_b),
                       dlogits, a->enc->y, mg_weight(p, s->head_w), rows, D, 2, false,
                       p->precision);
    mg_vit_encode_backward(a->enc, true, grads, v, p, ready, scratch);
    mg_tokens_scatter(de, s->cls ? mg_grad(p, grads, v->cls) : NULL, a->enc->dx, a->row, rows, D);
}
