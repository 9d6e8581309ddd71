// Compressed blocks: back and forth, standard framing, damaged input.
#include "tests/check.h"

#include "runtime/mem.h"
#include "shard/block.h"

static void blocks_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 1000, 300000};
    mg_packer *p = NULL;
    mg_unpacker *u = NULL;
    (void)state;
    OK(mg_packer_create(3, &p));
    OK(mg_unpacker_create(&u));
    for (int i = 0; i < 4; i++) {
        size_t n = sizes[i], packed = 0, room = mg_pack_bound(n);
        uint8_t *a = mg_calloc(n + 1, 1), *b = mg_alloc(room), *c = mg_alloc(n + 1);
        for (size_t k = 0; k < n; k++) a[k] = (uint8_t)(k / 7 * k);
        OK(mg_pack(p, b, room, a, n, &packed));
        CHECK(packed > 4 && packed <= room);
        CHECK(b[0] == 0x28 && b[1] == 0xB5 && b[2] == 0x2F && b[3] == 0xFD);
        c[n] = 77;
        OK(mg_unpack(u, c, n, b, packed));
        CHECK(!memcmp(a, c, n) && c[n] == 77);
        mg_free(a), mg_free(b), mg_free(c);
    }
    mg_packer_destroy(&p);
    mg_unpacker_destroy(&u);
    CHECK(!p && !u && mg_mem_live() == 0);
}

static void damage_is_an_error(void **state)
{
    mg_packer *p = NULL;
    mg_unpacker *u = NULL;
    uint8_t a[1000] = {0}, out[1000], b[2000];
    size_t packed;
    (void)state;
    for (int k = 0; k < 1000; k++) a[k] = (uint8_t)(k * k);
    OK(mg_packer_create(1, &p));
    OK(mg_unpacker_create(&u));
    OK(mg_pack(p, b, mg_pack_bound(1000), a, 1000, &packed));
    FAILS(mg_unpack(u, out, 999, b, packed), MG_ERR_FORMAT, "cannot decompress");
    FAILS(mg_unpack(u, out, 1000, b, packed - 1), MG_ERR_FORMAT, "cannot decompress");
    FAILS(mg_unpack(u, out, 1000, "no frame at all", 15), MG_ERR_FORMAT, "cannot decompress");
    OK(mg_pack(p, b, mg_pack_bound(1000), a, 900, &packed));
    FAILS(mg_unpack(u, out, 1000, b, packed), MG_ERR_FORMAT, "holds 900 bytes, expected 1000");
    mg_packer_destroy(&p);
    mg_unpacker_destroy(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_come_back),
        cmocka_unit_test(damage_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
