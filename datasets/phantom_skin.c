// Phantoms of the two unlabelled dermoscopy sets: HAM10000 as Dataverse gives it, BCN20000 as its
// figshare deposit (datasets.md sections 3 and 4). About every fourth picture is another view of the
// lesion before it.
#include <stdio.h>
#include <string.h>

#include "datasets/paint.h"
#include "datasets/phantom.h"
#include "datasets/readers.h"

enum { TAG_HAM = 15, TAG_BCN = 17, FIRST_HAM = 24306, USUAL_HAM = 600, USUAL_BCN = 1024 };

// Of either set.
enum { NONE, CUT, COPY, UNLISTED, UPPER, NO_FACTS, FLAT, SECOND, OTHER_SECOND };
enum { BCN_DEFECTS = FLAT, HAM_DEFECTS = OTHER_SECOND };

static const char *const defect_name[] = {"",
                                          "truncated JPEG",
                                          "same pixels as the first",
                                          "in no table",
                                          "extension in upper case",
                                          "facts missing in the table",
                                          "outer folder missing",
                                          "also in the other part",
                                          "other pixels of the same name in the other part"};

static const char *const ham_label[] = {"nv", "mel", "bkl", "bcc", "akiec", "vasc", "df"};
static const char *const bcn_label[] = {"NV", "MEL", "BKL", "BCC", "AK", "SCC", "VASC", "DF"};

// The first picture of the lesion that picture i shows.
static int64_t lesion_of(const mg_phantom_order *order, uint32_t tag, int64_t i)
{
    for (; i > 0; i--) {
        mg_pen pen = mg_pen_at(order->seed, tag + 1, (uint32_t)i);
        if (!mg_pen_chance(&pen, .25)) break;
    }
    return i;
}

static const char *label_of(const mg_phantom_order *order, uint32_t tag, int64_t lesion)
{
    mg_pen pen = mg_pen_at(order->seed, tag + 1, (uint32_t)lesion + 0x80000000u);
    double at = mg_pen_between(&pen, 0, 1);
    int i = (int)(at * at * at * 7); // the first are the most frequent
    return tag == TAG_HAM ? ham_label[i] : bcn_label[i];
}

static bool bcn_is_test(const mg_phantom_order *order, int64_t i)
{
    mg_pen pen = mg_pen_at(order->seed, TAG_BCN + 1, (uint32_t)lesion_of(order, TAG_BCN, i));
    mg_pen_chance(&pen, .25);
    return mg_pen_chance(&pen, .15);
}

static void draw(const mg_phantom_order *order, uint32_t tag, int64_t i, int defect,
                 mg_canvas *canvas)
{
    mg_pen pen = mg_pen_at(order->seed, tag, (uint32_t)(defect == COPY ? 0 : i));
    mg_canvas_clear(canvas, 0, 0, 0);
    mg_paint_skin(&pen, canvas);
    mg_canvas_finish(canvas, 3);
}

static mg_status report(const mg_phantom_order *order, int kinds)
{
    mg_phantom_report *r = order->report;
    if (!r) return MG_OK;
    r->items = order->count;
    for (int64_t i = 0; i < order->count; i++) {
        int defect = mg_phantom_defect(order, i, kinds);
        char where[32];
        if (!defect) continue;
        r->unreadable += defect == CUT;
        r->duplicates += defect == COPY && i > 0;
        snprintf(where, sizeof where, "picture %lld", (long long)i);
        MG_TRY(mg_phantom_planted(order, defect_name[defect], where));
    }
    return MG_OK;
}

// --- HAM10000 ---------------------------------------------------------------------------------------

static int ham_part(const mg_phantom_order *order, int64_t i)
{
    return i < (order->count + 1) / 2 ? 1 : 2;
}

static void ham_size(const mg_phantom_order *order, int64_t i, int *height, int *width)
{
    (void)i;
    *width = order->size ? order->size : USUAL_HAM;
    *height = *width * 3 / 4;
}

static mg_status ham_item(const mg_phantom_order *order, int64_t i, mg_canvas *canvas)
{
    int defect = mg_phantom_defect(order, i, HAM_DEFECTS), part = ham_part(order, i);
    long long id = FIRST_HAM + i;
    char name[256];

    draw(order, TAG_HAM, i, defect, canvas);
    snprintf(name, sizeof name, "HAM10000_images_part_%d/ISIC_%07lld.%s", part, id,
             defect == UPPER ? "JPG" : "jpg");
    MG_TRY(mg_phantom_picture(order, name, canvas, 3, defect == CUT ? .6 : 1));
    snprintf(name, sizeof name,
             "HAM10000_segmentations_lesion_tschandl/ISIC_%07lld_segmentation.png", id);
    MG_TRY(mg_phantom_mask(order, name, canvas->label, canvas->height, canvas->width));
    if (defect != SECOND && defect != OTHER_SECOND) return MG_OK;
    if (defect == OTHER_SECOND) memset(canvas->bytes, 99, (size_t)canvas->width * 30);
    snprintf(name, sizeof name, "ham10000_images_part_%d/ISIC_%07lld.jpg", 3 - part, id);
    return mg_phantom_picture(order, name, canvas, 3, 1);
}

