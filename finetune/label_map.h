// Masks of several targets in one map (prompts-and-metrics.md 7.2): a cell belongs to the target with
// the largest logit above 0, on ties to the one that came first; 0 is background. And the colour of each
// number, the same in all files and pages.
#ifndef MG_FINETUNE_LABEL_MAP_H
#define MG_FINETUNE_LABEL_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"

enum { MG_LABEL_COLOURS = 17 };
extern const uint8_t mg_label_colour[MG_LABEL_COLOURS][3]; // by number; 0 is black

// Add target `number` by its logits. `best` begins as zeros, `map` as background; all [cells].
void mg_label_merge(float *best, uint8_t *map, const float *logits, size_t cells, int number);

// Write a map as a palette PNG: its indices are the numbers, at most 16. MG_ERR_IO.
mg_status mg_label_write(const char *path, const uint8_t *map, int height, int width);

#endif
