// Prompts that a person gives to `medgraft predict`: on the command line or in a JSON file.
#ifndef MG_FINETUNE_PREDICT_PROMPTS_H
#define MG_FINETUNE_PREDICT_PROMPTS_H

#include "finetune/seg_prompt.h"
#include "runtime/config.h"

// One target: clicks in pixels of the picture, perhaps a box, perhaps a text.
typedef struct {
    char name[64];
    mg_click click[MG_PROMPT_CLICKS_MAX];
    int clicks;
    bool has_box;
    double box[4];
    char *text;  // NULL without
    float *unit; // its vector, NULL until it is embedded (predict_text.h)
} mg_predict_target;

typedef struct {
    mg_predict_target *target;
    int count;
} mg_predict_prompts;

// From texts: clicks "x,y" or "x,y,label" separated by spaces (label 1 target, 0 background; 1 if left
// out), box "x0,y0,x1,y1" or "", a text or "". One target.
mg_status mg_predict_parse(const char *clicks, const char *box, const char *text,
                           mg_predict_prompts *out);

// From a JSON file: {"targets": [{"name": "liver", "clicks": [[x, y, label], ...], "box": [x0, y0, x1,
// y1], "text": "the liver"}, ...]}. MG_ERR_FORMAT names file and target.
mg_status mg_predict_read(const char *path, mg_predict_prompts *out);

// All clicks and boxes lie in a height x width picture, and no target is without anything.
mg_status mg_predict_check(const mg_predict_prompts *p, int height, int width);

void mg_predict_free(mg_predict_prompts *p);

#endif
