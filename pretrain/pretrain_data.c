// Random resized crop, mirror, normalisation with the mean and std of pretraining.md 6.3.
#include "pretrain/pretrain_data.h"

#include <math.h>

#include "runtime/mem.h"
#include "shard/resize.h"
#include "shard/source.h"

static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};

size_t mg_pretrain_floats(const mg_pretrain_data *d)
{
    return 3 * (size_t)d->size * d->size;
}

// out [3, S, S] from values 0..255 [S, S, channels]; grey is repeated.
static void normalise(float *out, const float *values, int size, int channels, bool flip)
{
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++) {
                int from = flip ? size - 1 - x : x;
                float v = values[((size_t)y * size + from) * channels + (channels == 3 ? c : 0)];
                out[((size_t)c * size + y) * size + x] = (v / 255 - mean[c]) / std[c];
            }
}

static mg_status prepare(const mg_pretrain_data *d, int64_t sample, const mg_crop *crop, float *out)
{
    const mg_shard_item *item = mg_reader_item(d->reader, sample);
    size_t count = (size_t)d->size * d->size * item->channels;
    uint8_t *pixels = NULL;

    MG_TRY(mg_source_picture(d->reader, sample, &pixels));
    float *values = mg_alloc(count * sizeof *values);
    mg_status st = values ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a crop");
    if (!st)
        st = mg_resize_crop(values, d->size, pixels, item->height, item->width, item->channels,
                            crop->top, crop->left, crop->height, crop->width);
    if (!st) normalise(out, values, d->size, item->channels, crop->flip);
    mg_free(values);
    mg_free(pixels);
    return st;
}

mg_status mg_pretrain_produce(void *ctx, int64_t epoch, int64_t sample, void *slot)
{
    const mg_pretrain_data *d = ctx;
    const mg_shard_item *item = mg_reader_item(d->reader, sample);
    mg_crop crop = mg_crop_rect(&d->law, d->seed, (uint32_t)epoch, (uint32_t)sample, item->height,
                                item->width);

    if (!d->crop) {
        crop.top = crop.left = 0;
        crop.height = item->height;
        crop.width = item->width;
    }
    crop.flip = crop.flip && d->flip;
    return prepare(d, sample, &crop, slot);
}

mg_status mg_pretrain_centre(const mg_pretrain_data *d, int64_t sample, float *out)
{
    const mg_shard_item *item = mg_reader_item(d->reader, sample);
    int shorter = item->height < item->width ? item->height : item->width;
    // The shorter side would become 256/224 of the crop: cut the square first, which is the same
    // filter up to the taps beyond the cut.
    int side = (int)floor(shorter * 224.0 / 256 + 0.5);
    mg_crop crop = {0};

    if (side < 1) side = 1;
    crop.top = (item->height - side) / 2;
    crop.left = (item->width - side) / 2;
    crop.height = crop.width = side;
    return prepare(d, sample, &crop, out);
}

int64_t mg_pretrain_spread(const mg_pretrain_data *d, int count, int i)
{
    return i * mg_reader_count(d->reader) / count;
}
