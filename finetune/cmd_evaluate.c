// medgraft evaluate: every case of the sets, dealt to the ranks, scored: a model with simulated prompts,
// or masks that any program wrote. Rows of all ranks are gathered, sorted and written by rank 0, so the
// files do not depend on the ranks.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finetune/cmd.h"
#include "finetune/eval_plan.h"
#include "finetune/eval_progress.h"
#include "finetune/mask_eval.h"
#include "finetune/overlay.h"
#include "finetune/scores.h"
#include "finetune/seg_eval.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/run.h"
#include "shard/source.h"

typedef struct {
    mg_source_config data;
    mg_eval_config plan;
    mg_mask_config masks;
    char *model, *base, *precision, *output, *out, *texts, *method;
    mg_list window;
    bool one_class;
    int64_t pictures, seed, replicates;
} settings;

#define AT(field) offsetof(settings, field)

// clang-format off
static const mg_option options[] = {
    MG_SOURCE_ROWS(settings, data, "test"),
    {"data.window", MG_LIST, AT(window), "", 0, 0, "CT: the two values (HU) that become 0 and 255; empty: as the model was trained", NULL},
    {"evaluate.model", MG_TEXT, AT(model), "", 0, 0, "run folder of finetune, or a weight file: SAM and MedSAM as published, .safetensors and .pth of finetune", NULL},
    {"evaluate.base", MG_TEXT, AT(base), "", 0, 0, "weights under a model file that holds only what was trained", NULL},
    {"evaluate.precision", MG_CHOICE, AT(precision), "float32", 0, 0, "bf16: the encoder's products in bfloat16, as train.precision (faster, masks differ a little at their rims)", "float32|bf16"},
    {"evaluate.output", MG_CHOICE, AT(output), "auto", 0, 0, "rule: three masks for one click, otherwise one; single: always the single mask; auto: as the model was trained (a .pth file does not tell: rule)", "auto|rule|single"},
    {"evaluate.masks", MG_TEXT, AT(masks.folder), "", 0, 0, "instead of a model: folder of masks that any program wrote, PNG for pictures and NIfTI for volumes, of the image's size and place; one that is missing counts as empty", NULL},
    {"evaluate.mask_name", MG_TEXT, AT(masks.name), "{stem}", 0, 0, "path of a case's mask below it, without extension: {stem}, {patient}, {set}; with {target} every class or region has a file of its own ('_' for '/')", NULL},
    {"evaluate.labels", MG_TREE, AT(masks.labels), "", 0, 0, "what values of label maps mean, a class or several by number or name: {1: spleen, 4: [1, 2]}; empty: value v is class v", NULL},
    {"evaluate.threshold", MG_REAL, AT(masks.threshold), "0", 0, 1, "files of one target are probabilities: inside where they are greater (PNG: of 255 or 65535); 0: masks, inside where not 0", NULL},
    {"evaluate.absent", MG_BOOL, AT(masks.absent), "false", 0, 0, "masks: also score targets that a case does not have (a false alarm has Dice 0); prompts are never asked for them", NULL},
    {"evaluate.out", MG_TEXT, AT(out), "", 0, 0, "folder for cases.csv, summary.json, pictures and maps", NULL},
    {"evaluate.method", MG_TEXT, AT(method), "", 0, 0, "name of the method in tables", NULL},
    {"evaluate.clicks", MG_LIST, AT(plan.clicks), "1,3,10", 0, 0, "numbers of clicks to score, at most 20", NULL},
    {"evaluate.click_rule", MG_CHOICE, AT(plan.click_rule), "edt", 0, 0, "edt: deepest wrong cell; component: deepest cell of the largest wrong component", "edt|component"},
    {"evaluate.box", MG_BOOL, AT(plan.box), "false", 0, 0, "also score the tight box", NULL},
    {"evaluate.volume", MG_LIST, AT(plan.volume), "stack", 0, 0, "volumes: what clicks are counted for: stack (one click for its worst slice), slice (every slice by itself; slices without the target are empty by rule), volume (as stack, by distances in 3-D); several may be named", NULL},
    {"evaluate.carry", MG_CHOICE, AT(plan.carry), "trained", 0, 0, "volumes: slices without a click are given the mask of their neighbour; trained: as prompts.carry was in training", "trained|on|off"},
    {"evaluate.regions", MG_TREE, AT(plan.regions), "", 0, 0, "targets made of several classes, by number or name, instead of the classes: {WT: [1, 2, 3], TC: [1, 3], ET: [3]}", NULL},
    {"evaluate.beside", MG_BOOL, AT(plan.beside), "false", 0, 0, "score the regions beside the classes, as a set of their own in the tables: 'NAME (regions)'", NULL},
    {"evaluate.texts", MG_TEXT, AT(texts), "", 0, 0, "file of embedded texts (medgraft text): also score a text alone and with one click, by texts held out of training", NULL},
    {"evaluate.noc", MG_BOOL, AT(plan.noc), "false", 0, 0, "run 20 clicks on every target: curves, and clicks until an IoU of 80, 85, 90 %", NULL},
    {"evaluate.msa_score", MG_BOOL, AT(plan.msa_score), "false", 0, 0, "also score as the released Medical SAM Adapter does, as a second figure: Dice and IoU of each slice, averaged over the thresholds 0.1 to 0.9; not comparable with Dice and IoU of others", NULL},
    {"evaluate.other_object", MG_BOOL, AT(plan.other_object), "false", 0, 0, "also click into another class and score against this one", NULL},
    {"evaluate.one_class", MG_BOOL, AT(one_class), "false", 0, 0, "all classes are targets of one kind (numbered objects): score them as one class", NULL},
    {"evaluate.slices", MG_BOOL, AT(plan.slices_too), "false", 0, 0, "volumes: also score their slices as pictures, a line of its own ('..., slices'): means over the slices that are not empty in both masks", NULL},
    {"evaluate.empty", MG_CHOICE, AT(plan.empty), "leave", 0, 0, "both masks empty: left out of means, or counted as Dice 1 and HD95 0", "leave|one"},
    {"evaluate.tolerance", MG_REAL, AT(plan.tolerance), "2", 0, 1000, "tolerance of the surface score NSD, in mm (pixels where there is no spacing)", NULL},
    {"evaluate.pictures", MG_INT, AT(pictures), "8", 0, 10000, "cases of which pictures are kept: an overlay of each target, and label maps of all targets for reports that show methods side by side", NULL},
    {"evaluate.seed", MG_INT, AT(seed), "0", 0, 9e15, "seed of the bootstrap", NULL},
    {"evaluate.replicates", MG_INT, AT(replicates), "10000", 0, 1e7, "bootstrap replicates (0: no intervals)", NULL},
    {0},
};
// clang-format on

