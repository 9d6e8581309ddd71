// Comma-separated text in the form of RFC 4180: what scores are written in.
#ifndef MG_FINETUNE_CELLS_H
#define MG_FINETUNE_CELLS_H

#include <stdio.h>

// Print one cell, in quotes where it needs them; line ends become blanks.
void mg_cell_text(FILE *out, const char *text);
// The shortest decimal that reads back as the same double; nothing for NaN, "inf" for infinity.
void mg_cell_real(FILE *out, double value);

// Cut a line up in place. Returns the number of cells, at most `room`; -1 if there are more or a
// quote is not closed.
int mg_cells_split(char *line, char **cell, int room);
// NaN for an empty cell. *ok becomes false if the text is no number.
double mg_cell_number(const char *text, _Bool *ok);

// The next line of a text: returns it ended by '\0' (without '\r') and moves *at behind it, NULL at
// the end.
char *mg_next_line(char **at);

#endif
