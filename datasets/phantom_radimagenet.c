// Phantom of RadImageNet: 8-bit slices in the tree of datasets.md section 1, and the three tables.
#include <stdio.h>
#include <string.h>

#include "datasets/paint.h"
#include "datasets/phantom.h"
#include "datasets/readers.h"

enum { TAG = 11, TAG_FACTS = 12, USUAL_SIZE = 224 };

enum {
    NONE,
    EMPTY,
    EMPTY_TOO,
    COPY,
    CUT,
    THREE,
    COLOUR,
    UPPER,
    UNLISTED,
    REPEATED,
    DEFECTS = REPEATED
};

static const char *const defect_name[] = {"",
                                          "empty picture",
                                          "empty picture",
                                          "same pixels as the first",
                                          "truncated PNG",
                                          "three equal channels",
                                          "colour Doppler",
                                          "extension in upper case",
                                          "in no table",
                                          "repeated folder"};

static const struct {
    const char *folder, *file, *label;
    mg_painter paint;
} kinds[] = {
    {"CT/abd/normal", "abd-normal", "abd-normal", mg_paint_ct_abdomen},
    {"CT/abd/bowel_abnormality", "abd-bowel", "bowel_abnormality", mg_paint_ct_abdomen},
    {"CT/lung/normal", "lung-normal", "lung-normal", mg_paint_ct_chest},
    {"CT/lung/nodule", "lung-nodule", "nodule", mg_paint_ct_chest},
    {"MR/brain/normal", "brain-normal", "brain-normal", mg_paint_mr_brain},
    {"MR/brain/infarct", "brain-infarct", "infarct", mg_paint_mr_brain},
    {"MR/knee/normal", "knee-normal", "knee-normal", mg_paint_mr_knee},
    {"MR/knee/meniscal_tear", "knee-meniscus", "meniscal_tear", mg_paint_mr_knee},
    {"US/thyroid", "usn", "usn", mg_paint_ultrasound},
    {"US/thyroid_nodule", "ust", "thyroid_nodule", mg_paint_ultrasound},
};

typedef struct {
    int kind, split, defect; // split 0 train, 1 val, 2 test
    int height, width;
    char name[256]; // below the root
} facts;

static facts facts_of(const mg_phantom_order *order, int64_t i)
{
    facts f = {.defect = mg_phantom_defect(order, i, DEFECTS)};
    mg_pen pen = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)i);
    mg_pen group = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)(i / 4) + 0x80000000u);
    double part = mg_pen_between(&group, 0, 1); // slices of one patient stay together

    f.kind = mg_pen_from(&pen, 0, sizeof kinds / sizeof *kinds - 1);
    f.split = part < .75 ? 0 : part < .85 ? 1 : 2;
    f.width = order->size ? order->size : USUAL_SIZE;
    f.height = f.width;
    if (kinds[f.kind].paint == mg_paint_ultrasound) // not all are square
        f.height = f.width * mg_pen_from(&pen, 6, 10) / 10;
    snprintf(f.name, sizeof f.name, "radiology_ai/%s%s/%s%06lld%s",
             f.defect == REPEATED ? "radiology_ai/" : "", kinds[f.kind].folder, kinds[f.kind].file,
             (long long)i, f.defect == UPPER ? ".PNG" : ".png");
    return f;
}

static void size_of(const mg_phantom_order *order, int64_t i, int *height, int *width)
{
    facts f = facts_of(order, facts_of(order, i).defect == COPY ? 0 : i);
    *height = f.height;
    *width = f.width;
}

// Flow in red and blue over the grey.
static void add_doppler(mg_canvas *c)
{
    for (int y = c->height / 3; y < c->height / 2; y++)
        for (int x = c->width / 3; x < c->width / 2; x++)
            c->rgb[x % 2 ? 0 : 2][(int64_t)y * c->width + x] = .9f;
}

static mg_status write_item(const mg_phantom_order *order, int64_t i, mg_canvas *canvas)
{
    facts f = facts_of(order, i);
    int64_t drawn = f.defect == COPY ? 0 : i;
    mg_pen pen = mg_pen_at(order->seed, TAG, (uint32_t)drawn);
    int channels = f.defect == THREE || f.defect == COLOUR ? 3 : 1;

    mg_canvas_clear(canvas, 0, 0, 0);
    if (f.defect != EMPTY && f.defect != EMPTY_TOO)
        kinds[facts_of(order, drawn).kind].paint(&pen, canvas);
    for (int ch = 1; ch < channels; ch++)
        memcpy(canvas->rgb[ch], canvas->rgb[0],
               (size_t)canvas->height * canvas->width * sizeof(float));
    if (f.defect == COLOUR) add_doppler(canvas);
    mg_canvas_finish(canvas, channels);
    return mg_phantom_picture(order, f.name, canvas, channels, f.defect == CUT ? .6 : 1);
}

static mg_status write_tables(const mg_phantom_order *order)
{
    static const char *const name[] = {"RadiologyAI_train.csv", "RadiologyAI_val.csv",
                                       "RadiologyAI_test.csv"};
    for (int split = 0; split < 3; split++) {
        mg_phantom_table table = {0};
        MG_TRY(mg_phantom_row(&table, "filename,label"));
        for (int64_t i = 0; i < order->count; i++) {
            facts f = facts_of(order, i);
            if (f.split == split && f.defect != UNLISTED)
                MG_TRY(mg_phantom_row(&table, "%s,%s", f.name, kinds[f.kind].label));
        }
        if (order->defects && split == 0)
            MG_TRY(mg_phantom_row(&table, "radiology_ai/CT/abd/normal/missing.png,abd-normal"));
        MG_TRY(mg_phantom_table_end(order, name[split], &table));
    }
    return MG_OK;
}

static mg_status report(const mg_phantom_order *order)
{
    mg_phantom_report *r = order->report;
    if (!r) return MG_OK;
    r->items = order->count;
    for (int64_t i = 0; i < order->count; i++) {
        facts f = facts_of(order, i);
        if (!f.defect) continue;
        r->unreadable += f.defect == CUT;
        r->constant += f.defect == EMPTY || f.defect == EMPTY_TOO;
        r->duplicates += f.defect == COPY && i > 0;
        MG_TRY(mg_phantom_planted(order, defect_name[f.defect], f.name));
    }
    return MG_OK;
}

mg_status mg_phantom_radimagenet(const mg_phantom_order *order)
{
    MG_TRY(mg_phantom_items(order, size_of, write_item));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order));
    if (order->defects) MG_TRY(mg_phantom_junk(order));
    return write_tables(order);
}
