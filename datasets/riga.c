// RIGA: fundus photographs on whose copies six readers drew the outlines of disc and cup; and RIGA+, crops of
// them with masks of three levels (datasets.md section 8).
//   RIGA    {MESSIDOR,BinRushed,Magrabia}/.../imageNprime.tif (the photograph), imageN-1 ... imageN-6
//   RIGA+   RIGA/<domain>/<sub>/imageN.tif, RIGA-mask/<domain>/<sub>/imageN-1.tif ... -6, <domain>_{train,test}.csv
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "datasets/curves.h"
#include "datasets/fundus.h"
#include "datasets/levels.h"
#include "datasets/opinions.h"
#include "datasets/readers.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "runtime/mem.h"

typedef struct {
    char *layout, *target, *polarity, *split;
    int64_t reader, threshold, smallest;
    mg_list domains;
    bool keep, crop;
} config;

// clang-format off
static const mg_option options[] = {
    {"riga.layout", MG_CHOICE, offsetof(config, layout), "auto", 0, 0, "RIGA (outlines drawn on copies) or RIGA+ (crops with masks); auto: by the folder RIGA-mask", "auto|riga|riga-plus"},
    {"riga.domains", MG_LIST, offsetof(config, domains), "BinRushed, MESSIDOR, Magrabia", 0, 0, "which sources are packed", NULL},
    {"riga.split", MG_CHOICE, offsetof(config, split), "external", 0, 0, "external: folds of BinRushed and MESSIDOR, Magrabia is test; shift: BinRushed and Magrabia train, MESSIDOR is test; folds: folds of all; published: the tables of RIGA+", "external|shift|folds|published"},
    {"riga.target", MG_CHOICE, offsetof(config, target), "majority", 0, 0, "label made of the readers' masks: more than half of them, their mean cut at 0.5, the one of riga.reader, or one drawn for each picture", MG_TARGET_CHOICES},
    {"riga.reader", MG_INT, offsetof(config, reader), "1", 1, MG_READERS_KEPT, "whose mask, for riga.target reader", NULL},
    {"riga.keep_readers", MG_BOOL, offsetof(config, keep), "false", 0, 0, "also keep the disc and the cup of each of the six readers, as classes of their own", NULL},
    {"riga.diff_threshold", MG_INT, offsetof(config, threshold), "30", 1, 254, "a copy's pixel that differs by more is part of an outline", NULL},
    {"riga.smallest", MG_INT, offsetof(config, smallest), "100", 1, 1e6, "pixels of a connected part below which it is no outline (fewer in pictures whose shorter side is below 960)", NULL},
    {"riga.polarity", MG_CHOICE, offsetof(config, polarity), "auto", 0, 0, "RIGA+: what the low, middle and high values of masks mean; auto: told from the pixels", MG_POLARITY_CHOICES},
    {"riga.crop", MG_BOOL, offsetof(config, crop), "false", 0, 0, "cut to the box of the fundus circle and pad to a square", NULL},
    {0},
};
// clang-format on

enum { DOMAINS = 3, READERS = 6 };
static const char *const domain_name[DOMAINS] = {"BinRushed", "MESSIDOR", "Magrabia"};
static const char *const domain_word[DOMAINS] = {"BinRushed", "MESSIDOR",
                                                 "Magrabi"}; // sic, in places
static const int expected[2][DOMAINS] = {{195, 460, 95}, {195, 454, 95}};

// First line of an item's note; for RIGA+ it is the polarity. The readers' files follow.
static const char *const outlines = "outlines";

// Copies on which no outline can be recovered.
static const struct {
    const char *folder;
    int number, reader;
    const char *why;
} known_bad[] = {{"BinRushed1-Corrected", 44, 4, "its outlines touch"},
                 {"BinRushed2", 20, 3, "its outlines touch"},
                 {"MagrabiFemale", 26, 3, "its outlines are too faint"}};

// --- which file is what -----------------------------------------------------------------------------

typedef struct {
    const config *cfg;
    bool plus;
    mg_found images, masks[READERS]; // under "folder/number"
    mg_names split;                  // RIGA+: "domain/sub/stem" -> 1 train, 2 test, 3 without masks
    int64_t first_rushed;            // files of BinRushed1, which has no photographs
} search;

