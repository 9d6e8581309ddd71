// Every case of a raw data set opened and held against its section of datasets.md, before compute is spent.
#ifndef MG_DATASETS_CHECK_H
#define MG_DATASETS_CHECK_H

#include <stdio.h>

#include "datasets/dataset.h"
#include "runtime/comm.h"

typedef enum { MG_CHECK_ALL, MG_CHECK_ODD, MG_CHECK_NONE } mg_check_rows;

typedef struct {
    const mg_dataset *set;
    const void *config; // settings of the data set
    const char *root;
    FILE *out;          // the table goes here, on rank 0
    mg_check_rows rows; // all cases, those that are not in order, or none
    int threads;        // that read cases, per rank
} mg_check_order;

// Of the cases found: in order; odd (a size or spacing outside of what the section says, something about a header,
// an exact duplicate on the same side of the split); bad (cannot be used, or leaks from one side to the other).
typedef struct {
    int64_t cases, good, odd, bad;
    int64_t skipped;    // files that made no case (no partner, not listed): bad too
    int64_t passed;     // files left out that are no fault of this copy
    int64_t duplicates; // of the odd and bad ones
    int64_t crossing;   // patients with cases on both sides of the published split
    int64_t counts;     // counts that differ from what is expected
} mg_check_outcome;

// Collective on `world`; *outcome is the same on all ranks. MG_ERR_FORMAT only where nothing matches (the
// message names pattern, folder and three near misses); what is wrong with cases is in the outcome.
mg_status mg_check_run(const mg_comm *world, const mg_check_order *order,
                       mg_check_outcome *outcome);

#endif
