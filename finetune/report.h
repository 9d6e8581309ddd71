// A report of runs: what is read from run folders, results brought side by side, and the two forms
// they are shown in: text, and one self-contained HTML page. Private to report_*.c and cmd_report.c.
#ifndef MG_FINETUNE_REPORT_H
#define MG_FINETUNE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "finetune/scores.h"
#include "runtime/err.h"
#include "runtime/fsys.h"
#include "runtime/json.h"

// --- report_run.c: one run folder ----------------------------------------------------------------------

// One number of metrics.jsonl over the steps.
typedef struct {
    char *key;
    int64_t count, room;
    double *x, *y;
} mg_series;

typedef struct {
    char *path, *name;   // name: the last part of the path
    mg_json *provenance; // NULL if there is none
    mg_series *series;
    int series_count;
    int64_t broken; // lines of metrics.jsonl that could not be read
    mg_scores scores;
    bool scored;
    mg_texts pictures; // names in pictures/, natural order
    mg_json **map;     // what evaluate noted of cases in maps/*.json, natural order
    int maps;
} mg_report_run;

// Read a run folder; what it does not hold is left empty. MG_ERR_IO, MG_ERR_FORMAT; a folder without
// any of a run's files is MG_ERR_CONFIG.
mg_status mg_report_run_read(const char *path, mg_report_run *run);
void mg_report_run_free(mg_report_run *run);

// --- report_paper.h: tables of a paper ------------------------------------------------------------------

enum {
    MG_PAPER_TABLE,
    MG_PAPER_DATASET,
    MG_PAPER_METHOD,
    MG_PAPER_TARGET,
    MG_PAPER_METRIC,
    MG_PAPER_VALUE,
    MG_PAPER_FIELDS
};

// Printed values; cells point into the text.
typedef struct {
    char *text;
    char *(*cell)[MG_PAPER_FIELDS];
    int64_t rows;
} mg_paper;

void mg_paper_free(mg_paper *paper);

typedef struct mg_paper_table mg_paper_table;

// --- report_sets.c: results side by side -------------------------------------------------------------------

// One method and protocol on one data set: a line of the table.
typedef struct {
    const mg_report_run *run;
    char *label;  // "MSA, 1 click"
    bool control; // scored against another object than the one prompted: neither best nor compared
    mg_score_table table;
    mg_summary average[MG_SCORES];
    mg_interval interval[MG_SCORES];
    double failed_share; // of the cases, whose Dice is below the limit
} mg_report_entry;

// The lines of one method and protocol: a run, or the same repeated with other seeds.
enum { MG_REPORT_REPEATS = 32 };
typedef struct {
    char *label;
    bool control;
    int count, entry[MG_REPORT_REPEATS];
    mg_summary over[MG_SCORES]; // of the runs' averages
} mg_report_row;

// Two rows compared case by case (mean Dice over the classes of a case), over all their runs.
typedef struct {
    int a, b;
    mg_wilcoxon test;
    double difference; // mean of a - b
    mg_interval interval;
    double holm;
} mg_report_pair;

typedef struct {
    const char *name, *unit;
    bool phantom;
    mg_report_entry *entry;
    int entries;
    mg_report_row *row;
    int rows;
    bool repeated; // some row has several runs
    mg_report_pair *pair;
    int pairs;
} mg_report_set;

typedef struct {
    char *title;
    mg_report_run *run;
    int runs;
    mg_paper paper;
    mg_paper_table *table; // of the paper
    int tables;
    mg_report_set *set;
    int sets;
    uint64_t seed;
    int replicates, pictures;
    double fail_dice;
    char *baseline; // label or method all others are compared with; "" for all pairs
} mg_report;

// Fill `set` from the runs. MG_ERR_MEMORY; MG_ERR_CONFIG if the baseline is in no set.
mg_status mg_report_collect(mg_report *report);
void mg_report_free(mg_report *report);

// Does some line have the score of the released code (evaluate.msa_score)?
bool mg_report_has_msa(const mg_report_set *set);

