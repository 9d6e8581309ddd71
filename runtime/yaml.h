// YAML texts as trees with positions, or as JSON. The one home of libyaml.
// Untrusted input: no aliases, anchors or tags, depth at most 16, at most 1 MiB, one document,
// duplicate keys refused, keys are scalars. Every failure is MG_ERR_CONFIG and names line and column.
#ifndef MG_RUNTIME_YAML_H
#define MG_RUNTIME_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"
#include "runtime/json.h"

enum { MG_YAML_DEPTH = 16, MG_YAML_BYTES = 1 << 20 };

typedef enum { MG_YAML_SCALAR, MG_YAML_SEQUENCE, MG_YAML_MAPPING } mg_yaml_kind;

typedef struct mg_yaml {
    mg_yaml_kind kind;
    int line, column; // from 1
    bool plain;       // a scalar without quotes
    char *text;       // of a scalar
    struct mg_yaml **child;
    size_t count, room; // children; of a mapping: key, value, key, value ...
} mg_yaml;

// Read one document; `name` (a file name) goes into messages. An empty text gives a plain scalar "".
mg_status mg_yaml_read(const char *text, const char *name, mg_yaml **out);
void mg_yaml_free(mg_yaml **node);

// The same as JSON: plain scalars by the core schema of YAML 1.2 (true, 12, 0x1f, 1e-3, null), all
// else as texts. Caller frees.
mg_status mg_yaml_parse(const char *text, const char *name, mg_json **out);
mg_json *mg_yaml_json(const mg_yaml *node); // NULL without memory

// Plain scalars of the core schema; false if `text` is not one. Booleans also take yes and no.
// Whole numbers may be written as reals (1e9) if they are exact.
bool mg_yaml_is_null(const char *text);
bool mg_yaml_to_bool(const char *text, bool *value);
bool mg_yaml_to_int(const char *text, int64_t *value);
bool mg_yaml_to_real(const char *text, double *value);

// A text as a scalar that reads back as the same text, quoted where that is needed. mg_free.
char *mg_yaml_quote(const char *text);

#endif
