// Rows of scores in memory and in cases.csv:
//   set,protocol,case,class,name,dice,iou,hd95,hd95_pooled,assd,nsd,status,clicks,
//   noc80,noc85,noc90,failed80,failed85,failed90,dice_after,iou_after,msa_score,msa_score_iou
// Empty cells are "not applicable"; the curves are lists separated by ';'; numbers read back exactly.
#include "finetune/scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finetune/cells.h"
#include "runtime/mem.h"

enum {
    COLUMNS = 23,
    MSA_AT = 21,
    MAX_FILE = 1 << 30
}; // tables of 2026 lack the columns from MSA_AT on

static const char header[] =
    "set,protocol,case,class,name,dice,iou,hd95,hd95_pooled,assd,nsd,status,"
    "clicks,noc80,noc85,noc90,failed80,failed85,failed90,dice_after,"
    "iou_after,msa_score,msa_score_iou\n";

const char *mg_score_name(mg_score_kind kind)
{
    static const char *const name[MG_SCORES] = {"dice", "iou", "hd95",      "hd95_pooled",
                                                "assd", "nsd", "msa_score", "msa_score_iou"};
    return name[kind];
}

bool mg_score_is_distance(mg_score_kind kind)
{
    return kind == MG_SCORE_HD95 || kind == MG_SCORE_HD95_POOLED || kind == MG_SCORE_ASSD;
}

void mg_score_take(mg_score *row, const mg_metric *m, int tolerance)
{
    double *v = row->value;

    v[MG_SCORE_DICE] = m->dice;
    v[MG_SCORE_IOU] = m->iou;
    v[MG_SCORE_HD95] = m->hd95;
    v[MG_SCORE_HD95_POOLED] = isinf(m->hd95_pooled) ? m->diagonal : m->hd95_pooled;
    v[MG_SCORE_ASSD] = isinf(m->assd) ? m->diagonal : m->assd;
    v[MG_SCORE_NSD] = m->nsd[tolerance];
    v[MG_SCORE_MSA_DICE] = m->msa_dice;
    v[MG_SCORE_MSA_IOU] = m->msa_iou;
    row->status = m->status;
}

// --- in memory ---------------------------------------------------------------------------------------

// The scores' own copy of a text. The few names that come again and again are at the end.
static const char *intern(mg_scores *s, const char *text)
{
    for (size_t i = s->names.count; i-- > 0 && s->names.count - i <= 32;)
        if (strcmp(s->names.item[i], text) == 0) return s->names.item[i];
    if (mg_texts_add(&s->names, text)) return NULL;
    return s->names.item[s->names.count - 1];
}

mg_status mg_scores_add(mg_scores *s, const mg_score *row)
{
    if (s->count == s->room) {
        int64_t room = 2 * s->room + 64;
        mg_score *grown = mg_realloc(s->row, (size_t)room * sizeof *grown);
        MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate %lld rows of scores", (long long)room);
        s->row = grown;
        s->room = room;
    }
    mg_score *to = &s->row[s->count];
    *to = *row;
    to->set = intern(s, row->set);
    to->protocol = intern(s, row->protocol);
    to->class_name = intern(s, row->class_name);
    to->id = intern(s, row->id);
    MG_CHECK(to->set && to->protocol && to->class_name && to->id, MG_ERR_MEMORY,
             "cannot allocate a row of scores");
    s->count++;
    return MG_OK;
}

mg_status mg_scores_describe(mg_scores *s, const char *set, const char *unit, bool phantom)
{
    mg_score_set *grown = mg_realloc(s->set, ((size_t)s->sets + 1) * sizeof *grown);

    MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate the data set '%s'", set);
    s->set = grown;
    mg_score_set *to = &grown[s->sets++];
    *to = (mg_score_set){.name = mg_strdup(set), .unit = mg_strdup(unit), .phantom = phantom};
    MG_CHECK(to->name && to->unit, MG_ERR_MEMORY, "cannot allocate the data set '%s'", set);
    return MG_OK;
}

static mg_score_set *set_of(const mg_scores *s, const char *name)
{
    for (int i = 0; i < s->sets; i++)
        if (strcmp(s->set[i].name, name) == 0) return &s->set[i];
    return NULL;
}

const mg_score_set *mg_scores_set(const mg_scores *s, const char *name)
{
    return set_of(s, name);
}

mg_status mg_scores_missing(mg_scores *s, const char *set, const char *name)
{
    return mg_texts_add(&set_of(s, set)->missing, name);
}

static int by_place(const void *a, const void *b)
{
    const mg_score *x = a, *y = b;
    int order = mg_natural_compare(x->set, y->set);

    if (!order) order = mg_natural_compare(x->protocol, y->protocol);
    if (!order) order = mg_natural_compare(x->id, y->id);
    return order ? order : x->class_number - y->class_number;
}

