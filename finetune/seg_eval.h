// Scoring a model on one case with simulated prompts (prompts-and-metrics.md 4.4 and 7).
#ifndef MG_FINETUNE_SEG_EVAL_H
#define MG_FINETUNE_SEG_EVAL_H

#include "finetune/metric.h"
#include "finetune/seg_session.h"
#include "shard/shard.h"

enum { MG_EVAL_MAX_CLICKS = 20, MG_EVAL_MAX_ROWS = 24 };

// What is asked of each target.
typedef struct {
    int clicks[MG_EVAL_MAX_CLICKS]; // protocols "k clicks", ascending
    int click_protocols;
    bool box;          // protocol "box": the tight box alone
    bool other_object; // protocol "other object": the centre click of another class, scored against
                       // this one (a model that follows the click scores near 0)
    bool curve;        // run all 20 clicks and keep Dice and IoU after each
    bool components;   // click rule 4.2 instead of 4.1
    bool empty_is_one; // both masks empty count as perfect
    double tolerance[MG_MAX_TOLERANCES];
    int tolerances;
    int threads;
} mg_eval_plan;

// One protocol of one target.
typedef struct {
    char protocol[24]; // "1 click", "3 clicks", "box", "other object"
    int clicks;        // clicks that were made
    mg_metric metric;
} mg_eval_row;

typedef struct {
    int64_t sample;
    int class_number;
    int rows;
    mg_eval_row row[MG_EVAL_MAX_ROWS];
    double dice_after[MG_EVAL_MAX_CLICKS],
        iou_after[MG_EVAL_MAX_CLICKS]; // NaN behind an early stop
    int curve;                         // entries of the two
    const uint8_t *gt, *mask;          // [height, width] reference, and result of the last row
    int height, width;
    mg_click click[MG_EVAL_MAX_CLICKS]; // of the longest protocol
    int click_count;
} mg_eval_target;

typedef struct mg_evaluator mg_evaluator;

// Borrows model and reader. MG_ERR_MEMORY.
mg_status mg_evaluator_create(const mg_seg_model *model, const mg_reader *reader,
                              const mg_eval_plan *plan, mg_evaluator **out);
void mg_evaluator_destroy(mg_evaluator **evaluator);

// Encode the picture and score every class present in it, on its original grid; `done` gets each
// target (borrowed until it returns).
mg_status mg_evaluator_run(mg_evaluator *e, int64_t sample,
                           mg_status (*done)(void *ctx, const mg_eval_target *target), void *ctx);

// The stored picture of the last run, [height, width, channels] of the item; for overlays.
const uint8_t *mg_evaluator_picture(const mg_evaluator *e);

#endif
