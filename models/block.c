// The block: its tensors, its scratch, forward, and backward in reverse order of the forward pass.
#include "models/block.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "nn/nn.h"

static const float EPS = 1e-6f;

// --- tensors --------------------------------------------------------------------------------------

static int add_vector(mg_params *p, const char *prefix, const char *name, mg_init init, int n)
{
    char full[256];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    return mg_params_add(p, full, init, 0, 1, n);
}

static int add_table(mg_params *p, const char *prefix, const char *name, int rows, int cols)
{
    char full[256];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    return mg_params_add(p, full, MG_INIT_ZERO, 0, 2, rows, cols);
}

static void add_linear(mg_params *p, const char *prefix, const char *name, bool mae, int out_dim,
                       int in_dim, int *weight, int *bias)
{
    double bound = mae ? mg_xavier_bound(in_dim, out_dim) : mg_fan_in_bound(in_dim);
    char full[256];

    snprintf(full, sizeof full, "%s.%s.weight", prefix, name);
    *weight = mg_params_add(p, full, MG_INIT_UNIFORM, bound, 2, out_dim, in_dim);
    snprintf(full, sizeof full, "%s.%s.bias", prefix, name);
    *bias = mg_params_add(p, full, mae ? MG_INIT_ZERO : MG_INIT_UNIFORM, bound, 1, out_dim);
}

static mg_adapter add_adapter(mg_params *p, const char *prefix, const char *name,
                              const mg_block_config *c)
{
    char full[256];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    return mg_adapter_add(p, full, c->D, c->adapter, c->adapter_form, false);
}

mg_block mg_block_add(mg_params *p, const char *prefix, const mg_block_config *c, bool windowed)
{
    mg_block b = {.windowed = windowed, .first = p->count, .rel_h = -1, .rel_w = -1};
    int d = c->D / c->heads;

    b.norm1_w = add_vector(p, prefix, "norm1.weight", MG_INIT_ONE, c->D);
    b.norm1_b = add_vector(p, prefix, "norm1.bias", MG_INIT_ZERO, c->D);
    if (c->rel_h) {
        int h = 2 * (windowed ? c->window : c->rel_h) - 1;
        int w = 2 * (windowed ? c->window : c->rel_w) - 1;
        b.rel_h = add_table(p, prefix, "attn.rel_pos_h", h, d);
        b.rel_w = add_table(p, prefix, "attn.rel_pos_w", w, d);
    }
    add_linear(p, prefix, "attn.qkv", c->mae, 3 * c->D, c->D, &b.qkv_w, &b.qkv_b);
    add_linear(p, prefix, "attn.proj", c->mae, c->D, c->D, &b.proj_w, &b.proj_b);
    b.norm2_w = add_vector(p, prefix, "norm2.weight", MG_INIT_ONE, c->D);
    b.norm2_b = add_vector(p, prefix, "norm2.bias", MG_INIT_ZERO, c->D);
    add_linear(p, prefix, c->mae ? "mlp.fc1" : "mlp.lin1", c->mae, c->hidden, c->D, &b.fc1_w,
               &b.fc1_b);
    add_linear(p, prefix, c->mae ? "mlp.fc2" : "mlp.lin2", c->mae, c->D, c->hidden, &b.fc2_w,
               &b.fc2_b);
    if (c->adapter) {
        b.space = add_adapter(p, prefix, "Space_Adapter", c);
        if (c->depth) b.depth = add_adapter(p, prefix, "Depth_Adapter", c);
        b.mlp = add_adapter(p, prefix, "MLP_Adapter", c);
    }
    b.last = p->count - 1;
    return b;
}

static bool trained(const mg_params *p, int first, int last)
{
    for (int i = first; i <= last; i++)
        if (p->list[i].trainable) return true;
    return false;
}

bool mg_block_trained(const mg_block *b, const mg_params *p)
{
    return trained(p, b->first, b->last);
}

// --- attention of a block -------------------------------------------------------------------------

int mg_block_windows(const mg_block_config *c)
{
    return ((c->gh + c->window - 1) / c->window) * ((c->gw + c->window - 1) / c->window);
}

