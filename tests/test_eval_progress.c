// RUN: np=1,2
// Progress of an evaluation: what was finished comes back, on any number of ranks; a case that was cut off
// does not; nor does that of another model.
#include "tests/check.h"

#include <stdio.h>
#include <unistd.h>

#include "finetune/eval_progress.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"

enum { CASES = 7 };
static mg_comm *world, *alone;
static char folder[64];

static void add_case(mg_eval_progress *p, int64_t sample, mg_scores *scores)
{
    char id[32];
    mg_scores rows = {0};
    mg_score row = {.set = "s", .protocol = "1 click", .id = id, .class_name = "liver, \"end\""};

    snprintf(id, sizeof id, "case %d", (int)sample);
    for (int c = 1; c <= sample % 3; c++) { // none for every third case
        row.class_number = c;
        for (int k = 0; k < MG_SCORES; k++) row.value[k] = 1.0 / (double)(sample + c + k);
        OK(mg_scores_add(&rows, &row));
    }
    OK(mg_eval_progress_add(p, sample, &rows, scores));
    mg_scores_free(&rows);
}

static void open_mine(const char *key, mg_scores *scores, mg_eval_progress **p, int64_t range[2])
{
    memset(scores, 0, sizeof *scores);
    mg_comm_range(CASES, mg_comm_rank(world), mg_comm_size(world), &range[0], &range[1]);
    OK(mg_eval_progress_open(world, folder, key, range[0], range[1], scores, p));
}

// Cut `bytes` off the end of every file of rank 0's first start.
static void damage(int bytes)
{
    char *path = mg_path_join(folder, "rank-0-start-0");
    CHECK(truncate(path, mg_path_size(path) - bytes) == 0);
    mg_free(path);
}

static void goes_on(void **state)
{
    mg_eval_progress *p;
    mg_scores scores;
    int64_t range[2], total;

    (void)state;
    open_mine("k", &scores, &p, range);
    CHECK(mg_eval_progress_count(p) == 0);
    for (int64_t i = range[0]; i < range[1] && i < range[0] + 2; i++) add_case(p, i, &scores);
    mg_eval_progress_close(&p);
    mg_scores_free(&scores);
    mg_comm_barrier(world);
    if (mg_comm_rank(world) == 0) damage(1); // in the last case's "end"
    mg_comm_barrier(world);

    open_mine("k", &scores, &p, range);
    total = mg_comm_sum_int(world, mg_eval_progress_count(p));
    CHECK(total == 2 * mg_comm_size(world) - 1);
    for (int64_t i = range[0]; i < range[1]; i++)
        if (!mg_eval_progress_has(p, i)) add_case(p, i, &scores);
    mg_eval_progress_close(&p);
    mg_scores_free(&scores);
    mg_comm_barrier(world);

    // All cases, by one rank, with the values that were put in.
    if (mg_comm_rank(world) == 0) {
        memset(&scores, 0, sizeof scores);
        OK(mg_eval_progress_open(alone, folder, "k", 0, CASES, &scores, &p));
        CHECK(mg_eval_progress_count(p) == CASES && scores.count == 6);
        mg_scores_sort(&scores);
        CHECK(!strcmp(scores.row[0].id, "case 1") && scores.row[0].value[2] == 1.0 / 4);
        CHECK(!strcmp(scores.row[0].class_name, "liver, \"end\""));
        OK(mg_eval_progress_finish(alone, &p));
        CHECK(!mg_path_is_dir(folder));
        mg_scores_free(&scores);
    }
    mg_comm_barrier(world);
}

static void other_model(void **state)
{
    mg_eval_progress *p;
    mg_scores scores;
    int64_t range[2];

    (void)state;
    open_mine("one", &scores, &p, range);
    add_case(p, range[0], &scores);
    mg_eval_progress_close(&p);
    mg_scores_free(&scores);
    mg_comm_barrier(world);
    open_mine("another", &scores, &p, range);
    CHECK(mg_eval_progress_count(p) == 0 && scores.count == 0);
    OK(mg_eval_progress_finish(world, &p));
    mg_scores_free(&scores);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(goes_on), cmocka_unit_test(other_model)};

    alarm(120);
    if (mg_comm_start(&argc, &argv, &world) || mg_comm_alone(&alone)) return 1;
    mg_log_init(mg_comm_rank(world), mg_comm_size(world));
    snprintf(folder, sizeof folder, "build/test_eval_progress%d", mg_comm_size(world));
    if (mg_comm_rank(world) == 0) mg_remove_tree(folder);
    mg_comm_barrier(world);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_comm_barrier(world);
    mg_comm_end(&alone);
    mg_comm_end(&world);
    return failed;
}
