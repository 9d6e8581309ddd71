// One shard opened for reading: its table, where its chunks lie, and chunks taken by pread and zstd
// from any thread. The set as a whole is reader.c's business.
#ifndef MG_SHARD_SHARD_FILE_H
#define MG_SHARD_SHARD_FILE_H

#include "shard/block.h"
#include "shard/table.h"

// One array of slices.
typedef struct {
    mg_dtype type;
    int height, width, channels;
    size_t slice_bytes; // decoded
    int64_t rows;
    uint64_t *address, *checksum; // [rows] place and XXH3-64 of each chunk
    uint64_t *bytes;              // [rows] stored size
} mg_slices;

// What the root attributes say.
typedef struct {
    char *dataset;
    int64_t number, first, last; // shard `number` holds items [first, last) of the set
    char settings[17], list[17]; // hashes of the settings and of the items' list, 16 hex digits
    char table[17];              // hash of the table
} mg_shard_head;

typedef struct {
    char *path;
    int fd;
    mg_shard_head head;
    char **class_name; // [classes]
    int classes;
    mg_table table;
    mg_slices *slices; // [arrays]
    int32_t arrays;
} mg_shard_file;

// Open and check everything but the chunks. Uses HDF5: one thread at a time.
// MG_ERR_IO or MG_ERR_FORMAT names the file and what is wrong.
mg_status mg_shard_file_open(const char *path, mg_shard_file **out);
void mg_shard_file_close(mg_shard_file **file);

// Release what is not needed for reading chunks: rows, skipped items, names of arrays.
void mg_shard_file_forget(mg_shard_file *file);

// What one thread needs to read chunks.
typedef struct {
    mg_unpacker *unpacker;
    void *stored;
    size_t room;
} mg_chunk_scratch;
void mg_chunk_scratch_free(mg_chunk_scratch *scratch);

// One slice, `slice_bytes` bytes. MG_ERR_FORMAT (checksum, zstd) or MG_ERR_IO; the message names the
// file, the caller adds the item.
mg_status mg_shard_file_slice(const mg_shard_file *file, int32_t array, int64_t row,
                              mg_chunk_scratch *scratch, void *out);

// Hex text of a 64-bit hash, as it stands in attributes and in index.json.
void mg_hash64_text(uint64_t hash, char text[17]);

#endif
