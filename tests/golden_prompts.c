// Golden kinds `edt`, `components` and `clicks` (README-prompts-and-metrics.md): distances, labels,
// clicks of evaluation and training, boxes. Everything exact but distances and boxes (1e-12).
#include <math.h>
#include <string.h>

#include "finetune/clicks.h"
#include "finetune/components.h"
#include "finetune/distance.h"
#include "finetune/prompts.h"
#include "runtime/mem.h"
#include "tests/golden.h"

// The cases of a group: "<group>/000", ... and how many there are.
static int64_t cases_in(golden *g, const char *group)
{
    const char *object = *group ? group : "/";
    return golden_int(g, object, "n_cases");
}

static double relative(double got, double want)
{
    return got == want ? 0 : fabs(got - want) / fmax(fabs(want), 1e-300);
}

static int64_t scalar(golden *g, const char *group, const char *name)
{
    int64_t *value = golden_load(g, golden_name(g, "%s/%s", group, name), MG_I64, NULL);
    return *value;
}

// --- edt -------------------------------------------------------------------------------------------

static void check_distances(golden *g, const char *group, const char *name, mg_grid *grid,
                            const uint8_t *mask)
{
    mg_h5_info info;
    const double *want = golden_load(g, golden_name(g, "%s/%s", group, name), MG_F64, &info);
    double *d2 = golden_alloc(g, (size_t)info.count * sizeof *d2);

    mg_distance(d2, mask, grid, 2, golden_alloc(g, mg_distance_scratch(grid, 2)));
    for (int64_t i = 0; i < info.count; i++)
        golden_note(g, name, relative(sqrt(d2[i]), want[i]), 1e-12);
}

void golden_kind_edt(golden *g)
{
    int count;
    char **name = golden_list(g, "/", &count);

    for (int c = 0; c < count; c++) {
        char *group = golden_name(g, "%.*s", (int)strcspn(name[c], "/"), name[c]);
        if (!golden_has(g, golden_name(g, "%s/mask", group))) continue;
        mg_h5_info info;
        const uint8_t *mask = golden_load(g, golden_name(g, "%s/mask", group), MG_U8, &info);
        const double *spacing = golden_load(g, golden_name(g, "%s/spacing", group), MG_F64, NULL);
        mg_grid grid = {.ndim = info.ndim, .dim = {1, 1, 1}, .spacing = {1, 1, 1}};
        for (int a = 0; a < info.ndim; a++) {
            grid.dim[3 - info.ndim + a] = (int)info.dim[a];
            grid.spacing[3 - info.ndim + a] = spacing[a];
        }
        check_distances(g, group, "dist", &grid, mask);
        grid.padded = true;
        check_distances(g, group, "dist_pad", &grid, mask);

        char *integers = golden_name(g, "%s/d2i_pad", group);
        if (!golden_has(g, integers)) continue;
        const int64_t *want = golden_load(g, integers, MG_I64, NULL);
        if (info.ndim == 2) {
            int32_t *d2 = golden_alloc(g, (size_t)info.count * sizeof *d2);
            void *scratch = golden_alloc(g, mg_distance_int_scratch(grid.dim[2]));
            mg_distance_int(d2, mask, grid.dim[2], grid.dim[1], grid.dim[2], true, scratch);
            for (int64_t i = 0; i < info.count; i++)
                golden_exact(g, d2[i] == want[i], "%s[%d]", integers, (int)i);
        } else {
            double *d2 = golden_alloc(g, (size_t)info.count * sizeof *d2);
            mg_distance(d2, mask, &grid, 1, golden_alloc(g, mg_distance_scratch(&grid, 1)));
            for (int64_t i = 0; i < info.count; i++)
                golden_exact(g, d2[i] == (double)want[i], "%s[%d]", integers, (int)i);
        }
    }
}

// --- components ------------------------------------------------------------------------------------

