// Attention against double precision, forward and all gradients: plain, cross, windows with padding,
// sequences over depth, relative positions on grids and on scattered tokens; sizes that fit no
// vector. The reference's gradients are themselves held against differences of its forward pass.
#include "tests/check.h"

#include <omp.h>

#include "nn/kernels.h"
#include "nn/nn.h"
#include "runtime/mem.h"
#include "tests/ref.h"

// One call with all its arrays. Arrays 0..6 in the order of ref_attn; `size` 0: absent.
enum { Q, K, V, K_PAD, V_PAD, REL_H, REL_W, ARRAYS };
typedef struct {
    mg_attn a;
    int32_t *qrow, *krow, *coord;
    size_t size[ARRAYS], out_size;
    float *x[ARRAYS], *grad[ARRAYS]; // inputs and gradients; q, k, v lie in one array if `fused`
    bool fused;
    float *out, *dout, *lse, *scratch;
} attn_case;

static attn_case base(int heads, int d, int problems, int nq, int nk)
{
    attn_case t = {0};
    mg_attn *a = &t.a;

    a->heads = heads, a->d = d, a->problems = problems, a->nq = nq, a->nk = nk;
    a->scale = 1 / sqrtf((float)d);
    a->q_stride = a->k_stride = a->v_stride = 3 * heads * d; // one array of [q | k | v]
    a->o_stride = heads * d;
    t.fused = true;
    t.size[Q] = (size_t)problems * nq * a->q_stride;
    t.out_size = (size_t)problems * nq * a->o_stride;
    return t;
}

static attn_case plain(int heads, int d, int problems, int n)
{
    return base(heads, d, problems, n, n);
}

static attn_case cross(int heads, int d, int problems, int nq, int nk)
{
    attn_case t = base(heads, d, problems, nq, nk);

    t.fused = false;
    t.a.q_stride = t.a.k_stride = heads * d, t.a.v_stride = heads * d + 3;
    t.size[Q] = (size_t)problems * nq * t.a.q_stride;
    t.size[K] = (size_t)problems * nk * t.a.k_stride;
    t.size[V] = (size_t)problems * nk * t.a.v_stride;
    return t;
}

static void add_tables(attn_case *t, int gh, int gw)
{
    t->a.gh = gh, t->a.gw = gw;
    t->size[REL_H] = (size_t)(2 * gh - 1) * t->a.d;
    t->size[REL_W] = (size_t)(2 * gw - 1) * t->a.d;
}

static attn_case grid(int heads, int d, int problems, int gh, int gw)
{
    attn_case t = plain(heads, d, problems, gh * gw);

    add_tables(&t, gh, gw);
    return t;
}

// Windows of w x w on images of Y x X tokens, padded at the bottom and right.
static attn_case windows(int heads, int d, int images, int Y, int X, int w)
{
    int wy = (Y + w - 1) / w, wx = (X + w - 1) / w, problems = images * wy * wx, n = w * w;
    attn_case t = plain(heads, d, problems, n);

    t.size[Q] = (size_t)images * Y * X * t.a.q_stride;
    t.out_size = (size_t)images * Y * X * t.a.o_stride;
    t.size[K_PAD] = t.size[V_PAD] = (size_t)heads * d;
    add_tables(&t, w, w);
    t.qrow = mg_alloc((size_t)problems * n * sizeof *t.qrow);
    for (int i = 0; i < problems * n; i++) {
        int p = i / n, image = p / (wy * wx);
        int y = p / wx % wy * w + i % n / w, x = p % wx * w + i % w;
        t.qrow[i] = y < Y && x < X ? (image * Y + y) * X + x : -1;
    }
    t.krow = t.qrow;
    return t;
}

// Sequences over depth: problem p takes row p of each of n slices.
static attn_case depth(int heads, int d, int problems, int n)
{
    attn_case t = plain(heads, d, problems, n);

    t.qrow = mg_alloc((size_t)problems * n * sizeof *t.qrow);
    for (int i = 0; i < problems * n; i++) t.qrow[i] = i % n * problems + i / n;
    t.krow = t.qrow;
    return t;
}

