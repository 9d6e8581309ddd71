// Damaged copies of a file: cut short, bits flipped, bytes replaced, pieces moved. The same ones every
// time.
#ifndef MG_TESTS_DAMAGE_H
#define MG_TESTS_DAMAGE_H

#include "tests/check.h"

#include "runtime/fsys.h"
#include "runtime/mem.h"

static inline void damage_write(const char *path, const char *data, size_t bytes)
{
    FILE *out = fopen(path, "wb");
    CHECK(out);
    CHECK(fwrite(data, 1, bytes, out) == bytes);
    CHECK(fclose(out) == 0);
}

// Make copy number `round` of `data` at `path`. Rounds take turns between the kinds of damage.
static inline void damage_make(const char *path, const char *data, size_t bytes, int round)
{
    static const uint8_t values[] = {0, 1, 0x7F, 0x80, 0xFF};
    mg_stream s = {17, MG_RNG_FREE, 0, (uint32_t)round};
    char *copy = mg_alloc(2 * bytes + 1);
    uint32_t r[4];

    CHECK(copy);
    memcpy(copy, data, bytes);
    mg_stream_block(&s, 0, r);
    size_t at = bytes ? r[0] % bytes : 0, length = bytes;
    // Headers are small: half of all damage goes to the first kilobyte or the last one.
    if (r[1] & 1)
        at = r[1] & 2 ? at % 1024 % (bytes + !bytes) : bytes - 1 - at % 1024 % (bytes + !bytes);
    switch (bytes ? round % 5 : 0) {
    case 0:
        length = at;
        break;
    case 1:
        copy[at] ^= (char)(1 << r[2] % 8);
        break;
    case 2:
        copy[at] = (char)values[r[2] % 5];
        break;
    case 3:
        for (size_t i = at; i < at + 8 && i < bytes; i++) copy[i] = (char)values[r[2] % 5];
        break;
    default: // insert up to 16 bytes from elsewhere
        length = bytes + r[2] % 16;
        memmove(copy + at + (length - bytes), data + at, bytes - at);
        break;
    }
    damage_write(path, copy, length);
    mg_free(copy);
}

// Call `use` with `rounds` damaged copies of the file; `work` is a folder for them.
static inline void damage_each(const char *file, const char *work, const char *name, int rounds,
                               void (*use)(const char *path))
{
    char *data, *path = mg_path_join(work, name);
    size_t bytes;

    CHECK(path);
    OK(mg_read_file(file, (size_t)64 << 20, &data, &bytes));
    for (int i = 0; i < rounds; i++) {
        damage_make(path, data, bytes, i);
        use(path);
    }
    mg_free(data);
    mg_free(path);
}

#endif
