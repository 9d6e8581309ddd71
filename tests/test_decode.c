// Image files: what is written is read back, truncated and hostile files are clean errors.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/codec.h"
#include "datasets/decode.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

enum { H = 23, W = 37 };

static char folder[] = "/tmp/test_decode_XXXXXX";

static char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

// A smooth pattern, which JPEG keeps nearly as it is.
static void pattern(uint8_t *pixels, int height, int width, int channels)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                pixels[(y * width + x) * channels + c] =
                    (uint8_t)(128 + 90 * sin(0.1 * x + c) * cos(0.12 * y));
}

static void check_shape(const mg_picture *p, int channels, int bytes)
{
    assert_int_equal(p->height, H);
    assert_int_equal(p->width, W);
    assert_int_equal(p->channels, channels);
    assert_int_equal(p->bytes, bytes);
    assert_int_equal(p->full_height, H);
    assert_int_equal(p->full_width, W);
}

static void png_grey_and_rgb(void **state)
{
    uint8_t pixels[H * W * 3];
    mg_picture p;
    (void)state;

    for (int channels = 1; channels <= 3; channels += 2) {
        char *path = in_folder("a.png");
        pattern(pixels, H, W, channels);
        OK(mg_write_png(path, pixels, H, W, channels));
        OK(mg_decode_file(path, 0, &p));
        check_shape(&p, channels, 1);
        assert_memory_equal(p.pixels, pixels, (size_t)H * W * channels);
        CHECK(!p.palette && !p.lossy && p.exif_orientation == 1);
        mg_picture_free(&p);
    }
}

static void png_palette(void **state)
{
    static const uint8_t palette[3][3] = {{0, 0, 0}, {200, 10, 20}, {7, 8, 9}};
    uint8_t index[H * W];
    mg_picture p;
    bool lossy = true;
    (void)state;

    for (int i = 0; i < H * W; i++) index[i] = (uint8_t)(i % 3);
    char *path = in_folder("p.png");
    OK(mg_write_png_palette(path, index, H, W, palette, 3));
    OK(mg_decode_file(path, 0, &p));
    check_shape(&p, 3, 1);
    CHECK(p.palette);
    for (int i = 0; i < H * W; i++)
        assert_memory_equal((uint8_t *)p.pixels + 3 * i, palette[i % 3], 3);
    mg_picture_free(&p);

    OK(mg_decode_mask(path, &p, &lossy)); // the index, not the colour
    check_shape(&p, 1, 1);
    assert_memory_equal(p.pixels, index, sizeof index);
    CHECK(!lossy);
    mg_picture_free(&p);
}

static void png_16_bit(void **state)
{
    uint16_t pixels[H * W];
    mg_picture p;
    (void)state;

    for (int i = 0; i < H * W; i++) pixels[i] = (uint16_t)(i * 77);
    char *path = in_folder("w.png");
    OK(mg_write_png16(path, pixels, H, W));
    OK(mg_decode_file(path, 0, &p));
    check_shape(&p, 1, 2);
    assert_memory_equal(p.pixels, pixels, sizeof pixels);
    mg_picture_to_8bit(&p);
    assert_int_equal(p.bytes, 1);
    for (int i = 0; i < H * W; i++)
        assert_int_equal(((uint8_t *)p.pixels)[i], (int)floor(pixels[i] / 257.0 + 0.5));
    mg_picture_free(&p);
}

