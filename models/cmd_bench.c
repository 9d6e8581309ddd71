// medgraft bench: what this machine can do and what medgraft makes of it, in one run. First the
// ceilings (multiply-adds in registers, OpenBLAS products on all threads), then our kernels as
// shares of the first, then whole training steps as shares of the second. Work is counted as in
// pretraining.md 5.1: two operations per multiply-add of the products, nothing for the rest, nothing
// for what is computed twice. Results go to stdout as "name key value ..." lines.
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "models/bench.h"
#include "models/cmd.h"
#include "nn/gemm.h"
#include "runtime/log.h"
#include "runtime/machine.h"
#include "runtime/mem.h"

typedef struct {
    mg_bench bench;
    mg_list run;
} settings;

// clang-format off
static const mg_option options[] = {
    {"bench.run", MG_LIST, offsetof(settings, run), "attention,pointwise,mae", 0, 0, "what to measure behind the products: attention, pointwise, mae, objectives, encoder, msa", NULL},
    {"bench.repeat", MG_INT, offsetof(settings, bench.repeat), "3", 1, 1000, "repetitions; the best one counts", NULL},
    {"bench.size", MG_CHOICE, offsetof(settings, bench.size), "vit_b", 0, 0, "encoder of the steps", "vit_b|vit_l|vit_h"},
    {"bench.precision", MG_CHOICE, offsetof(settings, bench.precision), "float32", 0, 0, "of the steps, as train.precision", "float32|bf16"},
    {"bench.batch", MG_INT, offsetof(settings, bench.batch), "16", 1, 4096, "pictures of a pretraining step on each rank", NULL},
    {"bench.leaves", MG_INT, offsetof(settings, bench.leaves), "8", 1, 4096, "a second figure with so many leaves on each rank; 1: none", NULL},
    {"bench.side", MG_INT, offsetof(settings, bench.side), "1024", 64, 2048, "pixels of the SAM steps' pictures", NULL},
    {0},
};
// clang-format on

int mg_cmd_bench_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){options, NULL};
    return 1;
}

double mg_bench_seconds(const mg_bench *b, void (*work)(void *ctx), void *ctx)
{
    double best = 0;

    for (int64_t i = 0; i <= b->repeat; i++) {
        mg_comm_barrier(b->world);
        double start = mg_now();
        work(ctx);
        int64_t ns = mg_comm_max(b->world, (int64_t)((mg_now() - start) * 1e9));
        if (i == 1 || (i > 1 && (double)ns * 1e-9 < best)) best = (double)ns * 1e-9;
    }
    return best;
}

void mg_updater_close(mg_updater *u)
{
    mg_grad_tree_destroy(&u->tree);
    mg_free(u->m), mg_free(u->v), mg_free(u->segment);
}

mg_status mg_updater_open(const mg_bench *b, mg_params *p, int64_t leaves, mg_updater *u)
{
    mg_status st = MG_OK;

    *u = (mg_updater){.params = p};
    u->m = mg_calloc(p->trainable_size, sizeof *u->m);
    u->v = mg_calloc(p->trainable_size, sizeof *u->v);
    u->segment = mg_calloc((size_t)p->count, sizeof *u->segment);
    if (!u->m || !u->v || !u->segment)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the moments of AdamW");
    st = mg_comm_agree(b->world, st);
    if (!st) st = mg_grad_tree_create(b->world, true, p->trainable_size, (int)leaves, &u->tree);
    for (int i = 0; i < p->count && !st; i++) {
        const mg_param *t = &p->list[i];
        if (t->trainable)
            u->segment[u->segments++] =
                (mg_segment){t->offset, t->grad, t->size, t->decay ? 0.05f : 0};
    }
    if (st) mg_updater_close(u);
    return st;
}

void mg_updater_step(mg_updater *u)
{
    const mg_adamw how = {0.9, 0.95, 1e-8};
    double wait_s;
    float *grads = mg_grad_tree_sum(u->tree, &wait_s);
    double norm = mg_grad_norm(grads, u->params->trainable_size);

    mg_adamw_update(u->params->data, u->m, u->v, grads, u->segment, u->segments, 0, SIZE_MAX, &how,
                    ++u->step, 1e-6, mg_clip_coefficient(norm, 0));
}

static mg_status measure_mae(const mg_bench *b)
{
    MG_TRY(mg_bench_mae(b, 1));
    return b->leaves > 1 ? mg_bench_mae(b, b->leaves) : MG_OK;
}

static const struct {
    const char *name;
    mg_status (*measure)(const mg_bench *b);
} parts[] = {
    {"attention", mg_bench_attention},   {"pointwise", mg_bench_pointwise}, {"mae", measure_mae},
    {"objectives", mg_bench_objectives}, {"encoder", mg_bench_encoder},     {"msa", mg_bench_msa}};

enum { PARTS = sizeof parts / sizeof *parts };

// The part of this name, or PARTS.
static int part_of(const char *name)
{
    int i = 0;

    while (i < PARTS && strcmp(parts[i].name, name)) i++;
    return i;
}

static mg_status check(const settings *s)
{
    for (int i = 0; i < s->run.count; i++)
        MG_CHECK(part_of(s->run.item[i]) < PARTS, MG_ERR_CONFIG,
                 "bench.run: unknown part '%s', expected attention, pointwise, mae, objectives, "
                 "encoder or msa",
                 s->run.item[i]);
    MG_CHECK(s->bench.batch % s->bench.leaves == 0, MG_ERR_CONFIG,
             "bench.leaves %lld does not divide bench.batch %lld", (long long)s->bench.leaves,
             (long long)s->bench.batch);
    return MG_OK;
}

static mg_status measure(settings *s)
{
    char processor[96];

    MG_TRY(check(s));
    setvbuf(stdout, NULL, _IOLBF, 0); // a long run shows what it has
    mg_machine_processor(processor, sizeof processor);
    if (mg_comm_rank(s->bench.world) == 0)
        printf("machine processor '%s' ranks %d threads %d kernels '%s'\n", processor,
               mg_comm_size(s->bench.world), s->bench.threads, mg_gemm_library());
    MG_TRY(mg_bench_products(&s->bench));
    for (int i = 0; i < s->run.count; i++)
        MG_TRY(parts[part_of(s->run.item[i])].measure(&s->bench));
    return MG_OK;
}

mg_status mg_cmd_bench(const mg_args *args)
{
    settings s = {.bench = {.world = args->world, .threads = omp_get_max_threads()}};
    const mg_option_group group = {options, &s};

    MG_TRY(mg_args_load(args, &group, 1));
    mg_status st = measure(&s);
    mg_config_free(&group, 1);
    return st;
}
