// One scan for all ranks: rank 0 looks at the folders, so that none is listed twice, and the others get the
// items as one block of texts; with the fold of every item (datasets.md rule 10).
#ifndef MG_DATASETS_SHARE_H
#define MG_DATASETS_SHARE_H

#include "datasets/dataset.h"
#include "runtime/comm.h"

enum { MG_FOLDS = 5 };

typedef struct {
    mg_scan scan; // in natural order; `skipped` and `notes` are rank 0's alone
    char *texts;  // of the items, as sent; they point in here
    size_t bytes;
    int32_t *fold; // [scan.count]
} mg_shared_scan;

// Collective on `world`. On failure *out holds nothing on every rank.
mg_status mg_scan_share(const mg_comm *world, const mg_dataset *set, const char *root,
                        const void *config, mg_shared_scan *out);
void mg_shared_scan_free(mg_shared_scan *shared);

// Fold of each item: by hash of the patient key; where items name a stratum, the keys of a stratum are
// sorted by hash (ties by text) and dealt to the folds in turn. *fold [count], mg_free.
mg_status mg_scan_folds(const mg_scan *scan, int32_t **fold);

#endif
