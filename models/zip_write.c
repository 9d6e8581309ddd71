// Writing a zip archive of stored entries. Sizes and checksums stand in the local headers; an extra field
// "FB" pads each header so that the bytes begin on a 64-byte boundary, as PyTorch does it. Zip64 numbers
// are written where 32 bits are too few, and the zip64 end record always, as PyTorch's own files have it.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "models/zip.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

enum { ALIGNMENT = 64, LOCAL_BYTES = 30, VERSION_ZIP64 = 45 };
static const uint64_t SATURATED = UINT32_MAX;

struct mg_zip_writer {
    FILE *file;
    char *path, *aside;
    uint64_t at;
    mg_zip_entry *entry; // header, size, crc, name
    size_t count, room;
};

// --- numbers ----------------------------------------------------------------------------------------

typedef struct {
    uint8_t bytes[256];
    size_t count;
} record;

static void put(record *r, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) r->bytes[r->count++] = (uint8_t)(value >> 8 * i);
}

static uint32_t capped(uint64_t value)
{
    return value < SATURATED ? (uint32_t)value : UINT32_MAX;
}

static mg_status write_bytes(mg_zip_writer *w, const void *data, size_t bytes)
{
    bool written = !mg_fault() && fwrite(data, 1, bytes, w->file) == bytes;

    MG_CHECK(written, MG_ERR_IO, "cannot write '%s': %s", w->aside, strerror(errno));
    w->at += bytes;
    return MG_OK;
}

// --- entries ----------------------------------------------------------------------------------------

mg_status mg_zip_create(const char *path, mg_zip_writer **out)
{
    mg_zip_writer *w = mg_calloc(1, sizeof *w);

    *out = NULL;
    MG_CHECK(w, MG_ERR_MEMORY, "cannot allocate an archive");
    w->path = mg_strdup(path);
    w->aside = mg_sprintf("%s.tmp", path);
    bool named = w->path && w->aside;
    w->file = named && !mg_fault() ? fopen(w->aside, "wb") : NULL;
    if (!w->file) {
        mg_status st = named ? MG_FAIL(MG_ERR_IO, "cannot write '%s': %s", path, strerror(errno))
                             : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
        mg_free(w->path);
        mg_free(w->aside);
        mg_free(w);
        return st;
    }
    *out = w;
    return MG_OK;
}

static mg_status new_entry(mg_zip_writer *w, const char *name, mg_zip_entry **out)
{
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 64;
        mg_zip_entry *larger = mg_realloc(w->entry, room * sizeof *larger);
        MG_CHECK(larger, MG_ERR_MEMORY, "cannot allocate a directory");
        w->entry = larger;
        w->room = room;
    }
    char *copy = mg_strdup(name);
    MG_CHECK(copy, MG_ERR_MEMORY, "cannot allocate a name");
    *out = &w->entry[w->count++];
    **out = (mg_zip_entry){.name = copy, .header = w->at, .stored = true};
    return MG_OK;
}

mg_status mg_zip_add(mg_zip_writer *w, const char *name, const void *data, size_t bytes)
{
    size_t length = strlen(name);
    mg_zip_entry *e = NULL;
    record r = {.count = 0};

    MG_TRY(new_entry(w, name, &e));
    e->size = bytes;
    e->crc = mg_zip_crc(0, data, bytes);
    bool large = bytes >= SATURATED;
    size_t before = LOCAL_BYTES + length + (large ? 20 : 0) + 4;
    size_t padding = (ALIGNMENT - (w->at + before) % ALIGNMENT) % ALIGNMENT;
    put(&r, 0x04034B50, 4);
    put(&r, large ? VERSION_ZIP64 : 0, 2);
    put(&r, 1 << 11, 2); // the name is UTF-8
    put(&r, 0, 2);       // stored
    put(&r, 0, 4);       // no time
    put(&r, e->crc, 4);
    put(&r, capped(bytes), 4);
    put(&r, capped(bytes), 4);
    put(&r, length, 2);
    put(&r, (large ? 20 : 0) + 4 + padding, 2);
    MG_TRY(write_bytes(w, r.bytes, r.count));
    MG_TRY(write_bytes(w, name, length));
    r.count = 0;
    if (large) {
        put(&r, 1, 2);
        put(&r, 16, 2);
        put(&r, bytes, 8);
        put(&r, bytes, 8);
    }
    put(&r, 'F' | 'B' << 8, 2);
    put(&r, padding, 2);
    for (size_t i = 0; i < padding; i++) put(&r, 'Z', 1);
    MG_TRY(write_bytes(w, r.bytes, r.count));
    return bytes ? write_bytes(w, data, bytes) : MG_OK;
}

