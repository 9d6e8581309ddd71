// Statistics of result tables. Sums run in the order of the cases, so that a table is the same
// however its rows were computed.
#include "finetune/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/mem.h"
#include "runtime/rng.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void mg_sort(double *x, int64_t n)
{
    qsort(x, (size_t)n, sizeof *x, ascending);
}

double mg_percentile(const double *sorted, int64_t n, double share)
{
    double place = share * (double)(n - 1), below = floor(place);
    int64_t i = (int64_t)below;

    if (i + 1 >= n || place == below) return sorted[i];
    return sorted[i] + (place - below) * (sorted[i + 1] - sorted[i]);
}

double mg_median(double *x, int64_t n)
{
    if (n == 0) return NAN;
    mg_sort(x, n);
    return mg_percentile(x, n, 0.5);
}

// --- clicks ------------------------------------------------------------------------------------------

mg_noc mg_noc_at(const double *iou, int K, double threshold)
{
    for (int k = 0; k < K; k++)
        if (iou[k] >= threshold) return (mg_noc){k + 1, false};
    return (mg_noc){K, true};
}

double mg_click_curve(const double *iou, int64_t cases, int K, double *curve)
{
    int64_t n = 0;
    double sum = 0;

    for (int k = 0; k < K; k++) curve[k] = 0;
    for (int64_t i = 0; i < cases; i++) {
        double last = iou[i * K];
        if (isnan(last)) continue;
        n++;
        for (int k = 0; k < K; k++) {
            double value = iou[i * K + k];
            if (!isnan(value)) last = value;
            curve[k] += last;
        }
    }
    for (int k = 0; k < K; k++) {
        curve[k] = n ? curve[k] / (double)n : NAN;
        sum += curve[k];
    }
    return sum / K;
}

// --- means -------------------------------------------------------------------------------------------

mg_summary mg_summarize(const double *x, int64_t n, int64_t stride)
{
    mg_summary s = {0, 0, 0};
    double square = 0;

    for (int64_t i = 0; i < n; i++)
        if (!isnan(x[i * stride])) {
            s.mean += x[i * stride];
            s.n++;
        }
    s.mean = s.n ? s.mean / (double)s.n : NAN;
    for (int64_t i = 0; i < n; i++) {
        double d = x[i * stride] - s.mean;
        if (!isnan(d)) square += d * d;
    }
    s.sd = s.n > 1 ? sqrt(square / (double)(s.n - 1)) : NAN;
    return s;
}

double mg_table_average(const double *table, int64_t cases, int classes)
{
    double sum = 0;
    int present = 0;

    for (int c = 0; c < classes; c++) {
        mg_summary s = mg_summarize(table + c, cases, classes);
        if (!s.n) continue;
        sum += s.mean;
        present++;
    }
    return present ? sum / present : NAN;
}

// --- bootstrap ---------------------------------------------------------------------------------------

// Average of one replicate: `cases` draws of rows. `sum` and `count` are [classes].
static double replicate(const double *table, int64_t cases, int classes, uint64_t seed, uint32_t r,
                        double *sum, int64_t *count)
{
    mg_cursor draw = mg_cursor_at(seed, MG_RNG_BOOTSTRAP, 0, r);
    double total = 0;
    int present = 0;

    for (int c = 0; c < classes; c++) sum[c] = 0, count[c] = 0;
    for (int64_t i = 0; i < cases; i++) {
        const double *row = table + (int64_t)mg_cursor_below(&draw, (uint32_t)cases) * classes;
        for (int c = 0; c < classes; c++) {
            if (isnan(row[c])) continue;
            sum[c] += row[c];
            count[c]++;
        }
    }
    for (int c = 0; c < classes; c++) {
        if (!count[c]) continue;
        total += sum[c] / (double)count[c];
        present++;
    }
    return present ? total / present : NAN;
}

// Rows that take part: with one class those that are not NaN.
static int64_t keep_rows(const double *table, int64_t cases, int classes, double *kept)
{
    int64_t n = 0;

    for (int64_t i = 0; i < cases; i++) {
        if (classes == 1 && isnan(table[i])) continue;
        memcpy(kept + n++ * classes, table + i * classes, (size_t)classes * sizeof *table);
    }
    return n;
}

