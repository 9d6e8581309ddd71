// Rearrangements and convolutions against naive double loops. Every map here is linear in its input
// and in its weight, so a backward pass is checked by <dout, f(v)> = <f^T(dout), v> for random v.
#include "tests/check.h"

#include "nn/gemm.h"
#include "nn/nn.h"

enum { ROOM = 40000 };

static float inp[ROOM], weight[ROOM], bias[ROOM], out[ROOM], dout[ROOM], dinp[ROOM], dweight[ROOM],
    dbias[ROOM], want[ROOM], scratch[4 * ROOM];

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

static void near(double a, double b)
{
    CHECK(fabs(a - b) <= 2e-5 * (1 + fabs(b)));
}

// --- naive forms, all [B, Y, X, C] ------------------------------------------------------------------

static void naive_conv3x3(float *o, const float *x, const float *w, int B, int Y, int X, int C,
                          int O)
{
    for (int b = 0; b < B; b++)
        for (int y = 0; y < Y; y++)
            for (int q = 0; q < X; q++)
                for (int k = 0; k < O; k++) {
                    double sum = 0;
                    for (int c = 0; c < C; c++)
                        for (int i = -1; i <= 1; i++)
                            for (int j = -1; j <= 1; j++) {
                                int yy = y + i, xx = q + j;
                                if (yy < 0 || yy >= Y || xx < 0 || xx >= X) continue;
                                sum += (double)x[((b * Y + yy) * X + xx) * C + c] *
                                       w[((k * C + c) * 3 + i + 1) * 3 + j + 1];
                            }
                    o[((b * Y + y) * X + q) * O + k] = (float)sum;
                }
}

static void naive_convt(float *o, const float *x, const float *w, const float *bi, int B, int Y,
                        int X, int C, int O)
{
    for (int b = 0; b < B; b++)
        for (int y = 0; y < 2 * Y; y++)
            for (int q = 0; q < 2 * X; q++)
                for (int k = 0; k < O; k++) {
                    double sum = bi ? bi[k] : 0;
                    for (int c = 0; c < C; c++)
                        sum += (double)x[((b * Y + y / 2) * X + q / 2) * C + c] *
                               w[((c * O + k) * 2 + y % 2) * 2 + q % 2];
                    o[((b * 2 * Y + y) * 2 * X + q) * O + k] = (float)sum;
                }
}

// --- tests ------------------------------------------------------------------------------------------

static void conv3x3_is_naive(void **state)
{
    enum { B = 2, Y = 5, X = 7, C = 3, O = 4, N = B * Y * X };
    (void)state;
    check_fill(inp, N * C, 1, 1);
    check_fill(weight, O * C * 9, 2, 1);
    check_fill(dout, N * O, 3, 1);
    CHECK(mg_conv3x3_scratch(Y, X, C, O) <= 4 * ROOM);
    mg_conv3x3_forward(out, inp, weight, B, Y, X, C, O, scratch);
    naive_conv3x3(want, inp, weight, B, Y, X, C, O);
    CHECK(check_gap(out, want, N * O) <= 1e-6);

    memset(dweight, 0, sizeof dweight);
    dweight[5] = 10; // added to
    mg_conv3x3_backward(dinp, dweight, dout, inp, weight, B, Y, X, C, O, scratch);
    dweight[5] -= 10;
    near(dot(dinp, inp, N * C), dot(dout, want, N * O));
    near(dot(dweight, weight, O * C * 9), dot(dout, want, N * O));
    check_fill(inp, N * C, 4, 1);
    naive_conv3x3(want, inp, weight, B, Y, X, C, O);
    near(dot(dinp, inp, N * C), dot(dout, want, N * O));

    float again[N * C];
    memcpy(again, dinp, sizeof again);
    mg_conv3x3_backward(dinp, NULL, dout, inp, weight, B, Y, X, C, O, scratch);
    CHECK(memcmp(again, dinp, sizeof again) == 0);
}