static mg_attn attn_common(const mg_block_config *c)
{
    int d = c->D / c->heads;

    return (mg_attn){.heads = c->heads,
                     .d = d,
                     .q_stride = 3 * c->D,
                     .k_stride = 3 * c->D,
                     .v_stride = 3 * c->D,
                     .o_stride = c->D,
                     .scale = 1.0f / sqrtf((float)d)};
}

// Attention inside each image. Position tables [2 gh - 1, d], [2 gw - 1, d] or NULL.
static mg_attn attn_space(const mg_block_config *c, bool windowed, int B, int N,
                          const float *table_h, const float *table_w)
{
    mg_attn a = attn_common(c);

    a.problems = windowed ? B * mg_block_windows(c) : B;
    a.nq = a.nk = windowed ? c->window * c->window : N;
    if (table_h) {
        a.gh = windowed ? c->window : c->gh;
        a.gw = windowed ? c->window : c->gw;
        a.rel_h = table_h;
        a.rel_w = table_w;
    }
    return a;
}

// Attention over the slices of each stack, one sequence per token place.
static mg_attn attn_depth(const mg_block_config *c, int B, int N, int slices)
{
    mg_attn a = attn_common(c);

    a.problems = B / slices * N;
    a.nq = a.nk = slices;
    return a;
}

// --- layouts --------------------------------------------------------------------------------------

void mg_block_acts_layout(mg_layout *at, mg_block_acts *a, const mg_block_config *c, bool windowed,
                          int B, int N)
{
    size_t rows = (size_t)B * N;
    mg_attn s = attn_space(c, windowed, B, N, NULL, NULL);

    a->mean1 = mg_place(at, rows);
    a->rstd1 = mg_place(at, rows);
    a->qkv = mg_place(at, rows * 3 * c->D);
    a->lse = mg_place(at, (size_t)s.problems * s.heads * s.nq);
    a->attn = mg_place(at, rows * c->D);
    a->x1 = mg_place(at, rows * c->D);
    a->mean2 = mg_place(at, rows);
    a->rstd2 = mg_place(at, rows);
    a->u = mg_place(at, rows * c->hidden);
    if (!c->adapter) return;
    a->proj = mg_place(at, rows * c->D);
    a->space_h = mg_place(at, rows * c->adapter);
    a->mlp_h = mg_place(at, rows * c->adapter);
    if (!c->depth) return;
    a->lse_d = mg_place(at, rows * c->heads);
    a->attn_d = mg_place(at, rows * c->D);
    a->proj_d = mg_place(at, rows * c->D);
    a->depth_h = mg_place(at, rows * c->adapter);
}

typedef struct {
    float *thin[2];              // [R, D]
    float *wide[2];              // [R, wide_cols]
    float *table[2], *dtable[2]; // resized position tables and their gradients
    float *pad, *dpad;           // [3 D] qkv of the padding where windows are cut before norm1
    float *resize, *norm, *attn;
} workspace;

static size_t wide_cols(const mg_block_config *c)
{
    size_t cols = 3 * (size_t)c->D, adapter = mg_adapter_scratch(c->D, c->adapter, 1);

    if ((size_t)c->hidden > cols) cols = c->hidden;
    return adapter > cols ? adapter : cols;
}

static size_t attn_floats(const mg_block_config *c, bool any_windowed, int B, int N)
{
    static const float some; // what is only asked for being there
    static const int32_t row;
    const float *table = c->rel_h ? &some : NULL;
    int threads = omp_get_max_threads();
    mg_attn a = attn_space(c, false, B, N, table, table);
    size_t most = mg_attn_scratch(&a, threads), n;

    if (any_windowed) {
        a = attn_space(c, true, B, N, table, table);
        a.qrow = a.krow = &row;
        a.k_pad = a.v_pad = &some;
        n = mg_attn_scratch(&a, threads);
        most = n > most ? n : most;
    }
    for (int slices = 1; c->depth && slices <= B; slices++) {
        a = attn_depth(c, B, N, slices);
        a.qrow = a.krow = &row;
        n = mg_attn_scratch(&a, threads);
        most = n > most ? n : most;
    }
    return most;
}

