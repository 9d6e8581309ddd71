// TIFF in and out. The one home of libtiff. The first picture of a file: strips or tiles, channels together
// or apart, any packing that libtiff knows (JPEG inside becomes RGB), whole numbers of 1 to 16 bits;
// grey either way round, palette, RGB; alpha is dropped, the orientation is applied.
// Hostile files: sides and memory are bounded before anything is allocated, also inside of the library,
// and what it complains about while it unpacks pixels is an error.
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

#include "datasets/codec.h"
#include "runtime/mem.h"

// Nothing that matters packs better: LZW of a single value comes to 1300, a white page of fax to 2000.
enum { MOST_PACKED = 4000 };

// A file in memory and what the library said first; also what is written.
typedef struct {
    const uint8_t *data; // reading; not owned
    uint8_t *grown;      // writing
    uint64_t bytes, at, room;
    bool unpacking; // warnings count from now on
    char message[160];
} stream;

bool mg_is_tiff(const void *data, size_t bytes)
{
    static const char *const magic[] = {"II*\0", "MM\0*", "II+\0", "MM\0+"};
    for (int i = 0; i < 4; i++)
        if (bytes >= 4 && !memcmp(data, magic[i], 4)) return true;
    return false;
}

// --- what the library asks for ----------------------------------------------------------------------

static void keep(stream *s, const char *format, va_list args)
{
    if (!*s->message) vsnprintf(s->message, sizeof s->message, format, args);
}

static int on_error(TIFF *tiff, void *user, const char *module, const char *format, va_list args)
{
    (void)tiff, (void)module;
    keep(user, format, args);
    return 1; // not to stderr
}

static int on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list args)
{
    stream *s = user;
    (void)tiff, (void)module;
    if (s->unpacking) keep(s, format, args);
    return 1;
}

static tmsize_t take(thandle_t user, void *to, tmsize_t count)
{
    stream *s = user;
    uint64_t left = s->at < s->bytes ? s->bytes - s->at : 0, n = (uint64_t)count;

    if (n > left) n = left;
    if (n) memcpy(to, (s->grown ? s->grown : s->data) + s->at, n);
    s->at += n;
    return (tmsize_t)n;
}

static tmsize_t give(thandle_t user, void *from, tmsize_t count)
{
    stream *s = user;
    uint64_t end = s->at + (uint64_t)count;

    if (s->data) return 0;
    if (end > s->room) {
        uint64_t room = 2 * end + 4096;
        uint8_t *grown = mg_realloc(s->grown, room);
        if (!grown) return 0;
        memset(grown + s->room, 0, room - s->room);
        s->grown = grown, s->room = room;
    }
    memcpy(s->grown + s->at, from, (size_t)count);
    s->at = end;
    if (end > s->bytes) s->bytes = end;
    return count;
}

static toff_t seek(thandle_t user, toff_t offset, int whence)
{
    stream *s = user;
    uint64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? s->at : s->bytes;
    s->at = from + offset;
    return s->at;
}

static int close_stream(thandle_t user)
{
    (void)user;
    return 0;
}

static toff_t size_of(thandle_t user)
{
    return ((stream *)user)->bytes;
}

static TIFF *open_stream(stream *s, const char *mode)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return NULL;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, MG_MAX_PICTURE_BYTES);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, s);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, s);
    TIFF *tiff = TIFFClientOpenExt("memory", mode, s, take, give, seek, close_stream, size_of, NULL,
                                   NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

// --- the head ---------------------------------------------------------------------------------------

typedef struct {
    const char *name;
    uint32_t width, height;
    uint16_t bits, samples, photometric, packing, planar, orientation;
    uint16_t *colour[3]; // palette; belongs to the library
    bool wide;           // palette of 16 bits
    int channels;        // that are kept
    bool raw;
} layout;

static mg_status read_palette(TIFF *tiff, layout *l)
{
    MG_CHECK(l->bits <= 8 && l->samples == 1 &&
                 TIFFGetField(tiff, TIFFTAG_COLORMAP, &l->colour[0], &l->colour[1], &l->colour[2]),
             MG_ERR_FORMAT, "TIFF '%s' has no palette, or not one of 8 bits", l->name);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 1 << l->bits; i++) l->wide = l->wide || l->colour[c][i] > 255;
    return MG_OK;
}

// JPEG keeps its colours as YCbCr; the library is asked for RGB.
static void ask_for_rgb(TIFF *tiff, layout *l)
{
    if (l->photometric != PHOTOMETRIC_YCBCR || l->packing != COMPRESSION_JPEG) return;
    if (TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB))
        l->photometric = PHOTOMETRIC_RGB;
}

