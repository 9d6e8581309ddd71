// Reconstructions as pictures: original, what the encoder saw, what the decoder filled in.
#ifndef MG_PRETRAIN_PICTURES_H
#define MG_PRETRAIN_PICTURES_H

#include "pretrain/pretrain_config.h"
#include "pretrain/pretrain_data.h"
#include "runtime/run.h"

// Write <run>/pictures/mae-00001200.png: one row for each of
// settings->pictures samples spread over the data.
// Rank 0 works; collective on `world`.
mg_status mg_pretrain_write_pictures(const mg_comm *world, mg_run *run, mg_pretrain_model *model,
                                     const mg_pretrain_data *data,
                                     const mg_pretrain_settings *settings, int64_t step);

#endif
