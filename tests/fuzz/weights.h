// What the fuzz targets of weight files do with a file: list it, read every tensor, and where that went
// well write it in both forms and find the same tensors again.
#ifndef MG_TESTS_FUZZ_WEIGHTS_H
#define MG_TESTS_FUZZ_WEIGHTS_H

#include "models/weights.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_TENSORS = 1 << 20 }; // bytes of all tensors together

static inline mg_status fuzz_fill(void *self, int i, void *bytes)
{
    return mg_weights_read(self, i, bytes);
}

// Read everything; the first failure ends it.
static inline mg_status fuzz_read_all(mg_weights *w)
{
    for (int i = 0; i < mg_weights_count(w); i++) {
        const mg_tensor *t = mg_weights_at(w, i);
        void *stored = malloc((size_t)t->count * mg_tensor_type_size(t->type) + 1);
        float *value = malloc((size_t)t->count * sizeof *value + 1);
        mg_status st = mg_weights_read(w, i, stored);
        if (!st) st = mg_weights_read_f32(w, &(mg_weights_want){i, value}, 1);
        free(stored), free(value);
        if (st) return st;
    }
    return MG_OK;
}

// The same name, type, shape and stored values.
static inline bool fuzz_same(mg_weights *a, int i, mg_weights *b, int k)
{
    const mg_tensor *x = mg_weights_at(a, i), *y = mg_weights_at(b, k);
    size_t bytes = (size_t)x->count * mg_tensor_type_size(x->type);

    if (strcmp(x->name, y->name) || x->type != y->type || x->ndim != y->ndim ||
        memcmp(x->dim, y->dim, (size_t)x->ndim * sizeof *x->dim))
        return false;
    char *left = malloc(bytes + 1), *right = malloc(bytes + 1);
    if (mg_weights_read(a, i, left) || mg_weights_read(b, k, right)) abort();
    bool same = !memcmp(left, right, bytes);
    free(left), free(right);
    return same;
}

// The order may be another one.
static inline void fuzz_compare(mg_weights *a, const char *path)
{
    mg_weights *b;

    if (mg_weights_open(path, 0, &b) || mg_weights_count(a) != mg_weights_count(b)) abort();
    for (int i = 0; i < mg_weights_count(a); i++) {
        int k = 0;
        while (k < mg_weights_count(b) && !fuzz_same(a, i, b, k)) k++;
        if (k == mg_weights_count(b)) abort();
    }
    mg_weights_close(&b);
}

static inline void fuzz_write_again(mg_weights *w)
{
    static char path[64];
    mg_tensor *tensor = calloc((size_t)mg_weights_count(w) + 1, sizeof *tensor);

    for (int i = 0; i < mg_weights_count(w); i++) tensor[i] = *mg_weights_at(w, i);
    mg_weights_source what = {tensor, mg_weights_count(w), mg_weights_notes(w), fuzz_fill, w};
    snprintf(path, sizeof path, "/dev/shm/medgraft-fuzz-%d.safetensors", (int)getpid());
    if (!mg_safetensors_write(path, &what)) fuzz_compare(w, path);
    remove(path);
    snprintf(path, sizeof path, "/dev/shm/medgraft-fuzz-%d.pth", (int)getpid());
    if (!mg_pth_write(path, &what)) fuzz_compare(w, path);
    remove(path);
    free(tensor);
}

// Open the file and look at all that is in it.
static inline void fuzz_weights(const char *path)
{
    mg_weights *w = NULL;

    if (!mg_weights_open(path, FUZZ_TENSORS, &w) && !fuzz_read_all(w) && mg_weights_count(w) < 50)
        fuzz_write_again(w);
    mg_weights_close(&w);
}

#endif
