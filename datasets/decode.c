// Image files in: the format is told by the first bytes, never by the name. What the formats have
// in common is here; png.c, jpeg.c, tiff.c and bmp.c know one format each.
#include "datasets/decode.h"

#include <string.h>

#include "datasets/codec.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

void mg_picture_free(mg_picture *p)
{
    if (!p) return;
    mg_free(p->pixels);
    *p = (mg_picture){0};
}

static mg_status unknown_format(const char *data, size_t bytes, const char *name)
{
    if (!bytes) return MG_FAIL(MG_ERR_FORMAT, "'%s' is empty", name);
    const unsigned char *b = (const unsigned char *)data;
    return MG_FAIL(MG_ERR_FORMAT,
                   "'%s' is none of PNG, JPEG, TIFF, BMP: it starts with %02x %02x %02x %02x", name,
                   b[0], bytes > 1 ? b[1] : 0, bytes > 2 ? b[2] : 0, bytes > 3 ? b[3] : 0);
}

mg_status mg_decode_memory(const void *data, size_t bytes, const char *name, int min_long_side,
                           mg_picture *out)
{
    *out = (mg_picture){0};
    if (mg_is_png(data, bytes)) return mg_png_decode(data, bytes, name, false, out);
    if (mg_is_jpeg(data, bytes))
        return mg_jpeg_decode(data, bytes, name, min_long_side, false, out);
    if (mg_is_tiff(data, bytes)) return mg_tiff_decode(data, bytes, name, false, out);
    if (mg_is_bmp(data, bytes)) return mg_bmp_decode(data, bytes, name, out);
    return unknown_format(data, bytes, name);
}

mg_status mg_decode_file(const char *path, int min_long_side, mg_picture *out)
{
    char *data = NULL;
    size_t bytes = 0;

    *out = (mg_picture){0};
    MG_TRY(mg_read_file(path, MG_MAX_PICTURE_BYTES, &data, &bytes));
    mg_status st = mg_decode_memory(data, bytes, path, min_long_side, out);
    mg_free(data);
    return st;
}

// Keep the first channel of a colour mask; the others must say the same.
static mg_status first_channel(mg_picture *p, const char *name)
{
    size_t cells = (size_t)p->height * p->width;
    uint8_t *b = p->pixels;
    uint16_t *w = p->pixels;

    for (size_t i = 0; i < cells; i++) {
        unsigned v[3];
        for (int c = 0; c < 3; c++) v[c] = p->bytes == 2 ? w[3 * i + c] : b[3 * i + c];
        MG_CHECK(v[0] == v[1] && v[0] == v[2], MG_ERR_FORMAT,
                 "mask '%s' has colours: %u %u %u at row %zu, column %zu; expected grey", name,
                 v[0], v[1], v[2], i / p->width, i % p->width);
        if (p->bytes == 2)
            w[i] = (uint16_t)v[0];
        else
            b[i] = (uint8_t)v[0];
    }
    p->channels = 1;
    return MG_OK;
}

mg_status mg_decode_mask_memory(const void *data, size_t bytes, const char *name, mg_picture *out,
                                bool *lossy)
{
    mg_status st;

    *out = (mg_picture){0};
    if (mg_is_jpeg(data, bytes))
        st = mg_jpeg_decode(data, bytes, name, 0, true, out);
    else if (mg_is_png(data, bytes))
        st = mg_png_decode(data, bytes, name, true, out);
    else if (mg_is_tiff(data, bytes))
        st = mg_tiff_decode(data, bytes, name, true, out);
    else if (mg_is_bmp(data, bytes))
        st = mg_bmp_decode(data, bytes, name, out);
    else
        st = unknown_format(data, bytes, name);
    if (!st && out->channels == 3) st = first_channel(out, name);
    if (lossy) *lossy = !st && out->lossy;
    if (st) mg_picture_free(out);
    return st;
}

mg_status mg_decode_mask(const char *path, mg_picture *out, bool *lossy)
{
    char *data = NULL;
    size_t bytes = 0;

    *out = (mg_picture){0};
    MG_TRY(mg_read_file(path, MG_MAX_PICTURE_BYTES, &data, &bytes));
    mg_status st = mg_decode_mask_memory(data, bytes, path, out, lossy);
    mg_free(data);
    return st;
}

void mg_picture_to_8bit(mg_picture *p)
{
    if (p->bytes != 2) return;
    size_t values = (size_t)p->height * p->width * p->channels;
    const uint16_t *from = p->pixels;
    uint8_t *to = p->pixels; // never overtakes the reading
    for (size_t i = 0; i < values; i++) to[i] = (uint8_t)((2u * from[i] + 257) / 514);
    p->bytes = 1;
}
