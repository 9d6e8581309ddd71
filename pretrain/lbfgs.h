// Minimum of a smooth function by limited-memory BFGS (Nocedal and Wright, Numerical Optimization,
// algorithm 7.4).
#ifndef MG_PRETRAIN_LBFGS_H
#define MG_PRETRAIN_LBFGS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/err.h"

// The value at x [n]; grad [n] gets the gradient.
typedef double (*mg_function)(void *ctx, const double *x, double *grad);

typedef struct {
    int iterations, evaluations;
    double value;    // at the end
    double gradient; // largest absolute value in the gradient there
} mg_minimum;

// From x [n], which gets the place of the minimum: until no entry of the gradient is larger than
// `tolerance`, no step makes the value smaller, or after `most` iterations. MG_ERR_MEMORY, or
// MG_ERR_NUMERIC if the value at the start is not finite.
mg_status mg_minimize(mg_function f, void *ctx, double *x, size_t n, int most, double tolerance,
                      mg_minimum *out);

#endif
