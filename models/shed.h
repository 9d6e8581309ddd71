// ShED: detect which patch embeddings were moved (pretraining.md section 3.3). k tokens of each
// sample are chosen in random order c_0 .. c_{k-1} and shifted along it: c_j gets the embedding of
// c_{j-1}, c_0 that of c_{k-1}. Encoder over all L tokens, then shed_head: Linear(D, 2) on each.
// Losses are sums over this call's samples divided by a count of the whole global batch.
#ifndef MG_MODELS_SHED_H
#define MG_MODELS_SHED_H

#include "models/vit.h"

typedef struct {
    const mg_vit *vit; // not owned
    int L, k, cls;
    int head_w, head_b; // indices into the table
} mg_shed;

mg_status mg_shed_check(double fraction, const mg_vit_config *vit); // MG_ERR_CONFIG: k < 2
void mg_shed_add(mg_shed *s, mg_params *p, double fraction, const mg_vit *vit);

// Activations of up to B samples; N = cls + L.
typedef struct {
    mg_vit_acts *enc;     // over N tokens; not owned
    int32_t *row, *place; // [B, N] for models/tokens.h
    uint32_t *order;      // [L]
    uint64_t *keys;
    int32_t *picks;   // [B, k] c_0 ..
    int32_t *source;  // [B, L] the token whose embedding each token carries
    float *logits;    // [B, N, 2]
    float *per_token; // [B, L] cross-entropy
    int B;
} mg_shed_acts;
// `enc`: activations for B samples of N tokens, which other objectives may use before and after.
void mg_shed_acts_layout(mg_layout *at, mg_shed_acts *a, const mg_shed *s, mg_vit_acts *enc, int B);
size_t mg_shed_scratch(const mg_shed *s, int B);

// The choice of the call's sample b from (seed, epoch, sample).
void mg_shed_draw(mg_shed_acts *a, const mg_shed *s, uint64_t seed, uint32_t epoch, uint32_t sample,
                  int b);

// Up to a->logits. Sample b is entry list[b] of e [., L, D] (NULL: b).
void mg_shed_forward(mg_shed_acts *a, const mg_shed *s, const mg_params *p, const float *e,
                     const int32_t *list, int B, float *scratch);

typedef struct {
    double loss;                // sum over tokens / count
    int64_t moved, moved_found; // tokens with label 1, those of them with the larger logit 1
    int64_t kept, kept_found;   // the same for label 0
} mg_shed_loss;

// `count`: tokens of the global batch, M L. Scores for an AUROC: logits[1] - logits[0] of a token,
// label source[t] != t.
mg_shed_loss mg_shed_measure(mg_shed_acts *a, const mg_shed *s, double count);

// Adds weight * dloss to grads and to de [., L, D].
void mg_shed_backward(float *de, float *grads, mg_shed_acts *a, const mg_shed *s,
                      const mg_params *p, double count, double weight, const mg_ready *ready,
                      float *scratch);

#endif
