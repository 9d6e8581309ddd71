// PyTorch files: the golden cases, damaged copies of those that can be read, names and checkpoints.
#include "tests/check.h"

#include "models/weights.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "tests/damage.h"
#include "tests/weight_cases.h"

static const char FOLDER[] = "tests/golden/pth_cases";
static char work[64];

static int set_up(void **state)
{
    (void)state;
    return check_folder(work, "pth") ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return mg_remove_tree(work) ? -1 : 0;
}

static void test_cases(void **state)
{
    weight_cases r;

    (void)state;
    CHECK(weight_cases_run("tests/golden/pth_cases/expected.json", &r));
    CHECK(r.failed == 0);
    CHECK(r.read == 30 && r.refused == 78);
}

static mg_weights *open_case(const char *name)
{
    mg_weights *w;
    char *path = mg_path_join(FOLDER, name);

    OK(mg_weights_open(path, 0, &w));
    mg_free(path);
    return w;
}

// The state dict inside of a training checkpoint is found, and its names come without wrapper.
static void test_state_dict(void **state)
{
    (void)state;
    mg_weights *w = open_case("nested_model.pth");
    CHECK(mg_weights_find(w, "0.weight") >= 0);
    CHECK(mg_weights_find(w, "model.0.weight") < 0);
    mg_weights_close(&w);
    w = open_case("checkpoint_full.pth"); // optimizer state beside it
    int i = 0, outside = 0;
    for (; i < mg_weights_count(w); i++) outside += mg_weights_at(w, i)->key == NULL;
    CHECK(outside > 0 && outside < i);
    mg_weights_close(&w);
}

static void test_limit(void **state)
{
    mg_weights *w;
    char *path = mg_path_join(FOLDER, "plain_dict.pth");

    (void)state;
    FAILS(mg_weights_open(path, 100, &w), MG_ERR_FORMAT, "more than 100 bytes");
    CHECK(!w);
    FAILS(mg_weights_open("tests/golden/no_such.pth", 0, &w), MG_ERR_IO, "no_such.pth");
    FAILS(mg_weights_open(work, 0, &w), MG_ERR_IO, "holds no weights");
    mg_free(path);
}

// Whatever it says, it must end with tensors or a message.
static void try_it(const char *path)
{
    mg_weights *w;
    size_t live = mg_mem_live();

    mg_status st = mg_weights_open(path, 1 << 24, &w);
    for (int i = 0; !st && i < mg_weights_count(w); i++) {
        const mg_tensor *t = mg_weights_at(w, i);
        void *data = mg_alloc((size_t)t->count * mg_tensor_type_size(t->type) + 1);
        CHECK(data);
        st = mg_weights_read(w, i, data);
        mg_free(data);
    }
    CHECK(!st || mg_err_message()[0]);
    mg_weights_close(&w);
    mg_err_clear();
    CHECK(mg_mem_live() == live);
}

static void test_damage(void **state)
{
    static const char *const files[] = {"state_dict_ordered.pth",
                                        "checkpoint_full.pth",
                                        "noncontiguous.pth",
                                        "zip64_extra.pth",
                                        "torchscript_scripted.pt",
                                        "legacy_shared_nested.pth",
                                        "dtypes.pth",
                                        "args_namespace.pth"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = mg_path_join(FOLDER, files[i]);
        damage_each(path, work, "damaged.pth", 400, try_it);
        mg_free(path);
    }
}

// A stream of 300 bytes whose one tensor stands at a million places: 6 tuples of 10 of the next.
static size_t make_expansion(char *out)
{
    static const char head[] =
        "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."
        "\x80\x02}X\x0d\0\0\0little_endian\x88s.\x80\x02(((((("
        "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
        "X\1\0\0\0aX\3\0\0\0cpuK\1NtQK\0K\1\x85K\1\x85\x89NtR";
    static const char tail[] = ".\x80\x02](X\1\0\0\0ae.\1\0\0\0\0\0\0\0\0\0\x80\x3f";
    size_t at = sizeof head - 1;

    memcpy(out, head, at);
    for (int level = 0; level < 6; level++) {
        out[at++] = 'q', out[at++] = (char)level; // store, and get nine times
        for (int i = 0; i < 9; i++) out[at++] = 'h', out[at++] = (char)level;
        out[at++] = 't';
    }
    memcpy(out + at, tail, sizeof tail - 1);
    return at + sizeof tail - 1;
}

static void test_expansion(void **state)
{
    char bytes[600], *path = mg_path_join(work, "expansion.pth");
    mg_weights *w;
    size_t limit = mg_mem_live_bytes() + 64000000, before = mg_mem_most_bytes();

    (void)state;
    damage_write(path, bytes, make_expansion(bytes));
    FAILS(mg_weights_open(path, 0, &w), MG_ERR_FORMAT, "more than 100000 tensors");
    CHECK(mg_mem_most_bytes() <= (before > limit ? before : limit));
    mg_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases), cmocka_unit_test(test_state_dict),
        cmocka_unit_test(test_limit), cmocka_unit_test(test_expansion),
        cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
