// BMP files: every kind that is read, against pictures put together by hand; what is cut short or lies about
// its sizes is a clean error.
#include "tests/check.h"

#include <stdlib.h>

#include "datasets/codec.h"
#include "runtime/mem.h"

enum { H = 5, W = 7, ROOM = 4096 };

// A file under construction.
typedef struct {
    uint8_t b[ROOM];
    size_t bytes;
} file;

static void put(file *f, size_t at, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) f->b[at + i] = (uint8_t)(v >> 8 * i);
    if (at + bytes > f->bytes) f->bytes = at + bytes;
}

// Headers of a W x H picture; grey palette 10, 20, ... of `colours`.
static void start(file *f, int head, int height, int bits, int packing, int colours)
{
    memset(f, 0, sizeof *f);
    memcpy(f->b, "BM", 2);
    int fields = packing == 3 && head == 40 ? 12 : 0;
    put(f, 10, (uint32_t)(14 + head + fields + 4 * colours), 4);
    put(f, 14, (uint32_t)head, 4);
    put(f, 18, W, 4);
    put(f, 22, (uint32_t)height, 4);
    put(f, 26, 1, 2);
    put(f, 28, (uint32_t)bits, 2);
    put(f, 30, (uint32_t)packing, 4);
    put(f, 46, (uint32_t)colours, 4);
    if (packing == 3)
        for (int c = 0; c < 3; c++) put(f, 54 + 4 * (size_t)c, 0xff0000u >> 8 * c, 4);
    f->bytes = (size_t)(14 + head + fields + 4 * colours);
    for (int i = 0; i < colours; i++) memset(f->b + 14 + head + 4 * i, 10 * (i + 1), 3);
}

static void decode(const file *f, int channels, mg_picture *p)
{
    void *exact = malloc(f->bytes); // so that a sanitizer sees reads behind it
    memcpy(exact, f->b, f->bytes);
    OK(mg_decode_memory(exact, f->bytes, "a.bmp", 0, p));
    free(exact);
    CHECK(p->width == W && p->height == H && p->channels == channels && p->bytes == 1);
    assert_string_equal(p->decoder, "BMP");
}

static void refuse(const file *f, const char *why)
{
    mg_picture p;
    void *exact = malloc(f->bytes ? f->bytes : 1);
    memcpy(exact, f->b, f->bytes);
    FAILS(mg_bmp_decode(exact, f->bytes, "a.bmp", &p), MG_ERR_FORMAT, why);
    CHECK(!p.pixels);
    free(exact);
}

// 1, 4 and 8 bits, all three headers, rows from below and from above.
static void palettes(void **state)
{
    static const int head[] = {40, 108, 124}, bits[] = {1, 4, 8};
    (void)state;

    for (int i = 0; i < 18; i++) {
        int b = bits[i % 3], down = i / 9, most = 1 << b;
        size_t row = ((size_t)W * b + 31) / 32 * 4;
        file f;
        mg_picture p;
        start(&f, head[i / 3 % 3], down ? -H : H, b, 0, most < 20 ? most : 20);
        size_t at = f.bytes;
        f.bytes += H * row;
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                int v = (x + 2 * y) % (most < 20 ? most : 20);
                size_t line = at + row * (size_t)(down ? y : H - 1 - y);
                f.b[line + (size_t)x * b / 8] |= (uint8_t)(v << (8 - b - x * b % 8));
            }
        decode(&f, 1, &p);
        CHECK(p.palette);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                assert_int_equal(((uint8_t *)p.pixels)[y * W + x],
                                 10 * ((x + 2 * y) % (most < 20 ? most : 20) + 1));
        mg_picture_free(&p);
    }
}

static void colours(void **state)
{
    static const struct {
        int bits, packing, head;
    } kind[] = {{24, 0, 40}, {32, 0, 124}, {32, 3, 40}, {32, 3, 124}};
    (void)state;

    for (int k = 0; k < 4; k++) {
        int step = kind[k].bits / 8;
        size_t row = ((size_t)W * step + 3) / 4 * 4;
        file f;
        mg_picture p;
        start(&f, kind[k].head, H, kind[k].bits, kind[k].packing, 0);
        size_t at = f.bytes;
        for (int i = 0; i < H * W; i++)
            put(&f, at + row * (size_t)(H - 1 - i / W) + (size_t)(step * (i % W)),
                (uint32_t)(i % W << 16 | i / W << 8 | 99), 3);
        f.bytes = at + row * H;
        decode(&f, 3, &p);
        for (int i = 0; i < H * W; i++) {
            const uint8_t *v = (uint8_t *)p.pixels + 3 * i;
            CHECK(v[0] == i % W && v[1] == i / W && v[2] == 99);
        }
        mg_picture_free(&p);
    }
}

// A palette with colours makes RGB; as a mask it is refused with the place.
static void colour_palette(void **state)
{
    file f;
    mg_picture p;
    (void)state;

    start(&f, 40, H, 8, 0, 2);
    f.b[54 + 4 + 2] = 200; // red of colour 1
    size_t at = f.bytes;
    f.bytes += 8 * H;
    f.b[at + 8 * (H - 1 - 3) + 2] = 1;
    decode(&f, 3, &p);
    CHECK(((uint8_t *)p.pixels)[3 * (3 * W + 2)] == 200);
    mg_picture_free(&p);
    FAILS(mg_decode_mask_memory(f.b, f.bytes, "m.bmp", &p, NULL), MG_ERR_FORMAT, "row 3, column 2");
    f.b[at] = 2; // behind the palette
    refuse(&f, "colour 2 of 2 at row 4, column 0");
}

