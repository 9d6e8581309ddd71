// Outlines of regions: JSON text to polygons, polygons to a mask; see outline.h. A text that ends early is cut back
// to where its last whole part ends and closed, so that there is one parser of JSON.
#include "datasets/outline.h"

#include <math.h>
#include <string.h>

#include "runtime/json.h"
#include "runtime/mem.h"

enum { DEEP = 16, REGION = 2 }; // levels of brackets; inside of a region

// --- text that ends early ---------------------------------------------------------------------------

// Open brackets while walking through a text.
typedef struct {
    char open[DEEP];
    int depth;
    size_t whole;      // up to here the text can be kept
    int whole_depth;   // brackets open there
    const char *key;   // last text of a region: its key, once a bracket follows
    bool whole_points; // a list of points is open there
} walk;

// Behind the closing quote of the text that begins at `at`, or the end.
static size_t skip_text(const char *text, size_t bytes, size_t at)
{
    for (at++; at < bytes && text[at] != '"'; at++) at += text[at] == '\\';
    return at < bytes ? at + 1 : bytes;
}

// False if the brackets do not match or lie too deep: then the text is not merely cut.
static bool bracket(walk *w, char c)
{
    bool opens = c == '{' || c == '[';

    if (opens) {
        if (w->depth == DEEP) return false;
        w->open[w->depth++] = c;
    } else {
        if (w->depth == 0 || w->open[w->depth - 1] != (c == '}' ? '{' : '[')) return false;
        w->depth--;
    }
    return true;
}

static bool find_whole(const char *text, size_t bytes, walk *w)
{
    bool in_points = false;

    for (size_t i = 0; i < bytes;) {
        if (text[i] == '"') {
            if (w->depth == REGION) w->key = text + i;
            i = skip_text(text, bytes, i);
            continue;
        }
        char c = text[i++];
        if (!strchr("{[]}", c) || !c) continue;
        if (w->depth == REGION && c == '[') in_points = w->key && !strncmp(w->key, "\"points\"", 8);
        if (!bracket(w, c)) return false;
        if (w->depth <= REGION) in_points = false;
        // A point counts once it is closed: an open one is not kept.
        if (c == '{' && w->depth > REGION) continue;
        w->whole = i;
        w->whole_depth = w->depth;
        w->whole_points = in_points;
    }
    return w->depth > 0;
}

// The text without its broken end, closed; NULL without memory.
static char *close_text(const char *text, const walk *w)
{
    char *closed = mg_alloc(w->whole + DEEP + 1), *to = closed;

    if (!closed) return NULL;
    memcpy(to, text, w->whole);
    to += w->whole;
    for (int i = w->whole_depth - 1; i >= 0; i--) *to++ = w->open[i] == '{' ? '}' : ']';
    *to = '\0';
    return closed;
}

// As JSON; where the text ends early, what is whole of it.
static mg_status parse(const char *text, const char *name, mg_outlines *out, mg_json **regions)
{
    size_t bytes = strlen(text);
    walk w = {.whole = 0};

    mg_status st = mg_json_parse(text, bytes, name, regions);
    if (st != MG_ERR_FORMAT || !find_whole(text, bytes, &w)) return st;
    char *closed = close_text(text, &w);
    MG_CHECK(closed, MG_ERR_MEMORY, "no memory for the outlines of '%s'", name);
    st = mg_json_parse(closed, strlen(closed), name, regions);
    mg_free(closed);
    if (st) return mg_json_parse(text, bytes, name, regions); // not merely cut: the first reason
    out->truncated = true;
    out->open = out->open || w.whole_points;
    return MG_OK;
}

// --- regions ----------------------------------------------------------------------------------------

static mg_status reserve(mg_outlines *out)
{
    if (!out->point) out->point = mg_alloc(MG_OUTLINE_POINTS * sizeof *out->point);
    if (out->regions == out->room) {
        int room = 2 * out->room + 4;
        int *end = mg_realloc(out->end, (size_t)room * sizeof *end);
        MG_CHECK(end, MG_ERR_MEMORY, "no memory for %d regions", room);
        out->end = end;
        out->room = room;
    }
    MG_CHECK(out->point, MG_ERR_MEMORY, "no memory for outlines");
    return MG_OK;
}

