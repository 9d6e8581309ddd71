// Stacks of a case, protocol by protocol, target by target.
#include "finetune/volume_eval.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "finetune/volume_blend.h"
#include "runtime/mem.h"
#include "shard/resize.h"
#include "shard/source.h"

struct mg_volume_evaluator {
    const mg_seg_model *model;
    const mg_reader *reader;
    const mg_eval_plan *plan;
    void *block;
    float *images; // [D, 3, S, S]
    mg_vit_acts vit;
    float *vit_scratch;
    mg_seg_stack stack;
    // of the case
    const mg_shard_item *item;
    mg_sam_frame frame;
    int slices, stacks; // of a stack, of the case
    size_t pixels;      // of a slice
    size_t full_cells;
    double full_spacing[3];
    mg_clicker *clicker;
    mg_blend blend;
    float *embedding;                   // [stacks, slices, N, E]
    uint8_t *bytes;                     // 8-bit slices of a stack, three channels
    uint8_t *gt, *ignore, *room;        // stored grid [depth, height, width]
    uint8_t *full_gt, *full_ignore;     // original grid
    uint8_t *full_pred, *full_room;     // the same
    uint8_t *pred;                      // of a stack
    uint8_t *shown;                     // prediction on one slice
    float *logits;                      // of one slice, and scratch behind it
    mg_click click[MG_EVAL_MAX_CLICKS]; // of the stack at hand
    int click_count;
    // of the target
    int best;                     // slice with its largest area
    int made[MG_EVAL_MAX_CLICKS]; // by moment: most clicks that a stack took
    bool any[MG_EVAL_MAX_CLICKS]; // by click number: some stack could still be clicked
};

// --- creation ---------------------------------------------------------------------------------------

static void place(mg_layout *at, mg_volume_evaluator *e)
{
    const mg_seg_model *m = e->model;
    int D = e->plan->slices, tokens = m->vit.gh * m->vit.gw;

    e->images = mg_place(at, (size_t)D * 3 * m->side * m->side);
    mg_vit_acts_layout(at, &e->vit, &m->vit, D, tokens, MG_KEEP_NONE);
    e->vit_scratch = mg_place(at, mg_vit_scratch(&m->vit, D, tokens));
    mg_seg_stack_place(at, &e->stack, m, D, MG_EVAL_MAX_CLICKS, false);
}

mg_status mg_volume_evaluator_create(const mg_seg_model *model, const mg_reader *reader,
                                     const mg_eval_plan *plan, mg_volume_evaluator **out)
{
    mg_volume_evaluator *e = mg_calloc(1, sizeof *e);
    mg_layout measure = {0};

    *out = NULL;
    MG_CHECK(e, MG_ERR_MEMORY, "cannot allocate an evaluator of volumes");
    e->model = model;
    e->reader = reader;
    e->plan = plan;
    place(&measure, e);
    e->block = mg_alloc(measure.used);
    if (!e->block) {
        mg_volume_evaluator_destroy(&e);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes of activations for %d slices",
                       measure.used, plan->slices);
    }
    mg_layout at = {.base = e->block};
    place(&at, e);
    e->stack.volume = true;
    *out = e;
    return MG_OK;
}

static void close_case(mg_volume_evaluator *e)
{
    mg_clicker_destroy(&e->clicker);
    mg_blend_free(&e->blend);
    mg_free(e->embedding), mg_free(e->bytes), mg_free(e->logits);
    mg_free(e->gt), mg_free(e->full_gt), mg_free(e->pred);
    e->embedding = e->logits = NULL;
    e->bytes = e->gt = e->full_gt = e->pred = NULL;
}

