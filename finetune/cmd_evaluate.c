// medgraft evaluate: every case of the sets, dealt to the ranks, scored with simulated prompts; rows
// of all ranks are gathered, sorted and written by rank 0, so the files do not depend on the ranks.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finetune/cmd.h"
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
    char *model, *out, *texts, *method, *click_rule, *empty;
    mg_list clicks, window, volume;
    mg_json *regions;
    bool box, noc, other_object, one_class;
    double tolerance;
    int64_t pictures, seed, replicates;
} settings;

#define AT(field) offsetof(settings, field)

// clang-format off
static const mg_option options[] = {
    MG_SOURCE_ROWS(settings, data, "test"),
    {"data.window", MG_LIST, AT(window), "", 0, 0, "CT: the two values (HU) that become 0 and 255; empty: as the model was trained", NULL},
    {"evaluate.model", MG_TEXT, AT(model), "", 0, 0, "checkpoint or run folder of finetune", NULL},
    {"evaluate.out", MG_TEXT, AT(out), "", 0, 0, "folder for cases.csv, summary.json and pictures", NULL},
    {"evaluate.method", MG_TEXT, AT(method), "", 0, 0, "name of the method in tables", NULL},
    {"evaluate.clicks", MG_LIST, AT(clicks), "1,3,10", 0, 0, "numbers of clicks to score, at most 20", NULL},
    {"evaluate.click_rule", MG_CHOICE, AT(click_rule), "edt", 0, 0, "edt: deepest wrong cell; component: deepest cell of the largest wrong component", "edt|component"},
    {"evaluate.box", MG_BOOL, AT(box), "false", 0, 0, "also score the tight box", NULL},
    {"evaluate.volume", MG_LIST, AT(volume), "stack", 0, 0, "volumes: what clicks are counted for: stack (one click for its worst slice), slice (every slice by itself; slices without the target are empty by rule), volume (as stack, by distances in 3-D); several may be named", NULL},
    {"evaluate.regions", MG_TREE, AT(regions), "", 0, 0, "targets made of several classes, by number or name, instead of the classes: {WT: [1, 2, 3], TC: [1, 3], ET: [3]}", NULL},
    {"evaluate.texts", MG_TEXT, AT(texts), "", 0, 0, "file of embedded texts (medgraft text): also score a text alone and with one click, by texts held out of training", NULL},
    {"evaluate.noc", MG_BOOL, AT(noc), "false", 0, 0, "run 20 clicks on every target: curves, and clicks until an IoU of 80, 85, 90 %", NULL},
    {"evaluate.other_object", MG_BOOL, AT(other_object), "false", 0, 0, "also click into another class and score against this one", NULL},
    {"evaluate.one_class", MG_BOOL, AT(one_class), "false", 0, 0, "all classes are targets of one kind (numbered objects): score them as one class", NULL},
    {"evaluate.empty", MG_CHOICE, AT(empty), "leave", 0, 0, "both masks empty: left out of means, or counted as Dice 1 and HD95 0", "leave|one"},
    {"evaluate.tolerance", MG_REAL, AT(tolerance), "2", 0, 1000, "tolerance of the surface score NSD, in mm (pixels where there is no spacing)", NULL},
    {"evaluate.pictures", MG_INT, AT(pictures), "8", 0, 10000, "overlay pictures to write", NULL},
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
    mg_seg_model model;
    mg_evaluator *evaluator;
    mg_text_choice texts;
    mg_scores scores; // of this rank
    int64_t every;    // of the cases, one in `every` gets a picture
} evaluation;

static mg_status parse_clicks(const settings *s, mg_eval_plan *p)
{
    for (int i = 0; i < s->clicks.count; i++) {
        char *end;
        long k = strtol(s->clicks.item[i], &end, 10);
        int before = p->click_protocols ? p->clicks[p->click_protocols - 1] : 0;
        MG_CHECK(*end == '\0' && k > before && k <= MG_EVAL_MAX_CLICKS, MG_ERR_CONFIG,
                 "evaluate.clicks holds '%s', expected rising numbers from 1 to %d",
                 s->clicks.item[i], MG_EVAL_MAX_CLICKS);
        p->clicks[p->click_protocols++] = (int)k;
    }
    return MG_OK;
}

static mg_status parse_forms(const settings *s, mg_eval_plan *p)
{
    for (int i = 0; i < s->volume.count; i++) {
        int form = 0;
        while (form < MG_EVAL_FORMS && strcmp(s->volume.item[i], mg_eval_form_name[form])) form++;
        MG_CHECK(form < MG_EVAL_FORMS, MG_ERR_CONFIG,
                 "evaluate.volume holds '%s', expected stack, slice or volume", s->volume.item[i]);
        p->form[form] = true;
    }
    return MG_OK;
}

