// A step of pretraining. Which samples serve which objective:
//   sum     every sample serves all objectives
//   split   the sample at global position g serves objective g mod n of the n that have a weight
//   rotate  every sample serves objective (step mod n)
// e-Mix needs two looks at the batch: its vectors of all ranks are gathered before any gradient can
// be computed. A rank with several leaves makes them for all leaves first (`prepare`); a rank with
// one leaf keeps the activations of that pass, which share memory with the other objectives, and
// gathers inside the leaf.
#include "pretrain/pretrain_task.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pretrain/emix_exchange.h"
#include "pretrain/health.h"
#include "pretrain/pictures.h"
#include "runtime/mem.h"
#include "shard/source.h"

// Sums over the leaves of a step.
enum { LOSS, MAE, EMIX, SHED, HITS, TEXTURED, TEXTURED_COUNT, SCALARS };
static const char *const scalar_names[SCALARS] = {
    "loss", "loss_mae", "loss_emix", "loss_shed", "emix_hits", "textured", "textured_count"};
enum { OBJ_MAE, OBJ_EMIX, OBJ_SHED };

struct mg_pretrain_task {
    const mg_comm *world;
    mg_run *run;
    mg_pretrain_model *model;
    mg_pretrain_data *data;
    const mg_pretrain_settings *settings;
    mg_pretrain_mode mode;
    mg_loader *loader;
    mg_health *health;
    mg_task task;
    void **slots;            // of the step, borrowed from the loader
    const int64_t *samples;  // the same
    int local, leaf, leaves; // samples of this rank and of a leaf, leaves
    // e-Mix: the contrast set has `set` positions, `each` of them on this rank, `per_leaf` of a leaf
    int set, each, per_leaf;
    mg_emix_exchange *exchange;
    void *block;
    float *images;           // [local, 3, S, S]
    uint32_t *sample;        // [local]
    float *e, *de;           // [local, L, D], [leaf, L, D]
    int32_t *list[3];        // samples of a leaf for each objective; NULL list: all
    const float **own;       // [each]
    float *partner;          // [each, L, D]
    uint32_t *pi;            // [set]
    uint64_t *keys;          // [2 set]
    float *lam, *z, *zm;     // own rows, [each], [each, d]
    float *lam_all, *Z, *ZM; // [set], [set, d]
    float *dz, *dzm;         // [each, d]
    float *contrast;         // scratch
};

// --- who serves what --------------------------------------------------------------------------------

// The used objectives in their order; number `i` of them.
static int nth_used(const mg_objectives *o, int i)
{
    for (int k = 0; k < 3; k++)
        if (o->used[k] && i-- == 0) return k;
    return -1;
}

static mg_objectives objectives(const mg_pretrain_task *t)
{
    return mg_pretrain_objectives(t->settings, t->set);
}

// Does this step work on objective k at all?
static bool in_step(const mg_pretrain_task *t, const mg_step *step, int k)
{
    mg_objectives o = objectives(t);
    if (t->mode != MG_MODE_ROTATE) return o.used[k];
    return nth_used(&o, (int)(step->step % o.count)) == k;
}

// Global batch size of one objective.
static int64_t count_of(const mg_pretrain_task *t, const mg_step *step)
{
    return t->mode == MG_MODE_SPLIT ? step->batch / objectives(t).count : step->batch;
}

// Samples of a leaf that serve objective k: NULL for all of them.
static const int32_t *list_of(const mg_pretrain_task *t, int k)
{
    return t->mode == MG_MODE_SPLIT ? t->list[k] : NULL;
}

static void fill_lists(mg_pretrain_task *t)
{
    mg_objectives o = objectives(t);
    for (int n = 0; n < o.count; n++)
        for (int i = 0; i < t->leaf / o.count; i++) // leaves start at multiples of their size
            t->list[nth_used(&o, n)][i] = i * o.count + n;
}

static int served(const mg_pretrain_task *t)
{
    return t->mode == MG_MODE_SPLIT ? t->leaf / objectives(t).count : t->leaf;
}

// --- creation ---------------------------------------------------------------------------------------

