// The report as one HTML page without outside resources: tables of scores, comparisons, clicks,
// curves, pictures, and how each run was made.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "finetune/report_paper.h"
#include "runtime/mem.h"
#include "runtime/run.h"

void mg_html_heading(FILE *out, const mg_report_set *set)
{
    fprintf(out, "<h3>");
    mg_html_text(out, set->name);
    fprintf(out, "%s</h3>\n", set->phantom ? " <span class=\"badge\">phantom</span>" : "");
}

void mg_html_row_head(FILE *out, const mg_report_set *set, const char *label)
{
    fprintf(out, "<tr><th scope=\"row\">");
    mg_html_text(out, label);
    fprintf(out, "%s</th>", set->phantom ? "<span class=\"badge\">phantom</span>" : "");
}

static void cell(FILE *out, double value, int decimals, bool best)
{
    if (isnan(value))
        fprintf(out, "<td class=\"soft\">&ndash;</td>");
    else
        fprintf(out, "<td%s>%.*f</td>", best ? " class=\"best\"" : "", decimals, value);
}

// --- scores ------------------------------------------------------------------------------------------

static double best_of(const mg_report_set *set, int kind)
{
    bool smaller = mg_score_is_distance((mg_score_kind)kind);
    double best = NAN;

    for (int i = 0; i < set->entries; i++) {
        double mean = set->entry[i].average[kind].mean;
        if (set->entry[i].control || isnan(mean)) continue;
        if (isnan(best) || (smaller ? mean < best : mean > best)) best = mean;
    }
    return best;
}

static void score_head(FILE *out, const mg_report_set *set)
{
    double tolerance = set->entry[0].run->scores.nsd_tolerance;
    int classes = set->entry[0].table.classes;

    fprintf(out, "<caption>%sMean over the cases",
            classes > 1 ? "Avg over the classes: unweighted mean of the class means. " : "");
    if (classes == 1) {
        fprintf(out, ", class ");
        mg_html_text(out, set->entry[0].table.class_name[0]);
    }
    fprintf(out,
            "; 95 %% bootstrap interval over cases; distances in %s.</caption><thead><tr>"
            "<th scope=\"col\" class=\"left\">Method</th><th scope=\"col\">Cases</th>"
            "<th scope=\"col\">Dice</th><th scope=\"col\">95 %% interval</th>"
            "<th scope=\"col\" class=\"left\"><span class=\"soft\">0 &hellip; 1</span></th>"
            "<th scope=\"col\">IoU</th><th scope=\"col\">HD95</th>"
            "<th scope=\"col\">HD95<br>pooled</th><th scope=\"col\">ASSD</th>",
            set->unit);
    if (isnan(tolerance))
        fprintf(out, "<th scope=\"col\">NSD</th>");
    else
        fprintf(out, "<th scope=\"col\">NSD<br>%g %s</th>", tolerance, set->unit);
    fprintf(out, "<th scope=\"col\">Missed</th></tr></thead>\n");
}

static void score_row(FILE *out, const mg_report_set *set, const mg_report_entry *e)
{
    static const int rest[] = {MG_SCORE_IOU, MG_SCORE_HD95, MG_SCORE_HD95_POOLED, MG_SCORE_ASSD,
                               MG_SCORE_NSD};
    const mg_interval *interval = &e->interval[MG_SCORE_DICE];
    double dice = e->average[MG_SCORE_DICE].mean;

    mg_html_row_head(out, set, e->label);
    fprintf(out, "<td>%lld</td>", (long long)e->average[MG_SCORE_DICE].n);
    cell(out, dice, 3, !e->control && dice == best_of(set, MG_SCORE_DICE));
    if (isnan(interval->low))
        fprintf(out, "<td class=\"soft\">&ndash;</td>");
    else
        fprintf(out, "<td class=\"soft\">%.3f&ndash;%.3f</td>", interval->low, interval->high);
    fprintf(out, "<td class=\"left\">");
    mg_svg_interval(out, dice, interval);
    fprintf(out, "</td>");
    for (int k = 0; k < 5; k++) {
        double mean = e->average[rest[k]].mean;
        cell(out, mean, mg_score_is_distance((mg_score_kind)rest[k]) ? 2 : 3,
             !e->control && mean == best_of(set, rest[k]));
    }
    fprintf(out, "<td>%lld%s</td></tr>\n", (long long)e->table.missed,
            e->failed_share > 0.7 ? "&thinsp;&dagger;" : "");
}

