// The tables of a paper beside what was measured: values and names (report_paper.c), lines of a table
// (report_table.c), and their two forms (report_table_text.c). Part of the report.
#ifndef MG_FINETUNE_REPORT_PAPER_H
#define MG_FINETUNE_REPORT_PAPER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "finetune/report.h"

// --- values and names -------------------------------------------------------------------------------

#define MG_PAPER_MERGED "AG merged" // adrenal glands as one mask, beside "AG", the mean of the two

extern const char mg_paper_values[]; // the built-in file

// A file (NULL: the built-in one) with the columns table, dataset, method, target, metric, value.
// MG_ERR_IO, MG_ERR_FORMAT.
mg_status mg_paper_read(const char *path, mg_paper *paper);

double mg_paper_number(const char *text); // NaN if it is none ("-")
// "REFUGE+RIGA" and "refuge-test", "AMOS2022" and "amos": a part between '+', without digits, in the name.
bool mg_paper_is_set(const char *printed, const char *set);
bool mg_paper_is_average(const char *printed); // "Avg", "Ave"
bool mg_paper_is_class(const char *printed, const char *class_name);
// `clicks` of a protocol: 0 where it has none (masks), then those that the method's name says; -1: matches
// nothing. A printed method without a number ("MSA", "nnUNet") is one of no clicks or of one.
bool mg_paper_is_method(const char *printed, const char *method, int clicks);

// --- a table ----------------------------------------------------------------------------------------

enum { MG_PAPER_COLUMNS = 24 };

typedef enum {
    MG_COLUMN_TARGET,
    MG_COLUMN_MERGED,  // a target measured in another way; does not count for the average
    MG_COLUMN_AVERAGE, // of the targets of the line
    MG_COLUMN_PRINTED, // the average that the paper prints
} mg_paper_column_kind;

typedef struct {
    mg_paper_column_kind kind;
    char name[40];      // "R.Kid", or with several metrics "Optic-Cup IoU"
    const char *target; // as printed
    mg_score_kind score;
} mg_paper_column;

typedef enum {
    MG_PAPER_PRINTED,    // what the paper says
    MG_PAPER_MEASURED,   // what a run gave
    MG_PAPER_DIFFERENCE, // of these: measured - printed
    MG_PAPER_OTHERS,     // heading: measured lines behind it are not in the paper
} mg_paper_line_kind;

typedef struct {
    mg_paper_line_kind kind;
    char *label;
    bool alone;           // of MG_PAPER_PRINTED: nothing was measured
    bool phantom, failed; // failed: Dice below the limit in over 70 % of the cases
    int64_t cases;
    double value[MG_PAPER_COLUMNS];     // NaN: none
    const char *cell[MG_PAPER_COLUMNS]; // as printed, of MG_PAPER_PRINTED; NULL: nothing printed
} mg_paper_line;

// The part of a table that belongs to one data set.
typedef struct {
    const char *dataset; // as printed
    bool percent;        // Dice and IoU are
    mg_paper_column column[MG_PAPER_COLUMNS];
    int columns;
    mg_paper_line *line;
    int lines, room;
} mg_paper_block;

struct mg_paper_table {
    const char *name; // "1"
    mg_paper_block *block;
    int blocks;
};

// Table `name` of report->paper with all lines of the report that belong to it. MG_ERR_MEMORY; MG_ERR_CONFIG
// if there is no such table. Borrows the texts of the report.
mg_status mg_paper_table_make(const mg_report *report, const char *name, mg_paper_table *out);
void mg_paper_table_free(mg_paper_table *table);

// --- its forms --------------------------------------------------------------------------------------

void mg_paper_print(const mg_paper_table *table, FILE *out);
void mg_paper_html(const mg_paper_table *table, FILE *out);
// Decimals of a measured value in a column.
int mg_paper_decimals(const mg_paper_block *block, const mg_paper_column *column);

// What a block's odd cells mean, one sentence after the other; NULL behind the last.
const char *mg_paper_remark(const mg_paper_block *block, int i);

#endif
