// GELU over its whole range against double precision; ReLU and additions; any length, in place.
#include "tests/check.h"

#include "nn/kernels.h"
#include "nn/nn.h"
#include "tests/ref.h"

enum { COUNT = 48001 };

static float x[COUNT], y[COUNT], dy[COUNT], dx[COUNT];

// -12 .. 12, without a step that hides behind the vector width.
static void spread(void)
{
    for (int i = 0; i < COUNT; i++) x[i] = (float)(-12 + 24.0 * i / (COUNT - 1));
}

static void test_gelu_range(void **state)
{
    (void)state;
    double worst = 0, worst_slope = 0;

    spread();
    for (int i = 0; i < COUNT; i++) dy[i] = 1;
    mg_gelu_forward(y, x, COUNT);
    mg_gelu_backward(dx, dy, x, COUNT);
    for (int i = 0; i < COUNT; i++) {
        double gap = fabs(y[i] - ref_gelu(x[i])) / (1 + fabs(x[i]));
        double slope = fabs(dx[i] - ref_gelu_slope(x[i]));
        worst = gap <= worst ? worst : gap;
        worst_slope = slope <= worst_slope ? worst_slope : slope;
    }
    CHECK(worst <= 3e-7);
    CHECK(worst_slope <= 5e-7);
}

static void test_gelu_extremes(void **state)
{
    (void)state;
    float big[6] = {0, 1e4f, -1e4f, 3e38f, -3e38f, NAN}, out[6], one[6] = {1, 1, 1, 1, 1, 1};

    mg_gelu_forward(out, big, 6);
    CHECK(out[0] == 0 && out[1] == 1e4f && fabsf(out[2]) <= 1e-30f && out[3] == 3e38f &&
          fabsf(out[4]) <= 1e-30f);
    CHECK(isnan(out[5]));
    mg_gelu_backward(out, one, big, 6);
    CHECK(fabsf(out[0] - 0.5f) <= 1e-6f && out[1] == 1 && fabsf(out[2]) <= 1e-30f);
    CHECK(out[3] == 1 && fabsf(out[4]) <= 1e-30f);
    CHECK(isnan(out[5]));
}

// Any length and start, in place too: the same bits as one long call, and nothing else is touched.
static void test_gelu_lengths(void **state)
{
    (void)state;
    float out[80], grad[80];

    spread();
    check_fill(dy, COUNT, 1, 1);
    mg_gelu_forward(y, x, COUNT);
    mg_gelu_backward(dx, dy, x, COUNT);
    for (int n = 0; n < 70; n++) {
        const float *from = x + 20000 + n;
        for (int i = 0; i < 80; i++) out[i] = from[i], grad[i] = dy[20000 + n + i];
        mg_gelu_forward(out, out, (size_t)n);
        mg_gelu_backward(grad, grad, from, (size_t)n);
        CHECK(!memcmp(out, y + 20000 + n, (size_t)n * 4) && out[n] == from[n]);
        CHECK(!memcmp(grad, dx + 20000 + n, (size_t)n * 4) && grad[n] == dy[20000 + 2 * n]);
    }
}

static void test_relu_and_sums(void **state)
{
    (void)state;
    float a[5] = {-1, 0, 2, -3, 4}, b[5] = {10, 20, 30, 40, 50}, out[5];

    mg_relu_forward(out, a, 5);
    CHECK(out[0] == 0 && out[1] == 0 && out[2] == 2 && out[3] == 0 && out[4] == 4);
    mg_relu_backward(b, b, out, 5);
    CHECK(b[0] == 0 && b[1] == 0 && b[2] == 30 && b[3] == 0 && b[4] == 50);
    mg_add(out, out, a, 5);
    CHECK(out[0] == -1 && out[2] == 4 && out[4] == 8);
    mg_add_scaled(out, a, -2, 5);
    CHECK(out[0] == 1 && out[2] == 0 && out[3] == 3 && out[4] == 0);
}

static void test_rows(void **state)
{
    (void)state;
    float out[12] = {0}, table[6] = {1, 2, 3, 4, 5, 6}, sum[6] = {1, 1, 1, 1, 1, 1};

    mg_add_rows(out, table, 2, 2, 3);
    for (int i = 0; i < 12; i++) CHECK(out[i] == table[i % 6]);
    mg_add_rows_backward(sum, out, 2, 2, 3);
    for (int i = 0; i < 6; i++) CHECK(sum[i] == 1 + 2 * table[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gelu_range),   cmocka_unit_test(test_gelu_extremes),
        cmocka_unit_test(test_gelu_lengths), cmocka_unit_test(test_relu_and_sums),
        cmocka_unit_test(test_rows),
    };
    static const char *const versions[] = {"plain", "avx2", "avx512"};
    int failed = 0;

    for (int i = 0; i < 3; i++)
        if (mg_kernels_use(versions[i]))
            failed += cmocka_run_group_tests_name(versions[i], tests, NULL, NULL);
    return failed;
}
