// Drawing of overlays: everything is sampled by nearest neighbour at the size of the result.
#include "finetune/overlay.h"

#include <math.h>

#include "datasets/decode.h"
#include "runtime/mem.h"

static const uint8_t green[3] = {40, 220, 90}, orange[3] = {255, 150, 30}, red[3] = {235, 40, 40},
                     white[3] = {255, 255, 255};

typedef struct {
    uint8_t *rgb;
    int height, width;
} canvas;

static void blend(canvas *c, int y, int x, const uint8_t colour[3], double share)
{
    if (y < 0 || x < 0 || y >= c->height || x >= c->width) return;
    uint8_t *p = c->rgb + ((size_t)y * c->width + x) * 3;
    for (int k = 0; k < 3; k++) p[k] = (uint8_t)(p[k] + share * (colour[k] - p[k]) + 0.5);
}

// Value of a mask at a place of the canvas.
static bool inside(const mg_overlay *o, const uint8_t *mask, const canvas *c, int y, int x)
{
    if (y < 0 || x < 0 || y >= c->height || x >= c->width) return false;
    size_t my = (size_t)y * o->grid_height / c->height, mx = (size_t)x * o->grid_width / c->width;
    return mask[my * o->grid_width + mx] != 0;
}

static void draw_mask(canvas *c, const mg_overlay *o, const uint8_t *mask, const uint8_t colour[3],
                      double fill)
{
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            if (!inside(o, mask, c, y, x)) continue;
            bool edge = !inside(o, mask, c, y - 1, x) || !inside(o, mask, c, y + 1, x) ||
                        !inside(o, mask, c, y, x - 1) || !inside(o, mask, c, y, x + 1);
            blend(c, y, x, colour, edge ? 1 : fill);
        }
}

static void draw_click(canvas *c, const mg_overlay *o, const mg_click *click)
{
    double cy = (click->y + 0.5) * c->height / o->grid_height;
    double cx = (click->x + 0.5) * c->width / o->grid_width, r = c->width / 60.0 + 2;

    for (int y = (int)(cy - r - 2); y <= cy + r + 2; y++)
        for (int x = (int)(cx - r - 2); x <= cx + r + 2; x++) {
            double d = hypot(y + 0.5 - cy, x + 0.5 - cx);
            if (d <= r)
                blend(c, y, x, click->label ? green : red, 1);
            else if (d <= r + 1.5)
                blend(c, y, x, white, 1);
        }
}

mg_status mg_overlay_write(const char *path, const mg_overlay *o, int side)
{
    double scale = (double)side / (o->height > o->width ? o->height : o->width);
    canvas c = {.height = (int)(o->height * scale + 0.5), .width = (int)(o->width * scale + 0.5)};

    if (c.height < 1) c.height = 1;
    if (c.width < 1) c.width = 1;
    c.rgb = mg_alloc((size_t)c.height * c.width * 3);
    MG_CHECK(c.rgb, MG_ERR_MEMORY, "cannot allocate an overlay");
    for (int y = 0; y < c.height; y++)
        for (int x = 0; x < c.width; x++) {
            size_t sy = (size_t)y * o->height / c.height, sx = (size_t)x * o->width / c.width;
            const uint8_t *from = o->pixels + (sy * o->width + sx) * o->channels;
            uint8_t *to = c.rgb + ((size_t)y * c.width + x) * 3;
            for (int k = 0; k < 3; k++) to[k] = from[o->channels == 3 ? k : 0];
        }
    draw_mask(&c, o, o->pred, orange, 0.3);
    if (o->gt) draw_mask(&c, o, o->gt, green, 0);
    for (int i = 0; i < o->clicks; i++) draw_click(&c, o, &o->click[i]);
    mg_status st = mg_write_png(path, c.rgb, c.height, c.width, 3);
    mg_free(c.rgb);
    return st;
}
