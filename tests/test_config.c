// Option tables: precedence, every type, bounds, positions in messages, echo that reads back.
#include "tests/check.h"

#include "runtime/config.h"
#include "runtime/mem.h"

typedef struct {
    int64_t epochs, seed;
    double lr, free_real;
    bool verify;
    char *name, *mode;
    mg_list tasks;
    mg_json *values;
} settings;

#define AT(member) offsetof(settings, member)

// clang-format off
static const mg_option train_table[] = {
    {"train.epochs", MG_INT,    AT(epochs), "400",    1,    10000, "passes over the shards", NULL},
    {"train.lr",     MG_REAL,   AT(lr),     "1.5e-4", 1e-8, 1,     "peak rate", NULL},
    {"train.name",   MG_TEXT,   AT(name),   "",       0,    0,     "a name", NULL},
    {"train.mode",   MG_CHOICE, AT(mode),   "sum",    0,    0,     "how", "sum|split|rotate"},
    {"train.lr",     MG_PRESET, 0,          "0.25",   0,    0,     NULL, "train.mode=rotate"},
    {0},
};
static const mg_option pretrain_table[] = {
    {"pretrain.tasks",       MG_LIST, AT(tasks),     "emix,mae", 0, 0, "objectives", NULL},
    {"pretrain.verify_all",  MG_BOOL, AT(verify),    "false",    0, 0, "check", NULL},
    {"pretrain.values",      MG_TREE, AT(values),    "",         0, 0, "label values", NULL},
    {"pretrain.seed",        MG_INT,  AT(seed),      "0",        0, 0, "seed", NULL},
    {"pretrain.free_real",   MG_REAL, AT(free_real), "0",        0, 0, "any number", NULL},
    {"pretrain.tasks",       MG_PRESET, 0,           "shed",     0, 0, NULL, "train.mode=rotate"},
    {0},
};
// clang-format on

static settings s;
static const mg_option_group groups[] = {{train_table, &s}, {pretrain_table, &s}};

static mg_status load(const char *yaml)
{
    return mg_config_load(groups, 2, "pretrain", yaml, "a.yaml", NULL);
}

// Load `yaml` and then one setting from the command line.
static mg_status load_set(const char *yaml, const char *set)
{
    char *item[] = {(char *)set};
    mg_list sets = {1, item};
    return mg_config_load(groups, 2, "pretrain", yaml, "a.yaml", &sets);
}

static void unload(void)
{
    mg_config_free(groups, 2);
}

static void test_defaults(void **state)
{
    (void)state;
    OK(load(NULL));
    CHECK(s.epochs == 400 && s.lr == 1.5e-4 && !s.verify && s.values == NULL);
    assert_string_equal(s.name, "");
    assert_string_equal(s.mode, "sum");
    CHECK(s.tasks.count == 2);
    assert_string_equal(s.tasks.item[1], "mae");
    unload();
    OK(load("# nothing\n"));
    unload();
}

static void test_yaml(void **state)
{
    (void)state;
    OK(load("train:\n  epochs: 7\n  lr: 1e-3\n  name: 'a: b'\n  mode: rotate\n"
            "pretrain:\n  tasks: [shed]\n  verify_all: yes\n  values: {1: nerve, 2: [a, 0x10]}\n"
            "  free_real: -.inf\n"));
    CHECK(s.epochs == 7 && s.lr == 1e-3 && s.verify && s.free_real == -INFINITY);
    assert_string_equal(s.name, "a: b");
    assert_string_equal(s.mode, "rotate");
    CHECK(s.tasks.count == 1);
    assert_string_equal(mg_json_text(mg_json_get(s.values, "1")), "nerve");
    CHECK(mg_json_int(mg_json_at(mg_json_get(s.values, "2"), 1), 0) == 16);
    unload();
    OK(load("train.epochs: 9\npretrain:\n"));
    CHECK(s.epochs == 9);
    unload();
}

