// Reading a zip directory. Records (APPNOTE 6.3): end record PK\5\6, before it perhaps the zip64 locator
// PK\6\7 and record PK\6\6; directory records PK\1\2; local headers PK\3\4. All numbers little-endian.
#include "models/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "runtime/mem.h"

enum { END_BYTES = 22, LOCATOR_BYTES = 20, END64_BYTES = 56, RECORD_BYTES = 46, LOCAL_BYTES = 30 };
enum { MAX_ENTRIES = 1000000, PIECE = 1 << 20 };
static const uint64_t MAX_DIRECTORY = (uint64_t)256 << 20;

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32(const uint8_t *p)
{
    return u16(p) | (uint32_t)u16(p + 2) << 16;
}

static uint64_t u64(const uint8_t *p)
{
    return u32(p) | (uint64_t)u32(p + 4) << 32;
}

#define BAD(...) MG_FAIL(MG_ERR_FORMAT, __VA_ARGS__)

// --- where the directory is -------------------------------------------------------------------------

typedef struct {
    uint64_t at, bytes, count;
} directory;

// The zip64 record that the locator in front of the end record names.
static mg_status read_end64(const mg_raw_file *f, const uint8_t *locator, uint64_t locator_at,
                            directory *d, uint64_t *limit)
{
    uint8_t end[END64_BYTES];
    uint64_t at = u64(locator + 8);

    MG_CHECK(u32(locator + 4) == 0 && u32(locator + 16) <= 1, MG_ERR_FORMAT,
             "'%s' is a zip archive of several disks", f->path);
    MG_CHECK(at <= locator_at && locator_at - at >= END64_BYTES, MG_ERR_FORMAT,
             "'%s': the zip64 end record is at byte %llu, expected it before byte %llu", f->path,
             (unsigned long long)at, (unsigned long long)locator_at);
    MG_TRY(mg_raw_read(f, at, end, sizeof end));
    MG_CHECK(!memcmp(end, "PK\6\6", 4), MG_ERR_FORMAT, "'%s': no zip64 end record at byte %llu",
             f->path, (unsigned long long)at);
    MG_CHECK(u32(end + 16) == 0 && u32(end + 20) == 0 && u64(end + 24) == u64(end + 32),
             MG_ERR_FORMAT, "'%s' is a zip archive of several disks", f->path);
    *d = (directory){.at = u64(end + 48), .bytes = u64(end + 40), .count = u64(end + 32)};
    *limit = at;
    return MG_OK;
}

// Place of the end record in the file's last bytes: the one whose comment ends with the file.
static ptrdiff_t find_end(const uint8_t *tail, size_t bytes)
{
    for (ptrdiff_t i = (ptrdiff_t)bytes - END_BYTES; i >= 0; i--)
        if (!memcmp(tail + i, "PK\5\6", 4) && (size_t)i + END_BYTES + u16(tail + i + 20) == bytes)
            return i;
    return -1;
}

static mg_status locate(const mg_raw_file *f, const uint8_t *tail, size_t bytes, directory *d)
{
    ptrdiff_t end = find_end(tail, bytes);
    uint64_t start = f->size - bytes, limit = start + (uint64_t)(end < 0 ? 0 : end);

    MG_CHECK(end >= 0, MG_ERR_FORMAT, "'%s' is cut short: the zip directory's end is missing",
             f->path);
    const uint8_t *e = tail + end;
    bool has64 = end >= LOCATOR_BYTES && !memcmp(e - LOCATOR_BYTES, "PK\6\7", 4);
    MG_CHECK(u16(e + 4) == 0 && u16(e + 6) == 0 && u16(e + 8) == u16(e + 10), MG_ERR_FORMAT,
             "'%s' is a zip archive of several disks", f->path);
    *d = (directory){.at = u32(e + 16), .bytes = u32(e + 12), .count = u16(e + 10)};
    if (has64)
        MG_TRY(read_end64(f, e - LOCATOR_BYTES, limit - LOCATOR_BYTES, d, &limit));
    else
        MG_CHECK(d->at != UINT32_MAX && d->bytes != UINT32_MAX && d->count != UINT16_MAX,
                 MG_ERR_FORMAT, "'%s': the zip64 end record is missing", f->path);
    MG_CHECK(d->at <= limit && d->bytes <= limit - d->at, MG_ERR_FORMAT,
             "'%s': the zip directory (%llu bytes at %llu) does not fit the file", f->path,
             (unsigned long long)d->bytes, (unsigned long long)d->at);
    MG_CHECK(d->count <= MAX_ENTRIES && d->bytes <= MAX_DIRECTORY &&
                 d->count * RECORD_BYTES <= d->bytes,
             MG_ERR_FORMAT, "'%s': the zip directory has %llu entries in %llu bytes", f->path,
             (unsigned long long)d->count, (unsigned long long)d->bytes);
    return MG_OK;
}

