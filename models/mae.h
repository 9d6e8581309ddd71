// Masked autoencoder with a light decoder, and its `dense` variant for windowed encoders
// (pretraining.md sections 1.4 and 2). L tokens of an image, `keep` of them visible; n = p p C values
// of a patch. Names: mask_token, decoder_*; dense: enc_mask_token, dense_pred.*.
// Losses are sums over this call's samples divided by a count of the whole global batch, so that
// calls only add.
#ifndef MG_MODELS_MAE_H
#define MG_MODELS_MAE_H

#include "models/vit.h"

typedef struct {
    double ratio;                // share of tokens that is hidden
    bool norm_pix;               // targets normalised patch by patch
    bool dense;                  // mask tokens in the encoder, linear head, no decoder
    int D, depth, heads, hidden; // decoder
} mg_mae_config;

typedef struct {
    mg_mae_config cfg;
    const mg_vit *vit; // not owned
    int L, keep, n, cls;
    mg_stack decoder;
    int mask_token, pos; // indices into the table: mask_token (enc_mask_token), decoder_pos_embed
    int embed_w, embed_b, norm_w, norm_b, pred_w, pred_b;
} mg_mae;

// Fails with MG_ERR_CONFIG: no visible token, windows without `dense`, decoder sizes.
mg_status mg_mae_check(const mg_mae_config *cfg, const mg_vit_config *vit);
// Tensors: the tokens and tables that stand before the encoder's layers, then the decoder.
void mg_mae_add_tokens(mg_mae *m, mg_params *p, const mg_mae_config *cfg, const mg_vit *vit);
void mg_mae_add_layers(mg_mae *m, mg_params *p);
void mg_mae_fill_tables(const mg_mae *m, mg_params *p);

// Activations of up to B samples.
typedef struct {
    mg_vit_acts enc;
    mg_stack_acts dec;
    uint32_t *shuffle;             // [B, L] ids_shuffle
    uint64_t *keys;                // scratch of the draw
    int32_t *visible;              // [B, keep] the first of shuffle
    int32_t *enc_row, *enc_place;  // [B, tokens of the encoder] for models/tokens.h
    int32_t *dec_row, *dec_place;  // [B, cls + L]
    float *e;                      // [B, keep, D] embeddings of visible patches, and their gradient
    float *dec_norm, *mean, *rstd; // [B, cls + L, decoder D]
    float *du;                     // gradient on its way through the decoder
    float *pred;                   // [B, cls + L, n]
    float *per_patch, *variance;   // [B, L] loss and target variance of each token
    int B;
} mg_mae_acts;
void mg_mae_acts_layout(mg_layout *at, mg_mae_acts *a, const mg_mae *m, int B, mg_keep keep);
size_t mg_mae_scratch(const mg_mae *m, int B);

// The mask of the call's sample b: its row of a->shuffle from (seed, epoch, sample).
void mg_mae_draw(mg_mae_acts *a, const mg_mae *m, uint64_t seed, uint32_t epoch, uint32_t sample,
                 int b);

// Encoder and decoder up to a->pred, with the masks of a->shuffle. Sample b is entry list[b] of
// `images` and of `e` (NULL: b). e [., L, D] holds patch embeddings; NULL: visible patches are
// embedded here (then list must be NULL).
void mg_mae_forward(mg_mae_acts *a, const mg_mae *m, const mg_params *p, const float *images,
                    const float *e, const int32_t *list, int B, float *scratch);

typedef struct {
    double loss;         // sum over hidden tokens / count
    double textured_sum; // sum over hidden tokens whose target varies (variance > 1e-4)
    int64_t textured;    // how many those are
} mg_mae_loss;

// The loss of the last forward pass. `count`: hidden tokens of the global batch, M (L - keep).
mg_mae_loss mg_mae_measure(mg_mae_acts *a, const mg_mae *m, const float *images,
                           const int32_t *list, double count, float *scratch);

// Adds weight * dloss to grads, and to de [., L, D] of the embeddings; with de NULL (as e was) the
// patch embedding's gradients are added here.
void mg_mae_backward(float *de, float *grads, mg_mae_acts *a, const mg_mae *m, const mg_params *p,
                     const float *images, const int32_t *list, double count, double weight,
                     const mg_ready *ready, float *scratch);

// Target of token t of one image: out [n] in the order (row, column, channel). Returns the unbiased
// variance of the patch, and its mean through *mean.
float mg_mae_target(float *out, const mg_mae *m, const float *image, int t, float *mean);

// Pictures of the last forward pass, [B, C, Y, X]: what the encoder saw (hidden patches 0, the mean
// colour), and the prediction in hidden patches beside the original in visible ones.
void mg_mae_pictures(float *seen, float *filled, const mg_mae_acts *a, const mg_mae *m,
                     const float *images, const int32_t *list, float *scratch);

#endif
