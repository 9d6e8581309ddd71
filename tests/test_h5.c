// HDF5 files: what is written is read back; files that reach outside themselves are refused.
#include "tests/check.h"

#include <unistd.h>

#include "runtime/fsys.h"
#include "runtime/h5.h"
#include "runtime/mem.h"

static char folder[] = "/tmp/medgraft-h5-XXXXXX";

static char *place(const char *name)
{
    return mg_path_join(folder, name);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    return mg_remove_tree(folder) || mg_mem_live() != 0;
}

static void arrays_come_back(void **state)
{
    const int64_t dim[3] = {2, 3, 4}, none[2] = {0, 5};
    const double pi = 3.141592653589793;
    float x[24], y[24];
    mg_h5_info info;
    mg_h5 *file = NULL;
    char *path = place("arrays.h5");
    (void)state;

    check_fill(x, 24, 1, 1.0);
    OK(mg_h5_create(path, &file));
    OK(mg_h5_write(file, "a/b/x", MG_F32, x, 3, dim));
    OK(mg_h5_write(file, "pi", MG_F64, &pi, 0, NULL));
    OK(mg_h5_write(file, "a/none", MG_I32, NULL, 2, none));
    FAILS(mg_h5_write(file, "pi", MG_F64, &pi, 0, NULL), MG_ERR_IO, "'pi'");
    OK(mg_h5_close(&file));

    OK(mg_h5_open(path, &file));
    CHECK(!strcmp(mg_h5_path(file), path));
    OK(mg_h5_describe(file, "a/b/x", &info));
    CHECK(info.type == MG_F32 && info.ndim == 3 && info.count == 24 && !info.chunked);
    CHECK(info.dim[0] == 2 && info.dim[1] == 3 && info.dim[2] == 4);
    OK(mg_h5_read(file, "/a/b/x", MG_F32, y, 24));
    CHECK(!memcmp(x, y, sizeof x));
    OK(mg_h5_read_rows(file, "a/b/x", MG_F32, y, 1, 2));
    CHECK(!memcmp(x + 12, y, 12 * sizeof *x));
    double back = 0;
    OK(mg_h5_read(file, "pi", MG_F64, &back, 1));
    CHECK(back == pi);
    void *nothing = NULL;
    OK(mg_h5_load(file, "a/none", MG_I32, &nothing, &info));
    CHECK(info.count == 0 && info.ndim == 2 && info.dim[1] == 5);
    mg_free(nothing);
    CHECK(mg_h5_has(file, "a/b") && mg_h5_has(file, "a/b/x") && mg_h5_has(file, "/"));
    CHECK(!mg_h5_has(file, "a/c") && !mg_h5_has(file, "pi/x"));
    FAILS(mg_h5_read(file, "pi", MG_F64, y, 2), MG_ERR_FORMAT, "1 values, expected 2");
    FAILS(mg_h5_read(file, "nope", MG_F64, y, 2), MG_ERR_FORMAT, "has no 'nope'");
    FAILS(mg_h5_read(file, "a", MG_F64, y, 2), MG_ERR_FORMAT, "is a group");
    FAILS(mg_h5_read_rows(file, "a/b/x", MG_F32, y, 1, 3), MG_ERR_FORMAT, "rows");
    OK(mg_h5_close(&file));
    CHECK(!file);
    mg_free(path);
}

static void numbers_convert(void **state)
{
    const int64_t three = 3, ints[3] = {-1, 255, 70000};
    const double reals[3] = {0.5, -1e300, 2};
    const float floats[3] = {0.5f, INFINITY, NAN};
    int32_t small[3];
    uint8_t bytes[3];
    float f[3];
    double d[3];
    mg_h5 *file = NULL;
    char *path = place("convert.h5");
    (void)state;

    OK(mg_h5_create(path, &file));
    OK(mg_h5_write(file, "ints", MG_I64, ints, 1, &three));
    OK(mg_h5_write(file, "reals", MG_F64, reals, 1, &three));
    OK(mg_h5_write(file, "floats", MG_F32, floats, 1, &three));
    OK(mg_h5_close(&file));
    OK(mg_h5_open(path, &file));
    OK(mg_h5_read(file, "ints", MG_I32, small, 3));
    CHECK(small[0] == -1 && small[1] == 255 && small[2] == 70000);
    OK(mg_h5_read(file, "ints", MG_F32, f, 3));
    CHECK(f[0] == -1 && f[2] == 70000);
    FAILS(mg_h5_read(file, "ints", MG_U8, bytes, 3), MG_ERR_FORMAT, "cannot hold");
    FAILS(mg_h5_read(file, "reals", MG_I32, small, 3), MG_ERR_FORMAT, "is float64, expected int32");
    FAILS(mg_h5_read(file, "reals", MG_F32, f, 3), MG_ERR_FORMAT, "cannot hold");
    OK(mg_h5_read(file, "floats", MG_F64, d, 3));
    CHECK(d[0] == 0.5 && isinf(d[1]) && isnan(d[2]));
    OK(mg_h5_close(&file));
    mg_free(path);
}

