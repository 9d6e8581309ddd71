// Volumes on another grid: boxes around the body, cropping and resampling in one step (image linear,
// label nearest, the original label kept), and labels without specks; see volume.h.
#include <math.h>
#include <string.h>

#include "datasets/sample.h"
#include "datasets/volume.h"
#include "runtime/mem.h"

// --- boxes ------------------------------------------------------------------------------------------

mg_box mg_box_whole(const mg_sample *s)
{
    return (mg_box){{0, 0, 0}, {s->depth, s->height, s->width}};
}

// Cells that count: above a limit, or with a channel that is not background.
typedef struct {
    const double *limit, *background;
} wanted;

static bool counts(const mg_sample *s, size_t i, const wanted *w)
{
    size_t first = i * (size_t)s->channels;

    for (int c = 0; c < s->channels; c++) {
        double v = s->type == MG_I16 ? ((const int16_t *)s->pixels)[first + c]
                                     : (double)((const float *)s->pixels)[first + c];
        if (w->limit ? v > *w->limit : v != (w->background ? w->background[c] : 0)) return true;
    }
    return false;
}

static mg_box find_box(const mg_sample *s, const wanted *w)
{
    mg_box box = {{s->depth, s->height, s->width}, {0, 0, 0}};
    size_t i = 0;

    for (int z = 0; z < s->depth; z++)
        for (int y = 0; y < s->height; y++)
            for (int x = 0; x < s->width; x++, i++) {
                const int at[3] = {z, y, x};
                if (!counts(s, i, w)) continue;
                for (int a = 0; a < 3; a++) {
                    if (at[a] < box.lo[a]) box.lo[a] = at[a];
                    if (at[a] >= box.hi[a]) box.hi[a] = at[a] + 1;
                }
            }
    return box.hi[0] > 0 ? box : mg_box_whole(s);
}

mg_box mg_box_above(const mg_sample *s, double limit)
{
    return find_box(s, &(wanted){.limit = &limit});
}

mg_box mg_box_of_body(const mg_sample *s, const double *background)
{
    return find_box(s, &(wanted){.background = background});
}

// --- the new grid -----------------------------------------------------------------------------------

// One axis: cell i of the new grid lies at start + step i of the old one.
typedef struct {
    int from, to; // sizes
    double start, step;
    double spacing; // mm, of the new grid
} axis_map;

static void make_maps(const mg_sample *s, const mg_box *box, const double spacing[3],
                      axis_map map[3])
{
    const int size[3] = {s->depth, s->height, s->width};

    for (int a = 0; a < 3; a++) {
        int n = box->hi[a] - box->lo[a];
        double step = spacing[a] > 0 ? spacing[a] / s->spacing[a] : 1;
        map[a] = (axis_map){.from = size[a],
                            .to = (int)floor((n - 1) / step + .5) + 1,
                            .start = box->lo[a],
                            .step = step,
                            .spacing = spacing[a] > 0 ? spacing[a] : s->spacing[a]};
    }
}

static int nearest(const axis_map *m, int i)
{
    int at = (int)floor(m->start + m->step * i + .5);
    return at < m->from ? at : m->from - 1;
}

// The cells on both sides, and the share of the second.
static void between(const axis_map *m, int i, int *a, int *b, double *share)
{
    double at = m->start + m->step * i;

    *a = (int)at;
    if (*a > m->from - 1) *a = m->from - 1;
    *b = *a + 1 < m->from ? *a + 1 : *a;
    *share = at - *a < 1 ? at - *a : 1;
}

// --- labels -----------------------------------------------------------------------------------------

static void pick_labels(const axis_map map[3], const mg_sample *old, uint8_t *label, uint16_t *bits)
{
    size_t i = 0;

    for (int z = 0; z < map[0].to; z++)
        for (int y = 0; y < map[1].to; y++) {
            size_t row = ((size_t)nearest(&map[0], z) * old->height + nearest(&map[1], y)) *
                         (size_t)old->width;
            for (int x = 0; x < map[2].to; x++, i++) {
                size_t from = row + (size_t)nearest(&map[2], x);
                if (label) label[i] = old->label[from];
                if (bits) bits[i] = old->bits[from];
            }
        }
}

