// BraTS (datasets.md section 9): brain MR in four contrasts with a tumour in parts. A case is a folder
// whose files begin with its name; an edition says how the contrasts are called, which values the
// segmentation may have and which regions they make. Contrasts are the channels, always in the order
// flair, t1, t1ce, t2; what is missing (2015) is left out and listed.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "datasets/volume.h"
#include "runtime/mem.h"

enum { CONTRASTS = 4, SEG = CONTRASTS, KINDS, VALUES = 5, LABELLED = 1251, UNLABELLED = 219 };

static const char *const kind_name[KINDS] = {"flair", "t1", "t1ce", "t2", "seg"};

typedef struct {
    const char *name, *prefix;       // every case begins with it
    bool missing;                    // contrasts may be
    const char *end[KINDS];          // of the stems
    const char *part[VALUES - 1];    // name of value v at [v - 1], NULL: must not be there
    unsigned whole, core, enhancing; // regions as bits of values
} edition;

enum { V1 = 1 << 1, V2 = 1 << 2, V3 = 1 << 3, V4 = 1 << 4 };

// clang-format off
static const edition editions[] = {
    {"2021", "BraTS2021_", false, {"_flair", "_t1", "_t1ce", "_t2", "_seg"},
     {"necrosis", "oedema", NULL, "enhancing tumour"}, V1 | V2 | V4, V1 | V4, V4},
    {"2015", "", true, {"_flair", "_t1", "_t1ce", "_t2", "_seg"},
     {"necrosis", "oedema", "non-enhancing tumour", "enhancing tumour"}, V1 | V2 | V3 | V4, V1 | V3 | V4, V4},
    {"2023", "BraTS-", false, {"-t2f", "-t1n", "-t1c", "-t2w", "-seg"},
     {"necrosis", "oedema", "enhancing tumour", NULL}, V1 | V2 | V3, V1 | V3, V3},
    {"2024", "BraTS-", false, {"-t2f", "-t1n", "-t1c", "-t2w", "-seg"},
     {"necrosis", "oedema", "enhancing tumour", "resection cavity"}, V1 | V2 | V3, V1 | V3, V3},
};
// clang-format on

typedef struct {
    char *edition, *regions, *group;
    mg_list contrasts, percentiles;
    bool crop, unlabelled;
} config;

// clang-format off
static const mg_option options[] = {
    {"brats.edition", MG_CHOICE, offsetof(config, edition), "2021", 0, 0, "names, values and parts as in this year's release; 2015 also takes cases with missing contrasts", "2021|2015|2023|2024"},
    {"brats.contrasts", MG_LIST, offsetof(config, contrasts), "flair,t1ce,t2", 0, 0, "the three input channels (of flair, t1, t1ce, t2); a single one is used three times", NULL},
    {"brats.regions", MG_CHOICE, offsetof(config, regions), "nested", 0, 0, "classes: whole tumour, tumour core and enhancing tumour, which overlap; the parts as labelled; or the whole tumour alone", "nested|parts|whole"},
    {"brats.crop", MG_BOOL, offsetof(config, crop), "true", 0, 0, "cut to the box of the voxels that are not zero", NULL},
    {"brats.percentiles", MG_LIST, offsetof(config, percentiles), "0.5,99.5", 0, 0, "of the non-zero voxels of each contrast: what becomes 0 and 255", NULL},
    {"brats.group", MG_CHOICE, offsetof(config, group), "case", 0, 0, "what stays on one side of a split: the case, the site, or the patient of an older year (BraTS21-17_Mapping.csv)", "case|site|older"},
    {"brats.unlabelled", MG_BOOL, offsetof(config, unlabelled), "false", 0, 0, "also take cases without a segmentation (validation)", NULL},
    {0},
};
// clang-format on

static const edition *find_edition(const config *cfg)
{
    size_t i = 0;
    while (strcmp(editions[i].name, cfg->edition)) i++; // a choice
    return &editions[i];
}

// --- scan -------------------------------------------------------------------------------------------

