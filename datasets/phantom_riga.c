// Phantom of RIGA and RIGA+ (phantom.layout; datasets.md section 8): discs with the outlines of six readers on
// copies, or crops with their masks. RIGA+ comes in both of the countings of levels that are told of it,
// by the seed. Outlines need room: RIGA's pictures are at least SMALLEST wide.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/paint.h"
#include "datasets/phantom.h"
#include "datasets/readers.h"
#include "runtime/mem.h"

enum {
    TAG = 84,
    TAG_READERS = 85,
    USUAL_SIZE = 640,
    USUAL_CROP = 400,
    SMALLEST = 224,
    READERS = 6
};

enum {
    NONE,
    OTHER_SIZE,
    TOUCH,
    NO_PHOTO,
    CAPITAL,
    OTHER_NAME,
    FAINT,
    CUT,
    COPY,
    FEW,
    GAPS,
    REPEATED,
    DEFECTS = REPEATED
};

static const char *const defect_name[2][DEFECTS + 1] = {
    {"", "copy of another size", "outlines that touch", "copies without a photograph",
     "name in capitals", "extension .png", "nothing drawn on any copy", "truncated photograph",
     "same pixels as the first", "copies of two readers alone", "outlines with gaps",
     "repeated folder"},
    {"", "mask of another size", "mask of the disc alone", "masks without a photograph",
     "name in capitals", "extension .png", "masks of one value", "truncated photograph",
     "same pixels as the first", "masks of two readers alone", "mask of three channels",
     "repeated folder"}};

// Folders in turn; their files' extension.
typedef struct {
    const char *folder, *ext, *domain;
} place;
static const place riga[] = {{"MESSIDOR", "tif", ""},
                             {"BinRushed/BinRushed1-Corrected", "jpg", ""},
                             {"MESSIDOR", "tif", ""},
                             {"BinRushedcorrected/BinRushed/BinRushed2", "jpg", ""},
                             {"Magrabia/MagrabiaMale", "tif", ""},
                             {"MESSIDOR", "tif", ""},
                             {"Magrabia/MagrabiFemale", "tif", ""}};
static const place plus[] = {{"MESSIDOR_Base1/Labeled", "tif", "MESSIDOR_Base1"},
                             {"BinRushed/BinRushed1", "tif", "BinRushed"},
                             {"MESSIDOR_Base2/Labeled", "tif", "MESSIDOR_Base2"},
                             {"Magrabia/MagrabiaMale", "tif", "Magrabia"},
                             {"MESSIDOR_Base3/Labeled", "tif", "MESSIDOR_Base3"}};

static bool is_plus(const mg_phantom_order *order)
{
    return order->layout && !strcmp(order->layout, "riga-plus");
}

// --- what item i is ---------------------------------------------------------------------------------

typedef struct {
    const place *at;
    int defect, number;
    bool plus;
    char photo[192];
} facts;

// The file of a reader, 1 to 6, or the photograph (0).
static void name_of(const facts *f, int reader, char name[192])
{
    bool capital = f->defect == CAPITAL && reader != 2, again = f->defect == REPEATED;
    const char *ext = f->defect == OTHER_NAME && reader == 2 ? "png"
                      : f->defect == COPY                    ? "tif" // as the first
                                                             : f->at->ext;
    const char *last = strrchr(f->at->folder, '/');
    char top[64] = "", tail[16] = "";

    last = last ? last + 1 : f->at->folder;
    if (f->plus)
        snprintf(top, sizeof top, "%s%s/", again ? "RIGAPlus/" : "", reader ? "RIGA-mask" : "RIGA");
    if (reader)
        snprintf(tail, sizeof tail, "-%d", reader);
    else if (!f->plus)
        snprintf(tail, sizeof tail, "prime");
    snprintf(name, 192, "%s%s%s%s/%s%d%s.%s", top, f->at->folder, again && !f->plus ? "/" : "",
             again && !f->plus ? last : "", capital ? "Image" : "image", f->number, tail, ext);
}

