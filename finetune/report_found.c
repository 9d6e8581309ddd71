// Targets found and lost: how many by each line, and a figure of a few cases: the reference and every
// line side by side, each target in its own colour, below it which ones were found. A target is found
// where its Dice over the whole case reaches report.fail_dice.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/decode.h"
#include "finetune/case_maps.h"
#include "finetune/label_map.h"
#include "finetune/report.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// --- counts ------------------------------------------------------------------------------------------

static void count_entry(const mg_score_table *t, double least, int class_number, mg_found *n)
{
    for (int64_t i = 0; i < t->cases; i++)
        for (int c = 0; c < t->classes; c++) {
            double dice = t->value[MG_SCORE_DICE][i * t->classes + c];
            if (isnan(dice) || (class_number && t->class_number[c] != class_number)) continue;
            n->all++;
            n->found += dice >= least;
        }
}

mg_found mg_report_count_found(const mg_report *report, const mg_report_set *set,
                               const mg_report_row *row, int class_number)
{
    mg_found n = {0};

    for (int i = 0; i < row->count; i++)
        count_entry(&set->entry[row->entry[i]].table, report->fail_dice, class_number, &n);
    return n;
}

static void count_table(FILE *out, const mg_report *report, const mg_report_set *set)
{
    const mg_score_table *first = &set->entry[0].table;

    fprintf(out,
            "<div class=\"wide\" tabindex=\"0\"><table><caption>Targets found (Dice of at least %g "
            "over the whole case), of all cases%s.</caption><thead><tr>"
            "<th scope=\"col\" class=\"left\">Method</th><th scope=\"col\">Found</th>"
            "<th scope=\"col\">Lost</th><th scope=\"col\">Share<br>found</th>",
            report->fail_dice, set->repeated ? " and runs" : "");
    for (int c = 0; first->classes > 1 && c < first->classes; c++) {
        fprintf(out, "<th scope=\"col\">");
        mg_html_text(out, first->class_name[c]);
        fprintf(out, "</th>");
    }
    fprintf(out, "</tr></thead><tbody>\n");
    for (int i = 0; i < set->rows; i++) {
        const mg_report_row *row = &set->row[i];
        mg_found n = mg_report_count_found(report, set, row, 0);
        if (row->control) continue;
        mg_html_row_head(out, set, row->label);
        fprintf(out, "<td>%lld</td><td>%lld</td><td>%.0f %%</td>", (long long)n.found,
                (long long)(n.all - n.found), n.all ? 100.0 * (double)n.found / (double)n.all : 0);
        for (int c = 0; first->classes > 1 && c < first->classes; c++) {
            n = mg_report_count_found(report, set, row, first->class_number[c]);
            fprintf(out, "<td%s>%lld/%lld</td>", n.found < n.all ? "" : " class=\"best\"",
                    (long long)n.found, (long long)n.all);
        }
        fprintf(out, "</tr>\n");
    }
    fprintf(out, "</tbody></table></div>\n");
}

// --- maps of cases -----------------------------------------------------------------------------------

static const char *text_of(const mg_json *note, const char *key)
{
    const char *text = mg_json_text(mg_json_get(note, key));
    return text ? text : "";
}

// The same case of the same data.
static bool is_same(const mg_json *a, const mg_json *b)
{
    static const char *const key[] = {"set", "case", "hash"};

    for (int k = 0; k < 3; k++)
        if (strcmp(text_of(a, key[k]), text_of(b, key[k])) != 0) return false;
    return true;
}

// What a run kept of a case, NULL if nothing.
static const mg_json *find_note(const mg_report_run *run, const mg_json *like)
{
    for (int i = 0; i < run->maps; i++)
        if (is_same(run->map[i], like)) return run->map[i];
    return NULL;
}

// The map of a protocol in it.
static const mg_json *find_map(const mg_json *note, const char *protocol)
{
    const mg_json *maps = mg_json_get(note, "maps");

    for (size_t i = 0; i < mg_json_size(maps); i++)
        if (!strcmp(text_of(mg_json_at(maps, i), "protocol"), protocol)) return mg_json_at(maps, i);
    return NULL;
}

