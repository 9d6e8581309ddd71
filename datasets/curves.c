// Curves that were drawn onto a photograph; see curves.h. Where copy and photograph differ is a line; lines with
// gaps (JPEG) are thickened by a growing square until two closed curves are there, or two double ones,
// whose insides then shrink by as much: a closing that also joins ends which lie across. All work is
// done in the box of the differences.
#include "datasets/curves.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/mem.h"

enum { ROUNDS = 10, MARGIN = ROUNDS + 2, CURVES_MOST = 4 };
static const double most_of_frame = .15, least_inside = .95, ratio_low = .02, ratio_high = .95,
                    double_line = .6;

// The box, with a margin all around that holds no line.
typedef struct {
    int top, left, height, width; // in the photograph, may reach beyond it
    size_t cells;
    uint8_t *line, *thick, *work; // [height, width]
    int32_t *part;                // [height, width] number of the connected part, 0 none
    int32_t *stack;               // [cells]
} field;

// One closed curve: its part, and the cells inside of its outer edge.
typedef struct {
    int32_t part;
    int64_t area;
    uint8_t *inside; // [height, width]
} curve;

// --- differences ------------------------------------------------------------------------------------

static bool differs(const mg_sample *a, const mg_sample *b, size_t i, int threshold)
{
    const uint8_t *v = a->pixels, *w = b->pixels;
    for (int c = 0; c < 3; c++) {
        int x = v[i * a->channels + (a->channels == 3 ? c : 0)];
        int y = w[i * b->channels + (b->channels == 3 ? c : 0)];
        if (abs(x - y) > threshold) return true;
    }
    return false;
}

static mg_status make_field(const mg_sample *photo, const mg_sample *copy, int threshold, field *f)
{
    int y0 = photo->height, y1 = -1, x0 = photo->width, x1 = -1;

    for (int y = 0; y < photo->height; y++)
        for (int x = 0; x < photo->width; x++) {
            if (!differs(photo, copy, (size_t)y * photo->width + x, threshold)) continue;
            y0 = y < y0 ? y : y0, y1 = y;
            x0 = x < x0 ? x : x0, x1 = x > x1 ? x : x1;
        }
    MG_CHECK(y1 >= 0, MG_ERR_FORMAT, "nothing is drawn (no difference above %d)", threshold);
    *f = (field){.top = y0 - MARGIN,
                 .left = x0 - MARGIN,
                 .height = y1 - y0 + 1 + 2 * MARGIN,
                 .width = x1 - x0 + 1 + 2 * MARGIN};
    f->cells = (size_t)f->height * f->width;
    f->line = mg_calloc(f->cells, 1);
    f->thick = mg_alloc(f->cells);
    f->work = mg_alloc(f->cells);
    f->part = mg_alloc(f->cells * sizeof *f->part);
    f->stack = mg_alloc(f->cells * sizeof *f->stack);
    MG_CHECK(f->line && f->thick && f->work && f->part && f->stack, MG_ERR_MEMORY,
             "no memory for curves in a box of %d x %d", f->height, f->width);
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++)
            f->line[(size_t)(y - f->top) * f->width + (x - f->left)] =
                differs(photo, copy, (size_t)y * photo->width + x, threshold);
    return MG_OK;
}

static void free_field(field *f)
{
    mg_free(f->line);
    mg_free(f->thick);
    mg_free(f->work);
    mg_free(f->part);
    mg_free(f->stack);
}

// --- thickening ----------------------------------------------------------------------------------------

// out = 1 where one of the 2 r + 1 cells around is `value` along rows (step 1) or columns; 1 - that for
// value 0. Cells beyond the box count as 0.
static void spread(uint8_t *out, const uint8_t *inp, const field *f, int r, bool down, int value)
{
    int lines = down ? f->width : f->height, length = down ? f->height : f->width;
    size_t step = down ? (size_t)f->width : 1, next = down ? 1 : (size_t)f->width;

    for (int i = 0; i < lines; i++) {
        const uint8_t *from = inp + (size_t)i * next;
        uint8_t *to = out + (size_t)i * next;
        int last = -2 * length; // where `value` was seen last
        for (int j = 0; j < length + r; j++) {
            int there = j < length ? from[(size_t)j * step] : 0;
            if (there == value) last = j;
            if (j >= r) to[(size_t)(j - r) * step] = (last >= j - 2 * r) == (value == 1);
        }
    }
}

// Spread what is 1 (value 1) or what is 0 (value 0) by a square of side 2 r + 1, in place.
static void spread_square(const field *f, uint8_t *cells, int r, int value)
{
    for (int down = 0; down < 2 && r > 0; down++) {
        spread(f->work, cells, f, r, down, value);
        memcpy(cells, f->work, f->cells);
    }
}

// --- parts ------------------------------------------------------------------------------------------

// Number the part of cell `seed` (8 neighbours); returns its size.
static int64_t flood_part(field *f, int32_t seed, int32_t number)
{
    int64_t size = 0;
    int32_t top = 0;

    f->stack[top++] = seed;
    f->part[seed] = number;
    while (top > 0) {
        int32_t i = f->stack[--top];
        size++;
        for (int dy = -1; dy <= 1; dy++)
            for (int dx = -1; dx <= 1; dx++) { // the margin keeps all of them in the box
                int32_t k = i + dy * f->width + dx;
                if (!f->thick[k] || f->part[k]) continue;
                f->part[k] = number;
                f->stack[top++] = k;
            }
    }
    return size;
}

