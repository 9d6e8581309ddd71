// What the phantom writers share; see phantom.h.
#include "datasets/phantom.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "datasets/codec.h"
#include "runtime/mem.h"

int mg_phantom_defect(const mg_phantom_order *order, int64_t i, int kinds)
{
    int64_t stride = order->count / kinds > 0 ? order->count / kinds : 1;
    if (!order->defects || i % stride != stride / 2 || i / stride >= kinds) return 0;
    return (int)(i / stride) + 1;
}

bool mg_phantom_first(const mg_phantom_order *order)
{
    return order->lo == 0;
}

mg_status mg_phantom_planted(const mg_phantom_order *order, const char *what, const char *where)
{
    if (!order->report || !mg_phantom_first(order)) return MG_OK;
    char *line = mg_sprintf("%s: %s", what, where);
    MG_CHECK(line, MG_ERR_MEMORY, "no memory for a report");
    mg_status st = mg_texts_add(&order->report->planted, line);
    mg_free(line);
    return st;
}

mg_status mg_phantom_file(const mg_phantom_order *order, const char *name, const void *data,
                          size_t bytes)
{
    char *path = mg_path_join(order->out, name), *dir = path ? mg_path_dir(path) : NULL;
    mg_status st = dir ? mg_make_dirs(dir) : MG_FAIL(MG_ERR_MEMORY, "no memory for '%s'", name);
    if (!st) st = mg_draw_put_file(path, data, bytes);
    mg_free(dir);
    mg_free(path);
    return st;
}

mg_status mg_phantom_pixels(const mg_phantom_order *order, const char *name, const uint8_t *pixels,
                            int height, int width, int channels, double share)
{
    void *data;
    size_t bytes = 0;
    mg_status st;

    if (mg_path_has_ext(name, ".png"))
        st = mg_encode_png(pixels, height, width, channels, &data, &bytes);
    else if (mg_path_has_ext(name, ".tif"))
        st = mg_encode_tiff(pixels, height, width, channels, &data, &bytes);
    else if (mg_path_has_ext(name, ".bmp"))
        st = mg_encode_bmp(pixels, height, width, channels, NULL, 0, &data, &bytes);
    else
        st = mg_encode_jpeg(pixels, height, width, channels, 92, &data, &bytes);
    if (st) return st;
    st = mg_phantom_file(order, name, data, (size_t)(share * (double)bytes));
    mg_free(data);
    return st;
}

mg_status mg_phantom_picture(const mg_phantom_order *order, const char *name,
                             const mg_canvas *canvas, int channels, double share)
{
    return mg_phantom_pixels(order, name, canvas->bytes, canvas->height, canvas->width, channels,
                             share);
}

mg_status mg_phantom_mask(const mg_phantom_order *order, const char *name, const uint8_t *label,
                          int height, int width)
{
    size_t cells = (size_t)height * width, bytes = 0;
    uint8_t *mask = mg_alloc(cells);
    void *data = NULL;

    MG_CHECK(mask, MG_ERR_MEMORY, "no memory for a mask");
    for (size_t i = 0; i < cells; i++) mask[i] = label[i] ? 255 : 0;
    mg_status st = mg_encode_png(mask, height, width, 1, &data, &bytes);
    if (!st) st = mg_phantom_file(order, name, data, bytes);
    mg_free(data);
    mg_free(mask);
    return st;
}

mg_status mg_phantom_junk(const mg_phantom_order *order)
{
    static const char *const name[] = {"__MACOSX/._a.png", "._b.png", ".DS_Store", "Thumbs.db"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        MG_TRY(mg_phantom_file(order, name[i], "junk", 4));
        MG_TRY(mg_phantom_planted(order, "junk", name[i]));
    }
    return MG_OK;
}

mg_status mg_phantom_row(mg_phantom_table *table, const char *fmt, ...)
{
    char line[1024];
    va_list args;

    va_start(args, fmt);
    int length = vsnprintf(line, sizeof line - 1, fmt, args);
    va_end(args);
    line[length] = '\n';
    if (table->room - table->bytes < sizeof line) {
        size_t room = 2 * table->room + 4 * sizeof line;
        char *grown = mg_realloc(table->text, room);
        MG_CHECK(grown, MG_ERR_MEMORY, "no memory for a table");
        table->text = grown;
        table->room = room;
    }
    memcpy(table->text + table->bytes, line, (size_t)length + 1);
    table->bytes += (size_t)length + 1;
    return MG_OK;
}

mg_status mg_phantom_table_end(const mg_phantom_order *order, const char *name,
                               mg_phantom_table *table)
{
    mg_status st = mg_phantom_file(order, name, table->text ? table->text : "", table->bytes);
    mg_free(table->text);
    *table = (mg_phantom_table){0};
    return st;
}

mg_status mg_phantom_items(const mg_phantom_order *order, mg_phantom_size size_of,
                           mg_phantom_item write)
{
    mg_canvas canvas = {0};
    mg_status st = MG_OK;

    for (int64_t i = order->lo; i < order->hi && !st; i++) {
        int height, width;
        size_of(order, i, &height, &width);
        if (height != canvas.height || width != canvas.width) {
            mg_canvas_free(&canvas);
            st = mg_canvas_create(height, width, &canvas);
        }
        if (!st) st = write(order, i, &canvas);
    }
    mg_canvas_free(&canvas);
    return st;
}
