// medgraft predict: masks of one picture or volume from clicks, boxes and texts, without any label. This
// file has the settings and opens things; predict_picture.c and predict_volume.c do the work.
#include <string.h>

#include "datasets/decode.h"
#include "finetune/cmd.h"
#include "finetune/predict_picture.h"
#include "finetune/predict_space.h"
#include "finetune/predict_text.h"
#include "finetune/predict_volume.h"
#include "runtime/log.h"
#include "runtime/mem.h"

typedef struct {
    char *model, *base, *precision, *output, *clicks, *box, *text, *prompts, *coordinates, *out,
        *overlay, *probability;
    char *volume, *modality, *crop;
    mg_list window, spacing, percentiles;
    mg_predict_text_files files;
} settings;

#define AT(field) offsetof(settings, field)

// clang-format off
static const mg_option options[] = {
    {"predict.model", MG_TEXT, AT(model), "", 0, 0, "run folder of finetune, or a weight file: SAM and MedSAM as published, .safetensors and .pth of finetune", NULL},
    {"predict.base", MG_TEXT, AT(base), "", 0, 0, "weights under a model file that holds only what was trained", NULL},
    {"predict.precision", MG_CHOICE, AT(precision), "float32", 0, 0, "bf16: the encoder's products in bfloat16, as train.precision (faster, masks differ a little at their rims)", "float32|bf16"},
    {"predict.output", MG_CHOICE, AT(output), "auto", 0, 0, "pictures: rule: for one click the best of three masks, otherwise one; single: always the single mask; auto: as the model was trained (a .pth file does not tell: rule)", "auto|rule|single"},
    {"predict.clicks", MG_TEXT, AT(clicks), "", 0, 0, "clicks of one target, counted from 0: 'x,y x,y,0' of a picture, 'x,y,z x,y,z,0' of a volume (a last 0 marks background)", NULL},
    {"predict.box", MG_TEXT, AT(box), "", 0, 0, "its box: 'x0,y0,x1,y1'; of a volume 'x0,y0,z0,x1,y1,z1', used on each of its slices, and there may be several", NULL},
    {"predict.text", MG_TEXT, AT(text), "", 0, 0, "what it is, in words (of a model that was trained with texts)", NULL},
    {"predict.prompts", MG_TEXT, AT(prompts), "", 0, 0, "JSON file with the clicks, boxes and texts of several targets (docs/predict.md)", NULL},
    {"predict.coordinates", MG_CHOICE, AT(coordinates), "voxel", 0, 0, "volumes: voxels along the file's own axes, or RAS mm", "voxel|mm"},
    {"predict.volume", MG_CHOICE, AT(volume), "stack", 0, 0, "volumes: a prompt reaches the other slices of its stack, or only its own slice", "stack|slice"},
    {"predict.texts", MG_TEXT, AT(files.texts), "", 0, 0, "file of embedded texts (medgraft text) that holds the texts", NULL},
    {"predict.weights", MG_TEXT, AT(files.weights), "", 0, 0, "instead of it: weights of CLIP, for any text", NULL},
    {"predict.config", MG_TEXT, AT(files.config), "", 0, 0, "config.json of these weights, as for medgraft text", NULL},
    {"predict.heads", MG_INT, AT(files.heads), "0", 0, 1024, "heads of the text transformer; 0: from config.json, else 64 wide", NULL},
    {"predict.merges", MG_TEXT, AT(files.merges), "", 0, 0, "merges.txt or bpe_simple_vocab_16e6.txt.gz of CLIP", NULL},
    {"predict.vocab", MG_TEXT, AT(files.vocab), "", 0, 0, "vocab.json, held against the merges", NULL},
    {"predict.out", MG_TEXT, AT(out), "", 0, 0, "mask to write, 0 background, 1 the first target, ...: a PNG of the picture's size (it looks black: see predict.overlay), or a NIfTI file with the volume's geometry; empty: NAME-mask.png or NAME-mask.nii.gz in this folder", NULL},
    {"predict.overlay", MG_TEXT, AT(overlay), "", 0, 0, "also write a PNG with masks and prompts drawn; of a volume a sheet of slices", NULL},
    {"predict.probability", MG_TEXT, AT(probability), "", 0, 0, "also write each target's probability: a 16-bit PNG (65535 is 1), or NIfTI of float32; with several targets NAME-1, NAME-2, ...", NULL},
    {"data.modality", MG_CHOICE, AT(modality), "auto", 0, 0, "volumes: how values become 0 to 255; auto: as the model was trained, or CT if a value lies below -200", "auto|CT|other"},
    {"data.window", MG_LIST, AT(window), "", 0, 0, "CT: the two values (HU) that become 0 and 255; empty: as the model was trained", NULL},
    {"data.percentiles", MG_LIST, AT(percentiles), "0.5,99.5", 0, 0, "other volumes: the percentiles of the non-zero values that become 0 and 255", NULL},
    {"data.spacing", MG_LIST, AT(spacing), "", 0, 0, "volumes: mm along x, y, z to resample to, 0 keeps an axis; empty: as the model was trained. The mask has the file's own grid", NULL},
    {"data.crop", MG_CHOICE, AT(crop), "auto", 0, 0, "volumes: cut to the box of the body; auto: as the model was trained", "auto|true|false"},
    {0},
};
// clang-format on

