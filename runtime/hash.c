// XXH3 checksums through xxhash; texts are written high half first, as xxhsum prints them.
#include "runtime/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "runtime/mem.h"

struct mg_hasher {
    XXH3_state_t *state; // owned
};

uint64_t mg_hash64(const void *data, size_t bytes)
{
    return XXH3_64bits(data, bytes);
}

mg_hasher *mg_hasher_new(void)
{
    mg_hasher *h = mg_calloc(1, sizeof *h);

    if (h) h->state = XXH3_createState();
    if (h && !h->state) mg_hasher_free(&h);
    if (h) mg_hasher_reset(h);
    return h;
}

void mg_hasher_reset(mg_hasher *h)
{
    // One state serves both lengths; tests/test_hash.c holds it against the published values.
    XXH3_128bits_reset(h->state);
}

void mg_hasher_add(mg_hasher *h, const void *data, size_t bytes)
{
    XXH3_128bits_update(h->state, data, bytes);
}

uint64_t mg_hasher_64(const mg_hasher *h)
{
    return XXH3_64bits_digest(h->state);
}

mg_hash128 mg_hasher_128(const mg_hasher *h)
{
    XXH128_hash_t hash = XXH3_128bits_digest(h->state);
    return (mg_hash128){hash.high64, hash.low64};
}

void mg_hasher_free(mg_hasher **h)
{
    if (*h) XXH3_freeState((*h)->state);
    mg_free(*h);
    *h = NULL;
}

void mg_hash128_text(mg_hash128 hash, char text[33])
{
    snprintf(text, 33, "%016llx%016llx", (unsigned long long)hash.high,
             (unsigned long long)hash.low);
}

static int parse_half(const char *text, uint64_t *half)
{
    *half = 0;
    for (int i = 0; i < 16; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return 0;
        *half = *half << 4 | (uint64_t)digit;
    }
    return 1;
}

int mg_hash128_parse(const char *text, mg_hash128 *hash)
{
    return strlen(text) == 32 && parse_half(text, &hash->high) && parse_half(text + 16, &hash->low);
}

mg_status mg_hash_file(const char *path, uint64_t *hash)
{
    enum { PIECE = 1 << 20 };
    mg_status st = MG_OK;
    mg_hasher *h = mg_hasher_new();
    char *piece = mg_alloc(PIECE);
    FILE *file = NULL;
    size_t n = 0;

    if (!h || !piece) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a buffer to check '%s'", path);
        goto done;
    }
    file = fopen(path, "rb");
    if (!file) {
        st = MG_FAIL(MG_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
        goto done;
    }
    while ((n = fread(piece, 1, PIECE, file)) > 0) mg_hasher_add(h, piece, n);
    if (ferror(file)) {
        st = MG_FAIL(MG_ERR_IO, "cannot read '%s': %s", path, strerror(errno));
        goto done;
    }
    *hash = mg_hasher_64(h);

done:
    if (file) fclose(file);
    mg_free(piece);
    mg_hasher_free(&h);
    return st;
}
