// Targets of a case, protocol by protocol.
#include "finetune/seg_eval.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "finetune/volume_eval.h"
#include "runtime/mem.h"
#include "shard/source.h"

struct mg_evaluator {
    const mg_seg_model *model;
    const mg_reader *reader;
    mg_eval_plan plan;
    mg_seg_session *session;
    mg_clicker *clicker;
    mg_volume_evaluator *volumes; // made when the first one is met
    uint8_t *picture;             // of the last case
    // masks of the case, [height, width] of its original grid
    uint8_t *gt, *other, *ignore, *pred;
    float *logits; // on the same grid
    int height, width;
    double spacing[3];
};

const char *const mg_eval_form_name[MG_EVAL_FORMS] = {"stack", "slice", "volume"};

// --- targets ----------------------------------------------------------------------------------------

uint16_t mg_eval_goal(const mg_eval_plan *p, const mg_reader *reader, int k, const char **name)
{
    int classes = p->regions && !p->beside ? 0 : mg_reader_classes(reader);
    int region = k - classes - 1;

    if (region >= p->regions) return 0;
    *name = region < 0 ? mg_reader_class_name(reader, k) : p->region[region].name;
    return region < 0 ? (uint16_t)(1u << (k - 1)) : p->region[region].classes;
}

bool mg_eval_beside(const mg_eval_plan *p, const mg_reader *reader, int k)
{
    return p->beside && k > mg_reader_classes(reader);
}

bool mg_eval_asked(const mg_shard_item *item, uint16_t classes)
{
    return (item->classes & classes) && !(item->unknown & classes);
}

mg_status mg_eval_mask(const mg_reader *reader, int64_t sample, uint16_t classes, bool original,
                       uint8_t *mask, uint8_t *ignore, uint8_t *room)
{
    const mg_shard_item *item = mg_reader_item(reader, sample);
    size_t cells = original ? (size_t)item->full_depth * item->full_height * item->full_width
                            : (size_t)item->depth * item->height * item->width;
    bool first = true;

    for (int c = 1; c <= MG_SHARD_CLASSES; c++) {
        if (!(classes >> (c - 1) & 1)) continue;
        uint8_t *to = first ? mask : room;
        if (original)
            MG_TRY(mg_reader_full_mask(reader, sample, c, to, ignore));
        else
            MG_TRY(mg_reader_mask(reader, sample, 0, item->depth, c, to, ignore));
        for (size_t i = 0; !first && i < cells; i++) mask[i] |= room[i];
        first = false;
    }
    return MG_OK;
}

// The next row, its scores still to come.
static mg_eval_row *new_row(mg_eval_target *t, const char *protocol, const char *more, int clicks)
{
    mg_eval_row *row = &t->row[t->rows++];

    assert(t->rows <= MG_EVAL_MAX_ROWS);
    snprintf(row->protocol, sizeof row->protocol, "%s%s", protocol, more);
    row->clicks = clicks;
    return row;
}

mg_status mg_eval_add_row(const mg_eval_plan *p, mg_eval_target *t, const char *protocol,
                          int clicks, const mg_target *target, const double spacing[3])
{
    if (p->slices_too && target->depth > 1) {
        mg_metric *m = &new_row(t, protocol, ", slices", clicks)->metric;
        MG_TRY(mg_metric_slices(target, spacing, p->tolerance, p->tolerances, p->threads, m));
        if (p->empty_is_one) mg_metric_empty_is_one(m, p->tolerances);
    }
    mg_eval_row *row = new_row(t, protocol, "", clicks);
    MG_TRY(mg_metric_measure(target, target->depth > 1 ? 3 : 2, spacing, p->tolerance,
                             p->tolerances, p->threads, &row->metric));
    if (p->empty_is_one) mg_metric_empty_is_one(&row->metric, p->tolerances);
    if (!t->maps || !t->logits) return MG_OK;
    return mg_case_maps_add(t->maps, protocol, t->number, row->metric.dice, t->logits);
}

bool mg_eval_wants(const mg_eval_plan *p, int k)
{
    for (int i = 0; i < p->click_protocols; i++)
        if (p->clicks[i] == k) return true;
    return false;
}

int mg_eval_largest_slice(const uint8_t *mask, int depth, size_t pixels)
{
    int64_t most = 0;
    int best = 0;

    for (int z = 0; z < depth; z++) {
        int64_t area = 0;
        for (size_t k = 0; k < pixels; k++) area += *mask++;
        if (area > most) {
            most = area;
            best = z;
        }
    }
    return best;
}

// --- evaluator --------------------------------------------------------------------------------------

mg_status mg_evaluator_create(const mg_seg_model *model, const mg_reader *reader,
                              const mg_eval_plan *plan, mg_evaluator **out)
{
    mg_evaluator *e = mg_calloc(1, sizeof *e);

    *out = NULL;
    MG_CHECK(e, MG_ERR_MEMORY, "cannot allocate an evaluator");
    e->model = model;
    e->reader = reader;
    e->plan = *plan;
    mg_status st = mg_seg_session_create(model, &e->session);
    if (st)
        mg_evaluator_destroy(&e);
    else
        *out = e;
    return st;
}

