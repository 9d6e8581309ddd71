// Values printed in a paper, to stand beside measured ones. The file keeps the paper's spelling; the
// differences ("MSA 1-point", "Ave", percent in one table and fractions in another) are met here.
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "finetune/cells.h"
#include "finetune/report.h"
#include "runtime/mem.h"

enum { FIELDS = 5, MAX_COLUMNS = 16, MAX_FILE = 1 << 24 };
enum { DATASET, METHOD, TARGET, METRIC, VALUE };

// Columns of the paper's organ tables and the names of the classes they stand for.
static const char *const organs[][2] = {
    {"R.Kid", "right kidney"},
    {"L.Kid", "left kidney"},
    {"Gall.", "gall bladder"},
    {"Eso.", "esophagus"},
    {"Stom.", "stomach"},
    {"Aorta", "arota"}, // as one data set spells it
    {"IVC", "postcava"},
    {"IVC", "inferior vena cava"},
    {"Veins", "portal and splenic veins"},
    {"Panc.", "pancreas"},
    {"RAG", "right adrenal gland"},
    {"LAG", "left adrenal gland"},
    {"Duo.", "duodenum"},
    {"Blad.", "bladder"},
    {"Postc.", "prostate/uterus"}, // by its place in the table, whatever it seems to abbreviate
};

void mg_paper_free(mg_paper *paper)
{
    mg_free(paper->text);
    mg_free(paper->cell);
    *paper = (mg_paper){0};
}

static mg_status find_columns(char *line, const char *path, int column[FIELDS])
{
    static const char *const field[FIELDS] = {"dataset", "method", "target", "metric", "value"};
    char *cell[MAX_COLUMNS];
    int count = line ? mg_cells_split(line, cell, MAX_COLUMNS) : 0;

    for (int f = 0; f < FIELDS; f++) {
        int c = 0;
        while (c < count && strcasecmp(cell[c], field[f]) != 0) c++;
        MG_CHECK(c < count, MG_ERR_FORMAT, "table '%s' has no column '%s'", path, field[f]);
        column[f] = c;
    }
    return MG_OK;
}

static mg_status read_rows(mg_paper *paper, const char *path)
{
    int column[FIELDS];
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
        for (int f = 0; f < FIELDS; f++) {
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
    *paper = (mg_paper){0};
    MG_TRY(mg_read_file(path, MAX_FILE, &paper->text, NULL));
    mg_status st = read_rows(paper, path);
    if (st) mg_paper_free(paper);
    return st;
}

// --- matching ----------------------------------------------------------------------------------------

// Letters and digits in lower case.
static void plain(const char *text, char *out, size_t room)
{
    size_t n = 0;
    for (; *text && n + 1 < room; text++)
        if (isalnum((unsigned char)*text)) out[n++] = (char)tolower((unsigned char)*text);
    out[n] = '\0';
}

// One name within the other: "amos" and "AMOS2022", "TNSCUI" and "TNSCUI+DDTI".
static bool alike(const char *a, const char *b)
{
    char x[128], y[128];

    plain(a, x, sizeof x);
    plain(b, y, sizeof y);
    return *x && *y && (strstr(x, y) || strstr(y, x));
}

static bool same(const char *a, const char *b)
{
    char x[128], y[128];

    plain(a, x, sizeof x);
    plain(b, y, sizeof y);
    return strcmp(x, y) == 0;
}

static bool is_class(const char *printed, const char *class_name)
{
    bool listed = false;

    for (size_t i = 0; i < sizeof organs / sizeof *organs; i++) {
        if (strcasecmp(organs[i][0], printed) != 0) continue;
        if (same(organs[i][1], class_name)) return true;
        listed = true;
    }
    return same(printed, class_name) || (!listed && alike(printed, class_name));
}

static bool is_average(const char *printed)
{
    return same(printed, "avg") || same(printed, "ave");
}

// "SAM 3 points", "MSA 1-point", "MSA" (how many is not said: taken as one).
static bool is_method(const char *printed, const char *method, int clicks)
{
    size_t length = strcspn(printed, " ");
    char name[64], wanted[64];
    const char *number = printed + length + strspn(printed + length, " ");

    plain(method, wanted, sizeof wanted);
    snprintf(name, sizeof name, "%.*s", (int)(length < 63 ? length : 63), printed);
    plain(name, name, sizeof name);
    if (strcmp(name, wanted) != 0) return false;
    return clicks == (*number ? mg_protocol_clicks(number) : 1);
}

double mg_paper_find(const mg_paper *paper, const char *set, const char *method,
                     const char *protocol, const char *class_name, const char *metric)
{
    int clicks = mg_protocol_clicks(protocol);

    for (int64_t i = 0; i < paper->rows && clicks > 0; i++) {
        char **cell = paper->cell[i];
        bool ok = true;
        if (strcasecmp(cell[METRIC], metric) != 0 || !alike(cell[DATASET], set)) continue;
        if (!is_method(cell[METHOD], method, clicks)) continue;
        if (class_name ? !is_class(cell[TARGET], class_name) : !is_average(cell[TARGET])) continue;
        double value = mg_cell_number(cell[VALUE], &ok);
        if (!ok) return NAN; // "-": left out there
        bool percent = value > 1.5 && strcasecmp(metric, "hd95") != 0;
        return percent ? value / 100 : value;
    }
    return NAN;
}
