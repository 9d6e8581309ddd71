// What one thread prepares for pretraining from a shard set: read, checked, unpacked, cropped to 224 px,
// mirrored, normalised.
//   bench_loader SET [SECONDS]
// Prints "loader pictures N seconds S pictures_per_s R". The first pass over the set may have to read it
// from disk.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pretrain/pretrain_data.h"
#include "runtime/log.h"
#include "runtime/mem.h"

static mg_status produce(mg_pretrain_data *data, double seconds, int64_t *made, double *took)
{
    int64_t count = mg_reader_count(data->reader);
    float *slot = mg_alloc(mg_pretrain_floats(data) * sizeof *slot);
    mg_status st = slot ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a picture");
    double start = mg_now();

    for (*made = 0; !st && (*took = mg_now() - start) < seconds; ++*made)
        st = mg_pretrain_produce(data, *made / count, *made % count, slot);
    mg_free(slot);
    return st;
}

static mg_status measure(const char *set, double seconds)
{
    mg_reader *reader = NULL;
    int64_t made = 0;
    double took = 0;

    MG_TRY(mg_reader_open(&set, 1, "all", &reader));
    mg_pretrain_data data = {.reader = reader,
                             .seed = 1,
                             .size = 224,
                             .flip = true,
                             .law = mg_crop_law_default(),
                             .crop = true};
    mg_status st = produce(&data, seconds, &made, &took);
    mg_reader_close(&reader);
    if (!st)
        printf("loader pictures %" PRId64 " seconds %.2f pictures_per_s %.1f\n", made, took,
               (double)made / took);
    return st;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_loader SET [SECONDS]\n");
        return 2;
    }
    if (measure(argv[1], argc > 2 ? atof(argv[2]) : 5) == MG_OK) return 0;
    mg_error_trace();
    return 1;
}