static void check_component_case(golden *g, const char *group)
{
    mg_h5_info info;
    const uint8_t *mask = golden_load(g, golden_name(g, "%s/mask", group), MG_U8, &info);
    const int32_t *want = golden_load(g, golden_name(g, "%s/labels", group), MG_I32, NULL);
    int dim[3] = {1, 1, 1};
    size_t cells = (size_t)info.count;
    int32_t *labels = golden_alloc(g, cells * sizeof *labels);
    int32_t *scratch = golden_alloc(g, (cells + 1) * sizeof *scratch);

    for (int a = 0; a < info.ndim; a++) dim[3 - info.ndim + a] = (int)info.dim[a];
    int32_t n = mg_components(labels, mask, dim[2], dim[0], dim[1], dim[2],
                              (int)scalar(g, group, "connectivity"), scratch);
    golden_exact(g, n == scalar(g, group, "n"), "%s: %d components", group, n);
    golden_exact(g, !memcmp(labels, want, cells * sizeof *labels), "%s: labels", group);

    int64_t *size = golden_alloc(g, ((size_t)n + 1) * sizeof *size);
    int64_t *first = golden_alloc(g, ((size_t)n + 1) * sizeof *first);
    mg_components_measure(labels, cells, n, size, first);
    golden_exact(g, mg_components_largest(size, n) == scalar(g, group, "largest"), "%s: largest",
                 group);
    if (!golden_has(g, golden_name(g, "%s/sizes", group))) return golden_exact(g, n == 0, "sizes");
    mg_h5_info sizes;
    const int64_t *want_size = golden_load(g, golden_name(g, "%s/sizes", group), MG_I64, &sizes);
    const int64_t *want_first =
        golden_load(g, golden_name(g, "%s/first_index", group), MG_I64, NULL);
    golden_exact(g, sizes.count == n, "%s: number of sizes", group);
    for (int32_t k = 0; k < n && k < sizes.count; k++)
        golden_exact(g, size[k] == want_size[k] && first[k] == want_first[k], "%s: component %d",
                     group, k + 1);
}

void golden_kind_components(golden *g)
{
    int count;
    char **name = golden_list(g, "/", &count);

    for (int c = 0; c < count; c++) {
        char *group = golden_name(g, "%.*s", (int)strcspn(name[c], "/"), name[c]);
        if (golden_has(g, golden_name(g, "%s/mask", group))) check_component_case(g, group);
    }
}

// --- clicks ----------------------------------------------------------------------------------------

static void check_stream(golden *g)
{
    mg_h5_info words, belows, units;
    const uint64_t *id = golden_load(g, "rng/stream", MG_U64, NULL);
    const uint32_t *word = golden_load(g, "rng/words", MG_U32, &words);
    const uint64_t *n = golden_load(g, "rng/below_n", MG_U64, NULL);
    const uint64_t *below = golden_load(g, "rng/below", MG_U64, &belows);
    const double *unit = golden_load(g, "rng/unit", MG_F64, &units);
    mg_prompt_key key = {id[1], (uint32_t)id[2], (uint32_t)id[3], (uint32_t)id[4]};
    mg_rng_purpose purpose = (mg_rng_purpose)id[0];
    mg_cursor a = mg_prompt_draw(&key, purpose, (uint32_t)id[5]), b = a, c = a;

    for (int64_t i = 0; i < words.count; i++)
        golden_exact(g, mg_cursor_word(&a) == word[i], "rng word %d", (int)i);
    for (int64_t i = 0; i < belows.count; i++)
        golden_exact(g, mg_cursor_below(&b, (uint32_t)n[i]) == below[i], "rng below %d", (int)i);
    for (int64_t i = 0; i < units.count; i++)
        golden_exact(g, mg_cursor_unit(&c) == unit[i], "rng unit %d", (int)i);
}

static mg_prompt_key load_key(golden *g, const char *group)
{
    const uint64_t *key = golden_load(g, golden_name(g, "%s/key", group), MG_U64, NULL);
    return (mg_prompt_key){key[0], (uint32_t)key[1], (uint32_t)key[2], (uint32_t)key[3]};
}

// Hold a click against x, y, (z,) label of the file.
static void compare_click(golden *g, mg_click got, const int32_t *want, int columns,
                          const char *group, const char *what, int row)
{
    bool same = got.x == want[0] && got.y == want[1] && got.label == want[columns - 1] &&
                (columns == 3 || got.z == want[2]);
    golden_exact(g, same, "%s %s %d: %d %d %d label %d, expected %d %d .. %d", group, what, row,
                 got.x, got.y, got.z, got.label, want[0], want[1], want[columns - 1]);
}