static void spread_cell(FILE *out, const mg_summary *s, int decimals)
{
    if (s->n == 0)
        fprintf(out, "<td class=\"soft\">&ndash;</td>");
    else if (s->n == 1)
        fprintf(out, "<td>%.*f</td>", decimals, s->mean);
    else
        fprintf(out, "<td>%.*f <span class=\"soft\">(%.*f)</span></td>", decimals, s->mean,
                decimals, s->sd);
}

// One line for each method over its runs.
static void rows_table(FILE *out, const mg_report_set *set)
{
    static const mg_score_kind shown[] = {MG_SCORE_DICE, MG_SCORE_IOU, MG_SCORE_HD95,
                                          MG_SCORE_HD95_POOLED, MG_SCORE_NSD};

    fprintf(out,
            "<div class=\"wide\" tabindex=\"0\"><table><caption>Mean over runs with other seeds "
            "(standard deviation between them); distances in %s. Each run follows "
            "below.</caption><thead><tr><th scope=\"col\" class=\"left\">Method</th>"
            "<th scope=\"col\">Runs</th><th scope=\"col\">Dice</th><th scope=\"col\">IoU</th>"
            "<th scope=\"col\">HD95</th><th scope=\"col\">HD95<br>pooled</th>"
            "<th scope=\"col\">NSD</th></tr></thead><tbody>\n",
            set->unit);
    for (int i = 0; i < set->rows; i++) {
        const mg_report_row *row = &set->row[i];
        mg_html_row_head(out, set, row->label);
        fprintf(out, "<td>%d</td>", row->count);
        for (size_t k = 0; k < sizeof shown / sizeof *shown; k++)
            spread_cell(out, &row->over[shown[k]], mg_score_is_distance(shown[k]) ? 2 : 3);
        fprintf(out, "</tr>\n");
    }
    fprintf(out, "</tbody></table></div>\n");
}

static void class_table(FILE *out, const mg_report_set *set)
{
    const mg_score_table *t = &set->entry[0].table;

    fprintf(out, "<div class=\"wide\" tabindex=\"0\"><table><caption>Dice per class.</caption>"
                 "<thead><tr><th scope=\"col\" class=\"left\">Method</th>");
    for (int c = 0; c < t->classes; c++) {
        fprintf(out, "<th scope=\"col\">");
        mg_html_text(out, t->class_name[c]);
        fprintf(out, "</th>");
    }
    fprintf(out, "<th scope=\"col\">Avg</th></tr></thead><tbody>\n");
    for (int i = 0; i < set->entries; i++) {
        mg_html_row_head(out, set, set->entry[i].label);
        for (int c = 0; c < t->classes; c++)
            cell(out, mg_report_class(&set->entry[i], t->class_number[c]).mean, 3, false);
        cell(out, set->entry[i].average[MG_SCORE_DICE].mean, 3, false);
        fprintf(out, "</tr>\n");
    }
    fprintf(out, "</tbody></table></div>\n");
}

// Masks that were not there.
static void missing_notes(FILE *out, const mg_report_set *set)
{
    for (int i = 0; i < set->entries; i++) {
        const mg_texts *missing = mg_report_missing(set, &set->entry[i]);
        if (!missing) continue;
        fprintf(out, "<p class=\"note\">");
        mg_html_text(out, set->entry[i].label);
        fprintf(out, ": %zu missing, scored as empty:", missing->count);
        for (size_t k = 0; k < missing->count; k++) {
            fputc(' ', out);
            mg_html_text(out, missing->item[k]);
        }
        fprintf(out, "</p>\n");
    }
}

