// Resizing: triangle against sums of Pillow's output, cubic crop against a naive double version,
// nearest and the model frame against their rules.
#include "tests/check.h"

#include "runtime/mem.h"
#include "shard/resize.h"

static void pattern(uint8_t *a, int h, int w, int c)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                a[((size_t)y * w + x) * c + k] =
                    (uint8_t)(x * 7 + y * 13 + x * y * (k + 1) + k * 31);
}

static uint32_t fnv(const uint8_t *a, size_t n)
{
    uint32_t h = 0x811C9DC5u;
    for (size_t i = 0; i < n; i++) h = (h ^ a[i]) * 0x01000193u;
    return h;
}

// Sums are FNV-1a-32 of what Image.resize(..., BILINEAR) of Pillow gives for `pattern`. (Pillow 13
// goes down first where that is cheaper, as in 50 x 40 to 23 x 90; the rule is across first.)
static void triangle_equals_pillow(void **state)
{
    static const struct {
        int h, w, c, h2, w2;
        uint32_t sum;
    } cases[] = {
        {37, 53, 3, 16, 23, 0xffbcf331u},    {64, 48, 1, 64, 17, 0x92930a78u},
        {20, 31, 3, 77, 31, 0xd47de63au},    {40, 50, 1, 90, 23, 0xa61d0734u},
        {7, 101, 3, 64, 9, 0x516e04b6u},     {1, 9, 1, 5, 4, 0x65820841u},
        {300, 400, 3, 96, 128, 0x04725998u},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int h = cases[i].h, w = cases[i].w, c = cases[i].c, h2 = cases[i].h2, w2 = cases[i].w2;
        uint8_t *a = mg_alloc((size_t)h * w * c), *b = mg_alloc((size_t)h2 * w2 * c);
        pattern(a, h, w, c);
        OK(mg_resize_triangle_u8(b, h2, w2, a, h, w, c));
        uint32_t sum = fnv(b, (size_t)h2 * w2 * c);
        if (sum != cases[i].sum)
            fail_msg("%dx%dx%d to %dx%d: sum %08x, expected %08x", h, w, c, h2, w2, sum,
                     cases[i].sum);
        mg_free(a);
        mg_free(b);
    }
}

static double keys(double x)
{
    x = fabs(x);
    if (x <= 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
    if (x < 2) return -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
    return 0;
}

// One value of the crop by the formula, over all taps of the rectangle.
static double naive_crop(const uint8_t *a, int w, int c, int top, int left, int ch, int cw,
                         int size, int oy, int ox, int k)
{
    double sy = (double)ch / size, sx = (double)cw / size, cy = (oy + 0.5) * sy,
           cx = (ox + 0.5) * sx;
    double sum = 0, wy = 0, wx = 0;
    for (int y = 0; y < ch; y++) wy += keys((y + 0.5 - cy) / fmax(sy, 1));
    for (int x = 0; x < cw; x++) wx += keys((x + 0.5 - cx) / fmax(sx, 1));
    for (int y = 0; y < ch; y++)
        for (int x = 0; x < cw; x++)
            sum += keys((y + 0.5 - cy) / fmax(sy, 1)) / wy * keys((x + 0.5 - cx) / fmax(sx, 1)) /
                   wx * a[((size_t)(top + y) * w + left + x) * c + k];
    return fmin(fmax(sum, 0), 255);
}

static void crop_equals_formula(void **state)
{
    static const int cases[][8] = {// h, w, channels, top, left, ch, cw, size
                                   {40, 60, 3, 3, 5, 31, 44, 16},
                                   {20, 20, 1, 0, 0, 20, 20, 33},
                                   {30, 25, 3, 10, 0, 8, 25, 14},
                                   {9, 50, 1, 8, 49, 1, 1, 5}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *q = cases[i], c = q[2], size = q[7];
        uint8_t *a = mg_alloc((size_t)q[0] * q[1] * c);
        float *out = mg_alloc((size_t)size * size * c * sizeof *out);
        pattern(a, q[0], q[1], c);
        OK(mg_resize_crop(out, size, a, q[0], q[1], c, q[3], q[4], q[5], q[6]));
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++)
                for (int k = 0; k < c; k++) {
                    double want = naive_crop(a, q[1], c, q[3], q[4], q[5], q[6], size, y, x, k);
                    CHECK(fabs(out[((size_t)y * size + x) * c + k] - want) <= 2e-4);
                }
        mg_free(a);
        mg_free(out);
    }
}

static void nearest_takes_cells_at_half_pixel_centres(void **state)
{
    static const uint8_t a[] = {1, 2, 3, 4, 5, 6, 7, 8}; // 2 x 4
    static const uint16_t b[] = {300, 0, 700};
    uint8_t small[2], large[4 * 4];
    uint16_t wide[7];
    (void)state;
    mg_resize_nearest_u8(small, 1, 2, a, 2, 4);
    CHECK(small[0] == 6 && small[1] == 8);
    mg_resize_nearest_u8(large, 4, 4, a, 2, 4);
    CHECK(large[0] == 1 && large[4] == 1 && large[8] == 5 && large[15] == 8);
    mg_resize_nearest_u16(wide, 1, 7, b, 1, 3);
    CHECK(wide[0] == 300 && wide[1] == 300 && wide[2] == 0 && wide[4] == 0 && wide[5] == 700);
}

static void frame_is_normalised_and_padded(void **state)
{
    int h2, w2;
    uint8_t a[10 * 20];
    float *out = mg_alloc(3 * 32 * 32 * sizeof *out);
    (void)state;
    mg_frame_size(375, 500, 1024, &h2, &w2);
    CHECK(h2 == 768 && w2 == 1024);
    mg_frame_size(2000, 1, 256, &h2, &w2);
    CHECK(h2 == 256 && w2 == 1);
    memset(a, 100, sizeof a);
    OK(mg_frame_picture(out, 32, 16, 32, a, 10, 20, 1));
    CHECK(fabs(out[0] - (100 - 123.675) / 58.395) <= 1e-6);
    CHECK(fabs(out[2 * 1024 + 15 * 32 + 31] - (100 - 103.53) / 57.375) <= 1e-6);
    for (int y = 16; y < 32; y++)
        for (int x = 0; x < 32; x++) CHECK(out[1024 + y * 32 + x] == 0);
    mg_free(out);
}

static void nothing_is_left_allocated(void **state)
{
    (void)state;
    CHECK(mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(triangle_equals_pillow),
        cmocka_unit_test(crop_equals_formula),
        cmocka_unit_test(nearest_takes_cells_at_half_pixel_centres),
        cmocka_unit_test(frame_is_normalised_and_padded),
        cmocka_unit_test(nothing_is_left_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
