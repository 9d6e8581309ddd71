// Sizes from shapes. Number of heads: from the width of the position tables where there are any, else
// from the known sizes; SAM's decoder always has 8, MAE's 16, since shapes do not show them.
#include "models/weights_model.h"

#include <stdio.h>
#include <string.h>

#include "models/text_prompt.h"
#include "runtime/mem.h"

enum { MAX_SIDE = 1 << 16 };

// --- asking a file ----------------------------------------------------------------------------------

// Size d of a tensor of `ndim` dimensions; 0 if the file has no such tensor or it is out of bounds.
static int size_of(const mg_weights *w, const char *name, int ndim, int d)
{
    int i = mg_weights_find(w, name);
    const mg_tensor *t = i < 0 ? NULL : mg_weights_at(w, i);

    return t && t->ndim == ndim && t->dim[d] <= MAX_SIDE * 16 ? (int)t->dim[d] : 0;
}

static bool has(const mg_weights *w, const char *name)
{
    return mg_weights_find(w, name) >= 0;
}

// "<prefix><i><tail>" for block i.
static const char *numbered(char name[MG_NAME_ROOM], const char *prefix, int i, const char *tail)
{
    snprintf(name, MG_NAME_ROOM, "%s%d%s", prefix, i, tail);
    return name;
}

static int count_numbered(const mg_weights *w, const char *prefix, const char *tail)
{
    char name[MG_NAME_ROOM];
    int n = 0;

    while (n < 1000 && has(w, numbered(name, prefix, n, tail))) n++;
    return n;
}

static mg_status unclear(const mg_weights *w, const char *what)
{
    return MG_FAIL(MG_ERR_FORMAT, "'%s' does not tell %s", mg_weights_path(w), what);
}

// --- encoders ---------------------------------------------------------------------------------------

static const char *const sizes[] = {"vit_b", "vit_l", "vit_h", NULL};

// The published encoder of these sizes (patches aside), or NULL.
static const char *named_size(const mg_vit_config *v, mg_vit_config *named)
{
    for (int i = 0; sizes[i]; i++)
        if (!mg_vit_named(sizes[i], v->Y, named) && named->D == v->D && named->depth == v->depth &&
            named->hidden == v->hidden)
            return sizes[i];
    return NULL;
}

// Rows of the tables of block i, h and w.
static void table_rows(const mg_weights *w, const char *prefix, int i, int rows[2])
{
    static const char *const tail[2][2] = {{".attn.rel_pos_h", ".attn.rel_h"},
                                           {".attn.rel_pos_w", ".attn.rel_w"}};
    char name[MG_NAME_ROOM];

    for (int a = 0; a < 2; a++) {
        rows[a] = size_of(w, numbered(name, prefix, i, tail[a][0]), 2, 0);
        if (!rows[a]) rows[a] = size_of(w, numbered(name, prefix, i, tail[a][1]), 2, 0);
    }
}

// Windows and global blocks of an encoder that is none of the named ones: the blocks with the shortest
// tables have windows, unless all tables are those of the whole grid.
static void find_windows(const mg_weights *w, const char *prefix, mg_vit_config *v)
{
    int shortest = 0, rows[2];

    for (int i = 0; i < v->depth; i++) {
        table_rows(w, prefix, i, rows);
        if (!shortest || rows[0] < shortest) shortest = rows[0];
    }
    bool all_global = shortest == 2 * (v->Y / v->patch) - 1;
    v->window = all_global ? 0 : (shortest + 1) / 2;
    for (int i = 0; i < v->depth && i < 64; i++) {
        table_rows(w, prefix, i, rows);
        bool windowed = !all_global && rows[0] == shortest && rows[1] == shortest;
        if (!windowed) v->global |= (uint64_t)1 << i;
    }
}

// The grid for which the tables of global blocks were made.
static void find_tables(const mg_weights *w, const char *prefix, mg_vit_config *v)
{
    int rows[2];

    v->rel_h = v->rel_w = 0;
    for (int i = 0; i < v->depth && i < 64; i++) {
        table_rows(w, prefix, i, rows);
        if (!rows[0] || !rows[1]) return;
        if (v->window && !(v->global >> i & 1)) continue;
        v->rel_h = (rows[0] + 1) / 2;
        v->rel_w = (rows[1] + 1) / 2;
        return;
    }
    v->rel_h = v->Y / v->patch; // windows everywhere
    v->rel_w = v->X / v->patch;
}

