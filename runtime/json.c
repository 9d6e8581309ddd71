// JSON through jansson: thin wrappers that accept NULL, so that a record is built without a check
// after each member. Texts that are not UTF-8 (old file names) are read as Latin-1, which keeps
// every byte. Depth is limited by jansson (2048). jansson's allocations can be made to fail like ours.
#include "runtime/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"

static const size_t file_limit = (size_t)4 << 30;

static void *allocate(size_t bytes)
{
    return mg_fault() ? NULL : malloc(bytes);
}

__attribute__((constructor)) static void use_our_memory(void)
{
    json_set_alloc_funcs(allocate, free);
}

// --- building ---------------------------------------------------------------------------------------

static _Thread_local bool failed; // something could not be made or put since this was last asked

bool mg_json_failed(void)
{
    bool before = failed;

    failed = false;
    return before;
}

static mg_json *made(mg_json *value)
{
    failed |= !value;
    return value;
}

mg_json *mg_json_object(void)
{
    return made(json_object());
}

mg_json *mg_json_array(void)
{
    return made(json_array());
}

mg_json *mg_json_new_int(int64_t value)
{
    return made(json_integer(value));
}

mg_json *mg_json_new_bool(bool value)
{
    return json_boolean(value);
}

mg_json *mg_json_new_real(double value)
{
    return isfinite(value) ? made(json_real(value)) : json_null();
}

// Latin-1 as UTF-8; mg_free.
static char *from_latin1(const char *text)
{
    char *utf8 = mg_alloc(2 * strlen(text) + 1), *to = utf8;

    if (!utf8) return NULL;
    for (const unsigned char *from = (const unsigned char *)text; *from; from++) {
        if (*from >= 0x80) *to++ = (char)(0xC0 | *from >> 6);
        *to++ = (char)(*from >= 0x80 ? 0x80 | (*from & 0x3F) : *from);
    }
    *to = '\0';
    return utf8;
}

mg_json *mg_json_new_text(const char *text)
{
    if (!text) return json_null();
    mg_json *value = json_string(text);
    if (value) return value;
    char *utf8 = from_latin1(text);
    value = utf8 ? json_string(utf8) : NULL;
    mg_free(utf8);
    return made(value);
}

static bool put(mg_json *object, const char *key, mg_json *value)
{
    if (!json_object_set(object, key, value)) return true;
    char *utf8 = from_latin1(key);
    bool done = utf8 && !json_object_set(object, utf8, value);
    mg_free(utf8);
    return done;
}

void mg_json_put(mg_json *object, const char *key, mg_json *value)
{
    if (object && value) failed |= !put(object, key, value);
    json_decref(value);
}

void mg_json_put_int(mg_json *object, const char *key, int64_t value)
{
    mg_json_put(object, key, mg_json_new_int(value));
}

void mg_json_put_real(mg_json *object, const char *key, double value)
{
    mg_json_put(object, key, mg_json_new_real(value));
}

void mg_json_put_bool(mg_json *object, const char *key, bool value)
{
    mg_json_put(object, key, mg_json_new_bool(value));
}

void mg_json_put_text(mg_json *object, const char *key, const char *value)
{
    mg_json_put(object, key, mg_json_new_text(value));
}

void mg_json_append(mg_json *array, mg_json *value)
{
    if (array && value)
        failed |= json_array_append_new(array, value) != 0;
    else
        json_decref(value);
}

void mg_json_append_int(mg_json *array, int64_t value)
{
    mg_json_append(array, mg_json_new_int(value));
}

void mg_json_append_real(mg_json *array, double value)
{
    mg_json_append(array, mg_json_new_real(value));
}

void mg_json_append_text(mg_json *array, const char *value)
{
    mg_json_append(array, mg_json_new_text(value));
}

mg_json *mg_json_copy(const mg_json *value)
{
    return value ? made(json_deep_copy(value)) : NULL;
}

// --- reading ----------------------------------------------------------------------------------------

const mg_json *mg_json_get(const mg_json *object, const char *key)
{
    return json_object_get(object, key);
}

const mg_json *mg_json_at(const mg_json *array, size_t i)
{
    return json_array_get(array, i);
}

size_t mg_json_size(const mg_json *array_or_object)
{
    return json_is_object(array_or_object) ? json_object_size(array_or_object)
                                           : json_array_size(array_or_object);
}

bool mg_json_is_object(const mg_json *value)
{
    return json_is_object(value);
}

bool mg_json_is_array(const mg_json *value)
{
    return json_is_array(value);
}

