// zstd contexts that are kept between blocks, and the checks around them (RFC 8878 frames).
#include "shard/block.h"

#include <stdint.h>
#include <zstd.h>

#include "runtime/mem.h"

struct mg_packer {
    ZSTD_CCtx *context;
    int level;
};

struct mg_unpacker {
    ZSTD_DCtx *context;
};

mg_status mg_packer_create(int level, mg_packer **out)
{
    mg_packer *p = mg_calloc(1, sizeof *p);

    *out = NULL;
    MG_CHECK(p, MG_ERR_MEMORY, "cannot allocate a compressor");
    p->level = level;
    p->context = ZSTD_createCCtx();
    if (!p->context) {
        mg_packer_destroy(&p);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a compressor");
    }
    *out = p;
    return MG_OK;
}

void mg_packer_destroy(mg_packer **packer)
{
    if (!*packer) return;
    ZSTD_freeCCtx((*packer)->context);
    mg_free(*packer);
    *packer = NULL;
}

size_t mg_pack_bound(size_t bytes)
{
    return ZSTD_compressBound(bytes);
}

mg_status mg_pack(mg_packer *packer, void *out, size_t room, const void *inp, size_t bytes,
                  size_t *packed)
{
    size_t n = ZSTD_compressCCtx(packer->context, out, room, inp, bytes, packer->level);
    MG_CHECK(!ZSTD_isError(n), MG_ERR_MEMORY, "cannot compress %zu bytes: %s", bytes,
             ZSTD_getErrorName(n));
    *packed = n;
    return MG_OK;
}

mg_status mg_unpacker_create(mg_unpacker **out)
{
    mg_unpacker *u = mg_calloc(1, sizeof *u);

    *out = NULL;
    MG_CHECK(u, MG_ERR_MEMORY, "cannot allocate a decompressor");
    u->context = ZSTD_createDCtx();
    if (!u->context) {
        mg_unpacker_destroy(&u);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a decompressor");
    }
    *out = u;
    return MG_OK;
}

void mg_unpacker_destroy(mg_unpacker **unpacker)
{
    if (!*unpacker) return;
    ZSTD_freeDCtx((*unpacker)->context);
    mg_free(*unpacker);
    *unpacker = NULL;
}

mg_status mg_unpack(mg_unpacker *unpacker, void *out, size_t bytes, const void *inp, size_t packed)
{
    size_t n = ZSTD_decompressDCtx(unpacker->context, out, bytes, inp, packed);
    MG_CHECK(!ZSTD_isError(n), MG_ERR_FORMAT, "cannot decompress: %s", ZSTD_getErrorName(n));
    MG_CHECK(n == bytes, MG_ERR_FORMAT, "block holds %zu bytes, expected %zu", n, bytes);
    return MG_OK;
}
