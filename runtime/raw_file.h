// Bytes of a file at given places, for formats that are read piece by piece (weight files). Reads are
// checked against the size that the file had when it was opened; several threads may read at once.
#ifndef MG_RUNTIME_RAW_FILE_H
#define MG_RUNTIME_RAW_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"

typedef struct {
    int fd; // -1: closed
    uint64_t size;
    char *path;
} mg_raw_file;

// A regular file, for reading. MG_ERR_IO, MG_ERR_MEMORY; on failure there is nothing to close.
mg_status mg_raw_open(const char *path, mg_raw_file *file);
void mg_raw_close(mg_raw_file *file); // twice is fine

// Bytes [at, at + bytes). MG_ERR_FORMAT if they reach past the end ("cut short"), MG_ERR_IO.
mg_status mg_raw_read(const mg_raw_file *file, uint64_t at, void *out, size_t bytes);

#endif
