// Results side by side: the lines of each data set's table (one per run and protocol), their means
// and intervals, and comparisons case by case with Holm's adjustment.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "finetune/report_paper.h"
#include "runtime/mem.h"

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
        for (int i = 0; i < set->rows; i++) mg_free(set->row[i].label);
        mg_free(set->entry);
        mg_free(set->row);
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

// Do the runs of a row have names of their own?
static bool have_names(const mg_report_set *set, const mg_report_row *row)
{
    for (int i = 0; i < row->count; i++)
        for (int j = 0; j < i; j++)
            if (!strcmp(set->entry[row->entry[i]].run->name, set->entry[row->entry[j]].run->name))
                return false;
    return true;
}

// Lines of the same label get the name of their run, or its number.
static mg_status tell_apart(mg_report_set *set)
{
    for (int r = 0; r < set->rows; r++) {
        const mg_report_row *row = &set->row[r];
        bool names = have_names(set, row);
        for (int i = 0; i < row->count && row->count > 1; i++) {
            mg_report_entry *e = &set->entry[row->entry[i]];
            mg_free(e->label);
            e->label = names ? mg_sprintf("%s (%s)", row->label, e->run->name)
                             : mg_sprintf("%s (run %d)", row->label, i + 1);
            MG_CHECK(e->label, MG_ERR_MEMORY, "cannot allocate a label");
        }
    }
    return MG_OK;
}

bool mg_report_has_msa(const mg_report_set *set)
{
    for (int i = 0; i < set->entries; i++)
        if (set->entry[i].average[MG_SCORE_MSA_DICE].n) return true;
    return false;
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

mg_status mg_report_collect(mg_report *report)
{
    bool found = !report->baseline || !*report->baseline;

    for (int r = 0; r < report->runs; r++) {
        const mg_report_run *run = &report->run[r];
        int groups = run->scored ? mg_scores_groups(&run->scores) : 0;
        for (int g = 0; g < groups; g++) MG_TRY(add_entry(report, run, g));
    }
    for (int s = 0; s < report->sets; s++) {
        MG_TRY(mg_report_rows(&report->set[s]));
        MG_TRY(tell_apart(&report->set[s]));
        found |= mg_report_baseline(report, &report->set[s]) >= 0;
        MG_TRY(mg_report_compare(report, &report->set[s]));
    }
    MG_CHECK(found || !report->sets, MG_ERR_CONFIG,
             "report.baseline '%s' is no label, method or run of these results", report->baseline);
    return MG_OK;
}
