// Fuzz target of the JPEG reader: any bytes as a picture, whole and smaller, and as a mask; every value of what can be
// read is looked at.
#include "datasets/codec.h"
#include "tests/fuzz/fuzz.h"

static void look(const mg_picture *p, int most)
{
    size_t values = (size_t)p->height * p->width * p->channels;
    unsigned sum = 0;

    if (p->bytes != 1 || p->full_height < p->height || p->channels > most) abort();
    for (size_t i = 0; i < values; i++) sum += ((const uint8_t *)p->pixels)[i];
    if (sum > 255 * values) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    for (int grey = 0; grey < 2; grey++)
        for (int side = 0; side < 2; side++) {
            mg_picture p;
            if (mg_jpeg_decode(data, bytes, "fuzz", 5 * side, grey, &p) == MG_OK)
                look(&p, grey ? 1 : 3);
            mg_picture_free(&p);
        }
    mg_err_clear();
    if (mg_mem_live()) abort();
    return 0;
}