static const char *const free_keys[] = {"data.threads",        "data.ahead",   "evaluate.pictures",
                                        "evaluate.replicates", "evaluate.out", NULL};

int mg_cmd_evaluate_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){options, NULL};
    return 1;
}

typedef struct {
    const mg_comm *world;
    const settings *s;
    mg_run *run;
    mg_reader *reader;
    mg_finetune_config trained; // how the model was
    mg_seg_model model;
    mg_text_choice texts;
    mg_eval_plan plan;
    double window[2];
    mg_evaluator *evaluator;  // of the model, or
    mg_mask_evaluator *masks; // of masks
    mg_scores one, scores;    // of a case, of this rank
    mg_eval_progress *progress;
    int64_t every;     // of the cases, one in `every` gets pictures and maps
    mg_case_maps maps; // of the case at hand
} evaluation;

// Name in tables of a set's regions beside its classes; mg_free.
static char *regions_of(const char *set)
{
    return mg_sprintf("%s (regions)", set);
}

// --- one target -------------------------------------------------------------------------------------

static mg_status keep_rows(evaluation *e, const mg_eval_target *t, const char *set, const char *id)
{
    for (int i = 0; i < t->rows; i++) {
        mg_score row = {.set = set, .protocol = t->row[i].protocol, .id = id};
        row.class_number = e->s->one_class ? 1 : t->number;
        row.class_name = e->s->one_class ? "target" : t->name;
        row.clicks = t->row[i].clicks;
        mg_score_take(&row, &t->row[i].metric, 0);
        if (i == t->rows - 1 && t->curve) { // the curve belongs to the longest click protocol
            row.curve = t->curve;
            memcpy(row.dice_after, t->dice_after, sizeof t->dice_after);
            memcpy(row.iou_after, t->iou_after, sizeof t->iou_after);
        }
        MG_TRY(mg_scores_add(&e->one, &row));
    }
    return MG_OK;
}

