// What features say about classes (pretraining.md section 9): k nearest neighbours by cosine, and a
// linear probe: L2-regularised softmax regression on standardised features. Nothing here knows where
// the features come from.
#ifndef MG_PRETRAIN_PROBE_H
#define MG_PRETRAIN_PROBE_H

#include <stdint.h>

#include "pretrain/lbfgs.h"
#include "runtime/err.h"

// Features x [n, d] with a class 0 .. classes - 1 each. Borrowed.
typedef struct {
    const float *x;
    const int32_t *label; // NULL where it does not matter
    int64_t n;
    int d;
} mg_probe_part;

typedef struct {
    double accuracy;
    double balanced; // mean over the classes present of the share that is found
    double auroc;    // mean over classes of one against the rest, where both are present
} mg_probe_scores;

// From scores [n, classes], the largest of which names the class (the first of equal ones). NaN
// where nothing can be said. MG_ERR_MEMORY.
mg_status mg_probe_rate(const float *score, const int32_t *label, int64_t n, int classes,
                        mg_probe_scores *out);

// votes [test->n, classes]: for each test sample the k training samples with the largest cosine
// (the first of equal ones) vote exp(cosine / temperature) for their class. MG_ERR_MEMORY.
mg_status mg_probe_knn(float *votes, const mg_probe_part *train, const mg_probe_part *test,
                       int classes, int k, double temperature);

// Mean and standard deviation of each column of x [n, d] (1 where it does not vary), and the
// features with both taken out; to may be x.
void mg_probe_spread(double *mean, double *std, const float *x, int64_t n, int d);
void mg_probe_standardise(float *to, const float *x, int64_t n, int d, const double *mean,
                          const double *std);

// Weights [d + 1, classes], the last row are the biases:
//   mean over samples of the cross entropy + l2 / 2 * sum of squares of the first d rows.
typedef struct {
    const mg_probe_part *part;
    int classes;
    double l2;
    float *weight, *dweight, *logits; // scratch: [d + 1, classes] twice, [block, classes]
} mg_softmax_problem;

// The value at w and its gradient (NULL: not wanted): a mg_function, ctx is a mg_softmax_problem
// with scratch.
double mg_softmax_value(void *ctx, const double *w, double *grad);

// Fit from zero. w [d + 1, classes]. MG_ERR_MEMORY.
mg_status mg_softmax_fit(double *w, const mg_probe_part *part, int classes, double l2,
                         mg_minimum *how);

// Mean cross entropy of a part under given weights. MG_ERR_MEMORY.
mg_status mg_softmax_loss(const double *w, const mg_probe_part *part, int classes, double *loss);

// Logits [n, classes]. MG_ERR_MEMORY.
mg_status mg_softmax_scores(float *logits, const double *w, const mg_probe_part *part, int classes);

#endif
