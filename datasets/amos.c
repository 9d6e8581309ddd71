// AMOS22 (datasets.md section 5): abdominal CT and MR with up to 15 organs. imagesTr/amos_NNNN.nii.gz with
// labelsTr/ of the same names, likewise Va and (if labels are there) Ts. dataset.json says which cases
// belong to the set. CT is kept as HU, MR with its percentiles; both are resampled unless told otherwise.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "datasets/volume.h"
#include "runtime/json.h"
#include "runtime/mem.h"

enum { ORGANS = 15, EXTRA_FROM = 5000, TRAIN = 240, VALIDATION = 120 };

// In the order of the label's values; the file spells 1 to 15 in its own way.
static const char *const organ[ORGANS] = {"spleen",
                                          "right kidney",
                                          "left kidney",
                                          "gallbladder",
                                          "esophagus",
                                          "liver",
                                          "stomach",
                                          "aorta",
                                          "inferior vena cava",
                                          "pancreas",
                                          "right adrenal gland",
                                          "left adrenal gland",
                                          "duodenum",
                                          "bladder",
                                          "prostate/uterus"};

typedef struct {
    char *modality, *rule, *split;
    mg_list spacing, percentiles;
    mg_json *partial;
    int64_t min_component;
    bool crop, unlabelled;
} config;

// clang-format off
static const mg_option options[] = {
    {"amos.modality", MG_CHOICE, offsetof(config, modality), "CT", 0, 0, "which scans", "CT|MR|all"},
    {"amos.modality_rule", MG_CHOICE, offsetof(config, rule), "id", 0, 0, "CT if: number below 500; as nnU-Net cuts (410 train, 409 val, 500 test); as the scanner's model says, otherwise by number", "id|nnunet|scanner"},
    {"amos.split", MG_CHOICE, offsetof(config, split), "published", 0, 0, "Tr train, Va val, Ts test; or hash folds over all", "published|folds"},
    {"amos.spacing", MG_LIST, offsetof(config, spacing), "1.5,1.5,2", 0, 0, "mm along x, y, z; 0 keeps an axis, an empty list all of them", NULL},
    {"amos.crop", MG_BOOL, offsetof(config, crop), "false", 0, 0, "cut to the box of the body (CT above -175 HU, MR not zero)", NULL},
    {"amos.percentiles", MG_LIST, offsetof(config, percentiles), "0.5,99.5", 0, 0, "of the non-zero voxels of MR: what becomes 0 and 255", NULL},
    {"amos.partial", MG_TREE, offsetof(config, partial), "", 0, 0, "cases in which only some organs are labelled: {amos_0482: [6]}", NULL},
    {"amos.min_component", MG_INT, offsetof(config, min_component), "0", 0, 1e9, "parts of an organ below this many voxels are taken off the label (MedSAM: 1000)", NULL},
    {"amos.unlabelled", MG_BOOL, offsetof(config, unlabelled), "false", 0, 0, "also take scans without labels: Ts, and the extra CT from number 5000", NULL},
    {0},
};
// clang-format on

// --- scan -------------------------------------------------------------------------------------------

enum { TR, VA, TS, EXTRA, PARTS };
static const char *const image_folder[] = {"imagesTr", "imagesVa", "imagesTs"};
static const char *const label_folder[] = {"labelsTr", "labelsVa", "labelsTs"};
static const char *const split_name[] = {"train", "val", "test", ""};

typedef struct {
    const config *cfg;
    mg_found images[PARTS], labels[PARTS];
    mg_json *list;   // dataset.json, NULL without one
    mg_names member; // stem -> part
    mg_csv facts;    // of the scans
    mg_names row;    // number without leading zeros -> row of facts
    bool has_facts;
    int64_t without_label, other_modality, seen[PARTS];
} search;

// Number of "amos_0481", -1 if it is none.
static int number_of(const char *stem)
{
    const char *digits = stem + 5;
    size_t n = strspn(digits, "0123456789");

    if (strncasecmp(stem, "amos_", 5) || n == 0 || n > 6 || digits[n]) return -1;
    return atoi(digits);
}

