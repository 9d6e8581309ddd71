// libyaml's events made into a small tree that remembers where each value stood. Only what a
// settings file needs is accepted; see the header.
#include "runtime/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "runtime/mem.h"

typedef struct {
    yaml_parser_t parser;
    const char *name;
} reader;

#define FAIL_AT(name, mark, ...) fail_at(__LINE__, name, mark, __VA_ARGS__)

static mg_status fail_at(int line, const char *name, yaml_mark_t at, const char *problem)
{
    return mg_err_fail(MG_ERR_CONFIG, __FILE__, line, "mg_yaml_read",
                       "%s in '%s' at line %zu, column %zu", problem, name, at.line + 1,
                       at.column + 1);
}

static mg_status next_event(reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event)) return MG_OK;
    const char *problem = r->parser.problem ? r->parser.problem : "not valid YAML";
    return FAIL_AT(r->name, r->parser.problem_mark, problem);
}

static mg_yaml *node_new(mg_yaml_kind kind, yaml_mark_t at)
{
    mg_yaml *node = mg_calloc(1, sizeof *node);

    if (!node) return NULL;
    node->kind = kind;
    node->line = (int)at.line + 1;
    node->column = (int)at.column + 1;
    return node;
}

void mg_yaml_free(mg_yaml **at)
{
    mg_yaml *node = *at;

    if (!node) return;
    for (size_t i = 0; i < node->count; i++) mg_yaml_free(&node->child[i]);
    mg_free(node->child);
    mg_free(node->text);
    mg_free(node);
    *at = NULL;
}

static mg_status add_child(mg_yaml *parent, mg_yaml *child)
{
    if (parent->count == parent->room) {
        size_t room = parent->room ? 2 * parent->room : 8;
        mg_yaml **grown = mg_realloc(parent->child, room * sizeof *grown);
        MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate a YAML node");
        parent->child = grown;
        parent->room = room;
    }
    parent->child[parent->count++] = child;
    return MG_OK;
}

// Refuse a key that is no scalar or stood in this mapping before.
static mg_status check_key(const reader *r, const mg_yaml *map, const mg_yaml *key, yaml_mark_t at)
{
    char problem[256];

    if (key->kind != MG_YAML_SCALAR) return FAIL_AT(r->name, at, "a key that is not a scalar");
    for (size_t i = 0; i < map->count; i += 2) {
        if (strcmp(map->child[i]->text, key->text) != 0) continue;
        snprintf(problem, sizeof problem, "duplicate key '%.100s' (first at line %d)", key->text,
                 map->child[i]->line);
        return FAIL_AT(r->name, at, problem);
    }
    return MG_OK;
}

static mg_status read_node(reader *r, const yaml_event_t *event, int depth, mg_yaml **out);

// The children of a sequence or mapping up to its end.
static mg_status read_children(reader *r, mg_yaml *parent, int depth)
{
    bool is_map = parent->kind == MG_YAML_MAPPING;
    yaml_event_type_t end = is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;

    for (;;) {
        yaml_event_t event;
        mg_yaml *child = NULL;
        MG_TRY(next_event(r, &event));
        if (event.type == end) {
            yaml_event_delete(&event);
            return MG_OK;
        }
        mg_status st = read_node(r, &event, depth, &child);
        if (!st && is_map && parent->count % 2 == 0)
            st = check_key(r, parent, child, event.start_mark);
        if (!st) st = add_child(parent, child);
        yaml_event_delete(&event);
        if (st) {
            mg_yaml_free(&child);
            return st;
        }
    }
}

static mg_status read_scalar(const reader *r, const yaml_event_t *event, mg_yaml *node)
{
    const char *text = (const char *)event->data.scalar.value;

    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (strlen(text) != event->data.scalar.length)
        return FAIL_AT(r->name, event->start_mark, "a zero byte in a text");
    node->text = mg_strdup(text);
    MG_CHECK(node->text, MG_ERR_MEMORY, "cannot allocate a YAML text");
    return MG_OK;
}

