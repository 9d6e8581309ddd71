// Choosing and drawing slices.
#include "finetune/predict_sheet.h"

#include <string.h>

#include "finetune/overlay.h"
#include "runtime/mem.h"

enum { COLUMNS = 3, SIDE = 320, MOST = 256 };

// What is drawn on a slice.
typedef struct {
    mg_click click[MOST];
    double box[MOST][4];
    int clicks, boxes;
} marks;

static void take_marks(const mg_predict_prompts *p, int z, marks *out)
{
    out->clicks = out->boxes = 0;
    for (int i = 0; i < p->count; i++) {
        const mg_predict_target *t = &p->target[i];
        for (int k = 0; k < t->clicks; k++)
            if (t->click[k].z == z && out->clicks < MOST) out->click[out->clicks++] = t->click[k];
        for (int k = 0; k < t->boxes; k++)
            if (t->box[k].first <= z && z <= t->box[k].last && out->boxes < MOST)
                memcpy(out->box[out->boxes++], t->box[k].box, sizeof out->box[0]);
    }
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
    for (int i = 0; i < s->prompts->count; i++) {
        const mg_predict_target *t = &s->prompts->target[i];
        for (int k = 0; k < t->clicks; k++) show(s, t->click[k].z);
        for (int k = 0; k < t->boxes; k++) show(s, (t->box[k].first + t->box[k].last) / 2);
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
    marks *mark = mg_alloc((size_t)s->shown * sizeof *mark);
    mg_status st = picture && mark ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate an overlay");
    for (int i = 0; i < s->shown && !st; i++) {
        int z = s->slice[i];
        st = s->slices.read(s->slices.ctx, z, 1, picture + i * pixels * 3);
        take_marks(s->prompts, z, &mark[i]);
        overlay[i] = (mg_overlay){.pixels = picture + i * pixels * 3,
                                  .height = height,
                                  .width = width,
                                  .channels = 3,
                                  .pred = s->map + z * pixels,
                                  .grid_height = height,
                                  .grid_width = width,
                                  .click = mark[i].click,
                                  .clicks = mark[i].clicks,
                                  .box = (const double(*)[4])mark[i].box,
                                  .boxes = mark[i].boxes,
                                  .tall = s->tall,
                                  .turned = true};
    }
    int columns = s->shown < COLUMNS ? s->shown : COLUMNS;
    if (!st) st = mg_overlay_sheet(path, overlay, s->shown, columns, s->shown == 1 ? 768 : SIDE);
    mg_free(picture), mg_free(mark);
    return st;
}
