// Fuzz target of the TIFF reader: any bytes as a picture and as a mask, every value of what can be read is
// looked at.
#include <stdlib.h>

#include "datasets/codec.h"
#include "runtime/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    for (int raw = 0; raw < 2; raw++) {
        mg_picture p;
        if (mg_tiff_decode(data, bytes, "fuzz", raw, &p) == MG_OK) {
            size_t values = (size_t)p.height * p.width * p.channels * p.bytes, set = 0;
            for (size_t i = 0; i < values; i++) set += ((uint8_t *)p.pixels)[i] != 0;
            if (set > values) abort();
        }
        mg_picture_free(&p);
    }
    mg_err_clear();
    if (mg_mem_live()) abort();
    return 0;
}
