// Fuzz target of YAML: any bytes as a text, as a tree, as JSON, and as settings. Every scalar must read back the same
// after quoting, and settings that were read must read back the same after their echo.
#include "runtime/yaml.h"
#include "runtime/config.h"
#include "tests/fuzz/fuzz.h"

typedef struct {
    int64_t steps;
    double lr;
    bool on;
    char *name, *mode;
} settings;

// clang-format off
static const mg_option options[] = {
    {"a.steps", MG_INT,    offsetof(settings, steps), "3",    -9, 1e18, "", NULL},
    {"a.lr",    MG_REAL,   offsetof(settings, lr),    "1e-4", 0,  1,    "", NULL},
    {"a.on",    MG_BOOL,   offsetof(settings, on),    "true", 0,  0,    "", NULL},
    {"a.name",  MG_TEXT,   offsetof(settings, name),  "",     0,  0,    "", NULL},
    {"b.mode",  MG_CHOICE, offsetof(settings, mode),  "x",    0,  0,    "", "x|yy"},
    {0},
};
// clang-format on

static void look_at_tree(const mg_yaml *node)
{
    for (size_t i = 0; i < node->count; i++) look_at_tree(node->child[i]);
    if (node->kind != MG_YAML_SCALAR) return;
    char *quoted = mg_yaml_quote(node->text);
    mg_yaml *again;
    if (!quoted || mg_yaml_read(quoted, "quoted", &again)) abort();
    if (again->kind != MG_YAML_SCALAR || strcmp(again->text, node->text) != 0) abort();
    mg_yaml_free(&again);
    mg_free(quoted);
}

static void look_at_settings(const char *text)
{
    settings one = {0}, two = {0};
    mg_option_group first = {options, &one}, second = {options, &two};

    if (mg_config_load(&first, 1, "a", text, "fuzz", NULL)) return;
    char *echo = mg_config_echo(&first, 1);
    if (!echo || mg_config_load(&second, 1, "a", echo, "echo", NULL)) abort();
    char *again = mg_config_echo(&second, 1);
    if (!again || strcmp(echo, again) != 0) abort();
    mg_free(echo);
    mg_free(again);
    mg_config_free(&first, 1);
    mg_config_free(&second, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1);
    mg_yaml *tree;
    mg_json *json;

    if (!text) abort();
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    fuzz_begin();
    if (mg_yaml_read(text, "fuzz", &tree) == MG_OK) {
        look_at_tree(tree);
        mg_yaml_free(&tree);
    }
    if (mg_yaml_parse(text, "fuzz", &json) == MG_OK) mg_json_free(&json);
    look_at_settings(text);
    fuzz_end();
    free(text);
    return 0;
}