void mg_volume_evaluator_destroy(mg_volume_evaluator **evaluator)
{
    mg_volume_evaluator *e = *evaluator;

    if (!e) return;
    close_case(e);
    mg_free(e->block);
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

static mg_status allocate_case(mg_volume_evaluator *e)
{
    const mg_seg_model *m = e->model;
    const mg_shard_item *item = e->item;
    size_t stored = (size_t)item->depth * e->pixels, n = (size_t)e->slices;
    size_t one = (size_t)m->vit.gh * m->vit.gw * m->sam.cfg.prompt_dim;
    size_t scratch = mg_sam_postprocess_scratch(&m->sam.cfg, e->frame);

    e->embedding = mg_alloc((size_t)e->stacks * n * one * sizeof *e->embedding);
    e->bytes = mg_alloc(n * e->pixels * 3);
    e->gt = mg_alloc(3 * stored);
    e->full_gt = mg_alloc(4 * e->full_cells);
    e->pred = mg_alloc((n + 1) * e->pixels);
    e->logits = mg_alloc((e->pixels + scratch) * sizeof *e->logits);
    MG_CHECK(e->embedding && e->bytes && e->gt && e->full_gt && e->pred && e->logits, MG_ERR_MEMORY,
             "cannot allocate '%s' as %d stacks of %d slices", item->name, e->stacks, e->slices);
    e->ignore = e->gt + stored;
    e->room = e->ignore + stored;
    e->full_ignore = e->full_gt + e->full_cells;
    e->full_pred = e->full_ignore + e->full_cells;
    e->full_room = e->full_pred + e->full_cells;
    e->shown = e->pred + n * e->pixels;
    MG_TRY(mg_clicker_create(e->slices, item->height, item->width, e->plan->form[MG_EVAL_VOLUME],
                             e->plan->threads, &e->clicker));
    return mg_blend_create(m, e->frame, item->depth, moments_of(e->plan), &e->blend);
}

static mg_status encode_stack(mg_volume_evaluator *e, int64_t sample, int i)
{
    const mg_seg_model *m = e->model;
    int first = mg_stack_first(e->item->depth, e->plan->slices, i), n = e->slices;
    size_t image = 3 * (size_t)m->side * m->side;
    size_t floats = (size_t)n * m->vit.gh * m->vit.gw * m->sam.cfg.prompt_dim;

    MG_TRY(mg_source_slices(e->reader, sample, first, n, e->plan->window, e->bytes));
    for (int z = 0; z < n; z++)
        MG_TRY(mg_frame_picture(e->images + z * image, m->side, e->bytes + z * e->pixels * 3,
                                e->item->height, e->item->width, 3));
    mg_vit_forward(&e->vit, &m->vit, &m->params, e->images, n, m->vit.cfg.depth_branch ? n : 1,
                   e->vit_scratch);
    memcpy(e->embedding + i * floats, e->vit.out, floats * sizeof *e->embedding);
    return MG_OK;
}

static mg_status open_case(mg_volume_evaluator *e, int64_t sample)
{
    const mg_shard_item *item = e->item = mg_reader_item(e->reader, sample);
    int D = e->plan->slices;

    e->frame = (mg_sam_frame){.height = item->height, .width = item->width};
    mg_frame_size(item->height, item->width, e->model->side, &e->frame.height2, &e->frame.width2);
    e->slices = item->depth < D ? item->depth : D;
    e->stacks = mg_stack_count(item->depth, D);
    e->pixels = (size_t)item->height * item->width;
    e->full_cells = (size_t)item->full_depth * item->full_height * item->full_width;
    for (int a = 0; a < 3; a++) { // without spacing distances are in cells
        double s = item->volume ? item->volume->full_spacing[a] : item->spacing[a];
        e->full_spacing[a] = s > 0 ? s : 1;
    }
    e->stack.scale = mg_seg_scale_picture(e->frame);
    MG_TRY(allocate_case(e));
    for (int i = 0; i < e->stacks; i++) MG_TRY(encode_stack(e, sample, i));
    return MG_OK;
}

// --- a stack ----------------------------------------------------------------------------------------

static mg_target target_of_stack(const mg_volume_evaluator *e, int first)
{
    size_t at = (size_t)first * e->pixels;
    return (mg_target){e->slices,  e->item->height, e->item->width,
                       e->gt + at, e->pred,         e->ignore + at};
}

static void begin_stack(mg_volume_evaluator *e, int i)
{
    const mg_seg_model *m = e->model;
    size_t floats = (size_t)e->slices * m->vit.gh * m->vit.gw * m->sam.cfg.prompt_dim;

    mg_seg_stack_reset(&e->stack, e->slices);
    e->stack.embedding = e->embedding + i * floats;
    e->click_count = 0;
    memset(e->pred, 0, (size_t)e->slices * e->pixels);
}

static mg_click next_click(mg_volume_evaluator *e, mg_eval_form form, const mg_target *t)
{
    double spacing[3];

    if (form == MG_EVAL_STACK) return mg_click_stack(e->clicker, t, e->click, e->click_count);
    for (int a = 0; a < 3; a++) spacing[a] = e->item->spacing[a] > 0 ? e->item->spacing[a] : 1;
    return mg_click_volume(e->clicker, t, spacing, e->click, e->click_count);
}

static void plan_carrying(mg_volume_evaluator *e)
{
    mg_seg_stack_plan(&e->stack, e->plan->carry ? MG_PLAN_CARRY : MG_PLAN_NO_CARRY);
}

// One more click on each slice that is wrong. A slice without the target is never decoded, so it
// stays empty and is never clicked.
static bool click_slices(mg_volume_evaluator *e, const mg_target *t)
{
    mg_seg_stack *s = &e->stack;
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
    mg_seg_prompt_add(&e->stack.prompt[click.z], click);
    plan_carrying(e);
    return true;
}

// Decode, and threshold on the stored grid.
static void decode(mg_volume_evaluator *e)
{
    const mg_sam_config *sam = &e->model->sam.cfg;
    mg_seg_stack *s = &e->stack;
    size_t cells = (size_t)e->model->cells * e->model->cells;

    mg_seg_stack_decode(s);
    for (int i = 0; i < s->count; i++) {
        int z = s->order[i];
        uint8_t *pred = e->pred + z * e->pixels;
        mg_sam_postprocess(e->logits, s->logits + z * cells, sam, e->frame, e->logits + e->pixels);
        for (size_t k = 0; k < e->pixels; k++) pred[k] = e->logits[k] > 0;
    }
}

static int moment_of(const mg_eval_plan *p, int k)
{
    if (p->curve) return k - 1;
    for (int i = 0; i < p->click_protocols; i++)
        if (p->clicks[i] == k) return i;
    return -1;
}

// k = 1, 2, ... clicks. Where no click is possible the last masks stand for every further k.
static void run_stack(mg_volume_evaluator *e, mg_eval_target *t, mg_eval_form form, int i, int last)
{
    int first = mg_stack_first(e->item->depth, e->plan->slices, i), clicks = 0;
    mg_target target = target_of_stack(e, first);
    bool stopped = false;

    begin_stack(e, i);
    for (int k = 1; k <= last; k++) {
        if (!stopped)
            stopped =
                form == MG_EVAL_SLICE ? !click_slices(e, &target) : !click_stack(e, form, &target);
        if (!stopped) {
            decode(e);
            clicks = k;
            e->any[k - 1] = true;
        }
        int moment = moment_of(e->plan, k);
        if (moment < 0) continue;
        mg_blend_add(&e->blend, moment, &e->stack, first);
        if (clicks > e->made[moment]) e->made[moment] = clicks;
    }
    int shown = e->best - first;
    if (shown < 0 || shown >= e->slices) return;
    t->click_count = 0;
    const mg_seg_prompt *p = &e->stack.prompt[shown];
    for (int k = 0; k < p->count; k++) t->click[t->click_count++] = p->click[k];
}

// The tight box of every slice with the target, or of the slice that the first click would go to.
static void box_stack(mg_volume_evaluator *e, mg_eval_form form, int i)
{
    int first = mg_stack_first(e->item->depth, e->plan->slices, i), count = 0;
    mg_target target = target_of_stack(e, first);
    mg_seg_stack *s = &e->stack;
    mg_prompt_key no_noise = {0};

    begin_stack(e, i);
    int only = form == MG_EVAL_SLICE ? -1 : next_click(e, form, &target).z;
    for (int z = 0; z < e->slices; z++) {
        mg_seg_prompt *p = &s->prompt[z];
        if (form != MG_EVAL_SLICE && z != only) continue;
        p->has_box = mg_box_draw(&target, z, MG_BOX_TIGHT, MG_BOX_FRAME, &no_noise, p->box);
        if (p->has_box) s->order[count++] = z;
    }
    if (form == MG_EVAL_SLICE)
        mg_seg_stack_only(s, s->order, count);
    else
        plan_carrying(e);
    decode(e);
    mg_blend_add(&e->blend, 0, s, first);
}

// --- a target ---------------------------------------------------------------------------------------

static mg_target whole_target(const mg_volume_evaluator *e)
{
    const mg_shard_item *item = e->item;
    return (mg_target){item->full_depth, item->full_height, item->full_width,
                       e->full_gt,       e->full_pred,      e->full_ignore};
}

// The moment's mask on the original grid; what is shown of it on the stored one.
static mg_status take_mask(mg_volume_evaluator *e, int moment)
{
    const float *slice = e->blend.volume + (size_t)e->best * e->pixels;

    mg_blend_take(&e->blend, moment);
    for (size_t k = 0; k < e->pixels; k++) e->shown[k] = slice[k] > 0;
    return mg_blend_mask(&e->blend, e->item, e->full_pred);
}

// "3 clicks/stack (D=8)", "box/slice (D=8)".
static mg_status add_row(mg_volume_evaluator *e, mg_eval_target *t, mg_eval_form form, int clicks,
                         int made)
{
    mg_target target = whole_target(e);
    bool carried = form == MG_EVAL_SLICE || e->plan->carry;
    char what[24] = "box", name[80];

    if (clicks) snprintf(what, sizeof what, clicks == 1 ? "%d click" : "%d clicks", clicks);
    snprintf(name, sizeof name, "%s/%s (D=%d%s)", what, mg_eval_form_name[form], e->plan->slices,
             carried ? "" : ", no carrying");
    return mg_eval_add_row(e->plan, t, name, made, &target, e->full_spacing);
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
    for (int i = 0; i < e->stacks; i++) run_stack(e, t, form, i, last);
    t->curve = p->curve ? last : 0;
    for (int k = 1; k <= last; k++) {
        int moment = moment_of(p, k);
        if (moment < 0) continue;
        MG_TRY(take_mask(e, moment));
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
    for (int i = 0; i < e->stacks; i++) box_stack(e, form, i);
    MG_TRY(take_mask(e, 0));
    return add_row(e, t, form, 0, 0);
}

// A text for every slice of a stack; `clicked`: with the first click of the stack beside it.
static void text_stack(mg_volume_evaluator *e, const float *unit, bool clicked, int i)
{
    int first = mg_stack_first(e->item->depth, e->plan->slices, i);
    mg_target target = target_of_stack(e, first);

    begin_stack(e, i);
    mg_seg_stack_text(&e->stack, unit);
    if (clicked) {
        mg_click click = next_click(e, MG_EVAL_STACK, &target);
        if (click.label >= 0) mg_seg_prompt_add(&e->stack.prompt[click.z], click);
    }
    mg_seg_stack_plan(&e->stack, MG_PLAN_EACH); // the text reaches all slices: nothing is carried
    decode(e);
    mg_blend_add(&e->blend, 0, &e->stack, first);
}

// "text (D=8)", "text + 1 click/stack (D=8)".
static mg_status run_text(mg_volume_evaluator *e, mg_eval_target *t)
{
    int text = mg_text_choice_fixed(e->plan->texts, t->name, t->sample);
    mg_target target = whole_target(e);
    char name[48];

    if (text < 0) return MG_OK;
    for (int clicked = 0; clicked < 2; clicked++) {
        mg_blend_reset(&e->blend);
        for (int i = 0; i < e->stacks; i++)
            text_stack(e, mg_text_choice_unit(e->plan->texts, text), clicked, i);
        MG_TRY(take_mask(e, 0));
        snprintf(name, sizeof name, clicked ? "text + 1 click/stack (D=%d)" : "text (D=%d)",
                 e->plan->slices);
        MG_TRY(mg_eval_add_row(e->plan, t, name, clicked, &target, e->full_spacing));
    }
    return MG_OK;
}

static int largest_slice(const mg_volume_evaluator *e)
{
    int64_t most = 0;
    int best = 0;

    for (int z = 0; z < e->item->depth; z++) {
        int64_t area = 0;
        for (size_t k = 0; k < e->pixels; k++) area += e->gt[z * e->pixels + k];
        if (area > most) {
            most = area;
            best = z;
        }
    }
    return best;
}

static mg_status run_target(mg_volume_evaluator *e, mg_eval_target *t, uint16_t classes)
{
    const mg_shard_item *item = e->item;

    MG_TRY(mg_eval_mask(e->reader, t->sample, classes, false, e->gt, e->ignore, e->room));
    MG_TRY(mg_eval_mask(e->reader, t->sample, classes, true, e->full_gt, e->full_ignore,
                        e->full_room));
    e->best = largest_slice(e);
    if (e->plan->texts) MG_TRY(run_text(e, t));
    for (int form = 0; form < MG_EVAL_FORMS; form++) {
        if (!e->plan->form[form]) continue;
        if (e->plan->box) MG_TRY(run_box(e, t, (mg_eval_form)form));
        MG_TRY(run_clicks(e, t, (mg_eval_form)form));
    }
    MG_TRY(mg_source_slices(e->reader, t->sample, e->best, 1, e->plan->window, e->bytes));
    t->gt = e->gt + (size_t)e->best * e->pixels;
    t->mask = e->shown;
    t->picture = e->bytes;
    t->height = t->picture_height = item->height;
    t->width = t->picture_width = item->width;
    t->channels = 3;
    return MG_OK;
}

mg_status mg_volume_evaluator_run(mg_volume_evaluator *e, int64_t sample,
                                  mg_status (*done)(void *ctx, const mg_eval_target *target),
                                  void *ctx)
{
    mg_status st = open_case(e, sample);
    uint16_t classes;
    const char *name;

    for (int k = 1; !st && (classes = mg_eval_goal(e->plan, e->reader, k, &name)); k++) {
        if (!mg_eval_asked(e->item, classes)) continue;
        mg_eval_target t = {.sample = sample, .number = k, .name = name};
        st = run_target(e, &t, classes);
        if (!st) st = done(ctx, &t);
    }
    close_case(e);
    return st;
}
