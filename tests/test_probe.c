// Probes of features: separable ones, random ones, gradients of softmax regression, L-BFGS.
#include "tests/check.h"

#include "pretrain/probe.h"
#include "runtime/mem.h"

enum { CLASSES = 4, N = 200, D = 12 };

typedef struct {
    float x[N * D];
    int32_t label[N];
    mg_probe_part part;
} samples;

// Random features; `apart`: how far the classes lie from each other.
static void make(samples *s, uint64_t seed, float apart)
{
    mg_stream draw = {seed, MG_RNG_FREE, 1, 0};
    check_fill(s->x, N * D, seed, 1);
    for (int i = 0; i < N; i++) {
        s->label[i] = (int32_t)mg_rng_below(mg_stream_word(&draw, (uint64_t)i), CLASSES);
        s->x[i * D + s->label[i]] += apart;
    }
    s->part = (mg_probe_part){s->x, s->label, N, D};
}

static mg_probe_scores knn(const samples *train, const samples *test)
{
    float votes[N * CLASSES];
    mg_probe_scores scores;
    OK(mg_probe_knn(votes, &train->part, &test->part, CLASSES, 20, 0.07));
    OK(mg_probe_rate(votes, test->label, N, CLASSES, &scores));
    return scores;
}

static mg_probe_scores linear(const samples *train, const samples *test, double l2)
{
    float logits[N * CLASSES];
    double w[(D + 1) * CLASSES];
    mg_minimum how;
    mg_probe_scores scores;
    OK(mg_softmax_fit(w, &train->part, CLASSES, l2, &how));
    CHECK(how.iterations > 2 && how.gradient < 1e-4);
    OK(mg_softmax_scores(logits, w, &test->part, CLASSES));
    OK(mg_probe_rate(logits, test->label, N, CLASSES, &scores));
    return scores;
}

static bool near(mg_probe_scores s, double accuracy, double auroc, double gap)
{
    return fabs(s.accuracy - accuracy) <= gap && fabs(s.balanced - accuracy) <= gap &&
           fabs(s.auroc - auroc) <= gap;
}

static void separable_features(void **state)
{
    samples train, test;
    (void)state;
    make(&train, 1, 20);
    make(&test, 2, 20);
    CHECK(near(knn(&train, &test), 1, 1, 1e-12));
    CHECK(near(linear(&train, &test, 1e-3), 1, 1, 1e-12));
}

static void random_features(void **state)
{
    samples train, test;
    (void)state;
    make(&train, 3, 0);
    make(&test, 4, 0);
    CHECK(near(knn(&train, &test), 1.0 / CLASSES, 0.5, 0.12));
    CHECK(near(linear(&train, &test, 1e-2), 1.0 / CLASSES, 0.5, 0.12));
}

static void nearest_neighbours_by_hand(void **state)
{
    // Directions 0, 10, 20, 90 degrees; the question lies at 4 degrees; lengths do not matter.
    const float train[] = {2, 0, 9.848f, 1.736f, 0.940f, 0.342f, 0, 5}, test[] = {0.998f, 0.0698f};
    const int32_t label[] = {0, 1, 1, 0};
    mg_probe_part a = {train, label, 4, 2}, b = {test, NULL, 1, 2};
    float votes[2];
    const double degree = acos(-1.0) / 180;
    (void)state;
    OK(mg_probe_knn(votes, &a, &b, 2, 3, 0.1));
    CHECK(fabs(votes[0] / exp(cos(4 * degree) / 0.1) - 1) < 1e-2);
    CHECK(fabs(votes[1] / (exp(cos(6 * degree) / 0.1) + exp(cos(16 * degree) / 0.1)) - 1) < 1e-2);
    OK(mg_probe_knn(votes, &a, &b, 2, 1, 0.1));
    CHECK(votes[0] > 0 && votes[1] == 0);
    OK(mg_probe_knn(votes, &a, &b, 2, 100, 0.1)); // more than there are: all
    CHECK(votes[0] > 0 && votes[1] > votes[0]);
}

