// RUN: np=1,2,3
// Packing and reading shard sets: a toy data set goes in and comes out, on any number of ranks the
// same; duplicates, bad items, finished shards, flipped bits, parts.
#include "tests/check.h"

#include <fcntl.h>
#include <unistd.h>

#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/json.h"
#include "runtime/mem.h"
#include "shard/resize.h"
#include "shard/shard.h"
#include "shard/shard_file.h"
#include "shard/source.h"
#include "shard/writer.h"

static mg_comm *world;
static size_t live;  // blocks of the communicator
static char *folder; // of this test, the same on all ranks

// --- a data set made of numbers ---------------------------------------------------------------------

// Items 0 .. ITEMS-1; what is special about some of them:
enum {
    ITEMS = 90,
    BAD = 5,
    CONSTANT = 8,
    TWIN_OF = 3,
    NEAR_TWIN = 4, // same shard
    TWIN = 70,     // another shard
    LARGE = 13,
    ODD = 21, // a value in its label is no class
};
static bool is_left_out(int i)
{
    return i == BAD || i == CONSTANT || i == NEAR_TWIN || i == TWIN || i == ODD;
}

static int reads; // calls of toy_read in this process

typedef struct {
    int first, last; // items that the scan finds
} toy_config;

static mg_status toy_scan(const char *root, const void *config, mg_scan *out)
{
    (void)root;
    out->classes = 2;
    strcpy(out->class_name[0], "disc");
    strcpy(out->class_name[1], "cup");
    const toy_config *c = config;
    for (int i = c->last - 1; i >= c->first; i--) { // the writer makes the order natural
        char name[32], patient[32];
        snprintf(name, sizeof name, "pic/%d.png", i);
        snprintf(patient, sizeof patient, "p%d", i / 2);
        mg_item item = {.name = name,
                        .image = name,
                        .mask = i % 2 ? name : NULL,
                        .patient = patient,
                        .split = i % 3   ? ""
                                 : i % 2 ? "test"
                                         : "val",
                        .modality = "US"};
        MG_TRY(mg_scan_add(out, &item));
    }
    return MG_OK;
}

static void toy_size(int i, int *h, int *w)
{
    *h = i == LARGE ? 100 : 20 + i % 3;
    *w = i == LARGE ? 61 : 30 - i % 2;
}

static uint8_t toy_pixel(int i, int y, int x, int c)
{
    return i == CONSTANT ? 9 : (uint8_t)(i * 37 + y * 5 + x * 3 * (c + 1) + x * y);
}

static uint8_t toy_label(int i, int y, int x)
{
    if (i == ODD && y == 1 && x == 2) return 7;
    return y < 2 ? 0 : x < 3 ? MG_SHARD_IGNORE : (y * x + i) % 3 == 1 ? 1 : x > 12 ? 2 : 0;
}

static int toy_number(const mg_item *item)
{
    int i = atoi(item->name + 4);
    return i == TWIN ? TWIN_OF : i == NEAR_TWIN ? TWIN_OF : i;
}

static mg_status toy_read(const char *root, const void *config, const mg_scan *scan,
                          const mg_item *item, const mg_decode_hint *hint, mg_sample *out)
{
    int i = toy_number(item), h, w;
    (void)root, (void)config, (void)scan, (void)hint;
#pragma omp atomic
    reads++;
    MG_CHECK(i != BAD, MG_ERR_FORMAT, "'%s' ends early", item->name);
    toy_size(i, &h, &w);
    *out = (mg_sample){.type = MG_U8, .depth = 1, .height = h, .width = w, .channels = 3};
    strcpy(out->decoder, "toy");
    uint8_t *v = out->pixels = mg_alloc((size_t)h * w * 3);
    if (item->mask) out->label = mg_alloc((size_t)h * w);
    MG_CHECK(v && (!item->mask || out->label), MG_ERR_MEMORY, "no memory");
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            for (int c = 0; c < 3; c++) v[(y * w + x) * 3 + c] = toy_pixel(i, y, x, c);
            if (out->label) out->label[y * w + x] = toy_label(i, y, x);
        }
    return MG_OK;
}

static const mg_dataset toy = {
    .name = "toy", .labelled = true, .long_side = 64, .scan = toy_scan, .read = toy_read};

