// Phantom of REFUGE and REFUGE2 in each of the trees of datasets.md section 7 (phantom.layout). Parts follow
// each other picture by picture; a quarter of the eyes has glaucoma.
#include <stdio.h>
#include <string.h>

#include "datasets/codec.h"
#include "datasets/paint.h"
#include "datasets/phantom.h"
#include "datasets/readers.h"
#include "runtime/mem.h"

enum { TAG = 80, TAG_FACTS = 81, TAG_READERS = 82, USUAL_SIZE = 512, READERS = 7 };

enum {
    NONE,
    NO_MASK,
    OTHER_SIZE,
    CUT,
    COPY,
    COLOUR,
    FEW_COLOURS,
    DISC_ALONE,
    EMPTY,
    OTHER_NAME,
    REPEATED,
    DEFECTS = REPEATED
};

static const char *const defect_name[] = {"",
                                          "image without a mask",
                                          "mask of another size",
                                          "truncated JPEG",
                                          "same pixels as the first",
                                          "mask of three channels",
                                          "BMP with three colours",
                                          "mask of the disc alone",
                                          "mask of one value",
                                          "extension .JPG",
                                          "repeated folder"};

// Where a part's files lie: photographs, masks; and the letter that stems begin with. %s is the diagnosis.
typedef struct {
    const char *images, *masks, *letter;
    bool spelled;     // "Glaucoma", "Non-Glaucoma"; else "G", "N"
    const char *ext;  // of masks
    uint8_t value[3]; // of background, rim, cup
} place;

static const place refuge[] = {
    {"Training400/%s", "Annotation-Training400/Disc_Cup_Masks/%s", "", true, "bmp", {255, 128, 0}},
    {"REFUGE-Validation400",
     "REFUGE-Validation400-GT/Disc_Cup_Masks",
     "V",
     0,
     "bmp",
     {255, 128, 0}},
    {"Test400", "REFUGE-Test-GT/Disc_Cup_Masks/%s", "T", false, "bmp", {255, 128, 0}},
};
#define FIRST "REFUGE2/Train/REFUGE1-"
static const place refuge2[] = {
    {FIRST "train/Training400/%s", FIRST "train/Disc_Cup_Masks/%s", "", true, "bmp", {255, 128, 0}},
    {FIRST "val/REFUGE-Validation400", FIRST "val/Disc_Cup_Masks", "V", 0, "bmp", {255, 128, 0}},
    {FIRST "test/Test400", FIRST "test/Disc_Cup_Masks", "T", false, "bmp", {255, 128, 0}},
    {"REFUGE2/Validation/Images", "REFUGE2/Validation/Disc_Masks", "V", 0, "png", {255, 128, 0}},
    {"REFUGE2/Test/refuge2-test", "REFUGE2/Test/Disc_Mask", "T", false, "png", {0, 128, 255}},
};
static const place readers[] = {
    {"Training-400", "Training-400", "", true, "png", {0, 255, 255}},
    {"Test-400", "Test-400", "T", true, "png", {0, 255, 255}},
};
static const place kaggle[] = {
    {"train/Images", "train/Masks", "", true, "png", {0, 1, 2}},
    {"val/Images", "val/Masks", "V", true, "png", {0, 1, 2}},
    {"test/Images", "test/Masks", "T", true, "png", {0, 1, 2}},
};
static const struct {
    const char *name;
    const place *places;
    int count;
} trees[] = {
    {"refuge", refuge, 3}, {"refuge2", refuge2, 5}, {"readers", readers, 2}, {"kaggle", kaggle, 3}};

static int tree_of(const mg_phantom_order *order)
{
    int t = 3;
    while (t > 0 && (!order->layout || strcmp(trees[t].name, order->layout))) t--;
    return t;
}

static bool has_readers(const mg_phantom_order *order)
{
    return !strcmp(trees[tree_of(order)].name, "readers");
}

// --- what item i is ---------------------------------------------------------------------------------

typedef struct {
    const place *at;
    bool sick;
    int defect, height, width;
    char stem[32], image[320], mask[320]; // the mask without its extension
} facts;

static void in_folder(const facts *f, const char *pattern, char folder[128])
{
    const char *word = f->at->spelled ? f->sick ? "Glaucoma" : "Non-Glaucoma" : f->sick ? "G" : "N";
    const char *hole = strstr(pattern, "%s");

    if (hole)
        snprintf(folder, 128, "%.*s%s", (int)(hole - pattern), pattern, word);
    else
        snprintf(folder, 128, "%s", pattern);
}

