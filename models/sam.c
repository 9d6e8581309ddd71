// SAM's prompt encoder and mask decoder as a whole: configuration, table of parameters (model.md 8.1,
// 8.2, 10.4), what a pass keeps, and the two calls. The halves are models/prompt_encoder.c and
// models/mask_decoder.c.
#include "models/sam.h"

#include <stdio.h>

// --- configuration ------------------------------------------------------------------------------------

mg_sam_config mg_sam_defaults(int side, int patch)
{
    return (mg_sam_config){.prompt_dim = 256,
                           .mask_in = 16,
                           .depth = 2,
                           .heads = 8,
                           .mlp = 2048,
                           .down = 2,
                           .n_multi = 3,
                           .iou_hidden = 256,
                           .iou_depth = 3,
                           .gh = side / patch,
                           .gw = side / patch,
                           .height = side,
                           .width = side,
                           .ratio = 0.25,
                           .scale = 0.5};
}

mg_status mg_sam_check(const mg_sam_config *c)
{
    MG_CHECK(c->prompt_dim >= 8 && c->prompt_dim % 8 == 0, MG_ERR_CONFIG,
             "prompt width must be a multiple of 8, not %d", c->prompt_dim);
    MG_CHECK(c->mask_in >= 4 && c->mask_in % 4 == 0, MG_ERR_CONFIG,
             "mask prompt channels must be a multiple of 4, not %d", c->mask_in);
    MG_CHECK(c->depth >= 1 && c->depth <= MG_SAM_MAX_DEPTH, MG_ERR_CONFIG,
             "decoder depth must be 1 to %d, not %d", MG_SAM_MAX_DEPTH, c->depth);
    MG_CHECK(c->heads >= 1 && c->down >= 1 && c->prompt_dim % (c->down * c->heads) == 0,
             MG_ERR_CONFIG, "prompt width %d does not split into %d heads after division by %d",
             c->prompt_dim, c->heads, c->down);
    MG_CHECK(c->mlp >= 1, MG_ERR_CONFIG, "decoder hidden width must be positive, not %d", c->mlp);
    MG_CHECK(c->n_multi >= 0 && c->n_multi < MG_SAM_MAX_TOKENS, MG_ERR_CONFIG,
             "ambiguity masks must be 0 to %d, not %d", MG_SAM_MAX_TOKENS - 1, c->n_multi);
    MG_CHECK(c->iou_depth >= 1 && c->iou_depth <= MG_SAM_MAX_IOU && c->iou_hidden >= 1,
             MG_ERR_CONFIG, "IoU head must have 1 to %d layers, not %d of width %d", MG_SAM_MAX_IOU,
             c->iou_depth, c->iou_hidden);
    MG_CHECK(c->gh >= 1 && c->gw >= 1 && c->height >= c->gh && c->width >= c->gw, MG_ERR_CONFIG,
             "token grid %d x %d does not fit a model input of %d x %d", c->gh, c->gw, c->height,
             c->width);
    MG_CHECK(!c->adapters || (int)(c->ratio * c->prompt_dim) >= 1, MG_ERR_CONFIG,
             "adapter ratio %g leaves no hidden units of %d", c->ratio, c->prompt_dim);
    return MG_OK;
}

// --- parameters ---------------------------------------------------------------------------------------

// Names grow on the way down: a layer, its part, a map in it, a tensor.
enum { LAYER = 64, PART = 128, MAP = 160, NAME = 192 };

static mg_sam_affine add_linear(mg_params *p, const char *prefix, int in, int out)
{
    mg_sam_affine a = {.in = in, .out = out};
    char name[NAME];

    snprintf(name, sizeof name, "%s.weight", prefix);
    a.weight = mg_params_add(p, name, MG_INIT_UNIFORM, mg_fan_in_bound(in), 2, out, in);
    snprintf(name, sizeof name, "%s.bias", prefix);
    a.bias = mg_params_add(p, name, MG_INIT_UNIFORM, mg_fan_in_bound(in), 1, out);
    return a;
}

