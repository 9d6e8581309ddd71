// A paper's table with what was measured, as text and as a part of the page.
#include <math.h>
#include <string.h>

#include "finetune/report_paper.h"

static const char *what_of(const mg_paper_line *line)
{
    return line->kind == MG_PAPER_PRINTED ? "paper" : line->phantom ? "phantom" : "";
}

// --- text -------------------------------------------------------------------------------------------

static int label_width(const mg_paper_block *b)
{
    size_t width = 12;

    for (int k = 0; k < b->lines; k++) {
        size_t n = strlen(b->line[k].label) + (b->line[k].kind == MG_PAPER_PRINTED ? 0 : 2);
        width = n > width ? n : width;
    }
    return (int)width;
}

static int column_width(const mg_paper_column *column)
{
    int n = (int)strlen(column->name);
    return n > 6 ? n : 6;
}

static void print_value(FILE *out, const mg_paper_block *b, int c, const mg_paper_line *line)
{
    int width = column_width(&b->column[c]);
    double v = line->value[c];

    if (line->cell[c])
        fprintf(out, " %*s", width, line->cell[c]);
    else if (isnan(v))
        fprintf(out, " %*s", width, "");
    else
        fprintf(out, line->kind == MG_PAPER_DIFFERENCE ? " %+*.*f" : " %*.*f", width,
                mg_paper_decimals(b, &b->column[c]), v);
}

static void print_line(FILE *out, const mg_paper_block *b, const mg_paper_line *line, int width)
{
    bool printed = line->kind == MG_PAPER_PRINTED;

    if (line->kind == MG_PAPER_OTHERS) {
        fprintf(out, "%s:\n", line->label);
        return;
    }
    fprintf(out, "%s%-*s %-7s", printed ? "" : "  ", printed ? width : width - 2, line->label,
            what_of(line));
    if (line->kind == MG_PAPER_MEASURED)
        fprintf(out, " %5lld", (long long)line->cases);
    else
        fprintf(out, " %5s", "");
    for (int c = 0; c < b->columns; c++) print_value(out, b, c, line);
    fprintf(out, "%s\n", line->failed ? "  fails" : line->alone ? "  not measured" : "");
}

void mg_paper_print(const mg_paper_table *table, FILE *out)
{
    const char *remark;

    for (int i = 0; i < table->blocks; i++) {
        const mg_paper_block *b = &table->block[i];
        int width = label_width(b);
        fprintf(out, "\nTable %s of the paper, %s\n%-*s %7s %5s", table->name, b->dataset, width,
                "method", "", "cases");
        for (int c = 0; c < b->columns; c++)
            fprintf(out, " %*s", column_width(&b->column[c]), b->column[c].name);
        fputc('\n', out);
        for (int k = 0; k < b->lines; k++) print_line(out, b, &b->line[k], width);
        for (int k = 0; (remark = mg_paper_remark(b, k)); k++) fprintf(out, "%s\n", remark);
    }
}

// --- page -------------------------------------------------------------------------------------------

static void html_value(FILE *out, const mg_paper_block *b, int c, const mg_paper_line *line)
{
    double v = line->value[c];

    if (line->cell[c])
        fprintf(out, "<td>%s</td>", strcmp(line->cell[c], "-") ? line->cell[c] : "&ndash;");
    else if (isnan(v))
        fprintf(out, "<td></td>");
    else if (line->kind == MG_PAPER_DIFFERENCE)
        fprintf(out, "<td>%+.*f</td>", mg_paper_decimals(b, &b->column[c]), v);
    else
        fprintf(out, "<td>%.*f</td>", mg_paper_decimals(b, &b->column[c]), v);
}

static void html_line(FILE *out, const mg_paper_block *b, const mg_paper_line *line)
{
    static const char *const style[] = {
        [MG_PAPER_PRINTED] = "printed",
        [MG_PAPER_MEASURED] = "measured",
        [MG_PAPER_DIFFERENCE] = "measured soft",
        [MG_PAPER_OTHERS] = "printed",
    };
    bool numbers = line->kind != MG_PAPER_OTHERS;

    fprintf(out, "<tr class=\"%s\"><th scope=\"row\"%s>", style[line->kind],
            numbers ? "" : " colspan=\"99\"");
    mg_html_text(out, line->label);
    if (line->phantom) fprintf(out, "<span class=\"badge\">phantom</span>");
    if (line->failed) fprintf(out, " <span class=\"soft\">fails</span>");
    if (line->alone) fprintf(out, " <span class=\"soft\">not measured</span>");
    fprintf(out, "</th>");
    if (numbers) {
        if (line->kind == MG_PAPER_MEASURED)
            fprintf(out, "<td>%lld</td>", (long long)line->cases);
        else
            fprintf(out, "<td class=\"soft\">%s</td>",
                    line->kind == MG_PAPER_PRINTED ? "paper" : "");
        for (int c = 0; c < b->columns; c++) html_value(out, b, c, line);
    }
    fprintf(out, "</tr>\n");
}

void mg_paper_html(const mg_paper_table *table, FILE *out)
{
    const char *remark;

    for (int i = 0; i < table->blocks; i++) {
        const mg_paper_block *b = &table->block[i];
        fprintf(out, "<h3>Table %s, ", table->name);
        mg_html_text(out, b->dataset);
        fprintf(out, "</h3>\n<div class=\"wide\" tabindex=\"0\"><table class=\"paper\"><thead><tr>"
                     "<th scope=\"col\" class=\"left\">Method</th><th scope=\"col\">Cases</th>");
        for (int c = 0; c < b->columns; c++) {
            fprintf(out, "<th scope=\"col\">");
            mg_html_text(out, b->column[c].name);
            fprintf(out, "</th>");
        }
        fprintf(out, "</tr></thead><tbody>\n");
        for (int k = 0; k < b->lines; k++) html_line(out, b, &b->line[k]);
        fprintf(out, "</tbody></table></div>\n<p class=\"note\">");
        for (int k = 0; (remark = mg_paper_remark(b, k)); k++) {
            mg_html_text(out, remark);
            fputc(' ', out);
        }
        fprintf(out, "</p>\n");
    }
}
