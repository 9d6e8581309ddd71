// BMP in and out, by our own reader (the format as in Microsoft's BITMAPFILEHEADER, BITMAPINFOHEADER and
// its successors): headers of 40, 108 or 124 bytes; 1, 4 and 8 bits through their palette, also packed by
// RLE8; 24 and 32 bits as blue, green, red; rows of 4-byte units, from the bottom unless the height
// is negative. Other kinds are refused by name.
// Hostile files: every size and offset is held against the file before anything is allocated.
#include <stdlib.h>
#include <string.h>

#include "datasets/codec.h"
#include "runtime/mem.h"

enum { FILE_HEAD = 14, INFO_HEAD = 40, RGB = 0, RLE8 = 1, BITFIELDS = 3, RLE_MOST = 128 };

// What the headers say.
typedef struct {
    const uint8_t *data;
    size_t bytes;
    const char *name;
    int width, height, bits, packing;
    bool from_top;
    size_t pixels_at;
    const uint8_t *palette; // [colours][4], blue first
    unsigned colours;
} bitmap;

bool mg_is_bmp(const void *data, size_t bytes)
{
    return bytes >= 2 && !memcmp(data, "BM", 2);
}

static uint32_t get(const uint8_t *b, int bytes)
{
    uint32_t v = 0;
    for (int i = bytes; i-- > 0;) v = v << 8 | b[i];
    return v;
}

// 32-bit pixels may name their channels' places; only the usual ones are read.
static mg_status check_fields(const bitmap *m)
{
    const uint8_t *b = m->data + FILE_HEAD + INFO_HEAD;

    MG_CHECK(m->bytes >= FILE_HEAD + INFO_HEAD + 12, MG_ERR_FORMAT, "BMP '%s' ends in its header",
             m->name);
    MG_CHECK(m->bits == 32 && get(b, 4) == 0xff0000 && get(b + 4, 4) == 0xff00 &&
                 get(b + 8, 4) == 0xff,
             MG_ERR_FORMAT,
             "BMP '%s' has %d bits with channels %08x %08x %08x; expected 32 bits, 00ff0000 "
             "0000ff00 000000ff",
             m->name, m->bits, get(b, 4), get(b + 4, 4), get(b + 8, 4));
    return MG_OK;
}

static mg_status read_palette(bitmap *m, size_t head)
{
    size_t at = FILE_HEAD + head;
    uint32_t colours = get(m->data + 46, 4), most = 1u << m->bits;

    if (colours == 0) colours = most;
    MG_CHECK(colours <= most, MG_ERR_FORMAT, "BMP '%s' has %u colours for %d bits", m->name,
             colours, m->bits);
    MG_CHECK(m->bytes >= at + 4 * (size_t)colours, MG_ERR_FORMAT, "BMP '%s' ends in its palette",
             m->name);
    m->palette = m->data + at;
    m->colours = colours;
    return MG_OK;
}

static size_t row_bytes(const bitmap *m)
{
    return ((size_t)m->width * (size_t)m->bits + 31) / 32 * 4;
}

static mg_status read_size(bitmap *m)
{
    int32_t width = (int32_t)get(m->data + 18, 4), height = (int32_t)get(m->data + 22, 4);

    m->from_top = height < 0;
    MG_CHECK(width > 0 && width <= MG_MAX_SIDE && height != 0 && height >= -MG_MAX_SIDE &&
                 height <= MG_MAX_SIDE,
             MG_ERR_FORMAT, "BMP '%s' is %d x %d; expected sides of 1 to %d", m->name, width,
             height, MG_MAX_SIDE);
    m->width = width;
    m->height = abs(height);
    return MG_OK;
}

static mg_status check_pixels(const bitmap *m)
{
    size_t cells = (size_t)m->width * (size_t)m->height;

    MG_CHECK(3 * cells <= MG_MAX_PICTURE_BYTES, MG_ERR_FORMAT,
             "BMP '%s' is %d x %d: larger than 1 GiB decoded", m->name, m->width, m->height);
    MG_CHECK(m->pixels_at <= m->bytes, MG_ERR_FORMAT, "BMP '%s' has its pixels at byte %zu of %zu",
             m->name, m->pixels_at, m->bytes);
    size_t there = m->bytes - m->pixels_at;
    if (m->packing == RLE8) {
        MG_CHECK(cells <= RLE_MOST * there, MG_ERR_FORMAT,
                 "BMP '%s' has %zu bytes of pixels, too few for %d x %d", m->name, there, m->width,
                 m->height);
        return MG_OK;
    }
    size_t need = row_bytes(m) * (size_t)m->height;
    MG_CHECK(there >= need, MG_ERR_FORMAT,
             "BMP '%s' ends early: %zu bytes of pixels, %d x %d at %d bits need %zu", m->name,
             there, m->width, m->height, m->bits, need);
    return MG_OK;
}

