// The settings from which medgraft rebuilds the model of a weight file: those that lie in the file, or
// YAML made from its sizes. The keys are those of finetune and pretrain.
#include <stdio.h>
#include <string.h>

#include "models/weights_model.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// Width over hidden width as an option gives it: floor(ratio * width) is `hidden` again.
static double ratio_of(int hidden, int width)
{
    double ratio = (double)hidden / width;
    return (int)(ratio * width) == hidden ? ratio : (hidden + 0.5) / width;
}

static void global_blocks(char text[512], const mg_vit_config *v)
{
    size_t at = 0;

    text[0] = '\0';
    for (int i = 0; i < v->depth && i < 64; i++)
        if (!v->window || v->global >> i & 1)
            at += (size_t)snprintf(text + at, 512 - at, at ? ", %d" : "%d", i);
}

// Sizes that no name stands for; "" for named ones.
static char *custom_sizes(const mg_weights_model *m)
{
    const mg_vit_config *v = &m->vit;
    const mg_sam_config *s = &m->sam;
    char blocks[512];

    global_blocks(blocks, v);
    return mg_sprintf("  patch: %d\n  dim: %d\n  depth: %d\n  heads: %d\n  mlp_ratio: %d\n"
                      "  window: %d\n  global: [%s]\n  prompt_dim: %d\n  mask_in: %d\n"
                      "  decoder_depth: %d\n  decoder_heads: %d\n  decoder_mlp: %d\n"
                      "  decoder_down: %d\n  multimask: %d\n  iou_hidden: %d\n",
                      v->patch, v->D, v->depth, v->heads, v->hidden / v->D,
                      v->window ? v->window : v->Y / v->patch, blocks, s->prompt_dim, s->mask_in,
                      s->depth, s->heads, s->mlp, s->down, s->n_multi, s->iou_hidden);
}

static bool is_standard(const mg_weights_model *m)
{
    mg_sam_config plain = mg_sam_defaults(m->vit.Y, m->vit.patch);
    const mg_sam_config *s = &m->sam;

    return m->size && m->vit.neck == plain.prompt_dim &&
           (!m->decoder ||
            (s->prompt_dim == plain.prompt_dim && s->mask_in == plain.mask_in &&
             s->depth == plain.depth && s->mlp == plain.mlp && s->down == plain.down &&
             s->n_multi == plain.n_multi && s->iou_hidden == plain.iou_hidden));
}

// Where the released Medical SAM Adapter differs from the paper (model.md 11); a file without settings of
// its own that has adapters in the encoder only is taken for one of it.
typedef struct {
    const char *model, *train, *prompts;
} form_settings;

static form_settings form_of(const mg_weights_model *m)
{
    static const form_settings paper = {"", "", ""}, sam = {"", "", "  box_weight: 1\n"};
    static const form_settings release = {"  adapter_activation: gelu\n  adapter_init: linear\n"
                                          "  window_cut: before\n  resize: square\n",
                                          "  decoder: whole\n", "  output: single\n"};

    if (!m->vit.adapter && !m->sam.adapters) return sam; // it met boxes too
    if (!m->release) return paper;
    mg_info("weights with adapters in the encoder only: read as the released Medical SAM Adapter "
            "(GELU, windows cut before norm1, square input)");
    return release;
}

static mg_status sam_settings(const mg_weights_model *m, char **config)
{
    const mg_vit_config *v = &m->vit;
    bool standard = is_standard(m), adapters = v->adapter || m->sam.adapters;
    int side = v->rel_h ? v->rel_h * v->patch : v->Y; // the release keeps pos_embed at 64 x 64

    if (v->X != v->Y || v->rel_h != v->rel_w || !v->heads) return MG_OK;
    if (!standard && (!m->decoder || m->sam.heads == 1 || v->hidden % v->D)) return MG_OK;
    if (!standard)
        mg_warn("the number of decoder heads cannot be told from weights: %d are assumed "
                "(model.decoder_heads)",
                m->sam.heads);
    char *sizes = standard ? mg_strdup("") : custom_sizes(m);
    double ratio = v->adapter ? ratio_of(v->adapter, v->D) : m->sam.ratio;
    form_settings form = form_of(m);
    if (sizes)
        *config =
            mg_sprintf("model:\n  size: %s\n  image: %d\n%s  encoder_adapters: %s\n"
                       "  decoder_adapters: %s\n  depth_branch: %s\n  adapter_ratio: %.17g\n%s"
                       "train:\n  mode: %s\n%sprompts:\n  text_width: %d\n%s",
                       standard ? m->size : "custom", side, sizes, v->adapter ? "true" : "false",
                       m->sam.adapters ? "true" : "false", v->depth_branch ? "true" : "false",
                       adapters ? ratio : 0.25, form.model, adapters ? "msa" : "full", form.train,
                       m->text_width, form.prompts);
    mg_free(sizes);
    MG_CHECK(*config, MG_ERR_MEMORY, "cannot allocate the settings of a model");
    return MG_OK;
}

