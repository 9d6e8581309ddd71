// Layer norm against double precision and, for the gradients, differences of the double reference.
#include "tests/check.h"

#include <omp.h>

#include "nn/nn.h"
#include "runtime/mem.h"
#include "tests/ref.h"

typedef struct {
    int rows, cols;
    float *inp, *weight, *bias, *dout, *out, *mean, *rstd;
    float *dinp, *dweight, *dbias, *scratch;
} norm_case;

static float *filled(size_t n, uint64_t seed, double scale, double shift)
{
    float *x = mg_alloc(n * sizeof *x);
    check_fill(x, n, seed, scale);
    for (size_t i = 0; i < n; i++) x[i] += (float)shift;
    return x;
}

static norm_case make(int rows, int cols)
{
    size_t n = (size_t)rows * cols;
    norm_case t = {.rows = rows, .cols = cols};

    t.inp = filled(n, 1, 2, 0.7), t.dout = filled(n, 4, 1, 0);
    t.weight = filled((size_t)cols, 2, 0.3, 1), t.bias = filled((size_t)cols, 3, 0.5, 0);
    t.out = mg_alloc(n * 4), t.dinp = mg_calloc(n, 4);
    t.mean = mg_alloc((size_t)rows * 4), t.rstd = mg_alloc((size_t)rows * 4);
    t.dweight = mg_calloc((size_t)cols, 4), t.dbias = mg_calloc((size_t)cols, 4);
    t.scratch = mg_alloc(mg_layernorm_scratch(cols) * 4);
    mg_layernorm_forward(t.out, t.mean, t.rstd, t.inp, t.weight, t.bias, rows, cols, 1e-6f);
    return t;
}

static void backward(norm_case *t, bool add)
{
    mg_layernorm_backward(t->dinp, t->dweight, t->dbias, t->dout, t->inp, t->weight, t->mean,
                          t->rstd, t->rows, t->cols, add, t->scratch);
}

static void release(norm_case *t)
{
    mg_free(t->inp), mg_free(t->dout), mg_free(t->weight), mg_free(t->bias), mg_free(t->out);
    mg_free(t->dinp), mg_free(t->mean), mg_free(t->rstd), mg_free(t->dweight);
    mg_free(t->dbias), mg_free(t->scratch);
}

// sum_c dout[c] out[c] of one row.
static double loss(const double *x, const double *w, const double *b, const float *dout, int cols)
{
    double out[2048], sum = 0;

    ref_layernorm(out, x, w, b, cols, 1e-6);
    for (int c = 0; c < cols; c++) sum += dout[c] * out[c];
    return sum;
}

static void compare(int rows, int cols)
{
    norm_case t = make(rows, cols);
    size_t n = (size_t)rows * cols;
    double x[2048], w[2048], b[2048], out[2048];
    float *want_out = mg_alloc(n * 4), *want_dx = mg_alloc(n * 4);
    float *want_dw = mg_calloc((size_t)cols, 4), *want_db = mg_calloc((size_t)cols, 4);
    const double step = 1e-5;

    ref_widen(w, t.weight, (size_t)cols);
    ref_widen(b, t.bias, (size_t)cols);
    for (int r = 0; r < rows; r++) {
        size_t at = (size_t)r * cols;

        ref_widen(x, t.inp + at, (size_t)cols);
        ref_layernorm(out, x, w, b, cols, 1e-6);
        ref_narrow(want_out + at, out, (size_t)cols);
        for (int c = 0; c < cols; c++) {
            double save = x[c], up, down;

            x[c] = save + step, up = loss(x, w, b, t.dout + at, cols);
            x[c] = save - step, down = loss(x, w, b, t.dout + at, cols);
            x[c] = save;
            want_dx[at + c] = (float)((up - down) / (2 * step));
            want_dw[c] += (float)(t.dout[at + c] * (out[c] - b[c]) / w[c]);
            want_db[c] += t.dout[at + c];
        }
    }
    backward(&t, false);
    CHECK(check_gap(t.out, want_out, n) <= 1e-6);
    CHECK(check_gap(t.dinp, want_dx, n) <= 5e-6);
    CHECK(check_gap(t.dweight, want_dw, (size_t)cols) <= 3e-6);
    CHECK(check_gap(t.dbias, want_db, (size_t)cols) <= 3e-6);
    mg_free(want_out), mg_free(want_dx), mg_free(want_dw), mg_free(want_db);
    release(&t);
}

static void test_values(void **state)
{
    (void)state;
    compare(1, 5);
    compare(3, 12);
    compare(40, 64);
    compare(7, 768);
    compare(600, 30);
}

static void test_adds_and_aliases(void **state)
{
    (void)state;
    norm_case t = make(50, 96);
    size_t n = 50 * 96;
    float *plain = mg_alloc(n * 4), dweight[96];

    backward(&t, false);
    memcpy(plain, t.dinp, n * 4);
    memcpy(dweight, t.dweight, sizeof dweight);
    check_fill(t.dinp, n, 9, 1);
    float *sum = filled(n, 9, 1, 0);
    for (size_t i = 0; i < n; i++) sum[i] += plain[i];
    backward(&t, true);
    CHECK(check_gap(t.dinp, sum, n) <= 1e-6);
    for (int c = 0; c < 96; c++) CHECK(fabsf(t.dweight[c] - 2 * dweight[c]) <= 1e-5f);

    mg_layernorm_backward(t.dout, NULL, NULL, t.dout, t.inp, t.weight, t.mean, t.rstd, 50, 96,
                          false, t.scratch);
    CHECK(check_gap(t.dout, plain, n) <= 1e-7);
    mg_layernorm_forward(t.inp, t.mean, t.rstd, t.inp, t.weight, t.bias, 50, 96, 1e-6f);
    CHECK(!memcmp(t.inp, t.out, n * 4));
    mg_free(plain), mg_free(sum);
    release(&t);
}

static void test_thread_bits(void **state)
{
    (void)state;
    int threads = omp_get_max_threads();
    norm_case one, more;

    omp_set_num_threads(1);
    one = make(500, 100);
    backward(&one, false);
    omp_set_num_threads(3);
    more = make(500, 100);
    backward(&more, false);
    omp_set_num_threads(threads);
    CHECK(!memcmp(one.out, more.out, 500 * 100 * 4));
    CHECK(!memcmp(one.dinp, more.dinp, 500 * 100 * 4));
    CHECK(!memcmp(one.dweight, more.dweight, 100 * 4));
    CHECK(!memcmp(one.dbias, more.dbias, 100 * 4));
    release(&one), release(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_adds_and_aliases),
        cmocka_unit_test(test_thread_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
