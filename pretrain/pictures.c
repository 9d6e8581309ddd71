// Rows of three pictures side by side in one PNG.
#include "pretrain/pictures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "datasets/decode.h"
#include "runtime/mem.h"

enum { PANELS = 3, GAP = 2 };

static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};

// One normalised picture [3, S, S] into a panel of the canvas.
static void paint(uint8_t *canvas, int stride, int top, int left, const float *image, int S)
{
    for (int y = 0; y < S; y++)
        for (int x = 0; x < S; x++)
            for (int c = 0; c < 3; c++) {
                float v = image[((size_t)c * S + y) * S + x] * std[c] + mean[c];
                v = fminf(fmaxf(v, 0), 1);
                canvas[(((size_t)top + y) * stride + left + x) * 3 + c] = (uint8_t)(255 * v + 0.5f);
            }
}

static mg_status draw(mg_pretrain_model *m, const mg_pretrain_data *d, uint64_t seed, int rows,
                      float *buffer, uint8_t *canvas, int width)
{
    int S = d->size;
    size_t floats = mg_pretrain_floats(d);
    uint32_t sample;

    for (int i = 0; i < rows; i++) {
        float *image = buffer, *seen = buffer + floats, *filled = buffer + 2 * floats;
        sample = (uint32_t)mg_pretrain_spread(d, rows, i);
        MG_TRY(mg_pretrain_centre(d, sample, image));
        mg_pretrain_pictures(m, seen, filled, image, &sample, 1, seed, 0);
        int top = GAP + i * (S + GAP);
        paint(canvas, width, top, GAP, image, S);
        paint(canvas, width, top, GAP + S + GAP, seen, S);
        paint(canvas, width, top, GAP + 2 * (S + GAP), filled, S);
    }
    return MG_OK;
}

static mg_status write(mg_run *run, mg_pretrain_model *m, const mg_pretrain_data *d,
                       const mg_pretrain_settings *s, int64_t step)
{
    int64_t have = mg_reader_count(d->reader);
    int rows = (int)(s->pictures < have ? s->pictures : have);
    int width = GAP + PANELS * (d->size + GAP), height = GAP + rows * (d->size + GAP);
    float *buffer = mg_alloc(PANELS * mg_pretrain_floats(d) * sizeof *buffer);
    uint8_t *canvas = mg_alloc((size_t)width * height * 3);
    char name[64], *path = NULL;
    mg_status st = MG_OK;

    snprintf(name, sizeof name, "mae-%08lld.png", (long long)step);
    path = mg_run_picture(run, name);
    if (!buffer || !canvas || !path)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a picture of reconstructions");
    if (!st) {
        memset(canvas, 255, (size_t)width * height * 3);
        st = draw(m, d, (uint64_t)s->train.seed, rows, buffer, canvas, width);
    }
    if (!st) st = mg_write_png(path, canvas, height, width, 3);
    mg_free(path), mg_free(buffer), mg_free(canvas);
    return st;
}

mg_status mg_pretrain_write_pictures(const mg_comm *world, mg_run *run, mg_pretrain_model *model,
                                     const mg_pretrain_data *data,
                                     const mg_pretrain_settings *settings, int64_t step)
{
    mg_status st = MG_OK;
    if (mg_comm_rank(world) == 0) st = write(run, model, data, settings, step);
    return mg_comm_agree(world, st);
}
