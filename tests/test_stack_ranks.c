// RUN: np=1,2,4
// Training and scoring a 3-D model on volumes with the real commands: the same bits for any number of
// ranks; what is scored of which case, and under which name.
#include "tests/check.h"

#include <unistd.h>

#include "finetune/cmd.h"
#include "finetune/scores.h"
#include "finetune/seg_model.h"
#include "nn/gemm.h"
#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "tests/stack_data.h"

static mg_comm *world, *alone;
static char folder[64], set[96];

static mg_status command(mg_status (*run)(const mg_args *), const mg_comm *comm, const char *name,
                         const char *const *settings)
{
    int count = 0;
    while (settings[count]) count++;
    mg_args args = {.world = comm, .command = name, .sets = {count, (char **)settings}};
    return run(&args);
}

static mg_status train(const mg_comm *comm, const char *name, const char *how, const char *more)
{
    char out[128], sets[128];
    snprintf(out, sizeof out, "train.out=%s/%s", folder, name);
    snprintf(sets, sizeof sets, "data.sets=%s", set);
    const char *settings[] = {BALLS_MODEL,
                              out,
                              sets,
                              "model.depth_branch=true",
                              "train.batch=4",
                              "train.leaves=4",
                              "train.steps=3",
                              "train.lr=0.01",
                              "train.warmup=0",
                              "train.save_every=100",
                              "data.window=-100,300",
                              how,
                              more,
                              NULL};
    return command(mg_cmd_finetune, comm, "finetune", settings);
}

static uint64_t hash_of(const char *name)
{
    mg_finetune_config config;
    mg_seg_model model;
    char *path = mg_sprintf("%s/%s", folder, name);
    OK(mg_seg_model_open(alone, path, "", &config, &model));
    CHECK(model.single_output && mg_finetune_single_output(&config)); // trained on stacks
    uint64_t hash = mg_params_hash(&model.params);
    mg_seg_model_free(&model);
    mg_finetune_config_free(&config);
    mg_free(path);
    return hash;
}

static void same_bits_on_any_ranks(void **state)
{
    static const struct {
        const char *name, *how, *more;
    } cases[] = {{"stack", "prompts.box_weight=0.5", "train.flip=true"},
                 {"slice", "prompts.volume=slice", "train.loss=dice_bce"},
                 {"release", "train.preset=release", "prompts.volume=slice"},
                 {"pw2", "train.preset=release", "train.loss=bce_pw2"},
                 {"plain", "prompts.volume=stack", "train.loss=dice_bce"},
                 {"weighted", "train.click_weighting=true", "train.loss=dice_bce"},
                 {"split", "optimizer.shard=true", "train.flip=true"}};
    uint64_t hash[7];

    (void)state;
    for (int k = 0; k < 7; k++) {
        OK(train(world, cases[k].name, cases[k].how, cases[k].more));
        if (mg_comm_rank(world) != 0) continue;
        char one[32];
        snprintf(one, sizeof one, "%s-alone", cases[k].name);
        OK(train(alone, one, cases[k].how, cases[k].more));
        CHECK((hash[k] = hash_of(cases[k].name)) == hash_of(one));
        CHECK(k == 0 || hash[k] != hash[k - 1]);
    }
}

// --- scores -----------------------------------------------------------------------------------------

static mg_status evaluate(const mg_comm *comm, const char *name, const char *how)
{
    char out[128], sets[128], model[128];
    snprintf(out, sizeof out, "evaluate.out=%s/%s", folder, name);
    snprintf(model, sizeof model, "evaluate.model=%s/stack", folder);
    snprintf(sets, sizeof sets, "data.sets=%s", set);
    const char *settings[] = {out,
                              model,
                              sets,
                              "data.part=all",
                              "evaluate.clicks=1,3",
                              "evaluate.volume=stack,slice,volume",
                              "evaluate.replicates=20",
                              "evaluate.pictures=2",
                              "evaluate.msa_score=true",
                              how,
                              NULL};
    return command(mg_cmd_evaluate, comm, "evaluate", settings);
}

static void read_scores(const char *name, mg_scores *scores)
{
    char *path = mg_sprintf("%s/%s", folder, name);
    memset(scores, 0, sizeof *scores);
    OK(mg_scores_read(path, scores));
    mg_free(path);
}

static int rows_of(const mg_scores *s, const char *protocol, const char *id, const char *class_name)
{
    int count = 0;
    for (int64_t i = 0; i < s->count; i++) {
        const mg_score *r = &s->row[i];
        count += (!protocol || !strcmp(r->protocol, protocol)) && (!id || !strcmp(r->id, id)) &&
                 (!class_name || !strcmp(r->class_name, class_name));
    }
    return count;
}

