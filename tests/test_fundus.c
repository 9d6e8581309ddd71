// Disc and cup: levels of masks told from the pixels, outlines drawn on copies, several readers; and what
// the readers of REFUGE and RIGA make of names, folders and settings.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/curves.h"
#include "datasets/dataset.h"
#include "datasets/decode.h"
#include "datasets/fundus.h"
#include "datasets/levels.h"
#include "datasets/opinions.h"
#include "datasets/tally.h"
#include "runtime/mem.h"
#include "tests/scratch.h"

enum { H = 90, W = 120 };

// 2 in the cup, 1 in the rim, 0 elsewhere: circles around the middle.
static int level_at(int y, int x, double disc, double cup)
{
    double far = hypot(y - H / 2, x - W / 2);
    return far < cup ? 2 : far < disc ? 1 : 0;
}

static char *in_root(const char *name)
{
    char *path = mg_path_join(root, name), *dir = mg_path_dir(path);
    OK(mg_make_dirs(dir));
    mg_free(dir);
    return path;
}

// A mask of these values of background, rim and cup.
static void put_mask(const char *name, int background, int rim, int cup, double disc_r,
                     double cup_r)
{
    uint8_t pixels[H * W];
    const int value[3] = {background, rim, cup};
    char *path = in_root(name);

    for (int i = 0; i < H * W; i++)
        pixels[i] = (uint8_t)value[level_at(i / W, i % W, disc_r, cup_r)];
    OK(mg_write_png(path, pixels, H, W, 1));
    mg_free(path);
}

// A photograph; `shade` makes them differ.
static void put_photo(const char *name, int shade)
{
    uint8_t pixels[H * W * 3];
    char *path = in_root(name);

    for (int i = 0; i < H * W * 3; i++) pixels[i] = (uint8_t)(90 + i / 3 % W / 2 + shade);
    OK(mg_write_png(path, pixels, H, W, 3));
    mg_free(path);
}

// --- levels -----------------------------------------------------------------------------------------

static void polarity(void **state)
{
    static const struct {
        int background, rim, cup;
        mg_polarity said;
    } row[] = {{255, 128, 0, MG_CUP_RIM_BACKGROUND}, {0, 128, 255, MG_BACKGROUND_RIM_CUP},
               {0, 255, 128, MG_BACKGROUND_CUP_RIM}, {0, 1, 2, MG_BACKGROUND_RIM_CUP},
               {0, 2, 1, MG_BACKGROUND_CUP_RIM},     {250, 100, 30, MG_CUP_RIM_BACKGROUND}};
    (void)state;

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        mg_levels m;
        mg_polarity said;
        bool disc_only;
        put_mask("p.png", row[i].background, row[i].rim, row[i].cup, 12, 6);
        OK(mg_levels_read(root, "p.png", &m));
        OK(mg_levels_polarity(&m, "p.png", &said));
        assert_int_equal(said, row[i].said);
        CHECK(mg_polarity_named(mg_polarity_name(said)) == said);
        OK(mg_levels_canonical(&m, "p.png", said, &disc_only));
        CHECK(!disc_only && !m.lossy);
        for (int k = 0; k < H * W; k++) assert_int_equal(m.level[k], level_at(k / W, k % W, 12, 6));
        mg_levels_free(&m);
        // Against what the mask itself says.
        mg_polarity other =
            said == MG_CUP_RIM_BACKGROUND ? MG_BACKGROUND_CUP_RIM : MG_CUP_RIM_BACKGROUND;
        OK(mg_levels_read(root, "p.png", &m));
        FAILS(mg_levels_canonical(&m, "p.png", other, &disc_only), MG_ERR_FORMAT,
              mg_polarity_name(other));
        mg_levels_free(&m);
    }
}

