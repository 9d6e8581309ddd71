// Clicks from the errors of a prediction: FN = gt & !pred, FP = !gt & pred, ignored cells in
// neither. Distances are padded, squared, unit spacing, integers within a slice; a mask's distances
// need only its bounding box, since everything around the box is zero.
#include "finetune/clicks.h"

#include <math.h>
#include <string.h>

#include "finetune/components.h"
#include "finetune/distance.h"
#include "runtime/mem.h"

enum { NEGATIVE = 0, POSITIVE = 1 };

static const mg_click no_click = {-1, -1, -1, -1};

void mg_clicker_destroy(mg_clicker **clicker)
{
    mg_clicker *c = *clicker;

    if (c) {
        mg_free(c->mask);
        for (int i = 0; i < 2; i++) {
            mg_free(c->d2[i]);
            mg_free(c->labels[i]);
        }
        mg_free(c->parent);
        mg_free(c->size);
        mg_free(c->first);
        mg_free(c->lines);
        mg_free(c->volume_mask);
        mg_free(c->volume_d2);
    }
    mg_free(c);
    *clicker = NULL;
}

static bool allocate(mg_clicker *c, int depth, int height, int width, bool volume)
{
    mg_grid grid = {.padded = true, .ndim = 3, .dim = {depth, height, width}};
    size_t n = c->cells, lines = mg_distance_int_scratch(width);

    c->mask = mg_alloc(n);
    for (int i = 0; i < 2; i++) {
        c->d2[i] = mg_alloc(n * sizeof(int32_t));
        c->labels[i] = mg_alloc(n * sizeof(int32_t));
    }
    c->parent = mg_alloc((n + 1) * sizeof(int32_t));
    c->size = mg_alloc(n * sizeof(int64_t));
    c->first = mg_alloc(n * sizeof(int64_t));
    if (volume) {
        size_t wanted = mg_distance_scratch(&grid, c->threads);
        lines = wanted > lines ? wanted : lines;
        c->volume_cells = n * (size_t)depth;
        c->volume_mask = mg_alloc(c->volume_cells);
        c->volume_d2 = mg_alloc(c->volume_cells * sizeof(double));
    }
    c->lines = mg_alloc(lines);
    return c->mask && c->d2[0] && c->d2[1] && c->labels[0] && c->labels[1] && c->parent &&
           c->size && c->first && c->lines && (!volume || (c->volume_mask && c->volume_d2));
}

mg_status mg_clicker_create(int depth, int height, int width, bool volume, int threads,
                            mg_clicker **out)
{
    mg_clicker *c = mg_calloc(1, sizeof *c);

    *out = c;
    if (c) {
        c->cells = (size_t)height * width;
        c->threads = threads > 1 ? threads : 1;
    }
    if (!c || !allocate(c, depth, height, width, volume)) {
        mg_clicker_destroy(out);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate clicks for a grid of %d x %d x %d", depth,
                       height, width);
    }
    return MG_OK;
}

// --- errors and their depths -----------------------------------------------------------------------

// A box of cells of a slice that holds all ones of a mask.
typedef struct {
    int y, x, height, width; // height 0: the mask is empty
} box;

static bool is_wrong(const mg_target *t, size_t i, int side)
{
    if (t->ignore && t->ignore[i]) return false;
    bool gt = t->gt[i], pred = t->pred && t->pred[i];
    return side == POSITIVE ? gt && !pred : !gt && pred;
}

// FN (positive side) or FP of slice z into c->mask.
static box mark_errors(mg_clicker *c, const mg_target *t, int z, int side)
{
    size_t at = (size_t)z * t->height * t->width;
    uint8_t *mask = c->mask;
    int top = t->height, bottom = -1, left = t->width, right = -1;

    for (int y = 0; y < t->height; y++, mask += t->width, at += t->width) {
        int from = -1, to = -1;
        for (int x = 0; x < t->width; x++) mask[x] = is_wrong(t, at + x, side);
        const uint8_t *one = memchr(mask, 1, t->width);
        if (!one) continue;
        from = (int)(one - mask);
        for (to = t->width - 1; !mask[to];) to--;
        top = y < top ? y : top;
        bottom = y;
        left = from < left ? from : left;
        right = to > right ? to : right;
    }
    if (bottom < 0) return (box){0, 0, 0, 0};
    return (box){top, left, bottom - top + 1, right - left + 1};
}

