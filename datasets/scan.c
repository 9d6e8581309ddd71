// What the scans of all data sets have in common; see scan.h and dataset.h.
#include "datasets/scan.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/hash.h"
#include "runtime/mem.h"

// --- the list of items ------------------------------------------------------------------------------

char **mg_item_text(mg_item *item, int field)
{
    char **const text[MG_ITEM_FIELDS] = {&item->name,     &item->image, &item->mask,
                                         &item->patient,  &item->split, &item->stratum,
                                         &item->modality, &item->label, &item->extra};
    return text[field];
}

// The text itself if it is there already (as the item's name, or as the same text of the item before),
// otherwise a copy.
static char *keep_text(mg_scan *scan, const char *text, char *name, char *before)
{
    if (!*text) return (char *)"";
    if (name && !strcmp(text, name)) return name;
    if (before && !strcmp(text, before)) return before;
    return mg_arena_text(&scan->texts, text);
}

static mg_status copy_texts(mg_scan *scan, const mg_item *item, mg_item *copy)
{
    mg_item *before = scan->count ? &scan->item[scan->count - 1] : NULL;

    for (int i = 0; i < MG_ITEM_FIELDS; i++) {
        const char *text = *mg_item_text((mg_item *)item, i);
        char **to = mg_item_text(copy, i);
        *to = NULL;
        if (!text && to == &copy->mask) continue; // unlabelled
        *to = keep_text(scan, text ? text : "", i ? copy->name : NULL,
                        before ? *mg_item_text(before, i) : NULL);
        MG_CHECK(*to, MG_ERR_MEMORY, "no memory for item '%s'", item->name);
    }
    return MG_OK;
}

mg_status mg_scan_add(mg_scan *scan, const mg_item *item)
{
    if (scan->count == scan->room) {
        int64_t room = 2 * scan->room + 64;
        mg_item *grown = mg_realloc(scan->item, (size_t)room * sizeof *grown);
        MG_CHECK(grown, MG_ERR_MEMORY, "no memory for a list of %lld items", (long long)room);
        scan->item = grown;
        scan->room = room;
    }
    MG_TRY(copy_texts(scan, item, &scan->item[scan->count]));
    scan->count++;
    return MG_OK;
}

static int compare_names(const void *a, const void *b)
{
    return mg_natural_compare(((const mg_item *)a)->name, ((const mg_item *)b)->name);
}

void mg_scan_sort(mg_scan *scan)
{
    int64_t sorted = 1; // how many are in order already, often all

    while (sorted < scan->count && compare_names(&scan->item[sorted - 1], &scan->item[sorted]) <= 0)
        sorted++;
    if (sorted < scan->count)
        qsort(scan->item, (size_t)scan->count, sizeof *scan->item, compare_names);
}

void mg_scan_free(mg_scan *scan)
{
    mg_arena_free(&scan->texts);
    mg_free(scan->item);
    mg_texts_free(&scan->skipped);
    mg_texts_free(&scan->notes);
    *scan = (mg_scan){0};
}

int mg_dataset_fold(const char *patient, int k)
{
    return (int)(mg_hash64(patient, strlen(patient)) % (uint64_t)k);
}

// --- notes ------------------------------------------------------------------------------------------

static mg_status add_text(mg_texts *list, const char *name, const char *fmt, va_list args)
{
    char text[1024];
    int at = name ? snprintf(text, sizeof text, "%s: ", name) : 0;

    if (at >= (int)sizeof text) at = (int)sizeof text - 1;
    vsnprintf(text + at, sizeof text - (size_t)at, fmt, args);
    return mg_texts_add(list, text);
}

mg_status mg_scan_skip(mg_scan *scan, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    mg_status st = add_text(&scan->skipped, name, fmt, args);
    va_end(args);
    return st;
}

mg_status mg_scan_note(mg_scan *scan, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    mg_status st = add_text(&scan->notes, NULL, fmt, args);
    va_end(args);
    return st;
}

mg_status mg_scan_expect(mg_scan *scan, const char *what, int64_t found, int64_t expected)
{
    if (found == expected)
        return mg_scan_note(scan, "%s: %lld, as expected", what, (long long)found);
    return mg_scan_note(scan, "%s: %lld, expected %lld", what, (long long)found,
                        (long long)expected);
}

mg_status mg_scan_table(mg_scan *scan, const char *root, const char *path, mg_csv *out,
                        bool *usable)
{
    char *full = mg_path_join(root, path);

    *out = (mg_csv){0};
    *usable = false;
    MG_CHECK(full, MG_ERR_MEMORY, "no memory for the path '%s'", path);
    mg_status st = mg_csv_read(full, out);
    mg_free(full);
    *usable = !st;
    if (st != MG_ERR_FORMAT && st != MG_ERR_IO) return st;
    st = mg_scan_note(scan, "table not used: %s", mg_err_message());
    mg_err_clear();
    return st;
}

// --- nothing found ----------------------------------------------------------------------------------

enum { NEAR_TEXT = 160, NEAR_FILES = 20000, NEAR_SHOWN = 3 };

