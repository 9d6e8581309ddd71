// Values printed in a paper, and the names they go by. The file keeps the paper's spelling; the
// differences ("MSA 1-point" and "MSA", "EnsDiff" and "EnsemDiff", "Ave") are met here.
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "finetune/cells.h"
#include "finetune/report_paper.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

enum { MAX_COLUMNS = 16, MAX_FILE = 1 << 24 };

void mg_paper_free(mg_paper *paper)
{
    mg_free(paper->text);
    mg_free(paper->cell);
    *paper = (mg_paper){0};
}

static mg_status find_columns(char *line, const char *path, int column[MG_PAPER_FIELDS])
{
    static const char *const field[MG_PAPER_FIELDS] = {"table",  "dataset", "method",
                                                       "target", "metric",  "value"};
    char *cell[MAX_COLUMNS];
    int count = line ? mg_cells_split(line, cell, MAX_COLUMNS) : 0;

    for (int f = 0; f < MG_PAPER_FIELDS; f++) {
        int c = 0;
        while (c < count && strcasecmp(cell[c], field[f]) != 0) c++;
        MG_CHECK(c < count, MG_ERR_FORMAT, "table '%s' has no column '%s'", path, field[f]);
        column[f] = c;
    }
    return MG_OK;
}

static mg_status read_rows(mg_paper *paper, const char *path)
{
    int column[MG_PAPER_FIELDS];
    char *at = paper->text, *cell[MAX_COLUMNS], *line;
    int64_t number = 1, room = 0;

    MG_TRY(find_columns(mg_next_line(&at), path, column));
    while ((line = mg_next_line(&at))) {
        number++;
        if (!*line) continue;
        int count = mg_cells_split(line, cell, MAX_COLUMNS);
        if (paper->rows == room) {
            room = 2 * room + 64;
            void *grown = mg_realloc(paper->cell, (size_t)room * sizeof *paper->cell);
            MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate the table '%s'", path);
            paper->cell = grown;
        }
        for (int f = 0; f < MG_PAPER_FIELDS; f++) {
            MG_CHECK(column[f] < count, MG_ERR_FORMAT, "'%s' line %lld has %d cells", path,
                     (long long)number, count);
            paper->cell[paper->rows][f] = cell[column[f]];
        }
        paper->rows++;
    }
    return MG_OK;
}

mg_status mg_paper_read(const char *path, mg_paper *paper)
{
    mg_status st = MG_OK;

    *paper = (mg_paper){0};
    if (path)
        st = mg_read_file(path, MAX_FILE, &paper->text, NULL);
    else if (!(paper->text = mg_strdup(mg_paper_values)))
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the paper's values");
    if (!st) st = read_rows(paper, path ? path : "values of the paper");
    if (st) mg_paper_free(paper);
    return st;
}

double mg_paper_number(const char *text)
{
    bool ok = true;
    double value = mg_cell_number(text, &ok);
    return ok ? value : NAN;
}

// --- names ------------------------------------------------------------------------------------------

// Letters (and digits) in lower case.
static void plain(const char *text, bool digits, char out[128])
{
    size_t n = 0;
    for (; *text && n < 127; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalpha(c) || (digits && isdigit(c))) out[n++] = (char)tolower(c);
    }
    out[n] = '\0';
}

static bool same(const char *a, const char *b)
{
    char x[128], y[128];

    plain(a, true, x);
    plain(b, true, y);
    return strcmp(x, y) == 0;
}

bool mg_paper_is_set(const char *printed, const char *set)
{
    char name[128], part[128], whole[128];

    plain(set, false, name);
    snprintf(whole, sizeof whole, "%s", printed);
    for (char *at = whole; at;) {
        char *plus = strchr(at, '+');
        if (plus) *plus++ = '\0';
        plain(at, false, part);
        if (*part && strstr(name, part)) return true;
        at = plus;
    }
    return false;
}

bool mg_paper_is_average(const char *printed)
{
    return same(printed, "avg") || same(printed, "ave");
}

// Columns of the paper and the classes they stand for, where the names differ.
static const char *const classes[][2] = {
    {"R.Kid", "right kidney"},
    {"L.Kid", "left kidney"},
    {"Gall.", "gallbladder"},
    {"Eso.", "esophagus"},
    {"Stom.", "stomach"},
    {"IVC", "inferior vena cava"},
    {"Veins", "portal and splenic veins"},
    {"Panc.", "pancreas"},
    {"RAG", "right adrenal gland"},
    {"LAG", "left adrenal gland"},
    {"AG", "right adrenal gland"}, // mean of the two
    {"AG", "left adrenal gland"},
    {MG_PAPER_MERGED, "adrenal glands"},
    {"Duo.", "duodenum"},
    {"Blad.", "bladder"},
    {"Postc.", "prostate/uterus"}, // by its place in the table, whatever it seems to abbreviate
    {"Brain-Tumor", "whole tumour"},
    {"Brain-Tumor", "WT"},
    {"Thyroid Nodule", "nodule"},
};

bool mg_paper_is_class(const char *printed, const char *class_name)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(classes[i][0], printed) && same(classes[i][1], class_name)) return true;
    return same(printed, class_name);
}

// A method's name without a number of points, in plain letters; the number, 0 if there is none.
static int take_method(const char *text, char name[128])
{
    char *end, buffer[128];
    const char *number = text;
    long points = 0;

    snprintf(buffer, sizeof buffer, "%s", text);
    while ((number = strchr(number, ' '))) { // " 1 point", " 3 points", " 1-point"
        points = strtol(++number, &end, 10);
        while (end > number && (*end == ' ' || *end == '-')) end++;
        bool said =
            end > number && (!strncasecmp(end, "point", 5) || !strncasecmp(end, "click", 5));
        if (said) {
            buffer[number - 1 - text < 127 ? number - 1 - text : 127] = '\0';
            break;
        }
        points = 0;
    }
    plain(buffer, true, name);
    if (!strcmp(name, "ensdiff")) strcpy(name, "ensemdiff"); // one method, two spellings
    return (int)points;
}

bool mg_paper_is_method(const char *printed, const char *method, int clicks)
{
    char a[128], b[128];
    int wanted = take_method(printed, a), said = take_method(method, b);

    if (strcmp(a, b) != 0 || clicks < 0) return false;
    if (!clicks) clicks = said;
    return wanted ? clicks == wanted : clicks <= 1;
}
