// HAM10000 (datasets.md section 3): dermoscopy pictures ISIC_nnnnnnn.jpg in whatever folders, as
// Dataverse, Kaggle or the ISIC 2018 task 3 give them. The key of a picture is its lesion. The
// segmentations that come with it are not read.
#include <string.h>

#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/skin.h"
#include "runtime/mem.h"

enum { PICTURES = 10015, LESIONS = 7470 };

static mg_status find_pictures(const char *root, const mg_texts *files, mg_found *found,
                               mg_scan *out)
{
    for (size_t i = 0; i < files->count; i++) {
        const char *path = files->item[i];
        char *stem = mg_path_stem(path);
        mg_status st = stem ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "no memory for '%s'", path);
        if (!st && mg_scan_is_picture(path) && mg_skin_is_isic(stem) && !stem[12])
            st = mg_found_add(found, root, stem, path, out);
        mg_free(stem);
        MG_TRY(st);
    }
    if (!found->path.count)
        return mg_scan_nothing(root, files, "HAM10000_images_part_1/ISIC_0024306.jpg");
    return MG_OK;
}

static mg_status add_all(const mg_found *found, const mg_skin *skin, mg_scan *out)
{
    mg_names lesions = {0};
    mg_status st = MG_OK;

    for (size_t i = 0; i < found->path.count && !st; i++) {
        char *path = found->path.item[i], *stem = found->stem.item[i];
        const mg_skin_fact *fact = mg_skin_find(skin, stem);
        mg_item item = {.name = path,
                        .image = path,
                        .patient = *fact->lesion ? fact->lesion : stem,
                        .modality = "dermoscopy",
                        .label = fact->label};
        // The training pictures have no split of their own; the test of 2018 is one.
        if (mg_scan_in_folder(path, "test")) item.split = "test";
        st = mg_names_add(&lesions, item.patient, 0);
        if (!st) st = mg_scan_add(out, &item);
    }
    if (!st) st = mg_scan_expect(out, "pictures", out->count, PICTURES);
    if (!st) st = mg_scan_expect(out, "lesions", lesions.count, LESIONS);
    mg_names_free(&lesions);
    return st;
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    mg_texts files = {0};
    mg_found found = {0};
    mg_skin skin = {0};
    (void)cfg;

    *out = (mg_scan){0};
    mg_status st = mg_list_tree(root, &files);
    if (!st) st = find_pictures(root, &files, &found, out);
    if (!st) st = mg_skin_read(&skin, root, &files, out);
    if (!st && !skin.tables)
        st = mg_scan_note(out, "no table of metadata: lesions and labels are unknown");
    if (!st) st = add_all(&found, &skin, out);
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

const mg_dataset mg_dataset_ham10000 = {
    .name = "ham10000",
    .summary = "HAM10000: dermoscopy, unlabelled use",
    .long_side = 512,
    .expected = {.width = {600, 600}, .height = {450, 450}},
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_ham10000,
};
