// What the golden kinds `sam_decoder` and `msa` share: the network of a file, its passes, taps and
// gradients (README.md).
#ifndef MG_TESTS_GOLDEN_SAM_H
#define MG_TESTS_GOLDEN_SAM_H

#include "models/sam.h"
#include "tests/golden.h"

typedef struct {
    mg_params params;
    mg_sam sam;
    float *code; // position code of the image tokens
} golden_sam;

// Sizes from the root attributes.
mg_sam_config golden_sam_config(golden *g, bool adapters);
// Prompt encoder and decoder alone, with the file's weights, everything trained.
void golden_sam_load(golden *g, golden_sam *net, bool adapters);
// Copy params/<name> of every tensor in the table.
void golden_sam_weights(golden *g, mg_params *p);

// An array [B, C, cells...] as [B, cells, C]; `cells` is their product.
float *golden_f32_last(golden *g, const char *name, int cells);

// Place a pass and its scratch in memory of the file.
void golden_sam_pass(golden *g, const golden_sam *net, mg_sam_pass *pass, float **scratch,
                     const mg_sam_prompt *prompt, mg_sam_slots slots);

// Compare <group>tokens, layer{i}.queries, .keys, hs, upscaled, hyper with a pass over all slots, whose
// first prompt is number `first` of the file and which holds `count` of them.
void golden_sam_taps(golden *g, const char *group, const mg_sam_pass *pass, const mg_sam *s,
                     int first, int count);

// Compare <group>/<name> with gradients: each tensor, and `input` under `input_name`.
void golden_sam_gradients(golden *g, const char *group, const mg_params *p, const float *grads,
                          const char *input_name, const float *input);

#endif