static mg_shard_order toy_order(const toy_config *config, const char *out)
{
    return (mg_shard_order){.set = &toy,
                            .config = config,
                            .config_text = "",
                            .root = "nowhere",
                            .out = out,
                            .long_side = 64,
                            .size_mb = 100,
                            .level = 3,
                            .threads = 2,
                            .drop_constant = true,
                            .scaled_decode = true};
}

static char *path_of(const char *name)
{
    return mg_path_join(folder, name);
}

static void open_toy(const char *part, mg_reader **r)
{
    char *set = path_of("set");
    const char *sets[] = {set};
    OK(mg_reader_open(sets, 1, part, r));
    mg_free(set);
}

static int64_t find_item(const mg_reader *r, int i)
{
    char name[32];
    snprintf(name, sizeof name, "pic/%d.png", i);
    for (int64_t k = 0; k < mg_reader_count(r); k++)
        if (!strcmp(mg_reader_item(r, k)->name, name)) return k;
    fail_msg("no item '%s'", name);
    return -1;
}

static int rank(void)
{
    return mg_comm_rank(world);
}

// --- tests ------------------------------------------------------------------------------------------

// What every number of ranks must write; it depends on pixels, labels and their order alone.
static const char content[] = "ffaae14c607cb337";

static void pack_toy(const char *out, mg_shard_outcome *outcome)
{
    toy_config config = {0, ITEMS};
    mg_shard_order order = toy_order(&config, out);
    OK(mg_shard_write(world, &order, outcome));
}

static void any_number_of_ranks_writes_the_same_set(void **state)
{
    mg_shard_outcome outcome;
    char *set = path_of("set");
    (void)state;
    pack_toy(set, &outcome);
    CHECK(outcome.items == ITEMS - 5 && outcome.skipped == 3 && outcome.duplicates == 2);
    CHECK(outcome.shards == 3 && outcome.packed == ITEMS);
    if (strcmp(outcome.content, content))
        fail_msg("content is %s, expected %s", outcome.content, content);
    mg_free(set);
}

static void items_come_back(void **state)
{
    mg_reader *r = NULL;
    uint8_t pixels[64 * 64 * 3], label[64 * 64];
    (void)state;
    open_toy("all", &r);
    CHECK(mg_reader_count(r) == ITEMS - 5 && mg_reader_left_out(r) == 1);
    CHECK(mg_reader_classes(r) == 2 && !strcmp(mg_reader_class_name(r, 2), "cup"));
    for (int64_t k = 0; k < mg_reader_count(r); k++) {
        const mg_shard_item *item = mg_reader_item(r, k);
        int i = atoi(item->name + 4), h, w;
        int64_t area[2] = {0};
        toy_size(i, &h, &w);
        CHECK(!is_left_out(i));
        CHECK(item->full_height == h && item->full_width == w && item->depth == 1);
        CHECK(!item->phantom && !strcmp(item->set, "set") && !strcmp(item->modality, "US"));
        CHECK(atoi(item->patient + 1) == i / 2 && item->labelled == (i % 2 == 1));
        if (i == LARGE) continue;
        OK(mg_reader_read(r, k, 0, 1, pixels, item->labelled ? label : NULL));
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                for (int c = 0; c < 3; c++)
                    CHECK(pixels[(y * w + x) * 3 + c] == toy_pixel(i, y, x, c));
                if (!item->labelled) continue;
                CHECK(label[y * w + x] == toy_label(i, y, x));
                for (int c = 1; c <= 2; c++) area[c - 1] += toy_label(i, y, x) == c;
            }
        CHECK(item->area[0] == area[0] && item->area[1] == area[1]);
        CHECK(item->classes == (area[0] > 0) + 2 * (area[1] > 0));
    }
    mg_reader_close(&r);
    CHECK(r == NULL);
}