static mg_status read_kind(TIFF *tiff, layout *l)
{
    uint16_t format;

    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &format);
    MG_CHECK(format == SAMPLEFORMAT_UINT || format == SAMPLEFORMAT_VOID, MG_ERR_FORMAT,
             "TIFF '%s' has values of format %d; expected whole numbers (1)", l->name, format);
    MG_CHECK(l->bits == 1 || l->bits == 2 || l->bits == 4 || l->bits == 8 || l->bits == 16,
             MG_ERR_FORMAT, "TIFF '%s' has %d bits a value; expected 1, 2, 4, 8 or 16", l->name,
             l->bits);
    bool grey = l->photometric == PHOTOMETRIC_MINISBLACK ||
                l->photometric == PHOTOMETRIC_MINISWHITE || l->photometric == PHOTOMETRIC_PALETTE;
    bool rgb = l->photometric == PHOTOMETRIC_RGB && l->bits >= 8;
    MG_CHECK(grey || rgb, MG_ERR_FORMAT,
             "TIFF '%s' has colours of kind %d (%d bits); expected grey, palette or RGB", l->name,
             l->photometric, l->bits);
    MG_CHECK(l->samples >= (rgb ? 3 : 1) && l->samples <= 8, MG_ERR_FORMAT,
             "TIFF '%s' has %d values a pixel", l->name, l->samples);
    l->channels = rgb ? 3 : 1;
    return l->photometric == PHOTOMETRIC_PALETTE && !l->raw ? read_palette(tiff, l) : MG_OK;
}

static mg_status read_head(TIFF *tiff, size_t bytes, layout *l)
{
    bool known = TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &l->width) &&
                 TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &l->height);

    MG_CHECK(known && l->width > 0 && l->height > 0 && l->width <= MG_MAX_SIDE &&
                 l->height <= MG_MAX_SIDE,
             MG_ERR_FORMAT, "TIFF '%s' is %u x %u; expected sides of 1 to %d", l->name, l->width,
             l->height, MG_MAX_SIDE);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &l->bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &l->samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &l->planar);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &l->orientation);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &l->packing);
    MG_CHECK(TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &l->photometric), MG_ERR_FORMAT,
             "TIFF '%s' does not say what its values mean", l->name);
    ask_for_rgb(tiff, l);
    MG_TRY(read_kind(tiff, l));
    double size = (double)l->width * l->height * l->samples * l->bits / 8;
    MG_CHECK(size <= MG_MAX_PICTURE_BYTES && 3.0 * l->width * l->height <= MG_MAX_PICTURE_BYTES,
             MG_ERR_FORMAT, "TIFF '%s' is %u x %u: larger than 1 GiB decoded", l->name, l->width,
             l->height);
    MG_CHECK(size <= MOST_PACKED * (double)bytes, MG_ERR_FORMAT,
             "TIFF '%s' has %zu bytes, too few for %u x %u", l->name, bytes, l->width, l->height);
    return MG_OK;
}

// --- pixels -----------------------------------------------------------------------------------------

// Value i of a packed row of at most 8 bits a value, or of 16.
static unsigned value_at(const uint8_t *row, int bits, size_t i)
{
    uint16_t wide;

    if (bits == 8) return row[i];
    if (bits == 16) {
        memcpy(&wide, row + 2 * i, 2);
        return wide;
    }
    size_t per_byte = 8u / (unsigned)bits;
    int shift = 8 - bits * (int)(i % per_byte + 1);
    return row[i / per_byte] >> shift & ((1u << bits) - 1);
}

static void put_value(mg_picture *out, size_t i, unsigned v)
{
    if (out->bytes == 2)
        ((uint16_t *)out->pixels)[i] = (uint16_t)v;
    else
        ((uint8_t *)out->pixels)[i] = (uint8_t)v;
}

static void put_colour(const layout *l, mg_picture *out, size_t cell, unsigned index)
{
    for (int c = 0; c < 3; c++) {
        unsigned v = l->colour[c][index];
        put_value(out, 3 * cell + c, l->wide ? v >> 8 : v);
    }
}

