// Scores of one predicted mask against its reference (prompts-and-metrics.md section 7): overlap,
// and distances between surfaces. Per case (a picture or a whole volume) and per class, on the
// original grid with the original spacing; ignored cells count nowhere.
#ifndef MG_FINETUNE_METRIC_H
#define MG_FINETUNE_METRIC_H

#include <stdint.h>

#include "finetune/clicks.h"
#include "runtime/err.h"

enum { MG_MAX_TOLERANCES = 8 };

typedef enum {
    MG_BOTH_PRESENT,
    MG_BOTH_EMPTY, // every score is NaN: left out of means
    MG_GT_EMPTY,   // Dice, IoU, NSD 0; distances infinite, hd95 the diagonal
    MG_PRED_EMPTY, // the same
} mg_metric_status;

typedef struct {
    mg_metric_status status;
    int64_t tp, fp, fn, tn;
    int64_t surface_gt, surface_pred; // cells
    double dice, iou;
    double hd;                     // largest surface distance
    double hd95;                   // max(P95(A), P95(B)); the diagonal where a mask is missing
    double hd95_raw;               // the same, infinite there
    double hd95_pooled;            // P95(A and B together)
    double assd;                   // mean of A and B together
    double nsd[MG_MAX_TOLERANCES]; // share of A and B within each tolerance
    double diagonal;               // of the grid, between cell centres
    double msa_dice, msa_iou;      // NaN unless mg_metric_msa was called
} mg_metric;

// Counts, Dice and IoU alone; no allocation. The distances of *out are NaN.
void mg_metric_overlap(const mg_target *t, mg_metric *out);

// Everything. `ndim` 2 (spacing[1..2] count, faces have 4 neighbours) or 3; spacing z, y, x in mm,
// or 1 where a picture has none (then distances are in pixels). Uses up to `threads` threads; the
// result does not depend on them. MG_ERR_MEMORY.
mg_status mg_metric_measure(const mg_target *t, int ndim, const double spacing[3],
                            const double *tolerance, int tolerances, int threads, mg_metric *out);

// The score of the released Medical SAM Adapter, a second figure that no other score is comparable with:
// Dice (eps 1e-4) and IoU (eps 1e-6) of each slice, averaged over the probabilities 0.1, 0.3, 0.5, 0.7, 0.9
// as thresholds, then over the slices; a slice that is empty in both masks counts as 1. Into *out.
//   logits, gt, ignore [slices, cells]; ignore may be NULL
void mg_metric_msa(const float *logits, const uint8_t *gt, const uint8_t *ignore, int slices,
                   size_t cells, mg_metric *out);

// The slices of a volume as pictures: means over those that are not empty in both masks; where one mask of
// a slice is missing its distances are the diagonal of the slice. Counts and status are of the whole. MG_ERR_MEMORY.
mg_status mg_metric_slices(const mg_target *t, const double spacing[3], const double *tolerance,
                           int tolerances, int threads, mg_metric *out);

// `evaluate.empty: one`: a case where both masks are empty counts as perfect.
void mg_metric_empty_is_one(mg_metric *m, int tolerances);

#endif
