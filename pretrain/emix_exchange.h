// e-Mix over ranks (pretraining.md 3.2): who owns which position of the contrast set, and the
// exchange of partner embeddings.
#ifndef MG_PRETRAIN_EMIX_EXCHANGE_H
#define MG_PRETRAIN_EMIX_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/comm.h"
#include "runtime/err.h"

typedef struct mg_emix_exchange mg_emix_exchange;

// For contrast sets of `set` positions, split over the ranks in equal contiguous parts, each with
// `floats` values of embedding. MG_ERR_MEMORY.
mg_status mg_emix_exchange_create(const mg_comm *world, int set, size_t floats,
                                  mg_emix_exchange **out);
// Bytes of one on a rank with `each` positions.
size_t mg_emix_exchange_bytes(int each, size_t floats);
void mg_emix_exchange_destroy(mg_emix_exchange **exchange);

// partner[i] = embedding of position pi[lo + i], for this rank's positions lo + i. `own` are the
// embeddings of this rank's positions, own[i] of position lo + i (pointers, as they may lie apart).
// Collective.
void mg_emix_exchange_run(mg_emix_exchange *x, const uint32_t *pi, const float *const *own,
                          float *partner);

#endif
