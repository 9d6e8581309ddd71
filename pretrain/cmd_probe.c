// medgraft probe: k-NN and linear probe of an encoder, beside the same encoder with random weights
// (pretraining.md section 9): settings and report; the work is in probe_run.c.
#include <stdio.h>
#include <string.h>

#include "pretrain/cmd.h"
#include "pretrain/probe_run.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/run.h"

typedef struct {
    mg_list sets;
    char *model, *out, *test;
    int64_t k, samples, seed, batch;
    double temperature;
} settings;

#define AT(field) offsetof(settings, field)

// clang-format off
static const mg_option options[] = {
    {"data.sets", MG_LIST, AT(sets), "", 0, 0, "labelled shard sets (folders with an index.json), opened as one", NULL},
    {"probe.model", MG_TEXT, AT(model), "", 0, 0, "checkpoint or run folder of pretrain", NULL},
    {"probe.out", MG_TEXT, AT(out), "", 0, 0, "folder for probe.json", NULL},
    {"probe.test", MG_CHOICE, AT(test), "test", 0, 0, "part to score on; fitted on part train", "test|val"},
    {"probe.k", MG_INT, AT(k), "20", 1, 1e6, "neighbours that vote", NULL},
    {"probe.temperature", MG_REAL, AT(temperature), "0.07", 1e-3, 1e3, "a neighbour's vote is exp(cosine / temperature)", NULL},
    {"probe.samples", MG_INT, AT(samples), "20000", 0, 1e9, "pictures of each part at most (0: all)", NULL},
    {"probe.seed", MG_INT, AT(seed), "0", 0, 9e15, "seed of the choice of pictures", NULL},
    {"probe.batch", MG_INT, AT(batch), "16", 1, 4096, "pictures of one pass on a rank", NULL},
    {0},
};
// clang-format on

int mg_cmd_probe_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){options, NULL};
    return 1;
}

// --- report -----------------------------------------------------------------------------------------

static void print_row(const char *encoder, const char *method, const mg_probe_scores *s)
{
    printf("%-8s  %-7s  %17.4f  %8.4f  %11.4f\n", encoder, method, s->balanced, s->accuracy,
           s->auroc);
}

static void print_table(const mg_probe_findings f[2])
{
    printf("%-8s  %-7s  %17s  %8s  %11s\n", "encoder", "method", "balanced_accuracy", "accuracy",
           "macro_auroc");
    for (int i = 0; i < 2; i++) {
        print_row(i ? "random" : "trained", "k-NN", &f[i].knn);
        print_row(i ? "random" : "trained", "linear", &f[i].linear);
    }
}

static mg_json *describe_scores(const mg_probe_scores *s)
{
    mg_json *to = mg_json_object();

    mg_json_put_real(to, "balanced_accuracy", s->balanced);
    mg_json_put_real(to, "accuracy", s->accuracy);
    mg_json_put_real(to, "macro_auroc", s->auroc);
    return to;
}

static mg_json *describe_encoder(const mg_probe_findings *f)
{
    mg_json *to = mg_json_object(), *linear = describe_scores(&f->linear);

    mg_json_put_real(linear, "l2", f->l2);
    mg_json_put_real(linear, "validation_loss", f->validation_loss);
    mg_json_put(to, "knn", describe_scores(&f->knn));
    mg_json_put(to, "linear", linear);
    return to;
}

static mg_json *describe_data(const mg_labelled *d, const settings *s)
{
    mg_json *to = mg_json_object(), *sets = mg_json_array(), *names = mg_json_array();

    for (int i = 0; i < s->sets.count; i++) mg_json_append_text(sets, s->sets.item[i]);
    for (int i = 0; i < d->classes; i++) mg_json_append_text(names, d->class_name[i]);
    mg_json_put(to, "sets", sets);
    mg_json_put_text(to, "test_part", s->test);
    mg_json_put_int(to, "train", d->train.count);
    mg_json_put_int(to, "validation", d->held_count);
    mg_json_put_int(to, "test", d->test.count);
    mg_json_put_int(to, "without_class", d->without);
    mg_json_put_int(to, "class_unseen", d->unseen);
    mg_json_put(to, "classes", names);
    return to;
}

static mg_status write_report(const settings *s, const mg_labelled *d, const mg_encoder *e,
                              const mg_probe_findings f[2])
{
    mg_json *to = mg_json_object();
    char *path = mg_path_join(s->out, "probe.json"), *text;

    mg_json_put_text(to, "version", mg_version());
    mg_json_put_text(to, "command_line", mg_command_line());
    mg_json_put_text(to, "checkpoint", e->file);
    mg_json_put_int(to, "k", s->k);
    mg_json_put_real(to, "temperature", s->temperature);
    mg_json_put(to, "data", describe_data(d, s));
    mg_json_put(to, "trained", describe_encoder(&f[0]));
    mg_json_put(to, "random", describe_encoder(&f[1]));
    text = mg_json_dump(to, true);
    mg_status st = mg_make_dirs(s->out);
    if (!st && (!path || !text)) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the probe's report");
    if (!st) st = mg_write_file(path, text, strlen(text));
    mg_json_free(&to);
    mg_free(path);
    mg_free(text);
    return st;
}

// --- the command ------------------------------------------------------------------------------------

// Trained weights first, then random ones.
static mg_status run(const mg_comm *world, const settings *s, mg_encoder *e, const mg_labelled *d)
{
    mg_probe_findings f[2];
    mg_probe_run *probe = NULL;

    mg_info("probe classes %d train %lld (validation %lld) test %lld without_class %lld "
            "class_unseen %lld",
            d->classes, (long long)d->train.count, (long long)d->held_count,
            (long long)d->test.count, (long long)d->without, (long long)d->unseen);
    mg_status st = mg_probe_run_create(world, d, e->model->cfg.vit.D, &probe);
    if (!st) st = mg_probe_encoder(probe, e, (int)s->k, s->temperature, &f[0]);
    if (!st) {
        mg_encoder_forget(e);
        st = mg_probe_encoder(probe, e, (int)s->k, s->temperature, &f[1]);
    }
    mg_probe_run_destroy(&probe);
    if (!st && mg_comm_rank(world) == 0) {
        print_table(f);
        if (s->out[0]) st = write_report(s, d, e, f);
    }
    return mg_comm_agree(world, st);
}

static mg_status check(const settings *s)
{
    MG_CHECK(s->model[0], MG_ERR_CONFIG,
             "probe.model is not set, expected a checkpoint or run folder of pretrain");
    MG_CHECK(s->sets.count > 0, MG_ERR_CONFIG,
             "data.sets is empty, expected at least one labelled shard set");
    return MG_OK;
}

mg_status mg_cmd_probe(const mg_args *args)
{
    settings s = {0};
    mg_option_group group = {options, &s};
    mg_encoder *encoder = NULL;
    mg_labelled *data = NULL;

    MG_TRY(mg_args_load(args, &group, 1));
    mg_status st = mg_comm_agree(args->world, check(&s));
    if (!st) st = mg_encoder_open(args->world, s.model, (int)s.batch, &encoder);
    if (!st)
        st = mg_comm_agree(args->world,
                           mg_labelled_open((const char *const *)s.sets.item, s.sets.count, s.test,
                                            s.samples, (uint64_t)s.seed, &data));
    if (!st) st = run(args->world, &s, encoder, data);
    mg_labelled_close(&data);
    mg_encoder_close(&encoder);
    mg_config_free(&group, 1);
    return st;
}
