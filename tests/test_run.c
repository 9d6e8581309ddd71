// RUN: np=1,2
// Run folders: begun, continued, refused; metrics cut back after a crash; the stop flag.
#include "tests/check.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/run.h"

static mg_comm *world;
static char dir[64] = "/tmp/medgraft-test-XXXXXX"; // the same on all ranks

static const char yaml[] = "train:\n  epochs: 3\n  lr: 0.1\n"; // of the program that began the run
static const char yaml_now[] = "train: {lr: 0.1, epochs: 9, decay: 0.05, flip: true}";

typedef struct {
    int64_t epochs;
    double lr, decay;
    bool flip;
} settings;

// What the program knows when it goes on with the run; it began without decay and flip.
static const mg_option table[] = {
    {"train.epochs", MG_INT, offsetof(settings, epochs), "1", 1, 100, "", NULL},
    {"train.lr", MG_REAL, offsetof(settings, lr), "0.5", 0, 1, "", NULL},
    {"train.decay", MG_REAL, offsetof(settings, decay), "0.05", 0, 1, "", NULL},
    {"train.flip", MG_BOOL, offsetof(settings, flip), "true", 0, 0, "", NULL},
    {0},
};

static mg_status open_run(const char *command, const char *config, mg_run **run)
{
    static const char *const free_keys[] = {"train.epochs", NULL};
    return mg_run_open(world, dir, command, table, config, free_keys, run);
}

static mg_json *read_provenance(void)
{
    char *path = mg_path_join(dir, "provenance.json");
    mg_json *v;
    OK(mg_json_read(path, &v));
    mg_free(path);
    return v;
}

static void test_begin(void **state)
{
    mg_run *run;
    char *argv[] = {"medgraft", "pretrain", "a b", "it's"};

    (void)state;
    mg_program_start(4, argv);
    assert_string_equal(mg_command_line(), "medgraft pretrain 'a b' 'it'\\''s'");
    OK(open_run("pretrain", yaml, &run));
    CHECK(!mg_run_restarted(run));
    assert_string_equal(mg_run_path(run), dir);
    mg_run_input(run, "shards", "0123");
    mg_run_fact(run, "blas", "none");
    OK(mg_run_close(&run));
    CHECK(run == NULL);
    mg_comm_barrier(world);
    mg_json *p = read_provenance();
    assert_string_equal(mg_json_text(mg_json_get(p, "command")), "pretrain");
    assert_string_equal(mg_json_text(mg_json_get(p, "command_line")), mg_command_line());
    assert_string_equal(mg_json_text(mg_json_get(mg_json_get(p, "inputs"), "shards")), "0123");
    assert_string_equal(mg_json_text(mg_json_get(p, "blas")), "none");
    CHECK(mg_json_int(mg_json_get(p, "ranks"), 0) == mg_comm_size(world));
    CHECK(mg_json_size(mg_json_get(p, "hosts")) == 1); // all ranks are here
    CHECK(mg_json_size(mg_json_get(p, "restarts")) == 0);
    mg_json_free(&p);
    mg_comm_barrier(world);
}

// All ranks fail; rank 0 knows why.
static void check_refused(const char *command, const char *config, const char *why)
{
    mg_run *run;
    mg_status st = open_run(command, config, &run);

    CHECK(st && run == NULL);
    if (mg_comm_rank(world) == 0) {
        CHECK(st == MG_ERR_CONFIG);
        if (!strstr(mg_err_message(), why)) fail_msg("'%s'", mg_err_message());
    }
    mg_err_clear();
}