int mg_cmd_predict_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){options, NULL};
    return 1;
}

// A model and the settings of its training.
typedef struct {
    mg_finetune_config trained;
    mg_seg_model net;
} model;

static mg_status open_model(const mg_comm *world, const settings *c, model *m)
{
    MG_TRY(mg_seg_model_open(world, c->model, c->base, &m->trained, &m->net));
    mg_seg_model_output(&m->net, c->output);
    return mg_params_precision(&m->net.params, "predict.precision", c->precision);
}

// --- what goes in -----------------------------------------------------------------------------------

static mg_status read_prompts(const settings *c, int dims, mg_predict_prompts *out)
{
    if (c->prompts[0]) {
        MG_CHECK(!c->clicks[0] && !c->box[0] && !c->text[0], MG_ERR_CONFIG,
                 "predict.prompts is given together with %s, expected one of them",
                 c->clicks[0] ? "predict.clicks"
                 : c->box[0]  ? "predict.box"
                              : "predict.text");
        MG_TRY(mg_predict_read(c->prompts, dims, out));
    } else {
        MG_TRY(mg_predict_parse(c->clicks, c->box, c->text, dims, out));
    }
    out->mm = out->mm || strcmp(c->coordinates, "mm") == 0;
    MG_CHECK(dims == 3 || !out->mm, MG_ERR_CONFIG,
             "coordinates are mm, expected pixels: the input is a picture");
    return MG_OK;
}

// Say which prompts the model has never met.
static void warn_of_prompts(const mg_predict_prompts *p, const mg_finetune_config *trained)
{
    bool clicks = false, boxes = false;

    for (int i = 0; i < p->count; i++) {
        clicks = clicks || p->target[i].clicks;
        boxes = boxes || p->target[i].boxes;
    }
    if (clicks && trained->click_weight + trained->text_click_weight == 0)
        mg_warn("the model was trained without clicks: masks from clicks may be poor");
    if (boxes && trained->box_weight == 0)
        mg_warn("the model was trained without boxes: masks from boxes may be poor");
}

// Contrasts that the model takes, in their order, against the files.
static mg_status check_contrasts(const mg_finetune_config *trained, int files, int input[3])
{
    const char *names = trained->contrasts;
    int wanted = 1;

    for (const char *at = names; *at; at++) wanted += *at == ',';
    MG_CHECK(files == wanted, MG_ERR_CONFIG,
             wanted > 1 ? "%d volumes are named; the model was trained on %d contrasts, expected "
                          "their files in this order: %s"
                        : "%d volumes are named, expected %d: the model was trained on volumes of "
                          "one contrast%s",
             files, wanted, wanted > 1 ? names : "");
    for (int k = 0; k < 3; k++) input[k] = wanted > 1 ? k : 0;
    return MG_OK;
}

static mg_status make_recipe(const settings *c, const mg_finetune_config *trained,
                             mg_volume_recipe *out)
{
    const char *modality = strcmp(c->modality, "auto") ? c->modality : trained->modality;
    double xyz[3] = {0};

    *out = (mg_volume_recipe){.percent = {0.5, 99.5}};
    out->modality = strcmp(modality, "CT") == 0 ? MG_MODALITY_CT
                    : modality[0]               ? MG_MODALITY_OTHER
                                                : MG_MODALITY_GUESS;
    out->crop = strcmp(c->crop, "auto") ? strcmp(c->crop, "true") == 0 : trained->crop;
    MG_TRY(mg_list_numbers(&c->percentiles, "data.percentiles", 2, out->percent));
    MG_CHECK(out->percent[0] >= 0 && out->percent[0] < out->percent[1] && out->percent[1] <= 100,
             MG_ERR_CONFIG,
             "data.percentiles are %g and %g, expected two rising numbers of 0 to 100",
             out->percent[0], out->percent[1]);
    MG_TRY(mg_list_numbers(c->spacing.count ? &c->spacing : &trained->spacing, "data.spacing", 3,
                           xyz));
    for (int a = 0; a < 3; a++) {
        MG_CHECK(xyz[a] == 0 || (xyz[a] >= 0.05 && xyz[a] <= 100), MG_ERR_CONFIG,
                 "data.spacing: %g mm, expected 0.05 to 100, or 0 to keep an axis", xyz[a]);
        out->spacing[2 - a] = xyz[a];
    }
    return MG_OK;
}

