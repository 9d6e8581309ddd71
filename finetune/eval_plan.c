// Settings of evaluate as a plan.
#include "finetune/eval_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mg_status parse_clicks(const mg_list *list, mg_eval_plan *p)
{
    for (int i = 0; i < list->count; i++) {
        char *end;
        long k = strtol(list->item[i], &end, 10);
        int before = p->click_protocols ? p->clicks[p->click_protocols - 1] : 0;
        MG_CHECK(*end == '\0' && k > before && k <= MG_EVAL_MAX_CLICKS, MG_ERR_CONFIG,
                 "evaluate.clicks holds '%s', expected rising numbers from 1 to %d", list->item[i],
                 MG_EVAL_MAX_CLICKS);
        p->clicks[p->click_protocols++] = (int)k;
    }
    return MG_OK;
}

static mg_status parse_forms(const mg_list *list, mg_eval_plan *p)
{
    for (int i = 0; i < list->count; i++) {
        int form = 0;
        while (form < MG_EVAL_FORMS && strcmp(list->item[i], mg_eval_form_name[form])) form++;
        MG_CHECK(form < MG_EVAL_FORMS, MG_ERR_CONFIG,
                 "evaluate.volume holds '%s', expected stack, slice or volume", list->item[i]);
        p->form[form] = true;
    }
    return MG_OK;
}

mg_status mg_eval_plan_parse(const mg_eval_config *c, mg_eval_plan *p)
{
    *p = (mg_eval_plan){.box = c->box,
                        .other_object = c->other_object,
                        .curve = c->noc,
                        .msa_score = c->msa_score,
                        .slices_too = c->slices_too,
                        .components = strcmp(c->click_rule, "component") == 0,
                        .empty_is_one = strcmp(c->empty, "one") == 0,
                        .tolerance = {c->tolerance},
                        .tolerances = 1,
                        .threads = 1};
    MG_TRY(parse_clicks(&c->clicks, p));
    return parse_forms(&c->volume, p);
}

// --- classes and regions ------------------------------------------------------------------------------

// A class by number or name; 0 if the sets do not have it.
static int class_of(const mg_reader *reader, const mg_json *value)
{
    const char *name = mg_json_text(value);
    int count = mg_reader_classes(reader);

    if (!name) {
        int64_t number = mg_json_int(value, 0);
        return number >= 1 && number <= count ? (int)number : 0;
    }
    for (int c = 1; c <= count; c++)
        if (strcmp(mg_reader_class_name(reader, c), name) == 0) return c;
    return 0;
}

mg_status mg_eval_classes(const mg_reader *reader, const mg_json *value, const char *what,
                          uint16_t *classes)
{
    bool list = mg_json_is_array(value);
    size_t count = list ? mg_json_size(value) : 1;

    for (size_t k = 0; k < count; k++) {
        int c = class_of(reader, list ? mg_json_at(value, k) : value);
        MG_CHECK(c, MG_ERR_CONFIG,
                 "%s: entry %zu is no class of the sets, expected a number from 1 to %d or a name",
                 what, k + 1, mg_reader_classes(reader));
        *classes |= (uint16_t)(1u << (c - 1));
    }
    return MG_OK;
}

mg_status mg_eval_plan_regions(const mg_eval_config *c, const mg_reader *reader, mg_eval_plan *p)
{
    const mg_json *tree = c->regions;
    char what[96];

    MG_CHECK(!tree || mg_json_is_object(tree), MG_ERR_CONFIG,
             "evaluate.regions is no mapping, expected {NAME: [class, ...]}");
    MG_CHECK(mg_json_size(tree) <= MG_EVAL_MAX_REGIONS, MG_ERR_CONFIG,
             "evaluate.regions has %zu entries, expected at most %d", mg_json_size(tree),
             MG_EVAL_MAX_REGIONS);
    MG_CHECK(tree || !c->beside, MG_ERR_CONFIG,
             "evaluate.beside is true, but evaluate.regions names none");
    for (size_t i = 0; i < mg_json_size(tree); i++) {
        mg_eval_region *r = &p->region[p->regions++];
        const mg_json *list;
        const char *name = mg_json_member(tree, i, &list);
        snprintf(r->name, sizeof r->name, "%s", name);
        snprintf(what, sizeof what, "evaluate.regions: '%s'", r->name);
        MG_CHECK(mg_json_is_array(list) && mg_json_size(list) > 0, MG_ERR_CONFIG,
                 "%s is no list of classes", what);
        MG_TRY(mg_eval_classes(reader, list, what, &r->classes));
    }
    p->beside = c->beside;
    return MG_OK;
}