// A case of the figure, and the run that has its picture and reference.
typedef struct {
    const mg_report_run *run;
    const mg_json *note;
    int height, width;
} shown_case;

// Of repeated runs the first one stands for its row.
static const mg_report_entry *shown_entry(const mg_report_set *set, int row)
{
    return &set->entry[set->row[row].entry[0]];
}

// The first cases that any row has maps of.
static int list_cases(const mg_report_set *set, shown_case *list, int most)
{
    int count = 0;

    for (int i = 0; i < set->rows; i++) {
        const mg_report_run *run = shown_entry(set, i)->run;
        for (int k = 0; k < run->maps && count < most; k++) {
            bool known = strcmp(text_of(run->map[k], "set"), set->name) != 0;
            for (int c = 0; c < count; c++) known |= is_same(list[c].note, run->map[k]);
            if (!known) list[count++] = (shown_case){.run = run, .note = run->map[k]};
        }
    }
    return count;
}

static bool has_maps(const mg_report_entry *e, const shown_case *list, int count)
{
    for (int i = 0; i < count && !e->control; i++)
        if (find_map(find_note(e->run, list[i].note), e->table.protocol)) return true;
    return false;
}

// A label map of a run. MG_ERR_FORMAT if it is none.
static mg_status read_labels(const mg_report_run *run, const char *name, mg_picture *out)
{
    char *path = strchr(name, '/') ? NULL : mg_sprintf("%s/maps/%s", run->path, name);

    MG_CHECK(path, MG_ERR_FORMAT, "'%s' is no name of a map of run '%s'", name, run->name);
    mg_status st = mg_decode_mask(path, out, NULL);
    if (!st && out->bytes != 1) st = MG_FAIL(MG_ERR_FORMAT, "'%s' is no label map", path);
    mg_free(path);
    return st;
}

// --- the figure --------------------------------------------------------------------------------------

static double dice_of(const mg_json *map, size_t target)
{
    return mg_json_real(mg_json_at(mg_json_get(map, "dice"), target), NAN);
}

static int number_of(const mg_json *target)
{
    int64_t number = mg_json_int(mg_json_get(target, "number"), 0);
    return number > 0 && number < MG_LABEL_COLOURS ? (int)number : 0;
}

// The picture of a case, once in the page for all its panels; its size comes from the reference.
static mg_status define_picture(FILE *out, const mg_report_set *set, shown_case *c, int s, int i)
{
    const char *name = text_of(c->note, "picture");
    mg_picture reference = {0};
    char *url;

    MG_TRY(read_labels(c->run, text_of(c->note, "reference"), &reference));
    c->height = reference.height;
    c->width = reference.width;
    mg_picture_free(&reference);
    MG_CHECK(!strchr(name, '/'), MG_ERR_FORMAT, "'%s' is no name of a picture of '%s'", name,
             set->name);
    MG_TRY(mg_png_url(c->run, "maps", name, &url));
    fprintf(out, "<image id=\"case-%d-%d\" width=\"%d\" height=\"%d\" href=\"%s\"/>", s, i,
            c->width, c->height, url);
    mg_free(url);
    return MG_OK;
}

// Outlines of all targets of a map over the picture.
static mg_status draw_panel(FILE *out, const shown_case *c, const mg_report_run *run,
                            const char *file, int s, int i)
{
    const mg_json *targets = mg_json_get(c->note, "targets");
    mg_picture labels = {0};
    uint8_t *room = mg_alloc(((size_t)c->height + 1) * ((size_t)c->width + 1));
    mg_status st = room ? read_labels(run, file, &labels) : MG_FAIL(MG_ERR_MEMORY, "no memory");

    if (!st && (labels.height != c->height || labels.width != c->width))
        st = MG_FAIL(MG_ERR_FORMAT, "map '%s' of run '%s' is %d x %d, expected %d x %d", file,
                     run->name, labels.height, labels.width, c->height, c->width);
    if (!st) {
        fprintf(out, "<svg class=\"panel\" viewBox=\"0 0 %d %d\"><use href=\"#case-%d-%d\"/>",
                c->width, c->height, s, i);
        for (size_t t = 0; t < mg_json_size(targets); t++) {
            int number = number_of(mg_json_at(targets, t));
            fprintf(out, "<path class=\"o%d\" d=\"", number);
            mg_svg_outline(out, labels.pixels, c->height, c->width, number, room);
            fprintf(out, "\"><title>");
            mg_html_text(out, text_of(mg_json_at(targets, t), "name"));
            fprintf(out, "</title></path>");
        }
        fprintf(out, "</svg>");
    }
    mg_free(room);
    mg_picture_free(&labels);
    return st;
}