// image12prime, image12-3 or image12: its number, and 0 for the photograph or the reader. False for
// any other name.
static bool read_name(const char *stem, bool plus, int *number, int *reader)
{
    char tail[8] = "";
    int used = 0;

    if (strncasecmp(stem, "image", 5) || !isdigit((unsigned char)stem[5])) return false;
    if (sscanf(stem + 5, "%6d%7s%n", number, tail, &used) < 1) return false;
    if (*tail && stem[5 + used]) return false;
    *reader = 0;
    if (!strcasecmp(tail, plus ? "" : "prime")) return true;
    *reader = tail[1] - '0';
    return tail[0] == '-' && *reader >= 1 && *reader <= READERS && !tail[2];
}

static int domain_of(const char *path)
{
    int d = DOMAINS - 1;
    while (d >= 0 && !mg_scan_in_folder(path, domain_word[d])) d--;
    return d;
}

static bool is_wanted(const config *cfg, int domain)
{
    for (int i = 0; i < cfg->domains.count && domain >= 0; i++)
        if (!strcasecmp(cfg->domains.item[i], domain_name[domain])) return true;
    return false;
}

// The innermost folder, with the one above it in RIGA+ (domain and sub); into `folder`.
static void folder_of(const char *path, bool plus, char folder[256])
{
    char *dir = mg_path_dir(path), *up = dir ? mg_path_dir(dir) : NULL;
    snprintf(folder, 256, "%s%s%s", plus && up ? mg_path_base(up) : "", plus ? "/" : "",
             dir ? mg_path_base(dir) : "");
    mg_free(up);
    mg_free(dir);
}

static const char *is_known_bad(const char *folder, int number, int reader)
{
    for (size_t i = 0; i < sizeof known_bad / sizeof *known_bad; i++)
        if (!strcasecmp(folder, known_bad[i].folder) && number == known_bad[i].number &&
            reader == known_bad[i].reader)
            return known_bad[i].why;
    return NULL;
}

static mg_status sort_named(const char *root, const char *path, int number, int reader, search *s,
                            mg_scan *out)
{
    char folder[256], key[300];

    folder_of(path, s->plus, folder);
    if (!s->plus && !strcasecmp(folder, "BinRushed1")) {
        s->first_rushed++;
        return MG_OK;
    }
    const char *why = s->plus ? NULL : is_known_bad(folder, number, reader);
    if (why) return mg_scan_skip(out, path, "known to be of no use: %s", why);
    snprintf(key, sizeof key, "%s/image%d", folder, number);
    return mg_found_add(reader ? &s->masks[reader - 1] : &s->images, root, key, path, out);
}

static mg_status sort_file(const char *root, const char *path, search *s, mg_scan *out)
{
    int number, reader;
    char *stem = mg_path_stem(path);
    MG_CHECK(stem, MG_ERR_MEMORY, "no memory for '%s'", path);
    bool named = read_name(stem, s->plus, &number, &reader);

    mg_free(stem);
    if (!named || !mg_scan_is_picture(path) || !is_wanted(s->cfg, domain_of(path))) return MG_OK;
    if (s->plus && mg_scan_in_folder(path, "RIGA-mask") != (reader > 0)) return MG_OK;
    return sort_named(root, path, number, reader, s, out);
}

// --- tables of RIGA+ --------------------------------------------------------------------------------

// The table's rows name photographs by their path, from which the last three parts count.
static mg_status read_table(const char *root, const char *path, int split, search *s, mg_scan *out)
{
    mg_csv csv;
    bool usable;
    mg_status st = MG_OK;

    MG_TRY(mg_scan_table(out, root, path, &csv, &usable));
    int image = mg_csv_column(&csv, "image");
    for (int64_t r = 0; usable && image >= 0 && r < csv.rows && !st; r++) {
        const char *cell = mg_csv_get(&csv, r, image);
        char folder[256], *stem = mg_path_stem(cell);
        folder_of(cell, true, folder);
        char *key = stem ? mg_sprintf("%s/%s", folder, stem) : NULL;
        st = key ? mg_names_add(&s->split, key, split)
                 : MG_FAIL(MG_ERR_MEMORY, "no memory for a row of '%s'", path);
        mg_free(stem);
        mg_free(key);
    }
    mg_csv_free(&csv);
    return st;
}

