// Drawings of the report page as inline SVG. Colours come from the page's style (classes c0..c7), so
// they follow its light and dark form; lines also differ by their dashes.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "finetune/report.h"

enum { WIDTH = 440, HEIGHT = 250, LEFT = 52, RIGHT = 12, TOP = 10, BOTTOM = 38, MOST_POINTS = 300 };

void mg_html_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

// --- axes --------------------------------------------------------------------------------------------

typedef struct {
    double low, high; // data
    double step;      // between ticks
    double from, to;  // pixels
} axis;

// 1, 2 or 5 times a power of ten that cuts the range in about `parts`.
static double nice_step(double range, int parts)
{
    double raw = range / parts, power = pow(10, floor(log10(raw))), part = raw / power;
    return power * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10);
}

static axis make_axis(double low, double high, bool round_out, double from, double to, int parts)
{
    if (!(high > low)) {
        double half = fabs(low) > 0 ? 0.1 * fabs(low) : 1;
        low -= half;
        high += half;
    }
    axis a = {low, high, nice_step(high - low, parts), from, to};
    if (round_out) {
        a.low = a.step * floor(low / a.step);
        a.high = a.step * ceil(high / a.step);
    }
    return a;
}

static double place(const axis *a, double value)
{
    return a->from + (value - a->low) / (a->high - a->low) * (a->to - a->from);
}

// Ticks are numbered, so that 0 is printed as 0.
static void draw_axes(FILE *out, const axis *x, const axis *y)
{
    fprintf(out, "<g class=\"grid\">");
    for (double k = ceil(y->low / y->step - 1e-9); k * y->step <= y->high + 1e-9 * y->step; k++) {
        double at = place(y, k * y->step);
        fprintf(out, "<path d=\"M%d %.1fH%d\"/>", LEFT, at, WIDTH - RIGHT);
    }
    fprintf(out, "</g><g class=\"tick\">");
    for (double k = ceil(y->low / y->step - 1e-9); k * y->step <= y->high + 1e-9 * y->step; k++)
        fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>", LEFT - 6,
                place(y, k * y->step) + 4, k == 0 ? 0 : k * y->step);
    for (double k = ceil(x->low / x->step - 1e-9); k * x->step <= x->high + 1e-9 * x->step; k++)
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>",
                place(x, k * x->step), HEIGHT - BOTTOM + 16, k == 0 ? 0 : k * x->step);
    fprintf(out, "</g>");
}

// --- lines -------------------------------------------------------------------------------------------

static void widen(double value, double *low, double *high)
{
    if (!isfinite(value)) return;
    *low = value < *low ? value : *low;
    *high = value > *high ? value : *high;
}

// The line as at most MOST_POINTS points, each the mean of its neighbours.
static void draw_line(FILE *out, const mg_line *line, int number, const axis *x, const axis *y,
                      bool points)
{
    int64_t bucket = (line->count + MOST_POINTS - 1) / MOST_POINTS;
    const char *between = "M";

    fprintf(out, "<path class=\"line c%d\" d=\"", number % MG_LINE_COLOURS);
    for (int64_t i = 0; i < line->count; i += bucket) {
        double sx = 0, sy = 0;
        int n = 0;
        for (int64_t j = i; j < i + bucket && j < line->count; j++) {
            if (!isfinite(line->y[j])) continue;
            sx += line->x[j];
            sy += line->y[j];
            n++;
        }
        if (!n) continue;
        fprintf(out, "%s%.1f %.1f", between, place(x, sx / n), place(y, sy / n));
        between = "L";
    }
    fprintf(out, "\"/>");
    for (int64_t i = 0; points && i < line->count; i++)
        if (isfinite(line->y[i]))
            fprintf(out,
                    "<circle class=\"dot c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>%.6g: "
                    "%.4g</title></circle>",
                    number % MG_LINE_COLOURS, place(x, line->x[i]), place(y, line->y[i]),
                    line->x[i], line->y[i]);
}

static void draw_legend(FILE *out, const mg_chart *chart)
{
    fprintf(out, "<ul class=\"legend\">");
    for (int i = 0; i < chart->lines; i++) {
        fprintf(out,
                "<li><svg width=\"26\" height=\"10\" aria-hidden=\"true\"><path class=\"line c%d\" "
                "d=\"M1 5H25\"/></svg>",
                i % MG_LINE_COLOURS);
        mg_html_text(out, chart->line[i].name);
        fprintf(out, "</li>");
    }
    fprintf(out, "</ul>");
}

// Last values in words, for readers who do not see the drawing.
static void describe(FILE *out, const mg_chart *chart)
{
    mg_html_text(out, chart->title);
    fprintf(out, " over ");
    mg_html_text(out, chart->x_label);
    for (int i = 0; i < chart->lines; i++) {
        const mg_line *l = &chart->line[i];
        if (!l->count) continue;
        fprintf(out, "; ");
        mg_html_text(out, l->name);
        fprintf(out, " from %.4g to %.4g", l->y[0], l->y[l->count - 1]);
    }
}

void mg_svg_chart(FILE *out, const mg_chart *chart)
{
    double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;

    for (int i = 0; i < chart->lines; i++)
        for (int64_t k = 0; k < chart->line[i].count; k++) {
            if (!isfinite(chart->line[i].y[k])) continue;
            widen(chart->line[i].x[k], &x_low, &x_high);
            widen(chart->line[i].y[k], &y_low, &y_high);
        }
    if (!(x_low <= x_high)) return;
    if (chart->from_zero) widen(0, &y_low, &y_high);
    if (chart->to_one) widen(1, &y_low, &y_high);
    if (chart->counts) x_low = 0;
    axis x = make_axis(x_low, x_high, false, LEFT, WIDTH - RIGHT, 5);
    if (chart->counts && x.step < 1) x.step = 1;
    axis y = make_axis(y_low, y_high, true, HEIGHT - BOTTOM, TOP, 5);

    fprintf(out, "<figure class=\"chart\"><figcaption>");
    mg_html_text(out, chart->title);
    fprintf(out, "</figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH,
            HEIGHT);
    describe(out, chart);
    fprintf(out, "\">");
    draw_axes(out, &x, &y);
    for (int i = 0; i < chart->lines; i++)
        draw_line(out, &chart->line[i], i, &x, &y, chart->counts);
    fprintf(out, "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4);
    mg_html_text(out, chart->x_label);
    fprintf(out, "</text></svg>");
    if (chart->lines > 1 || strcmp(chart->line[0].name, chart->title) != 0) draw_legend(out, chart);
    fprintf(out, "</figure>\n");
}

void mg_svg_interval(FILE *out, double mean, const mg_interval *interval)
{
    if (isnan(mean)) return;
    fprintf(out, "<svg class=\"whisker\" viewBox=\"0 0 120 16\" aria-hidden=\"true\">"
                 "<path class=\"rail\" d=\"M4 8H116\"/>");
    if (!isnan(interval->low))
        fprintf(out, "<path class=\"range\" d=\"M%.1f 8H%.1f\"/>", 4 + 112 * interval->low,
                4 + 112 * interval->high);
    fprintf(out, "<circle cx=\"%.1f\" cy=\"8\" r=\"3.5\"/></svg>", 4 + 112 * mean);
}
