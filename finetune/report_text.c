// The report as text: one table per data set with its comparisons, then the tables of the paper.
#include <math.h>
#include <string.h>

#include "finetune/report_paper.h"

static int label_width(const mg_report_set *set)
{
    size_t width = 6;
    for (int i = 0; i < set->entries; i++) {
        size_t n = strlen(set->entry[i].label);
        width = n > width ? n : width;
    }
    return (int)width;
}

// A number in a column of `width`, "-" for NaN.
static void print_value(FILE *out, double value, int width, int decimals)
{
    if (isnan(value))
        fprintf(out, " %*s", width, "-");
    else
        fprintf(out, " %*.*f", width, decimals, value);
}

static void print_interval(FILE *out, const mg_interval *i)
{
    if (isnan(i->low))
        fprintf(out, " %13s", "-");
    else
        fprintf(out, "   %.3f-%.3f", i->low, i->high);
}

static void print_entry(FILE *out, const mg_report_set *set, const mg_report_entry *e, int width)
{
    fprintf(out, "%-*s%s %6lld", width, e->label, set->phantom ? "  phantom" : "",
            (long long)e->average[MG_SCORE_DICE].n);
    print_value(out, e->average[MG_SCORE_DICE].mean, 6, 3);
    print_interval(out, &e->interval[MG_SCORE_DICE]);
    print_value(out, e->average[MG_SCORE_IOU].mean, 6, 3);
    print_value(out, e->average[MG_SCORE_HD95].mean, 8, 2);
    print_value(out, e->average[MG_SCORE_HD95_POOLED].mean, 8, 2);
    print_value(out, e->average[MG_SCORE_ASSD].mean, 8, 2);
    print_value(out, e->average[MG_SCORE_NSD].mean, 6, 3);
    fputc('\n', out);
}

static void print_classes(FILE *out, const mg_report_set *set, int width)
{
    const mg_score_table *t = &set->entry[0].table;

    fprintf(out, "\nDice per class%s\n%-*s%s", set->phantom ? " (phantom)" : "", width, "",
            set->phantom ? "         " : "");
    for (int c = 0; c < t->classes; c++) fprintf(out, " %14.14s", t->class_name[c]);
    fputc('\n', out);
    for (int i = 0; i < set->entries; i++) {
        fprintf(out, "%-*s%s", width, set->entry[i].label, set->phantom ? "  phantom" : "");
        for (int c = 0; c < t->classes; c++)
            print_value(out, mg_report_class(&set->entry[i], t->class_number[c]).mean, 14, 3);
        fputc('\n', out);
    }
}

// The second figure, apart from the scores.
static void print_msa(FILE *out, const mg_report_set *set, int width)
{
    fprintf(out,
            "\nmsa_score%s: slice by slice, mean over thresholds, as the released Medical SAM "
            "Adapter\n%-*s%s %6s %6s\n",
            set->phantom ? " (phantom)" : "", width, "", set->phantom ? "         " : "", "Dice",
            "IoU");
    for (int i = 0; i < set->entries; i++) {
        const mg_report_entry *e = &set->entry[i];
        fprintf(out, "%-*s%s", width, e->label, set->phantom ? "  phantom" : "");
        print_value(out, e->average[MG_SCORE_MSA_DICE].mean, 6, 3);
        print_value(out, e->average[MG_SCORE_MSA_IOU].mean, 6, 3);
        fputc('\n', out);
    }
}

// Targets found, by line and class, as "found/all".
static void print_found(FILE *out, const mg_report *report, const mg_report_set *set, int width)
{
    const mg_score_table *t = &set->entry[0].table;

    fprintf(out, "\nTargets found, Dice of at least %g%s\n%-*s%s %9s", report->fail_dice,
            set->phantom ? " (phantom)" : "", width, "", set->phantom ? "         " : "", "all");
    for (int c = 0; c < t->classes; c++) fprintf(out, " %14.14s", t->class_name[c]);
    fputc('\n', out);
    for (int i = 0; i < set->rows; i++) {
        const mg_report_row *row = &set->row[i];
        if (row->control) continue;
        fprintf(out, "%-*s%s", width, row->label, set->phantom ? "  phantom" : "");
        for (int c = -1; c < t->classes; c++) {
            mg_found n = mg_report_count_found(report, set, row, c < 0 ? 0 : t->class_number[c]);
            char text[48];
            snprintf(text, sizeof text, "%lld/%lld", (long long)n.found, (long long)n.all);
            fprintf(out, " %*s", c < 0 ? 9 : 14, text);
        }
        fputc('\n', out);
    }
}