// A hand-made 1-bit grey PNG of 10 x 2: 1010101010, 0000000001.
static void png_1_bit(void **state)
{
    static const uint8_t file[] = {
        0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
        0x52, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x02, 0x01, 0x00, 0x00, 0x00, 0x00, 0x49,
        0x1a, 0x70, 0x7d, 0x00, 0x00, 0x00, 0x11, 0x49, 0x44, 0x41, 0x54, 0x78, 0x01, 0x01, 0x06,
        0x00, 0xf9, 0xff, 0x00, 0xaa, 0x80, 0x00, 0x00, 0x40, 0x05, 0x98, 0x01, 0x6b, 0xa2, 0xb9,
        0x5c, 0xd4, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
    mg_picture p;
    (void)state;

    OK(mg_decode_memory(file, sizeof file, "one bit", 0, &p));
    assert_int_equal(p.width, 10);
    for (int i = 0; i < 10; i++) assert_int_equal(((uint8_t *)p.pixels)[i], i % 2 ? 0 : 255);
    mg_picture_free(&p);
    OK(mg_png_decode(file, sizeof file, "one bit", true, &p));
    assert_int_equal(((uint8_t *)p.pixels)[0], 1);
    assert_int_equal(((uint8_t *)p.pixels)[19], 1);
    assert_int_equal(((uint8_t *)p.pixels)[18], 0);
    mg_picture_free(&p);
}

static void colour_mask(void **state)
{
    uint8_t pixels[H * W * 3];
    mg_picture p;
    (void)state;

    for (int i = 0; i < H * W; i++) memset(pixels + 3 * i, i % 5, 3);
    char *path = in_folder("m.png");
    OK(mg_write_png(path, pixels, H, W, 3));
    OK(mg_decode_mask(path, &p, NULL));
    check_shape(&p, 1, 1);
    for (int i = 0; i < H * W; i++) assert_int_equal(((uint8_t *)p.pixels)[i], i % 5);
    mg_picture_free(&p);
    pixels[3 * (2 * W + 4) + 1] = 99;
    OK(mg_write_png(path, pixels, H, W, 3));
    FAILS(mg_decode_mask(path, &p, NULL), MG_ERR_FORMAT, "row 2, column 4");
}

static void jpeg_round_trip(void **state)
{
    uint8_t pixels[H * W * 3];
    mg_picture p;
    (void)state;

    for (int channels = 1; channels <= 3; channels += 2) {
        char *path = in_folder("a.jpg");
        pattern(pixels, H, W, channels);
        OK(mg_write_jpeg(path, pixels, H, W, channels, 98));
        OK(mg_decode_file(path, 0, &p));
        check_shape(&p, channels, 1);
        CHECK(p.lossy && p.scale == 1);
        double gap = 0;
        for (int i = 0; i < H * W * channels; i++) gap += abs(pixels[i] - ((uint8_t *)p.pixels)[i]);
        CHECK(gap / (H * W * channels) < 4);
        mg_picture_free(&p);
    }
    bool lossy = false;
    OK(mg_decode_mask(in_folder("a.jpg"), &p, &lossy));
    CHECK(lossy && p.channels == 1);
    mg_picture_free(&p);
}

static void jpeg_scaled(void **state)
{
    static const struct {
        int side, scale;
    } rule[] = {{0, 1}, {700, 1}, {400, 1}, {320, 2}, {161, 2}, {160, 4}, {80, 8}, {1, 8}};
    int h = 480, w = 640;
    uint8_t *pixels = mg_alloc((size_t)h * w);
    mg_picture p;
    (void)state;

    pattern(pixels, h, w, 1);
    OK(mg_write_jpeg(in_folder("s.jpg"), pixels, h, w, 1, 90));
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++) {
        OK(mg_decode_file(in_folder("s.jpg"), rule[i].side, &p));
        assert_int_equal(p.scale, rule[i].scale);
        assert_int_equal(p.width, w / rule[i].scale);
        assert_int_equal(p.height, h / rule[i].scale);
        assert_int_equal(p.full_width, w);
        mg_picture_free(&p);
    }
    mg_free(pixels);
}

