// Collapse and health of the encoder (pretraining.md section 9), on a fixed set of samples: spread
// of the unit vectors z, mean cosine between samples, effective rank of the features; each
// objective measured once more on that set, and its gradient on the shared weights.
#ifndef MG_PRETRAIN_HEALTH_H
#define MG_PRETRAIN_HEALTH_H

#include "pretrain/pretrain_config.h"
#include "pretrain/pretrain_data.h"
#include "runtime/run.h"

typedef struct mg_health mg_health;

// On health_samples samples (or all, if there are fewer) spread evenly over the data, since its sets
// lie one after the other; centre crops. Borrows everything. MG_ERR_MEMORY.
mg_status mg_health_create(const mg_comm *world, mg_pretrain_model *model,
                           const mg_pretrain_data *data, const mg_pretrain_settings *settings,
                           mg_health **out);
// Most bytes that one holds on a rank of `ranks`, rank 0 while it compares gradients; for planning: of the
// model only its sizes are looked at, of `data` its size.
size_t mg_health_bytes(mg_pretrain_model *model, const mg_pretrain_data *data,
                       const mg_pretrain_settings *settings, int ranks);
void mg_health_destroy(mg_health **health);

// Measure after `step` steps and append one record to metrics.jsonl:
//   {"event": "health", "at_step": step, "health": {..}}
// ("step" belongs to the records of training steps); warns where a figure is in its alarm range.
// Collective on the world it was made with; each rank does its share, and the figures do not depend
// on the number of ranks.
mg_status mg_health_measure(mg_health *health, int64_t step, mg_run *run);

#endif
