// Statistics of tables: known values, and properties against brute force.
#include "tests/check.h"

#include "finetune/stats.h"
#include "runtime/mem.h"

static void percentiles(void **state)
{
    (void)state;
    double x[] = {4, 1, 3, 2};
    mg_sort(x, 4);
    CHECK(x[0] == 1 && x[3] == 4);
    CHECK(mg_percentile(x, 4, 0) == 1 && mg_percentile(x, 4, 1) == 4);
    CHECK(fabs(mg_percentile(x, 4, 0.95) - 3.85) < 1e-15);
    CHECK(mg_percentile(x, 1, 0.95) == 1);
    CHECK(mg_median(x, 4) == 2.5 && mg_median(x, 3) == 2 && isnan(mg_median(x, 0)));
}

static void clicks_until(void **state)
{
    (void)state;
    double iou[] = {0.5, 0.79, 0.85, 0.84, 0.9};
    CHECK(mg_noc_at(iou, 5, 0.8).clicks == 3 && !mg_noc_at(iou, 5, 0.8).failed);
    // Reached with the last click is no failure; never reached is.
    CHECK(mg_noc_at(iou, 5, 0.9).clicks == 5 && !mg_noc_at(iou, 5, 0.9).failed);
    CHECK(mg_noc_at(iou, 5, 0.95).clicks == 5 && mg_noc_at(iou, 5, 0.95).failed);
    double stopped[] = {0.5, 0.7, NAN, NAN, NAN};
    CHECK(mg_noc_at(stopped, 5, 0.8).failed && mg_noc_at(stopped, 5, 0.7).clicks == 2);

    double table[15] = {0.5, 0.79, 0.85, 0.84, 0.9, 0.5, 0.7, NAN, NAN, NAN};
    double curve[5];
    for (int k = 0; k < 5; k++) table[10 + k] = NAN; // a case that was not prompted
    double auc = mg_click_curve(table, 3, 5, curve);
    CHECK(fabs(curve[0] - 0.5) < 1e-15 && fabs(curve[2] - 0.775) < 1e-15);
    CHECK(fabs(curve[4] - 0.8) < 1e-15);
    CHECK(fabs(auc - (0.5 + 0.745 + 0.775 + 0.77 + 0.8) / 5) < 1e-15);
    CHECK(isnan(mg_click_curve(table + 10, 1, 5, curve)));
}

static void means(void **state)
{
    (void)state;
    double table[] = {1, 2, NAN, 3, NAN, NAN, 5, 4, NAN};
    mg_summary s = mg_summarize(table, 3, 3);
    CHECK(s.n == 3 && s.mean == 3 && s.sd == 2);
    s = mg_summarize(table + 1, 3, 3);
    CHECK(s.n == 2 && s.mean == 3 && fabs(s.sd - sqrt(2)) < 1e-15);
    s = mg_summarize(table + 2, 3, 3);
    CHECK(s.n == 0 && isnan(s.mean) && isnan(s.sd));
    CHECK(mg_table_average(table, 3, 3) == 3);
    double one = 7;
    s = mg_summarize(&one, 1, 1);
    CHECK(s.n == 1 && s.mean == 7 && isnan(s.sd));
    double nothing[] = {NAN, NAN};
    CHECK(isnan(mg_table_average(nothing, 1, 2)));
}