static mg_status parse_plan(const settings *s, mg_eval_plan *p)
{
    *p = (mg_eval_plan){.box = s->box,
                        .other_object = s->other_object,
                        .curve = s->noc,
                        .components = strcmp(s->click_rule, "component") == 0,
                        .empty_is_one = strcmp(s->empty, "one") == 0,
                        .tolerance = {s->tolerance},
                        .tolerances = 1,
                        .threads = 1};
    MG_TRY(parse_clicks(s, p));
    return parse_forms(s, p);
}

// A class by number or name; 0 if the sets do not have it.
static int class_of(const mg_reader *reader, const mg_json *value)
{
    const char *name = mg_json_text(value);
    int count = mg_reader_classes(reader);

    if (!name) {
        int64_t number = mg_json_int(value, 0);
        return number >= 1 && number <= count ? (int)number : 0;
    }
    for (int c = 1; c <= count; c++)
        if (strcmp(mg_reader_class_name(reader, c), name) == 0) return c;
    return 0;
}

static mg_status parse_regions(const mg_json *tree, const mg_reader *reader, mg_eval_plan *p)
{
    MG_CHECK(!tree || mg_json_is_object(tree), MG_ERR_CONFIG,
             "evaluate.regions is no mapping, expected {NAME: [class, ...]}");
    MG_CHECK(mg_json_size(tree) <= MG_EVAL_MAX_REGIONS, MG_ERR_CONFIG,
             "evaluate.regions has %zu entries, expected at most %d", mg_json_size(tree),
             MG_EVAL_MAX_REGIONS);
    for (size_t i = 0; i < mg_json_size(tree); i++) {
        mg_eval_region *r = &p->region[p->regions++];
        const mg_json *list;
        const char *name = mg_json_member(tree, i, &list);
        snprintf(r->name, sizeof r->name, "%s", name);
        MG_CHECK(mg_json_is_array(list) && mg_json_size(list) > 0, MG_ERR_CONFIG,
                 "evaluate.regions: '%s' is no list of classes", name);
        for (size_t k = 0; k < mg_json_size(list); k++) {
            int c = class_of(reader, mg_json_at(list, k));
            MG_CHECK(c, MG_ERR_CONFIG,
                     "evaluate.regions: entry %zu of '%s' is no class of the sets, expected a "
                     "number from 1 to %d or a name",
                     k + 1, name, mg_reader_classes(reader));
            r->classes |= (uint16_t)(1u << (c - 1));
        }
    }
    return MG_OK;
}

// What depends on the model and on the sets.
static mg_status complete_plan(const evaluation *e, const mg_finetune_config *trained,
                               double window[2], mg_eval_plan *p)
{
    const mg_list *given = e->s->window.count ? &e->s->window : &trained->window;

    p->slices = (int)trained->model.slices;
    p->carry = trained->carry;
    MG_TRY(mg_finetune_window(given, window, &p->window));
    return parse_regions(e->s->regions, e->reader, p);
}

// --- one target -------------------------------------------------------------------------------------

static mg_status keep_rows(evaluation *e, const mg_eval_target *t, const char *id)
{
    const mg_shard_item *item = mg_reader_item(e->reader, t->sample);

    for (int i = 0; i < t->rows; i++) {
        mg_score row = {.set = item->set, .protocol = t->row[i].protocol, .id = id};
        row.class_number = e->s->one_class ? 1 : t->number;
        row.class_name = e->s->one_class ? "target" : t->name;
        row.clicks = t->row[i].clicks;
        mg_score_take(&row, &t->row[i].metric, 0);
        if (i == t->rows - 1 && t->curve) { // the curve belongs to the longest click protocol
            row.curve = t->curve;
            memcpy(row.dice_after, t->dice_after, sizeof t->dice_after);
            memcpy(row.iou_after, t->iou_after, sizeof t->iou_after);
        }
        MG_TRY(mg_scores_add(&e->scores, &row));
    }
    return MG_OK;
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
                          .clicks = t->click_count};
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
    const char *name = mg_reader_item(e->reader, t->sample)->name;
    char *id = e->s->one_class ? mg_sprintf("%s#%s", name, t->name) : mg_strdup(name);

    MG_CHECK(id, MG_ERR_MEMORY, "cannot allocate a name");
    mg_status st = keep_rows(e, t, id);
    mg_free(id);
    if (!st && e->s->pictures && t->sample % e->every == 0) st = keep_picture(e, t);
    return st;
}

// --- all cases --------------------------------------------------------------------------------------