static mg_status add_region(const mg_json *region, int number, const char *name, mg_outlines *out)
{
    const mg_json *points = mg_json_get(region, "points");
    int first = out->regions ? out->end[out->regions - 1] : 0;
    size_t count = mg_json_size(points);

    if (!points && out->truncated) { // cut before its points
        out->open = true;
        return MG_OK;
    }
    MG_CHECK(mg_json_is_array(points), MG_ERR_FORMAT, "region %d of '%s' has no list of \"points\"",
             number + 1, name);
    MG_CHECK(count <= (size_t)(MG_OUTLINE_POINTS - first), MG_ERR_FORMAT,
             "the outlines of '%s' have more than %d points", name, MG_OUTLINE_POINTS);
    if (count < 3) return MG_OK;
    MG_TRY(reserve(out));
    for (size_t i = 0; i < count; i++) {
        const mg_json *x = mg_json_get(mg_json_at(points, i), "x");
        const mg_json *y = mg_json_get(mg_json_at(points, i), "y");
        MG_CHECK(mg_json_is_number(x) && mg_json_is_number(y), MG_ERR_FORMAT,
                 "point %zu of region %d of '%s' is not {\"x\": number, \"y\": number}", i + 1,
                 number + 1, name);
        out->point[first + (int)i] = (mg_point){mg_json_real(x, 0), mg_json_real(y, 0)};
    }
    out->end[out->regions++] = first + (int)count;
    return MG_OK;
}

mg_status mg_outlines_add(const char *text, const char *name, mg_outlines *out)
{
    mg_json *regions = NULL;

    mg_status st = parse(text, name, out, &regions);
    if (!st && !mg_json_is_array(regions))
        st = MG_FAIL(MG_ERR_FORMAT, "the outlines of '%s' are no list of regions", name);
    for (size_t i = 0; i < mg_json_size(regions) && !st; i++)
        st = add_region(mg_json_at(regions, i), (int)i, name, out);
    mg_json_free(&regions);
    return st;
}

void mg_outlines_free(mg_outlines *outlines)
{
    mg_free(outlines->point);
    mg_free(outlines->end);
    *outlines = (mg_outlines){0};
}

// --- filling ----------------------------------------------------------------------------------------

static double clamp(double v, int size)
{
    return v < 0 ? 0 : v > size - 1 ? size - 1 : v;
}

// Turn the cells right of an edge, which counts in rows lo <= y < hi: its first cell is marked.
static void mark_crossings(mg_point a, mg_point b, int width, uint8_t *odd)
{
    if (a.y > b.y) {
        mg_point swap = a;
        a = b;
        b = swap;
    }
    for (int y = (int)ceil(a.y); y < b.y; y++) {
        int x = (int)ceil(a.x + (y - a.y) * (b.x - a.x) / (b.y - a.y));
        odd[(size_t)y * (width + 1) + x] ^= 1;
    }
}

// Cells nearest to an edge, one a row or one a column, whichever are more.
static void draw_edge(mg_point a, mg_point b, int width, uint8_t *mask)
{
    int steps = (int)ceil(fmax(fabs(b.x - a.x), fabs(b.y - a.y)));

    for (int i = 0; i <= steps; i++) {
        double t = steps ? (double)i / steps : 0;
        int x = (int)lround(a.x + t * (b.x - a.x)), y = (int)lround(a.y + t * (b.y - a.y));
        mask[(size_t)y * width + x] = 1;
    }
}

static void fill_region(const mg_point *point, int count, int height, int width, uint8_t *odd,
                        uint8_t *mask)
{
    memset(odd, 0, (size_t)height * (width + 1));
    for (int i = 0; i < count; i++) {
        mg_point a = point[i], b = point[i + 1 < count ? i + 1 : 0];
        a = (mg_point){clamp(a.x, width), clamp(a.y, height)};
        b = (mg_point){clamp(b.x, width), clamp(b.y, height)};
        mark_crossings(a, b, width, odd);
        draw_edge(a, b, width, mask);
    }
    for (int y = 0; y < height; y++) {
        const uint8_t *row = odd + (size_t)y * (width + 1);
        uint8_t inside = 0;
        for (int x = 0; x < width; x++) {
            inside ^= row[x];
            mask[(size_t)y * width + x] |= inside;
        }
    }
}

mg_status mg_outlines_fill(const mg_outlines *outlines, int height, int width, uint8_t *mask)
{
    uint8_t *odd = mg_alloc((size_t)height * ((size_t)width + 1));

    MG_CHECK(odd, MG_ERR_MEMORY, "no memory for a mask of %d x %d", height, width);
    memset(mask, 0, (size_t)height * (size_t)width);
    for (int r = 0; r < outlines->regions; r++) {
        int first = r ? outlines->end[r - 1] : 0;
        fill_region(outlines->point + first, outlines->end[r] - first, height, width, odd, mask);
    }
    mg_free(odd);
    return MG_OK;
}