static void texts_and_attributes(void **state)
{
    const char *const words[3] = {"links", "", "Größe 5 µm"};
    char **back = NULL, *text = NULL;
    int64_t count = 0, ints[4] = {0};
    double real = 0;
    int n = 0;
    mg_h5 *file = NULL;
    char *path = place("texts.h5");
    (void)state;

    OK(mg_h5_create(path, &file));
    OK(mg_h5_write_texts(file, "g/words", words, 3));
    OK(mg_h5_write_texts(file, "g/no_words", NULL, 0));
    OK(mg_h5_set_int(file, "", "version", -5));
    OK(mg_h5_set_int(file, "/", "version", 7));
    OK(mg_h5_set_real(file, "g", "half", 0.5));
    OK(mg_h5_set_text(file, "g/words", "unit", "mm"));
    OK(mg_h5_close(&file));

    OK(mg_h5_open(path, &file));
    OK(mg_h5_load_texts(file, "g/words", &back, &count));
    CHECK(count == 3);
    for (int i = 0; i < 3; i++) {
        CHECK(!strcmp(back[i], words[i]));
        mg_free(back[i]);
    }
    mg_free(back);
    OK(mg_h5_load_texts(file, "g/no_words", &back, &count));
    CHECK(count == 0);
    mg_free(back);
    int64_t version = 0;
    OK(mg_h5_attr_int(file, "", "version", &version));
    CHECK(version == 7);
    OK(mg_h5_attr_ints(file, "/", "version", ints, 4, &n));
    CHECK(n == 1 && ints[0] == 7);
    OK(mg_h5_attr_real(file, "g", "half", &real));
    CHECK(real == 0.5);
    OK(mg_h5_attr_real(file, "", "version", &real));
    CHECK(real == 7);
    OK(mg_h5_attr_text(file, "g/words", "unit", &text));
    CHECK(!strcmp(text, "mm"));
    mg_free(text);
    CHECK(mg_h5_has_attr(file, "g", "half") && !mg_h5_has_attr(file, "g", "unit") &&
          !mg_h5_has_attr(file, "h", "unit"));
    FAILS(mg_h5_attr_int(file, "g", "half", &version), MG_ERR_FORMAT, "no integer");
    FAILS(mg_h5_attr_text(file, "g", "half", &text), MG_ERR_FORMAT, "no text");
    FAILS(mg_h5_attr_int(file, "g", "third", &version), MG_ERR_FORMAT, "no attribute 'third'");
    FAILS(mg_h5_load_texts(file, "g", &back, &count), MG_ERR_FORMAT, "is a group");
    OK(mg_h5_close(&file));
    mg_free(path);
}

static void listing(void **state)
{
    const int64_t one = 1;
    const uint8_t value = 3;
    char **names = NULL;
    int count = 0;
    mg_h5 *file = NULL;
    char *path = place("list.h5");
    (void)state;

    OK(mg_h5_create(path, &file));
    OK(mg_h5_write(file, "b", MG_U8, &value, 1, &one));
    OK(mg_h5_write(file, "c/x", MG_U8, &value, 1, &one));
    OK(mg_h5_write(file, "a", MG_U8, &value, 1, &one));
    OK(mg_h5_list(file, "", &names, &count));
    CHECK(count == 3 && !strcmp(names[0], "a") && !strcmp(names[1], "b") &&
          !strcmp(names[2], "c/"));
    for (int i = 0; i < count; i++) mg_free(names[i]);
    mg_free(names);
    FAILS(mg_h5_list(file, "a", &names, &count), MG_ERR_FORMAT, "is an array");
    OK(mg_h5_close(&file));
    mg_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_come_back),
        cmocka_unit_test(numbers_convert),
        cmocka_unit_test(texts_and_attributes),
        cmocka_unit_test(listing),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