bool mg_json_is_text(const mg_json *value)
{
    return json_is_string(value);
}

bool mg_json_is_number(const mg_json *value)
{
    return json_is_number(value);
}

int64_t mg_json_int(const mg_json *value, int64_t fallback)
{
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

double mg_json_real(const mg_json *value, double fallback)
{
    return json_is_number(value) ? json_number_value(value) : fallback;
}

bool mg_json_bool(const mg_json *value, bool fallback)
{
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

const char *mg_json_text(const mg_json *value)
{
    return json_string_value(value);
}

const char *mg_json_member(const mg_json *object, size_t i, const mg_json **value)
{
    void *at = json_object_iter((mg_json *)object);

    for (; at && i > 0; i--) at = json_object_iter_next((mg_json *)object, at);
    if (value) *value = at ? json_object_iter_value(at) : NULL;
    return at ? json_object_iter_key(at) : NULL;
}

void *mg_json_next(const mg_json *object, void *at, const char **key, const mg_json **value)
{
    at = at ? json_object_iter_next((mg_json *)object, at) : json_object_iter((mg_json *)object);
    *key = at ? json_object_iter_key(at) : NULL;
    *value = at ? json_object_iter_value(at) : NULL;
    return at;
}

mg_status mg_json_parse(const char *text, size_t bytes, const char *name, mg_json **out)
{
    json_error_t why;

    *out = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    MG_CHECK(*out || json_error_code(&why) != json_error_out_of_memory, MG_ERR_MEMORY,
             "cannot allocate the values of '%s'", name);
    MG_CHECK(*out, MG_ERR_FORMAT, "'%s' is not valid JSON at line %d, column %d: %s", name,
             why.line, why.column, why.text);
    return MG_OK;
}

mg_status mg_json_read(const char *path, mg_json **out)
{
    char *text;
    size_t bytes;

    *out = NULL;
    MG_TRY(mg_read_file(path, file_limit, &text, &bytes));
    mg_status st = mg_json_parse(text, bytes, path, out);
    mg_free(text);
    return st;
}

void mg_real_text(double value, char *text)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 29, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    if (!text[strcspn(text, ".e")]) strcat(text, ".0");
}

static void new_line(FILE *out, int level)
{
    if (level >= 0) fprintf(out, "\n%*s", 2 * level, "");
}

// jansson writes the texts; numbers are written here, since it would write 0.1 with 17 digits.
// `level` is the depth of indentation, negative for one line. False without memory.
static bool dump(FILE *out, const mg_json *value, int level);

static bool dump_key(FILE *out, const char *text, int level)
{
    mg_json *key = json_string(text);
    bool whole = key && dump(out, key, level);

    json_decref(key);
    return whole && fputs(level < 0 ? ":" : ": ", out) >= 0;
}

static bool dump_members(FILE *out, const mg_json *value, int level)
{
    bool is_object = json_is_object(value), whole = true;
    size_t count = mg_json_size(value);
    void *at = json_object_iter((mg_json *)value); // NULL for an array
    int inner = level < 0 ? level : level + 1;

    fputc(is_object ? '{' : '[', out);
    for (size_t i = 0; i < count && whole; i++) {
        if (i > 0) fputc(',', out);
        new_line(out, inner);
        if (is_object) whole = dump_key(out, json_object_iter_key(at), inner);
        whole = whole &&
                dump(out, is_object ? json_object_iter_value(at) : json_array_get(value, i), inner);
        at = json_object_iter_next((mg_json *)value, at);
    }
    if (count > 0) new_line(out, level);
    fputc(is_object ? '}' : ']', out);
    return whole;
}

static bool dump(FILE *out, const mg_json *value, int level)
{
    char text[32];

    if (json_is_object(value) || json_is_array(value)) return dump_members(out, value, level);
    if (!json_is_real(value)) return json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT) == 0;
    mg_real_text(json_real_value(value), text);
    return fputs(text, out) >= 0;
}

char *mg_json_dump(const mg_json *value, bool indent)
{
    char *text = NULL;
    size_t bytes;
    bool incomplete = mg_json_failed();
    FILE *out = value && !incomplete && !mg_fault() ? open_memstream(&text, &bytes) : NULL;

    if (!out) return NULL;
    bool whole = dump(out, value, indent ? 0 : -1) && !ferror(out);
    whole = fclose(out) == 0 && whole;
    char *copy = whole ? mg_strdup(text) : NULL;
    free(text);
    return copy;
}

void mg_json_free(mg_json **value)
{
    json_decref(*value);
    *value = NULL;
}