void mg_scores_sort(mg_scores *s)
{
    if (s->count) qsort(s->row, (size_t)s->count, sizeof *s->row, by_place);
}

void mg_scores_free(mg_scores *s)
{
    for (int i = 0; i < s->sets; i++) {
        mg_free(s->set[i].name);
        mg_free(s->set[i].unit);
        mg_texts_free(&s->set[i].missing);
    }
    mg_free(s->set);
    mg_free(s->row);
    mg_free(s->method);
    mg_texts_free(&s->names);
    *s = (mg_scores){0};
}

// --- as text -----------------------------------------------------------------------------------------

static void print_curve(FILE *out, const double *value, int count)
{
    for (int k = 0; k < count; k++) {
        if (k) fputc(';', out);
        mg_cell_real(out, value[k]);
    }
}

static void print_row(FILE *out, const mg_score *r)
{
    const char *text[3] = {r->set, r->protocol, r->id};
    mg_noc noc[MG_NOC_LEVELS];
    bool curve = r->curve > 0 && !isnan(r->iou_after[0]);

    for (int i = 0; i < 3; i++) {
        mg_cell_text(out, text[i]);
        fputc(',', out);
    }
    fprintf(out, "%d,", r->class_number);
    mg_cell_text(out, r->class_name);
    for (int k = 0; k < MG_SCORE_MSA_DICE; k++) {
        fputc(',', out);
        mg_cell_real(out, r->value[k]);
    }
    fprintf(out, ",%d,%d", (int)r->status, r->clicks);
    for (int l = 0; l < MG_NOC_LEVELS; l++) {
        noc[l] = mg_noc_at(r->iou_after, r->curve, mg_noc_level[l]);
        if (curve)
            fprintf(out, ",%d", noc[l].clicks);
        else
            fputc(',', out);
    }
    for (int l = 0; l < MG_NOC_LEVELS; l++)
        if (curve)
            fprintf(out, ",%d", noc[l].failed);
        else
            fputc(',', out);
    fputc(',', out);
    print_curve(out, r->dice_after, r->curve);
    fputc(',', out);
    print_curve(out, r->iou_after, r->curve);
    for (int k = MG_SCORE_MSA_DICE; k < MG_SCORES; k++) {
        fputc(',', out);
        mg_cell_real(out, r->value[k]);
    }
    fputc('\n', out);
}

mg_status mg_scores_print(const mg_scores *s, char **text)
{
    char *data = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&data, &bytes);

    *text = NULL;
    MG_CHECK(out, MG_ERR_MEMORY, "cannot allocate the text of %lld scores", (long long)s->count);
    fputs(header, out);
    for (int64_t i = 0; i < s->count; i++) print_row(out, &s->row[i]);
    bool ok = fclose(out) == 0;
    if (ok) *text = mg_strdup(data);
    free(data);
    MG_CHECK(*text, MG_ERR_MEMORY, "cannot allocate the text of %lld scores", (long long)s->count);
    return MG_OK;
}

// A list separated by ';' into value; returns the number of entries, -1 if there are too many.
static int parse_curve(char *text, double *value, bool *ok)
{
    int count = 0;

    if (!*text) return 0;
    for (char *next = text; next; count++) {
        if (count == MG_MAX_CURVE) return -1;
        text = next;
        next = strchr(text, ';');
        if (next) *next++ = '\0';
        value[count] = mg_cell_number(text, ok);
    }
    return count;
}

static mg_status parse_row(mg_scores *s, char *line, int columns, const char *name, int64_t number)
{
    char *cell[COLUMNS];
    bool ok = true;
    int count = mg_cells_split(line, cell, COLUMNS);

    MG_CHECK(count == columns, MG_ERR_FORMAT, "'%s' line %lld is no row of %d cells", name,
             (long long)number, columns);
    mg_score r = {.set = cell[0], .protocol = cell[1], .id = cell[2], .class_name = cell[4]};
    double class_number = mg_cell_number(cell[3], &ok), status = mg_cell_number(cell[11], &ok),
           clicks = mg_cell_number(cell[12], &ok);
    for (int k = 0; k < MG_SCORES; k++) {
        int at = k < MG_SCORE_MSA_DICE ? 5 + k : MSA_AT + k - MG_SCORE_MSA_DICE;
        r.value[k] = at < columns ? mg_cell_number(cell[at], &ok) : NAN;
    }
    int dice = parse_curve(cell[19], r.dice_after, &ok);
    r.curve = parse_curve(cell[20], r.iou_after, &ok);
    ok = ok && class_number >= 0 && class_number < 65536 && status >= MG_BOTH_PRESENT &&
         status <= MG_PRED_EMPTY && clicks >= 0 && clicks < 1e6 && r.curve >= 0 && dice == r.curve;
    MG_CHECK(ok, MG_ERR_FORMAT, "'%s' line %lld has a cell that is no number, or out of range",
             name, (long long)number);
    r.class_number = (int)class_number;
    r.status = (mg_metric_status)status;
    r.clicks = (int)clicks;
    return mg_scores_add(s, &r);
}

