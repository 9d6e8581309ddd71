// Tables in text files: RFC 4180 with the liberties that real copies take (a byte-order mark, CRLF
// or LF, an unnamed first column, tab instead of comma, short rows).
#ifndef MG_DATASETS_CSV_H
#define MG_DATASETS_CSV_H

#include <stdint.h>

#include "runtime/err.h"

typedef struct {
    int columns;
    int64_t rows; // without the header
    char **cell;  // [rows + 1][columns], the header first; point into text
    char *text;
} mg_csv;

// Read a whole table whose first row is the header. Comma or tab: what the header has more of.
// Blank lines are dropped, missing cells at the end of a row are "". MG_ERR_FORMAT names file and
// line: a row longer than the header, a quote that never ends, a NUL byte, no header.
mg_status mg_csv_read(const char *path, mg_csv *out);
void mg_csv_free(mg_csv *csv);

// Column by name, without regard to case; -1 if there is none.
int mg_csv_column(const mg_csv *csv, const char *name);
// Borrowed; "" for column -1.
const char *mg_csv_get(const mg_csv *csv, int64_t row, int column);

#endif