// The second figure, apart from the scores.
static void msa_table(FILE *out, const mg_report_set *set)
{
    fprintf(out, "<details><summary>msa_score, as the released Medical SAM Adapter prints it"
                 "</summary><div class=\"wide\" tabindex=\"0\"><table><caption>Each slice by "
                 "itself, mean over the thresholds 0.1, 0.3, 0.5, 0.7, 0.9; slices that are empty "
                 "in both masks count as 1. Not comparable with the scores above.</caption><thead>"
                 "<tr><th scope=\"col\" class=\"left\">Method</th><th scope=\"col\">Dice</th>"
                 "<th scope=\"col\">IoU</th></tr></thead><tbody>\n");
    for (int i = 0; i < set->entries; i++) {
        mg_html_row_head(out, set, set->entry[i].label);
        cell(out, set->entry[i].average[MG_SCORE_MSA_DICE].mean, 3, false);
        cell(out, set->entry[i].average[MG_SCORE_MSA_IOU].mean, 3, false);
        fprintf(out, "</tr>\n");
    }
    fprintf(out, "</tbody></table></div></details>\n");
}

static void scores_section(FILE *out, const mg_report *report)
{
    bool failed = false;

    fprintf(out, "<section id=\"scores\"><h2>Scores</h2>\n");
    for (int s = 0; s < report->sets; s++) {
        const mg_report_set *set = &report->set[s];
        mg_html_heading(out, set);
        if (set->repeated) rows_table(out, set);
        fprintf(out, "<div class=\"wide\" tabindex=\"0\"><table>");
        score_head(out, set);
        fprintf(out, "<tbody>\n");
        for (int i = 0; i < set->entries; i++) {
            score_row(out, set, &set->entry[i]);
            failed |= set->entry[i].failed_share > 0.7;
        }
        fprintf(out, "</tbody></table></div>\n");
        missing_notes(out, set);
        if (set->entry[0].table.classes > 1) class_table(out, set);
        if (mg_report_has_msa(set)) msa_table(out, set);
        if (set->phantom)
            fprintf(out, "<p class=\"note\">Phantom scores: these pictures were drawn from a seed. "
                         "They say nothing about real patients.</p>\n");
    }
    if (failed)
        fprintf(out,
                "<p class=\"note\">&dagger; Dice under %g in more than 70 %% of the cases.</p>\n",
                report->fail_dice);
    fprintf(out,
            "<details><summary>How these numbers are made</summary><p class=\"note\">Every case is "
            "scored whole, on its original grid. HD95 is the larger of the two directed 95th "
            "percentiles of surface distances (MONAI), HD95 pooled that of both lists together "
            "(medpy), ASSD their mean, NSD the share within the tolerance. Where only one mask is "
            "empty, Dice, IoU and NSD are 0 and the distances the diagonal of the grid; such "
            "targets are counted under Missed. Where both are empty nothing is counted, unless "
            "the evaluation was told to.</p></details></section>\n");
}

// --- tables of the paper -----------------------------------------------------------------------------

static void paper_section(FILE *out, const mg_report *report)
{
    fprintf(out,
            "<section id=\"paper\"><h2>Beside the paper</h2>\n<p>What the paper prints, what was "
            "measured under the same name, and the difference.</p>\n");
    for (int t = 0; t < report->tables; t++) mg_paper_html(&report->table[t], out);
    fprintf(out, "</section>\n");
}

// --- comparisons -------------------------------------------------------------------------------------

static void print_p(FILE *out, double p)
{
    if (p < 0.0001)
        fprintf(out, "<td>&lt; 0.0001</td>");
    else
        fprintf(out, "<td>%.4f</td>", p);
}

static void pair_row(FILE *out, const mg_report_set *set, const mg_report_pair *p)
{
    fprintf(out, "<tr><th scope=\"row\">");
    mg_html_text(out, set->row[p->a].label);
    fprintf(out, " <span class=\"soft\">&minus;</span> ");
    mg_html_text(out, set->row[p->b].label);
    fprintf(out, "%s</th><td>%lld</td><td>%+.3f</td>",
            set->phantom ? "<span class=\"badge\">phantom</span>" : "", (long long)p->test.pairs,
            p->difference);
    if (isnan(p->interval.low))
        fprintf(out, "<td class=\"soft\">&ndash;</td>");
    else
        fprintf(out, "<td class=\"soft\">%+.3f to %+.3f</td>", p->interval.low, p->interval.high);
    fprintf(out, "<td>%+.3f</td>", p->test.median);
    print_p(out, p->test.p);
    print_p(out, p->holm);
    fprintf(out, "</tr>\n");
}