static mg_status find_directory(const mg_raw_file *f, directory *d)
{
    size_t bytes = f->size < 65557 + LOCATOR_BYTES ? (size_t)f->size : 65557 + LOCATOR_BYTES;
    uint8_t *tail = mg_alloc(bytes + 1);

    MG_CHECK(tail, MG_ERR_MEMORY, "cannot allocate the end of '%s'", f->path);
    mg_status st = mg_raw_read(f, f->size - bytes, tail, bytes);
    if (!st) st = locate(f, tail, bytes, d);
    mg_free(tail);
    return st;
}

// --- directory records ------------------------------------------------------------------------------

// The saturated ones of the three numbers from extra field 1, in their fixed order.
static bool take_zip64(const uint8_t *extra, size_t bytes, uint64_t *number[3])
{
    size_t at = 0, used = 0;

    while (at + 4 <= bytes && u16(extra + at) != 1) at += 4 + (size_t)u16(extra + at + 2);
    size_t field = at + 4 <= bytes ? u16(extra + at + 2) : 0;
    if (at + 4 + field > bytes) field = 0;
    for (int i = 0; i < 3; i++) {
        if (*number[i] != UINT32_MAX) continue;
        if (used + 8 > field) return false;
        *number[i] = u64(extra + at + 4 + used);
        used += 8;
    }
    return true;
}

// One record at r with `room` bytes to the directory's end; *used gets its length.
static mg_status take_record(const mg_raw_file *f, const uint8_t *r, size_t room, mg_zip_entry *e,
                             size_t *used)
{
    if (room < RECORD_BYTES || memcmp(r, "PK\1\2", 4))
        return BAD("'%s': the zip directory is damaged", f->path);
    size_t name = u16(r + 28), extra = u16(r + 30), comment = u16(r + 32);
    uint16_t flags = u16(r + 8), method = u16(r + 10);
    uint64_t packed = u32(r + 20), size = u32(r + 24), header = u32(r + 42);

    *used = RECORD_BYTES + name + extra + comment;
    if (*used > room) return BAD("'%s': the zip directory is damaged", f->path);
    e->name = mg_alloc(name + 1);
    MG_CHECK(e->name, MG_ERR_MEMORY, "cannot allocate a name");
    memcpy(e->name, r + RECORD_BYTES, name);
    e->name[name] = '\0';
    if (strlen(e->name) != name) return BAD("'%s': a zip entry's name has a zero byte", f->path);
    if (flags & (1 << 0 | 1 << 6 | 1 << 13))
        return BAD("'%s': entry '%.100s' is encrypted", f->path, e->name);
    if (u16(r + 34) != 0) return BAD("'%s' is a zip archive of several disks", f->path);
    if (!take_zip64(r + RECORD_BYTES + name, extra, (uint64_t *[]){&size, &packed, &header}))
        return BAD("'%s': entry '%.100s' lacks its zip64 sizes", f->path, e->name);
    if (method == 0 && size != packed)
        return BAD("'%s': entry '%.100s' is stored in %llu bytes but has %llu", f->path, e->name,
                   (unsigned long long)packed, (unsigned long long)size);
    e->stored = method == 0;
    e->header = header;
    e->size = packed;
    e->crc = u32(r + 16);
    return MG_OK;
}

// The local header must agree; it tells where the bytes begin.
static mg_status check_local(const mg_raw_file *f, uint64_t limit, mg_zip_entry *e)
{
    uint8_t h[LOCAL_BYTES + 1];
    char name[1024];
    size_t length = strlen(e->name);

    if (e->header > limit || limit - e->header < LOCAL_BYTES)
        return BAD("'%s': entry '%.100s' begins at byte %llu, behind the data", f->path, e->name,
                   (unsigned long long)e->header);
    MG_TRY(mg_raw_read(f, e->header, h, LOCAL_BYTES));
    if (memcmp(h, "PK\3\4", 4))
        return BAD("'%s': entry '%.100s' has no header at byte %llu", f->path, e->name,
                   (unsigned long long)e->header);
    bool same = u16(h + 26) == length && (u16(h + 8) == 0) == e->stored;
    for (size_t at = 0; same && at < length; at += sizeof name) {
        size_t n = length - at < sizeof name ? length - at : sizeof name;
        MG_TRY(mg_raw_read(f, e->header + LOCAL_BYTES + at, name, n));
        same = !memcmp(name, e->name + at, n);
    }
    if (!same) return BAD("'%s': entry '%.100s' has another local header", f->path, e->name);
    e->data = e->header + LOCAL_BYTES + length + u16(h + 28);
    if (e->data > limit || e->size > limit - e->data)
        return BAD("'%s': entry '%.100s' of %llu bytes reaches past the data", f->path, e->name,
                   (unsigned long long)e->size);
    return MG_OK;
}

