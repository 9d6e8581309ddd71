// The restricted pickle reader, on pickles written out byte by byte.
#include "tests/check.h"

#include "models/pickle.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "tests/damage.h"

static char work[64];

static int set_up(void **state)
{
    (void)state;
    return check_folder(work, "pickle") ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return mg_remove_tree(work) ? -1 : 0;
}

static mg_status read_form(const char *bytes, size_t count, mg_pickle_form form, mg_pickle *p)
{
    char *path = mg_path_join(work, "pickle");
    mg_raw_file file;
    uint64_t at = 0;

    damage_write(path, bytes, count);
    OK(mg_raw_open(path, &file));
    mg_status st = mg_pickle_read(&file, &at, file.size, form, p);
    if (!st) CHECK(at == count);
    mg_raw_close(&file);
    mg_free(path);
    return st;
}

// Read a pickle given as a string literal (it may hold zero bytes).
#define READ(literal, p) read_form(literal, sizeof(literal) - 1, MG_PICKLE_ZIP, p)
#define REFUSES(literal, text)                                \
    do {                                                      \
        mg_pickle refused_;                                   \
        FAILS(READ(literal, &refused_), MG_ERR_FORMAT, text); \
    } while (0)

static const mg_pickle_value *item(const mg_pickle *p, int n)
{
    uint32_t c = p->value[p->root].list.first;

    while (n--) c = p->cell[c].next;
    return &p->value[p->cell[c].value];
}

static void test_numbers(void **state)
{
    mg_pickle p;

    (void)state;
    OK(READ(
        "\x80\x02(K\xffM\x34\x12J\xfe\xff\xff\xff\x8a\x00\x8a\x01\x80\x8a\x08\xff\xff\xff\xff\xff"
        "\xff\xff\x7fG\x3f\xf8\0\0\0\0\0\0N\x88\x89t.",
        &p));
    CHECK(p.value[p.root].kind == MG_PICKLE_TUPLE && p.value[p.root].list.count == 10);
    CHECK(item(&p, 0)->i == 255 && item(&p, 1)->i == 0x1234 && item(&p, 2)->i == -2);
    CHECK(item(&p, 3)->i == 0 && item(&p, 4)->i == -128 && item(&p, 5)->i == INT64_MAX);
    CHECK(item(&p, 6)->r == 1.5);
    CHECK(item(&p, 7)->kind == MG_PICKLE_NONE && item(&p, 8)->i == 1 && item(&p, 9)->i == 0);
    mg_pickle_free(&p);
}

static void test_containers(void **state)
{
    mg_pickle p;

    (void)state;
    // {"a": 1, 7: [2], "a": 3}: the later value of a repeated key stands, in the first one's place.
    OK(READ("\x80\x02}q\0(X\x01\0\0\0aK\1K\7]q\1K\2aX\x01\0\0\0aK\3u.", &p));
    CHECK(p.value[p.root].kind == MG_PICKLE_DICT && p.value[p.root].list.count == 2);
    CHECK(item(&p, 0)->i == 3 && item(&p, 1)->kind == MG_PICKLE_LIST);
    mg_pickle_free(&p);
    OK(READ("\x80\x02"
            "ccollections\nOrderedDict\n]K\1K\2\x86"
            "a\x85R.",
            &p));
    CHECK(p.value[p.root].kind == MG_PICKLE_ORDERED && item(&p, 0)->i == 2);
    mg_pickle_free(&p);
    // A memo index far from the others.
    OK(READ("\x80\x02K\5r\x00\x00\x01\x00\x85j\x00\x00\x01\x00\x86.", &p));
    CHECK(item(&p, 1)->i == 5);
    mg_pickle_free(&p);
}

static void test_refusals(void **state)
{
    (void)state;
    REFUSES("\x80\x02"
            "cos\nsystem\nX\x04\0\0\0true\x85R.",
            "'os.system'");
    REFUSES("\x80\x02"
            "cnumpy.core.multiarray\nscalar\n.",
            "numpy.core.multiarray.scalar");
    REFUSES("\x80\x03N.", "protocol 3");
    REFUSES("\x80\x02N", "cut short");
    REFUSES("\x80\x02NN.", "2 values");
    REFUSES("\x80\x02(.", "values are left");
    REFUSES("\x80\x02"
            "a.",
            "no value left");
    REFUSES("\x80\x02N(a.", "no value left"); // nothing reaches below a mark
    REFUSES("\x80\x02}K\1a.", "no list");
    REFUSES("\x80\x02]K\1K\1s.", "no dict");
    REFUSES("\x80\x02}(K\1u.", "without a value");
    REFUSES("\x80\x02}NK\1s.", "neither a text nor an integer");
    REFUSES("\x80\x02]q\0h\0a.", "inside itself");
    REFUSES("\x80\x02h\0.", "never stored");
    REFUSES("\x80\x02X\xff\xff\xff\xff"
            "a.",
            "4294967295 bytes");
    REFUSES("\x80\x02X\x02\0\0\0\xc0\x80.", "not UTF-8");
    REFUSES("\x80\x02NQ.", "persistent id");
    REFUSES("\x80\x02NNR.", "no known function");
    REFUSES("\x80\x02"
            "ccollections\nOrderedDict\n)\x81.",
            "unknown class");
    REFUSES("\x80\x02}}b.", "no object");
    REFUSES("\x80\x02\x8c\x01"
            "a.",
            "opcode 0x8c");
    REFUSES("N.", "no pickle");
}

