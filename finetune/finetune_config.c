// The option table of finetune, and its choices as enums.
#include "finetune/finetune_config.h"

#include <string.h>

#include "finetune/text_set.h"
#include "runtime/mem.h"

#define AT(field) offsetof(mg_finetune_config, field)

// clang-format off
const mg_option mg_finetune_options[] = {
    MG_SEG_ROWS(mg_finetune_config, model),
    {"model.init", MG_TEXT, AT(init), "", 0, 0, "start from a weight file or run folder: SAM or MedSAM as published, a model of finetune (whole, or only what it trained), an encoder of pretrain or MAE", NULL},
    {"model.base", MG_TEXT, AT(base), "", 0, 0, "weights under model.init: those of SAM where an encoder's pretraining replaces patches and blocks only, or the base of a file that holds only what was trained", NULL},
    MG_LOAD_ROWS("model.", mg_finetune_config, load),
    MG_SOURCE_ROWS(mg_finetune_config, data, "train"),
    {"data.window", MG_LIST, AT(window), "", 0, 0, "CT: the two values (HU) that become 0 and 255; empty: those stored with each volume", NULL},
    {"data.modality", MG_TEXT, AT(modality), "", 0, 0, "CT, or other, where all volumes are the one; taken from data.sets, and so are the next three", NULL},
    {"data.spacing", MG_LIST, AT(spacing), "", 0, 0, "mm along x, y, z where all volumes have the same, otherwise 0", NULL},
    {"data.crop", MG_BOOL, AT(crop), "false", 0, 0, "volumes were cut to the box of the body", NULL},
    {"data.contrasts", MG_TEXT, AT(contrasts), "", 0, 0, "contrasts that the three input channels are made of", NULL},
    MG_TRAIN_ROWS(mg_finetune_config, train, "8", "20", "1e-4", "false", "0.999", "0.01", "0"),
    {"train.out", MG_TEXT, AT(out), "", 0, 0, "run folder", NULL},
    {"train.preset", MG_CHOICE, AT(preset), "paper", 0, 0, "defaults of other settings: the form of the paper, or that of the released Medical SAM Adapter; what is set by itself wins", "paper|release"},
    {"train.mode", MG_CHOICE, AT(mode), "msa", 0, 0, "what is trained: adapters and the decoder (train.decoder); encoder and decoder; everything", "msa|medsam|full"},
    {"train.decoder", MG_CHOICE, AT(decoder), "half", 0, 0, "of the mask decoder, in train.mode msa: all but its first layer, or the whole", "half|whole"},
    {"train.loss", MG_CHOICE, AT(loss), "sam", 0, 0, "sam: focal + dice + IoU error; dice_bce: squared dice + cross entropy; bce_pw2: cross entropy with weight 2 on the target; dice_sq: squared dice; release: bce_pw2 for pictures, dice_sq for stacks", "sam|dice_bce|bce_pw2|dice_sq|release"},
    {"train.focal_weight", MG_REAL, AT(focal_weight), "20", 0, 1e6, "weight of the focal part of the sam loss", NULL},
    {"train.click_weighting", MG_BOOL, AT(click_weighting), "false", 0, 0, "focal part and cross entropy: weigh each cell by its distance to the nearest click of its own sign, from 2 at the click to 0.8 far away (FCA-Net)", NULL},
    {"train.flip", MG_BOOL, AT(flip), "false", 0, 0, "mirror half of the pictures left and right", NULL},
    {"train.recompute", MG_CHOICE, AT(recompute), "none", 0, 0, "block: keep only block inputs of the encoder and compute the rest again (less memory)", "none|block"},
    {"prompts.schedule", MG_CHOICE, AT(schedule), "clicks", 0, 0, "clicks: start clicks and corrections; sam: 8 corrections and two repeats; single: one uniform target cell, one pass", "clicks|sam|single"},
    {"prompts.output", MG_CHOICE, AT(output), "rule", 0, 0, "rule: three masks for one click, otherwise one; single: always the single mask (volumes: always so)", "rule|single"},
    {"prompts.max_corrective", MG_INT, AT(max_corrective), "3", 0, 64, "largest number of corrective clicks", NULL},
    {"prompts.profile", MG_CHOICE, AT(profile), "relative", 0, 0, "margins of random start clicks: relative to the target or in cells", "relative|pixel"},
    {"prompts.corrective", MG_CHOICE, AT(corrective), "inner", 0, 0, "where a corrective click goes: anywhere in the error, its inner half, its centre", "uniform|inner|centre"},
    {"prompts.box_mode", MG_CHOICE, AT(box_mode), "jitter", 0, 0, "boxes: tight, each coordinate moved a little, each side moved outward", "tight|jitter|widen"},
    {"prompts.click_weight", MG_REAL, AT(click_weight), "1", 0, 1e6, "weight of click prompts in the mix", NULL},
    {"prompts.box_weight", MG_REAL, AT(box_weight), "0", 0, 1e6, "weight of box prompts in the mix", NULL},
    {"prompts.text_weight", MG_REAL, AT(text_weight), "0", 0, 1e6, "weight of prompts by a text alone in the mix", NULL},
    {"prompts.text_click_weight", MG_REAL, AT(text_click_weight), "0", 0, 1e6, "weight of clicks together with a text in the mix", NULL},
    {"prompts.texts", MG_TEXT, AT(texts), "", 0, 0, "file of embedded texts, made by medgraft text; those it holds out are never drawn", NULL},
    {"prompts.text_targets", MG_CHOICE, AT(text_targets), "union", 0, 0, "texts of several targets: one mask, the union; or each target's mask by itself, each counting for a part of the sample", "union|each"},
    {"prompts.text_absent", MG_BOOL, AT(text_absent), "false", 0, 0, "draw texts of several targets also where some of them are not in the picture", NULL},
    {"prompts.text_width", MG_INT, AT(text_width), "0", 0, 65536, "numbers in the vector of a text; taken from prompts.texts", NULL},
    {"prompts.text_encoder", MG_TEXT, AT(text_encoder), "", 0, 0, "hash of what embedded the texts; taken from prompts.texts", NULL},
    {"prompts.instances", MG_BOOL, AT(instances), "false", 0, 0, "a target is one connected component of a class instead of the whole class", NULL},
    {"prompts.volume", MG_CHOICE, AT(volume), "stack", 0, 0, "volumes: clicks for the stack as a whole, or for every slice by itself", "stack|slice"},
    {"prompts.carry", MG_BOOL, AT(carry), "true", 0, 0, "stack prompts: slices without a click are given the mask of their neighbour", NULL},
    {"model.decoder_adapters", MG_PRESET, 0, "false", 0, 0, NULL, "train.preset=release"},
    {"model.adapter_activation", MG_PRESET, 0, "gelu", 0, 0, NULL, "train.preset=release"},
    {"model.adapter_init", MG_PRESET, 0, "linear", 0, 0, NULL, "train.preset=release"},
    {"model.window_cut", MG_PRESET, 0, "before", 0, 0, NULL, "train.preset=release"},
    {"model.resize", MG_PRESET, 0, "square", 0, 0, NULL, "train.preset=release"},
    {"train.decoder", MG_PRESET, 0, "whole", 0, 0, NULL, "train.preset=release"},
    {"train.loss", MG_PRESET, 0, "release", 0, 0, NULL, "train.preset=release"},
    {"train.rate", MG_PRESET, 0, "constant", 0, 0, NULL, "train.preset=release"},
    {"train.warmup", MG_PRESET, 0, "0", 0, 0, NULL, "train.preset=release"},
    {"optimizer.decay", MG_PRESET, 0, "0", 0, 0, NULL, "train.preset=release"},
    {"prompts.schedule", MG_PRESET, 0, "single", 0, 0, NULL, "train.preset=release"},
    {"prompts.output", MG_PRESET, 0, "single", 0, 0, NULL, "train.preset=release"},
    {0},
};
// clang-format on

