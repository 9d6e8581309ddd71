// Volumes: changing the grid, percentiles, specks; the data sets AMOS, BTCV and BraTS on phantoms and on
// cases made by hand; the real sample volumes where they are at hand.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/dataset.h"
#include "datasets/nifti.h"
#include "datasets/volume.h"
#include "runtime/mem.h"

static char root[64];

// --- the grid ---------------------------------------------------------------------------------------

enum { D = 6, H = 9, W = 11 };

// Linear in the place in mm, which linear interpolation reproduces; two channels.
static double ramp(double x, double y, double z)
{
    return 3 * x - 2 * y + 5 * z + 100;
}

static void place_of(const double m[12], double x, double y, double z, double mm[3])
{
    for (int r = 0; r < 3; r++)
        mm[r] = m[4 * r] * x + m[4 * r + 1] * y + m[4 * r + 2] * z + m[4 * r + 3];
}

static mg_sample make_ramp(mg_dtype type)
{
    const double affine[12] = {1.2, 0, 0, -30, 0, .8, .1, 40, 0, -.1, 2.5, 7};
    mg_sample s = {.type = type, .depth = D, .height = H, .width = W, .channels = 2};
    double mm[3];

    memcpy(s.volume.affine, affine, sizeof affine);
    s.spacing[0] = hypot(2.5, .1), s.spacing[1] = hypot(.8, .1), s.spacing[2] = 1.2;
    memcpy(s.volume.full_spacing, s.spacing, sizeof s.spacing);
    s.pixels = mg_alloc(D * H * W * 2 * mg_dtype_size(type));
    s.label = mg_alloc(D * H * W);
    for (int z = 0, i = 0; z < D; z++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++, i++) {
                place_of(affine, x, y, z, mm);
                double v = ramp(mm[0], mm[1], mm[2]);
                for (int c = 0; c < 2; c++)
                    if (type == MG_F32)
                        ((float *)s.pixels)[2 * i + c] = (float)(c ? -v : v);
                    else
                        ((int16_t *)s.pixels)[2 * i + c] = (int16_t)(c ? i : 10 * x);
                s.label[i] = (uint8_t)(i % 5);
            }
    return s;
}

static void resampling(void **state)
{
    mg_sample s = make_ramp(MG_F32);
    mg_box box = {{1, 2, 0}, {D, H - 1, W - 3}};
    const double spacing[3] = {1.7, 0, 2};
    mg_hash128 hash;
    double mm[3], full[3];
    (void)state;

    OK(mg_sample_hash(&s, &hash));
    OK(mg_regrid(&s, &box, spacing));
    const mg_volume *v = &s.volume;
    // floor((n - 1) old / new + 1/2) + 1
    assert_int_equal(s.depth, (int)floor(4 * v->full_spacing[0] / 1.7 + .5) + 1);
    assert_int_equal(s.height, 6);
    assert_int_equal(s.width, (int)floor(7 * 1.2 / 2 + .5) + 1);
    CHECK(s.spacing[0] == 1.7 && s.spacing[2] == 2 && s.spacing[1] == v->full_spacing[1]);
    CHECK(v->full_depth == D && s.full_height == H && s.full_width == W && v->full_label);
    CHECK(s.hashed && s.hash.low == hash.low && s.hash.high == hash.high);
    for (int z = 0, i = 0; z < s.depth; z++)
        for (int y = 0; y < s.height; y++)
            for (int x = 0; x < s.width; x++, i++) {
                const int at[3] = {z, y, x}, size[3] = {D, H, W};
                int near[3];
                for (int a = 0; a < 3; a++) {
                    full[a] = v->grid[a][0] + v->grid[a][1] * at[a];
                    near[a] =
                        (int)floor(full[a] + .5) < size[a] ? (int)floor(full[a] + .5) : size[a] - 1;
                }
                CHECK(s.label[i] == v->full_label[(near[0] * H + near[1]) * W + near[2]]);
                if (full[0] > D - 1 || full[1] > H - 1 || full[2] > W - 1)
                    continue; // beyond: the border
                place_of(v->affine, x, y, z, mm);
                for (int c = 0; c < 2; c++) {
                    double want = ramp(mm[0], mm[1], mm[2]) * (c ? -1 : 1);
                    CHECK(fabs(((float *)s.pixels)[2 * i + c] - want) < 1e-3);
                }
            }
    mg_sample_free(&s);
}