static void scores_by_hand(void **state)
{
    const float score[] = {3, 1, 0, 2, 2, 0, 0, 1, 5, 1, 4, 0};
    const int32_t label[] = {0, 1, 2, 0};
    mg_probe_scores s;
    (void)state;
    OK(mg_probe_rate(score, label, 4, 3, &s)); // says 0, 0 (the first of equal ones), 2, 1
    CHECK(fabs(s.accuracy - 0.5) < 1e-12);
    CHECK(fabs(s.balanced - (0.5 + 0 + 1) / 3) < 1e-12);
    // class 0: {3, 1} against {2, 0}; 1: {2} against {1, 1, 4}; 2: {5} against {0, 0, 0}
    CHECK(fabs(s.auroc - (0.75 + 2.0 / 3 + 1) / 3) < 1e-12);
    OK(mg_probe_rate(score, label, 0, 3, &s));
    CHECK(isnan(s.accuracy) && isnan(s.balanced) && isnan(s.auroc));
}

static void softmax_gradient(void **state)
{
    samples s;
    double w[(D + 1) * CLASSES], grad[(D + 1) * CLASSES], step[(D + 1) * CLASSES];
    float weight[(D + 1) * CLASSES], dweight[(D + 1) * CLASSES], logits[N * CLASSES];
    mg_softmax_problem p = {&s.part, CLASSES, 0.3, weight, dweight, logits};
    const int size = (D + 1) * CLASSES;
    (void)state;
    make(&s, 7, 1);
    for (int i = 0; i < size; i++) w[i] = 0.1 * ((i * 7) % 11 - 5);
    mg_softmax_value(&p, w, grad);
    for (int i = 0; i < size; i++) {
        const double h = 0x1p-7;
        memcpy(step, w, sizeof w);
        step[i] = w[i] + h;
        double up = mg_softmax_value(&p, step, NULL);
        step[i] = w[i] - h;
        double down = mg_softmax_value(&p, step, NULL);
        CHECK(fabs((up - down) / (2 * h) - grad[i]) < 1e-4);
    }
    // At zero every class has the same share.
    memset(w, 0, sizeof w);
    CHECK(fabs(mg_softmax_value(&p, w, grad) - log(CLASSES)) < 1e-6);
    double loss;
    OK(mg_softmax_loss(w, &s.part, CLASSES, &loss));
    CHECK(fabs(loss - log(CLASSES)) < 1e-6);
}

static double rosenbrock(void *ctx, const double *x, double *grad)
{
    double a = x[1] - x[0] * x[0], b = 1 - x[0];
    (void)ctx;
    grad[0] = -400 * x[0] * a - 2 * b;
    grad[1] = 200 * a;
    return 100 * a * a + b * b;
}

static double broken(void *ctx, const double *x, double *grad)
{
    (void)ctx, (void)x;
    grad[0] = 1;
    return NAN;
}

static void minima(void **state)
{
    double x[2] = {-1.2, 1};
    mg_minimum how;
    (void)state;
    OK(mg_minimize(rosenbrock, NULL, x, 2, 200, 1e-8, &how));
    CHECK(fabs(x[0] - 1) < 1e-6 && fabs(x[1] - 1) < 1e-6 && how.iterations < 100);
    FAILS(mg_minimize(broken, NULL, x, 1, 10, 1e-8, &how), MG_ERR_NUMERIC, "nan");
    CHECK(mg_mem_live() == 0);
}

static void standardised_columns(void **state)
{
    samples s;
    double mean[D], std[D];
    (void)state;
    make(&s, 9, 3);
    for (int i = 0; i < N; i++) s.x[i * D + 5] = 4; // does not vary
    mg_probe_spread(mean, std, s.x, N, D);
    CHECK(std[5] == 1);
    mg_probe_standardise(s.x, s.x, N, D, mean, std);
    mg_probe_spread(mean, std, s.x, N, D);
    for (int c = 0; c < D; c++) CHECK(fabs(mean[c]) < 1e-6 && fabs(std[c] - 1) < 1e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_neighbours_by_hand),
        cmocka_unit_test(scores_by_hand),
        cmocka_unit_test(softmax_gradient),
        cmocka_unit_test(minima),
        cmocka_unit_test(standardised_columns),
        cmocka_unit_test(separable_features),
        cmocka_unit_test(random_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
