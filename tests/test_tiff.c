// TIFF files: strips and tiles, channels together and apart, packings, bit depths, orientations, as libtiff
// itself writes them; what is cut short, flipped or lies about its sizes is a clean error.
#include "tests/check.h"

#include <stdlib.h>
#include <unistd.h>

#include <tiffio.h>

#include "datasets/codec.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

enum { H = 45, W = 53 };

static char folder[] = "/tmp/test_tiff_XXXXXX";

typedef struct {
    int bits, samples, photometric, packing, planar, tile, orientation;
} kind;

static unsigned value_of(const kind *k, int y, int x, int c)
{
    unsigned v = k->packing == COMPRESSION_JPEG
                     ? (unsigned)(128 + 90 * sin(.1 * x + c) * cos(.12 * y))
                     : (unsigned)(x * 7 + y * 13 + c * 101 + x * y);
    return v & ((1u << k->bits) - 1);
}

// A packed piece of `columns` x `rows` at (x0, y0): all channels, or the one of plane c.
static void fill(const kind *k, uint8_t *to, int x0, int y0, int columns, int rows, int plane)
{
    int each = plane < 0 ? k->samples : 1;
    size_t row = ((size_t)columns * each * k->bits + 7) / 8;

    memset(to, 0, row * (size_t)rows);
    for (int y = 0; y < rows; y++)
        for (int i = 0; i < columns * each; i++) {
            unsigned v = value_of(k, y0 + y, x0 + i / each, plane < 0 ? i % each : plane);
            uint8_t *at = to + (size_t)y * row;
            if (k->bits == 16)
                memcpy(at + 2 * i, &(uint16_t){(uint16_t)v}, 2);
            else
                at[i * k->bits / 8] |= (uint8_t)(v << (8 - k->bits - i * k->bits % 8));
        }
}

static void write_pieces(TIFF *t, const kind *k, uint8_t *buffer)
{
    int planes = k->planar == PLANARCONFIG_SEPARATE ? k->samples : 1;
    int width = k->tile ? k->tile : W, height = k->tile ? k->tile : 16;

    for (int c = 0; c < planes; c++)
        for (int y = 0; y < H; y += height)
            for (int x = 0; x < W; x += width) {
                int rows = k->tile || y + height <= H ? height : H - y;
                fill(k, buffer, x, y, width, rows, planes > 1 ? c : -1);
                if (k->tile)
                    CHECK(TIFFWriteTile(t, buffer, (uint32_t)x, (uint32_t)y, 0, (uint16_t)c) > 0);
                else
                    CHECK(TIFFWriteEncodedStrip(t, TIFFComputeStrip(t, (uint32_t)y, (uint16_t)c),
                                                buffer, TIFFVStripSize(t, (uint32_t)rows)) > 0);
            }
}

// The path of a file of this kind, mg_free'd by the caller.
static char *write_kind(const kind *k)
{
    char *path = mg_path_join(folder, "a.tif");
    static uint8_t buffer[64 * 64 * 8];
    uint16_t map[3][256];
    TIFF *t = TIFFOpen(path, "w");

    assert_non_null(t);
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, W);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, H);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, k->bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, k->samples);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, k->photometric);
    TIFFSetField(t, TIFFTAG_COMPRESSION, k->packing);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, k->planar ? k->planar : PLANARCONFIG_CONTIG);
    if (k->orientation) TIFFSetField(t, TIFFTAG_ORIENTATION, k->orientation);
    if (k->photometric == PHOTOMETRIC_YCBCR)
        TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    if (k->tile) {
        TIFFSetField(t, TIFFTAG_TILEWIDTH, k->tile);
        TIFFSetField(t, TIFFTAG_TILELENGTH, k->tile);
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 16);
    }
    for (int i = 0; i < 256; i++)
        map[0][i] = (uint16_t)(257 * i), map[1][i] = (uint16_t)(256 * (255 - i)),
        map[2][i] = 7 << 8;
    if (k->photometric == PHOTOMETRIC_PALETTE)
        TIFFSetField(t, TIFFTAG_COLORMAP, map[0], map[1], map[2]);
    write_pieces(t, k, buffer);
    TIFFClose(t);
    return path;
}

static int got_at(const mg_picture *p, int y, int x, int c)
{
    size_t i = ((size_t)y * p->width + x) * p->channels + c;
    return p->bytes == 2 ? ((uint16_t *)p->pixels)[i] : ((uint8_t *)p->pixels)[i];
}

