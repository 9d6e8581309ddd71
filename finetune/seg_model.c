// Building a model from its settings, and filling it from weight files.
#include "finetune/seg_model.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/mem.h"
#include "shard/resize.h"

// --- sizes ------------------------------------------------------------------------------------------

static void set_text(char **text, const char *value)
{
    mg_free(*text);
    *text = mg_strdup(value);
}

static void set_globals(mg_list *list, uint64_t blocks)
{
    for (int i = 0; i < list->count; i++) mg_free(list->item[i]);
    mg_free(list->item);
    list->count = 0;
    list->item = mg_calloc(64, sizeof *list->item);
    for (int i = 0; i < 64 && list->item; i++)
        if (blocks >> i & 1) list->item[list->count++] = mg_sprintf("%d", i);
}

static void from_encoder(mg_seg_config *c, const mg_vit_config *v)
{
    c->patch = v->patch;
    c->dim = v->D;
    c->depth = v->depth;
    c->heads = v->heads;
    c->mlp_ratio = v->hidden / v->D;
    c->window = v->window;
    set_globals(&c->global, v->global);
}

// Sizes of a whole model, as the settings in its file give them; an input side of one's own stays.
static void from_finetuned(mg_seg_config *c, mg_seg_config *other)
{
    mg_seg_config own = *c; // what is grafted in and how volumes are cut is not taken over

    *c = *other;
    if (own.image) c->image = own.image;
    c->encoder_adapters = own.encoder_adapters;
    c->decoder_adapters = own.decoder_adapters;
    c->adapter_ratio = own.adapter_ratio;
    c->adapter_scale = own.adapter_scale;
    c->adapter_activation = own.adapter_activation;
    c->adapter_init = own.adapter_init;
    c->depth_branch = own.depth_branch;
    c->slices = own.slices;
    c->window_cut = own.window_cut;
    c->resize = own.resize;
    other->size = own.size; // freed with the other ones in place of those taken over
    other->global = own.global;
}

// Where nothing was chosen: as the weights were trained, or as in the paper.
static void settle(char **choice, const char *of_init, const char *otherwise)
{
    if (strcmp(*choice, "auto") != 0) return;
    set_text(choice, of_init && strcmp(of_init, "auto") != 0 ? of_init : otherwise);
}

static void settle_forms(mg_seg_config *c, const mg_seg_config *init)
{
    settle(&c->adapter_activation, init ? init->adapter_activation : NULL, "relu");
    settle(&c->window_cut, init ? init->window_cut : NULL, "after");
    settle(&c->resize, init ? init->resize : NULL, "pad");
}

// Sizes of a pretrained encoder; windows, decoder and input side stay as configured.
static mg_status from_pretrained(mg_finetune_config *c, const char *yaml)
{
    mg_json *tree = NULL;

    MG_TRY(mg_yaml_parse(yaml, "configuration of model.init", &tree));
    const mg_json *m = mg_json_get(tree, "model");
    const char *size = mg_json_text(mg_json_get(m, "size"));
    bool named = size && strcmp(size, "custom") != 0;
    set_text(&c->model.size, named ? size : "custom");
    if (!named) {
        c->model.patch = mg_json_int(mg_json_get(m, "patch"), c->model.patch);
        c->model.dim = mg_json_int(mg_json_get(m, "dim"), c->model.dim);
        c->model.depth = mg_json_int(mg_json_get(m, "depth"), c->model.depth);
        c->model.heads = mg_json_int(mg_json_get(m, "heads"), c->model.heads);
    }
    mg_json_free(&tree);
    return MG_OK;
}

// model.size: auto. `init`: the settings of a whole model; NULL: an encoder, or nothing.
static mg_status find_sizes(mg_finetune_config *c, const char *kind, const char *config,
                            mg_finetune_config *init)
{
    MG_CHECK(kind, MG_ERR_CONFIG,
             "model.size is auto, but there is no model.init to take it from; expected vit_b, "
             "vit_l, vit_h or custom");
    MG_CHECK(config, MG_ERR_CONFIG,
             "model.size is auto, but the weights do not tell all sizes of their model; "
             "expected custom, and the sizes");
    if (!init) return from_pretrained(c, config);
    from_finetuned(&c->model, &init->model);
    return MG_OK;
}

