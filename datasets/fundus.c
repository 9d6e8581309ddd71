// Fundus photographs; see fundus.h. The circle as the winners of the EyePACS contest found it (datasets.md
// section 2).
#include "datasets/fundus.h"

#include <stdio.h>

#include "datasets/sample.h"

static int brightness(const mg_sample *s, int y, int x)
{
    const uint8_t *v = (const uint8_t *)s->pixels + ((size_t)y * s->width + x) * s->channels;
    return s->channels == 3 ? v[0] + v[1] + v[2] : 3 * v[0];
}

// True if more than 2 % of a row (or column) is brighter than the threshold.
static bool is_bright(const mg_sample *s, double threshold, bool row, int line)
{
    int length = row ? s->width : s->height, bright = 0;

    for (int j = 0; j < length && bright <= length / 50; j++)
        bright += (row ? brightness(s, line, j) : brightness(s, j, line)) > threshold;
    return bright > length / 50;
}

// First and last bright row (or column); what lies between them is not looked at. None: last is -1.
static void bright_range(const mg_sample *s, double threshold, bool rows, int *first, int *last)
{
    int lines = rows ? s->height : s->width;

    *first = 0, *last = lines - 1;
    while (*last >= 0 && !is_bright(s, threshold, rows, *last)) --*last;
    while (*first < *last && !is_bright(s, threshold, rows, *first)) ++*first;
}

static bool cuts_label(const mg_sample *s, int top, int left, int side)
{
    for (int y = 0; (s->label || s->bits) && y < s->height; y++)
        for (int x = 0; x < s->width; x++) {
            size_t i = (size_t)y * s->width + x;
            bool set = s->label ? s->label[i] != 0 : s->bits[i] != 0;
            if (set && (y < top || x < left || y >= top + side || x >= left + side)) return true;
        }
    return false;
}

// Brighter than a tenth of the mean of the middle row (its channels summed) belongs to the fundus.
// A picture whose middle row says nothing stays whole.
mg_status mg_fundus_crop(mg_sample *s)
{
    double mean = 0;
    int count = 0, top, bottom, left, right;

    for (int x = 0; x < s->width; x++) mean += brightness(s, s->height / 2, x);
    mean /= s->width;
    for (int x = 0; x < s->width; x++) count += brightness(s, s->height / 2, x) > mean / 10;
    if (count < 2) return MG_OK; // the radius would be below 1 pixel
    bright_range(s, mean / 10, true, &top, &bottom);
    bright_range(s, mean / 10, false, &left, &right);
    if (bottom - top < 2 || right - left < 2) return MG_OK;

    int height = bottom - top + 1, width = right - left + 1;
    int side = height > width ? height : width;
    top -= (side - height) / 2, left -= (side - width) / 2;
    if (cuts_label(s, top, left, side)) {
        mg_sample_remark(s, "not cut to the circle: the label reaches beyond it");
        return MG_OK;
    }
    return mg_sample_crop(s, top, left, side, side);
}

void mg_fundus_classes(mg_scan *scan)
{
    static const char *const name[] = {"optic disc", "optic cup"};

    scan->classes = MG_OPTIC_CLASSES;
    for (int c = 0; c < MG_OPTIC_CLASSES; c++)
        snprintf(scan->class_name[c], sizeof *scan->class_name, "%s", name[c]);
}