static facts facts_of(const mg_phantom_order *order, int64_t i)
{
    int t = tree_of(order), count = trees[t].count;
    facts f = {.at = &trees[t].places[i % count], .defect = mg_phantom_defect(order, i, DEFECTS)};
    mg_pen pen = mg_pen_at(order->seed, TAG_FACTS, (uint32_t)i);
    char images[128], masks[128];

    f.sick = mg_pen_chance(&pen, .25);
    f.width = order->size ? order->size : USUAL_SIZE;
    f.height = i % count ? f.width : f.width * 31 / 32; // the cameras of training and of the others
    const char *letter = *f.at->letter ? f.at->letter : f.sick ? "g" : "n";
    snprintf(f.stem, sizeof f.stem, "%s%04d", letter, (int)(i / count % 10000) + 1);
    in_folder(&f, f.at->images, images);
    in_folder(&f, f.at->masks, masks);
    bool own = has_readers(order);
    const char *last = strrchr(images, '/') ? strrchr(images, '/') + 1 : images;
    const char *inner = own ? f.stem : f.defect == REPEATED ? last : "";
    snprintf(f.image, sizeof f.image, "%s/%s%s%s.%s", images, inner, *inner ? "/" : "", f.stem,
             f.defect == OTHER_NAME ? "JPG" : "jpg");
    snprintf(f.mask, sizeof f.mask, "%s/%s%s%s", masks, own ? f.stem : "", own ? "/" : "", f.stem);
    return f;
}

static void size_of(const mg_phantom_order *order, int64_t i, int *height, int *width)
{
    facts f = facts_of(order, facts_of(order, i).defect == COPY ? 0 : i);
    *height = f.height;
    *width = f.width;
}

// --- masks ------------------------------------------------------------------------------------------

// Values of the mask, rows less than the picture's for OTHER_SIZE.
static void mask_values(const facts *f, const mg_canvas *canvas, uint8_t *values)
{
    for (int64_t i = 0; i < mg_canvas_cells(canvas); i++) {
        int level = canvas->label[i];
        if (f->defect == DISC_ALONE && level == 2) level = 1;
        values[i] = f->defect == EMPTY ? f->at->value[0] : f->at->value[level];
    }
}

// A BMP whose palette holds the three values alone.
static mg_status write_three_colours(const mg_phantom_order *order, const facts *f,
                                     const char *name, const mg_canvas *canvas)
{
    void *data;
    size_t bytes;

    MG_TRY(mg_encode_bmp(canvas->label, canvas->height, canvas->width, 1, f->at->value, 3, &data,
                         &bytes));
    mg_status st = mg_phantom_file(order, name, data, bytes);
    mg_free(data);
    return st;
}

static mg_status write_mask(const mg_phantom_order *order, const facts *f, const mg_canvas *canvas)
{
    int rows = canvas->height - 2 * (f->defect == OTHER_SIZE);
    size_t cells = (size_t)mg_canvas_cells(canvas);
    char name[384];

    snprintf(name, sizeof name, "%s.%s", f->mask, f->at->ext);
    if (f->defect == FEW_COLOURS && !strcmp(f->at->ext, "bmp"))
        return write_three_colours(order, f, name, canvas);
    uint8_t *values = mg_alloc(3 * cells);
    MG_CHECK(values, MG_ERR_MEMORY, "no memory for a mask");
    mask_values(f, canvas, values);
    int channels = f->defect == COLOUR ? 3 : 1;
    for (size_t i = cells; i-- > 0 && channels == 3;) memset(values + 3 * i, values[i], 3);
    mg_status st = mg_phantom_pixels(order, name, values, rows, canvas->width, channels, 1);
    mg_free(values);
    return st;
}

// Disc (least 1) or cup (least 2) as one reader saw them: a little to the side.
static mg_status write_opinion(const mg_phantom_order *order, const facts *f, const char *what,
                               int reader, const int shift[2], const mg_canvas *c)
{
    int least = !strcmp(what, "cup") ? 2 : 1, rows = c->height - 2 * (f->defect == OTHER_SIZE);
    uint8_t *seen = mg_calloc((size_t)mg_canvas_cells(c), 1);
    char name[384];

    MG_CHECK(seen, MG_ERR_MEMORY, "no memory for a mask");
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int row = y - shift[0], column = x - shift[1];
            if (row < 0 || column < 0 || row >= c->height || column >= c->width) continue;
            seen[y * c->width + x] = c->label[row * c->width + column] >= least;
        }
    snprintf(name, sizeof name, "%s_seg_%s_%d.png", f->mask, what, reader + 1);
    mg_status st = mg_phantom_mask(order, name, seen, rows, c->width);
    mg_free(seen);
    return st;
}

// In this tree a mask of the disc alone is a reader without a cup, and one of a single value a reader who is
// not there at all.
static mg_status write_opinions(const mg_phantom_order *order, int64_t i, const facts *f,
                                const mg_canvas *canvas)
{
    mg_pen pen = mg_pen_at(order->seed, TAG_READERS, (uint32_t)i);
    int far = canvas->width / 96;

    for (int r = 0; r < READERS; r++) {
        int shift[2] = {mg_pen_from(&pen, -far, far), mg_pen_from(&pen, -far, far)};
        bool last = r == READERS - 1;
        if (last && f->defect == EMPTY) continue;
        MG_TRY(write_opinion(order, f, "disc", r, shift, canvas));
        if (last && f->defect == DISC_ALONE) continue;
        MG_TRY(write_opinion(order, f, "cup", r, shift, canvas));
    }
    return MG_OK;
}

