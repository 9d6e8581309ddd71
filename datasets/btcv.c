// BTCV, "Beyond the Cranial Vault", also called Synapse (datasets.md section 6): abdominal CT with 13
// organs. imgNNNN.nii.gz with labelNNNN.nii.gz, paired by the four digits, in Training/{img,label} or
// imagesTr and labelsTr. Geometry is the image's. The two usual splits are lists of our own, since they are
// published as lists of file names under dead links.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "datasets/volume.h"
#include "runtime/mem.h"

enum { ORGANS = 13, RIGHT_ADRENAL = 12, LABELLED = 30, UNLABELLED = 20 };

static const char *const organ[ORGANS] = {"spleen",
                                          "right kidney",
                                          "left kidney",
                                          "gallbladder",
                                          "esophagus",
                                          "liver",
                                          "stomach",
                                          "aorta",
                                          "inferior vena cava",
                                          "portal and splenic veins",
                                          "pancreas",
                                          "right adrenal gland",
                                          "left adrenal gland"};

typedef struct {
    char *split, *adrenals;
    mg_list spacing;
    int64_t min_component;
    bool crop, unlabelled;
} config;

// clang-format off
static const mg_option options[] = {
    {"btcv.split", MG_CHOICE, offsetof(config, split), "24/6", 0, 0, "24/6 as UNETR and MSA, 18/12 as TransUNet; or hash folds", "24/6|18/12|folds"},
    {"btcv.ag", MG_CHOICE, offsetof(config, adrenals), "mean", 0, 0, "adrenal glands: two classes, whose scores are averaged, or merged into one", "mean|merged"},
    {"btcv.spacing", MG_LIST, offsetof(config, spacing), "1.5,1.5,2", 0, 0, "mm along x, y, z; 0 keeps an axis, an empty list all of them", NULL},
    {"btcv.crop", MG_BOOL, offsetof(config, crop), "true", 0, 0, "cut to the box of the body (above -175 HU)", NULL},
    {"btcv.min_component", MG_INT, offsetof(config, min_component), "0", 0, 1e9, "parts of an organ below this many voxels are taken off the label", NULL},
    {"btcv.unlabelled", MG_BOOL, offsetof(config, unlabelled), "false", 0, 0, "also take the scans without labels (Testing)", NULL},
    {0},
};
// clang-format on

// Held-out cases; the other labelled ones of 1-10 and 21-40 are for training.
static const int held_out_6[] = {35, 36, 37, 38, 39, 40, 0};
static const int held_out_12[] = {1, 2, 3, 4, 8, 22, 25, 29, 32, 35, 36, 38, 0};

// --- scan -------------------------------------------------------------------------------------------

typedef struct {
    mg_found images, labels;
    int64_t unknown, testing;
} search;

// "0035" of "img0035", "label0035" and the like; "" if the stem is none of them.
static void take_digits(const char *stem, const char *prefix, char digits[5])
{
    size_t n = strlen(prefix);

    *digits = '\0';
    if (strncasecmp(stem, prefix, n) || strlen(stem) != n + 4) return;
    for (int i = 0; i < 4; i++)
        if (!isdigit((unsigned char)stem[n + i])) return;
    memcpy(digits, stem + n, 5);
}

static mg_status sort_file(const char *root, const char *path, search *s, mg_scan *out)
{
    char image[5], label[5], *stem;
    mg_status st = MG_OK;

    if (!mg_volume_is_name(path)) return MG_OK;
    stem = mg_volume_stem(path);
    MG_CHECK(stem, MG_ERR_MEMORY, "no memory for '%s'", path);
    take_digits(stem, "img", image);
    take_digits(stem, "label", label);
    if (*image) st = mg_found_add(&s->images, root, image, path, out);
    if (*label) st = mg_found_add(&s->labels, root, label, path, out);
    mg_free(stem);
    return st;
}

static bool is_in(const int *list, int number)
{
    while (*list && *list != number) list++;
    return *list;
}

static const char *split_of(const config *cfg, int number, search *s)
{
    if (!strcmp(cfg->split, "folds")) return "";
    if (!((number >= 1 && number <= 10) || (number >= 21 && number <= 40))) {
        s->unknown++;
        return "";
    }
    return is_in(!strcmp(cfg->split, "24/6") ? held_out_6 : held_out_12, number) ? "test" : "train";
}

