// Packing one raw data set into a shard set. The only part of shard/ (with cmd_shard.c) that looks
// into datasets/. Files of this module: writer.c (the whole), writer_item.c (one item),
// writer_shard.c (one shard), writer_index.c (index.json).
#ifndef MG_SHARD_WRITER_H
#define MG_SHARD_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "datasets/dataset.h"
#include "runtime/comm.h"
#include "runtime/err.h"

typedef struct {
    const mg_dataset *set;
    const void *config;      // settings of the data set
    const char *config_text; // the same as YAML, "" if there are none: part of the settings' hash
    const char *root, *out;  // raw data, folder of the shard set
    int long_side;           // pictures are shrunk to this; 0 keeps them
    int64_t size_mb;         // of a shard, about
    int level;               // zstd
    int threads;             // that decode, shrink and compress, per rank
    bool trim;               // cut constant borders off unlabelled pictures
    bool drop_constant;      // skip pictures of one value
    bool scaled_decode;      // decode large JPEGs smaller where they are shrunk anyway
    const char *const *against; // shard sets whose items are left out
    int against_count;
} mg_shard_order;

typedef struct {
    int64_t items, skipped, duplicates, against; // of the whole set
    int64_t shards, bytes;
    int64_t packed; // items that this call decoded, over all ranks
    char content[17];
} mg_shard_outcome;

// Write what is missing of the set; finished shards of the same settings and items stay.
// Collective on `world`; `order` must be equal on all ranks (paths may lead elsewhere).
// MG_ERR_STOPPED if a signal asked to stop: the same call goes on later. MG_ERR_CONFIG if the folder
// holds another set, MG_ERR_FORMAT if no item is usable. A rank that fails alone returns at once,
// without waiting for the others.
mg_status mg_shard_write(const mg_comm *world, const mg_shard_order *order, mg_shard_outcome *out);

#endif
