// A stack of equal blocks: encoder, or MAE decoder. Holds the loop over the blocks, what is kept of
// their activations, and the order in which gradients become final.
#ifndef MG_MODELS_STACK_H
#define MG_MODELS_STACK_H

#include "models/block.h"

enum { MG_MAX_BLOCKS = 64 };

typedef struct {
    mg_block_config cfg;
    int depth;
    bool any_windowed;
    mg_block block[MG_MAX_BLOCKS];
} mg_stack;

// What a forward pass keeps for the backward pass.
typedef enum {
    MG_KEEP_ALL,    // all activations
    MG_KEEP_INPUTS, // the blocks' inputs; the rest is computed again, with the same bits
    MG_KEEP_NONE,   // nothing: no backward pass
} mg_keep;

typedef struct {
    mg_keep keep;
    int max_B, max_N;
    float *x[MG_MAX_BLOCKS + 1]; // [R, D] input of each block; x[depth] is the stack's output
    mg_block_acts block[MG_MAX_BLOCKS];
    int32_t *windows, *stacks; // row lists of mg_block_pass
    mg_block_pass pass;        // of the last forward
} mg_stack_acts;

// Told after each step of a backward pass that all gradients at offsets >= `from` (mg_param.grad)
// have got everything this pass adds to them.
typedef struct {
    void (*call)(void *ctx, size_t from); // NULL: nobody listens
    void *ctx;
} mg_ready;

// Tell `ready` (may be NULL) that tensor `first` and all after it in the table are done.
void mg_ready_from(const mg_ready *ready, const mg_params *p, int first);

// Add blocks "<prefix>.0", "<prefix>.1", ... `global` bit i: block i is not windowed (ignored when
// cfg.window is 0).
void mg_stack_add(mg_stack *s, mg_params *p, const char *prefix, const mg_block_config *cfg,
                  int depth, uint64_t global);

// Place the activations for up to B images of N tokens.
void mg_stack_acts_layout(mg_layout *at, mg_stack_acts *a, const mg_stack *s, int B, int N,
                          mg_keep keep);
size_t mg_stack_scratch(const mg_stack *s, int B, int N); // floats

// a->x[0] [B, N, D] -> a->x[depth]. `slices`: see mg_block_pass, 1 without the depth branch. With
// windows N must be the whole grid. `coord` must live until the backward pass is done.
void mg_stack_forward(mg_stack_acts *a, const mg_stack *s, const mg_params *p, int B, int N,
                      int slices, const int32_t *coord, float *scratch);

// dx [B, N, D]: gradient of the output; becomes that of x[0] if `through`, else work ends at the
// lowest trained block. Follows the last forward on `a`.
void mg_stack_backward(float *dx, bool through, float *grads, mg_stack_acts *a, const mg_stack *s,
                       const mg_params *p, const mg_ready *ready, float *scratch);

#endif
