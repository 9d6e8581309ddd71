// Data sets: what a phantom plants is what its reader finds, layouts and tables in their variants,
// and the real sample pictures where they are at hand.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/dataset.h"
#include "datasets/decode.h"
#include "runtime/hash.h"
#include "runtime/mem.h"
#include "tests/scratch.h"

// A data set with its settings and what a scan of a folder found.
typedef struct {
    const mg_dataset *set;
    mg_option_group group;
    char *folder;
    mg_scan found;
} opened;

static mg_status open_set(opened *o, const char *name, const char *folder, const char *yaml)
{
    *o = (opened){.set = mg_dataset_find(name), .folder = mg_path_join(root, folder)};
    assert_non_null(o->set);
    o->group = (mg_option_group){o->set->options, calloc(1, o->set->config_bytes + 1)};
    if (o->set->options) OK(mg_config_load(&o->group, 1, name, yaml, "test.yaml", NULL));
    return o->set->scan(o->folder, o->group.base, &o->found);
}

static void close_set(opened *o)
{
    mg_scan_free(&o->found);
    if (o->set->options) mg_config_free(&o->group, 1);
    free(o->group.base);
    mg_free(o->folder);
}

static mg_status read_item(const opened *o, const mg_item *item, mg_sample *out)
{
    mg_decode_hint hint = {.long_side = 32};
    return o->set->read(o->folder, o->group.base, &o->found, item, &hint, out);
}

static const mg_item *item_named(const opened *o, const char *end)
{
    for (int64_t i = 0; i < o->found.count; i++) {
        const char *name = o->found.item[i].name;
        if (strlen(name) >= strlen(end) && !strcmp(name + strlen(name) - strlen(end), end))
            return &o->found.item[i];
    }
    fail_msg("no item '...%s'", end);
    return NULL;
}

static bool has_text(const mg_texts *list, const char *part)
{
    for (size_t i = 0; i < list->count; i++)
        if (strstr(list->item[i], part)) return true;
    return false;
}

// Write a phantom as `ranks` ranks would; `layout` "" is the first.
static void write_phantom(const char *name, const char *layout, const char *folder, int64_t count,
                          bool defects, int ranks, mg_phantom_report *report)
{
    char *out = mg_path_join(root, folder);
    OK(mg_make_dirs(out));
    for (int r = 0; r < ranks; r++) {
        mg_phantom_order order = {.out = out,
                                  .count = count,
                                  .seed = 7,
                                  .defects = defects,
                                  .size = 72,
                                  .layout = *layout ? layout : NULL,
                                  .lo = r * count / ranks,
                                  .hi = (r + 1) * count / ranks,
                                  .report = report};
        OK(mg_dataset_find(name)->phantom(&order));
    }
    mg_free(out);
}

static uint64_t hash_tree(const char *folder)
{
    char *path = mg_path_join(root, folder);
    mg_texts files;
    uint64_t sum = 0;

    OK(mg_list_tree(path, &files));
    for (size_t i = 0; i < files.count; i++) {
        char *file = mg_path_join(path, files.item[i]);
        uint64_t hash;
        OK(mg_hash_file(file, &hash));
        sum = sum * 31 + hash + mg_hash64(files.item[i], strlen(files.item[i]));
        mg_free(file);
    }
    mg_texts_free(&files);
    mg_free(path);
    return sum;
}

static void check_sample(const opened *o, const mg_item *item, const mg_sample *s)
{
    assert_int_equal(s->type, MG_U8);
    assert_int_equal(s->depth, 1);
    CHECK(s->channels == 1 || s->channels == 3);
    CHECK(s->height > 0 && s->width > 0 && s->full_height > 0 && s->full_width > 0);
    CHECK((item->mask != NULL) == (s->label || s->bits));
    CHECK((o->found.classes > 0) == (s->label || s->bits));
    for (int64_t i = 0; s->bits && i < (int64_t)s->height * s->width; i++)
        CHECK(!(s->bits[i] >> o->found.classes));
    for (int64_t i = 0; s->label && i < (int64_t)s->height * s->width; i++)
        CHECK(s->label[i] <= o->found.classes);
}

static bool is_constant(const mg_sample *s)
{
    const uint8_t *v = s->pixels;
    for (int64_t i = 0; i < (int64_t)s->height * s->width * s->channels; i++)
        if (v[i] != v[0]) return false;
    return true;
}

