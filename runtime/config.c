// Option tables: defaults, YAML, the command line. A value reaches its place through one function,
// `assign`, wherever it comes from. Texts made from the tables are in config_text.c.
#include "runtime/config_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"

static const char *const *known_keys; // of the whole program; not owned

// Where a value was written, for messages.
typedef struct {
    const char *name; // of the file; NULL: the command line
    int line, column;
} place;

// The i-th row of all tables that is (not) one of a preset.
static const mg_option *row_at(const config_tables *t, size_t i, bool preset, void **base)
{
    for (int g = 0; g < t->count; g++) {
        for (const mg_option *o = t->groups[g].table; o->key; o++) {
            if ((o->type == MG_PRESET) != preset || i-- > 0) continue;
            if (base) *base = t->groups[g].base;
            return o;
        }
    }
    return NULL;
}

const mg_option *config_option_at(const config_tables *t, size_t i, void **base)
{
    return row_at(t, i, false, base);
}

const mg_option *config_preset_at(const config_tables *t, size_t i)
{
    return row_at(t, i, true, NULL);
}

const char *config_last_part(const char *key)
{
    const char *dot = strchr(key, '.');
    return dot ? dot + 1 : key;
}

bool config_in_section(const char *key, const char *section)
{
    size_t n = strlen(section);
    return strncmp(key, section, n) == 0 && key[n] == '.';
}

const mg_option *config_find_key(const config_tables *t, const char *key)
{
    const mg_option *o;

    for (size_t i = 0; (o = config_option_at(t, i, NULL)); i++)
        if (strcmp(o->key, key) == 0) return o;
    return NULL;
}

static bool has_section(const config_tables *t, const char *section)
{
    const mg_option *o;

    for (size_t i = 0; (o = config_option_at(t, i, NULL)); i++)
        if (config_in_section(o->key, section)) return true;
    return false;
}

// A key of the same last part in another section, or else the one with the fewest changes.
static const char *nearest_key(const config_tables *t, const char *key)
{
    const char *best = "";
    int least = 1 << 20;
    const mg_option *o;

    for (size_t i = 0; (o = config_option_at(t, i, NULL)); i++) {
        const char *whole = strchr(key, '.') ? o->key : config_last_part(o->key);
        int distance = mg_text_distance(key, whole);
        if (strcmp(config_last_part(o->key), config_last_part(key)) == 0 && distance > 1)
            distance = 1;
        if (distance < least) least = distance, best = o->key;
    }
    return best;
}

// ---- values

static mg_status bad_value(const mg_option *o, const char *found, const place *at)
{
    char expected[512], where[512];

    if (o->type == MG_INT || o->type == MG_REAL) {
        const char *kind = o->type == MG_INT ? "a whole number" : "a number";
        if (o->min == 0 && o->max == 0)
            snprintf(expected, sizeof expected, "%s", kind);
        else
            snprintf(expected, sizeof expected, "%s from %g to %g", kind, o->min, o->max);
    } else if (o->type == MG_BOOL) {
        snprintf(expected, sizeof expected, "true or false");
    } else if (o->type == MG_CHOICE) {
        snprintf(expected, sizeof expected, "one of %s", o->choices);
    } else {
        snprintf(expected, sizeof expected, "a %s", o->type == MG_LIST ? "list of texts" : "text");
    }
    if (at->name)
        snprintf(where, sizeof where, "in '%s' at line %d, column %d", at->name, at->line,
                 at->column);
    else
        snprintf(where, sizeof where, "on the command line");
    return MG_FAIL(MG_ERR_CONFIG, "setting '%s' is '%s' %s, expected %s", o->key, found, where,
                   expected);
}

static bool in_bounds(const mg_option *o, double value)
{
    return (o->min == 0 && o->max == 0) || (value >= o->min && value <= o->max);
}

