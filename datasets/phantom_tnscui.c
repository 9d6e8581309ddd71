// Phantom of TN-SCUI 2020 (datasets.md section 10): thyroid ultrasound with masks, names that are
// numbers with gaps, a table of categories, and a test set without masks, a quarter as large.
#include <stdio.h>
#include <string.h>

#include "datasets/paint.h"
#include "datasets/phantom.h"
#include "datasets/readers.h"

enum { TAG = 23, TAG_FACTS = 24, TAG_TEST = 25, USUAL_SIZE = 400 };

enum { NONE, OTHER_SIZE, NO_MASK, COLOUR, CUT, COPY, UNLISTED, DEFECTS = UNLISTED };

static const char *const defect_name[] = {"",
                                          "mask of another size",
                                          "image without a mask",
                                          "three channels",
                                          "truncated PNG",
                                          "same pixels as the first",
                                          "in no table"};

static long long number_of(int64_t i)
{
    return 2 + i + i / 3;
}

static void size_of(const mg_phantom_order *order, int64_t i, int *height, int *width)
{
    if (mg_phantom_defect(order, i, DEFECTS) == COPY) i = 0;
    mg_pen pen = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)i);
    *width = (order->size ? order->size : USUAL_SIZE) * mg_pen_from(&pen, 6, 8) / 8;
    *height = *width * mg_pen_from(&pen, 6, 9) / 9;
}

static void draw(mg_pen pen, mg_canvas *canvas, int channels)
{
    mg_canvas_clear(canvas, 0, 0, 0);
    mg_paint_ultrasound(&pen, canvas);
    for (int ch = 1; ch < channels; ch++)
        memcpy(canvas->rgb[ch], canvas->rgb[0],
               (size_t)canvas->height * canvas->width * sizeof(float));
    mg_canvas_finish(canvas, channels);
}

static mg_status write_item(const mg_phantom_order *order, int64_t i, mg_canvas *canvas)
{
    int defect = mg_phantom_defect(order, i, DEFECTS), channels = defect == COLOUR ? 3 : 1;
    int cut = defect == OTHER_SIZE ? 2 : 0; // rows less
    char name[256];

    if (i % 4 == 0) {
        draw(mg_pen_at(order->seed, TAG_TEST, (uint32_t)i), canvas, 1);
        snprintf(name, sizeof name, "tnscui2020_testset/test_%lld.PNG", (long long)i / 4 + 1);
        MG_TRY(mg_phantom_picture(order, name, canvas, 1, 1));
    }
    draw(mg_pen_at(order->seed, TAG, (uint32_t)(defect == COPY ? 0 : i)), canvas, channels);
    snprintf(name, sizeof name, "TNSCUI2020_train/image/%lld.PNG", number_of(i));
    MG_TRY(mg_phantom_picture(order, name, canvas, channels, defect == CUT ? .6 : 1));
    if (defect == NO_MASK) return MG_OK;
    snprintf(name, sizeof name, "TNSCUI2020_train/mask/%lld.PNG", number_of(i));
    return mg_phantom_mask(order, name, canvas->label, canvas->height - cut, canvas->width);
}

static mg_status write_table(const mg_phantom_order *order)
{
    mg_phantom_table table = {0};

    MG_TRY(mg_phantom_row(&table, "ID,CATE"));
    for (int64_t i = 0; i < order->count; i++) {
        mg_pen pen = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)i + 0x80000000u);
        if (mg_phantom_defect(order, i, DEFECTS) != UNLISTED)
            MG_TRY(mg_phantom_row(&table, "%lld.PNG,%d", number_of(i), mg_pen_chance(&pen, .55)));
    }
    return mg_phantom_table_end(order, "TNSCUI2020_train/train.csv", &table);
}

static mg_status report(const mg_phantom_order *order)
{
    mg_phantom_report *r = order->report;
    if (!r) return MG_OK;
    r->items = order->count;
    for (int64_t i = 0; i < order->count; i++) {
        int defect = mg_phantom_defect(order, i, DEFECTS);
        char where[32];
        if (!defect) continue;
        r->items -= defect == NO_MASK;
        r->unreadable += defect == OTHER_SIZE || defect == CUT;
        r->duplicates += defect == COPY && i > 0;
        snprintf(where, sizeof where, "%lld.PNG", number_of(i));
        MG_TRY(mg_phantom_planted(order, defect_name[defect], where));
    }
    return MG_OK;
}

mg_status mg_phantom_tnscui(const mg_phantom_order *order)
{
    static const uint8_t label[16] = {1};
    const char *stray = "TNSCUI2020_train/mask/1.PNG";

    MG_TRY(mg_phantom_items(order, size_of, write_item));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order));
    MG_TRY(write_table(order));
    if (!order->defects) return MG_OK;
    MG_TRY(mg_phantom_mask(order, stray, label, 4, 4));
    MG_TRY(mg_phantom_planted(order, "mask without an image", stray));
    return mg_phantom_junk(order);
}
