// DDTI (datasets.md section 11): thyroid ultrasound, N_k.jpg beside a case file N.xml, in which outlines of the
// nodules are drawn as JSON. All pictures of a case are one patient. A picture that nobody outlined is left
// out: it is not one without a nodule.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "datasets/borders.h"
#include "datasets/ddti_case.h"
#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "runtime/mem.h"

enum { CASES = 390, PICTURES = 480, WITH_TIRADS = 298 };

static const char *const tirads[] = {"2", "3", "4a", "4b", "4c", "5", ""};

typedef struct {
    char *salvage;
    bool crop;
} config;

// clang-format off
static const mg_option options[] = {
    {"ddti.salvage", MG_CHOICE, offsetof(config, salvage), "none", 0, 0, "an outline that is cut off: leave the picture out, or close it after its last whole point", "none|points"},
    {"ddti.crop", MG_BOOL, offsetof(config, crop), "false", 0, 0, "cut off dark borders and the strip of the instrument beyond them", NULL},
    {0},
};
// clang-format on

// --- scanning ---------------------------------------------------------------------------------------

// A case file while scanning.
typedef struct {
    mg_ddti_case read;
    bool damaged, met; // met: there is a picture of it, or it was told that there is none
} entry;

typedef struct {
    mg_found cases, images;
    entry *entry; // of each case
    int64_t with_tirads, renumbered;
} search;

static mg_status sort_files(const char *root, const mg_texts *files, search *s, mg_scan *out)
{
    for (size_t i = 0; i < files->count; i++) {
        const char *path = files->item[i];
        bool is_case = mg_path_has_ext(path, ".xml");
        if (!is_case && !mg_scan_is_picture(path)) continue;
        char *stem = mg_path_stem(path);
        MG_CHECK(stem, MG_ERR_MEMORY, "no memory for '%s'", path);
        mg_status st = mg_found_add(is_case ? &s->cases : &s->images, root, stem, path, out);
        mg_free(stem);
        MG_TRY(st);
    }
    if (!s->cases.path.count) return mg_scan_nothing(root, files, "100.xml");
    if (!s->images.path.count) return mg_scan_nothing(root, files, "100_1.jpg");
    return MG_OK;
}

static mg_status load_case(const char *root, const char *path, mg_ddti_case *out)
{
    char *text;

    MG_TRY(mg_sample_load(root, path, &text, NULL));
    mg_status st = mg_ddti_parse(text, path, out);
    mg_free(text);
    return st;
}

// Outlines of pictures that are not there.
static mg_status check_marks(search *s, size_t i, mg_scan *out)
{
    const mg_ddti_case *c = &s->entry[i].read;

    for (int m = 0; m < c->marks; m++) {
        if (!*c->mark[m].outline) continue;
        char *stem = mg_sprintf("%s_%s", s->cases.stem.item[i], c->mark[m].image);
        MG_CHECK(stem, MG_ERR_MEMORY, "no memory for case '%s'", s->cases.path.item[i]);
        mg_status st = MG_OK;
        if (!mg_found_path(&s->images, stem)) {
            s->entry[i].met = true;
            st = mg_scan_skip(out, s->cases.path.item[i], "outline without its picture '%.80s.jpg'",
                              stem);
        }
        mg_free(stem);
        MG_TRY(st);
    }
    return MG_OK;
}

static bool is_tirads(const char *text)
{
    for (size_t i = 0; i < sizeof tirads / sizeof *tirads; i++)
        if (!strcasecmp(text, tirads[i])) return true;
    return false;
}

static mg_status read_cases(const char *root, search *s, mg_scan *out)
{
    s->entry = mg_calloc(s->cases.path.count, sizeof *s->entry);
    MG_CHECK(s->entry, MG_ERR_MEMORY, "no memory for %zu cases", s->cases.path.count);
    for (size_t i = 0; i < s->cases.path.count; i++) {
        mg_status st = load_case(root, s->cases.path.item[i], &s->entry[i].read);
        s->entry[i].damaged = st == MG_ERR_FORMAT || st == MG_ERR_IO;
        if (s->entry[i].damaged) {
            st = mg_scan_skip(out, s->cases.path.item[i], "%s", mg_err_message());
            mg_err_clear();
        }
        MG_TRY(st);
        if (s->entry[i].damaged) continue;
        const mg_ddti_case *c = &s->entry[i].read;
        if (!is_tirads(c->tirads))
            MG_TRY(
                mg_scan_note(out, "'%s': '%.20s' is no TI-RADS", s->cases.path.item[i], c->tirads));
        s->with_tirads += *c->tirads && is_tirads(c->tirads);
        s->renumbered += *c->number && strcmp(c->number, s->cases.stem.item[i]) != 0;
        MG_TRY(check_marks(s, i, out));
    }
    return MG_OK;
}

// The number of a picture: what stands behind the last '_' of its stem; NULL if there is none.
static const char *number_of(const char *stem)
{
    const char *line = strrchr(stem, '_');
    return line ? line + 1 : NULL;
}

// The case that picture `stem` belongs to, NULL if there is no such file.
static entry *case_of(const search *s, const char *stem, const char **path, const char **key)
{
    const char *number = number_of(stem);
    char name[128];

    if (!number) return NULL;
    snprintf(name, sizeof name, "%.*s", (int)(number - stem) - 1, stem);
    int64_t i = mg_names_find(&s->cases.by_stem, name);
    if (i < 0) return NULL;
    *path = s->cases.path.item[i];
    *key = s->cases.stem.item[i];
    return &s->entry[i];
}

static bool is_outlined(const mg_ddti_case *c, const char *image)
{
    for (int m = 0; m < c->marks; m++)
        if (!strcmp(c->mark[m].image, image) && *c->mark[m].outline) return true;
    return false;
}