// Everything that both kinds of encoder have; the grid (gh, gw) is that of pos_embed.
static mg_status describe_encoder(const mg_weights *w, const char *prefix, mg_weights_model *m,
                                  int gh, int gw)
{
    char name[MG_NAME_ROOM], blocks[64];
    mg_vit_config *v = &m->vit, named;
    bool mae = v->mae;

    snprintf(blocks, sizeof blocks, "%sblocks.", prefix);
    snprintf(name, sizeof name, "%spatch_embed.proj.weight", prefix);
    v->D = size_of(w, name, 4, 0);
    v->C = size_of(w, name, 4, 1);
    v->patch = size_of(w, name, 4, 2);
    v->depth = count_numbered(w, blocks, ".norm1.weight");
    v->hidden =
        size_of(w, numbered(name, blocks, 0, mae ? ".mlp.fc1.weight" : ".mlp.lin1.weight"), 2, 0);
    if (!v->D || !v->C || !v->patch || !v->depth || !v->hidden || !gh || !gw ||
        gh > MAX_SIDE / v->patch || gw > MAX_SIDE / v->patch)
        return unclear(w, "the sizes of its image encoder");
    v->Y = gh * v->patch;
    v->X = gw * v->patch;
    const char *size = named_size(v, &named);
    if (size) {
        if (v->patch == named.patch) m->size = size;
        v->heads = named.heads;
        v->window = mae ? 0 : named.window;
        v->global = mae ? 0 : named.global;
    }
    int width = size_of(w, numbered(name, blocks, 0, ".attn.rel_pos_h"), 2, 1);
    if (!width) width = size_of(w, numbered(name, blocks, 0, ".attn.rel_h"), 2, 1);
    if (width && v->D % width == 0) v->heads = v->D / width;
    if (!size && !mae) find_windows(w, blocks, v);
    find_tables(w, blocks, v);
    return MG_OK;
}

static mg_status describe_adapters(const mg_weights *w, mg_vit_config *v)
{
    static const char tail[] = "image_encoder.blocks.0.";
    char name[MG_NAME_ROOM];

    snprintf(name, sizeof name, "%sSpace_Adapter.D_fc1.weight", tail);
    v->adapter = size_of(w, name, 2, 0);
    snprintf(name, sizeof name, "%sDepth_Adapter.D_fc1.weight", tail);
    v->depth_branch = v->adapter && has(w, name);
    v->adapter_scale = 0.5f;
    return MG_OK;
}

static mg_status describe_decoder(const mg_weights *w, mg_weights_model *m)
{
    static const char first[] = "mask_decoder.transformer.layers.0.";
    mg_sam_config *s = &m->sam;
    char name[MG_NAME_ROOM];
    int gh = m->vit.Y / m->vit.patch, gw = m->vit.X / m->vit.patch;

    *s = mg_sam_defaults(m->vit.Y, m->vit.patch);
    s->gh = gh, s->gw = gw;
    s->height = m->vit.Y, s->width = m->vit.X;
    s->prompt_dim = size_of(w, "prompt_encoder.no_mask_embed.weight", 2, 1);
    s->mask_in = size_of(w, "prompt_encoder.mask_downscaling.3.weight", 4, 0);
    s->depth = count_numbered(w, "mask_decoder.transformer.layers.", ".norm1.weight");
    snprintf(name, sizeof name, "%smlp.lin1.weight", first);
    s->mlp = size_of(w, name, 2, 0);
    snprintf(name, sizeof name, "%smlp.layers.0.0.weight", first); // released Medical SAM Adapter
    if (!s->mlp) s->mlp = size_of(w, name, 2, 0);
    snprintf(name, sizeof name, "%scross_attn_token_to_image.q_proj.weight", first);
    int inner = size_of(w, name, 2, 0);
    s->down = inner ? s->prompt_dim / inner : 0;
    s->n_multi = size_of(w, "mask_decoder.mask_tokens.weight", 2, 0) - 1;
    s->iou_hidden = size_of(w, "mask_decoder.iou_prediction_head.layers.0.weight", 2, 0);
    s->iou_depth = count_numbered(w, "mask_decoder.iou_prediction_head.layers.", ".weight");
    snprintf(name, sizeof name, "%sPrompt_Adapter.D_fc1.weight", first);
    int hidden = size_of(w, name, 2, 0);
    s->adapters = hidden > 0;
    if (!s->prompt_dim || !s->mask_in || !s->depth || !s->mlp || !s->down || s->n_multi < 0 ||
        !s->iou_depth)
        return unclear(w, "the sizes of its mask decoder");
    if (hidden) s->ratio = (double)hidden / s->prompt_dim;
    if (s->prompt_dim % (s->down * s->heads)) s->heads = 1; // not SAM's; the user names it
    return MG_OK;
}