static void place(mg_layout *at, mg_pretrain_task *t)
{
    const mg_pretrain_model *m = t->model;
    size_t map = (size_t)m->L * m->cfg.vit.D, d = (size_t)m->cfg.emix_dim;
    bool embeds = m->cfg.use_emix || m->cfg.use_shed;

    t->images = mg_place(at, (size_t)t->local * mg_pretrain_floats(t->data));
    t->sample = mg_place_bytes(at, (size_t)t->local * sizeof *t->sample);
    t->e = mg_place(at, embeds ? t->local * map : 0);
    t->de = mg_place(at, embeds ? t->leaf * map : 0);
    for (int k = 0; k < 3; k++) t->list[k] = mg_place_bytes(at, (size_t)t->leaf * sizeof(int32_t));
    if (!m->cfg.use_emix) return;
    t->own = mg_place_bytes(at, (size_t)t->each * sizeof *t->own);
    t->partner = mg_place(at, t->each * map);
    t->pi = mg_place_bytes(at, (size_t)t->set * sizeof *t->pi);
    t->keys = mg_place_bytes(at, 2 * (size_t)t->set * sizeof *t->keys);
    t->lam = mg_place(at, (size_t)t->each);
    t->z = mg_place(at, t->each * d);
    t->zm = mg_place(at, t->each * d);
    t->lam_all = mg_place(at, (size_t)t->set);
    t->Z = mg_place(at, t->set * d);
    t->ZM = mg_place(at, t->set * d);
    t->dz = mg_place(at, t->each * d);
    t->dzm = mg_place(at, t->each * d);
    t->contrast = mg_place(at, mg_emix_contrast_scratch(t->set, m->cfg.emix_dim));
}

// Who is asked for what, before anything is placed.
static void set_sizes(mg_pretrain_task *t, mg_pretrain_model *model, mg_pretrain_data *data,
                      const mg_pretrain_settings *settings, const mg_step *share)
{
    t->model = model;
    t->data = data;
    t->settings = settings;
    t->mode = mg_pretrain_mode_of(settings);
    t->local = (int)(share->hi - share->lo);
    t->leaf = (int)share->leaf_size;
    t->leaves = share->leaves;
    int parts = t->mode == MG_MODE_SPLIT ? mg_pretrain_objectives(settings, 2).count : 1;
    t->set = (int)share->batch / parts;
    t->each = t->local / parts;
    t->per_leaf = t->leaf / parts;
}

size_t mg_pretrain_task_bytes(mg_pretrain_model *model, mg_pretrain_data *data,
                              const mg_pretrain_settings *settings, const mg_step *share)
{
    mg_pretrain_task t = {0};
    mg_layout at = {0};

    set_sizes(&t, model, data, settings, share);
    place(&at, &t);
    if (!model->cfg.use_emix) return at.used;
    return at.used + mg_emix_exchange_bytes(t.each, (size_t)model->L * model->cfg.vit.D);
}

static mg_status allocate(mg_pretrain_task *t)
{
    mg_layout measure = {0};

    place(&measure, t);
    t->block = mg_alloc(measure.used);
    MG_CHECK(t->block, MG_ERR_MEMORY, "cannot allocate %zu bytes for the samples of a step",
             measure.used);
    mg_layout at = {.base = t->block};
    place(&at, t);
    fill_lists(t);
    return MG_OK;
}

// --- e-Mix ------------------------------------------------------------------------------------------

static mg_pretrain_leaf leaf_of(mg_pretrain_task *t, const mg_step *step, int which)
{
    size_t map = (size_t)t->model->L * t->model->cfg.vit.D, first = (size_t)which * t->leaf;

    return (mg_pretrain_leaf){.images = t->images + first * mg_pretrain_floats(t->data),
                              .sample = t->sample + first,
                              .n = t->leaf,
                              .seed = step->seed,
                              .epoch = (uint32_t)step->epoch,
                              .e = t->e + first * map,
                              .de = t->de};
}

