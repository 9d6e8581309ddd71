// Golden files of kind sam_encoder: the SAM image encoder forward, its taps, and all gradients of
// sum(embedding * R) (tests/golden/README.md).
#include <stdio.h>
#include <string.h>

#include "models/vit.h"
#include "nn/nn.h"
#include "runtime/mem.h"
#include "tests/golden.h"
#include "tests/golden_model.h"

mg_vit_config golden_vit_config(golden *g)
{
    mg_vit_config c = {.prefix = "image_encoder.",
                       .C = (int)golden_int(g, "/", "in_chans"),
                       .patch = (int)golden_int(g, "/", "patch"),
                       .D = (int)golden_int(g, "/", "dim"),
                       .depth = (int)golden_int(g, "/", "depth"),
                       .heads = (int)golden_int(g, "/", "heads"),
                       .window = (int)golden_int(g, "/", "window"),
                       .neck = (int)golden_int(g, "/", "prompt_dim")};
    int64_t list[MG_MAX_BLOCKS];
    int count = 0;

    c.hidden = (int)(c.D * golden_real(g, "/", "mlp_ratio"));
    golden_ints(g, "/", "img", list, 2);
    c.Y = (int)list[0], c.X = (int)list[1];
    c.pos_h = c.rel_h = c.Y / c.patch;
    c.pos_w = c.rel_w = c.X / c.patch;
    if (mg_h5_has_attr(golden_file(g), "/", "pos_grid")) {
        golden_ints(g, "/", "pos_grid", list, 2);
        c.pos_h = (int)list[0], c.pos_w = (int)list[1];
    }
    if (mg_h5_has_attr(golden_file(g), "/", "rel_global")) {
        golden_ints(g, "/", "rel_global", list, 2);
        c.rel_h = (int)list[0], c.rel_w = (int)list[1];
    }
    count = golden_ints(g, "/", "global_idx", list, MG_MAX_BLOCKS);
    for (int i = 0; i < count; i++) c.global |= (uint64_t)1 << list[i];
    return c;
}

static void compare_taps(golden *g, const mg_vit *v, const mg_vit_acts *a, const float *e, int B)
{
    size_t map = (size_t)B * v->gh * v->gw;

    golden_note(g, "forward",
                golden_l2(e, golden_f32(g, "taps/patch_embed", NULL), map * v->cfg.D, 0), 1e-5);
    golden_note(g, "forward",
                golden_l2(a->stack.x[0], golden_f32(g, "taps/tokens", NULL), map * v->cfg.D, 0),
                1e-5);
    for (int i = 0; i < v->cfg.depth; i++) {
        char *name = golden_name(g, "taps/block%d", i);
        golden_note(g, "forward",
                    golden_l2(a->stack.x[i + 1], golden_f32(g, name, NULL), map * v->cfg.D, 0),
                    1e-5);
    }
    float *embedding = golden_alloc(g, map * v->cfg.neck * sizeof(float));
    mg_to_channels_first(embedding, a->out, B, v->gh * v->gw, v->cfg.neck);
    golden_note(g, "forward",
                golden_l2(embedding, golden_f32(g, "output/embedding", NULL), map * v->cfg.neck, 0),
                1e-5);
}

static void run(golden *g, mg_keep keep)
{
    mg_vit_config cfg = golden_vit_config(g);
    mg_vit v;
    mg_params p = {0};
    mg_vit_acts a;
    mg_layout at = {0};
    mg_h5_info info;
    const float *images = golden_f32(g, "input/image", &info);
    int B = (int)info.dim[0], N = (cfg.Y / cfg.patch) * (cfg.X / cfg.patch);
    size_t map = (size_t)B * N;

    mg_vit_add(&v, &p, &cfg);
    golden_params(g, &p, "params/");
    float *scratch = golden_alloc(g, mg_vit_scratch(&v, B, N) * sizeof(float));
    mg_vit_acts_layout(&at, &a, &v, B, N, keep);
    at = (mg_layout){.base = golden_alloc(g, at.used)};
    mg_vit_acts_layout(&at, &a, &v, B, N, keep);

    float *e = golden_alloc(g, map * cfg.D * sizeof(float));
    mg_vit_embed(e, &v, &p, images, B, NULL, N, scratch);
    mg_vit_forward(&a, &v, &p, images, B, 1, scratch);
    compare_taps(g, &v, &a, e, B);

    float *dout = golden_alloc(g, map * cfg.neck * sizeof(float));
    float *dimage = golden_alloc(g, (size_t)B * cfg.C * cfg.Y * cfg.X * sizeof(float));
    float *grads = golden_alloc(g, p.trainable_size * sizeof(float));
    mg_to_channels_last(dout, golden_f32(g, "loss/R", NULL), B, N, cfg.neck);
    mg_vit_backward(dimage, grads, &a, &v, &p, dout, images, NULL, scratch);
    golden_grads(g, &p, grads, "grads/", "input_image", dimage);
    mg_params_free(&p);
}

void golden_kind_sam_encoder(golden *g)
{
    run(g, MG_KEEP_ALL);
    run(g, MG_KEEP_INPUTS);
}
