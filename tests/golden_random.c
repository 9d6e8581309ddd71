// Golden kind `philox`: known answers, streams, derived numbers, orders, mixing coefficients, crops
// and initial weights (README-pretraining.md, philox_kat.h5). Integers exact, reals to 1e-12.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/params.h"
#include "runtime/mem.h"
#include "runtime/rng.h"
#include "shard/crop.h"
#include "tests/golden.h"

static double relative(double got, double want)
{
    return got == want ? 0 : fabs(got - want) / fmax(fabs(want), 1e-300);
}

static uint64_t seed_of(golden *g)
{
    return (uint64_t)golden_int(g, "/", "seed");
}

static void check_answers(golden *g)
{
    mg_h5_info info;
    const uint32_t *counter = golden_load(g, "kat/counter", MG_U32, &info);
    const uint32_t *key = golden_load(g, "kat/key", MG_U32, NULL);
    const uint32_t *want = golden_load(g, "kat/output", MG_U32, NULL);

    for (int64_t i = 0; i < info.dim[0]; i++) {
        uint32_t got[4];
        mg_philox(counter + 4 * i, key + 2 * i, got);
        golden_exact(g, !memcmp(got, want + 4 * i, sizeof got), "kat %d", (int)i);
    }
}

static void check_words(golden *g)
{
    mg_h5_info streams, words, normals;
    const uint32_t *id = golden_load(g, "words/purpose_epoch_index", MG_U32, &streams);
    const uint32_t *word = golden_load(g, "words/words", MG_U32, &words);
    const double *u24 = golden_load(g, "words/u24", MG_F64, NULL);
    const double *u32 = golden_load(g, "words/u32o", MG_F64, NULL);
    const double *normal = golden_load(g, "words/normal", MG_F64, &normals);

    for (int64_t i = 0; i < streams.dim[0]; i++) {
        mg_stream s = {seed_of(g), id[3 * i], id[3 * i + 1], id[3 * i + 2]};
        for (int64_t j = 0; j < words.dim[1]; j++) {
            int64_t at = i * words.dim[1] + j;
            uint32_t got = mg_stream_word(&s, (uint64_t)j);
            golden_exact(g, got == word[at], "stream %d word %d", (int)i, (int)j);
            golden_note(g, "uniform", relative(mg_rng_u24(got), u24[at]), 1e-12);
            golden_note(g, "uniform", relative(mg_rng_u32(got), u32[at]), 1e-12);
        }
        for (int64_t k = 0; k < normals.dim[1]; k++)
            golden_note(g, "normal",
                        relative(mg_stream_normal(&s, (uint64_t)k), normal[i * normals.dim[1] + k]),
                        1e-12);
    }
}

// Compare an integer array with what the file holds, as far as that goes.
static void compare(golden *g, const char *name, const uint32_t *got)
{
    mg_h5_info info;
    const int32_t *want = golden_load(g, name, MG_I32, &info);
    for (int64_t i = 0; i < info.count; i++)
        golden_exact(g, (uint32_t)want[i] == got[i], "%s[%d]: %u, expected %d", name, (int)i,
                     got[i], want[i]);
}

// The order of tokens also gives MAE its restore order and mask, and ShED its choice; both stand
// beside it under names that say the share: <name>_picks_015 is a share of 0.15.
static void check_derived(golden *g, const char *name, const uint32_t *order, uint32_t n)
{
    char *restore_name = golden_name(g, "%s_ids_restore", name);
    char *mask_name = golden_name(g, "%s_mask", name);

    if (golden_has(g, restore_name)) {
        uint32_t *restore = golden_alloc(g, n * sizeof *restore);
        for (uint32_t i = 0; i < n; i++) restore[order[i]] = i;
        compare(g, restore_name, restore);
        if (golden_has(g, mask_name)) {
            const int32_t *mask = golden_load(g, mask_name, MG_I32, NULL);
            uint32_t keep = 0;
            for (uint32_t i = 0; i < n; i++) keep += mask[i] == 0;
            uint32_t *got = golden_alloc(g, n * sizeof *got);
            for (uint32_t i = 0; i < n; i++) got[i] = restore[i] >= keep;
            compare(g, mask_name, got);
        }
    }
}

static void check_orders(golden *g)
{
    int count;
    char **name = golden_list(g, "order", &count);

    for (int i = 0; i < count; i++) {
        char *path = golden_name(g, "order/%s", name[i]);
        if (!mg_h5_has_attr(golden_file(g), path, "n")) {
            char *picks = strstr(path, "_picks");
            if (!picks) continue;
            // The first k of the order that the name starts with.
            char *whole = golden_name(g, "%.*s", (int)(picks - path), path);
            mg_h5_info info, all;
            const int32_t *want = golden_load(g, path, MG_I32, &info);
            const int32_t *order = golden_load(g, whole, MG_I32, &all);
            golden_exact(g, info.count <= all.count && !memcmp(want, order, info.count * 4), "%s",
                         path);
            continue;
        }
        uint32_t n = (uint32_t)golden_int(g, path, "n");
        mg_stream s = {seed_of(g), (uint32_t)golden_int(g, path, "purpose"),
                       (uint32_t)golden_int(g, path, "epoch"),
                       (uint32_t)golden_int(g, path, "index")};
        uint32_t *order = golden_alloc(g, n * sizeof *order);
        mg_rng_order(&s, n, order, golden_alloc(g, 16 * (size_t)n));
        compare(g, path, order);
        check_derived(g, path, order, n);
    }
}