static mg_status sort_file(const char *root, const char *path, search *s, mg_scan *out)
{
    char *stem = mg_volume_stem(path);
    mg_status st = MG_OK;

    MG_CHECK(stem, MG_ERR_MEMORY, "no memory for '%s'", path);
    int number = mg_volume_is_name(path) ? number_of(stem) : -1;
    bool placed = number < 0;
    for (int p = 0; p < 3 && !placed; p++) {
        bool image = mg_volume_in(path, image_folder[p]),
             label = mg_volume_in(path, label_folder[p]);
        if (image || label)
            st = mg_found_add(image ? &s->images[p] : &s->labels[p], root, stem, path, out);
        placed = image || label;
    }
    if (!placed && number >= EXTRA_FROM)
        st = mg_found_add(&s->images[EXTRA], root, stem, path, out);
    mg_free(stem);
    return st;
}

static mg_status take_members(search *s, const char *key, int part)
{
    const mg_json *list = mg_json_get(s->list, key);

    for (size_t i = 0; i < mg_json_size(list); i++) {
        const mg_json *entry = mg_json_at(list, i);
        const char *path =
            mg_json_text(mg_json_is_object(entry) ? mg_json_get(entry, "image") : entry);
        char *stem = path ? mg_volume_stem(path) : NULL;
        if (!path) continue;
        mg_status st = stem ? mg_names_add(&s->member, stem, part)
                            : MG_FAIL(MG_ERR_MEMORY, "no memory for '%s'", path);
        mg_free(stem);
        if (st) return st;
    }
    return MG_OK;
}

// Names of the labels, in the file's own spelling or ours.
static mg_status check_names(const search *s, mg_scan *out)
{
    static const char *const other[ORGANS] = {
        [3] = "gall bladder", [7] = "arota", [8] = "postcava"};
    const mg_json *labels = mg_json_get(s->list, "labels");
    char key[16];

    for (int c = 0; c < ORGANS && labels; c++) {
        snprintf(key, sizeof key, "%d", c + 1);
        const char *name = mg_json_text(mg_json_get(labels, key));
        if (name && strcasecmp(name, organ[c]) && (!other[c] || strcasecmp(name, other[c])))
            MG_TRY(mg_scan_note(out, "dataset.json calls label %d '%s', expected '%s'", c + 1, name,
                                organ[c]));
    }
    return MG_OK;
}

static mg_status read_list(const char *root, const char *path, search *s, mg_scan *out)
{
    char *full = mg_path_join(root, path);

    MG_CHECK(full, MG_ERR_MEMORY, "no memory for '%s'", path);
    mg_status st = mg_json_read(full, &s->list);
    mg_free(full);
    if (st == MG_ERR_MEMORY) return st;
    if (st) {
        mg_err_clear();
        return mg_scan_note(out, "'%s' cannot be read, all cases found are taken", path);
    }
    MG_TRY(take_members(s, "training", TR));
    MG_TRY(take_members(s, "validation", VA));
    MG_TRY(take_members(s, "test", TS));
    return check_names(s, out);
}

static mg_status read_facts(const char *root, const char *path, search *s, mg_scan *out)
{
    char key[16];

    MG_TRY(mg_scan_table(out, root, path, &s->facts, &s->has_facts));
    int id = mg_csv_column(&s->facts, "amos_id");
    for (int64_t r = 0; s->has_facts && id >= 0 && r < s->facts.rows; r++) {
        const char *text = mg_csv_get(&s->facts, r, id);
        snprintf(key, sizeof key, "%d", atoi(strncasecmp(text, "amos_", 5) ? text : text + 5));
        MG_TRY(mg_names_add(&s->row, key, r));
    }
    return MG_OK;
}

// --- modality ---------------------------------------------------------------------------------------

static const char *fact(const search *s, int number, const char *column)
{
    char key[16];

    snprintf(key, sizeof key, "%d", number);
    int64_t row = s->has_facts ? mg_names_find(&s->row, key) : -1;
    return row < 0 ? "" : mg_csv_get(&s->facts, row, mg_csv_column(&s->facts, column));
}

