// A table of a paper as lines: for every method the printed values, then each measured line that goes by
// its name, and the difference; at the end what was measured and is not in the paper.
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "finetune/report_paper.h"
#include "runtime/mem.h"

// A printed average that is further from the mean of its row is said to be odd.
#define ODD_AVERAGE 0.002

// --- columns ----------------------------------------------------------------------------------------

static char *const *row_of(const mg_report *r, int64_t i)
{
    return (char *const *)r->paper.cell[i];
}

static bool in_block(const mg_report *r, int64_t i, const char *table, const char *dataset)
{
    char *const *cell = row_of(r, i);
    return !strcmp(cell[MG_PAPER_TABLE], table) && !strcmp(cell[MG_PAPER_DATASET], dataset);
}

// Metrics that tables print.
static const char *const metric_name[MG_SCORES] = {"Dice",        "IoU",  "HD95",
                                                   "HD95 pooled", "ASSD", "NSD"};

static int score_of(const char *metric)
{
    int k = 0;
    while (k < MG_SCORES && strcasecmp(metric_name[k], metric) != 0) k++;
    return k;
}

static void add_column(mg_paper_block *b, mg_paper_column_kind kind, const char *target, int score,
                       const char *name)
{
    if (b->columns == MG_PAPER_COLUMNS) return;
    mg_paper_column *c = &b->column[b->columns++];
    *c = (mg_paper_column){.kind = kind, .target = target, .score = (mg_score_kind)score};
    snprintf(c->name, sizeof c->name, "%s", name);
}

static int column_of(const mg_paper_block *b, mg_paper_column_kind kind, const char *target,
                     int score)
{
    for (int c = 0; c < b->columns; c++)
        if (b->column[c].kind == kind && !strcmp(b->column[c].target, target) &&
            (int)b->column[c].score == score)
            return c;
    return -1;
}

// Targets and metrics in the order they are printed in, then averages.
static void find_columns(const mg_report *r, const char *table, mg_paper_block *b)
{
    const char *average = NULL;
    bool several = false;
    char name[40];

    for (int64_t i = 0; i < r->paper.rows; i++) {
        char *const *cell = row_of(r, i);
        int score = score_of(cell[MG_PAPER_METRIC]);
        if (!in_block(r, i, table, b->dataset) || score == MG_SCORES) continue;
        several |= score != MG_SCORE_DICE;
        b->percent |= !mg_score_is_distance((mg_score_kind)score) &&
                      mg_paper_number(cell[MG_PAPER_VALUE]) > 1.5;
        if (mg_paper_is_average(cell[MG_PAPER_TARGET])) {
            average = cell[MG_PAPER_TARGET];
            continue;
        }
        if (column_of(b, MG_COLUMN_TARGET, cell[MG_PAPER_TARGET], score) >= 0) continue;
        snprintf(name, sizeof name, "%s", cell[MG_PAPER_TARGET]);
        add_column(b, MG_COLUMN_TARGET, cell[MG_PAPER_TARGET], score, name);
        if (!strcmp(name, "AG")) add_column(b, MG_COLUMN_MERGED, "AG", score, MG_PAPER_MERGED);
    }
    for (int c = 0; several && c < b->columns; c++)
        snprintf(b->column[c].name, sizeof b->column[c].name, "%s %s", b->column[c].target,
                 metric_name[b->column[c].score]);
    if (!average) return;
    add_column(b, MG_COLUMN_AVERAGE, average, MG_SCORE_DICE, "Avg");
    add_column(b, MG_COLUMN_PRINTED, average, MG_SCORE_DICE, "printed");
}

// --- lines ------------------------------------------------------------------------------------------