static void whole_numbers_stay_whole(void **state)
{
    mg_sample s = make_ramp(MG_I16);
    mg_box box = mg_box_whole(&s);
    const double keep[3] = {0}, spacing[3] = {0, 0, 1.2 / 4};
    (void)state;

    OK(mg_regrid(&s, &box, keep)); // nothing changes
    CHECK(!s.hashed && !s.volume.full_label && s.width == W);
    OK(mg_regrid(&s, &box, spacing));
    assert_int_equal(s.width, 4 * (W - 1) + 1);
    const int16_t *v = s.pixels;
    for (int x = 0; x < s.width; x++) CHECK(v[2 * x] == (int)floor(2.5 * x + .5));
    mg_sample_free(&s);
}

static void boxes(void **state)
{
    int16_t v[D * H * W * 2] = {0};
    mg_sample s = {.type = MG_I16, .depth = D, .height = H, .width = W, .channels = 2, .pixels = v};
    const double background[MG_MAX_CONTRASTS] = {0, -3};
    double found[MG_MAX_CONTRASTS];
    (void)state;

    mg_box box = mg_box_of_body(&s, NULL);
    CHECK(box.lo[0] == 0 && box.hi[0] == D && box.hi[2] == W); // empty: all of it
    v[2 * ((1 * H + 2) * W + 3) + 1] = -5;
    v[2 * ((4 * H + 7) * W + 3)] = 9;
    box = mg_box_of_body(&s, NULL);
    CHECK(box.lo[0] == 1 && box.lo[1] == 2 && box.lo[2] == 3);
    CHECK(box.hi[0] == 5 && box.hi[1] == 8 && box.hi[2] == 4);
    box = mg_box_above(&s, 8);
    CHECK(box.lo[0] == 4 && box.hi[0] == 5);
    for (int i = 0; i < D * H * W; i++) v[2 * i + 1] -= 3;
    mg_volume_background(&s, found);
    CHECK(found[0] == 0 && found[1] == -3);
    box = mg_box_of_body(&s, background);
    CHECK(box.lo[0] == 1 && box.hi[0] == 5 && box.hi[2] == 4);
    v[1] = 7;
    mg_volume_background(&s, found);
    CHECK(found[1] == 0);
}

static void percentiles(void **state)
{
    // numpy.percentile of [1 .. 1000] (in another order) and of [-5, 2, 7].
    enum { N = 2000 };
    float *v = mg_calloc(N * 2, sizeof *v);
    mg_sample s = {
        .type = MG_F32, .depth = 2, .height = 10, .width = 100, .channels = 2, .pixels = v};
    (void)state;

    for (int i = 0; i < 1000; i++) v[2 * (i * 2 % N)] = (float)(1 + i * 389 % 1000);
    v[3] = -5, v[101] = 7, v[303] = 2;
    OK(mg_volume_percentiles(&s, NULL, .5, 99.5));
    CHECK(fabs(s.volume.range[0][0] - 5.995) < 1e-9 && fabs(s.volume.range[0][1] - 995.005) < 1e-9);
    CHECK(fabs(s.volume.range[1][0] - -4.93) < 1e-9 && fabs(s.volume.range[1][1] - 6.95) < 1e-9);
    OK(mg_volume_percentiles(&s, NULL, 0, 100));
    CHECK(s.volume.range[0][0] == 1 && s.volume.range[0][1] == 1000);
    mg_free(v);
}