static void comparisons_section(FILE *out, const mg_report *report)
{
    fprintf(out, "<section id=\"comparisons\"><h2>Comparisons</h2>\n<p>Difference of Dice, case by "
                 "case: Wilcoxon signed-rank test, two-sided, p adjusted by Holm within each "
                 "table. With many cases a tiny difference can be significant: look at its "
                 "size.</p>\n");
    for (int s = 0; s < report->sets; s++) {
        const mg_report_set *set = &report->set[s];
        if (!set->pairs) continue;
        mg_html_heading(out, set);
        fprintf(out, "<div class=\"wide\" tabindex=\"0\"><table><thead><tr>"
                     "<th scope=\"col\" class=\"left\">Difference</th><th scope=\"col\">Cases</th>"
                     "<th scope=\"col\">Mean</th><th scope=\"col\">95 %% interval</th>"
                     "<th scope=\"col\">Median</th><th scope=\"col\">p</th>"
                     "<th scope=\"col\">p (Holm)</th></tr></thead><tbody>\n");
        for (int i = 0; i < set->pairs; i++) pair_row(out, set, &set->pair[i]);
        fprintf(out, "</tbody></table></div>\n");
    }
    fprintf(out, "</section>\n");
}

// --- clicks ------------------------------------------------------------------------------------------

static void noc_row(FILE *out, const mg_report_set *set, const mg_report_entry *e)
{
    mg_noc_summary n = mg_score_noc(&e->table);

    mg_html_row_head(out, set, e->label);
    fprintf(out, "<td>%lld</td>", (long long)n.rows);
    for (int l = 0; l < MG_NOC_LEVELS; l++) {
        cell(out, n.mean[l], 2, false);
        fprintf(out, "<td>%lld</td>", (long long)n.failed[l]);
    }
    fprintf(out, "</tr>\n");
}

static bool has_curve(const mg_report_entry *e)
{
    return e->table.curve > 1;
}

static void noc_table(FILE *out, const mg_report_set *set)
{
    bool any = false;

    for (int i = 0; i < set->entries; i++) any |= has_curve(&set->entry[i]);
    if (!any) return;
    fprintf(out, "<div class=\"wide\" tabindex=\"0\"><table><caption>Clicks until an IoU is "
                 "reached (the most clicks made, if never), and targets that never reach it."
                 "</caption><thead><tr><th scope=\"col\" class=\"left\">Method</th>"
                 "<th scope=\"col\">Targets</th>");
    for (int l = 0; l < MG_NOC_LEVELS; l++)
        fprintf(out, "<th scope=\"col\">NoC@%.0f</th><th scope=\"col\">never</th>",
                100 * mg_noc_level[l]);
    fprintf(out, "</tr></thead><tbody>\n");
    for (int i = 0; i < set->entries; i++)
        if (has_curve(&set->entry[i])) noc_row(out, set, &set->entry[i]);
    fprintf(out, "</tbody></table></div>\n");
}

// One line of the drawings: mean Dice and IoU of a run after each number of clicks.
typedef struct {
    const char *name;
    int64_t count;
    double x[MG_MAX_CURVE], y[2][MG_MAX_CURVE];
} click_line;

// From the longest curve that the run kept, otherwise from its protocols of k clicks.
static void trace_clicks(const mg_report_set *set, const mg_report_run *run, click_line *line)
{
    const mg_report_entry *longest = NULL;

    *line = (click_line){.name = *run->scores.method ? run->scores.method : run->name};
    for (int i = 0; i < set->entries; i++) {
        const mg_report_entry *e = &set->entry[i];
        if (e->run != run) continue;
        if (has_curve(e) && (!longest || e->table.curve > longest->table.curve)) longest = e;
        int clicks = mg_protocol_clicks(e->table.protocol);
        if (!clicks || line->count == MG_MAX_CURVE) continue;
        line->x[line->count] = clicks;
        line->y[0][line->count] = e->average[MG_SCORE_DICE].mean;
        line->y[1][line->count++] = e->average[MG_SCORE_IOU].mean;
    }
    if (!longest) return;
    const mg_score_table *t = &longest->table;
    line->count = t->curve;
    for (int k = 0; k < t->curve; k++) line->x[k] = k + 1;
    mg_click_curve(t->dice_after, t->rows, t->curve, line->y[0]);
    mg_click_curve(t->iou_after, t->rows, t->curve, line->y[1]);
}

