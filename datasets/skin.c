// Tables of dermoscopy sets; see skin.h.
#include "datasets/skin.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/mem.h"

static const char *const one_hot[] = {"MEL", "NV", "BCC",  "AKIEC", "AK",
                                      "BKL", "DF", "VASC", "SCC",   "UNK"};

enum { ONE_HOT = sizeof one_hot / sizeof *one_hot };

typedef struct {
    int id, lesion, label, split, one_hot[ONE_HOT];
} columns;

static int first_column(const mg_csv *csv, const char *const *names)
{
    for (; *names; names++)
        if (mg_csv_column(csv, *names) >= 0) return mg_csv_column(csv, *names);
    return -1;
}

static columns find_columns(const mg_csv *csv)
{
    static const char *const id[] = {"image_id", "isic_id", "bcn_filename", "image", NULL};
    static const char *const label[] = {"dx", "diagnosis", "diagnosis_3", NULL};
    columns c = {first_column(csv, id),
                 mg_csv_column(csv, "lesion_id"),
                 first_column(csv, label),
                 mg_csv_column(csv, "split"),
                 {0}};
    for (int i = 0; i < ONE_HOT; i++) c.one_hot[i] = mg_csv_column(csv, one_hot[i]);
    return c;
}

static const char *label_of(const mg_csv *csv, int64_t row, const columns *c)
{
    if (c->label >= 0) return mg_csv_get(csv, row, c->label);
    for (int i = 0; i < ONE_HOT; i++)
        if (*mg_csv_get(csv, row, c->one_hot[i]) == '1') return one_hot[i];
    return "";
}

// Fill in a text that is still unknown.
static mg_status learn(char **known, const char *text)
{
    if (*known && **known) return MG_OK;
    mg_free(*known);
    *known = mg_strdup(text);
    MG_CHECK(*known, MG_ERR_MEMORY, "no memory for '%s'", text);
    return MG_OK;
}

static mg_status take_row(mg_skin *skin, const mg_csv *csv, int64_t row, const columns *c)
{
    char id[128];
    snprintf(id, sizeof id, "%s", mg_csv_get(csv, row, c->id));
    if (mg_scan_is_picture(id)) *strrchr(id, '.') = '\0';
    int64_t at = mg_names_find(&skin->by_id, id);

    if (at < 0) {
        if (skin->count == skin->room) {
            int64_t room = 2 * skin->room + 64;
            mg_skin_fact *grown = mg_realloc(skin->fact, (size_t)room * sizeof *grown);
            MG_CHECK(grown, MG_ERR_MEMORY, "no memory for %lld rows", (long long)room);
            skin->fact = grown;
            skin->room = room;
        }
        at = skin->count;
        MG_TRY(mg_names_add(&skin->by_id, id, at));
        skin->fact[skin->count++] = (mg_skin_fact){0};
    }
    MG_TRY(learn(&skin->fact[at].lesion, mg_csv_get(csv, row, c->lesion)));
    MG_TRY(learn(&skin->fact[at].label, label_of(csv, row, c)));
    return learn(&skin->fact[at].split, mg_csv_get(csv, row, c->split));
}

// A table by its name: HAM10000_metadata comes without an extension.
static bool is_table(const char *path)
{
    const char *base = mg_path_base(path);
    if (!strncasecmp(base, "hmnist", 6)) return false; // pictures as rows of numbers
    return mg_path_has_ext(path, ".csv") || mg_path_has_ext(path, ".tab") ||
           mg_path_has_ext(path, ".tsv") || (strcasestr(base, "metadata") && !strchr(base, '.'));
}

mg_status mg_skin_read(mg_skin *skin, const char *root, const mg_texts *files, mg_scan *scan)
{
    for (size_t i = 0; i < files->count; i++) {
        mg_csv csv;
        bool usable;
        if (!is_table(files->item[i])) continue;
        MG_TRY(mg_scan_table(scan, root, files->item[i], &csv, &usable));
        columns c = find_columns(&csv);
        mg_status st = MG_OK;
        skin->tables += usable && c.id >= 0;
        for (int64_t r = 0; usable && c.id >= 0 && r < csv.rows && !st; r++)
            st = take_row(skin, &csv, r, &c);
        mg_csv_free(&csv);
        MG_TRY(st);
    }
    return MG_OK;
}

const mg_skin_fact *mg_skin_find(const mg_skin *skin, const char *id)
{
    static const mg_skin_fact unknown = {"", "", ""};
    int64_t at = mg_names_find(&skin->by_id, id);
    return at < 0 ? &unknown : &skin->fact[at];
}

void mg_skin_free(mg_skin *skin)
{
    for (int64_t i = 0; i < skin->count; i++) {
        mg_free(skin->fact[i].lesion);
        mg_free(skin->fact[i].label);
        mg_free(skin->fact[i].split);
    }
    mg_free(skin->fact);
    mg_names_free(&skin->by_id);
    *skin = (mg_skin){0};
}

bool mg_skin_is_isic(const char *stem)
{
    return !strncasecmp(stem, "ISIC_", 5) && strspn(stem + 5, "0123456789") == 7;
}
