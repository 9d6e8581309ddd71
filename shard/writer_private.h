// What the files of the writer share. Nobody else includes this.
#ifndef MG_SHARD_WRITER_PRIVATE_H
#define MG_SHARD_WRITER_PRIVATE_H

#include "datasets/share.h"
#include "shard/block.h"
#include "shard/table.h"
#include "shard/writer.h"

// --- writer_item.c ----------------------------------------------------------------------------------

// Slices of one array, compressed.
typedef struct {
    char array[64]; // "images/u8_512x384x3", "" if the item has none
    mg_dtype type;
    int height, width, channels; // channels 0 for labels
    int slices;
    char *data; // frames one after the other
    size_t room;
    size_t *bytes; // [slices]
    int slice_room;
} mg_packed_part;

enum { MG_PART_IMAGE, MG_PART_LABEL, MG_PART_FULL_LABEL, MG_PARTS };

// An item ready to be written. Kept and reused by one thread.
typedef struct {
    mg_packer *packer;
    mg_packed_part part[MG_PARTS];
    mg_row row; // without places
    mg_volume_row volume;
    char orientation[4], contrasts[64]; // orientation "": no volume
    char decoder[32], remark[160];
    char reason[256]; // why it cannot be used, "" if it can
} mg_packed_item;

void mg_packed_item_free(mg_packed_item *item);

// Read, check, trim, shrink and compress item `number` of the list. An item that cannot be used gives
// MG_OK and a reason. Thread-safe.
mg_status mg_pack_item(const mg_shard_order *order, const mg_shared_scan *list, int64_t number,
                       mg_packed_item *out);

// --- writer_shard.c ---------------------------------------------------------------------------------

// Hashes of items to leave out, sorted.
typedef struct {
    mg_hash128 hash;
    int set; // number in against_set
} mg_against;

typedef struct {
    const mg_shard_order *order;
    const mg_shared_scan *list;
    mg_against *against; // sorted
    int64_t against_count;
    char **against_set; // [order->against_count] names of their data sets
    char settings[17];  // hash
    int64_t done;       // items this rank has packed so far
    int64_t total;      // and will have in the end
    int64_t warned;     // about items it skipped
} mg_pack_job;

// Path of a shard of the set; NULL without memory. mg_free.
char *mg_shard_path(const char *out, int64_t number);

// True if the shard is there, whole in its table, and made from these items with these settings.
bool mg_shard_is_finished(const mg_pack_job *job, int64_t number, int64_t first, int64_t last);

// Write items [first, last) as a shard: aside, verified, synced, renamed. MG_ERR_STOPPED drops it.
mg_status mg_shard_pack(mg_pack_job *job, int64_t number, int64_t first, int64_t last);

// --- writer_index.c ---------------------------------------------------------------------------------

// Read the tables of all shards, find duplicates among them, write index.json. One rank.
mg_status mg_shard_write_index(const mg_pack_job *job, int64_t shards, mg_shard_outcome *out);

#endif
