// SAM's mask decoder (model.md section 6): two-way transformer over tokens and image, upscaling, one
// small network per mask token, IoU head; forward and backward.
//   mask[slot] = sum_c hyper[slot][c] up[c],  hyper[slot] = MLP_slot( hs[1 + slot] ),  iou = MLP( hs[0] )
// Only the wanted slots are computed; the others get no gradient, as in the reference.
#include <string.h>

#include "models/sam.h"
#include "nn/gemm.h"
#include "nn/nn.h"

static const float EPS_TOKENS = 1e-5f, EPS_UP = 1e-6f;

typedef struct {
    int B, Nt, N, E, C8, slots, first; // C8 = E / 8, channels of the upscaled map
    int gh, gw, cells;                 // cells = 16 N
    size_t rows, tokens, keys;         // B Nt rows; floats of the token and image maps
} sizes;

static sizes sizes_of(const mg_sam *s, mg_sam_shape shape)
{
    sizes z = {.B = shape.B,
               .Nt = 1 + s->T + shape.sparse,
               .N = s->N,
               .E = s->cfg.prompt_dim,
               .C8 = s->cfg.prompt_dim / 8,
               .slots = shape.slots.count,
               .first = shape.slots.first,
               .gh = s->cfg.gh,
               .gw = s->cfg.gw,
               .cells = 16 * s->N};

    z.rows = (size_t)z.B * z.Nt;
    z.tokens = z.rows * z.E;
    z.keys = (size_t)z.B * z.N * z.E;
    return z;
}

static mg_two_way_pass two_way(const mg_sam_pass *pass, sizes z, const float *code, float *kpos,
                               float *scratch)
{
    return (mg_two_way_pass){.B = z.B,
                             .Nt = z.Nt,
                             .N = z.N,
                             .E = z.E,
                             .tok = pass->tok,
                             .code = code,
                             .kpos = kpos,
                             .scratch = scratch};
}

// Queries and keys that layer i reads; i = depth: what the last layer leaves.
static const float *queries(const mg_sam_pass *pass, int i)
{
    return i ? pass->layer[i - 1].norm3.out : pass->tok;
}
static const float *keys(const mg_sam_pass *pass, int i)
{
    return i ? pass->layer[i - 1].norm4.out : pass->src;
}

// --- heads ------------------------------------------------------------------------------------------

// Rows of hs that the heads read: the iou token, then the wanted mask tokens.
static int head_row(sizes z, int b, int k)
{
    return b * z.Nt + (k ? z.first + k : 0);
}

static void heads_forward(mg_sam_pass *pass, const mg_sam *s, const mg_params *p, sizes z)
{
    size_t E = (size_t)z.E, slot = z.B * E;
    int last = s->cfg.iou_depth - 1;

    for (int k = 0; k <= z.slots; k++)
        for (int b = 0; b < z.B; b++)
            memcpy(pass->head_in + k * slot + b * E, pass->norm_final.out + head_row(z, b, k) * E,
                   E * sizeof(float));

    for (int k = 0; k < z.slots; k++) {
        const mg_sam_affine *net = s->hyper[z.first + k];
        float *h0 = pass->hyper_hidden[0] + k * slot, *h1 = pass->hyper_hidden[1] + k * slot;
        mg_sam_linear(h0, NULL, pass->head_in + (k + 1) * slot, &net[0], p, z.B);
        mg_relu_forward(h0, h0, slot);
        mg_sam_linear(h1, NULL, h0, &net[1], p, z.B);
        mg_relu_forward(h1, h1, slot);
        mg_sam_linear(pass->hyper + (size_t)k * z.B * z.C8, NULL, h1, &net[2], p, z.B);
    }

    const float *x = pass->head_in;
    for (int i = 0; i < last; i++) {
        float *h = pass->iou_hidden[i];
        mg_sam_linear(h, NULL, x, &s->iou_head[i], p, z.B);
        mg_relu_forward(h, h, (size_t)z.B * s->iou_head[i].out);
        x = h;
    }
    const mg_sam_affine *a = &s->iou_head[last]; // its rows for the wanted slots
    mg_linear_forward(pass->iou, x, mg_weight(p, a->weight) + (size_t)z.first * a->in,
                      mg_weight(p, a->bias) + z.first, z.B, a->in, z.slots, MG_FLOAT32);
}