typedef struct {
    const config *cfg;
    const edition *ed;
    mg_found files[KINDS];
    mg_names cases; // prefix -> place in `name`
    mg_texts name;
    mg_csv mapping;
    mg_names row; // case -> row of the mapping
    bool has_mapping;
    char *other; // a file of another edition's names
    const char *other_edition;
    int64_t without_seg, missing[CONTRASTS];
} search;

static bool starts(const char *text, const char *start)
{
    return !strncasecmp(text, start, strlen(start));
}

// The name of the case that the stem belongs to, and the kind of file; false if it is none.
static bool take_apart(const edition *ed, const char *stem, char *name, size_t room, int *kind)
{
    for (*kind = 0; *kind < KINDS; ++*kind) {
        size_t n = strlen(stem), m = strlen(ed->end[*kind]);
        if (!mg_scan_ends(stem, ed->end[*kind]) || n == m || n - m >= room) continue;
        snprintf(name, room, "%.*s", (int)(n - m), stem);
        return starts(name, ed->prefix);
    }
    return false;
}

static mg_status add_file(const char *root, const char *path, const char *name, int kind, search *s,
                          mg_scan *out)
{
    // In 2015 the folder tells what a case is; later its prefix does (single cases come without one).
    if (!*s->ed->prefix && !mg_volume_in(path, name)) return MG_OK;
    if (mg_names_find(&s->cases, name) < 0) {
        MG_TRY(mg_names_add(&s->cases, name, (int64_t)s->name.count));
        MG_TRY(mg_texts_add(&s->name, name));
    }
    return mg_found_add(&s->files[kind], root, name, path, out);
}

static mg_status sort_file(const char *root, const char *path, search *s, mg_scan *out)
{
    char name[256], *stem;
    int kind;
    mg_status st = MG_OK;

    if (!mg_volume_is_name(path)) return MG_OK;
    stem = mg_volume_stem(path);
    MG_CHECK(stem, MG_ERR_MEMORY, "no memory for '%s'", path);
    if (take_apart(s->ed, stem, name, sizeof name, &kind)) {
        st = add_file(root, path, name, kind, s, out);
    } else {
        for (size_t e = 0; e < sizeof editions / sizeof *editions && !s->other; e++)
            if (take_apart(&editions[e], stem, name, sizeof name, &kind) &&
                mg_volume_in(path, name)) {
                s->other = mg_strdup(path);
                s->other_edition = editions[e].name;
            }
    }
    mg_free(stem);
    return st;
}

static mg_status read_mapping(const char *root, const char *path, search *s, mg_scan *out)
{
    MG_TRY(mg_scan_table(out, root, path, &s->mapping, &s->has_mapping));
    int id = mg_csv_column(&s->mapping, "BraTS2021");
    for (int64_t r = 0; s->has_mapping && id >= 0 && r < s->mapping.rows; r++)
        if (*mg_csv_get(&s->mapping, r, id))
            MG_TRY(mg_names_add(&s->row, mg_csv_get(&s->mapping, r, id), r));
    return MG_OK;
}

// --- patients ---------------------------------------------------------------------------------------

// Site or older name of the case by the mapping, "" if it says nothing.
static void look_up(const search *s, const char *name, char *key, size_t room)
{
    static const char *const older[] = {"BraTS2020", "BraTS2019", "BraTS2018", "BraTS2017"};
    int64_t row = s->has_mapping ? mg_names_find(&s->row, name) : -1;

    *key = '\0';
    if (row < 0) return;
    for (int c = 0; c < s->mapping.columns && !strcmp(s->cfg->group, "site"); c++) {
        const char *cell = mg_csv_get(&s->mapping, row, c);
        if (starts(s->mapping.cell[c], "Site No") && *cell) snprintf(key, room, "site %s", cell);
    }
    for (size_t i = 0; i < sizeof older / sizeof *older && !strcmp(s->cfg->group, "older") && !*key;
         i++) {
        const char *cell = mg_csv_get(&s->mapping, row, mg_csv_column(&s->mapping, older[i]));
        if (*cell && strcasecmp(cell, "NA") && strcasecmp(cell, "N/A"))
            snprintf(key, room, "%s", cell);
    }
}

