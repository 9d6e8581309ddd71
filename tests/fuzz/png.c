// Fuzz target of the PNG reader: any bytes as a picture and as a mask; what can be read in 8 bits comes back the same
// after writing it. Checksums of chunks are made right first, so that what lies behind them is reached; whatever
// png_plain.c reads, libpng reads too, and the same.
#include <zlib.h>

#include "datasets/codec.h"
#include "tests/fuzz/fuzz.h"

static void write_again(const mg_picture *p)
{
    mg_picture again;
    void *file;
    size_t size;

    if (mg_encode_png(p->pixels, p->height, p->width, p->channels, &file, &size)) abort();
    if (mg_png_decode(file, size, "again", false, &again)) abort();
    if (again.height != p->height || again.width != p->width || again.channels != p->channels ||
        memcmp(again.pixels, p->pixels, (size_t)p->height * p->width * p->channels) != 0)
        abort();
    mg_picture_free(&again);
    mg_free(file);
}

enum { HEAD_END = 33 }; // of signature and IHDR

static void put_number(uint8_t *at, size_t v)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void mend_checksums(uint8_t *data, size_t bytes)
{
    for (size_t at = 8; bytes - at >= 12;) {
        size_t length = (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 | (size_t)data[at + 2] << 8 | data[at + 3];
        if (length > bytes - at - 12) return;
        put_number(data + at + 8 + length, crc32(0, data + at + 4, (uInt)length + 4));
        at += length + 12;
    }
}

// A transparent colour, which raw samples ignore, keeps a picture from being plain.
static void hold_against_libpng(const uint8_t *data, size_t bytes)
{
    mg_picture plain, other;

    if (!mg_png_plain(data, bytes, &plain)) return;
    size_t colour = plain.channels == 3 ? 6 : 2, size = bytes + 12 + colour;
    uint8_t *odd = calloc(1, size);
    memcpy(odd, data, HEAD_END);
    put_number(odd + HEAD_END, colour);
    memcpy(odd + HEAD_END + 4, "tRNS", 4);
    memcpy(odd + HEAD_END + 12 + colour, data + HEAD_END, bytes - HEAD_END);
    mend_checksums(odd, size);
    if (mg_png_plain(odd, size, &other)) abort();
    if (mg_png_decode(odd, size, "odd", true, &other)) abort();
    if (other.height != plain.height || other.width != plain.width || other.channels != plain.channels ||
        memcmp(other.pixels, plain.pixels, (size_t)plain.height * plain.width * plain.channels) != 0)
        abort();
    mg_picture_free(&plain);
    mg_picture_free(&other);
    free(odd);
}

static void read_all_ways(const uint8_t *data, size_t bytes)
{
    mg_picture p;

    if (mg_png_decode(data, bytes, "fuzz", false, &p) == MG_OK && p.bytes == 1 &&
        (size_t)p.height * p.width < 1 << 16)
        write_again(&p);
    mg_picture_free(&p);
    mg_png_decode(data, bytes, "fuzz", true, &p);
    mg_picture_free(&p);
    mg_decode_mask_memory(data, bytes, "fuzz", &p, NULL);
    mg_picture_free(&p);
    mg_err_clear();
    if (mg_mem_live()) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    read_all_ways(data, bytes);
    if (bytes < HEAD_END) return 0;
    uint8_t *mended = malloc(bytes);
    memcpy(mended, data, bytes);
    mend_checksums(mended, bytes);
    read_all_ways(mended, bytes);
    hold_against_libpng(mended, bytes);
    free(mended);
    mg_err_clear();
    if (mg_mem_live()) abort();
    return 0;
}
