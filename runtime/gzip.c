// gzip in and out; see gzip.h. Input comes in blocks, so memory does not depend on the file.
#include "runtime/gzip.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "runtime/mem.h"

enum { BLOCK = 1 << 16, SLACK = 16 << 20, RATIO = 1032 };

struct mg_gunzip {
    FILE *file;
    const char *name; // not owned
    uint64_t file_bytes, given;
    bool packed, started; // started: inflate state is there
    bool ended;           // no byte follows
    z_stream z;
    unsigned char block[BLOCK];
};

static mg_status refill(mg_gunzip *s)
{
    size_t kept = s->z.avail_in;

    memmove(s->block, s->z.next_in, kept);
    size_t n = fread(s->block + kept, 1, BLOCK - kept, s->file);
    MG_CHECK(!ferror(s->file), MG_ERR_IO, "cannot read '%s': %s", s->name, strerror(errno));
    s->z.next_in = s->block;
    s->z.avail_in = (uInt)(kept + n);
    return MG_OK;
}

static mg_status measure(mg_gunzip *s)
{
    bool sought = !fseeko(s->file, 0, SEEK_END);
    off_t size = sought ? ftello(s->file) : -1;

    MG_CHECK(size >= 0 && !fseeko(s->file, 0, SEEK_SET), MG_ERR_IO, "cannot read '%s': %s", s->name,
             strerror(errno));
    s->file_bytes = (uint64_t)size;
    return MG_OK;
}

static bool at_member(const mg_gunzip *s)
{
    return s->z.avail_in >= 2 && s->z.next_in[0] == 0x1f && s->z.next_in[1] == 0x8b;
}

static mg_status start(mg_gunzip *s)
{
    s->z.next_in = s->block;
    MG_TRY(measure(s));
    MG_TRY(refill(s));
    s->packed = at_member(s);
    if (!s->packed) return MG_OK;
    int code = mg_fault() ? Z_MEM_ERROR : inflateInit2(&s->z, 15 + 16);
    MG_CHECK(code == Z_OK, MG_ERR_MEMORY, "no memory to unpack '%s'", s->name);
    s->started = true;
    return MG_OK;
}

mg_status mg_gunzip_open(FILE *file, const char *name, mg_gunzip **out)
{
    mg_gunzip *s = mg_alloc(sizeof *s);

    *out = NULL;
    if (!s) {
        fclose(file);
        return MG_FAIL(MG_ERR_MEMORY, "no memory to read '%s'", name);
    }
    memset(s, 0, offsetof(mg_gunzip, block));
    s->file = file;
    s->name = name;
    mg_status st = start(s);
    if (st)
        mg_gunzip_close(&s);
    else
        *out = s;
    return st;
}

void mg_gunzip_close(mg_gunzip **stream)
{
    mg_gunzip *s = *stream;

    if (!s) return;
    if (s->started) inflateEnd(&s->z);
    fclose(s->file);
    mg_free(s);
    *stream = NULL;
}

uint64_t mg_gunzip_most(const mg_gunzip *s)
{
    return s->packed ? s->file_bytes * RATIO : s->file_bytes;
}

// A member has ended: another one may follow; anything else that follows is no part of the stream.
static mg_status next_member(mg_gunzip *s)
{
    if (s->z.avail_in < 2) MG_TRY(refill(s));
    s->ended = !at_member(s);
    if (!s->ended) inflateReset(&s->z);
    return MG_OK;
}

// Up to `room` bytes; *got is 0 at the end of the stream only.
static mg_status take_packed(mg_gunzip *s, unsigned char *data, uInt room, uInt *got)
{
    *got = 0;
    while (*got == 0 && !s->ended) {
        if (s->z.avail_in == 0) MG_TRY(refill(s));
        MG_CHECK(s->z.avail_in > 0, MG_ERR_FORMAT, "'%s' is cut off: its gzip stream does not end",
                 s->name);
        s->z.next_out = data;
        s->z.avail_out = room;
        int code = inflate(&s->z, Z_NO_FLUSH);
        MG_CHECK(code == Z_OK || code == Z_STREAM_END, MG_ERR_FORMAT,
                 "'%s' is damaged after %llu bytes: %s", s->name, (unsigned long long)s->given,
                 s->z.msg ? s->z.msg : "not gzip");
        *got = room - s->z.avail_out;
        if (code == Z_STREAM_END) MG_TRY(next_member(s));
    }
    return MG_OK;
}

