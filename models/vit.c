// The encoder: tensors in checkpoint order (model.md 8.1, pretraining.md 10), patch embedding and
// positions, neck. The blocks are models/stack.c's.
#include "models/vit.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nn/nn.h"

static const float EPS = 1e-6f;

// --- configurations -------------------------------------------------------------------------------

static const struct {
    const char *name;
    int D, depth, heads;
    uint64_t global;
} named[] = {
    {"vit_b", 768, 12, 12, 1u << 2 | 1u << 5 | 1u << 8 | 1u << 11},
    {"vit_l", 1024, 24, 16, 1u << 5 | 1u << 11 | 1u << 17 | 1u << 23},
    {"vit_h", 1280, 32, 16, 1u << 7 | 1u << 15 | 1u << 23 | 1u << 31},
};

mg_status mg_vit_named(const char *name, int side, mg_vit_config *cfg)
{
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (strcmp(named[i].name, name)) continue;
        *cfg = (mg_vit_config){.prefix = "image_encoder.",
                               .Y = side,
                               .X = side,
                               .C = 3,
                               .patch = 16,
                               .D = named[i].D,
                               .depth = named[i].depth,
                               .heads = named[i].heads,
                               .hidden = 4 * named[i].D,
                               .window = 14,
                               .global = named[i].global,
                               .pos_h = 64,
                               .pos_w = 64,
                               .rel_h = 64,
                               .rel_w = 64,
                               .neck = 256,
                               .adapter_scale = 0.5f};
        return MG_OK;
    }
    return MG_FAIL(MG_ERR_CONFIG, "unknown encoder '%s', expected vit_b, vit_l or vit_h", name);
}

mg_status mg_vit_named_mae(const char *name, int side, mg_vit_config *cfg)
{
    MG_TRY(mg_vit_named(name, side, cfg));
    cfg->prefix = "";
    cfg->mae = true;
    cfg->window = cfg->neck = 0;
    cfg->pos_h = cfg->pos_w = cfg->rel_h = cfg->rel_w = 0;
    return MG_OK;
}

mg_status mg_vit_check(const mg_vit_config *c)
{
    MG_CHECK(c->patch > 0 && c->Y > 0 && c->X > 0 && c->Y % c->patch == 0 && c->X % c->patch == 0,
             MG_ERR_CONFIG, "image of %d x %d is not a multiple of the patch side %d", c->Y, c->X,
             c->patch);
    MG_CHECK(c->depth >= 1 && c->depth <= MG_MAX_BLOCKS, MG_ERR_CONFIG,
             "depth must be 1 to %d, not %d", MG_MAX_BLOCKS, c->depth);
    MG_CHECK(c->heads >= 1 && c->D >= 1 && c->D % c->heads == 0, MG_ERR_CONFIG,
             "width %d is not a multiple of the number of heads %d", c->D, c->heads);
    MG_CHECK(c->hidden >= 1, MG_ERR_CONFIG, "MLP width must be positive, not %d", c->hidden);
    MG_CHECK(c->window >= 0, MG_ERR_CONFIG, "window must not be negative, not %d", c->window);
    MG_CHECK(!c->mae || c->D % 4 == 0, MG_ERR_CONFIG,
             "sin-cos positions need a width that is a multiple of 4, not %d", c->D);
    MG_CHECK(!c->cls || (c->mae && !c->rel_h && !c->window), MG_ERR_CONFIG,
             "a class token goes with neither windows nor relative positions");
    MG_CHECK(!c->depth_branch || c->adapter, MG_ERR_CONFIG, "the depth branch needs adapters");
    return MG_OK;
}

// --- tensors --------------------------------------------------------------------------------------

static const char *full_name(char *room, size_t size, const mg_vit *v, const char *name)
{
    snprintf(room, size, "%s%s", v->cfg.prefix, name);
    return room;
}