// 1 wherever the outside (4 neighbours, from the corner) does not get to because of this part.
static int64_t fill_inside(field *f, int32_t number, uint8_t *inside)
{
    int64_t outside = 0;
    int32_t top = 0;

    memset(inside, 1, f->cells);
    f->stack[top++] = 0;
    inside[0] = 0;
    while (top > 0) {
        int32_t i = f->stack[--top], y = i / f->width, x = i % f->width;
        const int32_t near[4] = {y > 0 ? i - f->width : i, y + 1 < f->height ? i + f->width : i,
                                 x > 0 ? i - 1 : i, x + 1 < f->width ? i + 1 : i};
        outside++;
        for (int k = 0; k < 4; k++) {
            if (!inside[near[k]] || f->part[near[k]] == number) continue;
            inside[near[k]] = 0;
            f->stack[top++] = near[k];
        }
    }
    return (int64_t)f->cells - outside;
}

static int compare_area(const void *a, const void *b)
{
    int64_t x = ((const curve *)a)->area, y = ((const curve *)b)->area;
    return (x < y) - (x > y);
}

// The closed curves of f->thick, largest first. Returns how many there are; the first CURVES_MOST
// are kept.
static int find_curves(field *f, int smallest, curve *found)
{
    int count = 0;
    int32_t number = 0;

    memset(f->part, 0, f->cells * sizeof *f->part);
    for (size_t i = 0; i < f->cells; i++) {
        if (!f->thick[i] || f->part[i]) continue;
        int64_t size = flood_part(f, (int32_t)i, ++number);
        if (size < smallest) continue;
        if (count == CURVES_MOST) return count + 1;
        curve *c = &found[count];
        c->part = number;
        c->area = fill_inside(f, number, c->inside);
        count += c->area - size >= smallest; // else it does not close around anything
    }
    qsort(found, (size_t)count, sizeof *found, compare_area);
    return count;
}

// --- disc and cup -----------------------------------------------------------------------------------

// Disc and cup among the curves: two, or two of double lines, of which the outer ones count.
static bool choose_pair(curve *c, int count, curve **disc, curve **cup)
{
    bool doubled = count == 4 && (double)c[1].area > double_line * (double)c[0].area &&
                   (double)c[3].area > double_line * (double)c[2].area;
    *disc = &c[0];
    *cup = doubled ? &c[2] : &c[1];
    return count == 2 || doubled;
}

// To the edge that the line has without having been thickened.
static void shrink_back(const field *f, curve *c, int r)
{
    spread_square(f, c->inside, r, 0);
    c->area = 0;
    for (size_t i = 0; i < f->cells; i++) c->area += c->inside[i];
}

static mg_status check_pair(const field *f, double frame, const curve *disc, const curve *cup)
{
    int64_t inside = 0;

    for (size_t i = 0; i < f->cells; i++) inside += cup->inside[i] && disc->inside[i];
    double share = (double)inside / (double)cup->area;
    double ratio = (double)cup->area / (double)disc->area;
    MG_CHECK(share >= least_inside, MG_ERR_FORMAT, "%.0f %% of the cup lie inside of the disc",
             100 * share);
    MG_CHECK(ratio >= ratio_low && ratio <= ratio_high, MG_ERR_FORMAT,
             "the cup has %.3f of the disc's area", ratio);
    MG_CHECK((double)disc->area < most_of_frame * frame, MG_ERR_FORMAT,
             "the disc is %.0f %% of the picture", 100 * (double)disc->area / frame);
    return MG_OK;
}

static void put_area(const field *f, const curve *disc, const curve *cup, int height, int width,
                     uint8_t *area)
{
    memset(area, 0, (size_t)height * width);
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            size_t i = (size_t)y * f->width + x;
            int row = f->top + y, column = f->left + x;
            if (!disc->inside[i] || row < 0 || row >= height || column < 0 || column >= width)
                continue;
            area[(size_t)row * width + column] = cup->inside[i] ? 2 : 1;
        }
}

static mg_status recover(field *f, const mg_curve_rules *rules, curve *found, int height, int width,
                         uint8_t *area)
{
    curve *disc, *cup;
    int first = 0, round = 0;

    for (; round <= ROUNDS; round++) {
        memcpy(f->thick, f->line, f->cells);
        spread_square(f, f->thick, round, 1);
        int count = find_curves(f, rules->smallest, found);
        if (round == 0) first = count;
        if (choose_pair(found, count, &disc, &cup)) break;
    }
    MG_CHECK(round <= ROUNDS, MG_ERR_FORMAT, "closed curves: %d, expected 2", first);
    shrink_back(f, disc, round);
    shrink_back(f, cup, round);
    MG_TRY(check_pair(f, (double)height * width, disc, cup));
    put_area(f, disc, cup, height, width, area);
    return MG_OK;
}

mg_status mg_curves_recover(const mg_sample *photo, const mg_sample *copy,
                            const mg_curve_rules *rules, uint8_t *area)
{
    field f = {0};
    curve found[CURVES_MOST] = {0};

    MG_CHECK(photo->height == copy->height && photo->width == copy->width, MG_ERR_FORMAT,
             "it is %d x %d, the photograph is %d x %d", copy->height, copy->width, photo->height,
             photo->width);
    mg_status st = make_field(photo, copy, rules->threshold, &f);
    for (int i = 0; i < CURVES_MOST && !st; i++) {
        found[i].inside = mg_alloc(f.cells);
        if (!found[i].inside) st = MG_FAIL(MG_ERR_MEMORY, "no memory for curves");
    }
    if (!st) st = recover(&f, rules, found, photo->height, photo->width, area);
    for (int i = 0; i < CURVES_MOST; i++) mg_free(found[i].inside);
    free_field(&f);
    return st;
}
