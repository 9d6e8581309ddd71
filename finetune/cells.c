// Cells of comma-separated text, one record a line.
#include "finetune/cells.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void mg_cell_text(FILE *out, const char *text)
{
    bool quoted = text[strcspn(text, ",\"\r\n")] || *text == ' ';

    if (quoted) fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text == '\n' || *text == '\r' ? ' ' : *text, out);
    }
    if (quoted) fputc('"', out);
}

void mg_cell_real(FILE *out, double value)
{
    char text[32];

    if (isnan(value)) return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    fputs(text, out);
}

// One quoted cell from behind its opening quote; returns what follows it, NULL if it never ends.
static char *unquote(char *at, char *to)
{
    for (;; at++) {
        if (!*at) return NULL;
        if (*at == '"' && *++at != '"') break;
        *to++ = *at;
    }
    *to = '\0';
    return at;
}

int mg_cells_split(char *line, char **cell, int room)
{
    int count = 0;

    for (;;) {
        if (count == room) return -1;
        cell[count++] = line;
        char *end = *line == '"' ? unquote(line + 1, line) : line + strcspn(line, ",");
        if (!end || (*end && *end != ',')) return -1;
        bool more = *end == ',';
        *end = '\0';
        if (!more) return count;
        line = end + 1;
    }
}

double mg_cell_number(const char *text, bool *ok)
{
    char *end;

    if (!*text) return NAN;
    double value = strtod(text, &end);
    if (*end) *ok = false;
    return value;
}

char *mg_next_line(char **at)
{
    char *line = *at;

    if (!line || !*line) return NULL;
    char *end = strchr(line, '\n');
    *at = end ? end + 1 : NULL;
    if (!end) end = line + strlen(line);
    if (end > line && end[-1] == '\r') end--;
    *end = '\0';
    return line;
}