static void test_sets(void **state)
{
    (void)state;
    OK(load_set("train: {epochs: 7}", "train.epochs=1e3"));
    CHECK(s.epochs == 1000);
    unload();
    OK(load_set(NULL, "verify-all=true")); // own section, '-' for '_'
    CHECK(s.verify);
    unload();
    OK(load_set(NULL, "lr=0.5")); // the only key of this name
    CHECK(s.lr == 0.5);
    unload();
    OK(load_set(NULL, "name=null: [x=y")); // texts stand as they are
    assert_string_equal(s.name, "null: [x=y");
    unload();
    OK(load_set(NULL, "tasks=a, b ,c"));
    CHECK(s.tasks.count == 3);
    assert_string_equal(s.tasks.item[1], "b");
    unload();
    OK(load_set(NULL, "tasks=[\"a,b\", c]"));
    CHECK(s.tasks.count == 2);
    assert_string_equal(s.tasks.item[0], "a,b");
    unload();
    OK(load_set(NULL, "values={1: nerve}"));
    CHECK(mg_json_size(s.values) == 1);
    unload();
}

// A preset changes defaults; what is given by itself wins, wherever it is written.
static void test_presets(void **state)
{
    (void)state;
    OK(load("train: {mode: rotate}"));
    CHECK(s.lr == 0.25 && s.epochs == 400 && s.tasks.count == 1);
    assert_string_equal(s.tasks.item[0], "shed");
    unload();
    OK(load_set(NULL, "mode=rotate"));
    CHECK(s.lr == 0.25);
    unload();
    OK(load("train: {lr: 1.5e-4, mode: rotate}")); // the default, but given
    CHECK(s.lr == 1.5e-4 && s.tasks.count == 1);
    unload();
    OK(load_set("train: {mode: rotate}", "lr=0.5"));
    CHECK(s.lr == 0.5 && s.tasks.count == 1);
    unload();
    OK(load_set("train: {mode: rotate}", "mode=split"));
    CHECK(s.lr == 1.5e-4 && s.tasks.count == 2);
    unload();
}

static void test_failures(void **state)
{
    (void)state;
    FAILS(load("train:\n  epoch: 3\n"), MG_ERR_CONFIG,
          "unknown setting 'train.epoch' in 'a.yaml' at line 2, column 3; the nearest is "
          "'train.epochs'");
    FAILS(load("pretrain: {lr: 1}"), MG_ERR_CONFIG, "the nearest is 'train.lr'");
    FAILS(load("trian: {lr: 1}"), MG_ERR_CONFIG,
          "unknown section 'trian' in 'a.yaml' at line 1, column 1; the nearest is 'train'");
    FAILS(load("train:\n  lr: 2\n"), MG_ERR_CONFIG,
          "setting 'train.lr' is '2' in 'a.yaml' at line 2, column 7, expected a number from 1e-08 "
          "to 1");
    FAILS(load("train: {lr: .nan}"), MG_ERR_CONFIG, "expected a number");
    FAILS(load("train: {epochs: 1.5}"), MG_ERR_CONFIG, "expected a whole number from 1 to 10000");
    FAILS(load("train: {epochs: 0}"), MG_ERR_CONFIG, "is '0'");
    FAILS(load("train: {epochs: [1]}"), MG_ERR_CONFIG, "is 'a list'");
    FAILS(load("train: {epochs: 99999999999999999999}"), MG_ERR_CONFIG, "expected a whole number");
    FAILS(load("train: {mode: spli}"), MG_ERR_CONFIG, "expected one of sum|split|rotate");
    FAILS(load("pretrain: {verify_all: 1}"), MG_ERR_CONFIG, "expected true or false");
    FAILS(load("pretrain: {tasks: [[a]]}"), MG_ERR_CONFIG, "expected a list");
    FAILS(load("train: 3"), MG_ERR_CONFIG, "section 'train' in 'a.yaml' at line 1");
    FAILS(load("[1]"), MG_ERR_CONFIG, "no mapping");
    FAILS(load_set(NULL, "train.lr"), MG_ERR_CONFIG, "not of the form key=value");
    FAILS(load_set(NULL, "lrr=1"), MG_ERR_CONFIG, "the nearest is 'train.lr'");
    FAILS(load_set(NULL, "lr=x"), MG_ERR_CONFIG, "is 'x' on the command line");
    CHECK(mg_mem_live() == 0);
}

