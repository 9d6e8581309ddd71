// The three objectives on one model: a step in one leaf or two and in any memory plan, progress of
// the backward pass, features, table order, counts.
#include "tests/tiny_pretrain.h"

#include "nn/gemm.h"

enum { D = 5 };

static const uint32_t pairs[TINY_N] = {1, 2, 0, 3};

static mg_pretrain_config config(void)
{
    mg_pretrain_config c = tiny_config();

    c.use_mae = c.use_emix = c.use_shed = true;
    return c;
}

typedef struct {
    size_t last;
    const float *grads;
    float *seen;
} watch;

static void on_ready(void *ctx, size_t from)
{
    watch *w = ctx;

    if (from >= w->last) return;
    memcpy(w->seen + from, w->grads + from, (w->last - from) * sizeof(float));
    w->last = from;
}

// One step of all three in leaves of `n` samples, in the order of models/pretrain_model.h.
static void train_step(tiny *t, int n, const mg_ready *ready)
{
    mg_pretrain_model *m = t->m;
    float z[TINY_N * D], zm[TINY_N * D], dz[TINY_N * D], dzm[TINY_N * D], lam[TINY_N];
    float *partner = mg_alloc(TINY_N * t->size * sizeof(float)), scratch[64 * TINY_N];
    mg_pretrain_leaf leaf[TINY_N];
    int leaves = TINY_N / n, slots = m->cfg.emix_slots;

    tiny_embed(t);
    for (int i = 0; i < TINY_N; i++)
        memcpy(partner + i * t->size, t->e + pairs[i] * t->size, t->size * sizeof(float));
    for (int i = 0; i < leaves; i++) {
        leaf[i] = t->leaf;
        leaf[i].images += i * n * t->picture;
        leaf[i].sample += i * n;
        leaf[i].n = n;
        leaf[i].e += i * n * t->size;
        leaf[i].de += i * n * t->size;
    }
    for (int i = 0; i < leaves && slots == 1; i++) {
        mg_pretrain_mae(m, &leaf[i], NULL, n, TINY_N, 1, t->grads, NULL);
        mg_pretrain_shed(m, &leaf[i], NULL, n, TINY_N, 2, t->grads, NULL);
    }
    for (int i = 0; i < leaves; i++)
        mg_pretrain_emix_forward(m, slots > 1 ? i : 0, &leaf[i], NULL, n, partner + i * n * t->size,
                                 lam + i * n, z + i * n * D, zm + i * n * D);
    mg_emix_contrast(dz, dzm, z, zm, lam, pairs, TINY_N, D, m->cfg.emix_tau, false, 0.5, 0, TINY_N,
                     scratch);
    for (int i = 0; i < leaves; i++) {
        if (slots != 1) {
            mg_pretrain_mae(m, &leaf[i], NULL, n, TINY_N, 1, t->grads, NULL);
            mg_pretrain_shed(m, &leaf[i], NULL, n, TINY_N, 2, t->grads, NULL);
        }
        mg_pretrain_emix_backward(m, slots > 1 ? i : 0, &leaf[i], NULL, n,
                                  partner + i * n * t->size, lam + i * n, dz + i * n * D,
                                  dzm + i * n * D, t->grads, ready);
        mg_pretrain_embed_backward(m, &leaf[i], t->grads);
    }
    mg_free(partner);
}

static void test_plans(void **state)
{
    mg_pretrain_config c = config();
    tiny one = tiny_open(&c);
    size_t bytes = one.m->params.trainable_size * sizeof(float);

    (void)state;
    train_step(&one, TINY_N, NULL);
    for (int kind = 0; kind < 3; kind++) {
        c = config();
        c.emix_slots = kind == 2 ? 2 : 0;
        c.keep = kind == 1 ? MG_KEEP_INPUTS : MG_KEEP_ALL;
        tiny other = tiny_open(&c);
        train_step(&other, kind == 2 ? 2 : TINY_N, NULL);
        if (kind == 2) // two leaves: other sums
            CHECK(check_gap(other.grads, one.grads, bytes / sizeof(float)) <= 1e-5);
        else
            assert_memory_equal(other.grads, one.grads, bytes);
        tiny_close(&other);
    }
    tiny_close(&one);
}

