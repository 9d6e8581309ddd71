// PNG in and out. The one home of libpng. Pictures: palettes become RGB, low bit depths are scaled
// to 8 bits, alpha is dropped, no gamma. Masks: samples as stored. Plain pictures, which are most, are
// decoded in png_plain.c.
// Hostile files: sides and memory are bounded before anything is allocated, every complaint of the
// library about image data is an error, and so is an end before the IEND chunk.
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "datasets/codec.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

// What the callbacks of one decoding or encoding share.
typedef struct {
    const uint8_t *data; // reading; not owned
    size_t bytes, at;
    char *grown; // writing
    size_t room;
    char message[160];
} stream;

bool mg_is_png(const void *data, size_t bytes)
{
    static const uint8_t magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    return bytes >= sizeof magic && !memcmp(data, magic, sizeof magic);
}

static void on_error(png_structp png, png_const_charp text)
{
    stream *s = png_get_error_ptr(png);
    snprintf(s->message, sizeof s->message, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png, (void)text; // about chunks that carry no pixels
}

static void take(png_structp png, png_bytep to, size_t count)
{
    stream *s = png_get_io_ptr(png);
    if (count > s->bytes - s->at) png_error(png, "the file ends early");
    memcpy(to, s->data + s->at, count);
    s->at += count;
}

// Read the header, ask for the transformations, set the sizes of *out.
static void read_header(png_structp png, png_infop info, const stream *s, bool raw, mg_picture *out)
{
    png_uint_32 width, height;
    int depth, colour;

    png_read_info(png, info);
    png_get_IHDR(png, info, &width, &height, &depth, &colour, NULL, NULL, NULL);
    // Deflate never packs better than 1032 to 1.
    double stored = (double)png_get_rowbytes(png, info) * height;
    if (stored > 1040.0 * (double)s->bytes) png_error(png, "too little data for its size");

    if (raw) {
        png_set_packing(png);
    } else {
        if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
        if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    }
    if (colour & PNG_COLOR_MASK_ALPHA || (!raw && png_get_valid(png, info, PNG_INFO_tRNS)))
        png_set_strip_alpha(png);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (depth == 16) png_set_swap(png);
#endif
    png_set_interlace_handling(png);
    png_read_update_info(png, info);

    out->height = out->full_height = (int)height;
    out->width = out->full_width = (int)width;
    out->channels = png_get_channels(png, info);
    out->bytes = png_get_bit_depth(png, info) / 8;
    out->palette = colour == PNG_COLOR_TYPE_PALETTE;
    out->scale = out->exif_orientation = 1;
    out->decoder = "libpng";
    double size = (double)width * height * out->channels * out->bytes;
    if (size > MG_MAX_PICTURE_BYTES) png_error(png, "larger than 1 GiB decoded");
}

static mg_status decode(const void *data, size_t bytes, const char *name, bool raw, mg_picture *out)
{
    stream s = {.data = data, .bytes = bytes};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    mg_status st = MG_OK;

    *out = (mg_picture){0};
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a PNG reader for '%s'", name);
    }
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, NULL);
        mg_picture_free(out);
        return MG_FAIL(MG_ERR_FORMAT, "cannot decode PNG '%s': %s", name, s.message);
    }
    png_set_read_fn(png, &s, take);
    png_set_user_limits(png, MG_MAX_SIDE, MG_MAX_SIDE);
    png_set_chunk_malloc_max(png, 8 << 20);
    read_header(png, info, &s, raw, out);

    size_t row = png_get_rowbytes(png, info);
    out->pixels = mg_alloc(row * (size_t)out->height);
    if (!out->pixels) png_error(png, "out of memory");
    int passes = png_get_interlace_type(png, info) == PNG_INTERLACE_NONE ? 1 : 7;
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < out->height; y++)
            png_read_row(png, (png_bytep)out->pixels + row * (size_t)y, NULL);
    png_read_end(png, NULL);
    png_destroy_read_struct(&png, &info, NULL);
    return st;
}

mg_status mg_png_decode(const void *data, size_t bytes, const char *name, bool raw, mg_picture *out)
{
    return mg_png_plain(data, bytes, out) ? MG_OK : decode(data, bytes, name, raw, out);
}

static void give(png_structp png, png_bytep from, size_t count)
{
    stream *s = png_get_io_ptr(png);
    if (count > s->room - s->at) {
        size_t room = 2 * s->room + count + 4096;
        char *grown = mg_realloc(s->grown, room);
        if (!grown) png_error(png, "out of memory");
        s->grown = grown, s->room = room;
    }
    memcpy(s->grown + s->at, from, count);
    s->at += count;
}

static void flush(png_structp png)
{
    (void)png; // in memory
}

typedef struct {
    const void *pixels;
    int height, width, channels, depth; // depth in bits
    const uint8_t (*palette)[3];        // NULL unless a palette picture
    int colours;
} plan;

static mg_status encode(const plan *p, void **data, size_t *bytes)
{
    stream s = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    int colour = p->palette         ? PNG_COLOR_TYPE_PALETTE
                 : p->channels == 3 ? PNG_COLOR_TYPE_RGB
                                    : PNG_COLOR_TYPE_GRAY;

    *data = NULL;
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a PNG writer");
    }
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        mg_free(s.grown);
        return MG_FAIL(MG_ERR_MEMORY, "cannot encode a PNG: %s", s.message);
    }
    png_set_write_fn(png, &s, give, flush);
    png_set_compression_level(png, 3);
    png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, p->depth, colour,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (p->palette) {
        png_color table[256];
        for (int i = 0; i < p->colours; i++)
            table[i] = (png_color){p->palette[i][0], p->palette[i][1], p->palette[i][2]};
        png_set_PLTE(png, info, table, p->colours);
    }
    png_write_info(png, info);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (p->depth == 16) png_set_swap(png);
#endif
    size_t row = (size_t)p->width * p->channels * (p->depth / 8);
    for (int y = 0; y < p->height; y++)
        png_write_row(png, (png_const_bytep)p->pixels + row * (size_t)y);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    *data = s.grown;
    *bytes = s.at;
    return MG_OK;
}

static mg_status write_plan(const char *path, const plan *p)
{
    void *data;
    size_t bytes = 0;

    MG_TRY(encode(p, &data, &bytes));
    mg_status st = mg_write_file(path, data, bytes);
    mg_free(data);
    return st;
}

mg_status mg_encode_png(const uint8_t *pixels, int height, int width, int channels, void **data,
                        size_t *bytes)
{
    plan p = {pixels, height, width, channels, 8, NULL, 0};
    return encode(&p, data, bytes);
}

mg_status mg_write_png(const char *path, const uint8_t *pixels, int height, int width, int channels)
{
    plan p = {pixels, height, width, channels, 8, NULL, 0};
    return write_plan(path, &p);
}

mg_status mg_write_png_palette(const char *path, const uint8_t *pixels, int height, int width,
                               const uint8_t (*palette)[3], int colours)
{
    plan p = {pixels, height, width, 1, 8, palette, colours};
    return write_plan(path, &p);
}

mg_status mg_write_png16(const char *path, const uint16_t *pixels, int height, int width)
{
    plan p = {pixels, height, width, 1, 16, NULL, 0};
    return write_plan(path, &p);
}
