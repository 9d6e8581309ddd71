// Compressed blocks: one zstd frame per chunk, with its content size, as HDF5 filter 32015 stores
// them. The one home of zstd.
#ifndef MG_SHARD_BLOCK_H
#define MG_SHARD_BLOCK_H

#include <stddef.h>

#include "runtime/err.h"

// A compressor at one level (1 to 19). Used by one thread at a time.
typedef struct mg_packer mg_packer;
mg_status mg_packer_create(int level, mg_packer **out);
void mg_packer_destroy(mg_packer **packer);

// Most bytes that packing `bytes` bytes can take.
size_t mg_pack_bound(size_t bytes);

// out[0..*packed) = the frame of inp[0..bytes). `room` must be mg_pack_bound(bytes).
// The same input, level and library version give the same frame.
mg_status mg_pack(mg_packer *packer, void *out, size_t room, const void *inp, size_t bytes,
                  size_t *packed);

// A decompressor. Used by one thread at a time.
typedef struct mg_unpacker mg_unpacker;
mg_status mg_unpacker_create(mg_unpacker **out);
void mg_unpacker_destroy(mg_unpacker **unpacker);

// The frame must decode to exactly `bytes` bytes: MG_ERR_FORMAT otherwise. Safe on any input.
mg_status mg_unpack(mg_unpacker *unpacker, void *out, size_t bytes, const void *inp, size_t packed);

#endif
