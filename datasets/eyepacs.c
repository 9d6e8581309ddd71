// EyePACS, the Kaggle diabetic retinopathy set of 2015 (datasets.md section 2): fundus photographs
// <patient>_<left|right>.jpeg below train/ and test/, grades in trainLabels.csv and
// retinopathy_solution.csv. The picture is cut to the bright circle and padded to a square.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "datasets/fundus.h"
#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "runtime/mem.h"

typedef struct {
    bool crop, drop_unusable;
} config;

// clang-format off
static const mg_option options[] = {
    {"eyepacs.crop", MG_BOOL, offsetof(config, crop), "true", 0, 0, "cut to the box of the fundus circle and pad to a square", NULL},
    {"eyepacs.drop_unusable", MG_BOOL, offsetof(config, drop_unusable), "true", 0, 0, "leave out the three pictures known to be unusable", NULL},
    {0},
};
// clang-format on

enum { TRAIN = 35126, PUBLIC = 10906, PRIVATE = 42670 };

static const char *const grade_name[] = {"0 none", "1 mild", "2 moderate", "3 severe",
                                         "4 proliferative"};
static const char *const unusable[] = {"492_right", "25313_right", "27096_right"};
// The circle is not found in these; they stay whole.
static const char *const no_circle[] = {"15337_left", "40764_right", "13227_left", "26250_left",
                                        "5371_left"};

static bool is_one_of(const char *stem, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(stem, list[i])) return true;
    return false;
}

#define IS_ONE_OF(stem, list) is_one_of(stem, list, sizeof(list) / sizeof *(list))

// What the tables say of a picture: grade + 8 * split, split 1 train, 2 val (Public), 3 test.
static const char *const split_name[] = {"", "train", "val", "test"};

static mg_status take_table(const mg_csv *csv, mg_names *facts)
{
    int image = mg_csv_column(csv, "image"), level = mg_csv_column(csv, "level");
    int usage = mg_csv_column(csv, "Usage");

    for (int64_t r = 0; r < csv->rows; r++) {
        const char *text = mg_csv_get(csv, r, level), *use = mg_csv_get(csv, r, usage);
        int grade = *text >= '0' && *text <= '4' && !text[1] ? *text - '0' : 7;
        int split = !*use ? 1 : !strcmp(use, "Public") ? 2 : 3;
        MG_TRY(mg_names_add(facts, mg_csv_get(csv, r, image), grade + 8 * split));
    }
    return MG_OK;
}

static mg_status read_tables(const char *root, const mg_texts *files, mg_names *facts, mg_scan *out)
{
    for (size_t i = 0; i < files->count; i++) {
        const char *path = files->item[i], *base = mg_path_base(path);
        mg_csv csv;
        bool usable;
        if (!mg_path_has_ext(path, ".csv") || strcasestr(base, "sampleSubmission")) continue;
        MG_TRY(mg_scan_table(out, root, path, &csv, &usable));
        mg_status st = MG_OK;
        if (mg_csv_column(&csv, "image") >= 0 && mg_csv_column(&csv, "level") >= 0)
            st = take_table(&csv, facts);
        mg_csv_free(&csv);
        MG_TRY(st);
    }
    return MG_OK;
}

// Both eyes of a patient share the digits in front; any other name is its own key.
static void patient_of(const char *stem, char patient[64])
{
    size_t digits = strspn(stem, "0123456789");
    bool fits =
        digits && (!strcasecmp(stem + digits, "_left") || !strcasecmp(stem + digits, "_right"));
    snprintf(patient, 64, "%.*s", fits ? (int)digits : 63, stem);
}

static mg_status add_item(const char *stem, const char *path, const mg_names *facts,
                          int64_t counts[4], mg_scan *out)
{
    char patient[64];
    int64_t fact = mg_names_find(facts, stem);
    int grade = fact < 0 ? 7 : (int)fact % 8, split = fact < 0 ? 0 : (int)fact / 8;
    const char *part = split ? split_name[split] : mg_scan_split_of(path);

    counts[split]++;
    patient_of(stem, patient);
    mg_item item = {.name = (char *)path,
                    .image = (char *)path,
                    .patient = patient,
                    .split = (char *)part,
                    .modality = "fundus",
                    .label = grade < 5 ? (char *)grade_name[grade] : NULL};
    return mg_scan_add(out, &item);
}

static mg_status add_all(const config *cfg, const mg_found *found, const mg_names *facts,
                         mg_scan *out)
{
    int64_t counts[4] = {0};

    for (size_t i = 0; i < found->path.count; i++) {
        const char *stem = found->stem.item[i], *path = found->path.item[i];
        if (cfg->drop_unusable && IS_ONE_OF(stem, unusable))
            MG_TRY(mg_scan_skip(out, path, "known to be unusable"));
        else
            MG_TRY(add_item(stem, path, facts, counts, out));
    }
    MG_TRY(mg_scan_expect(out, "pictures of the train table", counts[1], TRAIN));
    MG_TRY(mg_scan_expect(out, "pictures of the public test part", counts[2], PUBLIC));
    MG_TRY(mg_scan_expect(out, "pictures of the private test part", counts[3], PRIVATE));
    if (counts[0]) MG_TRY(mg_scan_note(out, "in no table: %lld pictures", (long long)counts[0]));
    return MG_OK;
}

static mg_status collect(const char *root, const config *cfg, const mg_texts *files,
                         mg_found *found, mg_names *facts, mg_scan *out)
{
    for (size_t i = 0; i < files->count; i++) {
        if (!mg_scan_is_picture(files->item[i])) continue;
        char *stem = mg_path_stem(files->item[i]);
        MG_CHECK(stem, MG_ERR_MEMORY, "no memory for '%s'", files->item[i]);
        mg_status st = mg_found_add(found, root, stem, files->item[i], out);
        mg_free(stem);
        MG_TRY(st);
    }
    if (!found->path.count) return mg_scan_nothing(root, files, "train/*_left.jpeg");
    MG_TRY(read_tables(root, files, facts, out));
    return add_all(cfg, found, facts, out);
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    mg_texts files = {0};
    mg_found found = {0};
    mg_names facts = {0};

    *out = (mg_scan){0};
    mg_status st = mg_list_tree(root, &files);
    if (!st) st = collect(root, cfg, &files, &found, &facts, out);
    mg_scan_sort(out);
    mg_texts_free(&files);
    mg_found_free(&found);
    mg_names_free(&facts);
    if (st) mg_scan_free(out);
    return st;
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    const config *c = cfg;
    // The circle may be half as wide as the picture.
    int side = hint ? hint->long_side * (c->crop ? 2 : 1) : 0;
    (void)found;

    MG_TRY(mg_sample_picture(root, item->image, side, out));
    char *stem = mg_path_stem(item->image);
    mg_status st = stem ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "no memory for '%s'", item->image);
    if (!st && c->crop && !IS_ONE_OF(stem, no_circle)) st = mg_fundus_crop(out);
    mg_free(stem);
    if (st) mg_sample_free(out);
    return st;
}

const mg_dataset mg_dataset_eyepacs = {
    .name = "eyepacs",
    .summary = "EyePACS (Kaggle 2015): fundus photographs, unlabelled use",
    .long_side = 512,
    .expected = {.width = {433, 5184}, .height = {289, 3456}},
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_eyepacs,
};