// Edit distance of two texts, of each its last NEAR_TEXT bytes.
static int edit_distance(const char *a, const char *b)
{
    int row[NEAR_TEXT + 1];
    size_t na = strlen(a), nb = strlen(b);

    if (na > NEAR_TEXT) a += na - NEAR_TEXT, na = NEAR_TEXT;
    if (nb > NEAR_TEXT) b += nb - NEAR_TEXT, nb = NEAR_TEXT;
    for (size_t j = 0; j <= nb; j++) row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int best =
                diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[nb];
}

mg_status mg_scan_nothing(const char *root, const mg_texts *files, const char *pattern)
{
    const char *near[NEAR_SHOWN] = {0};
    int distance[NEAR_SHOWN];
    char list[3 * 256] = "";

    for (size_t i = 0; i < files->count && i < NEAR_FILES; i++) {
        int d = edit_distance(pattern, files->item[i]);
        int at = NEAR_SHOWN;
        while (at > 0 && (!near[at - 1] || d < distance[at - 1])) at--;
        if (at == NEAR_SHOWN) continue;
        memmove(near + at + 1, near + at, (size_t)(NEAR_SHOWN - 1 - at) * sizeof *near);
        memmove(distance + at + 1, distance + at, (size_t)(NEAR_SHOWN - 1 - at) * sizeof *distance);
        near[at] = files->item[i];
        distance[at] = d;
    }
    for (int i = 0; i < NEAR_SHOWN && near[i]; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s'%s'", i ? ", " : "", near[i]);
    }
    if (!*list)
        return MG_FAIL(MG_ERR_FORMAT, "no file in '%s' matches '%s': the folder has no files", root,
                       pattern);
    return MG_FAIL(MG_ERR_FORMAT, "no file in '%s' matches '%s'; nearest of %zu: %s", root, pattern,
                   files->count, list);
}

// --- names ------------------------------------------------------------------------------------------

bool mg_scan_in_folder(const char *path, const char *word)
{
    const char *end = strrchr(path, '/');
    size_t n = strlen(word);
    for (const char *p = path; end && p + n <= end; p++)
        if (!strncasecmp(p, word, n)) return true;
    return false;
}

const char *mg_scan_split_of(const char *path)
{
    static const struct {
        const char *word, *split;
    } rule[] = {{"train", "train"}, {"valid", "val"}, {"val/", "val"}, {"test", "test"}};
    const char *end = strrchr(path, '/');

    for (const char *p = end; p && p > path;) {
        for (p--; p > path && p[-1] != '/';) p--; // the folder's first letter
        char folder[256];
        snprintf(folder, sizeof folder, "%.*s", (int)(strchr(p, '/') - p) + 1, p);
        for (size_t i = 0; i < sizeof rule / sizeof *rule; i++)
            if (strcasestr(folder, rule[i].word)) return rule[i].split;
        if (p > path) p--; // its slash
    }
    return "";
}

bool mg_scan_is_picture(const char *path)
{
    static const char *const ext[] = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"};
    for (size_t i = 0; i < sizeof ext / sizeof *ext; i++)
        if (mg_path_has_ext(path, ext[i])) return true;
    return false;
}

bool mg_scan_ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcasecmp(text + n - m, end);
}

// --- pairing ----------------------------------------------------------------------------------------

static mg_status skip_second(const mg_found *found, const char *root, int64_t first,
                             const char *path, mg_scan *scan)
{
    char *a = mg_path_join(root, found->path.item[first]);
    char *b = mg_path_join(root, path);
    uint64_t ha = 0, hb = 1;
    bool same = a && b && !mg_hash_file(a, &ha) && !mg_hash_file(b, &hb) && ha == hb;

    mg_err_clear();
    mg_free(a);
    mg_free(b);
    return mg_scan_skip(scan, path, "same name as '%s'%s", found->path.item[first],
                        same ? "" : ", but other contents");
}

mg_status mg_found_add(mg_found *found, const char *root, const char *stem, const char *path,
                       mg_scan *scan)
{
    int64_t first = mg_names_find(&found->by_stem, stem);
    if (first >= 0) return skip_second(found, root, first, path, scan);
    MG_TRY(mg_names_add(&found->by_stem, stem, (int64_t)found->path.count));
    MG_TRY(mg_texts_add(&found->stem, stem));
    MG_TRY(mg_texts_add(&found->path, path));
    return MG_OK;
}

const char *mg_found_path(const mg_found *found, const char *stem)
{
    int64_t i = mg_names_find(&found->by_stem, stem);
    return i < 0 ? NULL : found->path.item[i];
}

mg_status mg_found_unpaired(const mg_found *images, const mg_found *masks, mg_scan *scan)
{
    for (size_t i = 0; i < images->path.count; i++)
        if (!mg_found_path(masks, images->stem.item[i]))
            MG_TRY(mg_scan_skip(scan, images->path.item[i], "image without a mask"));
    for (size_t i = 0; i < masks->path.count; i++)
        if (!mg_found_path(images, masks->stem.item[i]))
            MG_TRY(mg_scan_skip(scan, masks->path.item[i], "mask without an image"));
    return MG_OK;
}

void mg_found_free(mg_found *found)
{
    mg_texts_free(&found->stem);
    mg_texts_free(&found->path);
    mg_names_free(&found->by_stem);
}
