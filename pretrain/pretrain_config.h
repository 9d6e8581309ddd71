// Every setting of `medgraft pretrain`; checkpoints carry them as YAML.
#ifndef MG_PRETRAIN_PRETRAIN_CONFIG_H
#define MG_PRETRAIN_PRETRAIN_CONFIG_H

#include "models/pretrain_model.h"
#include "models/trainer.h"
#include "models/weights_load.h"
#include "shard/source.h"

typedef enum { MG_MODE_SUM, MG_MODE_SPLIT, MG_MODE_ROTATE } mg_pretrain_mode;

typedef struct {
    // model.
    char *size;
    int64_t image, patch, dim, depth, heads, mlp_ratio;
    char *init;
    mg_load_how load;
    mg_source_config data;
    mg_train_config train;
    char *out, *recompute;
    // pretrain.
    char *mode;
    double w_mae, w_emix, w_shed;
    bool use_cls, norm_pix, dense, rel_pos, exact_accum, crop, flip;
    double mask_ratio, shed_fraction, alpha, tau, crop_area;
    char *emix_lambda;
    int64_t proj_dim, decoder_dim, decoder_depth, decoder_heads;
    int64_t pictures_every, pictures, health_every, health_samples;
    bool health_gradients;
} mg_pretrain_settings;

extern const mg_option mg_pretrain_options[];

mg_pretrain_mode mg_pretrain_mode_of(const mg_pretrain_settings *s);

// Objectives that have a weight: MAE, e-Mix, ShED; and their weights for a contrast set of `set`
// samples (-1 in the settings: 1, 1 / ln set, 1 / ln 2; pretraining.md section 5).
typedef struct {
    bool used[3];
    int count;
    double weight[3];
} mg_objectives;
mg_objectives mg_pretrain_objectives(const mg_pretrain_settings *s, int64_t set);

// The model's own configuration; `leaf` samples of a leaf, `leaves` leaves on a rank. MG_ERR_CONFIG.
mg_status mg_pretrain_model_config(const mg_pretrain_settings *s, int64_t leaf, int leaves,
                                   mg_pretrain_config *out);
// The same for a model that only looks at features, `batch` pictures at a time.
mg_status mg_pretrain_look_config(const mg_pretrain_settings *s, int batch,
                                  mg_pretrain_config *out);

#endif