static facts facts_of(const mg_phantom_order *order, int64_t i)
{
    facts f = {.plus = is_plus(order), .defect = mg_phantom_defect(order, i, DEFECTS)};
    int places = f.plus ? sizeof plus / sizeof *plus : sizeof riga / sizeof *riga;

    f.at = f.plus ? &plus[i % places] : &riga[i % places];
    f.number = (int)(i % 1000000) + 1; // with gaps inside a folder, as in the real sets
    name_of(&f, 0, f.photo);
    return f;
}

static void size_of(const mg_phantom_order *order, int64_t i, int *height, int *width)
{
    bool crop = is_plus(order);
    (void)i;
    *width = order->size ? order->size : crop ? USUAL_CROP : USUAL_SIZE;
    if (!crop && *width < SMALLEST) *width = SMALLEST;
    *height = crop ? *width : *width * 3 / 4;
}

// --- outlines ---------------------------------------------------------------------------------------

static int level_at(const mg_canvas *c, int y, int x)
{
    return y < 0 || x < 0 || y >= c->height || x >= c->width ? 0 : c->label[y * c->width + x];
}

// Is the cell on the inner edge of what has at least this level?
static bool on_edge(const mg_canvas *c, int y, int x, int least)
{
    return level_at(c, y, x) >= least &&
           (level_at(c, y - 1, x) < least || level_at(c, y + 1, x) < least ||
            level_at(c, y, x - 1) < least || level_at(c, y, x + 1) < least);
}

static void paint(uint8_t *pixels, const mg_canvas *c, int y, int x)
{
    static const uint8_t ink[3] = {20, 30, 230};
    if (y >= 0 && x >= 0 && y < c->height && x < c->width)
        memcpy(pixels + 3 * ((size_t)y * c->width + x), ink, 3);
}

// Outlines of disc and cup, moved by the reader's shift.
static void draw_outlines(const mg_canvas *c, const int shift[2], int defect, uint8_t *pixels)
{
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            bool edge = on_edge(c, y, x, 1) || on_edge(c, y, x, 2);
            bool gap = defect == GAPS && (7 * x + 11 * y) % 29 < 3; // here and there
            bool bridge = defect == TOUCH && y == c->height / 2 && level_at(c, y, x) == 1;
            if ((edge && !gap) || bridge) paint(pixels, c, y + shift[0], x + shift[1]);
        }
}

static mg_status write_copy(const mg_phantom_order *order, const facts *f, int reader,
                            const int shift[2], const mg_canvas *c)
{
    size_t bytes = 3 * (size_t)mg_canvas_cells(c);
    uint8_t *pixels = mg_alloc(bytes);
    int cut = f->defect == OTHER_SIZE && reader == 3 ? 2 : 0; // rows less
    char name[192];

    MG_CHECK(pixels, MG_ERR_MEMORY, "no memory for a copy");
    memcpy(pixels, c->bytes, bytes);
    bool one = reader == 4; // of touching outlines
    if (f->defect != FAINT)
        draw_outlines(c, shift, f->defect == TOUCH && !one ? NONE : f->defect, pixels);
    name_of(f, reader, name);
    mg_status st = mg_phantom_pixels(order, name, pixels, c->height - cut, c->width, 3, 1);
    mg_free(pixels);
    return st;
}

// --- masks ------------------------------------------------------------------------------------------

static mg_status write_mask(const mg_phantom_order *order, const facts *f, int reader,
                            const int shift[2], const mg_canvas *c)
{
    static const uint8_t values[2][3] = {{255, 128, 0}, {0, 255, 128}}; // background, rim, cup
    size_t cells = (size_t)mg_canvas_cells(c);
    int cut = f->defect == OTHER_SIZE && reader == 3 ? 2 : 0, channels = f->defect == GAPS ? 3 : 1;
    uint8_t *mask = mg_alloc(3 * cells);
    char name[192];

    MG_CHECK(mask, MG_ERR_MEMORY, "no memory for a mask");
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int level = level_at(c, y - shift[0], x - shift[1]);
            if (f->defect == FAINT) level = 0;
            if (f->defect == TOUCH && reader == 4 && level == 2) level = 1;
            memset(mask + channels * (y * c->width + x), values[order->seed % 2][level],
                   (size_t)channels);
        }
    name_of(f, reader, name);
    mg_status st = mg_phantom_pixels(order, name, mask, c->height - cut, c->width, channels, 1);
    mg_free(mask);
    return st;
}