// What the last pass tells to be final is final, heads and decoder included.
// Products in bfloat16: other gradients, but near those of float32 (2 % of their norm; a rounding is 0.4 %).
static void test_bf16(void **state)
{
    mg_pretrain_config c = config();
    tiny whole, rounded;
    double gap = 0, norm = 0;

    (void)state;
    if (!mg_gemm_bf16()) {
        printf("skipped: this processor has no products in bfloat16\n");
        skip();
    }
    c.emix_slots = 1;
    whole = tiny_open(&c);
    rounded = tiny_open(&c);
    rounded.m->params.precision = MG_BFLOAT16;
    train_step(&whole, TINY_N, NULL);
    train_step(&rounded, TINY_N, NULL);
    for (size_t i = 0; i < whole.m->params.trainable_size; i++) {
        gap += pow((double)rounded.grads[i] - whole.grads[i], 2);
        norm += pow(whole.grads[i], 2);
    }
    CHECK(gap > 0 && sqrt(gap / norm) < 0.02);
    tiny_close(&whole);
    tiny_close(&rounded);
}

static void test_progress(void **state)
{
    mg_pretrain_config c = config();
    tiny t = tiny_open(&c);
    const mg_params *p = &t.m->params;
    watch w = {.last = p->trainable_size, .grads = t.grads};
    mg_ready ready = {on_ready, &w};

    (void)state;
    w.seen = mg_calloc(p->trainable_size, sizeof(float));
    train_step(&t, TINY_N, &ready);
    CHECK(w.last == p->list[t.m->vit.stack.block[0].first].grad);
    assert_memory_equal(w.seen + w.last, t.grads + w.last,
                        (p->trainable_size - w.last) * sizeof(float));
    mg_free(w.seen);
    tiny_close(&t);
}

// Features are the mean of LN_final: with its weight 0 they are its bias.
static void test_features(void **state)
{
    float out[TINY_N * 8], again[8];

    (void)state;
    for (int cls = 0; cls < 2; cls++) {
        mg_pretrain_config c = config();
        c.vit.cls = cls;
        tiny t = tiny_open(&c);

        mg_pretrain_features(t.m, out, t.images, TINY_N);
        mg_pretrain_features(t.m, again, t.images + t.picture, 1);
        assert_memory_equal(again, out + 8, sizeof again); // a picture's bits are its own
        memset(mg_weight(&t.m->params, t.m->vit.norm_w), 0, 8 * sizeof(float));
        mg_pretrain_features(t.m, out, t.images, TINY_N);
        for (int b = 0; b < TINY_N; b++)
            CHECK(check_gap(out + b * 8, mg_weight(&t.m->params, t.m->vit.norm_b), 8) <= 1e-6);
        tiny_close(&t);
    }
}

static void test_table(void **state)
{
    static const char *const order[] = {"pos_embed",
                                        "mask_token",
                                        "decoder_pos_embed",
                                        "patch_embed.proj.weight",
                                        "blocks.0.norm1.weight",
                                        "norm.weight",
                                        "decoder_embed.weight",
                                        "decoder_pred.bias",
                                        "emix_head.norm.weight",
                                        "shed_head.weight"};
    mg_pretrain_config c;
    mg_pretrain_model *m;
    int last = -1;

    (void)state;
    OK(mg_pretrain_defaults("vit_b", 224, 4, &c));
    OK(mg_pretrain_plan(&c, &m));
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        int at = mg_params_find(&m->params, order[i]);
        if (at <= last) fail_msg("'%s' is at %d, after %d", order[i], at, last);
        last = at;
    }
    assert_int_equal(mg_params_total(&m->params),
                     111654912 + 2 * 768 + 128 * 768 + 128 + 2 * 768 + 2);
    CHECK(m->params.list[mg_params_find(&m->params, "mask_token")].decay);
    CHECK(!m->params.list[mg_params_find(&m->params, "pos_embed")].trainable);
    mg_pretrain_close(&m);
    CHECK(m == NULL);
    FAILS(mg_pretrain_defaults("vit_z", 224, 4, &c), MG_ERR_CONFIG, "'vit_z'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),    cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_progress), cmocka_unit_test(test_features),
        cmocka_unit_test(test_table),
    };

    mg_gemm_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
