// The data set `folder`: patterns, pairing with both sides reported, label values, several masks.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/dataset.h"
#include "datasets/decode.h"
#include "datasets/folder.h"
#include "datasets/nifti.h"
#include "runtime/mem.h"
#include "tests/scratch.h"

enum { H = 6, W = 8 };

// A picture of one value, with a second one in its first cells.
static void put(const char *name, int height, int width, int value, int other, int others)
{
    uint8_t pixels[64 * 64];
    char *path = mg_path_join(root, name), *dir = mg_path_dir(path);

    memset(pixels, value, sizeof pixels);
    memset(pixels, other, (size_t)others);
    OK(mg_make_dirs(dir));
    OK(mg_write_png(path, pixels, height, width, 1));
    mg_free(dir);
    mg_free(path);
}

static void empty_root(void)
{
    OK(mg_remove_tree(root));
    OK(mg_make_dirs(root));
}

// Settings of the data set, from YAML text.
typedef struct {
    const mg_dataset *set;
    mg_option_group group;
} settings;

static settings load(const char *yaml)
{
    settings s = {.set = mg_dataset_find("folder")};
    assert_non_null(s.set);
    s.group = (mg_option_group){s.set->options, calloc(1, s.set->config_bytes)};
    OK(mg_config_load(&s.group, 1, "folder", yaml, "test.yaml", NULL));
    return s;
}

static void unload(settings *s)
{
    mg_config_free(&s->group, 1);
    free(s->group.base);
}

static mg_status scan(const settings *s, mg_scan *out)
{
    return s->set->scan(root, s->group.base, out);
}

static mg_status read_item(const settings *s, const mg_scan *found, int64_t i, mg_sample *out)
{
    mg_decode_hint hint = {.long_side = 512};
    return s->set->read(root, s->group.base, found, &found->item[i], &hint, out);
}

static void check_match(const char *pattern, const char *path, const char *stem,
                        const char *patient)
{
    char s[256], p[256];
    bool hit = mg_folder_match(pattern, path, s, p);
    if (hit != (stem != NULL)) fail_msg("'%s' against '%s': %d", pattern, path, hit);
    if (!stem) return;
    assert_string_equal(s, stem);
    assert_string_equal(p, patient);
}

static void patterns(void **state)
{
    (void)state;
    check_match("images/{stem}.png", "images/a.png", "a", "");
    check_match("images/{stem}.png", "images/a.PNG", "a", "");
    check_match("images/{stem}.png", "Images/a.png", NULL, "");
    check_match("images/{stem}.png", "images/x/a.png", NULL, "");
    check_match("images/{stem}.png", "images/.png", NULL, "");
    check_match("{stem}/{stem}_flair.png", "p1/p1_flair.png", "p1", "");
    check_match("{stem}/{stem}_flair.png", "p1/p2_flair.png", NULL, "");
    check_match("{patient}_{stem}.png", "p1_a_b.png", "a_b", "p1");
    check_match("*/{patient}/img*_{stem}.jpg", "x/p7/img_3_c.jpg", "3_c", "p7");
    check_match("*/{patient}/img*_{stem}.jpg", "x/p7/img12_c.jpg", "c", "p7");
    check_match("{stem}*.png", "abc.png", "a", "");
    check_match("{stem}.png", "a.b.png", "a.b", "");
}

static void unlabelled(void **state)
{
    mg_scan found;
    mg_sample sample;
    (void)state;

    empty_root();
    put("images/n10.png", H, W, 7, 9, 1);
    put("images/n9.PNG", H, W, 7, 9, 1);
    put("images/sub/n1.png", H, W, 7, 9, 1);
    settings s = load("folder: {modality: US}\n");
    OK(scan(&s, &found));
    assert_int_equal(found.count, 2);
    assert_int_equal(found.classes, 0);
    assert_string_equal(found.item[0].name, "images/n9.PNG");
    assert_string_equal(found.item[1].patient, "n10");
    assert_string_equal(found.item[1].modality, "US");
    CHECK(!found.item[0].mask);
    OK(read_item(&s, &found, 1, &sample));
    CHECK(sample.height == H && sample.width == W && sample.channels == 1 && !sample.label);
    assert_int_equal(((uint8_t *)sample.pixels)[1], 7);
    assert_string_equal(sample.decoder, "libdeflate");
    mg_sample_free(&sample);
    mg_scan_free(&found);
    unload(&s);
}