static mg_status mae_settings(const mg_weights_model *m, char **config)
{
    const mg_pretrain_config *c = &m->pretrain;
    const mg_vit_config *v = &m->vit;
    bool heads = c->use_mae || c->use_emix || c->use_shed;
    const char *size = m->size;

    if (!v->heads || (c->mae.D && c->mae.heads == 1) || v->hidden % v->D ||
        c->mae.hidden != 4 * c->mae.D)
        return MG_OK;
    char *decoder = c->mae.D ? mg_sprintf("  decoder_dim: %d\n  decoder_depth: %d\n"
                                          "  decoder_heads: %d\n",
                                          c->mae.D, c->mae.depth, c->mae.heads)
                             : mg_strdup("");
    char *sizes = size ? mg_strdup("")
                       : mg_sprintf("  patch: %d\n  dim: %d\n  depth: %d\n  heads: %d\n"
                                    "  mlp_ratio: %d\n",
                                    v->patch, v->D, v->depth, v->heads, v->hidden / v->D);
    if (decoder && sizes)
        *config = mg_sprintf("model:\n  size: %s\n  image: %d\n%spretrain:\n  use_cls: %s\n"
                             "  rel_pos_in_pretrain: %s\n  dense: %s\n  w_mae: %d\n  w_emix: %d\n"
                             "  w_shed: %d\n  proj_dim: %d\n%s",
                             size ? size : "custom", v->Y, sizes, v->cls ? "true" : "false",
                             v->rel_h ? "true" : "false", c->mae.dense ? "true" : "false",
                             c->use_mae, c->use_emix ? -1 : 0, c->use_shed || !heads ? -1 : 0,
                             c->use_emix ? c->emix_dim : 128, decoder);
    mg_free(decoder);
    mg_free(sizes);
    MG_CHECK(*config, MG_ERR_MEMORY, "cannot allocate the settings of a model");
    return MG_OK;
}

static mg_status copy_notes(const char *note, const char *text, const char **kind, char **config)
{
    *kind = !strcmp(note, "pretrain") ? "pretrain" : !strcmp(note, "finetune") ? "finetune" : NULL;
    MG_CHECK(*kind, MG_ERR_FORMAT, "a weight file of an unknown kind '%.100s'", note);
    *config = mg_strdup(text);
    MG_CHECK(*config, MG_ERR_MEMORY, "cannot allocate the settings of a model");
    return MG_OK;
}

mg_status mg_model_settings(const mg_weights_model *m, const char **kind, char **config)
{
    *config = NULL;
    *kind = m->names == MG_NAMES_SAM ? "finetune" : m->names == MG_NAMES_MAE ? "pretrain" : NULL;
    if (!*kind) return MG_OK;
    return m->names == MG_NAMES_SAM ? sam_settings(m, config) : mae_settings(m, config);
}

mg_status mg_weights_settings(const mg_weights *w, const char **kind, char **config)
{
    const char *note = mg_weights_note(w, "kind"), *text = mg_weights_note(w, "config");
    mg_weights_model m;

    *kind = NULL;
    *config = NULL;
    if (note && text) return copy_notes(note, text, kind, config);
    MG_TRY(mg_weights_describe(w, &m));
    MG_TRY(mg_model_settings(&m, kind, config));
    MG_CHECK(*kind, MG_ERR_FORMAT,
             "'%s' holds no model that can be trained or evaluated: its names are of the kind %s",
             mg_weights_path(w), mg_names_text(m.names));
    return MG_OK;
}
