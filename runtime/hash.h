// XXH3 checksums. The one home of xxhash.
#ifndef MG_RUNTIME_HASH_H
#define MG_RUNTIME_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"

uint64_t mg_hash64(const void *data, size_t bytes); // XXH3-64, seed 0

typedef struct {
    uint64_t high, low;
} mg_hash128; // XXH3-128, seed 0

// In pieces.
typedef struct mg_hasher mg_hasher;
mg_hasher *mg_hasher_new(void); // NULL without memory
void mg_hasher_reset(mg_hasher *h);
void mg_hasher_add(mg_hasher *h, const void *data, size_t bytes);
uint64_t mg_hasher_64(const mg_hasher *h);
mg_hash128 mg_hasher_128(const mg_hasher *h);
void mg_hasher_free(mg_hasher **h);

// 32 hex digits and '\0', high half first (as xxhsum prints it); and back (false if malformed).
void mg_hash128_text(mg_hash128 hash, char text[33]);
int mg_hash128_parse(const char *text, mg_hash128 *hash);

// XXH3-64 of a whole file.
mg_status mg_hash_file(const char *path, uint64_t *hash);

#endif
