// ISIC lesion segmentation (datasets.md section 12): 2016 part 1, 2017 part 1, 2018 task 1. Pictures
// and masks are told apart by their names (ISIC_nnnnnnn.jpg, ISIC_nnnnnnn_segmentation.png), year
// and part by their folders' names. The list that some copies add (",img,seg") is not needed.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/skin.h"
#include "runtime/mem.h"

typedef struct {
    char *year;
} config;

// clang-format off
static const mg_option options[] = {
    {"isic.year", MG_CHOICE, offsetof(config, year), "2016", 0, 0, "which challenge", "2016|2017|2018"},
    {0},
};
// clang-format on

enum { PARTS = 3 };
static const char *const part_name[PARTS] = {"train", "val", "test"};
static const int expected[3][PARTS] = {{900, 0, 379}, {2000, 150, 600}, {2594, 100, 1000}};

typedef struct {
    mg_found images, masks;
} part;

// Folders of the other tasks of a year hold pictures of the same names.
static bool other_task(const char *path)
{
    return mg_scan_in_folder(path, "part2") || mg_scan_in_folder(path, "part3") ||
           mg_scan_in_folder(path, "task2") || mg_scan_in_folder(path, "task3");
}

// Put a file in its place; files of other years, tasks and kinds are passed over.
static mg_status sort_file(const char *root, const char *year, const char *path, part parts[PARTS],
                           mg_scan *out)
{
    char *stem = mg_path_stem(path);
    const char *split = mg_scan_split_of(path);
    mg_status st = MG_OK;

    MG_CHECK(stem, MG_ERR_MEMORY, "no memory for '%s'", path);
    for (int p = 0; p < PARTS && !st; p++) {
        if (strcmp(split, part_name[p]) || !mg_skin_is_isic(stem)) continue;
        if (!mg_scan_in_folder(path, year) || other_task(path)) continue;
        if (!mg_scan_is_picture(path)) continue;
        bool mask = !strcasecmp(stem + 12, "_segmentation");
        if (!mask && stem[12]) continue;
        stem[12] = '\0';
        st = mg_found_add(mask ? &parts[p].masks : &parts[p].images, root, stem, path, out);
    }
    mg_free(stem);
    return st;
}

static mg_status add_part(const part *from, int p, const mg_skin *skin, mg_scan *out)
{
    for (size_t i = 0; i < from->images.path.count; i++) {
        char *stem = from->images.stem.item[i], *path = from->images.path.item[i];
        const char *mask = mg_found_path(&from->masks, stem), *lesion;
        if (!mask) continue;
        lesion = mg_skin_find(skin, stem)->lesion;
        mg_item item = {.name = path,
                        .image = path,
                        .mask = (char *)mask,
                        .patient = (char *)(*lesion ? lesion : stem),
                        .split = (char *)part_name[p],
                        .modality = "dermoscopy"};
        MG_TRY(mg_scan_add(out, &item));
    }
    return mg_found_unpaired(&from->images, &from->masks, out);
}

static mg_status collect(const char *root, const config *cfg, const mg_texts *files,
                         part parts[PARTS], mg_skin *skin, mg_scan *out)
{
    char pattern[64];

    for (size_t i = 0; i < files->count; i++)
        MG_TRY(sort_file(root, cfg->year, files->item[i], parts, out));
    snprintf(pattern, sizeof pattern, "%s_Training_%s/ISIC_0000000.jpg",
             !strcmp(cfg->year, "2016")   ? "ISBI2016_ISIC_Part1"
             : !strcmp(cfg->year, "2017") ? "ISIC-2017"
                                          : "ISIC2018_Task1-2",
             strcmp(cfg->year, "2018") ? "Data" : "Input");
    if (!parts[0].images.path.count && !parts[1].images.path.count && !parts[2].images.path.count)
        return mg_scan_nothing(root, files, pattern);
    MG_TRY(mg_skin_read(skin, root, files, out));
    for (int p = 0; p < PARTS; p++) {
        char what[32];
        int64_t before = out->count;
        MG_TRY(add_part(&parts[p], p, skin, out));
        snprintf(what, sizeof what, "pictures of part %s", part_name[p]);
        MG_TRY(mg_scan_expect(out, what, out->count - before, expected[cfg->year[3] - '6'][p]));
    }
    MG_CHECK(out->count, MG_ERR_FORMAT,
             "no picture of ISIC %s in '%s' has a mask "
             "ISIC_nnnnnnn_segmentation.png",
             cfg->year, root);
    return MG_OK;
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    mg_texts files = {0};
    part parts[PARTS] = {0};
    mg_skin skin = {0};

    *out = (mg_scan){.classes = 1, .class_name = {"lesion"}};
    mg_status st = mg_list_tree(root, &files);
    if (!st) st = collect(root, cfg, &files, parts, &skin, out);
    mg_scan_sort(out);
    for (int p = 0; p < PARTS; p++) {
        mg_found_free(&parts[p].images);
        mg_found_free(&parts[p].masks);
    }
    mg_texts_free(&files);
    mg_skin_free(&skin);
    if (st) mg_scan_free(out);
    return st;
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    (void)cfg, (void)found, (void)hint;
    MG_TRY(mg_sample_picture(root, item->image, 0, out));
    mg_status st = mg_sample_binary_mask(root, item->mask, 128, out);
    if (st) mg_sample_free(out);
    return st;
}

const mg_dataset mg_dataset_isic = {
    .name = "isic",
    .summary = "ISIC 2016, 2017, 2018: skin lesions with masks",
    .labelled = true,
    .long_side = 1024,
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_isic,
};
