// The settings of all data sets for a command that works on one of them: its own table first, then a section
// for each set that has settings.
#ifndef MG_DATASETS_SECTIONS_H
#define MG_DATASETS_SECTIONS_H

#include "datasets/dataset.h"
#include "runtime/cli.h"

typedef struct {
    mg_option_group group[MG_MAX_GROUPS];
    const mg_dataset *set[MG_MAX_GROUPS]; // NULL for the command's own
    int count;
} mg_sections;

// The tables alone; `base` is the command's own structure (NULL for --help).
void mg_sections_list(mg_sections *s, const mg_option *own, void *base);

// Structures for all of them, filled from file and command line. Collective on args->world. Released with
// mg_sections_free, also after a failure.
mg_status mg_sections_load(const mg_args *args, mg_sections *s);
void mg_sections_free(mg_sections *s);

// Settings of a set, NULL if it has none; and as YAML text ("" if none), mg_free.
const void *mg_sections_config(const mg_sections *s, const mg_dataset *set);
char *mg_sections_echo(const mg_sections *s, const mg_dataset *set);

// The data set of this name; MG_ERR_CONFIG lists all. `key` is the setting that names it.
mg_status mg_sections_find(const char *key, const char *name, const mg_dataset **set);

#endif
