// Golden files of weights: folders with a list of what must be read and what refused
// (tests/weight_cases.h), and position tables of files that lie beside resize_expected.h5, resized.
#include <stdio.h>
#include <string.h>

#include "models/weights_load.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "tests/golden.h"
#include "tests/weight_cases.h"

void golden_kind_weight_files(golden *g)
{
    weight_cases r = {0};

    golden_exact(g, weight_cases_run(golden_path(g), &r), "%s", mg_err_message());
    golden_exact(g, !r.failed && r.read + r.refused > 0, "%d of %d files failed", r.failed,
                 r.read + r.refused);
    golden_note(g, "slowest_s", r.slowest_s, 1);
    golden_note(g, "most_mb", r.most_mb, 64);
    mg_err_clear();
}

// Read one tensor of this name and shape through the loader.
static bool load_one(const char *file, const char *name, bool linear, int ndim, const int64_t *dim,
                     float *out)
{
    mg_load_how how = {.positions = linear ? "bilinear" : "bicubic"};
    mg_weights *w = NULL;
    mg_params p = {0};
    mg_load_plan plan = {0};

    if (ndim == 4)
        mg_params_add(&p, name, MG_INIT_ZERO, 0, 4, 1, (int)dim[1], (int)dim[2], (int)dim[3]);
    else
        mg_params_add(&p, name, MG_INIT_ZERO, 0, 2, (int)dim[0], (int)dim[1]);
    mg_status st = mg_params_alloc(&p);
    if (!st) st = mg_weights_open(file, 0, &w);
    if (!st) st = mg_load_plan_make(w, &p, &how, &plan);
    if (!st) st = mg_load_plan_run(&plan, w, &how, &p);
    if (!st) memcpy(out, p.data, p.list[0].size * sizeof *out);
    mg_load_plan_free(&plan);
    mg_weights_close(&w);
    mg_params_free(&p);
    mg_err_clear();
    return !st;
}

static void compare(golden *g, const char *file, const char *tensor, bool linear,
                    const char *expected, int ndim)
{
    mg_h5_info info;
    const float *want = golden_f32(g, expected, &info);
    float *got = golden_alloc(g, (size_t)info.count * sizeof *got);
    int64_t dim[4] = {1, info.dim[0], info.dim[1], info.dim[2]};

    if (!load_one(file, tensor, linear, ndim, ndim == 4 ? dim : info.dim, got))
        golden_exact(g, false, "'%s' gives no '%s' for '%s'", file, tensor, expected);
    else
        golden_note(g, "resized", golden_max(got, want, (size_t)info.count), 2e-6);
}

// The weight file of the folder that has a tensor of this name (the golden ones are called
// sam_like_tiny.pth and mae_like_tiny.pth).
static char *file_with(golden *g, const char *tensor)
{
    mg_texts files = {0};
    char *folder = mg_path_dir(golden_path(g)), *found = NULL;

    golden_exact(g, !mg_list_dir(folder, NULL, &files, NULL), "cannot list '%s'", folder);
    for (size_t i = 0; i < files.count && !found; i++) {
        char *path = golden_name(g, "%s/%s", folder, files.item[i]);
        mg_weights *w = NULL;
        if (!mg_path_has_ext(path, ".pth")) continue;
        if (!mg_weights_open(path, 0, &w) && mg_weights_find(w, tensor) >= 0) found = path;
        mg_weights_close(&w);
    }
    mg_err_clear();
    mg_texts_free(&files);
    mg_free(folder);
    golden_exact(g, found, "no file with a tensor '%s' lies beside it", tensor);
    return found;
}

static void resize_positions(golden *g, const char *group, const char *file)
{
    static const char *const kinds[] = {"bicubic", "bilinear"};
    int count = 0;

    for (int k = 0; k < 2 && file; k++) {
        char **names = golden_list(g, golden_name(g, "%s/%s", group, kinds[k]), &count);
        for (int i = 0; i < count; i++)
            compare(g, file, "image_encoder.pos_embed", k == 1,
                    golden_name(g, "%s/%s/%s", group, kinds[k], names[i]), 4);
    }
}

void golden_kind_weights_resize(golden *g)
{
    const char *sam = file_with(g, "image_encoder.pos_embed");
    int tables = 0, grids = 0;

    resize_positions(g, "sam_pos_embed", sam);
    resize_positions(g, "mae_pos_embed", file_with(g, "cls_token"));
    char **table = golden_list(g, "rel_pos", &tables); // "block0_h/"
    for (int t = 0; t < tables && sam; t++) {
        int block;
        char side;
        bool known = sscanf(table[t], "block%d_%c", &block, &side) == 2;
        golden_exact(g, known, "unknown table '%s'", table[t]);
        char **grid = golden_list(g, golden_name(g, "rel_pos/%s", table[t]), &grids);
        for (int i = 0; i < grids && known; i++)
            compare(g, sam, golden_name(g, "image_encoder.blocks.%d.attn.rel_pos_%c", block, side),
                    false, golden_name(g, "rel_pos/%s%s", table[t], grid[i]), 2);
    }
}
