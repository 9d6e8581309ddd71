// Stacks of a case, protocol by protocol, target by target.
#include "finetune/volume_eval.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "finetune/volume_blend.h"
#include "finetune/volume_grid.h"
#include "finetune/volume_session.h"
#include "runtime/mem.h"
#include "shard/source.h"

struct mg_volume_evaluator {
    const mg_reader *reader;
    const mg_eval_plan *plan;
    mg_volume_session *session;
    // of the case
    const mg_shard_item *item;
    int64_t sample;
    size_t full_cells;
    double full_spacing[3];
    mg_clicker *clicker;
    mg_blend blend;
    mg_grid grid;
    float *logits;                      // stored grid, of one moment
    uint8_t *gt, *ignore, *room;        // stored grid [depth, height, width]
    uint8_t *full_gt, *full_ignore;     // original grid
    uint8_t *full_pred, *full_room;     // the same
    uint8_t *pred;                      // of a stack
    uint8_t *shown;                     // prediction on one slice
    uint8_t *picture;                   // that slice, three channels
    mg_click click[MG_EVAL_MAX_CLICKS]; // of the stack at hand
    int click_count;
    // of the target
    int best;                     // slice with its largest area
    int made[MG_EVAL_MAX_CLICKS]; // by moment: most clicks that a stack took
    bool any[MG_EVAL_MAX_CLICKS]; // by click number: some stack could still be clicked
};

// --- creation ---------------------------------------------------------------------------------------

mg_status mg_volume_evaluator_create(const mg_seg_model *model, const mg_reader *reader,
                                     const mg_eval_plan *plan, mg_volume_evaluator **out)
{
    mg_volume_evaluator *e = mg_calloc(1, sizeof *e);

    *out = NULL;
    MG_CHECK(e, MG_ERR_MEMORY, "cannot allocate an evaluator of volumes");
    e->reader = reader;
    e->plan = plan;
    mg_status st =
        mg_volume_session_create(model, plan->slices, plan->carry, MG_EVAL_MAX_CLICKS, &e->session);
    if (st)
        mg_volume_evaluator_destroy(&e);
    else
        *out = e;
    return st;
}

static void close_case(mg_volume_evaluator *e)
{
    mg_clicker_destroy(&e->clicker);
    mg_blend_free(&e->blend);
    mg_grid_free(&e->grid);
    mg_free(e->logits), mg_free(e->gt), mg_free(e->full_gt), mg_free(e->pred);
    e->logits = NULL;
    e->gt = e->full_gt = e->pred = NULL;
}

void mg_volume_evaluator_destroy(mg_volume_evaluator **evaluator)
{
    mg_volume_evaluator *e = *evaluator;

    if (!e) return;
    close_case(e);
    mg_volume_session_destroy(&e->session);
    mg_free(e);
    *evaluator = NULL;
}

// --- the case ---------------------------------------------------------------------------------------

// Numbers of clicks after which masks are kept.
static int moments_of(const mg_eval_plan *p)
{
    int clicks = p->curve ? MG_EVAL_MAX_CLICKS : p->click_protocols;
    return clicks > 0 ? clicks : 1;
}

static mg_status read_slices(void *ctx, int first, int slices, uint8_t *out)
{
    const mg_volume_evaluator *e = ctx;
    return mg_source_slices(e->reader, e->sample, first, slices, e->plan->window, out);
}

static mg_status allocate_case(mg_volume_evaluator *e)
{
    static const double unchanged[3][2] = {{0, 1}, {0, 1}, {0, 1}};
    const mg_shard_item *item = e->item;
    const mg_volume_session *s = e->session;
    const int full[3] = {item->full_depth, item->full_height, item->full_width};
    const int here[3] = {item->depth, item->height, item->width};
    size_t stored = (size_t)item->depth * s->pixels;

    e->logits = mg_alloc(stored * sizeof *e->logits);
    e->gt = mg_alloc(3 * stored);
    e->full_gt = mg_alloc(4 * e->full_cells);
    e->pred = mg_alloc((size_t)(s->slices + 1 + 3) * s->pixels);
    MG_CHECK(e->logits && e->gt && e->full_gt && e->pred, MG_ERR_MEMORY,
             "cannot allocate masks of '%s'", item->name);
    e->ignore = e->gt + stored;
    e->room = e->ignore + stored;
    e->full_ignore = e->full_gt + e->full_cells;
    e->full_pred = e->full_ignore + e->full_cells;
    e->full_room = e->full_pred + e->full_cells;
    e->shown = e->pred + (size_t)s->slices * s->pixels;
    e->picture = e->shown + s->pixels;
    MG_TRY(mg_clicker_create(s->slices, item->height, item->width, e->plan->form[MG_EVAL_VOLUME],
                             e->plan->threads, &e->clicker));
    MG_TRY(mg_grid_create(full, here, item->volume ? item->volume->grid : unchanged, &e->grid));
    return mg_blend_create(s->model, s->frame, moments_of(e->plan), item->depth, &e->blend);
}

