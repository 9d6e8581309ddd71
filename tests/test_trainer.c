// RUN: np=1,2,4
// The step loop on a toy task: the same bits on any number of ranks, after a stop and a new start,
// every step once in metrics.jsonl, and a NaN that stops all ranks at the same step.
#include "tests/check.h"

#include <signal.h>
#include <unistd.h>

#include "models/trainer.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"

static const mg_option no_options[] = {{0}};

enum { WIDTH = 3000, SAMPLES = 40 };

typedef struct {
    mg_params params;
    int64_t stop_after, nan_at; // steps, -1 for never
    int64_t first;              // sample of this rank's position lo
} toy;

static const mg_comm *world;

static mg_status toy_fetch(void *self, const mg_step *step, double *wait_s)
{
    toy *t = self;
    t->first = step->step_in_epoch * step->batch + step->lo;
    *wait_s = 0;
    return MG_OK;
}

// loss = sum over samples of mean_k (w_k - x_k)^2 / M with x drawn from the sample's stream
static mg_status toy_leaf(void *self, const mg_step *step, int leaf, float *grads, double *scalars,
                          const mg_ready *ready)
{
    toy *t = self;
    const float *w = t->params.data;

    for (int64_t i = 0; i < step->leaf_size; i++) {
        int64_t sample = t->first + leaf * step->leaf_size + i;
        mg_stream s = {7, MG_RNG_FREE, 0, (uint32_t)sample};
        for (int k = 0; k < WIDTH; k++) {
            double d = w[k] - mg_stream_normal(&s, (uint64_t)k);
            scalars[0] += d * d / WIDTH / (double)step->batch;
            grads[k] += (float)(2 * d / WIDTH / (double)step->batch);
        }
    }
    if (step->step == t->nan_at && step->lo == 0 && leaf == 0) scalars[0] = NAN;
    ready->call(ready->ctx, WIDTH / 2);
    return MG_OK;
}

static void toy_record(void *self, const mg_step *step, const double *scalars, mg_json *record)
{
    (void)self, (void)step;
    mg_json_put_real(record, "loss", scalars[0]);
}

static void toy_progress(void *self, const double *scalars, char *text, size_t room)
{
    (void)self;
    snprintf(text, room, "loss %.4f", scalars[0]);
}

static mg_status toy_after(void *self, const mg_step *step)
{
    toy *t = self;
    if (step->step + 1 == t->stop_after) raise(SIGTERM);
    return MG_OK;
}

static char *toy_describe(void *self, const mg_step *step, int leaf)
{
    (void)self, (void)step, (void)leaf;
    return mg_strdup("toy");
}

static mg_train_config config = {.seed = 1,
                                 .batch = 8,
                                 .leaves = 4,
                                 .epochs = 2,
                                 .save_every = 3,
                                 .keep = 2,
                                 .log_every = 100,
                                 .reduce = "exact",
                                 .precision = "float32",
                                 .rate = "cosine",
                                 .lr = 0.01,
                                 .warmup = 0.1,
                                 .beta1 = 0.9,
                                 .beta2 = 0.99,
                                 .eps = 1e-8,
                                 .decay = 0.01,
                                 .clip = 0.5};

// Train in `dir` on `comm`; returns the status and the hash of the weights.
static mg_status train(const mg_comm *comm, const char *dir, int64_t stop_after, int64_t nan_at,
                       uint64_t *hash)
{
    static const char *const names[] = {"loss"};
    toy t = {.stop_after = stop_after, .nan_at = nan_at};
    mg_task task = {.self = &t,
                    .params = &t.params,
                    .samples = SAMPLES,
                    .scalars = 1,
                    .scalar_name = names,
                    .losses = 1,
                    .fetch = toy_fetch,
                    .leaf = toy_leaf,
                    .record = toy_record,
                    .progress = toy_progress,
                    .after = toy_after,
                    .describe = toy_describe,
                    .kind = "toy",
                    .config = "toy: {}\n"};
    mg_run *run = NULL;

    mg_params_add(&t.params, "w.weight", MG_INIT_NORMAL, 1, 2, WIDTH / 10, 10);
    mg_params_train(&t.params, NULL, NULL);
    OK(mg_params_alloc(&t.params));
    mg_params_init(&t.params, 3);
    mg_stop_install();
    OK(mg_run_open(comm, dir, "toy", no_options, "toy: {}\n", NULL, &run));
    mg_status st = mg_train(comm, run, &config, &task);
    OK(mg_run_close(&run));
    *hash = mg_params_hash(&t.params);
    mg_params_free(&t.params);
    return st;
}

