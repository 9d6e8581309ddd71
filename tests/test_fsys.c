// Paths, natural order, listings without junk and without ways out, files that survive a failure.
#include "tests/check.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "runtime/program.h"

static char dir[] = "/tmp/medgraft-test-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return mg_remove_tree(dir) == MG_OK && !mg_path_is_dir(dir) ? 0 : -1;
}

static char *in_dir(const char *name)
{
    static char path[2][512];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

static void put_file(const char *name, const char *text)
{
    OK(mg_write_file(in_dir(name), text, strlen(text)));
}

// Compare a text that is then released.
static void check_text(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    mg_free(text);
}

static void test_paths(void **state)
{
    (void)state;
    check_text(mg_path_join("a", "b"), "a/b");
    check_text(mg_path_join("a/", "b"), "a/b");
    check_text(mg_path_join("", "b"), "b");
    check_text(mg_path_join("a", "/b"), "/b");
    check_text(mg_path_dir("a/b/c"), "a/b");
    check_text(mg_path_dir("c"), ".");
    check_text(mg_path_dir("/c"), "/");
    check_text(mg_path_stem("x/a.nii.gz"), "a.nii");
    check_text(mg_path_stem("x.y/.hidden"), ".hidden");
    check_text(mg_path_stem("x.y/none"), "none");
    assert_string_equal(mg_path_base("x/y.png"), "y.png");
    CHECK(mg_path_has_ext("A.PNG", ".png") && mg_path_has_ext("a.nii.GZ", ".nii.gz"));
    CHECK(!mg_path_has_ext("png", ".png") && !mg_path_has_ext(".png", ".png"));
}

static void test_natural(void **state)
{
    static const char *const order[] = {"",
                                        "9",
                                        "10",
                                        "a",
                                        "a1",
                                        "a01",
                                        "a2",
                                        "a10",
                                        "a10b",
                                        "a011",
                                        "ab",
                                        "b1c2",
                                        "b1c10",
                                        "b1c010x",
                                        "b99999999999999999999999",
                                        "b100000000000000000000000"};
    const int n = sizeof order / sizeof *order;

    (void)state;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            int got = mg_natural_compare(order[i], order[j]);
            // "a1" and "a01" are the same number: a tie that strcmp breaks ('0' < '1')
            int a = i == 4 ? 5 : i == 5 ? 4 : i, b = j == 4 ? 5 : j == 5 ? 4 : j;
            CHECK((got > 0) - (got < 0) == (a > b) - (a < b));
        }
    }
}

static void test_distance(void **state)
{
    (void)state;
    CHECK(mg_text_distance("", "abc") == 3 && mg_text_distance("abc", "") == 3);
    CHECK(mg_text_distance("kitten", "sitting") == 3);
    CHECK(mg_text_distance("shrad", "shard") == 1);
    CHECK(mg_text_distance("same", "same") == 0);
}

static void test_files(void **state)
{
    char *data;
    size_t bytes;

    (void)state;
    OK(mg_make_dirs(in_dir("f/g/h")));
    OK(mg_make_dirs(in_dir("f/g/h")));
    put_file("f/a", "old");
    put_file("f/a", "new");
    CHECK(mg_path_size(in_dir("f/a")) == 3 && mg_path_size(in_dir("f/none")) == -1);
    CHECK(!mg_path_is_file(in_dir("f/a.tmp")) && mg_path_is_dir(in_dir("f/g")));
    OK(mg_read_file(in_dir("f/a"), 3, &data, &bytes));
    CHECK(bytes == 3);
    check_text(data, "new");
    put_file("f/empty", "");
    OK(mg_read_file(in_dir("f/empty"), 0, &data, NULL));
    check_text(data, "");
    FAILS(mg_read_file(in_dir("f/a"), 2, &data, NULL), MG_ERR_FORMAT, "at most 2 are allowed");
    FAILS(mg_read_file(in_dir("f/none"), 2, &data, NULL), MG_ERR_IO, "No such file");
    FAILS(mg_read_file(in_dir("f"), 2, &data, NULL), MG_ERR_IO, "not a regular file");
    FAILS(mg_make_dirs(in_dir("f/a/b")), MG_ERR_IO, "cannot make folder");
    FAILS(mg_write_file(in_dir("none/a"), "", 0), MG_ERR_IO, "cannot write");
    // A failed rename leaves nothing behind.
    FAILS(mg_write_file(in_dir("f/g"), "x", 1), MG_ERR_IO, "cannot move");
    CHECK(!mg_path_is_file(in_dir("f/g.tmp")) && mg_path_is_dir(in_dir("f/g")));
    OK(mg_remove_tree(in_dir("f/none")));
    CHECK(mg_mem_live() == 0);
}

static void check_list(const mg_texts *list, const char *expected)
{
    char all[1024] = "";

    for (size_t i = 0; i < list->count; i++) {
        strcat(all, i ? " " : "");
        strcat(all, list->item[i]);
    }
    assert_string_equal(all, expected);
}

