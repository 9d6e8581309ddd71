// Fuzz target of CLIP's vocabulary: any bytes as a list of merges; if they are not packed, those behind the
// first zero byte are the vocab.json beside it. A vocabulary that can be read cuts the whole input into tokens that it has.
#include "models/vocabulary.h"
#include "models/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static void use(const mg_vocabulary *v, const uint8_t *data, size_t bytes)
{
    int32_t *ids = NULL, frame[77];
    int count = 0;

    if (mg_tokenize(v, (const char *)data, bytes, &ids, &count)) return;
    for (int i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= mg_vocabulary_size(v)) abort();
    if (mg_token_frame(v, ids, count, frame, 77, NULL) > 77) abort();
    mg_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    bool packed = bytes > 2 && !memcmp(data, "\x1f\x8b", 2);
    const uint8_t *zero = bytes && !packed ? memchr(data, 0, bytes) : NULL;
    size_t merges = zero ? (size_t)(zero - data) : bytes;
    fuzz_file list = fuzz_file_make(data, merges);
    fuzz_file json = zero ? fuzz_file_make(zero + 1, bytes - merges - 1) : (fuzz_file){.fd = -1};
    mg_vocabulary *v = NULL;

    fuzz_begin();
    if (!mg_vocabulary_open(list.path, NULL, &v)) use(v, data, bytes);
    mg_vocabulary_close(&v);
    if (zero && !mg_vocabulary_open(list.path, json.path, &v)) use(v, data, bytes);
    mg_vocabulary_close(&v);
    fuzz_end();
    close(list.fd);
    if (zero) close(json.fd);
    return 0;
}