// The key: by the mapping if asked for; otherwise the case, where "pat0105_2" is the second scan of
// patient "pat0105".
static void find_patient(const search *s, const char *name, char *key, size_t room)
{
    look_up(s, name, key, room);
    if (*key) return;
    snprintf(key, room, "%s", name);
    char *scan_number = strrchr(key, '_'), *patient = strstr(key, "_pat");
    if (patient && scan_number > patient && isdigit((unsigned char)scan_number[1]))
        *scan_number = '\0';
}

// --- items ------------------------------------------------------------------------------------------

static mg_status append(char **text, const char *fmt, const char *a, const char *b)
{
    char *longer = *text ? mg_sprintf(fmt, *text, a, b) : NULL;

    mg_free(*text);
    *text = longer;
    MG_CHECK(longer, MG_ERR_MEMORY, "no memory for the files of a case");
    return MG_OK;
}

// What the case has, as lines "flair PATH", and the names of what it has not.
static mg_status list_contrasts(search *s, const char *name, char **files, char absent[64])
{
    *absent = '\0';
    *files = mg_strdup("");
    for (int c = 0; c < CONTRASTS; c++) {
        const char *path = mg_found_path(&s->files[c], name);
        size_t used = strlen(absent);
        s->missing[c] += !path;
        if (path)
            MG_TRY(append(files, **files ? "%s\n%s %s" : "%s%s %s", kind_name[c], path));
        else
            snprintf(absent + used, 64 - used, "%s%s", used ? "," : "", kind_name[c]);
    }
    return MG_OK;
}

static mg_status add_case(search *s, const char *name, mg_scan *out)
{
    char absent[64], patient[256], *files;
    const char *seg = mg_found_path(&s->files[SEG], name);
    mg_status st = list_contrasts(s, name, &files, absent);

    if (st) {
        mg_free(files);
        return st;
    }
    bool held_back = mg_scan_in_folder(files, "valid") || mg_scan_in_folder(files, "test");
    s->without_seg += !seg;
    if (!*files || (*absent && !s->ed->missing)) {
        st = mg_scan_skip(out, name, "no %s", absent);
    } else if (!seg && !held_back && !s->cfg->unlabelled) {
        st = mg_scan_skip(out, name, "no segmentation");
    } else if (seg || s->cfg->unlabelled) {
        find_patient(s, name, patient, sizeof patient);
        mg_item item = {.name = (char *)name,
                        .image = files,
                        .mask = (char *)seg,
                        .patient = patient,
                        .modality = "MR"};
        st = mg_scan_add(out, &item);
    }
    mg_free(files);
    return st;
}

static mg_status note_counts(const search *s, mg_scan *out)
{
    int64_t labelled = 0;

    for (int64_t i = 0; i < out->count; i++) labelled += out->item[i].mask != NULL;
    for (int c = 0; c < CONTRASTS; c++)
        if (s->missing[c])
            MG_TRY(mg_scan_note(out, "no %s: %lld of %zu cases", kind_name[c],
                                (long long)s->missing[c], s->name.count));
    if (strcmp(s->cfg->group, "case") && !s->has_mapping)
        MG_TRY(mg_scan_note(out, "no BraTS21-17_Mapping.csv: every case is a patient of its own"));
    if (!strcmp(s->ed->name, "2021")) {
        MG_TRY(mg_scan_expect(out, "cases with a segmentation", labelled, LABELLED));
        MG_TRY(mg_scan_expect(out, "cases without", s->without_seg, UNLABELLED));
    }
    if (s->without_seg && !s->cfg->unlabelled)
        MG_TRY(mg_scan_note(out, "without a segmentation, left out (brats.unlabelled): %lld cases",
                            (long long)s->without_seg));
    return MG_OK;
}

