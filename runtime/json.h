// JSON values: index files, metrics.jsonl, provenance. The one home of jansson.
// Numbers are int64 or double; object keys keep their order of insertion.
#ifndef MG_RUNTIME_JSON_H
#define MG_RUNTIME_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"

typedef struct json_t mg_json;

// New empty values, owned by the caller until they are put into another one. NULL without memory;
// every function below accepts NULL and then does nothing, so building needs one check at the end:
// mg_json_failed, or making a text of it.
mg_json *mg_json_object(void);
mg_json *mg_json_array(void);

mg_json *mg_json_new_int(int64_t value);
mg_json *mg_json_new_real(double value); // NaN and inf become null
mg_json *mg_json_new_bool(bool value);
mg_json *mg_json_new_text(const char *text); // NULL becomes null

// Put a value under a key (replacing), or at the end of an array. `value` is taken over.
void mg_json_put(mg_json *object, const char *key, mg_json *value);
void mg_json_put_int(mg_json *object, const char *key, int64_t value);
void mg_json_put_real(mg_json *object, const char *key, double value);
void mg_json_put_bool(mg_json *object, const char *key, bool value);
void mg_json_put_text(mg_json *object, const char *key, const char *value);
void mg_json_append(mg_json *array, mg_json *value);
void mg_json_append_int(mg_json *array, int64_t value);
void mg_json_append_real(mg_json *array, double value);
void mg_json_append_text(mg_json *array, const char *value);

mg_json *mg_json_copy(const mg_json *value); // deep; NULL of NULL or without memory

// Could something not be made, copied or put for lack of memory since this thread last asked or
// made a text? What was built since then lacks it.
bool mg_json_failed(void);

// Reading. A missing or differently typed member gives NULL or the fallback. Results are borrowed.
const mg_json *mg_json_get(const mg_json *object, const char *key);
const mg_json *mg_json_at(const mg_json *array, size_t i);
size_t mg_json_size(const mg_json *array_or_object); // 0 for anything else
bool mg_json_is_object(const mg_json *value);
bool mg_json_is_array(const mg_json *value);
bool mg_json_is_text(const mg_json *value);
bool mg_json_is_number(const mg_json *value);
int64_t mg_json_int(const mg_json *value, int64_t fallback);
double mg_json_real(const mg_json *value, double fallback);
bool mg_json_bool(const mg_json *value, bool fallback);
const char *mg_json_text(const mg_json *value); // NULL unless it is a text
// Member i of an object in its order: key and value.
const char *mg_json_member(const mg_json *object, size_t i, const mg_json **value);
// Walk an object in its order: `at` NULL gives the first member, later the last result. NULL behind
// the last one.
void *mg_json_next(const mg_json *object, void *at, const char **key, const mg_json **value);

// Parse one JSON text. `name` (a file name) goes into messages with the line and column.
// Fails with MG_ERR_FORMAT; *out is then NULL. Duplicate keys are refused.
mg_status mg_json_parse(const char *text, size_t bytes, const char *name, mg_json **out);
mg_status mg_json_read(const char *path, mg_json **out); // a whole file; also MG_ERR_IO

// The fewest digits that read back as the same number, always with a point or an exponent: "0.1",
// "3.0", "1e-07". `value` is finite; `text` has room for 32 bytes.
void mg_real_text(double value, char *text);

// One line without spaces, or indented. Caller releases with mg_free; NULL without memory, also if there
// was none for a part (mg_json_failed).
char *mg_json_dump(const mg_json *value, bool indent);

// Release; accepts NULL inside, sets it to NULL.
void mg_json_free(mg_json **value);

#endif