static bool is_choice(const mg_option *o, const char *text)
{
    size_t n = strlen(text);

    for (const char *p = o->choices; p; p = strchr(p, '|')) {
        p += *p == '|';
        if (strncmp(p, text, n) == 0 && (p[n] == '|' || p[n] == '\0')) return true;
    }
    return false;
}

static void list_free(mg_list *list)
{
    for (int i = 0; i < list->count; i++) mg_free(list->item[i]);
    mg_free(list->item);
    *list = (mg_list){0};
}

static mg_status list_add(mg_list *list, const char *text, size_t bytes)
{
    char **grown = mg_realloc(list->item, ((size_t)list->count + 1) * sizeof *grown);
    if (grown) list->item = grown;
    char *copy = grown ? mg_sprintf("%.*s", (int)bytes, text) : NULL;
    MG_CHECK(copy, MG_ERR_MEMORY, "cannot allocate a list");
    list->item[list->count++] = copy;
    return MG_OK;
}

// "a, b,c" to its parts without spaces around them.
static mg_status list_split(mg_list *list, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, ","), from = strspn(text, " "), to = n;
        while (to > from && text[to - 1] == ' ') to--;
        if (from < to) MG_TRY(list_add(list, text + from, to - from));
        text += n + (text[n] == ',');
    }
    return MG_OK;
}

static mg_status list_read(const mg_option *o, const mg_yaml *value, const place *at, mg_list *list)
{
    if (value->kind == MG_YAML_SCALAR) {
        if (!value->plain) return list_add(list, value->text, strlen(value->text));
        return mg_yaml_is_null(value->text) ? MG_OK : list_split(list, value->text);
    }
    if (value->kind == MG_YAML_MAPPING) return bad_value(o, "a mapping", at);
    for (size_t i = 0; i < value->count; i++) {
        const mg_yaml *item = value->child[i];
        if (item->kind != MG_YAML_SCALAR) return bad_value(o, "a nested list", at);
        MG_TRY(list_add(list, item->text, strlen(item->text)));
    }
    return MG_OK;
}

static void release(const mg_option *o, void *spot)
{
    if (o->type == MG_TEXT || o->type == MG_CHOICE) {
        mg_free(*(char **)spot);
        *(char **)spot = NULL;
    } else if (o->type == MG_LIST) {
        list_free(spot);
    } else if (o->type == MG_TREE) {
        mg_json_free(spot);
    }
}

static mg_status assign_text(const mg_option *o, const mg_yaml *value, char **spot)
{
    bool empty = o->type == MG_TEXT && value->plain && mg_yaml_is_null(value->text);
    char *copy = mg_strdup(empty ? "" : value->text);

    MG_CHECK(copy, MG_ERR_MEMORY, "cannot allocate a text");
    mg_free(*spot);
    *spot = copy;
    return MG_OK;
}

static mg_status assign_list(const mg_option *o, const mg_yaml *value, const place *at,
                             mg_list *spot)
{
    mg_list list = {0};
    mg_status st = list_read(o, value, at, &list);

    if (st) {
        list_free(&list);
        return st;
    }
    list_free(spot);
    *spot = list;
    return MG_OK;
}

static mg_status assign_tree(const mg_yaml *value, mg_json **spot)
{
    bool empty = value->kind == MG_YAML_SCALAR && value->plain && mg_yaml_is_null(value->text);
    mg_json *tree = empty ? NULL : mg_yaml_json(value);

    MG_CHECK(tree || empty, MG_ERR_MEMORY, "cannot allocate a setting");
    mg_json_free(spot);
    *spot = tree;
    return MG_OK;
}

