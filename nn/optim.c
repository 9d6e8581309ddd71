// AdamW, gradient norm and learning rate (pretraining.md 6.2).
#include "nn/optim.h"

#include <math.h>

// Coefficients of one step, rounded once.
typedef struct {
    float keep;           // 1 - lr decay
    float b1, c1, b2, c2; // beta, 1 - beta
    float rate, root;     // lr / (1 - b1^t), 1 / sqrt(1 - b2^t)
    float eps, clip;
} step;

static void update(float *w, float *m, float *v, const float *g, size_t n, step s)
{
#pragma omp parallel for simd
    for (size_t i = 0; i < n; i++) {
        float grad = s.clip * g[i];
        m[i] = s.b1 * m[i] + s.c1 * grad;
        v[i] = s.b2 * v[i] + s.c2 * (grad * grad);
        w[i] = w[i] * s.keep - s.rate * m[i] / (sqrtf(v[i]) * s.root + s.eps);
    }
}

void mg_adamw_update(float *weights, float *m, float *v, const float *grads, const mg_segment *list,
                     int count, size_t lo, size_t hi, const mg_adamw *o, int64_t t, double lr,
                     double clip)
{
    for (int k = 0; k < count; k++) {
        const mg_segment *seg = &list[k];
        size_t from = seg->grad > lo ? seg->grad : lo;
        size_t to = seg->grad + seg->size < hi ? seg->grad + seg->size : hi;
        if (from >= to) continue;
        step s = {.keep = (float)(1 - lr * seg->decay),
                  .b1 = (float)o->beta1,
                  .c1 = (float)(1 - o->beta1),
                  .b2 = (float)o->beta2,
                  .c2 = (float)(1 - o->beta2),
                  .rate = (float)(lr / (1 - pow(o->beta1, (double)t))),
                  .root = (float)(1 / sqrt(1 - pow(o->beta2, (double)t))),
                  .eps = (float)o->eps,
                  .clip = (float)clip};
        update(weights + seg->weight + (from - seg->grad), m + (from - lo), v + (from - lo),
               grads + from, to - from, s);
    }
}

static double block_squares(const float *g, size_t n)
{
    double sum = 0;

#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += (double)g[i] * g[i];
    return sum;
}

double mg_grad_norm(const float *grads, size_t n)
{
    enum { GROUP = 256 };
    const size_t block = MG_NORM_BLOCK;
    size_t blocks = (n + block - 1) / block;
    double total = 0, part[GROUP];

    for (size_t first = 0; first < blocks; first += GROUP) {
        size_t here = blocks - first < GROUP ? blocks - first : GROUP;
#pragma omp parallel for
        for (size_t k = 0; k < here; k++) {
            size_t start = (first + k) * block;
            part[k] = block_squares(grads + start, n - start < block ? n - start : block);
        }
        for (size_t k = 0; k < here; k++) total += part[k];
    }
    return sqrt(total);
}

double mg_clip_coefficient(double norm, double max_norm)
{
    return max_norm > 0 && max_norm < norm + 1e-6 ? max_norm / (norm + 1e-6) : 1;
}

double mg_schedule_rate(const mg_schedule *s, int64_t epoch, int64_t it, int64_t steps_per_epoch)
{
    double ep = (double)epoch + (double)it / (double)steps_per_epoch;

    if (ep < s->warm_up) return s->peak * ep / s->warm_up;
    if (s->constant) return s->peak;
    return s->min +
           (s->peak - s->min) * 0.5 *
               (1 + cos(3.14159265358979323846 * (ep - s->warm_up) / (s->epochs - s->warm_up)));
}