static void test_yaml_rules(void **state)
{
    char deep[64], text[256];

    (void)state;
    FAILS(load("train:\n  lr: 1\n  lr: 1\n"), MG_ERR_CONFIG,
          "duplicate key 'lr' (first at line 2) in 'a.yaml' at line 3, column 3");
    FAILS(load("train: &x {lr: 1}"), MG_ERR_CONFIG, "an anchor");
    FAILS(load("train: *x"), MG_ERR_CONFIG, "an alias");
    FAILS(load("train: {name: !!str 3}"), MG_ERR_CONFIG, "a tag");
    FAILS(load("train: {lr: 1}\n---\ntrain: {lr: 1}\n"), MG_ERR_CONFIG, "a second document");
    FAILS(load("train: {lr: 1"), MG_ERR_CONFIG, "in 'a.yaml' at line");
    FAILS(load("? [a]\n: 1\n"), MG_ERR_CONFIG, "not a scalar");
    FAILS(load("train: {name: \"a\\0b\"}"), MG_ERR_CONFIG, "zero byte");
    memset(deep, '[', 15);
    memset(deep + 15, ']', 15);
    deep[30] = '\0';
    snprintf(text, sizeof text, "pretrain.values: %s", deep);
    OK(load(text)); // 16 levels with the mapping
    unload();
    snprintf(text, sizeof text, "pretrain.values: [%s]", deep);
    FAILS(load(text), MG_ERR_CONFIG, "more than 16 levels");
    char *big = malloc(MG_YAML_BYTES + 2);
    memset(big, '#', MG_YAML_BYTES + 1);
    big[MG_YAML_BYTES + 1] = '\0';
    FAILS(load(big), MG_ERR_CONFIG, "at most 1048576");
    free(big);
    CHECK(mg_mem_live() == 0);
}

static void test_known_elsewhere(void **state)
{
    static const char *const known[] = {"finetune.mode", "train.precision", "amos", NULL};

    (void)state;
    mg_config_sections(known);
    OK(load("finetune: {mode: msa}\ntrain: {precision: f32}\namos: {split: a, b: {c: 1}}\n"));
    unload();
    FAILS(load("finetune: {mod: msa}"), MG_ERR_CONFIG, "unknown setting 'finetune.mod'");
    FAILS(load_set(NULL, "train.precision=f32"), MG_ERR_CONFIG, "unknown setting");
    mg_config_sections(NULL);
}

// Echo, read again, echo again: the same text.
static void check_echo(void)
{
    char *first = mg_config_echo(groups, 2);
    unload();
    OK(load(first));
    char *second = mg_config_echo(groups, 2);
    assert_string_equal(first, second);
    mg_free(first);
    mg_free(second);
}

// A quoted text by itself is a document of its own.
static void check_alone(const char *text)
{
    char *quoted = mg_yaml_quote(text);
    mg_yaml *tree;

    OK(mg_yaml_read(quoted, "text", &tree));
    CHECK(tree->kind == MG_YAML_SCALAR && strcmp(tree->text, text) == 0);
    mg_yaml_free(&tree);
    mg_free(quoted);
}