// Below a panel: how many were found, and of each target whether it was, by its number and colour.
static void print_tally(FILE *out, const mg_report *report, const shown_case *c, const mg_json *map)
{
    const mg_json *targets = mg_json_get(c->note, "targets");
    size_t count = mg_json_size(targets);
    int found = 0, all = 0;

    for (size_t t = 0; t < count; t++) {
        double dice = dice_of(map, t);
        all += !isnan(dice);
        found += dice >= report->fail_dice;
    }
    if (all == 1)
        fprintf(out, "<p class=\"tally\">%s, Dice %.2f</p>", found ? "found" : "lost",
                dice_of(map, 0));
    else
        fprintf(out, "<p class=\"tally\"><b>%d</b> of %d found</p>", found, all);
    fprintf(out, "<ul class=\"chips\">");
    for (size_t t = 0; t < count; t++) {
        double dice = dice_of(map, t);
        if (isnan(dice)) continue;
        bool lost = dice < report->fail_dice;
        int number = number_of(mg_json_at(targets, t));
        fprintf(out, "<li class=\"o%d%s\" title=\"", number, lost ? " lost" : "");
        mg_html_text(out, text_of(mg_json_at(targets, t), "name"));
        fprintf(out, ": %s, Dice %.2f\">%d</li>", lost ? "lost" : "found", dice, number);
    }
    fprintf(out, "</ul>");
}

static mg_status print_cell(FILE *out, const mg_report *report, const mg_report_entry *e,
                            const shown_case *c, int s, int i)
{
    const mg_json *map = find_map(find_note(e->run, c->note), e->table.protocol);

    fprintf(out, "<td>");
    if (map) {
        MG_TRY(draw_panel(out, c, e->run, text_of(map, "file"), s, i));
        print_tally(out, report, c, map);
    } else {
        fprintf(out, "<p class=\"tally\">not kept</p>");
    }
    fprintf(out, "</td>");
    return MG_OK;
}

static mg_status print_case(FILE *out, const mg_report *report, const mg_report_set *set,
                            const shown_case *c, const bool *column, int columns, int s, int i)
{
    int64_t slice = mg_json_int(mg_json_get(c->note, "slice"), -1);

    fprintf(out, "<tr class=\"case\"><th scope=\"rowgroup\" colspan=\"%d\">", columns + 1);
    mg_html_text(out, text_of(c->note, "case"));
    if (slice >= 0) fprintf(out, " <span class=\"soft\">slice %lld</span>", (long long)slice);
    fprintf(out, "</th></tr>\n<tr><td>");
    MG_TRY(draw_panel(out, c, c->run, text_of(c->note, "reference"), s, i));
    fprintf(out, "<p class=\"tally\">%zu target%s</p></td>",
            mg_json_size(mg_json_get(c->note, "targets")),
            mg_json_size(mg_json_get(c->note, "targets")) == 1 ? "" : "s");
    for (int k = 0; k < set->rows; k++)
        if (column[k]) MG_TRY(print_cell(out, report, shown_entry(set, k), c, s, i));
    fprintf(out, "</tr>\n");
    return MG_OK;
}

