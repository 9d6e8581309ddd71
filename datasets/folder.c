// Images and masks paired by patterns (datasets.md section 13): finding, pairing, reading. NIfTI
// files are volumes, all else is 2-D. The settings of section "folder." become rules in folder_config.c.
#include "datasets/folder.h"

#include <ctype.h>
#include <string.h>

#include "datasets/decode.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "datasets/volume.h"
#include "runtime/mem.h"

// --- patterns ---------------------------------------------------------------------------------------

typedef struct {
    const char *extension; // of the pattern: from here on case does not matter
    char *stem, *patient;  // captured, "" while not
} matcher;

static bool match_here(const matcher *m, const char *p, const char *t);

// The pattern goes on with `p` behind a run that is captured in `slot` (NULL: not kept).
static bool match_run(const matcher *m, char *slot, const char *p, const char *t)
{
    if (slot && *slot) {
        size_t n = strlen(slot);
        return !strncmp(slot, t, n) && match_here(m, p, t + n);
    }
    for (size_t n = 1; t[n - 1] && t[n - 1] != '/' && n < 256; n++) {
        if (slot) memcpy(slot, t, n), slot[n] = '\0';
        if (match_here(m, p, t + n)) return true;
        if (slot) *slot = '\0';
    }
    return false;
}

static bool match_here(const matcher *m, const char *p, const char *t)
{
    for (; *p; p++, t++) {
        if (!strncmp(p, "{stem}", 6)) return match_run(m, m->stem, p + 6, t);
        if (!strncmp(p, "{patient}", 9)) return match_run(m, m->patient, p + 9, t);
        if (*p == '*') return match_here(m, p + 1, t) || match_run(m, NULL, p + 1, t);
        if (*p == *t) continue;
        if (p < m->extension || tolower((unsigned char)*p) != tolower((unsigned char)*t))
            return false;
    }
    return !*t;
}

bool mg_folder_match(const char *pattern, const char *path, char stem[256], char patient[256])
{
    const char *dot = strrchr(pattern, '.');
    matcher m = {dot ? dot : pattern + strlen(pattern), stem, patient};

    *stem = *patient = '\0';
    return match_here(&m, pattern, path);
}

// The path without folders that repeat the one before them, or at its start the root's own name
// (archives unpacked into a folder of their name). `plain` has room for the path.
static void collapse(const char *root, const char *path, char *plain)
{
    char *base = mg_strdup(root);
    size_t n = base ? strlen(base) : 0;
    while (n && base[n - 1] == '/') base[--n] = '\0';
    const char *last = base ? mg_path_base(base) : "";
    size_t last_length = strlen(last);
    const char *slash;

    *plain = '\0';
    for (; (slash = strchr(path, '/')); path = slash + 1) {
        size_t length = (size_t)(slash - path);
        if (length != last_length || memcmp(path, last, length)) strncat(plain, path, length + 1);
        last = path;
        last_length = length;
    }
    strcat(plain, path);
    mg_free(base);
}

// Match the path as it is, then without repeated folders. The key pairs images and masks: the stem,
// with the patient before it where every pattern has one.
static bool match_file(const mg_folder_rules *rules, const char *pattern, const char *root,
                       const char *path, char key[512], char patient[256])
{
    char stem[256], plain[4096];

    if (!mg_folder_match(pattern, path, stem, patient)) {
        if (strlen(path) >= sizeof plain) return false;
        collapse(root, path, plain);
        if (!mg_folder_match(pattern, plain, stem, patient)) return false;
    }
    bool both = strstr(rules->images, "{patient}");
    for (int i = 0; i < rules->masks; i++)
        both = both && strstr(rules->mask[i].pattern, "{patient}");
    snprintf(key, 512, "%s%s%s", both ? patient : "", both ? "/" : "", stem);
    if (!*patient) memcpy(patient, stem, sizeof stem);
    return true;
}

// --- scan -------------------------------------------------------------------------------------------

typedef struct {
    mg_found images, masks[MG_MAX_CLASSES];
    mg_texts patients; // beside images.path
} found_files;

static void free_found(found_files *f)
{
    mg_found_free(&f->images);
    for (int i = 0; i < MG_MAX_CLASSES; i++) mg_found_free(&f->masks[i]);
    mg_texts_free(&f->patients);
}

// A file that fits a pattern of masks is a mask, even if it fits that of images too.
static mg_status sort_file(const char *root, const mg_folder_rules *rules, const char *path,
                           found_files *f, mg_scan *out)
{
    char key[512], patient[256];
    bool is_mask = false;

    for (int i = 0; i < rules->masks; i++) {
        if (!match_file(rules, rules->mask[i].pattern, root, path, key, patient)) continue;
        MG_TRY(mg_found_add(&f->masks[i], root, key, path, out));
        is_mask = true;
    }
    if (is_mask || !match_file(rules, rules->images, root, path, key, patient)) return MG_OK;
    size_t before = f->images.path.count;
    MG_TRY(mg_found_add(&f->images, root, key, path, out));
    if (f->images.path.count > before) MG_TRY(mg_texts_add(&f->patients, patient));
    return MG_OK;
}