static void test_echo(void **state)
{
    static const char *const names[] = {"",
                                        "null",
                                        "~",
                                        "yes",
                                        "1e5",
                                        "0x1F",
                                        "- a",
                                        "a b",
                                        "a#b",
                                        "'",
                                        "\"q\\",
                                        "tab\tnew\nline",
                                        "\x01\x7f",
                                        "\u00e9\u4e2d",
                                        "\xC2\x85x",
                                        "\u2028",
                                        "\ufeffx",
                                        "{a}",
                                        "a: b",
                                        " lead",
                                        "trail ",
                                        "@x",
                                        "%x",
                                        "\U0001F600",
                                        "/data/a-b_c.d",
                                        "...",
                                        "---"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        OK(load(NULL));
        mg_free(s.name);
        s.name = mg_strdup(names[i]);
        mg_free(s.tasks.item[0]);
        s.tasks.item[0] = mg_strdup(names[i]);
        check_echo();
        assert_string_equal(s.name, names[i]);
        assert_string_equal(s.tasks.item[0], names[i]);
        unload();
        check_alone(names[i]);
    }
    const double reals[] = {0.1,  1.0 / 3,  1e-300,      5e-324, 1.7976931348623157e308,
                            -0.0, INFINITY, 123456789.0, 1e21};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        OK(load("pretrain: {values: [{a: 0.1, \"b c\": \"x\\ny\", d: null, e: 1e-7, f: 3.0}]}"));
        s.free_real = reals[i];
        check_echo();
        CHECK(memcmp(&s.free_real, &reals[i], sizeof(double)) == 0);
        CHECK(mg_json_real(mg_json_get(mg_json_at(s.values, 0), "a"), 0) == 0.1);
        unload();
    }
    CHECK(mg_mem_live() == 0);
}

static void test_markdown(void **state)
{
    (void)state;
    char *text = mg_config_markdown(groups, 2, NULL);
    CHECK(strstr(text, "## train\n"));
    CHECK(strstr(text, "| `train.lr` | `1.5e-4`, `0.25` with train.mode=rotate | number, 1e-08 to "
                       "1 | peak rate |\n"));
    CHECK(strstr(text, "| `train.mode` | `sum` | sum, split, rotate | how |\n"));
    mg_free(text);
}

// One key in the tables of three commands, of which one says something else.
static void test_owners(void **state)
{
    const mg_option other[] = {{"train.lr", MG_REAL, AT(lr), "1", 0, 1, "another rate", NULL}, {0}};
    const mg_option_group all[] = {{train_table, NULL}, {other, NULL}, {train_table, NULL}};
    const char *const owners[] = {"one", "two", "three"};

    (void)state;
    char *text = mg_config_markdown(all, 3, owners);
    CHECK(strstr(text, "| `train.lr` in one, three | `1.5e-4`, `0.25` with train.mode=rotate | "));
    CHECK(strstr(text, "| `train.lr` in two | `1` | number, 0 to 1 | another rate |\n"));
    CHECK(strstr(text, "| `train.epochs` | "));
    mg_free(text);
}

#ifdef MG_DEBUG
// With allocations failing now and then: a clean error or the right settings, and nothing left.
static void test_faults(void **state)
{
    char spec[32];
    int failed = 0;

    (void)state;
    for (int seed = 0; seed < 300; seed++) {
        snprintf(spec, sizeof spec, "60:%d", seed);
        setenv("MG_FAULT", spec, 1);
        mg_status st =
            load("train: {name: a}\npretrain: {tasks: [a, b], values: {1: [x, {y: z}]}}");
        unsetenv("MG_FAULT");
        if (st) {
            CHECK(st == MG_ERR_MEMORY);
            mg_err_clear();
            failed++;
        } else {
            const mg_json *list = mg_json_get(s.values, "1");
            CHECK(s.tasks.count == 2 && mg_json_get(mg_json_at(list, 1), "y"));
            unload();
        }
        CHECK(mg_mem_live() == 0);
    }
    CHECK(failed > 20 && failed < 300);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_yaml_rules),
        cmocka_unit_test(test_known_elsewhere),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_owners),
#ifdef MG_DEBUG
        cmocka_unit_test(test_faults),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
