// How the objectives pull at the weights they share (pretraining.md section 9): the norm of each
// one's gradient on the encoder and the cosines between them.
#ifndef MG_PRETRAIN_HEALTH_GRADIENTS_H
#define MG_PRETRAIN_HEALTH_GRADIENTS_H

#include "pretrain/pretrain_config.h"
#include "pretrain/pretrain_data.h"

// In the order MAE, e-Mix, ShED; NaN where an objective is not used. The gradients carry the
// objectives' weights, as in training.
typedef struct {
    double norm[3];
    double cosine[3]; // MAE with e-Mix, MAE with ShED, e-Mix with ShED
} mg_health_pull;

// On `count` samples spread evenly over the data, as one contrast set; centre crops. One rank alone, without
// communication; needs memory for two gradient arrays while it runs. MG_ERR_MEMORY, or what reading
// a picture fails with.
mg_status mg_health_gradients(mg_pretrain_model *model, const mg_pretrain_data *data,
                              const mg_objectives *objectives, int count, uint64_t seed,
                              mg_health_pull *out);

// Bytes that this takes while it runs.
size_t mg_health_gradients_bytes(mg_pretrain_model *model, const mg_pretrain_data *data, int count);

#endif
