// AdamW against a double version, shared ranges, the norm, clipping and the schedule.
#include "tests/check.h"

#include "nn/optim.h"

enum { N = 300 };

static const mg_segment segments[] = {{10, 0, 100, 0.1f}, {150, 112, 50, 0}, {210, 176, 77, 0.1f}};
static const mg_adamw betas = {0.9, 0.95, 1e-8};

static void adamw_is_naive(void **state)
{
    float w[N], m[N] = {0}, v[N] = {0}, g[N];
    double W[N], A[N] = {0}, V[N] = {0};
    (void)state;
    check_fill(w, N, 1, 1);
    for (int i = 0; i < N; i++) W[i] = w[i];
    for (int t = 1; t <= 5; t++) {
        check_fill(g, N, 10 + t, 1);
        mg_adamw_update(w, m, v, g, segments, 3, 0, SIZE_MAX, &betas, t, 0.01, 0.5);
        for (int k = 0; k < 3; k++)
            for (size_t i = 0; i < segments[k].size; i++) {
                size_t a = segments[k].weight + i, b = segments[k].grad + i;
                double grad = 0.5 * g[b];
                W[a] *= 1 - 0.01 * segments[k].decay;
                A[b] = 0.9 * A[b] + 0.1 * grad;
                V[b] = 0.95 * V[b] + 0.05 * grad * grad;
                W[a] -=
                    0.01 / (1 - pow(0.9, t)) * A[b] / (sqrt(V[b]) / sqrt(1 - pow(0.95, t)) + 1e-8);
            }
    }
    for (int i = 0; i < N; i++) { // weights outside of the segments included
        CHECK(fabs(w[i] - W[i]) <= 1e-6 * (1 + fabs(W[i])));
        CHECK(fabs(m[i] - A[i]) <= 1e-6);
        CHECK(fabs(v[i] - V[i]) <= 1e-6);
    }
}

static void shared_ranges_give_the_same_bits(void **state)
{
    float w1[N], w2[N], m1[N] = {0}, m2[N] = {0}, v1[N] = {0}, v2[N] = {0}, g[N];
    const size_t cut[] = {0, 64, 128, 256};
    (void)state;
    check_fill(w1, N, 1, 1);
    memcpy(w2, w1, sizeof w1);
    for (int t = 1; t <= 3; t++) {
        check_fill(g, N, 10 + t, 1);
        mg_adamw_update(w1, m1, v1, g, segments, 3, 0, SIZE_MAX, &betas, t, 0.01, 1);
        for (int k = 0; k < 3; k++)
            mg_adamw_update(w2, m2 + cut[k], v2 + cut[k], g, segments, 3, cut[k], cut[k + 1],
                            &betas, t, 0.01, 1);
    }
    CHECK(memcmp(w1, w2, sizeof w1) == 0);
    CHECK(memcmp(m1, m2, sizeof m1) == 0);
    CHECK(memcmp(v1, v2, sizeof v1) == 0);
}

static void norm_in_blocks(void **state)
{
    enum { LONG = 3 * MG_NORM_BLOCK + 17 };
    float *g = malloc(LONG * sizeof *g);
    double sum = 0;
    (void)state;
    check_fill(g, LONG, 1, 1);
    for (size_t i = 0; i < LONG; i++) sum += (double)g[i] * g[i];
    CHECK(fabs(mg_grad_norm(g, LONG) - sqrt(sum)) <= 1e-12 * sqrt(sum));
    g[5] = NAN;
    CHECK(isnan(mg_grad_norm(g, LONG)));
    CHECK(mg_grad_norm(g, 0) == 0);
    free(g);
    CHECK(mg_clip_coefficient(0.5, 1) == 1);
    CHECK(mg_clip_coefficient(2, 1) == 1 / (2 + 1e-6));
    CHECK(mg_clip_coefficient(2, 0) == 1);
}

static void schedule_rates(void **state)
{
    mg_schedule s = {.peak = 1e-3, .min = 1e-5, .warm_up = 2, .epochs = 10};
    (void)state;
    CHECK(mg_schedule_rate(&s, 0, 0, 8) == 0);
    CHECK(fabs(mg_schedule_rate(&s, 1, 4, 8) - 0.75e-3) <= 1e-18);
    CHECK(fabs(mg_schedule_rate(&s, 2, 0, 8) - 1e-3) <= 1e-18);
    CHECK(fabs(mg_schedule_rate(&s, 6, 0, 8) - (1e-5 + 1e-3) / 2) <= 1e-12);
    CHECK(fabs(mg_schedule_rate(&s, 10, 0, 8) - 1e-5) <= 1e-12);
    s.constant = 1;
    CHECK(mg_schedule_rate(&s, 9, 3, 8) == 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_is_naive),
        cmocka_unit_test(shared_ranges_give_the_same_bits),
        cmocka_unit_test(norm_in_blocks),
        cmocka_unit_test(schedule_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
