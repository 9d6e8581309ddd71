// RUN: np=1,2,4
// Pretraining and probing with the real commands on a small set of shards: the same bits for any
// number of ranks in all three modes, after a stop, and after a fall back to an older checkpoint,
// with every step and every look at the encoder once in metrics.jsonl.
#include "tests/check.h"

#include <signal.h>
#include <unistd.h>

#include "pretrain/cmd.h"
#include "pretrain/encoder.h"
#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/json.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/run.h"
#include "shard/writer.h"

enum { ITEMS = 60, SIDE = 40, STEPS = 6 };

static mg_comm *world, *alone;
static char folder[64], set[96];

// --- a data set of stripes: lying ones are of one class, standing ones of the other -----------------

static mg_status stripes_scan(const char *root, const void *config, mg_scan *out)
{
    (void)root, (void)config;
    for (int i = 0; i < ITEMS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.png", i);
        mg_item item = {.name = name,
                        .image = name,
                        .patient = name,
                        .split = i % 3 == 2 ? "test" : "train",
                        .label = i % 2 ? "lying" : "standing",
                        .modality = "OTHER"};
        MG_TRY(mg_scan_add(out, &item));
    }
    return MG_OK;
}

static mg_status stripes_read(const char *root, const void *config, const mg_scan *scan,
                              const mg_item *item, const mg_decode_hint *hint, mg_sample *out)
{
    int i = atoi(item->name), wide = SIDE + i % 5;
    mg_stream noise = {1, MG_RNG_FREE, 3, (uint32_t)i};
    (void)root, (void)config, (void)scan, (void)hint;
    *out = (mg_sample){.type = MG_U8, .depth = 1, .height = SIDE, .width = wide, .channels = 1};
    strcpy(out->decoder, "stripes");
    uint8_t *v = out->pixels = mg_alloc((size_t)SIDE * wide);
    MG_CHECK(v, MG_ERR_MEMORY, "no memory");
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < wide; x++) {
            int at = i % 2 ? y : x;
            v[y * wide + x] = (uint8_t)((at / 4 % 2 ? 180 : 40) +
                                        mg_stream_word(&noise, (uint64_t)(y * wide + x)) % 40);
        }
    return MG_OK;
}

static void pack(void)
{
    static const mg_dataset stripes = {
        .name = "stripes", .scan = stripes_scan, .read = stripes_read};
    mg_shard_order order = {.set = &stripes,
                            .config_text = "",
                            .root = "nowhere",
                            .out = set,
                            .size_mb = 100,
                            .level = 3,
                            .threads = 1};
    mg_shard_outcome outcome;
    OK(mg_shard_write(world, &order, &outcome));
    CHECK(outcome.items == ITEMS);
}

// --- commands ---------------------------------------------------------------------------------------

static mg_status command(mg_status (*run)(const mg_args *), const mg_comm *comm, const char *name,
                         const char *const *settings, int count)
{
    mg_args args = {.world = comm, .command = name, .sets = {count, (char **)settings}};
    return run(&args);
}

static mg_status pretrain(const mg_comm *comm, const char *run, const char *mode)
{
    char out[128], how[64], sets[128];
    snprintf(out, sizeof out, "train.out=%s/%s", folder, run);
    snprintf(how, sizeof how, "pretrain.mode=%s", mode);
    snprintf(sets, sizeof sets, "data.sets=%s", set);
    const char *settings[] = {out,
                              how,
                              sets,
                              "model.size=custom",
                              "model.image=32",
                              "model.patch=8",
                              "model.dim=16",
                              "model.depth=1",
                              "model.heads=2",
                              "train.batch=24",
                              "train.leaves=8",
                              "train.steps=6", // STEPS, three epochs
                              "train.lr=0.01",
                              "train.scale_lr=false",
                              "train.save_every=2",
                              "train.keep=10",
                              "pretrain.proj_dim=8",
                              "pretrain.decoder_dim=16",
                              "pretrain.decoder_depth=1",
                              "pretrain.decoder_heads=2",
                              "pretrain.pictures_every=5",
                              "pretrain.health_samples=13"};
    return command(mg_cmd_pretrain, comm, "pretrain", settings, sizeof settings / sizeof *settings);
}