static void specks(void **state)
{
    uint8_t label[3 * 4 * 5] = {0};
    mg_sample s = {.depth = 3, .height = 4, .width = 5, .label = label};
    int64_t parts;
    (void)state;

    label[0] = label[1 * 20 + 1 * 5 + 1] = label[2 * 20 + 2 * 5 + 2] = 1; // corner to corner
    label[4] = 1, label[9] = 2, label[14] = 2, label[19] = MG_LABEL_IGNORE;
    OK(mg_drop_specks(&s, 3, &parts));
    assert_int_equal(parts, 2);
    CHECK(label[0] == 1 && label[26] == 1 && label[52] == 1);
    CHECK(label[4] == 0 && label[9] == 0 && label[14] == 0 && label[19] == MG_LABEL_IGNORE);
}

// --- data sets --------------------------------------------------------------------------------------

typedef struct {
    const mg_dataset *set;
    mg_option_group group;
    char *folder;
    mg_scan found;
} opened;

static mg_status open_at(opened *o, const char *name, const char *folder, const char *yaml)
{
    *o = (opened){.set = mg_dataset_find(name), .folder = mg_strdup(folder)};
    assert_non_null(o->set);
    o->group = (mg_option_group){o->set->options, calloc(1, o->set->config_bytes)};
    OK(mg_config_load(&o->group, 1, name, yaml, "test.yaml", NULL));
    return o->set->scan(o->folder, o->group.base, &o->found);
}

static mg_status open_set(opened *o, const char *name, const char *folder, const char *yaml)
{
    char *path = mg_path_join(root, folder);
    mg_status st = open_at(o, name, path, yaml);
    mg_free(path);
    return st;
}

static void close_set(opened *o)
{
    mg_scan_free(&o->found);
    mg_config_free(&o->group, 1);
    free(o->group.base);
    mg_free(o->folder);
}

static mg_status read_item(const opened *o, int64_t i, mg_sample *out)
{
    return o->set->read(o->folder, o->group.base, &o->found, &o->found.item[i], NULL, out);
}

static int64_t item_named(const opened *o, const char *part)
{
    for (int64_t i = 0; i < o->found.count; i++)
        if (strstr(o->found.item[i].name, part)) return i;
    fail_msg("no item '%s'", part);
    return -1;
}

static bool has_text(const mg_texts *list, const char *part)
{
    for (size_t i = 0; i < list->count; i++)
        if (strstr(list->item[i], part)) return true;
    return false;
}

static void write_phantom(const char *name, const char *folder, int64_t count, bool defects,
                          mg_phantom_report *report)
{
    char *out = mg_path_join(root, folder);
    mg_phantom_order order = {.out = out,
                              .count = count,
                              .seed = 7,
                              .defects = defects,
                              .size = 32,
                              .hi = count,
                              .report = report};
    OK(mg_make_dirs(out));
    OK(mg_dataset_find(name)->phantom(&order));
    mg_free(out);
}

static void check_volume(const opened *o, int64_t i, const mg_sample *s)
{
    const mg_volume *v = &s->volume;
    int64_t cells = (int64_t)s->depth * s->height * s->width, labelled = 0;
    uint16_t seen = 0;

    CHECK(s->type == MG_I16 || s->type == MG_F32);
    CHECK(strlen(v->orientation) == 3 && s->channels >= 1 && s->channels <= MG_MAX_CONTRASTS);
    for (int a = 0; a < 3; a++)
        CHECK(s->spacing[a] > 0 && v->full_spacing[a] > 0 && v->grid[a][1] > 0);
    CHECK((o->found.item[i].mask != NULL) == (s->label || s->bits));
    CHECK(v->range[0][0] < v->range[0][1]);
    for (int64_t k = 0; k < cells; k++) {
        unsigned c = s->label ? (1u << s->label[k]) >> 1 : s->bits ? s->bits[k] : 0;
        seen |= (uint16_t)c;
        labelled += c != 0;
    }
    if (s->label || s->bits) CHECK(labelled > cells / 500 && seen < 1 << o->found.classes);
}

