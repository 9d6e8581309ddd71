// Fuzz target of the PNG reader: any bytes as a picture and as a mask; what can be read in 8 bits comes back the same
// after writing it.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
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
    return 0;
}