// Squared depths of the ones of c->mask within the box, [height, width] of the box; 0 at the cells
// of slice z that were clicked before.
static void measure_depths(mg_clicker *c, int32_t *d2, const box *b, int grid_width, int z,
                           const mg_click *used, int count)
{
    mg_distance_int(d2, c->mask + (size_t)b->y * grid_width + b->x, grid_width, b->height, b->width,
                    true, c->lines);
    for (int i = 0; i < count; i++) {
        int y = used[i].y - b->y, x = used[i].x - b->x;
        if (used[i].label < 0 || used[i].z != z) continue;
        if (y >= 0 && y < b->height && x >= 0 && x < b->width) d2[(size_t)y * b->width + x] = 0;
    }
}

// First cell with the largest value; its value is 0 if there is nothing to click.
static int32_t deepest(const int32_t *d2, size_t cells, size_t *at)
{
    int32_t most = 0;

    *at = 0;
    for (size_t i = 0; i < cells; i++)
        if (d2[i] > most) {
            most = d2[i];
            *at = i;
        }
    return most;
}

static mg_click click_in(const box *b, size_t at, int z, int label)
{
    return (mg_click){b->x + (int)(at % b->width), b->y + (int)(at / b->width), z, label};
}

// The deeper side of one slice (4.1, steps 1 to 4).
typedef struct {
    box where;
    const int32_t *d2; // [where.height, where.width]
    int32_t most;      // 0: nothing to click
    size_t at;         // first cell that has it
    int side;
} worst;

static worst worst_side(mg_clicker *c, const mg_target *t, int z, const mg_click *used, int count)
{
    worst w[2];

    for (int side = 0; side < 2; side++) {
        w[side] = (worst){mark_errors(c, t, z, side), c->d2[side], 0, 0, side};
        if (w[side].where.height == 0) continue;
        measure_depths(c, c->d2[side], &w[side].where, t->width, z, used, count);
        w[side].most =
            deepest(w[side].d2, (size_t)w[side].where.height * w[side].where.width, &w[side].at);
    }
    return w[POSITIVE].most > w[NEGATIVE].most ? w[POSITIVE] : w[NEGATIVE];
}

static mg_click click_of(const worst *w, int z)
{
    return w->most ? click_in(&w->where, w->at, z, w->side) : no_click;
}

mg_click mg_click_edt(mg_clicker *c, const mg_target *t, int z, const mg_click *used, int count)
{
    worst w = worst_side(c, t, z, used, count);
    return click_of(&w, z);
}

mg_click mg_click_stack(mg_clicker *c, const mg_target *t, const mg_click *used, int count)
{
    mg_click best = no_click;
    int32_t most = 0;

    for (int z = 0; z < t->depth; z++) {
        worst w = worst_side(c, t, z, used, count);
        bool better = w.most > most || (w.most == most && w.most && w.side < best.label);
        if (!better) continue;
        most = w.most;
        best = click_of(&w, z);
    }
    return best;
}

// --- by component ------------------------------------------------------------------------------------

// The largest component of one side that has an unclicked cell.
typedef struct {
    int side;
    int32_t label; // 0: none
    int64_t size, first;
} candidate;

// How many cells of each component were clicked: clicked[label].
static void count_clicked(int32_t *clicked, const int32_t *labels, int32_t n, int width, int z,
                          const mg_click *used, int count)
{
    memset(clicked, 0, ((size_t)n + 1) * sizeof *clicked);
    for (int i = 0; i < count; i++) {
        if (used[i].label < 0 || used[i].z != z) continue;
        bool again = false;
        for (int j = 0; j < i; j++)
            again |= used[j].z == z && used[j].y == used[i].y && used[j].x == used[i].x;
        if (!again) clicked[labels[(size_t)used[i].y * width + used[i].x]]++;
    }
}