// Names of all targets of the cases shown, by number.
static void print_legend(FILE *out, const shown_case *list, int count)
{
    fprintf(out, "<ul class=\"organs\">");
    for (int number = 1; number < MG_LABEL_COLOURS; number++) {
        const char *name = NULL;
        for (int i = 0; i < count && !name; i++) {
            const mg_json *targets = mg_json_get(list[i].note, "targets");
            for (size_t t = 0; t < mg_json_size(targets); t++)
                if (number_of(mg_json_at(targets, t)) == number)
                    name = text_of(mg_json_at(targets, t), "name");
        }
        if (!name) continue;
        fprintf(out, "<li><span class=\"o%d\">%d</span> ", number, number);
        mg_html_text(out, name);
        fprintf(out, "</li>");
    }
    fprintf(out, "<li class=\"key\"><span class=\"o0\">1</span> found</li>"
                 "<li class=\"key\"><span class=\"o0 lost\">1</span> lost</li></ul>\n");
}

static void print_columns(FILE *out, const mg_report_set *set, const bool *column, int columns)
{
    fprintf(out,
            "<div class=\"wide\" tabindex=\"0\"><table class=\"panels\" style=\"min-width:%dpx\">"
            "<thead><tr><th scope=\"col\">reference</th>",
            156 * (columns + 1));
    for (int k = 0; k < set->rows; k++) {
        if (!column[k]) continue;
        fprintf(out, "<th scope=\"col\">");
        mg_html_text(out, set->row[k].label);
        fprintf(out, "</th>");
    }
    fprintf(out, "</tr></thead><tbody>\n");
}

static mg_status print_figure(FILE *out, const mg_report *report, const mg_report_set *set,
                              shown_case *list, int count, bool *column, int s)
{
    int columns = 0;

    for (int k = 0; k < set->rows; k++)
        columns += column[k] = has_maps(shown_entry(set, k), list, count);
    print_legend(out, list, count);
    fprintf(out, "<svg class=\"hidden\" aria-hidden=\"true\"><defs>");
    for (int i = 0; i < count; i++) MG_TRY(define_picture(out, set, &list[i], s, i));
    fprintf(out, "</defs></svg>\n");
    print_columns(out, set, column, columns);
    for (int i = 0; i < count; i++)
        MG_TRY(print_case(out, report, set, &list[i], column, columns, s, i));
    fprintf(out, "</tbody></table></div>\n");
    return MG_OK;
}

static mg_status set_figure(FILE *out, const mg_report *report, int s)
{
    const mg_report_set *set = &report->set[s];
    shown_case *list = mg_calloc((size_t)report->pictures + 1, sizeof *list);
    bool *column = mg_calloc((size_t)set->rows, sizeof *column);
    mg_status st = list && column
                       ? MG_OK
                       : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a figure of '%s'", set->name);

    int count = st ? 0 : list_cases(set, list, report->pictures);
    if (!st && count) st = print_figure(out, report, set, list, count, column, s);
    mg_free(list);
    mg_free(column);
    return st;
}

mg_status mg_report_found(FILE *out, const mg_report *report)
{
    fprintf(out,
            "<section id=\"found\"><h2>Found and lost</h2>\n<p>A target counts as found where its "
            "Dice over the whole case is at least %g. The pictures show the same slice for every "
            "method, chosen by the reference; a cell belongs to the target with the largest "
            "logit. Of repeated runs the first is shown.</p>\n",
            report->fail_dice);
    for (int s = 0; s < report->sets; s++) {
        mg_html_heading(out, &report->set[s]);
        count_table(out, report, &report->set[s]);
        MG_TRY(set_figure(out, report, s));
    }
    fprintf(out, "</section>\n");
    return MG_OK;
}

void mg_report_colours(FILE *out)
{
    fprintf(out, ".o0{--o:var(--soft);--t:var(--card)}");
    for (int i = 1; i < MG_LABEL_COLOURS; i++) {
        const uint8_t *c = mg_label_colour[i];
        bool bright = 299 * c[0] + 587 * c[1] + 114 * c[2] > 140000;
        fprintf(out, ".o%d{--o:#%02x%02x%02x;--t:%s}", i, c[0], c[1], c[2],
                bright ? "#111" : "#fff");
    }
    fputc('\n', out);
}