static mg_status read_head(bitmap *m)
{
    MG_CHECK(m->bytes >= FILE_HEAD + INFO_HEAD, MG_ERR_FORMAT, "BMP '%s' ends in its header",
             m->name);
    uint32_t head = get(m->data + FILE_HEAD, 4);
    MG_CHECK(head == INFO_HEAD || head == 108 || head == 124, MG_ERR_FORMAT,
             "BMP '%s' has a header of %u bytes; expected 40, 108 or 124", m->name, head);
    MG_TRY(read_size(m));
    m->pixels_at = get(m->data + 10, 4);
    m->bits = (int)get(m->data + 28, 2);
    m->packing = (int)get(m->data + 30, 4);
    bool indexed = m->bits == 1 || m->bits == 4 || m->bits == 8;
    MG_CHECK(indexed || m->bits == 24 || m->bits == 32, MG_ERR_FORMAT,
             "BMP '%s' has %d bits a pixel; expected 1, 4, 8, 24 or 32", m->name, m->bits);
    MG_CHECK(m->packing == RGB || (m->packing == RLE8 && m->bits == 8 && !m->from_top) ||
                 m->packing == BITFIELDS,
             MG_ERR_FORMAT, "BMP '%s' has compression %d, which is not read (%d bits)", m->name,
             m->packing, m->bits);
    if (m->packing == BITFIELDS) MG_TRY(check_fields(m));
    if (indexed) MG_TRY(read_palette(m, head));
    return check_pixels(m);
}

static bool palette_is_grey(const bitmap *m)
{
    for (unsigned i = 0; i < m->colours; i++) {
        const uint8_t *c = m->palette + 4 * i;
        if (c[0] != c[1] || c[0] != c[2]) return false;
    }
    return true;
}

// --- pixels -----------------------------------------------------------------------------------------

// Place in the palette of pixel x of a row.
static unsigned index_at(const bitmap *m, const uint8_t *row, int x)
{
    int per_byte = 8 / m->bits, shift = 8 - m->bits * (x % per_byte + 1);
    return row[x / per_byte] >> shift & ((1u << m->bits) - 1);
}

static mg_status put_index(const bitmap *m, unsigned index, int x, int y, mg_picture *out)
{
    uint8_t *to = (uint8_t *)out->pixels + ((size_t)y * m->width + x) * out->channels;

    MG_CHECK(index < m->colours, MG_ERR_FORMAT,
             "BMP '%s' asks for colour %u of %u at row %d, column %d", m->name, index, m->colours,
             y, x);
    const uint8_t *c = m->palette + (size_t)4 * index;
    for (int ch = 0; ch < out->channels; ch++) to[ch] = c[2 - ch];
    return MG_OK;
}

static mg_status decode_rows(const bitmap *m, mg_picture *out)
{
    for (int y = 0; y < m->height; y++) {
        size_t line = (size_t)(m->from_top ? y : m->height - 1 - y);
        const uint8_t *row = m->data + m->pixels_at + line * row_bytes(m);
        uint8_t *to = (uint8_t *)out->pixels + (size_t)y * m->width * out->channels;
        int step = m->bits / 8;
        for (int x = 0; x < m->width; x++) {
            if (m->palette)
                MG_TRY(put_index(m, index_at(m, row, x), x, y, out));
            else
                for (int ch = 0; ch < 3; ch++) to[3 * x + ch] = row[step * x + 2 - ch];
        }
    }
    return MG_OK;
}