// --- the image --------------------------------------------------------------------------------------

// One row of the old grid, all channels, times `weight` added to `sum`.
static void add_row(const mg_sample *s, int z, int y, double weight, double *sum)
{
    size_t n = (size_t)s->width * (size_t)s->channels;
    size_t first = ((size_t)z * s->height + y) * n;

    if (weight == 0) return;
    if (s->type == MG_I16)
        for (size_t i = 0; i < n; i++) sum[i] += weight * ((const int16_t *)s->pixels)[first + i];
    else
        for (size_t i = 0; i < n; i++) sum[i] += weight * ((const float *)s->pixels)[first + i];
}

static void store(const mg_sample *s, void *pixels, size_t i, double v)
{
    if (s->type == MG_I16)
        ((int16_t *)pixels)[i] = (int16_t)floor(v + .5); // between values of int16
    else
        ((float *)pixels)[i] = (float)v;
}

static void interpolate(const axis_map map[3], const mg_sample *old, double *line, void *pixels)
{
    size_t n = (size_t)old->width * (size_t)old->channels, i = 0;
    int za, zb, ya, yb, xa, xb;
    double zs, ys, xs;

    for (int z = 0; z < map[0].to; z++)
        for (int y = 0; y < map[1].to; y++) {
            between(&map[0], z, &za, &zb, &zs);
            between(&map[1], y, &ya, &yb, &ys);
            memset(line, 0, n * sizeof *line);
            add_row(old, za, ya, (1 - zs) * (1 - ys), line);
            add_row(old, za, yb, (1 - zs) * ys, line);
            add_row(old, zb, ya, zs * (1 - ys), line);
            add_row(old, zb, yb, zs * ys, line);
            for (int x = 0; x < map[2].to; x++) {
                between(&map[2], x, &xa, &xb, &xs);
                for (int c = 0; c < old->channels; c++, i++)
                    store(old, pixels, i,
                          line[xa * old->channels + c] * (1 - xs) +
                              line[xb * old->channels + c] * xs);
            }
        }
}

// --- the whole --------------------------------------------------------------------------------------

// Matrix, spacing and sizes of the new grid; the label before the change moves to the volume.
static void take_over(mg_sample *s, const axis_map map[3], mg_sample *fresh)
{
    mg_volume *v = &s->volume;

    mg_free(s->pixels);
    s->pixels = fresh->pixels;
    v->full_label = s->label;
    v->full_bits = s->bits;
    s->label = fresh->label;
    s->bits = fresh->bits;
    v->full_depth = s->depth;
    s->full_height = s->height;
    s->full_width = s->width;
    s->depth = map[0].to;
    s->height = map[1].to;
    s->width = map[2].to;
    for (int a = 0; a < 3; a++) {
        int column = 2 - a; // of the matrix
        v->grid[a][0] = map[a].start;
        v->grid[a][1] = map[a].step;
        s->spacing[a] = map[a].spacing;
        for (int r = 0; r < 3; r++) {
            v->affine[4 * r + 3] += v->affine[4 * r + column] * map[a].start;
            v->affine[4 * r + column] *= map[a].step;
        }
    }
}

