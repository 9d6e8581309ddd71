// Distance transforms by lower envelopes of parabolas, one axis after the other. The integer form
// follows Meijster, Roerdink and Hesselink 2000, the one with spacing Felzenszwalb and Huttenlocher
// 2012: out(p) = min_q f(q) + s^2 (p - q)^2 per axis. Time is linear in the number of cells.
#include "finetune/distance.h"

#include <math.h>
#include <string.h>

// --- integers, 2-D ---------------------------------------------------------------------------------

enum { NO_ZERO = 1 << 28 }; // a column without any zero cell

// A parabola (x - at)^2 + height that is lowest from `start` on.
typedef struct {
    int64_t height;
    int32_t at, start;
} parabola;

size_t mg_distance_int_scratch(int width)
{
    return ((size_t)width + 2) * (sizeof(parabola) + sizeof(int32_t));
}

// Vertical distance to the nearest zero of each column: `g` [height, width].
static void column_sweeps(int32_t *g, const uint8_t *mask, int stride, int height, int width,
                          bool padded)
{
    int32_t outside = padded ? 0 : NO_ZERO;

    for (int y = 0; y < height; y++) {
        const uint8_t *m = mask + (size_t)y * stride;
        int32_t *row = g + (size_t)y * width, *above = y ? row - width : NULL;
        for (int x = 0; x < width; x++) row[x] = m[x] ? (above ? above[x] : outside) + 1 : 0;
    }
    for (int y = height - 1; y >= 0; y--) {
        int32_t *row = g + (size_t)y * width, *below = y + 1 < height ? row + width : NULL;
        for (int x = 0; x < width; x++) {
            int32_t d = (below ? below[x] : outside) + 1;
            if (d < row[x]) row[x] = d;
        }
    }
}

// Quotient rounded down; b > 0.
static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b < 0);
}

// Put the parabola of cell u on the stack of `n`; what it hides within [lo, hi) goes.
static int push(parabola *stack, int n, int u, int32_t g, int lo, int hi)
{
    int64_t height = (int64_t)g * g;

    while (n > 0) {
        const parabola *top = &stack[n - 1];
        int64_t a = (int64_t)top->start - top->at, b = (int64_t)top->start - u;
        if (a * a + top->height <= b * b + height) break;
        n--;
    }
    int64_t start = lo;
    if (n > 0) {
        int64_t at = stack[n - 1].at;
        start =
            1 + floor_div((int64_t)u * u - at * at + height - stack[n - 1].height, 2 * (u - at));
        if (start >= hi) return n;
    }
    stack[n] = (parabola){height, u, (int32_t)start};
    return n + 1;
}

// Cells [lo, hi) of a row, none of them zero. `left` and `right`: a zero lies just outside.
static void row_run(int32_t *d2, const int32_t *g, int lo, int hi, bool left, bool right,
                    parabola *stack)
{
    int n = 0;

    if (left) n = push(stack, n, lo - 1, 0, lo, hi);
    for (int u = lo; u < hi; u++)
        if (g[u] < NO_ZERO) n = push(stack, n, u, g[u], lo, hi);
    if (right) n = push(stack, n, hi, 0, lo, hi);
    if (n == 0) {
        for (int x = lo; x < hi; x++) d2[x] = MG_FAR;
        return;
    }
    for (int x = hi - 1; x >= lo; x--) {
        const parabola *top = &stack[n - 1];
        int64_t d = x - top->at;
        d2[x] = (int32_t)(d * d + top->height);
        if (x == top->start) n--;
    }
}

// A zero cell hides everything behind it, so each run between zeros is a problem of its own.
void mg_distance_int(int32_t *d2, const uint8_t *mask, int mask_stride, int height, int width,
                     bool padded, void *scratch)
{
    parabola *stack = scratch;
    int32_t *g = (int32_t *)(stack + width + 2);

    column_sweeps(d2, mask, mask_stride, height, width, padded);
    for (int y = 0; y < height; y++) {
        int32_t *row = d2 + (size_t)y * width;
        memcpy(g, row, (size_t)width * sizeof *g);
        for (int x = 0; x < width; x++) {
            int lo = x;
            while (x < width && g[x]) x++;
            if (x > lo) row_run(row, g, lo, x, padded || lo > 0, padded || x < width, stack);
        }
    }
}

// --- doubles, any spacing ----------------------------------------------------------------------------

enum { TILE = 8 }; // neighbouring lines handled together: one cache line of doubles

// What one thread needs for lines of n cells.
typedef struct {
    double *inp, *out; // [TILE, n]
    double *start;     // [n + 2] where each parabola becomes the lowest
    double *height;    // [n + 2]
    int *at;           // [n + 2]
} workspace;

static size_t thread_bytes(const mg_grid *grid)
{
    int n = grid->dim[0];
    for (int a = 1; a < 3; a++) n = grid->dim[a] > n ? grid->dim[a] : n;
    size_t bytes = 2 * TILE * (size_t)n * sizeof(double) +
                   ((size_t)n + 2) * (2 * sizeof(double) + sizeof(int));
    return (bytes + 63) / 64 * 64;
}

