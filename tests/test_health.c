// Figures about features on matrices whose answers are known: spread, cosine, effective rank,
// eigenvalues, AUROC.
#include "tests/check.h"

#include "nn/eigen.h"
#include "pretrain/figures.h"
#include "runtime/mem.h"

enum { N = 60, D = 24 };

static void collapsed_features(void **state)
{
    float x[N * D];
    double rank = 0, plain = 0, centred = 1;
    (void)state;
    for (int i = 0; i < N * D; i++) x[i] = (float)(i % D + 1) / 7;
    OK(mg_figure_rank(x, N, D, &rank));
    OK(mg_figure_cosine(x, N, D, false, &plain));
    OK(mg_figure_cosine(x, N, D, true, &centred));
    CHECK(fabs(rank - 1) < 1e-4); // a Gram matrix loses half of the digits
    CHECK(fabs(plain - 1) < 1e-12);
    CHECK(centred < 0.1 || centred > 0.99); // of rounding noise: anything, but a number
    CHECK(mg_figure_spread(x, N, D) < 1e-7);
    memset(x, 0, sizeof x);
    OK(mg_figure_rank(x, N, D, &rank));
    OK(mg_figure_cosine(x, N, D, false, &plain));
    CHECK(rank == 0 && plain == 0);
    x[5] = NAN;
    OK(mg_figure_rank(x, N, D, &rank));
    OK(mg_figure_cosine(x, N, D, false, &plain));
    CHECK(isnan(rank) && isnan(plain) && isnan(mg_figure_spread(x, N, D)));
}

static void spread_features(void **state)
{
    float x[N * D];
    double rank, cosine;
    (void)state;
    // Orthogonal directions, equally often: rank D, and cosine 1 to few others.
    memset(x, 0, sizeof x);
    for (int i = 0; i < 2 * D; i++) x[i * D + i % D] = 3;
    OK(mg_figure_rank(x, 2 * D, D, &rank));
    OK(mg_figure_cosine(x, 2 * D, D, false, &cosine));
    CHECK(fabs(rank - D) < 1e-5);
    CHECK(fabs(cosine - 1.0 / (2 * D - 1)) < 1e-12);
    // The same with more columns than rows.
    memset(x, 0, sizeof x);
    for (int i = 0; i < 7; i++) x[i * D + 2 * i] = 3;
    OK(mg_figure_rank(x, 7, D, &rank));
    CHECK(fabs(rank - 7) < 1e-5);
    // Random unit vectors: spread near 1.
    check_fill(x, N * D, 5, 1);
    for (int i = 0; i < N; i++) {
        double square = 0;
        for (int c = 0; c < D; c++) square += x[i * D + c] * x[i * D + c];
        for (int c = 0; c < D; c++) x[i * D + c] /= (float)sqrt(square);
    }
    CHECK(fabs(mg_figure_spread(x, N, D) - 1) < 0.05);
    // Two directions in the ratio 3 : 1.
    memset(x, 0, sizeof x);
    x[0] = 3;
    x[D + 1] = 1;
    OK(mg_figure_rank(x, 2, D, &rank));
    CHECK(fabs(rank - exp(-(0.75 * log(0.75) + 0.25 * log(0.25)))) < 1e-9);
}

static void pairs_of_rows(void **state)
{
    float x[N * D];
    double plain, centred, want[2] = {0}, mean[D] = {0};
    (void)state;
    check_fill(x, N * D, 6, 1);
    for (int i = 0; i < N * D; i++) x[i] += 0.5f, mean[i % D] += (double)x[i] / N;
    for (int m = 0; m < 2; m++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double a = 0, b = 0, ab = 0;
                for (int c = 0; c < D; c++) {
                    double u = x[i * D + c] - m * mean[c], v = x[j * D + c] - m * mean[c];
                    a += u * u, b += v * v, ab += u * v;
                }
                if (i != j) want[m] += ab / sqrt(a * b) / (N * (N - 1));
            }
    OK(mg_figure_cosine(x, N, D, false, &plain));
    OK(mg_figure_cosine(x, N, D, true, &centred));
    CHECK(fabs(plain - want[0]) < 1e-12);
    CHECK(fabs(centred - want[1]) < 1e-12);
}

// A = Q diag(want) Q^T with Q made of reflections.
static void eigenvalues(void **state)
{
    double A[D * D] = {0}, value[D], scratch[2 * D], want[D];
    (void)state;
    for (int i = 0; i < D; i++) A[i * D + i] = want[i] = i < 3 ? -2.5 : i < 6 ? 1e-9 * i : i * i;
    for (int k = 0; k < 4; k++) {
        float v[D];
        double square = 0;
        check_fill(v, D, 30 + (uint64_t)k, 1);
        for (int i = 0; i < D; i++) square += (double)v[i] * v[i];
        for (int side = 0; side < 2; side++)
            for (int i = 0; i < D; i++) {
                double dot = 0;
                for (int j = 0; j < D; j++) dot += v[j] * (side ? A[i * D + j] : A[j * D + i]);
                for (int j = 0; j < D; j++)
                    (side ? &A[i * D + j] : &A[j * D + i])[0] -= 2 * dot / square * v[j];
            }
    }
    mg_eigenvalues(value, A, D, scratch);
    for (int i = 0; i < D; i++) CHECK(fabs(value[i] - want[i]) < 1e-12 * want[D - 1]);
    double one = 4;
    mg_eigenvalues(value, &one, 1, scratch);
    CHECK(fabs(value[0] - 4) < 1e-14);
}

static void auroc(void **state)
{
    const float up[] = {0.1f, 0.2f, 0.3f, 0.4f}, flat[] = {1, 1, 1, 1}, tie[] = {0, 1, 1, 2};
    const float bad[] = {0, NAN, 1, 2};
    const uint8_t right[] = {0, 0, 1, 1}, wrong[] = {1, 1, 0, 0}, mixed[] = {0, 1, 0, 1};
    double a = 0;
    (void)state;
    OK(mg_figure_auroc(up, right, 4, &a));
    CHECK(a == 1);
    OK(mg_figure_auroc(up, wrong, 4, &a));
    CHECK(a == 0);
    OK(mg_figure_auroc(up, mixed, 4, &a));
    CHECK(a == 0.75);
    OK(mg_figure_auroc(flat, mixed, 4, &a));
    CHECK(a == 0.5);
    OK(mg_figure_auroc(tie, mixed, 4, &a));
    CHECK(a == 0.875);
    OK(mg_figure_auroc(up, (uint8_t[]){1, 1, 1, 1}, 4, &a));
    CHECK(isnan(a));
    OK(mg_figure_auroc(bad, mixed, 4, &a));
    CHECK(isnan(a));
    OK(mg_figure_auroc(up, right, 0, &a));
    CHECK(isnan(a) && mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collapsed_features),
        cmocka_unit_test(spread_features),
        cmocka_unit_test(pairs_of_rows),
        cmocka_unit_test(eigenvalues),
        cmocka_unit_test(auroc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
