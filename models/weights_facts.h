// What is in a weight file, for `medgraft inspect`.
#ifndef MG_MODELS_WEIGHTS_FACTS_H
#define MG_MODELS_WEIGHTS_FACTS_H

#include <stdbool.h>

#include "runtime/err.h"
#include "runtime/json.h"

// Does this look like a weight file: .pth, .pt, .bin, .safetensors, an index of such, or a folder with
// one of them?
bool mg_is_weight_file(const char *path);

// Put the facts into `facts`. `verify`: read every tensor and check what checksums there are; `arrays`:
// list every tensor.
mg_status mg_weights_facts(const char *path, bool verify, bool arrays, mg_json *facts);

// XXH3-64 of all floating-point tensors as little-endian float32, in the order in which a medgraft model
// of this kind has them (else that of the file), so it is that of the model's checkpoint.
mg_status mg_weights_hash(const char *path, uint64_t *hash);

#endif