mg_status mg_seg_config_resolve(mg_finetune_config *c, const char *kind, const char *config)
{
    bool whole = kind && config && strcmp(kind, "finetune") == 0;
    mg_finetune_config init;
    mg_vit_config named;
    mg_status st = MG_OK;

    if (whole) MG_TRY(mg_finetune_parse(config, "configuration of model.init", &init));
    if (strcmp(c->model.size, "auto") == 0) st = find_sizes(c, kind, config, whole ? &init : NULL);
    settle_forms(&c->model, whole ? &init.model : NULL);
    if (whole) mg_finetune_config_free(&init);
    if (st) return st;
    if (!c->model.image) c->model.image = 1024;
    if (strncmp(c->model.size, "vit_", 4) == 0) {
        MG_TRY(mg_vit_named(c->model.size, (int)c->model.image, &named));
        from_encoder(&c->model, &named);
    }
    return MG_OK;
}

static mg_adapter_form adapter_form(const mg_seg_config *c)
{
    return (mg_adapter_form){.gelu = strcmp(c->adapter_activation, "gelu") == 0,
                             .linear_init = strcmp(c->adapter_init, "linear") == 0};
}

static mg_status encoder_config(const mg_finetune_config *c, mg_vit_config *v)
{
    const mg_seg_config *m = &c->model;
    bool adapters = mg_finetune_grafts(c) && m->encoder_adapters;
    int grid = (int)(m->image / m->patch);

    *v = (mg_vit_config){.prefix = "image_encoder.",
                         .Y = (int)m->image,
                         .X = (int)m->image,
                         .C = 3,
                         .patch = (int)m->patch,
                         .D = (int)m->dim,
                         .depth = (int)m->depth,
                         .heads = (int)m->heads,
                         .hidden = (int)(m->mlp_ratio * m->dim),
                         .window = (int)m->window,
                         .rel_h = grid,
                         .rel_w = grid,
                         .neck = (int)m->prompt_dim,
                         .early_windows = strcmp(m->window_cut, "before") == 0,
                         .adapter_form = adapter_form(m),
                         .adapter = adapters ? (int)(m->adapter_ratio * (double)m->dim) : 0,
                         .depth_branch = adapters && m->depth_branch,
                         .adapter_scale = (float)m->adapter_scale};
    MG_CHECK(m->image % m->patch == 0, MG_ERR_CONFIG,
             "model.image %lld is not a multiple of model.patch %lld", (long long)m->image,
             (long long)m->patch);
    MG_CHECK(
        adapters || !m->depth_branch, MG_ERR_CONFIG,
        "model.depth_branch is true, but there are no encoder adapters: it needs train.mode msa "
        "and model.encoder_adapters");
    for (int i = 0; i < m->global.count; i++) {
        char *end;
        long block = strtol(m->global.item[i], &end, 10);
        MG_CHECK(*end == '\0' && block >= 0 && block < m->depth && block < 64, MG_ERR_CONFIG,
                 "model.global names block '%s', expected numbers from 0 to %lld",
                 m->global.item[i], (long long)m->depth - 1);
        v->global |= (uint64_t)1 << block;
    }
    return mg_vit_check(v);
}

static mg_status decoder_config(const mg_finetune_config *c, const mg_vit_config *v,
                                mg_sam_config *s)
{
    const mg_seg_config *m = &c->model;

    *s = mg_sam_defaults((int)m->image, (int)m->patch);
    s->prompt_dim = (int)m->prompt_dim;
    s->mask_in = (int)m->mask_in;
    s->depth = (int)m->decoder_depth;
    s->heads = (int)m->decoder_heads;
    s->mlp = (int)m->decoder_mlp;
    s->down = (int)m->decoder_down;
    s->n_multi = (int)m->multimask;
    s->iou_hidden = (int)m->iou_hidden;
    s->gh = v->Y / v->patch;
    s->gw = v->X / v->patch;
    s->height = v->Y;
    s->width = v->X;
    s->adapters = mg_finetune_grafts(c) && m->decoder_adapters;
    s->adapter_form = adapter_form(m);
    s->ratio = m->adapter_ratio;
    s->scale = m->adapter_scale;
    return mg_sam_check(s);
}

// --- building ---------------------------------------------------------------------------------------

static bool trains(const char *name, void *mode)
{
    return mg_text_prompt_owns(name) || mg_sam_trains(name, mode);
}

