// Focal, Dice and cross-entropy losses with their gradients (prompts-and-metrics.md section 6).
//   ce(z, y, w) = (1 - y) z + (1 + (w - 1) y) softplus(-z), p = sigmoid(z), 1 - p = sigmoid(-z):
// ln p is never taken of a rounded p. Everything is double inside.
#include "nn/loss.h"

#include <assert.h>
#include <math.h>
#include <string.h>

// Cells are cut into this many parts, whatever the number of threads.
enum { PARTS = 64 };

typedef struct {
    double valid, focal, p, y, py, pp, yy, ce, hit, either;
} sums;

// p and 1 - p, both to full relative precision, and softplus(-z) = -ln p.
typedef struct {
    double p, q, softplus;
} sigmoid;

static sigmoid sigmoid_of(double z)
{
    double e = exp(-fabs(z)), big = 1 / (1 + e), small = e / (1 + e);

    return (sigmoid){.p = z >= 0 ? big : small,
                     .q = z >= 0 ? small : big,
                     .softplus = (z < 0 ? -z : 0) + log1p(e)};
}

static double ce_of(double z, double y, double w, sigmoid s)
{
    return (1 - y) * z + (1 + (w - 1) * y) * s.softplus;
}

static double focal_of(double z, double y, sigmoid s)
{
    double alpha = 0.25 * y + 0.75 * (1 - y);
    double miss = s.p * (1 - y) + s.q * y; // 1 - pt

    return alpha * miss * miss * ce_of(z, y, 1, s);
}

// Derivative of focal_of by z: d(miss)/dz = p (1 - p) (1 - 2 y), d(ce)/dz = p - y.
static double dfocal_of(double z, double y, sigmoid s)
{
    double alpha = 0.25 * y + 0.75 * (1 - y);
    double miss = s.p * (1 - y) + s.q * y;
    double dce = s.p * (1 - y) - s.q * y;

    return alpha * miss * (2 * s.p * s.q * (1 - 2 * y) * ce_of(z, y, 1, s) + miss * dce);
}

// `w` weighs the foreground of the cross entropy, `weight` this cell of the sums over single cells.
static void add_cell(sums *t, double z, double y, double w, double weight)
{
    sigmoid s = sigmoid_of(z);

    t->valid += 1;
    t->focal += weight * focal_of(z, y, s);
    t->ce += weight * ce_of(z, y, w, s);
    t->p += s.p;
    t->y += y;
    t->py += s.p * y;
    t->pp += s.p * s.p;
    t->yy += y * y;
    t->hit += z > 0 && y > 0.5;
    t->either += z > 0 || y > 0.5;
}

static void add_sums(sums *t, const sums *part)
{
    double *a = (double *)t;
    const double *b = (const double *)part;

    for (size_t i = 0; i < sizeof *t / sizeof *a; i++) a[i] += b[i];
}

static size_t part_start(size_t cells, int part)
{
    return cells * part / PARTS;
}

// All sums of one slot; w is the foreground weight of the cross entropy.
static sums sum_slot(const float *z, const float *y, const uint8_t *valid, const float *weight,
                     size_t cells, double w)
{
    sums part[PARTS], total = {0};

    memset(part, 0, sizeof part);
#pragma omp parallel for
    for (int k = 0; k < PARTS; k++)
        for (size_t i = part_start(cells, k); i < part_start(cells, k + 1); i++)
            if (!valid || valid[i]) add_cell(&part[k], z[i], y[i], w, weight ? weight[i] : 1);
    for (int k = 0; k < PARTS; k++) add_sums(&total, &part[k]);
    return total;
}

size_t mg_valid_cells(const uint8_t *valid, size_t cells)
{
    size_t n = 0;

    if (!valid) return cells;
    for (size_t i = 0; i < cells; i++) n += valid[i] != 0;
    return n;
}