// Partner embeddings of this rank's positions. Collective.
static void exchange(mg_pretrain_task *t, const mg_step *step)
{
    size_t map = (size_t)t->model->L * t->model->cfg.vit.D;
    const int32_t *list = list_of(t, OBJ_EMIX);

    mg_emix_pairs(t->pi, step->seed, (uint32_t)step->epoch, (uint32_t)step->step_in_epoch, t->set,
                  t->keys);
    for (int i = 0; i < t->each; i++) {
        int leaf = i / t->per_leaf, at = i % t->per_leaf;
        t->own[i] = t->e + ((size_t)leaf * t->leaf + (size_t)(list ? list[at] : at)) * map;
    }
    mg_emix_exchange_run(t->exchange, t->pi, t->own, t->partner);
}

static int slot_of(const mg_pretrain_task *t, int which)
{
    return t->model->cfg.emix_slots > 1 ? which : 0;
}

static const float *partner_of(const mg_pretrain_task *t, int which)
{
    return t->partner + (size_t)which * t->per_leaf * t->model->L * t->model->cfg.vit.D;
}

// First pass of a leaf: its rows of z, zm, lam.
static void emix_first(mg_pretrain_task *t, const mg_step *step, int which)
{
    mg_pretrain_leaf leaf = leaf_of(t, step, which);
    size_t row = (size_t)which * t->per_leaf, d = (size_t)t->model->cfg.emix_dim;

    mg_pretrain_emix_forward(t->model, slot_of(t, which), &leaf, list_of(t, OBJ_EMIX), t->per_leaf,
                             partner_of(t, which), t->lam + row, t->z + row * d, t->zm + row * d);
}

// The vectors of all ranks. Collective.
static void gather(mg_pretrain_task *t)
{
    size_t rows = (size_t)t->each, bytes = rows * (size_t)t->model->cfg.emix_dim * sizeof(float);

    mg_comm_allgather(t->world, t->lam, rows * sizeof(float), t->lam_all);
    mg_comm_allgather(t->world, t->z, bytes, t->Z);
    mg_comm_allgather(t->world, t->zm, bytes, t->ZM);
}

// Second pass of a leaf: its rows of the contrast, then back through both passes.
static void emix_second(mg_pretrain_task *t, const mg_step *step, int which, double weight,
                        float *grads, double *scalars, const mg_ready *ready)
{
    mg_pretrain_leaf leaf = leaf_of(t, step, which);
    size_t row = (size_t)which * t->per_leaf, d = (size_t)t->model->cfg.emix_dim;
    int lo = mg_comm_rank(t->world) * t->each + which * t->per_leaf;
    mg_emix_loss loss =
        mg_emix_contrast(t->dz + row * d, t->dzm + row * d, t->Z, t->ZM, t->lam_all, t->pi, t->set,
                         (int)d, t->model->cfg.emix_tau, t->model->cfg.emix_batch_mean, weight, lo,
                         lo + t->per_leaf, t->contrast);

    scalars[EMIX] += loss.loss;
    scalars[LOSS] += weight * loss.loss;
    scalars[HITS] += (double)loss.hits;
    mg_pretrain_emix_backward(t->model, slot_of(t, which), &leaf, list_of(t, OBJ_EMIX), t->per_leaf,
                              partner_of(t, which), t->lam + row, t->dz + row * d, t->dzm + row * d,
                              grads, ready);
}

// --- the trainer's calls ----------------------------------------------------------------------------

static mg_status fetch(void *self, const mg_step *step, double *wait_s)
{
    mg_pretrain_task *t = self;
    size_t floats = mg_pretrain_floats(t->data);

    MG_TRY(mg_loader_next(t->loader, step->epoch, step->step_in_epoch, &t->slots, &t->samples,
                          wait_s));
    for (int i = 0; i < t->local; i++) {
        memcpy(t->images + (size_t)i * floats, t->slots[i], floats * sizeof(float));
        t->sample[i] = (uint32_t)t->samples[i];
    }
    return MG_OK;
}

// Objectives but MAE alone start from embeddings of all patches.
static bool embeds(const mg_pretrain_task *t, const mg_step *step)
{
    return in_step(t, step, OBJ_EMIX) || in_step(t, step, OBJ_SHED);
}