// Two levels are a disc, whichever they are; one is an error; a middle background is none.
static void few_levels(void **state)
{
    static const int pair[][2] = {{255, 0}, {255, 128}, {0, 255}, {0, 1}, {128, 0}};
    mg_levels m;
    mg_polarity said;
    bool disc_only;
    (void)state;

    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        put_mask("d.png", pair[i][0], pair[i][1], pair[i][1], 12, 6);
        OK(mg_levels_read(root, "d.png", &m));
        OK(mg_levels_polarity(&m, "d.png", &said));
        assert_int_equal(said, MG_POLARITY_OPEN);
        OK(mg_levels_canonical(&m, "d.png", MG_CUP_RIM_BACKGROUND, &disc_only));
        CHECK(disc_only);
        for (int k = 0; k < H * W; k++) assert_int_equal(m.level[k], level_at(k / W, k % W, 12, 0));
        mg_levels_free(&m);
    }
    put_mask("d.png", 255, 255, 255, 12, 6);
    FAILS(mg_levels_read(root, "d.png", &m), MG_ERR_FORMAT,
          "the same everywhere: values up to 255");
    put_mask("d.png", 128, 0, 255, 12, 6);
    OK(mg_levels_read(root, "d.png", &m));
    FAILS(mg_levels_polarity(&m, "d.png", &said), MG_ERR_FORMAT, "middle one");
    mg_levels_free(&m);
    put_mask("d.png", 255, 0, 128, 12, 6); // the middle level inside of the lowest
    OK(mg_levels_read(root, "d.png", &m));
    FAILS(mg_levels_polarity(&m, "d.png", &said), MG_ERR_FORMAT, "no set is known");
    mg_levels_free(&m);
}

static void decide(void **state)
{
    mg_texts masks = {0};
    mg_scan scan = {0};
    mg_polarity said;
    (void)state;

    put_mask("g/a.png", 0, 255, 128, 12, 6);
    put_mask("g/b.png", 0, 255, 255, 12, 6);
    put_mask("g/c.png", 255, 128, 0, 12, 6);
    OK(mg_texts_add(&masks, "g/missing.png"));
    OK(mg_texts_add(&masks, "g/b.png"));
    OK(mg_levels_decide(root, &masks, "here", &scan, &said));
    assert_int_equal(said, MG_POLARITY_OPEN);
    CHECK(strstr(scan.notes.item[0], "only discs"));
    OK(mg_texts_add(&masks, "g/a.png"));
    OK(mg_levels_decide(root, &masks, "here", &scan, &said));
    assert_int_equal(said, MG_BACKGROUND_CUP_RIM);
    assert_string_equal(scan.notes.item[1], "levels of here: background-cup-rim");
    OK(mg_texts_add(&masks, "g/c.png"));
    FAILS(mg_levels_decide(root, &masks, "here", &scan, &said), MG_ERR_FORMAT,
          "'g/a.png' counts background-cup-rim, 'g/c.png' counts cup-rim-background");
    mg_texts_free(&masks);
    mg_scan_free(&scan);
}

// --- outlines ---------------------------------------------------------------------------------------

typedef struct {
    uint8_t photo[H * W * 3], copy[H * W * 3];
    mg_sample a, b;
} drawing;

static void start_drawing(drawing *d)
{
    for (int i = 0; i < H * W * 3; i++) d->photo[i] = d->copy[i] = (uint8_t)(100 + i % 23);
    d->a = (mg_sample){.type = MG_U8, .depth = 1, .height = H, .width = W, .channels = 3};
    d->b = d->a;
    d->a.pixels = d->photo;
    d->b.pixels = d->copy;
}

static void ink(drawing *d, int y, int x, int change)
{
    d->copy[3 * (y * W + x) + 1] = (uint8_t)(d->photo[3 * (y * W + x) + 1] + change);
}

// A ring of cells at distance r - 1 to r; of every `each` cells (0: none) one is left out.
static void ring(drawing *d, double cy, double cx, double r, int change, int each)
{
    int count = 0;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            double far = hypot(y - cy, x - cx);
            if (far < r - 1.5 || far >= r || (each && ++count % each == 0)) continue;
            ink(d, y, x, change);
        }
}

static const mg_curve_rules rules = {30, 10};

// The area must be that of two discs of these radii, apart from `slack` cells.
static void check_area(const drawing *d, double disc, double cup, int slack)
{
    uint8_t area[H * W];
    int wrong = 0;

    OK(mg_curves_recover(&d->a, &d->b, &rules, area));
    for (int i = 0; i < H * W; i++) wrong += area[i] != level_at(i / W, i % W, disc, cup);
    if (wrong > slack) fail_msg("%d cells are wrong, %d may be", wrong, slack);
}

