// MAE: gradients against finite differences in every variant, lists of samples and parts of a
// batch, recomputation, target and pictures, refused settings, parameter counts.
#include "tests/tiny_pretrain.h"

enum { PLAIN, CLS, RAW, REL_POS, DENSE_WINDOWS, VARIANTS };

static mg_pretrain_config config(int variant)
{
    mg_pretrain_config c = tiny_config();

    c.use_mae = true;
    c.vit.cls = variant == CLS;
    c.mae.norm_pix = variant != RAW;
    if (variant == REL_POS || variant == DENSE_WINDOWS) c.vit.rel_h = 3, c.vit.rel_w = 2;
    if (variant == DENSE_WINDOWS) c.mae.dense = true, c.vit.window = 2, c.vit.global = 2;
    return c;
}

static double loss(tiny *t)
{
    tiny_embed(t);
    return mg_pretrain_mae(t->m, &t->leaf, NULL, TINY_N, TINY_N, 1, NULL, NULL).loss;
}

static void test_gradients(void **state)
{
    (void)state;
    for (int variant = 0; variant < VARIANTS; variant++) {
        mg_pretrain_config c = config(variant);
        tiny t = tiny_open(&c);

        tiny_embed(&t);
        mg_pretrain_mae(t.m, &t.leaf, NULL, TINY_N, TINY_N, 1, t.grads, NULL);
        mg_pretrain_embed_backward(t.m, &t.leaf, t.grads);
        tiny_check_gradients(&t, loss);
        tiny_close(&t);
    }
}

// Visible patches embedded alone give the same loss, and parts of the batch add up.
static void test_parts(void **state)
{
    static const int32_t lists[2][2] = {{3, 1}, {0, 2}};

    (void)state;
    for (int variant = 0; variant < VARIANTS; variant++) {
        mg_pretrain_config c = config(variant);
        tiny whole = tiny_open(&c), parts = tiny_open(&c), alone = tiny_open(&c);
        double sum = 0;

        double want = loss(&whole);
        mg_pretrain_mae(whole.m, &whole.leaf, NULL, TINY_N, TINY_N, 2, whole.grads, NULL);
        mg_pretrain_embed_backward(whole.m, &whole.leaf, whole.grads);
        tiny_embed(&parts);
        for (int i = 0; i < 2; i++)
            sum += mg_pretrain_mae(parts.m, &parts.leaf, lists[i], 2, TINY_N, 2, parts.grads, NULL)
                       .loss;
        mg_pretrain_embed_backward(parts.m, &parts.leaf, parts.grads);
        CHECK(fabs(sum - want) <= 1e-6 * want);
        CHECK(check_gap(parts.grads, whole.grads, whole.m->params.trainable_size) <= 1e-5);
        alone.leaf.e = NULL;
        mg_mae_loss l =
            mg_pretrain_mae(alone.m, &alone.leaf, NULL, TINY_N, TINY_N, 2, alone.grads, NULL);
        CHECK(fabs(l.loss - want) <= 1e-6 * want);
        CHECK(l.textured == TINY_N * 3 && fabs(l.textured_sum / l.textured - want) <= 1e-5 * want);
        CHECK(check_gap(alone.grads, whole.grads, whole.m->params.trainable_size) <= 1e-5);
        tiny_close(&whole);
        tiny_close(&parts);
        tiny_close(&alone);
    }
}

static void test_recompute(void **state)
{
    mg_pretrain_config c = config(CLS);
    tiny all = tiny_open(&c);

    (void)state;
    c.keep = MG_KEEP_INPUTS;
    tiny inputs = tiny_open(&c);
    all.leaf.e = inputs.leaf.e = NULL;
    mg_mae_loss a = mg_pretrain_mae(all.m, &all.leaf, NULL, TINY_N, 64, 1, all.grads, NULL);
    mg_mae_loss b =
        mg_pretrain_mae(inputs.m, &inputs.leaf, NULL, TINY_N, 64, 1, inputs.grads, NULL);
    CHECK(a.loss == b.loss);
    assert_memory_equal(all.grads, inputs.grads, all.m->params.trainable_size * sizeof(float));
    CHECK(inputs.m->block_bytes < all.m->block_bytes);
    tiny_close(&all);
    tiny_close(&inputs);
}

// A perfect prediction paints the picture; a black patch has target 0 and does not count as
// textured.
static void test_pictures(void **state)
{
    mg_pretrain_config c = config(PLAIN);
    tiny t = tiny_open(&c);
    mg_mae_acts *a = &t.m->mae_acts;
    float *seen = mg_alloc(TINY_N * t.picture * sizeof(float));
    float *filled = mg_alloc(TINY_N * t.picture * sizeof(float)), mean;

    (void)state;
    mg_pretrain_pictures(t.m, seen, filled, t.images, tiny_samples, TINY_N, 77, 2);
    for (int b = 0; b < TINY_N; b++)
        for (int k = 0; k < t.m->L; k++)
            mg_mae_target(a->pred + ((size_t)b * t.m->L + k) * t.m->mae.n, &t.m->mae,
                          t.images + b * t.picture, k, &mean);
    mg_mae_pictures(seen, filled, a, &t.m->mae, t.images, NULL, t.m->scratch);
    CHECK(check_gap(filled, t.images, TINY_N * t.picture) <= 1e-5);
    size_t hidden = 0, same = 0;
    for (size_t i = 0; i < TINY_N * t.picture; i++) {
        hidden += seen[i] == 0;
        same += seen[i] == t.images[i];
    }
    CHECK(hidden == TINY_N * t.picture / 2 && same == hidden);

    memset(t.images, 0, TINY_N * t.picture * sizeof(float));
    t.leaf.e = NULL;
    mg_mae_loss l = mg_pretrain_mae(t.m, &t.leaf, NULL, TINY_N, TINY_N, 1, NULL, NULL);
    CHECK(l.textured == 0 && l.loss > 0 && l.loss < INFINITY);
    mg_free(seen);
    mg_free(filled);
    tiny_close(&t);
}

static void test_refused(void **state)
{
    mg_pretrain_config c = config(PLAIN);
    mg_pretrain_model *m;

    (void)state;
    c.mae.ratio = 1 - 0.1; // 6 * 0.1 is truncated to 0
    FAILS(mg_pretrain_open(&c, &m), MG_ERR_CONFIG, "mask ratio");
    CHECK(m == NULL);
    c = config(DENSE_WINDOWS);
    c.mae.dense = false;
    FAILS(mg_pretrain_open(&c, &m), MG_ERR_CONFIG, "dense");
    c = config(REL_POS);
    c.vit.cls = true;
    FAILS(mg_pretrain_open(&c, &m), MG_ERR_CONFIG, "class token");
}

static void test_counts(void **state)
{
    static const struct {
        const char *name;
        int64_t total;
    } rows[] = {{"vit_b", 111655680}, {"vit_l", 329239296}, {"vit_h", 656936704}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        mg_pretrain_config c;
        mg_pretrain_model *m;

        OK(mg_pretrain_defaults(rows[i].name, 224, 2, &c));
        c.use_emix = c.use_shed = false;
        c.vit.cls = true;
        OK(mg_pretrain_plan(&c, &m));
        assert_int_equal(mg_params_total(&m->params), rows[i].total);
        assert_int_equal(m->mae.keep, 49);
        mg_pretrain_close(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_recompute), cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_counts),
    };

    mg_gemm_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
