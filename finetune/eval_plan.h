// What evaluate asks of each target, from its settings: numbers of clicks, forms of volume prompts, and
// targets made of several classes.
#ifndef MG_FINETUNE_EVAL_PLAN_H
#define MG_FINETUNE_EVAL_PLAN_H

#include "finetune/seg_eval.h"
#include "runtime/config.h"

// Settings of section "evaluate." that make the plan. Texts are owned by the option table.
typedef struct {
    char *click_rule, *carry, *empty;
    mg_list clicks, volume;
    mg_json *regions;
    bool beside, box, noc, other_object, msa_score, slices_too;
    double tolerance;
} mg_eval_config;

// Everything but the regions, and what comes from a model (slices, carry, window). MG_ERR_CONFIG names
// the key.
mg_status mg_eval_plan_parse(const mg_eval_config *c, mg_eval_plan *plan);
// The regions, once the classes are known.
mg_status mg_eval_plan_regions(const mg_eval_config *c, const mg_reader *reader,
                               mg_eval_plan *plan);

// Classes by number or name, one or a list of them: bit c - 1 of *classes is added. `what` names their
// place in a message ("evaluate.regions: 'WT'").
mg_status mg_eval_classes(const mg_reader *reader, const mg_json *value, const char *what,
                          uint16_t *classes);

#endif
