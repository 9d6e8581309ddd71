// Phantom of BraTS 2021 (datasets.md section 9): brains in four contrasts with a tumour in three parts, a folder for each
// case, every fifth case in the validation folder without a segmentation, and the table of older names.
#include <stdio.h>
#include <string.h>

#include "datasets/phantom_volume.h"
#include "datasets/readers.h"

enum { TAG = 76, USUAL_SIZE = 64, MOST = 33000, CONTRASTS = 4 };

enum { NONE, MISSING, OTHER_SHAPE, NO_SEG, CUT, COPY, BAD_VALUE, REPEATED, DEFECTS = REPEATED };

static const char *const defect_name[] = {"",
                                          "contrast t2 is missing",
                                          "contrast t2 of another shape",
                                          "case for training without a segmentation",
                                          "truncated gzip",
                                          "same scan as the first",
                                          "value 3 in the segmentation",
                                          "folder twice"};

static const char *const contrast_name[CONTRASTS] = {"flair", "t1", "t1ce", "t2"};

typedef struct {
    bool labelled;
    int id, defect;
} plan;

static int64_t labelled_before(int64_t i)
{
    return i - i / 5;
}

static plan plan_of(const mg_phantom_order *order, int64_t i)
{
    mg_phantom_order labelled = *order;
    plan p = {.labelled = i % 5 != 4, .id = (int)(3 * i + (i % 7 > 3))};

    labelled.count = labelled_before(order->count);
    if (p.labelled) p.defect = mg_phantom_defect(&labelled, labelled_before(i), DEFECTS);
    return p;
}

static mg_status write_file(const mg_phantom_order *order, const plan *p, const char *kind, int cut,
                            const mg_phantom_case *c, const int16_t *values, double share)
{
    // As the real ones: axes to the left and back, the first voxel at (0, 239, 0) of 240 cells.
    const mg_phantom_frame frame = {.axes = "LPS",
                                    .spacing = {1, 1, 1},
                                    .origin = {1 - c->solid.width, 240 - c->solid.height, 0}};
    mg_nifti_head head;
    char name[160], folder[24];

    snprintf(folder, sizeof folder, "BraTS2021_%05d", p->id);
    mg_phantom_head(&frame, c->solid.depth - cut, c->solid.height, c->solid.width, &head);
    snprintf(name, sizeof name, "RSNA_ASNR_MICCAI_BraTS2021_%s/%s%s%s/%s_%s.nii.gz",
             p->labelled ? "TrainingData_16July2021" : "ValidationData", folder,
             p->defect == REPEATED ? "/" : "", p->defect == REPEATED ? folder : "", folder, kind);
    return mg_phantom_volume(order, name, &head, MG_I16, values, share);
}

static mg_status write_contrasts(const mg_phantom_order *order, const plan *p, mg_pen *pen,
                                 mg_phantom_case *c)
{
    for (int k = 0; k < CONTRASTS; k++) {
        bool last = k == CONTRASTS - 1;
        mg_solid_values(pen, &c->solid, mg_brain_mr[k], 18, c->real, c->work);
        for (int64_t i = 0; i < c->cells; i++)
            c->real[i] = c->solid.tissue[i] ? (c->real[i] > 1 ? c->real[i] : 1) : 0;
        mg_phantom_round(c, 0);
        if (last && p->defect == MISSING) continue;
        MG_TRY(write_file(order, p, contrast_name[k], last && p->defect == OTHER_SHAPE, c,
                          c->values, last && p->defect == CUT ? .6 : 1));
    }
    return MG_OK;
}

static mg_status write_case(const mg_phantom_order *order, int64_t i)
{
    plan p = plan_of(order, i);
    int size = order->size ? order->size : USUAL_SIZE;
    mg_pen pen = mg_pen_at(order->seed, TAG, (uint32_t)(p.defect == COPY ? 0 : i));
    mg_phantom_case c;

    MG_TRY(mg_phantom_case_create(size * 5 / 8, size, size, &c));
    mg_paint_brain(&pen, &c.solid);
    mg_status st = write_contrasts(order, &p, &pen, &c);
    for (int64_t k = 0; k < c.cells; k++) c.label[k] = c.solid.organ[k];
    if (p.defect == BAD_VALUE) c.label[c.cells / 2] = 3;
    if (!st && p.labelled && p.defect != NO_SEG)
        st = write_file(order, &p, "seg", 0, &c, c.label, 1);
    mg_phantom_case_free(&c);
    return st;
}

static mg_status write_table(const mg_phantom_order *order)
{
    mg_phantom_table table = {0};

    MG_TRY(mg_phantom_row(&table, "BraTS2021,BraTS2020,BraTS2019,BraTS2018,BraTS2017,"
                                  "Cohort Name (if publicly available),"
                                  "Site No (represents the originating institution)"));
    for (int64_t i = 0; i < order->count; i++) {
        plan p = plan_of(order, i);
        bool older = i % 3 == 0;
        if (!p.labelled) continue;
        MG_TRY(mg_phantom_row(&table, "BraTS2021_%05d,%s%.0d,,,,,%d", p.id,
                              older ? "BraTS20_Training_" : "NA", older ? 1 + (int)i : 0,
                              1 + (int)(i % 6)));
    }
    return mg_phantom_table_end(order, "BraTS21-17_Mapping.csv", &table);
}

static mg_status report(const mg_phantom_order *order)
{
    mg_phantom_report *r = order->report;

    if (!r) return MG_OK;
    r->items = labelled_before(order->count);
    for (int64_t i = 0; i < order->count; i++) {
        plan p = plan_of(order, i);
        char where[32];
        if (!p.defect) continue;
        r->items -= p.defect == NO_SEG || p.defect == MISSING;
        r->unreadable += p.defect == OTHER_SHAPE || p.defect == CUT || p.defect == BAD_VALUE;
        r->duplicates += p.defect == COPY && i > 0;
        snprintf(where, sizeof where, "BraTS2021_%05d", p.id);
        MG_TRY(mg_phantom_planted(order, defect_name[p.defect], where));
    }
    return MG_OK;
}

mg_status mg_phantom_brats(const mg_phantom_order *order)
{
    MG_CHECK(order->count <= MOST, MG_ERR_CONFIG, "%lld cases, five digits allow %d",
             (long long)order->count, MOST);
    for (int64_t i = order->lo; i < order->hi; i++) MG_TRY(write_case(order, i));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order));
    MG_TRY(write_table(order));
    return order->defects ? mg_phantom_junk(order) : MG_OK;
}
