// A corpus of free texts: which sentence names which targets (text-and-weights.md c). Own format: UTF-8,
// one record a line, a text, a tab, comma-separated target names; lines that begin with '#' and empty
// ones are skipped. finetune/texts/ holds one for each data set.
#ifndef MG_FINETUNE_TEXTS_H
#define MG_FINETUNE_TEXTS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/config.h"
#include "runtime/err.h"

enum { MG_TEXT_TARGETS = 64 };

typedef struct {
    char *text;
    uint64_t targets; // bit i: names target[i] of the corpus
    int line;         // in its file
    const char *path; // of the file, as it was given (not owned); NULL: the text is from elsewhere
    bool held_out;    // kept for evaluation: every fifth of the texts that name the same targets
} mg_text;

typedef struct {
    mg_text *text;
    int count, room;
    char *target[MG_TEXT_TARGETS]; // by first appearance, in the spelling of mg_target_name
    int targets;
} mg_corpus;

// Read and check. Target names are known ones (mg_target_name) or among `own` (may be NULL). Errors name
// file and line (MG_ERR_FORMAT): no tab, an empty or repeated text, an unknown or repeated target,
// invalid UTF-8, a special token of CLIP within the text. Release with mg_corpus_free, also after a
// failure.
mg_status mg_corpus_read(const char *path, const mg_list *own, mg_corpus *out);
// Several files as one corpus; a text may stand in one of them only.
mg_status mg_corpus_read_all(const mg_list *paths, const mg_list *own, mg_corpus *out);
void mg_corpus_free(mg_corpus *c);

// The usual spelling of a target of the supported data sets: "arota" is "aorta", "tumor core" is
// "tumour core"; letter case, '_' and spaces do not matter. NULL for a name that is not known. Static.
const char *mg_target_name(const char *name);

// Whether two names, of texts or of classes, mean the same target.
bool mg_target_same(const char *a, const char *b);

// Of the texts, those that name target `name`; with `alone` no other one.
int mg_corpus_count(const mg_corpus *c, const char *name, bool alone);

#endif