static const char *const label_map = "folder:\n"
                                     "  masks: masks/{stem}_m.png\n"
                                     "  labels: {1: nerve, 5: vessel}\n"
                                     "  ignore: [255]\n";

static void labels(void **state)
{
    mg_scan found;
    mg_sample sample;
    (void)state;

    empty_root();
    put("images/a.png", H, W, 7, 9, 1);
    put("masks/a_m.png", H, W, 5, 1, 3);
    put("images/b.png", H, W, 7, 9, 1);
    put("masks/b_m.png", H, W, 255, 0, 4);
    put("images/wrong_value.png", H, W, 7, 9, 1);
    put("masks/wrong_value_m.png", H, W, 1, 2, 1);
    put("images/wrong_size.png", H, W, 7, 9, 1);
    put("masks/wrong_size_m.png", H, W + 1, 1, 1, 1);
    put("images/lonely.png", H, W, 7, 9, 1);
    put("masks/also_lonely_m.png", H, W, 1, 1, 1);
    settings s = load(label_map);
    OK(scan(&s, &found));
    assert_int_equal(found.count, 4);
    assert_int_equal(found.classes, 2);
    assert_string_equal(found.class_name[0], "nerve");
    assert_string_equal(found.class_name[1], "vessel");
    assert_int_equal(found.skipped.count, 2);
    assert_string_equal(found.skipped.item[0],
                        "images/lonely.png: image without a mask 'masks/{stem}_m.png'");
    assert_string_equal(found.skipped.item[1], "masks/also_lonely_m.png: mask without an image");

    OK(read_item(&s, &found, 0, &sample));
    assert_int_equal(sample.label[0], 1);
    assert_int_equal(sample.label[3], 2);
    mg_sample_free(&sample);
    OK(read_item(&s, &found, 1, &sample));
    assert_int_equal(sample.label[3], 0);
    assert_int_equal(sample.label[4], MG_LABEL_IGNORE);
    mg_sample_free(&sample);
    FAILS(read_item(&s, &found, 2, &sample), MG_ERR_FORMAT,
          "is 6 x 9, the picture is 6 x 8 (rows x columns)");
    FAILS(read_item(&s, &found, 3, &sample), MG_ERR_FORMAT,
          "wrong_value_m.png' has value 2 at row 0, column 0; expected 0, 1, 5, 255");
    CHECK(!sample.pixels && !sample.label);
    mg_scan_free(&found);
    unload(&s);
}

static void several_masks(void **state)
{
    static const char *const yaml = "folder:\n"
                                    "  images: '{patient}/{stem}.png'\n"
                                    "  masks:\n"
                                    "    - {pattern: '{patient}/{stem}_od.png', label: disc}\n"
                                    "    - pattern: '{patient}/{stem}_cup.png'\n"
                                    "      label: cup\n"
                                    "      threshold: 64\n";
    mg_scan found;
    mg_sample sample;
    (void)state;

    empty_root();
    for (int p = 0; p < 2; p++) { // the same stem for two patients
        put(p ? "p1/1.png" : "p0/1.png", H, W, 7, 9, 1);
        put(p ? "p1/1_od.png" : "p0/1_od.png", H, W, 0, 200, 10);
        put(p ? "p1/1_cup.png" : "p0/1_cup.png", H, W, 63, 64, 4);
    }
    settings s = load(yaml);
    OK(scan(&s, &found));
    assert_int_equal(found.count, 2);
    assert_int_equal(found.skipped.count, 0);
    assert_string_equal(found.item[1].patient, "p1");
    assert_string_equal(found.item[1].extra, "p1/1_od.png\np1/1_cup.png");
    OK(read_item(&s, &found, 1, &sample));
    CHECK(!sample.label && sample.bits);
    assert_int_equal(sample.bits[0], 3);
    assert_int_equal(sample.bits[4], 1);
    assert_int_equal(sample.bits[10], 0);
    mg_sample_free(&sample);
    mg_scan_free(&found);
    unload(&s);
}

