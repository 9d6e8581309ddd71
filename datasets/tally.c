// Counts of files by folder; see tally.h.
#include "datasets/tally.h"

#include <string.h>

#include "runtime/log.h"
#include "runtime/mem.h"

static mg_status add_folder(mg_tally *t, const char *folder)
{
    size_t n = t->folder.count;

    if (n == t->room) {
        size_t room = 2 * t->room + 16;
        void *grown = mg_realloc(t->count, room * sizeof *t->count);
        MG_CHECK(grown, MG_ERR_MEMORY, "no memory for counts of %zu folders", room);
        t->count = grown;
        t->room = room;
    }
    memset(t->count[n], 0, sizeof t->count[n]);
    MG_TRY(mg_texts_add(&t->folder, folder));
    return mg_names_add(&t->index, folder, (int64_t)n);
}

mg_status mg_tally_add(mg_tally *tally, const char *path, int files, int rejected)
{
    char *folder = mg_path_dir(path);
    mg_status st = MG_OK;

    MG_CHECK(folder, MG_ERR_MEMORY, "no memory for the folder of '%s'", path);
    if (mg_names_find(&tally->index, folder) < 0) st = add_folder(tally, folder);
    if (!st) {
        int64_t *count = tally->count[mg_names_find(&tally->index, folder)];
        count[0] += files;
        count[1] += rejected;
    }
    mg_free(folder);
    return st;
}

void mg_tally_log(const mg_tally *tally)
{
    for (size_t i = 0; i < tally->folder.count; i++)
        mg_info("masks of no use in '%s': %lld of %lld", tally->folder.item[i],
                (long long)tally->count[i][1], (long long)tally->count[i][0]);
}

void mg_tally_free(mg_tally *tally)
{
    mg_names_free(&tally->index);
    mg_texts_free(&tally->folder);
    mg_free(tally->count);
    *tally = (mg_tally){0};
}
