// Order of an epoch: pretraining.md 8.4.
#include "tests/check.h"

#include "runtime/mem.h"
#include "shard/shard.h"

static void an_epoch_uses_each_sample_once(void **state)
{
    mg_sampler *s = NULL;
    int seen[103] = {0}, left = 0;
    (void)state;
    OK(mg_sampler_create(7, 103, 10, &s));
    CHECK(mg_sampler_steps(s) == 10);
    for (int step = 0; step < 10; step++)
        for (int g = 0; g < 10; g++) seen[mg_sampler_at(s, 3, step, g)]++;
    for (int i = 0; i < 103; i++) {
        CHECK(seen[i] <= 1);
        left += !seen[i];
    }
    CHECK(left == 3); // the incomplete batch
    mg_sampler_destroy(&s);
    CHECK(s == NULL && mg_mem_live() == 0);
}

static void the_order_is_the_stream_of_seed_and_epoch(void **state)
{
    mg_sampler *s = NULL;
    uint32_t order[50];
    uint64_t scratch[100];
    (void)state;
    OK(mg_sampler_create(11, 50, 4, &s));
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        mg_stream stream = {11, MG_RNG_ORDER, epoch, 0};
        mg_rng_order(&stream, 50, order, scratch);
        for (int step = 0; step < 12; step++)
            for (int g = 0; g < 4; g++)
                CHECK(mg_sampler_at(s, epoch, step, g) == order[4 * step + g]);
    }
    int64_t again = mg_sampler_at(s, 0, 5, 2); // back to an earlier epoch
    mg_stream stream = {11, MG_RNG_ORDER, 0, 0};
    mg_rng_order(&stream, 50, order, scratch);
    CHECK(again == order[22]);
    mg_sampler_destroy(&s);
}

static void a_batch_larger_than_the_set_is_refused(void **state)
{
    mg_sampler *s = NULL;
    (void)state;
    FAILS(mg_sampler_create(1, 7, 8, &s), MG_ERR_CONFIG, "batch 8 is larger");
    FAILS(mg_sampler_create(1, 7, 0, &s), MG_ERR_CONFIG, "batch must be positive");
    CHECK(s == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epoch_uses_each_sample_once),
        cmocka_unit_test(the_order_is_the_stream_of_seed_and_epoch),
        cmocka_unit_test(a_batch_larger_than_the_set_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
