// e-Mix: a contrastive objective on mixed patch embeddings (pretraining.md sections 3.1 and 3.2).
//   mix_i = lam_i e_i + (1 - lam_i) e_pi(i)          the partner is a constant
//   u = emix_head(mean over patches of LN_final(encoder(.))),  z = u / max(||u||, 1e-12)
//   S_ij = <zm_i, z_j> / tau,  loss rows over the whole global batch of M samples
// Two passes over the encoder, mixed and clean; both are trained. A step runs mg_emix_forward for
// every leaf, gathers z and zm of all ranks, computes the contrast, then mg_emix_backward per leaf.
#ifndef MG_MODELS_EMIX_H
#define MG_MODELS_EMIX_H

#include "models/vit.h"

typedef struct {
    const mg_vit *vit;                  // not owned
    int L, d, cls;                      // d: width of z
    int norm_w, norm_b, proj_w, proj_b; // indices into the table
} mg_emix;

void mg_emix_add(mg_emix *e, mg_params *p, int d, const mg_vit *vit);

// One pass over B samples.
typedef struct {
    mg_vit_acts *enc;                 // over N = cls + L tokens; not owned
    float *pool, *head, *mean, *rstd; // [B, D] twice, [B] twice
    float *u, *z;                     // [B, d]
} mg_emix_pass;

typedef struct {
    mg_emix_pass mix, clean;
    bool kept;            // mix and clean have encoder activations of their own
    float *mixed;         // [B, L, D]
    int32_t *row, *place; // [B, N] for models/tokens.h
    int B;
} mg_emix_acts;
// With one set of encoder activations (mix == clean) the backward pass repeats each forward pass:
// half the memory or, over several leaves, that of one; the same bits.
void mg_emix_acts_layout(mg_layout *at, mg_emix_acts *a, const mg_emix *e, mg_vit_acts *mix,
                         mg_vit_acts *clean, int B);
size_t mg_emix_scratch(const mg_emix *e, int B);

// The coefficient of a sample from (seed, epoch, sample): max(b, 1 - b), b ~ Beta(alpha, alpha).
float mg_emix_draw(double alpha, uint64_t seed, uint32_t epoch, uint32_t sample);
// pi of M positions from (seed, epoch, step in the epoch). `keys` [2 M].
void mg_emix_pairs(uint32_t *pi, uint64_t seed, uint32_t epoch, uint32_t step, int M,
                   uint64_t *keys);

// z [B, d] of pooled features [B, D]: the head alone, for looking at the encoder.
void mg_emix_project(float *z, const mg_emix *e, const mg_params *p, const float *pool, int B,
                     float *scratch);

// z, zm [B, d]. Sample b is entry list[b] of `own` [., L, D] (NULL: b); partner [B, L, D] are the
// embeddings of its partners.
void mg_emix_forward(mg_emix_acts *a, const mg_emix *e, const mg_params *p, float *z, float *zm,
                     const float *own, const int32_t *list, const float *partner, const float *lam,
                     int B, float *scratch);

typedef struct {
    double loss;  // sum over rows lo .. hi - 1, / M
    int64_t hits; // rows whose largest logit is their own
} mg_emix_loss;

// The contrast of a global batch: Z, ZM [M, d], lam, pi [M]. Writes rows lo .. hi - 1 of the
// gradients, weight * dloss, to dz, dzm [hi - lo, d] (both NULL: loss alone). batch_mean: the mean
// coefficient in the loss, as in the code DABS shipped. Every row is summed over the whole batch in
// order, so the bits do not depend on how rows are shared out.
//   scratch: mg_emix_contrast_scratch floats
mg_emix_loss mg_emix_contrast(float *dz, float *dzm, const float *Z, const float *ZM,
                              const float *lam, const uint32_t *pi, int M, int d, double tau,
                              bool batch_mean, double weight, int lo, int hi, float *scratch);
size_t mg_emix_contrast_scratch(int M, int d);

// From dz, dzm [B, d] to grads and de [., L, D] (added). Arguments as in the forward pass.
void mg_emix_backward(float *de, float *grads, mg_emix_acts *a, const mg_emix *e,
                      const mg_params *p, const float *dz, const float *dzm, const float *own,
                      const int32_t *list, const float *partner, const float *lam, int B,
                      const mg_ready *ready, float *scratch);

#endif
