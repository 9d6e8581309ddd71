// Phantom of DDTI (datasets.md section 11): thyroid ultrasound with a dark border, burnt-in text and the strip of the
// instrument, N_k.jpg, and case files N.xml with outlines. Of five pictures the first two are one case.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/paint.h"
#include "datasets/phantom.h"
#include "datasets/phantom_outline.h"
#include "datasets/readers.h"
#include "runtime/mem.h"

enum { TAG = 33, TAG_FACTS = 34, TAG_CASE = 35, USUAL_SIZE = 560 };

// Those from OTHER_NUMBER on are of the whole case file.
enum {
    NONE,
    CUT_KEY,
    CUT_POINTS,
    NO_SVG,
    NO_MARK,
    NO_PICTURE,
    CUT_JPEG,
    COPY,
    OUTSIDE,
    TWICE,
    OTHER_NUMBER,
    NO_CASE,
    CUT_CASE,
    DEFECTS = CUT_CASE
};

static const char *const defect_name[] = {"",
                                          "outline cut in its last key",
                                          "outline cut between its points",
                                          "empty svg",
                                          "no mark",
                                          "case without a picture",
                                          "truncated JPEG",
                                          "same pixels as the first",
                                          "points outside of the frame",
                                          "outlined twice",
                                          "other number in the case file",
                                          "no case file",
                                          "truncated case file"};

// --- which is which ---------------------------------------------------------------------------------

static long long case_of(int64_t i)
{
    long long c = i / 5 * 4 + (i % 5 > 1 ? i % 5 - 1 : 0);
    return 1 + c + c / 3; // with gaps
}

static bool is_second(int64_t i)
{
    return i % 5 == 1;
}

static bool has_second(const mg_phantom_order *order, int64_t i)
{
    return i % 5 == 0 && i + 1 < order->count;
}

// Defects of a picture, and of its case file.
static int defect_of(const mg_phantom_order *order, int64_t i)
{
    int defect = mg_phantom_defect(order, i, DEFECTS);
    return defect < OTHER_NUMBER ? defect : NONE;
}

static int case_defect(const mg_phantom_order *order, int64_t i)
{
    int64_t first = i - is_second(i);
    int one = mg_phantom_defect(order, first, DEFECTS);
    int two = has_second(order, first) ? mg_phantom_defect(order, first + 1, DEFECTS) : NONE;

    return one >= OTHER_NUMBER ? one : two >= OTHER_NUMBER ? two : NONE;
}

static void size_of(const mg_phantom_order *order, int64_t i, int *height, int *width)
{
    if (defect_of(order, i) == COPY) i = 0;
    mg_pen pen = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)i);
    *width = (order->size ? order->size : USUAL_SIZE) * (mg_pen_chance(&pen, .5) ? 9 : 14) / 14;
    *height = *width * 9 / (mg_pen_chance(&pen, .5) ? 10 : 14);
}

// --- pictures ---------------------------------------------------------------------------------------

static void dark(mg_canvas *c, double top, double bottom, double left, double right)
{
    for (int y = (int)(top * c->height); y < (int)(bottom * c->height); y++)
        for (int x = (int)(left * c->width); x < (int)(right * c->width); x++) {
            c->rgb[0][(size_t)y * c->width + x] = 0;
            c->label[(size_t)y * c->width + x] = 0;
        }
}

// Letters of a coarse font that nobody can read, and a scale of greys.
static void burn_in(mg_pen *pen, mg_canvas *c)
{
    int top = (int)(.01 * c->height), tall = (int)(.03 * c->height);
    int left = (int)(.02 * c->width), wide = (int)(.025 * c->width);

    for (int x = c->width / 10; x < c->width * 6 / 10; x++)
        for (int y = top; y < top + tall; y++)
            if (x % 6 < 4 && mg_pen_chance(pen, .5)) c->rgb[0][(size_t)y * c->width + x] = .8f;
    for (int y = c->height / 8; y < c->height * 7 / 8; y++)
        for (int x = left; x < left + wide; x++)
            c->rgb[0][(size_t)y * c->width + x] = 1 - (float)y / (float)c->height;
}

static void draw(const mg_phantom_order *order, int64_t i, mg_canvas *canvas)
{
    mg_pen pen = mg_pen_at(order->seed, TAG, (uint32_t)(defect_of(order, i) == COPY ? 0 : i));
    int nodules = mg_pen_chance(&pen, .2) ? 2 : 1;

    mg_canvas_clear(canvas, 0, 0, 0);
    mg_paint_nodules(&pen, canvas, nodules);
    dark(canvas, 0, .075, 0, 1);
    dark(canvas, .96, 1, 0, 1);
    dark(canvas, 0, 1, 0, .08);
    dark(canvas, 0, 1, .95, 1);
    burn_in(&pen, canvas);
    mg_canvas_finish(canvas, 1);
}

// --- case files -------------------------------------------------------------------------------------