static void click_charts(FILE *out, const mg_report *report, const mg_report_set *set)
{
    static const char *const title[2] = {"Mean Dice after each click", "Mean IoU after each click"};
    click_line trace[MG_LINE_COLOURS];
    int lines = 0;

    for (int r = 0; r < report->runs && lines < MG_LINE_COLOURS; r++) {
        if (!report->run[r].scored) continue;
        trace_clicks(set, &report->run[r], &trace[lines]);
        lines += trace[lines].count > 0;
    }
    fprintf(out, "<div class=\"charts\">\n");
    for (int m = 0; m < 2; m++) {
        mg_line line[MG_LINE_COLOURS];
        for (int i = 0; i < lines; i++)
            line[i] = (mg_line){trace[i].name, trace[i].x, trace[i].y[m], trace[i].count};
        mg_svg_chart(out, &(mg_chart){.title = title[m],
                                      .x_label = "clicks",
                                      .line = line,
                                      .lines = lines,
                                      .counts = true,
                                      .from_zero = true,
                                      .to_one = true});
    }
    fprintf(out, "</div>\n");
}

// A set is worth drawing if some line of it has more than one click.
static bool has_clicks(const mg_report_set *set)
{
    for (int i = 0; i < set->entries; i++)
        if (has_curve(&set->entry[i]) || mg_protocol_clicks(set->entry[i].table.protocol) > 1)
            return true;
    return false;
}

static void clicks_section(FILE *out, const mg_report *report)
{
    fprintf(out, "<section id=\"clicks\"><h2>Clicks</h2>\n");
    for (int s = 0; s < report->sets; s++) {
        const mg_report_set *set = &report->set[s];
        if (!has_clicks(set)) continue;
        mg_html_heading(out, set);
        click_charts(out, report, set);
        noc_table(out, set);
    }
    fprintf(out, "</section>\n");
}

// --- runs --------------------------------------------------------------------------------------------

static void run_heading(FILE *out, const mg_report_run *run)
{
    const char *command = mg_json_text(mg_json_get(run->provenance, "command"));

    fprintf(out, "<h3>");
    mg_html_text(out, run->name);
    if (command && strcmp(command, run->name) != 0) {
        fprintf(out, " <span class=\"soft\">");
        mg_html_text(out, command);
        fprintf(out, "</span>");
    }
    fprintf(out, "</h3>\n");
}

static void curves_section(FILE *out, const mg_report *report)
{
    fprintf(out, "<section id=\"training\"><h2>Training</h2>\n");
    for (int r = 0; r < report->runs; r++) {
        if (!report->run[r].series_count) continue;
        run_heading(out, &report->run[r]);
        mg_report_curves(out, &report->run[r]);
    }
    fprintf(out, "</section>\n");
}

static mg_status pictures_section(FILE *out, const mg_report *report)
{
    fprintf(out, "<section id=\"pictures\"><h2>Pictures</h2>\n");
    for (int r = 0; r < report->runs; r++) {
        if (!report->run[r].pictures.count) continue;
        run_heading(out, &report->run[r]);
        MG_TRY(mg_report_pictures(out, &report->run[r], report->pictures));
    }
    fprintf(out, "</section>\n");
    return MG_OK;
}

static void print_fact(FILE *out, const char *key, const mg_json *value)
{
    char *text =
        mg_json_is_text(value) ? mg_strdup(mg_json_text(value)) : mg_json_dump(value, false);

    if (!text) return;
    fprintf(out, "<dt>");
    for (; *key; key++) fputc(*key == '_' ? ' ' : *key, out);
    fprintf(out, "</dt><dd>");
    mg_html_text(out, text);
    fprintf(out, "</dd>");
    mg_free(text);
}

