// Folders of weight files with an expected.json that tells which must be read, with which tensors, and
// which must be refused (tests/golden/README-text-and-weights.md). Used by `make golden` and by the unit
// tests.
#ifndef MG_TESTS_WEIGHT_CASES_H
#define MG_TESTS_WEIGHT_CASES_H

#include <stdbool.h>

typedef struct {
    int read, refused, failed;
    double slowest_s;
    double most_mb; // growth of the process's peak memory by one file
} weight_cases;

// Run every case of a list (expected.json); what is wrong is printed, a line each. False if the list
// itself cannot be read.
bool weight_cases_run(const char *list, weight_cases *result);

#endif