// Convolution with kernel = stride = k; as a linear map it reads channels * k * k values.
static mg_sam_affine add_conv(mg_params *p, const char *prefix, int channels, int out, int k)
{
    mg_sam_affine a = {.in = channels * k * k, .out = out};
    char name[NAME];

    snprintf(name, sizeof name, "%s.weight", prefix);
    a.weight =
        mg_params_add(p, name, MG_INIT_UNIFORM, mg_fan_in_bound(a.in), 4, out, channels, k, k);
    snprintf(name, sizeof name, "%s.bias", prefix);
    a.bias = mg_params_add(p, name, MG_INIT_UNIFORM, mg_fan_in_bound(a.in), 1, out);
    return a;
}

// Transposed 2x2 convolution: weight [in, out, 2, 2], whose fan-in counts the outputs (model.md 8.2).
static mg_sam_affine add_up_conv(mg_params *p, const char *prefix, int in, int out)
{
    mg_sam_affine a = {.in = in, .out = out};
    char name[NAME];

    snprintf(name, sizeof name, "%s.weight", prefix);
    a.weight = mg_params_add(p, name, MG_INIT_UNIFORM, mg_fan_in_bound((int64_t)4 * out), 4, in,
                             out, 2, 2);
    snprintf(name, sizeof name, "%s.bias", prefix);
    a.bias = mg_params_add(p, name, MG_INIT_UNIFORM, mg_fan_in_bound((int64_t)4 * out), 1, out);
    return a;
}

static mg_sam_affine add_norm(mg_params *p, const char *prefix, int width)
{
    mg_sam_affine a = {.in = width, .out = width};
    char name[NAME];

    snprintf(name, sizeof name, "%s.weight", prefix);
    a.weight = mg_params_add(p, name, MG_INIT_ONE, 1, 1, width);
    snprintf(name, sizeof name, "%s.bias", prefix);
    a.bias = mg_params_add(p, name, MG_INIT_ZERO, 0, 1, width);
    return a;
}

static int add_embedding(mg_params *p, const char *name, int rows, int width)
{
    return mg_params_add(p, name, MG_INIT_NORMAL, 1, 2, rows, width);
}

static mg_sam_attention add_attention(mg_params *p, const char *prefix, int E, int inner, int heads)
{
    mg_sam_attention m = {.heads = heads, .inner = inner};
    const char *const names[] = {"q_proj", "k_proj", "v_proj", "out_proj"};
    mg_sam_affine *const maps[] = {&m.q, &m.k, &m.v, &m.o};
    char name[MAP];

    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.%s", prefix, names[i]);
        *maps[i] = add_linear(p, name, i < 3 ? E : inner, i < 3 ? inner : E);
    }
    return m;
}

static void add_prompt_encoder(mg_sam *s, mg_params *p)
{
    int E = s->cfg.prompt_dim, m = s->cfg.mask_in;
    char name[PART];

    s->gauss =
        mg_params_add_buffer(p, "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
                             MG_INIT_NORMAL, 1, 2, 2, E / 2);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "prompt_encoder.point_embeddings.%d.weight", i);
        s->point[i] = add_embedding(p, name, 1, E);
    }
    s->not_a_point = add_embedding(p, "prompt_encoder.not_a_point_embed.weight", 1, E);
    s->mask_conv[0] = add_conv(p, "prompt_encoder.mask_downscaling.0", 1, m / 4, 2);
    s->mask_norm[0] = add_norm(p, "prompt_encoder.mask_downscaling.1", m / 4);
    s->mask_conv[1] = add_conv(p, "prompt_encoder.mask_downscaling.3", m / 4, m, 2);
    s->mask_norm[1] = add_norm(p, "prompt_encoder.mask_downscaling.4", m);
    s->mask_conv[2] = add_conv(p, "prompt_encoder.mask_downscaling.6", m, E, 1);
    s->no_mask = add_embedding(p, "prompt_encoder.no_mask_embed.weight", 1, E);
}