static int count_reports(const opened *o, int64_t *unreadable, int64_t *duplicates)
{
    mg_hash128 *seen = calloc((size_t)o->found.count, sizeof *seen);

    *unreadable = *duplicates = 0;
    for (int64_t i = 0; i < o->found.count; i++) {
        mg_sample s;
        if (read_item(o, i, &s)) {
            CHECK(!s.pixels && !s.label && !s.bits && !strstr(mg_err_message(), root));
            mg_err_clear();
            ++*unreadable;
            continue;
        }
        check_volume(o, i, &s);
        if (s.hashed)
            seen[i] = s.hash;
        else
            OK(mg_sample_hash(&s, &seen[i]));
        bool again = false;
        for (int64_t j = 0; j < i; j++)
            again = again || (seen[j].low == seen[i].low && seen[j].high == seen[i].high);
        *duplicates += again;
        mg_sample_free(&s);
    }
    free(seen);
    return (int)o->found.count;
}

static void phantoms(void **state)
{
    static const char *const name[] = {"amos", "btcv", "brats"};
    (void)state;

    for (int k = 0; k < 3; k++)
        for (int defects = 0; defects < 2; defects++) {
            mg_phantom_report report = {0};
            int64_t unreadable, duplicates;
            char folder[64];
            opened o;
            snprintf(folder, sizeof folder, "%s_%d", name[k], defects);
            write_phantom(name[k], folder, 22, defects, &report);
            OK(open_set(&o, name[k], folder, ""));
            assert_int_equal(count_reports(&o, &unreadable, &duplicates), report.items);
            assert_int_equal(unreadable, report.unreadable);
            assert_int_equal(duplicates, report.duplicates);
            CHECK(defects == (report.planted.count > 0));
            if (!defects) assert_int_equal(o.found.skipped.count, 0);
            close_set(&o);
            mg_texts_free(&report.planted);
        }
}

// The bodies of an organ lie where they should: mean place of a class in mm of RAS.
static void middle_of(const mg_sample *s, int c, double mm[3])
{
    double sum[3] = {0}, n = 0, p[3];
    for (int z = 0, i = 0; z < s->depth; z++)
        for (int y = 0; y < s->height; y++)
            for (int x = 0; x < s->width; x++, i++) {
                if (s->label[i] != c) continue;
                place_of(s->volume.affine, x, y, z, p);
                for (int a = 0; a < 3; a++) sum[a] += p[a];
                n++;
            }
    for (int a = 0; a < 3; a++) mm[a] = sum[a] / n;
}

// The phantom without defects: axes differ, anatomy does not.
static void amos(void **state)
{
    opened o;
    mg_sample s;
    double liver[3], spleen[3], bladder[3];
    (void)state;

    OK(open_set(&o, "amos", "amos_0", ""));
    CHECK(has_text(&o.found.notes, "expected 240") && has_text(&o.found.notes, "not CT, left out"));
    CHECK(has_text(&o.found.notes, "without labels, left out (amos.unlabelled): 3 scans"));
    assert_string_equal(o.found.class_name[7], "aorta");
    assert_string_equal(o.found.item[item_named(&o, "imagesTr/amos_0001")].split, "train");
    assert_string_equal(o.found.item[item_named(&o, "imagesVa/")].split, "val");
    CHECK(strstr(o.found.item[0].extra, "sex ") && strstr(o.found.item[0].extra, "scanner "));
    for (int64_t i = 0; i < o.found.count; i++) {
        OK(read_item(&o, i, &s));
        middle_of(&s, 6, liver);
        middle_of(&s, 1, spleen);
        middle_of(&s, 14, bladder);
        CHECK(liver[0] > spleen[0] + 50 && bladder[2] < liver[2] - 10); // right, below
        CHECK(s.type == MG_I16 && s.spacing[0] == 2 && s.spacing[1] == 1.5 && s.spacing[2] == 1.5);
        CHECK(s.volume.range[0][0] == -175 && s.volume.range[0][1] == 250 && !s.unknown);
        CHECK(s.volume.full_label && s.volume.full_depth < s.depth);
        CHECK(!*s.remark);
        mg_sample_free(&s);
    }
    close_set(&o);
}

