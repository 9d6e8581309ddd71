// Fuzz target of the BMP reader: any bytes as a picture and as a mask; what can be read as grey or RGB comes
// back the same after writing it.
#include <stdlib.h>
#include <string.h>

#include "datasets/codec.h"
#include "runtime/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void write_again(const mg_picture *p)
{
    mg_picture again;
    void *file;
    size_t size;

    if (mg_encode_bmp(p->pixels, p->height, p->width, p->channels, NULL, 0, &file, &size)) abort();
    if (mg_bmp_decode(file, size, "again", &again)) abort();
    if (again.height != p->height || again.width != p->width || again.channels != p->channels ||
        memcmp(again.pixels, p->pixels, (size_t)p->height * p->width * p->channels))
        abort();
    mg_picture_free(&again);
    mg_free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    mg_picture p;

    if (mg_bmp_decode(data, bytes, "fuzz", &p) == MG_OK && (size_t)p.height * p.width < 1 << 20)
        write_again(&p);
    mg_picture_free(&p);
    mg_decode_mask_memory(data, bytes, "fuzz", &p, NULL);
    mg_picture_free(&p);
    mg_err_clear();
    if (mg_mem_live()) abort();
    return 0;
}