static mg_paper_line *add_line(mg_paper_block *b, mg_paper_line_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

// NULL without memory. The pointer holds until the next line.
static mg_paper_line *add_line(mg_paper_block *b, mg_paper_line_kind kind, const char *fmt, ...)
{
    char label[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(label, sizeof label, fmt, args);
    va_end(args);
    if (b->lines == b->room) {
        int room = 2 * b->room + 32;
        mg_paper_line *grown = mg_realloc(b->line, (size_t)room * sizeof *grown);
        if (!grown) return NULL;
        b->line = grown;
        b->room = room;
    }
    mg_paper_line *line = &b->line[b->lines];
    *line = (mg_paper_line){.kind = kind, .label = mg_strdup(label)};
    for (int c = 0; c < MG_PAPER_COLUMNS; c++) line->value[c] = NAN;
    if (!line->label) return NULL;
    b->lines++;
    return line;
}

static void drop_line(mg_paper_block *b)
{
    mg_free(b->line[--b->lines].label);
}

// Mean of the targets into the column of averages; *complete: every target has a value.
static bool fill_average(const mg_paper_block *b, mg_paper_line *line)
{
    double sum = 0;
    int count = 0, targets = 0, at = -1;

    for (int c = 0; c < b->columns; c++) {
        if (b->column[c].kind == MG_COLUMN_AVERAGE) at = c;
        if (b->column[c].kind != MG_COLUMN_TARGET) continue;
        targets++;
        if (isnan(line->value[c])) continue;
        sum += line->value[c];
        count++;
    }
    if (at >= 0 && count) line->value[at] = sum / count;
    return count == targets;
}

static mg_status add_printed(const mg_report *r, const char *table, mg_paper_block *b,
                             const char *method)
{
    mg_paper_line *line = add_line(b, MG_PAPER_PRINTED, "%s", method);

    MG_CHECK(line, MG_ERR_MEMORY, "cannot allocate a line of the paper");
    for (int64_t i = 0; i < r->paper.rows; i++) {
        char *const *cell = row_of(r, i);
        if (!in_block(r, i, table, b->dataset) || strcmp(cell[MG_PAPER_METHOD], method)) continue;
        for (int c = 0; c < b->columns; c++) {
            const mg_paper_column *column = &b->column[c];
            if (column->kind == MG_COLUMN_AVERAGE ||
                strcmp(column->target, cell[MG_PAPER_TARGET]) ||
                (int)column->score != score_of(cell[MG_PAPER_METRIC]))
                continue;
            line->value[c] = mg_paper_number(cell[MG_PAPER_VALUE]);
            line->cell[c] = cell[MG_PAPER_VALUE];
        }
    }
    fill_average(b, line);
    return MG_OK;
}

static mg_status add_difference(mg_paper_block *b, int printed)
{
    mg_paper_line *line = add_line(b, MG_PAPER_DIFFERENCE, "difference");

    MG_CHECK(line, MG_ERR_MEMORY, "cannot allocate a line of the paper");
    mg_paper_line *measured = line - 1;
    bool complete = fill_average(b, measured);
    line->phantom = measured->phantom;
    bool any = false;
    for (int c = 0; c < b->columns; c++) {
        if (b->column[c].kind != MG_COLUMN_AVERAGE || complete)
            line->value[c] = measured->value[c] - b->line[printed].value[c];
        any |= !isnan(line->value[c]);
    }
    if (!any) drop_line(b); // the paper prints '-'
    return MG_OK;
}

// --- measured values ----------------------------------------------------------------------------------

// Mean over the cases of the mean over the classes that a column stands for; NaN if the line has none.
static mg_summary measure(const mg_report_entry *e, const char *target, bool only,
                          mg_score_kind score)
{
    const mg_score_table *t = &e->table;
    double *mean = mg_alloc((size_t)(t->cases + 1) * sizeof *mean);
    mg_summary summary = {0, NAN, NAN};

    if (!mean) return summary;
    for (int64_t i = 0; i < t->cases; i++) {
        double sum = 0;
        int count = 0;
        for (int c = 0; c < t->classes; c++) {
            double v = t->value[score][i * t->classes + c];
            bool wanted = mg_paper_is_class(target, t->class_name[c]) || (only && t->classes == 1);
            if (!wanted || isnan(v)) continue;
            sum += v;
            count++;
        }
        mean[i] = count ? sum / count : NAN;
    }
    summary = mg_summarize(mean, t->cases, 1);
    mg_free(mean);
    return summary;
}

// The same run and protocol on the set of regions that stands beside this one (evaluate.beside).
static const mg_report_entry *regions_of(const mg_report *r, const mg_report_entry *e)
{
    char name[256];

    snprintf(name, sizeof name, "%s (regions)", e->table.set);
    for (int s = 0; s < r->sets; s++)
        for (int i = 0; i < r->set[s].entries; i++) {
            const mg_report_entry *other = &r->set[s].entry[i];
            if (other->run == e->run && !strcmp(other->table.set, name) &&
                !strcmp(other->table.protocol, e->table.protocol))
                return other;
        }
    return NULL;
}

static mg_summary value_of(const mg_report *r, const mg_paper_block *b, int c,
                           const mg_report_entry *e)
{
    const mg_paper_column *column = &b->column[c];
    int targets = 0;

    for (int k = 0; k < b->columns; k++)
        targets += b->column[k].kind == MG_COLUMN_TARGET &&
                   strcmp(b->column[k].target, b->column[0].target) != 0;
    if (column->kind == MG_COLUMN_TARGET)
        return measure(e, column->target, targets == 0, column->score);
    mg_summary here = measure(e, MG_PAPER_MERGED, false, column->score);
    const mg_report_entry *beside = here.n ? NULL : regions_of(r, e);
    return beside ? measure(beside, MG_PAPER_MERGED, false, column->score) : here;
}

static double scaled(const mg_paper_block *b, int c, double value)
{
    return b->percent && !mg_score_is_distance(b->column[c].score) ? 100 * value : value;
}

static bool has_targets(const mg_report *r, const mg_paper_block *b, const mg_report_entry *e)
{
    for (int c = 0; c < b->columns; c++)
        if (b->column[c].kind == MG_COLUMN_TARGET && value_of(r, b, c, e).n) return true;
    return false;
}

// "SAM, 1 click/stack (D=8); brats".
static mg_status add_measured(const mg_report *r, const mg_report_set *set,
                              const mg_report_entry *e, mg_paper_block *b)
{
    mg_paper_line *line = add_line(b, MG_PAPER_MEASURED, "%s; %s", e->label, set->name);

    MG_CHECK(line, MG_ERR_MEMORY, "cannot allocate a line of the paper");
    line->phantom = set->phantom;
    line->failed = e->failed_share > .7;
    for (int c = 0; c < b->columns; c++) {
        if (b->column[c].kind > MG_COLUMN_MERGED) continue;
        mg_summary s = value_of(r, b, c, e);
        line->value[c] = scaled(b, c, s.mean);
        if (s.n > line->cases) line->cases = s.n;
    }
    fill_average(b, line);
    return MG_OK;
}

// Brain tumours are printed as one number: beside the whole tumour the mean of the three regions.
static mg_status add_mean_of_regions(const mg_report_set *set, const mg_report_entry *e,
                                     mg_paper_block *b)
{
    mg_paper_line *line = add_line(b, MG_PAPER_MEASURED, "%s; %s, mean of %d regions", e->label,
                                   set->name, e->table.classes);

    MG_CHECK(line, MG_ERR_MEMORY, "cannot allocate a line of the paper");
    line->phantom = set->phantom;
    line->cases = e->average[MG_SCORE_DICE].n;
    for (int c = 0; c < b->columns; c++)
        line->value[c] = scaled(b, c, e->average[b->column[c].score].mean);
    return MG_OK;
}

static bool is_tumour(const mg_paper_block *b)
{
    return b->columns && !strcmp(b->column[0].target, "Brain-Tumor");
}

// Clicks of a protocol, 0 of masks, -1 of any other (box, text).
static int clicks_of(const char *protocol)
{
    int clicks = mg_protocol_clicks(protocol);
    return clicks ? clicks : strncmp(protocol, "masks", 5) ? -1 : 0; // "masks", "masks, slices"
}

static bool goes_by(const mg_report_entry *e, const char *method)
{
    const char *name = *e->run->scores.method ? e->run->scores.method : e->run->name;
    return mg_paper_is_method(method, name, clicks_of(e->table.protocol));
}

static mg_status add_entry(const mg_report *r, const mg_report_set *set, const mg_report_entry *e,
                           int printed, mg_paper_block *b)
{
    MG_TRY(add_measured(r, set, e, b));
    if (printed >= 0) MG_TRY(add_difference(b, printed));
    if (!is_tumour(b) || e->table.classes < 2) return MG_OK;
    MG_TRY(add_mean_of_regions(set, e, b));
    return printed >= 0 ? add_difference(b, printed) : MG_OK;
}

// --- a block ----------------------------------------------------------------------------------------

static bool in_paper(const mg_paper_block *b, const mg_report_entry *e)
{
    for (int k = 0; k < b->lines; k++)
        if (b->line[k].kind == MG_PAPER_PRINTED && goes_by(e, b->line[k].label)) return true;
    return false;
}

// The lines that go by the method of line `printed`, or (-1) by none that is printed.
static mg_status add_entries(const mg_report *r, int printed, mg_paper_block *b)
{
    for (int s = 0; s < r->sets; s++) {
        const mg_report_set *set = &r->set[s];
        for (int i = 0; i < set->entries; i++) {
            const mg_report_entry *e = &set->entry[i];
            bool wanted =
                printed >= 0 ? goes_by(e, b->line[printed].label) : !in_paper(b, e) && !e->control;
            if (wanted && mg_paper_is_set(b->dataset, set->name) && has_targets(r, b, e))
                MG_TRY(add_entry(r, set, e, printed, b));
        }
    }
    return MG_OK;
}

static mg_status add_others(const mg_report *r, mg_paper_block *b)
{
    int heading = b->lines;

    MG_CHECK(add_line(b, MG_PAPER_OTHERS, "not in the paper"), MG_ERR_MEMORY,
             "cannot allocate a line of the paper");
    MG_TRY(add_entries(r, -1, b));
    if (b->lines == heading + 1) drop_line(b);
    return MG_OK;
}

static bool printed_already(const mg_paper_block *b, const char *method)
{
    for (int k = 0; k < b->lines; k++)
        if (b->line[k].kind == MG_PAPER_PRINTED && !strcmp(b->line[k].label, method)) return true;
    return false;
}

static mg_status fill_block(const mg_report *r, const char *table, mg_paper_block *b)
{
    find_columns(r, table, b);
    for (int64_t i = 0; i < r->paper.rows; i++) {
        const char *method = row_of(r, i)[MG_PAPER_METHOD];
        if (!in_block(r, i, table, b->dataset) || printed_already(b, method)) continue;
        MG_TRY(add_printed(r, table, b, method));
        int printed = b->lines - 1;
        MG_TRY(add_entries(r, printed, b));
        b->line[printed].alone = b->lines == printed + 1;
    }
    return add_others(r, b);
}

static mg_status add_block(mg_paper_table *t, const char *dataset)
{
    for (int i = 0; i < t->blocks; i++)
        if (!strcmp(t->block[i].dataset, dataset)) return MG_OK;
    mg_paper_block *grown = mg_realloc(t->block, ((size_t)t->blocks + 1) * sizeof *grown);
    MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate a table of the paper");
    t->block = grown;
    grown[t->blocks++] = (mg_paper_block){.dataset = dataset};
    return MG_OK;
}

mg_status mg_paper_table_make(const mg_report *r, const char *name, mg_paper_table *out)
{
    mg_status st = MG_OK;

    *out = (mg_paper_table){0};
    for (int64_t i = 0; i < r->paper.rows && !st; i++) {
        char *const *cell = row_of(r, i);
        if (strcmp(cell[MG_PAPER_TABLE], name) != 0) continue;
        out->name = cell[MG_PAPER_TABLE];
        st = add_block(out, cell[MG_PAPER_DATASET]);
    }
    if (!st && !out->blocks)
        st = MG_FAIL(MG_ERR_CONFIG, "report.paper: the paper's values have no table '%s'", name);
    for (int i = 0; i < out->blocks && !st; i++) st = fill_block(r, name, &out->block[i]);
    if (st) mg_paper_table_free(out);
    return st;
}

void mg_paper_table_free(mg_paper_table *t)
{
    for (int i = 0; i < t->blocks; i++) {
        for (int k = 0; k < t->block[i].lines; k++) mg_free(t->block[i].line[k].label);
        mg_free(t->block[i].line);
    }
    mg_free(t->block);
    *t = (mg_paper_table){0};
}

// --- remarks ----------------------------------------------------------------------------------------

static bool has_dash(const mg_paper_block *b)
{
    for (int k = 0; k < b->lines; k++)
        for (int c = 0; c < b->columns; c++)
            if (b->line[k].cell[c] && !strcmp(b->line[k].cell[c], "-")) return true;
    return false;
}

static bool has_odd_average(const mg_paper_block *b)
{
    int n = b->columns;

    if (n < 2 || b->column[n - 1].kind != MG_COLUMN_PRINTED) return false;
    for (int k = 0; k < b->lines; k++) {
        const mg_paper_line *line = &b->line[k];
        if (line->kind == MG_PAPER_PRINTED &&
            fabs(line->value[n - 1] - line->value[n - 2]) > ODD_AVERAGE)
            return true;
    }
    return false;
}

static bool has_kind(const mg_paper_block *b, mg_paper_column_kind kind)
{
    for (int c = 0; c < b->columns; c++)
        if (b->column[c].kind == kind) return true;
    return false;
}

static bool has_line(const mg_paper_block *b, bool phantom)
{
    for (int k = 0; k < b->lines; k++)
        if (phantom ? b->line[k].phantom : b->line[k].failed) return true;
    return false;
}

const char *mg_paper_remark(const mg_paper_block *b, int i)
{
    const struct {
        bool said;
        const char *text;
    } remark[] = {
        {b->percent, "Dice and IoU in percent, as printed."},
        {has_kind(b, MG_COLUMN_AVERAGE),
         "Avg is the mean of the line; 'printed' is the average that the paper prints."},
        {has_odd_average(b), "Some printed averages are not the mean of their line: compare per "
                             "target."},
        {has_kind(b, MG_COLUMN_MERGED),
         "AG: mean of the Dice of both adrenal glands (counts for Avg); AG merged: Dice of both as "
         "one mask. The paper does not say which one it prints."},
        {is_tumour(b),
         "The paper does not say what 'Brain-Tumor' is: measured are the whole tumour "
         "and the mean of the regions, in 3-D; in lines 'slices' slice by slice."},
        {has_dash(b), "A printed '-': the paper leaves out a method that fails on over 70 % of the "
                      "samples."},
        {has_line(b, false), "fails: in over 70 % of the cases Dice is below report.fail_dice."},
        {has_line(b, true),
         "phantom: measured on pictures drawn from a seed, which say nothing about "
         "patients; the printed values are of real data."},
    };
    int count = sizeof remark / sizeof *remark;

    for (int k = 0; k < count; k++)
        if (remark[k].said && i-- == 0) return remark[k].text;
    return NULL;
}

int mg_paper_decimals(const mg_paper_block *b, const mg_paper_column *column)
{
    return mg_score_is_distance(column->score) ? 2 : b->percent ? 1 : 3;
}