void mg_vit_add_tables(mg_vit *v, mg_params *p, const mg_vit_config *cfg)
{
    char name[256];

    *v = (mg_vit){.cfg = *cfg, .gh = cfg->Y / cfg->patch, .gw = cfg->X / cfg->patch, .cls = -1};
    if (!v->cfg.pos_h) v->cfg.pos_h = v->gh, v->cfg.pos_w = v->gw;
    if (cfg->cls)
        v->cls = mg_params_add(p, full_name(name, sizeof name, v, "cls_token"), MG_INIT_NORMAL,
                               0.02, 3, 1, 1, cfg->D);
    full_name(name, sizeof name, v, "pos_embed");
    if (cfg->mae)
        v->pos = mg_params_add_buffer(p, name, MG_INIT_TABLE, 0, 3, 1,
                                      v->gh * v->gw + (cfg->cls ? 1 : 0), cfg->D);
    else
        v->pos = mg_params_add(p, name, MG_INIT_ZERO, 0, 4, 1, v->cfg.pos_h, v->cfg.pos_w, cfg->D);
}

static void add_neck(mg_vit *v, mg_params *p)
{
    const mg_vit_config *c = &v->cfg;
    char name[256];

    for (int i = 0; i < 2; i++) {
        int in = i ? c->neck : c->D, k = i ? 3 : 1;

        full_name(name, sizeof name, v, i ? "neck.2.weight" : "neck.0.weight");
        v->neck_w[i] = mg_params_add(p, name, MG_INIT_UNIFORM, mg_fan_in_bound((int64_t)in * k * k),
                                     4, c->neck, in, k, k);
        full_name(name, sizeof name, v, i ? "neck.3.weight" : "neck.1.weight");
        v->neck_norm_w[i] = mg_params_add(p, name, MG_INIT_ONE, 0, 1, c->neck);
        full_name(name, sizeof name, v, i ? "neck.3.bias" : "neck.1.bias");
        v->neck_norm_b[i] = mg_params_add(p, name, MG_INIT_ZERO, 0, 1, c->neck);
    }
}

void mg_vit_add_layers(mg_vit *v, mg_params *p)
{
    const mg_vit_config *c = &v->cfg;
    int64_t fan_in = (int64_t)c->C * c->patch * c->patch;
    double bound = c->mae ? mg_xavier_bound(fan_in, c->D) : mg_fan_in_bound(fan_in);
    mg_block_config blocks = {.D = c->D,
                              .heads = c->heads,
                              .hidden = c->hidden,
                              .mae = c->mae,
                              .gh = v->gh,
                              .gw = v->gw,
                              .window = c->window,
                              .rel_h = c->rel_h,
                              .rel_w = c->rel_w,
                              .early_windows = c->early_windows,
                              .adapter = c->adapter,
                              .adapter_form = c->adapter_form,
                              .depth = c->depth_branch,
                              .adapter_scale = c->adapter_scale};
    char name[256];

    full_name(name, sizeof name, v, "patch_embed.proj.weight");
    v->patch_w = mg_params_add(p, name, MG_INIT_UNIFORM, bound, 4, c->D, c->C, c->patch, c->patch);
    full_name(name, sizeof name, v, "patch_embed.proj.bias");
    v->patch_b = mg_params_add(p, name, c->mae ? MG_INIT_ZERO : MG_INIT_UNIFORM, bound, 1, c->D);
    mg_stack_add(&v->stack, p, full_name(name, sizeof name, v, "blocks"), &blocks, c->depth,
                 c->global);
    if (c->mae) {
        full_name(name, sizeof name, v, "norm.weight");
        v->norm_w = mg_params_add(p, name, MG_INIT_ONE, 0, 1, c->D);
        full_name(name, sizeof name, v, "norm.bias");
        v->norm_b = mg_params_add(p, name, MG_INIT_ZERO, 0, 1, c->D);
    }
    if (c->neck) add_neck(v, p);
}

void mg_vit_add(mg_vit *v, mg_params *p, const mg_vit_config *cfg)
{
    mg_vit_add_tables(v, p, cfg);
    mg_vit_add_layers(v, p);
}

void mg_vit_fill_tables(const mg_vit *v, mg_params *p)
{
    if (v->cfg.mae) mg_sincos_table(mg_weight(p, v->pos), v->gh, v->gw, v->cfg.D, v->cfg.cls);
}

// --- layouts --------------------------------------------------------------------------------------

