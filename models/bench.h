// What the parts of `medgraft bench` share: settings, rates of this machine measured first, and the
// way a measurement is taken (best of several, all ranks at once, slowest rank counts).
#ifndef MG_MODELS_BENCH_H
#define MG_MODELS_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "models/grad_tree.h"
#include "models/params.h"
#include "nn/optim.h"
#include "runtime/comm.h"
#include "runtime/err.h"

typedef struct {
    const mg_comm *world;
    int threads; // of this rank
    int64_t repeat, batch, leaves, side;
    char *size, *precision;
    double peak;  // GFLOP/s of multiply-adds in registers, all threads of a rank
    double sgemm; // GFLOP/s of OpenBLAS, all threads of a rank, best of the shapes
} mg_bench;

// Best seconds of `repeat` runs of work(ctx), after one that does not count. Collective.
double mg_bench_seconds(const mg_bench *b, void (*work)(void *ctx), void *ctx);

// Arithmetic, each in a few seconds: fill in peak and sgemm; print every rate and its share.
mg_status mg_bench_products(mg_bench *b);
mg_status mg_bench_attention(const mg_bench *b);
mg_status mg_bench_pointwise(const mg_bench *b);

// What turns gradients into new weights, as in models/trainer.c.
typedef struct {
    mg_params *params; // not owned
    mg_grad_tree *tree;
    float *m, *v;
    mg_segment *segment;
    int segments;
    int64_t step;
} mg_updater;

// For gradients of `leaves` leaves on each rank. MG_ERR_MEMORY. Collective.
mg_status mg_updater_open(const mg_bench *b, mg_params *p, int64_t leaves, mg_updater *u);
void mg_updater_close(mg_updater *u);
// After the last leaf of u->tree. Collective.
void mg_updater_step(mg_updater *u);

// Whole training steps on made-up pictures.
mg_status mg_bench_mae(const mg_bench *b, int64_t leaves);
mg_status mg_bench_objectives(const mg_bench *b);
mg_status mg_bench_encoder(const mg_bench *b);
mg_status mg_bench_msa(const mg_bench *b);

#endif