static char dir_a[64], dir_b[64];

static void fresh_dirs(void)
{
    mg_comm_barrier(world);
    if (mg_comm_rank(world) == 0) {
        mg_remove_tree(dir_a);
        mg_remove_tree(dir_b);
    }
    mg_comm_barrier(world);
}

// Records of metrics.jsonl with a step: 1, 2, ..., each once.
static void check_steps(const char *dir, int64_t last)
{
    char *path = mg_path_join(dir, "metrics.jsonl"), *text = NULL;
    int64_t step = 0;

    OK(mg_read_file(path, 1 << 20, &text, NULL));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        mg_json *record = NULL;
        OK(mg_json_parse(line, strlen(line), path, &record));
        int64_t s = mg_json_int(mg_json_get(record, "step"), -1);
        if (s >= 0) CHECK(s == ++step);
        mg_json_free(&record);
    }
    CHECK(step == last);
    mg_free(text);
    mg_free(path);
}

static void same_bits_on_any_ranks(void **state)
{
    (void)state;
    uint64_t ranks = 0, alone = 0;
    mg_comm *self = NULL;

    fresh_dirs();
    OK(train(world, dir_a, -1, -1, &ranks));
    if (mg_comm_rank(world) == 0) {
        OK(mg_comm_alone(&self));
        OK(train(self, dir_b, -1, -1, &alone));
        mg_comm_end(&self);
        CHECK(ranks == alone);
        check_steps(dir_a, 10);
    }
}

static void stop_and_go_on(void **state)
{
    (void)state;
    uint64_t unbroken = 0, broken = 0;

    fresh_dirs();
    OK(train(world, dir_a, -1, -1, &unbroken));
    CHECK(train(world, dir_b, 5, -1, &broken) == MG_ERR_STOPPED);
    CHECK(broken != unbroken);
    OK(train(world, dir_b, -1, -1, &broken));
    CHECK(broken == unbroken);
    if (mg_comm_rank(world) == 0) check_steps(dir_b, 10);
}

// Moments split over the ranks: the same bits; a checkpoint goes on with moments whole, and back.
static void split_moments(void **state)
{
    (void)state;
    uint64_t whole = 0, split = 0;

    fresh_dirs();
    OK(train(world, dir_a, -1, -1, &whole));
    for (int first = 0; first < 2; first++) {
        mg_comm_barrier(world);
        if (mg_comm_rank(world) == 0) mg_remove_tree(dir_b);
        mg_comm_barrier(world);
        config.shard = first == 0;
        CHECK(train(world, dir_b, 5, -1, &split) == MG_ERR_STOPPED);
        config.shard = first == 1;
        OK(train(world, dir_b, -1, -1, &split));
        CHECK(split == whole);
    }
    config.shard = false;
}

static void nan_stops_all(void **state)
{
    (void)state;
    uint64_t hash = 0;

    fresh_dirs();
    mg_status st = train(world, dir_a, -1, 4, &hash);
    CHECK(st == MG_ERR_NUMERIC || st == MG_ERR_PEER);
    mg_err_clear();
    if (mg_comm_rank(world) == 0) check_steps(dir_a, 4);
}

static void ranks_that_do_not_fit(void **state)
{
    (void)state;
    mg_train_config c = config;
    mg_comm *self = NULL;

    OK(mg_comm_alone(&self));
    c.leaves = 3;
    FAILS(mg_train_check(1, &c), MG_ERR_CONFIG, "power of two");
    c.leaves = 16;
    FAILS(mg_train_check(1, &c), MG_ERR_CONFIG, "does not divide");
    mg_comm_end(&self);
}

int main(int argc, char **argv)
{
    mg_comm *comm = NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_that_do_not_fit), cmocka_unit_test(same_bits_on_any_ranks),
        cmocka_unit_test(stop_and_go_on), cmocka_unit_test(split_moments),
        cmocka_unit_test(nan_stops_all)};

    if (mg_comm_start(&argc, &argv, &comm)) return 1;
    world = comm;
    mg_log_init(mg_comm_rank(world), mg_comm_size(world));
    snprintf(dir_a, sizeof dir_a, "build/test_trainer_a%d", mg_comm_size(world));
    snprintf(dir_b, sizeof dir_b, "build/test_trainer_b%d", mg_comm_size(world));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fresh_dirs();
    mg_comm_end(&comm);
    return failed;
}