static mg_status open_case(mg_volume_evaluator *e, int64_t sample)
{
    const mg_shard_item *item = e->item = mg_reader_item(e->reader, sample);
    mg_slices from = {item->depth, item->height, item->width, read_slices, e};

    e->sample = sample;
    e->full_cells = (size_t)item->full_depth * item->full_height * item->full_width;
    for (int a = 0; a < 3; a++) { // without spacing distances are in cells
        double s = item->volume ? item->volume->full_spacing[a] : item->spacing[a];
        e->full_spacing[a] = s > 0 ? s : 1;
    }
    MG_TRY(mg_volume_session_open(e->session, &from, true)); // for every target and protocol
    return allocate_case(e);
}

// --- a stack ----------------------------------------------------------------------------------------

static mg_target target_of_stack(const mg_volume_evaluator *e)
{
    size_t at = (size_t)e->session->first * e->session->pixels;
    return (mg_target){e->session->slices, e->item->height, e->item->width,
                       e->gt + at,         e->pred,         e->ignore + at};
}

// One mask slot runs through a stack; a slice by itself is prompted as a picture is (4.4).
static mg_status begin_stack(mg_volume_evaluator *e, mg_eval_form form, int i)
{
    e->session->stack.volume = form != MG_EVAL_SLICE;
    e->click_count = 0;
    memset(e->pred, 0, (size_t)e->session->slices * e->session->pixels);
    return mg_volume_session_stack(e->session, i);
}

static mg_click next_click(mg_volume_evaluator *e, mg_eval_form form, const mg_target *t)
{
    double spacing[3];

    if (form == MG_EVAL_STACK) return mg_click_stack(e->clicker, t, e->click, e->click_count);
    for (int a = 0; a < 3; a++) spacing[a] = e->item->spacing[a] > 0 ? e->item->spacing[a] : 1;
    return mg_click_volume(e->clicker, t, spacing, e->click, e->click_count);
}

// One more click on each slice that is wrong. A slice without the target is never decoded, so it
// stays empty and is never clicked.
static bool click_slices(mg_volume_evaluator *e, const mg_target *t)
{
    mg_seg_stack *s = &e->session->stack;
    int count = 0;
    int *clicked = s->order; // the plan is made of it

    for (int z = 0; z < s->slices; z++) {
        const mg_seg_prompt *p = &s->prompt[z];
        mg_click click = e->plan->components
                             ? mg_click_component(e->clicker, t, z, p->click, p->count)
                             : mg_click_edt(e->clicker, t, z, p->click, p->count);
        if (click.label < 0) continue;
        mg_seg_prompt_add(&s->prompt[z], click);
        clicked[count++] = z;
    }
    mg_seg_stack_only(s, clicked, count);
    return count > 0;
}

static bool click_stack(mg_volume_evaluator *e, mg_eval_form form, const mg_target *t)
{
    mg_click click = next_click(e, form, t);

    if (click.label < 0) return false;
    e->click[e->click_count++] = click;
    mg_seg_prompt_add(&e->session->stack.prompt[click.z], click);
    mg_volume_session_carry(e->session);
    return true;
}

static int moment_of(const mg_eval_plan *p, int k)
{
    if (p->curve) return k - 1;
    for (int i = 0; i < p->click_protocols; i++)
        if (p->clicks[i] == k) return i;
    return -1;
}

// k = 1, 2, ... clicks. Where no click is possible the last masks stand for every further k.
static mg_status run_stack(mg_volume_evaluator *e, mg_eval_target *t, mg_eval_form form, int i,
                           int last)
{
    mg_volume_session *s = e->session;
    int clicks = 0;
    bool stopped = false;

    MG_TRY(begin_stack(e, form, i));
    mg_target target = target_of_stack(e);
    for (int k = 1; k <= last; k++) {
        if (!stopped)
            stopped =
                form == MG_EVAL_SLICE ? !click_slices(e, &target) : !click_stack(e, form, &target);
        if (!stopped) {
            mg_volume_session_decode(s, e->pred);
            clicks = k;
            e->any[k - 1] = true;
        }
        int moment = moment_of(e->plan, k);
        if (moment < 0) continue;
        mg_blend_add(&e->blend, moment, &s->stack, s->first);
        if (clicks > e->made[moment]) e->made[moment] = clicks;
    }
    int shown = e->best - s->first;
    if (shown < 0 || shown >= s->slices) return MG_OK;
    t->click_count = 0;
    const mg_seg_prompt *p = &s->stack.prompt[shown];
    for (int k = 0; k < p->count; k++) t->click[t->click_count++] = p->click[k];
    return MG_OK;
}