// MR, and everything at once with its own grid; folds instead of the published split.
static void amos_settings(void **state)
{
    opened o;
    mg_sample s;
    (void)state;

    OK(open_set(&o, "amos", "amos_0", "amos: {modality: MR}"));
    OK(read_item(&o, 0, &s));
    assert_string_equal(o.found.item[0].modality, "MR");
    CHECK(s.volume.range[0][0] > 0 && s.volume.range[0][1] < 600 && !*s.remark);
    mg_sample_free(&s);
    close_set(&o);
    OK(open_set(&o, "amos", "amos_0",
                "amos: {modality: all, split: folds, spacing: [], crop: true, unlabelled: true, "
                "modality_rule: scanner}"));
    assert_int_equal(o.found.count, 22);
    assert_string_equal(o.found.item[0].split, "");
    int64_t i = item_named(&o, "amos_0001");
    OK(read_item(&o, i, &s));
    CHECK(s.volume.full_label && s.volume.grid[1][0] > 0 && s.volume.grid[1][1] == 1); // cropped
    mg_sample_free(&s);
    close_set(&o);
}

// Only some organs are labelled.
static void amos_partial(void **state)
{
    opened o;
    mg_sample s;
    (void)state;

    OK(open_set(&o, "amos", "amos_0", "amos: {partial: {amos_0001: [6, 1]}, spacing: []}"));
    int64_t i = item_named(&o, "amos_0001");
    OK(read_item(&o, i, &s));
    assert_int_equal(s.unknown, 0x7FFF & ~(1 << 5) & ~1);
    bool others = false;
    for (int k = 0; k < s.depth * s.height * s.width; k++)
        others = others || (s.label[k] && s.label[k] != 6 && s.label[k] != 1);
    CHECK(!others && !s.volume.full_label);
    mg_sample_free(&s);
    close_set(&o);
}

static void amos_refused(void **state)
{
    opened o;
    (void)state;

    FAILS(open_set(&o, "amos", "amos_0", "amos: {partial: {amos_0001: [16]}}"), MG_ERR_CONFIG,
          "'amos_0001' names label 16");
    close_set(&o);
    FAILS(open_set(&o, "amos", "amos_0", "amos: {spacing: [1, 2]}"), MG_ERR_CONFIG,
          "amos.spacing has 2 numbers, expected 3");
    close_set(&o);
    FAILS(open_set(&o, "amos", "amos_0", "amos: {percentiles: [99, 1]}"), MG_ERR_CONFIG,
          "99 and 1");
    close_set(&o);
}

// Defects that do not stand in the way are told.
static void amos_defects(void **state)
{
    opened o;
    mg_sample s;
    (void)state;

    OK(open_set(&o, "amos", "amos_1", "amos: {spacing: []}"));
    CHECK(has_text(&o.found.skipped, "image without a label") &&
          has_text(&o.found.skipped, "not listed in dataset.json") &&
          has_text(&o.found.notes, "makes MR, taken as CT"));
    bool matrix = false;
    for (int64_t i = 0; i < o.found.count; i++) {
        if (read_item(&o, i, &s)) {
            mg_err_clear();
            continue;
        }
        matrix = matrix || strstr(s.remark, "differs by 0.02 mm");
        mg_sample_free(&s);
    }
    CHECK(matrix);
    close_set(&o);
    OK(open_set(&o, "amos", "amos_1", "amos: {min_component: 20, spacing: []}"));
    int64_t cleaned = 0;
    for (int64_t i = 0; i < o.found.count; i++) {
        if (read_item(&o, i, &s)) {
            mg_err_clear();
            continue;
        }
        cleaned += strstr(s.remark, "small parts taken off") != NULL;
        mg_sample_free(&s);
    }
    CHECK(cleaned >= 1);
    close_set(&o);
}

