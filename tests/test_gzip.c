// Whole files that may be gzip: what comes out, the limit, and files that are cut or damaged. (Streams that are read piece
// by piece: test_nifti.c.)
#include "tests/check.h"

#include <unistd.h>

#include "runtime/fsys.h"
#include "runtime/gzip.h"
#include "runtime/mem.h"

enum { BYTES = 300000 };

static char folder[64], *path;
static char *text; // [BYTES]: compresses, but not to nothing

static void put(const void *data, size_t bytes)
{
    OK(mg_write_file(path, data, bytes));
}

static void expect(size_t limit, size_t want)
{
    char *data;
    size_t bytes = 0;

    OK(mg_gunzip_file(path, limit, &data, &bytes));
    assert_int_equal(bytes, want);
    CHECK(!memcmp(data, text, want) && data[want] == '\0');
    mg_free(data);
}

static void refuse(size_t limit, mg_status code, const char *message)
{
    char *data = text;
    size_t bytes;

    FAILS(mg_gunzip_file(path, limit, &data, &bytes), code, message);
    CHECK(!data);
}

static void plain_and_packed(void **state)
{
    static const size_t sizes[] = {0, 1, 65534, 65535, 65536, 65537, 131072, BYTES};
    (void)state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *packed;
        size_t n = sizes[i], bytes;
        put(text, n);
        expect(n, n);
        expect(BYTES, n);
        if (n) refuse(n - 1, MG_ERR_FORMAT, " bytes");
        OK(mg_gzip(text, n, 6, &packed, &bytes));
        put(packed, bytes);
        expect(n, n);
        expect(SIZE_MAX / 2, n);
        if (n) refuse(n - 1, MG_ERR_FORMAT, " bytes inside");
        mg_free(packed);
    }
}

static void members(void **state)
{
    void *one, *two;
    size_t first, second;
    (void)state;

    OK(mg_gzip(text, 100000, 6, &one, &first));
    OK(mg_gzip(text + 100000, BYTES - 100000, 1, &two, &second));
    char *both = mg_alloc(first + second + 9);
    memcpy(both, one, first);
    memcpy(both + first, two, second);
    memcpy(both + first + second, "trailing", 9);
    put(both, first + second);
    expect(BYTES, BYTES);
    refuse(BYTES - 1, MG_ERR_FORMAT, "has more than 299999 bytes inside");
    put(both, first + second + 9); // what is no gzip is no part of it
    expect(BYTES, BYTES);
    mg_free(both), mg_free(one), mg_free(two);
}

// Every shorter file is cut off, and every changed byte behind the header is found (but for the last bits of the packed
// data, which stand for nothing).
static void damaged(void **state)
{
    enum { SMALL = 400 };
    void *packed;
    size_t bytes;
    (void)state;

    OK(mg_gzip(text, SMALL, 6, &packed, &bytes));
    for (size_t n = 2; n < bytes; n++) {
        put(packed, n);
        refuse(BYTES, MG_ERR_FORMAT, "is cut off");
    }
    for (size_t n = 10; n < bytes; n++) {
        bool last = n == bytes - 9;
        ((unsigned char *)packed)[n] ^= last ? 1 : 0x10;
        put(packed, bytes);
        refuse(BYTES, MG_ERR_FORMAT, path);
        ((unsigned char *)packed)[n] ^= last ? 1 : 0x10;
    }
    mg_free(packed);
    OK(mg_remove_tree(path));
    refuse(BYTES, MG_ERR_IO, "cannot open");
    OK(mg_make_dirs(path));
    refuse(BYTES, MG_ERR_IO, "cannot read");
    OK(mg_remove_tree(path));
}

// A megabyte that unpacks to a gigabyte is given up at the limit.
static void bomb(void **state)
{
    enum { MANY = 1 << 26 };
    char *zeros = mg_calloc(MANY, 1), *all;
    void *packed;
    size_t bytes;
    (void)state;

    OK(mg_gzip(zeros, MANY, 9, &packed, &bytes));
    mg_free(zeros);
    all = mg_alloc(16 * bytes);
    for (size_t i = 0; i < 16; i++) memcpy(all + i * bytes, packed, bytes);
    put(all, 16 * bytes);
    mg_free(all), mg_free(packed);
    size_t before = mg_mem_peak_rss();
    refuse(1 << 20, MG_ERR_FORMAT, "has more than 1048576 bytes inside");
    CHECK(mg_mem_peak_rss() < before + (8 << 20));
}

static int prepare(void **state)
{
    mg_stream s = {3, MG_RNG_FREE, 0, 0};
    (void)state;

    if (!check_folder(folder, "gzip")) return -1;
    path = mg_path_join(folder, "file");
    text = mg_alloc(BYTES);
    if (!path || !text) return -1;
    for (int i = 0; i < BYTES; i++) text[i] = (char)(97 + 4 * mg_stream_normal(&s, (uint64_t)i));
    return 0;
}

static int clean(void **state)
{
    (void)state;
    mg_free(path);
    mg_free(text);
    return mg_remove_tree(folder) != MG_OK || mg_mem_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_packed),
        cmocka_unit_test(members),
        cmocka_unit_test(damaged),
        cmocka_unit_test(bomb),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
