// XXH3 against the published test vectors of xxhash, in one piece and in many.
#include "tests/check.h"

#include <unistd.h>

#include "runtime/hash.h"
#include "runtime/mem.h"

// Input of xxhash's own sanity test: bytes of a 64-bit multiplicative generator.
static void sanity_fill(uint8_t *buffer, size_t n)
{
    uint64_t gen = 2654435761U;
    for (size_t i = 0; i < n; i++) {
        buffer[i] = (uint8_t)(gen >> 56);
        gen *= 11400714785074694797ULL;
    }
}

// Length, XXH3-64, XXH3-128 (low, high), seed 0: xxhash's xsum_sanity_check.c.
static const struct {
    size_t length;
    uint64_t h64, low, high;
} vectors[] = {
    {0, 0x2D06800538D394C2ULL, 0x6001C324468D497FULL, 0x99AA06D3014798D8ULL},
    {1, 0xC44BDFF4074EECDBULL, 0xC44BDFF4074EECDBULL, 0xA6CD5E9392000F6AULL},
    {6, 0x27B56A84CD2D7325ULL, 0x3E7039BDDA43CFC6ULL, 0x082AFE0B8162D12AULL},
    {12, 0xA713DAF0DFBB77E7ULL, 0x061A192713F69AD9ULL, 0x6E3EFD8FC7802B18ULL},
    {24, 0xA3FE70BF9D3510EBULL, 0x1E7044D28B1B901DULL, 0x0CE966E4678D3761ULL},
    {48, 0x397DA259ECBA1F11ULL, 0xF942219AED80F67BULL, 0xA002AC4E5478227EULL},
};

static void known_answers(void **state)
{
    uint8_t data[64];
    (void)state;
    sanity_fill(data, sizeof data);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        mg_hasher *h = mg_hasher_new();
        CHECK(h);
        CHECK(mg_hash64(data, vectors[i].length) == vectors[i].h64);
        for (size_t k = 0; k < vectors[i].length; k++) mg_hasher_add(h, data + k, 1);
        CHECK(mg_hasher_64(h) == vectors[i].h64);
        mg_hash128 hash = mg_hasher_128(h);
        CHECK(hash.low == vectors[i].low && hash.high == vectors[i].high);
        mg_hasher_free(&h);
        CHECK(!h);
    }
}

static void pieces_equal_whole(void **state)
{
    enum { N = 100003 };
    uint8_t *data = mg_alloc(N);
    mg_hasher *h = mg_hasher_new();
    (void)state;
    sanity_fill(data, N);
    for (size_t at = 0, step = 1; at < N; at += step, step = step * 3 % 4099 + 1)
        mg_hasher_add(h, data + at, step < N - at ? step : N - at);
    CHECK(mg_hasher_64(h) == mg_hash64(data, N));
    mg_hash128 whole = mg_hasher_128(h);
    mg_hasher_reset(h);
    mg_hasher_add(h, data, N);
    mg_hash128 again = mg_hasher_128(h);
    CHECK(again.low == whole.low && again.high == whole.high);
    mg_hasher_free(&h);
    mg_free(data);
}

static void text_form(void **state)
{
    mg_hash128 hash = {0x99AA06D3014798D8ULL, 0x6001C324468D497FULL}, back = {0, 0};
    char text[33];
    (void)state;
    mg_hash128_text(hash, text);
    CHECK(!strcmp(text, "99aa06d3014798d86001c324468d497f"));
    CHECK(mg_hash128_parse(text, &back) && back.high == hash.high && back.low == hash.low);
    CHECK(!mg_hash128_parse("99aa06d3014798d86001c324468d497", &back));
    CHECK(!mg_hash128_parse("99aa06d3014798d86001c324468d497g", &back));
    CHECK(!mg_hash128_parse("99aa06d3014798d86001c324468d497f0", &back));
    CHECK(!mg_hash128_parse("", &back));
}

static void whole_file(void **state)
{
    char path[] = "/tmp/medgraft-hash-XXXXXX";
    uint64_t hash = 0;
    int fd = mkstemp(path);
    (void)state;
    CHECK(fd >= 0 && write(fd, "abc", 3) == 3);
    close(fd);
    OK(mg_hash_file(path, &hash));
    CHECK(hash == mg_hash64("abc", 3));
    unlink(path);
    FAILS(mg_hash_file(path, &hash), MG_ERR_IO, path);
    CHECK(mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(pieces_equal_whole),
        cmocka_unit_test(text_form),
        cmocka_unit_test(whole_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