static void btcv(void **state)
{
    opened o;
    mg_sample s;
    double liver[3], spleen[3];
    (void)state;

    OK(open_set(&o, "btcv", "btcv_0", ""));
    assert_string_equal(o.found.item[item_named(&o, "img0005")].split, "train");
    assert_string_equal(o.found.item[item_named(&o, "img0005")].patient, "0005");
    assert_string_equal(o.found.class_name[9], "portal and splenic veins");
    assert_int_equal(o.found.classes, 13);
    close_set(&o);
    OK(open_set(&o, "btcv", "btcv_0", "btcv: {split: 18/12, ag: merged, unlabelled: true}"));
    assert_string_equal(o.found.item[item_named(&o, "img0001")].split, "test");
    assert_string_equal(o.found.item[item_named(&o, "img0005")].split, "train");
    assert_string_equal(o.found.item[item_named(&o, "img0061")].split, "");
    CHECK(!o.found.item[item_named(&o, "img0061")].mask);
    assert_string_equal(o.found.class_name[11], "adrenal glands");
    assert_int_equal(o.found.classes, 12);
    OK(read_item(&o, item_named(&o, "img0061"), &s));
    CHECK(!s.label && s.hashed);
    mg_sample_free(&s);
    OK(read_item(&o, item_named(&o, "img0001"), &s));
    for (int k = 0; k < s.depth * s.height * s.width; k++) CHECK(s.label[k] <= 12);
    mg_sample_free(&s);
    close_set(&o);

    // A label whose header points elsewhere lies as its image does.
    OK(open_set(&o, "btcv", "btcv_1", ""));
    bool turned = false;
    for (int64_t i = 0; i < o.found.count; i++) {
        if (read_item(&o, i, &s)) {
            mg_err_clear();
            continue;
        }
        middle_of(&s, 6, liver);
        middle_of(&s, 1, spleen);
        CHECK(liver[0] > spleen[0] + 50);
        turned = turned || strstr(s.remark, "label says LAS, read as its image: RAS");
        mg_sample_free(&s);
    }
    CHECK(turned);
    CHECK(has_text(&o.found.skipped, "label without an image"));
    close_set(&o);
}

static void put_volume(const char *name, int side, const char *axes, float value, float corner)
{
    const double away = strcmp(axes, "RAS") ? -1 : 1,
                 m[12] = {away, 0, 0, 0, 0, away, 0, 0, 0, 0, 1, 0};
    const int size[3] = {side, side, side};
    char *path = mg_path_join(root, name), *dir = mg_path_dir(path);
    float v[6 * 6 * 6];
    mg_nifti_head head;

    for (int i = 0; i < side * side * side; i++) v[i] = corner;
    for (int i = 0; i < 8; i++)
        v[side * side + 2 * side + 1 + i % 2 + side * (i / 2 % 2) + side * side * (i / 4)] =
            value + (float)(i == 3);
    mg_nifti_make_head(size, m, &head);
    OK(mg_make_dirs(dir));
    OK(mg_nifti_write(path, &head, MG_F32, v));
    mg_free(dir), mg_free(path);
}