bool mg_finetune_grafts(const mg_finetune_config *c)
{
    return strcmp(c->mode, "msa") == 0;
}

mg_train_mode mg_finetune_mode(const mg_finetune_config *c)
{
    if (mg_finetune_grafts(c))
        return strcmp(c->decoder, "whole") == 0 ? MG_TRAIN_RELEASE : MG_TRAIN_MSA;
    return strcmp(c->mode, "full") == 0 ? MG_TRAIN_FULL : MG_TRAIN_MEDSAM;
}

mg_seg_loss mg_finetune_loss(const mg_finetune_config *c)
{
    bool both = strcmp(c->loss, "dice_bce") == 0, pw2 = strcmp(c->loss, "bce_pw2") == 0;

    return (mg_seg_loss){.sam = strcmp(c->loss, "sam") == 0,
                         .dice = both || strcmp(c->loss, "dice_sq") == 0,
                         .bce_weight = both  ? 1
                                       : pw2 ? 2
                                             : 0};
}

mg_status mg_finetune_settle_loss(mg_finetune_config *c, bool volumes)
{
    if (strcmp(c->loss, "release") != 0) return MG_OK;
    mg_free(c->loss);
    c->loss = mg_strdup(volumes ? "dice_sq" : "bce_pw2");
    MG_CHECK(c->loss, MG_ERR_MEMORY, "cannot allocate a setting");
    return MG_OK;
}