// Read everything; count failures, pictures of one value, and pixels seen before.
static mg_phantom_report read_all(const opened *o)
{
    mg_phantom_report r = {.items = o->found.count};
    uint64_t *seen = calloc((size_t)o->found.count, sizeof *seen);
    for (int64_t i = 0; i < o->found.count; i++) {
        const mg_item *item = &o->found.item[i];
        mg_sample s;
        if (read_item(o, item, &s)) {
            CHECK(!s.pixels && !s.label && !s.bits && *mg_err_message());
            CHECK(
                !strstr(mg_err_message(), root)); // reasons are stored, and name no machine's paths
            mg_err_clear();
            r.unreadable++;
            continue;
        }
        check_sample(o, item, &s);
        r.constant += is_constant(&s);
        seen[i] = mg_hash64(s.pixels, (size_t)s.height * s.width * s.channels);
        bool again = false;
        for (int64_t j = 0; j < i; j++) again = again || seen[j] == seen[i];
        r.duplicates += again && !is_constant(&s);
        mg_sample_free(&s);
    }
    free(seen);
    return r;
}

static void check_phantom(const char *name, const char *layout, bool defects)
{
    mg_phantom_report report = {0};
    opened o;
    char folder[64];

    snprintf(folder, sizeof folder, "%s_%s_%d", name, layout, defects);
    write_phantom(name, layout, folder, 33, defects, 1, &report);
    OK(open_set(&o, name, folder, ""));
    mg_phantom_report read = read_all(&o);
    if (read.items != report.items || read.unreadable != report.unreadable ||
        read.constant != report.constant || read.duplicates != report.duplicates)
        fail_msg("%s: items %d of %d, unreadable %d of %d, constant %d of %d, duplicates %d of %d",
                 folder, (int)read.items, (int)report.items, (int)read.unreadable,
                 (int)report.unreadable, (int)read.constant, (int)report.constant,
                 (int)read.duplicates, (int)report.duplicates);
    CHECK(defects == (report.planted.count > 0));
    if (!defects) assert_int_equal(o.found.skipped.count, 0);
    for (int64_t i = 1; i < o.found.count; i++)
        CHECK(mg_natural_compare(o.found.item[i - 1].name, o.found.item[i].name) < 0);
    close_set(&o);
    mg_texts_free(&report.planted);
}

static void phantoms(void **state)
{
    int checked = 0;
    (void)state;
    for (int i = 0; mg_dataset_at(i); i++) {
        const mg_dataset *set = mg_dataset_at(i);
        CHECK(mg_dataset_find(set->name) == set);
        bool volumes = !set->long_side; // test_volumes.c
        if (!set->phantom || volumes) continue;
        bool demo = !strncmp(set->name, "demo", 4);
        char layout[32];
        for (int k = 0; check_word(set->layouts, k, layout); k++) {
            for (int defects = 0; defects < (demo ? 1 : 2); defects++)
                check_phantom(set->name, layout, defects);
            checked++;
        }
    }
    assert_int_equal(checked, 18); // twelve sets of one layout, refuge in four, riga in two
}

// The same files whatever the number of ranks, and a picture does not depend on how many there are.
static void ranks_do_not_matter(void **state)
{
    static const char *const name[] = {"radimagenet", "eyepacs", "ham10000", "tnscui",
                                       "ddti",        "demo_ct", "refuge",   "riga"};
    (void)state;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        write_phantom(name[i], "", "one", 7, true, 1, NULL);
        write_phantom(name[i], "", "three", 7, true, 3, NULL);
        assert_int_equal(hash_tree("one"), hash_tree("three"));
        char *path = mg_path_join(root, "one");
        OK(mg_remove_tree(path));
        mg_free(path);
        path = mg_path_join(root, "three");
        OK(mg_remove_tree(path));
        mg_free(path);
    }
}

static void put_text(const char *name, const char *text)
{
    char *path = mg_path_join(root, name), *dir = mg_path_dir(path);
    OK(mg_make_dirs(dir));
    OK(mg_write_file(path, text, strlen(text)));
    mg_free(dir);
    mg_free(path);
}

// A small picture of one colour with a gradient; PNG or JPEG by the name.
static void put_picture(const char *name, int height, int width, int channels, int blue)
{
    uint8_t pixels[64 * 64 * 3];
    char *path = mg_path_join(root, name), *dir = mg_path_dir(path);

    for (int i = 0; i < height * width; i++)
        for (int c = 0; c < channels; c++)
            pixels[i * channels + c] = (uint8_t)(c == 2 ? blue : i % width);
    OK(mg_make_dirs(dir));
    if (mg_path_has_ext(name, ".png"))
        OK(mg_write_png(path, pixels, height, width, channels));
    else
        OK(mg_write_jpeg(path, pixels, height, width, channels, 95));
    mg_free(dir);
    mg_free(path);
}

