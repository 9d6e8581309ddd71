// Samples from picture files; see sample.h.
#include "datasets/sample.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/mem.h"

void mg_sample_free(mg_sample *sample)
{
    mg_free(sample->pixels);
    mg_free(sample->label);
    mg_free(sample->bits);
    mg_free(sample->volume.full_label);
    mg_free(sample->volume.full_bits);
    *sample = (mg_sample){0};
}

mg_status mg_sample_hash(const mg_sample *sample, mg_hash128 *hash)
{
    const uint32_t size[3] = {(uint32_t)sample->channels, (uint32_t)sample->height,
                              (uint32_t)sample->width};
    size_t values = (size_t)sample->depth * sample->height * sample->width * sample->channels;
    unsigned char head[12];
    mg_hasher *hasher = mg_hasher_new();

    MG_CHECK(hasher, MG_ERR_MEMORY, "cannot allocate a hash");
    for (int i = 0; i < 12; i++) head[i] = (unsigned char)(size[i / 4] >> (8 * (i % 4)));
    mg_hasher_add(hasher, head, sizeof head);
    mg_hasher_add(hasher, sample->pixels, values * mg_dtype_size(sample->type));
    *hash = mg_hasher_128(hasher);
    mg_hasher_free(&hasher);
    return MG_OK;
}

static void add_decoder_text(mg_sample *sample, const char *text)
{
    size_t used = strlen(sample->decoder);
    snprintf(sample->decoder + used, sizeof sample->decoder - used, "%s", text);
}

static void describe_decoder(mg_sample *sample, const mg_picture *p)
{
    char text[24];

    add_decoder_text(sample, p->decoder);
    snprintf(text, sizeof text, " 1/%d", p->scale);
    if (p->scale > 1) add_decoder_text(sample, text);
    snprintf(text, sizeof text, " exif %d", p->exif_orientation);
    if (p->exif_orientation > 1) add_decoder_text(sample, text);
    if (p->bytes == 2) add_decoder_text(sample, " 16 bit");
}

void mg_sample_remark(mg_sample *sample, const char *fmt, ...)
{
    size_t used = strlen(sample->remark);
    char text[sizeof sample->remark];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!*text) return;
    snprintf(sample->remark + used, sizeof sample->remark - used, "%s%s", used ? "; " : "", text);
}

mg_status mg_sample_load(const char *root, const char *path, char **data, size_t *bytes)
{
    char *full = mg_path_join(root, path);

    *data = NULL;
    MG_CHECK(full, MG_ERR_MEMORY, "no memory for the path '%s'", path);
    errno = 0;
    mg_status st = mg_read_file(full, MG_MAX_PICTURE_BYTES, data, bytes);
    const char *why = errno ? strerror(errno) : "not a regular file";
    mg_free(full);
    if (st == MG_ERR_IO) st = MG_FAIL(MG_ERR_IO, "cannot read '%s': %s", path, why);
    return st;
}

mg_status mg_sample_picture(const char *root, const char *path, int min_long_side, mg_sample *out)
{
    char *data;
    size_t bytes = 0;
    mg_picture p;

    *out = (mg_sample){0};
    MG_TRY(mg_sample_load(root, path, &data, &bytes));
    mg_status st = mg_decode_memory(data, bytes, path, min_long_side, &p);
    mg_free(data);
    if (st) return st;

    describe_decoder(out, &p);
    mg_picture_to_8bit(&p);
    out->type = MG_U8;
    out->depth = 1;
    out->height = p.height;
    out->width = p.width;
    out->channels = p.channels;
    out->pixels = p.pixels;
    out->full_height = p.full_height;
    out->full_width = p.full_width;
    return MG_OK;
}

