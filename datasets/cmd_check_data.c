// medgraft check-data: opens every case of a raw data set and holds it against its section of datasets.md
// before compute is spent. A table on stdout; exit code 1 if cases are bad.
#include <inttypes.h>
#include <omp.h>
#include <string.h>

#include "datasets/check.h"
#include "datasets/cmd.h"
#include "datasets/sections.h"
#include "runtime/log.h"

typedef struct {
    char *dataset, *root, *rows;
    bool strict;
} settings;

// clang-format off
static const mg_option options[] = {
    {"check_data.dataset", MG_TEXT, offsetof(settings, dataset), "", 0, 0, "which data set it is", NULL},
    {"check_data.root", MG_TEXT, offsetof(settings, root), "", 0, 0, "folder of the raw data", NULL},
    {"check_data.rows", MG_CHOICE, offsetof(settings, rows), "all", 0, 0, "cases in the table: all, only those that are not in order, or none", "all|odd|none"},
    {"check_data.strict", MG_BOOL, offsetof(settings, strict), "false", 0, 0, "odd cases and counts that differ from the expected ones are errors too", NULL},
    {0},
};
// clang-format on

int mg_cmd_check_data_options(mg_option_group *groups, int room)
{
    mg_sections s;

    mg_sections_list(&s, options, NULL);
    for (int i = 0; i < s.count && i < room; i++) groups[i] = s.group[i];
    return s.count < room ? s.count : room;
}

static mg_status judge(const settings *cfg, const mg_check_outcome *o)
{
    int64_t wrong = o->bad + o->skipped + o->crossing;

    if (cfg->strict) wrong += o->odd + o->passed + o->counts;
    MG_CHECK(wrong == 0, MG_ERR_FORMAT,
             "'%s' is not in order: %" PRId64 " cases bad, %" PRId64
             " files without a case, %" PRId64 " patients on both sides%s",
             cfg->root, o->bad, o->skipped, o->crossing,
             cfg->strict ? ", or odd under check_data.strict" : "");
    return MG_OK;
}

static mg_status run(const mg_args *args, const settings *cfg, const mg_sections *s)
{
    mg_check_order order = {.root = cfg->root, .out = stdout, .threads = omp_get_max_threads()};
    mg_check_outcome outcome;
    double start = mg_now();

    MG_TRY(mg_sections_find("check_data.dataset", cfg->dataset, &order.set));
    MG_CHECK(*cfg->root, MG_ERR_CONFIG, "check_data.root is not set: where the raw data lies");
    order.config = mg_sections_config(s, order.set);
    order.rows = !strcmp(cfg->rows, "all")   ? MG_CHECK_ALL
                 : !strcmp(cfg->rows, "odd") ? MG_CHECK_ODD
                                             : MG_CHECK_NONE;
    MG_TRY(mg_check_run(args->world, &order, &outcome));
    if (mg_comm_rank(args->world) == 0)
        printf("cases %" PRId64 " ok %" PRId64 " odd %" PRId64 " bad %" PRId64
               " duplicates %" PRId64 " files_without_case %" PRId64 " files_passed_over %" PRId64
               " patients_on_both_sides %" PRId64 " counts_off %" PRId64 "\n",
               outcome.cases, outcome.good, outcome.odd, outcome.bad, outcome.duplicates,
               outcome.skipped, outcome.passed, outcome.crossing, outcome.counts);
    fflush(stdout);
    mg_info("checked %s seconds %.1f", order.set->name, mg_now() - start);
    return mg_comm_agree(args->world,
                         mg_comm_rank(args->world) == 0 ? judge(cfg, &outcome) : MG_OK);
}

mg_status mg_cmd_check_data(const mg_args *args)
{
    settings cfg;
    mg_sections s;

    mg_sections_list(&s, options, &cfg);
    MG_TRY(mg_sections_load(args, &s));
    mg_status st = run(args, &cfg, &s);
    mg_sections_free(&s);
    return st;
}
