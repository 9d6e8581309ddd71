// Many texts in little memory, lists of them, and their order.
#ifndef MG_RUNTIME_TEXTS_H
#define MG_RUNTIME_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/err.h"

// Copies of texts one behind the other, in blocks that stay where they are: a million names take their
// own bytes and no more. Zero to begin with.
typedef struct {
    char *block; // the newest; the others hang on it
    size_t used; // bytes of it
} mg_arena;

char *mg_arena_text(mg_arena *arena,
                    const char *text); // a copy until mg_arena_free; NULL: no memory
void mg_arena_free(mg_arena *arena);

// A list of texts that owns them. Zero to begin with.
typedef struct {
    char **item; // in `arena`
    size_t count, room;
    mg_arena arena;
} mg_texts;

mg_status mg_texts_add(mg_texts *list, const char *text); // copies
void mg_texts_free(mg_texts *list);
void mg_texts_sort_natural(mg_texts *list);

// Natural order: runs of digits compare as numbers ("img2" < "img10"), the rest bytewise; ties by
// strcmp. For qsort-like use on texts.
int mg_natural_compare(const char *a, const char *b);

// Number of changes (a character more, less, other, or two swapped) from one text to the other: for
// "the nearest is ..." in messages. Only the first 127 characters count.
int mg_text_distance(const char *a, const char *b);

#endif