static void a_shrunk_label_is_kept_on_both_grids(void **state)
{
    mg_reader *r = NULL;
    uint8_t mask[100 * 61], ignore[100 * 61], small[64 * 39], pixels[64 * 39 * 3];
    uint8_t want[64 * 39 * 3], full[100 * 61 * 3], label[100 * 61];
    (void)state;
    open_toy("all", &r);
    int64_t k = find_item(r, LARGE);
    const mg_shard_item *item = mg_reader_item(r, k);
    CHECK(item->height == 64 && item->width == 39);
    CHECK(item->full_height == 100 && item->full_width == 61);
    for (int y = 0; y < 100; y++)
        for (int x = 0; x < 61; x++) {
            label[y * 61 + x] = toy_label(LARGE, y, x);
            for (int c = 0; c < 3; c++) full[(y * 61 + x) * 3 + c] = toy_pixel(LARGE, y, x, c);
        }
    OK(mg_reader_read(r, k, 0, 1, pixels, small));
    OK(mg_resize_triangle_u8(want, 64, 39, full, 100, 61, 3));
    CHECK(!memcmp(pixels, want, sizeof want));
    mg_resize_nearest_u8(want, 64, 39, label, 100, 61);
    CHECK(!memcmp(small, want, sizeof small));
    for (int c = 1; c <= 2; c++) {
        OK(mg_reader_full_mask(r, k, c, mask, ignore));
        for (int i = 0; i < 100 * 61; i++)
            CHECK(mask[i] == (label[i] == c) && ignore[i] == (label[i] == MG_SHARD_IGNORE));
        OK(mg_reader_mask(r, k, 0, 1, c, mask, NULL));
        for (int i = 0; i < 64 * 39; i++) CHECK(mask[i] == (small[i] == c));
    }
    k = find_item(r, 0);
    FAILS(mg_reader_read(r, k, 0, 1, pixels, small), MG_ERR_USAGE, "has no label");
    mg_reader_close(&r);
}

static void parts_follow_splits_and_folds(void **state)
{
    static const char *const parts[] = {"train", "val", "test"};
    int64_t sum = 0;
    mg_reader *r = NULL;
    (void)state;
    for (int p = 0; p < 3; p++) {
        open_toy(parts[p], &r);
        for (int64_t k = 0; k < mg_reader_count(r); k++) {
            const mg_shard_item *item = mg_reader_item(r, k);
            int i = atoi(item->name + 4);
            if (i % 3 == 0)
                CHECK(!strcmp(i % 2 ? "test" : "val", parts[p]));
            else
                CHECK(!strcmp(item->fold == 0 ? "test" : "train", parts[p]));
            CHECK(item->fold == mg_dataset_fold(item->patient, 5));
        }
        sum += mg_reader_count(r);
        mg_reader_close(&r);
    }
    CHECK(sum == ITEMS - 5);
}

static void sets_opened_together_keep_one_copy(void **state)
{
    char *set = path_of("set");
    const char *sets[] = {set, set};
    mg_reader *one = NULL, *two = NULL;
    (void)state;
    open_toy("all", &one);
    OK(mg_reader_open(sets, 2, "all", &two));
    CHECK(mg_reader_count(two) == ITEMS - 5 && mg_reader_left_out(two) == 1 + ITEMS - 4);
    CHECK(mg_reader_content(one) == mg_reader_content(two));
    mg_reader_close(&one);
    mg_reader_close(&two);
    sets[1] = "no such folder";
    FAILS(mg_reader_open(sets, 2, "all", &two), MG_ERR_IO, "no such f");
    FAILS(mg_reader_open(sets, 1, "some", &two), MG_ERR_CONFIG, "expected all, train");
    mg_free(set);
}

static void finished_shards_are_not_made_again(void **state)
{
    mg_shard_outcome outcome;
    char *set = path_of("set"), *shard = path_of("set/00001.h5"),
         *index = path_of("set/index.json");
    (void)state;
    pack_toy(set, &outcome);
    CHECK(outcome.packed == 0 && outcome.items == ITEMS - 5 && !strcmp(outcome.content, content));
    if (rank() == 0) {
        OK(mg_remove_tree(shard));
        OK(mg_remove_tree(index));
    }
    mg_comm_barrier(world);
    pack_toy(set, &outcome);
    CHECK(outcome.packed == 30 && !strcmp(outcome.content, content));
    if (rank() == 0) CHECK(truncate(shard, mg_path_size(shard) / 2) == 0);
    mg_comm_barrier(world);
    pack_toy(set, &outcome);
    CHECK(outcome.packed == 30 && !strcmp(outcome.content, content));
    mg_free(set), mg_free(shard), mg_free(index);
}

static void other_settings_need_another_folder(void **state)
{
    toy_config config = {0, ITEMS};
    char *set = path_of("set");
    mg_shard_order order = toy_order(&config, set);
    mg_shard_outcome outcome;
    (void)state;
    order.long_side = 32;
    CHECK(mg_shard_write(world, &order, &outcome) != MG_OK);
    if (rank() == 0) CHECK(strstr(mg_err_message(), "made with other settings"));
    mg_err_clear();
    mg_free(set);
}