static mg_slot_loss score_slot(const sums *t, double predicted_iou, double focal_weight)
{
    mg_slot_loss s = {.focal = t->focal / fmax(1, t->valid),
                      .dice = 1 - (2 * t->py + 1) / (t->p + t->y + 1),
                      .iou_actual = t->hit / fmax(1, t->either)};

    s.iou_mse = (predicted_iou - s.iou_actual) * (predicted_iou - s.iou_actual);
    s.combo = focal_weight * s.focal + s.dice;
    return s;
}

static void sam_gradient(float *dz, const float *z, const float *y, const uint8_t *valid,
                         const float *weight, size_t cells, const sums *t, double focal_weight,
                         double targets)
{
    double focal_scale = focal_weight / fmax(1, t->valid) / targets;
    double E = t->p + t->y + 1, top = 2 * t->py + 1, dice_scale = 1 / (E * E * targets);

#pragma omp parallel for
    for (size_t i = 0; i < cells; i++) {
        if (valid && !valid[i]) continue;
        sigmoid s = sigmoid_of(z[i]);
        dz[i] += (float)(focal_scale * (weight ? weight[i] : 1) * dfocal_of(z[i], y[i], s) -
                         dice_scale * (2 * y[i] * E - top) * s.p * s.q);
    }
}

double mg_sam_loss(float *dlogits, float *diou, int *best, mg_slot_loss *slots, const float *logits,
                   const float *iou, const float *target, const uint8_t *valid, const float *weight,
                   int M, size_t cells, double focal_weight, double targets)
{
    sums t[MG_MAX_SLOTS];
    mg_slot_loss score[MG_MAX_SLOTS];
    int m = 0;

    assert(M > 0 && M <= MG_MAX_SLOTS);
    for (int i = 0; i < M; i++) {
        t[i] = sum_slot(logits + i * cells, target, valid, weight, cells, 1);
        score[i] = score_slot(&t[i], iou[i], focal_weight);
        if (score[i].combo < score[m].combo) m = i;
    }
    if (best) *best = m;
    if (slots) memcpy(slots, score, (size_t)M * sizeof *score);
    if (dlogits) {
        sam_gradient(dlogits + m * cells, logits + m * cells, target, valid, weight, cells, &t[m],
                     focal_weight, targets);
        diou[m] += (float)(2 * (iou[m] - score[m].iou_actual) / targets);
    }
    return (score[m].combo + score[m].iou_mse) / targets;
}

double mg_bce_loss(float *dlogits, const float *logits, const float *target, const uint8_t *valid,
                   const float *weight, int M, size_t cells, double pos_weight, double count)
{
    double total = 0, w = pos_weight;

    for (int m = 0; m < M; m++) {
        const float *z = logits + m * cells;
        total += sum_slot(z, target, valid, weight, cells, w).ce;
        if (!dlogits) continue;
        float *dz = dlogits + m * cells;
#pragma omp parallel for
        for (size_t i = 0; i < cells; i++) {
            if (valid && !valid[i]) continue;
            sigmoid s = sigmoid_of(z[i]);
            double y = target[i], c = weight ? weight[i] : 1;
            dz[i] += (float)(c * (s.p * (1 - y) - w * y * s.q) / count); // p (1 + (w-1) y) - w y
        }
    }
    return total / count;
}

double mg_dice_sq_loss(float *dlogits, const float *logits, const float *target,
                       const uint8_t *valid, int M, size_t cells, double slots)
{
    const double smooth = 1e-5;
    double total = 0;

    for (int m = 0; m < M; m++) {
        const float *z = logits + m * cells;
        sums t = sum_slot(z, target, valid, NULL, cells, 1);
        double E = t.pp + t.yy + smooth, top = 2 * t.py + smooth;
        total += 1 - top / E;
        if (!dlogits) continue;
        float *dz = dlogits + m * cells;
#pragma omp parallel for
        for (size_t i = 0; i < cells; i++) {
            if (valid && !valid[i]) continue;
            sigmoid s = sigmoid_of(z[i]);
            dz[i] += (float)((-2 * target[i] / E + top * 2 * s.p / (E * E)) * s.p * s.q / slots);
        }
    }
    return total / slots;
}
