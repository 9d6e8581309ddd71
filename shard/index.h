// index.json of a shard set: which files belong to it, in order, with the hash of each one's table
// (docs/formats.md, "Shard sets"). Written last; a folder without it is no set.
#ifndef MG_SHARD_INDEX_H
#define MG_SHARD_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/err.h"
#include "runtime/hash.h"
#include "runtime/json.h"

typedef struct {
    char *path;        // of the shard
    const char *file;  // its name in the folder; inside `path`
    const char *table; // hash of its item table; borrowed from `json`
    int64_t items, bytes;
} mg_index_shard;

typedef struct {
    char *path, *dir; // of index.json and its folder
    mg_json *json;
    const char *dataset, *content; // borrowed from `json`
    int64_t items;                 // without duplicates
    bool phantom;                  // made by `medgraft phantom`
    mg_index_shard *shard;
    int64_t shards;
} mg_index;

// `set` is the folder or its index.json. MG_ERR_IO if there is none, MG_ERR_FORMAT if it is not
// valid; shards are plain names in the same folder.
mg_status mg_index_read(const char *set, mg_index **out);
void mg_index_free(mg_index **index);

// Every shard is there with its size: MG_ERR_IO, MG_ERR_FORMAT.
mg_status mg_index_check_files(const mg_index *index);

// Content of a set: XXH3-64 over hash and packed hash of its items in order, duplicates left out.
void mg_content_add(mg_hasher *hasher, mg_hash128 hash, uint64_t packed);

#endif