mg_status mg_bootstrap(const double *table, int64_t cases, int classes, uint64_t seed,
                       int replicates, mg_interval *interval, double *means, int wanted)
{
    mg_status st = MG_OK;
    double *rows = mg_alloc(((size_t)cases * classes + 1) * sizeof *rows);
    double *all = mg_alloc((size_t)replicates * sizeof *all);
    double *sum = mg_alloc((size_t)classes * sizeof *sum);
    int64_t *count = mg_alloc((size_t)classes * sizeof *count), finite = 0;

    *interval = (mg_interval){NAN, NAN};
    if (!rows || !all || !sum || !count) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %d bootstrap replicates", replicates);
        goto done;
    }
    int64_t n = keep_rows(table, cases, classes, rows);
    for (int r = 0; r < replicates && n > 0; r++) {
        double mean = replicate(rows, n, classes, seed, (uint32_t)r, sum, count);
        if (means && r < wanted) means[r] = mean;
        if (!isnan(mean)) all[finite++] = mean;
    }
    if (finite > 0) {
        mg_sort(all, finite);
        interval->low = mg_percentile(all, finite, 0.025);
        interval->high = mg_percentile(all, finite, 0.975);
    }

done:
    mg_free(rows);
    mg_free(all);
    mg_free(sum);
    mg_free(count);
    return st;
}

// --- Wilcoxon ----------------------------------------------------------------------------------------

enum { EXACT_UP_TO = 25 };

static int by_size(const void *a, const void *b)
{
    double x = fabs(*(const double *)a), y = fabs(*(const double *)b);
    return (x > y) - (x < y);
}

// P(W <= w) two-sided, by counting the subsets of the ranks 1..n with each sum.
static double exact_p(int n, double w)
{
    double ways[EXACT_UP_TO * (EXACT_UP_TO + 1) / 2 + 1] = {1}, below = 0;
    int most = n * (n + 1) / 2;

    for (int rank = 1; rank <= n; rank++)
        for (int s = most; s >= rank; s--) ways[s] += ways[s - rank];
    for (int s = 0; s <= (int)w; s++) below += ways[s];
    return fmin(1, 2 * below / ldexp(1, n));
}

// Mid-ranks of the sorted non-zero differences; returns the sum of t^3 - t over groups of ties.
static double rank_sums(const double *d, int64_t n, mg_wilcoxon *out)
{
    double ties = 0;

    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && fabs(d[j]) == fabs(d[i]);) j++;
        double rank = (double)(i + 1 + j) / 2, t = (double)(j - i);
        ties += t * t * t - t;
        for (int64_t k = i; k < j; k++) *(d[k] > 0 ? &out->w_plus : &out->w_minus) += rank;
    }
    return ties;
}

mg_status mg_wilcoxon_test(const double *a, const double *b, int64_t n, mg_wilcoxon *out)
{
    double *d = mg_alloc(((size_t)n + 1) * sizeof *d);

    *out = (mg_wilcoxon){.p_normal = 1, .p_exact = NAN, .p = 1};
    MG_CHECK(d, MG_ERR_MEMORY, "cannot allocate %lld differences", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (!isnan(a[i]) && !isnan(b[i])) d[out->pairs++] = a[i] - b[i];
    out->median = mg_median(d, out->pairs);
    for (int64_t i = 0; i < out->pairs; i++)
        if (d[i] != 0) d[out->n++] = d[i];

    if (out->n > 0) {
        double m = (double)out->n;
        qsort(d, (size_t)out->n, sizeof *d, by_size);
        double ties = rank_sums(d, out->n, out);
        double w = fmin(out->w_plus, out->w_minus);
        double var = m * (m + 1) * (2 * m + 1) / 24 - ties / 48;
        out->z = (w - m * (m + 1) / 4) / sqrt(var);
        out->p_normal = erfc(fabs(out->z) / sqrt(2));
        if (out->n <= EXACT_UP_TO && ties == 0 && out->n == out->pairs)
            out->p_exact = exact_p((int)out->n, w);
        out->p = isnan(out->p_exact) ? out->p_normal : out->p_exact;
    }
    mg_free(d);
    return MG_OK;
}

mg_status mg_holm(const double *p, int m, double *adjusted)
{
    int *order = mg_alloc((size_t)(m > 0 ? m : 1) * sizeof *order);
    double worst = 0;

    MG_CHECK(order, MG_ERR_MEMORY, "cannot allocate %d p-values", m);
    for (int i = 0; i < m; i++) {
        int k = i;
        while (k > 0 && p[order[k - 1]] > p[i]) {
            order[k] = order[k - 1];
            k--;
        }
        order[k] = i;
    }
    for (int k = 0; k < m; k++) {
        worst = fmax(worst, fmin(1, (m - k) * p[order[k]]));
        adjusted[order[k]] = worst;
    }
    mg_free(order);
    return MG_OK;
}
