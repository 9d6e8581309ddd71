// Aligned blocks, live counts, planned layouts, injected faults.
#include "tests/check.h"

#include "runtime/mem.h"

static void test_blocks(void **state)
{
    const size_t sizes[] = {0, 1, 63, 64, 65, 4096, (size_t)5 << 20};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = mg_alloc(sizes[i]);
        CHECK(p && (uintptr_t)p % MG_ALIGN == 0);
        CHECK(mg_mem_live() == 1 && mg_mem_live_bytes() == sizes[i]);
        memset(p, 1, sizes[i]);
        char *q = mg_realloc(p, sizes[i] + 100);
        CHECK(q && (uintptr_t)q % MG_ALIGN == 0 && (sizes[i] == 0 || q[sizes[i] - 1] == 1));
        mg_free(q);
        CHECK(mg_mem_live() == 0 && mg_mem_live_bytes() == 0);
    }
    mg_free(NULL);
    CHECK(mg_alloc(SIZE_MAX) == NULL && mg_calloc(SIZE_MAX / 2, 4) == NULL);
    CHECK(mg_mem_peak_rss() > ((size_t)5 << 20));
}

static void test_texts(void **state)
{
    (void)state;
    float *zero = mg_calloc(100, sizeof *zero);
    for (int i = 0; i < 100; i++) CHECK(zero[i] == 0);
    char *a = mg_strdup("abc"), *b = mg_sprintf("%s-%d", a, 7);
    assert_string_equal(b, "abc-7");
    mg_free(zero);
    mg_free(a);
    mg_free(b);
    CHECK(mg_mem_live() == 0);
}

#ifdef MG_DEBUG
static void test_debug(void **state)
{
    (void)state;
    float *x = mg_alloc(10 * sizeof *x);
    for (int i = 0; i < 10; i++) CHECK(isnan(x[i]));
    mg_free(x);
    setenv("MG_FAULT", "3:1", 1);
    int failed = 0;
    for (int i = 0; i < 300; i++) failed += mg_fault();
    unsetenv("MG_FAULT");
    CHECK(failed > 50 && failed < 150);
    CHECK(!mg_fault());
}
#endif

static void test_layout(void **state)
{
    mg_layout at = {0};

    (void)state;
    CHECK(mg_place(&at, 10) == NULL && at.used == 64);
    CHECK(mg_place_bytes(&at, 65) == NULL && at.used == 64 + 128);
    char *block = mg_alloc(at.used);
    at = (mg_layout){block, 0};
    CHECK((char *)mg_place(&at, 10) == block);
    CHECK((char *)mg_place_bytes(&at, 65) == block + 64 && at.used == 192);
    mg_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_texts),
#ifdef MG_DEBUG
        cmocka_unit_test(test_debug),
#endif
        cmocka_unit_test(test_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