// Module objects are read in TorchScript archives and nowhere else.
static void test_forms(void **state)
{
    static const char module[] = "\x80\x02"
                                 "c__torch__.net\nM\n)\x81}(X\1\0\0\0aK\1ub.";
    mg_pickle p;

    (void)state;
    FAILS(read_form(module, sizeof module - 1, MG_PICKLE_ZIP, &p), MG_ERR_FORMAT, "__torch__.net");
    OK(read_form(module, sizeof module - 1, MG_PICKLE_SCRIPT, &p));
    CHECK(p.value[p.root].kind == MG_PICKLE_OBJECT && item(&p, 0)->i == 1);
    mg_pickle_free(&p);
}

// One tensor out of a storage of 12 values, with this offset, sizes and strides.
static mg_status tensor(const char *shape, size_t bytes, mg_pickle *p)
{
    static const char head[] = "\x80\x02"
                               "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage"
                               "ctorch\nFloatStorage\nX\1\0\0\0"
                               "0X\3\0\0\0cpuK\x0ctQ";
    static const char tail[] = "\x89Nt"
                               "R.";
    char all[512];
    size_t n = sizeof head - 1;

    memcpy(all, head, n);
    memcpy(all + n, shape, bytes);
    memcpy(all + n + bytes, tail, sizeof tail - 1);
    return read_form(all, n + bytes + sizeof tail - 1, MG_PICKLE_ZIP, p);
}
#define TENSOR(literal, p) tensor(literal, sizeof(literal) - 1, p)

static void test_tensors(void **state)
{
    mg_pickle p;

    (void)state;
    OK(TENSOR("K\0K\3K\4\x86K\4K\1\x86", &p)); // [3, 4]
    CHECK(p.tensors == 1 && p.tensor[0].count == 12 && p.storage[0].type == MG_T_F32);
    mg_pickle_free(&p);
    OK(TENSOR("K\0K\x64K\4\x86K\0K\1\x86", &p)); // expanded: a stride of 0
    CHECK(p.tensor[0].count == 400);
    mg_pickle_free(&p);
    OK(TENSOR("K\x0cK\0\x85K\1\x85", &p)); // empty, at the end
    CHECK(p.tensor[0].count == 0);
    mg_pickle_free(&p);
    FAILS(TENSOR("K\1K\3K\4\x86K\4K\1\x86", &p), MG_ERR_FORMAT, "past its storage");
    FAILS(TENSOR("K\0K\3K\4\x86K\5K\1\x86", &p), MG_ERR_FORMAT, "past its storage");
    FAILS(TENSOR("K\x0dK\0\x85K\1\x85", &p), MG_ERR_FORMAT, "past its storage");
    FAILS(TENSOR("K\0K\3K\4\x86K\1\x85", &p), MG_ERR_FORMAT, "2 sizes and 1 strides");
    FAILS(TENSOR("K\0J\xff\xff\xff\xff\x85K\1\x85", &p), MG_ERR_FORMAT, "no integer from 0");
    FAILS(TENSOR("K\0\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\4\x86K\0K\1\x86", &p), MG_ERR_FORMAT,
          "out of bounds");
}

static void try_it(const char *path)
{
    mg_raw_file file;
    mg_pickle p;
    uint64_t at = 0;
    size_t live = mg_mem_live();

    OK(mg_raw_open(path, &file));
    if (!mg_pickle_read(&file, &at, file.size, MG_PICKLE_SCRIPT, &p)) mg_pickle_free(&p);
    mg_raw_close(&file);
    mg_err_clear();
    CHECK(mg_mem_live() == live);
}

static void test_damage(void **state)
{
    static const char sample[] =
        "\x80\x02"
        "ccollections\nOrderedDict\n)Rq\0(X\1\0\0\0wq\1ctorch._utils\n"
        "_rebuild_tensor_v2\nq\2((X\7\0\0\0storageq\3ctorch\nFloatStorage\nq\4X\1\0\0\0"
        "0q\5X\3\0\0"
        "\0cpuq\6K\x0ctq\7QK\0K\3K\4\x86q\x08K\4K\1\x86q\x09\x89h\0tq\x0aRq\x0bX\1\0\0\0lq\x0c]"
        "q\x0d"
        "(K\1G\x3f\xf8\0\0\0\0\0\0N\x88"
        "eu}X\1\0\0\0mK\2sb.";
    char *path = mg_path_join(work, "sample");

    (void)state;
    damage_write(path, sample, sizeof sample - 1);
    mg_pickle p;
    OK(READ(sample, &p));
    mg_pickle_free(&p);
    damage_each(path, work, "damaged", 3000, try_it);
    mg_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),  cmocka_unit_test(test_containers),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_forms),
        cmocka_unit_test(test_tensors),  cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
