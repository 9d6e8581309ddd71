// Masks of other programs, case by case, target by target.
#include "finetune/mask_eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finetune/eval_plan.h"
#include "runtime/mem.h"
#include "shard/source.h"

enum { VALUES = 65536, NO_FILE = -1, NOT_ASKED = -2 };

struct mg_mask_evaluator {
    const mg_mask_config *config;
    const mg_reader *reader;
    const mg_eval_plan *plan;
    mg_mask_files files;
    int goals;         // targets of the plan
    int wide;          // files of an item: goals, or 1
    int64_t *file;     // [items, wide]
    int64_t *owner;    // [files] item that asks for it, or NO_FILE
    uint16_t *classes; // [VALUES] classes of each value of a label map, bit c - 1
    bool *known;       // [VALUES]
    // of the case, on its original grid
    size_t cells;
    uint16_t *values;            // of its label map, then its classes
    uint8_t *gt, *ignore, *pred; // [cells]; gt owns all three and the room behind them
    uint8_t *shown_gt, *shown;   // a slice of the stored grid, for the picture
    uint8_t *picture;
    float *logits; // of a slice for maps: 1 inside, -1 outside
};

// --- pairing ----------------------------------------------------------------------------------------

static bool asked(const mg_mask_evaluator *e, const mg_shard_item *item, uint16_t classes)
{
    if (mg_eval_asked(item, classes)) return true;
    return e->config->absent && item->labelled && !(item->unknown & classes);
}

static bool asked_at_all(const mg_mask_evaluator *e, const mg_shard_item *item)
{
    const char *name;

    for (int k = 1; k <= e->goals; k++)
        if (asked(e, item, mg_eval_goal(e->plan, e->reader, k, &name))) return true;
    return false;
}

// The file of an item (and target) into its place of the table.
static mg_status pair(mg_mask_evaluator *e, int64_t sample, int place, const char *target)
{
    const mg_shard_item *item = mg_reader_item(e->reader, sample);
    char *name = mg_mask_files_name(&e->files, item, target);
    mg_status st = MG_OK;

    MG_CHECK(name, MG_ERR_MEMORY, "cannot allocate the name of a mask");
    int64_t at = mg_mask_files_find(&e->files, name);
    if (at >= 0 && e->owner[at] != NO_FILE) {
        const mg_shard_item *other = mg_reader_item(e->reader, e->owner[at]);
        st = MG_FAIL(MG_ERR_FORMAT,
                     "mask '%s' would stand for both '%s/%s' and '%s/%s': score the sets one by "
                     "one, or tell them apart by {set} in evaluate.mask_name",
                     e->files.path.item[at], other->set, other->name, item->set, item->name);
    } else if (at >= 0) {
        e->owner[at] = sample;
    }
    e->file[sample * e->wide + place] = at;
    mg_free(name);
    return st;
}

static mg_status pair_all(mg_mask_evaluator *e)
{
    int64_t items = mg_reader_count(e->reader), paired = 0, first = -1;
    const char *target;

    for (int64_t i = 0; i < items; i++) {
        const mg_shard_item *item = mg_reader_item(e->reader, i);
        for (int p = 0; p < e->wide; p++) {
            uint16_t classes = mg_eval_goal(e->plan, e->reader, p + 1, &target);
            bool wanted = e->files.each ? asked(e, item, classes) : asked_at_all(e, item);
            int64_t *at = &e->file[i * e->wide + p];
            *at = NOT_ASKED;
            if (!wanted) continue;
            MG_TRY(pair(e, i, p, e->files.each ? target : ""));
            if (first < 0) first = i;
            paired += *at >= 0;
        }
    }
    MG_CHECK(first >= 0, MG_ERR_CONFIG,
             "none of the %lld items has a labelled target; were the sets packed with masks?",
             (long long)items);
    if (paired) return MG_OK;
    mg_eval_goal(e->plan, e->reader, 1, &target);
    char *name = mg_mask_files_name(&e->files, mg_reader_item(e->reader, first), target);
    mg_status st =
        MG_FAIL(MG_ERR_FORMAT,
                "none of the %zu masks in '%s' belongs to an item: found '%s', looked "
                "for '%s' (evaluate.mask_name)",
                e->files.path.count, e->files.folder, e->files.path.item[0], name ? name : "");
    mg_free(name);
    return st;
}