static void refuse(const drawing *d, const char *why)
{
    uint8_t area[H * W];
    FAILS(mg_curves_recover(&d->a, &d->b, &rules, area), MG_ERR_FORMAT, why);
}

static void outlines(void **state)
{
    drawing d;
    (void)state;

    start_drawing(&d);
    refuse(&d, "nothing is drawn (no difference above 30)");
    ring(&d, 45, 60, 14, 31, 0);
    refuse(&d, "closed curves: 1, expected 2");
    ring(&d, 45, 60, 7, -60, 0);
    check_area(&d, 14, 7, 0);
    ink(&d, 2, 2, 90); // specks
    ink(&d, 3, 2, 90);
    check_area(&d, 14, 7, 0);

    start_drawing(&d); // gaps
    ring(&d, 45, 60, 16, 80, 9);
    ring(&d, 45, 60, 7, 80, 7);
    check_area(&d, 16, 7, 8);

    start_drawing(&d); // double lines
    ring(&d, 45, 60, 17, 80, 0);
    ring(&d, 45, 60, 20, 80, 0);
    ring(&d, 45, 60, 10, 80, 0);
    ring(&d, 45, 60, 7.5, 80, 0);
    check_area(&d, 20, 10, 0);
    start_drawing(&d);
    ring(&d, 45, 60, 30, 80, 0);
    ring(&d, 45, 60, 10, 80, 0);
    refuse(&d, "the disc is 26 % of the picture");
}

static void wrong_outlines(void **state)
{
    drawing d;
    (void)state;

    start_drawing(&d); // they touch
    ring(&d, 45, 60, 14, 80, 0);
    ring(&d, 45, 66, 8, 80, 0);
    refuse(&d, "closed curves: 1, expected 2");
    start_drawing(&d); // side by side
    ring(&d, 45, 40, 11, 80, 0);
    ring(&d, 45, 80, 9, 80, 0);
    refuse(&d, "0 % of the cup lie inside of the disc");
    start_drawing(&d); // too small a cup
    ring(&d, 45, 60, 22, 80, 0);
    for (int y = 44; y < 47; y++) ink(&d, y, 59, 80), ink(&d, y, 61, 80);
    ink(&d, 44, 60, 80), ink(&d, 46, 60, 80);
    uint8_t area[H * W];
    mg_curve_rules fine = {30, 1};
    FAILS(mg_curves_recover(&d.a, &d.b, &fine, area), MG_ERR_FORMAT, "of the disc's area");
    d.b.height = H - 1;
    refuse(&d, "it is 89 x 120, the photograph is 90 x 120");
}

// --- several readers --------------------------------------------------------------------------------

static void give(mg_opinions *o, int reader, double disc, double cup)
{
    uint8_t area[H * W];
    mg_levels m = {.height = H, .width = W, .level = area};

    for (int i = 0; i < H * W; i++) area[i] = (uint8_t)level_at(i / W, i % W, disc, cup);
    OK(mg_opinions_levels(o, reader, &m, cup == 0, "test"));
}

static void check_label(const mg_opinions *o, mg_target target, int one, double disc, double cup)
{
    mg_sample s = {0};
    OK(mg_opinions_label(o, target, one, "key", false, &s));
    for (int i = 0; i < H * W; i++) {
        int level = level_at(i / W, i % W, disc, cup);
        assert_int_equal(s.bits[i], level == 2 ? 3 : level);
    }
    assert_int_equal(s.unknown, cup == 0 ? 2 : 0);
    mg_sample_free(&s);
}

