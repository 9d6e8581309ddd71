// Naive double-precision layers.
#include "tests/ref.h"

#include <math.h>
#include <stdlib.h>

void ref_matmul(double *C, const float *A, bool ta, const float *B, bool tb, int M, int N, int K)
{
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++) {
            double sum = 0;
            for (int k = 0; k < K; k++)
                sum += (double)A[ta ? (size_t)k * M + m : (size_t)m * K + k] *
                       B[tb ? (size_t)n * K + k : (size_t)k * N + n];
            C[(size_t)m * N + n] = sum;
        }
}

void ref_widen(double *out, const float *inp, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = inp[i];
}

void ref_narrow(float *out, const double *inp, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = (float)inp[i];
}

double ref_gelu(double x)
{
    return 0.5 * x * erfc(-x * sqrt(0.5));
}

double ref_gelu_slope(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5)) + x * exp(-0.5 * x * x) / sqrt(2 * acos(-1.0));
}

void ref_layernorm(double *out, const double *inp, const double *weight, const double *bias,
                   int cols, double eps)
{
    double mean = 0, var = 0;

    for (int c = 0; c < cols; c++) mean += inp[c] / cols;
    for (int c = 0; c < cols; c++) var += (inp[c] - mean) * (inp[c] - mean) / cols;
    for (int c = 0; c < cols; c++) out[c] = (inp[c] - mean) / sqrt(var + eps) * weight[c] + bias[c];
}

// What query i sees: offsets of its keys' heads (-1 for padding), its probabilities.
typedef struct {
    const mg_attn *a;
    int p, h;
} group;

static int query_row(const group *g, int i)
{
    const mg_attn *a = g->a;
    return a->qrow ? a->qrow[(size_t)g->p * a->nq + i] : g->p * a->nq + i;
}

static double *key(const group *g, double *array, double *pad, int stride, int j)
{
    const mg_attn *a = g->a;
    int row = a->krow ? a->krow[(size_t)g->p * a->nk + j] : g->p * a->nk + j;

    return (row < 0 ? pad : array + (size_t)row * stride) + (size_t)g->h * a->d;
}

// Rows of the two tables for query i and key j.
static void rel_rows(const group *g, int i, int j, size_t *row, size_t *col)
{
    const mg_attn *a = g->a;
    int from = a->coord ? a->coord[(size_t)g->p * a->nq + i] : i;
    int to = a->coord ? a->coord[(size_t)g->p * a->nq + j] : j;

    *row = (size_t)(from / a->gw - to / a->gw + a->gh - 1) * a->d;
    *col = (size_t)(from % a->gw - to % a->gw + a->gw - 1) * a->d;
}

static double dot(const double *x, const double *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static void axpy(double *y, double alpha, const double *x, int n)
{
    for (int i = 0; i < n; i++) y[i] += alpha * x[i];
}

// Probabilities of query i over its keys.
static void softmax(double *prob, const double *q, const ref_attn *in, const group *g, int i)
{
    const mg_attn *a = g->a;
    double top = -INFINITY, sum = 0;

    for (int j = 0; j < a->nk; j++) {
        prob[j] = (double)a->scale * dot(q, key(g, in->k, in->k_pad, a->k_stride, j), a->d);
        if (in->rel_h) {
            size_t row, col;
            rel_rows(g, i, j, &row, &col);
            prob[j] += dot(q, in->rel_h + row, a->d) + dot(q, in->rel_w + col, a->d);
        }
        top = fmax(top, prob[j]);
    }
    for (int j = 0; j < a->nk; j++) sum += prob[j] = exp(prob[j] - top);
    for (int j = 0; j < a->nk; j++) prob[j] /= sum;
}

void ref_attention(double *out, const ref_attn *in, const mg_attn *a)
{
    double *prob = malloc((size_t)a->nk * sizeof *prob);
    group g = {.a = a};

    for (g.p = 0; g.p < a->problems; g.p++)
        for (g.h = 0; g.h < a->heads; g.h++)
            for (int i = 0; i < a->nq; i++) {
                int row = query_row(&g, i);
                if (row < 0) continue;
                double *o = out + (size_t)row * a->o_stride + (size_t)g.h * a->d;

                softmax(prob, in->q + (size_t)row * a->q_stride + (size_t)g.h * a->d, in, &g, i);
                for (int c = 0; c < a->d; c++) o[c] = 0;
                for (int j = 0; j < a->nk; j++)
                    axpy(o, prob[j], key(&g, in->v, in->v_pad, a->v_stride, j), a->d);
            }
    free(prob);
}

// Gradients of query i, whose probabilities are in `prob`.
static void query_backward(ref_attn *grad, double *prob, const double *dout, const ref_attn *in,
                           const group *g, int i)
{
    const mg_attn *a = g->a;
    size_t at = (size_t)query_row(g, i) * a->q_stride + (size_t)g->h * a->d;
    const double *q = in->q + at;
    double *dq = grad->q + at, mean = 0;

    for (int j = 0; j < a->nk; j++) {
        axpy(key(g, grad->v, grad->v_pad, a->v_stride, j), prob[j], dout, a->d);
        mean += prob[j] * dot(dout, key(g, in->v, in->v_pad, a->v_stride, j), a->d);
    }
    for (int j = 0; j < a->nk; j++) {
        double ds = prob[j] * (dot(dout, key(g, in->v, in->v_pad, a->v_stride, j), a->d) - mean);

        axpy(dq, a->scale * ds, key(g, in->k, in->k_pad, a->k_stride, j), a->d);
        axpy(key(g, grad->k, grad->k_pad, a->k_stride, j), a->scale * ds, q, a->d);
        if (in->rel_h) {
            size_t row, col;
            rel_rows(g, i, j, &row, &col);
            axpy(dq, ds, in->rel_h + row, a->d);
            axpy(dq, ds, in->rel_w + col, a->d);
            axpy(grad->rel_h + row, ds, q, a->d);
            axpy(grad->rel_w + col, ds, q, a->d);
        }
    }
}

void ref_attention_backward(ref_attn *grad, const double *dout, const ref_attn *in,
                            const mg_attn *a)
{
    double *prob = malloc((size_t)a->nk * sizeof *prob);
    group g = {.a = a};

    for (g.p = 0; g.p < a->problems; g.p++)
        for (g.h = 0; g.h < a->heads; g.h++)
            for (int i = 0; i < a->nq; i++) {
                int row = query_row(&g, i);
                if (row < 0) continue;
                softmax(prob, in->q + (size_t)row * a->q_stride + (size_t)g.h * a->d, in, &g, i);
                query_backward(grad, prob, dout + (size_t)row * a->o_stride + (size_t)g.h * a->d,
                               in, &g, i);
            }
    free(prob);
}