// What the case file says of the patient, and how many nodules are outlined if there are several.
static mg_status note_of(const mg_ddti_case *c, const char *image, char **note)
{
    mg_outlines outlines;

    mg_status st = mg_ddti_outlines(c, image, "", &outlines);
    int regions = outlines.regions;
    mg_outlines_free(&outlines);
    if (st == MG_ERR_MEMORY) return st;
    mg_err_clear(); // reading the picture will tell
    if (regions > 1)
        *note = mg_sprintf("%s%soutlines %d", c->facts, *c->facts ? ", " : "", regions);
    else
        *note = mg_strdup(c->facts);
    MG_CHECK(*note, MG_ERR_MEMORY, "no memory for a note");
    return MG_OK;
}

static mg_status add_image(search *s, size_t i, mg_scan *out)
{
    char *path = s->images.path.item[i], *stem = s->images.stem.item[i], *note;
    const char *case_path, *key;
    entry *e = case_of(s, stem, &case_path, &key);

    if (!e) return mg_scan_skip(out, path, "picture without a case file");
    e->met = true;
    if (e->damaged) return mg_scan_skip(out, path, "its case file is damaged");
    if (!is_outlined(&e->read, number_of(stem)))
        return mg_scan_skip(out, path, "known to be without an outline, by '%s'", case_path);
    MG_TRY(note_of(&e->read, number_of(stem), &note));
    mg_item item = {.name = path,
                    .image = path,
                    .mask = (char *)case_path,
                    .patient = (char *)key,
                    .label = is_tirads(e->read.tirads) ? e->read.tirads : "",
                    .modality = "US",
                    .extra = note};
    mg_status st = mg_scan_add(out, &item);
    mg_free(note);
    return st;
}

static mg_status collect(const char *root, const mg_texts *files, search *s, mg_scan *out)
{
    MG_TRY(sort_files(root, files, s, out));
    MG_TRY(read_cases(root, s, out));
    for (size_t i = 0; i < s->images.path.count; i++) MG_TRY(add_image(s, i, out));
    for (size_t i = 0; i < s->cases.path.count; i++)
        if (!s->entry[i].met && !s->entry[i].damaged)
            MG_TRY(mg_scan_skip(out, s->cases.path.item[i], "case without a picture"));
    MG_TRY(mg_scan_expect(out, "case files", (int64_t)s->cases.path.count, CASES));
    MG_TRY(mg_scan_expect(out, "pictures", (int64_t)s->images.path.count, PICTURES));
    MG_TRY(mg_scan_expect(out, "cases with TI-RADS", s->with_tirads, WITH_TIRADS));
    if (s->renumbered)
        MG_TRY(mg_scan_note(out, "case files whose number is not that of their name: %lld",
                            (long long)s->renumbered));
    MG_CHECK(out->count, MG_ERR_FORMAT, "no picture in '%s' is outlined in its case file", root);
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
    for (size_t i = 0; s.entry && i < s.cases.path.count; i++) mg_ddti_free(&s.entry[i].read);
    mg_free(s.entry);
    mg_texts_free(&files);
    mg_found_free(&s.cases);
    mg_found_free(&s.images);
    if (st) mg_scan_free(out);
    return st;
}

// --- reading ----------------------------------------------------------------------------------------

static mg_status check_outlines(const config *c, const mg_item *item, const mg_outlines *o,
                                mg_sample *out)
{
    int points = o->regions ? o->end[o->regions - 1] : 0;

    MG_CHECK(!o->open || strcmp(c->salvage, "none") != 0, MG_ERR_FORMAT,
             "the outline of '%s' in '%s' is cut off after %d points (ddti.salvage: points closes "
             "it there)",
             item->image, item->mask, points);
    MG_CHECK(o->regions, MG_ERR_FORMAT,
             "the outline of '%s' in '%s' has no region of three points or more", item->image,
             item->mask);
    if (o->truncated)
        mg_sample_remark(out, "outlines truncated%s",
                         o->open ? ", closed after the last whole point"
                                 : " behind the last point");
    return MG_OK;
}

static mg_status read_outlines(const config *c, const char *root, const mg_item *item,
                               mg_sample *out)
{
    char *stem = mg_path_stem(item->image);
    const char *number = stem ? number_of(stem) : NULL;
    mg_ddti_case file = {0};
    mg_outlines outlines = {0};
    mg_status st;

    if (number)
        st = load_case(root, item->mask, &file);
    else
        st = MG_FAIL(MG_ERR_MEMORY, "no memory for '%s'", item->image);
    if (!st) st = mg_ddti_outlines(&file, number, item->mask, &outlines);
    if (!st) st = check_outlines(c, item, &outlines, out);
    if (!st) {
        out->label = mg_alloc((size_t)out->height * (size_t)out->width);
        if (!out->label) st = MG_FAIL(MG_ERR_MEMORY, "no memory for the mask of '%s'", item->image);
    }
    if (!st) st = mg_outlines_fill(&outlines, out->height, out->width, out->label);
    mg_outlines_free(&outlines);
    mg_ddti_free(&file);
    mg_free(stem);
    return st;
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    const config *c = cfg;
    (void)found;

    MG_TRY(mg_sample_picture(root, item->image, 0, out));
    mg_sample_to_grey(out);
    mg_status st = read_outlines(c, root, item, out);
    if (!st && c->crop && !(hint && hint->as_found)) st = mg_sample_cut_borders(out);
    if (st) mg_sample_free(out);
    return st;
}

const mg_dataset mg_dataset_ddti = {
    .name = "ddti",
    .summary = "DDTI: thyroid nodules in ultrasound, outlined in case files",
    .labelled = true,
    .long_side = 1024,
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_ddti,
};