// The same cases in every evaluation of the same data.
static bool is_shown(const evaluation *e, int64_t sample)
{
    return e->s->pictures && sample % e->every == 0;
}

static mg_status keep_picture(evaluation *e, const mg_eval_target *t)
{
    mg_overlay overlay = {.pixels = t->picture,
                          .height = t->picture_height,
                          .width = t->picture_width,
                          .channels = t->channels,
                          .gt = t->gt,
                          .pred = t->mask,
                          .grid_height = t->height,
                          .grid_width = t->width,
                          .click = t->click,
                          .clicks = t->click_count,
                          .turned = mg_reader_item(e->reader, t->sample)->volume};
    char name[96];

    snprintf(name, sizeof name, "case-%06lld-class-%02d.png", (long long)t->sample, t->number);
    char *path = mg_run_picture(e->run, name);
    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    mg_status st = mg_overlay_write(path, &overlay, 384);
    mg_free(path);
    return st;
}

static mg_status take_target(void *ctx, const mg_eval_target *t)
{
    evaluation *e = ctx;
    const mg_shard_item *item = mg_reader_item(e->reader, t->sample);
    char *id = e->s->one_class ? mg_sprintf("%s#%s", item->name, t->name) : mg_strdup(item->name);
    char *set = mg_eval_beside(&e->plan, e->reader, t->number) ? regions_of(item->set)
                                                               : mg_strdup(item->set);

    mg_status st =
        id && set ? keep_rows(e, t, set, id) : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a name");
    mg_free(id);
    mg_free(set);
    if (!st && is_shown(e, t->sample)) st = keep_picture(e, t);
    return st;
}

// --- all cases --------------------------------------------------------------------------------------

static mg_status keep_maps(const evaluation *e, int64_t sample)
{
    const mg_shard_item *item = mg_reader_item(e->reader, sample);
    char *folder = mg_run_file(e->run, "maps"), stem[32];

    MG_CHECK(folder, MG_ERR_MEMORY, "cannot allocate a path");
    snprintf(stem, sizeof stem, "case-%06lld", (long long)sample);
    mg_status st = mg_case_maps_write(&e->maps, folder, stem, item->set, item->name);
    mg_free(folder);
    return st;
}

// Model, or masks, and the data, in a name.
static char *key_of(const evaluation *e)
{
    uint64_t model = e->masks ? 0 : mg_params_hash(&e->model.params);
    return mg_sprintf("%016llx-%016llx", (unsigned long long)model,
                      (unsigned long long)mg_reader_content(e->reader));
}