static void put_mask(const char *name, int height, int width, int low, int high)
{
    uint8_t pixels[64 * 64];
    char *path = mg_path_join(root, name), *dir = mg_path_dir(path);

    for (int i = 0; i < height * width; i++) pixels[i] = (uint8_t)(i < 5 ? high : low);
    OK(mg_make_dirs(dir));
    if (mg_path_has_ext(name, ".png"))
        OK(mg_write_png(path, pixels, height, width, 1));
    else
        OK(mg_write_jpeg(path, pixels, height, width, 1, 95));
    mg_free(dir);
    mg_free(path);
}

static void radimagenet(void **state)
{
    opened o;
    mg_sample s;
    (void)state;

    put_picture("rin/CT/abd/normal/a1.png", 10, 12, 1, 0);
    put_picture("rin/CT/abd/normal/a2.png", 10, 12, 3, 77);
    put_picture("rin/MR/knee/acl/tear/k.png", 10, 12, 1, 0);
    put_picture("rin/US/thyroid/u.png", 10, 12, 1, 0);
    OK(open_set(&o, "radimagenet", "rin", ""));
    assert_int_equal(o.found.count, 4);
    assert_string_equal(item_named(&o, "k.png")->label, "knee/acl/tear");
    assert_string_equal(item_named(&o, "u.png")->label, "thyroid");
    assert_string_equal(item_named(&o, "u.png")->modality, "US");
    assert_string_equal(item_named(&o, "u.png")->split, "");
    CHECK(has_text(&o.found.notes, "0 of 3 found"));
    OK(read_item(&o, item_named(&o, "a2.png"), &s));
    assert_int_equal(s.channels, 1);
    assert_string_equal(s.decoder, "libdeflate luma");
    assert_int_equal(((uint8_t *)s.pixels)[10], (299 * 10 + 587 * 10 + 114 * 77 + 500) / 1000);
    mg_sample_free(&s);
    close_set(&o);

    // Tables in a folder of their own, with another prefix, CRLF and quotes.
    put_text("rin/RadImageNet_split/RadiologyAI_train.csv",
             "filename,label\r\nradiology_ai/CT/abd/normal/a1.png,zz\r\n"
             "\"x/y/MR/knee/acl/tear/k.png\",\"acl, tear\"\r\n");
    put_text("rin/RadImageNet_split/RadiologyAI_test.csv", "filename,label\nUS/thyroid/u.png,zz\n");
    OK(open_set(&o, "radimagenet", "rin", ""));
    assert_string_equal(item_named(&o, "k.png")->label, "acl, tear");
    assert_string_equal(item_named(&o, "k.png")->extra, "class 0");
    assert_string_equal(item_named(&o, "u.png")->split, "test");
    assert_string_equal(item_named(&o, "u.png")->extra, "class 1");
    assert_string_equal(item_named(&o, "a2.png")->split, "");
    CHECK(has_text(&o.found.notes, "in no table: 1 files"));
    close_set(&o);

    // The image folder itself as the root, the tables beside it; one of them is damaged.
    put_picture("beside/radiology_ai/CT/lung/n/b.png", 10, 12, 1, 0);
    put_text("beside/RadiologyAI_val.csv", "filename,label\nradiology_ai/CT/lung/n/b.png,q\n");
    put_text("beside/RadiologyAI_test.csv", "filename,label\n\"open\n");
    OK(open_set(&o, "radimagenet", "beside/radiology_ai", ""));
    assert_string_equal(o.found.item[0].split, "val");
    CHECK(has_text(&o.found.notes, "a quote is not closed"));
    close_set(&o);
}