static mg_status prepare(void *self, const mg_step *step)
{
    mg_pretrain_task *t = self;
    size_t map = (size_t)t->model->L * t->model->cfg.vit.D;

    if (!embeds(t, step)) return MG_OK;
    for (int i = 0; i < t->leaves; i++)
        mg_pretrain_embed(t->model, t->e + (size_t)i * t->leaf * map, leaf_of(t, step, i).images,
                          t->leaf);
    if (!in_step(t, step, OBJ_EMIX)) return MG_OK;
    exchange(t, step);
    if (t->leaves == 1) return MG_OK;
    for (int i = 0; i < t->leaves; i++) emix_first(t, step, i);
    gather(t);
    return MG_OK;
}

static void run_mae(mg_pretrain_task *t, const mg_step *step, const mg_pretrain_leaf *leaf,
                    double weight, float *grads, double *scalars, const mg_ready *ready)
{
    mg_mae_loss loss = mg_pretrain_mae(t->model, leaf, list_of(t, OBJ_MAE), served(t),
                                       count_of(t, step), weight, grads, ready);
    scalars[MAE] += loss.loss;
    scalars[LOSS] += weight * loss.loss;
    scalars[TEXTURED] += loss.textured_sum;
    scalars[TEXTURED_COUNT] += (double)loss.textured;
}

static void run_shed(mg_pretrain_task *t, const mg_step *step, const mg_pretrain_leaf *leaf,
                     double weight, float *grads, double *scalars, const mg_ready *ready)
{
    mg_shed_loss loss = mg_pretrain_shed(t->model, leaf, list_of(t, OBJ_SHED), served(t),
                                         count_of(t, step), weight, grads, ready);
    scalars[SHED] += loss.loss;
    scalars[LOSS] += weight * loss.loss;
}

static mg_status leaf(void *self, const mg_step *step, int which, float *grads, double *scalars,
                      const mg_ready *ready)
{
    mg_pretrain_task *t = self;
    mg_objectives o = objectives(t);
    mg_pretrain_leaf work = leaf_of(t, step, which);
    bool all = embeds(t, step), mae = in_step(t, step, OBJ_MAE);
    bool emix = in_step(t, step, OBJ_EMIX), shed = in_step(t, step, OBJ_SHED);

    if (!all) {
        work.e = work.de = NULL;
        run_mae(t, step, &work, o.weight[OBJ_MAE], grads, scalars, ready);
        return MG_OK;
    }
    memset(t->de, 0, (size_t)t->leaf * t->model->L * t->model->cfg.vit.D * sizeof *t->de);
    // The last objective to touch the encoder tells which gradients are final.
    if (mae) run_mae(t, step, &work, o.weight[OBJ_MAE], grads, scalars, NULL);
    if (shed) run_shed(t, step, &work, o.weight[OBJ_SHED], grads, scalars, emix ? NULL : ready);
    if (emix) {
        if (t->leaves == 1) {
            emix_first(t, step, which);
            gather(t);
        }
        emix_second(t, step, which, o.weight[OBJ_EMIX], grads, scalars, ready);
    }
    mg_pretrain_embed_backward(t->model, &work, grads);
    return MG_OK;
}

static void record(void *self, const mg_step *step, const double *scalars, mg_json *out)
{
    mg_pretrain_task *t = self;

    mg_json_put_real(out, "loss", scalars[LOSS]);
    if (in_step(t, step, OBJ_MAE)) {
        mg_json_put_real(out, "loss_mae", scalars[MAE]);
        mg_json_put_real(out, "loss_mae_textured",
                         scalars[TEXTURED_COUNT] > 0 ? scalars[TEXTURED] / scalars[TEXTURED_COUNT]
                                                     : NAN);
    }
    if (in_step(t, step, OBJ_EMIX)) {
        mg_json_put_real(out, "loss_emix", scalars[EMIX]);
        mg_json_put_real(out, "emix_accuracy", scalars[HITS] / t->set);
    }
    if (in_step(t, step, OBJ_SHED)) mg_json_put_real(out, "loss_shed", scalars[SHED]);
}

