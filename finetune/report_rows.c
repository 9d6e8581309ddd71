// Lines of a data set's table that belong together: the runs of one method with one protocol, repeated
// with other seeds. Their spread, and comparisons case by case over all of them: runs are paired by the
// data that they were scored on, and where that is the same, or not known, by their order.
#include <math.h>
#include <string.h>

#include "finetune/report.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// With more rows than this all are compared with the first.
enum { ALL_PAIRS_UP_TO = 6, MAX_PAIRS = 256 };

// --- rows --------------------------------------------------------------------------------------------

static mg_report_row *find_row(mg_report_set *set, const char *label)
{
    for (int i = 0; i < set->rows; i++)
        if (!strcmp(set->row[i].label, label)) return &set->row[i];
    return NULL;
}

static mg_status add_to_row(mg_report_set *set, int entry)
{
    const mg_report_entry *e = &set->entry[entry];
    mg_report_row *row = find_row(set, e->label);

    if (!row) {
        row = &set->row[set->rows];
        row->label = mg_strdup(e->label);
        MG_CHECK(row->label, MG_ERR_MEMORY, "cannot allocate a label");
        set->rows++;
    }
    MG_CHECK(row->count < MG_REPORT_REPEATS, MG_ERR_CONFIG,
             "more than %d runs of '%s', expected fewer or other names (evaluate.method)",
             MG_REPORT_REPEATS, e->label);
    row->control = e->control;
    row->entry[row->count++] = entry;
    set->repeated = set->repeated || row->count > 1;
    return MG_OK;
}

mg_status mg_report_rows(mg_report_set *set)
{
    double mean[MG_REPORT_REPEATS];

    set->row = mg_calloc((size_t)set->entries, sizeof *set->row);
    MG_CHECK(set->row, MG_ERR_MEMORY, "cannot allocate the rows on '%s'", set->name);
    for (int i = 0; i < set->entries; i++) MG_TRY(add_to_row(set, i));
    for (int r = 0; r < set->rows; r++) {
        mg_report_row *row = &set->row[r];
        for (int k = 0; k < MG_SCORES; k++) {
            for (int i = 0; i < row->count; i++)
                mean[i] = set->entry[row->entry[i]].average[k].mean;
            row->over[k] = mg_summarize(mean, row->count, 1);
        }
    }
    return MG_OK;
}

// --- comparisons -------------------------------------------------------------------------------------

// Mean Dice over the classes of each case that both lines have: x and y, at most [cases of a]. Cases
// are in the same order on both sides.
static int64_t match_cases(const mg_score_table *a, const mg_score_table *b, double *x, double *y)
{
    int64_t n = 0;

    for (int64_t i = 0, j = 0; i < a->cases && j < b->cases;) {
        int order = mg_natural_compare(a->id[i], b->id[j]);
        if (order == 0) {
            x[n] = mg_summarize(a->value[MG_SCORE_DICE] + i * a->classes, a->classes, 1).mean;
            y[n] = mg_summarize(b->value[MG_SCORE_DICE] + j * b->classes, b->classes, 1).mean;
            n++;
        }
        i += order <= 0;
        j += order >= 0;
    }
    return n;
}

// Hash of the data of a run, NULL if its record does not tell.
static const char *data_of(const mg_report_entry *e)
{
    return mg_json_text(mg_json_get(mg_json_get(e->run->provenance, "inputs"), "data.sets"));
}

// The first run of row `b` that is not taken and may have been scored on the data of `e`; -1: none.
static int partner(const mg_report_set *set, const mg_report_entry *e, const mg_report_row *b,
                   bool taken[MG_REPORT_REPEATS])
{
    const char *mine = data_of(e);

    for (int j = 0; j < b->count; j++) {
        const char *other = data_of(&set->entry[b->entry[j]]);
        if (taken[j] || (mine && other && strcmp(mine, other) != 0)) continue;
        taken[j] = true;
        return b->entry[j];
    }
    return -1;
}

static int64_t cases_of(const mg_report_set *set, const mg_report_row *row)
{
    int64_t cases = 0;

    for (int i = 0; i < row->count; i++) cases += set->entry[row->entry[i]].table.cases;
    return cases;
}

static mg_status compare(const mg_report *report, const mg_report_set *set, mg_report_pair *p)
{
    const mg_report_row *a = &set->row[p->a], *b = &set->row[p->b];
    size_t room = (size_t)cases_of(set, a) + 1;
    double *x = mg_alloc(room * sizeof *x), *y = mg_alloc(room * sizeof *y);
    bool taken[MG_REPORT_REPEATS] = {false};
    int64_t n = 0;
    mg_status st = MG_OK;

    if (!x || !y) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a comparison of %zu cases", room);
        goto done;
    }
    for (int i = 0; i < a->count; i++) {
        const mg_report_entry *e = &set->entry[a->entry[i]];
        int other = partner(set, e, b, taken);
        if (other >= 0) n += match_cases(&e->table, &set->entry[other].table, x + n, y + n);
    }
    st = mg_wilcoxon_test(x, y, n, &p->test);
    for (int64_t i = 0; i < n; i++) x[i] -= y[i];
    p->difference = mg_summarize(x, n, 1).mean;
    if (!st) st = mg_bootstrap(x, n, 1, report->seed, report->replicates, &p->interval, NULL, 0);

done:
    mg_free(x);
    mg_free(y);
    return st;
}

int mg_report_baseline(const mg_report *report, const mg_report_set *set)
{
    if (!report->baseline || !*report->baseline) return set->rows <= ALL_PAIRS_UP_TO ? -1 : 0;
    for (int i = 0; i < set->rows; i++) {
        const mg_report_run *run = set->entry[set->row[i].entry[0]].run;
        if (!strcmp(set->row[i].label, report->baseline) || !strcmp(run->name, report->baseline) ||
            !strcmp(run->scores.method, report->baseline))
            return i;
    }
    return -2;
}

mg_status mg_report_compare(const mg_report *report, mg_report_set *set)
{
    int n = set->rows, base = mg_report_baseline(report, set);
    double p[MAX_PAIRS], holm[MAX_PAIRS];

    if (base == -2 || n < 2) return MG_OK;
    set->pair = mg_calloc(MAX_PAIRS, sizeof *set->pair);
    MG_CHECK(set->pair, MG_ERR_MEMORY, "cannot allocate the comparisons on '%s'", set->name);
    for (int a = 0; a < n; a++)
        for (int b = 0; b < n; b++) {
            bool wanted = base < 0 ? a > b : b == base && a != base;
            wanted = wanted && !set->row[a].control && !set->row[b].control;
            if (!wanted || set->pairs == MAX_PAIRS) continue;
            mg_report_pair *pair = &set->pair[set->pairs];
            *pair = (mg_report_pair){.a = a, .b = b};
            MG_TRY(compare(report, set, pair));
            p[set->pairs++] = pair->test.p;
        }
    MG_TRY(mg_holm(p, set->pairs, holm));
    for (int i = 0; i < set->pairs; i++) set->pair[i].holm = holm[i];
    return MG_OK;
}