static void runs_section(FILE *out, const mg_report *report)
{
    fprintf(out, "<section id=\"runs\"><h2>Runs</h2>\n");
    for (int r = 0; r < report->runs; r++) {
        const mg_report_run *run = &report->run[r];
        size_t restarts = mg_json_size(mg_json_get(run->provenance, "restarts"));
        run_heading(out, run);
        fprintf(out, "<dl>");
        for (size_t i = 0; i < mg_json_size(run->provenance); i++) {
            const mg_json *value;
            const char *key = mg_json_member(run->provenance, i, &value);
            if (strcmp(key, "command") != 0 && strcmp(key, "restarts") != 0)
                print_fact(out, key, value);
        }
        if (restarts) fprintf(out, "<dt>restarts</dt><dd>%zu</dd>", restarts);
        if (run->scored && !isnan(run->scores.trained_share))
            fprintf(out, "<dt>trained share</dt><dd>%.1f %% of the parameters</dd>",
                    100 * run->scores.trained_share);
        fprintf(out, "</dl>\n");
    }
    fprintf(out, "</section>\n");
}

// --- page --------------------------------------------------------------------------------------------

typedef struct {
    bool scores, found, comparisons, clicks, training, pictures;
} contents;

static contents look(const mg_report *report)
{
    contents c = {.scores = report->sets > 0};

    for (int s = 0; s < report->sets; s++) {
        c.comparisons |= report->set[s].pairs > 0;
        c.clicks |= has_clicks(&report->set[s]);
    }
    for (int r = 0; r < report->runs; r++) {
        c.training |= report->run[r].series_count > 0;
        c.found |= report->run[r].maps > 0;
        c.pictures |= report->run[r].pictures.count > 0 && report->pictures > 0;
    }
    return c;
}

static void head(FILE *out, const mg_report *report, const contents *c)
{
    fprintf(out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
            "<meta name=\"generator\" content=\"medgraft %s\"><title>",
            mg_version());
    mg_html_text(out, report->title);
    fprintf(out, "</title>\n<style>%s", mg_report_style);
    mg_report_colours(out);
    fprintf(out, "</style></head>\n<body><a class=\"skip\" href=\"#main\">Skip to the results</a>\n"
                 "<header><h1>");
    mg_html_text(out, report->title);
    fprintf(out, "</h1><p class=\"note\">medgraft %s, %d run%s</p>\n<nav aria-label=\"Parts\">",
            mg_version(), report->runs, report->runs == 1 ? "" : "s");
    if (c->scores) fprintf(out, "<a href=\"#scores\">Scores</a>");
    if (c->found) fprintf(out, "<a href=\"#found\">Found and lost</a>");
    if (report->tables) fprintf(out, "<a href=\"#paper\">Beside the paper</a>");
    if (c->comparisons) fprintf(out, "<a href=\"#comparisons\">Comparisons</a>");
    if (c->clicks) fprintf(out, "<a href=\"#clicks\">Clicks</a>");
    if (c->training) fprintf(out, "<a href=\"#training\">Training</a>");
    if (c->pictures) fprintf(out, "<a href=\"#pictures\">Pictures</a>");
    fprintf(out, "<a href=\"#runs\">Runs</a></nav></header>\n<main id=\"main\">\n");
}

static mg_status write_page(FILE *out, const mg_report *report)
{
    contents c = look(report);

    head(out, report, &c);
    if (c.scores) scores_section(out, report);
    if (c.found) MG_TRY(mg_report_found(out, report));
    if (report->tables) paper_section(out, report);
    if (c.comparisons) comparisons_section(out, report);
    if (c.clicks) clicks_section(out, report);
    if (c.training) curves_section(out, report);
    if (c.pictures) MG_TRY(pictures_section(out, report));
    runs_section(out, report);
    fprintf(out, "</main>\n<footer>One file, no outside resources. Numbers come from cases.csv and "
                 "metrics.jsonl of the runs above.</footer>\n</body></html>\n");
    return MG_OK;
}

mg_status mg_report_page(const mg_report *report, const char *path)
{
    char *page = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&page, &bytes);

    MG_CHECK(out, MG_ERR_MEMORY, "cannot allocate the page '%s'", path);
    mg_status st = write_page(out, report);
    bool ok = fclose(out) == 0;
    if (!st && !ok) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the page '%s'", path);
    if (!st) st = mg_write_file(path, page, bytes);
    free(page);
    return st;
}
