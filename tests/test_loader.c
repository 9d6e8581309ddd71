// Reading ahead: order, memory, errors of threads, restarts.
#include "tests/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "runtime/mem.h"
#include "shard/shard.h"

enum { SAMPLES = 53, BATCH = 8, LO = 2, HI = 7, AHEAD = 3, SEED = 5 };

typedef struct {
    int64_t bad;        // sample that cannot be produced, -1 for none
    atomic_int started; // productions begun
    int pause_us;
} source;

typedef struct {
    int64_t epoch, sample;
} content;

static mg_status produce(void *ctx, int64_t epoch, int64_t sample, void *slot)
{
    source *s = ctx;
    atomic_fetch_add(&s->started, 1);
    if (s->pause_us) usleep((useconds_t)(s->pause_us * (1 + sample % 3)));
    MG_CHECK(sample != s->bad, MG_ERR_FORMAT, "sample %lld is bad", (long long)sample);
    *(content *)slot = (content){epoch, sample};
    return MG_OK;
}

static mg_loader_plan plan_of(source *s, int threads)
{
    return (mg_loader_plan){.produce = produce,
                            .ctx = s,
                            .slot_bytes = sizeof(content),
                            .lo = LO,
                            .hi = HI,
                            .ahead = AHEAD,
                            .threads = threads,
                            .seed = SEED,
                            .samples = SAMPLES,
                            .batch = BATCH};
}

static void check_step(mg_loader *l, mg_sampler *order, int64_t epoch, int64_t step)
{
    void **slot;
    const int64_t *sample;
    double wait = -1;
    OK(mg_loader_next(l, epoch, step, &slot, &sample, &wait));
    CHECK(wait >= 0 && wait < 60);
    for (int64_t g = LO; g < HI; g++) {
        const content *c = slot[g - LO];
        int64_t want = mg_sampler_at(order, epoch, step, g);
        CHECK(sample[g - LO] == want && c->sample == want && c->epoch == epoch);
    }
}

static void samples_come_in_the_samplers_order(void **state)
{
    static const int threads[] = {0, 1, 4};
    (void)state;
    for (int t = 0; t < 3; t++) {
        source s = {.bad = -1, .pause_us = 50};
        mg_loader_plan plan = plan_of(&s, threads[t]);
        mg_loader *l = NULL;
        mg_sampler *order = NULL;
        OK(mg_loader_open(&plan, &l));
        OK(mg_sampler_create(SEED, SAMPLES, BATCH, &order));
        CHECK(mg_loader_steps(l) == SAMPLES / BATCH);
        for (int64_t n = 4; n < 20; n++) check_step(l, order, n / 6, n % 6);
        check_step(l, order, 1, 3); // back
        check_step(l, order, 1, 4);
        check_step(l, order, 9, 0); // and far ahead
        mg_sampler_destroy(&order);
        mg_loader_close(&l);
        CHECK(l == NULL && mg_mem_live() == 0);
    }
}

static void no_more_than_the_ring_is_filled(void **state)
{
    source s = {.bad = -1};
    mg_loader_plan plan = plan_of(&s, 3);
    mg_loader *l = NULL;
    void **slot;
    const int64_t *sample;
    (void)state;
    OK(mg_loader_open(&plan, &l));
    for (int64_t step = 0; step < 6; step++) {
        OK(mg_loader_next(l, 0, step, &slot, &sample, NULL));
        size_t bytes = mg_mem_live_bytes();
        usleep(20000); // time to run too far, if it could
        CHECK(atomic_load(&s.started) <= (step + AHEAD + 1) * (HI - LO));
        CHECK(mg_mem_live_bytes() == bytes);
    }
    CHECK(atomic_load(&s.started) > 6 * (HI - LO)); // it did read ahead
    mg_loader_close(&l);
}

static void a_bad_sample_fails_its_own_step(void **state)
{
    mg_sampler *order = NULL;
    (void)state;
    OK(mg_sampler_create(SEED, SAMPLES, BATCH, &order));
    for (int threads = 0; threads < 4; threads += 3) {
        source s = {.bad = mg_sampler_at(order, 0, 2, LO + 1)};
        mg_loader_plan plan = plan_of(&s, threads);
        mg_loader *l = NULL;
        void **slot;
        const int64_t *sample;
        char text[64];
        snprintf(text, sizeof text, "sample %lld is bad", (long long)s.bad);
        OK(mg_loader_open(&plan, &l));
        check_step(l, order, 0, 0);
        check_step(l, order, 0, 1);
        FAILS(mg_loader_next(l, 0, 2, &slot, &sample, NULL), MG_ERR_FORMAT, text);
        check_step(l, order, 0, 3);
        mg_loader_close(&l);
    }
    mg_sampler_destroy(&order);
    CHECK(mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_come_in_the_samplers_order),
        cmocka_unit_test(no_more_than_the_ring_is_filled),
        cmocka_unit_test(a_bad_sample_fails_its_own_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
