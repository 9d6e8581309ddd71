// TN-SCUI 2020 (datasets.md section 10): thyroid ultrasound, image/N.PNG with mask/N.PNG of the same
// name, train.csv with name and category in its first two columns. The test set has no masks and is
// left out. Folds are stratified by category.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "datasets/borders.h"
#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "runtime/mem.h"

typedef struct {
    bool crop;
} config;

// clang-format off
static const mg_option options[] = {
    {"tnscui.crop", MG_BOOL, offsetof(config, crop), "false", 0, 0, "cut off dark borders and what lies beyond them", NULL},
    {0},
};
// clang-format on

enum { PICTURES = 3644, BENIGN = 1641, MALIGNANT = 2003 };

static const char *const category_name[] = {"benign", "malignant"};

typedef struct {
    mg_found images, masks;
    mg_names category; // stem -> 0 or 1
    int64_t tests;
} search;

// The innermost folder decides: image(s) or mask(s).
static bool folder_is(const char *path, const char *word)
{
    char *dir = mg_path_dir(path);
    bool is = dir && !strncasecmp(mg_path_base(dir), word, strlen(word));
    mg_free(dir);
    return is;
}

static mg_status sort_file(const char *root, const char *path, search *s, mg_scan *out)
{
    char *stem = mg_path_stem(path);
    mg_status st = MG_OK;

    MG_CHECK(stem, MG_ERR_MEMORY, "no memory for '%s'", path);
    if (!mg_scan_is_picture(path)) {
        mg_free(stem);
        return MG_OK;
    }
    if (folder_is(path, "image"))
        st = mg_found_add(&s->images, root, stem, path, out);
    else if (folder_is(path, "mask"))
        st = mg_found_add(&s->masks, root, stem, path, out);
    else
        s->tests += mg_scan_in_folder(path, "test") || !strncasecmp(stem, "test_", 5);
    mg_free(stem);
    return st;
}

static mg_status read_table(const char *root, const char *path, search *s, mg_scan *out)
{
    mg_csv csv;
    bool usable;
    mg_status st = MG_OK;

    MG_TRY(mg_scan_table(out, root, path, &csv, &usable));
    for (int64_t r = 0; usable && csv.columns >= 2 && r < csv.rows && !st; r++) {
        const char *category = mg_csv_get(&csv, r, 1);
        char *stem = mg_path_stem(mg_csv_get(&csv, r, 0));
        if (!stem) st = MG_FAIL(MG_ERR_MEMORY, "no memory for a row of '%s'", path);
        if (!st && (!strcmp(category, "0") || !strcmp(category, "1")))
            st = mg_names_add(&s->category, stem, *category - '0');
        mg_free(stem);
    }
    mg_csv_free(&csv);
    return st;
}

static mg_status add_all(const search *s, mg_scan *out)
{
    int64_t counts[3] = {0};

    for (size_t i = 0; i < s->images.path.count; i++) {
        char *stem = s->images.stem.item[i], *path = s->images.path.item[i];
        const char *mask = mg_found_path(&s->masks, stem);
        int64_t category = mg_names_find(&s->category, stem);
        if (!mask) continue;
        counts[category + 1]++;
        const char *name = category < 0 ? "" : category_name[category];
        mg_item item = {.name = path,
                        .image = path,
                        .mask = (char *)mask,
                        .patient = stem,
                        .stratum = (char *)name,
                        .label = (char *)name,
                        .modality = "US"};
        MG_TRY(mg_scan_add(out, &item));
    }
    MG_TRY(mg_found_unpaired(&s->images, &s->masks, out));
    MG_TRY(mg_scan_expect(out, "pictures", out->count, PICTURES));
    MG_TRY(mg_scan_expect(out, "benign", counts[1], BENIGN));
    MG_TRY(mg_scan_expect(out, "malignant", counts[2], MALIGNANT));
    if (counts[0])
        MG_TRY(mg_scan_note(out, "category unknown: %lld pictures", (long long)counts[0]));
    if (s->tests)
        MG_TRY(
            mg_scan_note(out, "test pictures without masks, left out: %lld", (long long)s->tests));
    return MG_OK;
}

static mg_status collect(const char *root, const mg_texts *files, search *s, mg_scan *out)
{
    for (size_t i = 0; i < files->count; i++) {
        MG_TRY(sort_file(root, files->item[i], s, out));
        if (mg_path_has_ext(files->item[i], ".csv"))
            MG_TRY(read_table(root, files->item[i], s, out));
    }
    if (!s->images.path.count)
        return mg_scan_nothing(root, files, "TNSCUI2020_train/image/100.PNG");
    if (!s->masks.path.count) return mg_scan_nothing(root, files, "TNSCUI2020_train/mask/100.PNG");
    MG_TRY(add_all(s, out));
    MG_CHECK(out->count, MG_ERR_FORMAT,
             "no image and mask in '%s' have their names in common: image '%s', mask '%s'", root,
             s->images.path.item[0], s->masks.path.item[0]);
    return MG_OK;
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    mg_texts files = {0};
    search s = {0};
    (void)cfg;

    *out = (mg_scan){.classes = 1, .class_name = {"nodule"}};
    mg_status st = mg_list_tree(root, &files);
    if (!st) st = collect(root, &files, &s, out);
    mg_scan_sort(out);
    mg_texts_free(&files);
    mg_found_free(&s.images);
    mg_found_free(&s.masks);
    mg_names_free(&s.category);
    if (st) mg_scan_free(out);
    return st;
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    const config *c = cfg;
    (void)found;

    MG_TRY(mg_sample_picture(root, item->image, 0, out));
    mg_sample_to_grey(out);
    mg_status st = mg_sample_binary_mask(root, item->mask, 128, out);
    if (!st && c->crop && !(hint && hint->as_found)) st = mg_sample_cut_borders(out);
    if (st) mg_sample_free(out);
    return st;
}

const mg_dataset mg_dataset_tnscui = {
    .name = "tnscui",
    .summary = "TN-SCUI 2020: thyroid nodules in ultrasound with masks",
    .labelled = true,
    .long_side = 1024,
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_tnscui,
};
