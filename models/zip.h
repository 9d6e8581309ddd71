// The zip container of PyTorch files (text-and-weights.md d.2): stored entries at known places, sizes
// from the central directory only. Own code instead of libzip, since the rules on offsets, overlaps,
// local headers and missing checksums are stricter than what a general library checks, and since
// tensors are read in place by pread.
#ifndef MG_MODELS_ZIP_H
#define MG_MODELS_ZIP_H

#include <stdbool.h>

#include "runtime/raw_file.h"

typedef struct {
    char *name;
    uint64_t header; // of the local header, from the start of the file
    uint64_t data;   // of the bytes
    uint64_t size;   // stored bytes
    uint32_t crc;    // 0: not computed by the writer
    bool stored;     // not compressed
} mg_zip_entry;

typedef struct {
    mg_zip_entry *entry; // sorted by name
    size_t count;
} mg_zip;

// Read and check the directory and every local header. `file` stays the caller's.
// MG_ERR_FORMAT, MG_ERR_IO, MG_ERR_MEMORY; on failure there is nothing to free.
mg_status mg_zip_open(const mg_raw_file *file, mg_zip *out);
void mg_zip_free(mg_zip *zip);
const mg_zip_entry *mg_zip_find(const mg_zip *zip, const char *name); // or NULL

// Checksums: in pieces (start with 0), and of a whole entry read through a small buffer. MG_ERR_FORMAT
// if it is not the one in the directory; an entry without one passes.
uint32_t mg_zip_crc(uint32_t crc, const void *data, size_t bytes);
mg_status mg_zip_verify(const mg_raw_file *file, const mg_zip_entry *entry);

// Writing: entries one after the other, stored, their bytes on 64-byte boundaries as PyTorch has
// them; written to `path`.tmp, synced and renamed at the end.
typedef struct mg_zip_writer mg_zip_writer;
mg_status mg_zip_create(const char *path, mg_zip_writer **out);
mg_status mg_zip_add(mg_zip_writer *w, const char *name, const void *data, size_t bytes);
// Ends the file and takes its name, or removes it (`keep` false). Sets *w to NULL.
mg_status mg_zip_finish(mg_zip_writer **w, bool keep);

#endif