static mg_clicker *clicker_for(golden *g, const mg_target *t, bool volume)
{
    mg_clicker *c = NULL;
    mg_status st = mg_clicker_create(t->depth, t->height, t->width, volume, 2, &c);
    golden_exact(g, st == MG_OK, "no memory");
    return c;
}

typedef mg_click (*slice_rule)(mg_clicker *, const mg_target *, int, const mg_click *, int);

static void check_eval2d(golden *g, const char *group, const char *name, slice_rule rule)
{
    mg_h5_info info;
    mg_target t = {.depth = 1};
    const uint8_t *preds = golden_load(g, golden_name(g, "%s/preds", group), MG_U8, &info);
    const int32_t *want = golden_load(g, golden_name(g, "%s/%s", group, name), MG_I32, NULL);

    t.height = (int)info.dim[1], t.width = (int)info.dim[2];
    t.gt = golden_load(g, golden_name(g, "%s/gt", group), MG_U8, NULL);
    t.ignore = golden_load(g, golden_name(g, "%s/ignore", group), MG_U8, NULL);
    mg_clicker *c = clicker_for(g, &t, false);
    mg_click *used = golden_alloc(g, (size_t)info.dim[0] * sizeof *used);
    for (int64_t k = 0; k < info.dim[0]; k++) {
        t.pred = preds + k * info.dim[1] * info.dim[2];
        used[k] = rule(c, &t, 0, used, (int)k);
        compare_click(g, used[k], want + 3 * k, 3, group, name, (int)k);
    }
    mg_clicker_destroy(&c);
}

static void check_eval3d(golden *g, const char *group)
{
    mg_h5_info info;
    mg_target t = {0};
    const uint8_t *preds = golden_load(g, golden_name(g, "%s/preds", group), MG_U8, &info);
    const double *spacing = golden_load(g, golden_name(g, "%s/spacing", group), MG_F64, NULL);
    const int32_t *stack = golden_load(g, golden_name(g, "%s/clicks_stack", group), MG_I32, NULL);
    const int32_t *volume = golden_load(g, golden_name(g, "%s/clicks_volume", group), MG_I32, NULL);
    const int32_t *slice = golden_load(g, golden_name(g, "%s/clicks_slice", group), MG_I32, NULL);
    int64_t passes = info.dim[0];

    t.depth = (int)info.dim[1], t.height = (int)info.dim[2], t.width = (int)info.dim[3];
    t.gt = golden_load(g, golden_name(g, "%s/gt", group), MG_U8, NULL);
    mg_clicker *c = clicker_for(g, &t, true);
    mg_click *used = golden_alloc(g, (size_t)passes * (2 + (size_t)t.depth) * sizeof *used);
    mg_click *of_stack = used, *of_volume = used + passes, *of_slices = of_volume + passes;
    for (int64_t k = 0; k < passes; k++) {
        t.pred = preds + k * (info.count / passes);
        of_stack[k] = mg_click_stack(c, &t, of_stack, (int)k);
        compare_click(g, of_stack[k], stack + 4 * k, 4, group, "stack", (int)k);
        of_volume[k] = mg_click_volume(c, &t, spacing, of_volume, (int)k);
        compare_click(g, of_volume[k], volume + 4 * k, 4, group, "volume", (int)k);
        for (int z = 0; z < t.depth; z++) {
            mg_click click = mg_click_edt(c, &t, z, of_slices, (int)k * t.depth + z);
            of_slices[k * t.depth + z] = click;
            compare_click(g, click, slice + 3 * (k * t.depth + z), 3, group, "slice", (int)k);
        }
    }
    mg_clicker_destroy(&c);
}

