// Encoder, MAE, e-Mix and ShED as one model (pretraining.md section 5): one table of parameters, one
// block of activations, and per-leaf calls. Who serves which objective, the exchange of partner
// embeddings and the sums over leaves and ranks are the caller's (pretrain/).
//
// One step, all objectives (`sum`), a rank with several leaves:
//   for each leaf     mg_pretrain_embed                     e of its samples
//   exchange          partner embeddings between leaves and ranks (mg_emix_pairs)
//   for each leaf     mg_pretrain_emix_forward              z, zm
//   gather            Z, ZM, lam over ranks; mg_emix_contrast for the rank's rows: dz, dzm
//   for each leaf     zero de; mg_pretrain_mae; mg_pretrain_shed; mg_pretrain_emix_backward;
//                     mg_pretrain_embed_backward            gradients of this leaf are complete
// With cfg.emix_slots = 0 emix_backward repeats the leaf's forward passes; with 1 (one leaf on the
// rank) they are kept, and mae and shed must be called before emix_forward; with more, leaf i uses
// slot i and the order is the one above. The bits are the same in all cases.
// `split`: each call gets the list of samples that serve its objective, and counts of M / 3.
// `rotate`, or MAE alone: one objective's calls; MAE with e = NULL embeds visible patches only, and
// embed_backward is not called.
//
// Losses are this call's sums over counts of the global batch; gradients are weight * dloss, added
// to `grads` (mg_params_train's index space). With grads NULL losses are measured and nothing else.
// `ready` may be given to the last call of a leaf that adds to the encoder: it tells which gradients
// are final while the pass runs; after embed_backward (MAE with e = NULL: after mae) all are.
// No call but open allocates; none can fail.
#ifndef MG_MODELS_PRETRAIN_MODEL_H
#define MG_MODELS_PRETRAIN_MODEL_H

#include "models/emix.h"
#include "models/mae.h"
#include "models/shed.h"

typedef struct {
    mg_vit_config vit; // mg_vit_named_mae; rel_h, rel_w, window, cls as wanted
    bool use_mae, use_emix, use_shed;
    mg_mae_config mae;
    double shed_fraction;
    int emix_dim;
    double emix_alpha, emix_tau;
    bool emix_batch_mean;
    mg_keep keep;   // MG_KEEP_ALL or MG_KEEP_INPUTS (recompute)
    int leaf;       // most samples of a leaf
    int each;       // most samples of a leaf that serve one objective (`split`: a third)
    int emix_slots; // leaves whose e-Mix activations are kept; see above
} mg_pretrain_config;

typedef struct mg_pretrain_model {
    mg_pretrain_config cfg;
    mg_params params; // in the order of pretraining.md section 10, then the heads
    mg_vit vit;
    mg_mae mae;
    mg_shed shed;
    mg_emix emix;
    int L; // tokens of an image

    mg_vit_acts *enc; // 0, 1: full passes that share memory with MAE; then two for each slot
    mg_vit_acts features;
    mg_mae_acts mae_acts;
    mg_shed_acts shed_acts;
    mg_emix_acts *slot; // [max(1, emix_slots)]
    void *block;        // all activations and scratch
    size_t block_bytes;
    float *scratch;
} mg_pretrain_model;

// Defaults of the specification for a named encoder: the three objectives, MAE decoder 512 x 8,
// keep all, leaf = each = batch, one slot.
mg_status mg_pretrain_defaults(const char *encoder, int side, int leaf, mg_pretrain_config *cfg);
mg_status mg_pretrain_check(const mg_pretrain_config *cfg); // MG_ERR_CONFIG

// Build the table and plan the activations; parameters are zero and all but the fixed tables
// trained (the caller may call mg_params_train again). Fails with MG_ERR_CONFIG or MG_ERR_MEMORY.
mg_status mg_pretrain_open(const mg_pretrain_config *cfg, mg_pretrain_model **out);
void mg_pretrain_close(mg_pretrain_model **model);
// The table alone, without memory for values, and the bytes of activations: for planning.
mg_status mg_pretrain_plan(const mg_pretrain_config *cfg, mg_pretrain_model **out);

// Initial values from the seed, and the fixed position tables.
void mg_pretrain_init(mg_pretrain_model *m, uint64_t seed);
// The fixed tables alone (after loading weights from a file without them).
void mg_pretrain_fill_tables(mg_pretrain_model *m);

typedef struct {
    const float *images;    // [n, C, Y, X] normalised
    const uint32_t *sample; // [n] index in the concatenated data set: keys all random draws
    int n;
    uint64_t seed;
    uint32_t epoch;
    const float *e; // [n, L, D] from mg_pretrain_embed, or NULL (MAE alone)
    float *de;      // [n, L, D] gradient of e, zeroed by the caller; unused where e is NULL
} mg_pretrain_leaf;

// e [n, L, D] of all patches.
void mg_pretrain_embed(mg_pretrain_model *m, float *e, const float *images, int n);
void mg_pretrain_embed_backward(mg_pretrain_model *m, const mg_pretrain_leaf *leaf, float *grads);

// The samples leaf->...[list[0 .. B-1]]; list NULL: all n. `count`: size M of the objective's global
// batch in samples.
mg_mae_loss mg_pretrain_mae(mg_pretrain_model *m, const mg_pretrain_leaf *leaf, const int32_t *list,
                            int B, int64_t count, double weight, float *grads,
                            const mg_ready *ready);
mg_shed_loss mg_pretrain_shed(mg_pretrain_model *m, const mg_pretrain_leaf *leaf,
                              const int32_t *list, int B, int64_t count, double weight,
                              float *grads, const mg_ready *ready);

// Pass 1 of e-Mix: z, zm [B, d] and lam [B] of the listed samples (drawn here); partner [B, L, D].
void mg_pretrain_emix_forward(mg_pretrain_model *m, int slot, const mg_pretrain_leaf *leaf,
                              const int32_t *list, int B, const float *partner, float *lam,
                              float *z, float *zm);
// Pass 2, with the rows of dz and dzm that mg_emix_contrast gave for these samples.
void mg_pretrain_emix_backward(mg_pretrain_model *m, int slot, const mg_pretrain_leaf *leaf,
                               const int32_t *list, int B, const float *partner, const float *lam,
                               const float *dz, const float *dzm, float *grads,
                               const mg_ready *ready);

// Looking at the encoder, between steps; n at most cfg.leaf (pictures: cfg.each).
// features [n, D]: mean over patch tokens of LN_final, no masking.
void mg_pretrain_features(mg_pretrain_model *m, float *features, const float *images, int n);
// z [n, d] of clean pictures, for the health figures of section 9; needs use_emix.
void mg_pretrain_project(mg_pretrain_model *m, float *z, const float *images, int n);
// seen, filled [n, C, Y, X]: mg_mae_pictures with the masks of (seed, epoch, sample).
void mg_pretrain_pictures(mg_pretrain_model *m, float *seen, float *filled, const float *images,
                          const uint32_t *sample, int n, uint64_t seed, uint32_t epoch);

#endif