static mg_status read_tables(const char *root, const mg_texts *files, search *s, mg_scan *out)
{
    static const char *const end[] = {"_train.csv", "_test.csv", "_unlabeled.csv"};
    for (size_t i = 0; i < files->count; i++)
        for (int k = 0; k < 3; k++)
            if (mg_scan_ends(files->item[i], end[k]))
                MG_TRY(read_table(root, files->item[i], k + 1, s, out));
    return MG_OK;
}

// --- items ------------------------------------------------------------------------------------------

static const char *split_of(const search *s, const char *key, int domain)
{
    const char *how = s->cfg->split;
    bool messidor = domain == 1, magrabia = domain == 2;
    int64_t told = mg_names_find(&s->split, key);

    if (!strcmp(how, "external")) return magrabia ? "test" : "";
    if (!strcmp(how, "shift")) return messidor ? "test" : "train";
    if (!strcmp(how, "published")) return told == 1 ? "train" : told == 2 ? "test" : "";
    return "";
}

// "3 PATH" for each reader's file. *lines is mg_free'd.
static mg_status list_readers(const search *s, const char *key, char **lines)
{
    *lines = mg_strdup("");
    for (int r = 0; r < READERS && *lines; r++) {
        const char *path = mg_found_path(&s->masks[r], key);
        if (!path) continue;
        char *longer = mg_sprintf("%s%d %s\n", *lines, r + 1, path);
        mg_free(*lines);
        *lines = longer;
    }
    MG_CHECK(*lines, MG_ERR_MEMORY, "no memory for the copies of '%s'", key);
    return MG_OK;
}

static mg_status add_item(const search *s, size_t i, const char *lines, mg_polarity polarity,
                          mg_scan *out)
{
    const char *key = s->images.stem.item[i], *path = s->images.path.item[i];
    const char *kind = s->plus ? mg_polarity_name(polarity) : outlines;
    char *extra = mg_sprintf("%s\n%s", kind, lines), *mask = mg_strdup(lines + 2);
    mg_status st = MG_OK;

    if (!extra || !mask) {
        st = MG_FAIL(MG_ERR_MEMORY, "no memory for '%s'", path);
        goto done;
    }
    mask[strcspn(mask, "\n")] = '\0';
    mg_item item = {.name = (char *)path,
                    .image = (char *)path,
                    .mask = mask,
                    .patient = (char *)key,
                    .split = (char *)split_of(s, key, domain_of(path)),
                    .extra = extra,
                    .modality = "fundus"};
    st = mg_scan_add(out, &item);

done:
    mg_free(mask);
    mg_free(extra);
    return st;
}

static mg_status find_polarity(const char *root, const search *s, mg_polarity *out, mg_scan *scan)
{
    mg_texts masks = {0};
    mg_status st = MG_OK;

    *out = mg_polarity_named(s->cfg->polarity);
    if (!s->plus || *out != MG_POLARITY_OPEN) return MG_OK;
    for (int r = 0; r < READERS; r++)
        for (size_t i = 0; i < s->masks[r].path.count && !st; i++)
            st = mg_texts_add(&masks, s->masks[r].path.item[i]);
    if (!st) st = mg_levels_decide(root, &masks, "RIGA-mask", scan, out);
    mg_texts_free(&masks);
    return st;
}

// Photographs of RIGA+ that were never meant to have masks.
static bool is_unlabelled(const search *s, size_t i)
{
    return s->plus && (mg_names_find(&s->split, s->images.stem.item[i]) == 3 ||
                       mg_scan_in_folder(s->images.path.item[i], "Unlabel"));
}

static mg_status add_images(const search *s, mg_polarity polarity, mg_scan *out)
{
    int64_t count[DOMAINS] = {0}, unlabelled = 0;

    for (size_t i = 0; i < s->images.path.count; i++) {
        char *lines;
        mg_status st = list_readers(s, s->images.stem.item[i], &lines);
        if (!st && *lines) {
            st = add_item(s, i, lines, polarity, out);
            count[domain_of(s->images.path.item[i])]++;
        } else if (!st && is_unlabelled(s, i)) {
            unlabelled++;
        } else if (!st) {
            st = mg_scan_skip(out, s->images.path.item[i], "image without a mask");
        }
        mg_free(lines);
        MG_TRY(st);
    }
    for (int d = 0; d < DOMAINS; d++)
        if (is_wanted(s->cfg, d))
            MG_TRY(mg_scan_expect(out, domain_name[d], count[d], expected[s->plus][d]));
    if (unlabelled)
        MG_TRY(
            mg_scan_note(out, "photographs without masks, left out: %lld", (long long)unlabelled));
    return MG_OK;
}

