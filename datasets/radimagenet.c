// RadImageNet (datasets.md section 1): 8-bit slices below CT/, MR/ and US/, with three tables that
// give label and split by file name. A file is known by its path from the modality on, so that it
// does not matter how deep the folder lies or which prefix the tables have.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "runtime/mem.h"

enum { CLASSES = 165 };
static const char *const split_name[] = {"", "train", "val", "test"};

// What is known while scanning.
typedef struct {
    const char *root;
    mg_texts files;
    mg_names by_key;  // path from the modality on -> place in files
    int *label;       // of each file: place in labels, -1 unknown
    uint8_t *split;   // of each file: place in split_name
    bool *other;      // of each file: an earlier one has its key, or it is no picture
    mg_texts labels;  // as met
    mg_names by_name; // label -> place in labels
    mg_names train;   // label -> number among the sorted labels of the train table
    int64_t tables, missing;
} search;

// The path from its folder CT, MR or US on; NULL if there is none.
static const char *key_of(const char *path)
{
    for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (!strncasecmp(p, "CT/", 3) || !strncasecmp(p, "MR/", 3) || !strncasecmp(p, "US/", 3))
            return p;
    return NULL;
}

// 1, 2 or 3 for a table of train, val or test; 0 for other files.
static int table_split(const char *path)
{
    const char *base = mg_path_base(path);
    if (!mg_path_has_ext(path, ".csv") || !strcasestr(base, "radiologyai")) return 0;
    return strcasestr(base, "train")  ? 1
           : strcasestr(base, "val")  ? 2
           : strcasestr(base, "test") ? 3
                                      : 0;
}

static mg_status take_row(search *s, const char *filename, const char *label, int split)
{
    const char *key = key_of(filename);
    int64_t file = key ? mg_names_find(&s->by_key, key) : -1;
    int64_t known = mg_names_find(&s->by_name, label);

    if (known < 0) {
        known = (int64_t)s->labels.count;
        MG_TRY(mg_names_add(&s->by_name, label, known));
        MG_TRY(mg_texts_add(&s->labels, label));
    }
    if (split == 1) MG_TRY(mg_names_add(&s->train, label, 0));
    if (file < 0) {
        s->missing++;
        return MG_OK;
    }
    s->label[file] = (int)known;
    s->split[file] = (uint8_t)split;
    return MG_OK;
}

static mg_status read_table(search *s, const char *root, const char *path, int split, mg_scan *out)
{
    mg_csv csv;
    bool usable;

    MG_TRY(mg_scan_table(out, root, path, &csv, &usable));
    if (!usable) return MG_OK;
    int filename = mg_csv_column(&csv, "filename"), label = mg_csv_column(&csv, "label");
    mg_status st = MG_OK;
    if (filename < 0 || label < 0)
        st = mg_scan_note(out, "table not used: '%s' has no columns filename and label", path);
    else
        s->tables++;
    for (int64_t r = 0; r < csv.rows && !st && filename >= 0 && label >= 0; r++)
        st = take_row(s, mg_csv_get(&csv, r, filename), mg_csv_get(&csv, r, label), split);
    mg_csv_free(&csv);
    return st;
}

// The tables lie anywhere below the root, or beside it where the root is the image folder itself.
static mg_status read_tables(search *s, mg_scan *out)
{
    for (size_t i = 0; i < s->files.count; i++)
        if (table_split(s->files.item[i]))
            MG_TRY(read_table(s, s->root, s->files.item[i], table_split(s->files.item[i]), out));
    if (s->tables || strcasecmp(mg_path_base(s->root), "radiology_ai")) return MG_OK;

    mg_texts beside = {0};
    char *parent = mg_path_dir(s->root);
    mg_status st = parent ? mg_list_dir(parent, NULL, &beside, NULL)
                          : MG_FAIL(MG_ERR_MEMORY, "no memory for a path");
    for (size_t i = 0; i < beside.count && !st; i++)
        if (table_split(beside.item[i]))
            st = read_table(s, parent, beside.item[i], table_split(beside.item[i]), out);
    mg_texts_free(&beside);
    mg_free(parent);
    return st;
}

// The class number of a label is its place among the sorted labels of the train table.
static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static mg_status number_labels(search *s)
{
    mg_texts sorted = {0};
    mg_status st = MG_OK;

    for (size_t i = 0; i < s->labels.count && !st; i++)
        if (mg_names_find(&s->train, s->labels.item[i]) >= 0)
            st = mg_texts_add(&sorted, s->labels.item[i]);
    if (sorted.count) qsort(sorted.item, sorted.count, sizeof *sorted.item, compare_texts);
    mg_names_free(&s->train);
    for (size_t i = 0; i < sorted.count && !st; i++)
        st = mg_names_add(&s->train, sorted.item[i], (int64_t)i);
    mg_texts_free(&sorted);
    return st;
}

