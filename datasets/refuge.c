// REFUGE (2018) and REFUGE2 (2020): fundus photographs with masks of disc and cup (datasets.md section 7).
// Photograph and mask are paired by part and stem; which file is what is told by the folders, so that
// the trees of all releases are read by the same rules:
//   refuge   Training400, REFUGE-Validation400, Test400 with Disc_Cup_Masks of each, from single archives
//            or from the older archive of archives; of a REFUGE2 tree the 1200 of REFUGE alone
//   refuge2  Train (all of REFUGE), Validation, Test
//   readers  Training-400/NAME/NAME.jpg with NAME_seg_{disc,cup}_{1..7}.png: their mean, cut at 0.5
//   kaggle   {train,val,test}/{Images,Masks}
// The spreadsheets beside them (fovea, diagnosis) are not needed.
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "datasets/fundus.h"
#include "datasets/levels.h"
#include "datasets/opinions.h"
#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "runtime/mem.h"

typedef struct {
    char *layout, *polarity;
    bool crop;
} config;

// clang-format off
static const mg_option options[] = {
    {"refuge.layout", MG_CHOICE, offsetof(config, layout), "auto", 0, 0, "tree: of REFUGE, of REFUGE2, with the masks of seven readers, or repacked; auto: by its folders", "auto|refuge|refuge2|readers|kaggle"},
    {"refuge.polarity", MG_CHOICE, offsetof(config, polarity), "auto", 0, 0, "what the low, middle and high values of masks mean; auto: told from the pixels", MG_POLARITY_CHOICES},
    {"refuge.crop", MG_BOOL, offsetof(config, crop), "false", 0, 0, "cut to the box of the fundus circle and pad to a square", NULL},
    {0},
};
// clang-format on

typedef enum { REFUGE, REFUGE2, READERS, KAGGLE, LAYOUTS } layout;
static const char *const layout_name[] = {"refuge", "refuge2", "readers", "kaggle"};

enum { PARTS = 3 };
static const char *const part_name[PARTS] = {"train", "val", "test"};
// Photographs of each part; 0 where nothing is promised.
static const int expected[LAYOUTS][PARTS] = {
    {400, 400, 400}, {1200, 400, 400}, {400, 0, 400}, {0, 0, 0}};

// --- which file is what -----------------------------------------------------------------------------

typedef struct {
    const config *cfg;
    layout layout;
    bool has_first; // folders "REFUGE1-..." are there
    mg_found images, masks;
    mg_found reader[2][MG_READERS_MOST]; // discs, cups by part and stem
    mg_names risk;                       // stem -> 0 or 1, from glaucoma.csv
    mg_names used;                       // paths of masks that have their image
    int64_t left_out;                    // of REFUGE2, where REFUGE is asked for
} search;

static bool is_first(const char *path)
{
    return mg_scan_in_folder(path, "REFUGE1");
}

// The innermost folder but those that tell the diagnosis.
static void kind_folder(const char *path, char folder[128])
{
    static const char *const diagnosis[] = {"glaucoma", "non-glaucoma", "g", "n"};
    char *dir = mg_path_dir(path);

    *folder = '\0';
    while (dir && strcmp(dir, ".")) {
        bool passed = false;
        snprintf(folder, 128, "%s", mg_path_base(dir));
        for (size_t i = 0; i < sizeof diagnosis / sizeof *diagnosis; i++)
            passed = passed || !strcasecmp(folder, diagnosis[i]);
        if (!passed) break;
        char *up = mg_path_dir(dir);
        mg_free(dir);
        dir = up;
    }
    mg_free(dir);
}

// Outermost folder that says Train, Validation or Test: the parts of REFUGE2.
static const char *outer_part(const char *path)
{
    for (const char *p = path, *slash; (slash = strchr(p, '/')); p = slash + 1)
        for (int i = 0; i < PARTS; i++) {
            static const char *const word[PARTS] = {"train", "validation", "test"};
            if (!strncasecmp(p, word[i], strlen(word[i])) && p + strlen(word[i]) == slash)
                return part_name[i];
        }
    return mg_scan_split_of(path);
}

static const char *part_of(const search *s, const char *path)
{
    return s->layout == REFUGE2 ? outer_part(path) : mg_scan_split_of(path);
}