// Values of one row, in place of channel `first` onwards: `samples` of them a pixel, `keep` are kept.
static void unpack_row(const layout *l, const uint8_t *row, uint32_t x0, uint32_t count, uint32_t y,
                       int first, int samples, int kept, mg_picture *out)
{
    unsigned top = (1u << l->bits) - 1;

    for (uint32_t x = 0; x < count; x++) {
        size_t cell = (size_t)y * l->width + x0 + x;
        for (int c = 0; c < kept; c++) {
            unsigned v = value_at(row, l->bits, (size_t)x * samples + c);
            if (l->colour[0]) {
                put_colour(l, out, cell, v);
                continue;
            }
            if (l->photometric == PHOTOMETRIC_MINISWHITE) v = top - v;
            if (!l->raw && l->bits < 8) v = v * 255 / top;
            put_value(out, cell * (size_t)out->channels + (size_t)(first + c), v);
        }
    }
}

// A strip or tile as unpacked: where it lies, and how long its rows are.
typedef struct {
    uint32_t x, y, width, height;
    size_t row_bytes;
} piece;

static void unpack_piece(const layout *l, const uint8_t *data, const piece *p, int plane,
                         mg_picture *out)
{
    bool apart = l->planar == PLANARCONFIG_SEPARATE;
    uint32_t columns = p->width < l->width - p->x ? p->width : l->width - p->x;
    uint32_t rows = p->height < l->height - p->y ? p->height : l->height - p->y;

    for (uint32_t y = 0; y < rows; y++)
        unpack_row(l, data + y * p->row_bytes, p->x, columns, p->y + y, plane,
                   apart ? 1 : l->samples, apart ? 1 : l->channels, out);
}

static mg_status read_piece(TIFF *tiff, const stream *s, const layout *l, const piece *p, int plane,
                            uint8_t *buffer, size_t room, mg_picture *out)
{
    bool tiled = TIFFIsTiled(tiff);
    uint32_t rows = p->height < l->height - p->y ? p->height : l->height - p->y;
    size_t need = tiled ? room : rows * p->row_bytes;
    uint16_t sample = (uint16_t)plane;
    tmsize_t got = tiled ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, p->x, p->y, 0, sample),
                                               buffer, (tmsize_t)need)
                         : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, p->y, sample), buffer,
                                                (tmsize_t)need);

    MG_CHECK(!*s->message && got >= 0 && (size_t)got >= need, MG_ERR_FORMAT,
             "cannot decode TIFF '%s': %s (at row %u, column %u)", l->name,
             *s->message ? s->message : "the file ends early", p->y, p->x);
    unpack_piece(l, buffer, p, plane, out);
    return MG_OK;
}

static mg_status measure_piece(TIFF *tiff, const layout *l, piece *p, size_t *room)
{
    bool tiled = TIFFIsTiled(tiff);
    bool apart = l->planar == PLANARCONFIG_SEPARATE;

    *p = (piece){.width = l->width, .height = l->height};
    if (tiled) {
        TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &p->width);
        TIFFGetField(tiff, TIFFTAG_TILELENGTH, &p->height);
    } else {
        TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &p->height);
        if (p->height > l->height) p->height = l->height;
    }
    MG_CHECK(p->width > 0 && p->height > 0 && p->width <= MG_MAX_SIDE && p->height <= MG_MAX_SIDE,
             MG_ERR_FORMAT, "TIFF '%s' has pieces of %u x %u", l->name, p->width, p->height);
    p->row_bytes = ((size_t)p->width * (apart ? 1 : l->samples) * l->bits + 7) / 8;
    *room = p->row_bytes * p->height;
    uint64_t told = tiled ? TIFFTileSize64(tiff) : TIFFVStripSize64(tiff, p->height);
    MG_CHECK(told == *room && *room <= MG_MAX_PICTURE_BYTES, MG_ERR_FORMAT,
             "TIFF '%s' has pieces of %llu bytes; expected %zu", l->name, (unsigned long long)told,
             *room);
    return MG_OK;
}

static mg_status read_pieces(TIFF *tiff, const stream *s, const layout *l, mg_picture *out)
{
    int planes = l->planar == PLANARCONFIG_SEPARATE ? l->channels : 1;
    size_t room = 0;
    piece p = {0};

    MG_TRY(measure_piece(tiff, l, &p, &room));
    uint8_t *buffer = mg_calloc(1, room);
    MG_CHECK(buffer, MG_ERR_MEMORY, "no memory for %zu bytes of '%s'", room, l->name);
    mg_status st = MG_OK;
    for (int plane = 0; plane < planes && !st; plane++)
        for (p.y = 0; p.y < l->height && !st; p.y += p.height)
            for (p.x = 0; p.x < l->width && !st; p.x += p.width)
                st = read_piece(tiff, s, l, &p, plane, buffer, room, out);
    mg_free(buffer);
    return st;
}

