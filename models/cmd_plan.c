// medgraft plan STAGE: what a configuration needs before a job is queued. Results go to stdout as
// "name key value ..." lines.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/cmd.h"
#include "models/plan.h"

#define AT(field) offsetof(mg_plan_settings, field)

// clang-format off
static const mg_option options[] = {
    {"plan.ranks", MG_INT, AT(ranks), "1", 1, 1 << 20, "MPI ranks the run will have", NULL},
    {"plan.samples", MG_INT, AT(samples), "0", 0, 4e9, "items of the data set, for its length and memory (0: of one step)", NULL},
    {"plan.volumes", MG_BOOL, AT(volumes), "false", 0, 0, "finetune: samples are stacks of model.slices slices", NULL},
    {"plan.gflops", MG_REAL, AT(gflops), "0", 0, 1e9, "rate of one rank in GFLOP/s as 'medgraft bench' measures whole steps; 0: no times", NULL},
    {"plan.gbytes_per_s", MG_REAL, AT(gbytes_per_s), "0", 0, 1e6, "what one rank can send, in GB/s; 0: traffic takes no time", NULL},
    {0},
};
// clang-format on

static const mg_plan_stage *stages; // not owned

void mg_plan_register(const mg_plan_stage *list)
{
    stages = list;
}

int mg_cmd_plan_options(mg_option_group *groups, int room)
{
    int used = 0;

    groups[used++] = (mg_option_group){options, NULL};
    for (const mg_plan_stage *s = stages; s && s->name; s++)
        used += s->options(groups + used, room - used);
    return used;
}

static double mb(size_t bytes)
{
    return (double)bytes / 1e6;
}

static void print_memory(const mg_plan *p)
{
    printf("memory_mb weights %.0f gradients %.0f moments %.0f activations %.0f loader %.0f "
           "exchange %.0f other %.0f total %.0f\n",
           mb(p->weights), mb(p->memory.gradients), mb(p->memory.moments), mb(p->activations),
           mb(p->loader), mb(p->memory.exchange), mb(p->other), mb(mg_plan_bytes(p)));
    printf("checkpoint_mb each %.0f kept %lld together %.0f\n", mb(mg_plan_checkpoint(p)),
           (long long)p->train.keep, mb(mg_plan_checkpoint(p)) * (double)p->train.keep);
}

// Steps of the whole run, 0 if that cannot be told.
static int64_t steps_of(const mg_plan *p, const mg_plan_settings *s)
{
    if (p->train.steps > 0) return p->train.steps;
    return s->samples / p->train.batch * p->train.epochs;
}

static void print_time(const mg_plan *p, const mg_plan_settings *s)
{
    mg_plan_time t = mg_plan_seconds(p, s);
    int64_t steps = steps_of(p, s);

    if (steps) printf("length steps %lld\n", (long long)steps);
    if (s->gflops <= 0) return;
    printf("time compute_s %.3f network_s %.3f step_s %.3f samples_per_s %.1f", t.compute_s,
           t.network_s, t.step_s, (double)p->train.batch / t.step_s);
    if (steps) printf(" hours %.2f", (double)steps * t.step_s / 3600);
    printf("\n");
}

static void print(const char *stage, const mg_plan *p, const mg_plan_settings *s)
{
    double samples = (double)(p->share.hi - p->share.lo);

    printf("plan %s ranks %lld batch %lld samples_per_rank %.0f leaves_per_rank %d "
           "samples_per_leaf %lld\n",
           stage, (long long)s->ranks, (long long)p->train.batch, samples, p->share.leaves,
           (long long)p->share.leaf_size);
    printf("parameters total %lld trainable %lld percent %.2f\n", (long long)p->parameters,
           (long long)p->trainable, 100.0 * (double)p->trainable / (double)p->parameters);
    print_memory(p);
    printf("work gflop_per_sample %.1f tflop_per_rank_and_step %.3f\n", p->work * 1e-9,
           p->work * samples * 1e-12);
    printf("traffic sent_mb_per_rank_and_step %.1f\n", mg_plan_sent(p, s->ranks) / 1e6);
    print_time(p, s);
}

static const mg_plan_stage *stage_of(const mg_args *args)
{
    for (const mg_plan_stage *s = stages; args->argc == 1 && s->name; s++)
        if (strcmp(s->name, args->argv[0]) == 0) return s;
    return NULL;
}

mg_status mg_cmd_plan(const mg_args *args)
{
    mg_plan_settings s = {0};
    mg_option_group group = {options, &s};
    const mg_plan_stage *stage = stage_of(args);
    mg_plan plan = {0};

    MG_CHECK(stage, MG_ERR_CONFIG,
             "expected: medgraft plan pretrain|finetune --config FILE --ranks N");
    mg_status st = stage->make(args, &group, &plan);
    if (!st) print(stage->name, &plan, &s);
    mg_config_free(&group, 1);
    return st;
}
