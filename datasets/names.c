// Open addressing with linear probing, at most half full.
#include "datasets/names.h"

#include <ctype.h>
#include <strings.h>

#include "runtime/mem.h"

static uint64_t fold_hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u; // FNV-1a-64
    for (; *name; name++) h = (h ^ (uint64_t)tolower((unsigned char)*name)) * 0x100000001b3u;
    return h ^ h >> 32;
}

// The slot of a name, or the free one where it would go.
static int64_t slot_of(const mg_names *names, const char *name)
{
    int64_t i = (int64_t)(fold_hash(name) & (uint64_t)(names->slots - 1));
    while (names->name[i] && strcasecmp(names->name[i], name)) i = (i + 1) & (names->slots - 1);
    return i;
}

static mg_status grow(mg_names *names)
{
    mg_names wide = *names;

    wide.slots = names->slots ? 2 * names->slots : 64;
    wide.name = mg_calloc((size_t)wide.slots, sizeof *wide.name);
    wide.value = mg_calloc((size_t)wide.slots, sizeof *wide.value);
    if (!wide.name || !wide.value) {
        mg_free(wide.name);
        mg_free(wide.value);
        return MG_FAIL(MG_ERR_MEMORY, "no memory for a table of %lld names",
                       (long long)names->count);
    }
    for (int64_t i = 0; i < names->slots; i++) {
        if (!names->name[i]) continue;
        int64_t at = slot_of(&wide, names->name[i]);
        wide.name[at] = names->name[i];
        wide.value[at] = names->value[i];
    }
    mg_free(names->name);
    mg_free(names->value);
    *names = wide;
    return MG_OK;
}

mg_status mg_names_add(mg_names *names, const char *name, int64_t value)
{
    if (2 * (names->count + 1) > names->slots) MG_TRY(grow(names));
    int64_t at = slot_of(names, name);
    if (names->name[at]) return MG_OK;
    names->name[at] = mg_arena_text(&names->arena, name);
    MG_CHECK(names->name[at], MG_ERR_MEMORY, "no memory for the name '%s'", name);
    names->value[at] = value;
    names->count++;
    return MG_OK;
}

int64_t mg_names_find(const mg_names *names, const char *name)
{
    if (!names->slots) return -1;
    int64_t at = slot_of(names, name);
    return names->name[at] ? names->value[at] : -1;
}

void mg_names_free(mg_names *names)
{
    mg_arena_free(&names->arena);
    mg_free(names->name);
    mg_free(names->value);
    *names = (mg_names){0};
}
