// The moments of AdamW: whole on every rank, or (optimizer.shard) on each rank those of a contiguous part of
// the gradient index space. A rank then updates its part of the weights, and all parts go to all ranks; the
// bits are the same, since the update of a weight needs its own gradient and moments alone.
#ifndef MG_MODELS_MOMENTS_H
#define MG_MODELS_MOMENTS_H

#include "models/params.h"
#include "nn/optim.h"
#include "runtime/comm.h"

typedef struct {
    const mg_comm *world; // not owned
    mg_params *params;    // not owned
    size_t lo, hi;        // this rank's part of a gradient array
    float *m, *v;         // [hi - lo]
    float *piece;         // room for the largest trained tensor; NULL where moments are whole
    size_t *bytes;        // [2 ranks] of an exchange
} mg_moments;

// Zeroed. MG_ERR_MEMORY; release also after a failure.
mg_status mg_moments_create(const mg_comm *world, mg_params *params, bool shard, mg_moments *out);
void mg_moments_free(mg_moments *moments);
// Bytes that they take on each of `ranks` ranks.
size_t mg_moments_bytes(const mg_params *params, bool shard, int ranks);

// One step of AdamW on the trained weights (nn/optim.h). `grads` is used up. Collective if sharded.
void mg_moments_update(mg_moments *moments, float *grads, const mg_segment *list, int count,
                       const mg_adamw *how, int64_t t, double rate, double clip);

// Sharded: the moments of a tensor (`second`: v) from all ranks to `piece` of rank 0; and this rank's part
// from `piece`. The first is collective.
void mg_moments_bring(mg_moments *moments, int tensor, bool second);
void mg_moments_take(mg_moments *moments, int tensor, bool second);

#endif