void mg_vit_acts_layout(mg_layout *at, mg_vit_acts *a, const mg_vit *v, int B, int N, mg_keep keep)
{
    const mg_vit_config *c = &v->cfg;
    size_t rows = (size_t)B * N;

    mg_stack_acts_layout(at, &a->stack, &v->stack, B, N, keep);
    a->out = a->stack.x[c->depth];
    a->dx = keep == MG_KEEP_NONE ? NULL : mg_place(at, rows * c->D);
    if (c->mae) {
        a->out = a->y = mg_place(at, rows * c->D);
        a->mean = mg_place(at, rows);
        a->rstd = mg_place(at, rows);
    }
    if (!c->neck) return;
    a->n0 = mg_place(at, rows * c->neck);
    a->n1 = mg_place(at, rows * c->neck);
    a->n2 = mg_place(at, rows * c->neck);
    for (int i = 0; i < 2; i++) {
        a->nmean[i] = mg_place(at, rows);
        a->nrstd[i] = mg_place(at, rows);
    }
    a->out = mg_place(at, rows * c->neck);
}

// Scratch outside of the blocks.
typedef struct {
    float *patches, *dpatches;    // [B N, C p p]
    float *pos, *resize;          // [N, D]
    float *norm, *d0, *d1, *conv; // neck: [B N, neck] twice
} workspace;

static void workspace_layout(mg_layout *at, workspace *w, const mg_vit *v, int B, int N)
{
    const mg_vit_config *c = &v->cfg;
    size_t rows = (size_t)B * N, patch = (size_t)c->C * c->patch * c->patch;
    mg_layout embed = *at, neck = *at;

    w->patches = mg_place(&embed, rows * patch);
    w->dpatches = mg_place(&embed, rows * patch);
    w->pos = mg_place(&embed, (size_t)v->gh * v->gw * c->D);
    w->resize = mg_place(&embed, mg_resize_scratch(c->pos_h, c->pos_w, c->D, v->gh, v->gw));
    w->norm = mg_place(&neck, mg_layernorm_scratch(c->D > c->neck ? c->D : c->neck));
    w->d0 = mg_place(&neck, rows * c->neck);
    w->d1 = mg_place(&neck, rows * c->neck);
    w->conv = mg_place(&neck, c->neck ? mg_conv3x3_scratch(v->gh, v->gw, c->neck, c->neck) : 0);
    at->used = embed.used > neck.used ? embed.used : neck.used;
}

size_t mg_vit_scratch(const mg_vit *v, int B, int N)
{
    size_t stack = mg_stack_scratch(&v->stack, B, N);
    mg_layout at = {0};
    workspace w;

    workspace_layout(&at, &w, v, B, N);
    return at.used / sizeof(float) > stack ? at.used / sizeof(float) : stack;
}

static workspace workspace_of(float *scratch, const mg_vit *v, int B, int N)
{
    mg_layout at = {.base = (char *)scratch};
    workspace w;

    workspace_layout(&at, &w, v, B, N);
    return w;
}

// --- patch embedding and positions ----------------------------------------------------------------

void mg_vit_embed(float *e, const mg_vit *v, const mg_params *p, const float *images, int B,
                  const int32_t *keep, int n, float *scratch)
{
    const mg_vit_config *c = &v->cfg;
    workspace w = workspace_of(scratch, v, B, n);

    mg_patches(w.patches, images, B, c->C, c->Y, c->X, c->patch, keep, n);
    mg_linear_forward(e, w.patches, mg_weight(p, v->patch_w), mg_weight(p, v->patch_b), B * n,
                      c->C * c->patch * c->patch, c->D, p->precision);
}

void mg_vit_embed_backward(float *dimages, float *grads, const mg_vit *v, const mg_params *p,
                           const float *images, const float *de, int B, const int32_t *keep, int n,
                           float *scratch)
{
    const mg_vit_config *c = &v->cfg;
    workspace w = workspace_of(scratch, v, B, n);
    float *dweight = mg_grad(p, grads, v->patch_w);

    assert(!dimages || !keep);
    if (dweight) mg_patches(w.patches, images, B, c->C, c->Y, c->X, c->patch, keep, n);
    mg_linear_backward(dimages ? w.dpatches : NULL, dweight, mg_grad(p, grads, v->patch_b), de,
                       w.patches, mg_weight(p, v->patch_w), B * n, c->C * c->patch * c->patch, c->D,
                       false, p->precision);
    if (dimages) mg_patches_backward(dimages, w.dpatches, B, c->C, c->Y, c->X, c->patch);
}

