// The step loop (docs/architecture.md walks through one step of it).
#include "models/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/grad_tree.h"
#include "models/train_state.h"
#include "nn/optim.h"
#include "runtime/log.h"
#include "runtime/mem.h"

enum { MAX_SCALARS = 64, MAX_LEVELS = 24 };

typedef struct {
    const mg_comm *world;
    mg_run *run;
    const mg_train_config *config;
    const mg_task *task;
    mg_train_state state;
    mg_grad_tree *tree;
    mg_step step;
    int64_t total; // steps of the run
    mg_segment *segment;
    int segments;
    double scalars[MAX_SCALARS];
    double wait_data_s, wait_sums_s, norm;
} loop;

// --- set-up -----------------------------------------------------------------------------------------

// One segment per trained tensor: where it lies among weights and gradients, and whether it decays.
static mg_status make_segments(loop *l)
{
    const mg_params *p = l->task->params;

    l->segment = mg_calloc((size_t)p->count, sizeof *l->segment);
    MG_CHECK(l->segment, MG_ERR_MEMORY, "cannot allocate the optimizer's table");
    for (int i = 0; i < p->count; i++) {
        const mg_param *t = &p->list[i];
        if (!t->trainable) continue;
        l->segment[l->segments++] =
            (mg_segment){t->offset, t->grad, t->size, t->decay ? (float)l->config->decay : 0};
    }
    return MG_OK;
}

static mg_status set_up(loop *l)
{
    const mg_train_config *c = l->config;

    MG_CHECK(l->task->samples >= c->batch, MG_ERR_CONFIG,
             "train.batch is %lld, but there are only %lld samples", (long long)c->batch,
             (long long)l->task->samples);
    MG_CHECK(c->batch > 1 || !l->task->needs_more, MG_ERR_CONFIG,
             "train.batch is 1, but this objective compares samples of a batch");
    MG_CHECK(l->task->params->trainable_size > 0, MG_ERR_CONFIG, "no parameter is trained");
    mg_train_share(mg_comm_rank(l->world), mg_comm_size(l->world), c, &l->step);
    l->step.steps_per_epoch = l->task->samples / c->batch;
    l->total = c->steps ? c->steps : c->epochs * l->step.steps_per_epoch;
    mg_status st = make_segments(l);
    if (!st) st = mg_train_state_create(l->world, c, l->task, &l->state);
    st = mg_comm_agree(l->world, st);
    if (st) return st;
    MG_TRY(mg_grad_tree_create(l->world, c->reduce[0] == 'e', l->task->params->trainable_size,
                               l->step.leaves, &l->tree));
    return mg_train_state_resume(l->world, l->run, c, &l->state);
}

static void take_down(loop *l)
{
    mg_grad_tree_destroy(&l->tree);
    mg_train_state_free(&l->state);
    mg_free(l->segment);
}

// --- one step ---------------------------------------------------------------------------------------

static double rate_at(const loop *l)
{
    const mg_train_config *c = l->config;
    double epochs = (double)l->total / (double)l->step.steps_per_epoch;
    mg_schedule schedule = {.peak = c->scale_lr ? c->lr * (double)c->batch / 256 : c->lr,
                            .min = c->min_lr,
                            .warm_up = c->warmup * epochs,
                            .epochs = epochs,
                            .constant = strcmp(c->rate, "constant") == 0};

    return mg_schedule_rate(&schedule, l->step.epoch, l->step.step_in_epoch,
                            l->step.steps_per_epoch);
}

// Scalars of leaf `i` join the binary counter as the gradients do; after the last leaf the sum of
// all lies in l->scalars.
static void add_scalars(loop *l, double level[][MAX_SCALARS], bool *used, int i, double *leaf)
{
    int n = l->task->scalars, at = 0;

    for (; at < MAX_LEVELS && (used[at] || i == l->step.leaves - 1); at++) {
        if (!used[at]) continue;
        for (int k = 0; k < n; k++) leaf[k] = level[at][k] + leaf[k];
        used[at] = false;
    }
    if (i == l->step.leaves - 1) {
        memcpy(l->scalars, leaf, (size_t)n * sizeof *leaf);
        return;
    }
    memcpy(level[at], leaf, (size_t)n * sizeof *leaf);
    used[at] = true;
}

static mg_status check_leaf(loop *l, int leaf, const double *scalars)
{
    for (int k = 0; k < l->task->losses; k++) {
        if (isfinite(scalars[k])) continue;
        char *who = l->task->describe(l->task->self, &l->step, leaf);
        mg_status st =
            MG_FAIL(MG_ERR_NUMERIC,
                    "%s is %g at step %lld of epoch %lld; samples of this leaf: %s; the "
                    "last checkpoint is kept",
                    l->task->scalar_name[k], isnan(scalars[k]) ? NAN : scalars[k],
                    (long long)l->step.step_in_epoch, (long long)l->step.epoch, who ? who : "?");
        mg_free(who);
        return st;
    }
    return MG_OK;
}

// All leaves of this rank; the first failure is kept, and the sums over ranks are still joined so
// that no other rank waits for ever.
static mg_status run_leaves(loop *l)
{
    double level[MAX_LEVELS][MAX_SCALARS], scalars[MAX_SCALARS];
    bool used[MAX_LEVELS] = {false};
    mg_ready ready = {mg_grad_tree_ready, l->tree};
    mg_status st = MG_OK;

    for (int i = 0; i < l->step.leaves; i++) {
        float *grads = mg_grad_tree_leaf(l->tree, i);
        memset(scalars, 0, sizeof scalars);
        if (!st) st = l->task->leaf(l->task->self, &l->step, i, grads, scalars, &ready);
        if (!st) st = check_leaf(l, i, scalars);
        mg_grad_tree_done(l->tree);
        add_scalars(l, level, used, i, scalars);
    }
    return st;
}

