// Resizing of tables: values by hand, the adjoint by inner products, the lookup and the sin-cos table.
#include "tests/check.h"

#include "nn/nn.h"

enum { ROOM = 4096 };

static float inp[ROOM], out[ROOM], dout[ROOM], dinp[ROOM], scratch[ROOM];

static void linear_values(void **state)
{
    const float row[4] = {0, 4, 8, 20}, twice[8] = {0, 1, 3, 5, 7, 11, 17, 20};
    (void)state;
    mg_resize_forward(out, row, 1, 4, 1, 1, 8, MG_RESIZE_LINEAR, scratch);
    for (int i = 0; i < 8; i++) CHECK(fabsf(out[i] - twice[i]) <= 1e-6f);
    mg_resize_forward(out, row, 4, 1, 1, 8, 1, MG_RESIZE_LINEAR, scratch);
    for (int i = 0; i < 8; i++) CHECK(fabsf(out[i] - twice[i]) <= 1e-6f);
    mg_resize_forward(out, row, 1, 4, 1, 1, 2, MG_RESIZE_LINEAR, scratch); // not antialiased
    CHECK(fabsf(out[0] - 2) <= 1e-6f && fabsf(out[1] - 14) <= 1e-6f);
}

static void cubic_values(void **state)
{
    // Output 1 of 4 -> 8 lies at 0.25: taps -1 (clamped to 0), 0, 1, 2.
    const float row[4] = {1, 2, 4, 8};
    const double a = -0.75;
    double u = 1.25, w0 = a * (u * u * u - 5 * u * u + 8 * u - 4);
    (void)state;
    u = 0.25;
    double w1 = (a + 2) * u * u * u - (a + 3) * u * u + 1;
    u = 0.75;
    double w2 = (a + 2) * u * u * u - (a + 3) * u * u + 1;
    u = 1.75;
    double w3 = a * (u * u * u - 5 * u * u + 8 * u - 4);
    mg_resize_forward(out, row, 1, 4, 1, 1, 8, MG_RESIZE_CUBIC, scratch);
    CHECK(fabs(out[1] - (w0 * 1 + w1 * 1 + w2 * 2 + w3 * 4)) <= 1e-5);
    CHECK(fabs(w0 + w1 + w2 + w3 - 1) <= 1e-12);
}

static void same_size_copies(void **state)
{
    (void)state;
    check_fill(inp, 5 * 7 * 3, 1, 1);
    for (int kind = MG_RESIZE_LINEAR; kind <= MG_RESIZE_CUBIC; kind++) {
        mg_resize_forward(out, inp, 5, 7, 3, 5, 7, (mg_resize_kind)kind, scratch);
        CHECK(memcmp(out, inp, 5 * 7 * 3 * sizeof *inp) == 0);
    }
}

static void adjoint(void **state)
{
    const int cases[][5] = {{4, 6, 3, 9, 5}, {7, 1, 4, 13, 1}, {8, 8, 2, 3, 16}};
    (void)state;
    for (int i = 0; i < 6; i++) {
        const int *c = cases[i / 2];
        mg_resize_kind kind = i % 2 ? MG_RESIZE_CUBIC : MG_RESIZE_LINEAR;
        size_t n_in = (size_t)c[0] * c[1] * c[2], n_out = (size_t)c[3] * c[4] * c[2];
        double left = 0, right = 0;
        CHECK(mg_resize_scratch(c[0], c[1], c[2], c[3], c[4]) <= ROOM);
        check_fill(inp, n_in, 10 + i, 1);
        check_fill(dout, n_out, 20 + i, 1);
        memset(dinp, 0, sizeof dinp);
        dinp[0] = 3; // added to
        mg_resize_forward(out, inp, c[0], c[1], c[2], c[3], c[4], kind, scratch);
        mg_resize_backward(dinp, dout, c[0], c[1], c[2], c[3], c[4], kind, scratch);
        dinp[0] -= 3;
        for (size_t k = 0; k < n_out; k++) left += (double)out[k] * dout[k];
        for (size_t k = 0; k < n_in; k++) right += (double)inp[k] * dinp[k];
        CHECK(fabs(left - right) <= 2e-5 * (1 + fabs(right)));
    }
}

static void lookup_rows(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) CHECK(mg_relpos_row(i, j, 5, 5) == i - j + 4);
    CHECK(mg_relpos_row(0, 7, 4, 8) == 0);
    CHECK(mg_relpos_row(3, 0, 4, 8) == 13);
    CHECK(mg_relpos_row(7, 0, 8, 4) == 13);
}

static void sincos_columns_first(void **state)
{
    enum { GH = 2, GW = 3, D = 8 };
    (void)state;
    mg_sincos_table(out, GH, GW, D, true);
    for (int k = 0; k < D; k++) CHECK(out[k] == 0);
    const float *t = out + D * (1 + 1 * GW + 2); // row 1, column 2
    CHECK(t[0] == (float)sin(2) && t[1] == (float)sin(2 * 0.01));
    CHECK(t[2] == (float)cos(2) && t[4] == (float)sin(1) && t[6] == (float)cos(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_values),    cmocka_unit_test(cubic_values),
        cmocka_unit_test(same_size_copies), cmocka_unit_test(adjoint),
        cmocka_unit_test(lookup_rows),      cmocka_unit_test(sincos_columns_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
