// The slices of one case that are prompted together: a picture (one slice), or a stack of a volume,
// where a click acts on its own slice and reaches the others by the masks of their neighbours
// (prompts-and-metrics.md 4.3, "Carrying"). Training and evaluation decode through this one path.
#ifndef MG_FINETUNE_SEG_STACK_H
#define MG_FINETUNE_SEG_STACK_H

#include "finetune/seg_model.h"
#include "finetune/seg_prompt.h"

typedef struct {
    const mg_seg_model *model; // not owned
    bool volume;               // slices of a volume: always the single mask (4.4)
    int slices;                // of this case
    mg_seg_scale scale;        // of the clicks
    const float *embedding;    // [slices, N, E], not owned
    mg_seg_prompt *prompt;     // [slices]
    // Which slices a pass decodes, in this order, and where the mask prompt of each comes from.
    int *order, count;
    int *from; // [slices], by slice: a neighbour, or one of the two below
    // Of the last pass, for the slices that it decoded.
    mg_sam_prompt *given; // [slices]
    mg_sam_pass *pass;    // [slices]
    float *logits;        // [slices, cells, cells] of the chosen masks
    float *iou;           // [slices] predicted
    float *token;         // of the text [E]
    // Work space.
    char *base;      // of the decoder's activations
    size_t one_pass; // bytes of a slice's; 0: they are not kept for a backward pass
    float *scratch;
} mg_seg_stack;

enum { MG_FROM_ITSELF = -1, MG_FROM_NOWHERE = -2 };

// Place the arrays for up to `slices` slices with up to `clicks` clicks each. `keep`: passes stay for a
// backward pass.
void mg_seg_stack_place(mg_layout *at, mg_seg_stack *s, const mg_seg_model *model, int slices,
                        int clicks, bool keep);

// Begin a new target: no clicks, no boxes, no text, no masks.
void mg_seg_stack_reset(mg_seg_stack *s, int slices);

// A text for all slices, by its embedding [model->text.width].
void mg_seg_stack_text(mg_seg_stack *s, const float *unit);

typedef enum {
    MG_PLAN_EACH,  // every slice by itself, with its own logits of the pass before
    MG_PLAN_CARRY, // slices with a click, a box or a text, then outward with the neighbour's logits
    MG_PLAN_NO_CARRY, // the same order, without those logits
} mg_stack_plan;
void mg_seg_stack_plan(mg_seg_stack *s, mg_stack_plan plan);
// Only these slices, each by itself.
void mg_seg_stack_only(mg_seg_stack *s, const int *slices, int count);

// Decode what was planned. prompt[z].has_mask then tells whether slice z was ever decoded.
void mg_seg_stack_decode(mg_seg_stack *s);

// A case of `depth` slices as stacks of D: they begin every ceil(D / 2) slices, the last one ends with
// the case; a shorter case is one shorter stack (4.3, "Long cases").
int mg_stack_count(int depth, int D);
int mg_stack_first(int depth, int D, int i); // first slice of stack i

#endif