static mg_status describe_sam(const mg_weights *w, mg_weights_model *m)
{
    int gh = size_of(w, "image_encoder.pos_embed", 4, 1);
    int gw = size_of(w, "image_encoder.pos_embed", 4, 2);

    m->vit.prefix = "image_encoder.";
    MG_TRY(describe_encoder(w, "image_encoder.", m, gh, gw));
    m->vit.neck = size_of(w, "image_encoder.neck.0.weight", 4, 0);
    MG_TRY(describe_adapters(w, &m->vit));
    m->decoder = has(w, "mask_decoder.mask_tokens.weight");
    m->text_width = size_of(w, "prompt_encoder.text_proj.weight", 2, 1);
    if (m->decoder) MG_TRY(describe_decoder(w, m));
    m->release = m->decoder && m->vit.adapter && !m->sam.adapters;
    return MG_OK;
}

static mg_status describe_mae(const mg_weights *w, mg_weights_model *m)
{
    mg_pretrain_config *c = &m->pretrain;
    int rows = size_of(w, "pos_embed", 3, 1), side = 0;

    m->vit = (mg_vit_config){.prefix = "", .mae = true, .cls = has(w, "cls_token")};
    while (side * side + m->vit.cls < rows) side++;
    if (!rows || side * side + m->vit.cls != rows) return unclear(w, "the grid of its positions");
    MG_TRY(describe_encoder(w, "", m, side, side));
    *c = (mg_pretrain_config){.vit = m->vit,
                              .mae = {.ratio = 0.75, .norm_pix = true, .heads = 16},
                              .shed_fraction = 0.15,
                              .emix_alpha = 1,
                              .emix_tau = 0.2,
                              .leaf = 1,
                              .each = 1};
    c->mae.dense = has(w, "dense_pred.weight");
    c->mae.D = size_of(w, "decoder_embed.weight", 2, 0);
    c->mae.depth = count_numbered(w, "decoder_blocks.", ".norm1.weight");
    c->mae.hidden = size_of(w, "decoder_blocks.0.mlp.fc1.weight", 2, 0);
    c->use_mae = c->mae.dense || c->mae.D;
    c->emix_dim = size_of(w, "emix_head.proj.weight", 2, 0);
    c->use_emix = c->emix_dim > 0;
    c->use_shed = has(w, "shed_head.weight");
    if (c->mae.D % 16) c->mae.heads = 1; // not MAE's; the user names it
    return MG_OK;
}

static mg_status describe_clip(const mg_weights *w, mg_weights_model *m)
{
    bool hf = m->names == MG_NAMES_HF_CLIP;
    const char *layers = hf ? "text_model.encoder.layers." : "transformer.resblocks.";
    const char *tokens =
        hf ? "text_model.embeddings.token_embedding.weight" : "token_embedding.weight";
    const char *places =
        hf ? "text_model.embeddings.position_embedding.weight" : "positional_embedding";
    char name[MG_NAME_ROOM];

    m->layers = count_numbered(w, layers, hf ? ".layer_norm1.weight" : ".ln_1.weight");
    m->vocab = size_of(w, tokens, 2, 0);
    m->width = size_of(w, tokens, 2, 1);
    m->context = size_of(w, places, 2, 0);
    m->hidden =
        size_of(w, numbered(name, layers, 0, hf ? ".mlp.fc1.weight" : ".mlp.c_fc.weight"), 2, 0);
    m->embed =
        hf ? size_of(w, "text_projection.weight", 2, 0) : size_of(w, "text_projection", 2, 1);
    if (!m->layers || !m->vocab || !m->width || !m->context || !m->hidden)
        return unclear(w, "the sizes of its text transformer");
    return MG_OK;
}

