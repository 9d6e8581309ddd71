// Tables in text files, read whole and cut up in place: unquoting only ever shortens a cell, so the
// cells stay where they are in the file's text.
#include "datasets/csv.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"

enum { MAX_COLUMNS = 4096, MAX_BYTES = 1 << 30 };

typedef struct {
    const char *path;
    char *at;   // next unread byte
    char *end;  // the '\0' behind the text
    char comma; // or tab
    int64_t line;
    mg_csv *out;
    int64_t cells, room;
} parser;

static char sniff(const char *text)
{
    int tabs = 0, commas = 0;
    bool quoted = false;
    for (; *text && (quoted || (*text != '\n' && *text != '\r')); text++) {
        if (*text == '"') quoted = !quoted;
        tabs += !quoted && *text == '\t';
        commas += !quoted && *text == ',';
    }
    return tabs > commas ? '\t' : ',';
}

static mg_status add_cell(parser *p, char *cell)
{
    if (p->cells == p->room) {
        int64_t room = 2 * p->room + 64;
        char **grown = mg_realloc(p->out->cell, (size_t)room * sizeof *grown);
        MG_CHECK(grown, MG_ERR_MEMORY, "no memory for the table '%s'", p->path);
        p->out->cell = grown;
        p->room = room;
    }
    p->out->cell[p->cells++] = cell;
    return MG_OK;
}

// One cell; leaves `at` on the byte behind it (comma, line end or '\0') and its text ended by '\0'.
// *stop gets that byte, which the '\0' may have replaced.
static mg_status take_cell(parser *p, char *stop)
{
    char *cell = p->at, *to = p->at;
    int64_t line = p->line;

    if (*p->at == '"') {
        for (p->at++; *p->at != '"' || p->at[1] == '"'; p->at++) {
            MG_CHECK(*p->at, MG_ERR_FORMAT, "'%s' line %lld: a quote is not closed", p->path,
                     (long long)line);
            p->line += *p->at == '\n';
            if (*p->at == '"') p->at++; // the first of two
            *to++ = *p->at;
        }
        p->at++;
    }
    while (*p->at && *p->at != p->comma && *p->at != '\n' && *p->at != '\r') *to++ = *p->at++;
    MG_CHECK(*p->at || p->at == p->end, MG_ERR_FORMAT, "'%s' line %lld holds a NUL byte", p->path,
             (long long)p->line);
    *stop = *p->at;
    *to = '\0';
    return add_cell(p, cell);
}

static void skip_line_ends(parser *p)
{
    for (; *p->at == '\n' || *p->at == '\r'; p->at++) p->line += *p->at == '\n';
}

// One row, filled up or checked against the header's number of columns (0 while reading that).
static mg_status take_row(parser *p)
{
    int64_t first = p->cells, line = p->line;
    char stop = '\0';

    for (;;) {
        MG_TRY(take_cell(p, &stop));
        MG_CHECK(p->cells - first <= MAX_COLUMNS, MG_ERR_FORMAT,
                 "'%s' line %lld has more than %d cells", p->path, (long long)line, MAX_COLUMNS);
        if (stop) p->at++;
        if (stop != p->comma) break;
    }
    p->line += stop == '\n';
    if (!p->out->columns) p->out->columns = (int)p->cells;

    while (p->cells - first > p->out->columns && !*p->out->cell[p->cells - 1]) p->cells--;
    MG_CHECK(p->cells - first <= p->out->columns, MG_ERR_FORMAT,
             "'%s' line %lld has %lld cells, expected %d", p->path, (long long)line,
             (long long)(p->cells - first), p->out->columns);
    while (p->cells - first < p->out->columns) MG_TRY(add_cell(p, p->end));
    skip_line_ends(p);
    return MG_OK;
}

mg_status mg_csv_read(const char *path, mg_csv *out)
{
    size_t bytes = 0;
    mg_status st = MG_OK;

    *out = (mg_csv){0};
    MG_TRY(mg_read_file(path, MAX_BYTES, &out->text, &bytes));
    parser p = {.path = path, .at = out->text, .end = out->text + bytes, .line = 1, .out = out};
    if (!strncmp(p.at, "\xef\xbb\xbf", 3)) p.at += 3;
    skip_line_ends(&p);
    p.comma = sniff(p.at);
    if (p.at == p.end) st = MG_FAIL(MG_ERR_FORMAT, "table '%s' is empty", path);
    while (!st && p.at < p.end) st = take_row(&p);
    if (st) {
        mg_csv_free(out);
        return st;
    }
    out->rows = p.cells / out->columns - 1;
    return MG_OK;
}

void mg_csv_free(mg_csv *csv)
{
    mg_free(csv->cell);
    mg_free(csv->text);
    *csv = (mg_csv){0};
}

int mg_csv_column(const mg_csv *csv, const char *name)
{
    for (int c = 0; c < csv->columns; c++)
        if (!strcasecmp(csv->cell[c], name)) return c;
    return -1;
}

const char *mg_csv_get(const mg_csv *csv, int64_t row, int column)
{
    return column < 0 ? "" : csv->cell[(row + 1) * csv->columns + column];
}
