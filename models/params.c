// The table of parameters: adding, laying out, initial values, hash.
#include "models/params.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "nn/gemm.h"
#include "runtime/hash.h"
#include "runtime/mem.h"
#include "runtime/rng.h"

static bool ends_with(const char *text, const char *tail)
{
    size_t n = strlen(text), m = strlen(tail);
    return n >= m && strcmp(text + n - m, tail) == 0;
}

static size_t rounded(size_t n)
{
    return (n + 15) / 16 * 16; // every tensor starts on a cache line
}

static int add(mg_params *p, const char *name, mg_init init, double scale, bool buffer, int ndim,
               va_list dims)
{
    if (p->count == p->room) {
        int room = p->room ? 2 * p->room : 64;
        mg_param *grown = mg_realloc(p->list, (size_t)room * sizeof *grown);
        if (!grown) {
            p->incomplete = true;
            return 0;
        }
        p->list = grown;
        p->room = room;
    }
    mg_param *t = &p->list[p->count];
    *t = (mg_param){.name = mg_strdup(name),
                    .ndim = ndim,
                    .size = 1,
                    .init = init,
                    .scale = (float)scale,
                    .buffer = buffer,
                    .grad = SIZE_MAX};
    if (!t->name) {
        p->incomplete = true;
        return 0;
    }
    for (int i = 0; i < ndim; i++) {
        t->dim[i] = va_arg(dims, int);
        t->size *= (size_t)t->dim[i];
    }
    t->offset = p->size;
    t->decay = ndim > 1 && !ends_with(name, ".bias");
    p->size += rounded(t->size);
    return p->count++;
}

int mg_params_add(mg_params *p, const char *name, mg_init init, double scale, int ndim, ...)
{
    va_list dims;
    va_start(dims, ndim);
    int i = add(p, name, init, scale, false, ndim, dims);
    va_end(dims);
    return i;
}

int mg_params_add_buffer(mg_params *p, const char *name, mg_init init, double scale, int ndim, ...)
{
    va_list dims;
    va_start(dims, ndim);
    int i = add(p, name, init, scale, true, ndim, dims);
    va_end(dims);
    return i;
}

double mg_fan_in_bound(int64_t fan_in)
{
    return 1 / sqrt((double)fan_in);
}

double mg_xavier_bound(int64_t fan_in, int64_t fan_out)
{
    return sqrt(6 / (double)(fan_in + fan_out));
}

void mg_params_train(mg_params *p, bool (*wanted)(const char *name, void *ctx), void *ctx)
{
    p->trainable_size = 0;
    for (int i = 0; i < p->count; i++) {
        mg_param *t = &p->list[i];
        t->trainable = !t->buffer && (!wanted || wanted(t->name, ctx));
        t->grad = t->trainable ? p->trainable_size : SIZE_MAX;
        if (t->trainable) p->trainable_size += rounded(t->size);
    }
}

mg_status mg_params_check(const mg_params *p)
{
    MG_CHECK(!p->incomplete, MG_ERR_MEMORY, "cannot allocate the table of parameters");
    return MG_OK;
}

mg_status mg_params_alloc(mg_params *p)
{
    MG_TRY(mg_params_check(p));
    p->data = mg_calloc(p->size, sizeof(float));
    MG_CHECK(p->data, MG_ERR_MEMORY, "cannot allocate %zu bytes of parameters",
             p->size * sizeof(float));
    return MG_OK;
}

static void init_tensor(const mg_param *t, float *w, uint64_t seed)
{
    mg_stream stream = {seed, MG_RNG_INIT, 0, mg_fnv1a(t->name)};
    uint32_t block[4];

    for (size_t e = 0; e < t->size; e++) {
        switch (t->init) {
        case MG_INIT_ZERO:
            w[e] = 0;
            break;
        case MG_INIT_ONE:
            w[e] = 1;
            break;
        case MG_INIT_UNIFORM:
            if (e % 4 == 0) mg_stream_block(&stream, (uint32_t)(e / 4), block);
            w[e] = (float)(t->scale * (2 * mg_rng_u24(block[e % 4]) - 1));
            break;
        case MG_INIT_NORMAL:
            w[e] = (float)(t->scale * mg_stream_normal(&stream, e));
            break;
        case MG_INIT_TABLE:
            break;
        }
    }
}

void mg_params_init_of(mg_params *p, uint64_t seed, const bool *wanted)
{
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < p->count; i++)
        if (!wanted || wanted[i]) init_tensor(&p->list[i], mg_weight(p, i), seed);
}

void mg_params_init(mg_params *p, uint64_t seed)
{
    mg_params_init_of(p, seed, NULL);
}

void mg_params_free(mg_params *p)
{
    for (int i = 0; i < p->count; i++) mg_free(p->list[i].name);
    mg_free(p->list);
    mg_free(p->data);
    *p = (mg_params){0};
}

mg_status mg_params_precision(mg_params *p, const char *key, const char *value)
{
    bool bf16 = strcmp(value, "bf16") == 0;

    MG_CHECK(!bf16 || mg_gemm_bf16(), MG_ERR_CONFIG,
             "%s is bf16, but this processor has neither AMX nor AVX512-BF16", key);
    p->precision = bf16 ? MG_BFLOAT16 : MG_FLOAT32;
    return MG_OK;
}

int mg_params_find(const mg_params *p, const char *name)
{
    for (int i = 0; i < p->count; i++)
        if (strcmp(p->list[i].name, name) == 0) return i;
    return -1;
}

static int64_t count_values(const mg_params *p, bool trained_only)
{
    int64_t n = 0;
    for (int i = 0; i < p->count; i++)
        if (!p->list[i].buffer && (p->list[i].trainable || !trained_only))
            n += (int64_t)p->list[i].size;
    return n;
}

int64_t mg_params_total(const mg_params *p)
{
    return count_values(p, false);
}

int64_t mg_params_trainable(const mg_params *p)
{
    return count_values(p, true);
}

mg_status mg_params_hash_of(const mg_params *p, const bool *wanted, uint64_t *hash)
{
    mg_hasher *h = mg_hasher_new();

    MG_CHECK(h, MG_ERR_MEMORY, "cannot allocate a hash");
    for (int i = 0; i < p->count; i++)
        if (!wanted || wanted[i])
            mg_hasher_add(h, mg_weight(p, i), p->list[i].size * sizeof(float));
    *hash = mg_hasher_64(h);
    mg_hasher_free(&h);
    return MG_OK;
}

uint64_t mg_params_hash(const mg_params *p)
{
    uint64_t hash = 0;

    return mg_params_hash_of(p, NULL, &hash) ? 0 : hash;
}