void mg_evaluator_destroy(mg_evaluator **evaluator)
{
    mg_evaluator *e = *evaluator;

    if (!e) return;
    mg_seg_session_destroy(&e->session);
    mg_clicker_destroy(&e->clicker);
    mg_volume_evaluator_destroy(&e->volumes);
    mg_free(e->picture);
    mg_free(e->gt), mg_free(e->logits);
    mg_free(e);
    *evaluator = NULL;
}

// --- the case ---------------------------------------------------------------------------------------

static mg_status reserve(mg_evaluator *e, int height, int width)
{
    size_t cells = (size_t)height * width;

    if (e->height == height && e->width == width) return MG_OK;
    mg_free(e->gt), mg_free(e->logits);
    mg_clicker_destroy(&e->clicker);
    e->height = e->width = 0;
    e->gt = mg_alloc(4 * cells);
    e->logits = mg_alloc(cells * sizeof *e->logits);
    MG_CHECK(e->gt && e->logits, MG_ERR_MEMORY, "cannot allocate masks of %d x %d", height, width);
    e->other = e->gt + cells;
    e->ignore = e->gt + 2 * cells;
    e->pred = e->gt + 3 * cells;
    MG_TRY(mg_clicker_create(1, height, width, false, 1, &e->clicker));
    e->height = height;
    e->width = width;
    return MG_OK;
}

static mg_status open_case(mg_evaluator *e, int64_t sample)
{
    const mg_shard_item *item = mg_reader_item(e->reader, sample);

    mg_free(e->picture);
    e->picture = NULL;
    MG_TRY(mg_source_picture(e->reader, sample, &e->picture));
    MG_TRY(
        mg_seg_session_picture(e->session, e->picture, item->height, item->width, item->channels));
    MG_TRY(reserve(e, item->full_height, item->full_width));
    mg_seg_session_grid(e->session, e->height, e->width);
    e->spacing[0] = 1;
    // Without spacing distances are in pixels.
    e->spacing[1] = item->spacing[1] > 0 ? item->spacing[1] : 1;
    e->spacing[2] = item->spacing[2] > 0 ? item->spacing[2] : 1;
    return MG_OK;
}

static mg_target target_of(const mg_evaluator *e, const uint8_t *pred)
{
    return (mg_target){1, e->height, e->width, e->gt, pred, e->ignore};
}

// --- protocols --------------------------------------------------------------------------------------

static mg_status add_row(mg_evaluator *e, mg_eval_target *t, const char *protocol, int clicks)
{
    mg_target target = target_of(e, e->pred);
    MG_TRY(mg_eval_add_row(&e->plan, t, protocol, clicks, &target, e->spacing));
    if (e->plan.msa_score)
        mg_metric_msa(e->logits, e->gt, e->ignore, 1, (size_t)e->height * e->width,
                      &t->row[t->rows - 1].metric);
    return MG_OK;
}

static mg_click next_click(mg_evaluator *e, const mg_eval_target *t)
{
    mg_target target = target_of(e, t->click_count ? e->pred : NULL);
    if (e->plan.components)
        return mg_click_component(e->clicker, &target, 0, t->click, t->click_count);
    return mg_click_edt(e->clicker, &target, 0, t->click, t->click_count);
}

// Nothing has been decoded yet.
static void clear(mg_evaluator *e)
{
    size_t cells = (size_t)e->height * e->width;

    memset(e->pred, 0, cells);
    for (size_t i = 0; i < cells; i++) e->logits[i] = -INFINITY;
}

// k = 1, 2, ...: a click, a pass; a row where k is asked for. Where no click is possible the last
// mask stands for every further k.
static mg_status run_clicks(mg_evaluator *e, mg_eval_target *t)
{
    const mg_eval_plan *p = &e->plan;
    int last = p->click_protocols ? p->clicks[p->click_protocols - 1] : 0;
    bool stopped = false;
    char name[24];

    if (p->curve) last = t->curve = MG_EVAL_MAX_CLICKS;
    clear(e);
    mg_seg_session_reset(e->session);
    for (int k = 1; k <= last; k++) {
        if (!stopped) {
            mg_click click = next_click(e, t);
            stopped = click.label < 0;
            if (!stopped) {
                t->click[t->click_count++] = click;
                mg_seg_session_click(e->session, click);
                MG_TRY(mg_seg_session_decode(e->session, e->pred, e->logits, NULL));
            }
        }
        mg_metric overlap;
        mg_target target = target_of(e, e->pred);
        mg_metric_overlap(&target, &overlap);
        t->dice_after[k - 1] = stopped ? NAN : overlap.dice;
        t->iou_after[k - 1] = stopped ? NAN : overlap.iou;
        if (!mg_eval_wants(p, k)) continue;
        snprintf(name, sizeof name, k == 1 ? "%d click" : "%d clicks", k);
        MG_TRY(add_row(e, t, name, t->click_count));
    }
    return MG_OK;
}

