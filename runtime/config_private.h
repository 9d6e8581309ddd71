// What the files of the settings module (config.c, config_text.c) share. Nobody else includes this.
#ifndef MG_RUNTIME_CONFIG_PRIVATE_H
#define MG_RUNTIME_CONFIG_PRIVATE_H

#include "runtime/config.h"

enum { KEY_BYTES = 128 };

typedef struct {
    const mg_option_group *groups;
    int count;
    const char *const *owners; // command of each group, for the page of all; NULL otherwise
    bool *given;               // [options] while loading: set by the file or on the command line
} config_tables;

// The i-th option of all tables in order and the structure it belongs to; NULL behind the last.
const mg_option *config_option_at(const config_tables *t, size_t i, void **base);
// The same for the rows of presets, which are no options.
const mg_option *config_preset_at(const config_tables *t, size_t i);

// The first option of this key, or NULL.
const mg_option *config_find_key(const config_tables *t, const char *key);

// "lr" of "train.lr"; and whether a key lies in a section.
const char *config_last_part(const char *key);
bool config_in_section(const char *key, const char *section);

#endif