void mg_sample_to_grey(mg_sample *sample)
{
    size_t cells = (size_t)sample->height * sample->width;
    uint8_t *v = sample->pixels;
    bool colour = false;

    if (sample->channels != 3) return;
    for (size_t i = 0; i < cells && !colour; i++)
        colour = v[3 * i] != v[3 * i + 1] || v[3 * i] != v[3 * i + 2];
    for (size_t i = 0; i < cells; i++) {
        int r = v[3 * i], g = v[3 * i + 1], b = v[3 * i + 2];
        v[i] = (uint8_t)(colour ? (299 * r + 587 * g + 114 * b + 500) / 1000 : r);
    }
    sample->channels = 1;
    if (colour) add_decoder_text(sample, " luma");
}

// The rectangle of a plane of `cell` bytes each, in fresh memory; NULL if there is none.
static void *cut_plane(const void *plane, size_t cell, const mg_sample *s, int top, int left,
                       int height, int width)
{
    char *cut = mg_calloc((size_t)height * width, cell);
    int x0 = left > 0 ? left : 0, x1 = left + width < s->width ? left + width : s->width;

    for (int y = 0; cut && y < height && x1 > x0; y++) {
        int row = top + y;
        if (row < 0 || row >= s->height) continue;
        memcpy(cut + ((size_t)y * width + (size_t)(x0 - left)) * cell,
               (const char *)plane + ((size_t)row * s->width + (size_t)x0) * cell,
               (size_t)(x1 - x0) * cell);
    }
    return cut;
}

mg_status mg_sample_crop(mg_sample *sample, int top, int left, int height, int width)
{
    void *pixels =
        cut_plane(sample->pixels, (size_t)sample->channels, sample, top, left, height, width);
    uint8_t *label =
        sample->label ? cut_plane(sample->label, 1, sample, top, left, height, width) : NULL;
    uint16_t *bits = sample->bits
                         ? cut_plane(sample->bits, sizeof *bits, sample, top, left, height, width)
                         : NULL;
    mg_status st = MG_OK;

    if (!pixels || (sample->label && !label) || (sample->bits && !bits))
        st = MG_FAIL(MG_ERR_MEMORY, "no memory for %d x %d pixels", height, width);
    if (!st && !sample->hashed) st = mg_sample_hash(sample, &sample->hash);
    if (st) {
        mg_free(pixels), mg_free(label), mg_free(bits);
        return st;
    }
    sample->hashed = true;
    mg_free(sample->pixels), mg_free(sample->label), mg_free(sample->bits);
    sample->pixels = pixels;
    sample->label = label;
    sample->bits = bits;
    sample->height = height;
    sample->width = width;
    if (label || bits) sample->full_height = height, sample->full_width = width;
    return MG_OK;
}

mg_status mg_sample_check_size(const char *path, int height, int width, const mg_sample *sample)
{
    MG_CHECK(height == sample->height && width == sample->width, MG_ERR_FORMAT,
             "mask '%s' is %d x %d, the picture is %d x %d (rows x columns)", path, height, width,
             sample->height, sample->width);
    return MG_OK;
}

mg_status mg_sample_binary_mask(const char *root, const char *path, int threshold,
                                mg_sample *sample)
{
    mg_sample mask;
    int top = 0;

    MG_TRY(mg_sample_picture(root, path, 0, &mask));
    mg_status st = mg_sample_check_size(path, mask.height, mask.width, sample);
    if (st) goto done;
    mg_sample_to_grey(&mask);
    uint8_t *v = mask.pixels;
    for (size_t i = 0; i < (size_t)mask.height * mask.width; i++) {
        if (v[i] > top) top = v[i];
        v[i] = v[i] >= threshold;
    }
    if (top && top < threshold) {
        st = MG_FAIL(MG_ERR_FORMAT, "values of mask '%s' end at %d, expected 0 and 255", path, top);
        goto done;
    }
    if (!strncmp(mask.decoder, "libjpeg", 7)) add_decoder_text(sample, " JPEG mask");
    sample->label = v;
    mask.pixels = NULL;

done:
    mg_sample_free(&mask);
    return st;
}
