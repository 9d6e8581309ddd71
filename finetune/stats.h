// Numbers of a table of results (prompts-and-metrics.md section 7.1 to 7.3): clicks until a
// threshold, class means, percentile bootstrap intervals, Wilcoxon's signed-rank test, Holm.
// NaN means "not applicable" and is left out everywhere.
#ifndef MG_FINETUNE_STATS_H
#define MG_FINETUNE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/err.h"

void mg_sort(double *x, int64_t n); // ascending; no NaN inside
// Of sorted values: at place share * (n - 1), linear between its neighbours. n > 0.
double mg_percentile(const double *sorted, int64_t n, double share);
double mg_median(double *x, int64_t n); // sorts; NaN if n is 0

// --- clicks (7.1) ------------------------------------------------------------------------------------

typedef struct {
    int clicks;  // first count that reaches the threshold, K if none does
    bool failed; // never reached
} mg_noc;

// iou[K]: after 1..K clicks; NaN after an early stop repeats the last value.
mg_noc mg_noc_at(const double *iou, int K, double threshold);

// Mean over cases after each number of clicks: iou [cases, K] -> curve [K]; returns its mean
// ("auc"). A case without any value is left out.
double mg_click_curve(const double *iou, int64_t cases, int K, double *curve);

// --- means (7.2) -------------------------------------------------------------------------------------

typedef struct {
    int64_t n;
    double mean, sd; // NaN for n = 0; sd (n - 1) also for n = 1
} mg_summary;

// Of x[0], x[stride], ...: n values of which the NaN ones do not count.
mg_summary mg_summarize(const double *x, int64_t n, int64_t stride);

// Avg of table [cases, classes]: the unweighted mean of the class means.
double mg_table_average(const double *table, int64_t cases, int classes);

// --- uncertainty (7.3) -------------------------------------------------------------------------------

enum { MG_BOOTSTRAP_REPLICATES = 10000 };

typedef struct {
    double low, high; // 95 %; NaN without values
} mg_interval;

// Percentile bootstrap over the cases of table [cases, classes] for its average (7.2); one class:
// for its mean, then cases that are NaN do not take part. Philox purpose 12. `means` (NULL allowed)
// gets the first `wanted` means of replicates. MG_ERR_MEMORY.
mg_status mg_bootstrap(const double *table, int64_t cases, int classes, uint64_t seed,
                       int replicates, mg_interval *interval, double *means, int wanted);

typedef struct {
    int64_t pairs; // both present
    int64_t n;     // of these, different
    double w_plus, w_minus;
    double z;        // 0 for n = 0
    double p_normal; // two-sided, without continuity correction
    double p_exact;  // NaN for n > 25, ties or zero differences
    double p;        // the exact one where there is one
    double median;   // of a - b over the pairs
} mg_wilcoxon;

// Signed-rank test of a - b, [n] each; pairs with a NaN are left out. MG_ERR_MEMORY.
mg_status mg_wilcoxon_test(const double *a, const double *b, int64_t n, mg_wilcoxon *out);

// Holm's adjustment of m p-values, in the order given. MG_ERR_MEMORY.
mg_status mg_holm(const double *p, int m, double *adjusted);

#endif