static char *file_of(const char *run, const char *name)
{
    return mg_sprintf("%s/%s/%s", folder, run, name);
}

static uint64_t hash_of(const char *run)
{
    mg_encoder *e = NULL;
    char *path = file_of(run, "");
    OK(mg_encoder_open(alone, path, 1, &e));
    uint64_t hash = mg_params_hash(&e->model->params);
    mg_encoder_close(&e);
    mg_free(path);
    return hash;
}

// Everything in metrics.jsonl but timings, as text; checks that steps and looks come once, in order.
static char *metrics_of(const char *run)
{
    char *path = file_of(run, "metrics.jsonl"), *text = NULL, *all = mg_strdup("");
    int64_t step = 0, at_step = 0;
    OK(mg_read_file(path, 1 << 20, &text, NULL));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        static const char *const keys[] = {"loss",      "loss_mae",  "loss_emix",
                                           "loss_shed", "grad_norm", "health"};
        mg_json *record = NULL, *kept = mg_json_object();
        OK(mg_json_parse(line, strlen(line), path, &record));
        if (mg_json_get(record, "event")) {
            CHECK(mg_json_int(mg_json_get(record, "at_step"), -1) == (at_step += 2));
            CHECK(at_step == step && !mg_json_get(record, "step"));
        } else {
            CHECK(mg_json_int(mg_json_get(record, "step"), -1) == ++step);
            CHECK(isfinite(mg_json_real(mg_json_get(record, "loss"), NAN)));
        }
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (mg_json_get(record, keys[i]))
                mg_json_put(kept, keys[i], mg_json_copy(mg_json_get(record, keys[i])));
        char *dump = mg_json_dump(kept, false), *longer = mg_sprintf("%s%s\n", all, dump);
        mg_free(all), mg_free(dump), mg_json_free(&record), mg_json_free(&kept);
        all = longer;
    }
    CHECK(step == STEPS && at_step == STEPS);
    mg_free(text), mg_free(path);
    return all;
}

static void expect_equal_runs(const char *a, const char *b)
{
    char *x = metrics_of(a), *y = metrics_of(b);
    CHECK(hash_of(a) == hash_of(b));
    assert_string_equal(x, y);
    mg_free(x), mg_free(y);
}

// --- tests ------------------------------------------------------------------------------------------

static void same_bits_on_any_ranks(void **state)
{
    static const char *const mode[] = {"sum", "split", "rotate"};
    (void)state;
    for (int m = 0; m < 3; m++) {
        char one[32];
        snprintf(one, sizeof one, "%s-alone", mode[m]);
        OK(pretrain(world, mode[m], mode[m]));
        if (mg_comm_rank(world) != 0) continue;
        OK(pretrain(alone, one, mode[m]));
        expect_equal_runs(mode[m], one);
        char *picture = file_of(one, "pictures/mae-00000005.png");
        CHECK(mg_path_size(picture) > 100);
        mg_free(picture);
    }
}

static void health_figures(void **state)
{
    (void)state;
    if (mg_comm_rank(world) != 0) return;
    char *text = metrics_of("sum"), *last = strstr(text, "{\"health\"");
    for (char *next = last; next; next = strstr(last + 1, "{\"health\"")) last = next;
    mg_json *record = NULL;
    OK(mg_json_parse(last, strcspn(last, "\n"), "health", &record));
    static const struct {
        const char *key;
        double low, high;
    } want[] = {{"cosine", 0, 1},       {"cosine_centred", -0.2, 0.2}, {"effective_rank", 1, 13},
                {"spread", 0, 1},       {"emix_loss", 0.5, 4},         {"emix_accuracy", 0, 1},
                {"shed_auroc", 0.3, 1}, {"mae_loss_textured", 0.1, 2}, {"samples", 13, 13}};
    const mg_json *health = mg_json_get(record, "health");
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        double v = mg_json_real(mg_json_get(health, want[i].key), NAN);
        if (!(v >= want[i].low && v <= want[i].high)) fail_msg("%s is %g", want[i].key, v);
    }
    const mg_json *norm = mg_json_get(health, "gradient_norm");
    const mg_json *cosine = mg_json_get(health, "gradient_cosine");
    CHECK(mg_json_size(norm) == 3 && mg_json_size(cosine) == 3);
    for (size_t i = 0; i < 3; i++) {
        const mg_json *value;
        mg_json_member(norm, i, &value);
        CHECK(mg_json_real(value, NAN) > 1e-6);
        mg_json_member(cosine, i, &value);
        CHECK(fabs(mg_json_real(value, NAN)) < 0.999);
    }
    mg_json_free(&record);
    mg_free(text);
}