static mg_status take_plain(mg_gunzip *s, unsigned char *data, uInt room, uInt *got)
{
    if (s->z.avail_in == 0) MG_TRY(refill(s));
    *got = s->z.avail_in < room ? s->z.avail_in : room;
    memcpy(data, s->z.next_in, *got);
    s->z.next_in += *got;
    s->z.avail_in -= *got;
    s->ended = *got == 0;
    return MG_OK;
}

static mg_status take(mg_gunzip *s, unsigned char *data, uInt room, uInt *got)
{
    MG_TRY(s->packed ? take_packed(s, data, room, got) : take_plain(s, data, room, got));
    s->given += *got;
    return MG_OK;
}

mg_status mg_gunzip_read(mg_gunzip *s, void *data, uint64_t bytes)
{
    unsigned char *to = data, waste[4096];
    uint64_t wanted = s->given + bytes;

    while (bytes > 0) {
        uInt most = data ? 1u << 30 : sizeof waste, got = 0;
        if (bytes < most) most = (uInt)bytes;
        MG_TRY(take(s, data ? to : waste, most, &got));
        MG_CHECK(got > 0, MG_ERR_FORMAT, "'%s' ends early: %llu bytes, expected at least %llu",
                 s->name, (unsigned long long)s->given, (unsigned long long)wanted);
        to = data ? to + got : NULL;
        bytes -= got;
    }
    return MG_OK;
}

mg_status mg_gunzip_finish(mg_gunzip *s)
{
    unsigned char waste[4096];
    uInt got = 1;

    if (!s->packed) return MG_OK;
    for (size_t more = 0; got > 0 && more < SLACK; more += got)
        MG_TRY(take(s, waste, sizeof waste, &got));
    return MG_OK;
}

// Grows by doubling, up to one byte more than the limit, and one for the '\0'.
static mg_status take_all(mg_gunzip *s, size_t limit, char **data, size_t *bytes)
{
    size_t room = 0;
    uInt got = 1;

    *bytes = 0;
    while (got > 0) {
        if (room - *bytes < 2) {
            room = room ? 2 * room : BLOCK;
            if (room > limit + 2) room = limit + 2;
            char *grown = mg_realloc(*data, room);
            MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate %zu bytes for '%s'", room, s->name);
            *data = grown;
        }
        size_t free_bytes = room - *bytes - 1;
        uInt most = free_bytes < 1u << 30 ? (uInt)free_bytes : 1u << 30;
        MG_TRY(take(s, (unsigned char *)*data + *bytes, most, &got));
        *bytes += got;
        MG_CHECK(*bytes <= limit, MG_ERR_FORMAT, "'%s' has more than %zu bytes%s", s->name, limit,
                 s->packed ? " inside" : "");
    }
    (*data)[*bytes] = '\0';
    return MG_OK;
}

mg_status mg_gunzip_file(const char *path, size_t limit, char **data, size_t *bytes)
{
    FILE *file = mg_fault() ? (errno = EIO, NULL) : fopen(path, "rbe");
    mg_gunzip *s = NULL;

    *data = NULL;
    MG_CHECK(file, MG_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    mg_status st = mg_gunzip_open(file, path, &s);
    if (!st) st = take_all(s, limit, data, bytes);
    mg_gunzip_close(&s);
    if (st) {
        mg_free(*data);
        *data = NULL;
    }
    return st;
}

mg_status mg_gzip(const void *data, size_t bytes, int level, void **out, size_t *out_bytes)
{
    z_stream z = {.next_in = (unsigned char *)data};
    int code = mg_fault() ? Z_MEM_ERROR
                          : deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);

    *out = NULL;
    MG_CHECK(code == Z_OK, MG_ERR_MEMORY, "no memory to pack %zu bytes", bytes);
    size_t room = deflateBound(&z, bytes), left = bytes;
    *out = mg_alloc(room);
    z.next_out = *out;
    while (*out && code == Z_OK) { // counts of zlib's steps have 32 bits
        size_t space = room - (size_t)(z.next_out - (unsigned char *)*out);
        z.avail_in = left < 1u << 30 ? (uInt)left : 1u << 30;
        z.avail_out = space < 1u << 30 ? (uInt)space : 1u << 30;
        left -= z.avail_in;
        code = deflate(&z, left == 0 ? Z_FINISH : Z_NO_FLUSH);
        left += z.avail_in;
    }
    *out_bytes = *out ? (size_t)(z.next_out - (unsigned char *)*out) : 0;
    deflateEnd(&z);
    MG_CHECK(code == Z_STREAM_END, MG_ERR_MEMORY, "no memory to pack %zu bytes", bytes);
    return MG_OK;
}
