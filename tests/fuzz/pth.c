// Fuzz target of PyTorch files: any bytes as a zip archive or a stream of pickles.
#include "tests/fuzz/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    bool hdf5 = bytes >= 4 && !memcmp(data, "\x89HDF", 4); // a checkpoint: another reader
    fuzz_file file = fuzz_file_make(data, bytes);

    fuzz_begin();
    if (!hdf5) fuzz_weights(file.path);
    fuzz_end();
    close(file.fd);
    return 0;
}
