// Targets of a picture one after the other into one label map.
#include "finetune/predict_picture.h"

#include <stdio.h>

#include "finetune/label_map.h"
#include "finetune/predict_sheet.h"
#include "finetune/seg_session.h"
#include "runtime/log.h"
#include "runtime/mem.h"

typedef struct {
    const mg_picture *picture;
    const mg_predict_prompts *prompts;
    const mg_predict_files *files;
    mg_seg_session *session;
    uint8_t *map, *mask;   // [height, width]: label map, mask of the target at hand
    float *best, *logits;  // [height, width]: highest logit so far, logits of the target at hand
    uint16_t *probability; // [height, width]
} work;

static mg_status allocate(work *w)
{
    size_t cells = (size_t)w->picture->height * w->picture->width;

    w->map = mg_calloc(cells, 1);
    w->mask = mg_alloc(cells);
    w->best = mg_calloc(cells, sizeof *w->best);
    w->logits = mg_alloc(cells * sizeof *w->logits);
    w->probability = mg_alloc(cells * sizeof *w->probability);
    MG_CHECK(w->map && w->mask && w->best && w->logits && w->probability, MG_ERR_MEMORY,
             "cannot allocate masks of %d x %d", w->picture->height, w->picture->width);
    return MG_OK;
}

static void release(work *w)
{
    mg_seg_session_destroy(&w->session);
    mg_free(w->map), mg_free(w->mask);
    mg_free(w->best), mg_free(w->logits), mg_free(w->probability);
}

// One pass per click, or one for a box or a text alone; the last one counts.
static mg_status decode(const work *w, const mg_predict_target *t, float *iou)
{
    mg_seg_session *s = w->session;

    mg_seg_session_reset(s);
    if (t->boxes) mg_seg_session_box(s, t->box[0].box);
    if (t->unit) mg_seg_session_text(s, t->unit);
    if (t->clicks == 0) return mg_seg_session_decode(s, w->mask, w->logits, iou);
    for (int k = 0; k < t->clicks; k++) {
        mg_seg_session_click(s, t->click[k]);
        MG_TRY(mg_seg_session_decode(s, w->mask, w->logits, iou));
    }
    return MG_OK;
}

static mg_status write_probability(const work *w, int i)
{
    size_t cells = (size_t)w->picture->height * w->picture->width;
    char *name = mg_predict_probability_name(w->files, i, w->prompts->count);

    MG_CHECK(name, MG_ERR_MEMORY, "cannot allocate a name");
    for (size_t k = 0; k < cells; k++)
        w->probability[k] = (uint16_t)(65535 * mg_predict_probability(w->logits[k]) + 0.5);
    mg_status st = mg_write_png16(name, w->probability, w->picture->height, w->picture->width);
    if (!st) mg_info("probability of target %d in '%s'", i + 1, name);
    mg_free(name);
    return st;
}

static mg_status run_target(const work *w, int i)
{
    const mg_predict_target *t = &w->prompts->target[i];
    size_t cells = (size_t)w->picture->height * w->picture->width;
    long long inside = 0;
    float iou = 0;
    char size[32];

    MG_TRY(decode(w, t, &iou));
    mg_label_merge(w->best, w->map, w->logits, cells, i + 1);
    for (size_t k = 0; k < cells; k++) inside += w->mask[k];
    snprintf(size, sizeof size, "pixels %lld", inside);
    mg_predict_print(t, i, size, iou);
    if (inside == 0)
        mg_warn("the mask of target '%s' is empty: add a click or a box, or look at the overlay "
                "whether they lie where they should",
                t->name);
    return w->files->probability[0] ? write_probability(w, i) : MG_OK;
}

static mg_status write_overlay(const work *w)
{
    const mg_picture *p = w->picture;
    mg_predict_marks *marks = mg_alloc(sizeof *marks);
    mg_overlay o = {.pixels = p->pixels,
                    .height = p->height,
                    .width = p->width,
                    .channels = p->channels,
                    .pred = w->map,
                    .grid_height = p->height,
                    .grid_width = p->width};

    MG_CHECK(marks, MG_ERR_MEMORY, "cannot allocate an overlay");
    mg_predict_mark(w->prompts, 0, marks, &o);
    mg_status st = mg_overlay_write(w->files->overlay, &o, 768);
    mg_free(marks);
    return st;
}

mg_status mg_predict_picture(const mg_seg_model *model, const mg_picture *picture,
                             const mg_predict_prompts *prompts, const mg_predict_files *files)
{
    work w = {.picture = picture, .prompts = prompts, .files = files};
    double begin = mg_now(), encoded = begin;
    mg_status st = mg_seg_session_create(model, &w.session);

    if (!st) st = allocate(&w);
    if (!st)
        st = mg_seg_session_picture(w.session, picture->pixels, picture->height, picture->width,
                                    picture->channels);
    if (!st) encoded = mg_now();
    for (int i = 0; i < prompts->count && !st; i++) st = run_target(&w, i);
    if (!st) st = mg_write_png(files->mask, w.map, picture->height, picture->width, 1);
    if (!st && files->overlay[0]) st = write_overlay(&w);
    if (!st)
        mg_info("encode_s %.2f decode_s %.2f peak_mb %.0f", encoded - begin, mg_now() - encoded,
                (double)mg_mem_peak_rss() / 1e6);
    release(&w);
    return st;
}