// "CT" or "MR" by the scanner's model, "" if it is not known.
static const char *scanner_modality(const char *model)
{
    static const char *const ct[] = {"Aquilion ONE", "Brilliance16", "SOMATOM Force",
                                     "Optima CT660", "Optima CT540"};
    static const char *const mr[] = {"Ingenia", "Prisma", "SIGNA HDe", "Achieva"};

    for (size_t i = 0; i < sizeof ct / sizeof *ct; i++)
        if (!strcasecmp(model, ct[i])) return "CT";
    for (size_t i = 0; i < sizeof mr / sizeof *mr; i++)
        if (!strcasecmp(model, mr[i])) return "MR";
    return "";
}

static mg_status choose_modality(const search *s, const char *stem, int part, mg_scan *out,
                                 const char **modality)
{
    static const int last_ct[] = {410, 409, 500};
    int number = number_of(stem);
    const char *model = fact(s, number, "Manufacturer's Model Name"),
               *scanner = scanner_modality(model);
    bool ct = number < 500 || number >= EXTRA_FROM;

    if (!strcmp(s->cfg->rule, "nnunet") && part < EXTRA) ct = number <= last_ct[part];
    *modality = ct ? "CT" : "MR";
    if (!strcmp(s->cfg->rule, "scanner") && *scanner) *modality = scanner;
    if (*scanner && strcmp(scanner, *modality))
        return mg_scan_note(out, "%s: scanner '%s' makes %s, taken as %s", stem, model, scanner,
                            *modality);
    return MG_OK;
}

// --- items ------------------------------------------------------------------------------------------

static mg_status add_case(search *s, int part, size_t i, mg_scan *out)
{
    const char *stem = s->images[part].stem.item[i], *path = s->images[part].path.item[i];
    const char *label = part < EXTRA ? mg_found_path(&s->labels[part], stem) : NULL, *modality;
    int number = number_of(stem);
    char extra[160];

    if (number == 5437 || number == 5514)
        return mg_scan_skip(out, path, "known to be broken in the archives");
    if (s->list && part < EXTRA && mg_names_find(&s->member, stem) != part)
        return mg_scan_skip(out, path, "not listed in dataset.json for '%s'", image_folder[part]);
    if (!label && part < TS) return mg_scan_skip(out, path, "image without a label");
    s->seen[part]++;
    s->without_label += !label;
    if (!label && !s->cfg->unlabelled) return MG_OK;
    MG_TRY(choose_modality(s, stem, part, out, &modality));
    if (strcmp(s->cfg->modality, "all") && strcmp(s->cfg->modality, modality)) {
        s->other_modality++;
        return MG_OK;
    }
    const char *sex = fact(s, number, "Patient's Sex"),
               *model = fact(s, number, "Manufacturer's Model Name");
    snprintf(extra, sizeof extra, "%s%s%s%s", *sex ? "sex " : "", sex, *model ? " scanner " : "",
             model);
    bool folds = !strcmp(s->cfg->split, "folds");
    mg_item item = {.name = (char *)path,
                    .image = (char *)path,
                    .mask = (char *)label,
                    .patient = (char *)stem,
                    .split = (char *)(folds ? "" : split_name[part]),
                    .modality = (char *)modality,
                    .extra = extra};
    return mg_scan_add(out, &item);
}

// Labels without an image, and members of the list of which there is no file.
static mg_status report_missing(const search *s, mg_scan *out)
{
    for (int p = TR; p <= TS; p++)
        for (size_t i = 0; i < s->labels[p].path.count; i++)
            if (!mg_found_path(&s->images[p], s->labels[p].stem.item[i]))
                MG_TRY(mg_scan_skip(out, s->labels[p].path.item[i], "label without an image"));
    for (int64_t k = 0; k < s->member.slots; k++) {
        if (!s->member.name[k]) continue;
        int part = (int)s->member.value[k];
        if (!mg_found_path(&s->images[part], s->member.name[k]))
            MG_TRY(mg_scan_skip(out, s->member.name[k], "listed in dataset.json, but not in '%s'",
                                image_folder[part]));
    }
    return MG_OK;
}

