// The option table of pretrain and what follows from it.
#include "pretrain/pretrain_config.h"

#include <math.h>
#include <string.h>

#define AT(field) offsetof(mg_pretrain_settings, field)

// clang-format off
const mg_option mg_pretrain_options[] = {
    {"model.size", MG_CHOICE, AT(size), "vit_b", 0, 0, "encoder size of SAM by name, or custom: the keys below", "vit_b|vit_l|vit_h|custom"},
    {"model.image", MG_INT, AT(image), "224", 16, 4096, "side of a crop in pixels", NULL},
    {"model.patch", MG_INT, AT(patch), "16", 4, 64, "side of a patch in pixels", NULL},
    {"model.dim", MG_INT, AT(dim), "768", 8, 8192, "width", NULL},
    {"model.depth", MG_INT, AT(depth), "12", 1, 64, "blocks", NULL},
    {"model.heads", MG_INT, AT(heads), "12", 1, 128, "heads", NULL},
    {"model.mlp_ratio", MG_INT, AT(mlp_ratio), "4", 1, 16, "MLP width over model.dim", NULL},
    {"model.init", MG_TEXT, AT(init), "", 0, 0, "start from a weight file or run folder: an encoder of pretrain or MAE, or the image encoder of SAM or of finetune (its position tables are then used and stay as they are)", NULL},
    MG_LOAD_ROWS("model.", mg_pretrain_settings, load),
    MG_SOURCE_ROWS(mg_pretrain_settings, data, "all"),
    MG_TRAIN_ROWS(mg_pretrain_settings, train, "64", "100", "1.5e-4", "true", "0.95", "0.05", "0"),
    {"train.out", MG_TEXT, AT(out), "", 0, 0, "run folder", NULL},
    {"train.recompute", MG_CHOICE, AT(recompute), "none", 0, 0, "block: keep only block inputs and compute the rest again (less memory)", "none|block"},
    {"pretrain.mode", MG_CHOICE, AT(mode), "sum", 0, 0, "sum: all objectives on every sample; split: samples take turns; rotate: steps take turns", "sum|split|rotate"},
    {"pretrain.w_mae", MG_REAL, AT(w_mae), "1", 0, 1e6, "weight of MAE (0: without it)", NULL},
    {"pretrain.w_emix", MG_REAL, AT(w_emix), "-1", -1, 1e6, "weight of e-Mix (-1: 1 / ln of the contrast set; 0: without it)", NULL},
    {"pretrain.w_shed", MG_REAL, AT(w_shed), "-1", -1, 1e6, "weight of ShED (-1: 1 / ln 2; 0: without it)", NULL},
    {"pretrain.mask_ratio", MG_REAL, AT(mask_ratio), "0.75", 0, 0.999, "MAE, share of patches hidden", NULL},
    {"pretrain.norm_pix", MG_BOOL, AT(norm_pix), "true", 0, 0, "MAE, targets normalised patch by patch", NULL},
    {"pretrain.use_cls", MG_BOOL, AT(use_cls), "false", 0, 0, "class token, as in public MAE checkpoints", NULL},
    {"pretrain.dense", MG_BOOL, AT(dense), "false", 0, 0, "MAE with mask tokens in the encoder and a linear head instead of a decoder", NULL},
    {"pretrain.decoder_dim", MG_INT, AT(decoder_dim), "512", 8, 8192, "MAE decoder, width", NULL},
    {"pretrain.decoder_depth", MG_INT, AT(decoder_depth), "8", 1, 64, "MAE decoder, blocks", NULL},
    {"pretrain.decoder_heads", MG_INT, AT(decoder_heads), "16", 1, 128, "MAE decoder, heads", NULL},
    {"pretrain.proj_dim", MG_INT, AT(proj_dim), "128", 2, 8192, "e-Mix, width of the compared vectors", NULL},
    {"pretrain.tau", MG_REAL, AT(tau), "0.2", 1e-4, 100, "e-Mix, temperature", NULL},
    {"pretrain.alpha", MG_REAL, AT(alpha), "1", 1e-3, 1000, "e-Mix, coefficients from Beta(alpha, alpha)", NULL},
    {"pretrain.emix_lambda", MG_CHOICE, AT(emix_lambda), "sample", 0, 0, "e-Mix, coefficient in the loss: each sample's own, or the batch mean", "sample|batch_mean"},
    {"pretrain.emix_exact_accum", MG_BOOL, AT(exact_accum), "true", 0, 0, "e-Mix with several leaves on a rank: repeat the forward passes instead of keeping all activations", NULL},
    {"pretrain.shed_fraction", MG_REAL, AT(shed_fraction), "0.15", 0, 1, "ShED, share of patches moved", NULL},
    {"pretrain.rel_pos_in_pretrain", MG_BOOL, AT(rel_pos), "false", 0, 0, "relative position tables in the blocks", NULL},
    {"pretrain.crop", MG_BOOL, AT(crop), "true", 0, 0, "random resized crops (false: the whole picture)", NULL},
    {"pretrain.crop_area", MG_REAL, AT(crop_area), "0.2", 0.01, 1, "smallest share of the picture's area in a crop", NULL},
    {"pretrain.flip", MG_BOOL, AT(flip), "true", 0, 0, "mirror half of the crops", NULL},
    {"pretrain.pictures_every", MG_INT, AT(pictures_every), "500", 0, 1e9, "steps between pictures of reconstructions (0: none)", NULL},
    {"pretrain.pictures", MG_INT, AT(pictures), "6", 1, 64, "samples in such a picture", NULL},
    {"pretrain.health_every", MG_INT, AT(health_every), "0", 0, 1e9, "steps between collapse indicators (0: at the end of each epoch)", NULL},
    {"pretrain.health_samples", MG_INT, AT(health_samples), "256", 8, 4096, "samples they are measured on", NULL},
    {"pretrain.health_gradients", MG_BOOL, AT(health_gradients), "true", 0, 0, "also compare the gradients of the objectives (up to 200 million parameters; memory of two gradients on rank 0)", NULL},
    {0},
};
// clang-format on