static void eyepacs(void **state)
{
    opened o;
    mg_sample s;
    uint8_t pixels[60 * 100 * 3] = {0};
    (void)state;

    // A disc of radius 20 at (50, 30).
    for (int y = 0; y < 60; y++)
        for (int x = 0; x < 100; x++)
            if (hypot(x - 50, y - 30) < 20) memset(pixels + 3 * (y * 100 + x), 200, 3);
    put_picture("eye/train/other.png", 8, 8, 3, 0);
    char *path = mg_path_join(root, "eye/train/7_left.png");
    OK(mg_write_png(path, pixels, 60, 100, 3));
    mg_free(path);
    put_picture("eye/test/7_right.jpeg", 8, 8, 3, 0);
    put_picture("eye/test/test/8_right.JPEG", 8, 8, 3, 0);
    put_picture("eye/test/25313_right.jpeg", 8, 8, 3, 0);
    put_text("eye/trainLabels.csv", "image,level\n7_left,4\n");
    put_text("eye/retinopathy_solution.csv",
             "image,level,Usage\n7_right,0,Public\n8_right,2,Private\n");
    OK(open_set(&o, "eyepacs", "eye", ""));
    assert_int_equal(o.found.count, 4);
    CHECK(has_text(&o.found.skipped, "25313_right.jpeg: known to be unusable"));
    assert_string_equal(item_named(&o, "7_left.png")->patient, "7");
    assert_string_equal(item_named(&o, "7_left.png")->split, "train");
    assert_string_equal(item_named(&o, "7_left.png")->label, "4 proliferative");
    assert_string_equal(item_named(&o, "7_right.jpeg")->patient, "7");
    assert_string_equal(item_named(&o, "7_right.jpeg")->split, "val");
    assert_string_equal(item_named(&o, "8_right.JPEG")->split, "test");
    assert_string_equal(item_named(&o, "other.png")->patient, "other");
    assert_string_equal(item_named(&o, "other.png")->label, "");
    OK(read_item(&o, item_named(&o, "7_left.png"), &s));
    CHECK(abs(s.height - 39) <= 2 && s.height == s.width);
    assert_int_equal(s.full_width, 100);
    CHECK(s.hashed);
    mg_hash128 cropped = s.hash, whole;
    assert_int_equal(((uint8_t *)s.pixels)[3 * (s.width / 2)], 200); // the disc touches the edge
    assert_int_equal(((uint8_t *)s.pixels)[0], 0);
    mg_sample_free(&s);
    close_set(&o);
    OK(open_set(&o, "eyepacs", "eye", "eyepacs: {crop: false, drop_unusable: false}\n"));
    assert_int_equal(o.found.count, 5);
    OK(read_item(&o, item_named(&o, "7_left.png"), &s));
    CHECK(s.width == 100 && s.height == 60 && !s.hashed);
    OK(mg_sample_hash(&s, &whole));
    CHECK(whole.high == cropped.high && whole.low == cropped.low);
    mg_sample_free(&s);
    close_set(&o);
}

static void skin(void **state)
{
    opened o;
    (void)state;

    put_picture("ham/HAM10000_images/ISIC_0024306.jpg", 8, 8, 3, 0);
    put_picture("ham/HAM10000_images/ISIC_0024307.jpg", 8, 8, 3, 0);
    put_picture("ham/ISIC2018_Task3_Test_Input/ISIC_0034524.jpg", 8, 8, 3, 0);
    put_mask("ham/seg/ISIC_0024306_segmentation.png", 8, 8, 0, 255);
    put_text("ham/ISIC2018_Task3_Training_LesionGroupings.csv",
             "image,lesion_id,diagnosis_confirm_type\nISIC_0024306,HAM_1,histo\n"
             "ISIC_0024307,HAM_1,histo\n");
    put_text("ham/ISIC2018_Task3_Training_GroundTruth.csv",
             "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\nISIC_0024306,0.0,1.0,0.0,0.0,0.0,0.0,0.0\n");
    OK(open_set(&o, "ham10000", "ham", ""));
    assert_int_equal(o.found.count, 3);
    assert_string_equal(item_named(&o, "306.jpg")->patient, "HAM_1");
    assert_string_equal(item_named(&o, "306.jpg")->label, "NV");
    assert_string_equal(item_named(&o, "307.jpg")->patient, "HAM_1");
    assert_string_equal(item_named(&o, "307.jpg")->label, "");
    assert_string_equal(item_named(&o, "524.jpg")->split, "test");
    assert_string_equal(item_named(&o, "524.jpg")->patient, "ISIC_0034524");
    close_set(&o);

    // ISIC 2019: Barcelona's pictures by the prefix of the lesion.
    put_picture("i19/ISIC_2019_Training_Input/ISIC_0000001.jpg", 8, 8, 3, 0);
    put_picture("i19/ISIC_2019_Training_Input/ISIC_0000002_downsampled.jpg", 8, 8, 3, 0);
    put_picture("i19/ISIC_2019_Training_Input/ISIC_0000003.jpg", 8, 8, 3, 0);
    put_text("i19/ISIC_2019_Training_Metadata.csv",
             "image,age_approx,anatom_site_general,lesion_id,sex\n"
             "ISIC_0000001,5,x,BCN_0000001,male\nISIC_0000002_downsampled,5,x,MSK4_0000003,male\n"
             "ISIC_0000003,5,x,HAM_0000001,\n");
    OK(open_set(&o, "bcn20000", "i19", ""));
    assert_int_equal(o.found.count, 1);
    assert_string_equal(o.found.item[0].patient, "BCN_0000001");
    assert_string_equal(o.found.item[0].split, "train");
    close_set(&o);
    OK(open_set(&o, "bcn20000", "i19", "bcn20000: {source: all}\n"));
    assert_int_equal(o.found.count, 3);
    close_set(&o);
}