static mg_status add_case(const config *cfg, search *s, size_t i, mg_scan *out)
{
    const char *digits = s->images.stem.item[i], *path = s->images.path.item[i];
    const char *label = mg_found_path(&s->labels, digits);
    bool testing = mg_scan_in_folder(path, "Testing") || mg_scan_in_folder(path, "imagesTs");

    if (!label && !testing) return mg_scan_skip(out, path, "image without a label");
    s->testing += !label;
    if (!label && !cfg->unlabelled) return MG_OK;
    mg_item item = {.name = (char *)path,
                    .image = (char *)path,
                    .mask = (char *)label,
                    .patient = (char *)digits,
                    .split = (char *)(label ? split_of(cfg, atoi(digits), s) : ""),
                    .modality = "CT"};
    return mg_scan_add(out, &item);
}

static mg_status collect(const char *root, const mg_texts *files, const config *cfg, search *s,
                         mg_scan *out)
{
    int64_t labelled = 0;

    for (size_t i = 0; i < files->count; i++) MG_TRY(sort_file(root, files->item[i], s, out));
    if (!s->images.path.count)
        return mg_scan_nothing(root, files, "RawData/Training/img/img0001.nii.gz");
    for (size_t i = 0; i < s->images.path.count; i++) MG_TRY(add_case(cfg, s, i, out));
    for (size_t i = 0; i < s->labels.path.count; i++)
        if (!mg_found_path(&s->images, s->labels.stem.item[i]))
            MG_TRY(mg_scan_skip(out, s->labels.path.item[i], "label without an image"));
    for (int64_t i = 0; i < out->count; i++) labelled += out->item[i].mask != NULL;
    MG_TRY(mg_scan_expect(out, "labelled scans", labelled, LABELLED));
    MG_TRY(mg_scan_expect(out, "scans without labels", s->testing, UNLABELLED));
    if (s->unknown)
        MG_TRY(mg_scan_note(out, "in no list of the split %s, dealt to hash folds: %lld scans",
                            cfg->split, (long long)s->unknown));
    MG_CHECK(out->count, MG_ERR_FORMAT,
             "no image and label in '%s' have their four digits in common: image '%s'", root,
             s->images.path.item[0]);
    return MG_OK;
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    const config *c = cfg;
    mg_texts files = {0};
    search s = {0};
    double spacing[3];
    bool merged = !strcmp(c->adrenals, "merged");

    *out = (mg_scan){.classes = merged ? ORGANS - 1 : ORGANS};
    for (int k = 0; k < out->classes; k++)
        snprintf(out->class_name[k], sizeof *out->class_name, "%s",
                 merged && k + 1 == RIGHT_ADRENAL ? "adrenal glands" : organ[k]);
    mg_status st = mg_volume_spacing(&c->spacing, "btcv.spacing", spacing);
    if (!st) st = mg_list_tree(root, &files);
    if (!st) st = collect(root, &files, c, &s, out);
    mg_scan_sort(out);
    mg_texts_free(&files);
    mg_found_free(&s.images);
    mg_found_free(&s.labels);
    if (st) mg_scan_free(out);
    return st;
}

// --- read -------------------------------------------------------------------------------------------

static mg_status read_label(const char *root, const config *cfg, const mg_item *item,
                            mg_sample *out)
{
    bool merged = !strcmp(cfg->adrenals, "merged");
    int class_of[ORGANS + 1];
    uint16_t *values;
    int64_t parts = 0;

    for (int v = 0; v <= ORGANS; v++) class_of[v] = merged && v == ORGANS ? RIGHT_ADRENAL : v;
    MG_TRY(mg_volume_label(root, item->mask, true, out, &values));
    mg_status st = mg_volume_classes(out, item->mask, values, class_of, ORGANS + 1);
    mg_free(values);
    if (!st && cfg->min_component > 1) st = mg_drop_specks(out, cfg->min_component, &parts);
    if (!st && parts)
        mg_sample_remark(out, "%lld small parts taken off the label", (long long)parts);
    return st;
}

static mg_status regrid(const config *cfg, mg_sample *out)
{
    double spacing[3];

    MG_TRY(mg_volume_spacing(&cfg->spacing, "btcv.spacing", spacing));
    return mg_regrid_body(out, cfg->crop ? MG_CROP_CT : MG_CROP_NONE, NULL, spacing);
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    (void)found;
    mg_status st = mg_volume_ct(root, item->image, out);
    out->volume.range[0][0] = MG_CT_LOW;
    out->volume.range[0][1] = MG_CT_HIGH;
    if (!st && item->mask) st = read_label(root, cfg, item, out);
    if (!st && !(hint && hint->as_found)) st = regrid(cfg, out);
    if (st) mg_sample_free(out);
    return st;
}

const mg_dataset mg_dataset_btcv = {
    .name = "btcv",
    .summary = "BTCV (Synapse): abdominal CT with 13 organs",
    .labelled = true,
    .expected = {{512, 512}, {512, 512}, {85, 198}, {.53, .99}, {2.49, 5.01}},
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_btcv,
};
