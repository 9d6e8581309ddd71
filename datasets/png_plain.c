// The common kind of PNG, decoded fast: 8-bit grey or RGB, not interlaced, nothing odd about it.
// libdeflate inflates the picture at once, in less than half of zlib's time; what is left are the chunks
// and filters of the PNG specification (third edition, sections 5, 7 and 9). The one home of libdeflate.
// Whatever is not plain, damaged files too, is left to libpng (png.c): its verdict is the only one.
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/codec.h"
#include "runtime/mem.h"

enum {
    SIGNATURE = 8,
    AROUND = 12, // length, type and checksum of a chunk
    HEADER = 13,
    COLOURS = 2,      // bit of the header's colour type
    LONGEST = 1 << 20 // of a chunk that carries no pixels; libpng has a limit too
};

static uint32_t number(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

// --- chunks -----------------------------------------------------------------------------------------

typedef struct {
    const uint8_t *data; // the file
    size_t bytes, at;
} chunks;

typedef struct {
    const uint8_t *type, *data;
    size_t bytes;
} chunk;

static bool is_letters(const uint8_t *type)
{
    for (int i = 0; i < 4; i++)
        if ((type[i] | 0x20) < 'a' || (type[i] | 0x20) > 'z') return false;
    return true;
}

// The next chunk; false if it does not lie in the file, or its type or checksum is wrong.
static bool next_chunk(chunks *c, chunk *out)
{
    const uint8_t *from = c->data + c->at;
    size_t left = c->bytes - c->at;

    if (left < AROUND || number(from) > left - AROUND) return false;
    *out = (chunk){from + 4, from + 8, number(from)};
    c->at += out->bytes + AROUND;
    if (!is_letters(out->type)) return false;
    return libdeflate_crc32(0, out->type, out->bytes + 4) == number(out->data + out->bytes);
}

static bool is_type(const chunk *c, const char *type)
{
    return !memcmp(c->type, type, 4);
}

// Sizes from the header; false if the picture is not a plain one.
static bool read_header(const chunk *c, mg_picture *out)
{
    const uint8_t *h = c->data;

    if (!is_type(c, "IHDR") || c->bytes != HEADER) return false;
    if (h[8] != 8 || (h[9] & ~COLOURS) || h[10] || h[11] || h[12]) return false;
    uint32_t width = number(h), height = number(h + 4);
    if (!width || !height || width > MG_MAX_SIDE || height > MG_MAX_SIDE) return false;
    out->width = out->full_width = (int)width;
    out->height = out->full_height = (int)height;
    out->channels = h[9] & COLOURS ? 3 : 1;
    out->bytes = 1;
    out->scale = out->exif_orientation = 1;
    out->decoder = "libdeflate";
    return true;
}

// Walk over all chunks up to IEND, and put the contents of the IDAT ones behind each other into `packed`.
// Chunks that carry no pixels are passed over; a palette or a transparent colour is not plain.
static bool gather(chunks *c, uint8_t *packed, size_t *bytes)
{
    chunk piece;
    bool ended = false; // an IDAT behind another chunk is an error

    for (*bytes = 0; next_chunk(c, &piece);) {
        bool data = is_type(&piece, "IDAT");
        if (is_type(&piece, "IEND")) return *bytes > 0;
        if (data ? ended : !(piece.type[0] & 0x20)) return false; // 0x20: may be passed over
        if (is_type(&piece, "tRNS") || (!data && piece.bytes > LONGEST)) return false;
        ended = *bytes > 0 && !data;
        if (!data) continue;
        memcpy(packed + *bytes, piece.data, piece.bytes);
        *bytes += piece.bytes;
    }
    return false;
}

// Exactly `room` bytes must come out, and nothing be left over. zlib refuses what reaches back further than
// the stream's head says, which libdeflate does not look at: the window must hold everything, or be the largest.
static bool inflate_all(const uint8_t *packed, size_t bytes, uint8_t *out, size_t room)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    size_t used = 0, window = bytes ? (size_t)256 << (packed[0] >> 4) : 0;

    if (!d || (window < room && window < 32768)) {
        libdeflate_free_decompressor(d);
        return false;
    }
    enum libdeflate_result result =
        libdeflate_zlib_decompress_ex(d, packed, bytes, out, room, &used, NULL);
    libdeflate_free_decompressor(d);
    return result == LIBDEFLATE_SUCCESS && used == bytes;
}

// --- filters ----------------------------------------------------------------------------------------
// `out` and `up` are rows of n bytes, step bytes a pixel; `inp` is the filtered row.

enum { NONE, SUB, UP, AVERAGE, PAETH };