static void print_pairs(FILE *out, const mg_report_set *set, int width)
{
    fprintf(out, "\nDice case by case%s, Wilcoxon signed-rank, p adjusted by Holm\n",
            set->phantom ? " (phantom)" : "");
    for (int i = 0; i < set->pairs; i++) {
        const mg_report_pair *p = &set->pair[i];
        fprintf(out,
                "%-*s  -  %-*s%s %6lld pairs  mean %+.3f (%+.3f to %+.3f)  median %+.3f  p %.2g\n",
                width, set->row[p->a].label, width, set->row[p->b].label,
                set->phantom ? "  phantom" : "", (long long)p->test.pairs, p->difference,
                p->interval.low, p->interval.high, p->test.median, p->holm);
    }
}

// Masks that were not there.
static void print_missing(FILE *out, const mg_report_set *set)
{
    for (int i = 0; i < set->entries; i++) {
        const mg_texts *missing = mg_report_missing(set, &set->entry[i]);
        if (!missing) continue;
        fprintf(out, "%s: %zu missing, scored as empty:", set->entry[i].label, missing->count);
        for (size_t k = 0; k < missing->count; k++) fprintf(out, " %s", missing->item[k]);
        fputc('\n', out);
    }
}

// "0.812 (0.021)"
static void print_spread(FILE *out, const mg_summary *s, int decimals)
{
    char text[48] = "-";

    if (s->n > 1) snprintf(text, sizeof text, "%.*f (%.*f)", decimals, s->mean, decimals, s->sd);
    if (s->n == 1) snprintf(text, sizeof text, "%.*f", decimals, s->mean);
    fprintf(out, " %16s", text);
}

// One line for each method, mean and standard deviation over its runs.
static void print_rows(FILE *out, const mg_report_set *set, int width)
{
    static const mg_score_kind shown[] = {MG_SCORE_DICE, MG_SCORE_IOU, MG_SCORE_HD95};

    fprintf(out, "%-*s%s %6s %16s %16s %16s\n", width, "mean (sd) over runs",
            set->phantom ? "         " : "", "runs", "Dice", "IoU", "HD95");
    for (int i = 0; i < set->rows; i++) {
        const mg_report_row *row = &set->row[i];
        fprintf(out, "%-*s%s %6d", width, row->label, set->phantom ? "  phantom" : "", row->count);
        for (int k = 0; k < 3; k++)
            print_spread(out, &row->over[shown[k]], mg_score_is_distance(shown[k]) ? 2 : 3);
        fputc('\n', out);
    }
    fputs("\neach run\n", out);
}

void mg_report_print(const mg_report *report, FILE *out)
{
    for (int s = 0; s < report->sets; s++) {
        const mg_report_set *set = &report->set[s];
        int width = label_width(set);
        fprintf(out, "%s%s%s, distances in %s\n", s ? "\n" : "", set->name,
                set->phantom ? " (phantom)" : "", set->unit);
        if (set->repeated) print_rows(out, set, width);
        fprintf(out, "%-*s%s %6s %6s %13s %6s %8s %8s %8s %6s\n", width, "method",
                set->phantom ? "         " : "", "n", "Dice", "95 %", "IoU", "HD95", "pooled",
                "ASSD", "NSD");
        for (int i = 0; i < set->entries; i++) print_entry(out, set, &set->entry[i], width);
        print_missing(out, set);
        if (set->entry[0].table.classes > 1) print_classes(out, set, width);
        if (set->entry[0].table.classes > 1) print_found(out, report, set, width);
        if (set->pairs) print_pairs(out, set, width);
        if (mg_report_has_msa(set)) print_msa(out, set, width);
    }
    for (int t = 0; t < report->tables; t++) mg_paper_print(&report->table[t], out);
}