// The node that begins with `event`, which the caller deletes.
static mg_status read_node(reader *r, const yaml_event_t *event, int depth, mg_yaml **out)
{
    mg_yaml_kind kind = MG_YAML_SCALAR;
    const void *anchor = NULL, *tag = NULL;

    switch (event->type) {
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        kind = MG_YAML_SEQUENCE;
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        kind = MG_YAML_MAPPING;
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default: // an alias is the only other event that stands for a node
        return FAIL_AT(r->name, event->start_mark, "an alias, which is not allowed,");
    }
    if (anchor) return FAIL_AT(r->name, event->start_mark, "an anchor, which is not allowed,");
    if (tag) return FAIL_AT(r->name, event->start_mark, "a tag, which is not allowed,");
    if (kind != MG_YAML_SCALAR && depth >= MG_YAML_DEPTH)
        return FAIL_AT(r->name, event->start_mark, "more than 16 levels");

    mg_yaml *node = node_new(kind, event->start_mark);
    MG_CHECK(node, MG_ERR_MEMORY, "cannot allocate a YAML node");
    mg_status st =
        kind == MG_YAML_SCALAR ? read_scalar(r, event, node) : read_children(r, node, depth + 1);
    if (st) mg_yaml_free(&node);
    *out = node;
    return st;
}

// Step over one event; fails if it is not of this type.
static mg_status expect(reader *r, yaml_event_type_t type, const char *problem)
{
    yaml_event_t event;
    mg_status st = MG_OK;

    MG_TRY(next_event(r, &event));
    if (event.type != type) st = FAIL_AT(r->name, event.start_mark, problem);
    yaml_event_delete(&event);
    return st;
}

static mg_status read_document(reader *r, mg_yaml **out)
{
    yaml_event_t event;

    MG_TRY(expect(r, YAML_STREAM_START_EVENT, "no stream"));
    MG_TRY(next_event(r, &event));
    if (event.type == YAML_STREAM_END_EVENT) {
        yaml_mark_t at = event.start_mark;
        yaml_event_delete(&event);
        *out = node_new(MG_YAML_SCALAR, at);
        if (*out) (*out)->plain = true, (*out)->text = mg_strdup("");
        MG_CHECK(*out && (*out)->text, MG_ERR_MEMORY, "cannot allocate a YAML node");
        return MG_OK;
    }
    yaml_event_delete(&event);
    MG_TRY(next_event(r, &event));
    mg_status st = read_node(r, &event, 0, out);
    yaml_event_delete(&event);
    if (st) return st;
    MG_TRY(expect(r, YAML_DOCUMENT_END_EVENT, "no end of document"));
    return expect(r, YAML_STREAM_END_EVENT, "a second document");
}

mg_status mg_yaml_read(const char *text, const char *name, mg_yaml **out)
{
    reader r = {.name = name};
    size_t bytes = strlen(text);

    *out = NULL;
    MG_CHECK(bytes <= MG_YAML_BYTES, MG_ERR_CONFIG, "'%s' has %zu bytes, at most %d are allowed",
             name, bytes, MG_YAML_BYTES);
    MG_CHECK(!mg_fault() && yaml_parser_initialize(&r.parser), MG_ERR_MEMORY,
             "cannot allocate a YAML parser");
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, bytes);
    mg_status st = read_document(&r, out);
    yaml_parser_delete(&r.parser);
    if (st) mg_yaml_free(out);
    return st;
}

// ---- scalars

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0) return true;
    return false;
}

bool mg_yaml_is_null(const char *text)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return is_one_of(text, words);
}

static bool core_bool(const char *text, bool *value)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};

    *value = is_one_of(text, yes);
    return *value || is_one_of(text, no);
}

bool mg_yaml_to_bool(const char *text, bool *value)
{
    static const char *const yes[] = {"yes", "Yes", "YES", NULL};
    static const char *const no[] = {"no", "No", "NO", NULL};

    if (core_bool(text, value)) return true;
    *value = is_one_of(text, yes);
    return *value || is_one_of(text, no);
}

// [-+]? digits, 0o octal, 0x hexadecimal
static bool core_int(const char *text, int64_t *value)
{
    const char *digits = text, *set = "0123456789";
    int base = 10;

    if (strncmp(text, "0x", 2) == 0)
        digits += 2, base = 16, set = "0123456789abcdefABCDEF";
    else if (strncmp(text, "0o", 2) == 0)
        digits += 2, base = 8, set = "01234567";
    else if (*text == '-' || *text == '+')
        digits++;
    size_t n = strspn(digits, set);
    if (n == 0 || digits[n]) return false;
    errno = 0;
    *value = strtoll(base == 10 ? text : digits, NULL, base);
    return errno == 0;
}

// [-+]? ( .digits | digits [.digits] ) [ e [-+] digits ], .inf, .nan
static bool core_real(const char *text, double *value)
{
    const char *p = text + (*text == '-' || *text == '+');
    const char *digits = "0123456789";

    if (strcasecmp(p, ".inf") == 0) {
        *value = *text == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (strcasecmp(text, ".nan") == 0) {
        *value = NAN;
        return true;
    }
    size_t whole = strspn(p, digits), part = 0;
    p += whole;
    if (*p == '.') {
        part = strspn(p + 1, digits);
        p += 1 + part;
    }
    if (whole + part == 0) return false;
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '-' || p[1] == '+');
        size_t n = strspn(p, digits);
        if (n == 0) return false;
        p += n;
    }
    if (*p) return false;
    *value = strtod(text, NULL);
    return true;
}

