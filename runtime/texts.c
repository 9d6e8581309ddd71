// Arenas and lists of texts; see texts.h.
#include "runtime/texts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/mem.h"

// ---- arena

enum { SMALLEST = 256, LARGEST = 1 << 16 }; // bytes of a block; longer texts get one of their own

// What a block begins with.
typedef struct {
    char *before; // the block that was full
    size_t bytes; // of this one
} head;

static bool open_block(mg_arena *arena, size_t text)
{
    size_t last = arena->block ? ((head *)arena->block)->bytes : 0;
    size_t bytes = last ? 2 * last : SMALLEST;

    if (bytes > LARGEST) bytes = LARGEST;
    if (bytes < text + sizeof(head)) bytes = text + sizeof(head);
    char *block = mg_alloc(bytes);
    if (!block) return false;
    *(head *)block = (head){arena->block, bytes};
    *arena = (mg_arena){block, sizeof(head)};
    return true;
}

char *mg_arena_text(mg_arena *arena, const char *text)
{
    size_t bytes = strlen(text) + 1;

    if (!arena->block || ((head *)arena->block)->bytes - arena->used < bytes)
        if (!open_block(arena, bytes)) return NULL;
    char *copy = memcpy(arena->block + arena->used, text, bytes);
    arena->used += bytes;
    return copy;
}

void mg_arena_free(mg_arena *arena)
{
    for (char *block = arena->block, *before; block; block = before) {
        before = ((head *)block)->before;
        mg_free(block);
    }
    *arena = (mg_arena){0};
}

// ---- lists

mg_status mg_texts_add(mg_texts *list, const char *text)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        char **grown = mg_realloc(list->item, room * sizeof *grown);
        MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate a list of %zu texts", room);
        list->item = grown;
        list->room = room;
    }
    char *copy = mg_arena_text(&list->arena, text);
    MG_CHECK(copy, MG_ERR_MEMORY, "cannot allocate a text of %zu bytes", strlen(text));
    list->item[list->count++] = copy;
    return MG_OK;
}

void mg_texts_free(mg_texts *list)
{
    mg_arena_free(&list->arena);
    mg_free(list->item);
    *list = (mg_texts){0};
}

// ---- natural order

// Compare the runs of digits at *a and *b as numbers of any length, and step over them.
static int compare_numbers(const char **a, const char **b)
{
    while (**a == '0') ++*a;
    while (**b == '0') ++*b;
    size_t m = strspn(*a, "0123456789"), n = strspn(*b, "0123456789");
    if (m != n) return m < n ? -1 : 1;
    int order = strncmp(*a, *b, m);
    *a += m;
    *b += m;
    return order;
}

int mg_natural_compare(const char *a, const char *b)
{
    const char *p = a, *q = b;

    while (*p && *q) {
        int order;
        if (isdigit((unsigned char)*p) && isdigit((unsigned char)*q))
            order = compare_numbers(&p, &q);
        else
            order = (unsigned char)*p++ - (unsigned char)*q++;
        if (order) return order;
    }
    if (*p || *q) return *p ? 1 : -1;
    return strcmp(a, b);
}

static int compare_items(const void *a, const void *b)
{
    return mg_natural_compare(*(char *const *)a, *(char *const *)b);
}

void mg_texts_sort_natural(mg_texts *list)
{
    size_t sorted = 1; // how much is in order already, often everything

    while (sorted < list->count &&
           mg_natural_compare(list->item[sorted - 1], list->item[sorted]) <= 0)
        sorted++;
    if (sorted < list->count) qsort(list->item, list->count, sizeof *list->item, compare_items);
}

// ---- nearness

int mg_text_distance(const char *a, const char *b)
{
    enum { LONGEST = 127 };
    int row[3][LONGEST + 1]; // distances of the last three prefixes of `a` to all prefixes of `b`
    int m = (int)strnlen(a, LONGEST), n = (int)strnlen(b, LONGEST);

    for (int j = 0; j <= n; j++) row[0][j] = j;
    for (int i = 1; i <= m; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[m % 3][n];
}
