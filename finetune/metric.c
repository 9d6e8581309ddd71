// Overlap and surface distances. The surface of a mask is its cells with a face neighbour that is
// background or outside the array; distances are exact, from cell centre to cell centre, and equal
// MONAI's (hd95, nsd) and medpy's (hd95_pooled, hd, assd) definitions. Everything is computed within
// the bounding box of both masks, which changes none of it.
#include "finetune/metric.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "finetune/distance.h"
#include "finetune/stats.h"
#include "runtime/mem.h"

static void set_distances(mg_metric *m, double value)
{
    m->hd = m->hd95 = m->hd95_raw = m->hd95_pooled = m->assd = value;
}

void mg_metric_overlap(const mg_target *t, mg_metric *out)
{
    size_t cells = (size_t)t->depth * t->height * t->width;
    mg_metric m = {0};

    for (size_t i = 0; i < cells; i++) {
        if (t->ignore && t->ignore[i]) continue;
        bool gt = t->gt[i], pred = t->pred && t->pred[i];
        m.tp += gt && pred;
        m.fp += !gt && pred;
        m.fn += gt && !pred;
        m.tn += !gt && !pred;
    }
    bool has_gt = m.tp + m.fn > 0, has_pred = m.tp + m.fp > 0;
    m.status = has_gt ? (has_pred ? MG_BOTH_PRESENT : MG_PRED_EMPTY)
                      : (has_pred ? MG_GT_EMPTY : MG_BOTH_EMPTY);
    // 0 / 0 where both are empty.
    m.dice = m.status == MG_BOTH_EMPTY ? NAN : 2.0 * m.tp / (double)(2 * m.tp + m.fp + m.fn);
    m.iou = m.status == MG_BOTH_EMPTY ? NAN : (double)m.tp / (double)(m.tp + m.fp + m.fn);
    set_distances(&m, NAN);
    for (int k = 0; k < MG_MAX_TOLERANCES; k++) m.nsd[k] = NAN;
    m.diagonal = m.msa_dice = m.msa_iou = NAN;
    *out = m;
}

void mg_metric_msa(const float *logits, const uint8_t *gt, const uint8_t *ignore, int slices,
                   size_t cells, mg_metric *out)
{
    static const double threshold[] = {0.1, 0.3, 0.5, 0.7, 0.9};
    enum { LEVELS = sizeof threshold / sizeof *threshold };
    double dice = 0, iou = 0;

    for (int z = 0; z < slices; z++)
        for (int l = 0; l < LEVELS; l++) {
            double cut = log(threshold[l] / (1 - threshold[l])); // of the logits
            int64_t both = 0, sum = 0;
            for (size_t i = z * cells; i < (z + 1) * cells; i++) {
                if (ignore && ignore[i]) continue;
                bool found = logits[i] > cut, wanted = gt[i];
                both += found && wanted;
                sum += found + wanted;
            }
            dice += (2 * (double)both + 1e-4) / ((double)sum + 1e-4);
            iou += ((double)both + 1e-6) / ((double)(sum - both) + 1e-6);
        }
    out->msa_dice = dice / LEVELS / slices;
    out->msa_iou = iou / LEVELS / slices;
}

void mg_metric_empty_is_one(mg_metric *m, int tolerances)
{
    if (m->status != MG_BOTH_EMPTY) return;
    m->dice = m->iou = 1;
    set_distances(m, 0);
    for (int k = 0; k < tolerances; k++) m->nsd[k] = 1;
}

// --- surfaces ----------------------------------------------------------------------------------------

// Both masks cut to their common bounding box.
typedef struct {
    mg_grid grid;
    size_t cells;
    uint8_t *mask[2];    // gt, pred
    uint8_t *surface[2]; // 1 on the surface
    int64_t count[2];    // surface cells
    double *d2;          // [cells]
    void *lines;
    double *distance; // [count[0] + count[1]]
} crop;

static void crop_free(crop *c)
{
    for (int s = 0; s < 2; s++) {
        mg_free(c->mask[s]);
        mg_free(c->surface[s]);
    }
    mg_free(c->d2);
    mg_free(c->lines);
    mg_free(c->distance);
}

