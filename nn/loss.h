// Losses of the prompted stage (prompts-and-metrics.md section 6), one target at a time.
// A target has M mask slots of `cells` cells each: logits [M, cells], target [cells] in [0, 1] (soft
// targets allowed), valid [cells] with 1 = counted, 0 = ignored (NULL: all counted). A volume stack
// is one target: its cells are those of all slices in one array, its predicted IoU the mean of the
// slices' predictions (so each slice gets the gradient divided by their number).
// weight [cells] (NULL: 1) multiplies the focal and cross-entropy parts of each cell; Dice has none.
// Denominators belong to the GLOBAL batch and are arguments, so leaves and ranks only add. Values
// are returned already divided. Gradients are ADDED to dlogits [M, cells] (NULL: value only).
// Sums run in double over a fixed number of parts added in order: bits do not depend on threads.
#ifndef MG_NN_LOSS_H
#define MG_NN_LOSS_H

#include <stddef.h>
#include <stdint.h>

// Number of cells with valid = 1.
size_t mg_valid_cells(const uint8_t *valid, size_t cells);

// What one mask slot scores against the target.
typedef struct {
    double focal, dice; // losses
    double iou_actual;  // of the thresholded mask, no gradient
    double iou_mse;     // (predicted IoU - iou_actual)^2
    double combo;       // focal_weight * focal + dice
} mg_slot_loss;

enum { MG_MAX_SLOTS = 16 };

// SAM loss: combo + squared IoU error of the slot with the lowest combo (tie: the lowest slot),
// divided by `targets` = n of the global batch (times the passes of this target, where it has several).
// Only that slot gets gradient: dlogits, and diou [M] by the predicted IoU `iou` [M] (both added to,
// both or none NULL). `best` (its index) and `slots` [M] are written unless NULL.
double mg_sam_loss(float *dlogits, float *diou, int *best, mg_slot_loss *slots, const float *logits,
                   const float *iou, const float *target, const uint8_t *valid, const float *weight,
                   int M, size_t cells, double focal_weight, double targets);

// Sum over slots and valid cells of the cross entropy with weight `pos_weight` on the foreground (1:
// bce, 2: bce_pw2), divided by `count`, the number of valid cells times slots of the global batch.
double mg_bce_loss(float *dlogits, const float *logits, const float *target, const uint8_t *valid,
                   const float *weight, int M, size_t cells, double pos_weight, double count);

// Sum over slots of the Dice loss with squared terms and s = 1e-5, divided by `slots` = n M of the
// global batch.
double mg_dice_sq_loss(float *dlogits, const float *logits, const float *target,
                       const uint8_t *valid, int M, size_t cells, double slots);

#endif