static void workspace_layout(mg_layout *at, workspace *w, const mg_block_config *c, size_t rows)
{
    int side = c->gh > c->gw ? c->gh : c->gw, rel = c->rel_h > c->rel_w ? c->rel_h : c->rel_w;
    size_t table = c->rel_h ? (size_t)2 * side * (c->D / c->heads) : 0;

    for (int i = 0; i < 2; i++) w->thin[i] = mg_place(at, rows * c->D);
    for (int i = 0; i < 2; i++) w->wide[i] = mg_place(at, rows * wide_cols(c));
    for (int i = 0; i < 2; i++) w->table[i] = mg_place(at, table);
    for (int i = 0; i < 2; i++) w->dtable[i] = mg_place(at, table);
    w->pad = mg_place(at, c->early_windows ? 3 * (size_t)c->D : 0);
    w->dpad = mg_place(at, c->early_windows ? 3 * (size_t)c->D : 0);
    w->resize = mg_place(
        at, c->rel_h ? mg_resize_scratch(2 * rel - 1, 1, c->D / c->heads, 2 * side - 1, 1) : 0);
    w->norm = mg_place(at, mg_layernorm_scratch(c->D));
    w->attn = mg_place(at, 0); // last: its size is not needed to place it
}

size_t mg_block_scratch(const mg_block_config *c, bool any_windowed, int B, int N)
{
    mg_layout at = {0};
    workspace w;

    workspace_layout(&at, &w, c, (size_t)B * N);
    return at.used / sizeof(float) + attn_floats(c, any_windowed, B, N);
}

static workspace workspace_of(const mg_block_pass *s)
{
    mg_layout at = {.base = (char *)s->scratch};
    workspace w;

    workspace_layout(&at, &w, s->cfg, (size_t)s->B * s->N);
    return w;
}

// --- position tables ------------------------------------------------------------------------------

// The stored table of one axis on the grid of this pass: itself, or resized into `room`.
static const float *table_of(int i, int side, const mg_params *p, float *room, float *scratch)
{
    int rows = (int)p->list[i].dim[0], d = (int)p->list[i].dim[1], wanted = 2 * side - 1;

    if (rows == wanted) return mg_weight(p, i);
    mg_resize_forward(room, mg_weight(p, i), rows, 1, d, wanted, 1, MG_RESIZE_LINEAR, scratch);
    return room;
}

// Where the attention's gradient of a table goes: into `grads`, or into `room` (zeroed).
static float *table_grad(int i, int side, float *grads, const mg_params *p, float *room)
{
    float *dtable = mg_grad(p, grads, i);
    size_t wanted = 2 * (size_t)side - 1, d = (size_t)p->list[i].dim[1];

    if (!dtable || p->list[i].dim[0] == (int64_t)wanted) return dtable;
    memset(room, 0, wanted * d * sizeof *room);
    return room;
}

static void table_backward(int i, int side, float *grads, const mg_params *p, const float *room,
                           float *scratch)
{
    float *dtable = mg_grad(p, grads, i);
    int rows = (int)p->list[i].dim[0], d = (int)p->list[i].dim[1], wanted = 2 * side - 1;

    if (dtable && rows != wanted)
        mg_resize_backward(dtable, room, rows, 1, d, wanted, 1, MG_RESIZE_LINEAR, scratch);
}

// --- padding of windows ---------------------------------------------------------------------------

static bool has_early_windows(const mg_block *b, const mg_block_config *c)
{
    return b->windowed && c->early_windows;
}

// q, k and v [3 D] of a padding token: norm1 of a zero token is its bias; later padding is zero itself.
static const float *padding_of(const mg_block *b, const mg_params *p, const mg_block_config *c,
                               const workspace *w)
{
    if (!has_early_windows(b, c)) return mg_weight(p, b->qkv_b);
    mg_linear_forward(w->pad, mg_weight(p, b->norm1_b), mg_weight(p, b->qkv_w),
                      mg_weight(p, b->qkv_b), 1, c->D, 3 * c->D, p->precision);
    return w->pad;
}

// Where the attention's gradient of q, k and v of the padding goes (added to); NULL: not wanted.
static float *padding_grad(float *grads, const mg_block *b, const mg_params *p,
                           const mg_block_config *c, const workspace *w)
{
    if (!b->windowed) return NULL;
    if (!has_early_windows(b, c)) return mg_grad(p, grads, b->qkv_b);
    if (!mg_grad(p, grads, b->qkv_b) && !mg_grad(p, grads, b->qkv_w) &&
        !mg_grad(p, grads, b->norm1_b))
        return NULL;
    memset(w->dpad, 0, 3 * (size_t)c->D * sizeof *w->dpad);
    return w->dpad;
}

