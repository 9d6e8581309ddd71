// The item table of one shard, as columns in HDF5 (docs/formats.md, "Shard sets"): numbers as plain
// arrays, texts as bytes with a zero byte behind each. Written by writer.c, read by shard_file.c.
#ifndef MG_SHARD_TABLE_H
#define MG_SHARD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"
#include "runtime/h5.h"
#include "runtime/hash.h"
#include "shard/shard.h"

// Texts one behind the other, each ended by a zero byte.
typedef struct {
    char *bytes;
    size_t used, room;
    int64_t count;
} mg_pool;

mg_status mg_pool_add(mg_pool *pool, const char *text); // copies; NULL reads as ""
void mg_pool_free(mg_pool *pool);

// Where slices lie: rows of one array of the file; array -1 for none.
typedef struct {
    int32_t array;
    int64_t row;
} mg_extent;

// Text columns of an item.
enum {
    MG_TEXT_NAME,     // original relative name
    MG_TEXT_PATIENT,  // patient, lesion or case key
    MG_TEXT_SPLIT,    // published split or ""
    MG_TEXT_MODALITY, // "CT", "US", ...
    MG_TEXT_LABEL,    // label of the whole picture
    MG_TEXT_EXTRA,    // the reader's own note
    MG_TEXT_DECODER,  // what decoded it, with the scale if it was decoded smaller
    MG_ITEM_TEXTS
};

// Number columns of an item.
typedef struct {
    int64_t number;  // place in the natural order of the whole set
    mg_hash128 hash; // of the decoded pixels
    uint64_t packed; // XXH3-64 of what is stored: pixels, label, full label, before compression
    mg_extent image, label, full_label;
    int32_t depth;
    int32_t full_size[3]; // original depth, rows, columns
    int32_t fold;
    double spacing[3];
    uint16_t classes, unknown;
    int64_t area[MG_SHARD_CLASSES];
} mg_row;

// Number columns of a volume.
typedef struct {
    int64_t item; // its row among the items
    double affine[12], file_affine[12], full_spacing[3];
    double grid[3][2], range[MG_SHARD_CONTRASTS][2];
    int32_t input[3];
} mg_volume_row;

// An array of chunks: "images/u8_512x384x3", one slice per row.
typedef struct {
    char *name; // owned
    int64_t rows;
    uint64_t *checksum; // [rows] XXH3-64 of each chunk's stored bytes
    int64_t room;
} mg_chunk_array;

// Why an item of the range is not in the shard.
enum { MG_SKIP_UNREADABLE, MG_SKIP_DUPLICATE, MG_SKIP_AGAINST };
typedef struct {
    int64_t number;
    int32_t kind;
} mg_skip;

typedef struct {
    mg_row *row;
    int64_t rows, room;
    mg_pool text[MG_ITEM_TEXTS];
    mg_volume_row *volume; // of the items that are volumes, in their order
    int64_t volumes, volume_room;
    mg_pool orientation, contrasts; // [volumes]
    mg_chunk_array *array;
    int32_t arrays, array_room;
    mg_skip *skip;
    int64_t skips, skip_room;
    mg_pool skip_name, skip_reason; // reason: message, or name of the item that is kept
} mg_table;

void mg_table_free(mg_table *table);

// Append an item; `text` [MG_ITEM_TEXTS].
mg_status mg_table_add(mg_table *table, const mg_row *row, const char *const *text);
// The item appended last is a volume; sets volume->item.
mg_status mg_table_add_volume(mg_table *table, mg_volume_row *volume, const char *orientation,
                              const char *contrasts);
mg_status mg_table_skip(mg_table *table, int64_t number, int kind, const char *name,
                        const char *reason);
// The array of that name, made if it is new (*is_new).
mg_status mg_table_array(mg_table *table, const char *name, int32_t *array, bool *is_new);
// One more row of an array.
mg_status mg_table_chunk(mg_table *table, int32_t array, uint64_t checksum);

// XXH3-64 over all columns in file order.
mg_status mg_table_hash(const mg_table *table, uint64_t *hash);
mg_status mg_table_write(const mg_table *table, mg_h5 *file);
// Read and check lengths and references: every place lies inside its array. The arrays themselves
// are not looked at. MG_ERR_FORMAT names file and column.
mg_status mg_table_read(mg_table *table, const mg_h5 *file);

#endif
