// Scores of an evaluation: one row per (data set, protocol, case, class), as a table of text
// (cases.csv) and summed up (summary.json). Written by evaluate, read by report; the format is in
// docs/formats.md. Rows may come from any rank in any order: they are sorted before they are used, so
// the files are the same for every number of ranks.
#ifndef MG_FINETUNE_SCORES_H
#define MG_FINETUNE_SCORES_H

#include <stdbool.h>
#include <stdint.h>

#include "finetune/metric.h"
#include "finetune/stats.h"
#include "runtime/err.h"
#include "runtime/fsys.h"
#include "runtime/json.h"

typedef enum {
    MG_SCORE_DICE,
    MG_SCORE_IOU,
    MG_SCORE_HD95,
    MG_SCORE_HD95_POOLED,
    MG_SCORE_ASSD,
    MG_SCORE_NSD,
    MG_SCORE_MSA_DICE, // evaluate.msa_score; NaN otherwise, then no summary speaks of it
    MG_SCORE_MSA_IOU,
    MG_SCORES
} mg_score_kind;
const char *mg_score_name(mg_score_kind kind); // "dice", "iou", "hd95", ...
bool mg_score_is_distance(mg_score_kind kind); // has a unit; smaller is better

enum { MG_MAX_CURVE = 64 };

// One row. Texts are borrowed (by mg_scores_add copied).
typedef struct {
    const char *set;        // data set
    const char *protocol;   // "1 click", "3 clicks", "1 click/stack (D=16)", "box", ...
    const char *id;         // case: picture or volume
    const char *class_name; // of the target
    int class_number;
    double value[MG_SCORES]; // NaN: not applicable
    mg_metric_status status;
    int clicks;                      // made; fewer than asked for when nothing was left to click
    int curve;                       // entries of the two curves, 0 if the row has none
    double dice_after[MG_MAX_CURVE]; // after 1..curve clicks; NaN after an early stop
    double iou_after[MG_MAX_CURVE];
} mg_score;

// Fill value and status from a measured mask. Where a mask is missing the distances become the
// diagonal of the grid, so that means stay finite (metric.h). `tolerance`: which NSD.
void mg_score_take(mg_score *row, const mg_metric *metric, int tolerance);

// What is said once about a data set.
typedef struct {
    char *name;
    char *unit; // of distances: "mm" or "px"
    bool phantom;
    mg_texts missing; // masks that were not there and are scored as empty (evaluate.masks)
} mg_score_set;

typedef struct {
    mg_score *row;
    int64_t count, room;
    mg_texts names; // owns the texts of the rows

    char *method;         // as printed: "MSA", "SAM", ...; "" if not known
    double trained_share; // of the model's parameters, NaN if not known
    double nsd_tolerance; // in the unit of the set
    bool empty_is_one;    // evaluate.empty
    mg_score_set *set;
    int sets;
} mg_scores;

mg_status mg_scores_add(mg_scores *s, const mg_score *row);
// Say something about a data set (once each).
mg_status mg_scores_describe(mg_scores *s, const char *set, const char *unit, bool phantom);
// A mask of a described set was not there.
mg_status mg_scores_missing(mg_scores *s, const char *set, const char *name);
const mg_score_set *mg_scores_set(const mg_scores *s, const char *name); // NULL if not described
void mg_scores_sort(mg_scores *s); // set, protocol, case in natural order, then class number
void mg_scores_free(mg_scores *s); // leaves it empty

// The rows as text with a header line, and back (appending), for cases.csv and between ranks.
// *text is released with mg_free. MG_ERR_FORMAT names `name`, line and reason.
mg_status mg_scores_print(const mg_scores *s, char **text);
mg_status mg_scores_parse(mg_scores *s, const char *text, const char *name);

// Write cases.csv and summary.json into a folder; sorts. The bootstrap has `replicates` (0: none).
mg_status mg_scores_write(mg_scores *s, const char *dir, uint64_t seed, int replicates);
// Read them back. MG_ERR_IO, MG_ERR_FORMAT.
mg_status mg_scores_read(const char *dir, mg_scores *s);
bool mg_scores_exist(const char *dir);

// --- tables (score_table.c) --------------------------------------------------------------------------

// All rows of one data set and protocol as a rectangle. Texts are borrowed from the scores.
typedef struct {
    const char *set, *protocol;
    int64_t cases;
    int classes;
    const char **id;                // [cases]
    const char **class_name;        // [classes], by class number
    int *class_number;              // [classes]
    double *value[MG_SCORES];       // [cases, classes]; NaN where a case does not have the class
    int64_t rows, missed, empty;    // in all; with one mask missing; with both missing
    int curve;                      // shortest of the rows, 0 if one has none
    double *dice_after, *iou_after; // [rows, curve]
} mg_score_table;

// Number of (set, protocol) groups of sorted scores, and group g as a table. MG_ERR_MEMORY.
int mg_scores_groups(const mg_scores *s);
mg_status mg_scores_table(const mg_scores *s, int group, mg_score_table *out);
void mg_score_table_free(mg_score_table *t);

// Mean of a class (-1: Avg, the mean of the class means; its n is the number of cases that have any
// value, its sd NaN), and the interval of that mean. `replicates` 0: no interval.
mg_status mg_score_summary(const mg_score_table *t, mg_score_kind kind, int class_index,
                           uint64_t seed, int replicates, mg_summary *summary,
                           mg_interval *interval);

// Clicks until an IoU of 0.80, 0.85, 0.90: mean over the rows that have a curve, and failures.
enum { MG_NOC_LEVELS = 3 };
typedef struct {
    int64_t rows;
    double mean[MG_NOC_LEVELS]; // NaN without rows
    int64_t failed[MG_NOC_LEVELS];
} mg_noc_summary;
extern const double mg_noc_level[MG_NOC_LEVELS];
mg_noc_summary mg_score_noc(const mg_score_table *t);

// Summary of everything as JSON (caller frees). MG_ERR_MEMORY.
mg_status mg_scores_summarize(const mg_scores *s, uint64_t seed, int replicates, mg_json **out);

#endif