static void padding_backward(float *grads, const float *dpad, const mg_block *b, const mg_params *p,
                             const mg_block_config *c)
{
    if (!dpad || !has_early_windows(b, c)) return;
    mg_linear_backward(mg_grad(p, grads, b->norm1_b), mg_grad(p, grads, b->qkv_w),
                       mg_grad(p, grads, b->qkv_b), dpad, mg_weight(p, b->norm1_b),
                       mg_weight(p, b->qkv_w), 1, c->D, 3 * c->D, true, p->precision);
}

static mg_attn attn_of(const mg_block *b, const mg_params *p, const mg_block_pass *s,
                       const workspace *w)
{
    const mg_block_config *c = s->cfg;
    const float *h = NULL, *v = NULL;

    if (b->rel_h >= 0) {
        h = table_of(b->rel_h, b->windowed ? c->window : c->gh, p, w->table[0], w->resize);
        v = table_of(b->rel_w, b->windowed ? c->window : c->gw, p, w->table[1], w->resize);
    }
    mg_attn a = attn_space(c, b->windowed, s->B, s->N, h, v);
    if (b->windowed) {
        const float *pad = padding_of(b, p, c, w);
        a.qrow = a.krow = s->windows;
        a.k_pad = pad + c->D;
        a.v_pad = pad + 2 * c->D;
    } else if (h) {
        a.coord = s->coord;
    }
    return a;
}

// --- forward --------------------------------------------------------------------------------------

static bool has_depth(const mg_block_pass *s)
{
    return s->cfg->adapter && s->cfg->depth && s->slices > 0;
}

// x1 = x + a_s + U_space(a_s) + U_depth(a_d). The projection is made by itself and then added, with
// adapters or not, so that grafting zero adapters changes no bit.
static void attention_forward(mg_block_acts *a, const mg_block *b, const mg_params *p,
                              const mg_block_pass *s, const workspace *w)
{
    const mg_block_config *c = s->cfg;
    int rows = s->B * s->N, D = c->D;
    const float *proj_w = mg_weight(p, b->proj_w), *proj_b = mg_weight(p, b->proj_b);
    float *y = w->thin[0], *proj = c->adapter ? a->proj : w->thin[0];
    mg_attn at = attn_of(b, p, s, w);

    mg_layernorm_forward(y, a->mean1, a->rstd1, a->x, mg_weight(p, b->norm1_w),
                         mg_weight(p, b->norm1_b), rows, D, EPS);
    mg_linear_forward(a->qkv, y, mg_weight(p, b->qkv_w), mg_weight(p, b->qkv_b), rows, D, 3 * D,
                      p->precision);
    mg_attn_forward(a->attn, a->lse, a->qkv, a->qkv + D, a->qkv + 2 * D, &at, w->attn);
    mg_linear_forward(proj, a->attn, proj_w, proj_b, rows, D, D, p->precision);
    mg_add(a->x1, a->x, proj, (size_t)rows * D);
    if (!c->adapter) return;
    mg_adapter_forward(a->x1, a->space_h, proj, NULL, &b->space, p, rows, 1, w->wide[1]);
    if (!has_depth(s)) return;
    at = attn_depth(c, s->B, s->N, s->slices);
    at.qrow = at.krow = s->stacks;
    mg_attn_forward(a->attn_d, a->lse_d, a->qkv, a->qkv + D, a->qkv + 2 * D, &at, w->attn);
    mg_linear_forward(a->proj_d, a->attn_d, proj_w, proj_b, rows, D, D, p->precision);
    mg_adapter_forward(a->x1, a->depth_h, a->proj_d, NULL, &b->depth, p, rows, 1, w->wide[1]);
}

