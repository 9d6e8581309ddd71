// Outlines for phantoms; see phantom_outline.h.
#include "datasets/phantom_outline.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/mem.h"

// The eight neighbours, clockwise from the right (y points down).
static const int around[8][2] = {{1, 0},  {1, 1},   {0, 1},  {-1, 1},
                                 {-1, 0}, {-1, -1}, {0, -1}, {1, -1}};

static bool is_inside(const mg_canvas *c, int x, int y, int value)
{
    return x >= 0 && y >= 0 && x < c->width && y < c->height &&
           c->label[(size_t)y * c->width + x] == value;
}

// The next pixel of the border, clockwise; *turn is the neighbour that was left last.
static bool step_on(const mg_canvas *c, int value, int *x, int *y, int *turn)
{
    for (int k = 0; k < 8; k++) {
        int n = (*turn + 6 + k) % 8; // from behind on the left
        if (!is_inside(c, *x + around[n][0], *y + around[n][1], value)) continue;
        *x += around[n][0];
        *y += around[n][1];
        *turn = n;
        return true;
    }
    return false; // a single pixel
}

static void write_region(FILE *out, const mg_canvas *c, int value, int64_t first, int step,
                         int shift)
{
    int x0 = (int)(first % c->width), y0 = (int)(first / c->width), x = x0, y = y0, turn = 0;
    int64_t most = 4 * mg_canvas_cells(c); // in case a border comes back to its start another way

    fprintf(out, "{\"points\":[");
    for (int64_t i = 0; i < most; i++) {
        if (i % step == 0)
            fprintf(out, "%s{\"x\":%d,\"y\":%d}", i ? "," : "", x + shift, y + shift);
        if (!step_on(c, value, &x, &y, &turn) || (x == x0 && y == y0)) break;
    }
    fprintf(out, "],\"annotation\":{},\"regionType\":\"freehand\"}");
}

char *mg_phantom_outline(const mg_canvas *c, int step, int shift)
{
    char *text = NULL, *copy;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    int value = 1;

    if (!out) return NULL;
    fputc('[', out);
    for (int64_t i = 0; i < mg_canvas_cells(c); i++) { // values come in their order of first pixels
        if (c->label[i] != value) continue;
        if (value > 1) fputc(',', out);
        write_region(out, c, value, i, step, shift);
        value++;
        i = -1;
    }
    fputc(']', out);
    copy = fclose(out) == 0 ? mg_strdup(text) : NULL;
    free(text);
    return copy;
}