// Columns under this header, 0 if it is none of ours.
static int columns_of(const char *line)
{
    size_t whole = strlen(header) - 1, before = (size_t)(strstr(header, ",msa_score") - header);

    if (strlen(line) == whole && !strncmp(line, header, whole)) return COLUMNS;
    return strlen(line) == before && !strncmp(line, header, before) ? MSA_AT : 0;
}

mg_status mg_scores_parse(mg_scores *s, const char *text, const char *name)
{
    char *copy = mg_strdup(text), *at = copy;
    mg_status st = MG_OK;
    int64_t number = 1;

    MG_CHECK(copy, MG_ERR_MEMORY, "cannot allocate '%s'", name);
    char *line = mg_next_line(&at);
    int columns = line ? columns_of(line) : 0;
    if (!columns)
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' does not begin with the header of a table of scores",
                     name);
    while (!st && (line = mg_next_line(&at))) {
        number++;
        if (*line) st = parse_row(s, line, columns, name, number);
    }
    mg_free(copy);
    return st;
}

// --- files -------------------------------------------------------------------------------------------

static mg_status write_summary(const mg_scores *s, const char *path, uint64_t seed, int replicates)
{
    mg_json *summary = NULL;

    MG_TRY(mg_scores_summarize(s, seed, replicates, &summary));
    char *text = mg_json_dump(summary, true);
    mg_json_free(&summary);
    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate '%s'", path);
    mg_status st = mg_write_file(path, text, strlen(text));
    mg_free(text);
    return st;
}

mg_status mg_scores_write(mg_scores *s, const char *dir, uint64_t seed, int replicates)
{
    char *table = mg_path_join(dir, "cases.csv"), *summary = mg_path_join(dir, "summary.json");
    char *text = NULL;
    mg_status st = MG_OK;

    mg_scores_sort(s);
    if (!table || !summary) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
    if (!st) st = mg_scores_print(s, &text);
    if (!st) st = mg_write_file(table, text, strlen(text));
    if (!st) st = write_summary(s, summary, seed, replicates);
    mg_free(text);
    mg_free(table);
    mg_free(summary);
    return st;
}

static mg_status read_summary(const char *path, mg_scores *s)
{
    mg_json *json = NULL;
    mg_status st = MG_OK;

    MG_TRY(mg_json_read(path, &json));
    const char *kind = mg_json_text(mg_json_get(json, "kind"));
    const char *method = mg_json_text(mg_json_get(json, "method"));
    const mg_json *sets = mg_json_get(json, "sets");
    if (!kind || strcmp(kind, "scores") != 0)
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' is no summary of scores", path);
    s->method = mg_strdup(method ? method : "");
    if (!st && !s->method) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate '%s'", path);
    s->trained_share = mg_json_real(mg_json_get(json, "trained_share"), NAN);
    s->nsd_tolerance = mg_json_real(mg_json_get(json, "nsd_tolerance"), NAN);
    const char *empty = mg_json_text(mg_json_get(json, "empty"));
    s->empty_is_one = empty && strcmp(empty, "one") == 0;
    for (size_t i = 0; i < mg_json_size(sets) && !st; i++) {
        const mg_json *set = mg_json_at(sets, i);
        const char *name = mg_json_text(mg_json_get(set, "name"));
        const char *unit = mg_json_text(mg_json_get(set, "unit"));
        st = mg_scores_describe(s, name ? name : "", unit ? unit : "px",
                                mg_json_bool(mg_json_get(set, "phantom"), false));
        const mg_json *missing = mg_json_get(set, "missing");
        for (size_t k = 0; k < mg_json_size(missing) && !st; k++) {
            const char *mask = mg_json_text(mg_json_at(missing, k));
            if (mask) st = mg_scores_missing(s, name ? name : "", mask);
        }
    }
    mg_json_free(&json);
    return st;
}

mg_status mg_scores_read(const char *dir, mg_scores *s)
{
    char *table = mg_path_join(dir, "cases.csv"), *summary = mg_path_join(dir, "summary.json");
    char *text = NULL;
    mg_status st = MG_OK;

    *s = (mg_scores){0};
    if (!table || !summary) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
    if (!st) st = read_summary(summary, s);
    if (!st) st = mg_read_file(table, MAX_FILE, &text, NULL);
    if (!st) st = mg_scores_parse(s, text, table);
    if (!st) mg_scores_sort(s);
    if (st) mg_scores_free(s);
    mg_free(text);
    mg_free(table);
    mg_free(summary);
    return st;
}

bool mg_scores_exist(const char *dir)
{
    char *path = mg_path_join(dir, "cases.csv");
    bool there = path && mg_path_is_file(path);
    mg_free(path);
    return there;
}