// Put image i on the list with its masks: the paths of several stand in `extra`, one a line.
static mg_status add_pair(const mg_folder_rules *rules, const found_files *f, size_t i,
                          mg_scan *out)
{
    const char *key = f->images.stem.item[i], *path = f->images.path.item[i];
    mg_item item = {.name = (char *)path,
                    .image = (char *)path,
                    .patient = f->patients.item[i],
                    .modality = (char *)rules->modality};
    char *all = NULL;

    for (int m = 0; m < rules->masks; m++) {
        const char *mask = mg_found_path(&f->masks[m], key);
        if (!mask) {
            mg_free(all);
            return mg_scan_skip(out, path, "image without a mask '%s'", rules->mask[m].pattern);
        }
        char *longer = mg_sprintf("%s%s%s", all ? all : "", all ? "\n" : "", mask);
        mg_free(all);
        MG_CHECK(longer, MG_ERR_MEMORY, "no memory for the masks of '%s'", path);
        all = longer;
        if (!m) item.mask = (char *)mask;
    }
    if (rules->masks > 1) item.extra = all;
    mg_status st = mg_scan_add(out, &item);
    mg_free(all);
    return st;
}

static mg_status pair_all(const char *root, const mg_folder_rules *rules, const mg_texts *files,
                          const found_files *f, mg_scan *out)
{
    if (!f->images.path.count) return mg_scan_nothing(root, files, rules->images);
    for (int m = 0; m < rules->masks; m++)
        if (!f->masks[m].path.count) return mg_scan_nothing(root, files, rules->mask[m].pattern);
    for (size_t i = 0; i < f->images.path.count; i++) MG_TRY(add_pair(rules, f, i, out));
    for (int m = 0; m < rules->masks; m++)
        for (size_t i = 0; i < f->masks[m].path.count; i++)
            if (!mg_found_path(&f->images, f->masks[m].stem.item[i]))
                MG_TRY(mg_scan_skip(out, f->masks[m].path.item[i], "mask without an image"));
    MG_CHECK(out->count, MG_ERR_FORMAT,
             "no image and mask in '%s' have their names in common: image '%s', mask '%s'", root,
             f->images.path.item[0], f->masks[0].path.item[0]);
    return MG_OK;
}

mg_status mg_folder_scan(const char *root, const mg_folder_rules *rules, mg_scan *out)
{
    mg_texts files = {0};
    found_files found = {0};
    mg_status st = mg_list_tree(root, &files);

    *out = (mg_scan){.classes = rules->masks ? rules->classes : 0};
    for (int c = 0; c < out->classes; c++)
        snprintf(out->class_name[c], sizeof *out->class_name, "%s", rules->class_name[c]);
    for (size_t i = 0; !st && i < files.count; i++)
        st = sort_file(root, rules, files.item[i], &found, out);
    if (!st) st = pair_all(root, rules, &files, &found, out);
    mg_scan_sort(out);
    free_found(&found);
    mg_texts_free(&files);
    if (st) mg_scan_free(out);
    return st;
}

// --- read -------------------------------------------------------------------------------------------

static int value_at(const mg_picture *p, size_t i)
{
    return p->bytes == 2 ? ((const uint16_t *)p->pixels)[i] : ((const uint8_t *)p->pixels)[i];
}

static int class_of(const mg_folder_rules *rules, int value)
{
    if (!value) return 0;
    for (int i = 0; i < rules->values; i++)
        if (rules->map[i].value == value) return rules->map[i].class_number;
    return -1;
}

// `i` is the cell, in a mask of the sample's size.
static mg_status fail_value(const mg_folder_rules *rules, const char *path, int value, size_t i,
                            const mg_sample *s)
{
    size_t row = i / (size_t)s->width, column = i % (size_t)s->width;
    char list[256] = "0", slice[32] = "";

    if (s->depth > 1) {
        snprintf(slice, sizeof slice, "slice %zu, ", row / (size_t)s->height);
        row %= (size_t)s->height;
    }
    for (int k = 0; k < rules->values; k++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, ", %d", rules->map[k].value);
    }
    return MG_FAIL(MG_ERR_FORMAT, "mask '%s' has value %d at %srow %zu, column %zu; expected %s",
                   path, value, slice, row, column, list);
}

