// JPEG in and out. The one home of libjpeg-turbo (TurboJPEG 2 interface).
// Repeatable pixels: the accurate DCT, no shortcut in upsampling. Large pictures can be decoded at
// 1/2, 1/4 or 1/8. A file that ends early is an error, not a grey half. The EXIF orientation is
// reported and never applied.
#include <stdio.h>
#include <string.h>

#include <turbojpeg.h>

#include "datasets/codec.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

bool mg_is_jpeg(const void *data, size_t bytes)
{
    const uint8_t *b = data;
    return bytes >= 3 && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff;
}

static unsigned number(const uint8_t *b, int bytes, bool little)
{
    unsigned v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | b[little ? bytes - 1 - i : i];
    return v;
}

// Orientation in a TIFF structure: tag 0x0112 of the first directory; 1 if absent or damaged.
static int tiff_orientation(const uint8_t *b, size_t bytes)
{
    if (bytes < 8 || (memcmp(b, "II", 2) && memcmp(b, "MM", 2))) return 1;
    bool little = b[0] == 'I';
    size_t at = number(b + 4, 4, little);
    if (at > bytes - 2 || number(b + 2, 2, little) != 42) return 1;
    unsigned entries = number(b + at, 2, little);
    at += 2;
    for (unsigned i = 0; i < entries && bytes - at >= 12; i++, at += 12) {
        if (number(b + at, 2, little) != 0x0112) continue;
        unsigned v = number(b + at + 8, 2, little);
        return v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}

// Walk the marker segments up to the picture data.
static int exif_orientation(const uint8_t *b, size_t bytes)
{
    size_t at = 2;
    while (bytes - at >= 4 && b[at] == 0xff && b[at + 1] != 0xda) {
        size_t length = number(b + at + 2, 2, false);
        if (length < 2 || length > bytes - at - 2) return 1;
        if (b[at + 1] == 0xe1 && length >= 8 && !memcmp(b + at + 4, "Exif\0\0", 6))
            return tiff_orientation(b + at + 10, length - 8);
        at += 2 + length;
    }
    return 1;
}

// Largest of 8, 4, 2, 1 that leaves the long side at least `min_long_side`.
static int choose_scale(int width, int height, int min_long_side)
{
    int side = width > height ? width : height;
    if (min_long_side <= 0) return 1;
    for (int scale = 8; scale > 1; scale /= 2)
        if ((side + scale - 1) / scale >= min_long_side) return scale;
    return 1;
}

// Bytes lost between the data and the end marker hurt no pixel; every other complaint does.
static bool harmless(tjhandle handle)
{
    const char *text = tjGetErrorStr2(handle);
    return tjGetErrorCode(handle) == TJERR_WARNING && strstr(text, "extraneous bytes before") &&
           strstr(text, "0xd9");
}

static mg_status decode(tjhandle handle, const void *data, size_t bytes, const char *name,
                        int min_long_side, bool grey, mg_picture *out)
{
    int width, height, sampling, space;

    MG_CHECK(!tjDecompressHeader3(handle, data, bytes, &width, &height, &sampling, &space),
             MG_ERR_FORMAT, "cannot decode JPEG '%s': %s", name, tjGetErrorStr2(handle));
    MG_CHECK(space != TJCS_CMYK && space != TJCS_YCCK, MG_ERR_FORMAT,
             "JPEG '%s' has the colours of a printing press (CMYK); expected grey or RGB", name);
    out->channels = grey || space == TJCS_GRAY ? 1 : 3;
    MG_CHECK((double)width * height * out->channels <= MG_MAX_PICTURE_BYTES, MG_ERR_FORMAT,
             "JPEG '%s' is %d x %d: larger than 1 GiB decoded", name, width, height);

    out->full_width = width;
    out->full_height = height;
    out->scale = choose_scale(width, height, min_long_side);
    out->width = (width + out->scale - 1) / out->scale;
    out->height = (height + out->scale - 1) / out->scale;
    out->bytes = 1;
    out->lossy = true;
    out->decoder = "libjpeg-turbo";
    out->exif_orientation = exif_orientation(data, bytes);
    out->pixels = mg_alloc((size_t)out->width * out->height * out->channels);
    MG_CHECK(out->pixels, MG_ERR_MEMORY, "no memory for the %d x %d pixels of '%s'", width, height,
             name);

    int format = out->channels == 1 ? TJPF_GRAY : TJPF_RGB;
    int failed = tjDecompress2(handle, data, bytes, out->pixels, out->width, 0, out->height, format,
                               TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
    MG_CHECK(!failed || harmless(handle), MG_ERR_FORMAT, "cannot decode JPEG '%s': %s", name,
             tjGetErrorStr2(handle));
    return MG_OK;
}

mg_status mg_jpeg_decode(const void *data, size_t bytes, const char *name, int min_long_side,
                         bool grey, mg_picture *out)
{
    tjhandle handle = tjInitDecompress();

    *out = (mg_picture){0};
    MG_CHECK(handle, MG_ERR_MEMORY, "cannot allocate a JPEG reader for '%s'", name);
    mg_status st = decode(handle, data, bytes, name, min_long_side, grey, out);
    tjDestroy(handle);
    if (st) mg_picture_free(out);
    return st;
}

mg_status mg_encode_jpeg(const uint8_t *pixels, int height, int width, int channels, int quality,
                         void **data, size_t *bytes)
{
    tjhandle handle = tjInitCompress();
    unsigned char *buffer = NULL; // belongs to the library
    unsigned long count = 0;
    int format = channels == 1 ? TJPF_GRAY : TJPF_RGB;
    int sampling = channels == 1 ? TJSAMP_GRAY : TJSAMP_420;
    mg_status st = MG_OK;

    *data = NULL;
    MG_CHECK(handle, MG_ERR_MEMORY, "cannot allocate a JPEG writer");
    if (tjCompress2(handle, pixels, width, 0, height, format, &buffer, &count, sampling, quality,
                    TJFLAG_ACCURATEDCT)) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot encode a JPEG: %s", tjGetErrorStr2(handle));
        goto done;
    }
    *data = mg_alloc(count);
    if (!*data) {
        st = MG_FAIL(MG_ERR_MEMORY, "no memory for a JPEG of %lu bytes", count);
        goto done;
    }
    memcpy(*data, buffer, count);
    *bytes = count;

done:
    tjFree(buffer);
    tjDestroy(handle);
    return st;
}

mg_status mg_write_jpeg(const char *path, const uint8_t *pixels, int height, int width,
                        int channels, int quality)
{
    void *data;
    size_t bytes = 0;

    MG_TRY(mg_encode_jpeg(pixels, height, width, channels, quality, &data, &bytes));
    mg_status st = mg_write_file(path, data, bytes);
    mg_free(data);
    return st;
}