static void brats(void **state)
{
    opened o;
    mg_sample s;
    (void)state;

    OK(open_set(&o, "brats", "brats_0", ""));
    assert_int_equal(o.found.classes, 3);
    assert_string_equal(o.found.item[0].patient, o.found.item[0].name);
    OK(read_item(&o, 0, &s));
    CHECK(s.channels == 4 && s.type == MG_I16 && s.bits && s.volume.full_bits);
    assert_string_equal(s.volume.contrasts, "flair,t1,t1ce,t2");
    assert_string_equal(s.volume.orientation, "LPS");
    CHECK(s.volume.input[0] == 0 && s.volume.input[1] == 2 && s.volume.input[2] == 3);
    int counts[8] = {0};
    for (int k = 0; k < s.depth * s.height * s.width; k++) counts[s.bits[k]]++;
    CHECK(counts[1] && counts[3] && counts[7] && !(counts[2] + counts[4] + counts[5] + counts[6]));
    mg_sample_free(&s);
    close_set(&o);
    OK(open_set(&o, "brats", "brats_0",
                "brats: {regions: parts, contrasts: [t1], crop: false, group: site}"));
    CHECK(strstr(o.found.item[0].patient, "site "));
    assert_string_equal(o.found.class_name[2], "enhancing tumour");
    OK(read_item(&o, 0, &s));
    CHECK(s.volume.input[0] == 1 && s.volume.input[2] == 1 && s.label && !s.volume.full_label);
    mg_sample_free(&s);
    close_set(&o);
    OK(open_set(&o, "brats", "brats_0", "brats: {group: older}"));
    CHECK(strstr(o.found.item[0].patient, "BraTS20_Training_1"));
    close_set(&o);
    FAILS(open_set(&o, "brats", "brats_0", "brats: {contrasts: [t1, t3, t2]}"), MG_ERR_CONFIG,
          "'t3'");
    close_set(&o);

    // 2015: contrasts missing, values 1 to 4 as float, standardised before; two scans of one patient.
    put_volume("b15/x_pat12_1/x_pat12_1_flair.nii.gz", 6, "LPS", 2, -1);
    put_volume("b15/x_pat12_1/x_pat12_1_t1ce.nii", 6, "LPS", 3, -2);
    put_volume("b15/x_pat12_1/x_pat12_1_seg.nii.gz", 6, "RAS", 3, 0);
    put_volume("b15/x_pat12_1/x_pat12_1_brainmask.nii.gz", 6, "RAS", 1, 0);
    put_volume("b15/x_pat12_2/x_pat12_2_t1.nii.gz", 6, "LPS", 2.5f, -1);
    put_volume("b15/x_pat12_2/x_pat12_2_seg.nii.gz", 6, "LPS", 4, 0);
    put_volume("b15/other/no_case_flair.nii.gz", 6, "LPS", 4, 0);
    FAILS(open_set(&o, "brats", "b15", ""), MG_ERR_FORMAT, "of edition 2015: set brats.edition");
    close_set(&o);
    OK(open_set(&o, "brats", "b15", "brats: {edition: 2015}"));
    assert_int_equal(o.found.count, 2);
    assert_string_equal(o.found.item[0].patient, "x_pat12");
    assert_string_equal(o.found.item[1].patient, "x_pat12");
    CHECK(has_text(&o.found.notes, "no t2: 2 of 2 cases"));
    OK(read_item(&o, 0, &s));
    assert_string_equal(s.volume.contrasts, "flair,t1ce");
    CHECK(s.volume.input[0] == 0 && s.volume.input[1] == 1 && s.volume.input[2] == -1);
    CHECK(s.depth == 2 && s.height == 2 && s.width == 2 && s.type == MG_I16);
    CHECK(s.volume.range[0][0] == 2 && s.volume.range[0][1] > 2.9);
    CHECK(strstr(s.remark, "background of flair is -1") && strstr(s.remark, "no t2: zeros"));
    int core = 0, enhancing = 0;
    for (int k = 0; k < 8; k++) core += s.bits[k] == 3, enhancing += s.bits[k] == 7;
    CHECK(core == 7 && enhancing == 1);
    mg_sample_free(&s);
    FAILS(read_item(&o, 1, &s), MG_ERR_FORMAT, "has the value 5");
    close_set(&o);

    // 2023 has other names, and its enhancing part is 3.
    for (int k = 0; k < 5; k++) {
        static const char *const end[] = {"t1n", "t1c", "t2w", "t2f", "seg"};
        char name[96];
        snprintf(name, sizeof name, "b23/BraTS-GLI-00002-000/BraTS-GLI-00002-000-%s.nii.gz",
                 end[k]);
        put_volume(name, 6, "LPS", k == 4 ? 2 : 70, 0);
    }
    FAILS(open_set(&o, "brats", "b23", ""), MG_ERR_FORMAT, "of edition 2023: set brats.edition");
    close_set(&o);
    OK(open_set(&o, "brats", "b23", "brats: {edition: 2023}"));
    OK(read_item(&o, 0, &s));
    int whole = 0;
    enhancing = 0;
    for (int k = 0; k < 8; k++) whole += s.bits[k] == 1, enhancing += s.bits[k] == 7;
    CHECK(whole == 7 && enhancing == 1 && s.channels == 4);
    mg_sample_free(&s);
    close_set(&o);
}

