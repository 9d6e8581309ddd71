// Outlines of label maps as SVG paths: borders of cells are edges with the target on their right, so
// loops run clockwise around a part and counter-clockwise around a hole.
#include <string.h>

#include "finetune/report.h"

enum { RIGHT, DOWN, LEFT, UP };

typedef struct {
    const uint8_t *map;
    int height, width, number;
    uint8_t *edge; // [height + 1, width + 1] corners: bit d, an edge leaves in direction d
} trace;

static bool is_inside(const trace *t, int y, int x)
{
    return y >= 0 && x >= 0 && y < t->height && x < t->width &&
           t->map[(size_t)y * (size_t)t->width + (size_t)x] == t->number;
}

static uint8_t *corner(const trace *t, int y, int x)
{
    return &t->edge[(size_t)y * ((size_t)t->width + 1) + (size_t)x];
}

static void mark_edges(const trace *t)
{
    for (int y = 0; y < t->height; y++)
        for (int x = 0; x < t->width; x++) {
            if (!is_inside(t, y, x)) continue;
            if (!is_inside(t, y - 1, x)) *corner(t, y, x) |= 1 << RIGHT;
            if (!is_inside(t, y, x + 1)) *corner(t, y, x + 1) |= 1 << DOWN;
            if (!is_inside(t, y + 1, x)) *corner(t, y + 1, x + 1) |= 1 << LEFT;
            if (!is_inside(t, y, x - 1)) *corner(t, y + 1, x) |= 1 << UP;
        }
}

// The edge to go on with after one in direction d: to the right first, so that parts which only touch
// at a corner stay apart. -1 if there is none.
static int turn(uint8_t edges, int d)
{
    static const int by[3] = {1, 0, 3};

    for (int i = 0; i < 3; i++)
        if (edges >> ((d + by[i]) % 4) & 1) return (d + by[i]) % 4;
    return -1;
}

static void print_run(FILE *out, int d, int cells)
{
    fprintf(out, "%c%d", d == RIGHT || d == LEFT ? 'h' : 'v',
            d == LEFT || d == UP ? -cells : cells);
}

// The loop that leaves a corner to the right, whose edges are taken away.
static void print_loop(FILE *out, const trace *t, int y, int x)
{
    int d = RIGHT, run = 0;

    fprintf(out, "M%d %d", x, y);
    for (;;) {
        *corner(t, y, x) &= (uint8_t) ~(1 << d);
        run++;
        y += d == DOWN ? 1 : d == UP ? -1 : 0;
        x += d == RIGHT ? 1 : d == LEFT ? -1 : 0;
        int next = turn(*corner(t, y, x), d);
        if (next == d) continue;
        if (next < 0) break; // back at the first corner, which z joins
        print_run(out, d, run);
        d = next;
        run = 0;
    }
    fputc('z', out);
}

void mg_svg_outline(FILE *out, const uint8_t *map, int height, int width, int number, uint8_t *room)
{
    trace t = {map, height, width, number, room};

    memset(room, 0, ((size_t)height + 1) * ((size_t)width + 1));
    mark_edges(&t);
    for (int y = 0; y <= height; y++)
        for (int x = 0; x <= width; x++)
            while (*corner(&t, y, x) >> RIGHT & 1) print_loop(out, &t, y, x);
}