// Image 48 of Magrabia is known to have copies alone.
static mg_status skip_copy(const search *s, const char *path, const char *key, mg_scan *out)
{
    const char *number = strrchr(key, '/');
    bool known = !s->plus && !strcmp(number, "/image48") && !strncasecmp(key, "Magrabi", 7);

    return mg_scan_skip(out, path,
                        known ? "known to be without its photograph" : "mask without an image");
}

static mg_status add_all(const char *root, const search *s, mg_scan *out)
{
    mg_polarity polarity;

    MG_TRY(find_polarity(root, s, &polarity, out));
    MG_TRY(add_images(s, polarity, out));
    for (int r = 0; r < READERS; r++)
        for (size_t i = 0; i < s->masks[r].path.count; i++)
            if (!mg_found_path(&s->images, s->masks[r].stem.item[i]))
                MG_TRY(skip_copy(s, s->masks[r].path.item[i], s->masks[r].stem.item[i], out));
    if (s->first_rushed)
        MG_TRY(mg_scan_note(out, "BinRushed1 has no photographs: %lld files left out",
                            (long long)s->first_rushed));
    if (s->plus && !strcmp(s->cfg->split, "published") && !s->split.count)
        MG_TRY(mg_scan_note(out, "no table <domain>_train.csv: folds instead"));
    return MG_OK;
}

static mg_status check_domains(const config *cfg)
{
    for (int i = 0; i < cfg->domains.count; i++) {
        int d = 0;
        while (d < DOMAINS && strcasecmp(cfg->domains.item[i], domain_name[d])) d++;
        MG_CHECK(d < DOMAINS, MG_ERR_CONFIG,
                 "riga.domains: '%s' is none of BinRushed, MESSIDOR, Magrabia",
                 cfg->domains.item[i]);
    }
    return MG_OK;
}

static mg_status collect(const char *root, const mg_texts *files, search *s, mg_scan *out)
{
    s->plus = !strcmp(s->cfg->layout, "riga-plus");
    for (size_t i = 0; i < files->count && !strcmp(s->cfg->layout, "auto"); i++)
        s->plus = s->plus || mg_scan_in_folder(files->item[i], "RIGA-mask/");
    for (size_t i = 0; i < files->count; i++) MG_TRY(sort_file(root, files->item[i], s, out));
    if (s->plus) MG_TRY(read_tables(root, files, s, out));
    if (!s->images.path.count)
        return mg_scan_nothing(root, files,
                               s->plus ? "RIGA/BinRushed/BinRushed1/image1.tif"
                                       : "MESSIDOR/image1prime.tif");
    MG_TRY(add_all(root, s, out));
    if (!out->count)
        return mg_scan_nothing(root, files,
                               s->plus ? "RIGA-mask/BinRushed/BinRushed1/image1-1.tif"
                                       : "MESSIDOR/image1-1.tif");
    return MG_OK;
}

static mg_status scan(const char *root, const void *cfg, mg_scan *out)
{
    mg_texts files = {0};
    search s = {.cfg = cfg};

    *out = (mg_scan){0};
    if (s.cfg->keep)
        mg_opinions_classes(out);
    else
        mg_fundus_classes(out);
    mg_status st = check_domains(s.cfg);
    if (!st) st = mg_list_tree(root, &files);
    if (!st) st = collect(root, &files, &s, out);
    mg_scan_sort(out);
    mg_texts_free(&files);
    mg_found_free(&s.images);
    for (int r = 0; r < READERS; r++) mg_found_free(&s.masks[r]);
    mg_names_free(&s.split);
    if (st) mg_scan_free(out);
    return st;
}

// --- read -------------------------------------------------------------------------------------------

