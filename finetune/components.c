// Connected components: two passes in raster order with union-find. The first pass joins each cell
// with its neighbours already visited; the smaller root wins, so roots are in the order of the
// components' first cells; the second pass renumbers them.
#include "finetune/components.h"

#include <assert.h>
#include <stdbool.h>

typedef struct {
    int dz, dy, dx;
} offset;

// Neighbours already visited, sorted so that each connectivity within a class is a prefix:
// 2-D: 4 takes 2, 8 takes 4. 3-D: 6 takes 3, 18 takes 9, 26 takes 13.
static const offset plane[4] = {{0, 0, -1}, {0, -1, 0}, {0, -1, -1}, {0, -1, 1}};
static const offset space[13] = {
    {0, 0, -1},  {0, -1, 0},   {-1, 0, 0},                            // faces
    {0, -1, -1}, {0, -1, 1},   {-1, 0, -1}, {-1, 0, 1},  {-1, -1, 0}, // edges
    {-1, 1, 0},  {-1, -1, -1}, {-1, -1, 1}, {-1, 1, -1}, {-1, 1, 1},  // and corners
};

static int neighbours(int connectivity, const offset **list)
{
    *list = connectivity <= 8 && connectivity != 6 ? plane : space;
    switch (connectivity) {
    case 4:
        return 2;
    case 8:
        return 4;
    case 6:
        return 3;
    case 18:
        return 9;
    case 26:
        return 13;
    }
    assert(!"connectivity is 4, 8, 6, 18 or 26");
    return 0;
}

static int32_t find(int32_t *parent, int32_t c)
{
    while (parent[c] != c) c = parent[c] = parent[parent[c]]; // halves the path
    return c;
}

// Join label b to the cell's label a (0 if it has none yet).
static int32_t join(int32_t *parent, int32_t a, int32_t b)
{
    if (a == 0 || a == b) return b;
    int32_t x = find(parent, a), y = find(parent, b);
    if (x < y)
        parent[y] = x;
    else
        parent[x] = y;
    return x < y ? x : y;
}

typedef struct {
    const offset *near;
    int count;
    int height, width;
    int32_t *parent, used; // labels given so far
} labelling;

// Label of cell (z, y, x), which lies at `cell` in the array of labels.
static int32_t label_cell(labelling *l, const int32_t *cell, int z, int y, int x)
{
    int32_t label = 0;

    for (int k = 0; k < l->count; k++) {
        const offset *o = &l->near[k];
        if (z + o->dz < 0 || y + o->dy < 0 || y + o->dy >= l->height || x + o->dx < 0 ||
            x + o->dx >= l->width)
            continue;
        int32_t other = cell[((int64_t)o->dz * l->height + o->dy) * l->width + o->dx];
        if (other) label = join(l->parent, label, other);
    }
    if (label) return label;
    l->used++;
    return l->parent[l->used] = l->used;
}

int32_t mg_components(int32_t *labels, const uint8_t *mask, int mask_stride, int depth, int height,
                      int width, int connectivity, int32_t *scratch)
{
    labelling l = {.height = height, .width = width, .parent = scratch};
    int32_t *parent = scratch, n = 0, *cell = labels;

    l.count = neighbours(connectivity, &l.near);
    parent[0] = 0;
    for (int z = 0; z < depth; z++)
        for (int y = 0; y < height; y++) {
            const uint8_t *m = mask + ((size_t)z * height + y) * mask_stride;
            for (int x = 0; x < width; x++, cell++)
                *cell = m[x] ? label_cell(&l, cell, z, y, x) : 0;
        }
    // A root is smaller than all it stands for, so one walk upwards renumbers in place.
    for (int32_t c = 1; c <= l.used; c++) parent[c] = parent[c] == c ? ++n : parent[parent[c]];
    for (const int32_t *end = cell; labels < end; labels++) *labels = parent[*labels];
    return n;
}

void mg_components_measure(const int32_t *labels, size_t cells, int32_t n, int64_t *size,
                           int64_t *first)
{
    for (int32_t c = 0; c < n; c++) size[c] = 0;
    for (size_t i = 0; i < cells; i++) {
        int32_t c = labels[i] - 1;
        if (c < 0) continue;
        if (size[c]++ == 0) first[c] = (int64_t)i;
    }
}

int32_t mg_components_largest(const int64_t *size, int32_t n)
{
    int32_t best = 0;
    for (int32_t c = 1; c <= n; c++)
        if (best == 0 || size[c - 1] > size[best - 1]) best = c;
    return best;
}
