// Ranks: agreement before collectives, ranges, exact tree sums, sums that run beside the backward
// pass. The one home of MPI. Every failure of a library call ends the program through MPI's error
// handler; what returns mg_status can fail for another reason, given with the function.
#ifndef MG_RUNTIME_COMM_H
#define MG_RUNTIME_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"

typedef struct mg_comm mg_comm;

// Start MPI (threads: funneled) and own a duplicate of the world. Compares the size of the world
// with SLURM_NTASKS / PMI sizes and refuses N singletons, naming the remedy (MG_ERR_CONFIG).
mg_status mg_comm_start(int *argc, char ***argv, mg_comm **world);

// What mg_comm_start does about a world of `size` ranks: MG_ERR_CONFIG if it is 1 and the launcher
// says that it started more; a warning where one process runs by hand inside a job of several tasks.
mg_status mg_comm_check_launch(int size);

// A communicator of this process alone, without MPI: everything below works on it.
mg_status mg_comm_alone(mg_comm **self);

// Release; for a started world also ends MPI. Sets *comm to NULL. Collective on `comm`.
void mg_comm_end(mg_comm **comm);

// Whether every rank has come to this call within patience_s (negative: wait for as long as it
// takes). It does not disturb collective calls that others are in. False: another rank is at work
// and may wait for this one for ever; then call mg_comm_meet again, or mg_comm_abort.
bool mg_comm_meet(mg_comm *comm, double patience_s);

// End all ranks at once with this exit code (a fault that agreement cannot reach).
void mg_comm_abort(const mg_comm *comm, int code) __attribute__((noreturn));

int mg_comm_rank(const mg_comm *comm);
int mg_comm_size(const mg_comm *comm);

// Rank and size among the ranks of this node, and the number of nodes. Found at start.
int mg_comm_node_rank(const mg_comm *comm);
int mg_comm_node_size(const mg_comm *comm);
int mg_comm_nodes(const mg_comm *comm);

// Name of the MPI library and version; borrowed, "none" when alone.
const char *mg_comm_library(void);

// Collective on `comm`. MG_OK if every rank passed MG_OK. Otherwise the failing rank with the
// lowest number prints its error and trace, every failing rank gets its own code, all others get
// MG_ERR_PEER; the failure counts as shown on every rank (mg_err_shown). Call after each local step
// that can fail and before the next collective.
mg_status mg_comm_agree(const mg_comm *comm, mg_status mine);

// Collective on `comm`.
void mg_comm_barrier(const mg_comm *comm);
void mg_comm_bcast(const mg_comm *comm, void *data, size_t bytes, int root);
// `mine` may be its own place in `all`.
void mg_comm_allgather(const mg_comm *comm, const void *mine, size_t bytes, void *all);
// `counts` and `all` of rank order: bytes that each rank gives; they must be equal on all ranks.
void mg_comm_allgatherv(const mg_comm *comm, const void *mine, const size_t *counts, void *all);
// Rank r gives send_bytes[p] bytes to rank p, lying one after the other in `send` in rank order.
void mg_comm_alltoallv(const mg_comm *comm, const void *send, const size_t *send_bytes, void *recv,
                       const size_t *recv_bytes);
int64_t mg_comm_max(const mg_comm *comm, int64_t value);
int64_t mg_comm_sum_int(const mg_comm *comm, int64_t value);

// The contiguous range [lo, hi) of `total` things that `rank` of `size` owns: sizes differ by at
// most one, larger ones first.
void mg_comm_range(int64_t total, int rank, int size, int64_t *lo, int64_t *hi);

// Collective on `comm`: x[i] summed over ranks in the fixed tree of design.md section 5: partner at
// distance 1 first, then 2, 4, ..., lower rank's value on the left. Same bits on all ranks, and for
// a power-of-two number of ranks the same as one rank adding its own leaves in the binary tree.
// Any number of ranks works (then the tree is that of recursive halving over ranges of ranks).
void mg_comm_sum_tree(const mg_comm *comm, double *x, int count);

// Sums of gradients beside the backward pass.
// `exact`: the fixed tree above (needs a power-of-two number of ranks), moving no more bytes than
// any other all-reduce (recursive halving and doubling). Otherwise the library's all-reduce.
typedef struct mg_reducer mg_reducer;

// For arrays of up to `floats` values cut in buckets of about `bucket` values from the END to the
// start (the order in which a backward pass finishes them). Collective on `comm`. MG_ERR_MEMORY, or
// MG_ERR_CONFIG for exact sums over a number of ranks that is no power of two.
mg_status mg_reducer_create(const mg_comm *comm, bool exact, size_t floats, size_t bucket,
                            mg_reducer **out);
void mg_reducer_destroy(mg_reducer **reducer);
// Bytes of scratch that one takes on each of `ranks` ranks.
size_t mg_reducer_bytes(int ranks, bool exact, size_t floats, size_t bucket);

// Collective on the reducer's communicator: begin summing data[0..count) over the ranks, in place.
void mg_reducer_begin(mg_reducer *reducer, float *data, size_t count);
// data[from..count) is final on this rank: buckets that lie in it start. `from` never grows.
void mg_reducer_ready(mg_reducer *reducer, size_t from);
// Advance what has started; the backward pass calls it between layers.
void mg_reducer_poll(mg_reducer *reducer);
// Everything is final; wait for all sums. *wait_s: seconds spent waiting here (may be NULL).
void mg_reducer_finish(mg_reducer *reducer, double *wait_s);

#endif