static bool pos_fits(const mg_vit *v)
{
    return v->cfg.pos_h == v->gh && v->cfg.pos_w == v->gw;
}

// x [B, gh gw, D] += positions, resized to the grid of the image if they are stored for another.
static void add_positions(float *x, const mg_vit *v, const mg_params *p, int B, float *scratch)
{
    const mg_vit_config *c = &v->cfg;
    workspace w = workspace_of(scratch, v, B, v->gh * v->gw);
    const float *pos = mg_weight(p, v->pos);

    if (!pos_fits(v)) {
        mg_resize_forward(w.pos, pos, c->pos_h, c->pos_w, c->D, v->gh, v->gw, MG_RESIZE_CUBIC,
                          w.resize);
        pos = w.pos;
    }
    mg_add_rows(x, pos, B, v->gh * v->gw, c->D);
}

// x [B, 1 + gh gw, D]: class token, then e, with positions.
static void class_and_positions(float *x, const float *e, const mg_vit *v, const mg_params *p,
                                int B)
{
    int L = v->gh * v->gw, D = v->cfg.D;
    size_t rows = (size_t)L * D;

    for (int b = 0; b < B; b++, x += rows + D) {
        memcpy(x, mg_weight(p, v->cls), (size_t)D * sizeof *x);
        memcpy(x + D, e + b * rows, rows * sizeof *x);
        mg_add_rows(x, mg_weight(p, v->pos), 1, L + 1, D);
    }
}

static void positions_backward(float *grads, const mg_vit *v, const mg_params *p, const float *dx,
                               int B, float *scratch)
{
    const mg_vit_config *c = &v->cfg;
    int N = v->gh * v->gw;
    workspace w = workspace_of(scratch, v, B, N);
    float *dpos = mg_grad(p, grads, v->pos);

    if (!dpos) return;
    if (pos_fits(v)) {
        mg_add_rows_backward(dpos, dx, B, N, c->D);
        return;
    }
    memset(w.pos, 0, (size_t)N * c->D * sizeof(float));
    mg_add_rows_backward(w.pos, dx, B, N, c->D);
    mg_resize_backward(dpos, w.pos, c->pos_h, c->pos_w, c->D, v->gh, v->gw, MG_RESIZE_CUBIC,
                       w.resize);
}

// --- blocks, final norm, neck ---------------------------------------------------------------------

void mg_vit_encode(mg_vit_acts *a, const mg_vit *v, const mg_params *p, int B, int N, int slices,
                   const int32_t *coord, float *scratch)
{
    mg_stack_forward(&a->stack, &v->stack, p, B, N, slices, coord, scratch);
    if (v->cfg.mae)
        mg_layernorm_forward(a->y, a->mean, a->rstd, a->stack.x[v->cfg.depth],
                             mg_weight(p, v->norm_w), mg_weight(p, v->norm_b), B * N, v->cfg.D,
                             EPS);
}

void mg_vit_encode_backward(mg_vit_acts *a, bool through, float *grads, const mg_vit *v,
                            const mg_params *p, const mg_ready *ready, float *scratch)
{
    const mg_vit_config *c = &v->cfg;
    int B = a->stack.pass.B, N = a->stack.pass.N;

    if (c->mae) {
        workspace w = workspace_of(scratch, v, B, N);
        mg_layernorm_backward(a->dx, mg_grad(p, grads, v->norm_w), mg_grad(p, grads, v->norm_b),
                              a->dx, a->stack.x[c->depth], mg_weight(p, v->norm_w), a->mean,
                              a->rstd, B * N, c->D, false, w.norm);
        mg_ready_from(ready, p, v->norm_w);
    }
    mg_stack_backward(a->dx, through, grads, &a->stack, &v->stack, p, ready, scratch);
}