static mg_status run_box(mg_evaluator *e, mg_eval_target *t)
{
    mg_target target = target_of(e, NULL);
    mg_prompt_key no_noise = {0};
    double box[4];

    if (!mg_box_draw(&target, 0, MG_BOX_TIGHT, MG_BOX_FRAME, &no_noise, box)) return MG_OK;
    mg_seg_session_reset(e->session);
    mg_seg_session_box(e->session, box);
    MG_TRY(mg_seg_session_decode(e->session, e->pred, e->logits, NULL));
    return add_row(e, t, "box", 0);
}

// The text alone, and with the first click.
static mg_status run_text(mg_evaluator *e, mg_eval_target *t)
{
    int text = mg_text_choice_fixed(e->plan.texts, t->name, t->sample);

    if (text < 0) return MG_OK;
    mg_seg_session_reset(e->session);
    mg_seg_session_text(e->session, mg_text_choice_unit(e->plan.texts, text));
    MG_TRY(mg_seg_session_decode(e->session, e->pred, e->logits, NULL));
    MG_TRY(add_row(e, t, "text", 0));
    mg_click click = next_click(e, t);
    if (click.label < 0) return MG_OK;
    mg_seg_session_reset(e->session);
    mg_seg_session_text(e->session, mg_text_choice_unit(e->plan.texts, text));
    mg_seg_session_click(e->session, click);
    MG_TRY(mg_seg_session_decode(e->session, e->pred, e->logits, NULL));
    return add_row(e, t, "text + 1 click", 1);
}

// Click into the next other class of the picture, score against this target.
static mg_status run_other_object(mg_evaluator *e, mg_eval_target *t, uint16_t classes)
{
    const mg_shard_item *item = mg_reader_item(e->reader, t->sample);
    uint16_t others = (uint16_t)(item->classes & ~item->unknown & ~classes);
    int c = 1;

    if (!others) return MG_OK;
    while (!(classes >> (c - 1) & 1)) c++; // its first class
    do c = c % MG_SHARD_CLASSES + 1;
    while (!(others >> (c - 1) & 1));
    MG_TRY(mg_reader_full_mask(e->reader, t->sample, c, e->other, NULL));
    mg_target other = {1, e->height, e->width, e->other, NULL, e->ignore};
    mg_click click = mg_click_edt(e->clicker, &other, 0, NULL, 0);
    if (click.label < 0) return MG_OK;
    mg_seg_session_reset(e->session);
    mg_seg_session_click(e->session, click);
    MG_TRY(mg_seg_session_decode(e->session, e->pred, e->logits, NULL));
    return add_row(e, t, "other object", 1);
}

static mg_status run_picture(mg_evaluator *e, int64_t sample, mg_case_maps *maps,
                             mg_status (*done)(void *ctx, const mg_eval_target *target), void *ctx)
{
    const mg_shard_item *item = mg_reader_item(e->reader, sample);
    uint16_t classes;
    const char *name;

    MG_TRY(open_case(e, sample));
    for (int k = 1; (classes = mg_eval_goal(&e->plan, e->reader, k, &name)); k++) {
        if (!mg_eval_asked(item, classes)) continue;
        mg_eval_target t = {.sample = sample, .number = k, .name = name, .maps = maps};
        MG_TRY(mg_eval_mask(e->reader, sample, classes, true, e->gt, e->ignore, e->other));
        if (e->plan.other_object) MG_TRY(run_other_object(e, &t, classes)); // has no map
        t.logits = e->logits;
        if (e->plan.box) MG_TRY(run_box(e, &t));
        if (e->plan.texts) MG_TRY(run_text(e, &t));
        MG_TRY(run_clicks(e, &t));
        t.gt = e->gt;
        t.mask = e->pred;
        t.height = e->height;
        t.width = e->width;
        t.picture = e->picture;
        t.picture_height = item->height;
        t.picture_width = item->width;
        t.channels = item->channels;
        MG_TRY(done(ctx, &t));
    }
    return MG_OK;
}

mg_status mg_evaluator_run(mg_evaluator *e, int64_t sample, mg_case_maps *maps,
                           mg_status (*done)(void *ctx, const mg_eval_target *target), void *ctx)
{
    const mg_shard_item *item = mg_reader_item(e->reader, sample);

    if (!item->classes) return MG_OK;
    if (!item->volume && item->depth == 1) return run_picture(e, sample, maps, done, ctx);
    if (!e->volumes) MG_TRY(mg_volume_evaluator_create(e->model, e->reader, &e->plan, &e->volumes));
    return mg_volume_evaluator_run(e->volumes, sample, maps, done, ctx);
}
