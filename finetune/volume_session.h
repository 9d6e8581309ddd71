// One volume, cut into stacks of D slices (prompts-and-metrics.md 4.3), each encoded once and prompted
// again and again: what evaluation and prediction do with a model. One thread.
#ifndef MG_FINETUNE_VOLUME_SESSION_H
#define MG_FINETUNE_VOLUME_SESSION_H

#include "finetune/seg_stack.h"

// Where the slices of a case come from: `read` fills [slices, height, width, 3] with 8-bit values.
typedef struct {
    int depth, height, width;
    mg_status (*read)(void *ctx, int first, int slices, uint8_t *out);
    void *ctx; // not owned
} mg_slices;

// Memory: activations of one stack, and the embeddings [N, E] of its slices, or of all slices. Where slices are
// encoded each by itself (no depth branch), stacks that overlap share them.
typedef struct {
    const mg_seg_model *model; // not owned
    int D;                     // most slices of a stack
    bool carry;                // masks go from slice to slice
    // of the case
    mg_slices from;
    mg_sam_frame frame; // of a slice
    int slices, stacks; // of a stack, of the case
    size_t pixels;      // of a slice
    bool keep;          // what was encoded stays
    float *embedding; // [.., N, E] of one stack; kept: of all slices, or one stack after the other
    bool *encoded;    // [..] the same slices: they are there
    int held;         // not kept: first slice of the stack whose embeddings are there
    uint8_t *bytes;   // [slices, height, width, 3]
    float *full;      // logits of a slice on its own grid, and scratch behind them
    // of the stack at hand
    int first;          // its first slice
    mg_seg_stack stack; // its prompts and logits
    // work space
    void *block;
    float *images; // [D, 3, S, S]
    mg_vit_acts vit;
    float *vit_scratch;
} mg_volume_session;

// Stacks of up to D slices with up to `clicks` clicks on each of them. MG_ERR_MEMORY.
mg_status mg_volume_session_create(const mg_seg_model *model, int D, bool carry, int clicks,
                                   mg_volume_session **out);
void mg_volume_session_destroy(mg_volume_session **session);

// Begin a case. `keep`: what has been encoded stays until it is closed; otherwise each stack replaces the one
// before, and stacks should be gone through once. MG_ERR_MEMORY.
mg_status mg_volume_session_open(mg_volume_session *s, const mg_slices *from, bool keep);
void mg_volume_session_close(mg_volume_session *s);

// Go to stack i, without any prompts; encode it unless that has been kept. Fails as `read` does.
mg_status mg_volume_session_stack(mg_volume_session *s, int i);
// First slice of stack i.
int mg_volume_session_first(const mg_volume_session *s, int i);
// Forget the prompts and masks of the stack at hand: a new target.
void mg_volume_session_reset(mg_volume_session *s);

// Plan a pass: the slices with prompts, then outward from them.
void mg_volume_session_carry(mg_volume_session *s);
// Decode as planned in s->stack. `mask` [slices, height, width], or NULL: what was decoded, logit > 0.
void mg_volume_session_decode(mg_volume_session *s, uint8_t *mask);

#endif