// --- items ------------------------------------------------------------------------------------------

static mg_status write_item(const mg_phantom_order *order, int64_t i, mg_canvas *canvas)
{
    facts f = facts_of(order, i);
    int64_t drawn = f.defect == COPY ? 0 : i;
    mg_pen pen = mg_pen_at(order->seed, TAG, (uint32_t)drawn);
    mg_pen hand = mg_pen_at(order->seed, TAG_READERS, (uint32_t)i);
    int far = canvas->width / 96;
    double zoom = f.plus ? 3 : canvas->width < 400 ? 2.8 : 2; // room for outlines in JPEG

    mg_canvas_clear(canvas, 0, 0, 0);
    mg_paint_optic_disc(&pen, canvas, drawn % 2 == 0, zoom);
    mg_canvas_finish(canvas, 3);
    if (f.defect != NO_PHOTO)
        MG_TRY(mg_phantom_picture(order, f.photo, canvas, 3, f.defect == CUT ? .6 : 1));
    for (int r = 1; r <= READERS; r++) {
        int shift[2] = {mg_pen_from(&hand, -far, far), mg_pen_from(&hand, -far, far)};
        if (f.defect == FEW && r > 2) continue;
        MG_TRY(f.plus ? write_mask(order, &f, r, shift, canvas)
                      : write_copy(order, &f, r, shift, canvas));
    }
    return MG_OK;
}

// --- the whole --------------------------------------------------------------------------------------

// Each domain's tables: four of five pictures train, the others test.
static mg_status write_tables(const mg_phantom_order *order)
{
    for (int d = 0; d < (int)(sizeof plus / sizeof *plus); d++)
        for (int test = 0; test < 2; test++) {
            mg_phantom_table table = {0};
            char name[96];
            int64_t row = 0;
            MG_TRY(mg_phantom_row(&table, "image,mask"));
            for (int64_t i = 0; i < order->count; i++) {
                facts f = facts_of(order, i);
                if (f.at != &plus[d] || (row++ % 5 == 4) != test) continue;
                MG_TRY(mg_phantom_row(&table, "RIGA/%s/image%d.tif,RIGA-mask/%s/image%d.tif",
                                      f.at->folder, f.number, f.at->folder, f.number));
            }
            snprintf(name, sizeof name, "%s_%s.csv", plus[d].domain, test ? "test" : "train");
            MG_TRY(mg_phantom_table_end(order, name, &table));
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
        r->items -= f.defect == NO_PHOTO;
        r->unreadable += f.defect == FAINT || f.defect == CUT;
        r->duplicates += f.defect == COPY && i > 0;
        MG_TRY(mg_phantom_planted(order, defect_name[f.plus][f.defect], f.photo));
    }
    return MG_OK;
}

// Files at places that are known in the real sets.
static mg_status write_extras(const mg_phantom_order *order)
{
    static const struct {
        const char *what, *where;
    } extra[2][2] = {
        {{"folder without photographs", "BinRushed/BinRushed1/image1-1.jpg"},
         {"copy known to be too faint", "Magrabia/MagrabiFemale/image26-3.tif"}},
        {{"photograph without masks", "RIGA/MESSIDOR_Base1/Unlabeled/image9999.tif"},
         {"mask without an image", "RIGA-mask/Magrabia/MagrabiaMale/image9999-2.tif"}}};
    uint8_t pixels[48 * 48];

    for (int i = 0; i < 48 * 48; i++) pixels[i] = (uint8_t)(i % 251);
    for (int k = 0; k < 2; k++) {
        const char *where = extra[is_plus(order)][k].where;
        MG_TRY(mg_phantom_pixels(order, where, pixels, 48, 48, 1, 1));
        MG_TRY(mg_phantom_planted(order, extra[is_plus(order)][k].what, where));
    }
    return mg_phantom_junk(order);
}

mg_status mg_phantom_riga(const mg_phantom_order *order)
{
    MG_TRY(mg_phantom_items(order, size_of, write_item));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order));
    if (is_plus(order)) MG_TRY(write_tables(order));
    return order->defects ? write_extras(order) : MG_OK;
}
