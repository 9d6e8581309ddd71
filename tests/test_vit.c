// ViT encoder: parameter counts of the named sizes, gradients against finite differences (windows,
// resized tables, adapters in 2-D and 3-D), zero adapters, recomputation, frozen parts, progress.
#include "models/vit.h"
#include "nn/gemm.h"
#include "tests/check.h"

typedef struct {
    mg_vit v;
    mg_params p;
    mg_vit_acts a;
    void *block;
    float *scratch, *images, *dout, *grads;
    size_t out;
    int B, slices;
} net;

// 3 x 2 tokens in windows of 2, tables stored for other grids.
static mg_vit_config tiny(bool adapters, bool depth)
{
    return (mg_vit_config){.prefix = "image_encoder.",
                           .Y = 12,
                           .X = 8,
                           .C = 2,
                           .patch = 4,
                           .D = 8,
                           .depth = 2,
                           .heads = 2,
                           .hidden = 12,
                           .window = 2,
                           .global = 2,
                           .pos_h = 2,
                           .pos_w = 2,
                           .rel_h = 2,
                           .rel_w = 3,
                           .neck = 4,
                           .adapter = adapters ? 3 : 0,
                           .depth_branch = depth,
                           .adapter_scale = 0.5f};
}

enum { KINDS = 6 };

// Plain, adapters, with depth; then windows cut before norm1: plain, and the released form of adapters.
static mg_vit_config kind_of(int kind)
{
    mg_vit_config c = tiny(kind % 3 > 0, kind % 3 > 1);

    if (kind < 3) return c;
    c.early_windows = true;
    c.adapter_form = (mg_adapter_form){.gelu = true, .linear_init = true};
    return c;
}

static bool only_adapters(const char *name, void *ctx)
{
    (void)ctx;
    return strstr(name, "_Adapter.") != NULL;
}

static void open_net(net *n, mg_vit_config cfg, mg_keep keep, bool noise)
{
    mg_layout at = {0};

    *n = (net){.B = 4, .slices = cfg.depth_branch ? 2 : 1};
    OK(mg_vit_check(&cfg));
    mg_vit_add(&n->v, &n->p, &cfg);
    mg_params_train(&n->p, NULL, NULL);
    OK(mg_params_alloc(&n->p));
    mg_params_init(&n->p, 7);
    for (int i = 0; i < n->p.count && noise; i++) { // every tensor matters
        float *w = mg_weight(&n->p, i), z;
        for (size_t k = 0; k < n->p.list[i].size; k++) {
            check_fill(&z, 1, 1000 * (uint64_t)i + k, 0.3);
            w[k] += z;
            // ReLU units far from their kink
            if (!cfg.adapter_form.gelu && strstr(n->p.list[i].name, "D_fc1.bias"))
                w[k] += k % 3 ? 4.0f : -4.0f;
        }
    }
    int N = n->v.gh * n->v.gw;
    mg_vit_acts_layout(&at, &n->a, &n->v, n->B, N, keep);
    n->block = mg_alloc(at.used);
    at = (mg_layout){.base = n->block};
    mg_vit_acts_layout(&at, &n->a, &n->v, n->B, N, keep);
    n->out = (size_t)n->B * N * cfg.neck;
    n->scratch = mg_alloc(mg_vit_scratch(&n->v, n->B, N) * sizeof(float));
    n->images = mg_alloc((size_t)n->B * cfg.C * cfg.Y * cfg.X * sizeof(float));
    n->dout = mg_alloc(n->out * sizeof(float));
    n->grads = mg_calloc(n->p.trainable_size, sizeof(float));
    check_fill(n->images, (size_t)n->B * cfg.C * cfg.Y * cfg.X, 3, 1);
    check_fill(n->dout, n->out, 4, 1);
}

static void close_net(net *n)
{
    mg_params_free(&n->p);
    mg_free(n->block);
    mg_free(n->scratch);
    mg_free(n->images);
    mg_free(n->dout);
    mg_free(n->grads);
}

static double loss(net *n)
{
    double sum = 0;

    mg_vit_forward(&n->a, &n->v, &n->p, n->images, n->B, n->slices, n->scratch);
    for (size_t i = 0; i < n->out; i++) sum += (double)n->a.out[i] * n->dout[i];
    return sum;
}

static void backward(net *n)
{
    mg_vit_backward(NULL, n->grads, &n->a, &n->v, &n->p, n->dout, n->images, NULL, n->scratch);
}

