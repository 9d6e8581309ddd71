// The maps of a case before anything is scored: which slice, its picture, its reference. Part of
// seg_eval.
#include <string.h>

#include "finetune/seg_eval.h"
#include "runtime/mem.h"
#include "shard/source.h"

// Masks of the case on the grid of its maps: a volume's stored one, a picture's original one.
typedef struct {
    const mg_eval_plan *plan;
    const mg_reader *reader;
    int64_t sample;
    const mg_shard_item *item;
    int depth, height, width;
    uint8_t *mask; // [depth, height, width], and room of the same size behind it
} masks;

// Mask of target k = 1, 2, ... `end`: there is none, `there`: it goes into the maps.
static mg_status read_target(const masks *s, int k, const char **name, bool *there, bool *end)
{
    uint16_t classes = mg_eval_goal(s->plan, s->reader, k, name);
    size_t cells = (size_t)s->depth * s->height * s->width;

    *end = !classes || k > MG_CASE_TARGETS;
    *there = !*end && mg_eval_asked(s->item, classes) && !mg_eval_beside(s->plan, s->reader, k);
    if (!*there) return MG_OK;
    return mg_eval_mask(s->reader, s->sample, classes, !s->item->volume, s->mask, NULL,
                        s->mask + cells);
}

static mg_status choose_slice(const masks *s, int *slice)
{
    size_t pixels = (size_t)s->height * s->width;
    int64_t *shown = mg_calloc((size_t)s->depth, 2 * sizeof *shown), *area = shown + s->depth;
    const char *name;
    bool there, end = false;
    mg_status st = MG_OK;

    MG_CHECK(shown, MG_ERR_MEMORY, "cannot allocate a count of %d slices", s->depth);
    for (int k = 1; !st && !end; k++) {
        st = read_target(s, k, &name, &there, &end);
        for (int z = 0; !st && there && z < s->depth; z++) {
            int64_t cells = 0;
            for (size_t i = 0; i < pixels; i++) cells += s->mask[(size_t)z * pixels + i];
            shown[z] += cells > 0;
            area[z] += cells;
        }
    }
    *slice = 0;
    for (int z = 1; !st && z < s->depth; z++) {
        int best = *slice;
        if (shown[z] > shown[best] || (shown[z] == shown[best] && area[z] > area[best])) *slice = z;
    }
    mg_free(shown);
    return st;
}

static mg_status draw_picture(const masks *s, mg_case_maps *maps)
{
    const mg_shard_item *item = s->item;
    uint8_t *pixels = NULL;
    mg_status st;

    if (item->volume) {
        pixels = mg_alloc(3 * (size_t)s->height * s->width);
        MG_CHECK(pixels, MG_ERR_MEMORY, "cannot allocate a slice of '%s'", item->name);
        st = mg_source_slices(s->reader, s->sample, maps->slice, 1, s->plan->window, pixels);
    } else {
        st = mg_source_picture(s->reader, s->sample, &pixels);
    }
    if (!st)
        mg_case_maps_picture(maps, pixels, item->height, item->width,
                             item->volume ? 3 : item->channels);
    mg_free(pixels);
    return st;
}

static mg_status draw_targets(const masks *s, mg_case_maps *maps)
{
    size_t pixels = (size_t)s->height * s->width;
    const char *name;
    bool there, end = false;

    for (int k = 1; !end; k++) {
        MG_TRY(read_target(s, k, &name, &there, &end));
        if (there)
            mg_case_maps_target(maps, k, name,
                                s->mask + (maps->slice > 0 ? (size_t)maps->slice * pixels : 0));
    }
    return MG_OK;
}

mg_status mg_eval_begin_maps(const mg_eval_plan *plan, const mg_reader *reader, int64_t sample,
                             mg_case_maps *maps)
{
    const mg_shard_item *item = mg_reader_item(reader, sample);
    bool volume = item->volume;
    masks s = {.plan = plan,
               .reader = reader,
               .sample = sample,
               .item = item,
               .depth = volume ? item->depth : 1,
               .height = volume ? item->height : item->full_height,
               .width = volume ? item->width : item->full_width};
    int slice = -1;

    s.mask = mg_alloc(2 * (size_t)s.depth * s.height * s.width);
    MG_CHECK(s.mask, MG_ERR_MEMORY, "cannot allocate the masks of '%s'", item->name);
    mg_status st = volume ? choose_slice(&s, &slice) : MG_OK;
    if (!st) st = mg_case_maps_begin(maps, slice, s.height, s.width);
    if (!st) st = draw_picture(&s, maps);
    if (!st) st = draw_targets(&s, maps);
    mg_free(s.mask);
    return st;
}
