// Phantom of AMOS22 (datasets.md section 5): CT and MR of the abdomen in imagesTr, Va and Ts with labels for
// the first two, dataset.json and the table of scanners. Axes, types and sizes differ from case to case, as they do there.
#include <stdio.h>
#include <string.h>

#include "datasets/phantom_volume.h"
#include "datasets/readers.h"
#include "runtime/json.h"
#include "runtime/mem.h"

enum { TAG = 60, TAG_FACTS = 64, USUAL_SIZE = 96, MOST = 580, FIRST_MR = 507, ORGANS = 15 };

enum {
    NONE,
    OTHER_MATRIX,
    OTHER_SHAPE,
    NO_LABEL,
    UNLISTED,
    CUT,
    COPY,
    BAD_VALUE,
    OTHER_SCANNER,
    SPECKS,
    DOUBLE_LABEL,
    DEFECTS = DOUBLE_LABEL
};

static const char *const defect_name[] = {"",
                                          "matrix of the label differs slightly",
                                          "label of another shape",
                                          "image without a label",
                                          "not in dataset.json",
                                          "truncated gzip",
                                          "same scan as the first, along other axes",
                                          "label value 16",
                                          "scanner of the other modality",
                                          "stray specks in the label",
                                          "label stored as float64"};

static const char *const part_name[] = {"Tr", "Va", "Ts"};

// Of six cases five are CT (the fourth is MR), and the last has no label.
typedef struct {
    int part; // of part_name
    bool ct;
    int id;
    int64_t labelled; // number among the labelled CT, -1 for others
    int defect;
} plan;

static int64_t labelled_before(int64_t i)
{
    static const int before[6] = {0, 1, 2, 3, 3, 4};
    return i / 6 * 4 + before[i % 6];
}

static plan plan_of(const mg_phantom_order *order, int64_t i)
{
    int kind = (int)(i % 6);
    int64_t of_ct = i / 6 * 5 + kind - (kind > 3);
    plan p = {.part = kind == 2 ? 1 : kind == 5 ? 2 : 0, .ct = kind != 3, .labelled = -1};

    p.id = (int)(p.ct ? 1 + of_ct : FIRST_MR + i / 6);
    if (kind == 3 || kind == 5) return p;
    mg_phantom_order labelled = *order;
    labelled.count = labelled_before(order->count);
    p.labelled = labelled_before(i);
    p.defect = mg_phantom_defect(&labelled, p.labelled, DEFECTS);
    return p;
}

// --- one case ---------------------------------------------------------------------------------------

static void size_of(const mg_phantom_order *order, int64_t drawn, int *depth, int *height,
                    int *width)
{
    mg_pen pen = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)drawn);

    *width = order->size ? order->size : USUAL_SIZE;
    *height = *width * mg_pen_from(&pen, 7, 8) / 8;
    *depth = *width / 4 * mg_pen_from(&pen, 6, 8) / 8;
}

static mg_phantom_frame frame_of(const mg_phantom_order *order, int64_t i)
{
    static const char *const axes[] = {"LAS", "RAS", "LPS", "PIR", "LAS", "RSA", "LPI"};
    static const mg_dtype type[] = {MG_I16, MG_F32, MG_I32, MG_I16, MG_F64};
    double pixel = 330.0 / (order->size ? order->size : USUAL_SIZE);
    mg_phantom_frame f = {.spacing = {pixel, pixel, 5},
                          .origin = {-165, -150 + (double)(i % 9), -700 + 3.5 * (double)(i % 7)},
                          .tilt = i % 8 == 7 ? .11 : 0,
                          .type = type[i % 5]};

    memcpy(f.axes, axes[i % 7], sizeof f.axes);
    return f;
}

static void draw(const mg_phantom_order *order, int64_t drawn, bool ct, mg_phantom_case *c)
{
    mg_pen pen = mg_pen_at(order->seed, TAG, (uint32_t)drawn);
    const uint8_t *organ = c->solid.organ;

    mg_paint_abdomen(&pen, &c->solid);
    mg_solid_values(&pen, &c->solid, ct ? mg_abdomen_ct : mg_abdomen_mr, 12, c->real, c->work);
    mg_phantom_round(c, ct ? -1024 : 0);
    for (int64_t i = 0; i < c->cells; i++) {
        c->label[i] = organ[i] <= ORGANS ? organ[i] : 0;
        if (!ct && organ[i] >= 14) c->label[i] = 0; // not labelled in MR
    }
}

static void spoil_label(int defect, mg_phantom_case *c)
{
    if (defect == BAD_VALUE) c->label[c->cells / 2] = 16;
    for (int64_t i = 0; defect == SPECKS && i < c->cells; i += c->cells / 40)
        if (!c->label[i]) c->label[i] = 6;
}

static mg_status write_label(const mg_phantom_order *order, const plan *p,
                             const mg_phantom_frame *frame, mg_phantom_case *c)
{
    mg_phantom_frame own = *frame;
    mg_nifti_head head;
    char name[64];
    int cut = p->defect == OTHER_SHAPE ? 1 : 0; // slices less

    if (p->defect == OTHER_MATRIX) own.origin[2] += .02;
    spoil_label(p->defect, c);
    mg_phantom_head(&own, c->solid.depth - cut, c->solid.height, c->solid.width, &head);
    snprintf(name, sizeof name, "amos22/labels%s/amos_%04d.nii.gz", part_name[p->part], p->id);
    return mg_phantom_volume(order, name, &head, p->defect == DOUBLE_LABEL ? MG_F64 : MG_U8,
                             c->label, 1);
}