static void stop_and_fall_back(void **state)
{
    (void)state;
    // The flag goes up before the loop looks at it first, after step 1.
    mg_stop_install();
    raise(SIGTERM);
    CHECK(pretrain(world, "broken", "sum") == MG_ERR_STOPPED);
    mg_err_clear();
    mg_stop_install();
    OK(pretrain(world, "broken", "sum"));
    mg_comm_barrier(world);
    if (mg_comm_rank(world) == 0) { // as if the last three steps had not been saved
        static const char *const late[] = {"checkpoints/step-00000005.h5",
                                           "checkpoints/step-00000006.h5", "checkpoints/latest"};
        for (int i = 0; i < 3; i++) {
            char *path = file_of("broken", late[i]);
            CHECK(mg_path_is_file(path));
            OK(mg_remove_tree(path));
            mg_free(path);
        }
    }
    mg_comm_barrier(world);
    OK(pretrain(world, "broken", "sum"));
    if (mg_comm_rank(world) == 0) expect_equal_runs("broken", "sum");
}

static mg_status probe(const mg_comm *comm, const char *out)
{
    char model[128], where[128], sets[128];
    snprintf(model, sizeof model, "probe.model=%s/sum", folder);
    snprintf(where, sizeof where, "probe.out=%s/%s", folder, out);
    snprintf(sets, sizeof sets, "data.sets=%s", set);
    const char *settings[] = {model, where, sets, "probe.batch=7", "probe.k=5"};
    return command(mg_cmd_probe, comm, "probe", settings, sizeof settings / sizeof *settings);
}

static void probes(void **state)
{
    (void)state;
    OK(probe(world, "probe"));
    if (mg_comm_rank(world) != 0) return;
    OK(probe(alone, "probe-alone"));
    char *a = file_of("probe", "probe.json"), *b = file_of("probe-alone", "probe.json"), *x, *y;
    OK(mg_read_file(a, 1 << 16, &x, NULL));
    OK(mg_read_file(b, 1 << 16, &y, NULL));
    assert_string_equal(x, y);
    mg_json *report = NULL;
    OK(mg_json_parse(x, strlen(x), a, &report));
    const mg_json *trained = mg_json_get(report, "trained"), *data = mg_json_get(report, "data");
    CHECK(mg_json_int(mg_json_get(data, "test"), 0) == ITEMS / 3);
    CHECK(mg_json_size(mg_json_get(data, "classes")) == 2);
    for (int i = 0; i < 2; i++) {
        const mg_json *scores = mg_json_get(trained, i ? "linear" : "knn");
        CHECK(mg_json_real(mg_json_get(scores, "balanced_accuracy"), 0) > 0.9);
        CHECK(mg_json_real(mg_json_get(scores, "macro_auroc"), 0) > 0.95);
    }
    mg_json_free(&report);
    mg_free(a), mg_free(b), mg_free(x), mg_free(y);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_on_any_ranks), cmocka_unit_test(health_figures),
        cmocka_unit_test(stop_and_fall_back), cmocka_unit_test(probes)};

    alarm(120); // a test that fails on one rank leaves the others waiting
    if (mg_comm_start(&argc, &argv, &world) || mg_comm_alone(&alone)) return 1;
    mg_log_init(mg_comm_rank(world), mg_comm_size(world));
    snprintf(folder, sizeof folder, "build/test_pretrain_ranks%d", mg_comm_size(world));
    snprintf(set, sizeof set, "%s/set", folder);
    if (mg_comm_rank(world) == 0) mg_remove_tree(folder);
    mg_comm_barrier(world);
    pack();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_comm_barrier(world);
    if (mg_comm_rank(world) == 0) mg_remove_tree(folder);
    mg_comm_end(&alone);
    mg_comm_end(&world);
    return failed;
}