size_t mg_distance_scratch(const mg_grid *grid, int threads)
{
    return thread_bytes(grid) * (size_t)threads;
}

static workspace workspace_at(void *scratch, int n)
{
    workspace w;
    w.inp = scratch;
    w.out = w.inp + (size_t)TILE * n;
    w.start = w.out + (size_t)TILE * n;
    w.height = w.start + n + 2;
    w.at = (int *)(w.height + n + 2);
    return w;
}

// Along x, where cells are zero or infinitely far: two sweeps.
static void first_axis(double *d2, const uint8_t *mask, int n, double spacing, bool padded)
{
    double far = padded ? 0 : INFINITY; // cells to the last zero seen

    for (int x = 0; x < n; x++) {
        far = mask[x] ? far + 1 : 0;
        d2[x] = far;
    }
    far = padded ? 0 : INFINITY;
    for (int x = n - 1; x >= 0; x--) {
        far = mask[x] ? far + 1 : 0;
        double d = (far < d2[x] ? far : d2[x]) * spacing;
        d2[x] = d * d;
    }
}

// Put the parabola of cell q on the stack.
static int stack_parabola(const workspace *w, int n, int q, double f, double inverse)
{
    double start = -INFINITY;

    while (n > 0) {
        int r = w->at[n - 1];
        start =
            ((f - w->height[n - 1]) * inverse + (double)q * q - (double)r * r) / (2.0 * (q - r));
        if (start > w->start[n - 1]) break;
        n--;
        start = -INFINITY;
    }
    w->at[n] = q;
    w->height[n] = f;
    w->start[n] = start;
    return n + 1;
}

// out(p) = min_q f(q) + s^2 (p - q)^2 for one line; infinite f take no part.
static void envelope(double *out, const double *f, int n, double spacing, bool padded,
                     const workspace *w)
{
    double square = spacing * spacing, inverse = 1 / square;
    int count = 0, k = 0;

    if (padded) count = stack_parabola(w, count, -1, 0, inverse);
    for (int q = 0; q < n; q++)
        if (f[q] < INFINITY) count = stack_parabola(w, count, q, f[q], inverse);
    if (padded) count = stack_parabola(w, count, n, 0, inverse);
    for (int p = 0; p < n; p++) {
        if (count == 0) {
            out[p] = INFINITY;
            continue;
        }
        while (k + 1 < count && w->start[k + 1] < p) k++;
        double d = p - w->at[k];
        out[p] = w->height[k] + square * (d * d);
    }
}

// TILE neighbouring lines that run along an axis of n cells with this stride.
static void tile_lines(double *d2, int lines, int n, size_t stride, double spacing, bool padded,
                       const workspace *w)
{
    for (int p = 0; p < n; p++)
        for (int l = 0; l < lines; l++) w->inp[(size_t)l * n + p] = d2[p * stride + l];
    for (int l = 0; l < lines; l++)
        envelope(w->out + (size_t)l * n, w->inp + (size_t)l * n, n, spacing, padded, w);
    for (int p = 0; p < n; p++)
        for (int l = 0; l < lines; l++) d2[p * stride + l] = w->out[(size_t)l * n + p];
}

// One later axis: n cells with distance `stride`; `outer` blocks of stride * n cells.
static void later_axis(double *d2, const mg_grid *grid, int axis, int threads, char *scratch)
{
    int n = grid->dim[axis];
    size_t stride = axis == 0 ? (size_t)grid->dim[1] * grid->dim[2] : (size_t)grid->dim[2];
    int64_t tiles = (int64_t)((stride + TILE - 1) / TILE);
    int64_t outer = axis == 0 ? 1 : grid->dim[0];
    size_t bytes = thread_bytes(grid);

#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++) {
        workspace w = workspace_at(scratch + bytes * (size_t)t, n);
        for (int64_t i = outer * tiles * t / threads; i < outer * tiles * (t + 1) / threads; i++) {
            size_t lane = (size_t)(i % tiles) * TILE;
            size_t lines = stride - lane < TILE ? stride - lane : TILE;
            tile_lines(d2 + (size_t)(i / tiles) * stride * n + lane, (int)lines, n, stride,
                       grid->spacing[axis], grid->padded, &w);
        }
    }
}

void mg_distance(double *d2, const uint8_t *mask, const mg_grid *grid, int threads, void *scratch)
{
    int64_t rows = (int64_t)grid->dim[0] * grid->dim[1];
    int nx = grid->dim[2];

#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t r = 0; r < rows; r++)
        first_axis(d2 + r * nx, mask + r * nx, nx, grid->spacing[2], grid->padded);
    later_axis(d2, grid, 1, threads, scratch);
    if (grid->ndim == 3) later_axis(d2, grid, 0, threads, scratch);
}
