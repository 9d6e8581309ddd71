// Small data sets drawn from a seed: those of the demo, demo_ct (organs), demo_fundus (disc and lesions),
// demo_us and demo_derm (unlabelled), and demo_organs (five organs with names). On disk each is a folder
// of images/NAME.png with masks/NAME.png beside it, whose value 1..8 is the number of an object in that
// picture, or the organ.
#include <stdio.h>

#include "datasets/folder.h"
#include "datasets/paint.h"
#include "datasets/readers.h"
#include "runtime/mem.h"

enum { USUAL_SIZE = 96 };

static const char *const objects[] = {"object_1", "object_2", "object_3", "object_4", "object_5",
                                      "object_6", "object_7", "object_8", NULL};
static const char *const organs[] = {"spleen", "right kidney", "left kidney",
                                     "liver",  "aorta",        NULL};
static const char *const nothing[] = {NULL};

static mg_folder_rules demo_rules(const char *modality, const char *const *labels)
{
    mg_folder_rules rules = {.images = "images/{stem}.png", .modality = modality};

    if (!labels[0]) return rules;
    rules.masks = 1;
    rules.mask[0].pattern = "masks/{stem}.png";
    for (int i = 0; labels[i]; i++) {
        rules.class_name[i] = labels[i];
        rules.map[i].value = rules.map[i].class_number = i + 1;
        rules.classes = rules.values = i + 1;
    }
    return rules;
}

static mg_status write_one(const mg_phantom_order *order, const char *kind, uint32_t tag,
                           mg_painter paint, bool labelled, int64_t i, mg_canvas *canvas)
{
    char path[4096];
    mg_pen pen = mg_pen_at(order->seed, tag, (uint32_t)i);

    mg_canvas_clear(canvas, 0, 0, 0);
    paint(&pen, canvas);
    mg_canvas_finish(canvas, 3);
    snprintf(path, sizeof path, "%s/images/%s_%06lld.png", order->out, kind, (long long)i);
    MG_TRY(mg_canvas_write_png(canvas, path, 3));
    if (!labelled) return MG_OK;
    snprintf(path, sizeof path, "%s/masks/%s_%06lld.png", order->out, kind, (long long)i);
    return mg_draw_write_label(path, canvas->label, canvas->height, canvas->width);
}

static mg_status write_all(const mg_phantom_order *order, const char *kind, uint32_t tag,
                           mg_painter paint, bool labelled)
{
    int size = order->size ? order->size : USUAL_SIZE;
    char path[4096];
    mg_canvas canvas;

    for (int i = 0; i < (labelled ? 2 : 1); i++) {
        snprintf(path, sizeof path, "%s/%s", order->out, i ? "masks" : "images");
        MG_TRY(mg_make_dirs(path));
    }
    if (order->report && order->lo == 0) order->report->items = order->count;
    MG_TRY(mg_canvas_create(size, size, &canvas));
    mg_status st = MG_OK;
    for (int64_t i = order->lo; i < order->hi && !st; i++)
        st = write_one(order, kind, tag, paint, labelled, i, &canvas);
    mg_canvas_free(&canvas);
    return st;
}

// clang-format off
#define DEMO_SET(kind, tag, labels, has_labels, modality, words)                                               \
    static mg_status scan_##kind(const char *root, const void *config, mg_scan *out)               \
    {                                                                                              \
        mg_folder_rules rules = demo_rules(modality, labels);                                      \
        (void)config;                                                                              \
        return mg_folder_scan(root, &rules, out);                                                  \
    }                                                                                              \
    static mg_status read_##kind(const char *root, const void *config, const mg_scan *found,       \
                                 const mg_item *item, const mg_decode_hint *hint, mg_sample *out)  \
    {                                                                                              \
        mg_folder_rules rules = demo_rules(modality, labels);                                      \
        (void)config, (void)found;                                                                 \
        return mg_folder_read(root, &rules, item, hint, out);                                      \
    }                                                                                              \
    static mg_status phantom_##kind(const mg_phantom_order *order)                                 \
    {                                                                                              \
        return write_all(order, #kind, tag, mg_paint_demo_##kind, has_labels);                         \
    }                                                                                              \
    const mg_dataset mg_dataset_demo_##kind = {                                                    \
        .name = "demo_" #kind, .summary = words, .labelled = has_labels, .long_side = 1024,            \
        .scan = scan_##kind, .read = read_##kind, .phantom = phantom_##kind,                       \
    };

DEMO_SET(ct, 1, objects, true, "CT", "phantoms of the demo: slices with several organs")
DEMO_SET(fundus, 2, objects, true, "fundus", "phantoms of the demo: retina with disc and lesions")
DEMO_SET(us, 3, nothing, false, "US", "phantoms of the demo: ultrasound, unlabelled")
DEMO_SET(derm, 4, nothing, false, "dermoscopy", "phantoms of the demo: skin, unlabelled")
DEMO_SET(organs, 5, organs, true, "MR", "phantoms: slices with five named organs")
// clang-format on
