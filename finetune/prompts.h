// Prompts of training, all drawn from the sample's own streams (prompts-and-metrics.md section 5):
// which class, which kind of prompt, the random start, boxes, and the schedule of passes.
// The same (seed, epoch, sample, target) gives the same prompts on every rank.
#ifndef MG_FINETUNE_PROMPTS_H
#define MG_FINETUNE_PROMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "finetune/clicks.h"

enum {
    MG_MAX_START = 20,     // clicks of a random start: 10 positive, 10 negative
    MG_STAGE_START = 0,    // purpose 10: the random start; then 1, 2, ... the corrective clicks
    MG_STAGE_KIND = 4092,  // purpose 10, target 0
    MG_STAGE_SLICE = 4093, // purpose 10, target 0
    MG_STAGE_CLASS = 4094, // purpose 10, target 0
    MG_STAGE_SCHEDULE = 4095,
};

// Whose prompts. `sample` is the dataset-wide index of a picture; of a volume its number for stack
// prompts and for class, slice and kind, the dataset-wide slice number for slice prompts.
typedef struct {
    uint64_t seed;
    uint32_t epoch, sample;
    uint32_t target; // class number, below 4096
} mg_prompt_key;

// The stream of one purpose (MG_RNG_CLICKS, _BOXES, _TEXTS) and stage.
mg_cursor mg_prompt_draw(const mg_prompt_key *key, mg_rng_purpose purpose, uint32_t stage);

// --- what a step works on (5.4, items 1 and 6); key->target plays no part --------------------------

// One of the classes present (bit c - 1 of `present`), 0 if there is none.
int mg_prompt_class(const mg_prompt_key *key, uint32_t present);
// First slice of the stack of `slices` taken from a volume.
int mg_prompt_first_slice(const mg_prompt_key *key, int depth, int slices);

typedef enum {
    MG_PROMPT_CLICKS,
    MG_PROMPT_BOX,
    MG_PROMPT_TEXT,
    MG_PROMPT_TEXT_CLICKS
} mg_prompt_kind;
enum { MG_PROMPT_KINDS = 4 };
// Kind by weight; at least one weight is positive.
mg_prompt_kind mg_prompt_kind_draw(const mg_prompt_key *key, const double weight[MG_PROMPT_KINDS]);

// --- passes (5.4, items 2 and 3) -------------------------------------------------------------------

typedef enum {
    MG_PASS_START,  // the start prompt alone
    MG_PASS_CLICK,  // one more corrective click, and the previous logits as mask prompt
    MG_PASS_REPEAT, // the same prompt again with the previous logits
} mg_pass;

typedef struct {
    bool single;        // start from one uniform cell of the target, otherwise from a random start
    int clicks;         // K corrective clicks
    int repeat_after;   // m: after this pass the prompt is repeated
    bool repeat_at_end; // and once more after the last
    int passes;         // K + 2, or one more
    uint32_t word;      // the fourth word: the uniform cell
} mg_schedule;

// Draw it. K is 0..max_corrective (3 unless set). `sam`: always 8, and a repeat at the end.
mg_schedule mg_schedule_draw(const mg_prompt_key *key, int max_corrective, bool sam);
// What pass i (0 .. passes - 1) does; *stage gets the number of its corrective click.
mg_pass mg_schedule_pass(const mg_schedule *s, int i, int *stage);

// --- start prompts ---------------------------------------------------------------------------------

typedef enum { MG_START_RELATIVE, MG_START_PIXEL } mg_start_profile;

// A random start on slice z (5.1): clicks[MG_MAX_START], positive ones first. Returns how many.
int mg_start_random(mg_clicker *c, const mg_target *t, int z, mg_start_profile profile,
                    const mg_prompt_key *key, mg_click *clicks);

// The start clicks that the schedule asks for: the uniform cell, or a random start on its slice.
// None for an empty target (5.4, item 5).
int mg_start_clicks(mg_clicker *c, const mg_target *t, mg_start_profile profile,
                    const mg_schedule *s, const mg_prompt_key *key, mg_click *clicks);

// The slice of a stack that the uniform cell lies in, 0 for an empty stack.
int mg_start_slice(const mg_target *t, const mg_schedule *s);

// k different cells of slice z of the target, uniform, all positive (4.4, `random-k`). Returns how
// many there are: k or the size of the target.
int mg_random_cells(mg_clicker *c, const mg_target *t, int z, int k, const mg_prompt_key *key,
                    mg_click *clicks);

// --- weights of cells (5.4, last paragraph) ----------------------------------------------------------

// weight [height, width] of each cell of a slice: 0.8 + 1.2 (1 - min(t, 100) / 100), t the distance in
// cells to the nearest click of its own sign (positive in the mask, negative outside); 0.8 without one.
void mg_click_weights(float *weight, const uint8_t *mask, int height, int width,
                      const mg_click *click, int count);

// --- boxes (5.3) -------------------------------------------------------------------------------------

typedef enum { MG_BOX_TIGHT, MG_BOX_JITTER, MG_BOX_WIDEN } mg_box_mode;
enum { MG_BOX_FRAME = 1024 }; // image_long in training

// Box (xmin, ymin, xmax, ymax) of slice z of the target, both ends included, moved as the mode says.
// `image_long` is the long side of the frame that the 20 pixels of noise refer to. False and -1
// four times for an empty target.
bool mg_box_draw(const mg_target *t, int z, mg_box_mode mode, double image_long,
                 const mg_prompt_key *key, double box[4]);

#endif