void mg_block_forward(float *out, mg_block_acts *a, const mg_block *b, const mg_params *p,
                      const mg_block_pass *s)
{
    const mg_block_config *c = s->cfg;
    workspace w = workspace_of(s);
    int rows = s->B * s->N, D = c->D;
    float *y = w.thin[0], *h = w.wide[0];

    attention_forward(a, b, p, s, &w);
    mg_layernorm_forward(y, a->mean2, a->rstd2, a->x1, mg_weight(p, b->norm2_w),
                         mg_weight(p, b->norm2_b), rows, D, EPS);
    mg_linear_forward(a->u, y, mg_weight(p, b->fc1_w), mg_weight(p, b->fc1_b), rows, D, c->hidden,
                      p->precision);
    if (out) {
        mg_gelu_forward(h, a->u, (size_t)rows * c->hidden);
        mg_linear_residual_forward(out, a->x1, h, mg_weight(p, b->fc2_w), mg_weight(p, b->fc2_b),
                                   rows, c->hidden, D, p->precision);
    }
    if (c->adapter)
        mg_adapter_forward(out, a->mlp_h, y, NULL, &b->mlp, p, rows, c->adapter_scale, w.wide[1]);
}

// --- backward -------------------------------------------------------------------------------------

static void mlp_backward(float *dx, float *grads, const mg_block_acts *a, const mg_block *b,
                         const mg_params *p, const mg_block_pass *s, const workspace *w)
{
    const mg_block_config *c = s->cfg;
    int rows = s->B * s->N, D = c->D;
    size_t n = (size_t)rows * c->hidden;
    float *y = w->thin[0], *dy = w->thin[1], *du = w->wide[0], *h = w->wide[1];
    float *dfc1 = mg_grad(p, grads, b->fc1_w), *dfc2 = mg_grad(p, grads, b->fc2_w);

    if (dfc2) mg_gelu_forward(h, a->u, n);
    mg_linear_backward(du, dfc2, mg_grad(p, grads, b->fc2_b), dx, h, mg_weight(p, b->fc2_w), rows,
                       c->hidden, D, false, p->precision);
    mg_gelu_backward(du, du, a->u, n);
    if (dfc1 || c->adapter)
        mg_layernorm_forward(y, a->mean2, a->rstd2, a->x1, mg_weight(p, b->norm2_w),
                             mg_weight(p, b->norm2_b), rows, D, EPS);
    mg_linear_backward(dy, dfc1, mg_grad(p, grads, b->fc1_b), du, y, mg_weight(p, b->fc1_w), rows,
                       D, c->hidden, false, p->precision);
    if (c->adapter)
        mg_adapter_backward(dy, NULL, grads, dx, a->mlp_h, y, NULL, &b->mlp, p, rows,
                            c->adapter_scale, w->wide[1]);
    mg_layernorm_backward(dx, mg_grad(p, grads, b->norm2_w), mg_grad(p, grads, b->norm2_b), dy,
                          a->x1, mg_weight(p, b->norm2_w), a->mean2, a->rstd2, rows, D, true,
                          w->norm);
}

// From the gradient of one branch's projection (dproj) to that of qkv (dqkv), and of the padding's q, k
// and v (dpad [3 D], added to; NULL: none, or not wanted).
static void branch_backward(float *dqkv, const float *dproj, float *dattn, float *grads,
                            float *const dtable[2], float *dpad, const float *attn,
                            const float *lse, const float *qkv, const mg_attn *at,
                            const mg_block *b, const mg_params *p, int rows, int D, float *scratch)
{
    mg_linear_backward(dattn, mg_grad(p, grads, b->proj_w), mg_grad(p, grads, b->proj_b), dproj,
                       attn, mg_weight(p, b->proj_w), rows, D, D, false, p->precision);
    mg_attn_backward(dqkv, dqkv + D, dqkv + 2 * D, dpad ? dpad + D : NULL,
                     dpad ? dpad + 2 * D : NULL, dtable[0], dtable[1], dattn, attn, lse, qkv,
                     qkv + D, qkv + 2 * D, at, scratch);
}

// The depth branch's part, added to dqkv.
static void depth_backward(float *dqkv, const float *dx, float *grads, const mg_block_acts *a,
                           const mg_block *b, const mg_params *p, const mg_block_pass *s,
                           const workspace *w)
{
    const mg_block_config *c = s->cfg;
    int rows = s->B * s->N, D = c->D;
    float *dproj = w->thin[0], *part = w->wide[1], *no_table[2] = {NULL, NULL};
    mg_attn at = attn_depth(c, s->B, s->N, s->slices);

    at.qrow = at.krow = s->stacks;
    memset(dproj, 0, (size_t)rows * D * sizeof *dproj);
    mg_adapter_backward(dproj, NULL, grads, dx, a->depth_h, a->proj_d, NULL, &b->depth, p, rows, 1,
                        w->wide[1]);
    branch_backward(part, dproj, w->thin[1], grads, no_table, NULL, a->attn_d, a->lse_d, a->qkv,
                    &at, b, p, rows, D, w->attn);
    mg_add(dqkv, dqkv, part, (size_t)rows * 3 * D);
}

