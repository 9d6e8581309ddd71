// Tables: what real copies do to RFC 4180, and what is refused.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/csv.h"
#include "datasets/names.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static char path[] = "/tmp/test_csv_XXXXXX";

static mg_status read_text(const char *text, size_t bytes, mg_csv *csv)
{
    OK(mg_write_file(path, text, bytes));
    return mg_csv_read(path, csv);
}

static void check_cells(const char *text, int64_t rows, int columns, const char *const *cells)
{
    mg_csv csv;
    OK(read_text(text, strlen(text), &csv));
    assert_int_equal(csv.rows, rows);
    assert_int_equal(csv.columns, columns);
    for (int64_t r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            assert_string_equal(mg_csv_get(&csv, r, c), cells[r * columns + c]);
    mg_csv_free(&csv);
}

static void forms(void **state)
{
    static const char *const plain[] = {"1", "2", "3", "4"};
    static const char *const quoted[] = {"a,b", "say \"x\"", "two\nlines", ""};
    static const char *const tabs[] = {"x,y", "2", "", "4"};
    (void)state;

    check_cells("a,b\n1,2\n3,4\n", 2, 2, plain);
    check_cells("a,b\r\n1,2\r\n3,4", 2, 2, plain);
    check_cells("\xef\xbb\xbf"
                "a,b\n\n1,2\n\n\n3,4\n\n",
                2, 2, plain);
    check_cells("a,b\n1,2,,\n3,4,\n", 2, 2, plain); // empty cells behind the last column
    check_cells("a,b\n\"a,b\",\"say \"\"x\"\"\"\n\"two\nlines\",\n", 2, 2, quoted);
    check_cells("a\tb\nx,y\t2\n\t4\n", 2, 2, tabs);
}

static void columns(void **state)
{
    const char *text = ",img,seg\n0,Data/a.jpg,GT/a.png\n1,Data/b.jpg\n";
    mg_csv csv;
    (void)state;

    OK(read_text(text, strlen(text), &csv));
    assert_int_equal(mg_csv_column(&csv, ""), 0);
    assert_int_equal(mg_csv_column(&csv, "SEG"), 2);
    assert_int_equal(mg_csv_column(&csv, "image"), -1);
    assert_string_equal(mg_csv_get(&csv, 0, 2), "GT/a.png");
    assert_string_equal(mg_csv_get(&csv, 1, 2), "");
    assert_string_equal(mg_csv_get(&csv, 1, -1), "");
    mg_csv_free(&csv);
}

static void refused(void **state)
{
    mg_csv csv;
    (void)state;

    FAILS(read_text("", 0, &csv), MG_ERR_FORMAT, "is empty");
    FAILS(read_text("a,b\n1,2\n3,4,5\n", 15, &csv), MG_ERR_FORMAT,
          "line 3 has 3 cells, expected 2");
    FAILS(read_text("a,b\n1,\"2\n3,4\n", 14, &csv), MG_ERR_FORMAT, "line 2: a quote is not closed");
    FAILS(read_text("a,b\n1,2\0x\n", 11, &csv), MG_ERR_FORMAT, "line 2 holds a NUL byte");
    CHECK(!csv.cell && !csv.text);
}

static void many_names(void **state)
{
    mg_names names = {0};
    char name[32];
    (void)state;

    assert_int_equal(mg_names_find(&names, "x"), -1);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "Name_%d", i);
        OK(mg_names_add(&names, name, i));
    }
    OK(mg_names_add(&names, "name_7", 99)); // there already
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "nAME_%d", i);
        assert_int_equal(mg_names_find(&names, name), i);
    }
    assert_int_equal(mg_names_find(&names, "name_5000"), -1);
    mg_names_free(&names);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path) || mg_mem_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(columns),
        cmocka_unit_test(refused),
        cmocka_unit_test(many_names),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