static inline uint8_t paeth(int left, int up, int corner)
{
    int p = up - corner, q = left - corner;
    int from_left = abs(p), from_up = abs(q), from_corner = abs(p + q);
    int other = from_up <= from_corner ? up : corner;
    int least = from_up <= from_corner ? from_up : from_corner;
    return (uint8_t)(from_left <= least ? left : other);
}

static void undo_sub(uint8_t *out, const uint8_t *inp, size_t n, size_t step)
{
    memcpy(out, inp, step);
    for (size_t i = step; i < n; i++) out[i] = (uint8_t)(inp[i] + out[i - step]);
}

static void undo_up(uint8_t *out, const uint8_t *inp, const uint8_t *up, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(inp[i] + up[i]);
}

static void undo_average(uint8_t *out, const uint8_t *inp, const uint8_t *up, size_t n, size_t step)
{
    for (size_t i = 0; i < step; i++) out[i] = (uint8_t)(inp[i] + up[i] / 2);
    for (size_t i = step; i < n; i++) out[i] = (uint8_t)(inp[i] + (out[i - step] + up[i]) / 2);
}

// Bytes [lo, hi) of a row.
static inline void undo_paeth(uint8_t *out, const uint8_t *inp, const uint8_t *up, size_t lo,
                              size_t hi, size_t step)
{
    for (size_t i = lo; i < hi; i++)
        out[i] = (uint8_t)(inp[i] + (i < step ? up[i] : paeth(out[i - step], up[i], up[i - step])));
}

// Two rows of n bytes at once: each pixel waits for the one on its left, so the second row follows one
// pixel behind the first and fills the waits. `inp` rows are n + 1 bytes apart.
static void undo_paeth_twice(uint8_t *out, const uint8_t *inp, const uint8_t *up, size_t n,
                             size_t step)
{
    uint8_t *below = out + n;
    const uint8_t *inp_below = inp + n + 1;

    undo_paeth(out, inp, up, 0, step < n ? 2 * step : step, step);
    undo_paeth(below, inp_below, out, 0, step, step);
    for (size_t i = 2 * step; i < n; i++) {
        size_t j = i - step;
        out[i] = (uint8_t)(inp[i] + paeth(out[j], up[i], up[j]));
        below[j] = (uint8_t)(inp_below[j] + paeth(below[j - step], out[j], out[j - step]));
    }
    undo_paeth(below, inp_below, out, n > step ? n - step : n, n, step);
}

// Rows of pixels from filtered rows, each of which begins with its filter; `zeros` [n] lies above the
// first. False if a filter is unknown.
static bool undo_filters(mg_picture *p, const uint8_t *inp, const uint8_t *zeros)
{
    size_t step = (size_t)p->channels, n = (size_t)p->width * step;
    uint8_t *out = p->pixels;
    const uint8_t *up = zeros;

    for (int y = 0; y < p->height; y++, up = out, out += n, inp += n + 1) {
        if (*inp == NONE)
            memcpy(out, inp + 1, n);
        else if (*inp == SUB)
            undo_sub(out, inp + 1, n, step);
        else if (*inp == UP)
            undo_up(out, inp + 1, up, n);
        else if (*inp == AVERAGE)
            undo_average(out, inp + 1, up, n, step);
        else if (*inp != PAETH)
            return false;
        else if (y + 1 == p->height || inp[n + 1] != PAETH)
            undo_paeth(out, inp + 1, up, 0, n, step);
        else {
            undo_paeth_twice(out, inp + 1, up, n, step);
            y++, out += n, inp += n + 1;
        }
    }
    return true;
}

// --- the whole --------------------------------------------------------------------------------------

bool mg_png_plain(const void *data, size_t bytes, mg_picture *out)
{
    chunks c = {.data = data, .bytes = bytes, .at = SIGNATURE};
    chunk first;
    size_t packed_bytes = 0;

    *out = (mg_picture){0};
    if (!mg_is_png(data, bytes) || !next_chunk(&c, &first) || !read_header(&first, out))
        return false;
    size_t row = (size_t)out->width * (size_t)out->channels;
    size_t filtered_bytes = (row + 1) * (size_t)out->height;
    // Deflate never packs better than 1032 to 1.
    if (filtered_bytes > MG_MAX_PICTURE_BYTES || filtered_bytes / 1040 > bytes) return false;

    uint8_t *packed = mg_alloc(bytes), *filtered = mg_alloc(filtered_bytes);
    uint8_t *zeros = mg_calloc(row, 1);
    out->pixels = mg_alloc(row * (size_t)out->height);
    bool plain = packed && filtered && zeros && out->pixels && gather(&c, packed, &packed_bytes) &&
                 inflate_all(packed, packed_bytes, filtered, filtered_bytes) &&
                 undo_filters(out, filtered, zeros);
    mg_free(packed);
    mg_free(filtered);
    mg_free(zeros);
    if (!plain) mg_picture_free(out);
    return plain;
}
