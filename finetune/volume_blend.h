// The logits of a case put together from its stacks (prompts-and-metrics.md 4.3, "Long cases"): mean of
// the stacks that decoded a slice, then bilinear to the grid of the slices.
#ifndef MG_FINETUNE_VOLUME_BLEND_H
#define MG_FINETUNE_VOLUME_BLEND_H

#include "finetune/seg_stack.h"

// Sums of one target, for several moments (numbers of clicks) at once. Where stacks are gone through once, in
// order, room for the slices of one stack is enough: slices are taken out before the next one begins behind
// them.
typedef struct {
    const mg_sam_config *sam; // not owned
    mg_sam_frame frame;       // of a slice
    int moments, room;        // slices that there is room for: slice z has place z mod room
    size_t cells;             // of a slice of logits
    float *sum;               // [moments, room, cells]
    int *decoded;             // [moments, room] stacks in the sum; 0: the slice is empty
    float *scratch;
} mg_blend;

// Begins empty. MG_ERR_MEMORY.
mg_status mg_blend_create(const mg_seg_model *model, mg_sam_frame frame, int moments, int room,
                          mg_blend *out);
void mg_blend_free(mg_blend *b);
void mg_blend_reset(mg_blend *b);

// Add the slices that were ever decoded of a stack which begins at slice `first`.
void mg_blend_add(mg_blend *b, int moment, const mg_seg_stack *stack, int first);

// Take slice z out: its logits [height, width], all -INFINITY if it is empty (then false). Its place is
// empty afterwards.
bool mg_blend_take(mg_blend *b, int moment, int z, float *out);

#endif