static void opinions(void **state)
{
    mg_opinions o = {0};
    mg_sample s = {0};
    (void)state;

    give(&o, 0, 10, 4);
    give(&o, 2, 12, 5);
    give(&o, 3, 14, 6);
    give(&o, 5, 16, 7);
    check_label(&o, MG_TARGET_MAJORITY, 0, 12, 5); // three of four
    check_label(&o, MG_TARGET_MEAN, 0, 14, 6);     // two of four
    check_label(&o, MG_TARGET_READER, 3, 14, 6);
    FAILS(mg_opinions_label(&o, MG_TARGET_READER, 1, "key", false, &s), MG_ERR_FORMAT,
          "'key' has no mask of the reader");
    OK(mg_opinions_label(&o, MG_TARGET_RANDOM, 0, "key", false, &s));
    int given[] = {0, 2, 3, 5}, drawn = given[mg_hash64("key", 3) % 4];
    for (int i = 0; i < H * W; i++)
        CHECK((s.bits[i] & 1) == (level_at(i / W, i % W, 10 + 2 * (drawn + 1) / 2, 0) > 0));
    mg_sample_free(&s);

    // All readers' planes beside the label; those of 2 and 5 (counted from 1) are unknown.
    OK(mg_opinions_label(&o, MG_TARGET_MAJORITY, 0, "key", true, &s));
    assert_int_equal(s.unknown, 3 << 4 | 3 << 10);
    int centre = H / 2 * W + W / 2, edge = centre + 15;
    assert_int_equal(s.bits[centre], 3 | 0xCF3 << 2);
    assert_int_equal(s.bits[edge], 1 << 12);
    mg_sample_free(&s);
    mg_opinions_free(&o);

    give(&o, 0, 10, 0); // the disc alone
    check_label(&o, MG_TARGET_MAJORITY, 0, 10, 0);
    FAILS(mg_opinions_start(&o, H, W + 1, "m.png"), MG_ERR_FORMAT, "'m.png' is 90 x 121");
    mg_opinions_free(&o);
    CHECK(mg_target_named("majority") == MG_TARGET_MAJORITY &&
          mg_target_named("mean") == MG_TARGET_MEAN &&
          mg_target_named("reader") == MG_TARGET_READER &&
          mg_target_named("random") == MG_TARGET_RANDOM);
}

static void tally(void **state)
{
    mg_tally t = {0};
    char path[64];
    (void)state;

    for (int i = 0; i < 60; i++) {
        snprintf(path, sizeof path, "f%d/image%d.tif", i % 20, i);
        OK(mg_tally_add(&t, path, 6, i % 20 == 3));
    }
    assert_int_equal(t.folder.count, 20);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "f%d", i);
        assert_string_equal(t.folder.item[i], path);
        CHECK(t.count[i][0] == 18 && t.count[i][1] == (i == 3 ? 3 : 0));
    }
    mg_tally_free(&t);
}

// --- the sets ---------------------------------------------------------------------------------------

typedef struct {
    const mg_dataset *set;
    mg_option_group group;
    char *folder;
    mg_scan found;
} opened;

static mg_status open_set(opened *o, const char *name, const char *folder, const char *yaml)
{
    *o = (opened){.set = mg_dataset_find(name), .folder = mg_path_join(root, folder)};
    o->group = (mg_option_group){o->set->options, calloc(1, o->set->config_bytes)};
    OK(mg_config_load(&o->group, 1, name, yaml, "test.yaml", NULL));
    return o->set->scan(o->folder, o->group.base, &o->found);
}

static void close_set(opened *o)
{
    mg_scan_free(&o->found);
    mg_config_free(&o->group, 1);
    free(o->group.base);
    mg_free(o->folder);
}

static const mg_item *item_named(const opened *o, const char *part)
{
    for (int64_t i = 0; i < o->found.count; i++)
        if (strstr(o->found.item[i].name, part)) return &o->found.item[i];
    fail_msg("no item '%s'", part);
    return NULL;
}

static bool has_text(const mg_texts *list, const char *part)
{
    for (size_t i = 0; i < list->count; i++)
        if (strstr(list->item[i], part)) return true;
    return false;
}

static mg_status read_item(const opened *o, const char *name, mg_sample *out)
{
    return o->set->read(o->folder, o->group.base, &o->found, item_named(o, name), NULL, out);
}

static void check_read(const opened *o, const char *name, double disc, double cup)
{
    mg_sample s;
    OK(read_item(o, name, &s));
    for (int i = 0; i < H * W; i++) {
        int level = level_at(i / W, i % W, disc, cup);
        assert_int_equal(s.bits[i] & 3, level == 2 ? 3 : level);
    }
    mg_sample_free(&s);
}

