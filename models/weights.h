// Named tensors in files: PyTorch's .pth (zip and stream form, TorchScript archives), safetensors (also
// sharded), medgraft checkpoints (docs/formats.md). One interface to read any of them, and writers.
// Nothing in a file is ever executed; every size is checked before memory is taken
// (text-and-weights.md d, e). One rank reads; models/weights_load.h shares what was read.
#ifndef MG_MODELS_WEIGHTS_H
#define MG_MODELS_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/tensor_type.h"
#include "runtime/err.h"
#include "runtime/json.h"

enum { MG_TENSOR_DIMS = 16 };

typedef struct {
    const char *name; // as in the file; keys of nested dicts are joined by '.'
    const char *key;  // in the state dict: behind "model.", "module."; NULL: not part of it
    mg_tensor_type type;
    int ndim;
    int64_t dim[MG_TENSOR_DIMS];
    int64_t count; // of values
} mg_tensor;

typedef struct mg_weights mg_weights;

// Open a file, a folder (model.safetensors, model.safetensors.index.json or pytorch_model.bin), or a
// run folder (its newest complete checkpoint). What it is is told by name and first bytes.
// `max_bytes`: bound on the bytes of all tensors together, since a small file can describe very large
// ones; 0 stands for 16 GiB. MG_ERR_IO, MG_ERR_FORMAT (names file, place and reason), MG_ERR_MEMORY.
// On failure *out is NULL.
mg_status mg_weights_open(const char *path, int64_t max_bytes, mg_weights **out);
void mg_weights_close(mg_weights **w);

const char *mg_weights_path(const mg_weights *w);   // of the file that was opened; borrowed
const char *mg_weights_format(const mg_weights *w); // "PyTorch zip", "safetensors", ...
int mg_weights_count(const mg_weights *w);
const mg_tensor *mg_weights_at(const mg_weights *w, int i);        // in file order
int mg_weights_find(const mg_weights *w, const char *key);         // by state-dict name; or -1
const char *mg_weights_note(const mg_weights *w, const char *key); // a text beside them, or NULL
const mg_json *mg_weights_notes(const mg_weights *w);              // all of them, or NULL

// Values of tensor i in C order, as stored: count * mg_tensor_type_size(type) bytes. Checksums that the
// file has are verified. MG_ERR_FORMAT for a type that is only listed.
mg_status mg_weights_read(mg_weights *w, int i, void *out);

// The same as float32, many at once.
typedef struct {
    int tensor;
    float *out; // [count]
} mg_weights_want;
mg_status mg_weights_read_f32(mg_weights *w, const mg_weights_want *want, int count);

// --- writing ----------------------------------------------------------------------------------------

// What to write: names (`key` is not looked at), types and shapes; a text of notes, or NULL.
// `fill` gives the bytes of tensor i, in the order of the list or of the format.
typedef struct {
    const mg_tensor *tensor;
    int count;
    const mg_json *notes; // object of texts; safetensors only
    mg_status (*fill)(void *self, int i, void *bytes);
    void *self;
} mg_weights_source;

// Whole files, written aside, synced and renamed. One rank.
mg_status mg_safetensors_write(const char *path, const mg_weights_source *what);
mg_status mg_pth_write(const char *path,
                       const mg_weights_source *what); // torch.load(weights_only=True)

#endif
