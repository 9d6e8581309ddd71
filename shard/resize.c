// Resizing of pictures and masks:
//   triangle filter on uint8, bit-exact with Pillow (model.md section 3): fixed point, horizontal
//     pass rounded to uint8, then vertical;
//   cubic crop in float (pretraining.md 6.3), a = -0.5;
//   nearest for label maps (model.md 4.6).
// Weights are made in plain double arithmetic: this folder is compiled without contraction.
// Tables and logits are resized in nn/resize.c by another rule.
#include "shard/resize.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/mem.h"

enum { FIXED_BITS = 22 };

// SAM's constants, single precision as in the official model.
static const float sam_mean[3] = {123.675f, 116.28f, 103.53f};
static const float sam_std[3] = {58.395f, 57.12f, 57.375f};

// The taps of every output of one axis: output o sums inputs lo[o] .. lo[o] + count[o] - 1 with the
// weights at o * width.
typedef struct {
    int width; // most taps of one output
    int *lo, *count;
    float *single;  // weights for sums in float
    int32_t *fixed; // the same in 1/2^22
} taps;

static double triangle(double x)
{
    return fmax(0, 1 - fabs(x));
}

// Keys' cubic with a = -0.5.
static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

static void taps_free(taps *t)
{
    mg_free(t->lo);
    mg_free(t->count);
    mg_free(t->single);
    mg_free(t->fixed);
    *t = (taps){0};
}

// Weights of an axis with n_in samples and n_out outputs, for a kernel that is zero from `support`
// on, stretched by the shrink factor; normalised over the taps inside the axis.
static mg_status taps_make(taps *t, int n_in, int n_out, double (*kernel)(double), double support)
{
    double s = (double)n_in / n_out, r = fmax(s, 1), reach = support * r, inverse = 1 / r;

    t->width = 2 * (int)ceil(reach) + 1;
    t->lo = mg_alloc((size_t)n_out * sizeof *t->lo);
    t->count = mg_alloc((size_t)n_out * sizeof *t->count);
    t->single = mg_alloc((size_t)n_out * t->width * sizeof *t->single);
    t->fixed = mg_alloc((size_t)n_out * t->width * sizeof *t->fixed);
    double *u = mg_alloc((size_t)t->width * sizeof *u);
    if (!t->lo || !t->count || !t->single || !t->fixed || !u) {
        mg_free(u);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate weights for %d outputs", n_out);
    }
    for (int o = 0; o < n_out; o++) {
        size_t at = (size_t)o * t->width;
        double c = (o + 0.5) * s, sum = 0;
        int lo = (int)(c - reach + 0.5), hi = (int)(c + reach + 0.5);
        lo = lo < 0 ? 0 : lo;
        hi = hi > n_in ? n_in : hi;
        for (int j = lo; j < hi; j++) sum += u[j - lo] = kernel((j - c + 0.5) * inverse);
        for (int j = 0; j < hi - lo; j++) {
            t->single[at + j] = (float)(u[j] / sum);
            t->fixed[at + j] = (int32_t)floor(0.5 + u[j] / sum * (1 << FIXED_BITS));
        }
        t->lo[o] = lo;
        t->count[o] = hi - lo;
    }
    mg_free(u);
    return MG_OK;
}

