// From a shard item to a training sample.
#include "finetune/seg_sample.h"

#include <string.h>

#include "finetune/components.h"
#include "runtime/mem.h"
#include "runtime/rng.h"
#include "shard/resize.h"
#include "shard/source.h"

enum { STAGE_INSTANCE = 4091 }; // purpose 10: which component of the class is the target

mg_status mg_seg_data_open(const mg_reader *reader, const mg_seg_model *model,
                           const mg_finetune_config *c, mg_seg_data *d)
{
    int64_t total = mg_reader_count(reader);

    *d = (mg_seg_data){.reader = reader,
                       .model = model,
                       .seed = (uint64_t)c->train.seed,
                       .flip = c->flip,
                       .instances = c->instances};
    d->index = mg_alloc((size_t)total * sizeof *d->index);
    MG_CHECK(d->index, MG_ERR_MEMORY, "cannot allocate the list of samples");
    for (int64_t i = 0; i < total; i++)
        if (mg_reader_item(reader, i)->classes) d->index[d->count++] = i;
    MG_CHECK(d->count > 0, MG_ERR_CONFIG,
             "none of the %lld items has a labelled target; were the sets packed with masks?",
             (long long)total);
    return MG_OK;
}

void mg_seg_data_close(mg_seg_data *d)
{
    mg_free(d->index);
    memset(d, 0, sizeof *d);
}

// Measure the slot, or place its arrays behind the header.
static size_t place(mg_seg_sample *s, const mg_seg_data *d, void *slot)
{
    mg_layout at = {.base = slot};
    size_t cells = (size_t)d->model->cells * d->model->cells;

    mg_place_bytes(&at, sizeof *s);
    s->image = mg_place(&at, 3 * (size_t)d->model->side * d->model->side);
    s->target = mg_place(&at, cells);
    s->mask = mg_place_bytes(&at, cells);
    s->valid = mg_place_bytes(&at, cells);
    s->ignore = mg_place_bytes(&at, cells);
    return at.used;
}

size_t mg_seg_slot_bytes(const mg_seg_data *d)
{
    mg_seg_sample s;
    return place(&s, d, NULL);
}

static void mirror(uint8_t *pixels, int height, int width, int channels)
{
    for (int y = 0; y < height; y++) {
        uint8_t *row = pixels + (size_t)y * width * channels;
        for (int a = 0, b = width - 1; a < b; a++, b--)
            for (int c = 0; c < channels; c++) {
                uint8_t t = row[a * channels + c];
                row[a * channels + c] = row[b * channels + c];
                row[b * channels + c] = t;
            }
    }
}

// Keep one component of the mask, drawn from the sample's stream.
static mg_status keep_instance(uint8_t *mask, int height, int width, const mg_prompt_key *key)
{
    size_t cells = (size_t)height * width;
    int32_t *labels = mg_alloc(cells * sizeof *labels);
    int32_t *parent = mg_alloc((cells + 1) * sizeof *parent);
    mg_status st = MG_OK;

    if (!labels || !parent) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate component labels");
    int count = st ? 0 : mg_components(labels, mask, width, 1, height, width, 8, parent);
    if (count > 1) {
        mg_cursor draw = mg_prompt_draw(key, MG_RNG_CLICKS, STAGE_INSTANCE);
        int32_t chosen = 1 + (int32_t)mg_cursor_below(&draw, (uint32_t)count);
        for (size_t i = 0; i < cells; i++) mask[i] = labels[i] == chosen;
    }
    mg_free(labels);
    mg_free(parent);
    return st;
}

// Target, valid and ignored cells from the stored mask.
static mg_status make_target(const mg_seg_data *d, mg_seg_sample *s, mg_sam_frame frame, bool flip,
                             const mg_prompt_key *key)
{
    size_t pixels = (size_t)frame.height * frame.width;
    size_t cells = (size_t)d->model->cells * d->model->cells;
    uint8_t *mask = mg_alloc(2 * pixels), *ignore = mask + pixels;

    MG_CHECK(mask, MG_ERR_MEMORY, "cannot allocate a mask");
    mg_status st = mg_reader_mask(d->reader, s->sample, 0, 1, s->class_number, mask, ignore);
    if (!st && d->instances) st = keep_instance(mask, frame.height, frame.width, key);
    if (!st) {
        if (flip) {
            mirror(mask, frame.height, frame.width, 1);
            mirror(ignore, frame.height, frame.width, 1);
        }
        // Ignored cells first: the same sampling, its result goes to `ignore`.
        mg_sam_target(s->target, s->valid, ignore, &d->model->sam.cfg, frame);
        for (size_t i = 0; i < cells; i++) s->ignore[i] = !s->valid[i] || s->target[i] > 0;
        mg_sam_target(s->target, s->valid, mask, &d->model->sam.cfg, frame);
        s->valid_cells = 0;
        for (size_t i = 0; i < cells; i++) {
            s->valid[i] = !s->ignore[i];
            s->mask[i] = s->target[i] > 0;
            s->valid_cells += s->valid[i];
        }
    }
    mg_free(mask);
    return st;
}

mg_status mg_seg_produce(void *ctx, int64_t epoch, int64_t entry, void *slot)
{
    const mg_seg_data *d = ctx;
    mg_seg_sample *s = slot;
    uint8_t *pixels = NULL;

    place(s, d, slot);
    s->sample = d->index[entry];
    const mg_shard_item *item = mg_reader_item(d->reader, s->sample);
    mg_prompt_key key = {d->seed, (uint32_t)epoch, (uint32_t)s->sample, 0};
    key.target = (uint32_t)(s->class_number = mg_prompt_class(&key, item->classes));
    mg_stream flips = {d->seed, MG_RNG_FLIP, (uint32_t)epoch, (uint32_t)s->sample};
    bool flip = d->flip && mg_stream_word(&flips, 0) < 0x80000000u;

    MG_TRY(mg_source_picture(d->reader, s->sample, &pixels));
    if (flip) mirror(pixels, item->height, item->width, item->channels);
    mg_status st = mg_frame_picture(s->image, d->model->side, pixels, item->height, item->width,
                                    item->channels);
    mg_free(pixels);
    if (st) return st;
    mg_sam_frame frame = {.height = item->height, .width = item->width};
    mg_frame_size(frame.height, frame.width, d->model->side, &frame.height2, &frame.width2);
    return make_target(d, s, frame, flip, &key);
}