// Reader's outlines, by what his copy has and the photograph has not.
static mg_status read_copy(const char *root, const config *cfg, int reader, const char *path,
                           const mg_sample *photo, mg_opinions *o)
{
    mg_sample copy;
    uint8_t *area = NULL;
    int shorter = photo->height < photo->width ? photo->height : photo->width;
    // A picture of RIGA's is 960 to 1936 pixels high; in a smaller one the outlines are shorter.
    int64_t smallest = shorter < 960 ? cfg->smallest * shorter / 960 : cfg->smallest;
    mg_curve_rules rules = {(int)cfg->threshold, smallest > 1 ? (int)smallest : 1};

    MG_TRY(mg_sample_picture(root, path, 0, &copy));
    mg_status st = mg_opinions_start(o, photo->height, photo->width, path);
    if (!st) area = mg_alloc((size_t)photo->height * photo->width);
    if (!st && !area) st = MG_FAIL(MG_ERR_MEMORY, "no memory for the outlines of '%s'", path);
    if (!st) st = mg_curves_recover(photo, &copy, &rules, area);
    if (!st) {
        mg_levels m = {.height = photo->height, .width = photo->width, .level = area};
        st = mg_opinions_levels(o, reader, &m, false, path);
    }
    mg_free(area);
    mg_sample_free(&copy);
    return st;
}

static mg_status read_mask(const char *root, int reader, const char *path, mg_polarity polarity,
                           const mg_sample *photo, mg_opinions *o)
{
    bool disc_only = false;
    mg_levels m;
    mg_status st = mg_levels_read(root, path, &m);

    if (!st) st = mg_sample_check_size(path, m.height, m.width, photo);
    if (!st) st = mg_levels_canonical(&m, path, polarity, &disc_only);
    if (!st) st = mg_opinions_levels(o, reader, &m, disc_only, path);
    mg_levels_free(&m);
    return st;
}

// A reader whose file cannot be used is left out and remarked upon.
static mg_status read_readers(const char *root, const config *cfg, char *lines, mg_sample *out,
                              mg_opinions *o)
{
    char *rest = NULL, *first = strtok_r(lines, "\n", &rest), *line;
    bool drawn = !strcmp(first, outlines);

    while ((line = strtok_r(NULL, "\n", &rest))) {
        int reader = *line - '1';
        mg_status st = drawn ? read_copy(root, cfg, reader, line + 2, out, o)
                             : read_mask(root, reader, line + 2, mg_polarity_named(first), out, o);
        if (st == MG_ERR_MEMORY) return st;
        if (st) mg_sample_remark(out, "reader %d: %s", reader + 1, mg_err_message());
        out->masks++;
        out->rejected += st != MG_OK;
        mg_err_clear();
    }
    return MG_OK;
}

static mg_status read(const char *root, const void *cfg, const mg_scan *found, const mg_item *item,
                      const mg_decode_hint *hint, mg_sample *out)
{
    const config *c = cfg;
    mg_opinions o = {0};
    char *lines = mg_strdup(item->extra);
    (void)found;

    *out = (mg_sample){0};
    mg_status st = lines ? mg_sample_picture(root, item->image, 0, out)
                         : MG_FAIL(MG_ERR_MEMORY, "no memory for '%s'", item->name);
    if (!st) st = read_readers(root, c, lines, out, &o);
    if (!st && !o.given)
        st = MG_FAIL(MG_ERR_FORMAT, "no reader's outlines can be used: %s", out->remark);
    if (!st)
        st = mg_opinions_label(&o, mg_target_named(c->target), (int)c->reader - 1, item->patient,
                               c->keep, out);
    if (!st && c->crop && !(hint && hint->as_found)) st = mg_fundus_crop(out);
    mg_opinions_free(&o);
    mg_free(lines);
    if (st) {
        mg_sample counts = {.masks = out->masks, .rejected = out->rejected};
        mg_sample_free(out);
        *out = counts;
    }
    return st;
}

const mg_dataset mg_dataset_riga = {
    .name = "riga",
    .summary = "RIGA, RIGA+: optic disc and cup as six readers drew them",
    .labelled = true,
    .long_side = 1024,
    .expected = {.width = {800, 2743}, .height = {800, 1936}},
    .options = options,
    .config_bytes = sizeof(config),
    .scan = scan,
    .read = read,
    .phantom = mg_phantom_riga,
    .layouts = "riga|riga-plus",
};