// A label map: every value must be known.
static mg_status read_map(const mg_folder_rules *rules, const char *path, const mg_picture *p,
                          mg_sample *out)
{
    size_t cells = (size_t)p->height * p->width;
    int value = 0, class_number = 0;

    out->label = mg_alloc(cells);
    MG_CHECK(out->label, MG_ERR_MEMORY, "no memory for the label of '%s'", path);
    for (size_t i = 0; i < cells; i++) {
        if (value_at(p, i) != value) {
            value = value_at(p, i);
            class_number = class_of(rules, value);
            if (class_number < 0) return fail_value(rules, path, value, i, out);
        }
        out->label[i] = (uint8_t)class_number;
    }
    return MG_OK;
}

// One of several masks: a class of its own where value >= threshold.
static mg_status read_layer(const mg_folder_rules *rules, int m, const char *path,
                            const mg_picture *p, mg_sample *out)
{
    size_t cells = (size_t)p->height * p->width;
    uint16_t bit = (uint16_t)(1u << (rules->mask[m].class_number - 1));
    int top = 0;

    if (!out->bits) out->bits = mg_calloc(cells, sizeof *out->bits);
    MG_CHECK(out->bits, MG_ERR_MEMORY, "no memory for the label of '%s'", path);
    for (size_t i = 0; i < cells; i++) {
        int value = value_at(p, i);
        if (value && class_of(rules, value) == MG_LABEL_IGNORE)
            out->bits[i] |= 1u << 15;
        else if (value >= rules->mask[m].threshold)
            out->bits[i] |= bit;
        if (value > top) top = value;
    }
    MG_CHECK(!top || top >= rules->mask[m].threshold, MG_ERR_FORMAT,
             "values of mask '%s' end at %d, below the threshold %d", path, top,
             rules->mask[m].threshold);
    return MG_OK;
}

// The values of a mask that is a picture.
static mg_status load_picture(const char *root, const char *path, bool map, mg_sample *out,
                              mg_picture *p)
{
    bool lossy = false;
    char *data;
    size_t bytes = 0;

    MG_TRY(mg_sample_load(root, path, &data, &bytes));
    mg_status st = mg_decode_mask_memory(data, bytes, path, p, &lossy);
    mg_free(data);
    if (st) return st;
    MG_CHECK(!lossy || !map, MG_ERR_FORMAT, "label map '%s' is a JPEG, which changes its values",
             path);
    return mg_sample_check_size(path, p->height, p->width, out);
}

// The values of a mask that is a volume, its slices one below the other.
static mg_status load_volume(const char *root, const char *path, mg_sample *out, mg_picture *p)
{
    uint16_t *values;

    MG_TRY(mg_volume_label(root, path, false, out, &values));
    *p = (mg_picture){.height = out->depth * out->height,
                      .width = out->width,
                      .channels = 1,
                      .bytes = 2,
                      .pixels = values};
    return MG_OK;
}

static mg_status read_mask(const char *root, const mg_folder_rules *rules, int m, const char *path,
                           mg_sample *out)
{
    bool map = !rules->mask[m].class_number, volume = out->volume.orientation[0];
    mg_picture p = {0};

    MG_CHECK(volume == mg_volume_is_name(path), MG_ERR_FORMAT,
             "mask '%s' is %s volume, its image is %s", path, volume ? "no" : "a",
             volume ? "one" : "none");
    mg_status st =
        volume ? load_volume(root, path, out, &p) : load_picture(root, path, map, out, &p);
    if (!st) st = map ? read_map(rules, path, &p, out) : read_layer(rules, m, path, &p, out);
    mg_picture_free(&p);
    return st;
}

static mg_status read_masks(const char *root, const mg_folder_rules *rules, const mg_item *item,
                            mg_sample *out)
{
    char *list = mg_strdup(*item->extra ? item->extra : item->mask), *rest = NULL;

    MG_CHECK(list, MG_ERR_MEMORY, "no memory for '%s'", item->name);
    mg_status st = MG_OK;
    char *path = strtok_r(list, "\n", &rest);
    for (int m = 0; !st && path && m < rules->masks; m++) {
        st = read_mask(root, rules, m, path, out);
        path = strtok_r(NULL, "\n", &rest);
    }
    mg_free(list);
    return st;
}

mg_status mg_folder_read(const char *root, const mg_folder_rules *rules, const mg_item *item,
                         const mg_decode_hint *hint, mg_sample *out)
{
    int side = item->mask || !hint ? 0 : hint->long_side;
    bool volume = mg_volume_is_name(item->image);

    mg_status st = volume ? mg_volume_any(root, item->image, rules->modality, out)
                          : mg_sample_picture(root, item->image, side, out);
    if (!st && item->mask) st = read_masks(root, rules, item, out);
    if (st) mg_sample_free(out);
    return st;
}