// dhead [1 + slots, B, E] is overwritten. d0, d1 [B, max(E, iou_hidden)].
static void heads_backward(float *dhead, float *grads, const float *dhyper, const float *diou,
                           const mg_sam_pass *pass, const mg_sam *s, const mg_params *p, sizes z,
                           float *d0, float *d1)
{
    size_t slot = (size_t)z.B * z.E;
    int last = s->cfg.iou_depth - 1;

    for (int k = 0; k < z.slots; k++) {
        const mg_sam_affine *net = s->hyper[z.first + k];
        const float *h0 = pass->hyper_hidden[0] + k * slot, *h1 = pass->hyper_hidden[1] + k * slot;
        mg_sam_linear_backward(d1, grads, dhyper + (size_t)k * z.B * z.C8, h1, &net[2], p, z.B,
                               false);
        mg_relu_backward(d1, d1, h1, slot);
        mg_sam_linear_backward(d0, grads, d1, h0, &net[1], p, z.B, false);
        mg_relu_backward(d0, d0, h0, slot);
        mg_sam_linear_backward(dhead + (k + 1) * slot, grads, d0, pass->head_in + (k + 1) * slot,
                               &net[0], p, z.B, false);
    }

    const mg_sam_affine *a = &s->iou_head[last];
    const float *x = last ? pass->iou_hidden[last - 1] : pass->head_in;
    float *dw = mg_grad(p, grads, a->weight), *db = mg_grad(p, grads, a->bias);
    mg_linear_backward(last ? d0 : dhead, dw ? dw + (size_t)z.first * a->in : NULL,
                       db ? db + z.first : NULL, diou, x,
                       mg_weight(p, a->weight) + (size_t)z.first * a->in, z.B, a->in, z.slots,
                       false, MG_FLOAT32);
    for (int i = last - 1; i >= 0; i--) {
        float *dinp = i ? d1 : dhead;
        mg_relu_backward(d0, d0, pass->iou_hidden[i], (size_t)z.B * s->iou_head[i].out);
        mg_sam_linear_backward(dinp, grads, d0, i ? pass->iou_hidden[i - 1] : pass->head_in,
                               &s->iou_head[i], p, z.B, false);
        d1 = d0;
        d0 = dinp;
    }
}

// --- upscaling and masks ------------------------------------------------------------------------------

static void upscale(mg_sam_pass *pass, const mg_sam *s, const mg_params *p, const float *k, sizes z,
                    float *scratch)
{
    const mg_sam_affine *c0 = &s->up_conv[0], *c1 = &s->up_conv[1];

    mg_convt2x2_forward(pass->up_norm.pre, k, mg_weight(p, c0->weight), mg_weight(p, c0->bias), z.B,
                        z.gh, z.gw, z.E, c0->out, scratch);
    mg_sam_norm(&pass->up_norm, &s->up_norm, p, z.B * z.N * 4, EPS_UP);
    mg_gelu_forward(pass->up_mid, pass->up_norm.out, z.keys); // 4 N of E / 4
    mg_convt2x2_forward(pass->up_pre, pass->up_mid, mg_weight(p, c1->weight),
                        mg_weight(p, c1->bias), z.B, 2 * z.gh, 2 * z.gw, c1->in, c1->out, scratch);
    mg_gelu_forward(pass->up, pass->up_pre, 2 * z.keys); // 16 N of E / 8
}