static mg_status collect(const char *root, const mg_texts *files, search *s, mg_scan *out)
{
    for (size_t i = 0; i < files->count; i++) {
        MG_TRY(sort_file(root, files->item[i], s, out));
        if (!s->has_mapping && starts(mg_path_base(files->item[i]), "BraTS21-17_Mapping"))
            MG_TRY(read_mapping(root, files->item[i], s, out));
    }
    MG_CHECK(s->name.count || !s->other, MG_ERR_FORMAT,
             "no case of edition %s in '%s', but '%s' of edition %s: set brats.edition",
             s->ed->name, root, s->other, s->other_edition);
    if (!s->name.count)
        return mg_scan_nothing(root, files, "BraTS2021_00000/BraTS2021_00000_flair.nii.gz");
    for (size_t i = 0; i < s->name.count; i++) MG_TRY(add_case(s, s->name.item[i], out));
    MG_TRY(note_counts(s, out));
    MG_CHECK(out->count, MG_ERR_FORMAT, "no complete case among %zu in '%s'; the first is '%s'",
             s->name.count, root, s->name.item[0]);
    return MG_OK;
}

// --- settings ---------------------------------------------------------------------------------------

static int contrast_of(const char *name, size_t length)
{
    int c = 0;
    while (c < CONTRASTS &&
           (strncasecmp(kind_name[c], name, length) || strlen(kind_name[c]) != length))
        c++;
    return c;
}

// Contrasts of the three inputs.
static mg_status wanted_contrasts(const config *cfg, int wanted[3])
{
    const mg_list *list = &cfg->contrasts;

    MG_CHECK(list->count == 1 || list->count == 3, MG_ERR_CONFIG,
             "brats.contrasts has %d entries, expected 1 or 3", list->count);
    for (int k = 0; k < 3; k++) {
        const char *name = list->item[list->count == 1 ? 0 : k];
        wanted[k] = contrast_of(name, strlen(name));
        MG_CHECK(wanted[k] < CONTRASTS, MG_ERR_CONFIG,
                 "brats.contrasts: '%s' is none of flair, t1, t1ce, t2", name);
    }
    return MG_OK;
}

static void name_classes(const config *cfg, const edition *ed, mg_scan *out)
{
    static const char *const nested[] = {"whole tumour", "tumour core", "enhancing tumour"};
    bool parts = !strcmp(cfg->regions, "parts"), whole = !strcmp(cfg->regions, "whole");

    out->classes = 0;
    for (int i = 0; i < (parts ? VALUES - 1 : whole ? 1 : 3); i++) {
        const char *name = parts ? ed->part[i] : nested[i];
        if (name) snprintf(out->class_name[out->classes++], sizeof *out->class_name, "%s", name);
    }
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    mg_texts files = {0};
    search s = {.cfg = cfg, .ed = find_edition(cfg)};
    double percent[2];
    int wanted[3];

    *out = (mg_scan){0};
    name_classes(s.cfg, s.ed, out);
    mg_status st = wanted_contrasts(s.cfg, wanted);
    if (!st) st = mg_volume_percents(&s.cfg->percentiles, "brats.percentiles", percent);
    if (!st) st = mg_list_tree(root, &files);
    if (!st) st = collect(root, &files, &s, out);
    mg_scan_sort(out);
    for (int k = 0; k < KINDS; k++) mg_found_free(&s.files[k]);
    mg_texts_free(&files);
    mg_texts_free(&s.name);
    mg_names_free(&s.cases);
    mg_names_free(&s.row);
    mg_csv_free(&s.mapping);
    mg_free(s.other);
    if (st) mg_scan_free(out);
    return st;
}

// --- read -------------------------------------------------------------------------------------------

// The lines "flair PATH" of an item; `text` is cut up and owns the paths.
static int split_lines(char *text, int contrast[CONTRASTS], const char *path[CONTRASTS])
{
    char *rest, *line = strtok_r(text, "\n", &rest);
    int count = 0;

    for (; line && count < CONTRASTS; line = strtok_r(NULL, "\n", &rest)) {
        char *space = strchr(line, ' ');
        if (!space) continue;
        contrast[count] = contrast_of(line, (size_t)(space - line));
        path[count++] = space + 1;
    }
    return count;
}