mg_status mg_weights_describe(const mg_weights *w, mg_weights_model *m)
{
    *m = (mg_weights_model){.names = mg_weights_names(w)};
    switch (m->names) {
    case MG_NAMES_SAM:
        return describe_sam(w, m);
    case MG_NAMES_MAE:
        return describe_mae(w, m);
    case MG_NAMES_OTHER:
        return MG_OK;
    default:
        return describe_clip(w, m);
    }
}

// --- as another model -------------------------------------------------------------------------------

static mg_status encoder_as(mg_weights_model *m, mg_names names, int side)
{
    mg_vit_config *v = &m->vit;
    mg_vit_config named;
    bool tables = v->rel_h > 0;

    if (side) v->Y = v->X = side;
    if (names == MG_NAMES_SAM && m->names == MG_NAMES_MAE) {
        m->size = named_size(v, &named);
        MG_CHECK(m->size, MG_ERR_CONFIG,
                 "windows and heads of SAM are known for vit_b, vit_l and vit_h only, not for a "
                 "width of %d and %d blocks",
                 v->D, v->depth);
        v->patch = named.patch; // MAE's ViT-H has 14: its filters are resized
        v->window = named.window;
        v->global = named.global;
        tables = true;
    } else if (names == MG_NAMES_MAE && m->names == MG_NAMES_SAM) {
        v->window = 0;
        v->global = 0;
        v->neck = v->adapter = 0;
    }
    MG_CHECK(v->Y % v->patch == 0, MG_ERR_CONFIG, "an input side of %d is not a multiple of %d",
             v->Y, v->patch);
    int gh = v->Y / v->patch, gw = v->X / v->patch;
    v->mae = names == MG_NAMES_MAE;
    v->prefix = v->mae ? "" : "image_encoder.";
    v->cls = v->cls && v->mae;
    v->rel_h = tables ? gh : 0;
    v->rel_w = tables ? gw : 0;
    m->decoder = m->decoder && !v->mae;
    m->sam.gh = gh, m->sam.gw = gw;
    m->sam.height = v->Y, m->sam.width = v->X;
    m->pretrain.vit = *v;
    return MG_OK;
}

mg_status mg_weights_model_as(mg_weights_model *m, mg_names names, int side)
{
    bool encoder = m->names == MG_NAMES_SAM || m->names == MG_NAMES_MAE;
    bool to_encoder = names == MG_NAMES_SAM || names == MG_NAMES_MAE;

    MG_CHECK(encoder == to_encoder && m->names != MG_NAMES_OTHER && names != MG_NAMES_OTHER,
             MG_ERR_CONFIG, "there is no way from names of the kind %s to those of %s",
             mg_names_text(m->names), mg_names_text(names));
    MG_CHECK(encoder || !side, MG_ERR_CONFIG, "a text transformer has no input side");
    if (encoder && (side || names != m->names)) MG_TRY(encoder_as(m, names, side));
    m->names = names;
    return MG_OK;
}

// --- tables -----------------------------------------------------------------------------------------

static mg_status sam_table(const mg_weights_model *m, mg_params *p)
{
    mg_vit_config c = m->vit;
    mg_vit v;

    if (!c.heads) c.heads = 1;
    MG_TRY(mg_vit_check(&c));
    mg_vit_add(&v, p, &c);
    if (!m->decoder) return MG_OK;
    MG_TRY(mg_sam_check(&m->sam));
    mg_sam_add(p, &m->sam);
    if (m->text_width) mg_text_prompt_add(p, m->text_width, m->sam.prompt_dim);
    return MG_OK;
}