static mg_status collect(const char *root, const mg_texts *files, search *s, mg_scan *out)
{
    for (size_t i = 0; i < files->count; i++) {
        const char *path = files->item[i], *base = mg_path_base(path);
        MG_TRY(sort_file(root, path, s, out));
        if (!strcasecmp(base, "dataset.json") && !s->list) MG_TRY(read_list(root, path, s, out));
        if (!strncasecmp(base, "labeled_data_meta", 17) && !s->has_facts)
            MG_TRY(read_facts(root, path, s, out));
    }
    bool any = false;
    for (int p = 0; p < PARTS; p++) any = any || s->images[p].path.count;
    if (!any) return mg_scan_nothing(root, files, "imagesTr/amos_0001.nii.gz");
    if (!s->list) MG_TRY(mg_scan_note(out, "no dataset.json: all cases found are taken"));
    for (int p = 0; p < PARTS; p++)
        for (size_t i = 0; i < s->images[p].path.count; i++) MG_TRY(add_case(s, p, i, out));
    MG_TRY(report_missing(s, out));
    MG_TRY(mg_scan_expect(out, "scans for training", s->seen[TR], TRAIN));
    MG_TRY(mg_scan_expect(out, "scans for validation", s->seen[VA], VALIDATION));
    if (s->other_modality)
        MG_TRY(mg_scan_note(out, "not %s, left out (amos.modality): %lld scans", s->cfg->modality,
                            (long long)s->other_modality));
    if (s->without_label && !s->cfg->unlabelled)
        MG_TRY(mg_scan_note(out, "without labels, left out (amos.unlabelled): %lld scans",
                            (long long)s->without_label));
    MG_CHECK(out->count, MG_ERR_FORMAT,
             "no scan of '%s' is left: amos.modality is %s, %zu files of images, the first '%s'",
             root, s->cfg->modality, s->images[TR].path.count + s->images[VA].path.count,
             s->images[TR].path.count ? s->images[TR].path.item[0] : "");
    return MG_OK;
}

// amos.partial: names of cases, each with a list of values 1..15.
static mg_status check_partial(const config *cfg)
{
    MG_CHECK(!cfg->partial || mg_json_is_object(cfg->partial), MG_ERR_CONFIG,
             "amos.partial: expected cases and labels, such as {amos_0482: [6]}");
    for (size_t i = 0; i < mg_json_size(cfg->partial); i++) {
        const mg_json *list;
        const char *name = mg_json_member(cfg->partial, i, &list);
        MG_CHECK(mg_json_is_array(list) && mg_json_size(list), MG_ERR_CONFIG,
                 "amos.partial: '%s' has no list of labels", name);
        for (size_t k = 0; k < mg_json_size(list); k++) {
            int64_t v = mg_json_int(mg_json_at(list, k), 0);
            MG_CHECK(v >= 1 && v <= ORGANS, MG_ERR_CONFIG,
                     "amos.partial: '%s' names label %lld, expected 1 to %d", name, (long long)v,
                     ORGANS);
        }
    }
    return MG_OK;
}

static mg_status check_settings(const config *cfg)
{
    double spacing[3], percent[2];

    MG_TRY(mg_volume_spacing(&cfg->spacing, "amos.spacing", spacing));
    MG_TRY(mg_volume_percents(&cfg->percentiles, "amos.percentiles", percent));
    return check_partial(cfg);
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    mg_texts files = {0};
    search s = {.cfg = cfg};

    *out = (mg_scan){.classes = ORGANS};
    for (int c = 0; c < ORGANS; c++)
        snprintf(out->class_name[c], sizeof *out->class_name, "%s", organ[c]);
    mg_status st = check_settings(cfg);
    if (!st) st = mg_list_tree(root, &files);
    if (!st) st = collect(root, &files, &s, out);
    mg_scan_sort(out);
    for (int p = 0; p < PARTS; p++) mg_found_free(&s.images[p]), mg_found_free(&s.labels[p]);
    mg_texts_free(&files);
    mg_json_free(&s.list);
    mg_names_free(&s.member);
    mg_names_free(&s.row);
    mg_csv_free(&s.facts);
    if (st) mg_scan_free(out);
    return st;
}

