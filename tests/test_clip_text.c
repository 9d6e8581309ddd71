// CLIP's text transformer with random weights: what comes later acts on nothing before it, texts in
// one batch do not act on each other, vectors have length 1, bad sizes and weights are refused. The
// numbers themselves are held against the golden file.
#include "tests/check.h"

#include "models/clip_text.h"
#include "runtime/mem.h"

static const mg_clip_config SIZES = {.width = 24,
                                     .heads = 3,
                                     .layers = 2,
                                     .hidden = 40,
                                     .context = 9,
                                     .vocab = 31,
                                     .embed = 10,
                                     .eps = 1e-5};

static void make(mg_clip_text *m)
{
    OK(mg_clip_text_build(&SIZES, m));
    check_fill(m->params.data, m->params.size, 5, 0.4);
}

// start, some words, end (the largest number), zeros
static void text(int32_t *ids, int words, uint64_t seed)
{
    mg_stream s = {seed, MG_RNG_FREE, 0, 0};

    memset(ids, 0, (size_t)SIZES.context * sizeof *ids);
    ids[0] = SIZES.vocab - 2;
    for (int i = 0; i < words; i++)
        ids[1 + i] = (int32_t)(mg_stream_word(&s, (uint64_t)i) % (uint32_t)(SIZES.vocab - 2));
    ids[1 + words] = SIZES.vocab - 1;
}

static void test_embed(void **state)
{
    (void)state;
    enum { TEXTS = 37 }; // more than one batch
    mg_clip_text m;
    int32_t ids[TEXTS * 9];
    float unit[TEXTS * 10], alone[10], other[10];

    make(&m);
    for (int t = 0; t < TEXTS; t++) text(ids + t * 9, t % 8, (uint64_t)t);
    OK(mg_clip_text_embed(&m, ids, TEXTS, unit));
    for (int t = 0; t < TEXTS; t++) {
        double sum = 0;
        for (int i = 0; i < 10; i++) sum += (double)unit[t * 10 + i] * unit[t * 10 + i];
        CHECK(fabs(sum - 1) <= 1e-6);
        OK(mg_clip_text_embed(&m, ids + t * 9, 1, alone));
        CHECK(check_gap(alone, unit + t * 10, 10) <= 1e-6);
    }
    CHECK(check_gap(unit + 10, unit + 20, 10) > 1e-2); // another text
    // What stands behind the end does not matter, what stands before it does.
    text(ids, 3, 1);
    OK(mg_clip_text_embed(&m, ids, 1, alone));
    ids[7] = 4;
    OK(mg_clip_text_embed(&m, ids, 1, other));
    CHECK(check_gap(other, alone, 10) == 0);
    ids[2] = (ids[2] + 1) % 20;
    OK(mg_clip_text_embed(&m, ids, 1, other));
    CHECK(check_gap(other, alone, 10) > 1e-3);
    mg_clip_text_free(&m);
    CHECK(mg_mem_live() == 0);
}

// States of a text's first tokens do not depend on its other tokens.
static void test_causal(void **state)
{
    (void)state;
    mg_clip_text m;
    const int32_t first[] = {0, 9, 14}, ids[14] = {29, 3, 4, 5, 6, 7, 8, 9, 30, 29, 3, 4, 5, 30};
    mg_clip_rows r = {2, 14, 9, first};
    float x[14 * 24];

    make(&m);
    float *scratch = mg_alloc(mg_clip_text_scratch(&m, &r) * sizeof *scratch);
    mg_clip_text_begin(x, ids, &m, &r);
    for (int l = 0; l < SIZES.layers; l++) mg_clip_text_layer(x, l, &m, &r, scratch);
    CHECK(check_gap(x, x + 9 * 24, 4 * 24) <= 1e-6);
    CHECK(check_gap(x + 4 * 24, x + 13 * 24, 24) > 1e-2);
    mg_free(scratch);
    mg_clip_text_free(&m);
}

static void test_refused(void **state)
{
    (void)state;
    mg_clip_text m;
    mg_clip_config c = SIZES;
    int32_t ids[9] = {29, 30};
    float unit[10];

    c.heads = 5;
    FAILS(mg_clip_text_build(&c, &m), MG_ERR_CONFIG, "5 heads do not divide a width of 24");
    c = SIZES;
    c.layers = 0;
    FAILS(mg_clip_text_build(&c, &m), MG_ERR_CONFIG, "0 layers");
    OK(mg_clip_text_build(&SIZES, &m)); // all zero
    FAILS(mg_clip_text_embed(&m, ids, 1, unit), MG_ERR_NUMERIC, "length 0");
    m.params.data[m.params.list[m.projection].offset] = NAN;
    FAILS(mg_clip_text_embed(&m, ids, 1, unit), MG_ERR_NUMERIC, "nan");
    ids[3] = 31;
    FAILS(mg_clip_text_embed(&m, ids, 1, unit), MG_ERR_USAGE, "token 31");
    mg_clip_text_free(&m);
    CHECK(mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embed),
        cmocka_unit_test(test_causal),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
