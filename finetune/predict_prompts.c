// Reading prompts, with messages that say what was expected.
#include "finetune/predict_prompts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/fsys.h"
#include "runtime/json.h"
#include "runtime/mem.h"

enum { MAX_TARGETS = 255 }; // values of an 8-bit mask

static const char *click_form(int dims)
{
    return dims == 2 ? "x,y or x,y,label" : "x,y,z or x,y,z,label";
}

static const char *box_form(int dims)
{
    return dims == 2 ? "x0,y0,x1,y1" : "x0,y0,z0,x1,y1,z1";
}

static mg_status allocate(mg_predict_prompts *p, int count, int dims)
{
    p->count = count;
    p->dims = dims;
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

static mg_status add_click(mg_predict_target *t, const double *v, int numbers, int dims)
{
    double label = numbers > dims ? v[dims] : 1;
    mg_given_click *click = &t->given_click[t->clicks];

    MG_CHECK(t->clicks < MG_PROMPT_CLICKS_MAX, MG_ERR_CONFIG, "target '%s' has more than %d clicks",
             t->name, MG_PROMPT_CLICKS_MAX);
    MG_CHECK(label == 0 || label == 1, MG_ERR_CONFIG,
             "click %d of target '%s' has label %g, expected 1 (target) or 0 (background): %s",
             t->clicks + 1, t->name, label, click_form(dims));
    memcpy(click->at, v, (size_t)dims * sizeof *v);
    click->label = (int)label;
    t->clicks++;
    return MG_OK;
}

static mg_status add_box(mg_predict_target *t, const double *v, int dims)
{
    mg_given_box *box = &t->given_box[t->boxes];

    MG_CHECK(t->boxes < (dims == 2 ? 1 : MG_PREDICT_BOXES_MAX), MG_ERR_CONFIG,
             "target '%s' has more than %d boxes", t->name, dims == 2 ? 1 : MG_PREDICT_BOXES_MAX);
    for (int k = 0; k < 2; k++) memcpy(box->corner[k], v + k * dims, (size_t)dims * sizeof *v);
    for (int a = 0; a < dims; a++)
        MG_CHECK(v[a] <= v[dims + a], MG_ERR_CONFIG,
                 "box of target '%s': %c runs from %g to %g, expected two corners, %s", t->name,
                 "xyz"[a], v[a], v[dims + a], box_form(dims));
    t->boxes++;
    return MG_OK;
}

static mg_status set_text(const char *text, mg_predict_target *t)
{
    if (!text || !text[0]) return MG_OK;
    t->text = mg_strdup(text);
    MG_CHECK(t->text, MG_ERR_MEMORY, "cannot allocate a text");
    return MG_OK;
}

// --- command line -----------------------------------------------------------------------------------

enum { MOST_NUMBERS = 7 };

// Numbers separated by commas, up to a space, a ';' or the end. Returns how many; -1 if it is something
// else or too many.
static int take_numbers(const char **at, double v[MOST_NUMBERS])
{
    int count = 0;

    for (;;) {
        char *end;
        double value = strtod(*at, &end);
        if (end == *at || !isfinite(value) || count == MOST_NUMBERS) return -1;
        v[count++] = value;
        *at = end;
        if (!**at || **at == ' ' || **at == ';') return count;
        if (*(*at)++ != ',') return -1;
    }
}

static const char *skip_gaps(const char *at)
{
    while (*at == ' ' || *at == ';') at++;
    return at;
}

static mg_status parse_clicks(const char *text, int dims, mg_predict_target *t)
{
    double v[MOST_NUMBERS];

    for (const char *at = skip_gaps(text); *at; at = skip_gaps(at)) {
        const char *begin = at;
        int count = take_numbers(&at, v);
        MG_CHECK(count == dims || count == dims + 1, MG_ERR_CONFIG,
                 "predict.clicks holds '%s', expected %s, separated by spaces", begin,
                 click_form(dims));
        MG_TRY(add_click(t, v, count, dims));
    }
    return MG_OK;
}

static mg_status parse_boxes(const char *text, int dims, mg_predict_target *t)
{
    double v[MOST_NUMBERS];

    for (const char *at = skip_gaps(text); *at; at = skip_gaps(at)) {
        const char *begin = at;
        MG_CHECK(take_numbers(&at, v) == 2 * dims, MG_ERR_CONFIG,
                 "predict.box is '%s', expected %s", begin, box_form(dims));
        MG_TRY(add_box(t, v, dims));
    }
    return MG_OK;
}

mg_status mg_predict_parse(const char *clicks, const char *box, const char *text, int dims,
                           mg_predict_prompts *out)
{
    *out = (mg_predict_prompts){0};
    MG_TRY(allocate(out, 1, dims));
    mg_predict_target *t = &out->target[0];
    snprintf(t->name, sizeof t->name, "target");
    mg_status st = parse_clicks(clicks, dims, t);
    if (!st) st = parse_boxes(box, dims, t);
    if (!st) st = set_text(text, t);
    if (st) mg_predict_free(out);
    return st;
}

// --- JSON file --------------------------------------------------------------------------------------

typedef struct {
    const char *path;
    int dims;
} source;

// Every key of an object is one of those known (ended by NULL).
static mg_status check_keys(const source *s, const char *where, const mg_json *object,
                            const char *const *known)
{
    const char *key;
    const mg_json *value;

    MG_CHECK(mg_json_is_object(object), MG_ERR_FORMAT, "'%s': %s is not an object {...}", s->path,
             where);
    for (size_t i = 0; (key = mg_json_member(object, i, &value)); i++) {
        int k = 0, nearest = 0;
        for (; known[k] && strcmp(known[k], key); k++)
            if (mg_text_distance(known[k], key) < mg_text_distance(known[nearest], key))
                nearest = k;
        MG_CHECK(known[k], MG_ERR_FORMAT,
                 "'%s': %s has an unknown key \"%s\"; the nearest is \"%s\"", s->path, where, key,
                 known[nearest]);
    }
    return MG_OK;
}

// A list of numbers; how many, -1 if it is something else.
static int numbers_of(const mg_json *list, double v[MOST_NUMBERS])
{
    size_t count = mg_json_size(list);

    if (!mg_json_is_array(list) || count > MOST_NUMBERS) return -1;
    for (size_t i = 0; i < count; i++) {
        if (!mg_json_is_number(mg_json_at(list, i))) return -1;
        v[i] = mg_json_real(mg_json_at(list, i), 0);
    }
    return (int)count;
}

static mg_status read_clicks(const source *s, const mg_json *list, mg_predict_target *t)
{
    double v[MOST_NUMBERS];

    MG_CHECK(!list || mg_json_is_array(list), MG_ERR_FORMAT,
             "'%s': the clicks of '%s' are no list [[%s], ...]", s->path, t->name,
             click_form(s->dims));
    for (size_t i = 0; i < mg_json_size(list); i++) {
        int count = numbers_of(mg_json_at(list, i), v);
        MG_CHECK(count == s->dims || count == s->dims + 1, MG_ERR_FORMAT,
                 "'%s': click %zu of '%s' is not %s", s->path, i + 1, t->name, click_form(s->dims));
        MG_TRY(add_click(t, v, count, s->dims));
    }
    return MG_OK;
}

static mg_status read_boxes(const source *s, const mg_json *box, mg_predict_target *t)
{
    bool several = mg_json_is_array(mg_json_at(box, 0));
    double v[MOST_NUMBERS];

    for (size_t i = 0; box && i < (several ? mg_json_size(box) : 1); i++) {
        int count = numbers_of(several ? mg_json_at(box, i) : box, v);
        MG_CHECK(count == 2 * s->dims, MG_ERR_FORMAT, "'%s': the box of '%s' is not %s", s->path,
                 t->name, box_form(s->dims));
        MG_TRY(add_box(t, v, s->dims));
    }
    return MG_OK;
}

static mg_status read_target(const source *s, const mg_json *from, int i, mg_predict_target *t)
{
    static const char *const known[] = {"name", "clicks", "box", "text", NULL};
    const char *name = mg_json_text(mg_json_get(from, "name"));
    const mg_json *text = mg_json_get(from, "text");

    snprintf(t->name, sizeof t->name, "target %d", i + 1);
    MG_TRY(check_keys(s, t->name, from, known));
    if (name) snprintf(t->name, sizeof t->name, "%s", name);
    MG_CHECK(!text || mg_json_is_text(text), MG_ERR_FORMAT, "'%s': the text of '%s' is no text",
             s->path, t->name);
    MG_TRY(read_clicks(s, mg_json_get(from, "clicks"), t));
    MG_TRY(read_boxes(s, mg_json_get(from, "box"), t));
    return set_text(mg_json_text(text), t);
}

static mg_status read_coordinates(const source *s, const mg_json *tree, mg_predict_prompts *out)
{
    const mg_json *value = mg_json_get(tree, "coordinates");
    const char *text = mg_json_text(value);

    out->mm = text && strcmp(text, "mm") == 0;
    MG_CHECK(!value || out->mm || (text && strcmp(text, "voxel") == 0), MG_ERR_FORMAT,
             "'%s': \"coordinates\" is '%s', expected \"voxel\" or \"mm\"", s->path,
             text ? text : "no text");
    return MG_OK;
}

static mg_status read_tree(const source *s, const mg_json *tree, mg_predict_prompts *out)
{
    static const char *const known[] = {"targets", "coordinates", NULL};
    const mg_json *targets = mg_json_get(tree, "targets");
    size_t count = mg_json_is_array(targets) ? mg_json_size(targets) : 0;

    MG_TRY(check_keys(s, "the file", tree, known));
    MG_CHECK(count >= 1 && count <= MAX_TARGETS, MG_ERR_FORMAT,
             "'%s' lists %zu targets, expected 1 to %d under \"targets\"", s->path, count,
             MAX_TARGETS);
    MG_TRY(allocate(out, (int)count, s->dims));
    MG_TRY(read_coordinates(s, tree, out));
    for (int i = 0; i < out->count; i++)
        MG_TRY(read_target(s, mg_json_at(targets, (size_t)i), i, &out->target[i]));
    return MG_OK;
}

mg_status mg_predict_read(const char *path, int dims, mg_predict_prompts *out)
{
    mg_json *tree = NULL;

    *out = (mg_predict_prompts){0};
    MG_TRY(mg_json_read(path, &tree));
    mg_status st = read_tree(&(source){path, dims}, tree, out);
    mg_json_free(&tree);
    if (st) mg_predict_free(out);
    return st;
}