static void neck_forward(mg_vit_acts *a, const mg_vit *v, const mg_params *p, int B, float *scratch)
{
    const mg_vit_config *c = &v->cfg;
    int rows = B * v->gh * v->gw;
    workspace w = workspace_of(scratch, v, B, v->gh * v->gw);

    mg_linear_forward(a->n0, a->stack.x[c->depth], mg_weight(p, v->neck_w[0]), NULL, rows, c->D,
                      c->neck, p->precision);
    mg_layernorm_forward(a->n1, a->nmean[0], a->nrstd[0], a->n0, mg_weight(p, v->neck_norm_w[0]),
                         mg_weight(p, v->neck_norm_b[0]), rows, c->neck, EPS);
    mg_conv3x3_forward(a->n2, a->n1, mg_weight(p, v->neck_w[1]), B, v->gh, v->gw, c->neck, c->neck,
                       w.conv);
    mg_layernorm_forward(a->out, a->nmean[1], a->nrstd[1], a->n2, mg_weight(p, v->neck_norm_w[1]),
                         mg_weight(p, v->neck_norm_b[1]), rows, c->neck, EPS);
}

// dout -> a->dx
static void neck_backward(float *grads, mg_vit_acts *a, const mg_vit *v, const mg_params *p,
                          const float *dout, int B, float *scratch)
{
    const mg_vit_config *c = &v->cfg;
    int rows = B * v->gh * v->gw;
    workspace w = workspace_of(scratch, v, B, v->gh * v->gw);

    mg_layernorm_backward(w.d0, mg_grad(p, grads, v->neck_norm_w[1]),
                          mg_grad(p, grads, v->neck_norm_b[1]), dout, a->n2,
                          mg_weight(p, v->neck_norm_w[1]), a->nmean[1], a->nrstd[1], rows, c->neck,
                          false, w.norm);
    mg_conv3x3_backward(w.d1, mg_grad(p, grads, v->neck_w[1]), w.d0, a->n1,
                        mg_weight(p, v->neck_w[1]), B, v->gh, v->gw, c->neck, c->neck, w.conv);
    mg_layernorm_backward(w.d0, mg_grad(p, grads, v->neck_norm_w[0]),
                          mg_grad(p, grads, v->neck_norm_b[0]), w.d1, a->n0,
                          mg_weight(p, v->neck_norm_w[0]), a->nmean[0], a->nrstd[0], rows, c->neck,
                          false, w.norm);
    mg_linear_backward(a->dx, mg_grad(p, grads, v->neck_w[0]), NULL, w.d0, a->stack.x[c->depth],
                       mg_weight(p, v->neck_w[0]), rows, c->D, c->neck, false, p->precision);
}

// --- the whole encoder ----------------------------------------------------------------------------

void mg_vit_forward(mg_vit_acts *a, const mg_vit *v, const mg_params *p, const float *images, int B,
                    int slices, float *scratch)
{
    int N = v->gh * v->gw;

    if (v->cls >= 0) {
        mg_vit_embed(a->y, v, p, images, B, NULL, N, scratch);
        class_and_positions(a->stack.x[0], a->y, v, p, B);
        N++;
    } else {
        mg_vit_embed(a->stack.x[0], v, p, images, B, NULL, N, scratch);
        add_positions(a->stack.x[0], v, p, B, scratch);
    }
    mg_vit_encode(a, v, p, B, N, slices, NULL, scratch);
    if (v->cfg.neck) neck_forward(a, v, p, B, scratch);
}

static bool trained(const mg_params *p, const float *grads, int i)
{
    return grads && p->list[i].trainable;
}

void mg_vit_backward(float *dimages, float *grads, mg_vit_acts *a, const mg_vit *v,
                     const mg_params *p, const float *dout, const float *images,
                     const mg_ready *ready, float *scratch)
{
    int B = a->stack.pass.B, N = v->gh * v->gw;
    assert(v->cls < 0);
    bool through = dimages || trained(p, grads, v->pos) || trained(p, grads, v->patch_w) ||
                   trained(p, grads, v->patch_b);

    if (v->cfg.neck) {
        neck_backward(grads, a, v, p, dout, B, scratch);
        mg_ready_from(ready, p, v->neck_w[0]);
    } else {
        memcpy(a->dx, dout, (size_t)B * N * v->cfg.D * sizeof(float));
    }
    mg_vit_encode_backward(a, through, grads, v, p, ready, scratch);
    if (!through) return;
    positions_backward(grads, v, p, a->dx, B, scratch);
    mg_vit_embed_backward(dimages, grads, v, p, images, a->dx, B, NULL, N, scratch);
}
