// Spread, mean cosine, effective rank of feature matrices; AUROC from ranks (Mann and Whitney).
// All in double, sums in the order of the samples.
#include "pretrain/figures.h"

#include <math.h>
#include <stdlib.h>

#include "nn/eigen.h"
#include "runtime/mem.h"

static void column_means(double *mean, const float *x, int64_t n, int d)
{
    for (int c = 0; c < d; c++) mean[c] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < d; c++) mean[c] += x[i * d + c];
    for (int c = 0; c < d; c++) mean[c] /= (double)n;
}

double mg_figure_spread(const float *x, int64_t n, int d)
{
    double total = 0;

    for (int c = 0; c < d; c++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < n; i++) mean += x[i * d + c];
        mean /= (double)n;
        for (int64_t i = 0; i < n; i++) square += (x[i * d + c] - mean) * (x[i * d + c] - mean);
        total += sqrt(square / (double)n);
    }
    return sqrt(d) * total / d;
}

// With unit rows u_i the sum of <u_i, u_j> over i != j is |sum u_i|^2 - sum |u_i|^2.
mg_status mg_figure_cosine(const float *x, int64_t n, int d, int centred, double *cosine)
{
    double *mean = mg_calloc(2 * (size_t)d, sizeof *mean), *sum = mean + d, all = 0, own = 0;

    MG_CHECK(mean, MG_ERR_MEMORY, "cannot allocate column means");
    if (centred) column_means(mean, x, n, d);
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int c = 0; c < d; c++) square += (x[i * d + c] - mean[c]) * (x[i * d + c] - mean[c]);
        if (square == 0) continue;
        own += 1;
        for (int c = 0; c < d; c++) sum[c] += (x[i * d + c] - mean[c]) / sqrt(square);
    }
    for (int c = 0; c < d; c++) all += sum[c] * sum[c];
    *cosine = n > 1 ? (all - own) / ((double)n * (double)(n - 1)) : 0;
    mg_free(mean);
    return MG_OK;
}

// The smaller of x x^T and x^T x, [m, m]: their eigenvalues other than 0 are the same, the squares
// of the singular values.
static void gram_matrix(double *gram, const float *x, int64_t n, int d)
{
    int m = n < d ? (int)n : d;
    int64_t length = n < d ? d : n, across = n < d ? d : 1, along = n < d ? 1 : d;

#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < m; i++)
        for (int j = 0; j <= i; j++) {
            double sum = 0;
            for (int64_t k = 0; k < length; k++)
                sum += (double)x[i * across + k * along] * x[j * across + k * along];
            gram[(size_t)i * m + j] = gram[(size_t)j * m + i] = sum;
        }
}

mg_status mg_figure_rank(const float *x, int64_t n, int d, double *rank)
{
    int m = n < d ? (int)n : d;
    double *gram = mg_alloc((size_t)m * m * sizeof *gram);
    double *value = mg_alloc(3 * (size_t)m * sizeof *value), sum = 0, entropy = 0;
    double trace = 0;
    mg_status st = MG_OK;

    *rank = 0;
    if (!gram || !value) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a matrix of %d rows", m);
        goto done;
    }
    gram_matrix(gram, x, n, d);
    for (int i = 0; i < m; i++) trace += gram[(size_t)i * m + i];
    mg_eigenvalues(value, gram, m, value + m);
    for (int i = 0; i < m; i++) sum += value[i] = sqrt(fmax(value[i], 0));
    for (int i = 0; i < m && sum > 0; i++) {
        double s = value[i] / sum;
        if (s > 0) entropy -= s * log(s);
    }
    if (sum > 0) *rank = exp(entropy);
    if (!isfinite(trace)) *rank = NAN;

done:
    mg_free(gram);
    mg_free(value);
    return st;
}

typedef struct {
    float score;
    uint8_t label;
} scored;

static int by_score(const void *a, const void *b)
{
    float x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x > y) - (x < y);
}

mg_status mg_figure_auroc(const float *score, const uint8_t *label, int64_t n, double *auroc)
{
    scored *s = mg_alloc((size_t)(n ? n : 1) * sizeof *s);
    double ranks = 0, positive = 0; // sum of the positives' ranks, counted from 1; their number

    MG_CHECK(s, MG_ERR_MEMORY, "cannot allocate %lld scores", (long long)n);
    for (int64_t i = 0; i < n; i++) s[i] = (scored){score[i], label[i]};
    qsort(s, (size_t)n, sizeof *s, by_score);
    for (int64_t i = 0, end; i < n; i = end) {
        double hits = 0;
        for (end = i; end < n && s[end].score == s[i].score; end++) hits += s[end].label;
        if (end == i) end = n, hits = NAN; // a score that is not a number
        ranks += hits * ((double)(i + end + 1) / 2);
        positive += hits;
    }
    double negative = (double)n - positive;
    *auroc = positive > 0 && negative > 0
                 ? (ranks - positive * (positive + 1) / 2) / (positive * negative)
                 : NAN;
    mg_free(s);
    return MG_OK;
}
