// Results side by side: the lines of each data set's table (one per run and protocol), their means
// and intervals, and comparisons case by case with Holm's adjustment.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "finetune/report_paper.h"
#include "runtime/mem.h"

// With more lines than this all are compared with the first.
enum { ALL_PAIRS_UP_TO = 6, MAX_PAIRS = 256 };

int mg_protocol_clicks(const char *protocol)
{
    char *end;
    long clicks = strtol(protocol, &end, 10);
    return end > protocol && clicks > 0 && clicks < 1000 ? (int)clicks : 0;
}

void mg_report_free(mg_report *report)
{
    for (int s = 0; s < report->sets; s++) {
        mg_report_set *set = &report->set[s];
        for (int i = 0; i < set->entries; i++) {
            mg_free(set->entry[i].label);
            mg_score_table_free(&set->entry[i].table);
        }
        mg_free(set->entry);
        mg_free(set->pair);
    }
    mg_free(report->set);
    for (int r = 0; r < report->runs; r++) mg_report_run_free(&report->run[r]);
    mg_free(report->run);
    for (int t = 0; t < report->tables; t++) mg_paper_table_free(&report->table[t]);
    mg_free(report->table);
    mg_paper_free(&report->paper);
    *report = (mg_report){0};
}

// --- lines -------------------------------------------------------------------------------------------

// The set of this name, kind and unit, added if it is new.
static mg_status find_set(mg_report *report, const char *name, const mg_score_set *facts,
                          mg_report_set **out)
{
    const char *unit = facts ? facts->unit : "px";
    bool phantom = facts && facts->phantom;

    for (int i = 0; i < report->sets; i++) {
        mg_report_set *set = &report->set[i];
        *out = set;
        if (!strcmp(set->name, name) && !strcmp(set->unit, unit) && set->phantom == phantom)
            return MG_OK;
    }
    mg_report_set *grown = mg_realloc(report->set, ((size_t)report->sets + 1) * sizeof *grown);
    MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate the results on '%s'", name);
    report->set = grown;
    *out = &grown[report->sets++];
    **out = (mg_report_set){.name = name, .unit = unit, .phantom = phantom};
    return MG_OK;
}

// Share of the cases whose mean Dice over the classes is below the limit.
static double share_below(const mg_score_table *t, double limit)
{
    int64_t below = 0, n = 0;

    for (int64_t i = 0; i < t->cases; i++) {
        double dice = mg_summarize(t->value[MG_SCORE_DICE] + i * t->classes, t->classes, 1).mean;
        if (isnan(dice)) continue;
        n++;
        below += dice < limit;
    }
    return n ? (double)below / (double)n : 0;
}

static mg_status fill_entry(const mg_report *report, mg_report_entry *e)
{
    const mg_report_run *run = e->run;
    const char *method = *run->scores.method ? run->scores.method : run->name;

    e->label = mg_sprintf("%s, %s", method, e->table.protocol);
    MG_CHECK(e->label, MG_ERR_MEMORY, "cannot allocate the results of '%s'", run->name);
    e->control = strcmp(e->table.protocol, "other object") == 0;
    for (int k = 0; k < MG_SCORES; k++)
        MG_TRY(mg_score_summary(&e->table, (mg_score_kind)k, -1, report->seed, report->replicates,
                                &e->average[k], &e->interval[k]));
    e->failed_share = share_below(&e->table, report->fail_dice);
    return MG_OK;
}

static mg_status add_entry(mg_report *report, const mg_report_run *run, int group)
{
    mg_report_entry e = {.run = run};
    mg_report_set *set = NULL;

    MG_TRY(mg_scores_table(&run->scores, group, &e.table));
    mg_status st = find_set(report, e.table.set, mg_scores_set(&run->scores, e.table.set), &set);
    mg_report_entry *grown =
        st ? NULL : mg_realloc(set->entry, ((size_t)set->entries + 1) * sizeof *grown);
    if (!grown) {
        mg_score_table_free(&e.table);
        return st ? st : MG_FAIL(MG_ERR_MEMORY, "cannot allocate the results of '%s'", run->name);
    }
    set->entry = grown;
    grown[set->entries++] = e; // from here on owned by the set
    return fill_entry(report, &grown[set->entries - 1]);
}

