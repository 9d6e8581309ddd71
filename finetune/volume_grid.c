// Spots of cells, and interpolation that keeps empty slices apart.
#include "finetune/volume_grid.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"

// Original cells of an axis lie at (j - grid[0]) / grid[1] of the stored grid of n cells.
static void find_spots(mg_grid_spot *out, int full, int n, const double grid[2])
{
    for (int j = 0; j < full; j++) {
        double at = (j - grid[0]) / grid[1];
        if (!(at >= -0.5 && at < n - 0.5)) {
            out[j].low = -1;
            continue;
        }
        at = fmin(fmax(at, 0), n - 1);
        out[j].low = (int)at;
        out[j].high = out[j].low + 1 < n ? out[j].low + 1 : out[j].low;
        out[j].part = (float)(at - out[j].low);
    }
}

mg_status mg_grid_create(const int full[3], const int stored[3], const double grid[3][2],
                         mg_grid *g)
{
    size_t spots = (size_t)full[0] + full[1] + full[2];

    *g = (mg_grid){.same = true};
    g->spot[0] = mg_alloc(spots * sizeof *g->spot[0]);
    g->slice = mg_alloc((size_t)full[1] * full[2] * sizeof *g->slice);
    if (!g->spot[0] || !g->slice) {
        mg_grid_free(g);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate the way to a grid of %d x %d x %d", full[0],
                       full[1], full[2]);
    }
    for (int a = 0; a < 3; a++) {
        if (a) g->spot[a] = g->spot[a - 1] + full[a - 1];
        g->full[a] = full[a];
        g->stored[a] = stored[a];
        g->same = g->same && full[a] == stored[a] && grid[a][0] == 0 && grid[a][1] == 1;
        find_spots(g->spot[a], full[a], stored[a], grid[a]);
    }
    return MG_OK;
}

void mg_grid_free(mg_grid *g)
{
    mg_free(g->spot[0]);
    mg_free(g->slice);
    *g = (mg_grid){0};
}

// a + part (b - a); an empty neighbour counts from the middle on.
static float between(float a, float b, float part)
{
    if (isinf(a) || isinf(b)) return part < 0.5f ? a : b;
    return a + part * (b - a);
}

static float value_at(const float *const slice[2], size_t width, float part, const mg_grid_spot *y,
                      const mg_grid_spot *x)
{
    float side[2];

    for (int k = 0; k < 2; k++) {
        const float *low = slice[k] + y->low * width, *high = slice[k] + y->high * width;
        side[k] = between(between(low[x->low], low[x->high], x->part),
                          between(high[x->low], high[x->high], x->part), y->part);
    }
    return between(side[0], side[1], part);
}

void mg_grid_slice(const mg_grid *g, int z, const float *low, const float *high, float *out)
{
    const float *const slice[2] = {low, high};
    const mg_grid_spot *at = &g->spot[0][z];
    size_t width = (size_t)g->full[2];

    if (g->same) {
        memcpy(out, low, (size_t)g->full[1] * width * sizeof *out);
        return;
    }
    for (int y = 0; y < g->full[1]; y++)
        for (int x = 0; x < g->full[2]; x++) {
            const mg_grid_spot *sy = &g->spot[1][y], *sx = &g->spot[2][x];
            bool inside = at->low >= 0 && sy->low >= 0 && sx->low >= 0;
            *out++ = inside ? value_at(slice, (size_t)g->stored[2], at->part, sy, sx) : -INFINITY;
        }
}

void mg_grid_mask(const mg_grid *g, const float *logits, uint8_t *mask)
{
    size_t stored = (size_t)g->stored[1] * g->stored[2], full = (size_t)g->full[1] * g->full[2];

    for (int z = 0; z < g->full[0]; z++) {
        const mg_grid_spot *at = &g->spot[0][z];
        const float *low = at->low < 0 ? NULL : logits + (size_t)at->low * stored;
        const float *high = at->low < 0 ? NULL : logits + (size_t)at->high * stored;
        mg_grid_slice(g, z, low, high, g->slice);
        for (size_t i = 0; i < full; i++) *mask++ = g->slice[i] > 0;
    }
}
