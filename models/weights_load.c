// A plan says for every tensor of a model where its values come from; running it reads them. Planning
// looks at names and shapes only, so everything that is wrong is known before the first value is read.
#include "models/weights_load.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/nn.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// --- shapes -----------------------------------------------------------------------------------------

static const char *shape_text(char text[128], const int64_t *dim, int ndim)
{
    int at = snprintf(text, 128, "[");

    for (int d = 0; d < ndim && at < 100; d++)
        at += snprintf(text + at, 128 - (size_t)at, "%s%" PRId64, d ? ", " : "", dim[d]);
    snprintf(text + at, 128 - (size_t)at, "]");
    return text;
}

static bool same_shape(const int64_t *a, int na, const int64_t *b, int nb)
{
    return na == nb && !memcmp(a, b, (size_t)na * sizeof *a);
}

// A table of absolute positions: [1, gh, gw, D], or [1, L, D] with a square grid, perhaps behind the row
// of a class token.
typedef struct {
    int cls, gh, gw, D;
} grid;

static bool grid_of(const int64_t *dim, int ndim, grid *g)
{
    for (int d = 0; d < ndim; d++)
        if (dim[d] < 1 || dim[d] > 1 << 24) return false;
    if (ndim == 4 && dim[0] == 1) {
        *g = (grid){0, (int)dim[1], (int)dim[2], (int)dim[3]};
        return true;
    }
    if (ndim != 3 || dim[0] != 1) return false;
    int rows = (int)dim[1], side = (int)lround(sqrt((double)rows));
    int cls = side * side != rows;
    side = (int)lround(sqrt((double)(rows - cls)));
    *g = (grid){cls, side, side, (int)dim[2]};
    return side > 0 && side * side + cls == rows;
}

static bool is_positions(const char *name)
{
    const char *at = strstr(name, "pos_embed");
    return at && !strcmp(at, "pos_embed");
}

static bool is_relative(const char *name)
{
    return strstr(name, ".attn.rel_pos_") != NULL;
}

// Filters of the patch embedding [D, C, p, p] (MAE's ViT-H has patches of 14, SAM's of 16).
static bool is_filters(const char *name)
{
    const char *at = strstr(name, "patch_embed.proj.weight");
    return at && !strcmp(at, "patch_embed.proj.weight");
}

// Can the source be resized to the target?
static bool is_resizable(const mg_param *t, const mg_tensor *s)
{
    grid from, to;

    if (is_filters(t->name))
        return s->ndim == 4 && t->ndim == 4 && s->dim[0] == t->dim[0] && s->dim[1] == t->dim[1] &&
               s->dim[2] >= 1 && s->dim[2] <= 1024 && s->dim[3] >= 1 && s->dim[3] <= 1024;
    if (is_relative(t->name))
        return s->ndim == 2 && t->ndim == 2 && s->dim[1] == t->dim[1] && s->dim[0] >= 1 &&
               s->dim[0] <= 1 << 24;
    return is_positions(t->name) && grid_of(s->dim, s->ndim, &from) &&
           grid_of(t->dim, t->ndim, &to) && from.D == to.D;
}

// The shape that the source of a step must have.
static int wanted_shape(const mg_param *t, mg_take_kind kind, int64_t dim[MG_TENSOR_DIMS])
{
    memcpy(dim, t->dim, (size_t)t->ndim * sizeof *dim);
    if (kind == MG_TAKE_THIRD) dim[0] *= 3;
    if (kind == MG_TAKE_JOIN) dim[0] /= 3;
    if (kind == MG_TAKE_TRANSPOSED && t->ndim == 2) dim[0] = t->dim[1], dim[1] = t->dim[0];
    return t->ndim;
}

// --- planning ---------------------------------------------------------------------------------------

mg_names mg_weights_names(const mg_weights *w)
{
    mg_names names = MG_NAMES_OTHER;

    for (int i = 0; i < mg_weights_count(w) && names == MG_NAMES_OTHER; i++)
        if (mg_weights_at(w, i)->key) names = mg_names_of(mg_weights_at(w, i)->key);
    return names;
}

