// Work of forward passes in multiply-adds, counted as model.md 14 and pretraining.md 5.1 count it:
// products, attention and position terms, the padded tokens of windows included; norms, activations,
// resizing left out. A multiply-add is two operations; a backward pass through trained layers is
// twice its forward pass, through frozen ones about once.
#ifndef MG_MODELS_WORK_H
#define MG_MODELS_WORK_H

#include "models/mae.h"
#include "models/sam.h"

// One image in the encoder.
typedef struct {
    double embed;     // patch embedding
    double products;  // of the blocks: qkv, projection, MLP
    double attention; // of the blocks: scores, mixing, position terms
    double adapters;  // with the depth branch its projection and attention
    double neck;
} mg_vit_work;

// `tokens` of an image (the class token included) pass through the blocks; with windows they are the whole
// grid. `slices` of a stack for the depth branch, 1 without.
mg_vit_work mg_vit_work_of(const mg_vit_config *c, int tokens, int slices);
double mg_vit_work_sum(const mg_vit_work *w);

// One image of masked autoencoding: encoder over the visible tokens, decoder over all.
double mg_mae_work(const mg_mae *m);

// One prompt of `sparse` tokens in SAM's prompt encoder and mask decoder, `slots` masks.
double mg_sam_work(const mg_sam *s, int sparse, int slots);

#endif