static mg_status score_my_cases(evaluation *e)
{
    int64_t total = mg_reader_count(e->reader), lo, hi;

    mg_comm_range(total, mg_comm_rank(e->world), mg_comm_size(e->world), &lo, &hi);
    for (int64_t i = lo; i < hi; i++) {
        MG_TRY(mg_evaluator_run(e->evaluator, i, take_target, e));
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

// Say of each set whether its distances are in mm and whether it is made of phantoms.
static mg_status describe_sets(evaluation *e, mg_scores *all)
{
    for (int64_t i = 0; i < mg_reader_count(e->reader); i++) {
        const mg_shard_item *item = mg_reader_item(e->reader, i);
        if (mg_scores_set(all, item->set)) continue;
        MG_TRY(
            mg_scores_describe(all, item->set, item->spacing[1] > 0 ? "mm" : "px", item->phantom));
    }
    return MG_OK;
}

static mg_status write_scores(evaluation *e)
{
    mg_scores all = {.trained_share = (double)mg_params_trainable(&e->model.params) /
                                      (double)mg_params_total(&e->model.params),
                     .nsd_tolerance = e->s->tolerance,
                     .empty_is_one = strcmp(e->s->empty, "one") == 0};
    mg_status st = gather_rows(e, &all);

    if (!st) st = describe_sets(e, &all);
    if (!st && !(all.method = mg_strdup(e->s->method))) st = MG_FAIL(MG_ERR_MEMORY, "no memory");
    if (!st && mg_comm_rank(e->world) == 0)
        st =
            mg_scores_write(&all, mg_run_path(e->run), (uint64_t)e->s->seed, (int)e->s->replicates);
    mg_scores_free(&all);
    return mg_comm_agree(e->world, st);
}

// The texts must have been embedded as those that the model was trained with.
static mg_status open_texts(evaluation *e, const mg_finetune_config *trained, mg_eval_plan *plan)
{
    const char *path = e->s->texts, *name;

    MG_CHECK(e->model.text.width, MG_ERR_CONFIG, "'%s' was not trained with texts", e->s->model);
    MG_TRY(mg_text_choice_open(path, e->reader, &e->texts));
    MG_CHECK(!strcmp(e->texts.set.hash, trained->text_encoder) &&
                 e->texts.set.width == e->model.text.width,
             MG_ERR_CONFIG, "'%s' was embedded by %s, the texts of the model's training by %s",
             path, e->texts.set.hash, trained->text_encoder);
    plan->texts = &e->texts;
    for (int k = 1; mg_eval_goal(plan, e->reader, k, &name); k++)
        if (mg_text_choice_fixed(&e->texts, name, 0) >= 0) return MG_OK;
    return MG_FAIL(MG_ERR_CONFIG, "'%s' holds out no text for any target of the data", path);
}

static mg_status evaluate(evaluation *e, const char *yaml)
{
    mg_finetune_config trained = {0};
    mg_eval_plan plan;
    double window[2];

    MG_TRY(mg_comm_agree(e->world, parse_plan(e->s, &plan)));
    mg_status st = mg_seg_model_open(e->world, e->s->model, &trained, &e->model);
    if (!st) st = mg_source_open(e->world, &e->s->data, &e->reader);
    if (!st) st = mg_comm_agree(e->world, complete_plan(e, &trained, window, &plan));
    if (!st && e->s->texts[0]) st = mg_comm_agree(e->world, open_texts(e, &trained, &plan));
    if (!st) st = mg_run_open(e->world, e->s->out, "evaluate", yaml, free_keys, &e->run);
    if (!st)
        st = mg_comm_agree(e->world,
                           mg_evaluator_create(&e->model, e->reader, &plan, &e->evaluator));
    if (!st) {
        int64_t cases = mg_reader_count(e->reader);
        e->every = e->s->pictures ? (cases + e->s->pictures - 1) / e->s->pictures : 1;
        st = mg_comm_agree(e->world, score_my_cases(e));
    }
    if (!st) st = write_scores(e);
    mg_finetune_config_free(&trained);
    return st;
}

mg_status mg_cmd_evaluate(const mg_args *args)
{
    settings s = {0};
    mg_option_group group = {options, &s};
    evaluation e = {.world = args->world, .s = &s};
    char *yaml = NULL;

    mg_status st = mg_args_load(args, &group, 1);
    if (!st && (!s.model[0] || !s.out[0]))
        st = MG_FAIL(MG_ERR_CONFIG, "%s is not set, expected a %s",
                     s.model[0] ? "evaluate.out" : "evaluate.model",
                     s.model[0] ? "folder for the scores" : "run folder of finetune");
    st = mg_comm_agree(args->world, st);
    if (!st) {
        yaml = mg_config_echo(&group, 1);
        st = evaluate(&e, yaml);
    }
    mg_evaluator_destroy(&e.evaluator);
    mg_text_choice_close(&e.texts);
    mg_run_close(&e.run);
    mg_reader_close(&e.reader);
    mg_seg_model_free(&e.model);
    mg_scores_free(&e.scores);
    mg_free(yaml);
    mg_config_free(&group, 1);
    return st;
}
