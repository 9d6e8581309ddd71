// Connected components of a mask (prompts-and-metrics.md section 3), numbered in the order of their
// first cells. Arrays are [depth, height, width], row-major. Nothing here allocates.
#ifndef MG_FINETUNE_COMPONENTS_H
#define MG_FINETUNE_COMPONENTS_H

#include <stddef.h>
#include <stdint.h>

// Label the components: 0 on zero cells, 1..n on the others. Returns n.
//   labels, mask [depth, height, width]; the mask's rows may be part of wider ones (mask_stride; a
//                slice is height * mask_stride)
//   connectivity 4 or 8 within slices, 6, 18 or 26 through them
//   scratch      cells + 1 values
int32_t mg_components(int32_t *labels, const uint8_t *mask, int mask_stride, int depth, int height,
                      int width, int connectivity, int32_t *scratch);

// Cells of each component and its first cell, both [n], component c at c - 1.
void mg_components_measure(const int32_t *labels, size_t cells, int32_t n, int64_t *size,
                           int64_t *first);

// The component with the most cells, the smallest number among equals; 0 if there is none.
int32_t mg_components_largest(const int64_t *size, int32_t n);

#endif