mg_names mg_params_names(const mg_params *p)
{
    mg_names names = MG_NAMES_OTHER;

    for (int i = 0; i < p->count && names == MG_NAMES_OTHER; i++)
        names = mg_names_of(p->list[i].name);
    return names;
}

typedef struct {
    const mg_weights *w;
    const mg_params *p;
    const mg_load_how *how;
    mg_load_plan *plan;
    bool *used; // [tensors of the file]
} planner;

// Find the sources of a step; false if one is not there.
static bool find_sources(const mg_weights *w, const mg_take *take, mg_load_step *step)
{
    int count = take->kind == MG_TAKE_JOIN ? 3 : 1;

    for (int i = 0; i < 3; i++)
        step->source[i] = i < count ? mg_weights_find(w, take->name[i]) : -1;
    if (take->kind == MG_TAKE_SAME && step->source[0] < 0 && take->name[1][0])
        step->source[0] = mg_weights_find(w, take->name[1]);
    for (int i = 0; i < count; i++)
        if (step->source[i] < 0) return false;
    return true;
}

static mg_status note_shape(planner *k, const mg_tensor *s, const int64_t *dim, int ndim)
{
    char found[128], wanted[128], text[700];

    snprintf(text, sizeof text, "'%.200s' is %s, expected %s", s->name,
             shape_text(found, s->dim, s->ndim), shape_text(wanted, dim, ndim));
    return mg_texts_add(&k->plan->misshaped, text);
}

// Check the shapes of a step whose sources were found, and keep it if they fit.
static mg_status add_step(planner *k, mg_load_step step)
{
    const mg_param *t = &k->p->list[step.target];
    int64_t dim[MG_TENSOR_DIMS];
    int ndim = wanted_shape(t, step.kind, dim);

    for (int i = 0; i < 3; i++) {
        if (step.source[i] < 0) continue;
        const mg_tensor *s = mg_weights_at(k->w, step.source[i]);
        k->used[step.source[i]] = true;
        if (same_shape(s->dim, s->ndim, dim, ndim)) continue;
        if (step.kind != MG_TAKE_SAME || !is_resizable(t, s)) return note_shape(k, s, dim, ndim);
        step.resized = true;
    }
    if (step.resized && is_relative(t->name) && k->how->relpos_drop) {
        k->plan->fresh++;
        return MG_OK;
    }
    k->plan->resized += step.resized;
    k->plan->step[k->plan->steps++] = step;
    return MG_OK;
}

static mg_status plan_tensor(planner *k, int target)
{
    const char *name = k->p->list[target].name;
    mg_load_plan *plan = k->plan;
    mg_load_step step = {.target = target};
    mg_take take;

    bool table = is_positions(name) || is_relative(name);
    if (k->how->keep_rest && plan->from == MG_NAMES_MAE && table) {
        plan->fresh++;
        return MG_OK;
    }
    if (mg_names_take(plan->from, plan->to, name, &take)) {
        step.kind = take.kind;
        step.third = take.third;
        if (find_sources(k->w, &take, &step)) return add_step(k, step);
    }
    bool fine = plan->part || (!k->how->exact && mg_names_may_lack(plan->from, plan->to, name));
    if (!fine) return mg_texts_add(&plan->missing, name);
    plan->fresh++;
    return MG_OK;
}

static mg_status plan_all(planner *k)
{
    mg_load_plan *plan = k->plan;

    for (int i = 0; i < k->p->count; i++) MG_TRY(plan_tensor(k, i));
    for (int i = 0; i < mg_weights_count(k->w); i++) {
        const char *key = mg_weights_at(k->w, i)->key;
        if (!key || k->used[i]) continue;
        bool skipped = k->how->keep_rest && (is_positions(key) || is_relative(key));
        if (skipped || mg_names_may_ignore(plan->from, plan->to, key))
            plan->ignored++;
        else
            MG_TRY(mg_texts_add(&plan->extra, key));
    }
    MG_CHECK(plan->steps > 0, MG_ERR_FORMAT,
             "'%s' has nothing for this model: its names are of the kind %s, those of the model %s",
             mg_weights_path(k->w), mg_names_text(plan->from), mg_names_text(plan->to));
    return MG_OK;
}

