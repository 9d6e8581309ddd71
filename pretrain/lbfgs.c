// L-BFGS with ten corrections and a backtracking line search (Armijo); a correction whose curvature
// is not positive is left out, so the direction always leads down.
#include "pretrain/lbfgs.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"

enum { MEMORY = 10, MOST_HALVINGS = 30 };

typedef struct {
    size_t n;
    double *s[MEMORY], *y[MEMORY], rho[MEMORY]; // newest at (count - 1) % MEMORY
    int count;
    double *grad, *next, *next_grad, *direction;
    double *block;
} state;

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static double largest(const double *a, size_t n)
{
    double top = 0;
    for (size_t i = 0; i < n; i++) top = fmax(top, fabs(a[i]));
    return top;
}

static void add(double *to, double factor, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] += factor * from[i];
}

static mg_status allocate(state *q, size_t n)
{
    q->n = n;
    q->block = mg_alloc((2 * MEMORY + 4) * n * sizeof *q->block);
    MG_CHECK(q->block, MG_ERR_MEMORY, "cannot allocate the memory of L-BFGS for %zu values", n);
    double *at = q->block;
    for (int i = 0; i < MEMORY; i++, at += 2 * n) q->s[i] = at, q->y[i] = at + n;
    q->grad = at;
    q->next = at + n;
    q->next_grad = at + 2 * n;
    q->direction = at + 3 * n;
    return MG_OK;
}

// direction = -H grad by the two loops; H = identity over the gradient's length at first.
static void find_direction(state *q)
{
    int first = q->count > MEMORY ? q->count - MEMORY : 0;
    double alpha[MEMORY] = {0}, scale = 1 / fmax(sqrt(dot(q->grad, q->grad, q->n)), 1);

    for (size_t i = 0; i < q->n; i++) q->direction[i] = -q->grad[i];
    for (int k = q->count - 1; k >= first; k--) {
        int at = k % MEMORY;
        alpha[at] = q->rho[at] * dot(q->s[at], q->direction, q->n);
        add(q->direction, -alpha[at], q->y[at], q->n);
    }
    if (q->count > 0) {
        int at = (q->count - 1) % MEMORY;
        scale = 1 / (q->rho[at] * dot(q->y[at], q->y[at], q->n));
    }
    for (size_t i = 0; i < q->n; i++) q->direction[i] *= scale;
    for (int k = first; k < q->count; k++) {
        int at = k % MEMORY;
        double beta = q->rho[at] * dot(q->y[at], q->direction, q->n);
        add(q->direction, alpha[at] - beta, q->s[at], q->n);
    }
}

static void remember(state *q, const double *x)
{
    int at = q->count % MEMORY;

    for (size_t i = 0; i < q->n; i++) {
        q->s[at][i] = q->next[i] - x[i];
        q->y[at][i] = q->next_grad[i] - q->grad[i];
    }
    double along = dot(q->s[at], q->y[at], q->n);
    if (!(along > 1e-12 * dot(q->y[at], q->y[at], q->n))) return;
    q->rho[at] = 1 / along;
    q->count++;
}

// Halve the step until the value falls enough; false if it never does.
static bool search(state *q, mg_function f, void *ctx, const double *x, mg_minimum *out)
{
    double slope = dot(q->grad, q->direction, q->n), step = 1;

    for (int i = 0; i < MOST_HALVINGS && slope < 0; i++, step /= 2) {
        memcpy(q->next, x, q->n * sizeof *x);
        add(q->next, step, q->direction, q->n);
        double value = f(ctx, q->next, q->next_grad);
        out->evaluations++;
        if (!(value <= out->value + 1e-4 * step * slope)) continue;
        out->value = value;
        return true;
    }
    return false;
}

mg_status mg_minimize(mg_function f, void *ctx, double *x, size_t n, int most, double tolerance,
                      mg_minimum *out)
{
    state q = {0};

    *out = (mg_minimum){0};
    MG_TRY(allocate(&q, n));
    out->value = f(ctx, x, q.grad);
    out->evaluations = 1;
    if (!isfinite(out->value)) {
        mg_free(q.block);
        return MG_FAIL(MG_ERR_NUMERIC, "the function to minimize is %g at the start", out->value);
    }
    while (out->iterations < most && largest(q.grad, n) > tolerance) {
        find_direction(&q);
        if (!search(&q, f, ctx, x, out)) break;
        remember(&q, x);
        memcpy(x, q.next, n * sizeof *x);
        memcpy(q.grad, q.next_grad, n * sizeof *x);
        out->iterations++;
    }
    out->gradient = largest(q.grad, n);
    mg_free(q.block);
    return MG_OK;
}