// --- read -------------------------------------------------------------------------------------------

// What becomes of each value; classes that the case does not have are unknown.
static void choose_classes(const config *cfg, const char *name, int class_of[ORGANS + 1],
                           uint16_t *unknown)
{
    const mg_json *list = cfg->partial ? mg_json_get(cfg->partial, name) : NULL;

    *unknown = 0;
    for (int v = 0; v <= ORGANS; v++) class_of[v] = v;
    if (!list) return;
    *unknown = (1u << ORGANS) - 1;
    for (size_t k = 0; k < mg_json_size(list); k++)
        *unknown &= (uint16_t) ~(1u << (mg_json_int(mg_json_at(list, k), 1) - 1));
    for (int v = 1; v <= ORGANS; v++)
        if (*unknown >> (v - 1) & 1) class_of[v] = 0;
}

static mg_status read_label(const char *root, const config *cfg, const mg_item *item,
                            mg_sample *out)
{
    int class_of[ORGANS + 1];
    uint16_t *values;
    int64_t parts = 0;

    choose_classes(cfg, item->patient, class_of, &out->unknown);
    MG_TRY(mg_volume_label(root, item->mask, false, out, &values));
    mg_status st = mg_volume_classes(out, item->mask, values, class_of, ORGANS + 1);
    mg_free(values);
    if (!st && cfg->min_component > 1) st = mg_drop_specks(out, cfg->min_component, &parts);
    if (!st && parts)
        mg_sample_remark(out, "%lld small parts taken off the label", (long long)parts);
    return st;
}

// The rule for the modality against the values: only CT goes below -200.
static void check_values(bool ct, mg_sample *out)
{
    size_t cells = (size_t)out->depth * out->height * out->width;
    bool low = false;

    for (size_t i = 0; i < cells && !low; i++)
        low = out->type == MG_I16 ? ((int16_t *)out->pixels)[i] < -200
                                  : ((float *)out->pixels)[i] < -200;
    if (low != ct)
        mg_sample_remark(out, ct ? "no value below -200: perhaps not CT"
                                 : "values below -200: perhaps not MR");
}

static mg_status read_image(const char *root, const config *cfg, const mg_item *item, bool ct,
                            mg_sample *out)
{
    const char *path = item->image;
    double percent[2];

    if (ct) {
        MG_TRY(mg_volume_ct(root, path, out));
        out->volume.range[0][0] = MG_CT_LOW;
        out->volume.range[0][1] = MG_CT_HIGH;
    } else {
        MG_TRY(mg_volume_mr(root, &path, 1, out));
        MG_TRY(mg_volume_percents(&cfg->percentiles, "amos.percentiles", percent));
        MG_TRY(mg_volume_percentiles(out, NULL, percent[0], percent[1]));
    }
    check_values(ct, out);
    return MG_OK;
}

static mg_status regrid(const config *cfg, bool ct, mg_sample *out)
{
    double spacing[3];

    MG_TRY(mg_volume_spacing(&cfg->spacing, "amos.spacing", spacing));
    return mg_regrid_body(out,
                          !cfg->crop ? MG_CROP_NONE
                          : ct       ? MG_CROP_CT
                                     : MG_CROP_BODY,
                          NULL, spacing);
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    bool ct = !strcmp(item->modality, "CT");
    (void)found;

    mg_status st = read_image(root, cfg, item, ct, out);
    if (!st && item->mask) st = read_label(root, cfg, item, out);
    if (!st && !(hint && hint->as_found)) st = regrid(cfg, ct, out);
    if (st) mg_sample_free(out);
    return st;
}

const mg_dataset mg_dataset_amos = {
    .name = "amos",
    .summary = "AMOS22: abdominal CT and MR with 15 organs",
    .labelled = true,
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_amos,
};