// Photographs and masks meet under this: REFUGE2 counts from 1 again.
static char *key_of(const search *s, const char *path, const char *stem)
{
    return mg_sprintf("%s%s/%s", is_first(path) ? "REFUGE1 " : "", part_of(s, path), stem);
}

static layout find_layout(const char *asked, const mg_texts *files)
{
    bool readers = false, second = false, images = false, masks = false;

    for (int l = 0; l < LAYOUTS; l++)
        if (!strcmp(asked, layout_name[l])) return (layout)l;
    for (size_t i = 0; i < files->count; i++) {
        char folder[128];
        kind_folder(files->item[i], folder);
        readers = readers || strcasestr(mg_path_base(files->item[i]), "_seg_disc_");
        second = second || is_first(files->item[i]);
        images = images || !strcasecmp(folder, "Images");
        masks = masks || !strcasecmp(folder, "Masks");
    }
    return readers ? READERS : second ? REFUGE2 : images && masks ? KAGGLE : REFUGE;
}

// Cut-outs, illustrations and second copies of the masks, which several releases carry.
static bool is_beside(const search *s, const char *path, const char *stem, const char *folder)
{
    return mg_scan_in_folder(path, "Illustration") || mg_scan_ends(stem, "_cropped") ||
           strcasestr(folder, "cropped") || strcasestr(folder, "square") ||
           (s->layout == KAGGLE && strcasecmp(folder, "Images") && strcasecmp(folder, "Masks"));
}

// NAME_seg_disc_3: cuts the stem down to NAME. False for any other name.
static bool is_opinion(char *stem, int *cup, int *reader)
{
    char *at = strcasestr(stem, "_seg_");
    if (!at) return false;
    *cup = !strncasecmp(at + 5, "cup_", 4);
    if (!*cup && strncasecmp(at + 5, "disc_", 5)) return false;
    const char *number = at + (*cup ? 9 : 10);
    if (*number < '1' || *number > '0' + MG_READERS_MOST || number[1]) return false;
    *reader = *number - '1';
    *at = '\0';
    return true;
}

static mg_status sort_picture(const char *root, const char *path, char *stem, search *s,
                              mg_scan *out)
{
    char folder[128];
    int cup, reader;
    mg_found *to = &s->images;

    kind_folder(path, folder);
    if (is_beside(s, path, stem, folder)) return MG_OK;
    if (s->layout == REFUGE && s->has_first && !is_first(path)) {
        s->left_out++;
        return MG_OK;
    }
    if (s->layout == READERS) {
        if (is_opinion(stem, &cup, &reader)) to = &s->reader[cup][reader];
    } else if (strcasestr(folder, "mask")) {
        to = &s->masks;
    }
    char *key = key_of(s, path, stem);
    MG_CHECK(key, MG_ERR_MEMORY, "no memory for '%s'", path);
    mg_status st = mg_found_add(to, root, key, path, out);
    mg_free(key);
    return st;
}

// glaucoma.csv of REFUGE2: FileName, Glaucoma Risk.
static mg_status read_risks(const char *root, const char *path, search *s, mg_scan *out)
{
    mg_csv csv;
    bool usable;
    mg_status st = MG_OK;

    MG_TRY(mg_scan_table(out, root, path, &csv, &usable));
    int name = mg_csv_column(&csv, "FileName"), risk = mg_csv_column(&csv, "Glaucoma Risk");
    for (int64_t r = 0; usable && name >= 0 && risk >= 0 && r < csv.rows && !st; r++) {
        char *stem = mg_path_stem(mg_csv_get(&csv, r, name));
        char *key = stem ? key_of(s, path, stem) : NULL;
        if (!key) st = MG_FAIL(MG_ERR_MEMORY, "no memory for a row of '%s'", path);
        if (!st) st = mg_names_add(&s->risk, key, *mg_csv_get(&csv, r, risk) == '1');
        mg_free(stem);
        mg_free(key);
    }
    mg_csv_free(&csv);
    return st;
}

static mg_status sort_file(const char *root, const char *path, search *s, mg_scan *out)
{
    if (mg_path_has_ext(path, ".csv") && strcasestr(mg_path_base(path), "glaucoma"))
        return read_risks(root, path, s, out);
    if (!mg_scan_is_picture(path)) return MG_OK;
    char *stem = mg_path_stem(path);
    MG_CHECK(stem, MG_ERR_MEMORY, "no memory for '%s'", path);
    mg_status st = sort_picture(root, path, stem, s, out);
    mg_free(stem);
    return st;
}

