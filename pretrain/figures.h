// Figures about features and scores: pure arithmetic of pretraining.md section 9.
#ifndef MG_PRETRAIN_FIGURES_H
#define MG_PRETRAIN_FIGURES_H

#include <stdint.h>

#include "runtime/err.h"

// sqrt(d) * mean over columns of the standard deviation (over n) of x [n, d]; near 1 for unit
// vectors that are spread evenly, 0 if all are equal.
double mg_figure_spread(const float *x, int64_t n, int d);

// Mean cosine between different rows of x [n, d]; centred: after the column means are taken away.
// A zero row has cosine 0 with every other. MG_ERR_MEMORY.
mg_status mg_figure_cosine(const float *x, int64_t n, int d, int centred, double *cosine);

// exp(-sum s ln s), s the singular values of x [n, d] over their sum; 1 for equal rows, at most
// min(n, d). 0 if all of x is 0. MG_ERR_MEMORY.
mg_status mg_figure_rank(const float *x, int64_t n, int d, double *rank);

// Area under the ROC curve: the chance that a random sample with label 1 scores higher than one with
// label 0, ties counting half. NaN where a label is missing. MG_ERR_MEMORY.
mg_status mg_figure_auroc(const float *score, const uint8_t *label, int64_t n, double *auroc);

#endif