// The tight box of every slice with the target, or of the slice that the first click would go to.
static mg_status box_stack(mg_volume_evaluator *e, mg_eval_form form, int i)
{
    mg_seg_stack *s = &e->session->stack;
    mg_prompt_key no_noise = {0};
    int count = 0;

    MG_TRY(begin_stack(e, form, i));
    mg_target target = target_of_stack(e);
    int only = form == MG_EVAL_SLICE ? -1 : next_click(e, form, &target).z;
    for (int z = 0; z < s->slices; z++) {
        mg_seg_prompt *p = &s->prompt[z];
        if (form != MG_EVAL_SLICE && z != only) continue;
        p->has_box = mg_box_draw(&target, z, MG_BOX_TIGHT, MG_BOX_FRAME, &no_noise, p->box);
        if (p->has_box) s->order[count++] = z;
    }
    if (form == MG_EVAL_SLICE)
        mg_seg_stack_only(s, s->order, count);
    else
        mg_volume_session_carry(e->session);
    mg_volume_session_decode(e->session, NULL);
    mg_blend_add(&e->blend, 0, s, e->session->first);
    return MG_OK;
}

// --- a target ---------------------------------------------------------------------------------------

static mg_target whole_target(const mg_volume_evaluator *e)
{
    const mg_shard_item *item = e->item;
    return (mg_target){item->full_depth, item->full_height, item->full_width,
                       e->full_gt,       e->full_pred,      e->full_ignore};
}

// Measure the masks at hand; the score of the released code is taken on the stored grid.
static mg_status measure(mg_volume_evaluator *e, mg_eval_target *t, const char *name, int made)
{
    mg_target target = whole_target(e);

    MG_TRY(mg_eval_add_row(e->plan, t, name, made, &target, e->full_spacing));
    if (e->plan->msa_score)
        mg_metric_msa(e->logits, e->gt, e->ignore, e->item->depth, e->session->pixels,
                      &t->row[t->rows - 1].metric);
    return MG_OK;
}

// The moment's mask on the original grid; what is shown of it on the stored one.
static void take_mask(mg_volume_evaluator *e, int moment)
{
    size_t pixels = e->session->pixels;
    const float *slice = e->logits + (size_t)e->best * pixels;

    for (int z = 0; z < e->item->depth; z++)
        mg_blend_take(&e->blend, moment, z, e->logits + (size_t)z * pixels);
    for (size_t k = 0; k < pixels; k++) e->shown[k] = slice[k] > 0;
    mg_grid_mask(&e->grid, e->logits, e->full_pred);
}

// "3 clicks/stack (D=8)", "box/slice (D=8)".
static mg_status add_row(mg_volume_evaluator *e, mg_eval_target *t, mg_eval_form form, int clicks,
                         int made)
{
    bool carried = form == MG_EVAL_SLICE || e->plan->carry;
    char what[24] = "box", name[80];

    if (clicks) snprintf(what, sizeof what, clicks == 1 ? "%d click" : "%d clicks", clicks);
    snprintf(name, sizeof name, "%s/%s (D=%d%s)", what, mg_eval_form_name[form], e->plan->slices,
             carried ? "" : ", no carrying");
    return measure(e, t, name, made);
}

static mg_status run_clicks(mg_volume_evaluator *e, mg_eval_target *t, mg_eval_form form)
{
    const mg_eval_plan *p = e->plan;
    int last = p->curve             ? MG_EVAL_MAX_CLICKS
               : p->click_protocols ? p->clicks[p->click_protocols - 1]
                                    : 0;

    mg_blend_reset(&e->blend);
    memset(e->made, 0, sizeof e->made);
    memset(e->any, 0, sizeof e->any);
    for (int i = 0; i < e->session->stacks; i++) MG_TRY(run_stack(e, t, form, i, last));
    t->curve = p->curve ? last : 0;
    for (int k = 1; k <= last; k++) {
        int moment = moment_of(p, k);
        if (moment < 0) continue;
        take_mask(e, moment);
        mg_metric overlap;
        mg_target target = whole_target(e);
        mg_metric_overlap(&target, &overlap);
        t->dice_after[k - 1] = e->any[k - 1] ? overlap.dice : NAN;
        t->iou_after[k - 1] = e->any[k - 1] ? overlap.iou : NAN;
        if (mg_eval_wants(p, k)) MG_TRY(add_row(e, t, form, k, e->made[moment]));
    }
    return MG_OK;
}

