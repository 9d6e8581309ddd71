// Scoring a model on one case with simulated prompts (prompts-and-metrics.md 4.4 and 7).
#ifndef MG_FINETUNE_SEG_EVAL_H
#define MG_FINETUNE_SEG_EVAL_H

#include "finetune/case_maps.h"
#include "finetune/metric.h"
#include "finetune/seg_session.h"
#include "finetune/text_choice.h"
#include "shard/shard.h"

enum { MG_EVAL_MAX_CLICKS = 20, MG_EVAL_MAX_ROWS = 144, MG_EVAL_MAX_REGIONS = 16 };

// Classes taken together as one target: {"WT", classes 1, 2, 3}.
typedef struct {
    char name[48];
    uint16_t classes; // bit c - 1
} mg_eval_region;

// How the clicks of a volume are found and counted (4.3).
typedef enum { MG_EVAL_STACK, MG_EVAL_SLICE, MG_EVAL_VOLUME } mg_eval_form;
enum { MG_EVAL_FORMS = 3 };
extern const char *const mg_eval_form_name[MG_EVAL_FORMS]; // "stack", "slice", "volume"

// What is asked of each target.
typedef struct {
    int clicks[MG_EVAL_MAX_CLICKS]; // protocols "k clicks", ascending
    int click_protocols;
    bool box;          // protocol "box": the tight box alone
    bool other_object; // protocol "other object": the centre click of another class, scored against
                       // this one (a model that follows the click scores near 0)
    const mg_text_choice *texts; // protocols "text", "text + 1 click" by held-out texts; or NULL
    bool curve;                  // run all 20 clicks and keep Dice and IoU after each
    bool components;             // click rule 4.2 instead of 4.1
    bool empty_is_one;           // both masks empty count as perfect
    bool slices_too; // volumes: also rows "..., slices", means over the slices as pictures
    bool msa_score;  // also the score of the released Medical SAM Adapter
    double tolerance[MG_MAX_TOLERANCES];
    int tolerances;
    int threads;
    mg_eval_region region[MG_EVAL_MAX_REGIONS]; // the targets, instead of the classes,
    int regions;
    bool beside; // or behind them
    // volumes
    bool form[MG_EVAL_FORMS]; // protocols to run
    int slices;               // D
    bool carry;               // masks go from slice to slice
    const double *window;     // of CT, NULL: as stored; not owned
} mg_eval_plan;

// One protocol of one target.
typedef struct {
    char
        protocol[48]; // "1 click", "3 clicks", "box", "text", "other object", "1 click/stack (D=8)"
    int clicks;       // clicks that were made
    mg_metric metric;
} mg_eval_row;

typedef struct {
    int64_t sample;
    int number; // of the class or region
    const char *name;
    int rows;
    mg_eval_row row[MG_EVAL_MAX_ROWS];
    double dice_after[MG_EVAL_MAX_CLICKS],
        iou_after[MG_EVAL_MAX_CLICKS]; // NaN behind an early stop
    int curve;                         // entries of the two
    // Where the rows' masks are kept beside those of other targets, NULL: nowhere; and the logits of the
    // row to come, on the grid of the maps.
    mg_case_maps *maps;
    const float *logits;
    // For a picture of the result; of a volume the slice with the largest target.
    const uint8_t *gt, *mask; // [height, width] reference, and result of the last row
    int height, width;
    const uint8_t *picture; // [picture_height, picture_width, channels]
    int picture_height, picture_width, channels;
    mg_click click[MG_EVAL_MAX_CLICKS]; // of the longest protocol
    int click_count;
} mg_eval_target;

// --- shared by pictures and volumes -----------------------------------------------------------------

// Target k = 1, 2, ... of a plan: the classes it is made of, and its name. 0 behind the last.
uint16_t mg_eval_goal(const mg_eval_plan *plan, const mg_reader *reader, int k, const char **name);
// Is target k a region that stands beside the classes?
bool mg_eval_beside(const mg_eval_plan *plan, const mg_reader *reader, int k);
// May it be asked of this item: some of its classes are there, and all of them were labelled.
bool mg_eval_asked(const mg_shard_item *item, uint16_t classes);
// Its mask: on the original grid, or on the stored one. `room` as large as the mask.
mg_status mg_eval_mask(const mg_reader *reader, int64_t sample, uint16_t classes, bool original,
                       uint8_t *mask, uint8_t *ignore, uint8_t *room);
// Begin the maps of a case: its picture and the targets that it is asked for, of a volume on the slice of the
// stored grid that shows most of them (then most of their cells, then the smaller z). Regions beside
// classes are left out. MG_ERR_MEMORY.
mg_status mg_eval_begin_maps(const mg_eval_plan *plan, const mg_reader *reader, int64_t sample,
                             mg_case_maps *maps);
// (The row is the last one, behind that of its slices, if plan->slices_too.)
// Measure a mask and append a row; keep its map.
mg_status mg_eval_add_row(const mg_eval_plan *plan, mg_eval_target *t, const char *protocol,
                          int clicks, const mg_target *target, const double spacing[3]);
bool mg_eval_wants(const mg_eval_plan *plan, int clicks);
// The slice of a mask [depth, pixels] with the largest area, the first of several.
int mg_eval_largest_slice(const uint8_t *mask, int depth, size_t pixels);

// --- a case -----------------------------------------------------------------------------------------

typedef struct mg_evaluator mg_evaluator;

// Borrows model and reader. MG_ERR_MEMORY.
mg_status mg_evaluator_create(const mg_seg_model *model, const mg_reader *reader,
                              const mg_eval_plan *plan, mg_evaluator **out);
void mg_evaluator_destroy(mg_evaluator **evaluator);

// Encode the case and score every target present in it, on its original grid; `done` gets each target
// (borrowed until it returns). `maps`: begun for this case, or NULL.
mg_status mg_evaluator_run(mg_evaluator *e, int64_t sample, mg_case_maps *maps,
                           mg_status (*done)(void *ctx, const mg_eval_target *target), void *ctx);

#endif