mg_click_mode mg_finetune_click_mode(const mg_finetune_config *c)
{
    if (strcmp(c->corrective, "uniform") == 0) return MG_CLICK_UNIFORM;
    return strcmp(c->corrective, "centre") == 0 ? MG_CLICK_CENTRE : MG_CLICK_INNER;
}

mg_start_profile mg_finetune_profile(const mg_finetune_config *c)
{
    return strcmp(c->profile, "pixel") == 0 ? MG_START_PIXEL : MG_START_RELATIVE;
}

mg_box_mode mg_finetune_box_mode(const mg_finetune_config *c)
{
    if (strcmp(c->box_mode, "tight") == 0) return MG_BOX_TIGHT;
    return strcmp(c->box_mode, "widen") == 0 ? MG_BOX_WIDEN : MG_BOX_JITTER;
}

void mg_finetune_prompt_weights(const mg_finetune_config *c, double weight[MG_PROMPT_KINDS])
{
    weight[MG_PROMPT_CLICKS] = c->click_weight;
    weight[MG_PROMPT_BOX] = c->box_weight;
    weight[MG_PROMPT_TEXT] = c->text_weight;
    weight[MG_PROMPT_TEXT_CLICKS] = c->text_click_weight;
}

bool mg_finetune_single_output(const mg_finetune_config *c)
{
    return strcmp(c->output, "single") == 0;
}

mg_status mg_finetune_window(const mg_list *list, double out[2], const double **window)
{
    *window = NULL;
    if (list->count == 0) return MG_OK;
    MG_TRY(mg_list_numbers(list, "data.window", 2, out));
    MG_CHECK(out[0] < out[1], MG_ERR_CONFIG, "data.window is %g, %g, expected two rising numbers",
             out[0], out[1]);
    *window = out;
    return MG_OK;
}

mg_status mg_finetune_parse(const char *yaml, const char *name, mg_finetune_config *out)
{
    mg_option_group group = {mg_finetune_options, out};

    memset(out, 0, sizeof *out);
    return mg_config_load(&group, 1, "train", yaml, name, NULL);
}

void mg_finetune_config_free(mg_finetune_config *c)
{
    mg_option_group group = {mg_finetune_options, c};
    mg_config_free(&group, 1);
}

mg_status mg_finetune_note_texts(mg_finetune_config *c)
{
    mg_text_set set;
    mg_status st = mg_text_set_read(c->texts, &set);

    if (!st) {
        c->text_width = set.width;
        mg_free(c->text_encoder);
        c->text_encoder = mg_strdup(set.hash);
        if (!c->text_encoder) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a hash");
    }
    mg_text_set_free(&set);
    return st;
}
