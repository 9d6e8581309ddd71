// A run folder: config.yaml, provenance.json, metrics.jsonl, log.txt, checkpoints/, weights/,
// pictures/ (design.md section 1).
#ifndef MG_RUNTIME_RUN_H
#define MG_RUNTIME_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/comm.h"
#include "runtime/config.h"
#include "runtime/err.h"
#include "runtime/json.h"
#include "runtime/program.h"

typedef struct mg_run mg_run;

// Open or make the run folder. Collective on `world`; rank 0 does the file work.
// Writes config.yaml and provenance.json (kept from the first start; restarts are appended to its
// "restarts" list), opens log.txt for appending. A folder that holds another command's run, or one
// whose config.yaml differs in a key that changes results, is refused (MG_ERR_CONFIG) naming the
// key and both values; `free_keys` lists the keys that may change (NULL-ended), e.g. train.epochs. A key
// that the run's config.yaml does not have, because the program did not have it then, has the default of
// `table`.
mg_status mg_run_open(const mg_comm *world, const char *path, const char *command,
                      const mg_option *table, const char *config_yaml, const char *const *free_keys,
                      mg_run **run);
mg_status mg_run_close(mg_run **run);                   // log.txt stays open until the program ends
bool mg_run_restarted(const mg_run *run);               // the folder held this run already
const char *mg_run_path(const mg_run *run);             // borrowed
char *mg_run_file(const mg_run *run, const char *name); // path/name, mg_free
// path/pictures/name, and the folder is there; mg_free. NULL without memory.
char *mg_run_picture(const mg_run *run, const char *name);

// Note the hash of an input (a shard set, a checkpoint) in provenance.json; warns if it is not what
// it was when the run began. No-op but on rank 0.
void mg_run_input(mg_run *run, const char *name, const char *hash);
// The same for a file, whose XXH3-64 is taken; warns if it cannot be read.
void mg_run_input_file(mg_run *run, const char *name, const char *path);
// Note another fact that the runtime cannot know, e.g. "blas". No-op but on rank 0.
void mg_run_fact(mg_run *run, const char *key, const char *value);

// metrics.jsonl, rank 0 only (no-op elsewhere). A training step has one record with "step"; what is
// noted between steps (an "event") says "at_step" instead.
// Cut it back: drop records with "step" or "at_step" > step, and a half-written last line. Called
// once before the first record of a start that finds the folder in use, with 0 if there is no
// checkpoint yet.
mg_status mg_run_metrics_cut(mg_run *run, int64_t step);
// Append one record as one line; `record` is taken over. Flushed when written.
mg_status mg_run_metrics(mg_run *run, mg_json *record);
// Make what was appended durable (fsync): called before a checkpoint counts as complete.
mg_status mg_run_metrics_sync(mg_run *run);

#endif