mg_status mg_mask_evaluator_missing(const mg_mask_evaluator *e, const char *set, mg_texts *out)
{
    int64_t items = mg_reader_count(e->reader);
    const char *target;

    for (int64_t i = 0; i < items; i++) {
        const mg_shard_item *item = mg_reader_item(e->reader, i);
        for (int p = 0; p < e->wide && (!set || !strcmp(item->set, set)); p++) {
            if (e->file[i * e->wide + p] != NO_FILE) continue;
            mg_eval_goal(e->plan, e->reader, p + 1, &target);
            char *name = mg_mask_files_name(&e->files, item, e->files.each ? target : "");
            mg_status st =
                name ? mg_texts_add(out, name) : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a name");
            mg_free(name);
            MG_TRY(st);
        }
    }
    return MG_OK;
}

mg_status mg_mask_evaluator_extra(const mg_mask_evaluator *e, mg_texts *out)
{
    for (size_t i = 0; i < e->files.path.count; i++)
        if (e->owner[i] == NO_FILE) MG_TRY(mg_texts_add(out, e->files.path.item[i]));
    return MG_OK;
}

// --- values of label maps -----------------------------------------------------------------------------

static mg_status take_labels(mg_mask_evaluator *e)
{
    const mg_json *tree = e->config->labels;
    char what[96];

    e->known[0] = true;
    for (int c = 1; !tree && c <= mg_reader_classes(e->reader); c++) {
        e->known[c] = true;
        e->classes[c] = (uint16_t)(1u << (c - 1));
    }
    MG_CHECK(!tree || mg_json_is_object(tree), MG_ERR_CONFIG,
             "evaluate.labels is no mapping, expected {VALUE: class, ...}");
    for (size_t i = 0; i < mg_json_size(tree); i++) {
        const mg_json *classes;
        const char *key = mg_json_member(tree, i, &classes);
        char *end;
        long value = strtol(key, &end, 10);
        MG_CHECK(*key && !*end && value >= 0 && value < VALUES, MG_ERR_CONFIG,
                 "evaluate.labels: '%s' is no value of a label map, expected 0 to %d", key,
                 VALUES - 1);
        snprintf(what, sizeof what, "evaluate.labels: value %ld", value);
        MG_TRY(mg_eval_classes(e->reader, classes, what, &e->classes[value]));
        e->known[value] = true;
    }
    return MG_OK;
}

// --- creation ---------------------------------------------------------------------------------------

static mg_status allocate(mg_mask_evaluator *e)
{
    size_t places = (size_t)mg_reader_count(e->reader) * (size_t)e->wide;

    e->file = mg_alloc(places * sizeof *e->file);
    e->owner = mg_alloc(e->files.path.count * sizeof *e->owner);
    e->classes = mg_calloc(VALUES, sizeof *e->classes);
    e->known = mg_calloc(VALUES, sizeof *e->known);
    MG_CHECK(e->file && e->owner && e->classes && e->known, MG_ERR_MEMORY,
             "cannot allocate a table of %zu masks", places);
    for (size_t i = 0; i < e->files.path.count; i++) e->owner[i] = NO_FILE;
    return MG_OK;
}

static mg_status open_files(mg_mask_evaluator *e)
{
    const char *name;

    while (mg_eval_goal(e->plan, e->reader, e->goals + 1, &name)) e->goals++;
    MG_TRY(mg_mask_files_open(e->config->folder, e->config->name, &e->files));
    e->wide = e->files.each ? e->goals : 1;
    MG_CHECK(e->files.each || e->config->threshold <= 0 || e->goals == 1, MG_ERR_CONFIG,
             "evaluate.threshold is set: %d targets need a file each, {target} in "
             "evaluate.mask_name",
             e->goals);
    MG_TRY(allocate(e));
    MG_TRY(take_labels(e));
    return pair_all(e);
}

mg_status mg_mask_evaluator_create(const mg_mask_config *config, const mg_reader *reader,
                                   const mg_eval_plan *plan, mg_mask_evaluator **out)
{
    mg_mask_evaluator *e = mg_calloc(1, sizeof *e);

    *out = NULL;
    MG_CHECK(e, MG_ERR_MEMORY, "cannot allocate an evaluator of masks");
    e->config = config;
    e->reader = reader;
    e->plan = plan;
    mg_status st = open_files(e);
    if (st)
        mg_mask_evaluator_destroy(&e);
    else
        *out = e;
    return st;
}

static void close_case(mg_mask_evaluator *e)
{
    mg_free(e->values), mg_free(e->gt), mg_free(e->shown_gt), mg_free(e->picture);
    mg_free(e->logits);
    e->logits = NULL;
    e->values = NULL;
    e->gt = e->shown_gt = e->picture = NULL;
}

