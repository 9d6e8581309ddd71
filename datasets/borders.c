// Dark borders of ultrasound pictures; see borders.h.
#include "datasets/borders.h"

#include "datasets/sample.h"

enum { DARK = 5 };

// Sum of a row, or of a column.
static int64_t sum_of(const mg_sample *s, bool row, int at)
{
    const uint8_t *v = (const uint8_t *)s->pixels + (row ? (size_t)at * s->width : (size_t)at);
    int length = row ? s->width : s->height;
    size_t step = row ? 1 : (size_t)s->width;
    int64_t sum = 0;

    for (int i = 0; i < length; i++) sum += v[i * step];
    return sum;
}

// Lines [*first, *end) that stay: between the last dark one below `low` (a share of all) and the first dark one
// from `high` on.
static void keep_between(const mg_sample *s, bool rows, double low, double high, int *first,
                         int *end)
{
    int lines = rows ? s->height : s->width, length = rows ? s->width : s->height;

    *first = 0;
    *end = lines;
    for (int i = 0; i < lines; i++) {
        if (sum_of(s, rows, i) >= (int64_t)DARK * length) continue;
        if (i < low * lines) *first = i + 1;
        if (i >= high * lines && i < *end) *end = i;
    }
}

static bool cuts_label(const mg_sample *s, int top, int bottom, int left, int right)
{
    for (int y = 0; y < s->height && s->label; y++)
        for (int x = 0; x < s->width; x++)
            if (s->label[(size_t)y * s->width + x] &&
                (y < top || y >= bottom || x < left || x >= right))
                return true;
    return false;
}

mg_status mg_sample_cut_borders(mg_sample *s)
{
    int top, bottom, left, right, height = s->height, width = s->width;

    keep_between(s, true, .08, 2.2 / 3, &top, &bottom);
    keep_between(s, false, .8 / 3, .6, &left, &right);
    bool whole = top == 0 && left == 0 && bottom == height && right == width;
    if (whole || 2 * (bottom - top) < height || 2 * (right - left) < width) return MG_OK;
    if (cuts_label(s, top, bottom, left, right)) return MG_OK;
    MG_TRY(mg_sample_crop(s, top, left, bottom - top, right - left));
    mg_sample_remark(s, "rows %d to %d and columns %d to %d of %d x %d", top, bottom - 1, left,
                     right - 1, height, width);
    return MG_OK;
}