// Check `value` against the option and put it into the structure at `base`.
static mg_status assign(const mg_option *o, void *base, const mg_yaml *value, const place *at)
{
    void *spot = (char *)base + o->at;
    int64_t whole;
    double real;
    bool flag;

    if (o->type == MG_TREE) return assign_tree(value, spot);
    if (o->type == MG_LIST) return assign_list(o, value, at, spot);
    if (value->kind != MG_YAML_SCALAR)
        return bad_value(o, value->kind == MG_YAML_MAPPING ? "a mapping" : "a list", at);

    const char *text = value->text;
    switch (o->type) {
    case MG_INT:
        if (!mg_yaml_to_int(text, &whole) || !in_bounds(o, (double)whole))
            return bad_value(o, text, at);
        *(int64_t *)spot = whole;
        return MG_OK;
    case MG_REAL:
        if (!mg_yaml_to_real(text, &real) || !in_bounds(o, real)) return bad_value(o, text, at);
        *(double *)spot = real;
        return MG_OK;
    case MG_BOOL:
        if (!mg_yaml_to_bool(text, &flag)) return bad_value(o, text, at);
        *(bool *)spot = flag;
        return MG_OK;
    case MG_CHOICE:
        if (!is_choice(o, text)) return bad_value(o, text, at);
        return assign_text(o, value, spot);
    default:
        return assign_text(o, value, spot);
    }
}

// A value written without a file: YAML for trees and bracketed lists, else the text as it stands.
static mg_status assign_plain_text(const mg_option *o, void *base, const char *text)
{
    place at = {0};
    mg_yaml *tree;

    if (o->type != MG_TREE && !(o->type == MG_LIST && text[strspn(text, " ")] == '[')) {
        mg_yaml scalar = {.kind = MG_YAML_SCALAR, .plain = true, .text = (char *)text};
        if (o->type == MG_TEXT) scalar.plain = false; // --out null is a file of that name
        return assign(o, base, &scalar, &at);
    }
    MG_TRY(mg_yaml_read(text, o->key, &tree));
    mg_status st = assign(o, base, tree, &at);
    mg_yaml_free(&tree);
    return st;
}

mg_status mg_list_numbers(const mg_list *list, const char *key, int count, double *out)
{
    if (list->count == 0) return MG_OK;
    MG_CHECK(list->count == count, MG_ERR_CONFIG, "%s has %d numbers, expected %d", key,
             list->count, count);
    for (int i = 0; i < count; i++) {
        char *end;
        out[i] = strtod(list->item[i], &end);
        MG_CHECK(end != list->item[i] && !*end && isfinite(out[i]), MG_ERR_CONFIG,
                 "%s: '%s' is not a number", key, list->item[i]);
    }
    return MG_OK;
}

// ---- loading

static mg_status set_defaults(const config_tables *t)
{
    const mg_option *o;
    void *base;

    for (size_t i = 0; (o = config_option_at(t, i, &base)); i++) {
        void *spot = (char *)base + o->at;
        if (o->type == MG_TEXT || o->type == MG_CHOICE) *(char **)spot = NULL;
        if (o->type == MG_LIST) *(mg_list *)spot = (mg_list){0};
        if (o->type == MG_TREE) *(mg_json **)spot = NULL;
    }
    for (size_t i = 0; (o = config_option_at(t, i, &base)); i++)
        MG_TRY(assign_plain_text(o, base, o->def ? o->def : ""));
    return MG_OK;
}

// True if `name`, a key or a section, exists in another command of the program.
static bool known_elsewhere(const char *name)
{
    for (const char *const *k = known_keys; k && *k; k++)
        if (strcmp(*k, name) == 0 || config_in_section(*k, name) || config_in_section(name, *k))
            return true;
    return false;
}

// One "section.name: value" of the file, for every table that has the key.
static mg_status load_key(const config_tables *t, const char *key, const mg_yaml *where,
                          const mg_yaml *value, const char *name)
{
    place at = {name, value->line, value->column};
    const mg_option *o;
    void *base;
    bool found = false;

    for (size_t i = 0; (o = config_option_at(t, i, &base)); i++) {
        if (strcmp(o->key, key) != 0) continue;
        MG_TRY(assign(o, base, value, &at));
        found = t->given[i] = true;
    }
    MG_CHECK(found || known_elsewhere(key), MG_ERR_CONFIG,
             "unknown setting '%s' in '%s' at line %d, column %d; the nearest is '%s'", key, name,
             where->line, where->column, nearest_key(t, key));
    return MG_OK;
}