static mg_status read_entries(const mg_raw_file *f, const directory *d, const uint8_t *bytes,
                              mg_zip *zip)
{
    size_t at = 0;

    for (uint64_t i = 0; i < d->count; i++) {
        size_t used = 0;
        zip->count++; // a name that was allocated is released with the others
        MG_TRY(take_record(f, bytes + at, (size_t)d->bytes - at, &zip->entry[i], &used));
        MG_TRY(check_local(f, d->at, &zip->entry[i]));
        at += used;
    }
    if (at != d->bytes)
        return BAD("'%s': the zip directory has %zu bytes too many", f->path,
                   (size_t)d->bytes - at);
    return MG_OK;
}

// --- all of it --------------------------------------------------------------------------------------

static int by_place(const void *a, const void *b)
{
    const mg_zip_entry *x = a, *y = b;
    return x->header < y->header ? -1 : x->header > y->header;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mg_zip_entry *)a)->name, ((const mg_zip_entry *)b)->name);
}

static mg_status check_order(const mg_raw_file *f, mg_zip *zip)
{
    qsort(zip->entry, zip->count, sizeof *zip->entry, by_place);
    for (size_t i = 1; i < zip->count; i++) {
        const mg_zip_entry *before = &zip->entry[i - 1];
        if (zip->entry[i].header < before->data + before->size)
            return BAD("'%s': entries '%.100s' and '%.100s' overlap", f->path, before->name,
                       zip->entry[i].name);
    }
    qsort(zip->entry, zip->count, sizeof *zip->entry, by_name);
    for (size_t i = 1; i < zip->count; i++)
        if (!by_name(&zip->entry[i - 1], &zip->entry[i]))
            return BAD("'%s': entry '%.100s' is there twice", f->path, zip->entry[i].name);
    return MG_OK;
}

mg_status mg_zip_open(const mg_raw_file *file, mg_zip *out)
{
    directory d = {0};
    mg_status st = MG_OK;

    *out = (mg_zip){0};
    MG_TRY(find_directory(file, &d));
    uint8_t *bytes = mg_alloc((size_t)d.bytes + 1);
    out->entry = mg_calloc((size_t)d.count + 1, sizeof *out->entry);
    if (!bytes || !out->entry)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the directory of '%s'", file->path);
    if (!st) st = mg_raw_read(file, d.at, bytes, (size_t)d.bytes);
    if (!st) st = read_entries(file, &d, bytes, out);
    if (!st) st = check_order(file, out);
    mg_free(bytes);
    if (st) mg_zip_free(out);
    return st;
}

void mg_zip_free(mg_zip *zip)
{
    for (size_t i = 0; i < zip->count; i++) mg_free(zip->entry[i].name);
    mg_free(zip->entry);
    *zip = (mg_zip){0};
}

const mg_zip_entry *mg_zip_find(const mg_zip *zip, const char *name)
{
    mg_zip_entry key = {.name = (char *)name};

    if (!zip->count) return NULL;
    return bsearch(&key, zip->entry, zip->count, sizeof key, by_name);
}

uint32_t mg_zip_crc(uint32_t crc, const void *data, size_t bytes)
{
    return (uint32_t)crc32_z(crc, data, bytes);
}

mg_status mg_zip_verify(const mg_raw_file *file, const mg_zip_entry *e)
{
    uint32_t crc = 0;
    mg_status st = MG_OK;
    uint8_t *piece = mg_alloc(PIECE);

    MG_CHECK(piece, MG_ERR_MEMORY, "cannot allocate a buffer");
    for (uint64_t at = 0; at < e->size && e->crc && !st; at += PIECE) {
        size_t n = e->size - at < PIECE ? (size_t)(e->size - at) : PIECE;
        st = mg_raw_read(file, e->data + at, piece, n);
        if (!st) crc = mg_zip_crc(crc, piece, n);
    }
    mg_free(piece);
    if (!st && e->crc && crc != e->crc)
        st = BAD("'%s': the checksum of entry '%s' is %08x, expected %08x", file->path, e->name,
                 crc, e->crc);
    return st;
}
