// Checkpoints: named float arrays, integers and texts in one HDF5 file, written aside, synced,
// checksummed, renamed; the newest K are kept; one cut short is skipped for the one before.
// Layout in docs/formats.md.
#ifndef MG_RUNTIME_CHECKPOINT_H
#define MG_RUNTIME_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/comm.h"
#include "runtime/err.h"

// One array of a checkpoint; it is written or filled in place.
typedef struct {
    const char *name; // "params/blocks.0.norm1.weight", "moments/m", ...
    float *data;      // not owned
    int ndim;
    int64_t dim[5];
} mg_ckpt_array;

// Small facts: position in the data, sizes, names. Value is a text; numbers are printed exactly.
typedef struct {
    const char *key;
    char *value; // mg_free'd by mg_ckpt_facts_free when read
} mg_ckpt_fact;

// For arrays that no rank holds whole: `data` is then room for one at a time. Both are collective on the
// communicator of mg_ckpt_save and mg_ckpt_load and cannot fail; `i` is the array's place in the table.
typedef struct {
    void *ctx;
    void (*bring)(void *ctx, int i); // its values to `data` on rank 0
    void (*take)(void *ctx,
                 int i); // `data` holds its values on all ranks: keep what is this rank's
} mg_ckpt_parts;

typedef struct {
    mg_ckpt_array *array;
    int arrays;
    mg_ckpt_fact *fact;
    int facts;
    const mg_ckpt_parts *parts; // not owned; NULL: every rank holds every array
} mg_ckpt;

// Write `dir`/step-00001200.h5 and then `dir`/latest, and remove all but the newest `keep`.
// Rank 0 writes; collective on `world`, all ranks learn the result. A failure (a full disk) leaves
// the earlier checkpoints and `latest` as they were and removes the unfinished file.
mg_status mg_ckpt_save(const mg_comm *world, const char *dir, int64_t step, const mg_ckpt *what,
                       int keep);

// Write one file (aside, synced, checksummed, renamed). One rank.
mg_status mg_ckpt_write(const char *path, const mg_ckpt *what);

// Path of the newest complete checkpoint of a folder: the one `latest` names if its checksum holds,
// otherwise the newest one that is whole (a warning names each that is not). *path is NULL if there
// is none; mg_free. One rank.
mg_status mg_ckpt_newest(const char *dir, char **path);

// Read: every array of `want` must be there with that shape (MG_ERR_FORMAT names it); all facts of
// the file go to *facts (caller frees). Checks the checksum. One rank; see mg_ckpt_load.
mg_status mg_ckpt_read(const char *path, const mg_ckpt *want, mg_ckpt_fact **facts, int *count);

// The same, collective on `world`: rank 0 reads, the others receive array by array. After a failure the
// arrays hold anything.
mg_status mg_ckpt_load(const mg_comm *world, const char *path, const mg_ckpt *want,
                       mg_ckpt_fact **facts, int *count);

// What a file holds: the arrays' names and shapes (data NULL, names owned), and the facts.
mg_status mg_ckpt_list(const char *path, mg_ckpt *out);
void mg_ckpt_list_free(mg_ckpt *list);

const char *mg_ckpt_fact_text(const mg_ckpt_fact *facts, int count, const char *key); // or NULL
int64_t mg_ckpt_fact_int(const mg_ckpt_fact *facts, int count, const char *key, int64_t fallback);
void mg_ckpt_facts_free(mg_ckpt_fact **facts, int count);

#endif