static void items_of_given_sets_are_left_out(void **state)
{
    toy_config config = {60, 100};
    char *set = path_of("set"), *rest = path_of("rest");
    mg_shard_order order = toy_order(&config, rest);
    mg_shard_outcome outcome;
    const char *against[] = {set};
    (void)state;
    order.against = against;
    order.against_count = 1;
    OK(mg_shard_write(world, &order, &outcome));
    CHECK(outcome.items == 10 && outcome.against == 30 && outcome.skipped == 0);
    mg_free(set), mg_free(rest);
}

static void a_set_without_usable_items_is_an_error(void **state)
{
    toy_config config = {BAD, BAD + 1};
    char *empty = path_of("empty"), *index = path_of("empty/index.json");
    mg_shard_order order = toy_order(&config, empty);
    mg_shard_outcome outcome;
    (void)state;
    CHECK(mg_shard_write(world, &order, &outcome) != MG_OK);
    if (rank() == 0)
        CHECK(strstr(mg_err_message(), "none of the 1 items of 'nowhere' can be used"));
    CHECK(!mg_path_is_file(index));
    mg_err_clear();
    mg_free(empty), mg_free(index);
}

static void flip(const char *path, uint64_t at)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    CHECK(fd >= 0 && pread(fd, &byte, 1, (off_t)at) == 1);
    byte ^= 4;
    CHECK(pwrite(fd, &byte, 1, (off_t)at) == 1);
    close(fd);
}

static void a_flipped_bit_is_named(void **state)
{
    char *set = path_of("set"), *shard = path_of("set/00000.h5");
    mg_shard_file *file = NULL;
    mg_reader *r = NULL;
    uint8_t pixels[64 * 64 * 3];
    int64_t items;
    (void)state;
    if (rank() > 0) goto done;
    OK(mg_shard_verify(set, &items));
    CHECK(items == ITEMS - 4); // with the stored duplicate
    OK(mg_shard_file_open(shard, &file));
    const mg_row *row = &file->table.row[2]; // pic/2.png
    uint64_t at = file->slices[row->image.array].address[row->image.row] + 40;
    mg_shard_file_close(&file);
    flip(shard, at);
    open_toy("all", &r);
    OK(mg_reader_read(r, 1, 0, 1, pixels, NULL));
    FAILS(mg_reader_read(r, 2, 0, 1, pixels, NULL), MG_ERR_FORMAT,
          "00000.h5' is damaged: the chunk at");
    CHECK(mg_reader_read(r, 2, 0, 1, pixels, NULL) && strstr(mg_err_message(), "'pic/2.png'"));
    mg_err_clear();
    mg_reader_close(&r);
    FAILS(mg_shard_verify(set, &items), MG_ERR_FORMAT, "has 1 fault");
    FAILS(mg_shard_verify(shard, &items), MG_ERR_FORMAT, "has 1 fault");
    flip(shard, at);
    OK(mg_shard_verify(set, &items));
done:
    mg_comm_barrier(world);
    mg_free(set), mg_free(shard);
}

// --- volumes ----------------------------------------------------------------------------------------

// The cube is what is left of one of FULL slices, rows and columns, of which every second was taken.
enum { DEPTH = 5, SIDE = 12, FULL_DEPTH = 9, FULL_SIDE = 23 };

static int16_t cube_value(int z, int k, int channel)
{
    return (int16_t)(channel ? 3 * k : 1000 * z - 2000 + k);
}

static uint16_t cube_bits(int z, int k)
{
    return (uint16_t)((k % 5 == z) | (k % 2) << 2 | (k == 7) << 15);
}

static uint16_t full_bits(int z, int k)
{
    return (uint16_t)((k % 7 == z) | (k % 11 == 0) << 1);
}

static mg_status cube_scan(const char *root, const void *config, mg_scan *out)
{
    (void)root, (void)config;
    out->classes = 3;
    for (int c = 0; c < 3; c++) snprintf(out->class_name[c], 48, "organ %d", c);
    MG_TRY(mg_scan_add(out, &(mg_item){.name = "a.png", .patient = "a"}));
    MG_TRY(mg_scan_add(
        out, &(mg_item){.name = "case.nii.gz", .mask = "m", .patient = "case", .extra = "F"}));
    return mg_scan_add(out, &(mg_item){.name = "flat.nii.gz", .patient = "flat"});
}

