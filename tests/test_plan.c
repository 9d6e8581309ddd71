// RUN: np=1
// Plans against published counts of work and parameters, and against the memory that real runs take.
#include "tests/check.h"

#include <unistd.h>

#include "finetune/cmd.h"
#include "finetune/seg_model.h"
#include "models/cmd.h"
#include "models/work.h"
#include "pretrain/cmd.h"
#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "tests/stack_data.h"

static mg_comm *alone;
static char folder[64], set[96];

// --- work -------------------------------------------------------------------------------------------

static double encoder_gmacs(const char *size, int side)
{
    mg_vit_config v;
    OK(mg_vit_named(size, side, &v));
    mg_vit_work w = mg_vit_work_of(&v, side / 16 * (side / 16), 1);
    return 1e-9 * mg_vit_work_sum(&w);
}

// The tables of model.md section 14, in thousand million multiply-adds.
static void work_of_sam(void **state)
{
    static const struct {
        const char *size;
        double at[3]; // 1024, 512, 256 px
    } table[] = {{"vit_b", {486.0, 113.5, 34.5}},
                 {"vit_l", {1492.8, 397.0, 129.3}},
                 {"vit_h", {2980.5, 819.6, 271.0}}};
    mg_params p = {0};
    mg_vit_config v;

    (void)state;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            CHECK(fabs(encoder_gmacs(table[i].size, 1024 >> k) / table[i].at[k] - 1) < 2e-3);
    OK(mg_vit_named("vit_b", 1024, &v));
    v.adapter = v.D / 4;
    mg_vit_work w = mg_vit_work_of(&v, 4096, 1);
    CHECK(fabs(w.adapters * 1e-9 - 29.0) < 0.05);
    mg_sam_config c = mg_sam_defaults(1024, 16);
    mg_sam sam = mg_sam_add(&p, &c);
    CHECK(fabs(mg_sam_work(&sam, 2, 3) * 1e-9 - 1.8) < 0.1);
    mg_params_free(&p);
}

// --- plans ------------------------------------------------------------------------------------------

typedef mg_status planner(const mg_args *args, const mg_option_group *plan, mg_plan *out);

static void make(planner *run, const char *const *settings, mg_plan_settings *s, mg_plan *out)
{
    mg_option_group groups[MG_MAX_GROUPS];
    int count = 0;

    while (settings[count]) count++;
    mg_args args = {.world = alone, .command = "plan", .sets = {count, (char **)settings}};
    CHECK(mg_cmd_plan_options(groups, MG_MAX_GROUPS) >= 1);
    groups[0].base = s;
    OK(run(&args, &groups[0], out));
}

// Operations of pretraining.md 5.1 and bytes of its gradients; how leaves and ranks share a step.
static void plan_of_pretraining(void **state)
{
    mg_plan_settings s = {0};
    mg_plan p = {0};

    (void)state;
    make(mg_pretrain_plan_run,
         (const char *[]){"plan.ranks=8", "plan.samples=1000", "train.batch=64", NULL}, &s, &p);
    CHECK(fabs(p.work * 1e-9 - 370) < 1);
    CHECK(p.share.hi - p.share.lo == 8 && p.share.leaves == 1 && p.share.leaf_size == 8);
    CHECK(fabs((double)p.memory.gradients * 1e-6 - 447) < 1);
    CHECK(p.memory.moments == 2 * p.memory.gradients);
    CHECK(mg_plan_sent(&p, 8) - p.sent == 2 * 7.0 / 8 * (double)p.memory.gradients);
    make(mg_pretrain_plan_run,
         (const char *[]){"plan.ranks=1", "train.batch=48", "pretrain.mode=split", "train.leaves=4",
                          NULL},
         &s, &p);
    CHECK(fabs(p.work * 1e-9 - 123) < 1);
    CHECK(p.share.leaves == 4 && p.memory.exchange == 0 && mg_plan_sent(&p, 1) == 0);
    s.gflops = 100;
    CHECK(fabs(mg_plan_seconds(&p, &s).step_s - p.work * 48 / 100e9) < 1e-9);
}

static void plan_of_sam(void **state)
{
    mg_plan_settings s = {0};
    mg_plan p = {0};

    (void)state;
    make(mg_finetune_plan_run,
         (const char *[]){"plan.ranks=1", "model.size=vit_h", "train.batch=1", "train.leaves=1",
                          "train.recompute=block", NULL},
         &s, &p);
    CHECK(p.trainable == 55125732 && mg_plan_bytes(&p) < 8e9);
    size_t lean = p.activations;
    make(mg_finetune_plan_run,
         (const char *[]){"plan.ranks=1", "model.size=vit_h", "train.batch=1", "train.leaves=1",
                          NULL},
         &s, &p);
    CHECK(p.activations > 3 * lean);
}

// --- against runs -----------------------------------------------------------------------------------

#define RUN                                                                                     \
    BALLS_MODEL, "model.image=128", "model.dim=64", "model.depth_branch=true", "train.batch=2", \
        "train.leaves=2", "train.steps=2", "train.save_every=100"

// What a real run holds at most, beside what was there before, lies little above its plan.
static void memory_of_a_run(void **state)
{
    char out[96], sets[128];
    mg_plan_settings s = {0};
    mg_plan p = {0};

    (void)state;
    snprintf(out, sizeof out, "train.out=%s/run", folder);
    snprintf(sets, sizeof sets, "data.sets=%s", set);
    const char *settings[] = {RUN, out, sets, NULL};
    size_t before = mg_mem_live_bytes();
    mg_args args = {.world = alone,
                    .command = "finetune",
                    .sets = {(int)(sizeof settings / sizeof *settings) - 1, (char **)settings}};
    OK(mg_cmd_finetune(&args));
    double most = (double)(mg_mem_most_bytes() - before);
    make(mg_finetune_plan_run,
         (const char *[]){RUN, "plan.ranks=1", "plan.volumes=true", "plan.samples=8", NULL}, &s,
         &p);
    printf("planned %zu of %.0f bytes\n", mg_plan_bytes(&p), most);
    CHECK(most >= (double)mg_plan_bytes(&p) && most < 1.1 * (double)mg_plan_bytes(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_of_sam),
        cmocka_unit_test(plan_of_pretraining),
        cmocka_unit_test(plan_of_sam),
        cmocka_unit_test(memory_of_a_run),
    };

    OK(mg_comm_alone(&alone));
    if (!check_folder(folder, "plan")) return 1;
    snprintf(set, sizeof set, "%s/set", folder);
    OK(balls_pack(alone, set));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_remove_tree(folder);
    mg_comm_end(&alone);
    return failed;
}
