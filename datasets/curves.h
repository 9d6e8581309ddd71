// Closed curves drawn onto a copy of a photograph: the outlines of disc and cup as one reader of RIGA drew them
// (datasets.md section 8).
#ifndef MG_DATASETS_CURVES_H
#define MG_DATASETS_CURVES_H

#include "datasets/dataset.h"

typedef struct {
    int threshold; // largest difference of a channel that is no line
    int smallest;  // cells of a connected part below which it is noise
} mg_curve_rules;

// `area` [height, width] gets 1 in the disc and 2 in the cup, lines included. The copy must have the size of the
// photograph (8 bits both, 1 or 3 channels). MG_ERR_FORMAT says why nothing was recovered: not two closed
// curves, or two that cannot be disc and cup.
mg_status mg_curves_recover(const mg_sample *photo, const mg_sample *copy,
                            const mg_curve_rules *rules, uint8_t *area);

#endif