// --- items ------------------------------------------------------------------------------------------

static const char *label_of(const search *s, const char *path, const char *key)
{
    char *dir = mg_path_dir(path);
    const char *folder = dir ? mg_path_base(dir) : "";
    int64_t risk = mg_names_find(&s->risk, key);
    bool sick = !strcasecmp(folder, "Glaucoma") || !strcasecmp(folder, "G") || risk == 1;
    bool well = !strcasecmp(folder, "Non-Glaucoma") || !strcasecmp(folder, "N") || risk == 0;

    mg_free(dir);
    return sick ? "glaucoma" : well ? "no glaucoma" : "";
}

// "cup 3 PATH" for each mask of a reader who gave both; the others are skipped. *lines is mg_free'd.
static mg_status list_readers(const search *s, const char *key, char **lines, mg_scan *out)
{
    *lines = mg_strdup("");
    for (int r = 0; r < MG_READERS_MOST && *lines; r++) {
        const char *disc = mg_found_path(&s->reader[0][r], key);
        const char *cup = mg_found_path(&s->reader[1][r], key);
        if (!disc || !cup) {
            const char *alone = disc ? disc : cup;
            if (alone)
                MG_TRY(mg_scan_skip(out, alone, "its reader has no %s", disc ? "cup" : "disc"));
            continue;
        }
        char *longer = mg_sprintf("%s%d %s\n%s\n", *lines, r, disc, cup);
        mg_free(*lines);
        *lines = longer;
    }
    MG_CHECK(*lines, MG_ERR_MEMORY, "no memory for the masks of '%s'", key);
    return MG_OK;
}

static mg_status add_item(const search *s, size_t i, const char *mask, const char *extra,
                          int64_t counts[PARTS], mg_scan *out)
{
    const char *key = s->images.stem.item[i], *path = s->images.path.item[i];
    const char *stem = strrchr(key, '/') + 1, *part = part_of(s, path);
    // The numbers of REFUGE2's own pictures begin again.
    bool again = s->has_first && !is_first(path);
    char *patient = mg_sprintf("%s%s", again ? "REFUGE2 " : "", stem);

    MG_CHECK(patient, MG_ERR_MEMORY, "no memory for '%s'", path);
    for (int p = 0; p < PARTS; p++) counts[p] += !strcmp(part, part_name[p]);
    mg_item item = {.name = (char *)path,
                    .image = (char *)path,
                    .mask = (char *)mask,
                    .patient = patient,
                    .split = (char *)part,
                    .label = (char *)label_of(s, path, key),
                    .extra = (char *)extra,
                    .modality = "fundus"};
    mg_status st = mg_scan_add(out, &item);
    mg_free(patient);
    return st;
}

static mg_status add_with_readers(const search *s, size_t i, int64_t counts[PARTS], mg_scan *out)
{
    char *lines = NULL;
    mg_status st = list_readers(s, s->images.stem.item[i], &lines, out);
    char *mask = st ? NULL : mg_strdup(lines);

    if (!st && !mask) st = MG_FAIL(MG_ERR_MEMORY, "no memory for the masks of an image");
    if (!st && !*lines)
        st = mg_scan_skip(out, s->images.path.item[i], "image without a mask");
    else if (!st) {
        mask[strcspn(mask, "\n")] = '\0';
        st = add_item(s, i, strchr(mask, ' ') + 1, lines, counts, out);
    }
    mg_free(mask);
    mg_free(lines);
    return st;
}

// Masks of a photograph whose folders do not tell the part lie under their stem alone, too.
static const char *mask_of(const search *s, const char *key)
{
    const char *mask = mg_found_path(&s->masks, key);
    return mask ? mask : mg_found_path(&s->masks, strchr(key, '/'));
}

// --- polarity ---------------------------------------------------------------------------------------

// BMP and other masks of each part: groups that may count differently.
typedef struct {
    mg_texts masks[PARTS + 1][2];
    mg_polarity polarity[PARTS + 1][2];
} groups;

static mg_polarity *group_of(groups *g, const search *s, const char *mask, mg_texts **list)
{
    const char *part = part_of(s, mask);
    int p = 0, png = !mg_path_has_ext(mask, ".bmp");

    while (p < PARTS && strcmp(part_name[p], part)) p++;
    if (list) *list = &g->masks[p][png];
    return &g->polarity[p][png];
}