// Tab separated when defects are asked for.
static mg_status ham_table(const mg_phantom_order *order)
{
    static const char *const place[] = {"back", "trunk", "lower extremity", "face", "abdomen"};
    mg_phantom_table table = {0};
    char t = order->defects ? '\t' : ',';

    MG_TRY(mg_phantom_row(&table,
                          "lesion_id%cimage_id%cdx%cdx_type%cage%csex%clocalization%cdataset", t, t,
                          t, t, t, t, t));
    for (int64_t i = 0; i < order->count; i++) {
        int defect = mg_phantom_defect(order, i, HAM_DEFECTS);
        int64_t lesion = lesion_of(order, TAG_HAM, i);
        char age[16] = "";
        if (defect == UNLISTED) continue;
        if (defect != NO_FACTS) snprintf(age, sizeof age, "%d.0", 20 + (int)(lesion * 7 % 60));
        MG_TRY(mg_phantom_row(&table,
                              "HAM_%07lld%cISIC_%07lld%c%s%chisto%c%s%c%s%c%s%cvidir_modern",
                              (long long)lesion, t, (long long)(FIRST_HAM + i), t,
                              label_of(order, TAG_HAM, lesion), t, t, age, t,
                              defect == NO_FACTS ? "unknown"
                              : lesion % 2       ? "male"
                                                 : "female",
                              t, place[lesion % 5], t));
    }
    return mg_phantom_table_end(order, "HAM10000_metadata", &table);
}

mg_status mg_phantom_ham10000(const mg_phantom_order *order)
{
    MG_TRY(mg_phantom_items(order, ham_size, ham_item));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order, HAM_DEFECTS));
    if (order->defects) MG_TRY(mg_phantom_junk(order));
    return ham_table(order);
}

// --- BCN20000 ---------------------------------------------------------------------------------------

static void bcn_size(const mg_phantom_order *order, int64_t i, int *height, int *width)
{
    (void)i;
    *width = *height = order->size ? order->size : USUAL_BCN;
}

static mg_status bcn_item(const mg_phantom_order *order, int64_t i, mg_canvas *canvas)
{
    int defect = mg_phantom_defect(order, i, BCN_DEFECTS);
    const char *part = bcn_is_test(order, i) ? "test" : "train";
    char name[256], outer[64] = "";

    draw(order, TAG_BCN, i, defect, canvas);
    if (defect != FLAT) snprintf(outer, sizeof outer, "BCN_20k_%s/", part);
    snprintf(name, sizeof name, "%sbcn_20k_%s/BCN_%010lld.%s", outer, part, (long long)i + 1,
             defect == UPPER ? "JPG" : "jpg");
    return mg_phantom_picture(order, name, canvas, 3, defect == CUT ? .6 : 1);
}

static mg_status bcn_table(const mg_phantom_order *order, bool test)
{
    mg_phantom_table table = {0};

    MG_TRY(mg_phantom_row(&table, "bcn_filename,age_approx,anatom_site_general,diagnosis,lesion_id,"
                                  "capture_date,sex,split"));
    for (int64_t i = 0; i < order->count; i++) {
        int defect = mg_phantom_defect(order, i, BCN_DEFECTS);
        int64_t lesion = lesion_of(order, TAG_BCN, i);
        if (bcn_is_test(order, i) != test || defect == UNLISTED) continue;
        bool told = !test && defect != NO_FACTS;
        MG_TRY(mg_phantom_row(
            &table, "BCN_%010lld.jpg,%d.0,%s,%s,BCN_%07lld,2013-05-%02d,%s,%s", (long long)i + 1,
            20 + (int)(lesion * 7 % 60), lesion % 3 ? "anterior torso" : "\"head, neck\"",
            told ? label_of(order, TAG_BCN, lesion) : "", (long long)lesion, 1 + (int)(lesion % 28),
            lesion % 2 ? "male" : "female", test ? "test" : "train"));
    }
    if (order->defects && !test)
        MG_TRY(mg_phantom_row(&table, "BCN_9999999999.jpg,50.0,palms,NV,BCN_9999999,,,train"));
    return mg_phantom_table_end(order, test ? "bcn_20k_test.csv" : "bcn_20k_train.csv", &table);
}

mg_status mg_phantom_bcn20000(const mg_phantom_order *order)
{
    MG_TRY(mg_phantom_items(order, bcn_size, bcn_item));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order, BCN_DEFECTS));
    if (order->defects) MG_TRY(mg_phantom_junk(order));
    MG_TRY(bcn_table(order, false));
    return bcn_table(order, true);
}
