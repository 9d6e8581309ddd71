// BCN20000 (datasets.md section 4): dermoscopy pictures of the figshare deposit (BCN_20k_train/,
// BCN_20k_test/), or the Barcelona part of an ISIC 2019 folder. The key of a picture is its lesion.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/skin.h"
#include "runtime/mem.h"

typedef struct {
    char *source;
} config;

// clang-format off
static const mg_option options[] = {
    {"bcn20000.source", MG_CHOICE, offsetof(config, source), "bcn", 0, 0, "of an ISIC 2019 folder: bcn leaves out pictures whose lesion is of HAM or MSK", "bcn|all"},
    {0},
};
// clang-format on

enum { PICTURES = 18946 }; // of 2024; the preprint of 2019 says 19424

static mg_status find_pictures(const char *root, const mg_texts *files, mg_found *found,
                               mg_scan *out)
{
    for (size_t i = 0; i < files->count; i++) {
        const char *path = files->item[i];
        char *stem = mg_path_stem(path);
        mg_status st = stem ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "no memory for '%s'", path);
        if (!st && mg_scan_is_picture(path) &&
            (!strncasecmp(stem, "BCN_", 4) || mg_skin_is_isic(stem)))
            st = mg_found_add(found, root, stem, path, out);
        mg_free(stem);
        MG_TRY(st);
    }
    if (!found->path.count)
        return mg_scan_nothing(root, files, "BCN_20k_train/bcn_20k_train/BCN_0000000001.jpg");
    return MG_OK;
}

// The lesion's prefix names the collection; without one the picture counts as wanted.
static bool from_elsewhere(const char *lesion)
{
    return !strncasecmp(lesion, "HAM_", 4) || !strncasecmp(lesion, "MSK", 3);
}

static mg_status add_all(const config *cfg, const mg_found *found, const mg_skin *skin,
                         mg_scan *out)
{
    int64_t elsewhere = 0;

    for (size_t i = 0; i < found->path.count; i++) {
        char *path = found->path.item[i], *stem = found->stem.item[i];
        const mg_skin_fact *fact = mg_skin_find(skin, stem);
        if (!strcmp(cfg->source, "bcn") && from_elsewhere(fact->lesion)) {
            elsewhere++;
            continue;
        }
        mg_item item = {.name = path,
                        .image = path,
                        .patient = *fact->lesion ? fact->lesion : stem,
                        .modality = "dermoscopy",
                        .label = fact->label};
        item.split = (char *)(!strcasecmp(fact->split, "train")  ? "train"
                              : !strcasecmp(fact->split, "test") ? "test"
                                                                 : mg_scan_split_of(path));
        MG_TRY(mg_scan_add(out, &item));
    }
    if (elsewhere)
        MG_TRY(mg_scan_note(out, "of other collections than BCN, left out: %lld pictures",
                            (long long)elsewhere));
    MG_CHECK(out->count, MG_ERR_FORMAT,
             "all pictures are of other collections than BCN; expected "
             "lesions BCN_..., or bcn20000.source: all");
    return mg_scan_expect(out, "pictures", out->count, PICTURES);
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    mg_texts files = {0};
    mg_found found = {0};
    mg_skin skin = {0};

    *out = (mg_scan){0};
    mg_status st = mg_list_tree(root, &files);
    if (!st) st = find_pictures(root, &files, &found, out);
    if (!st) st = mg_skin_read(&skin, root, &files, out);
    if (!st && !skin.tables)
        st = mg_scan_note(out, "no table of metadata: lesions and labels are unknown");
    if (!st) st = add_all(cfg, &found, &skin, out);
    mg_scan_sort(out);
    mg_texts_free(&files);
    mg_found_free(&found);
    mg_skin_free(&skin);
    if (st) mg_scan_free(out);
    return st;
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    (void)cfg, (void)found;
    return mg_sample_picture(root, item->image, hint ? hint->long_side : 0, out);
}

const mg_dataset mg_dataset_bcn20000 = {
    .name = "bcn20000",
    .summary = "BCN20000: dermoscopy, unlabelled use",
    .long_side = 512,
    .expected = {.width = {1, 1024}, .height = {1, 1024}},
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_bcn20000,
};
