// The ViT image encoder: of SAM (model.md 4; names under "image_encoder.") and of the pretraining
// (pretraining.md 1; names without prefix). Patch embedding, positions, blocks, then either a final
// norm (pretraining) or the neck (SAM). D is the width, N the tokens of an image, gh x gw the grid.
// All maps are channel-last; images are [B, C, Y, X].
#ifndef MG_MODELS_VIT_H
#define MG_MODELS_VIT_H

#include "models/stack.h"

typedef struct {
    const char *prefix;  // "image_encoder." or ""
    int Y, X, C, patch;  // image rows, columns, channels; patch side
    int D, depth, heads; // width, blocks, heads
    int hidden;          // width of the MLPs
    bool mae;           // pretraining: names fc1, fc2, Xavier values, fixed sin-cos positions, norm
    bool cls;           // class token (pretraining)
    int window;         // 0: all blocks are global
    bool early_windows; // windows are cut before norm1 (model.md 11)
    uint64_t global;    // bit i: block i is global
    int pos_h, pos_w;   // grid for which pos_embed is stored; 0: that of the image
    int rel_h, rel_w;   // the same for the position tables of global blocks; 0: no tables
    int neck;           // channels of the neck; 0: none
    int adapter;        // hidden width of the adapters; 0: none
    mg_adapter_form adapter_form;
    bool depth_branch;   // 3-D adapters
    float adapter_scale; // s
} mg_vit_config;

typedef struct {
    mg_vit_config cfg;
    int gh, gw; // token grid
    mg_stack stack;
    int cls, pos; // indices into the table; -1 if there is none
    int patch_w, patch_b, norm_w, norm_b;
    int neck_w[2], neck_norm_w[2], neck_norm_b[2];
} mg_vit;

// vit_b, vit_l, vit_h of SAM at `side` px: windows, tables for 1024 px, neck. Fails with
// MG_ERR_CONFIG for another name. Callers change what they need before mg_vit_add.
mg_status mg_vit_named(const char *name, int side, mg_vit_config *cfg);
// The same sizes for pretraining: no windows, tables or neck; prefix "", `mae` set.
mg_status mg_vit_named_mae(const char *name, int side, mg_vit_config *cfg);

// Is the configuration one the functions below can run? MG_ERR_CONFIG.
mg_status mg_vit_check(const mg_vit_config *cfg);

// Add the tensors. mg_vit_add does both steps; the pretraining model puts its own tokens between.
void mg_vit_add_tables(mg_vit *v, mg_params *p, const mg_vit_config *cfg); // cls_token, pos_embed
void mg_vit_add_layers(mg_vit *v, mg_params *p);
void mg_vit_add(mg_vit *v, mg_params *p, const mg_vit_config *cfg);
// Write the fixed sin-cos table (after mg_params_init; pretraining only).
void mg_vit_fill_tables(const mg_vit *v, mg_params *p);

// Activations of one pass over up to B images of N tokens (class token included).
typedef struct {
    mg_stack_acts stack;
    float *dx;                  // [B, N, D] gradient on its way down
    float *y, *mean, *rstd;     // final norm: [B, N, D], [B N]
    float *n0, *n1, *n2;        // neck: before and after its first norm, before its second
    float *nmean[2], *nrstd[2]; // [B N]
    float *out;                 // neck: [B, N, neck]; else the stack's output or y
} mg_vit_acts;
void mg_vit_acts_layout(mg_layout *at, mg_vit_acts *a, const mg_vit *v, int B, int N, mg_keep keep);
// Floats of scratch for every function below.
size_t mg_vit_scratch(const mg_vit *v, int B, int N);

// --- pieces -----------------------------------------------------------------------------------------

// Patch embeddings before positions: e [B, n, D] of the patches that `keep` [B, n] lists per image
// (NULL: all).
void mg_vit_embed(float *e, const mg_vit *v, const mg_params *p, const float *images, int B,
                  const int32_t *keep, int n, float *scratch);
// From de to the gradients of the patch embedding, and to dimages (NULL: not wanted; needs all
// patches).
void mg_vit_embed_backward(float *dimages, float *grads, const mg_vit *v, const mg_params *p,
                           const float *images, const float *de, int B, const int32_t *keep, int n,
                           float *scratch);
// Blocks and final norm: a->stack.x[0] [B, N, D] -> a->out. Arguments as in mg_stack_forward.
void mg_vit_encode(mg_vit_acts *a, const mg_vit *v, const mg_params *p, int B, int N, int slices,
                   const int32_t *coord, float *scratch);
// a->dx: gradient of the encoded tokens (a->out without a neck); becomes that of x[0] if `through`.
void mg_vit_encode_backward(mg_vit_acts *a, bool through, float *grads, const mg_vit *v,
                            const mg_params *p, const mg_ready *ready, float *scratch);

// --- the whole encoder ------------------------------------------------------------------------------

// images -> a->out [B, gh gw, neck], or [B, cls + gh gw, D] without a neck.
void mg_vit_forward(mg_vit_acts *a, const mg_vit *v, const mg_params *p, const float *images, int B,
                    int slices, float *scratch);
// dout: gradient of a->out. `images` as in the forward pass. dimages may be NULL. Work ends at the
// lowest trained layer. Not with a class token.
void mg_vit_backward(float *dimages, float *grads, mg_vit_acts *a, const mg_vit *v,
                     const mg_params *p, const float *dout, const float *images,
                     const mg_ready *ready, float *scratch);

#endif
