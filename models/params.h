// All parameters of a model in one flat array with one table (name, shape, offset, trainable,
// decay). Gradients and moments exist for the trainable part only; it has an index space of its own
// ("grad offsets"), in table order.
#ifndef MG_MODELS_PARAMS_H
#define MG_MODELS_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/nn.h"
#include "runtime/err.h"

typedef enum {
    MG_INIT_ZERO,
    MG_INIT_ONE,
    MG_INIT_UNIFORM, // uniform in +- scale: scale * (2 u24 - 1)
    MG_INIT_NORMAL,  // scale * normal
    MG_INIT_TABLE,   // filled by the model that adds it (sin-cos); left alone by mg_params_init
} mg_init;

typedef struct {
    char *name;
    int ndim;
    int64_t dim[5];
    size_t offset; // floats from the start of data
    size_t size;   // number of values
    mg_init init;
    float scale; // of the initial values
    bool buffer; // never trained and not counted (fixed tables, the Fourier matrix)
    bool trainable;
    bool decay;  // more than one dimension and the name does not end in ".bias"
    size_t grad; // offset in gradient arrays; SIZE_MAX if not trainable
} mg_param;

typedef struct {
    mg_param *list;
    int count, room;
    float *data;            // [size]; NULL until mg_params_alloc
    size_t size;            // floats in all, each tensor rounded up to 16
    size_t trainable_size;  // floats in a gradient array
    bool incomplete;        // memory ran out while tensors were added
    mg_precision precision; // of the products in encoder, MAE decoder and adapters
} mg_params;

// Add a tensor and return its index. `ndim` sizes follow. Lack of memory is noted in the table, so
// that models can be written down as plain lists, and fails mg_params_check and mg_params_alloc.
int mg_params_add(mg_params *p, const char *name, mg_init init, double scale, int ndim, ...);
// The same as a buffer.
int mg_params_add_buffer(mg_params *p, const char *name, mg_init init, double scale, int ndim, ...);

// Initial scales of the specification.
double mg_fan_in_bound(int64_t fan_in);                  // 1 / sqrt(fan_in), model.md 8.2
double mg_xavier_bound(int64_t fan_in, int64_t fan_out); // sqrt(6 / (in + out)), pretraining.md 2.5

// Choose what is trained: wanted(name, ctx) for each tensor that is no buffer. NULL trains all.
// Lays out the gradient index space anew.
void mg_params_train(mg_params *p, bool (*wanted)(const char *name, void *ctx), void *ctx);

mg_status mg_params_check(const mg_params *p); // MG_ERR_MEMORY if the table is incomplete
mg_status mg_params_alloc(mg_params *p);       // data zeroed; checks first
// Initial values from Philox purpose 8 with the full parameter name (pretraining.md 8.2, 8.3).
void mg_params_init(mg_params *p, uint64_t seed);
void mg_params_init_of(mg_params *p, uint64_t seed, const bool *wanted); // tensors with wanted[i]
void mg_params_free(mg_params *p);

// The precision of products from a setting ("float32", "bf16") called `key`. MG_ERR_CONFIG if this processor
// has no bfloat16.
mg_status mg_params_precision(mg_params *p, const char *key, const char *value);

int mg_params_find(const mg_params *p, const char *name); // index or -1
int64_t mg_params_total(const mg_params *p);     // values, buffers and rounding not counted
int64_t mg_params_trainable(const mg_params *p); // the same, trained ones only

// XXH3-64 of the values of the tensors i with wanted[i] (NULL: all, buffers too) in the order of the table,
// as `inspect --hash` prints it. MG_ERR_MEMORY.
mg_status mg_params_hash_of(const mg_params *p, const bool *wanted, uint64_t *hash);
uint64_t mg_params_hash(const mg_params *p); // of all; 0 without memory

// Weights of tensor i; its place in a gradient array, NULL if it is frozen or `grads` is NULL.
static inline float *mg_weight(const mg_params *p, int i)
{
    return p->data + p->list[i].offset;
}
static inline float *mg_grad(const mg_params *p, float *grads, int i)
{
    return grads && p->list[i].trainable ? grads + p->list[i].grad : NULL;
}

#endif