static uint8_t from_fixed(int32_t v)
{
    v >>= FIXED_BITS;
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

// One output row of the horizontal pass. The loop over channels is written out for grey and RGB.
static void triangle_row(uint8_t *out, const uint8_t *inp, const taps *t, int n_out, int channels)
{
    for (int o = 0; o < n_out; o++) {
        const int32_t *k = t->fixed + (size_t)o * t->width;
        const uint8_t *p = inp + (size_t)t->lo[o] * channels;
        int n = t->count[o];
        if (channels == 3) {
            int32_t r = 1 << (FIXED_BITS - 1), g = r, b = r;
            for (int j = 0; j < n; j++, p += 3) {
                r += k[j] * p[0];
                g += k[j] * p[1];
                b += k[j] * p[2];
            }
            out[3 * o] = from_fixed(r);
            out[3 * o + 1] = from_fixed(g);
            out[3 * o + 2] = from_fixed(b);
            continue;
        }
        for (int c = 0; c < channels; c++) {
            int32_t v = 1 << (FIXED_BITS - 1);
            for (int j = 0; j < n; j++) v += k[j] * p[(size_t)j * channels + c];
            out[(size_t)o * channels + c] = from_fixed(v);
        }
    }
}

// Vertical pass: rows of `row` bytes; `sum` [row] is scratch.
static void triangle_columns(uint8_t *out, const uint8_t *inp, const taps *t, int n_out, size_t row,
                             int32_t *sum)
{
    for (int o = 0; o < n_out; o++) {
        const int32_t *k = t->fixed + (size_t)o * t->width;
        for (size_t x = 0; x < row; x++) sum[x] = 1 << (FIXED_BITS - 1);
        for (int j = 0; j < t->count[o]; j++) {
            const uint8_t *p = inp + (size_t)(t->lo[o] + j) * row;
            for (size_t x = 0; x < row; x++) sum[x] += k[j] * p[x];
        }
        for (size_t x = 0; x < row; x++) out[(size_t)o * row + x] = from_fixed(sum[x]);
    }
}

mg_status mg_resize_triangle_u8(uint8_t *out, int h2, int w2, const uint8_t *inp, int h, int w,
                                int channels)
{
    mg_status st = MG_OK;
    size_t row = (size_t)w2 * channels;
    taps across = {0}, down = {0};
    uint8_t *narrow = NULL;
    int32_t *sum = NULL;

    assert(h > 0 && w > 0 && h2 > 0 && w2 > 0 && channels > 0);
    if (h2 == h && w2 == w) {
        memcpy(out, inp, (size_t)h * row);
        return MG_OK;
    }
    if (w2 != w) {
        st = taps_make(&across, w, w2, triangle, 1);
        if (st) goto done;
    }
    if (h2 != h) {
        st = taps_make(&down, h, h2, triangle, 1);
        if (st) goto done;
        narrow = mg_alloc(w2 != w ? (size_t)h * row : 1);
        sum = mg_alloc(row * sizeof *sum);
        if (!narrow || !sum) {
            st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a picture of %d x %d", h, w2);
            goto done;
        }
    }
    if (w2 != w)
        for (int y = 0; y < h; y++)
            triangle_row((h2 != h ? narrow : out) + (size_t)y * row, inp + (size_t)y * w * channels,
                         &across, w2, channels);
    if (h2 != h) triangle_columns(out, w2 != w ? narrow : inp, &down, h2, row, sum);

done:
    taps_free(&across);
    taps_free(&down);
    mg_free(narrow);
    mg_free(sum);
    return st;
}

// One output row of the cubic horizontal pass.
static void cubic_row(float *out, const uint8_t *inp, const taps *t, int n_out, int channels)
{
    for (int o = 0; o < n_out; o++) {
        const float *k = t->single + (size_t)o * t->width;
        const uint8_t *p = inp + (size_t)t->lo[o] * channels;
        int n = t->count[o];
        if (channels == 3) {
            float r = 0, g = 0, b = 0;
            for (int j = 0; j < n; j++, p += 3) {
                r += k[j] * p[0];
                g += k[j] * p[1];
                b += k[j] * p[2];
            }
            out[3 * o] = r;
            out[3 * o + 1] = g;
            out[3 * o + 2] = b;
            continue;
        }
        for (int c = 0; c < channels; c++) {
            float v = 0;
            for (int j = 0; j < n; j++) v += k[j] * p[(size_t)j * channels + c];
            out[(size_t)o * channels + c] = v;
        }
    }
}

// Vertical pass of the cubic, clipped to 0..255.
static void cubic_columns(float *out, const float *inp, const taps *t, int n_out, size_t row)
{
    for (int o = 0; o < n_out; o++, out += row) {
        const float *k = t->single + (size_t)o * t->width;
        memset(out, 0, row * sizeof *out);
        for (int j = 0; j < t->count[o]; j++) {
            const float *p = inp + (size_t)(t->lo[o] + j) * row;
            for (size_t x = 0; x < row; x++) out[x] += k[j] * p[x];
        }
        for (size_t x = 0; x < row; x++) out[x] = out[x] < 0 ? 0 : out[x] > 255 ? 255 : out[x];
    }
}

mg_status mg_resize_crop(float *out, int size, const uint8_t *inp, int h, int w, int channels,
                         int top, int left, int ch, int cw)
{
    mg_status st = MG_OK;
    size_t row = (size_t)size * channels;
    taps across = {0}, down = {0};
    float *narrow = NULL; // [ch, size, channels]

    assert(top >= 0 && left >= 0 && ch > 0 && cw > 0 && top + ch <= h && left + cw <= w);
    (void)h;
    st = taps_make(&across, cw, size, cubic, 2);
    if (st) goto done;
    st = taps_make(&down, ch, size, cubic, 2);
    if (st) goto done;
    narrow = mg_alloc((size_t)ch * row * sizeof *narrow);
    if (!narrow) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a crop of %d x %d", ch, size);
        goto done;
    }
    for (int y = 0; y < ch; y++)
        cubic_row(narrow + y * row, inp + ((size_t)(top + y) * w + left) * channels, &across, size,
                  channels);
    cubic_columns(out, narrow, &down, size, row);

done:
    taps_free(&across);
    taps_free(&down);
    mg_free(narrow);
    return st;
}

