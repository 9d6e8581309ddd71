// Plain PNG pictures decoded without libpng: the same pixels as libpng's for every filter, shape and cut
// into chunks; what is odd or damaged is left to libpng, with its verdict.
#include "tests/check.h"

#include <zlib.h>

#include "datasets/codec.h"
#include "runtime/mem.h"

enum { ROOM = 1 << 18 };

static void put_number(uint8_t *at, size_t v)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(v >> (24 - 8 * i));
}

typedef struct {
    uint8_t data[ROOM];
    size_t bytes;
} file;

static void put_chunk(file *f, const char *type, const void *data, size_t bytes)
{
    uint8_t *at = f->data + f->bytes;
    put_number(at, bytes);
    memcpy(at + 4, type, 4);
    memcpy(at + 8, data, bytes);
    put_number(at + 8 + bytes, crc32(0, at + 4, (uInt)bytes + 4));
    f->bytes += bytes + 12;
}

// What a picture is made of; any bytes behind a filter's number are a valid filtered row.
typedef struct {
    int height, width, channels;
    int filter;      // of all rows, or -1: random ones
    size_t piece;    // bytes of an IDAT chunk
    const char *odd; // chunk before the first IDAT, with two zero bytes, or NULL
} recipe;

static void make(const recipe *r, uint32_t seed, file *f)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static uint8_t rows[ROOM], packed[ROOM];
    uint8_t header[13] = {0};
    size_t n = (size_t)r->width * r->channels + 1, bytes = n * r->height;
    uLongf packed_bytes = sizeof packed;
    mg_stream s = {seed, MG_RNG_FREE, 0, 0};

    for (size_t i = 0; i < bytes; i++) {
        uint32_t w[4];
        mg_stream_block(&s, (uint32_t)i, w);
        rows[i] = (uint8_t)(w[0] % 3 ? w[1] % 5 - 2 : w[1]);
        if (i % n == 0) rows[i] = (uint8_t)(r->filter < 0 ? w[2] % 5 : (uint32_t)r->filter);
    }
    assert_int_equal(compress2(packed, &packed_bytes, rows, bytes, 6), Z_OK);
    memcpy(f->data, signature, f->bytes = sizeof signature);
    put_number(header, (size_t)r->width);
    put_number(header + 4, (size_t)r->height);
    header[8] = 8;
    header[9] = r->channels == 3 ? 2 : 0;
    put_chunk(f, "IHDR", header, sizeof header);
    put_chunk(f, "tEXt", "Comment\0plain", 13);
    if (r->odd) put_chunk(f, r->odd, "\0\0", 2);
    for (size_t at = 0; at < packed_bytes; at += r->piece)
        put_chunk(f, "IDAT", packed + at,
                  r->piece < packed_bytes - at ? r->piece : packed_bytes - at);
    put_chunk(f, "IEND", "", 0);
}

// Both decoders on the same picture: a transparent colour, which raw samples ignore, keeps it from being
// plain.
static void check_both(recipe r, uint32_t seed)
{
    static file f;
    mg_picture plain, other;

    r.odd = NULL;
    make(&r, seed, &f);
    CHECK(mg_png_plain(f.data, f.bytes, &plain));
    r.odd = "tRNS";
    make(&r, seed, &f);
    CHECK(!mg_png_plain(f.data, f.bytes, &other));
    assert_null(other.pixels);
    OK(mg_png_decode(f.data, f.bytes, "odd", true, &other));
    assert_int_equal(plain.height, other.height);
    assert_int_equal(plain.width, other.width);
    assert_int_equal(plain.full_height, other.full_height);
    assert_int_equal(plain.full_width, other.full_width);
    assert_int_equal(plain.channels, other.channels);
    assert_int_equal(plain.bytes, other.bytes);
    assert_int_equal(plain.scale, other.scale);
    assert_int_equal(plain.exif_orientation, other.exif_orientation);
    assert_memory_equal(plain.pixels, other.pixels,
                        (size_t)plain.height * plain.width * plain.channels);
    mg_picture_free(&plain);
    mg_picture_free(&other);
}

// tRNS of an RGB picture has six bytes: libpng drops it with a warning, which is as good.
static void every_filter(void **state)
{
    (void)state;
    for (int filter = -1; filter < 5; filter++)
        for (int channels = 1; channels <= 3; channels += 2)
            for (int width = 1; width <= 5; width++)
                for (int height = 1; height <= 5; height++)
                    check_both((recipe){height, width, channels, filter, ROOM, NULL}, 1);
    for (uint32_t seed = 0; seed < 20; seed++) {
        check_both((recipe){61, 47, 1, -1, 100, NULL}, seed);
        check_both((recipe){40, 33, 3, -1, 1, NULL}, seed);
        check_both((recipe){64, 33, 1, 4, 1000, NULL}, seed);
    }
}

// Must not be plain, and libpng's verdict follows: an error with this text, or NULL.
static void check_odd(const file *f, const char *error)
{
    mg_picture p;

    CHECK(!mg_png_plain(f->data, f->bytes, &p));
    assert_null(p.pixels);
    if (error)
        FAILS(mg_png_decode(f->data, f->bytes, "odd", false, &p), MG_ERR_FORMAT, error);
    else
        OK(mg_png_decode(f->data, f->bytes, "odd", false, &p));
    mg_picture_free(&p);
}

static void left_to_libpng(void **state)
{
    static file f;
    recipe r = {20, 30, 1, -1, 50, NULL};
    mg_picture p;
    (void)state;

    make(&r, 1, &f);
    for (size_t bytes = 0; bytes < f.bytes; bytes++) { // cut short anywhere
        uint8_t *cut = malloc(bytes ? bytes : 1); // nothing behind it: a sanitizer sees more read
        memcpy(cut, f.data, bytes);
        CHECK(!mg_png_plain(cut, bytes, &p));
        assert_null(p.pixels);
        free(cut);
    }
    f.bytes -= 20;
    check_odd(&f, "the file ends early");
    make(&r, 1, &f);
    f.data[8 + 8 + 8] = 16; // its header's checksum is wrong now
    check_odd(&f, "CRC error");
    make(&r, 1, &f);
    f.data[8 + 25 + 25 + 60] ^= 1; // the end of the first IDAT
    check_odd(&f, "");
    r.odd = "gAMB"; // may be passed over
    make(&r, 1, &f);
    CHECK(mg_png_plain(f.data, f.bytes, &p));
    mg_picture_free(&p);
    r.odd = "g4MB"; // no letter
    make(&r, 1, &f);
    check_odd(&f, "invalid chunk type");
    r.odd = "ZAMB"; // may not
    make(&r, 1, &f);
    check_odd(&f, "unhandled critical chunk");
    r.odd = NULL;
    r.filter = 5;
    make(&r, 1, &f);
    check_odd(&f, "bad adaptive filter value");
    r.filter = 0;
    r.height = 19; // one row more than the header says
    make(&r, 1, &f);
    put_number(f.data + 20, 18);
    put_number(f.data + 29, crc32(0, f.data + 12, 17));
    CHECK(!mg_png_plain(f.data, f.bytes, &p));
    put_number(f.data + 20, 20); // one row less
    put_number(f.data + 29, crc32(0, f.data + 12, 17));
    check_odd(&f, "");
    put_number(f.data + 16, 65535); // sizes that no such file can have
    put_number(f.data + 20, 65535);
    put_number(f.data + 29, crc32(0, f.data + 12, 17));
    check_odd(&f, "too little data");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_filter),
        cmocka_unit_test(left_to_libpng),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
