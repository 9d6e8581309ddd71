// Choosing and drawing slices.
#include "finetune/predict_sheet.h"

#include <string.h>

#include "runtime/mem.h"

enum { COLUMNS = 3, SIDE = 320 };

static void add_box(mg_predict_marks *m, const double box[4], int target)
{
    if (m->boxes == MG_MARKS_MAX) return;
    memcpy(m->box[m->boxes], box, sizeof m->box[0]);
    m->box_of[m->boxes++] = (uint8_t)target;
}

static void add_click(mg_predict_marks *m, mg_click click, int target)
{
    if (m->clicks == MG_MARKS_MAX) return;
    m->click[m->clicks] = click;
    m->click_of[m->clicks++] = (uint8_t)target;
}

void mg_predict_mark(const mg_predict_prompts *p, int z, mg_predict_marks *m, mg_overlay *o)
{
    m->clicks = m->boxes = 0;
    for (int i = 0; i < p->count; i++) {
        const mg_predict_target *t = &p->target[i];
        for (int k = 0; k < t->clicks; k++)
            if (t->click[k].z == z) add_click(m, t->click[k], i + 1);
        for (int k = 0; k < t->boxes; k++)
            if (t->box[k].first <= z && z <= t->box[k].last) add_box(m, t->box[k].box, i + 1);
    }
    o->click = m->click;
    o->clicks = m->clicks;
    o->click_of = m->click_of;
    o->box = (const double(*)[4])m->box;
    o->boxes = m->boxes;
    o->box_of = m->box_of;
}

static bool is_shown(const mg_predict_sheet *s, int z)
{
    for (int i = 0; i < s->shown; i++)
        if (s->slice[i] == z) return true;
    return false;
}

// In ascending order.
static void show(mg_predict_sheet *s, int z)
{
    if (s->shown == MG_SHEET_SLICES || is_shown(s, z)) return;
    int at = s->shown++;
    for (; at > 0 && s->slice[at - 1] > z; at--) s->slice[at] = s->slice[at - 1];
    s->slice[at] = z;
}

// Slices that were clicked, or the middle one of a box; then the largest masks. `area` [depth] is work space.
static void choose(mg_predict_sheet *s, int64_t *area)
{
    size_t pixels = (size_t)s->slices.height * s->slices.width;
    int best = 0;

    s->shown = 0;
    for (int k = 0; k < MG_PROMPT_CLICKS_MAX; k++) // target by target, so that each gets its share
        for (int i = 0; i < s->prompts->count; i++) {
            const mg_predict_target *t = &s->prompts->target[i];
            if (k < t->clicks) show(s, t->click[k].z);
            if (k < t->boxes) show(s, (t->box[k].first + t->box[k].last) / 2);
        }
    for (int z = 0; z < s->slices.depth; z++) {
        area[z] = 0;
        for (size_t k = 0; k < pixels; k++) area[z] += s->map[z * pixels + k] != 0;
        if (is_shown(s, z)) area[z] = 0;
    }
    while (s->shown < MG_SHEET_SLICES) {
        for (int z = 0; z < s->slices.depth; z++)
            if (area[z] > area[best]) best = z;
        if (area[best] == 0) break;
        show(s, best);
        area[best] = 0;
    }
    if (s->shown == 0) show(s, s->slices.depth / 2);
}

mg_status mg_predict_sheet_write(const char *path, mg_predict_sheet *s)
{
    int height = s->slices.height, width = s->slices.width;
    size_t pixels = (size_t)height * width;
    mg_overlay overlay[MG_SHEET_SLICES];

    int64_t *area = mg_alloc((size_t)s->slices.depth * sizeof *area);
    MG_CHECK(area, MG_ERR_MEMORY, "cannot allocate an overlay");
    choose(s, area);
    mg_free(area);
    uint8_t *picture = mg_alloc((size_t)s->shown * pixels * 3);
    mg_predict_marks *mark = mg_alloc((size_t)s->shown * sizeof *mark);
    mg_status st = picture && mark ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate an overlay");
    for (int i = 0; i < s->shown && !st; i++) {
        int z = s->slice[i];
        st = s->slices.read(s->slices.ctx, z, 1, picture + i * pixels * 3);
        overlay[i] = (mg_overlay){.pixels = picture + i * pixels * 3,
                                  .height = height,
                                  .width = width,
                                  .channels = 3,
                                  .pred = s->map + z * pixels,
                                  .grid_height = height,
                                  .grid_width = width,
                                  .tall = s->tall,
                                  .turned = true};
        mg_predict_mark(s->prompts, z, &mark[i], &overlay[i]);
    }
    int columns = s->shown < COLUMNS ? s->shown : COLUMNS;
    if (!st) st = mg_overlay_sheet(path, overlay, s->shown, columns, s->shown == 1 ? 768 : SIDE);
    mg_free(picture), mg_free(mark);
    return st;
}