mg_status mg_regrid(mg_sample *s, const mg_box *box, const double spacing[3])
{
    axis_map map[3];
    mg_sample fresh = {0};
    bool same = true;

    make_maps(s, box, spacing, map);
    for (int a = 0; a < 3; a++) {
        same = same && map[a].step == 1 && map[a].start == 0 && map[a].to == map[a].from;
        MG_CHECK(
            map[a].to <= 16384, MG_ERR_FORMAT,
            "at a spacing of %g mm there would be %d cells along an axis, expected at most 16384",
            map[a].spacing, map[a].to);
    }
    if (same) return MG_OK;
    if (!s->hashed) MG_TRY(mg_sample_hash(s, &s->hash));
    s->hashed = true;
    size_t cells = (size_t)map[0].to * (size_t)map[1].to * (size_t)map[2].to;
    size_t channels = (size_t)s->channels;
    double *line = mg_alloc((size_t)s->width * channels * sizeof *line);
    fresh.pixels = mg_alloc(cells * channels * mg_dtype_size(s->type));
    fresh.label = s->label ? mg_alloc(cells) : NULL;
    fresh.bits = s->bits ? mg_alloc(cells * sizeof *fresh.bits) : NULL;
    if (!line || !fresh.pixels || (s->label && !fresh.label) || (s->bits && !fresh.bits)) {
        mg_free(line);
        mg_sample_free(&fresh);
        return MG_FAIL(MG_ERR_MEMORY, "no memory for a volume of %zu cells", cells);
    }
    interpolate(map, s, line, fresh.pixels);
    pick_labels(map, s, fresh.label, fresh.bits);
    mg_free(line);
    take_over(s, map, &fresh);
    return MG_OK;
}

mg_status mg_regrid_body(mg_sample *s, mg_crop crop, const double *background,
                         const double spacing[3])
{
    mg_box box = crop == MG_CROP_CT     ? mg_box_above(s, MG_CT_LOW)
                 : crop == MG_CROP_BODY ? mg_box_of_body(s, background)
                                        : mg_box_whole(s);
    return mg_regrid(s, &box, spacing);
}

// --- specks -----------------------------------------------------------------------------------------

// Cells of a part that are still to be looked at from, then all of them.
typedef struct {
    size_t *cell, count, room;
} part;

static mg_status part_add(part *p, size_t cell)
{
    if (p->count == p->room) {
        size_t *grown = mg_realloc(p->cell, (2 * p->room + 1024) * sizeof *grown);
        MG_CHECK(grown, MG_ERR_MEMORY, "no memory for a part of %zu cells", p->count);
        p->cell = grown;
        p->room = 2 * p->room + 1024;
    }
    p->cell[p->count++] = cell;
    return MG_OK;
}

// Collect the part that holds `cell`; `seen` marks its cells.
static mg_status collect(const mg_sample *s, size_t cell, uint8_t *seen, part *p)
{
    const size_t row = (size_t)s->width, slice = row * (size_t)s->height;
    uint8_t class_number = s->label[cell];

    p->count = 0;
    seen[cell] = 1;
    MG_TRY(part_add(p, cell));
    for (size_t next = 0; next < p->count; next++) {
        size_t at = p->cell[next];
        int z = (int)(at / slice), y = (int)(at % slice / row), x = (int)(at % row);
        for (int dz = z > 0 ? -1 : 0; dz <= (z + 1 < s->depth ? 1 : 0); dz++)
            for (int dy = y > 0 ? -1 : 0; dy <= (y + 1 < s->height ? 1 : 0); dy++)
                for (int dx = x > 0 ? -1 : 0; dx <= (x + 1 < s->width ? 1 : 0); dx++) {
                    size_t to =
                        (size_t)(z + dz) * slice + (size_t)(y + dy) * row + (size_t)(x + dx);
                    if (seen[to] || s->label[to] != class_number) continue;
                    seen[to] = 1;
                    MG_TRY(part_add(p, to));
                }
    }
    return MG_OK;
}

mg_status mg_drop_specks(mg_sample *s, int64_t cells, int64_t *parts)
{
    size_t n = (size_t)s->depth * (size_t)s->height * (size_t)s->width;
    uint8_t *seen = mg_calloc(n, 1);
    mg_status st = seen ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "no memory for %zu cells", n);
    part p = {0};

    *parts = 0;
    for (size_t i = 0; i < n && !st; i++) {
        if (seen[i] || s->label[i] == 0 || s->label[i] == MG_LABEL_IGNORE) continue;
        st = collect(s, i, seen, &p);
        if (st || (int64_t)p.count >= cells) continue;
        for (size_t k = 0; k < p.count; k++) s->label[p.cell[k]] = 0;
        ++*parts;
    }
    mg_free(p.cell);
    mg_free(seen);
    return st;
}