static mg_status cube_picture(mg_sample *out)
{
    *out = (mg_sample){.type = MG_U8, .depth = 1, .height = 1, .width = 3, .channels = 1};
    uint8_t *v = out->pixels = mg_alloc(3);
    MG_CHECK(v, MG_ERR_MEMORY, "no memory");
    for (int i = 0; i < 3; i++) v[i] = (uint8_t)(100 * i);
    return MG_OK;
}

static mg_status cube_read(const char *root, const void *config, const mg_scan *scan,
                           const mg_item *item, const mg_decode_hint *hint, mg_sample *out)
{
    (void)root, (void)config, (void)scan, (void)hint;
    if (item->name[0] == 'a') return cube_picture(out);
    *out = (mg_sample){.type = MG_I16,
                       .depth = DEPTH,
                       .height = SIDE,
                       .width = SIDE,
                       .channels = 2,
                       .spacing = {5, 1.4, 1.4},
                       .unknown = 2,
                       .remark = "odd",
                       .full_height = FULL_SIDE,
                       .full_width = FULL_SIDE};
    out->volume = (mg_volume){.affine = {-1.4, 0, 0, 10},
                              .file_affine = {0.7, 0, 0, -3},
                              .orientation = "LPS",
                              .contrasts = "t1,t2",
                              .input = {1, -1, 0},
                              .range = {{-1000, 1000}, {0, 51}},
                              .grid = {{0, 2}, {.5, 2}, {0, 2}},
                              .full_spacing = {2.5, .7, .7},
                              .full_depth = FULL_DEPTH};
    bool flat = item->name[0] == 'f';
    int16_t *v = out->pixels = mg_calloc(DEPTH * SIDE * SIDE * 2, sizeof *v);
    MG_CHECK(v, MG_ERR_MEMORY, "no memory");
    if (flat) return MG_OK;
    uint16_t *b = out->bits = mg_alloc(DEPTH * SIDE * SIDE * sizeof *b);
    uint16_t *f = out->volume.full_bits = mg_alloc(FULL_DEPTH * FULL_SIDE * FULL_SIDE * sizeof *f);
    MG_CHECK(b && f, MG_ERR_MEMORY, "no memory");
    for (int z = 0; z < DEPTH; z++)
        for (int k = 0; k < SIDE * SIDE; k++) {
            for (int c = 0; c < 2; c++) *v++ = cube_value(z, k, c);
            *b++ = cube_bits(z, k);
        }
    for (int z = 0; z < FULL_DEPTH; z++)
        for (int k = 0; k < FULL_SIDE * FULL_SIDE; k++) *f++ = full_bits(z, k);
    return MG_OK;
}

static const mg_dataset cube = {
    .name = "cube", .labelled = true, .long_side = 0, .scan = cube_scan, .read = cube_read};

static void check_cube_facts(const mg_shard_item *item)
{
    CHECK(item->depth == DEPTH && item->type == MG_I16 && item->height == SIDE);
    CHECK(item->full_depth == FULL_DEPTH && item->full_width == FULL_SIDE);
    CHECK(item->spacing[0] == 5 && item->spacing[2] == 1.4);
    // Class 2 is there on the original grid only.
    CHECK(item->classes == 7 && item->area[2] == DEPTH * SIDE * SIDE / 2 && item->area[1] == 0);
    CHECK(item->unknown == 2);
    const mg_shard_volume *v = item->volume;
    assert_non_null(v);
    CHECK(v->affine[0] == -1.4 && v->affine[3] == 10 && v->file_affine[3] == -3);
    assert_string_equal(v->orientation, "LPS");
    assert_string_equal(v->contrasts, "t1,t2");
    CHECK(v->input[0] == 1 && v->input[1] == -1 && v->input[2] == 0);
    CHECK(v->range[0][0] == -1000 && v->range[1][1] == 51);
    CHECK(v->grid[1][0] == .5 && v->grid[2][1] == 2 && v->full_spacing[0] == 2.5);
}