static mg_status mae_table(const mg_weights_model *m, mg_params *p)
{
    mg_pretrain_config c = m->pretrain;
    mg_pretrain_model *model = NULL;
    mg_vit v;

    if (!c.vit.heads) c.vit.heads = 1;
    MG_TRY(mg_vit_check(&c.vit));
    if (!c.use_mae && !c.use_emix && !c.use_shed) {
        mg_vit_add(&v, p, &c.vit);
        return MG_OK;
    }
    MG_TRY(mg_pretrain_plan(&c, &model));
    *p = model->params; // taken over
    model->params = (mg_params){0};
    mg_pretrain_close(&model);
    return MG_OK;
}

static void add_affine(mg_params *p, const char *layer, const char *name, int out, int in)
{
    char full[MG_NAME_ROOM];

    snprintf(full, sizeof full, "%s%s.weight", layer, name);
    if (in)
        mg_params_add(p, full, MG_INIT_ZERO, 0, 2, out, in);
    else
        mg_params_add(p, full, MG_INIT_ZERO, 0, 1, out);
    snprintf(full, sizeof full, "%s%s.bias", layer, name);
    mg_params_add(p, full, MG_INIT_ZERO, 0, 1, out);
}

static void clip_table(const mg_weights_model *m, mg_params *p)
{
    int D = m->width;
    char layer[64];

    mg_params_add(p, "token_embedding.weight", MG_INIT_ZERO, 0, 2, m->vocab, D);
    mg_params_add(p, "positional_embedding", MG_INIT_ZERO, 0, 2, m->context, D);
    for (int i = 0; i < m->layers; i++) {
        snprintf(layer, sizeof layer, "transformer.resblocks.%d.", i);
        add_affine(p, layer, "ln_1", D, 0);
        mg_params_add(
            p,
            numbered((char[MG_NAME_ROOM]){0}, "transformer.resblocks.", i, ".attn.in_proj_weight"),
            MG_INIT_ZERO, 0, 2, 3 * D, D);
        mg_params_add(
            p, numbered((char[MG_NAME_ROOM]){0}, "transformer.resblocks.", i, ".attn.in_proj_bias"),
            MG_INIT_ZERO, 0, 1, 3 * D);
        add_affine(p, layer, "attn.out_proj", D, D);
        add_affine(p, layer, "ln_2", D, 0);
        add_affine(p, layer, "mlp.c_fc", m->hidden, D);
        add_affine(p, layer, "mlp.c_proj", D, m->hidden);
    }
    add_affine(p, "", "ln_final", D, 0);
    if (m->embed) mg_params_add(p, "text_projection", MG_INIT_ZERO, 0, 2, D, m->embed);
}

static void hf_clip_table(const mg_weights_model *m, mg_params *p)
{
    static const char *const attention[] = {"self_attn.q_proj", "self_attn.k_proj",
                                            "self_attn.v_proj", "self_attn.out_proj"};
    int D = m->width;
    char layer[64];

    mg_params_add(p, "text_model.embeddings.token_embedding.weight", MG_INIT_ZERO, 0, 2, m->vocab,
                  D);
    mg_params_add(p, "text_model.embeddings.position_embedding.weight", MG_INIT_ZERO, 0, 2,
                  m->context, D);
    for (int i = 0; i < m->layers; i++) {
        snprintf(layer, sizeof layer, "text_model.encoder.layers.%d.", i);
        add_affine(p, layer, "layer_norm1", D, 0);
        for (int k = 0; k < 4; k++) add_affine(p, layer, attention[k], D, D);
        add_affine(p, layer, "layer_norm2", D, 0);
        add_affine(p, layer, "mlp.fc1", m->hidden, D);
        add_affine(p, layer, "mlp.fc2", D, m->hidden);
    }
    add_affine(p, "text_model.", "final_layer_norm", D, 0);
    if (m->embed) mg_params_add(p, "text_projection.weight", MG_INIT_ZERO, 0, 2, m->embed, D);
}

mg_status mg_weights_table(const mg_weights_model *m, mg_params *p)
{
    switch (m->names) {
    case MG_NAMES_SAM:
        return sam_table(m, p);
    case MG_NAMES_MAE:
        return mae_table(m, p);
    case MG_NAMES_CLIP:
        clip_table(m, p);
        return MG_OK;
    case MG_NAMES_HF_CLIP:
        hf_clip_table(m, p);
        return MG_OK;
    default:
        return MG_FAIL(MG_ERR_CONFIG, "names of an unknown kind have no table");
    }
}