static void add_layer_adapters(mg_two_way *l, mg_params *p, const char *prefix,
                               const mg_sam_config *c)
{
    int E = c->prompt_dim, hidden = (int)(c->ratio * E);
    char name[PART];

    snprintf(name, sizeof name, "%s.Prompt_Adapter", prefix);
    l->prompt_adapter = mg_adapter_add(p, name, E, hidden, c->adapter_form, true);
    snprintf(name, sizeof name, "%s.MLP_Adapter", prefix);
    l->mlp_adapter = mg_adapter_add(p, name, E, hidden, c->adapter_form, false);
    snprintf(name, sizeof name, "%s.Image_Adapter", prefix);
    l->image_adapter = mg_adapter_add(p, name, E, hidden, c->adapter_form, false);
}

static void add_layer(mg_two_way *l, mg_params *p, const mg_sam_config *c, int i)
{
    int E = c->prompt_dim, inner = E / c->down;
    char prefix[LAYER], name[PART];
#define IN_LAYER(part) (snprintf(name, sizeof name, "%s." part, prefix), name)

    snprintf(prefix, sizeof prefix, "mask_decoder.transformer.layers.%d", i);
    *l = (mg_two_way){.first = i == 0, .adapters = c->adapters && i == 0, .scale = (float)c->scale};
    l->self = add_attention(p, IN_LAYER("self_attn"), E, E, c->heads);
    l->norm1 = add_norm(p, IN_LAYER("norm1"), E);
    l->token_to_image = add_attention(p, IN_LAYER("cross_attn_token_to_image"), E, inner, c->heads);
    l->norm2 = add_norm(p, IN_LAYER("norm2"), E);
    l->lin1 = add_linear(p, IN_LAYER("mlp.lin1"), E, c->mlp);
    l->lin2 = add_linear(p, IN_LAYER("mlp.lin2"), c->mlp, E);
    l->norm3 = add_norm(p, IN_LAYER("norm3"), E);
    l->norm4 = add_norm(p, IN_LAYER("norm4"), E);
    l->image_to_token = add_attention(p, IN_LAYER("cross_attn_image_to_token"), E, inner, c->heads);
    if (l->adapters) add_layer_adapters(l, p, prefix, c);
#undef IN_LAYER
}

static void add_mask_decoder(mg_sam *s, mg_params *p)
{
    const mg_sam_config *c = &s->cfg;
    int E = c->prompt_dim;
    char name[PART];

    for (int i = 0; i < c->depth; i++) add_layer(&s->layer[i], p, c, i);
    s->final = add_attention(p, "mask_decoder.transformer.final_attn_token_to_image", E,
                             E / c->down, c->heads);
    s->norm_final = add_norm(p, "mask_decoder.transformer.norm_final_attn", E);
    s->iou_token = add_embedding(p, "mask_decoder.iou_token.weight", 1, E);
    s->mask_tokens = add_embedding(p, "mask_decoder.mask_tokens.weight", s->T, E);
    s->up_conv[0] = add_up_conv(p, "mask_decoder.output_upscaling.0", E, E / 4);
    s->up_norm = add_norm(p, "mask_decoder.output_upscaling.1", E / 4);
    s->up_conv[1] = add_up_conv(p, "mask_decoder.output_upscaling.3", E / 4, E / 8);
    for (int t = 0; t < s->T; t++)
        for (int i = 0; i < 3; i++) {
            snprintf(name, sizeof name, "mask_decoder.output_hypernetworks_mlps.%d.layers.%d", t,
                     i);
            s->hyper[t][i] = add_linear(p, name, E, i < 2 ? E : E / 8);
        }
    for (int i = 0; i < c->iou_depth; i++) {
        snprintf(name, sizeof name, "mask_decoder.iou_prediction_head.layers.%d", i);
        s->iou_head[i] =
            add_linear(p, name, i ? c->iou_hidden : E, i < c->iou_depth - 1 ? c->iou_hidden : s->T);
    }
}

mg_sam mg_sam_add(mg_params *p, const mg_sam_config *c)
{
    mg_sam s = {.cfg = *c, .T = c->n_multi + 1, .N = c->gh * c->gw};

    add_prompt_encoder(&s, p);
    add_mask_decoder(&s, p);
    return s;
}

// --- a pass -------------------------------------------------------------------------------------------

