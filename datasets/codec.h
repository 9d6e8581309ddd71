// Between decode.c and the files that know one format each: png.c,
// png_plain.c, jpeg.c, tiff.c, bmp.c.
#ifndef MG_DATASETS_CODEC_H
#define MG_DATASETS_CODEC_H

#include <stddef.h>

#include "datasets/decode.h"

enum { MG_MAX_SIDE = 65535 };

bool mg_is_png(const void *data, size_t bytes);
bool mg_is_jpeg(const void *data, size_t bytes);
bool mg_is_tiff(const void *data, size_t bytes);
bool mg_is_bmp(const void *data, size_t bytes);

// `raw`: samples as stored (palette index, low bit depths not scaled), for masks.
mg_status mg_png_decode(const void *data, size_t bytes, const char *name, bool raw,
                        mg_picture *out);
// The same for the common kind of PNG, faster (png_plain.c); false if it is not of that kind, or damaged.
bool mg_png_plain(const void *data, size_t bytes, mg_picture *out);
// `grey`: luma only, for masks.
mg_status mg_jpeg_decode(const void *data, size_t bytes, const char *name, int min_long_side,
                         bool grey, mg_picture *out);
// `raw` as for PNG.
mg_status mg_tiff_decode(const void *data, size_t bytes, const char *name, bool raw,
                         mg_picture *out);
mg_status mg_bmp_decode(const void *data, size_t bytes, const char *name, mg_picture *out);

// In memory; *data is mg_free'd by the caller.
mg_status mg_encode_jpeg(const uint8_t *pixels, int height, int width, int channels, int quality,
                         void **data, size_t *bytes);
// Packed by LZW.
mg_status mg_encode_tiff(const uint8_t *pixels, int height, int width, int channels, void **data,
                         size_t *bytes);
// 24 bits for 3 channels; for 1 an 8-bit palette: pixels are places in grey[greys], NULL: 0..255.
mg_status mg_encode_bmp(const uint8_t *pixels, int height, int width, int channels,
                        const uint8_t *grey, int greys, void **data, size_t *bytes);

#endif