static int nearest(int o, int n_in, int n_out)
{
    int i = (int)floor((o + 0.5) * ((double)n_in / n_out));
    return i < n_in ? i : n_in - 1;
}

void mg_resize_nearest_u8(uint8_t *out, int h2, int w2, const uint8_t *inp, int h, int w)
{
    for (int y = 0; y < h2; y++) {
        const uint8_t *line = inp + (size_t)nearest(y, h, h2) * w;
        for (int x = 0; x < w2; x++) out[(size_t)y * w2 + x] = line[nearest(x, w, w2)];
    }
}

void mg_resize_nearest_u16(uint16_t *out, int h2, int w2, const uint16_t *inp, int h, int w)
{
    for (int y = 0; y < h2; y++) {
        const uint16_t *line = inp + (size_t)nearest(y, h, h2) * w;
        for (int x = 0; x < w2; x++) out[(size_t)y * w2 + x] = line[nearest(x, w, w2)];
    }
}

void mg_frame_size(int h, int w, int side, int *h2, int *w2)
{
    double f = (double)side / (h > w ? h : w);
    int rows = (int)floor(h * f + 0.5), columns = (int)floor(w * f + 0.5);
    *h2 = rows > 0 ? rows : 1; // very narrow pictures keep one row
    *w2 = columns > 0 ? columns : 1;
}

mg_status mg_frame_picture(float *out, int side, int h2, int w2, const uint8_t *inp, int h, int w,
                           int channels)
{
    mg_status st = MG_OK;

    assert((channels == 1 || channels == 3) && h2 <= side && w2 <= side);
    uint8_t *small = mg_alloc((size_t)h2 * w2 * channels);
    MG_CHECK(small, MG_ERR_MEMORY, "cannot allocate a picture of %d x %d", h2, w2);
    st = mg_resize_triangle_u8(small, h2, w2, inp, h, w, channels);
    if (st) goto done;

    memset(out, 0, 3 * (size_t)side * side * sizeof *out);
    for (int c = 0; c < 3; c++) {
        const uint8_t *p = small + (channels == 3 ? c : 0);
        for (int y = 0; y < h2; y++) {
            float *line = out + ((size_t)c * side + y) * side;
            for (int x = 0; x < w2; x++, p += channels) line[x] = (*p - sam_mean[c]) / sam_std[c];
        }
    }

done:
    mg_free(small);
    return st;
}