static void test_continue(void **state)
{
    mg_run *run;

    (void)state;
    // The run began when there was no decay: that is its default now.
    check_refused("pretrain", "train: {lr: 0.1, epochs: 3, decay: 0.1, flip: true}",
                  "setting 'train.decay' is 0.1, but the run in");
    // A free key, another spelling; new settings at their defaults.
    OK(open_run("pretrain", yaml_now, &run));
    CHECK(mg_run_restarted(run));
    OK(mg_run_close(&run));
    mg_comm_barrier(world);
    mg_json *p = read_provenance();
    CHECK(mg_json_size(mg_json_get(p, "restarts")) == 1);
    assert_string_equal(mg_json_text(mg_json_get(mg_json_get(p, "inputs"), "shards")), "0123");
    mg_json_free(&p);
    mg_comm_barrier(world);
}

static void test_refused(void **state)
{
    (void)state;
    check_refused("finetune", yaml, "holds a run of 'pretrain', not of 'finetune'");
    check_refused("pretrain", "train: {lr: 0.2, epochs: 3}",
                  "setting 'train.lr' is 0.2, but the run in");
    check_refused("pretrain", "train: {epochs: 3, decay: 0.05, flip: true}",
                  "setting 'train.lr' is not set, but");
    check_refused("pretrain", "train: {lr: 0.1, epochs: 3, decay: 0.05, flip: true, batch: 4}",
                  "began with not set");
}

static void put_step(mg_run *run, int64_t step)
{
    mg_json *record = mg_json_object();

    if (step >= 0)
        mg_json_put_int(record, "step", step);
    else
        mg_json_put_text(record, "event", "start");
    OK(mg_run_metrics(run, record));
}

static void check_metrics(mg_run *run, const char *expected)
{
    char *path = mg_run_file(run, "metrics.jsonl"), *text;

    if (mg_comm_rank(world) == 0) {
        OK(mg_read_file(path, 10000, &text, NULL));
        assert_string_equal(text, expected);
        mg_free(text);
    }
    mg_free(path);
}

// What a crash leaves: the begin of a line.
static void append_half(mg_run *run)
{
    char *path = mg_run_file(run, "metrics.jsonl");

    if (mg_comm_rank(world) == 0) {
        int fd = open(path, O_WRONLY | O_APPEND);
        CHECK(write(fd, "{\"step\":4,\"lo", 13) == 13);
        close(fd);
    }
    mg_free(path);
}

static void test_metrics(void **state)
{
    mg_run *run;

    (void)state;
    OK(open_run("pretrain", yaml_now, &run));
    OK(mg_run_metrics_cut(run, 0)); // nothing there yet
    put_step(run, -1);
    for (int64_t step = 1; step <= 3; step++) put_step(run, step);
    OK(mg_run_metrics_sync(run));
    check_metrics(run, "{\"event\":\"start\"}\n{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
    append_half(run);
    OK(mg_run_metrics_cut(run, 3));
    check_metrics(run, "{\"event\":\"start\"}\n{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
    append_half(run);
    OK(mg_run_metrics_cut(run, 1));
    put_step(run, 2);
    check_metrics(run, "{\"event\":\"start\"}\n{\"step\":1}\n{\"step\":2}\n");
    OK(mg_run_close(&run));
    mg_comm_barrier(world);
}

static void test_stop(void **state)
{
    (void)state;
    mg_stop_install();
    CHECK(!mg_stop_raised() && !mg_stop_agreed(world));
    if (mg_comm_rank(world) == mg_comm_size(world) - 1) raise(SIGUSR1);
    CHECK(mg_stop_raised() == (mg_comm_rank(world) == mg_comm_size(world) - 1));
    CHECK(mg_stop_agreed(world));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin),   cmocka_unit_test(test_continue),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_stop),
    };

    if (mg_comm_start(&argc, &argv, &world)) return 1;
    if (mg_comm_rank(world) == 0 && !mkdtemp(dir)) return 1;
    mg_comm_bcast(world, dir, sizeof dir, 0);
    size_t before = mg_mem_live();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += mg_mem_live() != before;
    mg_log_to(NULL);
    mg_comm_barrier(world);
    if (mg_comm_rank(world) == 0) mg_remove_tree(dir);
    mg_comm_end(&world);
    return failed;
}
