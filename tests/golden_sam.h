// What the golden kinds `sam_decoder` and `msa` share: the network of a file, its passes, taps and
// gradients (README.md).
#ifndef MG_TESTS_GOLDEN_SAM_H
#define MG_TESTS_GOLDEN_SAM_H

#include "models/sam.h"
#include "tests/golden.h"

// Sizes of prompt encoder and decoder from the root attributes.
mg_sam_config golden_sam_config(golden *g, bool adapters);

// An array [B, C, cells...] as [B, cells, C]; `cells` is their product.
float *golden_f32_last(golden *g, const char *name, int cells);

// Place a pass and its scratch in memory of the file.
void golden_sam_pass(golden *g, const mg_sam *s, mg_sam_pass *pass, float **scratch,
                     const mg_sam_prompt *prompt, mg_sam_slots slots);

// Compare <group>tokens, layer{i}.queries, .keys, hs, upscaled, hyper with a pass over all slots that
// holds prompts first, first + 1, ... of the file.
void golden_sam_taps(golden *g, const char *group, const mg_sam_pass *pass, const mg_sam *s,
                     int first);

#endif
