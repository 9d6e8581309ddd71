// Phantom of EyePACS: both eyes of each patient, in the tree of datasets.md section 2, and the tables
// of grades. Patients count from 100000, clear of the numbers that the real set is known to spoil.
#include <stdio.h>
#include <string.h>

#include "datasets/paint.h"
#include "datasets/phantom.h"
#include "datasets/readers.h"

enum { TAG = 13, TAG_FACTS = 14, USUAL_SIZE = 600, FIRST_PATIENT = 100000 };

enum {
    NONE,
    CUT,
    UNUSABLE,
    REPEATED,
    ZERO,
    UNLISTED,
    TURNED,
    DARK,
    OTHER_NAME,
    COPY,
    DEFECTS = COPY
};

static const char *const defect_name[] = {"",
                                          "truncated JPEG",
                                          "known to be unusable",
                                          "repeated folder",
                                          "file without bytes",
                                          "in no table",
                                          "upside down",
                                          "dark",
                                          "extension .JPG",
                                          "same pixels as the first"};

typedef struct {
    int part, grade, defect; // part 0 train, 1 test public, 2 test private
    int height, width;
    bool left;
    char stem[64], name[256];
} facts;

static facts facts_of(const mg_phantom_order *order, int64_t i)
{
    static const double part_end[] = {.396, .519}, grade_end[] = {.735, .804, .955, .98};
    facts f = {.defect = mg_phantom_defect(order, i, DEFECTS), .left = i % 2 == 0};
    mg_pen pen = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)i);
    mg_pen patient = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)(i / 2) + 0x80000000u);
    double part = mg_pen_between(&patient, 0, 1), grade = mg_pen_between(&pen, 0, 1);

    while (f.part < 2 && part > part_end[f.part]) f.part++;
    while (f.grade < 4 && grade > grade_end[f.grade]) f.grade++;
    f.width = order->size ? order->size : USUAL_SIZE;
    f.height = f.width * mg_pen_from(&patient, 13, 16) / 20;
    snprintf(f.stem, sizeof f.stem, "%lld_%s", (long long)(FIRST_PATIENT + i / 2),
             f.left ? "left" : "right");
    if (f.defect == UNUSABLE) snprintf(f.stem, sizeof f.stem, "492_right");
    const char *folder = f.part ? "test" : "train";
    snprintf(f.name, sizeof f.name, "%s/%s%s%s%s", folder, f.defect == REPEATED ? folder : "",
             f.defect == REPEATED ? "/" : "", f.stem, f.defect == OTHER_NAME ? ".JPG" : ".jpeg");
    return f;
}

static void size_of(const mg_phantom_order *order, int64_t i, int *height, int *width)
{
    facts f = facts_of(order, facts_of(order, i).defect == COPY ? 0 : i);
    *height = f.height;
    *width = f.width;
}

static void turn_half(mg_canvas *c)
{
    int64_t cells = (int64_t)c->height * c->width;
    for (int ch = 0; ch < 3; ch++)
        for (int64_t i = 0; i < cells / 2; i++) {
            float v = c->rgb[ch][i];
            c->rgb[ch][i] = c->rgb[ch][cells - 1 - i];
            c->rgb[ch][cells - 1 - i] = v;
        }
}

static mg_status write_item(const mg_phantom_order *order, int64_t i, mg_canvas *canvas)
{
    facts f = facts_of(order, i);
    int64_t drawn = f.defect == COPY ? 0 : i;
    facts look = facts_of(order, drawn);
    mg_pen pen = mg_pen_at(order->seed, TAG, (uint32_t)drawn);

    mg_canvas_clear(canvas, 0, 0, 0);
    mg_paint_eye(&pen, canvas, look.left, look.grade);
    if (f.defect == TURNED) turn_half(canvas);
    for (int ch = 0; ch < 3 && f.defect == DARK; ch++)
        for (int64_t k = 0; k < (int64_t)canvas->height * canvas->width; k++)
            canvas->rgb[ch][k] *= .2f;
    mg_canvas_finish(canvas, 3);
    return mg_phantom_picture(order, f.name, canvas, 3,
                              f.defect == CUT    ? .6
                              : f.defect == ZERO ? 0
                                                 : 1);
}

static mg_status write_tables(const mg_phantom_order *order)
{
    mg_phantom_table train = {0}, test = {0}, submission = {0};

    MG_TRY(mg_phantom_row(&train, "image,level"));
    MG_TRY(mg_phantom_row(&test, "image,level,Usage"));
    MG_TRY(mg_phantom_row(&submission, "image,level"));
    for (int64_t i = 0; i < order->count; i++) {
        facts f = facts_of(order, i);
        if (f.defect == UNLISTED) continue;
        if (!f.part) {
            MG_TRY(mg_phantom_row(&train, "%s,%d", f.stem, f.grade));
            continue;
        }
        MG_TRY(
            mg_phantom_row(&test, "%s,%d,%s", f.stem, f.grade, f.part == 1 ? "Public" : "Private"));
        MG_TRY(mg_phantom_row(&submission, "%s,0", f.stem));
    }
    MG_TRY(mg_phantom_table_end(order, "trainLabels.csv", &train));
    MG_TRY(mg_phantom_table_end(order, "retinopathy_solution.csv", &test));
    return mg_phantom_table_end(order, "sampleSubmission.csv", &submission);
}

static mg_status report(const mg_phantom_order *order)
{
    mg_phantom_report *r = order->report;
    if (!r) return MG_OK;
    r->items = order->count;
    for (int64_t i = 0; i < order->count; i++) {
        facts f = facts_of(order, i);
        if (!f.defect) continue;
        r->items -= f.defect == UNUSABLE;
        r->unreadable += f.defect == CUT || f.defect == ZERO;
        r->duplicates += f.defect == COPY && i > 0;
        MG_TRY(mg_phantom_planted(order, defect_name[f.defect], f.name));
    }
    return MG_OK;
}

mg_status mg_phantom_eyepacs(const mg_phantom_order *order)
{
    MG_TRY(mg_phantom_items(order, size_of, write_item));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order));
    if (order->defects) MG_TRY(mg_phantom_junk(order));
    return write_tables(order);
}