static void check_start(golden *g, const char *group)
{
    mg_h5_info info;
    mg_target t = {.depth = 1};
    mg_click clicks[MG_MAX_START];
    mg_prompt_key key = load_key(g, group);
    int64_t n = scalar(g, group, "n_clicks");

    t.gt = golden_load(g, golden_name(g, "%s/gt", group), MG_U8, &info);
    t.height = (int)info.dim[0], t.width = (int)info.dim[1];
    mg_clicker *c = clicker_for(g, &t, false);
    int count = mg_start_random(
        c, &t, 0, scalar(g, group, "relative") ? MG_START_RELATIVE : MG_START_PIXEL, &key, clicks);
    golden_exact(g, count == n, "%s: %d clicks, expected %d", group, count, (int)n);
    if (n > 0) {
        const int32_t *want = golden_load(g, golden_name(g, "%s/clicks", group), MG_I32, NULL);
        for (int k = 0; k < count && k < n; k++)
            compare_click(g, clicks[k], want + 3 * k, 3, group, "start", k);
    }
    mg_clicker_destroy(&c);
}

static void check_corrective(golden *g, const char *group)
{
    mg_h5_info info, history;
    mg_target t = {.depth = 1};
    mg_prompt_key key = load_key(g, group);
    const int32_t *want = golden_load(g, golden_name(g, "%s/clicks", group), MG_I32, NULL);
    char *used_name = golden_name(g, "%s/used", group);
    const int32_t *used = NULL;

    t.gt = golden_load(g, golden_name(g, "%s/gt", group), MG_U8, &info);
    t.pred = golden_load(g, golden_name(g, "%s/pred", group), MG_U8, NULL);
    t.height = (int)info.dim[0], t.width = (int)info.dim[1];
    history.dim[0] = 0;
    if (golden_has(g, used_name)) used = golden_load(g, used_name, MG_I32, &history);
    int count = (int)history.dim[0];
    mg_click *before = golden_alloc(g, (size_t)count * sizeof *before);
    for (int k = 0; k < count; k++) before[k] = (mg_click){used[2 * k], used[2 * k + 1], 0, 1};

    mg_clicker *c = clicker_for(g, &t, false);
    for (int mode = 0; mode < 3; mode++) {
        mg_cursor draw = mg_prompt_draw(&key, MG_RNG_CLICKS, (uint32_t)scalar(g, group, "stage"));
        mg_click click = mg_click_corrective(c, &t, 0, (mg_click_mode)mode, &draw, before, count);
        compare_click(g, click, want + 3 * mode, 3, group, "mode", mode);
    }
    mg_clicker_destroy(&c);
}

static void check_box(golden *g, const char *group)
{
    mg_h5_info info;
    mg_target t = {.depth = 1};
    mg_prompt_key key = load_key(g, group);
    const double *want = golden_load(g, golden_name(g, "%s/boxes", group), MG_F64, NULL);
    const double *side = golden_load(g, golden_name(g, "%s/image_long", group), MG_F64, NULL);

    t.gt = golden_load(g, golden_name(g, "%s/gt", group), MG_U8, &info);
    t.height = (int)info.dim[0], t.width = (int)info.dim[1];
    for (int mode = 0; mode < 3; mode++) {
        double box[4];
        mg_box_draw(&t, 0, (mg_box_mode)mode, *side, &key, box);
        for (int k = 0; k < 4; k++)
            golden_note(g, "box", relative(box[k], want[4 * mode + k]), 1e-12);
    }
}

void golden_kind_clicks(golden *g)
{
    check_stream(g);
    for (int64_t i = 0; i < cases_in(g, "eval2d"); i++) {
        char *group = golden_name(g, "eval2d/%03d", (int)i);
        check_eval2d(g, group, "clicks_edt", mg_click_edt);
        check_eval2d(g, group, "clicks_component", mg_click_component);
    }
    for (int64_t i = 0; i < cases_in(g, "eval3d"); i++)
        check_eval3d(g, golden_name(g, "eval3d/%03d", (int)i));
    for (int64_t i = 0; i < cases_in(g, "train_init"); i++)
        check_start(g, golden_name(g, "train_init/%03d", (int)i));
    for (int64_t i = 0; i < cases_in(g, "train_iter"); i++)
        check_corrective(g, golden_name(g, "train_iter/%03d", (int)i));
    for (int64_t i = 0; i < cases_in(g, "box"); i++)
        check_box(g, golden_name(g, "box/%03d", (int)i));
}