static void intervals(void **state)
{
    (void)state;
    enum { N = 200 };
    double x[N], gaps[2 * N], first[3], again[3];
    mg_stream s = {2, MG_RNG_FREE, 0, 0};
    mg_interval a, b;

    for (int i = 0; i < N; i++) x[i] = mg_stream_normal(&s, (uint64_t)i);
    OK(mg_bootstrap(x, N, 1, 5, 4000, &a, first, 3));
    mg_summary sum = mg_summarize(x, N, 1);
    // About 1.96 standard errors to each side.
    double se = sum.sd / sqrt(N);
    CHECK(fabs(a.low - (sum.mean - 1.96 * se)) < 0.2 * se);
    CHECK(fabs(a.high - (sum.mean + 1.96 * se)) < 0.2 * se);
    // The same again; cases without a value do not take part.
    for (int i = 0; i < N; i++) gaps[2 * i] = x[i], gaps[2 * i + 1] = NAN;
    OK(mg_bootstrap(gaps, 2 * N, 1, 5, 4000, &b, again, 3));
    CHECK(a.low == b.low && a.high == b.high && !memcmp(first, again, sizeof first));
    OK(mg_bootstrap(x, N, 1, 6, 4000, &b, NULL, 0));
    CHECK(a.low != b.low);
    // Two equal columns average to the single column, replicate by replicate.
    for (int i = 0; i < N; i++) gaps[2 * i] = gaps[2 * i + 1] = x[i];
    OK(mg_bootstrap(gaps, N, 2, 5, 4000, &b, again, 3));
    for (int r = 0; r < 3; r++) CHECK(fabs(first[r] - again[r]) < 1e-15);
    OK(mg_bootstrap(x, 0, 1, 5, 100, &b, NULL, 0));
    CHECK(isnan(b.low) && isnan(b.high));
    OK(mg_bootstrap(x, 1, 1, 5, 100, &b, NULL, 0));
    CHECK(b.low == x[0] && b.high == x[0]);
}

// Exact p by trying all 2^n sign patterns.
static void wilcoxon_counts(void **state)
{
    (void)state;
    enum { N = 10 };
    double a[N], zero[N] = {0};
    mg_stream s = {3, MG_RNG_FREE, 0, 0};

    for (uint64_t trial = 0; trial < 5; trial++) {
        for (uint64_t i = 0; i < N; i++) a[i] = mg_stream_normal(&s, trial * N + i) + 0.5;
        mg_wilcoxon w;
        OK(mg_wilcoxon_test(a, zero, N, &w));
        CHECK(w.w_plus + w.w_minus == N * (N + 1) / 2);
        int extreme = 0;
        for (int signs = 0; signs < 1 << N; signs++) {
            double plus = 0;
            for (int i = 0; i < N; i++)
                if (signs >> i & 1) plus += i + 1;
            extreme += fmin(plus, N * (N + 1) / 2 - plus) <= fmin(w.w_plus, w.w_minus);
        }
        CHECK(fabs(w.p_exact - extreme / (double)(1 << N)) < 1e-12 && w.p == w.p_exact);
        CHECK(fabs(w.p_normal - w.p_exact) < 0.1);
    }
}

static void wilcoxon_edges(void **state)
{
    (void)state;
    double a[] = {1, 2, 3, 4, NAN, 6}, b[] = {1, 2, 3, 4, 5, NAN};
    mg_wilcoxon w;

    OK(mg_wilcoxon_test(a, b, 6, &w)); // all zero
    CHECK(w.pairs == 4 && w.n == 0 && w.p == 1 && w.median == 0);
    OK(mg_wilcoxon_test(a, b, 0, &w));
    CHECK(w.n == 0 && w.p == 1 && isnan(w.median));
    // |d| = 1 1 2: mid-ranks 1.5 1.5 3, no exact value.
    double c[] = {1, -1, 2}, zero[3] = {0};
    OK(mg_wilcoxon_test(c, zero, 3, &w));
    CHECK(w.w_plus == 4.5 && w.w_minus == 1.5 && isnan(w.p_exact) && w.p == w.p_normal);
    CHECK(fabs(w.z - (1.5 - 3) / sqrt(3 * 4 * 7 / 24.0 - 6 / 48.0)) < 1e-15);
    CHECK(w.median == 1);
    // Most extreme of three: 2 / 8.
    double d[] = {1, 2, 3};
    OK(mg_wilcoxon_test(d, zero, 3, &w));
    CHECK(w.p_exact == 0.25);
}

static void holm(void **state)
{
    (void)state;
    double p[] = {0.04, 0.01, 0.03, 0.9}, got[4];
    OK(mg_holm(p, 4, got));
    CHECK(fabs(got[1] - 0.04) < 1e-15 && fabs(got[2] - 0.09) < 1e-15);
    CHECK(fabs(got[0] - 0.09) < 1e-15); // never below the one before
    CHECK(got[3] == 0.9);
    OK(mg_holm(p, 0, got));
    CHECK(mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles),
        cmocka_unit_test(clicks_until),
        cmocka_unit_test(means),
        cmocka_unit_test(intervals),
        cmocka_unit_test(wilcoxon_counts),
        cmocka_unit_test(wilcoxon_edges),
        cmocka_unit_test(holm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