static void repeated_folders(void **state)
{
    mg_scan found;
    char name[64];
    (void)state;

    empty_root();
    put("images/images/a.png", H, W, 7, 9, 1);
    snprintf(name, sizeof name, "%s/images/b.png", mg_path_base(root));
    put(name, H, W, 7, 9, 1);
    put("__MACOSX/images/c.png", H, W, 7, 9, 1);
    put("images/._d.png", H, W, 7, 9, 1);
    settings s = load("");
    OK(scan(&s, &found));
    assert_int_equal(found.count, 2);
    mg_scan_free(&found);
    put("images/b.png", H, W, 8, 9, 1);
    OK(scan(&s, &found)); // the same stem twice
    assert_int_equal(found.count, 2);
    assert_int_equal(found.skipped.count, 1);
    assert_non_null(strstr(found.skipped.item[0], "but other contents"));
    mg_scan_free(&found);
    unload(&s);
}

static void nothing(void **state)
{
    mg_scan found;
    (void)state;

    empty_root();
    settings s = load(label_map);
    FAILS(scan(&s, &found), MG_ERR_FORMAT, "has no files");
    put("image/a.png", H, W, 7, 9, 1);
    put("notes/far/away.png", H, W, 7, 9, 1);
    FAILS(scan(&s, &found), MG_ERR_FORMAT,
          "matches 'images/{stem}.png'; nearest of 2: 'image/a.png', 'notes/far/away.png'");
    put("images/a.png", H, W, 7, 9, 1);
    FAILS(scan(&s, &found), MG_ERR_FORMAT, "matches 'masks/{stem}_m.png'");
    put("masks/b_m.png", H, W, 7, 9, 1);
    FAILS(scan(&s, &found), MG_ERR_FORMAT,
          "have their names in common: image 'images/a.png', mask 'masks/b_m.png'");
    CHECK(!found.item && !found.count);
    unload(&s);
}

static void bad_settings(void **state)
{
    static const struct {
        const char *yaml, *message;
    } bad[] = {
        {"folder: {images: images/a.png}\n", "'images/a.png' has no {stem}"},
        {"folder: {images: '../{stem}.png'}\n", "must lie below the root"},
        {"folder: {images: '{stem}{name}.png'}\n", "at '{name}.png'"},
        {"folder: {masks: 'm/{stem}.png'}\n", "folder.labels: expected values and names"},
        {"folder: {masks: 'm/{stem}.png', labels: {x: nerve}}\n", "'x' is not a whole number"},
        {"folder: {masks: 'm/{stem}.png', labels: {0: nerve}}\n", "0 is background"},
        {"folder: {masks: [{pattern: 'm/{stem}.png'}]}\n", "entry 1 must give pattern and label"},
    };
    mg_scan found;
    (void)state;

    empty_root();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        settings s = load(bad[i].yaml);
        FAILS(scan(&s, &found), MG_ERR_CONFIG, bad[i].message);
        unload(&s);
    }
}

// --- volumes ----------------------------------------------------------------------------------------

enum { D = 3 };

// [D, H, W] of our grid, stored along the file's axes LPS.
static void put_volume(const char *name, int depth, mg_dtype type, const void *values)
{
    const double m[12] = {-2, 0, 0, 0, 0, -2, 0, 0, 0, 0, 4, 0};
    const int size[3] = {W, H, depth};
    char *path = mg_path_join(root, name), *dir = mg_path_dir(path);
    mg_nifti_head head;

    mg_nifti_make_head(size, m, &head);
    OK(mg_make_dirs(dir));
    OK(mg_nifti_write(path, &head, type, values));
    mg_free(dir);
    mg_free(path);
}