static void test_listing(void **state)
{
    static const char *const names[] = {"img10.png",
                                        "img2.png",
                                        "Thumbs.db",
                                        "._x",
                                        ".DS_Store",
                                        "license.txt",
                                        "a_superpixels.png",
                                        "__MACOSX/x",
                                        ".ipynb_checkpoints/y",
                                        "sub/deep/z",
                                        "sub2/w"};
    mg_texts files, dirs;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = mg_path_join("t", names[i]), *folder = mg_path_dir(path);
        OK(mg_make_dirs(in_dir(folder)));
        put_file(path, "x");
        mg_free(folder);
        mg_free(path);
    }
    OK(mg_list_dir(in_dir("t"), NULL, &files, &dirs));
    check_list(&files, "img2.png img10.png");
    check_list(&dirs, "sub sub2");
    mg_texts_free(&files);
    mg_texts_free(&dirs);
    OK(mg_list_tree(in_dir("t"), &files));
    check_list(&files, "img2.png img10.png sub/deep/z sub2/w");
    mg_texts_free(&files);
    FAILS(mg_list_dir(in_dir("none"), NULL, &files, NULL), MG_ERR_IO, "cannot open folder");
    CHECK(mg_mem_live() == 0);
}

static void test_links(void **state)
{
    mg_texts files, dirs;

    (void)state;
    OK(mg_make_dirs(in_dir("l/in")));
    OK(mg_make_dirs(in_dir("l2/out"))); // "l" is the begin of its name
    put_file("l/in/a", "x");
    put_file("l2/out/secret", "x");
    CHECK(symlink("in/a", in_dir("l/to_file")) == 0);
    CHECK(symlink("..", in_dir("l/in/loop")) == 0);
    CHECK(symlink(in_dir("l2/out"), in_dir("l/outside")) == 0);
    CHECK(symlink(in_dir("l2/out/secret"), in_dir("l/outside_file")) == 0);
    CHECK(symlink("nowhere", in_dir("l/dangling")) == 0);
    CHECK(mkfifo(in_dir("l/pipe"), 0600) == 0);
    OK(mg_list_tree(in_dir("l"), &files));
    check_list(&files, "in/a to_file");
    mg_texts_free(&files);
    OK(mg_list_dir(in_dir("l"), NULL, &files, &dirs)); // anywhere
    check_list(&files, "outside_file to_file");
    check_list(&dirs, "in outside");
    mg_texts_free(&files);
    mg_texts_free(&dirs);
}

static void test_depth(void **state)
{
    char path[256] = "d";
    mg_texts files;

    (void)state;
    for (int i = 0; i < 16; i++) strcat(path, "/d");
    OK(mg_make_dirs(in_dir(path)));
    OK(mg_list_tree(in_dir("d"), &files));
    mg_texts_free(&files);
    strcat(path, "/d");
    OK(mg_make_dirs(in_dir(path)));
    FAILS(mg_list_tree(in_dir("d"), &files), MG_ERR_FORMAT, "more than 16 levels");
    CHECK(mg_mem_live() == 0);
}

// Texts of all lengths stay where they are and as they are, whatever comes behind them.
static void test_arena(void **state)
{
    enum { TEXTS = 600, LONGEST = 200000 };
    static char text[LONGEST + 1], *kept[TEXTS];
    mg_arena arena = {0};

    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        size_t bytes = i % 97 ? (size_t)i : LONGEST - (size_t)i;
        memset(text, 'a' + i % 26, bytes);
        text[bytes] = '\0';
        kept[i] = mg_arena_text(&arena, text);
        CHECK(kept[i] && kept[i] != text);
    }
    for (int i = 0; i < TEXTS; i++) {
        size_t bytes = i % 97 ? (size_t)i : LONGEST - (size_t)i;
        char letter[2] = {(char)('a' + i % 26), '\0'};
        assert_int_equal(strlen(kept[i]), bytes);
        assert_int_equal(strspn(kept[i], letter), bytes);
    }
    mg_arena_free(&arena);
    for (int i = 0; i < 1000; i++) CHECK(mg_arena_text(&arena, "0123456789"));
    CHECK(mg_mem_live() <= 8); // 11 KB in blocks of 256 bytes and up, not one for each text
    mg_arena_free(&arena);
    CHECK(mg_mem_live() == 0);
}

// A signal ends a walk; single folders can still be listed, which saving a checkpoint needs.
static void test_stop(void **state)
{
    mg_texts files;

    (void)state;
    OK(mg_make_dirs(in_dir("s/t")));
    OK(mg_write_file(in_dir("s/t/f"), "", 0));
    mg_stop_install();
    OK(mg_list_tree(in_dir("s"), &files));
    mg_texts_free(&files);
    raise(SIGTERM);
    FAILS(mg_list_tree(in_dir("s"), &files), MG_ERR_STOPPED, "stopped by a signal while listing");
    OK(mg_list_dir(in_dir("s/t"), NULL, &files, NULL));
    check_list(&files, "f");
    mg_texts_free(&files);
    mg_stop_install(); // lowers the flag
    OK(mg_list_tree(in_dir("s"), &files));
    check_list(&files, "t/f");
    mg_texts_free(&files);
    CHECK(mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),    cmocka_unit_test(test_natural),
        cmocka_unit_test(test_distance), cmocka_unit_test(test_files),
        cmocka_unit_test(test_listing),  cmocka_unit_test(test_links),
        cmocka_unit_test(test_depth),    cmocka_unit_test(test_arena),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