static mg_status run_box(mg_volume_evaluator *e, mg_eval_target *t, mg_eval_form form)
{
    mg_blend_reset(&e->blend);
    for (int i = 0; i < e->session->stacks; i++) MG_TRY(box_stack(e, form, i));
    take_mask(e, 0);
    return add_row(e, t, form, 0, 0);
}

// A text for every slice of a stack; `clicked`: with the first click of the stack beside it.
static mg_status text_stack(mg_volume_evaluator *e, const float *unit, bool clicked, int i)
{
    mg_seg_stack *s = &e->session->stack;

    MG_TRY(begin_stack(e, MG_EVAL_STACK, i));
    mg_target target = target_of_stack(e);
    mg_seg_stack_text(s, unit);
    if (clicked) {
        mg_click click = next_click(e, MG_EVAL_STACK, &target);
        if (click.label >= 0) mg_seg_prompt_add(&s->prompt[click.z], click);
    }
    mg_seg_stack_plan(s, MG_PLAN_EACH); // the text reaches all slices: nothing is carried
    mg_volume_session_decode(e->session, NULL);
    mg_blend_add(&e->blend, 0, s, e->session->first);
    return MG_OK;
}

// "text (D=8)", "text + 1 click/stack (D=8)".
static mg_status run_text(mg_volume_evaluator *e, mg_eval_target *t)
{
    int text = mg_text_choice_fixed(e->plan->texts, t->name, t->sample);
    char name[48];

    if (text < 0) return MG_OK;
    for (int clicked = 0; clicked < 2; clicked++) {
        mg_blend_reset(&e->blend);
        for (int i = 0; i < e->session->stacks; i++)
            MG_TRY(text_stack(e, mg_text_choice_unit(e->plan->texts, text), clicked, i));
        take_mask(e, 0);
        snprintf(name, sizeof name, clicked ? "text + 1 click/stack (D=%d)" : "text (D=%d)",
                 e->plan->slices);
        MG_TRY(measure(e, t, name, clicked));
    }
    return MG_OK;
}

static mg_status run_target(mg_volume_evaluator *e, mg_eval_target *t, uint16_t classes)
{
    const mg_shard_item *item = e->item;

    MG_TRY(mg_eval_mask(e->reader, t->sample, classes, false, e->gt, e->ignore, e->room));
    MG_TRY(mg_eval_mask(e->reader, t->sample, classes, true, e->full_gt, e->full_ignore,
                        e->full_room));
    e->best = mg_eval_largest_slice(e->gt, item->depth, e->session->pixels);
    if (e->plan->texts) MG_TRY(run_text(e, t));
    for (int form = 0; form < MG_EVAL_FORMS; form++) {
        if (!e->plan->form[form]) continue;
        if (e->plan->box) MG_TRY(run_box(e, t, (mg_eval_form)form));
        MG_TRY(run_clicks(e, t, (mg_eval_form)form));
    }
    MG_TRY(read_slices(e, e->best, 1, e->picture));
    t->gt = e->gt + (size_t)e->best * e->session->pixels;
    t->mask = e->shown;
    t->picture = e->picture;
    t->height = t->picture_height = item->height;
    t->width = t->picture_width = item->width;
    t->channels = 3;
    return MG_OK;
}

mg_status mg_volume_evaluator_run(mg_volume_evaluator *e, int64_t sample, mg_case_maps *maps,
                                  mg_status (*done)(void *ctx, const mg_eval_target *target),
                                  void *ctx)
{
    mg_status st = open_case(e, sample);
    uint16_t classes;
    const char *name;

    for (int k = 1; !st && (classes = mg_eval_goal(e->plan, e->reader, k, &name)); k++) {
        if (!mg_eval_asked(e->item, classes)) continue;
        mg_eval_target t = {.sample = sample, .number = k, .name = name, .maps = maps};
        if (maps) t.logits = e->logits + (size_t)maps->slice * e->session->pixels;
        st = run_target(e, &t, classes);
        if (!st) st = done(ctx, &t);
    }
    close_case(e);
    return st;
}
