// Phantom of ISIC 2016 part 1 (datasets.md section 12): pictures and masks of a training and a test
// part in the proportion 900 to 379.
#include <stdio.h>
#include <string.h>

#include "datasets/paint.h"
#include "datasets/phantom.h"
#include "datasets/readers.h"

enum { TAG = 19, TAG_FACTS = 20, USUAL_SIZE = 1022 };

enum { NONE, NO_MASK, OTHER_SIZE, CUT, COPY, LOWER, SUPERPIXELS, DEFECTS = SUPERPIXELS };

static const char *const defect_name[] = {"",
                                          "image without a mask",
                                          "mask of another size",
                                          "truncated JPEG",
                                          "same pixels as the first",
                                          "mask name in lower case",
                                          "picture of superpixels beside it"};

static const char *part_of(const mg_phantom_order *order, int64_t i)
{
    return i * 1279 < order->count * 900 ? "Training" : "Test";
}

static void size_of(const mg_phantom_order *order, int64_t i, int *height, int *width)
{
    if (mg_phantom_defect(order, i, DEFECTS) == COPY) i = 0;
    mg_pen pen = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)i);
    *width = (order->size ? order->size : USUAL_SIZE) * mg_pen_from(&pen, 6, 8) / 8;
    *height = *width * (mg_pen_chance(&pen, .5) ? 6 : 7) / 9;
}

static mg_status write_mask(const mg_phantom_order *order, int64_t i, int defect,
                            const mg_canvas *canvas)
{
    char name[256];
    int cut = defect == OTHER_SIZE ? 2 : 0; // rows less

    snprintf(name, sizeof name, "ISBI2016_ISIC_Part1_%s_GroundTruth/ISIC_%07lld_%cegmentation.png",
             part_of(order, i), (long long)i, defect == LOWER ? 's' : 'S');
    return mg_phantom_mask(order, name, canvas->label, canvas->height - cut, canvas->width);
}

static mg_status write_item(const mg_phantom_order *order, int64_t i, mg_canvas *canvas)
{
    int defect = mg_phantom_defect(order, i, DEFECTS);
    mg_pen pen = mg_pen_at(order->seed, TAG, (uint32_t)(defect == COPY ? 0 : i));
    char name[256];

    mg_canvas_clear(canvas, 0, 0, 0);
    mg_paint_skin(&pen, canvas);
    mg_canvas_finish(canvas, 3);
    snprintf(name, sizeof name, "ISBI2016_ISIC_Part1_%s_Data/ISIC_%07lld.jpg", part_of(order, i),
             (long long)i);
    MG_TRY(mg_phantom_picture(order, name, canvas, 3, defect == CUT ? .6 : 1));
    if (defect != NO_MASK) MG_TRY(write_mask(order, i, defect, canvas));
    if (defect != SUPERPIXELS) return MG_OK;
    snprintf(name, sizeof name, "ISBI2016_ISIC_Part1_%s_Data/ISIC_%07lld_superpixels.png",
             part_of(order, i), (long long)i);
    return mg_phantom_picture(order, name, canvas, 3, 1);
}

// A mask that belongs to no image, and the list that some copies carry.
static mg_status write_extras(const mg_phantom_order *order)
{
    static const uint8_t label[16] = {1};
    const char *stray = "ISBI2016_ISIC_Part1_Training_GroundTruth/ISIC_9999999_Segmentation.png";
    mg_phantom_table list = {0};

    MG_TRY(mg_phantom_mask(order, stray, label, 4, 4));
    MG_TRY(mg_phantom_planted(order, "mask without an image", stray));
    MG_TRY(mg_phantom_row(&list, ",img,seg"));
    for (int64_t i = 0; i < order->count && !strcmp(part_of(order, i), "Training"); i++)
        MG_TRY(
            mg_phantom_row(&list,
                           "%lld,ISBI2016_ISIC_Part1_Training_Data/ISIC_%07lld.jpg,"
                           "ISBI2016_ISIC_Part1_Training_GroundTruth/ISIC_%07lld_Segmentation.png",
                           (long long)i, (long long)i, (long long)i));
    MG_TRY(mg_phantom_table_end(order, "ISBI2016_ISIC_Part1_Training_GroundTruth.csv", &list));
    return mg_phantom_junk(order);
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
        snprintf(where, sizeof where, "ISIC_%07lld", (long long)i);
        MG_TRY(mg_phantom_planted(order, defect_name[defect], where));
    }
    return MG_OK;
}

mg_status mg_phantom_isic(const mg_phantom_order *order)
{
    MG_TRY(mg_phantom_items(order, size_of, write_item));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order));
    return order->defects ? write_extras(order) : MG_OK;
}
