// What the golden tests of the pretraining objectives share (README-pretraining.md).
#ifndef MG_TESTS_GOLDEN_PRETRAIN_H
#define MG_TESTS_GOLDEN_PRETRAIN_H

#include "models/pretrain_model.h"
#include "tests/golden.h"

// Encoder sizes of a group ("/" or "variants/raw_pixels") and its batch; no objective chosen.
mg_pretrain_config golden_encoder_config(golden *g, const char *group);

// Open the model and read its parameters from <prefix>params/ (prefix "" or "variants/x/").
mg_pretrain_model *golden_pretrain_open(golden *g, const mg_pretrain_config *cfg,
                                        const char *prefix);

// A leaf with the pictures, sample numbers, embeddings and zeroed de of a group.
mg_pretrain_leaf golden_leaf(golden *g, mg_pretrain_model *m, const char *prefix);

// Compare with an array of the file: largest difference over largest value, limits 1e-5 for outputs
// and 5e-5 for gradients.
void golden_out(golden *g, const char *prefix, const char *name, const float *a, size_t n);
void golden_dout(golden *g, const char *prefix, const char *name, const float *a, size_t n);
void golden_loss(golden *g, const char *prefix, const char *name, double loss);
// Every gradient in <prefix>grads/; `all`: every trained tensor must be there.
void golden_pretrain_grads(golden *g, const mg_params *p, float *grads, const char *prefix,
                           bool all);

#endif