// One random direction per trained tensor.
static void check_directions(net *n)
{
    loss(n);
    backward(n);
    for (int i = 0; i < n->p.count; i++) {
        size_t size = n->p.list[i].size;
        float *w = mg_weight(&n->p, i), *g = mg_grad(&n->p, n->grads, i), step[512], kept[512];
        double along = 0, norm = 0, h = 2e-3;

        if (!g) continue;
        assert_true(size <= 512);
        check_fill(step, size, 50 + (uint64_t)i, 1);
        memcpy(kept, w, size * sizeof *w);
        for (size_t k = 0; k < size; k++) along += (double)g[k] * step[k], norm += g[k] * g[k];
        for (size_t k = 0; k < size; k++) w[k] = kept[k] + (float)h * step[k];
        double up = loss(n);
        for (size_t k = 0; k < size; k++) w[k] = kept[k] - (float)h * step[k];
        double down = loss(n);
        memcpy(w, kept, size * sizeof *w);
        double gap = fabs((up - down) / (2 * h) - along);
        if (!(gap <= 0.02 * sqrt(norm) + 0.02))
            fail_msg("%s: %g by differences, %g by gradient", n->p.list[i].name,
                     (up - down) / (2 * h), along);
    }
}

static void test_gradients(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        net n;
        open_net(&n, kind_of(kind), MG_KEEP_ALL, true);
        check_directions(&n);
        close_net(&n);
    }
}

// Down to the pictures.
static void test_input_gradient(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        net n;
        float step[2 * 12 * 8 * 4], kept[2 * 12 * 8 * 4], d[2 * 12 * 8 * 4];
        size_t size = sizeof d / sizeof *d;
        double along = 0, norm = 0, h = 2e-3;
        open_net(&n, kind_of(kind), MG_KEEP_ALL, true);
        check_fill(step, size, 9, 1);
        memcpy(kept, n.images, sizeof kept);
        loss(&n);
        mg_vit_backward(d, n.grads, &n.a, &n.v, &n.p, n.dout, n.images, NULL, n.scratch);
        for (size_t k = 0; k < size; k++) along += (double)d[k] * step[k], norm += d[k] * d[k];
        for (size_t k = 0; k < size; k++) n.images[k] = kept[k] + (float)h * step[k];
        double up = loss(&n);
        for (size_t k = 0; k < size; k++) n.images[k] = kept[k] - (float)h * step[k];
        double down = loss(&n);
        CHECK(norm > 0 && fabs((up - down) / (2 * h) - along) <= 0.02 * sqrt(norm) + 0.02);
        close_net(&n);
    }
}

// With norm1's bias at zero it is all the same where windows are cut; otherwise the padding shows.
static void test_early_windows(void **state)
{
    (void)state;
    for (int biased = 0; biased < 2; biased++) {
        net n[2];
        for (int early = 0; early < 2; early++) {
            mg_vit_config c = tiny(false, false);
            c.early_windows = early;
            open_net(&n[early], c, MG_KEEP_ALL, true);
            for (int i = 0; i < n[early].p.count && !biased; i++)
                if (strstr(n[early].p.list[i].name, "norm1.bias"))
                    memset(mg_weight(&n[early].p, i), 0, n[early].p.list[i].size * sizeof(float));
            loss(&n[early]);
        }
        double gap = check_gap(n[0].a.out, n[1].a.out, n[0].out);
        if (biased)
            CHECK(gap > 1e-3);
        else
            CHECK(gap <= 1e-6);
        close_net(&n[0]);
        close_net(&n[1]);
    }
}

// Of pictures a 3-D encoder makes what the 2-D encoder with the same weights makes.
static void test_pictures_have_no_depth(void **state)
{
    net flat, deep;

    (void)state;
    open_net(&flat, kind_of(4), MG_KEEP_NONE, false);
    open_net(&deep, kind_of(5), MG_KEEP_NONE, false);
    double stacks = loss(&deep);
    deep.slices = 0;
    CHECK(loss(&deep) == loss(&flat) && stacks != loss(&flat));
    close_net(&flat);
    close_net(&deep);
}

// Adapters with linear initial values change the encoder from the start.
static void test_linear_init(void **state)
{
    net zero, linear;

    (void)state;
    open_net(&zero, kind_of(1), MG_KEEP_ALL, false);
    mg_vit_config c = kind_of(1);
    c.adapter_form.linear_init = true;
    open_net(&linear, c, MG_KEEP_ALL, false);
    CHECK(loss(&zero) != loss(&linear));
    for (int i = 0; i < linear.p.count; i++) {
        const mg_param *t = &linear.p.list[i];
        if (!strstr(t->name, "D_fc2.")) continue;
        const float *w = mg_weight(&linear.p, i);
        double most = 0;
        for (size_t k = 0; k < t->size; k++) most = fmax(most, fabs(w[k]));
        CHECK(most > 0.3 / sqrt(3) && most <= 1 / sqrt(3)); // uniform in 1/sqrt(3 hidden units)
    }
    close_net(&zero);
    close_net(&linear);
}

// Fresh adapters end in zeros: the encoder gives the same bits as without them.
static void test_zero_adapters(void **state)
{
    net plain;

    (void)state;
    open_net(&plain, tiny(false, false), MG_KEEP_ALL, false);
    loss(&plain);
    for (int depth = 0; depth < 2; depth++) {
        net grafted;
        open_net(&grafted, tiny(true, depth), MG_KEEP_ALL, false);
        loss(&grafted);
        assert_memory_equal(plain.a.out, grafted.a.out, plain.out * sizeof(float));
        close_net(&grafted);
    }
    close_net(&plain);
}