static void refuge2(void **state)
{
    opened o;
    (void)state;

    put_photo("r2/REFUGE2/Train/REFUGE1-train/Training400/Glaucoma/g0001.jpg", 0);
    put_mask("r2/REFUGE2/Train/REFUGE1-train/Disc_Cup_Masks/Glaucoma/g0001.bmp", 255, 128, 0, 12,
             6);
    put_photo("r2/REFUGE2/Train/REFUGE1-val/REFUGE-Validation400/V0001.jpg", 1);
    put_mask("r2/REFUGE2/Train/REFUGE1-val/Disc_Cup_Masks/V0001.bmp", 255, 128, 0, 12, 6);
    put_photo("r2/REFUGE2/Validation/Images/V0001.jpg", 2);
    put_mask("r2/REFUGE2/Validation/Disc_Masks/V0001.png", 0, 255, 128, 14, 5);
    put_photo("r2/REFUGE2/Test/refuge2-test/T0001.jpg", 3);
    put_mask("r2/REFUGE2/Test/Disc_Mask/T0001.png", 0, 128, 128, 12, 6);
    put_mask("r2/REFUGE2/Test/Disc_Mask/T0002.png", 0, 128, 128, 12, 6);
    put_mask("r2/Illustration/T0001.png", 0, 128, 128, 12, 6);

    OK(open_set(&o, "refuge", "r2", ""));
    assert_int_equal(o.found.count, 4);
    assert_string_equal(item_named(&o, "g0001")->split, "train");
    assert_string_equal(item_named(&o, "g0001")->label, "glaucoma");
    assert_string_equal(item_named(&o, "REFUGE1-val")->split, "train");
    assert_string_equal(item_named(&o, "REFUGE1-val")->patient, "V0001");
    assert_string_equal(item_named(&o, "Validation/Images")->split, "val");
    assert_string_equal(item_named(&o, "Validation/Images")->patient, "REFUGE2 V0001");
    assert_string_equal(item_named(&o, "T0001")->split, "test");
    CHECK(has_text(&o.found.skipped, "T0002.png: mask without an image"));
    assert_int_equal(o.found.skipped.count, 1);
    check_read(&o, "REFUGE1-val", 12, 6);
    check_read(&o, "Validation/Images", 14, 5);
    mg_sample s;
    OK(read_item(&o, "T0001", &s));
    CHECK(s.unknown == 2 && strstr(s.remark, "disc alone"));
    mg_sample_free(&s);
    close_set(&o);

    OK(open_set(&o, "refuge", "r2", "refuge: {layout: refuge}\n"));
    assert_int_equal(o.found.count, 2);
    assert_string_equal(item_named(&o, "REFUGE1-val")->split, "val");
    CHECK(has_text(&o.found.notes, "left out (refuge.layout)"));
    close_set(&o);

    // A polarity that is told holds for every mask, and masks that say otherwise are refused.
    OK(open_set(&o, "refuge", "r2", "refuge: {polarity: cup-rim-background}\n"));
    FAILS(read_item(&o, "Validation/Images", &s), MG_ERR_FORMAT, "counts background-cup-rim");
    close_set(&o);
    put_photo("r2/REFUGE2/Validation/Images/V0002.jpg", 4);
    put_mask("r2/REFUGE2/Validation/Disc_Masks/V0002.png", 255, 128, 0, 14, 5);
    FAILS(open_set(&o, "refuge", "r2", ""), MG_ERR_FORMAT, "do not agree");
    close_set(&o);
}