static void attention_backward(float *dx, float *grads, const mg_block_acts *a, const mg_block *b,
                               const mg_params *p, const mg_block_pass *s, const workspace *w)
{
    const mg_block_config *c = s->cfg;
    int rows = s->B * s->N, D = c->D;
    int side_h = b->windowed ? c->window : c->gh, side_w = b->windowed ? c->window : c->gw;
    float *dqkv = w->wide[0], *y = w->thin[0], *dy = w->thin[1], *dproj = dx;
    float *dtable[2] = {NULL, NULL};
    mg_attn at = attn_of(b, p, s, w);

    if (c->adapter) {
        dproj = w->thin[0];
        memcpy(dproj, dx, (size_t)rows * D * sizeof *dproj);
        mg_adapter_backward(dproj, NULL, grads, dx, a->space_h, a->proj, NULL, &b->space, p, rows,
                            1, w->wide[1]);
    }
    if (b->rel_h >= 0) {
        dtable[0] = table_grad(b->rel_h, side_h, grads, p, w->dtable[0]);
        dtable[1] = table_grad(b->rel_w, side_w, grads, p, w->dtable[1]);
    }
    float *dpad = padding_grad(grads, b, p, c, w);
    branch_backward(dqkv, dproj, w->thin[1], grads, dtable, dpad, a->attn, a->lse, a->qkv, &at, b,
                    p, rows, D, w->attn);
    padding_backward(grads, dpad, b, p, c);
    if (b->rel_h >= 0) {
        table_backward(b->rel_h, side_h, grads, p, w->dtable[0], w->resize);
        table_backward(b->rel_w, side_w, grads, p, w->dtable[1], w->resize);
    }
    if (has_depth(s)) depth_backward(dqkv, dx, grads, a, b, p, s, w);

    float *dqkv_w = mg_grad(p, grads, b->qkv_w);
    if (dqkv_w)
        mg_layernorm_forward(y, a->mean1, a->rstd1, a->x, mg_weight(p, b->norm1_w),
                             mg_weight(p, b->norm1_b), rows, D, EPS);
    mg_linear_backward(dy, dqkv_w, mg_grad(p, grads, b->qkv_b), dqkv, y, mg_weight(p, b->qkv_w),
                       rows, D, 3 * D, false, p->precision);
    mg_layernorm_backward(dx, mg_grad(p, grads, b->norm1_w), mg_grad(p, grads, b->norm1_b), dy,
                          a->x, mg_weight(p, b->norm1_w), a->mean1, a->rstd1, rows, D, true,
                          w->norm);
}

// The adapters beside the attention alone: nothing below them is wanted.
static void adapters_backward(const float *dx, float *grads, const mg_block_acts *a,
                              const mg_block *b, const mg_params *p, const mg_block_pass *s,
                              const workspace *w)
{
    int rows = s->B * s->N;

    mg_adapter_backward(NULL, NULL, grads, dx, a->space_h, a->proj, NULL, &b->space, p, rows, 1,
                        w->wide[1]);
    if (has_depth(s))
        mg_adapter_backward(NULL, NULL, grads, dx, a->depth_h, a->proj_d, NULL, &b->depth, p, rows,
                            1, w->wide[1]);
}

void mg_block_backward(float *dx, bool through, float *grads, const mg_block_acts *a,
                       const mg_block *b, const mg_params *p, const mg_block_pass *s)
{
    workspace w = workspace_of(s);
    bool adapters = s->cfg->adapter > 0;
    bool attention = through || trained(p, b->first, b->proj_b);
    bool beside = adapters && trained(p, b->space.fc1_w, b->mlp.fc1_w - 1);

    mlp_backward(dx, grads, a, b, p, s, &w);
    if (attention)
        attention_backward(dx, grads, a, b, p, s, &w);
    else if (beside)
        adapters_backward(dx, grads, a, b, p, s, &w);
}