// --- the end ----------------------------------------------------------------------------------------

static mg_status write_directory_entry(mg_zip_writer *w, const mg_zip_entry *e)
{
    bool large = e->size >= SATURATED, far = e->header >= SATURATED;
    size_t length = strlen(e->name), extra = (large ? 16 : 0) + (far ? 8 : 0);
    record r = {.count = 0};

    put(&r, 0x02014B50, 4);
    put(&r, VERSION_ZIP64, 2);
    put(&r, large || far ? VERSION_ZIP64 : 0, 2);
    put(&r, 1 << 11, 2);
    put(&r, 0, 2);
    put(&r, 0, 4);
    put(&r, e->crc, 4);
    put(&r, capped(e->size), 4);
    put(&r, capped(e->size), 4);
    put(&r, length, 2);
    put(&r, extra ? extra + 4 : 0, 2);
    put(&r, 0, 2); // no comment
    put(&r, 0, 2); // disk
    put(&r, 0, 2);
    put(&r, 0, 4);
    put(&r, capped(e->header), 4);
    MG_TRY(write_bytes(w, r.bytes, r.count));
    MG_TRY(write_bytes(w, e->name, length));
    r.count = 0;
    if (!extra) return MG_OK;
    put(&r, 1, 2);
    put(&r, extra, 2);
    if (large) put(&r, e->size, 8), put(&r, e->size, 8);
    if (far) put(&r, e->header, 8);
    return write_bytes(w, r.bytes, r.count);
}

static mg_status write_end(mg_zip_writer *w)
{
    uint64_t start = w->at;
    record r = {.count = 0};

    for (size_t i = 0; i < w->count; i++) MG_TRY(write_directory_entry(w, &w->entry[i]));
    uint64_t bytes = w->at - start, end64 = w->at;
    put(&r, 0x06064B50, 4);
    put(&r, 44, 8); // bytes of the record behind this number
    put(&r, VERSION_ZIP64, 2);
    put(&r, VERSION_ZIP64, 2);
    put(&r, 0, 4);
    put(&r, 0, 4);
    put(&r, w->count, 8);
    put(&r, w->count, 8);
    put(&r, bytes, 8);
    put(&r, start, 8);
    put(&r, 0x07064B50, 4);
    put(&r, 0, 4);
    put(&r, end64, 8);
    put(&r, 1, 4);
    put(&r, 0x06054B50, 4);
    put(&r, 0, 2);
    put(&r, 0, 2);
    uint64_t count = w->count < UINT16_MAX ? w->count : UINT16_MAX;
    put(&r, count, 2);
    put(&r, count, 2);
    put(&r, capped(bytes), 4);
    put(&r, capped(start), 4);
    put(&r, 0, 2);
    return write_bytes(w, r.bytes, r.count);
}

mg_status mg_zip_finish(mg_zip_writer **writer, bool keep)
{
    mg_zip_writer *w = *writer;
    mg_status st = MG_OK;

    if (!w) return MG_OK;
    if (keep) st = write_end(w);
    if (fclose(w->file) && !st)
        st = MG_FAIL(MG_ERR_IO, "cannot write '%s': %s", w->aside, strerror(errno));
    if (!st && keep) st = mg_commit_file(w->aside, w->path);
    if (st || !keep) remove(w->aside);
    for (size_t i = 0; i < w->count; i++) mg_free(w->entry[i].name);
    mg_free(w->entry);
    mg_free(w->path);
    mg_free(w->aside);
    mg_free(w);
    *writer = NULL;
    return st;
}