// `background` [CONTRASTS] of the channels.
static mg_status read_images(const char *root, const config *cfg, const mg_item *item,
                             double *background, mg_sample *out)
{
    int contrast[CONTRASTS], wanted[3], count;
    const char *path[CONTRASTS];
    double percent[2];
    char *lines = mg_strdup(item->image);

    MG_CHECK(lines, MG_ERR_MEMORY, "no memory for the files of '%s'", item->name);
    count = split_lines(lines, contrast, path);
    mg_status st = wanted_contrasts(cfg, wanted);
    if (!st) st = mg_volume_mr(root, path, count, out);
    mg_free(lines);
    if (!st) st = mg_volume_percents(&cfg->percentiles, "brats.percentiles", percent);
    if (!st) mg_volume_background(out, background);
    if (!st) st = mg_volume_percentiles(out, background, percent[0], percent[1]);
    if (st) return st;
    for (int c = 0; c < count; c++) {
        if (background[c] != 0)
            mg_sample_remark(out, "background of %s is %g", kind_name[contrast[c]], background[c]);
        char *names = out->volume.contrasts;
        size_t used = strlen(names);
        snprintf(names + used, sizeof out->volume.contrasts - used, "%s%s", used ? "," : "",
                 kind_name[contrast[c]]);
    }
    for (int k = 0; k < 3; k++) {
        int c = count - 1;
        while (c >= 0 && contrast[c] != wanted[k]) c--;
        out->volume.input[k] = c;
        if (c < 0) mg_sample_remark(out, "no %s: zeros", kind_name[wanted[k]]);
    }
    return MG_OK;
}

// Regions overlap: bits of whole tumour, core, enhancing.
static mg_status make_regions(const edition *ed, const uint16_t *values, mg_sample *out)
{
    const unsigned region[3] = {ed->whole, ed->core, ed->enhancing};
    size_t cells = (size_t)out->depth * out->height * out->width;

    out->bits = mg_alloc(cells * sizeof *out->bits);
    MG_CHECK(out->bits, MG_ERR_MEMORY, "no memory for a label of %zu cells", cells);
    for (size_t i = 0; i < cells; i++) {
        unsigned bits = 0;
        for (int r = 0; r < 3; r++) bits |= (region[r] >> values[i] & 1) << r;
        out->bits[i] = (uint16_t)bits;
    }
    return MG_OK;
}

static mg_status read_label(const char *root, const config *cfg, const mg_item *item,
                            mg_sample *out)
{
    const edition *ed = find_edition(cfg);
    bool whole = !strcmp(cfg->regions, "whole"), nested = !strcmp(cfg->regions, "nested");
    int class_of[VALUES], next = 1;
    uint16_t *values;

    for (int v = 0; v < VALUES; v++) {
        bool known = v == 0 || ed->part[v - 1];
        class_of[v] = !known ? -1 : v == 0 ? 0 : whole ? (int)(ed->whole >> v & 1) : next++;
    }
    MG_TRY(mg_volume_label(root, item->mask, false, out, &values));
    // The map of the parts also says whether every value may be there.
    mg_status st = mg_volume_classes(out, item->mask, values, class_of, VALUES);
    if (!st && nested) {
        mg_free(out->label);
        out->label = NULL;
        st = make_regions(ed, values, out);
    }
    mg_free(values);
    return st;
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    const config *c = cfg;
    const double as_they_are[3] = {0};
    double background[CONTRASTS] = {0};
    (void)found;

    *out = (mg_sample){0};
    mg_status st = read_images(root, c, item, background, out);
    if (!st && item->mask) st = read_label(root, c, item, out);
    if (!st && !(hint && hint->as_found))
        st = mg_regrid_body(out, c->crop ? MG_CROP_BODY : MG_CROP_NONE, background, as_they_are);
    if (st) mg_sample_free(out);
    return st;
}

const mg_dataset mg_dataset_brats = {
    .name = "brats",
    .summary = "BraTS: brain tumours in MR of four contrasts",
    .labelled = true,
    .expected = {{240, 240}, {240, 240}, {155, 155}, {.999, 1.001}, {.999, 1.001}},
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_brats,
};