// n of the gh x gw tokens, in an order of their own.
static attn_case scattered(int heads, int d, int problems, int n, int gh, int gw)
{
    attn_case t = plain(heads, d, problems, n);

    add_tables(&t, gh, gw);
    t.coord = mg_alloc((size_t)problems * n * sizeof *t.coord);
    for (int i = 0; i < problems * n; i++) t.coord[i] = (i * 7 + i / n * 3) % (gh * gw);
    return t;
}

static void set_up(attn_case *t)
{
    static const double scale[ARRAYS] = {1, 1, 1, 1, 1, 0.2, 0.2};
    mg_attn *a = &t->a;
    size_t part = (size_t)a->heads * a->d;

    for (int i = 0; i < ARRAYS; i++) {
        t->x[i] = t->size[i] ? mg_alloc(t->size[i] * sizeof(float)) : NULL;
        t->grad[i] = t->size[i] ? mg_alloc(t->size[i] * sizeof(float)) : NULL;
        if (t->size[i]) check_fill(t->x[i], t->size[i], 10 + (uint64_t)i, scale[i]);
        if (t->size[i]) memset(t->grad[i], 0, t->size[i] * sizeof(float));
    }
    if (t->fused) {
        t->x[K] = t->x[Q] + part, t->x[V] = t->x[Q] + 2 * part;
        t->grad[K] = t->grad[Q] + part, t->grad[V] = t->grad[Q] + 2 * part;
    }
    a->qrow = t->qrow, a->krow = t->krow, a->coord = t->coord;
    a->k_pad = t->x[K_PAD], a->v_pad = t->x[V_PAD];
    a->rel_h = t->x[REL_H], a->rel_w = t->x[REL_W];
    t->out = mg_calloc(t->out_size, sizeof(float));
    t->dout = mg_alloc(t->out_size * sizeof(float));
    check_fill(t->dout, t->out_size, 20, 1);
    t->lse = mg_calloc((size_t)a->problems * a->heads * a->nq, sizeof(float));
    t->scratch = mg_alloc(mg_attn_scratch(a, omp_get_max_threads()) * sizeof(float));
}

static void tear_down(attn_case *t)
{
    for (int i = 0; i < ARRAYS; i++)
        if (t->size[i]) mg_free(t->x[i]), mg_free(t->grad[i]);
    mg_free(t->qrow), mg_free(t->coord);
    mg_free(t->out), mg_free(t->dout), mg_free(t->lse), mg_free(t->scratch);
}

static void run(attn_case *t)
{
    mg_attn_forward(t->out, t->lse, t->x[Q], t->x[K], t->x[V], &t->a, t->scratch);
    mg_attn_backward(t->grad[Q], t->grad[K], t->grad[V], t->grad[K_PAD], t->grad[V_PAD],
                     t->grad[REL_H], t->grad[REL_W], t->dout, t->out, t->lse, t->x[Q], t->x[K],
                     t->x[V], &t->a, t->scratch);
}

// Double copies of the inputs, or zeros of the same shape.
static ref_attn doubles(const attn_case *t, bool zero)
{
    double *x[ARRAYS] = {0};

    for (int i = 0; i < ARRAYS; i++)
        if (t->size[i]) {
            x[i] = mg_calloc(t->size[i], sizeof(double));
            if (!zero) ref_widen(x[i], t->x[i], t->size[i]);
        }
    if (t->fused) x[K] = x[Q] + t->a.heads * t->a.d, x[V] = x[K] + t->a.heads * t->a.d;
    return (ref_attn){x[Q], x[K], x[V], x[K_PAD], x[V_PAD], x[REL_H], x[REL_W]};
}

static void free_doubles(const attn_case *t, ref_attn *r)
{
    if (!t->fused) mg_free(r->k), mg_free(r->v);
    mg_free(r->q), mg_free(r->k_pad), mg_free(r->v_pad), mg_free(r->rel_h), mg_free(r->rel_w);
}

static double *member(ref_attn *r, int i)
{
    double *all[ARRAYS] = {r->q, r->k, r->v, r->k_pad, r->v_pad, r->rel_h, r->rel_w};
    return all[i];
}

