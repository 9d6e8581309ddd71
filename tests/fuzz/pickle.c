// Fuzz target of the pickle reader alone, where no checksum of an archive stands in the way: any bytes, in
// each of the three forms.
#include "models/pickle.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const mg_pickle_form form[] = {MG_PICKLE_ZIP, MG_PICKLE_STREAM, MG_PICKLE_SCRIPT};
    fuzz_file file = fuzz_file_make(data, bytes);
    mg_raw_file raw;

    fuzz_begin();
    if (mg_raw_open(file.path, &raw)) abort();
    for (int i = 0; i < 3; i++) {
        mg_pickle p;
        uint64_t at = 0;
        if (mg_pickle_read(&raw, &at, bytes, form[i], &p)) continue;
        if (at > bytes || p.root >= p.values) abort();
        for (uint32_t t = 0; t < p.tensors; t++)
            if (p.tensor[t].storage >= p.storages || p.tensor[t].ndim > MG_PICKLE_DIMS) abort();
        mg_pickle_free(&p);
    }
    mg_raw_close(&raw);
    fuzz_end();
    close(file.fd);
    return 0;
}