mg_pretrain_mode mg_pretrain_mode_of(const mg_pretrain_settings *s)
{
    if (strcmp(s->mode, "split") == 0) return MG_MODE_SPLIT;
    return strcmp(s->mode, "rotate") == 0 ? MG_MODE_ROTATE : MG_MODE_SUM;
}

mg_objectives mg_pretrain_objectives(const mg_pretrain_settings *s, int64_t set)
{
    mg_objectives o = {.weight = {s->w_mae, s->w_emix, s->w_shed}};

    if (o.weight[1] < 0) o.weight[1] = 1 / log((double)set);
    if (o.weight[2] < 0) o.weight[2] = 1 / log(2.0);
    for (int i = 0; i < 3; i++) o.count += o.used[i] = o.weight[i] > 0;
    return o;
}

static mg_status encoder_config(const mg_pretrain_settings *s, mg_vit_config *v)
{
    if (strcmp(s->size, "custom") != 0) {
        MG_TRY(mg_vit_named_mae(s->size, (int)s->image, v));
    } else {
        MG_TRY(mg_vit_named_mae("vit_b", (int)s->image, v));
        v->patch = (int)s->patch;
        v->D = (int)s->dim;
        v->depth = (int)s->depth;
        v->heads = (int)s->heads;
        v->hidden = (int)(s->mlp_ratio * s->dim);
    }
    v->cls = s->use_cls;
    MG_CHECK(v->Y % v->patch == 0, MG_ERR_CONFIG,
             "model.image %d is not a multiple of the patch %d", v->Y, v->patch);
    if (s->rel_pos) v->rel_h = v->rel_w = v->Y / v->patch;
    return MG_OK;
}

// Everything but the sizes of calls.
static mg_status objectives_config(const mg_pretrain_settings *s, mg_pretrain_config *c)
{
    mg_objectives o = mg_pretrain_objectives(s, 2);

    MG_CHECK(o.count > 0, MG_ERR_CONFIG, "all of pretrain.w_mae, w_emix and w_shed are 0");
    MG_TRY(mg_pretrain_defaults("vit_b", (int)s->image, 1, c));
    MG_TRY(encoder_config(s, &c->vit));
    c->use_mae = o.used[0];
    c->use_emix = o.used[1];
    c->use_shed = o.used[2];
    c->mae = (mg_mae_config){.ratio = s->mask_ratio,
                             .norm_pix = s->norm_pix,
                             .dense = s->dense,
                             .D = (int)s->decoder_dim,
                             .depth = (int)s->decoder_depth,
                             .heads = (int)s->decoder_heads,
                             .hidden = (int)(4 * s->decoder_dim)};
    c->shed_fraction = s->shed_fraction;
    c->emix_dim = (int)s->proj_dim;
    c->emix_alpha = s->alpha;
    c->emix_tau = s->tau;
    c->emix_batch_mean = strcmp(s->emix_lambda, "batch_mean") == 0;
    c->keep = strcmp(s->recompute, "block") == 0 ? MG_KEEP_INPUTS : MG_KEEP_ALL;
    return MG_OK;
}

mg_status mg_pretrain_model_config(const mg_pretrain_settings *s, int64_t leaf, int leaves,
                                   mg_pretrain_config *c)
{
    bool split = mg_pretrain_mode_of(s) == MG_MODE_SPLIT;
    int count = mg_pretrain_objectives(s, 2).count;

    MG_TRY(objectives_config(s, c));
    int64_t unit = s->train.leaves * count, fits = s->train.batch / unit * unit;
    MG_CHECK(!split || leaf % count == 0, MG_ERR_CONFIG,
             "pretrain.mode is split: a leaf of %lld samples (train.batch / train.leaves) is not a "
             "multiple of %d objectives (nearest train.batch: %lld)",
             (long long)leaf, count, (long long)(fits ? fits : unit));
    c->leaf = (int)leaf;
    c->each = (int)(split ? leaf / count : leaf);
    c->emix_slots = leaves == 1 ? 1 : s->exact_accum ? 0 : leaves;
    return mg_pretrain_check(c);
}

mg_status mg_pretrain_look_config(const mg_pretrain_settings *s, int batch, mg_pretrain_config *c)
{
    MG_TRY(objectives_config(s, c));
    c->leaf = batch;
    c->each = 1;
    c->emix_slots = 0;
    return mg_pretrain_check(c);
}
