// Drawing of phantoms; see draw.h.
#include "datasets/draw.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/codec.h"
#include "runtime/mem.h"

static const double pi = 3.14159265358979323846;

// --- random numbers ---------------------------------------------------------------------------------

mg_pen mg_pen_at(uint64_t seed, uint32_t tag, uint32_t index)
{
    return (mg_pen){seed, tag, index, 0, mg_cursor_at(seed, MG_RNG_FREE, 256 * tag, index)};
}

double mg_pen_between(mg_pen *pen, double low, double high)
{
    return low + (high - low) * mg_cursor_unit(&pen->at);
}

int mg_pen_from(mg_pen *pen, int low, int high)
{
    return low + (int)mg_cursor_below(&pen->at, (uint32_t)(high - low + 1));
}

double mg_pen_normal(mg_pen *pen, double sd)
{
    double r = sqrt(-2 * log(mg_cursor_unit(&pen->at)));
    return sd * r * cos(2 * pi * mg_cursor_unit(&pen->at));
}

bool mg_pen_chance(mg_pen *pen, double probability)
{
    return mg_cursor_unit(&pen->at) < probability;
}

// --- canvas -----------------------------------------------------------------------------------------

static void lay_out(mg_layout *at, mg_canvas *c)
{
    size_t cells = (size_t)c->height * c->width;
    for (int i = 0; i < 3; i++) c->rgb[i] = mg_place(at, cells);
    for (int i = 0; i < MG_CANVAS_WORK; i++) c->work[i] = mg_place(at, cells);
    c->label = mg_place_bytes(at, cells);
    c->bytes = mg_place_bytes(at, 3 * cells);
}

mg_status mg_canvas_create(int height, int width, mg_canvas *out)
{
    mg_layout at = {0};

    *out = (mg_canvas){.height = height, .width = width};
    lay_out(&at, out);
    out->block = mg_alloc(at.used);
    MG_CHECK(out->block, MG_ERR_MEMORY, "no memory to draw %d x %d pixels", height, width);
    at = (mg_layout){.base = out->block};
    lay_out(&at, out);
    mg_canvas_clear(out, 0, 0, 0);
    return MG_OK;
}

void mg_canvas_free(mg_canvas *c)
{
    mg_free(c->block);
    *c = (mg_canvas){0};
}

void mg_canvas_clear(mg_canvas *c, double red, double green, double blue)
{
    size_t cells = (size_t)c->height * c->width;
    double value[3] = {red, green, blue};
    for (int i = 0; i < 3; i++)
        for (size_t j = 0; j < cells; j++) c->rgb[i][j] = (float)value[i];
    memset(c->label, 0, cells);
}

int64_t mg_canvas_cells(const mg_canvas *c)
{
    return (int64_t)c->height * c->width;
}

void mg_canvas_tint(mg_canvas *c, const float *alpha, double red, double green, double blue)
{
    mg_draw_add(c->rgb[0], alpha, red, mg_canvas_cells(c));
    mg_draw_add(c->rgb[1], alpha, green, mg_canvas_cells(c));
    mg_draw_add(c->rgb[2], alpha, blue, mg_canvas_cells(c));
}

void mg_canvas_finish(mg_canvas *c, int channels)
{
    size_t cells = (size_t)c->height * c->width;
    for (size_t i = 0; i < cells; i++)
        for (int k = 0; k < channels; k++) {
            float v = c->rgb[k][i];
            v = v < 0 ? 0 : v > 1 ? 1 : v;
            c->bytes[i * channels + k] = (uint8_t)(255 * v + 0.5f);
        }
}

