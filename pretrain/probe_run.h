// Both probes of one encoder over ranks (pretraining.md section 9). The results do not depend on the
// number of ranks.
#ifndef MG_PRETRAIN_PROBE_RUN_H
#define MG_PRETRAIN_PROBE_RUN_H

#include "pretrain/encoder.h"
#include "pretrain/probe.h"
#include "pretrain/probe_data.h"

typedef struct {
    mg_probe_scores knn, linear;
    double l2;              // regulariser of the linear probe
    double validation_loss; // under it, NaN if there was nothing to choose by
} mg_probe_findings;

typedef struct mg_probe_run mg_probe_run;

// Memory for the features of `data` (borrowed), d each. Fails on all ranks alike: MG_ERR_MEMORY.
// Collective on `world`.
mg_status mg_probe_run_create(const mg_comm *world, const mg_labelled *data, int d,
                              mg_probe_run **out);
void mg_probe_run_destroy(mg_probe_run **run);

// Features of the encoder as it is, k nearest neighbours, linear probe. The linear scores are known
// to rank 0 alone. Collective on `world`.
mg_status mg_probe_encoder(mg_probe_run *run, mg_encoder *encoder, int k, double temperature,
                           mg_probe_findings *out);

#endif