static mg_status unknown_section(const config_tables *t, const mg_yaml *section, const char *name)
{
    char best[KEY_BYTES] = "";
    int least = 1 << 20;
    const mg_option *o;

    for (size_t i = 0; (o = config_option_at(t, i, NULL)); i++) {
        char candidate[KEY_BYTES];
        snprintf(candidate, sizeof candidate, "%.*s", (int)strcspn(o->key, "."), o->key);
        int distance = mg_text_distance(section->text, candidate);
        if (distance < least) least = distance, strcpy(best, candidate);
    }
    return MG_FAIL(MG_ERR_CONFIG,
                   "unknown section '%s' in '%s' at line %d, column %d; the nearest is '%s'",
                   section->text, name, section->line, section->column, best);
}

static mg_status load_section(const config_tables *t, const mg_yaml *section, const mg_yaml *body,
                              const char *name)
{
    char key[KEY_BYTES];

    if (strchr(section->text, '.')) return load_key(t, section->text, section, body, name);
    if (!has_section(t, section->text) && !known_elsewhere(section->text))
        return unknown_section(t, section, name);
    if (body->kind == MG_YAML_SCALAR && body->plain && mg_yaml_is_null(body->text)) return MG_OK;
    MG_CHECK(body->kind == MG_YAML_MAPPING, MG_ERR_CONFIG,
             "section '%s' in '%s' at line %d is not a mapping of settings", section->text, name,
             section->line);
    for (size_t i = 0; i < body->count; i += 2) {
        snprintf(key, sizeof key, "%.60s.%.60s", section->text, body->child[i]->text);
        MG_TRY(load_key(t, key, body->child[i], body->child[i + 1], name));
    }
    return MG_OK;
}

static mg_status load_yaml(const config_tables *t, const char *yaml, const char *name)
{
    mg_yaml *tree;
    mg_status st = MG_OK;

    MG_TRY(mg_yaml_read(yaml, name, &tree));
    if (tree->kind == MG_YAML_MAPPING) {
        for (size_t i = 0; i < tree->count && !st; i += 2)
            st = load_section(t, tree->child[i], tree->child[i + 1], name);
    } else if (tree->kind != MG_YAML_SCALAR || !tree->plain || !mg_yaml_is_null(tree->text)) {
        st = MG_FAIL(MG_ERR_CONFIG, "'%s' holds no mapping of sections", name);
    }
    mg_yaml_free(&tree);
    return st;
}

mg_status mg_config_find(const mg_option_group *groups, int count, const char *own,
                         const char *name, const mg_option **option)
{
    config_tables t = {groups, count, NULL, NULL};
    char key[KEY_BYTES], full[2 * KEY_BYTES];
    const mg_option *o, *found = NULL;

    snprintf(key, sizeof key, "%s", name);
    for (char *p = key; *p; p++)
        if (*p == '-') *p = '_';
    *option = config_find_key(&t, key);
    if (*option) return MG_OK;
    snprintf(full, sizeof full, "%s.%s", own ? own : "", key);
    *option = config_find_key(&t, full);
    if (*option) return MG_OK;
    for (size_t i = 0; !strchr(key, '.') && (o = config_option_at(&t, i, NULL)); i++) {
        if (strcmp(config_last_part(o->key), key) != 0 ||
            (found && strcmp(found->key, o->key) == 0))
            continue;
        MG_CHECK(!found, MG_ERR_CONFIG, "'%s' may be '%s' or '%s': give the whole key", name,
                 found->key, o->key);
        found = o;
    }
    *option = found;
    MG_CHECK(found, MG_ERR_CONFIG, "unknown setting '%s'; the nearest is '%s'", name,
             nearest_key(&t, key));
    return MG_OK;
}