static void packed(void **state)
{
    // From below: 7 of 2; skip 2 right, literal 1 0 1, 2 of 1; skip 0 right and 1 up, 3 of 1; end.
    static const uint8_t good[] = {7, 2, 0, 0, 0, 2, 2, 0, 0, 3, 1, 0, 1, 0,
                                   2, 1, 0, 0, 0, 2, 0, 1, 3, 1, 0, 0, 0, 1};
    static const char expected[H][W + 1] = {"0000000", "1110000", "0000000", "0010111", "2222222"};
    static const uint8_t wide[] = {8, 1, 0, 1}, high[] = {0, 2, 0, 5, 1, 1, 0, 1};
    file f;
    mg_picture p;
    (void)state;

    start(&f, 40, H, 8, 1, 3);
    size_t head = f.bytes;
    memcpy(f.b + head, good, sizeof good);
    f.bytes += sizeof good;
    decode(&f, 1, &p);
    for (int i = 0; i < H * W; i++)
        assert_int_equal(((uint8_t *)p.pixels)[i], 10 * (expected[i / W][i % W] - '0' + 1));
    mg_picture_free(&p);
    for (size_t n = head + 1; n < head + sizeof good - 1; n++) {
        f.bytes = n;
        refuse(&f, "ends early");
    }
    memcpy(f.b + head, wide, sizeof wide);
    f.bytes = head + sizeof wide;
    refuse(&f, "packs 8 pixels behind column 0");
    memcpy(f.b + head, high, sizeof high);
    f.bytes = head + sizeof high;
    refuse(&f, "of row 5");
    put(&f, 18, 60000, 4);
    put(&f, 22, 5000, 4);
    refuse(&f, "too few for 60000 x 5000");
}

static void hostile(void **state)
{
    static const struct {
        int at, bytes;
        uint32_t value;
        const char *why;
    } lie[] = {
        {14, 4, 12, "header of 12 bytes"},
        {18, 4, 0, "is 0 x 5"},
        {18, 4, 0xffffffff, "is -1 x 5"},
        {18, 4, 65536, "65536 x 5"},
        {22, 4, 0, "7 x 0"},
        {22, 4, 0x80000000, "7 x -2147483648"},
        {22, 4, 6, "ends early"},
        {28, 2, 16, "16 bits"},
        {28, 2, 0, "0 bits"},
        {30, 4, 2, "compression 2"},
        {30, 4, 4, "compression 4"},
        {30, 4, 3, "expected 32 bits"},
        {10, 4, 0xfffffff0, "pixels at byte 4294967280"},
        {10, 4, 90, "ends early"},
        {46, 4, 257, "257 colours"},
        {46, 4, 0, "ends in its palette"},
    };
    file f;
    (void)state;

    for (size_t i = 0; i < sizeof lie / sizeof *lie; i++) {
        start(&f, 40, H, 8, 0, 3);
        f.bytes += 8 * H;
        put(&f, (size_t)lie[i].at, lie[i].value, lie[i].bytes);
        refuse(&f, lie[i].why);
    }
    start(&f, 40, H, 24, 0, 0);
    put(&f, 18, 65535, 4);
    put(&f, 22, 65535, 4);
    refuse(&f, "larger than 1 GiB");
    start(&f, 40, H, 8, 0, 3);
    f.bytes += 8 * H;
    size_t whole = f.bytes;
    for (f.bytes = 2; f.bytes < whole; f.bytes++) refuse(&f, "a.bmp");
}

static void round_trip(void **state)
{
    static const uint8_t grey[] = {0, 128, 255};
    uint8_t pixels[H * W * 3];
    mg_picture p;
    void *data;
    size_t bytes;
    (void)state;

    for (int i = 0; i < H * W * 3; i++) pixels[i] = (uint8_t)(31 * i);
    for (int channels = 1; channels <= 3; channels += 2) {
        OK(mg_encode_bmp(pixels, H, W, channels, NULL, 0, &data, &bytes));
        OK(mg_decode_memory(data, bytes, "b", 0, &p));
        assert_int_equal(p.channels, channels);
        assert_memory_equal(p.pixels, pixels, (size_t)H * W * channels);
        mg_picture_free(&p);
        mg_free(data);
    }
    for (int i = 0; i < H * W; i++) pixels[i] = (uint8_t)(i % 3);
    OK(mg_encode_bmp(pixels, H, W, 1, grey, 3, &data, &bytes));
    OK(mg_decode_mask_memory(data, bytes, "b", &p, NULL)); // looked up, not the index
    for (int i = 0; i < H * W; i++) assert_int_equal(((uint8_t *)p.pixels)[i], grey[i % 3]);
    mg_picture_free(&p);
    mg_free(data);
}

static int none_left(void **state)
{
    (void)state;
    return mg_mem_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(palettes), cmocka_unit_test(colours), cmocka_unit_test(colour_palette),
        cmocka_unit_test(packed),   cmocka_unit_test(hostile), cmocka_unit_test(round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, none_left);
}
