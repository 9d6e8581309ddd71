// medgraft predict: masks of one picture from clicks, boxes and texts, without any label. The picture is
// encoded once; clicks of a target are given one after the other, as the model was trained
// (prompts-and-metrics.md 4.4).
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "datasets/decode.h"
#include "finetune/cmd.h"
#include "finetune/overlay.h"
#include "finetune/predict_text.h"
#include "finetune/seg_session.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"

typedef struct {
    char *model, *clicks, *box, *text, *prompts, *out, *overlay, *probability;
    mg_predict_text_files files;
} settings;

#define AT(field) offsetof(settings, field)

// clang-format off
static const mg_option options[] = {
    {"predict.model", MG_TEXT, AT(model), "", 0, 0, "checkpoint or run folder of finetune", NULL},
    {"predict.clicks", MG_TEXT, AT(clicks), "", 0, 0, "clicks of one target, in pixels: 'x,y x,y,0' (0 marks background)", NULL},
    {"predict.box", MG_TEXT, AT(box), "", 0, 0, "its box: 'x0,y0,x1,y1'", NULL},
    {"predict.text", MG_TEXT, AT(text), "", 0, 0, "what it is, in words (of a model that was trained with texts)", NULL},
    {"predict.prompts", MG_TEXT, AT(prompts), "", 0, 0, "JSON file with the clicks, boxes and texts of several targets", NULL},
    {"predict.texts", MG_TEXT, AT(files.texts), "", 0, 0, "file of embedded texts (medgraft text) that holds the texts", NULL},
    {"predict.weights", MG_TEXT, AT(files.weights), "", 0, 0, "instead of it: weights of CLIP, for any text", NULL},
    {"predict.config", MG_TEXT, AT(files.config), "", 0, 0, "config.json of these weights, as for medgraft text", NULL},
    {"predict.heads", MG_INT, AT(files.heads), "0", 0, 1024, "heads of the text transformer; 0: from config.json, else 64 wide", NULL},
    {"predict.merges", MG_TEXT, AT(files.merges), "", 0, 0, "merges.txt or bpe_simple_vocab_16e6.txt.gz of CLIP", NULL},
    {"predict.vocab", MG_TEXT, AT(files.vocab), "", 0, 0, "vocab.json, held against the merges", NULL},
    {"predict.out", MG_TEXT, AT(out), "", 0, 0, "mask to write, a PNG of the picture's size: 0 background, 1 the first target, ...", NULL},
    {"predict.overlay", MG_TEXT, AT(overlay), "", 0, 0, "also write the picture with masks and clicks drawn (of the first target)", NULL},
    {"predict.probability", MG_TEXT, AT(probability), "", 0, 0, "also write the first target's probability as a 16-bit PNG (65535 is 1)", NULL},
    {0},
};
// clang-format on

int mg_cmd_predict_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){options, NULL};
    return 1;
}

typedef struct {
    mg_picture picture;
    uint8_t *map, *first, *mask; // [height, width]: label map, mask of target 1, of the current one
    float *best, *logits;        // [height, width]: highest logit so far, logits of the current one
} work;

static mg_status allocate(work *w)
{
    size_t cells = (size_t)w->picture.height * w->picture.width;

    w->map = mg_calloc(cells, 1);
    w->first = mg_alloc(cells);
    w->mask = mg_alloc(cells);
    w->best = mg_calloc(cells, sizeof *w->best);
    w->logits = mg_alloc(cells * sizeof *w->logits);
    MG_CHECK(w->map && w->first && w->mask && w->best && w->logits, MG_ERR_MEMORY,
             "cannot allocate masks of %d x %d", w->picture.height, w->picture.width);
    return MG_OK;
}

static void release(work *w)
{
    mg_picture_free(&w->picture);
    mg_free(w->map), mg_free(w->first), mg_free(w->mask);
    mg_free(w->best), mg_free(w->logits);
}

// One pass per click, or one for a box or a text alone; the last one counts.
static mg_status decode(mg_seg_session *s, const mg_predict_target *t, work *w, float *iou)
{
    mg_seg_session_reset(s);
    if (t->has_box) mg_seg_session_box(s, t->box);
    if (t->unit) mg_seg_session_text(s, t->unit);
    if (t->clicks == 0) return mg_seg_session_decode(s, w->mask, w->logits, iou);
    for (int k = 0; k < t->clicks; k++) {
        mg_seg_session_click(s, t->click[k]);
        MG_TRY(mg_seg_session_decode(s, w->mask, w->logits, iou));
    }
    return MG_OK;
}