// The same JPEG with an EXIF segment that says orientation 6, in both byte orders.
static void exif(void **state)
{
    static const uint8_t little[] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0,    0, 'I', 'I',
                                     42,   0,    8, 0,  0,   0,   1,   0,   0x12, 1, 3,   0,
                                     1,    0,    0, 0,  6,   0,   0,   0,   0,    0, 0,   0};
    static const uint8_t big[] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,    'M', 'M',
                                  0,    42,   0, 0,  0,   8,   0,   1,   1, 0x12, 0,   3,
                                  0,    0,    0, 1,  0,   6,   0,   0,   0, 0,    0,   0};
    uint8_t pixels[H * W], file[8192];
    void *data;
    size_t bytes;
    mg_picture p;
    (void)state;

    pattern(pixels, H, W, 1);
    OK(mg_encode_jpeg(pixels, H, W, 1, 90, &data, &bytes));
    for (int i = 0; i < 2; i++) {
        memcpy(file, data, 2);
        memcpy(file + 2, i ? big : little, sizeof little);
        memcpy(file + 2 + sizeof little, (char *)data + 2, bytes - 2);
        OK(mg_decode_memory(file, bytes + sizeof little, "exif", 0, &p));
        assert_int_equal(p.exif_orientation, 6);
        assert_int_equal(p.width, W); // not applied
        mg_picture_free(&p);
    }
    mg_free(data);
}

// Every shorter piece of a file is an error that names it.
static void cut_short(const void *data, size_t bytes, size_t step)
{
    mg_picture p;
    for (size_t n = 0; n < bytes; n += step) {
        void *piece = malloc(n ? n : 1); // exact, so that a sanitizer sees reads behind it
        memcpy(piece, data, n);
        FAILS(mg_decode_memory(piece, n, "piece.x", 0, &p), MG_ERR_FORMAT, "piece.x");
        CHECK(!p.pixels);
        free(piece);
    }
}

static void truncated(void **state)
{
    uint8_t pixels[H * W * 3];
    void *data;
    size_t bytes;
    (void)state;

    pattern(pixels, H, W, 3);
    OK(mg_encode_jpeg(pixels, H, W, 3, 90, &data, &bytes));
    cut_short(data, bytes, 10);
    cut_short((char *)data, bytes - 1, bytes - 2);
    mg_free(data);
    OK(mg_encode_png(pixels, H, W, 3, &data, &bytes));
    cut_short(data, bytes, 10);
    mg_free(data);
    // A large one, at every tenth of its length.
    uint8_t *large = mg_alloc((size_t)600 * 450 * 3);
    pattern(large, 450, 600, 3);
    OK(mg_encode_jpeg(large, 450, 600, 3, 90, &data, &bytes));
    for (size_t n = 1; n < 10; n++) {
        mg_picture p;
        FAILS(mg_decode_memory(data, bytes * n / 10, "large.jpg", 0, &p), MG_ERR_FORMAT,
              "large.jpg");
    }
    mg_free(data);
    mg_free(large);
}

// One flipped byte anywhere: an error or a picture of the right size, never anything worse.
static void flipped(void **state)
{
    uint8_t pixels[H * W * 3];
    (void)state;

    pattern(pixels, H, W, 3);
    for (int jpeg = 0; jpeg < 2; jpeg++) {
        void *data;
        size_t bytes;
        if (jpeg)
            OK(mg_encode_jpeg(pixels, H, W, 3, 90, &data, &bytes));
        else
            OK(mg_encode_png(pixels, H, W, 3, &data, &bytes));
        for (size_t i = 0; i < bytes; i++) {
            mg_picture p;
            ((uint8_t *)data)[i] ^= 0x5a;
            if (mg_decode_memory(data, bytes, "flipped", 0, &p)) {
                CHECK(!p.pixels);
                mg_err_clear();
            }
            mg_picture_free(&p);
            ((uint8_t *)data)[i] ^= 0x5a;
        }
        mg_free(data);
    }
}

static uint32_t crc(const uint8_t *b, size_t n)
{
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        c ^= b[i];
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
    }
    return ~c;
}

static void put32(uint8_t *b, uint32_t v)
{
    for (int i = 0; i < 4; i++) b[i] = (uint8_t)(v >> 8 * (3 - i));
}