static void check_kind(const kind *k, bool raw)
{
    char *path = write_kind(k);
    int top = (1 << k->bits) - 1;
    mg_picture p;

    OK(raw ? mg_decode_mask(path, &p, NULL) : mg_decode_file(path, 0, &p));
    CHECK(p.height == H && p.width == W && p.bytes == (k->bits == 16 ? 2 : 1));
    assert_int_equal(p.lossy, k->packing == COMPRESSION_JPEG);
    bool map = k->photometric == PHOTOMETRIC_PALETTE && !raw;
    assert_int_equal(p.channels, map || k->samples >= 3 ? 3 : 1);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < p.channels; c++) {
                int v = (int)value_of(k, y, x, map ? 0 : c);
                if (map) v = c == 0 ? v : c == 1 ? 255 - v : 7;
                if (k->photometric == PHOTOMETRIC_MINISWHITE) v = top - v;
                if (!raw && !map && k->bits < 8) v = v * 255 / top;
                CHECK(abs(got_at(&p, y, x, c) - v) <= (k->packing == COMPRESSION_JPEG ? 24 : 0));
            }
    mg_picture_free(&p);
    mg_free(path);
}

static void kinds(void **state)
{
    enum { GREY = PHOTOMETRIC_MINISBLACK, RGB = PHOTOMETRIC_RGB, APART = PLANARCONFIG_SEPARATE };
    static const kind row[] = {
        {8, 1, GREY, COMPRESSION_NONE, 0, 0, 0},
        {8, 1, PHOTOMETRIC_MINISWHITE, COMPRESSION_LZW, 0, 0, 0},
        {8, 2, GREY, COMPRESSION_LZW, 0, 16, 0},
        {8, 3, RGB, COMPRESSION_LZW, 0, 0, 0},
        {8, 3, RGB, COMPRESSION_ADOBE_DEFLATE, APART, 0, 0},
        {8, 4, RGB, COMPRESSION_PACKBITS, 0, 32, 0},
        {8, 4, RGB, COMPRESSION_ADOBE_DEFLATE, APART, 16, 0},
        {16, 1, GREY, COMPRESSION_LZW, 0, 0, 0},
        {16, 3, RGB, COMPRESSION_LZW, 0, 16, 0},
        {1, 1, GREY, COMPRESSION_NONE, 0, 0, 0},
        {1, 1, PHOTOMETRIC_MINISWHITE, COMPRESSION_CCITTFAX4, 0, 0, 0},
        {2, 1, GREY, COMPRESSION_LZW, 0, 0, 0},
        {4, 1, GREY, COMPRESSION_LZW, 0, 16, 0},
        {8, 1, PHOTOMETRIC_PALETTE, COMPRESSION_LZW, 0, 0, 0},
        {8, 1, GREY, COMPRESSION_JPEG, 0, 0, 0},
        {8, 3, RGB, COMPRESSION_JPEG, 0, 0, 0},
        {8, 3, PHOTOMETRIC_YCBCR, COMPRESSION_JPEG, 0, 0, 0},
        {8, 3, PHOTOMETRIC_YCBCR, COMPRESSION_JPEG, 0, 32, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (int raw = 0; raw < (row[i].samples == 1 ? 2 : 1); raw++) check_kind(&row[i], raw);
}

// The pixel of the file's row 2, column 5 lies where the tag says.
static void orientations(void **state)
{
    static const int place[9][2] = {{2, 5}, {2, 5},     {2, W - 6},     {H - 3, W - 6}, {H - 3, 5},
                                    {5, 2}, {5, H - 3}, {W - 6, H - 3}, {W - 6, 2}};
    (void)state;

    for (int o = 1; o <= 8; o++) {
        kind k = {8, 3, PHOTOMETRIC_RGB, COMPRESSION_LZW, 0, 0, o};
        char *path = write_kind(&k);
        mg_picture p;
        OK(mg_decode_file(path, 0, &p));
        CHECK(p.height == (o < 5 ? H : W) && p.width == (o < 5 ? W : H));
        for (int c = 0; c < 3; c++)
            assert_int_equal(got_at(&p, place[o][0], place[o][1], c), value_of(&k, 2, 5, c));
        mg_picture_free(&p);
        mg_free(path);
    }
}

static void round_trip(void **state)
{
    static uint8_t pixels[H * W * 3];
    mg_picture p;
    void *data;
    size_t bytes;
    (void)state;

    for (int i = 0; i < H * W * 3; i++) pixels[i] = (uint8_t)(31 * i + i / 50);
    for (int channels = 1; channels <= 3; channels += 2) {
        OK(mg_encode_tiff(pixels, H, W, channels, &data, &bytes));
        OK(mg_decode_memory(data, bytes, "t", 0, &p));
        assert_string_equal(p.decoder, "libtiff");
        assert_int_equal(p.channels, channels);
        assert_memory_equal(p.pixels, pixels, (size_t)H * W * channels);
        mg_picture_free(&p);
        mg_free(data);
    }
}

// Any piece of a file, and any flipped byte: an error that names it or a picture, never anything worse.
static void damaged(void **state)
{
    static const kind row[] = {{8, 3, PHOTOMETRIC_RGB, COMPRESSION_LZW, 0, 0, 0},
                               {8, 1, PHOTOMETRIC_MINISBLACK, COMPRESSION_ADOBE_DEFLATE, 0, 16, 0},
                               {8, 3, PHOTOMETRIC_YCBCR, COMPRESSION_JPEG, 0, 0, 0}};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        char *path = write_kind(&row[i]), *data;
        size_t bytes;
        mg_picture p;
        OK(mg_read_file(path, 1 << 20, &data, &bytes));
        for (size_t n = 4; n < bytes; n += 1 + n / 16) { // the directory stands at the end
            FAILS(mg_decode_memory(data, n, "piece.tif", 0, &p), MG_ERR_FORMAT, "piece.tif");
            CHECK(!p.pixels);
        }
        for (size_t at = 0; at<bytes; at += at> 8 && at + 400 < bytes ? 29 : 1) {
            data[at] ^= 0x5a;
            if (mg_decode_memory(data, bytes, "flipped", 0, &p)) {
                CHECK(!p.pixels);
                mg_err_clear();
            }
            mg_picture_free(&p);
            data[at] ^= 0x5a;
        }
        mg_free(data);
        mg_free(path);
    }
}

// Directories of a few bytes that promise enormous or impossible pictures.
static void hostile(void **state)
{
    static const struct {
        uint32_t width, height, bits, samples, photometric, format;
        const char *why;
    } row[] = {
        {60000, 60000, 8, 1, 1, 1, "larger than 1 GiB"},
        {18000, 18000, 8, 1, 1, 1, "too few for 18000 x 18000"},
        {65536, 1, 8, 1, 1, 1, "expected sides of 1 to 65535"},
        {0, 5, 8, 1, 1, 1, "size is zero"},
        {5, 5, 8, 3, 6, 1, "colours of kind 6"},
        {5, 5, 8, 1, 2, 1, "1 values a pixel"},
        {5, 5, 8, 9, 1, 1, "9 values a pixel"},
        {5, 5, 32, 1, 1, 1, "32 bits a value"},
        {5, 5, 8, 1, 1, 3, "format 3"},
        {5, 5, 8, 1, 1, 1, "cannot decode TIFF 'h.tif'"}, // its strip lies behind the end
    };
    (void)state;

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const uint32_t entry[][2] = {{256, row[i].width},
                                     {257, row[i].height},
                                     {258, row[i].bits},
                                     {259, 1},
                                     {262, row[i].photometric},
                                     {273, 5000},
                                     {277, row[i].samples},
                                     {278, row[i].height},
                                     {279, 25},
                                     {339, row[i].format}};
        uint8_t b[8 + 2 + 12 * 10 + 4] = "II*\0\10";
        uint16_t count = 10;
        mg_picture p;
        memcpy(b + 8, &count, 2);
        for (int e = 0; e < 10; e++) {
            uint16_t head[2] = {(uint16_t)entry[e][0], 4};
            uint32_t one = 1;
            if (e >= 2 && e != 5 && e != 7 && e != 8) head[1] = 3;
            memcpy(b + 10 + 12 * e, head, 4);
            memcpy(b + 14 + 12 * e, &one, 4);
            memcpy(b + 18 + 12 * e, &entry[e][1], 4);
        }
        FAILS(mg_decode_memory(b, sizeof b, "h.tif", 0, &p), MG_ERR_FORMAT, row[i].why);
        CHECK(!p.pixels);
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return mg_remove_tree(folder) != MG_OK || mg_mem_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),   cmocka_unit_test(orientations), cmocka_unit_test(round_trip),
        cmocka_unit_test(damaged), cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