static candidate largest_component(mg_clicker *c, const mg_target *t, int side, int z,
                                   const mg_click *used, int count)
{
    int32_t *labels = c->labels[side];
    candidate best = {.side = side};

    mark_errors(c, t, z, side);
    int32_t n = mg_components(labels, c->mask, t->width, 1, t->height, t->width, 8, c->parent);
    mg_components_measure(labels, (size_t)t->height * t->width, n, c->size, c->first);
    count_clicked(c->parent, labels, n, t->width, z, used, count);
    for (int32_t k = 1; k <= n; k++)
        if (c->parent[k] < c->size[k - 1] && c->size[k - 1] > best.size)
            best = (candidate){side, k, c->size[k - 1], c->first[k - 1]};
    return best;
}

// One component alone into c->mask.
static box mark_component(mg_clicker *c, const mg_target *t, const candidate *one)
{
    const int32_t *labels = c->labels[one->side];
    int first_row = (int)(one->first / t->width);
    box b = {first_row, t->width, 0, 0};
    int right = -1;

    for (int y = first_row; y < t->height; y++) {
        size_t row = (size_t)y * t->width;
        for (int x = 0; x < t->width; x++) {
            c->mask[row + x] = labels[row + x] == one->label;
            if (!c->mask[row + x]) continue;
            b.height = y - b.y + 1;
            b.x = x < b.x ? x : b.x;
            right = x > right ? x : right;
        }
    }
    b.width = right - b.x + 1;
    return b;
}

mg_click mg_click_component(mg_clicker *c, const mg_target *t, int z, const mg_click *used,
                            int count)
{
    candidate fp = largest_component(c, t, NEGATIVE, z, used, count);
    candidate fn = largest_component(c, t, POSITIVE, z, used, count);
    size_t at;

    bool positive = fn.size > fp.size || (fn.size == fp.size && fn.label && fn.first < fp.first);
    const candidate *one = positive ? &fn : &fp;
    if (!one->label) return no_click;
    box b = mark_component(c, t, one);
    measure_depths(c, c->d2[0], &b, t->width, z, used, count);
    deepest(c->d2[0], (size_t)b.height * b.width, &at);
    return click_in(&b, at, z, one->side);
}

// --- in three dimensions -----------------------------------------------------------------------------

// A side of the whole grid: its deepest value (0: nothing to click) and the first cell that has it
// within the rounding of doubles.
typedef struct {
    double most;
    int64_t at; // cell of the whole grid
} summit;

// Errors of one side, cut to their bounding box: lo[3] and grid->dim. False if there are none.
static bool mark_volume(mg_clicker *c, const mg_target *t, int side, int lo[3], mg_grid *grid)
{
    int size[3] = {t->depth, t->height, t->width}, hi[3] = {-1, -1, -1};
    size_t i = 0;

    memcpy(lo, size, sizeof size);
    for (int z = 0; z < t->depth; z++)
        for (int y = 0; y < t->height; y++)
            for (int x = 0; x < t->width; x++, i++) {
                if (!is_wrong(t, i, side)) continue;
                int p[3] = {z, y, x};
                for (int a = 0; a < 3; a++) {
                    lo[a] = p[a] < lo[a] ? p[a] : lo[a];
                    hi[a] = p[a] > hi[a] ? p[a] : hi[a];
                }
            }
    for (int a = 0; a < 3; a++) grid->dim[a] = hi[a] - lo[a] + 1;
    if (hi[0] < 0) return false;
    uint8_t *mask = c->volume_mask;
    for (int z = lo[0]; z <= hi[0]; z++)
        for (int y = lo[1]; y <= hi[1]; y++) {
            i = ((size_t)z * t->height + y) * t->width;
            for (int x = lo[2]; x <= hi[2]; x++) *mask++ = is_wrong(t, i + x, side);
        }
    return true;
}