mg_status mg_seg_model_table(const mg_finetune_config *c, mg_seg_model *m)
{
    mg_train_mode mode = mg_finetune_mode(c);
    mg_vit_config encoder;
    mg_sam_config decoder;

    memset(m, 0, sizeof *m);
    MG_TRY(encoder_config(c, &encoder));
    MG_TRY(decoder_config(c, &encoder, &decoder));
    mg_vit_add(&m->vit, &m->params, &encoder);
    m->sam = mg_sam_add(&m->params, &decoder);
    if (c->text_width > 0)
        m->text = mg_text_prompt_add(&m->params, (int)c->text_width, decoder.prompt_dim);
    m->side = (int)c->model.image;
    m->cells = 4 * decoder.gh;
    m->cell = (double)c->model.patch / 4;
    m->square = strcmp(c->model.resize, "square") == 0;
    m->single_output = mg_finetune_single_output(c);
    mg_params_train(&m->params, trains, &mode);
    return mg_params_check(&m->params);
}

mg_status mg_seg_model_make(const mg_finetune_config *c, mg_seg_model *m)
{
    MG_TRY(mg_seg_model_table(c, m));
    MG_TRY(mg_params_alloc(&m->params));
    m->code = mg_alloc((size_t)m->sam.N * m->sam.cfg.prompt_dim * sizeof(float));
    MG_CHECK(m->code, MG_ERR_MEMORY, "cannot allocate the position code");
    return MG_OK;
}

mg_status mg_seg_model_build(const mg_finetune_config *c, mg_seg_model *m)
{
    MG_TRY(mg_seg_model_make(c, m));
    mg_params_init(&m->params, (uint64_t)c->train.seed);
    mg_seg_model_refresh(m);
    return MG_OK;
}

void mg_seg_model_refresh(mg_seg_model *m)
{
    mg_sam_dense_code(m->code, &m->sam, &m->params);
}

mg_sam_frame mg_seg_frame(const mg_seg_model *m, int height, int width)
{
    mg_sam_frame f = {.height = height, .width = width, .height2 = m->side, .width2 = m->side};

    if (!m->square) mg_frame_size(height, width, m->side, &f.height2, &f.width2);
    return f;
}

mg_status mg_seg_picture(const mg_seg_model *m, float *out, const uint8_t *pixels, int height,
                         int width, int channels)
{
    mg_sam_frame f = mg_seg_frame(m, height, width);

    return mg_frame_picture(out, m->side, f.height2, f.width2, pixels, height, width, channels);
}

void mg_seg_model_free(mg_seg_model *m)
{
    mg_params_free(&m->params);
    mg_free(m->code);
    memset(m, 0, sizeof *m);
}

// --- from weight files ------------------------------------------------------------------------------

mg_status mg_seg_model_init(const mg_comm *world, const char *file, const mg_load_how *how,
                            mg_seg_model *m)
{
    MG_TRY(mg_weights_load(world, file, how, &m->params));
    mg_seg_model_refresh(m);
    return MG_OK;
}

// Values of a file that holds all of the model, or of its base and of the trained part upon it.
static mg_status fill(const mg_comm *world, const char *file, const char *base,
                      const mg_finetune_config *config, mg_params *p)
{
    mg_load_how how = config->load;
    uint64_t seed = 0; // what the base lacks has a place in the trained part

    if (!base[0]) return mg_params_load(world, file, p);
    how.seed = &seed;
    MG_TRY(mg_weights_load(world, base, &how, p));
    return mg_weights_load(world, file, &(mg_load_how){.onto_base = true}, p);
}

mg_status mg_seg_model_open(const mg_comm *world, const char *path, const char *base,
                            mg_finetune_config *config, mg_seg_model *m)
{
    char *file, *kind, *yaml;

    memset(config, 0, sizeof *config);
    memset(m, 0, sizeof *m);
    MG_TRY(mg_checkpoint_config(world, path, &file, &kind, &yaml));
    mg_status st = MG_OK;
    if (strcmp(kind, "finetune") != 0)
        st = MG_FAIL(MG_ERR_CONFIG, "'%s' holds a %s model, expected one of finetune", file, kind);
    if (!st && !yaml)
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' does not tell all sizes of its model", file);
    if (!st) st = mg_finetune_parse(yaml, file, config);
    if (!st) st = mg_seg_config_resolve(config, NULL, NULL);
    if (!st) st = mg_seg_model_make(config, m);
    st = mg_comm_agree(world, st);
    if (!st) st = fill(world, file, base, config, &m->params);
    if (!st) mg_seg_model_refresh(m);
    mg_free(file), mg_free(kind), mg_free(yaml);
    return st;
}

void mg_seg_model_output(mg_seg_model *m, const char *output)
{
    if (strcmp(output, "auto") != 0) m->single_output = strcmp(output, "single") == 0;
}