// --- the two kinds ----------------------------------------------------------------------------------

static mg_status predict_picture(const mg_args *args, const settings *c, model *m,
                                 mg_predict_prompts *prompts, const mg_predict_files *files)
{
    mg_picture picture = {0};

    MG_CHECK(args->argc == 1, MG_ERR_CONFIG, "'%s' is a picture, expected no other beside it",
             args->argv[0]);
    mg_status st = mg_decode_file(args->argv[0], 0, &picture);
    if (!st) {
        mg_predict_space space = mg_predict_picture_space(picture.height, picture.width);
        mg_picture_to_8bit(&picture);
        st = mg_predict_place(prompts, &space);
    }
    if (!st) st = open_model(args->world, c, m);
    if (!st) st = mg_predict_embed(prompts, &c->files, &m->trained);
    if (!st) {
        warn_of_prompts(prompts, &m->trained);
        st = mg_predict_picture(&m->net, &picture, prompts, files);
    }
    mg_picture_free(&picture);
    return st;
}

static void describe(const mg_volume_file *v)
{
    const mg_nifti_head *h = &v->head;

    mg_info("volume %d x %d x %d axes %s spacing_mm %.3g x %.3g x %.3g modality %s", h->size[0],
            h->size[1], h->size[2], h->orientation, h->spacing[2], h->spacing[1], h->spacing[0],
            v->ct ? "CT" : "other");
    if (v->depth != h->depth || v->height != h->height || v->width != h->width)
        mg_info("the model sees %d x %d x %d (x, y, z of RAS) spacing_mm %.3g x %.3g x %.3g",
                v->width, v->height, v->depth, v->spacing[2], v->spacing[1], v->spacing[0]);
    if (v->remark[0]) mg_warn("%s", v->remark);
}

static mg_status predict_volume(const mg_args *args, const settings *c, model *m,
                                mg_predict_prompts *prompts, const mg_predict_files *files)
{
    mg_volume_file volume = {0};
    mg_predict_volume_plan plan = {.by_slice = strcmp(c->volume, "slice") == 0};
    mg_volume_recipe recipe;
    mg_predict_space space;
    double window[2];

    MG_TRY(open_model(args->world, c, m));
    MG_TRY(make_recipe(c, &m->trained, &recipe));
    MG_TRY(check_contrasts(&m->trained, args->argc, plan.input));
    MG_TRY(mg_finetune_window(c->window.count ? &c->window : &m->trained.window, window,
                              &plan.window));
    plan.slices = (int)m->trained.model.slices;
    plan.carry = m->trained.carry;
    MG_TRY(mg_predict_embed(prompts, &c->files, &m->trained));
    mg_status st = mg_decode_volume((const char *const *)args->argv, args->argc, &recipe, &volume);
    if (!st) {
        describe(&volume);
        warn_of_prompts(prompts, &m->trained);
        st = mg_predict_volume_space(&volume, prompts->mm, &space);
    }
    if (!st) st = mg_predict_place(prompts, &space);
    if (!st) st = mg_predict_volume(&m->net, &volume, &plan, prompts, files);
    mg_volume_file_free(&volume);
    return st;
}

static mg_status predict(const mg_args *args, const settings *c)
{
    const char *input = args->argv[0];
    bool volume = mg_is_volume(input);
    mg_predict_prompts prompts = {0};
    model m = {0};
    char *made = c->out[0] ? NULL : mg_predict_default_mask(input, volume);
    mg_predict_files files = {c->out[0] ? c->out : made, c->overlay, c->probability};

    MG_CHECK(files.mask, MG_ERR_MEMORY, "cannot allocate a name");
    mg_status st = mg_predict_check_files(&files, volume);
    if (!st) st = read_prompts(c, volume ? 3 : 2, &prompts);
    if (!st)
        st = volume ? predict_volume(args, c, &m, &prompts, &files)
                    : predict_picture(args, c, &m, &prompts, &files);
    if (!st) mg_info("mask in '%s'", files.mask);
    if (!st && files.overlay[0]) mg_info("overlay in '%s'", files.overlay);
    mg_predict_free(&prompts);
    mg_seg_model_free(&m.net);
    mg_finetune_config_free(&m.trained);
    mg_free(made);
    return st;
}

mg_status mg_cmd_predict(const mg_args *args)
{
    settings c = {0};
    mg_option_group group = {options, &c};

    mg_status st = mg_args_load(args, &group, 1);
    if (!st && (args->argc < 1 || !c.model[0]))
        st =
            MG_FAIL(MG_ERR_CONFIG, "expected: medgraft predict PICTURE --model RUN --clicks 'x,y', "
                                   "or VOLUME.nii.gz and 'x,y,z'");
    if (!st) st = predict(args, &c);
    mg_config_free(&group, 1);
    return st;
}
