// ShED: gradients against finite differences, parts of a batch, the choice, counts, refused settings.
#include "tests/tiny_pretrain.h"

static mg_pretrain_config config(bool cls)
{
    mg_pretrain_config c = tiny_config();

    c.use_shed = true;
    c.vit.cls = cls;
    return c;
}

static double loss(tiny *t)
{
    tiny_embed(t);
    return mg_pretrain_shed(t->m, &t->leaf, NULL, TINY_N, TINY_N, 1, NULL, NULL).loss;
}

static void test_gradients(void **state)
{
    (void)state;
    for (int cls = 0; cls < 2; cls++) {
        mg_pretrain_config c = config(cls);
        tiny t = tiny_open(&c);

        tiny_embed(&t);
        mg_pretrain_shed(t.m, &t.leaf, NULL, TINY_N, TINY_N, 1, t.grads, NULL);
        mg_pretrain_embed_backward(t.m, &t.leaf, t.grads);
        tiny_check_gradients(&t, loss);
        tiny_close(&t);
    }
}

static void test_parts(void **state)
{
    static const int32_t lists[2][2] = {{3, 1}, {0, 2}};
    mg_pretrain_config c = config(false);
    tiny whole = tiny_open(&c), parts = tiny_open(&c);
    double want = loss(&whole), sum = 0;

    (void)state;
    mg_pretrain_shed(whole.m, &whole.leaf, NULL, TINY_N, TINY_N, 0.5, whole.grads, NULL);
    tiny_embed(&parts);
    for (int i = 0; i < 2; i++)
        sum += mg_pretrain_shed(parts.m, &parts.leaf, lists[i], 2, TINY_N, 0.5, parts.grads, NULL)
                   .loss;
    CHECK(fabs(sum - want) <= 1e-6 * want);
    CHECK(check_gap(parts.grads, whole.grads, whole.m->params.trainable_size) <= 1e-5);
    CHECK(check_gap(parts.de, whole.de, TINY_N * whole.size) <= 1e-5);
    tiny_close(&whole);
    tiny_close(&parts);
}

// One cycle over the chosen tokens, nothing else moves; the counts add up.
static void test_choice(void **state)
{
    mg_pretrain_config c = config(false);
    tiny t = tiny_open(&c);
    const mg_shed_acts *a = &t.m->shed_acts;

    (void)state;
    tiny_embed(&t);
    mg_shed_loss l = mg_pretrain_shed(t.m, &t.leaf, NULL, TINY_N, TINY_N, 1, NULL, NULL);
    CHECK(t.m->shed.k == 3);
    CHECK(l.moved == 3 * TINY_N && l.kept == 3 * TINY_N);
    CHECK(l.moved_found >= 0 && l.moved_found <= l.moved && l.kept_found <= l.kept);
    for (int b = 0; b < TINY_N; b++) {
        const int32_t *source = a->source + b * t.m->L;
        int at = a->picks[b * 3], steps = 0, moved = 0;

        for (int k = 0; k < t.m->L; k++) moved += source[k] != k;
        do {
            at = source[at];
            steps++;
        } while (at != a->picks[b * 3] && steps < 10);
        CHECK(moved == 3 && steps == 3);
        CHECK(source[a->picks[b * 3 + 1]] == a->picks[b * 3]);
    }
    tiny_close(&t);
}

static void test_refused(void **state)
{
    mg_pretrain_config c = config(false);
    mg_pretrain_model *m;

    (void)state;
    c.shed_fraction = 0.1; // one token of six
    FAILS(mg_pretrain_open(&c, &m), MG_ERR_CONFIG, "fraction");
    c = tiny_config();
    FAILS(mg_pretrain_open(&c, &m), MG_ERR_CONFIG, "objective");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_refused),
    };

    mg_gemm_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
