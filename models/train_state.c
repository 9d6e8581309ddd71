// Checkpoint arrays of a run: "params/<name>" for every tensor (frozen ones and fixed tables too),
// "moments/m/<name>" and "moments/v/<name>" for the trained ones; facts: kind, step, seed, batch and
// the configuration that rebuilds the model.
#include "models/train_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/gemm.h"
#include "runtime/log.h"
#include "runtime/mem.h"

static mg_status add_array(mg_train_state *s, const char *prefix, int tensor, float *data)
{
    const mg_param *t = &s->task->params->list[tensor];
    mg_ckpt_array *a = &s->array[s->arrays];
    char *name = mg_sprintf("%s%s", prefix, t->name);

    MG_CHECK(name, MG_ERR_MEMORY, "cannot allocate a name");
    s->tensor[s->arrays] = tensor;
    s->name[s->arrays++] = name;
    *a = (mg_ckpt_array){.name = name, .data = data, .ndim = t->ndim};
    memcpy(a->dim, t->dim, sizeof a->dim);
    return MG_OK;
}

// Is an array one of moments, and of the second ones? Behind the weights m and v take turns.
static bool is_moment(const mg_train_state *s, int i, bool *second)
{
    int before = s->task->params->count;

    *second = (i - before) % 2 == 1;
    return i >= before;
}

static void bring_moments(void *ctx, int i)
{
    mg_train_state *s = ctx;
    bool second;

    if (is_moment(s, i, &second)) mg_moments_bring(&s->moments, s->tensor[i], second);
}

static void take_moments(void *ctx, int i)
{
    mg_train_state *s = ctx;
    bool second;

    if (is_moment(s, i, &second)) mg_moments_take(&s->moments, s->tensor[i], second);
}

mg_status mg_train_state_create(const mg_comm *world, const mg_train_config *config,
                                const mg_task *task, mg_train_state *s)
{
    const mg_params *p = task->params;
    size_t room = 3 * (size_t)p->count;
    mg_moments *o = &s->moments;

    *s = (mg_train_state){.task = task, .parts = {s, bring_moments, take_moments}};
    MG_TRY(mg_moments_create(world, task->params, config->shard, o));
    s->array = mg_calloc(room, sizeof *s->array);
    s->name = mg_calloc(room, sizeof *s->name);
    s->tensor = mg_calloc(room, sizeof *s->tensor);
    MG_CHECK(s->array && s->name && s->tensor, MG_ERR_MEMORY,
             "cannot allocate the table of a checkpoint");
    for (int i = 0; i < p->count; i++) MG_TRY(add_array(s, "params/", i, mg_weight(p, i)));
    for (int i = 0; i < p->count; i++) {
        size_t at = p->list[i].grad;
        if (!p->list[i].trainable) continue;
        MG_TRY(add_array(s, "moments/m/", i, o->piece ? o->piece : o->m + at));
        MG_TRY(add_array(s, "moments/v/", i, o->piece ? o->piece : o->v + at));
    }
    return MG_OK;
}

// What a checkpoint of it consists of.
static mg_ckpt contents(const mg_train_state *s, mg_ckpt_fact *facts, int count)
{
    return (mg_ckpt){.array = s->array,
                     .arrays = s->arrays,
                     .fact = facts,
                     .facts = count,
                     .parts = s->moments.piece ? &s->parts : NULL};
}

void mg_train_state_free(mg_train_state *s)
{
    for (int i = 0; i < s->arrays; i++) mg_free(s->name[i]);
    mg_free(s->name);
    mg_free(s->array);
    mg_free(s->tensor);
    mg_moments_free(&s->moments);
    *s = (mg_train_state){0};
}

// A checkpoint to go on from has no other numbers.
static mg_status check_finite(const mg_train_state *s)
{
    const mg_params *p = s->task->params;

    for (int i = 0; i < p->count; i++) {
        const float *weight = mg_weight(p, i);
        for (size_t k = 0; k < p->list[i].size; k++)
            MG_CHECK(isfinite(weight[k]), MG_ERR_NUMERIC,
                     "'%s' has a value %g after step %lld; the last checkpoint is kept",
                     p->list[i].name, fabs(weight[k]), (long long)s->step);
    }
    return MG_OK;
}

mg_status mg_train_state_save(const mg_comm *world, mg_run *run, const mg_train_config *config,
                              const mg_train_state *s)
{
    char step[32], seed[32], batch[32];
    mg_ckpt_fact facts[] = {{"kind", (char *)s->task->kind},
                            {"config", (char *)s->task->config},
                            {"step", step},
                            {"seed", seed},
                            {"batch", batch},
                            {"version", (char *)mg_version()}};
    mg_ckpt what = contents(s, facts, sizeof facts / sizeof *facts);

    snprintf(step, sizeof step, "%lld", (long long)s->step);
    snprintf(seed, sizeof seed, "%lld", (long long)config->seed);
    snprintf(batch, sizeof batch, "%lld", (long long)config->batch);
    MG_TRY(mg_comm_agree(world, check_finite(s)));
    // A checkpoint counts only once the metrics that lead up to it are safe.
    MG_TRY(mg_comm_agree(world, mg_run_metrics_sync(run)));
    char *dir = mg_run_file(run, "checkpoints");
    mg_status st = dir ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
    st = mg_comm_agree(world, st);
    if (!st) st = mg_ckpt_save(world, dir, s->step, &what, (int)config->keep);
    mg_free(dir);
    return st;
}

// Path of the newest checkpoint on all ranks ("" if none).
static mg_status find_newest(const mg_comm *world, mg_run *run, char path[4096])
{
    mg_status st = MG_OK;

    path[0] = '\0';
    if (mg_comm_rank(world) == 0) {
        char *dir = mg_run_file(run, "checkpoints"), *newest = NULL;
        st = dir ? mg_ckpt_newest(dir, &newest) : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
        if (!st && newest) snprintf(path, 4096, "%s", newest);
        mg_free(newest);
        mg_free(dir);
    }
    st = mg_comm_agree(world, st);
    if (!st) mg_comm_bcast(world, path, 4096, 0);
    return st;
}

mg_status mg_train_state_resume(const mg_comm *world, mg_run *run, const mg_train_config *config,
                                mg_train_state *s)
{
    mg_ckpt want = contents(s, NULL, 0);
    mg_ckpt_fact *facts = NULL;
    int count = 0;
    char path[4096];

    mg_run_fact(run, "blas", mg_gemm_library());
    MG_TRY(find_newest(world, run, path));
    if (!path[0]) {
        mg_info("resume none: starting at step 0");
        return mg_comm_agree(world, mg_run_metrics_cut(run, 0));
    }
    mg_status st = mg_ckpt_load(world, path, &want, &facts, &count);
    if (st) return st;
    s->step = mg_ckpt_fact_int(facts, count, "step", -1);
    int64_t seed = mg_ckpt_fact_int(facts, count, "seed", -1);
    int64_t batch = mg_ckpt_fact_int(facts, count, "batch", -1);
    mg_ckpt_facts_free(&facts, count);
    MG_CHECK(s->step >= 0 && seed == config->seed && batch == config->batch, MG_ERR_CONFIG,
             "'%s' was made with train.seed %lld and train.batch %lld, this run has %lld and %lld",
             path, (long long)seed, (long long)batch, (long long)config->seed,
             (long long)config->batch);
    mg_info("resume %s: going on at step %lld", path, (long long)s->step);
    return mg_comm_agree(world, mg_run_metrics_cut(run, s->step));
}