mg_status mg_draw_put_file(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    MG_CHECK(f, MG_ERR_IO, "cannot create '%s': %s", path, strerror(errno));
    bool written = fwrite(data, 1, bytes, f) == bytes;
    written = !fclose(f) && written;
    MG_CHECK(written, MG_ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    return MG_OK;
}

static mg_status put_png(const char *path, const uint8_t *pixels, int height, int width,
                         int channels)
{
    void *data;
    size_t bytes = 0;

    MG_TRY(mg_encode_png(pixels, height, width, channels, &data, &bytes));
    mg_status st = mg_draw_put_file(path, data, bytes);
    mg_free(data);
    return st;
}

mg_status mg_canvas_write_png(const mg_canvas *c, const char *path, int channels)
{
    return put_png(path, c->bytes, c->height, c->width, channels);
}

mg_status mg_draw_write_label(const char *path, const uint8_t *label, int height, int width)
{
    return put_png(path, label, height, width, 1);
}

mg_status mg_canvas_write_jpeg(const mg_canvas *c, const char *path, int channels, int quality)
{
    void *data;
    size_t bytes = 0;

    MG_TRY(mg_encode_jpeg(c->bytes, c->height, c->width, channels, quality, &data, &bytes));
    mg_status st = mg_draw_put_file(path, data, bytes);
    mg_free(data);
    return st;
}

// --- planes -----------------------------------------------------------------------------------------

enum { MAX_REACH = 256 };

static int gaussian(double sd, float weight[MAX_REACH + 1])
{
    int reach = (int)ceil(4 * sd);
    double sum = 0;

    if (reach > MAX_REACH) reach = MAX_REACH;
    for (int i = -reach; i <= reach; i++) sum += exp(-0.5 * i * i / (sd * sd));
    for (int i = 0; i <= reach; i++) weight[i] = (float)(exp(-0.5 * i * i / (sd * sd)) / sum);
    return reach;
}

static int mirror(int i, int n)
{
    while (i < 0 || i >= n) i = i < 0 ? -i - 1 : 2 * n - 1 - i;
    return i;
}

// Weighted sums of whole rows, or of values in a row, `step` apart.
static void blur_down(float *out, const float *inp, int height, int width, double sd)
{
    float weight[MAX_REACH + 1];
    int reach = gaussian(sd, weight);

    memset(out, 0, (size_t)height * width * sizeof *out);
    for (int y = 0; y < height; y++)
        for (int i = -reach; i <= reach; i++) {
            const float *from = inp + (size_t)mirror(y + i, height) * width;
            float *to = out + (size_t)y * width, w = weight[abs(i)];
            for (int x = 0; x < width; x++) to[x] += w * from[x];
        }
}

static void blur_across(float *out, const float *inp, int height, int width, double sd)
{
    float weight[MAX_REACH + 1];
    int reach = gaussian(sd, weight);

    memset(out, 0, (size_t)height * width * sizeof *out);
    for (int y = 0; y < height; y++) {
        const float *from = inp + (size_t)y * width;
        float *to = out + (size_t)y * width;
        for (int i = -reach; i <= reach; i++) {
            float w = weight[abs(i)];
            int lo = i < 0 ? -i : 0, hi = i > 0 ? width - i : width;
            for (int x = lo; x < hi; x++) to[x] += w * from[x + i];
            for (int x = 0; x < width && x < lo; x++) to[x] += w * from[mirror(x + i, width)];
            for (int x = hi > lo ? hi : lo; x < width; x++) to[x] += w * from[mirror(x + i, width)];
        }
    }
}

void mg_draw_blur(float *plane, int height, int width, double sd_y, double sd_x, float *work)
{
    size_t bytes = (size_t)height * width * sizeof *plane;
    if (sd_y > 0)
        blur_down(work, plane, height, width, sd_y);
    else
        memcpy(work, plane, bytes);
    if (sd_x > 0)
        blur_across(plane, work, height, width, sd_x);
    else
        memcpy(plane, work, bytes);
}

void mg_draw_white(mg_pen *pen, float *plane, int64_t count)
{
    mg_stream s = {pen->seed, MG_RNG_FREE, 256 * pen->tag + ++pen->fields, pen->index};
    for (int64_t i = 0; i < count; i += 4) {
        uint32_t w[4];
        mg_stream_block(&s, (uint32_t)(i / 4), w);
        for (int p = 0; p < 4 && i + p < count; p += 2) {
            float r = sqrtf(-2 * logf((float)mg_rng_u32(w[p])));
            float angle = (float)(2 * pi * 0x1p-32) * (float)w[p + 1];
            plane[i + p] = r * cosf(angle);
            if (i + p + 1 < count) plane[i + p + 1] = r * sinf(angle);
        }
    }
}

static void scale_to_sd(float *plane, int64_t count, double amplitude)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < count; i++) sum += plane[i], square += (double)plane[i] * plane[i];
    double mean = sum / (double)count;
    double sd = sqrt(fmax(square / (double)count - mean * mean, 1e-30));
    for (int64_t i = 0; i < count; i++) plane[i] = (float)((plane[i] - mean) * (amplitude / sd));
}

// Bilinear enlargement of a coarse plane, corners on corners.
static void enlarge(float *out, int height, int width, const float *inp, int h, int w)
{
    for (int y = 0; y < height; y++) {
        float fy = height > 1 ? (float)y * (float)(h - 1) / (float)(height - 1) : 0;
        int y0 = (int)fy < h - 1 ? (int)fy : h - 2;
        float ty = fy - (float)y0;
        for (int x = 0; x < width; x++) {
            float fx = width > 1 ? (float)x * (float)(w - 1) / (float)(width - 1) : 0;
            int x0 = (int)fx < w - 1 ? (int)fx : w - 2;
            float tx = fx - (float)x0;
            const float *p = inp + (size_t)y0 * w + x0;
            out[(size_t)y * width + x] =
                (1 - ty) * ((1 - tx) * p[0] + tx * p[1]) + ty * ((1 - tx) * p[w] + tx * p[w + 1]);
        }
    }
}