static void isic(void **state)
{
    static const char *const yaml[] = {"isic: {year: 2017}\n", "isic: {year: 2018}\n"};
    opened o;
    mg_sample s;
    (void)state;

    put_picture("i/ISIC-2017_Training_Data/ISIC_0000001.jpg", 8, 9, 3, 0);
    put_picture("i/ISIC-2017_Training_Data/ISIC_0000001_superpixels.png", 8, 9, 3, 0);
    put_mask("i/ISIC-2017_Training_Part1_GroundTruth/ISIC_0000001_segmentation.png", 8, 9, 127,
             128);
    put_picture("i/ISIC-2017_Test_v2_Data/ISIC_0000002.jpg", 8, 9, 3, 0);
    put_mask("i/ISIC-2017_Test_v2_Part1_GroundTruth/ISIC_0000002_segmentation.jpg", 8, 9, 0, 255);
    put_picture("i/ISIC2018_Task1-2_Validation_Input/ISIC_0000001.jpg", 8, 9, 3, 0);
    put_mask("i/ISIC2018_Task1_Validation_GroundTruth/ISIC_0000001_segmentation.png", 8, 9, 0, 1);
    put_picture("i/ISIC2018_Task3_Training_Input/ISIC_0000009.jpg", 8, 9, 3, 0);
    FAILS(open_set(&o, "isic", "i", ""), MG_ERR_FORMAT, "ISBI2016_ISIC_Part1_Training_Data");
    close_set(&o);

    OK(open_set(&o, "isic", "i", yaml[0]));
    assert_int_equal(o.found.count, 2);
    assert_int_equal(o.found.skipped.count, 0);
    assert_string_equal(item_named(&o, "1.jpg")->split, "train");
    assert_string_equal(item_named(&o, "2.jpg")->split, "test");
    OK(read_item(&o, item_named(&o, "1.jpg"), &s));
    CHECK(s.label[0] == 1 && s.label[5] == 0);
    mg_sample_free(&s);
    OK(read_item(&o, item_named(&o, "2.jpg"), &s));
    assert_string_equal(s.decoder, "libjpeg-turbo JPEG mask");
    mg_sample_free(&s);
    close_set(&o);

    OK(open_set(&o, "isic", "i", yaml[1]));
    assert_int_equal(o.found.count, 1);
    assert_string_equal(o.found.item[0].split, "val");
    FAILS(read_item(&o, &o.found.item[0], &s), MG_ERR_FORMAT, "end at 1, expected 0 and 255");
    close_set(&o);
}

static void folds(void **state)
{
    (void)state;
    assert_int_equal(mg_dataset_fold("patient 1", 5), (int)(mg_hash64("patient 1", 9) % 5));
    CHECK(!mg_dataset_find("nothing"));
}

static void samples(void **state)
{
    static const struct {
        const char *set, *folder, *yaml;
        int64_t count;
    } row[] = {
        {"radimagenet", "radimagenet-like", "", 99},
        {"eyepacs", "eyepacs-like", "", 14},
        {"ham10000", "ham10000", "", 3},
        {"isic", "isic2018", "isic: {year: 2018}\n", 8},
        {"tnscui", "tnscui-like", "", 10},
        {"refuge", "refuge-like", "", 6},
        {"ddti", "ddti-like", "", 6},
    };
    const char *given = getenv("MEDGRAFT_SAMPLES");
    char *at = realpath(given ? given : "../shared/samples", NULL);
    (void)state;

    if (!at) {
        printf("skipped: no sample pictures in '%s' (MEDGRAFT_SAMPLES)\n",
               given ? given : "../shared/samples");
        skip();
    }
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char *folder = mg_path_join(at, row[i].folder);
        opened o;
        OK(open_set(&o, row[i].set, folder, row[i].yaml));
        assert_int_equal(o.found.count, row[i].count);
        assert_int_equal(o.found.skipped.count, 0);
        // Those of 3 are large, and read like the rest.
        if (i != 3) assert_int_equal(read_all(&o).unreadable, 0);
        close_set(&o);
        mg_free(folder);
    }
    free(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phantoms),    cmocka_unit_test(ranks_do_not_matter),
        cmocka_unit_test(radimagenet), cmocka_unit_test(eyepacs),
        cmocka_unit_test(skin),        cmocka_unit_test(isic),
        cmocka_unit_test(folds),       cmocka_unit_test(samples),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