static mg_status apply_set(const config_tables *t, const char *own, const char *set)
{
    char name[KEY_BYTES];
    const char *equal = strchr(set, '=');
    const mg_option *option, *o;
    void *base;

    MG_CHECK(equal && equal > set && equal - set < KEY_BYTES, MG_ERR_CONFIG,
             "setting '%s' is not of the form key=value", set);
    snprintf(name, sizeof name, "%.*s", (int)(equal - set), set);
    MG_TRY(mg_config_find(t->groups, t->count, own, name, &option));
    for (size_t i = 0; (o = config_option_at(t, i, &base)); i++) {
        if (strcmp(o->key, option->key) != 0) continue;
        MG_TRY(assign_plain_text(o, base, equal + 1));
        t->given[i] = true;
    }
    return MG_OK;
}

// Does `condition`, "key=value", hold?
static bool is_chosen(const config_tables *t, const char *condition)
{
    size_t n = strcspn(condition, "=");
    const mg_option *o;
    void *base;

    for (size_t i = 0; (o = config_option_at(t, i, &base)); i++)
        if (strlen(o->key) == n && strncmp(o->key, condition, n) == 0)
            return strcmp(*(char **)((char *)base + o->at), condition + n + 1) == 0;
    return false;
}

// Defaults of the presets that were chosen, where nothing was given.
static mg_status apply_presets(const config_tables *t)
{
    const mg_option *row, *o;
    void *base;

    for (size_t k = 0; (row = config_preset_at(t, k)); k++) {
        if (!is_chosen(t, row->choices)) continue;
        for (size_t i = 0; (o = config_option_at(t, i, &base)); i++)
            if (strcmp(o->key, row->key) == 0 && !t->given[i])
                MG_TRY(assign_plain_text(o, base, row->def));
    }
    return MG_OK;
}

mg_status mg_config_load(const mg_option_group *groups, int count, const char *own,
                         const char *yaml, const char *name, const mg_list *sets)
{
    config_tables t = {groups, count, NULL, NULL};
    mg_status st = set_defaults(&t);
    size_t options = 0;

    while (config_option_at(&t, options, NULL)) options++;
    t.given = mg_calloc(options + 1, sizeof *t.given);
    if (!st && !t.given) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the settings");
    if (!st && yaml) st = load_yaml(&t, yaml, name);
    for (int i = 0; !st && sets && i < sets->count; i++) st = apply_set(&t, own, sets->item[i]);
    if (!st) st = apply_presets(&t);
    mg_free(t.given);
    if (st) mg_config_free(groups, count);
    return st;
}

// Bytes of the structure that a table fills in.
static size_t base_bytes(const mg_option *table)
{
    size_t bytes = 1;

    for (const mg_option *o = table; o->key; o++)
        if (bytes < o->at + sizeof(mg_list)) bytes = o->at + sizeof(mg_list); // the largest value
    return bytes;
}

mg_status mg_config_complete(const mg_option_group *groups, int count, const char *yaml,
                             const char *name, char **echo)
{
    mg_option_group *own = mg_calloc((size_t)count + 1, sizeof *own);
    mg_status st = own ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate the settings");

    *echo = NULL;
    for (int i = 0; i < count && !st; i++) {
        own[i] = (mg_option_group){groups[i].table, mg_calloc(1, base_bytes(groups[i].table))};
        if (!own[i].base) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the settings");
    }
    if (!st) st = mg_config_load(own, count, NULL, yaml, name, NULL);
    if (!st) {
        *echo = mg_config_echo(own, count);
        if (!*echo) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the settings as text");
        mg_config_free(own, count);
    }
    for (int i = 0; i < count && own; i++) mg_free(own[i].base);
    mg_free(own);
    return st;
}

void mg_config_free(const mg_option_group *groups, int count)
{
    config_tables t = {groups, count, NULL, NULL};
    const mg_option *o;
    void *base;

    for (size_t i = 0; (o = config_option_at(&t, i, &base)); i++) release(o, (char *)base + o->at);
}

void mg_config_sections(const char *const *known)
{
    known_keys = known;
}
