// A table from names to numbers, for pairing files with each other and with rows of tables. Names
// are compared without regard to the case of ASCII letters.
#ifndef MG_DATASETS_NAMES_H
#define MG_DATASETS_NAMES_H

#include <stdint.h>

#include "runtime/err.h"
#include "runtime/texts.h"

// Zero to begin with.
typedef struct {
    char **name; // copies in `arena`, NULL where free
    int64_t *value;
    int64_t slots, count; // slots is 0 or a power of two
    mg_arena arena;
} mg_names;

// Keep `value` under `name` unless the name is there already.
mg_status mg_names_add(mg_names *names, const char *name, int64_t value);
int64_t mg_names_find(const mg_names *names, const char *name); // -1 if it is not there
void mg_names_free(mg_names *names);

#endif
