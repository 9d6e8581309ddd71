// Softmax regression. Weights and the search are in double, the two products over the samples in
// float32 (a block of samples at a time), as is good enough for a gradient.
#include <math.h>
#include <string.h>

#include "nn/gemm.h"
#include "pretrain/probe.h"
#include "runtime/mem.h"

enum { BLOCK = 4096, MOST_ITERATIONS = 1000 };
static const double tolerance = 1e-5;

// Logits of rows [first, first + rows) into p->logits.
static void block_logits(const mg_softmax_problem *p, int64_t first, int rows)
{
    int K = p->classes, d = p->part->d;
    const float *bias = p->weight + (size_t)d * K;

    for (int r = 0; r < rows; r++)
        memcpy(p->logits + (size_t)r * K, bias, (size_t)K * sizeof *bias);
    mg_gemm(p->logits, K, p->part->x + first * d, d, false, p->weight, K, false, rows, K, d, 1, 1);
}

// Cross entropy of one row; the logits become dloss / dlogits * scale.
static double row_loss(float *logits, int label, int K, double scale)
{
    double top = logits[0], sum = 0, right = logits[label];

    for (int c = 1; c < K; c++) top = fmax(top, logits[c]);
    for (int c = 0; c < K; c++) sum += exp(logits[c] - top);
    for (int c = 0; c < K; c++)
        logits[c] = (float)(scale * (exp(logits[c] - top) / sum - (c == label)));
    return log(sum) + top - right;
}

double mg_softmax_value(void *ctx, const double *w, double *grad)
{
    mg_softmax_problem *p = ctx;
    const mg_probe_part *part = p->part;
    int K = p->classes, d = part->d;
    size_t size = (size_t)(d + 1) * K, penalised = (size_t)d * K;
    double loss = 0, squares = 0;

    for (size_t i = 0; i < size; i++) p->weight[i] = (float)w[i];
    memset(p->dweight, 0, size * sizeof *p->dweight);
    for (int64_t first = 0; first < part->n; first += BLOCK) {
        int rows = part->n - first < BLOCK ? (int)(part->n - first) : BLOCK;
        block_logits(p, first, rows);
        for (int r = 0; r < rows; r++)
            loss +=
                row_loss(p->logits + (size_t)r * K, part->label[first + r], K, 1 / (double)part->n);
        if (!grad) continue;
        mg_gemm(p->dweight, K, part->x + first * d, d, true, p->logits, K, false, d, K, rows, 1, 1);
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < K; c++) p->dweight[penalised + c] += p->logits[(size_t)r * K + c];
    }
    for (size_t i = 0; i < penalised; i++) squares += w[i] * w[i];
    for (size_t i = 0; grad && i < size; i++)
        grad[i] = p->dweight[i] + (i < penalised ? p->l2 * w[i] : 0);
    return loss / (double)part->n + p->l2 / 2 * squares;
}

static mg_status open_problem(mg_softmax_problem *p, const mg_probe_part *part, int classes,
                              double l2)
{
    size_t size = (size_t)(part->d + 1) * classes;
    int64_t rows = part->n < BLOCK ? part->n : BLOCK;

    *p = (mg_softmax_problem){.part = part, .classes = classes, .l2 = l2};
    p->weight = mg_alloc((2 * size + (size_t)rows * classes) * sizeof *p->weight);
    MG_CHECK(p->weight, MG_ERR_MEMORY, "cannot allocate a softmax regression of %d classes",
             classes);
    p->dweight = p->weight + size;
    p->logits = p->dweight + size;
    return MG_OK;
}

mg_status mg_softmax_fit(double *w, const mg_probe_part *part, int classes, double l2,
                         mg_minimum *how)
{
    size_t size = (size_t)(part->d + 1) * classes;
    mg_softmax_problem p;

    memset(w, 0, size * sizeof *w);
    MG_TRY(open_problem(&p, part, classes, l2));
    mg_status st = mg_minimize(mg_softmax_value, &p, w, size, MOST_ITERATIONS, tolerance, how);
    mg_free(p.weight);
    return st;
}

mg_status mg_softmax_loss(const double *w, const mg_probe_part *part, int classes, double *loss)
{
    mg_softmax_problem p;

    MG_TRY(open_problem(&p, part, classes, 0));
    *loss = mg_softmax_value(&p, w, NULL);
    mg_free(p.weight);
    return MG_OK;
}

mg_status mg_softmax_scores(float *logits, const double *w, const mg_probe_part *part, int classes)
{
    size_t size = (size_t)(part->d + 1) * classes;
    mg_softmax_problem p;

    MG_TRY(open_problem(&p, part, classes, 0));
    for (size_t i = 0; i < size; i++) p.weight[i] = (float)w[i];
    for (int64_t first = 0; first < part->n; first += BLOCK) {
        int rows = part->n - first < BLOCK ? (int)(part->n - first) : BLOCK;
        block_logits(&p, first, rows);
        memcpy(logits + first * classes, p.logits, (size_t)rows * classes * sizeof *logits);
    }
    mg_free(p.weight);
    return MG_OK;
}