// --- orientation ------------------------------------------------------------------------------------

// Where row 0 and column 0 of the file lie: 1 top left, 2 top right, 3 bottom right, 4 bottom left; 5 to 8
// the same with rows and columns exchanged before.
static mg_status turn(int orientation, const char *name, mg_picture *p)
{
    int h = p->height, w = p->width;
    size_t cell = (size_t)p->channels * p->bytes;

    if (orientation < 2 || orientation > 8) return MG_OK;
    bool swap = orientation >= 5;
    int rows = swap ? w : h, columns = swap ? h : w;
    bool from_right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    bool from_below = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    uint8_t *turned = mg_alloc((size_t)h * w * cell);
    MG_CHECK(turned, MG_ERR_MEMORY, "no memory to turn '%s'", name);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int row = swap ? x : y, column = swap ? y : x;
            if (from_below) row = rows - 1 - row;
            if (from_right) column = columns - 1 - column;
            memcpy(turned + ((size_t)row * columns + column) * cell,
                   (uint8_t *)p->pixels + ((size_t)y * w + x) * cell, cell);
        }
    mg_free(p->pixels);
    p->pixels = turned;
    p->height = p->full_height = rows;
    p->width = p->full_width = columns;
    return MG_OK;
}

static mg_status decode(TIFF *tiff, stream *s, layout *l, mg_picture *out)
{
    MG_TRY(read_head(tiff, s->bytes, l));
    *out = (mg_picture){.height = (int)l->height,
                        .width = (int)l->width,
                        .full_height = (int)l->height,
                        .full_width = (int)l->width,
                        .channels = l->colour[0] ? 3 : l->channels,
                        .bytes = l->bits == 16 ? 2 : 1,
                        .palette = l->photometric == PHOTOMETRIC_PALETTE,
                        .lossy = l->packing == COMPRESSION_JPEG,
                        .decoder = "libtiff",
                        .scale = 1,
                        .exif_orientation = 1};
    out->pixels = mg_alloc((size_t)l->height * l->width * out->channels * out->bytes);
    MG_CHECK(out->pixels, MG_ERR_MEMORY, "no memory for the %u x %u pixels of '%s'", l->width,
             l->height, l->name);
    s->unpacking = true;
    *s->message = '\0';
    MG_TRY(read_pieces(tiff, s, l, out));
    return turn(l->orientation, l->name, out);
}

mg_status mg_tiff_decode(const void *data, size_t bytes, const char *name, bool raw,
                         mg_picture *out)
{
    stream s = {.data = data, .bytes = bytes};
    layout l = {.name = name, .raw = raw};
    TIFF *tiff = open_stream(&s, "rm");

    *out = (mg_picture){0};
    MG_CHECK(tiff, MG_ERR_FORMAT, "cannot decode TIFF '%s': %s", name,
             *s.message ? s.message : "it cannot be opened");
    mg_status st = decode(tiff, &s, &l, out);
    TIFFClose(tiff);
    if (st) mg_picture_free(out);
    return st;
}

// --- writing ----------------------------------------------------------------------------------------

static bool write_rows(TIFF *tiff, const uint8_t *pixels, int height, int width, int channels)
{
    size_t row = (size_t)width * channels;
    bool fine = TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width) &&
                TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, height) &&
                TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8) &&
                TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, channels) &&
                TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC,
                             channels == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK) &&
                TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) &&
                TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_LZW) &&
                TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, TIFFDefaultStripSize(tiff, 0));

    for (int y = 0; y < height && fine; y++)
        fine = TIFFWriteScanline(tiff, (void *)(uintptr_t)(pixels + row * (size_t)y), (uint32_t)y,
                                 0) == 1;
    return fine && TIFFFlush(tiff);
}

mg_status mg_encode_tiff(const uint8_t *pixels, int height, int width, int channels, void **data,
                         size_t *bytes)
{
    stream s = {0};
    TIFF *tiff = open_stream(&s, "w");
    bool fine = tiff && write_rows(tiff, pixels, height, width, channels);

    *data = NULL;
    if (tiff) TIFFClose(tiff);
    if (!fine) {
        mg_free(s.grown);
        return MG_FAIL(MG_ERR_MEMORY, "cannot encode a TIFF: %s",
                       *s.message ? s.message : "no memory");
    }
    *data = s.grown;
    *bytes = s.bytes;
    return MG_OK;
}