void mg_mask_evaluator_destroy(mg_mask_evaluator **evaluator)
{
    mg_mask_evaluator *e = *evaluator;

    if (!e) return;
    close_case(e);
    mg_mask_files_close(&e->files);
    mg_free(e->file), mg_free(e->owner), mg_free(e->classes), mg_free(e->known);
    mg_free(e);
    *evaluator = NULL;
}

// --- the case ---------------------------------------------------------------------------------------

// Values of the label map become classes; no file: no class anywhere.
static mg_status read_map(mg_mask_evaluator *e, const mg_shard_item *item, int64_t at)
{
    if (at < 0) {
        memset(e->values, 0, e->cells * sizeof *e->values);
        return MG_OK;
    }
    MG_TRY(mg_mask_read_values(&e->files, at, item, e->values));
    for (size_t i = 0; i < e->cells; i++) {
        size_t slice = (size_t)item->full_height * (size_t)item->full_width;
        MG_CHECK(
            e->known[e->values[i]], MG_ERR_FORMAT,
            "mask '%s' holds the value %u in slice %zu, row %zu, column %zu (of its RAS grid), "
            "which is no class: evaluate.labels says what values mean",
            e->files.path.item[at], e->values[i], i / slice, i % slice / (size_t)item->full_width,
            i % (size_t)item->full_width);
        e->values[i] = e->classes[e->values[i]];
    }
    return MG_OK;
}

static bool by_value(const mg_mask_evaluator *e)
{
    return !e->files.each && e->config->threshold <= 0;
}

static mg_status open_case(mg_mask_evaluator *e, int64_t sample)
{
    const mg_shard_item *item = mg_reader_item(e->reader, sample);
    size_t slice = (size_t)item->height * (size_t)item->width;

    e->cells = (size_t)item->full_depth * (size_t)item->full_height * (size_t)item->full_width;
    e->gt = mg_alloc(4 * e->cells);
    e->values = by_value(e) ? mg_alloc(e->cells * sizeof *e->values) : NULL;
    // Of the stored grid: the whole reference twice (its mask and room), and a slice of the result.
    e->shown_gt = mg_alloc((2 * (size_t)item->depth + 1) * slice);
    MG_CHECK(e->gt && (e->values || !by_value(e)) && e->shown_gt, MG_ERR_MEMORY,
             "cannot allocate the masks of '%s'", item->name);
    e->ignore = e->gt + e->cells;
    e->pred = e->ignore + e->cells;
    e->shown = e->shown_gt + 2 * (size_t)item->depth * slice;
    return by_value(e) ? read_map(e, item, e->file[sample]) : MG_OK;
}

static mg_status take_pred(mg_mask_evaluator *e, const mg_eval_target *t, uint16_t classes)
{
    int place = e->files.each ? t->number - 1 : 0;
    int64_t at = e->file[t->sample * e->wide + place];

    if (by_value(e)) {
        for (size_t i = 0; i < e->cells; i++) e->pred[i] = (e->values[i] & classes) != 0;
        return MG_OK;
    }
    if (at < 0) {
        memset(e->pred, 0, e->cells);
        return MG_OK;
    }
    return mg_mask_read_share(&e->files, at, mg_reader_item(e->reader, t->sample),
                              e->config->threshold, e->pred);
}

// --- the picture of a target ---------------------------------------------------------------------------

// Cell of an axis of n cells of the original grid that is nearest to cell i of the stored one.
static size_t nearest(const double grid[2], int i, int n)
{
    double at = floor(grid[0] + grid[1] * i + .5);
    return (size_t)fmin(fmax(at, 0), n - 1);
}

// The result on slice `z` of the stored grid.
static void show_slice(mg_mask_evaluator *e, const mg_shard_item *item, int z)
{
    const double(*grid)[2] = item->volume->grid;
    size_t full_z = nearest(grid[0], z, item->full_depth);

    for (int y = 0; y < item->height; y++) {
        size_t row = (full_z * (size_t)item->full_height + nearest(grid[1], y, item->full_height)) *
                     (size_t)item->full_width;
        for (int x = 0; x < item->width; x++)
            e->shown[(size_t)y * (size_t)item->width + (size_t)x] =
                e->pred[row + nearest(grid[2], x, item->full_width)];
    }
}