static mg_status find_polarities(const char *root, const search *s, groups *g, mg_scan *out)
{
    mg_polarity fixed = mg_polarity_named(s->cfg->polarity);

    for (size_t i = 0; i < s->masks.path.count; i++) {
        mg_texts *list;
        *group_of(g, s, s->masks.path.item[i], &list) = fixed;
        MG_TRY(mg_texts_add(list, s->masks.path.item[i]));
    }
    for (int p = 0; p <= PARTS && fixed == MG_POLARITY_OPEN; p++)
        for (int png = 0; png < 2; png++) {
            char group[64];
            if (!g->masks[p][png].count) continue;
            snprintf(group, sizeof group, "%s masks of part %s", png ? "PNG" : "BMP",
                     p < PARTS ? part_name[p] : "unknown");
            MG_TRY(mg_levels_decide(root, &g->masks[p][png], group, out, &g->polarity[p][png]));
        }
    return MG_OK;
}

static mg_status add_with_masks(const char *root, search *s, int64_t counts[PARTS], mg_scan *out)
{
    groups g = {0};
    mg_status st = find_polarities(root, s, &g, out);

    for (size_t i = 0; i < s->images.path.count && !st; i++) {
        const char *mask = mask_of(s, s->images.stem.item[i]);
        if (!mask) {
            st = mg_scan_skip(out, s->images.path.item[i], "image without a mask");
            continue;
        }
        st = add_item(s, i, mask, mg_polarity_name(*group_of(&g, s, mask, NULL)), counts, out);
        if (!st) st = mg_names_add(&s->used, mask, 1);
    }
    for (int p = 0; p <= PARTS; p++)
        for (int png = 0; png < 2; png++) mg_texts_free(&g.masks[p][png]);
    return st;
}

// --- scan -------------------------------------------------------------------------------------------

static mg_status skip_stray(const search *s, const mg_found *masks, mg_scan *out)
{
    for (size_t i = 0; i < masks->path.count; i++) {
        const char *path = masks->path.item[i];
        if (!mg_found_path(&s->images, masks->stem.item[i]) && mg_names_find(&s->used, path) < 0)
            MG_TRY(mg_scan_skip(out, path, "mask without an image"));
    }
    return MG_OK;
}

static mg_status add_all(const char *root, search *s, mg_scan *out)
{
    int64_t counts[PARTS] = {0};

    if (s->layout == READERS) {
        for (size_t i = 0; i < s->images.path.count; i++)
            MG_TRY(add_with_readers(s, i, counts, out));
        for (int k = 0; k < 2 * MG_READERS_MOST; k++)
            MG_TRY(skip_stray(s, &s->reader[k % 2][k / 2], out));
    } else {
        MG_TRY(add_with_masks(root, s, counts, out));
        MG_TRY(skip_stray(s, &s->masks, out));
    }
    for (int p = 0; p < PARTS; p++) {
        char what[32];
        snprintf(what, sizeof what, "pictures of part %s", part_name[p]);
        if (expected[s->layout][p])
            MG_TRY(mg_scan_expect(out, what, counts[p], expected[s->layout][p]));
    }
    return MG_OK;
}

static mg_status collect(const char *root, const mg_texts *files, search *s, mg_scan *out)
{
    static const char *const image[LAYOUTS] = {
        "Training400/Glaucoma/g0001.jpg",
        "REFUGE2/Train/REFUGE1-train/Training400/Glaucoma/g0001.jpg",
        "Training-400/g0001/g0001.jpg", "train/Images/g0001.jpg"};
    static const char *const mask[LAYOUTS] = {
        "Annotation-Training400/Disc_Cup_Masks/Glaucoma/g0001.bmp",
        "REFUGE2/Train/REFUGE1-train/Disc_Cup_Masks/Glaucoma/g0001.bmp",
        "Training-400/g0001/g0001_seg_disc_1.png", "train/Masks/g0001.png"};

    s->layout = find_layout(s->cfg->layout, files);
    for (size_t i = 0; i < files->count; i++) s->has_first |= is_first(files->item[i]);
    for (size_t i = 0; i < files->count; i++) MG_TRY(sort_file(root, files->item[i], s, out));
    if (!s->images.path.count) return mg_scan_nothing(root, files, image[s->layout]);
    MG_TRY(mg_scan_note(out, "layout %s", layout_name[s->layout]));
    MG_TRY(add_all(root, s, out));
    if (s->left_out)
        MG_TRY(mg_scan_note(out, "of REFUGE2 alone, left out (refuge.layout): %lld files",
                            (long long)s->left_out));
    if (!out->count) return mg_scan_nothing(root, files, mask[s->layout]);
    return MG_OK;
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    mg_texts files = {0};
    search s = {.cfg = cfg};

    *out = (mg_scan){0};
    mg_fundus_classes(out);
    mg_status st = mg_list_tree(root, &files);
    if (!st) st = collect(root, &files, &s, out);
    mg_scan_sort(out);
    mg_texts_free(&files);
    mg_found_free(&s.images);
    mg_found_free(&s.masks);
    for (int k = 0; k < 2 * MG_READERS_MOST; k++) mg_found_free(&s.reader[k % 2][k / 2]);
    mg_names_free(&s.risk);
    mg_names_free(&s.used);
    if (st) mg_scan_free(out);
    return st;
}