// Parts that the masks' folders do not tell, the crop, and what is found when nothing is.
static void refuge(void **state)
{
    opened o;
    mg_sample s;
    (void)state;

    put_photo("r1/REFUGE-Training400/n0001.jpg", 0);
    put_mask("r1/Disc_Cup_Masks/n0001.bmp", 255, 128, 0, 12, 6);
    OK(open_set(&o, "refuge", "r1", "refuge: {crop: true}\n"));
    assert_string_equal(o.found.item[0].split, "train");
    OK(read_item(&o, "n0001", &s)); // bright all over: the box is the picture, padded to a square
    CHECK(s.height == W && s.width == W && s.full_height == W && s.full_width == W && s.hashed);
    for (int y = 0; y < W; y++)
        for (int x = 0; x < W; x++) {
            int level = level_at(y - (W - H) / 2, x, 12, 6);
            assert_int_equal(s.bits[y * W + x], level == 2 ? 3 : level);
        }
    mg_sample_free(&s);
    close_set(&o);
    put_photo("none/Training400/n0001.jpg", 0);
    FAILS(open_set(&o, "refuge", "none", ""), MG_ERR_FORMAT,
          "Annotation-Training400/Disc_Cup_Masks");
    close_set(&o);
}

// A copy of put_photo(name, shade) with circles drawn on it.
static void put_copy(const char *name, int shade, double disc, double cup)
{
    uint8_t pixels[H * W * 3];
    char *path = in_root(name);

    for (int i = 0; i < H * W; i++) {
        double far = hypot(i / W - H / 2, i % W - W / 2);
        bool line = (far < disc && far >= disc - 1.5) || (far < cup && far >= cup - 1.5);
        for (int c = 0; c < 3; c++)
            pixels[3 * i + c] = (uint8_t)(line && c == 2 ? 250 : 90 + i % W / 2 + shade);
    }
    OK(mg_write_png(path, pixels, H, W, 3));
    mg_free(path);
}

static void riga(void **state)
{
    opened o;
    mg_sample s;
    char name[128];
    (void)state;

    for (int r = 1; r <= 6; r++) {
        snprintf(name, sizeof name, "ri/MESSIDOR/MESSIDOR/image%d-%d.tif", 10, r);
        put_copy(name, 0, 10 + r, 5);
        snprintf(name, sizeof name, "ri/Magrabia/MagrabiFemale/image26-%d.tif", r);
        put_copy(name, 1, 12, 5);
        snprintf(name, sizeof name, "ri/BinRushed/BinRushed1/image1-%d.jpg", r);
        put_copy(name, 1, 12, 5);
    }
    put_photo("ri/MESSIDOR/MESSIDOR/Image10prime.tif", 0);
    put_photo("ri/Magrabia/MagrabiFemale/image26prime.tif", 1);
    put_copy("ri/Magrabia/MagrabiaMale/image48-1.tif", 1, 12, 5);
    put_photo("ri/BinRushed/BinRushed2/image3prime.jpg", 2);
    put_copy("ri/BinRushed/BinRushed2/image3-2.png", 2, 12, 12.5); // one curve, in fact
    put_copy("ri/BinRushed/BinRushed2/image3-5.png", 2, 13, 6);

    OK(open_set(&o, "riga", "ri", ""));
    assert_int_equal(o.found.count, 3);
    assert_string_equal(item_named(&o, "Image10")->split, "");
    assert_string_equal(item_named(&o, "Image10")->patient, "MESSIDOR/image10");
    assert_string_equal(item_named(&o, "image26")->split, "test");
    CHECK(has_text(&o.found.skipped, "image26-3.tif: known to be of no use"));
    CHECK(has_text(&o.found.skipped, "image48-1.tif: known to be without its photograph"));
    CHECK(has_text(&o.found.notes, "BinRushed1 has no photographs: 6 files"));
    assert_int_equal(o.found.skipped.count, 2);
    check_read(&o, "Image10", 13, 5); // four of six agree
    OK(read_item(&o, "image3prime", &s));
    CHECK(strstr(s.remark, "reader 2: ") && s.unknown == 0);
    CHECK(s.masks == 2 && s.rejected == 1);
    mg_sample_free(&s);
    check_read(&o, "image3prime", 13, 6);
    close_set(&o);

    OK(open_set(&o, "riga", "ri", "riga: {target: reader, reader: 6, split: shift}\n"));
    assert_string_equal(item_named(&o, "Image10")->split, "test");
    assert_string_equal(item_named(&o, "image26")->split, "train");
    check_read(&o, "Image10", 16, 5);
    FAILS(read_item(&o, "image3prime", &s), MG_ERR_FORMAT, "no mask of the reader");
    close_set(&o);
    OK(open_set(&o, "riga", "ri",
                "riga: {target: mean, keep_readers: true, domains: [messidor]}\n"));
    assert_int_equal(o.found.count, 1);
    assert_int_equal(o.found.classes, 14);
    assert_string_equal(o.found.class_name[13], "optic cup, reader 6");
    check_read(&o, "Image10", 14, 5); // three of six
    close_set(&o);
    FAILS(open_set(&o, "riga", "ri", "riga: {domains: [ORIGA]}\n"), MG_ERR_CONFIG,
          "'ORIGA' is none of BinRushed");
    close_set(&o);
    OK(open_set(&o, "riga", "ri", "riga: {diff_threshold: 254}\n"));
    FAILS(read_item(&o, "Image10", &s), MG_ERR_FORMAT, "no difference above 254");
    CHECK(s.masks == 6 && s.rejected == 6 && !s.pixels);
    close_set(&o);
}