// --- real volumes -----------------------------------------------------------------------------------

static void samples(void **state)
{
    const char *given = getenv("MEDGRAFT_SAMPLES");
    char *at = realpath(given ? given : "../shared/samples", NULL), *folder;
    opened o;
    mg_sample s;
    (void)state;

    if (!at) {
        printf("skipped: no sample volumes in '../shared/samples' (MEDGRAFT_SAMPLES)\n");
        skip();
    }
    folder = mg_path_join(at, "amos-like");
    OK(open_at(&o, "amos", folder,
               "amos: {modality: all, partial: {amos_0482: [6]}, spacing: []}"));
    assert_int_equal(o.found.count, 3);
    OK(read_item(&o, item_named(&o, "0482"), &s));
    CHECK(s.depth == 3 && s.width == 512 && s.unknown == (0x7FFF & ~(1 << 5)));
    assert_string_equal(s.volume.orientation, "LAS");
    mg_sample_free(&s);
    OK(read_item(&o, item_named(&o, "0581"), &s));
    assert_string_equal(s.volume.orientation, "LPS");
    CHECK(s.volume.range[0][0] == -5 && s.volume.range[0][1] == 694); // numpy
    mg_sample_free(&s);
    OK(read_item(&o, item_named(&o, "0481"), &s));
    CHECK(s.type == MG_I16 && s.depth == 112 && s.height == 101 && s.width == 122);
    mg_hash128 ct;
    OK(mg_sample_hash(&s, &ct));
    mg_sample_free(&s);
    close_set(&o);
    mg_free(folder);

    // The same scan once more: the cropped and resampled copy keeps the identity.
    folder = mg_path_join(at, "btcv-like");
    OK(open_at(&o, "btcv", folder, ""));
    OK(read_item(&o, 0, &s));
    CHECK(s.hashed && s.hash.low == ct.low && s.hash.high == ct.high);
    mg_sample_free(&s);
    close_set(&o);
    mg_free(folder);

    folder = mg_path_join(at, "brats-like");
    OK(open_at(&o, "brats", folder, "brats: {edition: 2015}"));
    assert_int_equal(o.found.count, 3);
    OK(read_item(&o, 0, &s));
    CHECK(s.type == MG_F32 && s.channels == 2 && s.full_width == 240 && s.width < 140);
    mg_sample_free(&s);
    close_set(&o);
    mg_free(folder);
    free(at);
}

static int make_root(void **state)
{
    (void)state;
    return check_folder(root, "volumes") ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return mg_remove_tree(root) != MG_OK || mg_mem_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resampling),   cmocka_unit_test(whole_numbers_stay_whole),
        cmocka_unit_test(boxes),        cmocka_unit_test(percentiles),
        cmocka_unit_test(specks),       cmocka_unit_test(phantoms),
        cmocka_unit_test(amos),         cmocka_unit_test(amos_settings),
        cmocka_unit_test(amos_partial), cmocka_unit_test(amos_refused),
        cmocka_unit_test(amos_defects), cmocka_unit_test(btcv),
        cmocka_unit_test(brats),        cmocka_unit_test(samples),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
