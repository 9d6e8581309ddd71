// AdamW over flat arrays, gradient norm for clipping, learning-rate schedule (pretraining.md 6.2).
// Weights, gradients and moments are flat arrays; a list of segments says which weights a piece of
// the gradient array belongs to. Everything is elementwise or summed in fixed blocks: bits depend
// neither on the number of threads nor on how ranks share the moments.
#ifndef MG_NN_OPTIM_H
#define MG_NN_OPTIM_H

#include <stddef.h>
#include <stdint.h>

// One trained tensor.
typedef struct {
    size_t weight; // offset in the weights
    size_t grad;   // offset in gradients and moments
    size_t size;
    float decay; // weight decay of this tensor, 0 for none
} mg_segment;

typedef struct {
    double beta1, beta2, eps;
} mg_adamw;

// One update, step counter t from 1:
//   w <- w (1 - lr decay);  m <- b1 m + (1-b1) g;  v <- b2 v + (1-b2) g^2,  g = clip * grad
//   w <- w - lr/(1-b1^t) m / (sqrt(v)/sqrt(1-b2^t) + eps)
// Only gradient offsets in [lo, hi) are updated (all: 0, SIZE_MAX); m and v start at offset lo, so
// ranks may each hold the moments of their own range.
void mg_adamw_update(float *weights, float *m, float *v, const float *grads, const mg_segment *list,
                     int count, size_t lo, size_t hi, const mg_adamw *o, int64_t t, double lr,
                     double clip);

// L2 norm: sum of squares in double over blocks of 65,536 elements, blocks added in order.
enum { MG_NORM_BLOCK = 65536 };
double mg_grad_norm(const float *grads, size_t n);

// Factor for the gradients: min(1, max_norm / (norm + 1e-6)); 1 if max_norm is 0 (no clipping).
double mg_clip_coefficient(double norm, double max_norm);

typedef struct {
    double peak, min;       // rates
    double warm_up, epochs; // in epochs
    int constant;           // 1: peak after the warm-up, no cosine
} mg_schedule;

// Learning rate of step `it` (from 0) of `steps_per_epoch` in `epoch`: linear warm-up (the very
// first step has rate 0), then half a cosine from peak to min.
double mg_schedule_rate(const mg_schedule *s, int64_t epoch, int64_t it, int64_t steps_per_epoch);

#endif
