// Phantom of BTCV (datasets.md section 6): CT of the abdomen as RawData/Training/{img,label} with the numbers
// 1-10 and 21-40, and every fifth case in Testing without a label.
#include <stdio.h>
#include <string.h>

#include "datasets/phantom_volume.h"
#include "datasets/readers.h"

enum { TAG = 68, TAG_FACTS = 72, USUAL_SIZE = 96, MOST = 4900 };

enum { NONE, OTHER_HEADER, OTHER_SHAPE, NO_LABEL, CUT, COPY, BAD_VALUE, DEFECTS = BAD_VALUE };

static const char *const defect_name[] = {
    "",
    "label whose header points left where its image points right",
    "label of another shape",
    "image without a label",
    "truncated gzip",
    "same scan as the first",
    "label value 14"};

// AMOS's numbers of organs, then the veins, as BTCV counts them.
static const uint8_t own_number[MG_VEINS + 1] = {0, 1,  2,  3,  4, 5, 6, 7, 8,
                                                 9, 11, 12, 13, 0, 0, 0, 10};

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
    int64_t l = labelled_before(i);

    if (i % 5 == 4) return (plan){.id = (int)(61 + i / 5)};
    labelled.count = labelled_before(order->count);
    return (plan){.labelled = true,
                  .id = (int)(l < 10   ? 1 + l
                              : l < 30 ? 11 + l
                                       : 5000 + l),
                  .defect = mg_phantom_defect(&labelled, l, DEFECTS)};
}

static void draw(const mg_phantom_order *order, int64_t drawn, mg_phantom_case *c)
{
    mg_pen pen = mg_pen_at(order->seed, TAG, (uint32_t)drawn);

    mg_paint_abdomen(&pen, &c->solid);
    mg_solid_values(&pen, &c->solid, mg_abdomen_ct, 15, c->real, c->work);
    mg_phantom_round(c, -1024);
    for (int64_t i = 0; i < c->cells; i++)
        c->label[i] = c->solid.organ[i] <= MG_VEINS ? own_number[c->solid.organ[i]] : 0;
}

static mg_status write_label(const mg_phantom_order *order, const plan *p,
                             const mg_phantom_frame *frame, mg_phantom_case *c)
{
    mg_nifti_head head;
    char name[64];
    int cut = p->defect == OTHER_SHAPE ? 1 : 0; // slices less

    if (p->defect == BAD_VALUE) c->label[c->cells / 2] = 14;
    mg_phantom_head(frame, c->solid.depth - cut, c->solid.height, c->solid.width, &head);
    if (p->defect == OTHER_HEADER) { // the voxels stay where they are
        head.geometry.srow[0] = -head.geometry.srow[0];
        head.geometry.srow[3] = 0;
    }
    snprintf(name, sizeof name, "RawData/Training/label/label%04d.nii.gz", p->id);
    return mg_phantom_volume(order, name, &head, MG_U8, c->label, 1);
}

static mg_status write_case(const mg_phantom_order *order, int64_t i)
{
    plan p = plan_of(order, i);
    int64_t drawn = p.defect == COPY ? 0 : i;
    mg_pen pen = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)drawn);
    int size = order->size ? order->size : USUAL_SIZE,
        depth = size / 4 * mg_pen_from(&pen, 6, 8) / 8;
    double pixel = mg_pen_between(&pen, 300, 340) / size;
    mg_phantom_frame frame = {.axes = "RAS",
                              .spacing = {pixel, pixel, 5},
                              .origin = {-165, -160, 0},
                              .type = i % 3 ? MG_I16 : MG_F32};
    mg_phantom_case c;
    mg_nifti_head head;
    char name[64];

    MG_TRY(mg_phantom_case_create(depth, size, size, &c));
    draw(order, drawn, &c);
    mg_phantom_head(&frame, depth, size, size, &head);
    snprintf(name, sizeof name, "RawData/%s/img/img%04d.nii.gz",
             p.labelled ? "Training" : "Testing", p.id);
    mg_status st =
        mg_phantom_volume(order, name, &head, frame.type, c.values, p.defect == CUT ? .6 : 1);
    if (!st && p.labelled && p.defect != NO_LABEL) st = write_label(order, &p, &frame, &c);
    mg_phantom_case_free(&c);
    return st;
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
        r->items -= p.defect == NO_LABEL;
        r->unreadable += p.defect == OTHER_SHAPE || p.defect == CUT || p.defect == BAD_VALUE;
        r->duplicates += p.defect == COPY && i > 0;
        snprintf(where, sizeof where, "img%04d", p.id);
        MG_TRY(mg_phantom_planted(order, defect_name[p.defect], where));
    }
    return MG_OK;
}

mg_status mg_phantom_btcv(const mg_phantom_order *order)
{
    static const int16_t label[8] = {1};
    const mg_phantom_frame frame = {.axes = "RAS", .spacing = {1, 1, 1}};
    const char *stray = "RawData/Training/label/label0099.nii.gz";
    mg_nifti_head head;

    MG_CHECK(order->count <= MOST, MG_ERR_CONFIG, "%lld cases, four digits allow %d",
             (long long)order->count, MOST);
    for (int64_t i = order->lo; i < order->hi; i++) MG_TRY(write_case(order, i));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order));
    if (!order->defects) return MG_OK;
    mg_phantom_head(&frame, 2, 2, 2, &head);
    MG_TRY(mg_phantom_volume(order, stray, &head, MG_U8, label, 1));
    MG_TRY(mg_phantom_planted(order, "label without an image", stray));
    return mg_phantom_junk(order);
}