static void scores_are_of_whole_cases(void **state)
{
    mg_scores s;
    char *a, *b, *x, *y;

    (void)state;
    OK(evaluate(world, "eval", "evaluate.box=true"));
    if (mg_comm_rank(world) != 0) return;
    OK(evaluate(alone, "eval-alone", "evaluate.box=true"));
    a = mg_sprintf("%s/eval/cases.csv", folder), b = mg_sprintf("%s/eval-alone/cases.csv", folder);
    OK(mg_read_file(a, 1 << 20, &x, NULL));
    OK(mg_read_file(b, 1 << 20, &y, NULL));
    assert_string_equal(x, y);
    read_scores("eval", &s);
    static const char *const protocols[] = {
        "1 click/stack (D=4)",  "3 clicks/stack (D=4)",  "box/stack (D=4)",
        "1 click/slice (D=4)",  "3 clicks/slice (D=4)",  "box/slice (D=4)",
        "1 click/volume (D=4)", "3 clicks/volume (D=4)", "box/volume (D=4)"};
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        CHECK(rows_of(&s, protocols[i], NULL, "liver") == BALLS_ITEMS);
    CHECK(rows_of(&s, NULL, "4.nii", "spleen") == 0); // not labelled there
    CHECK(rows_of(&s, NULL, "7.nii", "spleen") == 9);
    CHECK(rows_of(&s, NULL, "7.nii", NULL) == 18);
    for (int64_t i = 0; i < s.count; i++) {
        const mg_score *r = &s.row[i];
        CHECK(r->value[MG_SCORE_DICE] >= 0 && r->value[MG_SCORE_DICE] <= 1);
        CHECK(r->value[MG_SCORE_HD95] >= 0);
        CHECK(r->value[MG_SCORE_MSA_DICE] > 0 && r->value[MG_SCORE_MSA_DICE] <= 1);
        CHECK(r->value[MG_SCORE_MSA_IOU] <= r->value[MG_SCORE_MSA_DICE] + 1e-3);
        CHECK(strncmp(r->protocol, "1 click", 7) || r->clicks == 1);
    }
    CHECK(s.sets == 1 && !strcmp(s.set[0].unit, "mm"));
    mg_scores_free(&s);
    mg_free(a), mg_free(b), mg_free(x), mg_free(y);
}

// Of a model trained with carrying, as it was trained and told not to.
static void carrying_is_a_choice(void **state)
{
    mg_scores s;

    (void)state;
    OK(evaluate(world, "no-carry", "evaluate.carry=off"));
    if (mg_comm_rank(world) != 0) return;
    read_scores("no-carry", &s);
    CHECK(rows_of(&s, "1 click/stack (D=4, no carrying)", NULL, "liver") == BALLS_ITEMS);
    CHECK(rows_of(&s, "1 click/stack (D=4)", NULL, NULL) == 0);
    CHECK(rows_of(&s, "1 click/slice (D=4)", NULL, "liver") == BALLS_ITEMS); // nothing to carry
    mg_scores_free(&s);
}

static void regions_are_unions(void **state)
{
    mg_scores s;

    (void)state;
    OK(evaluate(world, "regions", "evaluate.regions={both: [1, spleen], second: [2]}"));
    if (mg_comm_rank(world) == 0) {
        read_scores("regions", &s);
        CHECK(rows_of(&s, "1 click/stack (D=4)", NULL, "both") == BALLS_ITEMS - 1);
        CHECK(rows_of(&s, NULL, "4.nii", NULL) == 0); // one of its classes is not labelled
        CHECK(rows_of(&s, NULL, "7.nii", "second") == 6 && rows_of(&s, NULL, NULL, "liver") == 0);
        mg_scores_free(&s);
    }
    FAILS(evaluate(alone, "wrong", "evaluate.regions={both: [1, 3]}"), MG_ERR_CONFIG, "entry 2");
    FAILS(evaluate(alone, "wrong", "evaluate.volume=[stack, case]"), MG_ERR_CONFIG, "'case'");
    if (mg_gemm_bf16())
        OK(evaluate(world, "rounded", "evaluate.precision=bf16"));
    else
        FAILS(evaluate(alone, "rounded", "evaluate.precision=bf16"), MG_ERR_CONFIG, "neither AMX");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_on_any_ranks), cmocka_unit_test(scores_are_of_whole_cases),
        cmocka_unit_test(carrying_is_a_choice), cmocka_unit_test(regions_are_unions)};

    alarm(240); // a test that fails on one rank leaves the others waiting
    if (mg_comm_start(&argc, &argv, &world) || mg_comm_alone(&alone)) return 1;
    mg_log_init(mg_comm_rank(world), mg_comm_size(world));
    snprintf(folder, sizeof folder, "build/test_stack_ranks%d", mg_comm_size(world));
    snprintf(set, sizeof set, "%s/set", folder);
    if (mg_comm_rank(world) == 0) mg_remove_tree(folder);
    mg_comm_barrier(world);
    OK(balls_pack(world, set));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_comm_barrier(world);
    if (mg_comm_rank(world) == 0) mg_remove_tree(folder);
    mg_comm_end(&alone);
    mg_comm_end(&world);
    return failed;
}
