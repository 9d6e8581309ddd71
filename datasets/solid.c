// Bodies in three dimensions; see solid.h.
#include "datasets/solid.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"

static const double pi = 3.14159265358979323846;

mg_status mg_solid_create(int depth, int height, int width, mg_solid *out)
{
    size_t cells = (size_t)depth * (size_t)height * (size_t)width;

    *out = (mg_solid){.depth = depth, .height = height, .width = width};
    out->block = mg_calloc(2, cells);
    MG_CHECK(out->block, MG_ERR_MEMORY, "no memory to draw %zu cells", cells);
    out->tissue = out->block;
    out->organ = out->tissue + cells;
    return MG_OK;
}

void mg_solid_free(mg_solid *s)
{
    mg_free(s->block);
    *s = (mg_solid){0};
}

static double place(int i, int n)
{
    return (2 * i + 1.0) / n - 1;
}

// First and last cell of an axis that a body may reach.
static void reach(double at, double r, int n, int *lo, int *hi)
{
    double most = 1.4 * r;

    *lo = r > 0 ? (int)floor((at - most + 1) / 2 * n) : 0;
    *hi = r > 0 ? (int)ceil((at + most + 1) / 2 * n) : n;
    if (*lo < 0) *lo = 0;
    if (*hi > n) *hi = n;
}

void mg_solid_body(mg_pen *pen, mg_solid *s, const mg_body *b)
{
    int z0, z1, y0, y1, x0, x1;
    double phase[3];

    for (int i = 0; i < 3; i++) phase[i] = mg_pen_between(pen, 0, 2 * pi);
    reach(b->z, b->rz, s->depth, &z0, &z1);
    reach(b->y, b->ry, s->height, &y0, &y1);
    reach(b->x, b->rx, s->width, &x0, &x1);
    for (int z = z0; z < z1; z++)
        for (int y = y0; y < y1; y++)
            for (int x = x0; x < x1; x++) {
                size_t i = ((size_t)z * s->height + y) * (size_t)s->width + x;
                double u = (place(x, s->width) - b->x) / b->rx;
                double v = (place(y, s->height) - b->y) / b->ry;
                double w = b->rz > 0 ? (place(z, s->depth) - b->z) / b->rz : 0;
                double wave = sin(3 * u + phase[0]) + sin(3 * v + phase[1]) + sin(3 * w + phase[2]);
                if (u * u + v * v + w * w >= 1 + b->wobble * wave) continue;
                if (b->inside && s->organ[i] != b->inside) continue;
                s->tissue[i] = (uint8_t)b->tissue;
                if (b->organ != 255) s->organ[i] = (uint8_t)b->organ;
            }
}

void mg_solid_values(mg_pen *pen, const mg_solid *s, const float *of_tissue, double grain,
                     float *values, float *work)
{
    int64_t slice = (int64_t)s->height * s->width;

    for (int z = 0; z < s->depth; z++) {
        float *plane = values + z * slice;
        const uint8_t *tissue = s->tissue + z * slice;
        for (int64_t i = 0; i < slice; i++) plane[i] = of_tissue[tissue[i]];
        mg_draw_blur(plane, s->height, s->width, .7, .7, work);
        mg_draw_white(pen, work, slice);
        for (int64_t i = 0; i < slice; i++) plane[i] += (float)(grain * work[i]);
    }
}