static void test_recompute(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        net all, inputs, none;
        open_net(&all, kind_of(kind), MG_KEEP_ALL, true);
        open_net(&inputs, kind_of(kind), MG_KEEP_INPUTS, true);
        open_net(&none, kind_of(kind), MG_KEEP_NONE, true);
        double want = loss(&all);
        CHECK(loss(&inputs) == want);
        CHECK(loss(&none) == want);
        backward(&all);
        backward(&inputs);
        assert_memory_equal(all.grads, inputs.grads, all.p.trainable_size * sizeof(float));
        close_net(&all);
        close_net(&inputs);
        close_net(&none);
    }
}

// Trained alone, the adapters get the gradients they get when all is trained.
static void check_frozen(mg_vit_config c)
{
    net all, part;

    open_net(&all, c, MG_KEEP_ALL, true);
    open_net(&part, c, MG_KEEP_ALL, true);
    loss(&all);
    backward(&all);
    mg_params_train(&part.p, only_adapters, NULL);
    loss(&part);
    backward(&part);
    for (int i = 0; i < all.p.count; i++) {
        if (!only_adapters(all.p.list[i].name, NULL)) continue;
        assert_memory_equal(mg_grad(&all.p, all.grads, i), mg_grad(&part.p, part.grads, i),
                            all.p.list[i].size * sizeof(float));
    }
    close_net(&all);
    close_net(&part);
}

static void test_frozen(void **state)
{
    (void)state;
    check_frozen(kind_of(2));
    check_frozen(kind_of(5));
}

typedef struct {
    int calls;
    size_t last;
    float *grads, *seen;
    size_t size;
} watch;

static void on_ready(void *ctx, size_t from)
{
    watch *w = ctx;

    CHECK(from < w->last);
    memcpy(w->seen + from, w->grads + from, (w->last - from) * sizeof(float));
    w->last = from;
    w->calls++;
}

// What is told to be final is final.
static void test_progress(void **state)
{
    net n;

    (void)state;
    open_net(&n, tiny(false, false), MG_KEEP_ALL, true);
    watch w = {.last = n.p.trainable_size, .grads = n.grads, .size = n.p.trainable_size};
    w.seen = mg_calloc(w.size, sizeof(float));
    mg_ready ready = {on_ready, &w};
    loss(&n);
    mg_vit_backward(NULL, n.grads, &n.a, &n.v, &n.p, n.dout, n.images, &ready, n.scratch);
    CHECK(w.calls == 3); // neck, two blocks
    CHECK(w.last == n.p.list[n.v.stack.block[0].first].grad);
    assert_memory_equal(w.seen + w.last, n.grads + w.last, (w.size - w.last) * sizeof(float));
    mg_free(w.seen);
    close_net(&n);
}

static void test_counts(void **state)
{
    static const struct {
        const char *name;
        int64_t sam, mae, adapters, adapters_3d;
    } rows[] = {{"vit_b", 89670912, 85647360, 7100928, 10651392},
                {"vit_l", 308278272, 303099904, 25227264, 37840896},
                {"vit_h", 637026048, 630666240, 52531200, 78796800}};

    (void)state;
    for (int i = 0; i < 3; i++)
        for (int kind = 0; kind < 4; kind++) {
            mg_vit_config c;
            mg_vit v;
            mg_params p = {0};

            if (kind < 3)
                OK(mg_vit_named(rows[i].name, 1024, &c));
            else
                OK(mg_vit_named_mae(rows[i].name, 224, &c));
            c.cls = kind == 3;
            c.adapter = kind == 1 || kind == 2 ? c.D / 4 : 0;
            c.depth_branch = kind == 2;
            OK(mg_vit_check(&c));
            mg_vit_add(&v, &p, &c);
            int64_t grafted = kind == 1 ? rows[i].adapters : kind == 2 ? rows[i].adapters_3d : 0;
            assert_int_equal(mg_params_total(&p), kind == 3 ? rows[i].mae : rows[i].sam + grafted);
            mg_params_free(&p);
        }
    mg_vit_config c;
    FAILS(mg_vit_named("vit_x", 1024, &c), MG_ERR_CONFIG, "'vit_x'");
    OK(mg_vit_named("vit_b", 1000, &c));
    FAILS(mg_vit_check(&c), MG_ERR_CONFIG, "patch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),      cmocka_unit_test(test_zero_adapters),
        cmocka_unit_test(test_recompute),      cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_progress),       cmocka_unit_test(test_counts),
        cmocka_unit_test(test_input_gradient), cmocka_unit_test(test_early_windows),
        cmocka_unit_test(test_linear_init),    cmocka_unit_test(test_pictures_have_no_depth),
    };

    mg_gemm_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