static void check_coefficients(golden *g)
{
    int count;
    char **name = golden_list(g, "lambda", &count);

    for (int i = 0; i < count; i++) {
        double alpha;
        mg_h5_info info;
        char *path = golden_name(g, "lambda/%s", name[i]);
        if (sscanf(name[i], "alpha_%lf", &alpha) != 1) continue;
        const double *want = golden_load(g, path, MG_F64, &info);
        uint32_t epoch = (uint32_t)golden_int(g, path, "epoch");
        for (int64_t k = 0; k < info.dim[0]; k++) {
            mg_stream s = {seed_of(g), MG_RNG_LAMBDA, epoch, (uint32_t)k};
            double b = mg_rng_beta(&s, alpha);
            golden_note(g, "beta", relative(b, want[2 * k]), 1e-12);
            golden_note(g, "beta", relative(fmax(b, 1 - b), want[2 * k + 1]), 1e-12);
        }
    }
}

// A text attribute "0.2,1.0" or "3/4,4/3".
static void read_pair(golden *g, const char *attr, double pair[2])
{
    char *text = NULL;
    golden_exact(g, mg_h5_attr_text(golden_file(g), "crop", attr, &text) == MG_OK, "crop %s", attr);
    const char *at = text ? text : "";
    for (int i = 0; i < 2; i++) {
        char *end;
        pair[i] = strtod(at, &end);
        if (*end == '/') pair[i] /= strtod(end + 1, &end);
        at = *end == ',' ? end + 1 : end;
    }
    mg_free(text);
}

static void check_crops(golden *g)
{
    mg_h5_info info;
    mg_crop_law law = {{0}, {0}};
    const int32_t *size = golden_load(g, "crop/H_W", MG_I32, NULL);
    const int32_t *want = golden_load(g, "crop/top_left_h_w_flip", MG_I32, &info);
    uint32_t epoch = (uint32_t)golden_int(g, "crop", "epoch");

    read_pair(g, "scale", law.area);
    read_pair(g, "ratio", law.aspect);
    for (int64_t i = 0; i < info.dim[0]; i++)
        for (int64_t k = 0; k < info.dim[1]; k++, want += 5) {
            mg_crop c =
                mg_crop_rect(&law, seed_of(g), epoch, (uint32_t)k, size[2 * i], size[2 * i + 1]);
            golden_exact(g,
                         c.top == want[0] && c.left == want[1] && c.height == want[2] &&
                             c.width == want[3] && c.flip == want[4],
                         "crop %d of %d x %d: %d %d %d %d %d", (int)k, size[2 * i], size[2 * i + 1],
                         c.top, c.left, c.height, c.width, c.flip);
        }
}

// The first values of one parameter, by the rule its attribute names.
static void check_parameter(golden *g, const char *name)
{
    mg_h5_info info;
    mg_params p = {0};
    char *rule = NULL;
    char *path = golden_name(g, "init/%s", name);
    const double *want = golden_load(g, path, MG_F64, &info);

    golden_exact(g, mg_fnv1a(name) == (uint32_t)golden_int(g, path, "fnv1a"), "hash of %s", name);
    golden_exact(g, mg_h5_attr_text(golden_file(g), path, "rule", &rule) == MG_OK, "rule");
    if (rule && !strncmp(rule, "normal", 6)) {
        double std = 0.02;
        sscanf(rule, "normal std %lf", &std);
        mg_params_add(&p, name, MG_INIT_NORMAL, std, 1, (int64_t)info.count);
    } else {
        double bound =
            mg_xavier_bound(golden_int(g, path, "fan_in"), golden_int(g, path, "fan_out"));
        mg_params_add(&p, name, MG_INIT_UNIFORM, bound, 1, (int64_t)info.count);
    }
    mg_free(rule);
    if (mg_params_alloc(&p)) return golden_exact(g, false, "no memory");
    mg_params_init(&p, seed_of(g));
    // Weights are float32; the reference holds doubles.
    double top = 0, gap = 0;
    for (int64_t i = 0; i < info.count; i++) {
        top = fmax(top, fabs(want[i]));
        gap = fmax(gap, fabs(want[i] - mg_weight(&p, 0)[i]));
    }
    golden_note(g, "init", gap / top, 1e-7);
    mg_params_free(&p);
}

static void check_initial(golden *g)
{
    int count;
    char **name = golden_list(g, "init", &count);
    for (int i = 0; i < count; i++) check_parameter(g, name[i]);
}

void golden_kind_philox(golden *g)
{
    check_answers(g);
    check_words(g);
    check_orders(g);
    check_coefficients(g);
    check_crops(g);
    check_initial(g);
}