// Headers that promise enormous pictures.
static void hostile(void **state)
{
    static const uint32_t side[][2] = {{60000, 60000}, {0, 5}, {0x7fffffff, 1}, {65536, 1}};
    uint8_t pixels[H * W];
    void *data;
    size_t bytes;
    mg_picture p;
    (void)state;

    pattern(pixels, H, W, 1);
    OK(mg_encode_png(pixels, H, W, 1, &data, &bytes));
    for (size_t i = 0; i < sizeof side / sizeof *side; i++) {
        uint8_t *b = data;
        put32(b + 16, side[i][0]);
        put32(b + 20, side[i][1]);
        put32(b + 29, crc(b + 12, 17));
        FAILS(mg_decode_memory(data, bytes, "huge.png", 0, &p), MG_ERR_FORMAT, "huge.png");
    }
    mg_free(data);

    uint8_t colour[H * W * 3];
    pattern(colour, H, W, 3);
    OK(mg_encode_jpeg(colour, H, W, 3, 90, &data, &bytes));
    uint8_t *b = data;
    for (size_t i = 0; i + 9 < bytes; i++)
        if (b[i] == 0xff && b[i + 1] == 0xc0)
            b[i + 5] = b[i + 7] = 0xff, b[i + 6] = b[i + 8] = 0xdc;
    FAILS(mg_decode_memory(data, bytes, "huge.jpg", 0, &p), MG_ERR_FORMAT, "huge.jpg");
    mg_free(data);

    FAILS(mg_decode_memory("", 0, "none", 0, &p), MG_ERR_FORMAT, "is empty");
    FAILS(mg_decode_memory("GIF89a", 6, "a.png", 0, &p), MG_ERR_FORMAT, "47 49 46 38");
    FAILS(mg_decode_file(in_folder("missing.png"), 0, &p), MG_ERR_IO, "missing.png");
}

// --- volumes ----------------------------------------------------------------------------------------

// Axes to the left, the back and up: our grid turns x and y round, and writing turns them back.
static void labels_of_a_volume(void **state)
{
    const int size[3] = {3, 2, 2};
    const double affine[12] = {-2, 0, 0, 7, 0, -3, 0, 9, 0, 0, 5, -4};
    const uint16_t ours[12] = {0, 1, 2, 3, 4, 5, 600, 7, 8, 9, 10, 11};
    const float broken[12] = {0, 0, 0, 0, .5f};
    mg_nifti_head head;
    mg_volume_file v;
    (void)state;

    mg_nifti_make_head(size, affine, &head);
    OK(mg_nifti_write(in_folder("labels.nii.gz"), &head, MG_U16, ours));
    CHECK(mg_is_volume("a/labels.NII.gz") && mg_is_volume("a.hdr") && !mg_is_volume("a.png"));
    OK(mg_decode_labels(in_folder("labels.nii.gz"), &v));
    CHECK(v.type == MG_U16 && v.depth == 2 && v.height == 2 && v.width == 3 && v.channels == 1);
    assert_memory_equal(v.pixels, ours, sizeof ours);
    assert_string_equal(v.head.orientation, "LPS");
    CHECK(v.head.affine[3] == 3 && v.head.spacing[0] == 5);
    mg_volume_file_free(&v);
    OK(mg_nifti_write(in_folder("half.nii"), &head, MG_F32, broken));
    FAILS(mg_decode_labels(in_folder("half.nii"), &v), MG_ERR_FORMAT,
          "value 0.5 at voxel (1, 0, 0)");
    CHECK(!v.pixels);
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
        cmocka_unit_test(png_grey_and_rgb), cmocka_unit_test(png_palette),
        cmocka_unit_test(png_16_bit),       cmocka_unit_test(png_1_bit),
        cmocka_unit_test(colour_mask),      cmocka_unit_test(jpeg_round_trip),
        cmocka_unit_test(jpeg_scaled),      cmocka_unit_test(exif),
        cmocka_unit_test(truncated),        cmocka_unit_test(flipped),
        cmocka_unit_test(hostile),          cmocka_unit_test(labels_of_a_volume),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