static bool counts(const mg_target *t, size_t i, int side)
{
    if (t->ignore && t->ignore[i]) return false;
    return side == 0 ? t->gt[i] : t->pred && t->pred[i];
}

static void bounding_box(const mg_target *t, int lo[3], int dim[3])
{
    int size[3] = {t->depth, t->height, t->width}, hi[3] = {-1, -1, -1};
    size_t i = 0;

    memcpy(lo, size, sizeof size);
    for (int z = 0; z < size[0]; z++)
        for (int y = 0; y < size[1]; y++)
            for (int x = 0; x < size[2]; x++, i++) {
                if (!counts(t, i, 0) && !counts(t, i, 1)) continue;
                int p[3] = {z, y, x};
                for (int a = 0; a < 3; a++) {
                    lo[a] = p[a] < lo[a] ? p[a] : lo[a];
                    hi[a] = p[a] > hi[a] ? p[a] : hi[a];
                }
            }
    for (int a = 0; a < 3; a++) dim[a] = hi[a] - lo[a] + 1;
}

// Mark the surface of a mask; returns its number of cells.
static int64_t mark_surface(uint8_t *surface, const uint8_t *mask, const mg_grid *g)
{
    const int *n = g->dim;
    int64_t step[3] = {(int64_t)n[1] * n[2], n[2], 1}, count = 0, i = 0;

    for (int z = 0; z < n[0]; z++)
        for (int y = 0; y < n[1]; y++)
            for (int x = 0; x < n[2]; x++, i++) {
                int p[3] = {z, y, x};
                bool inner = mask[i];
                for (int a = 3 - g->ndim; a < 3 && inner; a++)
                    inner = p[a] > 0 && p[a] < n[a] - 1 && mask[i - step[a]] && mask[i + step[a]];
                surface[i] = mask[i] && !inner;
                count += surface[i];
            }
    return count;
}

static mg_status crop_make(const mg_target *t, int ndim, const double spacing[3], int threads,
                           crop *c)
{
    int lo[3];

    *c = (crop){.grid = {.ndim = ndim, .spacing = {spacing[0], spacing[1], spacing[2]}}};
    bounding_box(t, lo, c->grid.dim);
    const int *n = c->grid.dim;
    c->cells = (size_t)n[0] * n[1] * n[2];
    for (int s = 0; s < 2; s++) {
        c->mask[s] = mg_alloc(c->cells);
        c->surface[s] = mg_alloc(c->cells);
    }
    c->d2 = mg_alloc(c->cells * sizeof(double));
    c->lines = mg_alloc(mg_distance_scratch(&c->grid, threads));
    MG_CHECK(c->mask[0] && c->mask[1] && c->surface[0] && c->surface[1] && c->d2 && c->lines,
             MG_ERR_MEMORY, "cannot allocate surfaces of %d x %d x %d cells", n[0], n[1], n[2]);

    for (int s = 0; s < 2; s++) {
        uint8_t *mask = c->mask[s];
        for (int z = lo[0]; z < lo[0] + n[0]; z++)
            for (int y = lo[1]; y < lo[1] + n[1]; y++) {
                size_t i = ((size_t)z * t->height + y) * t->width + lo[2];
                for (int x = 0; x < n[2]; x++) *mask++ = counts(t, i + x, s);
            }
        c->count[s] = mark_surface(c->surface[s], c->mask[s], &c->grid);
    }
    c->distance = mg_alloc((size_t)(c->count[0] + c->count[1]) * sizeof(double));
    MG_CHECK(c->distance, MG_ERR_MEMORY, "cannot allocate %lld surface distances",
             (long long)(c->count[0] + c->count[1]));
    return MG_OK;
}

// Distances from each surface cell of side `from` to the nearest one of the other side.
static void surface_distances(crop *c, int from, int threads, double *out)
{
    const uint8_t *to = c->surface[1 - from];

    for (size_t i = 0; i < c->cells; i++) c->mask[0][i] = !to[i]; // the masks are no longer needed
    mg_distance(c->d2, c->mask[0], &c->grid, threads, c->lines);
    for (size_t i = 0; i < c->cells; i++)
        if (c->surface[from][i]) *out++ = sqrt(c->d2[i]);
}

