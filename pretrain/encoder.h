// An encoder out of a pretraining checkpoint, for looking at its features.
#ifndef MG_PRETRAIN_ENCODER_H
#define MG_PRETRAIN_ENCODER_H

#include "pretrain/pretrain_config.h"
#include "shard/shard.h"

typedef struct {
    char *file;                    // the checkpoint
    mg_pretrain_settings settings; // of its run
    mg_pretrain_model *model;
    int batch; // most pictures of one pass
} mg_encoder;

// `path`: a pretraining checkpoint, or a run folder (its newest one). Collective on `world`; on
// failure *out is NULL on every rank. MG_ERR_CONFIG if it is a checkpoint of another kind.
mg_status mg_encoder_open(const mg_comm *world, const char *path, int batch, mg_encoder **out);
void mg_encoder_close(mg_encoder **encoder);

// Give it the random weights with which its run began (model.init aside).
void mg_encoder_forget(mg_encoder *encoder);

// features [count, D] of the listed pictures: centre crop, LN_final, mean over patch tokens
// (pretraining.md 9). Every rank computes a share and gets all; the bits do not depend on the number
// of ranks. Collective on `world`.
mg_status mg_encoder_features(const mg_comm *world, mg_encoder *encoder, const mg_reader *reader,
                              const int64_t *sample, int64_t count, float *features);

#endif
