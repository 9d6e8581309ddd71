// SAM's prompt encoder (model.md section 5): points, boxes and a mask prompt to sparse tokens and a
// dense map, and their gradients. Tokens of the decoder that do not depend on the prompt (iou, masks)
// are put in front here too, so that `tok` is complete.
//   code(x, y) = [sin a | cos a],  a = 2 pi ((2x-1) G[0] + (2y-1) G[1]),  x, y in [0, 1]
// No gradient reaches the code, the points or the mask prompt.
#include <math.h>
#include <string.h>

#include "models/sam.h"
#include "nn/nn.h"

static const float EPS = 1e-6f; // of the norms around the mask prompt

// --- codes ------------------------------------------------------------------------------------------

static void code_of(float *out, const mg_sam *s, const mg_params *p, double x, double y)
{
    int half = s->cfg.prompt_dim / 2;
    const float *G = mg_weight(p, s->gauss);

    for (int i = 0; i < half; i++) {
        double a = 2 * 3.14159265358979323846 * ((2 * x - 1) * G[i] + (2 * y - 1) * G[half + i]);
        out[i] = (float)sin(a);
        out[half + i] = (float)cos(a);
    }
}

void mg_sam_dense_code(float *out, const mg_sam *s, const mg_params *p)
{
    int gh = s->cfg.gh, gw = s->cfg.gw;

#pragma omp parallel for
    for (int t = 0; t < gh * gw; t++)
        code_of(out + (size_t)t * s->cfg.prompt_dim, s, p, (t % gw + 0.5) / gw,
                (t / gw + 0.5) / gh);
}

// Code of a place in pixels of the model input, plus an embedding unless negative.
static void token_of(float *out, const mg_sam *s, const mg_params *p, const float *place,
                     int embedding)
{
    code_of(out, s, p, (place[0] + 0.5) / s->cfg.width, (place[1] + 0.5) / s->cfg.height);
    if (embedding >= 0) mg_add(out, out, mg_weight(p, embedding), (size_t)s->cfg.prompt_dim);
}

// --- sparse tokens ----------------------------------------------------------------------------------

int mg_sam_sparse(const mg_sam_prompt *prompt)
{
    int n = prompt->n_extra;

    if (prompt->has_points) n += prompt->N + (prompt->boxes ? 0 : 1);
    if (prompt->boxes) n += 2;
    return n;
}

mg_sam_shape mg_sam_shape_of(const mg_sam_prompt *prompt, mg_sam_slots slots)
{
    return (mg_sam_shape){prompt->B, mg_sam_sparse(prompt), slots, prompt->masks != NULL};
}

// The embedding that a label adds, -1 for none.
static int embedding_of(const mg_sam *s, int label)
{
    return label == 0 || label == 1 ? s->point[label] : -1;
}

static void sparse_tokens(float *out, const mg_sam *s, const mg_params *p,
                          const mg_sam_prompt *prompt, int b)
{
    size_t E = (size_t)s->cfg.prompt_dim, row = E * sizeof *out;
    const float *nothing = mg_weight(p, s->not_a_point);

    if (prompt->has_points) {
        for (int i = 0; i < prompt->N; i++, out += E) {
            size_t at = (size_t)b * prompt->N + i;
            if (prompt->labels[at] == -1)
                memcpy(out, nothing, row);
            else
                token_of(out, s, p, prompt->points + 2 * at, embedding_of(s, prompt->labels[at]));
        }
        if (!prompt->boxes) {
            memcpy(out, nothing, row);
            out += E;
        }
    }
    if (prompt->boxes)
        for (int corner = 0; corner < 2; corner++, out += E)
            token_of(out, s, p, prompt->boxes + 4 * (size_t)b + 2 * corner, s->point[2 + corner]);
    if (prompt->n_extra)
        memcpy(out, prompt->extra + (size_t)b * prompt->n_extra * E, prompt->n_extra * row);
}

static void add_token(float *dembedding, const float *dtoken, int E)
{
    if (dembedding) mg_add(dembedding, dembedding, dtoken, (size_t)E);
}

static void sparse_backward(float *grads, float *dextra, const float *d, const mg_sam *s,
                            const mg_params *p, const mg_sam_prompt *prompt, int b)
{
    int E = s->cfg.prompt_dim;
    float *dnothing = mg_grad(p, grads, s->not_a_point);

    if (prompt->has_points) {
        for (int i = 0; i < prompt->N; i++, d += E) {
            int label = prompt->labels[(size_t)b * prompt->N + i], e = embedding_of(s, label);
            if (label == -1) add_token(dnothing, d, E);
            if (e >= 0) add_token(mg_grad(p, grads, e), d, E);
        }
        if (!prompt->boxes) {
            add_token(dnothing, d, E);
            d += E;
        }
    }
    if (prompt->boxes)
        for (int corner = 0; corner < 2; corner++, d += E)
            add_token(mg_grad(p, grads, s->point[2 + corner]), d, E);
    if (dextra) {
        size_t n = (size_t)prompt->n_extra * E;
        mg_add(dextra + b * n, dextra + b * n, d, n);
    }
}

// --- dense prompt -----------------------------------------------------------------------------------

// Rows of each stage of the mask prompt: 4 N after the first convolution, N after the second.
static int stage_rows(const mg_sam *s, int B, int stage)
{
    return B * s->N * (stage == 0 ? 4 : 1);
}