// dup [B, 16 N, E/8] is destroyed; dk [B, N, E] is overwritten. `dmid` [B, 4 N, E/4].
static void upscale_backward(float *dk, float *grads, float *dup, const mg_sam_pass *pass,
                             const mg_sam *s, const mg_params *p, const float *k, sizes z,
                             float *dmid, float *scratch)
{
    const mg_sam_affine *c0 = &s->up_conv[0], *c1 = &s->up_conv[1];

    mg_gelu_backward(dup, dup, pass->up_pre, 2 * z.keys);
    mg_convt2x2_backward(dmid, mg_grad(p, grads, c1->weight), mg_grad(p, grads, c1->bias), dup,
                         pass->up_mid, mg_weight(p, c1->weight), z.B, 2 * z.gh, 2 * z.gw, c1->in,
                         c1->out, scratch);
    mg_gelu_backward(dmid, dmid, pass->up_norm.out, z.keys);
    mg_sam_norm_backward(dmid, grads, dmid, &pass->up_norm, &s->up_norm, p, z.B * z.N * 4, scratch);
    mg_convt2x2_backward(dk, mg_grad(p, grads, c0->weight), mg_grad(p, grads, c0->bias), dmid, k,
                         mg_weight(p, c0->weight), z.B, z.gh, z.gw, z.E, c0->out, scratch);
}

static void masks_forward(mg_sam_pass *pass, sizes z)
{
    for (int b = 0; b < z.B; b++)
        mg_gemm(pass->masks + (size_t)b * z.slots * z.cells, z.cells,
                pass->hyper + (size_t)b * z.C8, z.B * z.C8, false,
                pass->up + (size_t)b * z.cells * z.C8, z.C8, true, z.slots, z.cells, z.C8, 1, 0);
}

static void masks_backward(float *dhyper, float *dup, const float *dmasks, const mg_sam_pass *pass,
                           sizes z)
{
    for (int b = 0; b < z.B; b++) {
        const float *d = dmasks + (size_t)b * z.slots * z.cells;
        size_t map = (size_t)b * z.cells * z.C8, row = (size_t)b * z.C8;
        mg_gemm(dhyper + row, z.B * z.C8, d, z.cells, false, pass->up + map, z.C8, false, z.slots,
                z.C8, z.cells, 1, 0);
        mg_gemm(dup + map, z.C8, d, z.cells, true, pass->hyper + row, z.B * z.C8, false, z.cells,
                z.C8, z.slots, 1, 0);
    }
}

// --- the decoder --------------------------------------------------------------------------------------

// Scratch: small pieces for the token side, then one region that upscaling and transformer use in
// turn. In the transformer its first piece holds the keys with their code.
typedef struct {
    float *dq, *dpos;      // [B Nt, E]
    float *dhead, *dhyper; // as pass->head_in, pass->hyper
    float *d0, *d1;        // [B, widest hidden layer of a head]
    float *region;
} decoder_scratch;

static size_t head_width(const mg_sam *s)
{
    return (size_t)(s->cfg.iou_hidden > s->cfg.prompt_dim ? s->cfg.iou_hidden : s->cfg.prompt_dim);
}

static size_t take(float **piece, float *base, size_t at, size_t n)
{
    *piece = base ? base + at : NULL;
    return at + mg_sam_piece(n);
}

// Returns the floats before the region.
static size_t place_scratch(decoder_scratch *d, float *base, const mg_sam *s, sizes z)
{
    size_t at = 0;

    at = take(&d->dq, base, at, z.tokens);
    at = take(&d->dpos, base, at, z.tokens);
    at = take(&d->dhead, base, at, (size_t)(1 + z.slots) * z.B * z.E);
    at = take(&d->dhyper, base, at, (size_t)z.slots * z.B * z.C8);
    at = take(&d->d0, base, at, z.B * head_width(s));
    at = take(&d->d1, base, at, z.B * head_width(s));
    return take(&d->region, base, at, 0);
}

size_t mg_mask_decode_scratch(const mg_sam *s, mg_sam_shape shape)
{
    decoder_scratch d;
    sizes z = sizes_of(s, shape);
    size_t up =
        5 * mg_sam_piece(z.keys) + mg_layernorm_scratch(z.E); // dup, dmid, the convolution's
    size_t part = mg_sam_attention_scratch(&s->final, z.B, z.Nt, z.N);

    for (int i = 0; i < s->cfg.depth; i++) {
        size_t n = mg_two_way_scratch(&s->layer[i], z.B, z.Nt, z.N, z.E);
        part = n > part ? n : part;
    }
    part += mg_sam_piece(z.keys);
    return place_scratch(&d, NULL, s, z) + (part > up ? part : up);
}

