// The gradients of one rank's leaves, added in the fixed binary tree of design.md section 5 while
// the backward passes run, and then summed over the ranks.
// Leaves come in order; a rank with 2^k leaves needs k + 1 buffers. Level l holds the sum of 2^l
// consecutive leaves that waits for its right-hand neighbour.
#ifndef MG_MODELS_GRAD_TREE_H
#define MG_MODELS_GRAD_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/comm.h"
#include "runtime/err.h"

typedef struct mg_grad_tree mg_grad_tree;

// For arrays of `floats` gradients and `leaves` leaves a step on this rank. MG_ERR_MEMORY.
// Collective on `world`.
mg_status mg_grad_tree_create(const mg_comm *world, bool exact, size_t floats, int leaves,
                              mg_grad_tree **out);
void mg_grad_tree_destroy(mg_grad_tree **tree);

// Bytes that one takes on each of `ranks` ranks: arrays of gradients, and scratch for their exchange.
typedef struct {
    size_t buffers, exchange;
} mg_grad_tree_memory;
mg_grad_tree_memory mg_grad_tree_memory_of(int ranks, bool exact, size_t floats, int leaves);

// The zeroed array that leaf `i` adds its gradients to. Leaves 0, 1, ... in order.
float *mg_grad_tree_leaf(mg_grad_tree *tree, int i);

// The gradients of the current leaf at offsets >= from are final. For the last leaf this folds them
// into the tree and starts their sum over the ranks. Has the type of mg_ready.call.
void mg_grad_tree_ready(void *tree, size_t from);

// The current leaf is done. After the last leaf the sums over ranks are waited for.
void mg_grad_tree_done(mg_grad_tree *tree);

// After the last leaf: the summed gradients, and the seconds spent waiting for other ranks.
float *mg_grad_tree_sum(mg_grad_tree *tree, double *wait_s);

#endif