mg_status mg_load_plan_make(const mg_weights *w, const mg_params *p, const mg_load_how *how,
                            mg_load_plan *plan)
{
    const char *part = mg_weights_note(w, "part");
    planner k = {w, p, how, plan, NULL};

    *plan = (mg_load_plan){.from = mg_weights_names(w), .to = mg_params_names(p)};
    plan->part = part && !strcmp(part, "trained");
    plan->step = mg_calloc((size_t)p->count + 1, sizeof *plan->step);
    k.used = mg_calloc((size_t)mg_weights_count(w) + 1, sizeof *k.used);
    mg_status st = plan->step && k.used
                       ? plan_all(&k)
                       : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a plan of tensors");
    mg_free(k.used);
    return st;
}

void mg_load_plan_free(mg_load_plan *plan)
{
    mg_free(plan->step);
    mg_texts_free(&plan->missing);
    mg_texts_free(&plan->extra);
    mg_texts_free(&plan->misshaped);
    *plan = (mg_load_plan){0};
}

// One line for each; as warnings where it goes on.
static void list(const char *fmt, const mg_texts *names, bool allowed)
{
    for (size_t i = 0; i < names->count; i++) (allowed ? mg_warn : mg_error)(fmt, names->item[i]);
}

mg_status mg_load_plan_check(const mg_load_plan *plan, const mg_weights *w, const mg_load_how *how)
{
    bool lacks = plan->missing.count + plan->misshaped.count > 0, extra = plan->extra.count > 0;

    list("missing '%s'", &plan->missing, how->allow_missing);
    list("shape of %s", &plan->misshaped, how->allow_missing);
    list("no place for '%s'", &plan->extra, how->allow_extra);
    MG_CHECK((!lacks || how->allow_missing) && (!extra || how->allow_extra), MG_ERR_FORMAT,
             "'%s' does not fit the model: %zu tensors are missing, %zu have another shape "
             "(--allow-missing to go on without them), %zu have no place (--allow-extra)",
             mg_weights_path(w), plan->missing.count, plan->misshaped.count, plan->extra.count);
    return MG_OK;
}

// --- running ----------------------------------------------------------------------------------------

static void transpose(float *out, const float *from, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) out[r * cols + c] = from[c * rows + r];
}

static mg_status resize(float *out, const float *from, int gh, int gw, int D, int gh2, int gw2,
                        mg_resize_kind kind)
{
    if (gh == gh2 && gw == gw2) {
        memcpy(out, from, (size_t)gh * gw * D * sizeof *out);
        return MG_OK;
    }
    float *scratch = mg_alloc(mg_resize_scratch(gh, gw, D, gh2, gw2) * sizeof *scratch);
    MG_CHECK(scratch, MG_ERR_MEMORY, "cannot allocate a position table");
    mg_resize_forward(out, from, gh, gw, D, gh2, gw2, kind, scratch);
    mg_free(scratch);
    return MG_OK;
}

// Each filter as a small picture, by the cubic rule.
static mg_status resize_filters(const mg_param *t, const mg_tensor *s, const float *from,
                                float *out)
{
    int Y = (int)s->dim[2], X = (int)s->dim[3], Y2 = (int)t->dim[2], X2 = (int)t->dim[3];
    mg_status st = MG_OK;

    for (int64_t i = 0; i < t->dim[0] * t->dim[1] && !st; i++)
        st = resize(out + (size_t)i * Y2 * X2, from + (size_t)i * Y * X, Y, X, 1, Y2, X2,
                    MG_RESIZE_CUBIC);
    return st;
}

