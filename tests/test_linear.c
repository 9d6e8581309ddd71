// Linear layers against double products: values, gradients, residual, accumulation, frozen parts;
// bits that do not depend on rows (forward, dX) or threads.
#include "tests/check.h"

#include <omp.h>

#include "nn/gemm.h"
#include "nn/nn.h"
#include "runtime/mem.h"
#include "tests/ref.h"

typedef struct {
    int rows, in_dim, out_dim;
    float *inp, *weight, *bias, *res, *dout; // given
    float *out, *dinp, *dweight, *dbias;     // results
} layer;

static float *filled(size_t n, uint64_t seed)
{
    float *x = mg_alloc(n * sizeof *x);
    check_fill(x, n, seed, 1);
    return x;
}

static layer make(int rows, int in_dim, int out_dim)
{
    size_t R = (size_t)rows, I = (size_t)in_dim, O = (size_t)out_dim;
    layer l = {.rows = rows, .in_dim = in_dim, .out_dim = out_dim};

    l.inp = filled(R * I, 1), l.weight = filled(O * I, 2), l.bias = filled(O, 3);
    l.res = filled(R * O, 4), l.dout = filled(R * O, 5), l.out = filled(R * O, 6);
    l.dinp = filled(R * I, 7), l.dweight = filled(O * I, 8), l.dbias = filled(O, 9);
    return l;
}

static void release(layer *l)
{
    mg_free(l->inp), mg_free(l->weight), mg_free(l->bias), mg_free(l->res), mg_free(l->dout);
    mg_free(l->out), mg_free(l->dinp), mg_free(l->dweight), mg_free(l->dbias);
}

// gap of `got` to product + start * before, before being filled(n, seed) (0: nothing)
static double gap(const float *got, const double *product, size_t n, uint64_t seed)
{
    float *want = mg_calloc(n, sizeof *want);

    if (seed) check_fill(want, n, seed, 1);
    for (size_t i = 0; i < n; i++) want[i] = (float)(want[i] + product[i]);
    double worst = check_gap(got, want, n);
    mg_free(want);
    return worst;
}

static void compare(int rows, int in_dim, int out_dim)
{
    layer l = make(rows, in_dim, out_dim);
    size_t R = (size_t)rows, I = (size_t)in_dim, O = (size_t)out_dim;
    double *y = mg_calloc(R * O, 8), *dx = mg_calloc(R * I, 8), *dw = mg_calloc(O * I, 8),
           *db = mg_calloc(O, 8);

    ref_matmul(y, l.inp, false, l.weight, true, rows, out_dim, in_dim);
    ref_matmul(dx, l.dout, false, l.weight, false, rows, in_dim, out_dim);
    ref_matmul(dw, l.dout, true, l.inp, false, out_dim, in_dim, rows);
    for (size_t i = 0; i < R * O; i++) db[i % O] += l.dout[i];

    mg_linear_forward(l.out, l.inp, l.weight, NULL, rows, in_dim, out_dim, MG_FLOAT32);
    CHECK(gap(l.out, y, R * O, 0) <= 2e-6);
    for (size_t i = 0; i < R * O; i++) y[i] += l.bias[i % O];
    mg_linear_forward(l.out, l.inp, l.weight, l.bias, rows, in_dim, out_dim, MG_FLOAT32);
    CHECK(gap(l.out, y, R * O, 0) <= 2e-6);
    mg_linear_residual_forward(l.out, l.res, l.inp, l.weight, l.bias, rows, in_dim, out_dim,
                               MG_FLOAT32);
    CHECK(gap(l.out, y, R * O, 4) <= 2e-6);
    mg_linear_residual_forward(l.res, l.res, l.inp, l.weight, l.bias, rows, in_dim, out_dim,
                               MG_FLOAT32);
    CHECK(!memcmp(l.res, l.out, R * O * 4));

    mg_linear_backward(l.dinp, l.dweight, l.dbias, l.dout, l.inp, l.weight, rows, in_dim, out_dim,
                       true, MG_FLOAT32);
    CHECK(gap(l.dinp, dx, R * I, 7) <= 2e-6);
    CHECK(gap(l.dweight, dw, O * I, 8) <= 2e-6);
    CHECK(gap(l.dbias, db, O, 9) <= 2e-6);
    mg_linear_backward(l.dinp, NULL, NULL, l.dout, l.inp, l.weight, rows, in_dim, out_dim, false,
                       MG_FLOAT32);
    CHECK(gap(l.dinp, dx, R * I, 0) <= 2e-6);
    mg_linear_backward(NULL, NULL, NULL, l.dout, l.inp, l.weight, rows, in_dim, out_dim, false,
                       MG_FLOAT32);
    mg_free(y), mg_free(dx), mg_free(dw), mg_free(db);
    release(&l);
}

static void test_values(void **state)
{
    (void)state;
    compare(1, 1, 1);
    compare(1, 24, 7);
    compare(5, 12, 36);
    compare(50, 96, 24);
    compare(196, 100, 130);
    compare(9, 700, 3);
}

// Forward and dX of `rows` rows, cut from 200, on `threads` threads: bits as of all rows on one.
static void same_bits(const layer *all, int rows, int threads)
{
    layer l = make(all->rows, all->in_dim, all->out_dim);
    int from = (all->rows - rows) / 2, I = l.in_dim, O = l.out_dim;

    omp_set_num_threads(threads);
    mg_linear_forward(l.out, l.inp + (size_t)from * I, l.weight, l.bias, rows, I, O, MG_FLOAT32);
    mg_linear_backward(l.dinp, NULL, NULL, l.dout + (size_t)from * O, l.inp, l.weight, rows, I, O,
                       false, MG_FLOAT32);
    CHECK(!memcmp(l.out, all->out + (size_t)from * O, (size_t)rows * O * 4));
    CHECK(!memcmp(l.dinp, all->dinp + (size_t)from * I, (size_t)rows * I * 4));
    release(&l);
}

static void test_bits(void **state)
{
    (void)state;
    static const int shapes[][2] = {{24, 72}, {96, 24}, {256, 2048}, {768, 100}};
    static const int counts[] = {1, 2, 6, 25, 49, 98, 200};
    int threads = omp_get_max_threads();

    for (int s = 0; s < 4; s++) {
        layer one = make(200, shapes[s][0], shapes[s][1]);

        omp_set_num_threads(1);
        mg_linear_forward(one.out, one.inp, one.weight, one.bias, 200, one.in_dim, one.out_dim,
                          MG_FLOAT32);
        mg_linear_backward(one.dinp, one.dweight, one.dbias, one.dout, one.inp, one.weight, 200,
                           one.in_dim, one.out_dim, false, MG_FLOAT32);
        for (int i = 0; i < 7; i++)
            for (int t = 1; t <= 3; t++) same_bits(&one, counts[i], t);

        layer more = make(200, shapes[s][0], shapes[s][1]);
        omp_set_num_threads(3);
        mg_linear_backward(NULL, more.dweight, more.dbias, more.dout, more.inp, more.weight, 200,
                           more.in_dim, more.out_dim, false, MG_FLOAT32);
        CHECK(!memcmp(one.dweight, more.dweight, (size_t)one.in_dim * one.out_dim * 4));
        CHECK(!memcmp(one.dbias, more.dbias, (size_t)one.out_dim * 4));
        release(&one), release(&more);
    }
    omp_set_num_threads(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_bits),
    };
    mg_gemm_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