static void check_cube_slices(const mg_reader *r, int64_t i)
{
    int16_t pixels[2 * SIDE * SIDE * 2];
    uint8_t mask[FULL_DEPTH * FULL_SIDE * FULL_SIDE], ignore[SIDE * SIDE];

    OK(mg_reader_read(r, i, 2, 2, pixels, NULL));
    for (int z = 2; z < 4; z++)
        for (int k = 0; k < 2 * SIDE * SIDE; k++)
            CHECK(pixels[(z - 2) * 2 * SIDE * SIDE + k] == cube_value(z, k / 2, k % 2));
    FAILS(mg_reader_read(r, i, 0, 1, pixels, mask), MG_ERR_USAGE, "overlap");
    OK(mg_reader_mask(r, i, 3, 1, 1, mask, ignore));
    for (int k = 0; k < SIDE * SIDE; k++) CHECK(mask[k] == (k % 5 == 3) && ignore[k] == (k == 7));
    for (int c = 1; c < 3; c++) {
        OK(mg_reader_full_mask(r, i, c, mask, NULL));
        for (int z = 0; z < FULL_DEPTH; z++)
            for (int k = 0; k < FULL_SIDE * FULL_SIDE; k++)
                CHECK(mask[z * FULL_SIDE * FULL_SIDE + k] == (full_bits(z, k) >> (c - 1) & 1));
    }
}

static int round_up(double v)
{
    return v <= 0 ? 0 : v >= 255 ? 255 : (int)floor(v + .5);
}

static void check_cube_pictures(const mg_reader *r, int64_t i)
{
    uint8_t out[2 * SIDE * SIDE * 3];
    const double window[2] = {-1, 1};

    for (int ways = 0; ways < 2; ways++) {
        OK(mg_source_slices(r, i, 1, 2, ways ? window : NULL,
                            out)); // no CT: the window is not for it
        for (int z = 1; z < 3; z++)
            for (int k = 0; k < SIDE * SIDE; k++) {
                const uint8_t *p = out + ((z - 1) * SIDE * SIDE + k) * 3;
                int v = cube_value(z, k, 0);
                CHECK(p[0] == round_up(cube_value(z, k, 1) * 255. / 51) && p[1] == 0);
                CHECK(p[2] == (v == 0 ? 0 : round_up((v + 1000) * 255. / 2000)));
            }
    }
}

static void volumes_are_read_by_slices(void **state)
{
    char *set = path_of("cube");
    const char *sets[] = {set};
    mg_shard_order order = toy_order(NULL, set);
    mg_shard_outcome outcome;
    mg_reader *r = NULL;
    uint8_t grey[9];
    int64_t items;
    (void)state;
    order.set = &cube;
    order.long_side = 4; // not for volumes
    OK(mg_shard_write(world, &order, &outcome));
    CHECK(outcome.items == 2 && outcome.skipped == 1); // a volume of one value is of no use
    OK(mg_reader_open(sets, 1, "all", &r));
    CHECK(!mg_reader_item(r, 0)->volume);
    check_cube_facts(mg_reader_item(r, 1));
    check_cube_slices(r, 1);
    check_cube_pictures(r, 1);
    OK(mg_source_slices(r, 0, 0, 1, NULL, grey));
    for (int k = 0; k < 9; k++) CHECK(grey[k] == 100 * (k / 3));
    mg_reader_close(&r);
    if (rank() == 0) OK(mg_shard_verify(set, &items));
    mg_comm_barrier(world);
    mg_free(set);
}

// --- frame ------------------------------------------------------------------------------------------

static int make_folder(void **state)
{
    char name[256] = "";
    const char *base = getenv("TMPDIR");
    (void)state;
    live = mg_mem_live();
    if (rank() == 0) {
        snprintf(name, sizeof name, "%s/mg_shard_XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(name)) return -1;
    }
    mg_comm_bcast(world, name, sizeof name, 0);
    folder = mg_strdup(name);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    mg_comm_barrier(world);
    if (rank() == 0 && mg_remove_tree(folder)) return -1;
    mg_free(folder);
    return mg_mem_live() != live;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_ranks_writes_the_same_set),
        cmocka_unit_test(items_come_back),
        cmocka_unit_test(a_shrunk_label_is_kept_on_both_grids),
        cmocka_unit_test(parts_follow_splits_and_folds),
        cmocka_unit_test(sets_opened_together_keep_one_copy),
        cmocka_unit_test(finished_shards_are_not_made_again),
        cmocka_unit_test(other_settings_need_another_folder),
        cmocka_unit_test(items_of_given_sets_are_left_out),
        cmocka_unit_test(a_set_without_usable_items_is_an_error),
        cmocka_unit_test(a_flipped_bit_is_named),
        cmocka_unit_test(volumes_are_read_by_slices),
    };
    if (mg_comm_start(&argc, &argv, &world)) return 1;
    int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);
    mg_comm_end(&world);
    return failed;
}