static void convt_is_naive(void **state)
{
    enum { B = 2, Y = 3, X = 5, C = 6, O = 3, N = B * Y * X };
    (void)state;
    check_fill(inp, N * C, 1, 1);
    check_fill(weight, C * O * 4, 2, 1);
    check_fill(bias, O, 5, 1);
    check_fill(dout, 4 * N * O, 3, 1);
    mg_convt2x2_forward(out, inp, weight, bias, B, Y, X, C, O, scratch);
    naive_convt(want, inp, weight, bias, B, Y, X, C, O);
    CHECK(check_gap(out, want, 4 * N * O) <= 1e-6);

    memset(dweight, 0, sizeof dweight);
    memset(dbias, 0, sizeof dbias);
    mg_convt2x2_backward(dinp, dweight, dbias, dout, inp, weight, B, Y, X, C, O, scratch);
    naive_convt(want, inp, weight, NULL, B, Y, X, C, O);
    near(dot(dweight, weight, C * O * 4), dot(dout, want, 4 * N * O));
    for (int k = 0; k < O; k++) {
        double sum = 0;
        for (int i = 0; i < 4 * N; i++) sum += dout[i * O + k];
        near(dbias[k], sum);
    }
    check_fill(inp, N * C, 4, 1);
    naive_convt(want, inp, weight, NULL, B, Y, X, C, O);
    near(dot(dinp, inp, N * C), dot(dout, want, 4 * N * O));
}

static void patches_and_back(void **state)
{
    enum { B = 2, C = 3, Y = 6, X = 9, P = 3, T = 2 * 3, W = C * P * P };
    const int32_t keep[B * 2] = {5, 0, 1, 4};
    (void)state;
    check_fill(inp, B * C * Y * X, 1, 1);
    mg_patches(out, inp, B, C, Y, X, P, NULL, 0);
    for (int b = 0; b < B; b++)
        for (int t = 0; t < T; t++)
            for (int k = 0; k < W; k++) {
                int y = t / 3 * P + k / P % P, x = t % 3 * P + k % P, c = k / (P * P);
                CHECK(out[(b * T + t) * W + k] == inp[((b * C + c) * Y + y) * X + x]);
            }
    mg_patches_backward(dinp, out, B, C, Y, X, P);
    CHECK(memcmp(dinp, inp, B * C * Y * X * sizeof *inp) == 0);
    mg_patches(want, inp, B, C, Y, X, P, keep, 2);
    for (int i = 0; i < B * 2; i++)
        CHECK(memcmp(want + i * W, out + (i / 2 * T + keep[i]) * W, W * sizeof *out) == 0);
}

static void space_to_depth_is_a_convolution(void **state)
{
    enum { B = 2, Y = 4, X = 6, C = 3 };
    (void)state;
    check_fill(inp, B * Y * X * C, 1, 1);
    mg_space_to_depth(out, inp, B, Y, X, C);
    for (int i = 0; i < B * Y * X * C; i++) {
        int k = i % 4, c = i / 4 % C, x = i / (4 * C) % (X / 2) * 2 + k % 2;
        int y = i / (4 * C * (X / 2)) % (Y / 2) * 2 + k / 2, b = i / (C * X * Y);
        CHECK(out[i] == inp[((b * Y + y) * X + x) * C + c]);
    }
    mg_space_to_depth_backward(dinp, out, B, Y, X, C);
    CHECK(memcmp(dinp, inp, B * Y * X * C * sizeof *inp) == 0);
}

static void channels_first_and_back(void **state)
{
    enum { B = 2, N = 45, C = 70 };
    (void)state;
    check_fill(inp, B * N * C, 1, 1);
    mg_to_channels_first(out, inp, B, N, C);
    for (int i = 0; i < B * N * C; i++)
        CHECK(out[i] == inp[(i / (N * C) * N + i % N) * C + i / N % C]);
    mg_to_channels_last(dinp, out, B, N, C);
    CHECK(memcmp(dinp, inp, B * N * C * sizeof *inp) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv3x3_is_naive),
        cmocka_unit_test(convt_is_naive),
        cmocka_unit_test(patches_and_back),
        cmocka_unit_test(space_to_depth_is_a_convolution),
        cmocka_unit_test(channels_first_and_back),
    };
    mg_gemm_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
