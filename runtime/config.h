// Settings: one table of options per command (or shared section) makes parsing, bounds, --help,
// docs/config.md and the echo of a run's config.yaml.
// Precedence: table default, default of a preset, YAML file, --set key=value and --name value in the
// order given.
#ifndef MG_RUNTIME_CONFIG_H
#define MG_RUNTIME_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"
#include "runtime/json.h"
#include "runtime/yaml.h"

typedef enum {
    MG_INT,    // int64_t
    MG_REAL,   // double
    MG_BOOL,   // bool
    MG_TEXT,   // char *, never NULL; "" is "not set"
    MG_CHOICE, // char *, one of `choices` ("sum|split|rotate")
    MG_LIST,   // mg_list of texts: YAML sequence, or "a,b,c" on the command line
    MG_TREE,   // mg_json *: any YAML value as JSON (mappings, lists of mappings); NULL if not set
    MG_PRESET, // no setting: another default of `key`; holds where `choices` says ("train.preset=old")
} mg_option_type;

typedef struct {
    int count;
    char **item;
} mg_list;

// `count` finite numbers of a list setting; an empty list leaves `out` as it is. MG_ERR_CONFIG names the key.
mg_status mg_list_numbers(const mg_list *list, const char *key, int count, double *out);

// One setting. `at` is an offset into the structure given with the table (see mg_option_group).
// `def` is the default as it would be written with --set ("" for an empty list or tree).
// `min`/`max` bound MG_INT and MG_REAL; both 0 means no bounds.
// For MG_CHOICE `choices` lists the values separated by '|', otherwise it is NULL.
// Rows of MG_PRESET stand in the table of the option whose default they change.
typedef struct {
    const char *key; // "train.epochs": section, dot, name
    mg_option_type type;
    size_t at;
    const char *def;
    double min, max;
    const char *help;
    const char *choices;
} mg_option;

// A table (ended by a zero line) and the structure its values go into.
typedef struct {
    const mg_option *table;
    void *base;
} mg_option_group;

// Set defaults, read YAML text (NULL: none; `name` goes into messages), apply `sets` ("key=value",
// also "name=value" where the name is the last part of exactly one key of these groups, preferring
// section `own`; '-' in names reads as '_'). Texts, lists and trees are owned by the structure:
// release with mg_config_free. Errors (MG_ERR_CONFIG) name line, column and the nearest valid key.
// A value given with --set is taken as it stands for MG_TEXT and MG_CHOICE, and read as YAML for
// MG_TREE and for a list that begins with '['. On failure the structures hold nothing to release.
mg_status mg_config_load(const mg_option_group *groups, int count, const char *own,
                         const char *yaml, const char *name, const mg_list *sets);
void mg_config_free(const mg_option_group *groups, int count);

// All settings of these groups as YAML text in table order, one `section:` block each, exactly
// readable by mg_config_load. Release with mg_free.
char *mg_config_echo(const mg_option_group *groups, int count);

// A run's config.yaml as today's program would have written it: settings that `yaml` (called `name` in
// messages) does not have get the defaults of these tables. *echo as from mg_config_echo; bases are not
// used. Fails where mg_config_load does.
mg_status mg_config_complete(const mg_option_group *groups, int count, const char *yaml,
                             const char *name, char **echo);

// Usage text of the tables for --help: key, default, bounds or choices, help. To stdout.
void mg_config_help(const mg_option_group *groups, int count);

// The same as Markdown (docs/config.md). `owners` names the command of each group, shown where the
// commands differ in a key; may be NULL. Release with mg_free.
char *mg_config_markdown(const mg_option_group *groups, int count, const char *const *owners);

// Names of the sections of these groups, "`model`, `train`". Release with mg_free.
char *mg_config_list_sections(const mg_option_group *groups, int count);

// Tell the module what exists in the program at all, so that one YAML file can serve several
// commands: full keys ("train.epochs") or whole sections ("amos"), NULL-ended, kept by the caller.
// What a file sets and no table of the running command names is skipped if it is in this list, and
// an error otherwise.
void mg_config_sections(const char *const *known);

// The option of this key or name ('-' reads as '_', `own` as for mg_config_load) in the tables.
// MG_ERR_CONFIG if there is none or the name is not unique; the message names the nearest.
mg_status mg_config_find(const mg_option_group *groups, int count, const char *own,
                         const char *name, const mg_option **option);

#endif