static void summarize(crop *c, const double *tolerance, int tolerances, int threads, mg_metric *m)
{
    int64_t na = c->count[1], n = na + c->count[0];
    double *a = c->distance, *b = a + na, sum = 0;

    surface_distances(c, 1, threads, a); // prediction to reference
    surface_distances(c, 0, threads, b);
    for (int k = 0; k < tolerances; k++) {
        int64_t within = 0;
        for (int64_t i = 0; i < n; i++) within += a[i] <= tolerance[k] + 1e-9;
        m->nsd[k] = (double)within / (double)n;
    }
    for (int64_t i = 0; i < n; i++) sum += a[i];
    m->assd = sum / (double)n;
    mg_sort(a, na);
    mg_sort(b, n - na);
    m->hd = fmax(a[na - 1], b[n - na - 1]);
    m->hd95 = m->hd95_raw = fmax(mg_percentile(a, na, 0.95), mg_percentile(b, n - na, 0.95));
    mg_sort(a, n);
    m->hd95_pooled = mg_percentile(a, n, 0.95);
}

mg_status mg_metric_measure(const mg_target *t, int ndim, const double spacing[3],
                            const double *tolerance, int tolerances, int threads, mg_metric *out)
{
    int size[3] = {t->depth, t->height, t->width};
    double square = 0;
    crop c;

    mg_metric_overlap(t, out);
    for (int a = 3 - ndim; a < 3; a++) {
        double side = (size[a] - 1) * spacing[a];
        square += side * side;
    }
    out->diagonal = sqrt(square);
    if (out->status == MG_BOTH_EMPTY) return MG_OK;

    mg_status st = crop_make(t, ndim, spacing, threads, &c);
    if (st) goto done;
    out->surface_gt = c.count[0];
    out->surface_pred = c.count[1];
    if (out->status == MG_BOTH_PRESENT) {
        summarize(&c, tolerance, tolerances, threads, out);
    } else {
        set_distances(out, INFINITY);
        out->hd95 = out->diagonal;
        for (int k = 0; k < tolerances; k++) out->nsd[k] = 0;
    }

done:
    crop_free(&c);
    return st;
}

static void add_slice(const mg_metric *m, int tolerances, mg_metric *sum)
{
    sum->dice += m->dice;
    sum->iou += m->iou;
    sum->hd += fmin(m->hd, m->diagonal);
    sum->hd95 += m->hd95;
    sum->hd95_pooled += fmin(m->hd95_pooled, m->diagonal);
    sum->assd += fmin(m->assd, m->diagonal);
    for (int k = 0; k < tolerances; k++) sum->nsd[k] += m->nsd[k];
}

mg_status mg_metric_slices(const mg_target *t, const double spacing[3], const double *tolerance,
                           int tolerances, int threads, mg_metric *out)
{
    size_t one = (size_t)t->height * t->width;
    mg_metric sum = {0}, slice;
    int count = 0;

    mg_metric_overlap(t, out);
    for (int z = 0; z < t->depth; z++) {
        size_t at = (size_t)z * one;
        mg_target s = {1,          t->height,    t->width,
                       t->gt + at, t->pred + at, t->ignore ? t->ignore + at : NULL};
        MG_TRY(mg_metric_measure(&s, 2, spacing, tolerance, tolerances, threads, &slice));
        if (slice.status == MG_BOTH_EMPTY) continue;
        add_slice(&slice, tolerances, &sum);
        count++;
    }
    double part = count ? 1.0 / count : NAN; // NaN makes all of them NaN
    out->dice = part * sum.dice;
    out->iou = part * sum.iou;
    out->hd = part * sum.hd;
    out->hd95 = out->hd95_raw = part * sum.hd95;
    out->hd95_pooled = part * sum.hd95_pooled;
    out->assd = part * sum.assd;
    for (int k = 0; k < tolerances; k++) out->nsd[k] = part * sum.nsd[k];
    return MG_OK;
}