// --- items ------------------------------------------------------------------------------------------

// What releases carry beside photographs and masks.
static mg_status write_beside(const mg_phantom_order *order, const facts *f,
                              const mg_canvas *canvas)
{
    char name[384], folder[320];

    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(f->image, '/') - f->image), f->image);
    if (has_readers(order)) {
        snprintf(name, sizeof name, "%s/%s_cropped.jpg", folder, f->stem);
        return mg_phantom_picture(order, name, canvas, 3, 1);
    }
    if (strcmp(trees[tree_of(order)].name, "kaggle")) return MG_OK;
    snprintf(name, sizeof name, "%s_Cropped/%s.jpg", f->at->images, f->stem);
    MG_TRY(mg_phantom_picture(order, name, canvas, 3, 1));
    snprintf(name, sizeof name, "%.*sgts/%s.bmp", (int)strcspn(f->at->images, "/") + 1,
             f->at->images, f->stem);
    return write_three_colours(order, &(facts){.at = &refuge[0]}, name, canvas);
}

static mg_status write_item(const mg_phantom_order *order, int64_t i, mg_canvas *canvas)
{
    facts f = facts_of(order, i);
    int64_t drawn = f.defect == COPY ? 0 : i;
    mg_pen pen = mg_pen_at(order->seed, TAG, (uint32_t)drawn);

    mg_canvas_clear(canvas, 0, 0, 0);
    mg_paint_eye(&pen, canvas, drawn % 2 == 0, 0);
    mg_canvas_finish(canvas, 3);
    MG_TRY(mg_phantom_picture(order, f.image, canvas, 3, f.defect == CUT ? .6 : 1));
    MG_TRY(write_beside(order, &f, canvas));
    if (f.defect == NO_MASK) return MG_OK;
    return has_readers(order) ? write_opinions(order, i, &f, canvas)
                              : write_mask(order, &f, canvas);
}

// --- the whole --------------------------------------------------------------------------------------

// The tables of REFUGE2's validation part.
static mg_status write_tables(const mg_phantom_order *order)
{
    mg_phantom_table risk = {0}, fovea = {0};

    MG_TRY(mg_phantom_row(&risk, "FileName,Glaucoma Risk"));
    MG_TRY(mg_phantom_row(&fovea, "ImageName,Fovea_X,Fovea_Y"));
    for (int64_t i = 0; i < order->count; i++) {
        facts f = facts_of(order, i);
        if (f.at != &refuge2[3]) continue;
        MG_TRY(mg_phantom_row(&risk, "%s.jpg,%d", f.stem, f.sick));
        MG_TRY(mg_phantom_row(&fovea, "%s.jpg,%.2f,%.2f", f.stem, .55 * f.width, .5 * f.height));
    }
    MG_TRY(mg_phantom_table_end(order, "REFUGE2/Validation/glaucoma.csv", &risk));
    return mg_phantom_table_end(order, "REFUGE2/Validation/fovea.csv", &fovea);
}

static mg_status report(const mg_phantom_order *order)
{
    mg_phantom_report *r = order->report;
    if (!r) return MG_OK;
    r->items = order->count;
    for (int64_t i = 0; i < order->count; i++) {
        facts f = facts_of(order, i);
        if (!f.defect) continue;
        r->items -= f.defect == NO_MASK;
        r->unreadable +=
            f.defect == OTHER_SIZE || f.defect == CUT || (f.defect == EMPTY && !has_readers(order));
        r->duplicates += f.defect == COPY && i > 0;
        MG_TRY(mg_phantom_planted(order, defect_name[f.defect], f.image));
    }
    return MG_OK;
}

static mg_status write_extras(const mg_phantom_order *order)
{
    static const uint8_t label[16] = {1};
    const place *at = &trees[tree_of(order)].places[1];
    char name[192];

    snprintf(name, sizeof name, "%.100s/%s", at->masks,
             has_readers(order) ? "T9999/T9999_seg_cup_1.png" : "V9999.png");
    MG_TRY(mg_phantom_mask(order, name, label, 4, 4));
    MG_TRY(mg_phantom_planted(order, "mask without an image", name));
    MG_TRY(mg_phantom_mask(order, "Illustration/V0001.png", label, 4, 4));
    MG_TRY(mg_phantom_planted(order, "picture of an illustration", "Illustration/V0001.png"));
    MG_TRY(mg_phantom_file(order, "Fovea_locations.xlsx", "PK", 2));
    return mg_phantom_junk(order);
}

mg_status mg_phantom_refuge(const mg_phantom_order *order)
{
    MG_TRY(mg_phantom_items(order, size_of, write_item));
    if (!mg_phantom_first(order)) return MG_OK;
    MG_TRY(report(order));
    if (trees[tree_of(order)].places == refuge2) MG_TRY(write_tables(order));
    return order->defects ? write_extras(order) : MG_OK;
}