bool mg_yaml_to_int(const char *text, int64_t *value)
{
    double real;

    if (core_int(text, value)) return true;
    if (!core_real(text, &real) || !(fabs(real) <= 0x1p53) || real != floor(real)) return false;
    *value = (int64_t)real;
    return true;
}

bool mg_yaml_to_real(const char *text, double *value)
{
    int64_t whole;

    if (core_real(text, value)) return true;
    if (!core_int(text, &whole)) return false; // hexadecimal, octal
    *value = (double)whole;
    return true;
}

// ---- to JSON, and texts back to YAML

static mg_json *scalar_json(const mg_yaml *node)
{
    bool flag;
    int64_t whole;
    double real;

    if (!node->plain) return mg_json_new_text(node->text);
    if (mg_yaml_is_null(node->text)) return mg_json_new_text(NULL);
    if (core_bool(node->text, &flag)) return mg_json_new_bool(flag);
    if (core_int(node->text, &whole)) return mg_json_new_int(whole);
    if (core_real(node->text, &real)) return mg_json_new_real(real);
    return mg_json_new_text(node->text);
}

mg_json *mg_yaml_json(const mg_yaml *node)
{
    if (node->kind == MG_YAML_SCALAR) return scalar_json(node);
    bool is_map = node->kind == MG_YAML_MAPPING;
    mg_json *to = is_map ? mg_json_object() : mg_json_array();
    for (size_t i = 0; to && i < node->count; i += is_map ? 2 : 1) {
        mg_json *value = mg_yaml_json(node->child[is_map ? i + 1 : i]);
        if (!value)
            mg_json_free(&to);
        else if (is_map)
            mg_json_put(to, node->child[i]->text, value);
        else
            mg_json_append(to, value);
    }
    if (to && mg_json_size(to) != node->count / (is_map ? 2 : 1)) mg_json_free(&to); // no memory
    return to;
}

mg_status mg_yaml_parse(const char *text, const char *name, mg_json **out)
{
    mg_yaml *tree;

    *out = NULL;
    MG_TRY(mg_yaml_read(text, name, &tree));
    *out = mg_yaml_json(tree);
    mg_yaml_free(&tree);
    MG_CHECK(*out, MG_ERR_MEMORY, "cannot allocate the contents of '%s'", name);
    return MG_OK;
}

// True if the text can stand without quotes and would not be read as something else.
static bool may_be_plain(const char *text)
{
    const char *safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+@%=";
    bool flag;
    double real;

    if (text[strspn(text, safe)] || strchr("-+@%=", *text)) return false;
    if (strcmp(text, "...") == 0) return false; // the end of a document
    return !mg_yaml_is_null(text) && !mg_yaml_to_bool(text, &flag) && !mg_yaml_to_real(text, &real);
}

// Bytes of UTF-8 at `p` that have to be written as an escape, 0 if none; *code is their number.
// Besides the control characters these are what YAML takes for line ends, and what it forbids.
static int to_escape(const unsigned char *p, unsigned *code)
{
    *code = *p;
    if (*p < 0x20 || *p == 0x7F || *p == '"' || *p == '\\') return 1;
    if (p[0] == 0xC2 && p[1] < 0xA0) {
        *code = p[1];
        return 2;
    }
    *code = p[0] >= 0xE0 && p[1] ? (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu) : 0;
    bool special = *code == 0x2028 || *code == 0x2029 || *code == 0xFEFF || *code >= 0xFFFE;
    return p[0] >= 0xE0 && p[0] < 0xF0 && special ? 3 : 0;
}

char *mg_yaml_quote(const char *text)
{
    if (may_be_plain(text)) return mg_strdup(text);
    char *quoted = mg_alloc(6 * strlen(text) + 3), *to = quoted;
    if (!quoted) return NULL;
    *to++ = '"';
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        unsigned code;
        int bytes = to_escape(p, &code);
        if (bytes == 0)
            *to++ = (char)*p++;
        else if (code == '"' || code == '\\')
            *to++ = '\\', *to++ = (char)code;
        else
            to += sprintf(to, code < 0x100 ? "\\x%02X" : "\\u%04X", code);
        p += bytes;
    }
    *to++ = '"';
    *to = '\0';
    return quoted;
}