static mg_status open_progress(evaluation *e, int64_t lo, int64_t hi)
{
    char *folder = mg_run_file(e->run, "progress"), *key = key_of(e);
    mg_status st = mg_comm_agree(
        e->world, folder && key ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a name"));

    if (!st) st = mg_eval_progress_open(e->world, folder, key, lo, hi, &e->scores, &e->progress);
    if (!st) {
        int64_t done = mg_comm_sum_int(e->world, mg_eval_progress_count(e->progress));
        if (done)
            mg_info("resume cases %lld of %lld are scored", (long long)done,
                    (long long)mg_reader_count(e->reader));
    }
    mg_free(folder), mg_free(key);
    return st;
}

static mg_status score_case(evaluation *e, int64_t i)
{
    mg_case_maps *maps = is_shown(e, i) ? &e->maps : NULL;
    mg_status st = maps ? mg_eval_begin_maps(&e->plan, e->reader, i, maps) : MG_OK;

    if (!st)
        st = e->masks ? mg_mask_evaluator_run(e->masks, i, maps, take_target, e)
                      : mg_evaluator_run(e->evaluator, i, maps, take_target, e);
    if (!st && maps && maps->maps) st = keep_maps(e, i);
    if (!st) st = mg_eval_progress_add(e->progress, i, &e->one, &e->scores);
    mg_scores_free(&e->one);
    return st;
}

static mg_status score_my_cases(evaluation *e, int64_t lo, int64_t hi)
{
    for (int64_t i = lo; i < hi; i++) {
        if (mg_eval_progress_has(e->progress, i)) continue;
        MG_TRY(score_case(e, i));
        mg_progress(i + 1 - lo, hi - lo, "cases %lld", (long long)(i + 1 - lo));
        if (mg_stop_raised()) return MG_FAIL(MG_ERR_STOPPED, "stopped on a signal");
    }
    mg_progress_end();
    return MG_OK;
}

// Rows of all ranks to all; rank 0 uses them.
static mg_status gather_rows(evaluation *e, mg_scores *all)
{
    int ranks = mg_comm_size(e->world);
    size_t *bytes = mg_calloc((size_t)ranks, sizeof *bytes), total = 0;
    char *mine = NULL, *text = NULL;
    mg_status st = bytes ? mg_scores_print(&e->scores, &mine)
                         : MG_FAIL(MG_ERR_MEMORY, "cannot allocate the rows");

    st = mg_comm_agree(e->world, st);
    if (!st) {
        size_t length = strlen(mine) + 1;
        mg_comm_allgather(e->world, &length, sizeof length, bytes);
        for (int r = 0; r < ranks; r++) total += bytes[r];
        text = mg_alloc(total);
        st = mg_comm_agree(e->world,
                           text ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate the rows"));
    }
    if (!st) {
        mg_comm_allgatherv(e->world, mine, bytes, text);
        const char *at = text;
        for (int r = 0; r < ranks && !st; r++, at += strlen(at) + 1)
            st = mg_scores_parse(all, at, "rows of a rank");
    }
    mg_free(bytes), mg_free(mine), mg_free(text);
    return st;
}

// Masks of a set that were not there, under the set's name in tables.
static mg_status name_missing(const evaluation *e, const char *set, const char *as, mg_scores *all)
{
    mg_texts missing = {0};
    mg_status st = e->masks ? mg_mask_evaluator_missing(e->masks, set, &missing) : MG_OK;

    for (size_t i = 0; i < missing.count && !st; i++)
        st = mg_scores_missing(all, as, missing.item[i]);
    mg_texts_free(&missing);
    return st;
}

// Say of each set whether its distances are in mm, whether it is made of phantoms, and what is missing.
static mg_status describe_sets(const evaluation *e, mg_scores *all)
{
    for (int64_t i = 0; i < mg_reader_count(e->reader); i++) {
        const mg_shard_item *item = mg_reader_item(e->reader, i);
        const char *unit = item->spacing[1] > 0 ? "mm" : "px";
        if (mg_scores_set(all, item->set)) continue;
        MG_TRY(mg_scores_describe(all, item->set, unit, item->phantom));
        MG_TRY(name_missing(e, item->set, item->set, all));
        if (!e->plan.beside) continue;
        char *regions = regions_of(item->set);
        MG_CHECK(regions, MG_ERR_MEMORY, "cannot allocate a name");
        mg_status st = mg_scores_describe(all, regions, unit, item->phantom);
        if (!st) st = name_missing(e, item->set, regions, all);
        mg_free(regions);
        MG_TRY(st);
    }
    return MG_OK;
}

static double trained_share(const evaluation *e)
{
    return (double)mg_params_trainable(&e->model.params) /
           (double)mg_params_total(&e->model.params);
}

static mg_status write_scores(evaluation *e)
{
    mg_scores all = {.trained_share = e->masks ? NAN : trained_share(e),
                     .nsd_tolerance = e->s->plan.tolerance,
                     .empty_is_one = e->plan.empty_is_one};
    mg_status st = gather_rows(e, &all);

    if (!st) st = describe_sets(e, &all);
    if (!st && !(all.method = mg_strdup(e->s->method))) st = MG_FAIL(MG_ERR_MEMORY, "no memory");
    if (!st && mg_comm_rank(e->world) == 0)
        st =
            mg_scores_write(&all, mg_run_path(e->run), (uint64_t)e->s->seed, (int)e->s->replicates);
    mg_scores_free(&all);
    return mg_comm_agree(e->world, st);
}

// --- what is scored ---------------------------------------------------------------------------------

// The texts must have been embedded as those that the model was trained with.
static mg_status open_texts(evaluation *e)
{
    const char *path = e->s->texts, *name;

    MG_CHECK(e->model.text.width, MG_ERR_CONFIG, "'%s' was not trained with texts", e->s->model);
    MG_TRY(mg_text_choice_open(path, e->reader, &e->texts));
    MG_CHECK(!strcmp(e->texts.set.hash, e->trained.text_encoder) &&
                 e->texts.set.width == e->model.text.width,
             MG_ERR_CONFIG, "'%s' was embedded by %s, the texts of the model's training by %s",
             path, e->texts.set.hash, e->trained.text_encoder);
    e->plan.texts = &e->texts;
    for (int k = 1; mg_eval_goal(&e->plan, e->reader, k, &name); k++)
        if (mg_text_choice_fixed(&e->texts, name, 0) >= 0) return MG_OK;
    return MG_FAIL(MG_ERR_CONFIG, "'%s' holds out no text for any target of the data", path);
}

// What depends on the model and on the sets.
static mg_status complete_plan(evaluation *e)
{
    const mg_list *given = e->s->window.count || e->masks ? &e->s->window : &e->trained.window;

    e->plan.slices = (int)e->trained.model.slices;
    e->plan.carry =
        strcmp(e->s->plan.carry, "trained") == 0 ? e->trained.carry : e->s->plan.carry[1] == 'n';
    MG_TRY(mg_finetune_window(given, e->window, &e->plan.window));
    MG_TRY(mg_eval_plan_regions(&e->s->plan, e->reader, &e->plan));
    return e->s->texts[0] ? open_texts(e) : MG_OK;
}

static void say_names(const char *what, const mg_texts *names)
{
    enum { MOST = 8 };

    for (size_t i = 0; i < names->count && i < MOST; i++)
        mg_info("masks %s %zu of %zu '%s'", what, i + 1, names->count, names->item[i]);
    if (names->count > MOST) mg_info("masks %s and %zu more", what, names->count - MOST);
}

// Pair files and items, and say what is missing and what is too much.
static mg_status open_masks(evaluation *e)
{
    mg_texts missing = {0}, extra = {0};

    MG_TRY(mg_mask_evaluator_create(&e->s->masks, e->reader, &e->plan, &e->masks));
    mg_status st = mg_mask_evaluator_missing(e->masks, NULL, &missing);
    if (!st) st = mg_mask_evaluator_extra(e->masks, &extra);
    if (!st) say_names("missing, scored as empty:", &missing);
    if (!st) say_names("without a case:", &extra);
    mg_texts_free(&missing);
    mg_texts_free(&extra);
    return st;
}

static mg_status open_judged(evaluation *e)
{
    bool masks = e->s->masks.folder[0];
    mg_status st = MG_OK;

    if (!masks) st = mg_seg_model_open(e->world, e->s->model, e->s->base, &e->trained, &e->model);
    mg_seg_model_output(&e->model, e->s->output);
    if (!st)
        st = mg_comm_agree(
            e->world, mg_params_precision(&e->model.params, "evaluate.precision", e->s->precision));
    if (!st) st = mg_source_open(e->world, &e->s->data, &e->reader);
    if (!st) st = mg_comm_agree(e->world, complete_plan(e));
    if (!st && masks) return mg_comm_agree(e->world, open_masks(e));
    if (!st)
        st = mg_comm_agree(e->world,
                           mg_evaluator_create(&e->model, e->reader, &e->plan, &e->evaluator));
    return st;
}

static mg_status evaluate(evaluation *e, const char *yaml)
{
    MG_TRY(mg_comm_agree(e->world, mg_eval_plan_parse(&e->s->plan, &e->plan)));
    MG_TRY(open_judged(e));
    MG_TRY(mg_run_open(e->world, e->s->out, "evaluate", options, yaml, free_keys, &e->run));
    mg_source_note(e->reader, e->run);
    int64_t cases = mg_reader_count(e->reader);
    e->every = e->s->pictures ? (cases + e->s->pictures - 1) / e->s->pictures : 1;
    int64_t lo, hi;
    mg_comm_range(cases, mg_comm_rank(e->world), mg_comm_size(e->world), &lo, &hi);
    MG_TRY(open_progress(e, lo, hi));
    MG_TRY(mg_comm_agree(e->world, score_my_cases(e, lo, hi)));
    MG_TRY(write_scores(e));
    return mg_eval_progress_finish(e->world, &e->progress);
}

static mg_status check_settings(const settings *s)
{
    bool model = s->model[0], masks = s->masks.folder[0];

    MG_CHECK(model || masks, MG_ERR_CONFIG,
             "evaluate.model is not set, expected a run folder of finetune (or evaluate.masks, a "
             "folder of masks)");
    MG_CHECK(!model || !masks, MG_ERR_CONFIG,
             "evaluate.model and evaluate.masks are both set, expected one of them");
    MG_CHECK(!masks || s->method[0], MG_ERR_CONFIG,
             "evaluate.method is not set, expected the name of what made the masks");
    MG_CHECK(!masks || !s->texts[0], MG_ERR_CONFIG, "evaluate.texts needs a model, not masks");
    MG_CHECK(!masks || !s->plan.msa_score, MG_ERR_CONFIG,
             "evaluate.msa_score is of a model's probabilities, and masks have none");
    MG_CHECK(s->out[0], MG_ERR_CONFIG, "evaluate.out is not set, expected a folder for the scores");
    return MG_OK;
}

mg_status mg_cmd_evaluate(const mg_args *args)
{
    settings s = {0};
    mg_option_group group = {options, &s};
    evaluation e = {.world = args->world, .s = &s};
    char *yaml = NULL;

    mg_status st = mg_args_load(args, &group, 1);
    if (!st) st = check_settings(&s);
    st = mg_comm_agree(args->world, st);
    if (!st) {
        yaml = mg_config_echo(&group, 1);
        st = evaluate(&e, yaml);
    }
    mg_eval_progress_close(&e.progress);
    mg_scores_free(&e.one);
    mg_evaluator_destroy(&e.evaluator);
    mg_mask_evaluator_destroy(&e.masks);
    mg_text_choice_close(&e.texts);
    mg_run_close(&e.run);
    mg_reader_close(&e.reader);
    mg_seg_model_free(&e.model);
    mg_finetune_config_free(&e.trained);
    mg_scores_free(&e.scores);
    mg_case_maps_free(&e.maps);
    mg_free(yaml);
    mg_config_free(&group, 1);
    return st;
}