static void riga_plus(void **state)
{
    opened o;
    char *path;
    (void)state;

    for (int r = 1; r <= 3; r++) {
        char name[128];
        snprintf(name, sizeof name, "rp/RIGAPlus/RIGA-mask/BinRushed/BinRushed1/image7-%d.tif", r);
        put_mask(name, 0, 255, 128, 10 + r, 5);
        snprintf(name, sizeof name, "rp/RIGAPlus/RIGA-mask/Magrabia/MagrabiaMale/image7-%d.tif", r);
        put_mask(name, 0, 255, 128, 10 + r, 6);
    }
    put_photo("rp/RIGAPlus/RIGA/BinRushed/BinRushed1/image7.tif", 0);
    put_photo("rp/RIGAPlus/RIGA/Magrabia/MagrabiaMale/image7.tif", 1);
    put_photo("rp/RIGAPlus/RIGA/MESSIDOR_Base1/Unlabeled/image8.tif", 2);
    put_photo("rp/RIGAPlus/RIGA/MESSIDOR_Base2/Labeled/image9.tif", 3);
    path = in_root("rp/RIGAPlus/BinRushed_test.csv");
    const char *text = "image,mask\nRIGA/BinRushed/BinRushed1/image7.tif,RIGA-mask/x.tif\n";
    OK(mg_write_file(path, text, strlen(text)));
    mg_free(path);
    path = in_root("rp/RIGAPlus/Magrabia_train.csv");
    text = "image,mask\nMagrabia/MagrabiaMale/image7.tif,y.tif\n";
    OK(mg_write_file(path, text, strlen(text)));
    mg_free(path);

    OK(open_set(&o, "riga", "rp", "riga: {split: published}\n"));
    assert_int_equal(o.found.count, 2);
    assert_string_equal(item_named(&o, "BinRushed1")->split, "test");
    assert_string_equal(item_named(&o, "BinRushed1")->patient, "BinRushed/BinRushed1/image7");
    assert_string_equal(item_named(&o, "MagrabiaMale")->split, "train");
    CHECK(has_text(&o.found.notes, "levels of RIGA-mask: background-cup-rim"));
    CHECK(has_text(&o.found.notes, "photographs without masks, left out: 1"));
    CHECK(has_text(&o.found.skipped, "Labeled/image9.tif: image without a mask"));
    check_read(&o, "BinRushed1", 12, 5);
    check_read(&o, "MagrabiaMale", 12, 6);
    close_set(&o);
    OK(open_set(&o, "riga", "rp", "riga: {split: folds}\n"));
    assert_string_equal(item_named(&o, "MagrabiaMale")->split, "");
    close_set(&o);
    FAILS(open_set(&o, "riga", "rp", "riga: {layout: riga}\n"), MG_ERR_FORMAT,
          "MESSIDOR/image1prime.tif");
    close_set(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polarity), cmocka_unit_test(few_levels),     cmocka_unit_test(decide),
        cmocka_unit_test(outlines), cmocka_unit_test(wrong_outlines), cmocka_unit_test(opinions),
        cmocka_unit_test(tally),    cmocka_unit_test(refuge2),        cmocka_unit_test(refuge),
        cmocka_unit_test(riga),     cmocka_unit_test(riga_plus),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