static mg_status update(loop *l, double rate)
{
    const mg_train_config *c = l->config;
    const mg_params *p = l->task->params;
    float *grads = mg_grad_tree_sum(l->tree, &l->wait_sums_s);

    l->norm = mg_grad_norm(grads, p->trainable_size);
    MG_CHECK(isfinite(l->norm), MG_ERR_NUMERIC,
             "the gradient norm is %g at step %lld; the last checkpoint is kept", fabs(l->norm),
             (long long)l->step.step);
    mg_adamw how = {c->beta1, c->beta2, c->eps};
    mg_moments_update(&l->state.moments, grads, l->segment, l->segments, &how, l->step.step + 1,
                      rate, mg_clip_coefficient(l->norm, c->clip));
    return MG_OK;
}

static mg_status log_step(loop *l, double rate, double step_s)
{
    mg_json *record = mg_json_object();

    mg_json_put_int(record, "step", l->step.step + 1);
    mg_json_put_int(record, "epoch", l->step.epoch);
    l->task->record(l->task->self, &l->step, l->scalars, record);
    mg_json_put_real(record, "lr", rate);
    mg_json_put_real(record, "grad_norm", l->norm);
    mg_json_put_real(record, "step_s", step_s);
    mg_json_put_real(record, "samples_per_s", (double)l->step.batch / step_s);
    mg_json_put_real(record, "wait_data_share", l->wait_data_s / step_s);
    mg_json_put_real(record, "wait_sums_share", l->wait_sums_s / step_s);
    mg_json_put_real(record, "rss_mb", (double)mg_mem_peak_rss() / 1e6);
    return mg_run_metrics(l->run, record);
}

static void show_progress(loop *l, double rate, double step_s)
{
    char text[512] = "";

    if ((l->step.step + 1) % l->config->log_every && l->step.step + 1 != l->total) return;
    if (mg_comm_rank(l->world) == 0)
        l->task->progress(l->task->self, l->scalars, text, sizeof text);
    mg_progress(l->step.step + 1, l->total, "step %lld epoch %lld %s lr %.3g samples_per_s %.1f",
                (long long)l->step.step + 1, (long long)l->step.epoch, text, rate,
                (double)l->step.batch / step_s);
}

static mg_status one_step(loop *l)
{
    const mg_task *t = l->task;
    double start = mg_now();

    l->step.step = l->state.step;
    l->step.epoch = l->step.step / l->step.steps_per_epoch;
    l->step.step_in_epoch = l->step.step % l->step.steps_per_epoch;
    double rate = rate_at(l);
    MG_TRY(mg_comm_agree(l->world, t->fetch(t->self, &l->step, &l->wait_data_s)));
    if (t->prepare) MG_TRY(mg_comm_agree(l->world, t->prepare(t->self, &l->step)));
    MG_TRY(mg_comm_agree(l->world, run_leaves(l)));
    mg_comm_sum_tree(l->world, l->scalars, t->scalars);
    MG_TRY(mg_comm_agree(l->world, update(l, rate)));
    l->state.step++;
    double step_s = mg_now() - start;
    MG_TRY(mg_comm_agree(l->world, log_step(l, rate, step_s)));
    show_progress(l, rate, step_s);
    if (t->after) MG_TRY(mg_comm_agree(l->world, t->after(t->self, &l->step)));
    return MG_OK;
}

// --- the loop ---------------------------------------------------------------------------------------

static mg_status run_to_end(loop *l)
{
    int64_t start = l->state.step, saved = start;

    while (l->state.step < l->total) {
        MG_TRY(one_step(l));
        bool stop = mg_stop_agreed(l->world);
        bool end = l->state.step == l->total;
        if (stop || end || l->state.step - saved >= l->config->save_every) {
            MG_TRY(mg_train_state_save(l->world, l->run, l->config, &l->state));
            saved = l->state.step;
        }
        if (stop && !end) {
            mg_progress_end();
            mg_info("stopped on a signal after checkpoint step %lld; the same command goes on",
                    (long long)saved);
            return MG_ERR_STOPPED;
        }
    }
    mg_progress_end();
    return mg_train_save_weights(l->world, l->run, l->task, l->state.step > start);
}

mg_status mg_train(const mg_comm *world, mg_run *run, const mg_train_config *config,
                   const mg_task *task)
{
    loop l = {.world = world, .run = run, .config = config, .task = task};
    mg_status st = mg_train_check(mg_comm_size(world), config);

    if (!st)
        st = mg_comm_agree(world,
                           mg_params_precision(task->params, "train.precision", config->precision));
    if (!st) st = set_up(&l);
    if (!st) {
        mg_info("train steps %lld of %lld batch %lld ranks %d leaves_per_rank %d leaf_size %lld "
                "parameters %lld trained %lld (%.1f %%)",
                (long long)l.state.step, (long long)l.total, (long long)config->batch,
                mg_comm_size(world), l.step.leaves, (long long)l.step.leaf_size,
                (long long)mg_params_total(task->params),
                (long long)mg_params_trainable(task->params),
                100.0 * (double)mg_params_trainable(task->params) /
                    (double)mg_params_total(task->params));
        st = run_to_end(&l);
    }
    take_down(&l);
    return st;
}