// --- read -------------------------------------------------------------------------------------------

// Disc and cup of one reader: masks of 0 and 255.
static mg_status read_opinion(const char *root, int reader, const char *disc, const char *cup,
                              mg_sample *out, mg_opinions *o)
{
    MG_TRY(mg_opinions_start(o, out->height, out->width, disc));
    for (int what = 0; what < 2; what++) {
        uint16_t bit = mg_opinions_bit(reader, what);
        MG_TRY(mg_sample_binary_mask(root, what ? cup : disc, 128, out));
        for (size_t i = 0; i < (size_t)out->height * out->width; i++)
            if (out->label[i]) o->plane[i] |= bit;
        o->given |= bit;
        mg_free(out->label);
        out->label = NULL;
    }
    return MG_OK;
}

// Pairs of lines "READER DISC", "CUP".
static mg_status read_opinions(const char *root, const mg_item *item, mg_sample *out)
{
    char *lines = mg_strdup(item->extra), *rest = NULL;
    mg_opinions o = {0};
    mg_status st = lines ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "no memory for '%s'", item->name);
    char *disc = st ? NULL : strtok_r(lines, "\n", &rest), *cup;

    while (!st && disc && (cup = strtok_r(NULL, "\n", &rest))) {
        st = read_opinion(root, *disc - '0', disc + 2, cup, out, &o);
        disc = strtok_r(NULL, "\n", &rest);
    }
    if (!st) st = mg_opinions_label(&o, MG_TARGET_MEAN, 0, item->name, false, out);
    mg_opinions_free(&o);
    mg_free(lines);
    return st;
}

static mg_status read_levels(const char *root, const mg_item *item, mg_sample *out)
{
    mg_levels m = {0};
    mg_opinions o = {0};
    bool disc_only = false;
    mg_status st = mg_levels_read(root, item->mask, &m);

    if (!st) st = mg_sample_check_size(item->mask, m.height, m.width, out);
    if (!st) st = mg_levels_canonical(&m, item->mask, mg_polarity_named(item->extra), &disc_only);
    if (!st) st = mg_opinions_levels(&o, 0, &m, disc_only, item->mask);
    if (!st) st = mg_opinions_label(&o, MG_TARGET_READER, 0, item->name, false, out);
    if (!st && m.lossy) mg_sample_remark(out, "JPEG mask");
    if (!st && disc_only) mg_sample_remark(out, "mask of the disc alone");
    mg_opinions_free(&o);
    mg_levels_free(&m);
    return st;
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    const config *c = cfg;
    bool by_readers = isdigit((unsigned char)*item->extra);
    (void)found;

    MG_TRY(mg_sample_picture(root, item->image, 0, out));
    mg_status st = by_readers ? read_opinions(root, item, out) : read_levels(root, item, out);
    if (!st && c->crop && !(hint && hint->as_found)) st = mg_fundus_crop(out);
    if (st) mg_sample_free(out);
    return st;
}

const mg_dataset mg_dataset_refuge = {
    .name = "refuge",
    .summary = "REFUGE, REFUGE2: optic disc and cup in fundus photographs",
    .labelled = true,
    .long_side = 1024,
    .expected = {.width = {1634, 2124}, .height = {1634, 2056}},
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_refuge,
    .layouts = "refuge|refuge2|readers|kaggle",
};
