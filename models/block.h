// One transformer block, forward and backward: of the SAM image encoder with or without adapters
// (model.md 4.3, 10.2, 10.3), of the pretraining encoder and of the MAE decoder (pretraining.md 1.1):
//   y = LN1(x);   a = proj(Attn(y))                    windowed or global
//   x1 = x + a  (+ U_space(a))  (+ U_depth(a_d))       a_d: the same attention over a stack's slices
//   y = LN2(x1);  out = x1 + fc2(GELU(fc1(y)))  (+ s U_mlp(y))
// D is the width. Token maps are [R, D] with R = B N rows. Projections are made for real tokens only:
// the padding of windows enters the attention as keys and values that are the same for all of it: the
// bias of qkv, or qkv of norm1's bias where windows are cut before norm1 (model.md 4.4, 11).
// Normalised inputs and GELU results are computed again in the backward pass, not stored.
#ifndef MG_MODELS_BLOCK_H
#define MG_MODELS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/adapter.h"
#include "models/params.h"
#include "runtime/mem.h"

// What the blocks of a stack have in common.
typedef struct {
    int D, heads, hidden; // hidden: width of the MLP
    bool mae;             // names fc1, fc2 and Xavier values; else lin1, lin2 and 1/sqrt(fan_in)
    int gh, gw;           // token grid; needed for windows and relative positions only
    int window;           // side of the windows of windowed blocks
    int rel_h, rel_w;     // grid for which global position tables are stored; 0: none in any block
    bool early_windows;   // windows are cut before norm1: their padding is its bias, not zero
    int adapter;          // hidden width of the adapters; 0: none
    mg_adapter_form adapter_form;
    bool depth;          // with the depth branch and its adapter
    float adapter_scale; // s
} mg_block_config;

// Indices into the table of parameters.
typedef struct {
    bool windowed;
    int first; // all tensors of the block are first .. last
    int last;
    int norm1_w, norm1_b, rel_h, rel_w, qkv_w, qkv_b, proj_w, proj_b;
    int norm2_w, norm2_b, fc1_w, fc1_b, fc2_w, fc2_b;
    mg_adapter space, depth, mlp;
} mg_block;

// What the backward pass reads.
typedef struct {
    const float *x;                 // [R, D] input, kept by the caller
    float *mean1, *rstd1;           // [R]
    float *qkv;                     // [R, 3 D]
    float *lse, *attn;              // [problems, heads, queries], [R, D]
    float *x1, *mean2, *rstd2, *u;  // [R, D], [R], [R], [R, hidden]
    float *proj, *space_h, *mlp_h;  // with adapters: [R, D], [R, adapter] twice
    float *lse_d, *attn_d, *proj_d; // with the depth branch: [R, heads], [R, D], [R, D]
    float *depth_h;                 // [R, adapter]
} mg_block_acts;

// How one pass runs.
typedef struct {
    const mg_block_config *cfg;
    // Images, tokens of each, slices of each stack (B is a multiple); 0: pictures, which have no depth.
    int B, N, slices;
    const int32_t *windows; // [B, windows, w w] rows of the tokens of each window, -1 for padding
    const int32_t *stacks;  // [B / slices, N, slices] rows of each sequence over depth
    const int32_t *coord;   // [B, N] grid place of each token; NULL: token t lies at place t
    float *scratch;         // mg_block_scratch floats
} mg_block_pass;

int mg_block_windows(const mg_block_config *c); // windows per image

// Add the block's tensors under "<prefix>.".
mg_block mg_block_add(mg_params *p, const char *prefix, const mg_block_config *c, bool windowed);

// Place the activations of up to B images of N tokens (not `x`).
void mg_block_acts_layout(mg_layout *at, mg_block_acts *a, const mg_block_config *c, bool windowed,
                          int B, int N);
// Floats of scratch for forward and backward of any block of this kind.
size_t mg_block_scratch(const mg_block_config *c, bool any_windowed, int B, int N);

// a->x -> out [R, D]. With out NULL everything is computed that the backward pass reads, no more.
void mg_block_forward(float *out, mg_block_acts *a, const mg_block *b, const mg_params *p,
                      const mg_block_pass *s);

// dx [R, D]: gradient of the output; becomes the gradient of the input if `through`, else it is left
// in between, and nothing is done below the block's lowest trained part.
void mg_block_backward(float *dx, bool through, float *grads, const mg_block_acts *a,
                       const mg_block *b, const mg_params *p, const mg_block_pass *s);

// Is a tensor of the block trained?
bool mg_block_trained(const mg_block *b, const mg_params *p);

#endif
