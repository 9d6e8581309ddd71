// Reading prompts, with messages that say what was expected.
#include "finetune/predict_prompts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/json.h"
#include "runtime/mem.h"

enum { MAX_TARGETS = 255 }; // values of an 8-bit mask

static mg_status allocate(mg_predict_prompts *p, int count)
{
    p->count = count;
    p->target = mg_calloc((size_t)count, sizeof *p->target);
    MG_CHECK(p->target, MG_ERR_MEMORY, "cannot allocate %d targets", count);
    return MG_OK;
}

void mg_predict_free(mg_predict_prompts *p)
{
    for (int i = 0; i < p->count && p->target; i++) {
        mg_free(p->target[i].text);
        mg_free(p->target[i].unit);
    }
    mg_free(p->target);
    *p = (mg_predict_prompts){0};
}

static mg_status add_click(mg_predict_target *t, int x, int y, int label)
{
    MG_CHECK(t->clicks < MG_PROMPT_CLICKS_MAX, MG_ERR_CONFIG, "target '%s' has more than %d clicks",
             t->name, MG_PROMPT_CLICKS_MAX);
    MG_CHECK(label == 0 || label == 1, MG_ERR_CONFIG,
             "a click of target '%s' has label %d, expected 1 (target) or 0 (background)", t->name,
             label);
    t->click[t->clicks++] = (mg_click){x, y, 0, label};
    return MG_OK;
}

// --- command line -----------------------------------------------------------------------------------

static mg_status parse_clicks(const char *text, mg_predict_target *t)
{
    int x, y, label, used;

    for (const char *at = text; *at; at += used) {
        used = 0;
        label = 1;
        if (*at == ' ' || *at == ';') {
            used = 1;
            continue;
        }
        if (sscanf(at, "%d,%d,%d%n", &x, &y, &label, &used) < 3 || used == 0) {
            label = 1;
            used = 0;
            MG_CHECK(sscanf(at, "%d,%d%n", &x, &y, &used) >= 2 && used > 0, MG_ERR_CONFIG,
                     "predict.clicks holds '%s', expected 'x,y' or 'x,y,label' separated by spaces",
                     at);
        }
        MG_TRY(add_click(t, x, y, label));
    }
    return MG_OK;
}

static mg_status set_text(const char *text, mg_predict_target *t)
{
    if (!text || !text[0]) return MG_OK;
    t->text = mg_strdup(text);
    MG_CHECK(t->text, MG_ERR_MEMORY, "cannot allocate a text");
    return MG_OK;
}

mg_status mg_predict_parse(const char *clicks, const char *box, const char *text,
                           mg_predict_prompts *out)
{
    *out = (mg_predict_prompts){0};
    MG_TRY(allocate(out, 1));
    mg_predict_target *t = &out->target[0];
    snprintf(t->name, sizeof t->name, "target");
    mg_status st = parse_clicks(clicks, t);
    if (!st) st = set_text(text, t);
    if (!st && box[0]) {
        char rest;
        t->has_box = sscanf(box, "%lf,%lf,%lf,%lf%c", &t->box[0], &t->box[1], &t->box[2],
                            &t->box[3], &rest) == 4;
        if (!t->has_box)
            st = MG_FAIL(MG_ERR_CONFIG, "predict.box is '%s', expected 'x0,y0,x1,y1'", box);
    }
    if (st) mg_predict_free(out);
    return st;
}

// --- JSON file --------------------------------------------------------------------------------------

static mg_status read_target(const char *path, const mg_json *from, int i, mg_predict_target *t)
{
    const char *name = mg_json_text(mg_json_get(from, "name"));
    const mg_json *clicks = mg_json_get(from, "clicks"), *box = mg_json_get(from, "box");

    if (name)
        snprintf(t->name, sizeof t->name, "%s", name);
    else
        snprintf(t->name, sizeof t->name, "target %d", i + 1);
    for (size_t k = 0; k < mg_json_size(clicks); k++) {
        const mg_json *c = mg_json_at(clicks, k);
        MG_CHECK(mg_json_size(c) >= 2 && mg_json_is_number(mg_json_at(c, 0)) &&
                     mg_json_is_number(mg_json_at(c, 1)),
                 MG_ERR_FORMAT, "'%s': click %zu of '%s' is not [x, y] or [x, y, label]", path,
                 k + 1, t->name);
        MG_TRY(add_click(t, (int)mg_json_real(mg_json_at(c, 0), 0),
                         (int)mg_json_real(mg_json_at(c, 1), 0),
                         (int)mg_json_int(mg_json_at(c, 2), 1)));
    }
    MG_TRY(set_text(mg_json_text(mg_json_get(from, "text")), t));
    if (!box) return MG_OK;
    MG_CHECK(mg_json_size(box) == 4, MG_ERR_FORMAT,
             "'%s': the box of '%s' has %zu numbers, expected [x0, y0, x1, y1]", path, t->name,
             mg_json_size(box));
    for (size_t k = 0; k < 4; k++) t->box[k] = mg_json_real(mg_json_at(box, k), -1);
    t->has_box = true;
    return MG_OK;
}

mg_status mg_predict_read(const char *path, mg_predict_prompts *out)
{
    mg_json *tree = NULL;

    *out = (mg_predict_prompts){0};
    MG_TRY(mg_json_read(path, &tree));
    const mg_json *targets = mg_json_get(tree, "targets");
    size_t count = mg_json_size(targets);
    mg_status st = MG_OK;
    if (count < 1 || count > MAX_TARGETS)
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' lists %zu targets, expected 1 to %d under \"targets\"",
                     path, count, MAX_TARGETS);
    if (!st) st = allocate(out, (int)count);
    for (int i = 0; i < out->count && !st; i++)
        st = read_target(path, mg_json_at(targets, (size_t)i), i, &out->target[i]);
    mg_json_free(&tree);
    if (st) mg_predict_free(out);
    return st;
}

// --- checks -----------------------------------------------------------------------------------------

mg_status mg_predict_check(const mg_predict_prompts *p, int height, int width)
{
    for (int i = 0; i < p->count; i++) {
        const mg_predict_target *t = &p->target[i];
        MG_CHECK(t->clicks > 0 || t->has_box || t->text, MG_ERR_CONFIG,
                 "target '%s' has neither a click nor a box nor a text", t->name);
        for (int k = 0; k < t->clicks; k++)
            MG_CHECK(t->click[k].x >= 0 && t->click[k].x < width && t->click[k].y >= 0 &&
                         t->click[k].y < height,
                     MG_ERR_CONFIG,
                     "click (%d, %d) of target '%s' lies outside the picture, which "
                     "is %d wide and %d high",
                     t->click[k].x, t->click[k].y, t->name, width, height);
        MG_CHECK(
            !t->has_box || (t->box[0] >= 0 && t->box[1] >= 0 && t->box[0] <= t->box[2] &&
                            t->box[1] <= t->box[3] && t->box[2] < width && t->box[3] < height),
            MG_ERR_CONFIG,
            "box (%g, %g, %g, %g) of target '%s' does not lie in the picture, which is %d wide "
            "and %d high",
            t->box[0], t->box[1], t->box[2], t->box[3], t->name, width, height);
    }
    return MG_OK;
}