static void prompt_layout(mg_layout *at, mg_sam_pass *pass, const mg_sam *s, int B)
{
    int m = s->cfg.mask_in;

    pass->fold[0] = mg_place(at, (size_t)B * s->N * 16);
    mg_sam_norm_layout(at, &pass->mask_norm[0], B * s->N * 4, m / 4);
    pass->fold[1] = mg_place(at, (size_t)B * s->N * m);
    mg_sam_norm_layout(at, &pass->mask_norm[1], B * s->N, m);
    pass->mask_out = mg_place(at, (size_t)B * s->N * m);
}

void mg_sam_pass_layout(mg_layout *at, mg_sam_pass *pass, const mg_sam *s, mg_sam_shape shape)
{
    const mg_sam_config *c = &s->cfg;
    int B = shape.B, E = c->prompt_dim, Nt = 1 + s->T + shape.sparse, slots = shape.slots.count;
    size_t tokens = (size_t)B * Nt * E, keys = (size_t)B * s->N * E;

    *pass = (mg_sam_pass){.shape = shape};
    pass->tok = mg_place(at, tokens);
    pass->src = mg_place(at, keys);
    if (shape.masks) prompt_layout(at, pass, s, B);
    for (int i = 0; i < c->depth; i++)
        mg_two_way_layout(at, &pass->layer[i], &s->layer[i], B, Nt, s->N, E);
    pass->pos_final = mg_place(at, tokens);
    mg_sam_attention_layout(at, &pass->final, &s->final, B, Nt, s->N);
    mg_sam_norm_layout(at, &pass->norm_final, B * Nt, E);
    mg_sam_norm_layout(at, &pass->up_norm, B * s->N * 4, E / 4);
    pass->up_mid = mg_place(at, keys);
    pass->up_pre = mg_place(at, 2 * keys);
    pass->up = mg_place(at, 2 * keys);
    pass->head_in = mg_place(at, (size_t)(1 + slots) * B * E);
    for (int i = 0; i < 2; i++) pass->hyper_hidden[i] = mg_place(at, (size_t)slots * B * E);
    pass->hyper = mg_place(at, (size_t)slots * B * (E / 8));
    for (int i = 0; i < c->iou_depth - 1; i++)
        pass->iou_hidden[i] = mg_place(at, (size_t)B * c->iou_hidden);
    pass->masks = mg_place(at, (size_t)B * slots * 16 * s->N);
    pass->iou = mg_place(at, (size_t)B * slots);
}

// dtok and dsrc, then what the halves need in turn.
size_t mg_sam_scratch(const mg_sam *s, mg_sam_shape shape)
{
    size_t tokens = (size_t)shape.B * (1 + s->T + shape.sparse) * s->cfg.prompt_dim;
    size_t keys = (size_t)shape.B * s->N * s->cfg.prompt_dim;
    size_t decode = mg_mask_decode_scratch(s, shape), encode = mg_prompt_encode_scratch(s, shape);

    return mg_sam_piece(tokens) + mg_sam_piece(keys) + (decode > encode ? decode : encode);
}

void mg_sam_forward(mg_sam_pass *pass, const mg_sam *s, const mg_params *p, const float *embedding,
                    const float *code, const mg_sam_prompt *prompt, float *scratch)
{
    mg_prompt_encode(pass, s, p, embedding, prompt);
    mg_mask_decode(pass, s, p, code, scratch);
}

void mg_sam_backward(float *grads, float *dembedding, float *dextra, const float *dmasks,
                     const float *diou, const mg_sam_pass *pass, const mg_sam *s,
                     const mg_params *p, const float *code, const mg_sam_prompt *prompt,
                     float *scratch)
{
    int Nt = 1 + s->T + pass->shape.sparse;
    size_t tokens = (size_t)prompt->B * Nt * s->cfg.prompt_dim;
    size_t keys = (size_t)prompt->B * s->N * s->cfg.prompt_dim;
    float *dtok = scratch, *dsrc = dtok + mg_sam_piece(tokens), *rest = dsrc + mg_sam_piece(keys);

    mg_mask_decode_backward(dtok, dsrc, grads, dmasks, diou, pass, s, p, code, rest);
    mg_prompt_encode_backward(grads, dembedding, dextra, dtok, dsrc, pass, s, p, prompt, rest);
}