// Each cell goes to the target with the largest logit above 0; on ties the earlier one keeps it.
static void merge(work *w, int number)
{
    size_t cells = (size_t)w->picture.height * w->picture.width;
    for (size_t i = 0; i < cells; i++)
        if (w->logits[i] > w->best[i]) {
            w->best[i] = w->logits[i];
            w->map[i] = (uint8_t)number;
        }
}

static mg_status write_probability(const char *path, const work *w)
{
    size_t cells = (size_t)w->picture.height * w->picture.width;
    uint16_t *values = mg_alloc(cells * sizeof *values);

    MG_CHECK(values, MG_ERR_MEMORY, "cannot allocate a probability map");
    for (size_t i = 0; i < cells; i++)
        values[i] = (uint16_t)(65535 / (1 + exp(-(double)w->logits[i])) + 0.5);
    mg_status st = mg_write_png16(path, values, w->picture.height, w->picture.width);
    mg_free(values);
    return st;
}

static mg_status write_overlay(const char *path, const work *w, const mg_predict_target *t)
{
    const mg_picture *p = &w->picture;
    mg_overlay o = {.pixels = p->pixels,
                    .height = p->height,
                    .width = p->width,
                    .channels = p->channels,
                    .pred = w->first,
                    .grid_height = p->height,
                    .grid_width = p->width,
                    .click = t->click,
                    .clicks = t->clicks};
    return mg_overlay_write(path, &o, 768);
}

static mg_status all_targets(const settings *c, mg_seg_session *s,
                             const mg_predict_prompts *prompts, work *w)
{
    size_t cells = (size_t)w->picture.height * w->picture.width;

    for (int i = 0; i < prompts->count; i++) {
        const mg_predict_target *t = &prompts->target[i];
        int64_t inside = 0;
        float iou = 0;
        MG_TRY(decode(s, t, w, &iou));
        merge(w, i + 1);
        for (size_t k = 0; k < cells; k++) inside += w->mask[k];
        printf("target %d name '%s' clicks %d box %d text %d pixels %lld predicted_iou %.3f\n",
               i + 1, t->name, t->clicks, t->has_box, t->text != NULL, (long long)inside, iou);
        if (i > 0) continue;
        memcpy(w->first, w->mask, cells);
        if (c->probability[0]) MG_TRY(write_probability(c->probability, w));
    }
    MG_TRY(mg_write_png(c->out, w->map, w->picture.height, w->picture.width, 1));
    if (c->overlay[0]) MG_TRY(write_overlay(c->overlay, w, &prompts->target[0]));
    return MG_OK;
}

static mg_status predict(const mg_args *args, const settings *c, mg_predict_prompts *prompts)
{
    mg_finetune_config trained = {0};
    mg_seg_model model = {0};
    mg_seg_session *session = NULL;
    work w = {0};
    double start = 0;

    mg_status st = mg_decode_file(args->argv[0], 0, &w.picture);
    if (!st) mg_picture_to_8bit(&w.picture);
    if (!st) st = mg_predict_check(prompts, w.picture.height, w.picture.width);
    if (!st) st = mg_seg_model_open(args->world, c->model, &trained, &model);
    if (!st) st = mg_predict_embed(prompts, &c->files, &trained);
    if (!st) st = mg_seg_session_create(&model, &session);
    if (!st) st = allocate(&w);
    if (!st) {
        start = mg_now();
        st = mg_seg_session_picture(session, w.picture.pixels, w.picture.height, w.picture.width,
                                    w.picture.channels);
    }
    double encoded = mg_now();
    if (!st) st = all_targets(c, session, prompts, &w);
    if (!st)
        mg_info("encode_s %.2f decode_s %.2f peak_mb %.0f", encoded - start, mg_now() - encoded,
                (double)mg_mem_peak_rss() / 1e6);
    mg_seg_session_destroy(&session);
    mg_seg_model_free(&model);
    mg_finetune_config_free(&trained);
    release(&w);
    return st;
}

mg_status mg_cmd_predict(const mg_args *args)
{
    settings c = {0};
    mg_option_group group = {options, &c};
    mg_predict_prompts prompts = {0};

    mg_status st = mg_args_load(args, &group, 1);
    if (!st && (args->argc != 1 || !c.model[0] || !c.out[0]))
        st = MG_FAIL(MG_ERR_CONFIG, "expected: medgraft predict PICTURE --model RUN --clicks 'x,y' "
                                    "--out MASK.png");
    if (!st && c.prompts[0])
        st = mg_predict_read(c.prompts, &prompts);
    else if (!st)
        st = mg_predict_parse(c.clicks, c.box, c.text, &prompts);
    if (!st) st = predict(args, &c, &prompts);
    mg_predict_free(&prompts);
    mg_config_free(&group, 1);
    return st;
}