// Largest difference over the largest element (0.1 where all are smaller: one key alone has no dq).
static double gap_to(const float *got, const double *want, size_t n)
{
    double worst = 0, top = 0.1;

    for (size_t i = 0; i < n; i++) {
        double gap = fabs(got[i] - want[i]);
        if (!(gap < INFINITY)) return INFINITY;
        worst = fmax(worst, gap), top = fmax(top, fabs(want[i]));
    }
    return worst / top;
}

static const char *const names[ARRAYS] = {"dq", "dk", "dv", "dk_pad", "dv_pad", "drel_h", "drel_w"};

// Take over a case, compare, release it. Every gradient is relative to its own largest element.
static void compare(attn_case t)
{
    const mg_attn *a = &t.a;

    set_up(&t);
    ref_attn in = doubles(&t, false), grad = doubles(&t, true);
    double *out = mg_calloc(t.out_size, sizeof *out), *dout = mg_alloc(t.out_size * sizeof *dout);

    ref_widen(dout, t.dout, t.out_size);
    ref_attention(out, &in, a);
    ref_attention_backward(&grad, dout, &in, a);
    run(&t);
    double gap = gap_to(t.out, out, t.out_size);
    if (!(gap <= 2e-6))
        fail_msg("heads %d d %d nq %d nk %d: out %g", a->heads, a->d, a->nq, a->nk, gap);
    for (int i = 0; i < ARRAYS; i++) {
        if (!t.size[i]) continue;
        gap = gap_to(t.grad[i], member(&grad, i), t.size[i]);
        if (!(gap <= 1e-5))
            fail_msg("heads %d d %d nq %d nk %d: %s %g", a->heads, a->d, a->nq, a->nk, names[i],
                     gap);
    }
    mg_free(out), mg_free(dout);
    free_doubles(&t, &in), free_doubles(&t, &grad);
    tear_down(&t);
}

static double ref_loss(double *out, const double *dout, size_t n, const ref_attn *in,
                       const mg_attn *a)
{
    double sum = 0;

    ref_attention(out, in, a);
    for (size_t i = 0; i < n; i++) sum += out[i] * dout[i];
    return sum;
}

// Gradients of the kernel against central differences of the double forward pass.
static void differences(attn_case t)
{
    const double step = 1e-5;

    set_up(&t);
    run(&t);
    ref_attn in = doubles(&t, false);
    double *out = mg_calloc(t.out_size, sizeof *out), *dout = mg_alloc(t.out_size * sizeof *dout);
    ref_widen(dout, t.dout, t.out_size);
    for (int i = 0; i < ARRAYS; i++) {
        double *x = member(&in, i), *want = mg_alloc((t.size[i] + 1) * sizeof *want);

        for (size_t j = 0; j < t.size[i]; j++) {
            double save = x[j], up, down;

            x[j] = save + step, up = ref_loss(out, dout, t.out_size, &in, &t.a);
            x[j] = save - step, down = ref_loss(out, dout, t.out_size, &in, &t.a);
            x[j] = save, want[j] = (up - down) / (2 * step);
        }
        if (t.size[i]) CHECK(gap_to(t.grad[i], want, t.size[i]) <= 1e-5);
        mg_free(want);
    }
    mg_free(out), mg_free(dout);
    free_doubles(&t, &in);
    tear_down(&t);
}

static void test_differences(void **state)
{
    (void)state;
    differences(plain(2, 3, 2, 6));
    differences(cross(2, 4, 1, 1, 5));
    differences(grid(2, 4, 1, 3, 4));
    differences(windows(1, 4, 1, 3, 5, 3));
    differences(depth(2, 2, 3, 4));
    differences(scattered(1, 6, 2, 5, 3, 4));
}

static void test_plain(void **state)
{
    (void)state;
    static const int d[] = {2, 3, 6, 8, 12, 16, 20, 32, 33, 48, 64, 80, 96};

    for (int i = 0; i < 13; i++) compare(plain(1 + i % 3, d[i], 2, 5 + 11 * i));
    compare(plain(16, 4, 1, 1));
    compare(plain(12, 64, 2, 49));
    compare(plain(3, 64, 1, 196));
    compare(plain(4, 32, 1, 197));
    compare(plain(1, 64, 1, 700));
}

static void test_cross(void **state)
{
    (void)state;
    compare(cross(8, 16, 1, 7, 256));
    compare(cross(8, 16, 1, 256, 7));
    compare(cross(2, 16, 3, 1, 5));
    compare(cross(1, 3, 2, 70, 1));
    compare(cross(2, 32, 1, 130, 300));
}