// A position table onto the grid of the model. The row of a class token is kept where both have one.
static mg_status resize_table(const mg_load_how *how, const mg_param *t, const mg_tensor *s,
                              const float *from, float *out)
{
    bool linear = how->positions && !strcmp(how->positions, "bilinear");
    grid a, b;

    if (is_filters(t->name)) return resize_filters(t, s, from, out);
    if (is_relative(t->name))
        return resize(out, from, (int)s->dim[0], 1, (int)s->dim[1], (int)t->dim[0], 1,
                      MG_RESIZE_LINEAR);
    grid_of(s->dim, s->ndim, &a);
    grid_of(t->dim, t->ndim, &b);
    size_t row = (size_t)a.D;
    if (a.cls && b.cls) memcpy(out, from, row * sizeof *out);
    return resize(out + (b.cls ? row : 0), from + (a.cls ? row : 0), a.gh, a.gw, a.D, b.gh, b.gw,
                  linear ? MG_RESIZE_LINEAR : MG_RESIZE_CUBIC);
}

// Steps whose values do not go straight to their place.
static bool is_indirect(const mg_load_step *s)
{
    return s->resized || s->kind == MG_TAKE_THIRD || s->kind == MG_TAKE_TRANSPOSED;
}

static mg_status finish_step(const mg_load_how *how, const mg_load_step *s, const mg_param *t,
                             const mg_tensor *source, const float *from, float *out)
{
    if (s->resized) return resize_table(how, t, source, from, out);
    if (s->kind == MG_TAKE_TRANSPOSED)
        transpose(out, from, t->dim[0], t->dim[1]);
    else
        memcpy(out, from + (size_t)s->third * t->size, t->size * sizeof *out);
    return MG_OK;
}

// Everything is read in one call, since some files can only be read as a whole: tensors that are used
// as they are into their place, the others into `aside`.
static mg_status read_all(const mg_load_plan *plan, mg_weights *w, mg_params *p, float *aside,
                          mg_weights_want *want)
{
    int count = 0;

    for (int i = 0; i < plan->steps; i++) {
        const mg_load_step *s = &plan->step[i];
        float *out = mg_weight(p, s->target);
        for (int k = 0; k < 3 && s->source[k] >= 0; k++) {
            int64_t values = mg_weights_at(w, s->source[k])->count;
            want[count++] = (mg_weights_want){s->source[k], is_indirect(s) ? aside : out};
            *(is_indirect(s) ? &aside : &out) += values;
        }
    }
    return mg_weights_read_f32(w, want, count);
}

static mg_status check_finite(const mg_load_plan *plan, const mg_weights *w, const mg_params *p)
{
    for (int i = 0; i < plan->steps; i++) {
        const mg_param *t = &p->list[plan->step[i].target];
        const float *x = mg_weight(p, plan->step[i].target);
        double sum = 0; // finite if and only if every value is: no sum of floats overflows a double
#pragma omp simd reduction(+ : sum)
        for (size_t k = 0; k < t->size; k++) sum += (double)x[k];
        MG_CHECK(isfinite(sum), MG_ERR_NUMERIC, "'%s': '%s' has values that are not finite",
                 mg_weights_path(w), t->name);
    }
    return MG_OK;
}

mg_status mg_load_plan_run(const mg_load_plan *plan, mg_weights *w, const mg_load_how *how,
                           mg_params *p)
{
    size_t floats = 0;
    mg_status st = MG_OK;

    for (int i = 0; i < plan->steps; i++)
        if (is_indirect(&plan->step[i]))
            floats += (size_t)mg_weights_at(w, plan->step[i].source[0])->count;
    float *aside = mg_alloc((floats + 1) * sizeof *aside);
    mg_weights_want *want = mg_alloc((3 * (size_t)plan->steps + 1) * sizeof *want);
    if (!aside || !want)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu values of '%s'", floats,
                     mg_weights_path(w));
    if (!st) st = read_all(plan, w, p, aside, want);
    const float *from = aside;
    for (int i = 0; i < plan->steps && !st; i++) {
        const mg_load_step *s = &plan->step[i];
        if (!is_indirect(s)) continue;
        const mg_tensor *source = mg_weights_at(w, s->source[0]);
        st = finish_step(how, s, &p->list[s->target], source, from, mg_weight(p, s->target));
        from += source->count;
    }
    if (!st) st = check_finite(plan, w, p);
    mg_free(want);
    mg_free(aside);
    return st;
}