static void fill_kpos(float *kpos, const float *k, const float *code, sizes z)
{
    size_t n = (size_t)z.N * z.E;

    for (int b = 0; b < z.B; b++) mg_add(kpos + b * n, k + b * n, code, n);
}

void mg_mask_decode(mg_sam_pass *pass, const mg_sam *s, const mg_params *p, const float *code,
                    float *scratch)
{
    sizes z = sizes_of(s, pass->shape);
    int depth = s->cfg.depth;
    float *kpos = scratch, *rest = kpos + mg_sam_piece(z.keys);
    mg_two_way_pass t = two_way(pass, z, code, kpos, rest);

    for (int i = 0; i < depth; i++)
        mg_two_way_forward(&pass->layer[i], queries(pass, i), keys(pass, i), &s->layer[i], p, &t);

    const float *q = queries(pass, depth), *k = keys(pass, depth);
    mg_add(pass->pos_final, q, pass->tok, z.tokens);
    fill_kpos(kpos, k, code, z);
    mg_sam_attend(pass->norm_final.pre, q, &pass->final, pass->pos_final, kpos, k, &s->final, p,
                  z.B, z.Nt, z.N, rest);
    mg_sam_norm(&pass->norm_final, &s->norm_final, p, (int)z.rows, EPS_TOKENS);

    heads_forward(pass, s, p, z);
    upscale(pass, s, p, k, z, scratch);
    masks_forward(pass, z);
}

// Down to the output of the transformer: dq [B Nt, E], dk [B, N, E] are overwritten.
static void output_backward(float *dq, float *dk, float *grads, const float *dmasks,
                            const float *diou, const mg_sam_pass *pass, const mg_sam *s,
                            const mg_params *p, sizes z, decoder_scratch *d)
{
    size_t E = (size_t)z.E, slot = z.B * E, piece = mg_sam_piece(z.keys);
    float *dup = d->region, *dmid = dup + 2 * piece;

    masks_backward(d->dhyper, dup, dmasks, pass, z);
    upscale_backward(dk, grads, dup, pass, s, p, keys(pass, s->cfg.depth), z, dmid, dmid + piece);
    heads_backward(d->dhead, grads, d->dhyper, diou, pass, s, p, z, d->d0, d->d1);
    memset(dq, 0, z.tokens * sizeof *dq);
    for (int k = 0; k <= z.slots; k++)
        for (int b = 0; b < z.B; b++)
            memcpy(dq + head_row(z, b, k) * E, d->dhead + k * slot + b * E, E * sizeof *dq);
}

void mg_mask_decode_backward(float *dtok, float *dsrc, float *grads, const float *dmasks,
                             const float *diou, const mg_sam_pass *pass, const mg_sam *s,
                             const mg_params *p, const float *code, float *scratch)
{
    sizes z = sizes_of(s, pass->shape);
    int depth = s->cfg.depth;
    decoder_scratch d;
    place_scratch(&d, scratch, s, z);
    float *kpos = d.region, *rest = kpos + mg_sam_piece(z.keys);
    mg_two_way_pass t = two_way(pass, z, code, kpos, rest);

    output_backward(d.dq, dsrc, grads, dmasks, diou, pass, s, p, z, &d);

    const float *k = keys(pass, depth);
    fill_kpos(kpos, k, code, z);
    mg_sam_norm_backward(d.dq, grads, d.dq, &pass->norm_final, &s->norm_final, p, (int)z.rows,
                         rest);
    memset(d.dpos, 0, z.tokens * sizeof(float));
    mg_sam_attend_backward(d.dpos, dsrc, dsrc, grads, d.dq, &pass->final, pass->pos_final, kpos, k,
                           &s->final, p, z.B, z.Nt, z.N, rest);
    mg_add(d.dq, d.dq, d.dpos, z.tokens);
    memcpy(dtok, d.dpos, z.tokens * sizeof(float));

    for (int i = depth - 1; i >= 0; i--)
        mg_two_way_backward(d.dq, dsrc, dtok, grads, &pass->layer[i], queries(pass, i),
                            keys(pass, i), &s->layer[i], p, &t);
    mg_add(dtok, dtok, d.dq, z.tokens); // tok is where the queries start
}