// A mark of picture i, which lies on the canvas.
static mg_status put_mark(const mg_phantom_order *order, int64_t i, const mg_canvas *canvas,
                          FILE *out)
{
    int defect = defect_of(order, i), number = 1 + is_second(i);
    char *outline = mg_phantom_outline(canvas, 2, defect == OUTSIDE ? canvas->width / 3 : 0);

    MG_CHECK(outline, MG_ERR_MEMORY, "no memory for an outline");
    size_t length = strlen(outline);
    if (defect == CUT_KEY) outline[length - 12] = '\0'; // in "freehand"
    if (defect == CUT_POINTS) outline[length / 3] = '\0';
    if (defect == NO_SVG) *outline = '\0';
    for (int k = 0; k < (defect == NO_MARK ? 0 : defect == TWICE ? 2 : 1); k++)
        fprintf(out, "<mark><image>%d</image><svg>%s</svg></mark>", number, outline);
    mg_free(outline);
    return MG_OK;
}

static mg_status put_second(const mg_phantom_order *order, int64_t i, FILE *out)
{
    mg_canvas canvas;
    int height, width;

    size_of(order, i, &height, &width);
    MG_TRY(mg_canvas_create(height, width, &canvas));
    draw(order, i, &canvas);
    mg_status st = put_mark(order, i, &canvas, out);
    mg_canvas_free(&canvas);
    return st;
}

static void put_head(const mg_phantom_order *order, int64_t i, FILE *out)
{
    static const char *const grade[] = {"2", "3", "4a", "4b", "4c", "5"};
    static const char *const inside[] = {"solid", "predominantly solid", "cystic", "spongiform"};
    static const char *const echo[] = {"hypoechogenicity", "isoechogenicity", "hyperechogenicity"};
    static const char *const edge[] = {"well defined smooth", "ill defined", "spiculated"};
    mg_pen pen = mg_pen_at(order->seed, TAG_CASE, (uint32_t)i);
    long long number = case_of(i) + 500 * (case_defect(order, i) == OTHER_NUMBER);

    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<case><number>%lld"
            "</number><age>%d</age><sex>%c</sex>",
            number, mg_pen_from(&pen, 18, 80), mg_pen_chance(&pen, .85) ? 'F' : 'M');
    fprintf(out, "<composition>%s</composition>", inside[mg_pen_from(&pen, 0, 3)]);
    fprintf(out, "<echogenicity>%s</echogenicity>", echo[mg_pen_from(&pen, 0, 2)]);
    fprintf(out, "<margins>%s</margins><calcifications>%s</calcifications>",
            edge[mg_pen_from(&pen, 0, 2)], mg_pen_chance(&pen, .7) ? "non" : "microcalcifications");
    int at = mg_pen_from(&pen, 0, 5);
    fprintf(out, "<tirads>%s</tirads><reportbacaf/><reporteco/>",
            mg_pen_chance(&pen, .25) ? "" : grade[at]);
}

// The case file of picture i, its first, which lies on the canvas.
static mg_status write_case(const mg_phantom_order *order, int64_t i, const mg_canvas *canvas)
{
    char name[32], *text = NULL;
    size_t bytes = 0;
    int defect = case_defect(order, i);
    FILE *out = open_memstream(&text, &bytes);

    MG_CHECK(out, MG_ERR_MEMORY, "no memory for a case file");
    put_head(order, i, out);
    mg_status st = put_mark(order, i, canvas, out);
    if (!st && has_second(order, i)) st = put_second(order, i + 1, out);
    fputs("</case>\n", out);
    if (fclose(out) && !st) st = MG_FAIL(MG_ERR_MEMORY, "no memory for a case file");
    if (defect == CUT_CASE) bytes /= 2;
    snprintf(name, sizeof name, "%lld.xml", case_of(i));
    if (!st && defect != NO_CASE) st = mg_phantom_file(order, name, text, bytes);
    free(text);
    return st;
}

static mg_status write_item(const mg_phantom_order *order, int64_t i, mg_canvas *canvas)
{
    int defect = defect_of(order, i);
    char name[32];

    draw(order, i, canvas);
    if (!is_second(i)) MG_TRY(write_case(order, i, canvas));
    if (defect == NO_PICTURE) return MG_OK;
    snprintf(name, sizeof name, "%lld_%d.jpg", case_of(i), 1 + is_second(i));
    return mg_phantom_picture(order, name, canvas, 1, defect == CUT_JPEG ? .6 : 1);
}

// --- what was planted -------------------------------------------------------------------------------

static bool is_listed(const mg_phantom_order *order, int64_t i)
{
    int defect = defect_of(order, i), file = case_defect(order, i);

    return file != NO_CASE && file != CUT_CASE && defect != NO_SVG && defect != NO_MARK &&
           defect != NO_PICTURE;
}

static mg_status report(const mg_phantom_order *order)
{
    mg_phantom_report *r = order->report;

    for (int64_t i = 0; i < order->count && r; i++) {
        int planted = mg_phantom_defect(order, i, DEFECTS), defect = defect_of(order, i);
        bool listed = is_listed(order, i);
        char where[32];
        r->items += listed;
        r->unreadable += listed && (defect == CUT_POINTS || defect == CUT_JPEG);
        r->duplicates += listed && defect == COPY && i > 0;
        snprintf(where, sizeof where, "%lld_%d.jpg", case_of(i), 1 + is_second(i));
        if (planted) MG_TRY(mg_phantom_planted(order, defect_name[planted], where));
    }
    return MG_OK;
}

mg_status mg_phantom_ddti(const mg_phantom_order *order)
{
    MG_TRY(mg_phantom_items(order, size_of, write_item));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order));
    return order->defects ? mg_phantom_junk(order) : MG_OK;
}
