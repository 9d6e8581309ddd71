// medgraft report RUN...: what runs gave, side by side: tables as text on stdout, and one HTML page
// with tables, curves and pictures.
#include <string.h>

#include "finetune/cmd.h"
#include "finetune/report_paper.h"
#include "runtime/log.h"
#include "runtime/mem.h"

typedef struct {
    mg_list paper;
    char *out, *title, *values, *baseline;
    int64_t seed, replicates, pictures;
    double fail_dice;
} settings;

#define AT(member) offsetof(settings, member)
// clang-format off
static const mg_option options[] = {
    {"report.out", MG_TEXT, AT(out), "report", 0, 0, "folder that gets index.html; empty: no page", NULL},
    {"report.title", MG_TEXT, AT(title), "medgraft report", 0, 0, "title of the page", NULL},
    {"report.paper", MG_LIST, AT(paper), "", 0, 0, "tables of the Medical SAM Adapter paper to show with what was measured and the difference: table1 (AMOS), table2 (BTCV), table3 (optic cup, brain tumour, thyroid nodule)", NULL},
    {"report.values", MG_TEXT, AT(values), "", 0, 0, "values of another paper instead (CSV: table, dataset, method, target, metric, value)", NULL},
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

static mg_status make_tables(const settings *s, mg_report *report)
{
    if (!s->paper.count) return MG_OK;
    MG_TRY(mg_paper_read(*s->values ? s->values : NULL, &report->paper));
    report->table = mg_calloc((size_t)s->paper.count, sizeof *report->table);
    MG_CHECK(report->table, MG_ERR_MEMORY, "cannot allocate %d tables", s->paper.count);
    for (int i = 0; i < s->paper.count; i++) {
        const char *name = s->paper.item[i];
        MG_CHECK(strncmp(name, "table", 5) == 0, MG_ERR_CONFIG,
                 "report.paper holds '%s', expected table1, table2, ...", name);
        MG_TRY(mg_paper_table_make(report, name + 5, &report->table[i]));
        report->tables++;
    }
    return MG_OK;
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
    if (!st) st = mg_report_collect(&report);
    if (!st) st = make_tables(s, &report);
    if (!st) mg_report_print(&report, stdout);
    if (!st && *s->out) st = write_page(&report, s->out);
    mg_report_free(&report);
    return st;
}

mg_status mg_cmd_report(const mg_args *args)
{
    settings s;
    mg_option_group group = {options, &s};

    MG_TRY(mg_args_load(args, &group, 1));
    mg_status st = args->argc > 0 || s.paper.count
                       ? make_report(args, &s)
                       : MG_FAIL(MG_ERR_CONFIG, "report needs run folders: medgraft report RUN...");
    mg_config_free(&group, 1);
    return st;
}