static mg_status add_item(const search *s, size_t i, mg_scan *out)
{
    const char *path = s->files.item[i], *key = key_of(path);
    char modality[3] = {(char)(key[0] & ~0x20), (char)(key[1] & ~0x20), 0};
    char folders[512] = "", number[32] = "";
    const char *label = s->label[i] < 0 ? folders : s->labels.item[s->label[i]];
    int64_t class_number = mg_names_find(&s->train, label);
    int length = (int)(mg_path_base(key) - key) - 4; // between the modality and the file

    if (length > 0) snprintf(folders, sizeof folders, "%.*s", length, key + 3);
    if (s->label[i] >= 0 && class_number >= 0)
        snprintf(number, sizeof number, "class %lld", (long long)class_number);
    char *stem = mg_path_stem(path);
    MG_CHECK(stem, MG_ERR_MEMORY, "no memory for '%s'", path);
    mg_item item = {.name = (char *)path,
                    .image = (char *)path,
                    .patient = stem,
                    .split = (char *)split_name[s->split[i]],
                    .modality = modality,
                    .label = (char *)label,
                    .extra = number};
    mg_status st = mg_scan_add(out, &item);
    mg_free(stem);
    return st;
}

// Find the pictures among the files.
static mg_status take_keys(search *s, mg_scan *out)
{
    size_t count = s->files.count;

    s->label = mg_alloc(count * sizeof *s->label + 1);
    s->split = mg_calloc(count + 1, 1);
    s->other = mg_calloc(count + 1, sizeof *s->other);
    MG_CHECK(s->label && s->split && s->other, MG_ERR_MEMORY, "no memory for %zu file names",
             count);
    for (size_t i = 0; i < count; i++) {
        const char *path = s->files.item[i], *key = key_of(path);
        s->label[i] = -1;
        s->other[i] = !key || !mg_scan_is_picture(key);
        if (s->other[i]) continue;
        int64_t first = mg_names_find(&s->by_key, key);
        s->other[i] = first >= 0;
        MG_TRY(first < 0 ? mg_names_add(&s->by_key, key, (int64_t)i)
                         : mg_scan_skip(out, path, "same name as '%s'", s->files.item[first]));
    }
    if (s->by_key.count) return MG_OK;
    return mg_scan_nothing(s->root, &s->files, "radiology_ai/{CT,MR,US}/*/*/*.png");
}

static mg_status collect(search *s, mg_scan *out)
{
    int64_t unlisted = 0;

    MG_TRY(take_keys(s, out));
    MG_TRY(read_tables(s, out));
    MG_TRY(number_labels(s));
    mg_names_free(&s->by_key); // of a million pictures it takes as much memory as the items will
    for (size_t i = 0; i < s->files.count; i++) {
        if (s->other[i]) continue;
        unlisted += s->label[i] < 0;
        MG_TRY(add_item(s, i, out));
    }
    if (s->tables != 3)
        MG_TRY(mg_scan_note(out, "tables RadiologyAI_{train,val,test}.csv: %lld of 3 found%s",
                            (long long)s->tables, s->tables ? "" : "; labels are folder names"));
    if (s->tables && unlisted)
        MG_TRY(mg_scan_note(out, "in no table: %lld files", (long long)unlisted));
    if (s->missing)
        MG_TRY(mg_scan_note(out, "in a table but not on disk: %lld files", (long long)s->missing));
    return s->tables ? mg_scan_expect(out, "classes", s->train.count, CLASSES) : MG_OK;
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    search s = {.root = root};
    (void)cfg;

    *out = (mg_scan){0};
    mg_status st = mg_list_tree(root, &s.files);
    if (!st) st = collect(&s, out);
    mg_scan_sort(out);
    mg_free(s.label);
    mg_free(s.split);
    mg_free(s.other);
    mg_texts_free(&s.files);
    mg_texts_free(&s.labels);
    mg_names_free(&s.by_key);
    mg_names_free(&s.by_name);
    mg_names_free(&s.train);
    if (st) mg_scan_free(out);
    return st;
}

// Empty pictures and constant borders are left to the settings of `shard`, which has them for all sets.
static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    (void)cfg, (void)found;
    MG_TRY(mg_sample_picture(root, item->image, hint ? hint->long_side : 0, out));
    mg_sample_to_grey(out);
    return MG_OK;
}

const mg_dataset mg_dataset_radimagenet = {
    .name = "radimagenet",
    .summary = "RadImageNet: CT, MR and ultrasound slices, unlabelled use",
    .long_side = 512,
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_radimagenet,
};