static void progress(void *self, const double *scalars, char *text, size_t room)
{
    mg_pretrain_task *t = self;
    mg_objectives o = objectives(t);
    int used = snprintf(text, room, "loss %.4f", scalars[LOSS]);

    for (int k = 0; k < 3; k++)
        if (o.used[k] && scalars[MAE + k] != 0)
            used += snprintf(text + used, room - (size_t)used, " %s %.4f",
                             scalar_names[MAE + k] + strlen("loss_"), scalars[MAE + k]);
}

static mg_status after(void *self, const mg_step *step)
{
    mg_pretrain_task *t = self;
    const mg_pretrain_settings *s = t->settings;
    int64_t done = step->step + 1;
    bool look = s->health_every ? done % s->health_every == 0
                                : step->step_in_epoch + 1 == step->steps_per_epoch;

    if (look) MG_TRY(mg_health_measure(t->health, done, t->run));
    if (s->pictures_every && done % s->pictures_every == 0 && t->model->cfg.use_mae)
        return mg_pretrain_write_pictures(t->world, t->run, t->model, t->data, s, done);
    return MG_OK;
}

static char *describe(void *self, const mg_step *step, int which)
{
    mg_pretrain_task *t = self;
    return mg_source_names(t->data->reader, t->samples + which * step->leaf_size, step->leaf_size,
                           8);
}

static mg_status open_parts(mg_pretrain_task *t, const mg_step *share)
{
    size_t map = (size_t)t->model->L * t->model->cfg.vit.D;
    mg_loader_plan plan = {.produce = mg_pretrain_produce,
                           .ctx = t->data,
                           .slot_bytes = mg_pretrain_floats(t->data) * sizeof(float),
                           .lo = share->lo,
                           .hi = share->hi,
                           .ahead = (int)t->settings->data.ahead,
                           .threads = (int)t->settings->data.threads,
                           .seed = share->seed,
                           .samples = t->task.samples,
                           .batch = share->batch};

    MG_TRY(allocate(t));
    MG_TRY(mg_health_create(t->world, t->model, t->data, t->settings, &t->health));
    if (t->model->cfg.use_emix) {
        MG_CHECK(t->set >= 2, MG_ERR_CONFIG,
                 "e-Mix compares %d sample per step, expected at least 2 (train.batch)", t->set);
        MG_TRY(mg_emix_exchange_create(t->world, t->set, map, &t->exchange));
    }
    if (t->task.samples >= share->batch) MG_TRY(mg_loader_open(&plan, &t->loader));
    return MG_OK;
}

mg_status mg_pretrain_task_create(const mg_comm *world, mg_run *run, mg_pretrain_model *model,
                                  mg_pretrain_data *data, const mg_pretrain_settings *settings,
                                  const mg_step *share, const char *yaml, mg_pretrain_task **out)
{
    mg_pretrain_task *t = mg_calloc(1, sizeof *t);

    *out = NULL;
    MG_CHECK(t, MG_ERR_MEMORY, "cannot allocate a task");
    t->world = world;
    t->run = run;
    set_sizes(t, model, data, settings, share);
    t->task = (mg_task){.self = t,
                        .params = &model->params,
                        .samples = mg_reader_count(data->reader),
                        .needs_more = model->cfg.use_emix,
                        .scalars = SCALARS,
                        .scalar_name = scalar_names,
                        .losses = SHED + 1,
                        .fetch = fetch,
                        .prepare = prepare,
                        .leaf = leaf,
                        .record = record,
                        .progress = progress,
                        .after = after,
                        .describe = describe,
                        .kind = "pretrain",
                        .config = yaml};
    mg_status st = open_parts(t, share);
    if (st)
        mg_pretrain_task_destroy(&t);
    else
        *out = t;
    return st;
}

void mg_pretrain_task_destroy(mg_pretrain_task **task)
{
    mg_pretrain_task *t = *task;

    if (!t) return;
    mg_loader_close(&t->loader);
    mg_emix_exchange_destroy(&t->exchange);
    mg_health_destroy(&t->health);
    mg_free(t->block);
    mg_free(t);
    *task = NULL;
}

const mg_task *mg_pretrain_task_trainer(mg_pretrain_task *t)
{
    return &t->task;
}