void mg_draw_noise(mg_pen *pen, float *plane, int height, int width, double sd, double amplitude,
                   float *work)
{
    int factor = sd > 8 ? (int)(sd / 4) : 1;

    if (factor == 1) {
        mg_draw_white(pen, plane, (int64_t)height * width);
        mg_draw_blur(plane, height, width, sd, sd, work);
    } else {
        // Coarse plane in the front half of work, scratch for its blur in plane.
        int h = height / factor + 2, w = width / factor + 2;
        mg_draw_white(pen, work, (int64_t)h * w);
        mg_draw_blur(work, h, w, sd / factor, sd / factor, plane);
        enlarge(plane, height, width, work, h, w);
    }
    scale_to_sd(plane, (int64_t)height * width, amplitude);
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

int64_t mg_draw_blob(mg_pen *pen, float *plane, int height, int width, double x, double y, double r,
                     double wob, double ecc)
{
    double a = sqrt(mg_pen_between(pen, 1, ecc)), turn = mg_pen_between(pen, 0, 2 * pi);
    double amp[6] = {0}, phase[6] = {0}, most = 0;
    int64_t inside = 0;

    for (int k = 2; k <= 5; k++) {
        amp[k] = wob / (k - 1) * mg_pen_between(pen, -1, 1);
        phase[k] = mg_pen_between(pen, 0, 2 * pi);
        most += fabs(amp[k]);
    }
    memset(plane, 0, (size_t)height * width * sizeof *plane);
    double reach = r * (1 + most) * a + 1, c = cos(turn), s = sin(turn);
    int y0 = (int)clamp(floor(y - reach), 0, height), y1 = (int)clamp(ceil(y + reach), 0, height);
    int x0 = (int)clamp(floor(x - reach), 0, width), x1 = (int)clamp(ceil(x + reach), 0, width);
    for (int row = y0; row < y1; row++)
        for (int column = x0; column < x1; column++) {
            double dx = column - x, dy = row - y;
            double u = (c * dx + s * dy) / a, v = (c * dy - s * dx) * a, distance = hypot(u, v);
            if (distance >= r * (1 + most)) continue;
            double edge = 1;
            if (distance >= r * (1 - most)) {
                double theta = atan2(v, u);
                for (int k = 2; k <= 5; k++) edge += amp[k] * cos(k * theta + phase[k]);
            }
            if (distance >= r * edge) continue;
            plane[(size_t)row * width + column] = 1;
            inside++;
        }
    return inside;
}

void mg_draw_dot(float *plane, int height, int width, double x, double y, double r, double value)
{
    int y0 = (int)clamp(floor(y - r - 1), 0, height), y1 = (int)clamp(ceil(y + r + 2), 0, height);
    int x0 = (int)clamp(floor(x - r - 1), 0, width), x1 = (int)clamp(ceil(x + r + 2), 0, width);
    for (int row = y0; row < y1; row++)
        for (int column = x0; column < x1; column++) {
            float v = (float)(value * clamp(r + 0.5 - hypot(column - x, row - y), 0, 1));
            float *at = plane + (size_t)row * width + column;
            if (v > *at) *at = v;
        }
}

void mg_draw_walk(mg_pen *pen, float *plane, int height, int width, double x, double y,
                  double heading, double length, double bend, double r0, double r1)
{
    int steps = (int)length;
    for (int i = 0; i < steps; i++) {
        mg_draw_dot(plane, height, width, x, y, r0 + (r1 - r0) * i / length, 1);
        heading += mg_pen_normal(pen, bend);
        x += cos(heading);
        y += sin(heading);
        if (x < -2 * r0 || y < -2 * r0 || x > width + 2 * r0 || y > height + 2 * r0) break;
    }
}

void mg_draw_add(float *plane, const float *alpha, double amount, int64_t cells)
{
    for (int64_t i = 0; i < cells; i++) plane[i] += (float)amount * alpha[i];
}

void mg_draw_mix(float *plane, const float *alpha, double value, int64_t cells)
{
    for (int64_t i = 0; i < cells; i++) plane[i] += alpha[i] * ((float)value - plane[i]);
}

// --- placing ----------------------------------------------------------------------------------------

bool mg_spot_is_free(const mg_spot *spot, const mg_spot *others, int count, double gap)
{
    for (int i = 0; i < count; i++) {
        double distance = hypot(spot->x - others[i].x, spot->y - others[i].y);
        if (distance <= gap * (spot->r + others[i].r)) return false;
    }
    return true;
}

static int larger_first(const void *a, const void *b)
{
    double x = ((const mg_spot *)a)->r, y = ((const mg_spot *)b)->r;
    return (x < y) - (x > y);
}

void mg_spots_sort(mg_spot *spots, int count)
{
    qsort(spots, (size_t)count, sizeof *spots, larger_first);
}
