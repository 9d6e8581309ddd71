// A made-up labelled set of small CT volumes for tests: two balls in a noisy box, 1 to 9 slices. Some
// slices and stacks lack a ball, one volume does not say where the second one is, and one is packed with
// its label on a finer grid.
#ifndef MG_TESTS_STACK_DATA_H
#define MG_TESTS_STACK_DATA_H

#include "datasets/dataset.h"
#include "runtime/mem.h"
#include "shard/writer.h"

enum {
    BALLS_ITEMS = 12,
    BALLS_HEIGHT = 20,
    BALLS_WIDTH = 24,
    BALLS_PARTIAL = 4, // class 2 unknown
    BALLS_FINE = 7,    // its original grid has twice the slices
};

static int balls_depth(int i)
{
    return i == BALLS_FINE ? 6 : 1 + i * 5 % 9;
}

static mg_status balls_scan(const char *root, const void *config, mg_scan *out)
{
    (void)root, (void)config;
    out->classes = 2;
    strcpy(out->class_name[0], "liver");
    strcpy(out->class_name[1], "spleen");
    for (int i = 0; i < BALLS_ITEMS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.nii", i);
        mg_item item = {.name = name,
                        .image = name,
                        .mask = name,
                        .patient = name,
                        .split = i % 3 == 1 ? "test" : "train",
                        .modality = "CT"};
        MG_TRY(mg_scan_add(out, &item));
    }
    return MG_OK;
}

// Class at a place of a volume; z in slices of the stored grid.
static int balls_class(int i, double z, int y, int x)
{
    double middle = (balls_depth(i) - 1) / 2.0;
    double a = hypot(hypot(y - 9.0, x - 6.0 - i % 3), 2 * (z - middle));
    double b = hypot(hypot(y - 10.0 + i % 4, x - 17.0), 3 * (z - middle - 1));
    return a < 5 ? 1 : b < 4.5 ? 2 : 0;
}

static mg_status balls_read(const char *root, const void *config, const mg_scan *scan,
                            const mg_item *item, const mg_decode_hint *hint, mg_sample *out)
{
    int i = atoi(item->name), depth = balls_depth(i);
    size_t one = BALLS_HEIGHT * BALLS_WIDTH, cells = (size_t)depth * one;
    mg_stream noise = {1, MG_RNG_FREE, 9, (uint32_t)i};
    (void)root, (void)config, (void)scan, (void)hint;
    *out = (mg_sample){.type = MG_I16,
                       .depth = depth,
                       .height = BALLS_HEIGHT,
                       .width = BALLS_WIDTH,
                       .channels = 1,
                       .unknown = i == BALLS_PARTIAL ? 2 : 0,
                       .spacing = {3, 1.5, 1.5},
                       .volume = {.orientation = "RAS",
                                  .affine = {1.5, 0, 0, 0, 0, 1.5, 0, 0, 0, 0, 3, 0},
                                  .file_affine = {1.5, 0, 0, 0, 0, 1.5, 0, 0, 0, 0, 3, 0},
                                  .range = {{-175, 250}},
                                  .grid = {{0, 1}, {0, 1}, {0, 1}},
                                  .full_spacing = {3, 1.5, 1.5}}};
    strcpy(out->decoder, "balls");
    int16_t *v = out->pixels = mg_alloc(cells * sizeof *v);
    out->label = mg_alloc(cells);
    MG_CHECK(v && out->label, MG_ERR_MEMORY, "no memory");
    for (size_t k = 0; k < cells; k++) {
        int z = (int)(k / one), y = (int)(k % one / BALLS_WIDTH), x = (int)(k % BALLS_WIDTH);
        int c = balls_class(i, z, y, x);
        out->label[k] = i == BALLS_PARTIAL && c == 2 ? 0 : (uint8_t)c;
        v[k] = (int16_t)((c == 1 ? 120 : c == 2 ? 220 : -60) + mg_stream_word(&noise, k) % 60);
    }
    if (i != BALLS_FINE) return MG_OK;
    // Stored slice k lies at 2 k + 0.5 of the finer grid.
    out->volume.full_depth = 2 * depth;
    out->volume.full_spacing[0] = 1.5;
    out->volume.grid[0][0] = 0.5;
    out->volume.grid[0][1] = 2;
    uint8_t *full = out->volume.full_label = mg_alloc(2 * cells);
    MG_CHECK(full, MG_ERR_MEMORY, "no memory");
    for (size_t k = 0; k < 2 * cells; k++)
        full[k] = (uint8_t)balls_class(i, ((double)(k / one) - 0.5) / 2,
                                       (int)(k % one / BALLS_WIDTH), (int)(k % BALLS_WIDTH));
    return MG_OK;
}

// Pack it to `out`. Collective on `world`.
static mg_status balls_pack(const mg_comm *world, const char *out)
{
    static const mg_dataset balls = {
        .name = "balls", .labelled = true, .scan = balls_scan, .read = balls_read};
    mg_shard_order order = {.set = &balls,
                            .config_text = "",
                            .root = "nowhere",
                            .out = out,
                            .size_mb = 100,
                            .level = 3,
                            .threads = 1};
    mg_shard_outcome outcome;
    return mg_shard_write(world, &order, &outcome);
}

// Settings of a very small model for them.
#define BALLS_MODEL                                                                               \
    "model.size=custom", "model.image=32", "model.patch=8", "model.dim=16", "model.depth=2",      \
        "model.heads=2", "model.window=3", "model.global=1", "model.prompt_dim=16",               \
        "model.mask_in=8", "model.decoder_heads=2", "model.decoder_mlp=16", "model.iou_hidden=8", \
        "model.slices=4"

#endif