// Dice of one class of a line, by class number; n = 0 if the line does not have it.
mg_summary mg_report_class(const mg_report_entry *e, int class_number);

// Masks of the line's set that were not there and count as empty; NULL if none was missing.
const mg_texts *mg_report_missing(const mg_report_set *set, const mg_report_entry *e);

// Leading number of a protocol: 3 for "3 clicks", 0 if there is none.
int mg_protocol_clicks(const char *protocol);

// --- report_rows.c -------------------------------------------------------------------------------------

// Group the lines of a set, before lines of the same label are told apart. MG_ERR_MEMORY, and
// MG_ERR_CONFIG for too many runs of one kind.
mg_status mg_report_rows(mg_report_set *set);
// The row that all others are compared with, -1 for all pairs, -2 if it is not in this set.
int mg_report_baseline(const mg_report *report, const mg_report_set *set);
// Compare the rows. MG_ERR_MEMORY.
mg_status mg_report_compare(const mg_report *report, mg_report_set *set);

// --- report_found.c: targets found and lost ------------------------------------------------------------

typedef struct {
    int64_t found, all;
} mg_found;
// Of a class of a row (0: of all classes), over all cases and runs: Dice of at least report->fail_dice.
mg_found mg_report_count_found(const mg_report *report, const mg_report_set *set,
                               const mg_report_row *row, int class_number);
// The part of the page: counts, and the maps of a few cases side by side. MG_ERR_FORMAT, MG_ERR_IO,
// MG_ERR_MEMORY.
mg_status mg_report_found(FILE *out, const mg_report *report);
void mg_report_colours(FILE *out); // CSS of its classes o0, o1, ..., by number of the target

// --- report_text.c, report_html.c ----------------------------------------------------------------------

void mg_report_print(const mg_report *report, FILE *out);
// Write the page aside and rename it. MG_ERR_IO, MG_ERR_MEMORY.
mg_status mg_report_page(const mg_report *report, const char *path);
void mg_html_heading(FILE *out, const mg_report_set *set);
// The head of a row: a label, with the word that belongs beside every phantom score.
void mg_html_row_head(FILE *out, const mg_report_set *set, const char *label);

// --- report_svg.c, report_outline.c, report_curves.c, report_pictures.c: parts of the page ---------------------------------

void mg_html_text(FILE *out, const char *text); // escaped, for text and attribute values

typedef struct {
    const char *name;
    const double *x, *y; // points with a y that is not finite are left out
    int64_t count;
} mg_line;

enum { MG_LINE_COLOURS = 8 };

typedef struct {
    const char *title, *x_label;
    const mg_line *line;
    int lines;
    bool counts;            // x counts from 0 in whole numbers; every point is marked
    bool from_zero, to_one; // bounds of the y axis
} mg_chart;

// A figure with an inline SVG and, for several lines, a legend.
void mg_svg_chart(FILE *out, const mg_chart *chart);
// A mean and its interval between 0 and 1, as a dot on a line.
void mg_svg_interval(FILE *out, double mean, const mg_interval *interval);

// Outline of a number in a map [height, width] as the d of a path, in cells. `room` [height + 1, width + 1].
void mg_svg_outline(FILE *out, const uint8_t *map, int height, int width, int number,
                    uint8_t *room);

// A PNG of a run, RUN/FOLDER/NAME, as a data URL; mg_free. MG_ERR_IO, MG_ERR_FORMAT, MG_ERR_MEMORY.
mg_status mg_png_url(const mg_report_run *run, const char *folder, const char *name, char **url);
// Curves of a run's metrics; nothing if there are none.
void mg_report_curves(FILE *out, const mg_report_run *run);
// Up to `most` pictures of a run, spread evenly, the last one included. MG_ERR_IO, MG_ERR_MEMORY.
mg_status mg_report_pictures(FILE *out, const mg_report_run *run, int most);

extern const char mg_report_style[]; // CSS of the page

#endif