// --- all of it --------------------------------------------------------------------------------------

// A file of the trained part fits one base only.
static mg_status check_base(const mg_load_plan *plan, const mg_weights *w, const mg_load_how *how,
                            const mg_params *p)
{
    const char *expected = mg_weights_note(w, "base_xxh3");
    uint64_t hash = 0;
    char found[20];

    MG_CHECK(plan->part || !how->onto_base, MG_ERR_CONFIG,
             "'%s' holds a whole model, expected no base beside it", mg_weights_path(w));
    if (!plan->part) return MG_OK;
    MG_CHECK(!how->exact, MG_ERR_CONFIG,
             "'%s' holds only what was trained, expected the file that it was trained on as its "
             "base (--base FILE)",
             mg_weights_path(w));
    bool *rest = mg_calloc((size_t)p->count + 1, sizeof *rest);
    MG_CHECK(rest, MG_ERR_MEMORY, "cannot allocate a list of tensors");
    for (int i = 0; i < p->count; i++) rest[i] = true;
    for (int i = 0; i < plan->steps; i++) rest[plan->step[i].target] = false;
    mg_status st = mg_params_hash_of(p, rest, &hash);
    mg_free(rest);
    if (st) return st;
    snprintf(found, sizeof found, "%016" PRIx64, hash);
    MG_CHECK(expected && !strcmp(expected, found), MG_ERR_FORMAT,
             "'%s' holds only what was trained, on another base model than this one: the frozen "
             "weights have the hash %s, expected %s (the base is the file that it was trained "
             "from)",
             mg_weights_path(w), found, expected ? expected : "one in the file");
    return MG_OK;
}

// Initial values for what did not come from the file.
static mg_status init_rest(const mg_load_plan *plan, mg_params *p, uint64_t seed)
{
    bool *rest = mg_alloc(((size_t)p->count + 1) * sizeof *rest);

    MG_CHECK(rest, MG_ERR_MEMORY, "cannot allocate a list of tensors");
    for (int i = 0; i < p->count; i++) rest[i] = true;
    for (int i = 0; i < plan->steps; i++) rest[plan->step[i].target] = false;
    mg_params_init_of(p, seed, rest);
    mg_free(rest);
    return MG_OK;
}

mg_status mg_weights_fill(mg_weights *w, const mg_load_how *how, mg_params *p, mg_load_plan *plan)
{
    MG_TRY(mg_load_plan_make(w, p, how, plan));
    MG_TRY(mg_load_plan_check(plan, w, how));
    MG_TRY(check_base(plan, w, how, p));
    MG_TRY(mg_load_plan_run(plan, w, how, p));
    if (how->seed) MG_TRY(init_rest(plan, p, *how->seed));
    mg_info("weights %s names %s loaded %d resized %d fresh %zu unused %zu", mg_weights_path(w),
            mg_names_text(plan->from), plan->steps, plan->resized,
            (size_t)plan->fresh + plan->missing.count + plan->misshaped.count,
            (size_t)plan->ignored + plan->extra.count);
    return MG_OK;
}

static mg_status load(const char *path, const mg_load_how *how, mg_params *p)
{
    mg_weights *w = NULL;
    mg_load_plan plan = {0};

    MG_TRY(mg_weights_open(path, 0, &w));
    mg_status st = mg_weights_fill(w, how, p, &plan);
    mg_load_plan_free(&plan);
    mg_weights_close(&w);
    return st;
}

mg_status mg_weights_load(const mg_comm *world, const char *path, const mg_load_how *how,
                          mg_params *p)
{
    mg_status st = mg_comm_rank(world) == 0 ? load(path, how, p) : MG_OK;

    MG_TRY(mg_comm_agree(world, st));
    mg_comm_bcast(world, p->data, p->size * sizeof *p->data, 0);
    return MG_OK;
}
