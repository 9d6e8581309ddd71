// Prompts that a person gives to `medgraft predict`: on the command line or in a JSON file, in the
// coordinates of their picture or volume, and then in cells of the grid that the model sees.
#ifndef MG_FINETUNE_PREDICT_PROMPTS_H
#define MG_FINETUNE_PREDICT_PROMPTS_H

#include "finetune/seg_prompt.h"
#include "runtime/config.h"

enum { MG_PREDICT_BOXES_MAX = 64 };

// As given: x, y of a picture, x, y, z of a volume.
typedef struct {
    double at[3];
    int label;
} mg_given_click;

typedef struct {
    double corner[2][3]; // both ends included
} mg_given_box;

// In cells of the grid: a box on each of the slices [first, last].
typedef struct {
    double box[4]; // x0, y0, x1, y1
    int first, last;
} mg_placed_box;

// One target.
typedef struct {
    char name[64];
    int clicks, boxes;
    mg_given_click given_click[MG_PROMPT_CLICKS_MAX];
    mg_given_box given_box[MG_PREDICT_BOXES_MAX];
    mg_click click[MG_PROMPT_CLICKS_MAX]; // set by mg_predict_place (predict_space.h)
    mg_placed_box box[MG_PREDICT_BOXES_MAX];
    char *text;  // NULL without
    float *unit; // its vector, NULL until it is embedded (predict_text.h)
} mg_predict_target;

typedef struct {
    mg_predict_target *target;
    int count;
    int dims; // 2: of a picture, 3: of a volume
    bool mm;  // coordinates are RAS mm, otherwise pixels or voxels
} mg_predict_prompts;

// From texts: clicks "x,y" or "x,y,label" separated by spaces (label 1 target, 0 background; 1 if left
// out), boxes "x0,y0,x1,y1", a text; each may be "". Of a volume "x,y,z", "x,y,z,label" and
// "x0,y0,z0,x1,y1,z1". One target. MG_ERR_CONFIG.
mg_status mg_predict_parse(const char *clicks, const char *box, const char *text, int dims,
                           mg_predict_prompts *out);

// From a JSON file: {"targets": [{"name": "liver", "clicks": [[x, y, label], ...], "box": [x0, y0, x1,
// y1], "text": "the liver"}, ...]}; numbers of a volume as above, "box" may be a list of boxes, and
// "coordinates" beside "targets" may say "mm". MG_ERR_FORMAT names file and target.
mg_status mg_predict_read(const char *path, int dims, mg_predict_prompts *out);

void mg_predict_free(mg_predict_prompts *p);

#endif
