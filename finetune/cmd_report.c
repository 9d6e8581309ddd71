// medgraft report RUN...: what runs gave, side by side: tables as text on stdout, and one HTML page
// with tables, curves and pictures.
#include <string.h>

#include "finetune/cmd.h"
#include "finetune/report.h"
#include "runtime/log.h"
#include "runtime/mem.h"

typedef struct {
    char *out, *title, *paper, *baseline;
    int64_t seed, replicates, pictures;
    double fail_dice;
} settings;

#define AT(member) offsetof(settings, member)
// clang-format off
static const mg_option options[] = {
    {"report.out", MG_TEXT, AT(out), "report", 0, 0, "folder that gets index.html; empty: no page", NULL},
    {"report.title", MG_TEXT, AT(title), "medgraft report", 0, 0, "title of the page", NULL},
    {"report.paper", MG_TEXT, AT(paper), "", 0, 0, "table of published values (CSV: dataset, method, target, metric, value) to show beside the measured ones; never beside phantoms", NULL},
    {"report.baseline", MG_TEXT, AT(baseline), "", 0, 0, "method, run or line that all others are compared with; empty: all pairs of up to six lines, otherwise the first line", NULL},
    {"report.seed", MG_INT, AT(seed), "0", 0, 1e15, "of the bootstrap", NULL},
    {"report.replicates", MG_INT, AT(replicates), "10000", 10, 1e6, "bootstrap replicates", NULL},
    {"report.pictures", MG_INT, AT(pictures), "8", 0, 1000, "pictures shown of each run", NULL},
    {"report.fail_dice", MG_REAL, AT(fail_dice), "0.1", 0, 1, "a case with a smaller Dice counts as failed", NULL},
    {0},
};
// clang-format on

int mg_cmd_report_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){options, NULL};
    return 1;
}

static mg_status read_runs(const mg_args *args, mg_report *report)
{
    report->run = mg_calloc((size_t)args->argc, sizeof *report->run);
    MG_CHECK(report->run, MG_ERR_MEMORY, "cannot allocate %d runs", args->argc);
    for (int i = 0; i < args->argc; i++) {
        MG_TRY(mg_report_run_read(args->argv[i], &report->run[i]));
        report->runs++;
    }
    return MG_OK;
}

static mg_status write_page(const mg_report *report, const char *dir)
{
    char *path = mg_path_join(dir, "index.html");
    mg_status st = MG_OK;

    if (!path) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
    if (!st) st = mg_make_dirs(dir);
    if (!st) st = mg_report_page(report, path);
    if (!st) mg_info("page '%s'", path);
    mg_free(path);
    return st;
}

static mg_status make_report(const mg_args *args, const settings *s)
{
    mg_report report = {.title = s->title,
                        .seed = (uint64_t)s->seed,
                        .replicates = (int)s->replicates,
                        .pictures = (int)s->pictures,
                        .fail_dice = s->fail_dice,
                        .baseline = s->baseline};

    mg_status st = read_runs(args, &report);
    if (!st && *s->paper) st = mg_paper_read(s->paper, &report.paper);
    if (!st) st = mg_report_collect(&report);
    if (!st) mg_report_print(&report, stdout);
    if (!st && *s->out) st = write_page(&report, s->out);
    mg_report_free(&report);
    return st;
}

mg_status mg_cmd_report(const mg_args *args)
{
    settings s;
    mg_option_group group = {options, &s};

    MG_CHECK(args->argc > 0, MG_ERR_CONFIG, "report needs run folders: medgraft report RUN...");
    MG_TRY(mg_args_load(args, &group, 1));
    mg_status st = make_report(args, &s);
    mg_config_free(&group, 1);
    return st;
}
