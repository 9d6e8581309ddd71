// The failure of a thread: message, trace, shown once, moved between threads.
#include "tests/check.h"

#include "runtime/err.h"

static mg_status inner(int value)
{
    MG_CHECK(value > 0, MG_ERR_CONFIG, "value must be positive, not %d", value);
    return MG_OK;
}

static mg_status outer(int value)
{
    MG_TRY(inner(value));
    return MG_OK;
}

// What mg_err_print prints; overwritten by the next call.
static const char *printed(void)
{
    static char text[8192];
    FILE *out = fmemopen(text, sizeof text, "w");
    mg_err_print(out);
    fclose(out);
    return text;
}

static void test_trace(void **state)
{
    (void)state;
    CHECK(outer(1) == MG_OK);
    CHECK(outer(-2) == MG_ERR_CONFIG);
    assert_string_equal(mg_err_message(), "value must be positive, not -2");
    const char *text = printed();
    CHECK(strncmp(text, "error: value must be positive, not -2\n  at ", 43) == 0);
    const char *first = strstr(text, " inner\n"), *second = strstr(text, " outer\n");
    CHECK(first != NULL && second != NULL);
    CHECK(first < second);
    mg_err_clear();
    assert_string_equal(mg_err_message(), "");
}

static void test_replace(void **state)
{
    (void)state;
    outer(-1);
    mg_err_set_shown();
    CHECK(mg_err_shown());
    CHECK(MG_FAIL(MG_ERR_IO, "again: %s", mg_err_message()) == MG_ERR_IO);
    assert_string_equal(mg_err_message(), "again: value must be positive, not -1");
    CHECK(!mg_err_shown());
    const char *text = printed();
    CHECK(!strstr(text, " outer\n")); // the old trace is gone
    mg_err_clear();
}

static void test_long(void **state)
{
    char big[5000];

    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    CHECK(MG_FAIL(MG_ERR_IO, "%s", big) == MG_ERR_IO);
    CHECK(strlen(mg_err_message()) > 1000);
    for (int i = 0; i < 1000; i++) mg_err_trace(MG_ERR_IO, "file.c", i, "function");
    const char *text = printed();
    CHECK(text[strlen(text) - 1] == '\n'); // whole lines only
    mg_err_clear();
}

static void test_take(void **state)
{
    (void)state;
    outer(-3);
    char *taken = mg_err_take();
    assert_string_equal(mg_err_message(), "");
    mg_err_give(taken);
    assert_string_equal(mg_err_message(), "value must be positive, not -3");
    mg_err_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
