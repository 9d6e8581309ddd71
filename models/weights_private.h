// What the readers of weight files share; models/weights.c is the interface.
#ifndef MG_MODELS_WEIGHTS_PRIVATE_H
#define MG_MODELS_WEIGHTS_PRIVATE_H

#include "models/weights.h"

// What a reader brings. `read` gives the stored bytes of tensor i; `read_f32` may be NULL.
typedef struct {
    mg_status (*read)(mg_weights *w, int i, void *out);
    mg_status (*read_f32)(mg_weights *w, const mg_weights_want *want, int count);
    void (*close)(mg_weights *w);
} mg_weights_reader;

struct mg_weights {
    char *path;
    const char *format;
    const mg_weights_reader *reader;
    void *self; // of the reader
    mg_tensor *tensor;
    int count, room;
    int *sorted; // tensors that have a key, by key
    int keys;
    mg_json *notes;
    int64_t bytes, max_bytes; // of all tensors
    size_t name_bytes;
};

// Add a tensor with a copy of the name (until the next one is added, w->tensor may move). `key` begins
// `skip` bytes into the name; negative: it has none. Checks the sum of bytes.
mg_status mg_weights_add(mg_weights *w, const char *name, int skip, mg_tensor_type type, int ndim,
                         const int64_t *dim);

// Openers: fill an empty w (path and max_bytes are set). On failure the caller closes w.
mg_status mg_pth_open(mg_weights *w);
mg_status mg_safetensors_open(mg_weights *w);
mg_status mg_safetensors_open_index(mg_weights *w); // model.safetensors.index.json
mg_status mg_ckpt_weights_open(mg_weights *w);

#endif
