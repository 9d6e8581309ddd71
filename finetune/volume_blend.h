// The logits of a case put together from its stacks, and taken to the grid of the reference
// (prompts-and-metrics.md 4.3, "Long cases"): mean of the stacks that decoded a slice, bilinear to
// the stored grid, linear to the original grid where the data set's preprocessing left it.
#ifndef MG_FINETUNE_VOLUME_BLEND_H
#define MG_FINETUNE_VOLUME_BLEND_H

#include "finetune/seg_stack.h"
#include "shard/shard.h"

// Sums of one target, for several moments (numbers of clicks) at once.
typedef struct {
    const mg_sam_config *sam; // not owned
    mg_sam_frame frame;       // of a slice
    int depth, moments;
    size_t cells;  // of a slice of logits
    float *sum;    // [moments, depth, cells]
    int *decoded;  // [moments, depth] stacks in the sum; 0: the slice is empty
    float *volume; // [depth, height, width] logits of one moment on the stored grid
    float *scratch;
} mg_blend;

// MG_ERR_MEMORY.
mg_status mg_blend_create(const mg_seg_model *model, mg_sam_frame frame, int depth, int moments,
                          mg_blend *out);
void mg_blend_free(mg_blend *b);
void mg_blend_reset(mg_blend *b);

// Add the slices that were ever decoded of a stack which begins at slice `first`.
void mg_blend_add(mg_blend *b, int moment, const mg_seg_stack *stack, int first);

// The moment's logits on the stored grid into b->volume; an empty slice is -INFINITY.
void mg_blend_take(mg_blend *b, int moment);

// Mask of b->volume on the original grid of the item [full_depth, full_height, full_width]: logit > 0;
// cells that the stored grid does not reach are background.
mg_status mg_blend_mask(const mg_blend *b, const mg_shard_item *item, uint8_t *mask);

#endif
