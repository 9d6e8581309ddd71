// Which sample is used at which step: pretraining.md 8.4. The order of an epoch is a permutation
// drawn from (seed, epoch) alone; position g of step s is entry s * batch + g. Ranks take their
// positions themselves, so nothing here knows of them.
#include <assert.h>

#include "runtime/mem.h"
#include "runtime/rng.h"
#include "shard/shard.h"

struct mg_sampler {
    uint64_t seed;
    int64_t samples, batch;
    int64_t epoch; // of `order`, -1 at first
    uint32_t *order;
    uint64_t *scratch;
};

size_t mg_sampler_bytes(int64_t samples)
{
    return (size_t)samples * (sizeof(uint32_t) + 2 * sizeof(uint64_t)); // order and scratch
}

mg_status mg_sampler_create(uint64_t seed, int64_t samples, int64_t batch, mg_sampler **out)
{
    *out = NULL;
    MG_CHECK(batch > 0, MG_ERR_CONFIG, "batch must be positive, not %lld", (long long)batch);
    MG_CHECK(samples >= batch, MG_ERR_CONFIG,
             "batch %lld is larger than the data set of %lld samples", (long long)batch,
             (long long)samples);
    MG_CHECK(samples <= UINT32_MAX, MG_ERR_CONFIG, "%lld samples are more than 2^32 - 1",
             (long long)samples);
    mg_sampler *s = mg_calloc(1, sizeof *s);
    MG_CHECK(s, MG_ERR_MEMORY, "cannot allocate a sampler");
    *s = (mg_sampler){.seed = seed, .samples = samples, .batch = batch, .epoch = -1};
    s->order = mg_alloc((size_t)samples * sizeof *s->order);
    s->scratch = mg_alloc((size_t)samples * 2 * sizeof *s->scratch);
    if (!s->order || !s->scratch) {
        mg_sampler_destroy(&s);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate the order of %lld samples",
                       (long long)samples);
    }
    *out = s;
    return MG_OK;
}

void mg_sampler_destroy(mg_sampler **sampler)
{
    if (!*sampler) return;
    mg_free((*sampler)->order);
    mg_free((*sampler)->scratch);
    mg_free(*sampler);
    *sampler = NULL;
}

int64_t mg_sampler_steps(const mg_sampler *s)
{
    return s->samples / s->batch;
}

int64_t mg_sampler_at(mg_sampler *s, int64_t epoch, int64_t step, int64_t g)
{
    assert(epoch >= 0 && step >= 0 && step < mg_sampler_steps(s) && g >= 0 && g < s->batch);
    if (epoch != s->epoch) {
        mg_stream stream = {s->seed, MG_RNG_ORDER, (uint32_t)epoch, 0};
        mg_rng_order(&stream, (uint32_t)s->samples, s->order, s->scratch);
        s->epoch = epoch;
    }
    return s->order[step * s->batch + g];
}