// Pairs (count, index); (0, 0) ends a row, (0, 1) the picture, (0, 2) skips to the right and up, and
// (0, n) is followed by n indices, filled up to an even count. What is skipped has index 0.
static mg_status decode_rle8(const bitmap *m, mg_picture *out)
{
    const uint8_t *b = m->data + m->pixels_at, *end = m->data + m->bytes;
    int x = 0, line = 0;

    for (int y = 0; y < m->height; y++)
        for (int column = 0; column < m->width; column++) MG_TRY(put_index(m, 0, column, y, out));
    while (end - b >= 2) {
        unsigned count = b[0], value = b[1];
        bool literal = count == 0 && value > 2;
        b += 2;
        if (count == 0 && value == 1) return MG_OK;
        if (count == 0 && value == 0) {
            x = 0, line++;
            continue;
        }
        if (count == 0 && value == 2) {
            if (end - b < 2) break;
            x += b[0], line += b[1];
            b += 2;
            continue;
        }
        unsigned n = literal ? value : count;
        if (literal && end - b < (ptrdiff_t)(n + n % 2)) break;
        MG_CHECK(line < m->height && n <= (unsigned)m->width && x <= m->width - (int)n,
                 MG_ERR_FORMAT,
                 "BMP '%s' packs %u pixels behind column %d of row %d; it is %d x %d", m->name, n,
                 x, line, m->width, m->height);
        for (unsigned i = 0; i < n; i++, x++)
            MG_TRY(put_index(m, literal ? b[i] : value, x, m->height - 1 - line, out));
        if (literal) b += n + n % 2;
    }
    return MG_FAIL(MG_ERR_FORMAT, "BMP '%s' ends early, in row %d of %d from below", m->name, line,
                   m->height);
}

mg_status mg_bmp_decode(const void *data, size_t bytes, const char *name, mg_picture *out)
{
    bitmap m = {.data = data, .bytes = bytes, .name = name};

    *out = (mg_picture){0};
    MG_TRY(read_head(&m));
    *out = (mg_picture){.height = m.height,
                        .width = m.width,
                        .full_height = m.height,
                        .full_width = m.width,
                        .channels = m.palette && palette_is_grey(&m) ? 1 : 3,
                        .bytes = 1,
                        .palette = m.palette != NULL,
                        .decoder = "BMP",
                        .scale = 1,
                        .exif_orientation = 1};
    out->pixels = mg_alloc((size_t)m.height * m.width * out->channels);
    mg_status st = MG_OK;
    if (!out->pixels)
        st = MG_FAIL(MG_ERR_MEMORY, "no memory for the %d x %d pixels of '%s'", m.width, m.height,
                     name);
    if (!st) st = m.packing == RLE8 ? decode_rle8(&m, out) : decode_rows(&m, out);
    if (st) mg_picture_free(out);
    return st;
}

// --- writing ----------------------------------------------------------------------------------------

static void put(uint8_t *b, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) b[i] = (uint8_t)(v >> 8 * i);
}

mg_status mg_encode_bmp(const uint8_t *pixels, int height, int width, int channels,
                        const uint8_t *grey, int greys, void **data, size_t *bytes)
{
    int colours = channels == 3 ? 0 : grey ? greys : 256;
    size_t row = ((size_t)width * channels + 3) / 4 * 4;
    size_t head = FILE_HEAD + INFO_HEAD + (size_t)4 * colours, size = head + row * (size_t)height;
    uint8_t *b = mg_calloc(1, size);

    *data = NULL;
    MG_CHECK(b, MG_ERR_MEMORY, "no memory for a BMP of %zu bytes", size);
    memcpy(b, "BM", 2);
    put(b + 2, (uint32_t)size, 4);
    put(b + 10, (uint32_t)head, 4);
    put(b + 14, INFO_HEAD, 4);
    put(b + 18, (uint32_t)width, 4);
    put(b + 22, (uint32_t)height, 4);
    put(b + 26, 1, 2);
    put(b + 28, (uint32_t)(8 * channels), 2);
    put(b + 34, (uint32_t)(row * (size_t)height), 4);
    put(b + 46, (uint32_t)colours, 4);
    for (int i = 0; i < colours; i++)
        memset(b + FILE_HEAD + INFO_HEAD + 4 * i, grey ? grey[i] : i, 3);
    for (int y = 0; y < height; y++) {
        uint8_t *to = b + head + row * (size_t)(height - 1 - y);
        const uint8_t *from = pixels + (size_t)y * width * channels;
        for (int x = 0; x < width; x++)
            for (int ch = 0; ch < channels; ch++)
                to[x * channels + ch] = from[x * channels + channels - 1 - ch];
    }
    *data = b;
    *bytes = size;
    return MG_OK;
}
