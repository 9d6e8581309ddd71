// Drawing of overlays: everything is sampled by nearest neighbour at the size of the result.
#include "finetune/overlay.h"

#include <math.h>

#include "datasets/decode.h"
#include "runtime/mem.h"

static const uint8_t green[3] = {40, 220, 90}, red[3] = {235, 40, 40}, white[3] = {255, 255, 255};
// Not the colours of label maps: red and green are clicks and references here.
static const uint8_t target_colour[][3] = {{255, 150, 30}, {70, 150, 255}, {205, 90, 250},
                                           {250, 230, 40}, {60, 225, 225}, {255, 110, 170},
                                           {170, 120, 60}, {200, 255, 160}};
enum { COLOURS = sizeof target_colour / sizeof *target_colour, GAP = 6 };

// A tile of a sheet.
typedef struct {
    uint8_t *rgb; // first pixel
    size_t pitch; // bytes from row to row of the sheet
    int height, width;
} canvas;

static const uint8_t *colour_of(const uint8_t *targets, int i)
{
    return targets ? target_colour[(targets[i] - 1) % COLOURS] : white;
}

static void blend(canvas *c, int y, int x, const uint8_t colour[3], double share)
{
    if (y < 0 || x < 0 || y >= c->height || x >= c->width) return;
    uint8_t *p = c->rgb + (size_t)y * c->pitch + (size_t)x * 3;
    for (int k = 0; k < 3; k++) p[k] = (uint8_t)(p[k] + share * (colour[k] - p[k]) + 0.5);
}

// Cell of an array of `cells` at place `at` of `size` on the canvas.
static size_t cell_at(const mg_overlay *o, int at, int size, int cells)
{
    return (size_t)(o->turned ? size - 1 - at : at) * cells / size;
}

// Value of a mask at a place of the canvas.
static int value_at(const mg_overlay *o, const uint8_t *mask, const canvas *c, int y, int x)
{
    if (y < 0 || x < 0 || y >= c->height || x >= c->width) return 0;
    return mask[cell_at(o, y, c->height, o->grid_height) * o->grid_width +
                cell_at(o, x, c->width, o->grid_width)];
}

// Outlined, and filled with a share of the colour; in one colour, or NULL: each value in its own.
static void draw_mask(canvas *c, const mg_overlay *o, const uint8_t *mask, const uint8_t *colour,
                      double fill)
{
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            int v = value_at(o, mask, c, y, x);
            if (v == 0) continue;
            bool edge = value_at(o, mask, c, y - 1, x) != v ||
                        value_at(o, mask, c, y + 1, x) != v ||
                        value_at(o, mask, c, y, x - 1) != v || value_at(o, mask, c, y, x + 1) != v;
            blend(c, y, x, colour ? colour : target_colour[(v - 1) % COLOURS], edge ? 1 : fill);
        }
}

// Where cell coordinates lie on the canvas; `half` 0.5 for the middle of a cell.
static double place_of(const mg_overlay *o, double cell, double half, int cells, int size)
{
    double at = (cell + half) * size / cells;
    return o->turned ? size - at : at;
}

static void draw_click(canvas *c, const mg_overlay *o, const mg_click *click, const uint8_t *ring)
{
    double cy = place_of(o, click->y, 0.5, o->grid_height, c->height);
    double cx = place_of(o, click->x, 0.5, o->grid_width, c->width);
    double r = fmax(c->width, c->height) / 100.0 + 2;

    for (int y = (int)(cy - r - 2); y <= cy + r + 2; y++)
        for (int x = (int)(cx - r - 2); x <= cx + r + 2; x++) {
            double d = hypot(y + 0.5 - cy, x + 0.5 - cx);
            if (d <= r)
                blend(c, y, x, click->label ? green : red, 1);
            else if (d <= r + 2)
                blend(c, y, x, ring, 1);
        }
}

static void draw_box(canvas *c, const mg_overlay *o, const double box[4], const uint8_t *colour)
{
    int y0 = (int)place_of(o, box[1], 0, o->grid_height, c->height);
    int y1 = (int)place_of(o, box[3], 1, o->grid_height, c->height);
    int x0 = (int)place_of(o, box[0], 0, o->grid_width, c->width);
    int x1 = (int)place_of(o, box[2], 1, o->grid_width, c->width);

    for (int x = x0 < x1 ? x0 : x1; x < (x0 < x1 ? x1 : x0); x++) {
        blend(c, y0 < y1 ? y0 : y1, x, colour, 1);
        blend(c, (y0 < y1 ? y1 : y0) - 1, x, colour, 1);
    }
    for (int y = y0 < y1 ? y0 : y1; y < (y0 < y1 ? y1 : y0); y++) {
        blend(c, y, x0 < x1 ? x0 : x1, colour, 1);
        blend(c, y, (x0 < x1 ? x1 : x0) - 1, colour, 1);
    }
}

static void draw(canvas *c, const mg_overlay *o)
{
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            size_t cell =
                cell_at(o, y, c->height, o->height) * o->width + cell_at(o, x, c->width, o->width);
            const uint8_t *from = o->pixels + cell * o->channels;
            uint8_t *to = c->rgb + (size_t)y * c->pitch + (size_t)x * 3;
            for (int k = 0; k < 3; k++) to[k] = from[o->channels == 3 ? k : 0];
        }
    draw_mask(c, o, o->pred, NULL, 0.3);
    if (o->gt) draw_mask(c, o, o->gt, green, 0);
    for (int i = 0; i < o->boxes; i++) draw_box(c, o, o->box[i], colour_of(o->box_of, i));
    for (int i = 0; i < o->clicks; i++) draw_click(c, o, &o->click[i], colour_of(o->click_of, i));
}

static void fit(const mg_overlay *o, int side, canvas *c)
{
    double height = o->height * (o->tall > 0 ? o->tall : 1), width = o->width;
    double scale = side / fmax(height, width);

    c->height = (int)fmax(1, height * scale + 0.5);
    c->width = (int)fmax(1, width * scale + 0.5);
}

mg_status mg_overlay_sheet(const char *path, const mg_overlay *o, int count, int columns, int side)
{
    int rows = (count + columns - 1) / columns;
    canvas tile = {0};

    fit(&o[0], side, &tile);
    int height = rows * (tile.height + GAP) - GAP, width = columns * (tile.width + GAP) - GAP;
    uint8_t *rgb = mg_calloc((size_t)height * width, 3);
    MG_CHECK(rgb, MG_ERR_MEMORY, "cannot allocate an overlay");
    tile.pitch = (size_t)width * 3;
    for (int i = 0; i < count; i++) {
        tile.rgb = rgb + (size_t)(i / columns) * (tile.height + GAP) * tile.pitch +
                   (size_t)(i % columns) * (tile.width + GAP) * 3;
        draw(&tile, &o[i]);
    }
    mg_status st = mg_write_png(path, rgb, height, width, 3);
    mg_free(rgb);
    return st;
}

mg_status mg_overlay_write(const char *path, const mg_overlay *o, int side)
{
    return mg_overlay_sheet(path, o, 1, 1, side);
}
