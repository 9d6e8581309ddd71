// Streams that may be gzip (RFC 1952): told by their first two bytes, several members are one
// stream, checksums are verified. The one home of zlib.
#ifndef MG_RUNTIME_GZIP_H
#define MG_RUNTIME_GZIP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/err.h"

typedef struct mg_gunzip mg_gunzip;

// Read from `file`, which is taken over (closed also on failure). `name` stands in messages and is
// borrowed.
mg_status mg_gunzip_open(FILE *file, const char *name, mg_gunzip **out);
void mg_gunzip_close(mg_gunzip **stream);

// Exactly `bytes` more; `data` NULL skips them. MG_ERR_FORMAT if the stream ends before or is damaged.
mg_status mg_gunzip_read(mg_gunzip *stream, void *data, uint64_t bytes);

// Everything that was wanted is read: what follows (up to 16 MiB of it) must be sound too, so that a
// cut or damaged file is found.
mg_status mg_gunzip_finish(mg_gunzip *stream);

// No stream of this file's size holds more than this: deflate packs 1032 to 1 at best.
uint64_t mg_gunzip_most(const mg_gunzip *stream);

// The whole of a file, unpacked if it is gzip, with a '\0' behind it; mg_free'd by the caller. More than `limit` bytes
// are refused before they are unpacked (MG_ERR_FORMAT).
mg_status mg_gunzip_file(const char *path, size_t limit, char **data, size_t *bytes);

// One gzip member in memory, mg_free'd by the caller. The same bytes for the same input (no time, no
// name). `level` 1 to 9.
mg_status mg_gzip(const void *data, size_t bytes, int level, void **out, size_t *out_bytes);

#endif