static void volumes(void **state)
{
    int16_t image[D * H * W];
    uint8_t label[D * H * W] = {0}, mask[D * H * W] = {0};
    mg_scan found;
    mg_sample sample;
    (void)state;

    for (int i = 0; i < D * H * W; i++) image[i] = (int16_t)(i - 20);
    label[W] = 2, label[H * W + 3] = 9, mask[5] = 1;
    empty_root();
    put_volume("images/a.nii.gz", D, MG_I16, image);
    put_volume("masks/a.nii.gz", D, MG_U8, label);
    put_volume("images/b.nii.gz", D, MG_I16, image);
    put_volume("masks/b.nii.gz", D - 1, MG_U8, label);
    settings s = load("folder: {images: 'images/{stem}.nii.gz', masks: 'masks/{stem}.nii.gz', "
                      "modality: CT, labels: {2: liver}, ignore: [9]}");
    OK(scan(&s, &found));
    assert_int_equal(found.count, 2);
    OK(read_item(&s, &found, 0, &sample));
    CHECK(sample.depth == D && sample.type == MG_I16 && sample.spacing[0] == 4);
    CHECK(!memcmp(sample.pixels, image, sizeof image)); // our grid again
    CHECK(sample.label[W] == 1 && sample.label[H * W + 3] == MG_LABEL_IGNORE && !sample.label[0]);
    CHECK(sample.volume.range[0][0] == -175 && sample.volume.range[0][1] == 250);
    mg_sample_free(&sample);
    FAILS(read_item(&s, &found, 1, &sample), MG_ERR_FORMAT, "'masks/b.nii.gz' is 8 x 6 x 2");
    mg_scan_free(&found);
    unload(&s);

    label[2 * H * W + 2 * W + 1] = 7;
    put_volume("masks/a.nii.gz", D, MG_U8, label);
    put_volume("other/a.nii.gz", D, MG_U8, mask);
    s = load("folder: {images: 'images/{stem}.nii.gz', masks: 'masks/{stem}.nii.gz', "
             "labels: {2: liver, 9: x}}");
    OK(scan(&s, &found));
    FAILS(read_item(&s, &found, 0, &sample), MG_ERR_FORMAT,
          "has value 7 at slice 2, row 2, column 1; expected 0, 2, 9");
    mg_scan_free(&found);
    unload(&s);

    s = load(
        "folder: {images: 'images/{stem}.nii.gz', masks: [{pattern: 'masks/{stem}.nii.gz', "
        "label: big, threshold: 7}, {pattern: 'other/{stem}.nii.gz', label: o, threshold: 1}]}");
    OK(scan(&s, &found));
    OK(read_item(&s, &found, 0, &sample));
    CHECK(sample.bits[H * W + 3] == 1 && sample.bits[W] == 0 && sample.bits[5] == 2);
    CHECK(sample.volume.range[0][0] < -19 && sample.volume.range[0][1] > 100); // percentiles
    mg_sample_free(&sample);
    mg_scan_free(&found);
    unload(&s);

    // A picture is no mask of a volume.
    put("masks/a.png", H, W, 0, 255, 3);
    s = load("folder: {images: 'images/{stem}.nii.gz', masks: [{pattern: 'masks/{stem}.png', "
             "label: x}]}");
    OK(scan(&s, &found));
    FAILS(read_item(&s, &found, 0, &sample), MG_ERR_FORMAT, "'masks/a.png' is no volume");
    mg_scan_free(&found);
    unload(&s);
}

// The real sample pictures with palette masks, where they are at hand.
static void samples(void **state)
{
    const char *given = getenv("MEDGRAFT_SAMPLES");
    char *folder = mg_path_join(given ? given : "../shared/samples", "usgra-seg");
    mg_scan found;
    mg_sample sample;
    (void)state;

    if (!mg_path_is_dir(folder)) {
        printf("skipped: no sample pictures in '%s' (MEDGRAFT_SAMPLES)\n", folder);
        mg_free(folder);
        skip();
    }
    settings s = load("folder: {masks: 'masks/{stem}.png', labels: {1: nerve, 2: vessel}}\n");
    OK(s.set->scan(folder, s.group.base, &found));
    assert_int_equal(found.count, 8);
    assert_int_equal(found.skipped.count, 0);
    for (int64_t i = 0; i < found.count; i++) {
        int64_t seen[3] = {0};
        OK(s.set->read(folder, s.group.base, &found, &found.item[i], NULL, &sample));
        for (int64_t j = 0; j < (int64_t)sample.height * sample.width; j++) {
            CHECK(sample.label[j] <= 2);
            seen[sample.label[j]]++;
        }
        CHECK(seen[0] > 0 && seen[1] + seen[2] > 0);
        mg_sample_free(&sample);
    }
    mg_scan_free(&found);
    unload(&s);
    mg_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),         cmocka_unit_test(unlabelled),
        cmocka_unit_test(labels),           cmocka_unit_test(several_masks),
        cmocka_unit_test(repeated_folders), cmocka_unit_test(nothing),
        cmocka_unit_test(bad_settings),     cmocka_unit_test(volumes),
        cmocka_unit_test(samples),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