static void test_positions(void **state)
{
    (void)state;
    compare(grid(1, 2, 1, 2, 2));
    compare(grid(2, 12, 2, 4, 4));
    compare(grid(1, 80, 1, 14, 14));
    compare(grid(2, 64, 1, 14, 14));
    compare(grid(1, 16, 1, 5, 17));
    compare(grid(1, 64, 1, 16, 16));
    compare(grid(1, 32, 1, 12, 64));
    compare(grid(1, 8, 1, 3, 70));
    compare(scattered(3, 16, 2, 49, 14, 14));
    compare(scattered(2, 5, 3, 9, 4, 4));
}

static void test_windows(void **state)
{
    (void)state;
    compare(windows(1, 12, 2, 4, 4, 2));
    compare(windows(3, 4, 1, 5, 4, 3));
    compare(windows(2, 64, 1, 16, 16, 14));
    compare(windows(1, 80, 2, 10, 17, 7));
    compare(depth(3, 16, 10, 4));
    compare(depth(12, 64, 5, 8));
}

// Scores far apart: exponentials underflow, sums do not.
static void test_steep(void **state)
{
    (void)state;
    attn_case t = plain(2, 16, 1, 90);

    t.a.scale = 8;
    set_up(&t);
    run(&t);
    ref_attn in = doubles(&t, false);
    double *out = mg_calloc(t.out_size, sizeof *out);
    ref_attention(out, &in, &t.a);
    CHECK(gap_to(t.out, out, t.out_size) <= 1e-4);
    CHECK(check_gap(t.grad[Q], t.grad[Q], t.size[Q]) == 0);
    mg_free(out);
    free_doubles(&t, &in);
    tear_down(&t);
}

// The same bits for any number of threads, in every array.
static void same_bits(attn_case one, attn_case more)
{
    int threads = omp_get_max_threads();

    omp_set_num_threads(1);
    set_up(&one);
    run(&one);
    omp_set_num_threads(3);
    set_up(&more);
    run(&more);
    omp_set_num_threads(threads);
    CHECK(!memcmp(one.out, more.out, one.out_size * sizeof(float)));
    for (int i = 0; i < ARRAYS; i++)
        if (one.size[i] && memcmp(one.grad[i], more.grad[i], one.size[i] * sizeof(float)))
            fail_msg("%s has other bits on 3 threads", names[i]);
    tear_down(&one), tear_down(&more);
}

static void test_thread_bits(void **state)
{
    (void)state;
    same_bits(windows(2, 16, 2, 9, 9, 4), windows(2, 16, 2, 9, 9, 4));
    same_bits(grid(2, 64, 1, 16, 16), grid(2, 64, 1, 16, 16));
    same_bits(plain(1, 64, 1, 300), plain(1, 64, 1, 300));
    same_bits(cross(8, 16, 1, 7, 256), cross(8, 16, 1, 7, 256));
}

// An image alone gives the bits it gives in a batch.
static void test_batch_bits(void **state)
{
    (void)state;
    attn_case one = grid(2, 32, 1, 9, 9), more = grid(2, 32, 5, 9, 9);

    set_up(&one), set_up(&more);
    run(&one), run(&more); // the fillers are streams: image 0 is the same in both
    CHECK(!memcmp(one.out, more.out, one.out_size * sizeof(float)));
    CHECK(!memcmp(one.grad[Q], more.grad[Q], one.size[Q] * sizeof(float)));
    tear_down(&one), tear_down(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences), cmocka_unit_test(test_plain),
        cmocka_unit_test(test_cross),       cmocka_unit_test(test_positions),
        cmocka_unit_test(test_windows),     cmocka_unit_test(test_steep),
        cmocka_unit_test(test_thread_bits), cmocka_unit_test(test_batch_bits),
    };
    static const char *const versions[] = {"plain", "avx2", "avx512"};
    int failed = 0;

    for (int i = 0; i < 3; i++)
        if (mg_kernels_use(versions[i]))
            failed += cmocka_run_group_tests_name(versions[i], tests, NULL, NULL);
    return failed;
}
