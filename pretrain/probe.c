// Neighbours and scores. The linear probe is in softmax.c.
#include "pretrain/probe.h"

#include <math.h>
#include <string.h>

#include "nn/gemm.h"
#include "pretrain/figures.h"
#include "runtime/mem.h"

enum { BLOCK = 16 }; // test samples whose cosines are held at a time

// --- scores -----------------------------------------------------------------------------------------

static int first_largest(const float *score, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (score[c] > score[best]) best = c;
    return best;
}

// Mean AUROC of class against rest; `column` and `is` are scratch [n].
static mg_status macro_auroc(const float *score, const int32_t *label, int64_t n, int classes,
                             float *column, uint8_t *is, double *auroc)
{
    double sum = 0;
    int count = 0;

    for (int c = 0; c < classes; c++) {
        double one;
        for (int64_t i = 0; i < n; i++) {
            column[i] = score[i * classes + c];
            is[i] = label[i] == c;
        }
        MG_TRY(mg_figure_auroc(column, is, n, &one));
        if (!isnan(one)) sum += one, count++;
    }
    *auroc = count ? sum / count : NAN;
    return MG_OK;
}

mg_status mg_probe_rate(const float *score, const int32_t *label, int64_t n, int classes,
                        mg_probe_scores *out)
{
    int64_t *have = mg_calloc(2 * (size_t)classes, sizeof *have), *found = NULL, all = 0;
    float *column = mg_alloc((size_t)(n + 1) * sizeof *column);
    uint8_t *is = mg_alloc((size_t)(n + 1));
    double sum = 0;
    int present = 0;
    mg_status st = MG_OK;

    *out = (mg_probe_scores){NAN, NAN, NAN};
    if (!have || !column || !is) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the scores of %d classes", classes);
        goto done;
    }
    found = have + classes;
    for (int64_t i = 0; i < n; i++) {
        have[label[i]]++;
        found[label[i]] += first_largest(score + i * classes, classes) == label[i];
    }
    for (int c = 0; c < classes; c++) {
        if (have[c]) sum += (double)found[c] / (double)have[c], present++;
        all += found[c];
    }
    if (n) out->accuracy = (double)all / (double)n;
    if (present) out->balanced = sum / present;
    st = macro_auroc(score, label, n, classes, column, is, &out->auroc);

done:
    mg_free(have);
    mg_free(column);
    mg_free(is);
    return st;
}

// --- k nearest neighbours ---------------------------------------------------------------------------

static void unit_rows(float *to, const float *x, int64_t n, int d)
{
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int c = 0; c < d; c++) square += (double)x[i * d + c] * x[i * d + c];
        double length = fmax(sqrt(square), 1e-12);
        for (int c = 0; c < d; c++) to[i * d + c] = (float)(x[i * d + c] / length);
    }
}

// The k largest of cosine [n] vote; best [k] is scratch, kept in descending order.
static void vote(float *votes, const float *cosine, const int32_t *label, int64_t n, int k,
                 double temperature, int64_t *best)
{
    int held = 0;

    for (int64_t i = 0; i < n; i++) {
        if (held == k && !(cosine[i] > cosine[best[k - 1]])) continue;
        int at = held < k ? held++ : k - 1;
        for (; at > 0 && cosine[i] > cosine[best[at - 1]]; at--) best[at] = best[at - 1];
        best[at] = i;
    }
    for (int j = 0; j < held; j++)
        votes[label[best[j]]] += (float)exp(cosine[best[j]] / temperature);
}

mg_status mg_probe_knn(float *votes, const mg_probe_part *train, const mg_probe_part *test,
                       int classes, int k, double temperature)
{
    int d = train->d;
    float *known = mg_alloc((size_t)(train->n + 1) * d * sizeof *known);
    float *asked = mg_alloc((size_t)BLOCK * d * sizeof *asked);
    float *cosine = mg_alloc((size_t)BLOCK * (train->n + 1) * sizeof *cosine);
    int64_t *best = mg_alloc((size_t)k * sizeof *best);
    mg_status st = MG_OK;

    if (!known || !asked || !cosine || !best) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the cosines of %lld samples",
                     (long long)train->n);
        goto done;
    }
    memset(votes, 0, (size_t)test->n * classes * sizeof *votes);
    unit_rows(known, train->x, train->n, d);
    for (int64_t first = 0; first < test->n; first += BLOCK) {
        int rows = test->n - first < BLOCK ? (int)(test->n - first) : BLOCK;
        unit_rows(asked, test->x + first * d, rows, d);
        mg_gemm(cosine, (int)train->n, asked, d, false, known, d, true, rows, (int)train->n, d, 1,
                0);
        for (int r = 0; r < rows; r++)
            vote(votes + (first + r) * classes, cosine + (size_t)r * train->n, train->label,
                 train->n, k, temperature, best);
    }

done:
    mg_free(known);
    mg_free(asked);
    mg_free(cosine);
    mg_free(best);
    return st;
}

// --- standardising ----------------------------------------------------------------------------------

void mg_probe_spread(double *mean, double *std, const float *x, int64_t n, int d)
{
    for (int c = 0; c < d; c++) mean[c] = std[c] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < d; c++) mean[c] += x[i * d + c] / (double)n;
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < d; c++)
            std[c] += (x[i * d + c] - mean[c]) * (x[i * d + c] - mean[c]) / (double)n;
    for (int c = 0; c < d; c++) std[c] = std[c] > 1e-12 ? sqrt(std[c]) : 1;
}

void mg_probe_standardise(float *to, const float *x, int64_t n, int d, const double *mean,
                          const double *std)
{
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < d; c++) to[i * d + c] = (float)((x[i * d + c] - mean[c]) / std[c]);
}