// Lines of the same label get the name of their run.
static mg_status tell_apart(mg_report_set *set)
{
    for (int i = 0; i < set->entries; i++) {
        bool again = false;
        for (int j = i + 1; j < set->entries; j++)
            again |= !strcmp(set->entry[i].label, set->entry[j].label);
        if (!again) continue;
        char *label = mg_strdup(set->entry[i].label);
        for (int j = i; j < set->entries && label; j++) {
            mg_report_entry *e = &set->entry[j];
            if (strcmp(e->label, label) != 0) continue;
            mg_free(e->label);
            e->label = mg_sprintf("%s (%s)", label, e->run->name);
            if (!e->label) break;
        }
        mg_free(label);
        MG_CHECK(set->entry[i].label, MG_ERR_MEMORY, "cannot allocate a label");
    }
    return MG_OK;
}

mg_summary mg_report_class(const mg_report_entry *e, int class_number)
{
    const mg_score_table *t = &e->table;

    for (int c = 0; c < t->classes; c++)
        if (t->class_number[c] == class_number)
            return mg_summarize(t->value[MG_SCORE_DICE] + c, t->cases, t->classes);
    return (mg_summary){0, NAN, NAN};
}

const mg_texts *mg_report_missing(const mg_report_set *set, const mg_report_entry *e)
{
    const mg_score_set *facts = mg_scores_set(&e->run->scores, set->name);
    return facts && facts->missing.count ? &facts->missing : NULL;
}

// --- comparisons -------------------------------------------------------------------------------------

// Mean Dice over the classes of each case that both lines have: x and y, [cases]. Cases are in the
// same order on both sides.
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

static mg_status compare(const mg_report *report, const mg_report_set *set, mg_report_pair *p)
{
    const mg_score_table *a = &set->entry[p->a].table, *b = &set->entry[p->b].table;
    double *x = mg_alloc((size_t)a->cases * sizeof *x), *y = mg_alloc((size_t)a->cases * sizeof *y);
    mg_status st = MG_OK;

    if (!x || !y) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a comparison of %lld cases",
                     (long long)a->cases);
        goto done;
    }
    int64_t n = match_cases(a, b, x, y);
    st = mg_wilcoxon_test(x, y, n, &p->test);
    for (int64_t i = 0; i < n; i++) x[i] -= y[i];
    p->difference = mg_summarize(x, n, 1).mean;
    if (!st) st = mg_bootstrap(x, n, 1, report->seed, report->replicates, &p->interval, NULL, 0);

done:
    mg_free(x);
    mg_free(y);
    return st;
}

// The line that all others are compared with, -1 for all pairs, -2 if it is not in this set.
static int find_baseline(const mg_report *report, const mg_report_set *set)
{
    if (!report->baseline || !*report->baseline) return set->entries <= ALL_PAIRS_UP_TO ? -1 : 0;
    for (int i = 0; i < set->entries; i++) {
        const mg_report_entry *e = &set->entry[i];
        if (!strcmp(e->label, report->baseline) || !strcmp(e->run->name, report->baseline) ||
            !strcmp(e->run->scores.method, report->baseline))
            return i;
    }
    return -2;
}

static mg_status compare_all(const mg_report *report, mg_report_set *set)
{
    int n = set->entries, base = find_baseline(report, set);
    double p[MAX_PAIRS], holm[MAX_PAIRS];

    if (base == -2 || n < 2) return MG_OK;
    set->pair = mg_calloc(MAX_PAIRS, sizeof *set->pair);
    MG_CHECK(set->pair, MG_ERR_MEMORY, "cannot allocate the comparisons on '%s'", set->name);
    for (int a = 0; a < n; a++)
        for (int b = 0; b < n; b++) {
            bool wanted = base < 0 ? a > b : b == base && a != base;
            wanted = wanted && !set->entry[a].control && !set->entry[b].control;
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

mg_status mg_report_collect(mg_report *report)
{
    bool found = !report->baseline || !*report->baseline;

    for (int r = 0; r < report->runs; r++) {
        const mg_report_run *run = &report->run[r];
        int groups = run->scored ? mg_scores_groups(&run->scores) : 0;
        for (int g = 0; g < groups; g++) MG_TRY(add_entry(report, run, g));
    }
    for (int s = 0; s < report->sets; s++) {
        MG_TRY(tell_apart(&report->set[s]));
        found |= find_baseline(report, &report->set[s]) >= 0;
        MG_TRY(compare_all(report, &report->set[s]));
    }
    MG_CHECK(found || !report->sets, MG_ERR_CONFIG,
             "report.baseline '%s' is no label, method or run of these results", report->baseline);
    return MG_OK;
}