// src += the mask prompt's embedding. Each strided convolution is a linear map of folded cells.
static void dense_masks(mg_sam_pass *pass, const mg_sam *s, const mg_params *p, const float *masks)
{
    int B = pass->shape.B, Y = 4 * s->cfg.gh, X = 4 * s->cfg.gw;
    const float *map = masks;

    for (int i = 0; i < 2; i++) {
        int rows = stage_rows(s, B, i);
        mg_sam_norm_acts *norm = &pass->mask_norm[i];
        mg_space_to_depth(pass->fold[i], map, B, Y >> i, X >> i, s->mask_conv[i].in / 4);
        mg_sam_linear(norm->pre, NULL, pass->fold[i], &s->mask_conv[i], p, rows);
        mg_sam_norm(norm, &s->mask_norm[i], p, rows, EPS);
        // The first result is folded next, so it needs no place of its own beyond that.
        mg_gelu_forward(pass->mask_out, norm->out, (size_t)rows * s->mask_conv[i].out);
        map = pass->mask_out;
    }
    mg_sam_linear(pass->src, pass->src, pass->mask_out, &s->mask_conv[2], p, B * s->N);
}

static bool trains_masks(const mg_sam *s, const mg_params *p)
{
    for (int i = 0; i < 3; i++)
        if (p->list[s->mask_conv[i].weight].trainable || p->list[s->mask_conv[i].bias].trainable)
            return true;
    for (int i = 0; i < 2; i++)
        if (p->list[s->mask_norm[i].weight].trainable || p->list[s->mask_norm[i].bias].trainable)
            return true;
    return false;
}

static void dense_masks_backward(float *grads, const float *dsrc, const mg_sam_pass *pass,
                                 const mg_sam *s, const mg_params *p, float *scratch)
{
    int B = pass->shape.B, Y = 4 * s->cfg.gh, X = 4 * s->cfg.gw;
    size_t n = mg_sam_piece((size_t)stage_rows(s, B, 0) * s->mask_conv[0].out);
    float *d = scratch, *dfold = d + n, *norm_scratch = dfold + n;

    mg_sam_linear_backward(d, grads, dsrc, pass->mask_out, &s->mask_conv[2], p, B * s->N, false);
    for (int i = 1; i >= 0; i--) {
        int rows = stage_rows(s, B, i);
        const mg_sam_norm_acts *norm = &pass->mask_norm[i];
        mg_gelu_backward(d, d, norm->out, (size_t)rows * s->mask_conv[i].out);
        mg_sam_norm_backward(d, grads, d, norm, &s->mask_norm[i], p, rows, norm_scratch);
        mg_sam_linear_backward(i ? dfold : NULL, grads, d, pass->fold[i], &s->mask_conv[i], p, rows,
                               false);
        if (i) mg_space_to_depth_backward(d, dfold, B, Y >> i, X >> i, s->mask_conv[i].in / 4);
    }
}

// --- both -------------------------------------------------------------------------------------------

void mg_prompt_encode(mg_sam_pass *pass, const mg_sam *s, const mg_params *p,
                      const float *embedding, const mg_sam_prompt *prompt)
{
    size_t E = (size_t)s->cfg.prompt_dim, image = s->N * E;
    int Nt = 1 + s->T + pass->shape.sparse;

    for (int b = 0; b < prompt->B; b++) {
        float *tok = pass->tok + (size_t)b * Nt * E;
        memcpy(tok, mg_weight(p, s->iou_token), E * sizeof *tok);
        memcpy(tok + E, mg_weight(p, s->mask_tokens), s->T * E * sizeof *tok);
        sparse_tokens(tok + (1 + s->T) * E, s, p, prompt, b);

        memcpy(pass->src + b * image, embedding, image * sizeof *embedding);
        if (!prompt->masks)
            mg_add_rows(pass->src + b * image, mg_weight(p, s->no_mask), s->N, 1, (int)E);
    }
    if (prompt->masks) dense_masks(pass, s, p, prompt->masks);
}

size_t mg_prompt_encode_scratch(const mg_sam *s, mg_sam_shape shape)
{
    const mg_sam_affine *a = s->mask_conv;

    if (!shape.masks) return 0;
    return 2 * mg_sam_piece((size_t)stage_rows(s, shape.B, 0) * a[0].out) +
           mg_layernorm_scratch(a[0].out > a[1].out ? a[0].out : a[1].out);
}

void mg_prompt_encode_backward(float *grads, float *dembedding, float *dextra, const float *dtok,
                               const float *dsrc, const mg_sam_pass *pass, const mg_sam *s,
                               const mg_params *p, const mg_sam_prompt *prompt, float *scratch)
{
    int E = s->cfg.prompt_dim, Nt = 1 + s->T + pass->shape.sparse;
    float *diou = mg_grad(p, grads, s->iou_token), *dmask = mg_grad(p, grads, s->mask_tokens);
    float *dno_mask = mg_grad(p, grads, s->no_mask);

    for (int b = 0; b < prompt->B; b++) {
        const float *d = dtok + (size_t)b * Nt * E;
        add_token(diou, d, E);
        add_token(dmask, d + E, s->T * E);
        sparse_backward(grads, dextra, d + (size_t)(1 + s->T) * E, s, p, prompt, b);
    }
    if (dembedding) mg_add_rows_backward(dembedding, dsrc, prompt->B, s->N, E);
    if (prompt->masks) {
        if (grads && trains_masks(s, p)) dense_masks_backward(grads, dsrc, pass, s, p, scratch);
    } else if (dno_mask) {
        mg_bias_backward(dno_mask, dsrc, prompt->B * s->N, E);
    }
}
