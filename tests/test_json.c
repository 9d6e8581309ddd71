// JSON: building with NULLs, reading with fallbacks, what a parse refuses, exact numbers.
#include "tests/check.h"

#include "runtime/json.h"
#include "runtime/mem.h"

static mg_status parse(const char *text, mg_json **out)
{
    return mg_json_parse(text, strlen(text), "a.json", out);
}

static void test_build(void **state)
{
    (void)state;
    mg_json *object = mg_json_object(), *list = mg_json_array();
    mg_json_put_int(object, "z", INT64_MIN);
    mg_json_put_real(object, "a", 0.1);
    mg_json_put_real(object, "nan", NAN);
    mg_json_put_bool(object, "b", true);
    mg_json_put_text(object, "none", NULL);
    mg_json_append_int(list, 1);
    mg_json_append_real(list, 2.5);
    mg_json_append_text(list, "x\n\"");
    mg_json_put(object, "list", list);
    mg_json_put_int(object, "z", 5); // replaced in its place
    char *text = mg_json_dump(object, false);
    assert_string_equal(text, "{\"z\":5,\"a\":0.1,\"nan\":null,\"b\":true,"
                              "\"none\":null,\"list\":[1,2.5,\"x\\n\\\"\"]}");
    mg_json *again, *copy = mg_json_copy(object);
    OK(parse(text, &again));
    CHECK(mg_json_real(mg_json_get(again, "a"), 0) == 0.1);
    char *text2 = mg_json_dump(copy, false);
    assert_string_equal(text, text2);
    mg_free(text);
    mg_free(text2);
    mg_json_free(&object);
    mg_json_free(&again);
    mg_json_free(&copy);
    CHECK(object == NULL && mg_mem_live() == 0);
}

static void test_indent(void **state)
{
    mg_json *v;

    (void)state;
    OK(parse("{\"a\":[1,{}],\"b\":[],\"c\":3.0,\"d\":1e-7}", &v));
    char *text = mg_json_dump(v, true);
    assert_string_equal(text, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": [],\n  \"c\": 3.0,\n"
                              "  \"d\": 1e-07\n}");
    mg_free(text);
    mg_json_free(&v);
}

static void test_null(void **state)
{
    mg_json *none = NULL;

    (void)state;
    mg_json_put_int(NULL, "a", 1);
    mg_json_append_text(NULL, "a");
    mg_json_put(NULL, "a", mg_json_object()); // taken over all the same
    CHECK(mg_json_get(NULL, "a") == NULL && mg_json_at(NULL, 0) == NULL);
    CHECK(mg_json_size(NULL) == 0 && !mg_json_is_object(NULL) && mg_json_text(NULL) == NULL);
    CHECK(mg_json_int(NULL, 7) == 7 && mg_json_real(NULL, 0.5) == 0.5 && mg_json_bool(NULL, true));
    CHECK(mg_json_member(NULL, 0, NULL) == NULL && mg_json_dump(NULL, true) == NULL);
    mg_json_free(&none);
}

static void test_read(void **state)
{
    mg_json *v;
    const mg_json *member;

    (void)state;
    OK(parse("{\"b\": [1, 2.5, \"t\", false, null], \"a\": {}}", &v));
    CHECK(mg_json_size(v) == 2);
    assert_string_equal(mg_json_member(v, 1, &member), "a");
    CHECK(mg_json_is_object(member) && mg_json_member(v, 2, &member) == NULL);
    const mg_json *list = mg_json_get(v, "b");
    CHECK(mg_json_is_array(list) && mg_json_size(list) == 5);
    CHECK(mg_json_int(mg_json_at(list, 0), 0) == 1 && mg_json_real(mg_json_at(list, 0), 0) == 1);
    CHECK(mg_json_int(mg_json_at(list, 1), -1) == -1); // a real is no whole number
    CHECK(mg_json_is_text(mg_json_at(list, 2)) && mg_json_is_number(mg_json_at(list, 1)));
    CHECK(!mg_json_bool(mg_json_at(list, 3), true) && mg_json_at(list, 5) == NULL);
    mg_json_free(&v);
}

static void test_refused(void **state)
{
    mg_json *v;

    (void)state;
    FAILS(parse("{\"a\": 1,\n \"a\": 2}", &v), MG_ERR_FORMAT,
          "'a.json' is not valid JSON at line 2");
    CHECK(v == NULL);
    FAILS(parse("{\"a\": ", &v), MG_ERR_FORMAT, "not valid JSON");
    FAILS(parse("{} x", &v), MG_ERR_FORMAT, "not valid JSON");
    FAILS(parse("", &v), MG_ERR_FORMAT, "not valid JSON");
    FAILS(parse("[99999999999999999999]", &v), MG_ERR_FORMAT, "too big");
    FAILS(parse("[\"\xff\"]", &v), MG_ERR_FORMAT, "0xff");
    FAILS(mg_json_read("/nonexistent/a.json", &v), MG_ERR_IO, "cannot open '/nonexistent/a.json'");
    char *deep = malloc(100001);
    memset(deep, '[', 100000);
    deep[100000] = '\0';
    FAILS(parse(deep, &v), MG_ERR_FORMAT, "depth");
    free(deep);
}

static void test_latin1(void **state)
{
    (void)state;
    mg_json *list = mg_json_array();
    mg_json_append_text(list, "M\xfcller"); // a file name from an old system
    assert_string_equal(mg_json_text(mg_json_at(list, 0)), "M\xc3\xbcller");
    mg_json_free(&list);
    mg_json *object = mg_json_object(); // and as a key
    mg_json_put_int(object, "M\xfcller", 7);
    CHECK(mg_json_int(mg_json_get(object, "M\xc3\xbcller"), 0) == 7);
    mg_json_free(&object);
}

// What could not be put is remembered until it is asked for or a text is made (faults: debug builds).
static void test_failed(void **state)
{
    mg_json *object = mg_json_object();

    (void)state;
    mg_json_put(object, "nothing", NULL); // nothing is put, on purpose
    mg_json_put_int(NULL, "one", 1);
    CHECK(!mg_json_failed());
#ifdef MG_DEBUG
    setenv("MG_FAULT", "1:0", 1);
    mg_json_put_int(object, "two", 2);
    unsetenv("MG_FAULT");
    CHECK(mg_json_failed() && !mg_json_failed());
    setenv("MG_FAULT", "1:0", 1);
    mg_json_put_bool(object, "three", true);
    unsetenv("MG_FAULT");
    CHECK(!mg_json_dump(object, false));
#endif
    mg_json_put_int(object, "one", 1);
    char *text = mg_json_dump(object, false);
    CHECK(text && !strcmp(text, "{\"one\":1}"));
    mg_free(text);
    mg_json_free(&object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed), cmocka_unit_test(test_build), cmocka_unit_test(test_indent),
        cmocka_unit_test(test_null),   cmocka_unit_test(test_read),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_latin1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