static summit volume_side(mg_clicker *c, const mg_target *t, const double spacing[3], int side,
                          const mg_click *used, int count)
{
    mg_grid g = {.padded = true, .ndim = 3, .spacing = {spacing[0], spacing[1], spacing[2]}};
    summit s = {0, 0};
    double *d2 = c->volume_d2;
    int lo[3];

    if (!mark_volume(c, t, side, lo, &g)) return s;
    mg_distance(d2, c->volume_mask, &g, c->threads, c->lines);
    for (int i = 0; i < count; i++) {
        int z = used[i].z - lo[0], y = used[i].y - lo[1], x = used[i].x - lo[2];
        if (used[i].label < 0 || z < 0 || y < 0 || x < 0) continue;
        if (z < g.dim[0] && y < g.dim[1] && x < g.dim[2])
            d2[((size_t)z * g.dim[1] + y) * g.dim[2] + x] = 0;
    }
    int64_t cells = (int64_t)g.dim[0] * g.dim[1] * g.dim[2], first = 0;
    for (int64_t i = 0; i < cells; i++) s.most = d2[i] > s.most ? d2[i] : s.most;
    if (s.most == 0) return s;
    while (d2[first] < s.most * (1 - 1e-9)) first++;
    int64_t x = first % g.dim[2], row = first / g.dim[2];
    int64_t z = lo[0] + row / g.dim[1], y = lo[1] + row % g.dim[1];
    s.at = (z * t->height + y) * t->width + lo[2] + x;
    return s;
}

mg_click mg_click_volume(mg_clicker *c, const mg_target *t, const double spacing[3],
                         const mg_click *used, int count)
{
    summit fn = volume_side(c, t, spacing, POSITIVE, used, count);
    summit fp = volume_side(c, t, spacing, NEGATIVE, used, count);
    int side = fn.most > fp.most * (1 + 1e-9) ? POSITIVE : NEGATIVE;
    const summit *s = side == POSITIVE ? &fn : &fp;

    if (s->most == 0) return no_click;
    int64_t row = s->at / t->width;
    return (mg_click){(int)(s->at % t->width), (int)(row % t->height), (int)(row / t->height),
                      side};
}

// --- corrective clicks of training ---------------------------------------------------------------------

// Cell number n in raster order among those with 4 d2 > most.
static size_t nth_inner(const int32_t *d2, size_t cells, int32_t most, uint32_t n)
{
    size_t i = 0;
    for (; i < cells; i++)
        if (4 * (int64_t)d2[i] > most && n-- == 0) break;
    return i;
}

static mg_click click_inner(const worst *w, int z, mg_cursor *draw)
{
    size_t cells = (size_t)w->where.height * w->where.width;
    uint32_t count = 0;

    for (size_t i = 0; i < cells; i++) count += 4 * (int64_t)w->d2[i] > w->most;
    if (!count) return no_click;
    size_t at = nth_inner(w->d2, cells, w->most, mg_cursor_below(draw, count));
    return click_in(&w->where, at, z, w->side);
}

static mg_click click_uniform(mg_clicker *c, const mg_target *t, int z, mg_cursor *draw,
                              const mg_click *used, int count)
{
    size_t cells = (size_t)t->height * t->width, at = (size_t)z * cells;
    uint32_t wrong = 0;

    for (size_t i = 0; i < cells; i++)
        c->mask[i] = is_wrong(t, at + i, POSITIVE) || is_wrong(t, at + i, NEGATIVE);
    for (int i = 0; i < count; i++)
        if (used[i].label >= 0 && used[i].z == z)
            c->mask[(size_t)used[i].y * t->width + used[i].x] = 0;
    for (size_t i = 0; i < cells; i++) wrong += c->mask[i];
    if (!wrong) return no_click;

    uint32_t n = mg_cursor_below(draw, wrong);
    size_t i = 0;
    while (!c->mask[i] || n-- > 0) i++;
    return (mg_click){(int)(i % t->width), (int)(i / t->width), z, t->gt[at + i] != 0};
}

mg_click mg_click_corrective(mg_clicker *c, const mg_target *t, int z, mg_click_mode mode,
                             mg_cursor *draw, const mg_click *used, int count)
{
    if (mode == MG_CLICK_UNIFORM) return click_uniform(c, t, z, draw, used, count);
    worst w = worst_side(c, t, z, used, count);
    return mode == MG_CLICK_CENTRE ? click_of(&w, z) : click_inner(&w, z, draw);
}
