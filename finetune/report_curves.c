// Curves of a run from metrics.jsonl: numbers that belong together share one drawing.
#include <string.h>

#include "finetune/report.h"

enum { MAX_CHARTS = 24 };

typedef enum { STARTS, HOLDS, ENDS } match;

// Which keys go together, in the order of the page. The first rule that fits wins; a key without a
// rule has a drawing of its own.
static const struct {
    const char *title;
    match how;
    const char *text;
    bool from_zero, to_one;
} families[] = {
    {"Loss", STARTS, "loss", false, false},
    {"Dice and IoU", HOLDS, "dice", true, true},
    {"Dice and IoU", HOLDS, "iou", true, true},
    {"Accuracy", HOLDS, "acc", true, true},
    {"Learning rate", STARTS, "lr", true, false},
    {"Gradient norm", HOLDS, "norm", true, false},
    {"Share of a step spent waiting", ENDS, "_share", true, false},
    {"Samples per second", ENDS, "_per_s", true, false},
    {"Seconds per step", ENDS, "_s", true, false},
    {"Memory (MB)", ENDS, "_mb", true, false},
};
enum { FAMILIES = sizeof families / sizeof *families };

static bool fits(const char *key, int f)
{
    size_t n = strlen(families[f].text), length = strlen(key);

    switch (families[f].how) {
    case STARTS:
        return strncmp(key, families[f].text, n) == 0;
    case HOLDS:
        return strstr(key, families[f].text) != NULL;
    case ENDS:
        return length >= n && strcmp(key + length - n, families[f].text) == 0;
    }
    return false;
}

// The title of the rule that fits, NULL for none.
static const char *family_title(const char *key)
{
    for (int f = 0; f < FAMILIES; f++)
        if (fits(key, f)) return families[f].title;
    return NULL;
}

static mg_line line_of(const mg_series *s)
{
    return (mg_line){s->key, s->x, s->y, s->count};
}

static void draw_family(FILE *out, const mg_report_run *run, int f)
{
    mg_line line[MG_LINE_COLOURS];
    mg_chart chart = {.title = families[f].title,
                      .x_label = "step",
                      .line = line,
                      .from_zero = families[f].from_zero,
                      .to_one = families[f].to_one};

    for (int i = 0; i < run->series_count && chart.lines < MG_LINE_COLOURS; i++) {
        const char *title = family_title(run->series[i].key);
        if (title && !strcmp(title, families[f].title))
            line[chart.lines++] = line_of(&run->series[i]);
    }
    mg_svg_chart(out, &chart);
}

void mg_report_curves(FILE *out, const mg_report_run *run)
{
    int charts = 0;

    fprintf(out, "<div class=\"charts\">\n");
    for (int f = 0; f < FAMILIES; f++)
        if (f == 0 || strcmp(families[f].title, families[f - 1].title) != 0)
            draw_family(out, run, f);
    for (int i = 0; i < run->series_count && charts < MAX_CHARTS; i++) {
        if (family_title(run->series[i].key)) continue;
        mg_line line = line_of(&run->series[i]);
        mg_svg_chart(out,
                     &(mg_chart){.title = line.name, .x_label = "step", .line = &line, .lines = 1});
        charts++;
    }
    fprintf(out, "</div>\n");
}
