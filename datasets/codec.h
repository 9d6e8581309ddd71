// Between decode.c and the files that know one format each: png.c and jpeg.c.
#ifndef MG_DATASETS_CODEC_H
#define MG_DATASETS_CODEC_H

#include <stddef.h>

#include "datasets/decode.h"

enum { MG_MAX_SIDE = 65535 };

bool mg_is_png(const void *data, size_t bytes);
bool mg_is_jpeg(const void *data, size_t bytes);

// `raw`: samples as stored (palette index, low bit depths not scaled), for masks.
mg_status mg_png_decode(const void *data, size_t bytes, const char *name, bool raw,
                        mg_picture *out);
// `grey`: luma only, for masks.
mg_status mg_jpeg_decode(const void *data, size_t bytes, const char *name, int min_long_side,
                         bool grey, mg_picture *out);

// In memory; *data is mg_free'd by the caller.
mg_status mg_encode_jpeg(const uint8_t *pixels, int height, int width, int channels, int quality,
                         void **data, size_t *bytes);

#endif