// The slice with the most of the target.
static mg_status show_volume(mg_mask_evaluator *e, mg_eval_target *t, uint16_t classes)
{
    const mg_shard_item *item = mg_reader_item(e->reader, t->sample);
    size_t slice = (size_t)item->height * (size_t)item->width;
    uint8_t *room = e->shown_gt + (size_t)item->depth * slice;

    MG_TRY(mg_eval_mask(e->reader, t->sample, classes, false, e->shown_gt, NULL, room));
    int z = mg_eval_largest_slice(e->shown_gt, item->depth, slice);
    if (!e->picture) e->picture = mg_alloc(3 * slice);
    MG_CHECK(e->picture, MG_ERR_MEMORY, "cannot allocate a slice of '%s'", item->name);
    MG_TRY(mg_source_slices(e->reader, t->sample, z, 1, e->plan->window, e->picture));
    show_slice(e, item, z);
    t->gt = e->shown_gt + (size_t)z * slice;
    t->mask = e->shown;
    t->height = item->height;
    t->width = item->width;
    t->channels = 3;
    return MG_OK;
}

// The slice of the result that goes into the maps.
static mg_status fill_logits(mg_mask_evaluator *e, mg_eval_target *t)
{
    const mg_shard_item *item = mg_reader_item(e->reader, t->sample);
    size_t pixels = (size_t)t->maps->grid_height * (size_t)t->maps->grid_width;
    const uint8_t *mask = item->volume ? e->shown : e->pred;

    if (!e->logits) e->logits = mg_alloc(pixels * sizeof *e->logits);
    MG_CHECK(e->logits, MG_ERR_MEMORY, "cannot allocate a slice of '%s'", item->name);
    if (item->volume) show_slice(e, item, t->maps->slice);
    for (size_t i = 0; i < pixels; i++) e->logits[i] = mask[i] ? 1 : -1;
    t->logits = e->logits;
    return MG_OK;
}

static mg_status show(mg_mask_evaluator *e, mg_eval_target *t, uint16_t classes)
{
    const mg_shard_item *item = mg_reader_item(e->reader, t->sample);

    t->picture_height = item->height;
    t->picture_width = item->width;
    if (item->volume) {
        MG_TRY(show_volume(e, t, classes));
    } else {
        if (!e->picture) MG_TRY(mg_source_picture(e->reader, t->sample, &e->picture));
        t->gt = e->gt;
        t->mask = e->pred;
        t->height = item->full_height;
        t->width = item->full_width;
        t->channels = item->channels;
    }
    t->picture = e->picture;
    return MG_OK;
}

// --- a target ---------------------------------------------------------------------------------------

static mg_status run_target(mg_mask_evaluator *e, mg_eval_target *t, uint16_t classes)
{
    const mg_shard_item *item = mg_reader_item(e->reader, t->sample);
    double spacing[3];

    MG_TRY(take_pred(e, t, classes));
    MG_TRY(mg_eval_mask(e->reader, t->sample, classes, true, e->gt, e->ignore, e->pred + e->cells));
    for (int a = 0; a < 3; a++) { // without spacing distances are in cells
        double s = item->volume ? item->volume->full_spacing[a] : item->spacing[a];
        spacing[a] = s > 0 ? s : 1;
    }
    mg_target target = {item->full_depth, item->full_height, item->full_width, e->gt,
                        e->pred,          e->ignore};
    if (t->maps) MG_TRY(fill_logits(e, t));
    MG_TRY(mg_eval_add_row(e->plan, t, "masks", 0, &target, spacing));
    return show(e, t, classes);
}

static mg_status run_case(mg_mask_evaluator *e, int64_t sample, mg_case_maps *maps,
                          mg_status (*done)(void *ctx, const mg_eval_target *target), void *ctx)
{
    const mg_shard_item *item = mg_reader_item(e->reader, sample);
    const char *name;

    MG_TRY(open_case(e, sample));
    for (int k = 1; k <= e->goals; k++) {
        uint16_t classes = mg_eval_goal(e->plan, e->reader, k, &name);
        if (!asked(e, item, classes)) continue;
        mg_eval_target t = {.sample = sample, .number = k, .name = name, .maps = maps};
        MG_TRY(run_target(e, &t, classes));
        MG_TRY(done(ctx, &t));
    }
    return MG_OK;
}

mg_status mg_mask_evaluator_run(mg_mask_evaluator *e, int64_t sample, mg_case_maps *maps,
                                mg_status (*done)(void *ctx, const mg_eval_target *target),
                                void *ctx)
{
    mg_status st = MG_OK;

    if (asked_at_all(e, mg_reader_item(e->reader, sample)))
        st = run_case(e, sample, maps, done, ctx);
    close_case(e);
    return st;
}
