// Sizes, passes and taps of SAM's golden files.
#include "tests/golden_sam.h"

#include <string.h>

#include "nn/nn.h"
#include "tests/golden_model.h"

static int field(golden *g, const char *name)
{
    return (int)golden_int(g, "/", name);
}

mg_sam_config golden_sam_config(golden *g, bool adapters)
{
    int64_t img[2] = {0}, grid[2] = {0};

    golden_ints(g, "/", "img", img, 2);
    golden_ints(g, "/", "grid", grid, 2);
    return (mg_sam_config){.prompt_dim = field(g, "prompt_dim"),
                           .mask_in = field(g, "mask_in"),
                           .depth = field(g, "dec_depth"),
                           .heads = field(g, "dec_heads"),
                           .mlp = field(g, "dec_mlp"),
                           .down = field(g, "dec_down"),
                           .n_multi = field(g, "n_multi"),
                           .iou_hidden = field(g, "iou_hidden"),
                           .iou_depth = field(g, "iou_depth"),
                           .gh = (int)grid[0],
                           .gw = (int)grid[1],
                           .height = (int)img[0],
                           .width = (int)img[1],
                           .adapters = adapters,
                           .ratio = adapters ? golden_real(g, "/", "ratio") : 0,
                           .scale = adapters ? golden_real(g, "/", "scale") : 0};
}

float *golden_f32_last(golden *g, const char *name, int cells)
{
    mg_h5_info info;
    const float *first = golden_f32(g, name, &info);
    float *last = golden_alloc(g, (size_t)info.count * sizeof *last);

    mg_to_channels_last(last, first, (int)info.dim[0], cells, (int)info.dim[1]);
    return last;
}

void golden_sam_pass(golden *g, const mg_sam *s, mg_sam_pass *pass, float **scratch,
                     const mg_sam_prompt *prompt, mg_sam_slots slots)
{
    mg_sam_shape shape = mg_sam_shape_of(prompt, slots);
    mg_layout at = {0};

    mg_sam_pass_layout(&at, pass, s, shape);
    at = (mg_layout){.base = golden_alloc(g, at.used)};
    mg_sam_pass_layout(&at, pass, s, shape);
    *scratch = golden_alloc(g, mg_sam_scratch(s, shape) * sizeof(float));
}

static void tap(golden *g, const char *name, const float *got, int first, size_t count, size_t each)
{
    mg_h5_info info;
    const float *want = golden_f32(g, name, &info);
    size_t start = first * each, n = count * each;

    golden_exact(g, start + n <= (size_t)info.count, "size of '%s'", name);
    if (start + n <= (size_t)info.count)
        golden_note(g, "taps", golden_l2(got, want + start, n, 0), 1e-5);
}

void golden_sam_taps(golden *g, const char *group, const mg_sam_pass *pass, const mg_sam *s,
                     int first)
{
    int count = pass->shape.B, E = s->cfg.prompt_dim, C8 = E / 8,
        Nt = 1 + s->T + pass->shape.sparse;
    size_t tokens = (size_t)Nt * E, keys = (size_t)s->N * E, hyper = (size_t)s->T * C8;
    float *up = golden_alloc(g, count * 2 * keys * sizeof *up);
    float *by_prompt = golden_alloc(g, count * hyper * sizeof *by_prompt);

    tap(g, golden_name(g, "%stokens", group), pass->tok, first, (size_t)count, tokens);
    for (int i = 0; i < s->cfg.depth; i++) {
        tap(g, golden_name(g, "%slayer%d.queries", group, i), pass->layer[i].norm3.out, first,
            (size_t)count, tokens);
        tap(g, golden_name(g, "%slayer%d.keys", group, i), pass->layer[i].norm4.out, first,
            (size_t)count, keys);
    }
    tap(g, golden_name(g, "%shs", group), pass->norm_final.out, first, (size_t)count, tokens);
    mg_to_channels_first(up, pass->up, count, 16 * s->N, C8);
    tap(g, golden_name(g, "%supscaled", group), up, first, (size_t)count, 2 * keys);
    for (int t = 0; t < s->T; t++)
        for (int b = 0; b < count; b++)
            memcpy(by_prompt + ((size_t)b * s->T + t) * C8,
                   pass->hyper + ((size_t)t * count + b) * C8, C8 * sizeof *up);
    tap(g, golden_name(g, "%shyper", group), by_prompt, first, (size_t)count, hyper);
}