static mg_status write_case(const mg_phantom_order *order, int64_t i)
{
    plan p = plan_of(order, i);
    int64_t drawn = p.defect == COPY ? 0 : i;
    mg_phantom_frame frame = frame_of(order, i);
    mg_phantom_case c;
    mg_nifti_head head;
    char name[64];
    int depth, height, width;

    size_of(order, drawn, &depth, &height, &width);
    MG_TRY(mg_phantom_case_create(depth, height, width, &c));
    draw(order, drawn, p.ct, &c);
    mg_phantom_head(&frame, depth, height, width, &head);
    snprintf(name, sizeof name, "amos22/images%s/amos_%04d.nii.gz", part_name[p.part], p.id);
    mg_status st =
        mg_phantom_volume(order, name, &head, frame.type, c.values, p.defect == CUT ? .6 : 1);
    if (!st && p.part < 2 && p.defect != NO_LABEL) st = write_label(order, &p, &frame, &c);
    mg_phantom_case_free(&c);
    return st;
}

// --- lists ------------------------------------------------------------------------------------------

static mg_json *entry_of(const plan *p)
{
    mg_json *entry = mg_json_object();
    char path[64];

    snprintf(path, sizeof path, "./images%s/amos_%04d.nii.gz", part_name[p->part], p->id);
    mg_json_put_text(entry, "image", path);
    snprintf(path, sizeof path, "./labels%s/amos_%04d.nii.gz", part_name[p->part], p->id);
    if (p->part < 2) mg_json_put_text(entry, "label", path);
    return entry;
}

static mg_json *label_names(void)
{
    static const char *const name[ORGANS + 1] = {"background",
                                                 "spleen",
                                                 "right kidney",
                                                 "left kidney",
                                                 "gall bladder",
                                                 "esophagus",
                                                 "liver",
                                                 "stomach",
                                                 "arota",
                                                 "postcava",
                                                 "pancreas",
                                                 "right adrenal gland",
                                                 "left adrenal gland",
                                                 "duodenum",
                                                 "bladder",
                                                 "prostate/uterus"};
    mg_json *labels = mg_json_object();
    char key[16];

    for (int v = 0; v <= ORGANS; v++) {
        snprintf(key, sizeof key, "%d", v);
        mg_json_put_text(labels, key, name[v]);
    }
    return labels;
}

static mg_status write_list(const mg_phantom_order *order)
{
    static const char *const key[] = {"training", "validation", "test"};
    mg_json *root = mg_json_object(), *list[3];

    mg_json_put_text(root, "name", "AMOS");
    mg_json_put_text(root, "licence", "a phantom"); // spelt as in the real file
    mg_json_put(root, "labels", label_names());
    for (int k = 0; k < 3; k++) list[k] = mg_json_array();
    for (int64_t i = 0; i < order->count; i++) {
        plan p = plan_of(order, i);
        if (p.defect != UNLISTED) mg_json_append(list[p.part], entry_of(&p));
    }
    for (int k = 0; k < 3; k++) mg_json_put(root, key[k], list[k]);
    char *text = root ? mg_json_dump(root, true) : NULL;
    mg_json_free(&root);
    MG_CHECK(text, MG_ERR_MEMORY, "no memory for dataset.json");
    mg_status st = mg_phantom_file(order, "amos22/dataset.json", text, strlen(text));
    mg_free(text);
    return st;
}

static mg_status write_table(const mg_phantom_order *order)
{
    static const char *const model[2][3] = {{"Ingenia", "Prisma", "SIGNA HDe"},
                                            {"Aquilion ONE", "Brilliance16", "SOMATOM Force"}};
    mg_phantom_table table = {0};

    MG_TRY(mg_phantom_row(&table, "amos_id,Patient's Birth Date,Patient's Sex,Patient's Age,"
                                  "Manufacturer's Model Name,Manufacturer,Acquisition Date,Site"));
    for (int64_t i = 0; i < order->count; i++) {
        plan p = plan_of(order, i);
        mg_pen pen = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)i + 0x80000000u);
        bool ct = p.defect == OTHER_SCANNER ? !p.ct : p.ct;
        int sex = mg_pen_from(&pen, 0, 1), age = mg_pen_from(&pen, 22, 85);
        MG_TRY(mg_phantom_row(&table, "%d,,%c,%03dY,%s,,,%d", p.id, "MF"[sex], age,
                              model[ct][mg_pen_from(&pen, 0, 2)], 1 + (int)(i % 2)));
    }
    return mg_phantom_table_end(order, "labeled_data_meta_0000_0599.csv", &table);
}

static mg_status report(const mg_phantom_order *order)
{
    mg_phantom_report *r = order->report;

    if (!r) return MG_OK;
    r->items = labelled_before(order->count); // CT alone, as the reader's settings have it
    for (int64_t i = 0; i < order->count; i++) {
        plan p = plan_of(order, i);
        char where[32];
        if (!p.defect) continue;
        r->items -= p.defect == NO_LABEL || p.defect == UNLISTED;
        r->unreadable += p.defect == OTHER_SHAPE || p.defect == CUT || p.defect == BAD_VALUE;
        r->duplicates += p.defect == COPY && i > 0;
        snprintf(where, sizeof where, "amos_%04d", p.id);
        MG_TRY(mg_phantom_planted(order, defect_name[p.defect], where));
    }
    return MG_OK;
}

mg_status mg_phantom_amos(const mg_phantom_order *order)
{
    MG_CHECK(order->count <= MOST, MG_ERR_CONFIG, "%lld cases, the numbers of AMOS allow %d",
             (long long)order->count, MOST);
    for (int64_t i = order->lo; i < order->hi; i++) MG_TRY(write_case(order, i));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order));
    MG_TRY(write_list(order));
    MG_TRY(write_table(order));
    return order->defects ? mg_phantom_junk(order) : MG_OK;
}
