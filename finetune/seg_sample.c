// From a shard item to a training sample.
#include "finetune/seg_sample.h"

#include <string.h>

#include "finetune/components.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/rng.h"
#include "shard/source.h"

enum { STAGE_INSTANCE = 4091 }; // purpose 10: which component of the class is the target

// Classes that an item can be asked for.
static uint16_t classes_of(const mg_shard_item *item)
{
    return (uint16_t)(item->classes & ~item->unknown);
}

// List the items, number their slices, and find the size of the largest sample.
static mg_status list_items(mg_seg_data *d, int64_t total, int slices)
{
    int64_t before = 0;
    int deepest = 1;

    d->index = mg_alloc((size_t)total * sizeof *d->index);
    d->slice_number = mg_alloc((size_t)total * sizeof *d->slice_number);
    MG_CHECK(d->index && d->slice_number, MG_ERR_MEMORY, "cannot allocate the list of samples");
    for (int64_t i = 0; i < total; i++) {
        const mg_shard_item *item = mg_reader_item(d->reader, i);
        if (classes_of(item)) d->index[d->count++] = i;
        if (item->volume || item->depth > 1) d->volumes = true;
        if (item->depth > deepest) deepest = item->depth;
        d->slice_number[i] = before;
        before += item->depth;
    }
    d->slices = !d->volumes ? 1 : slices < deepest ? slices : deepest;
    return MG_OK;
}

// Every class that is prompted by text alone needs texts; otherwise clicks stand in for them.
static mg_status check_texts(const mg_seg_data *d, const mg_finetune_config *c)
{
    bool others = c->click_weight > 0 || c->box_weight > 0;
    int with = 0; // classes that have texts

    if (c->text_weight <= 0 && c->text_click_weight <= 0) return MG_OK;
    MG_CHECK(
        d->texts, MG_ERR_CONFIG,
        "prompts.texts is not set: the mix of prompts asks for texts (medgraft text makes them)");
    MG_CHECK(!c->flip, MG_ERR_CONFIG,
             "train.flip is true: in mirrored pictures left and right of texts would be wrong");
    for (int k = 1; k <= mg_reader_classes(d->reader); k++) {
        if (mg_text_choice_count(d->texts, k) && ++with) continue;
        MG_CHECK(others, MG_ERR_CONFIG, "prompts.texts has no text for class '%s'",
                 mg_reader_class_name(d->reader, k));
        mg_info("texts none for class %s: it is prompted by clicks",
                mg_reader_class_name(d->reader, k));
    }
    MG_CHECK(with, MG_ERR_CONFIG, "prompts.texts has no text for any class of the data");
    return MG_OK;
}

mg_status mg_seg_data_open(const mg_reader *reader, const mg_seg_model *model,
                           const mg_finetune_config *c, const mg_text_choice *texts, mg_seg_data *d)
{
    int64_t total = mg_reader_count(reader);

    *d = (mg_seg_data){.reader = reader,
                       .model = model,
                       .seed = (uint64_t)c->train.seed,
                       .flip = c->flip,
                       .instances = c->instances,
                       .text_absent = c->text_absent,
                       .text_each = strcmp(c->text_targets, "each") == 0,
                       .parts = 1,
                       .texts = texts};
    mg_finetune_prompt_weights(c, d->weight);
    MG_TRY(check_texts(d, c));
    if (texts && d->text_each) d->parts = mg_text_choice_most(texts);
    MG_TRY(mg_finetune_window(&c->window, d->window_values, &d->window));
    MG_TRY(list_items(d, total, (int)c->model.slices));
    MG_CHECK(d->count > 0, MG_ERR_CONFIG,
             "none of the %lld items has a labelled target; were the sets packed with masks?",
             (long long)total);
    MG_CHECK(d->volumes || !c->model.depth_branch, MG_ERR_CONFIG,
             "model.depth_branch is true, but the sets hold pictures, expected volumes");
    return MG_OK;
}

void mg_seg_data_close(mg_seg_data *d)
{
    mg_free(d->index);
    mg_free(d->slice_number);
    memset(d, 0, sizeof *d);
}

// Measure the slot, or place its arrays behind the header.
static size_t place(mg_seg_sample *s, const mg_seg_data *d, void *slot)
{
    mg_layout at = {.base = slot};
    size_t n = (size_t)d->slices, one = (size_t)d->model->cells * d->model->cells;
    size_t cells = (size_t)d->parts * n * one;

    mg_place_bytes(&at, sizeof *s);
    s->image = mg_place(&at, n * 3 * (size_t)d->model->side * d->model->side);
    s->target = mg_place(&at, cells);
    s->mask = mg_place_bytes(&at, cells);
    s->valid = mg_place_bytes(&at, cells);
    s->ignore = mg_place_bytes(&at, cells);
    return at.used;
}

mg_seg_sample mg_seg_sample_part(const mg_seg_sample *s, int p, size_t cells_of_slice)
{
    mg_seg_sample part = *s;
    size_t at = (size_t)p * s->slices * cells_of_slice;

    if (s->parts > 1) part.class_number = __builtin_ctz(s->part[p]) + 1;
    part.target += at;
    part.mask += at;
    part.valid += at;
    part.ignore += at;
    return part;
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

// Keep one component of the mask [slices, height, width], drawn from the sample's stream.
static mg_status keep_instance(uint8_t *mask, int slices, int height, int width,
                               const mg_prompt_key *key)
{
    size_t cells = (size_t)slices * height * width;
    int32_t *labels = mg_alloc(cells * sizeof *labels);
    int32_t *parent = mg_alloc((cells + 1) * sizeof *parent);
    mg_status st = MG_OK;

    if (!labels || !parent) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate component labels");
    int count =
        st ? 0
           : mg_components(labels, mask, width, slices, height, width, slices > 1 ? 26 : 8, parent);
    if (count > 1) {
        mg_cursor draw = mg_prompt_draw(key, MG_RNG_CLICKS, STAGE_INSTANCE);
        int32_t chosen = 1 + (int32_t)mg_cursor_below(&draw, (uint32_t)count);
        for (size_t i = 0; i < cells; i++) mask[i] = labels[i] == chosen;
    }
    mg_free(labels);
    mg_free(parent);
    return st;
}

// Target, valid and ignored cells of slice `z`, counted over all parts, from its mask.
static void take_slice(const mg_seg_data *d, mg_seg_sample *s, int z, mg_sam_frame frame,
                       const uint8_t *mask, const uint8_t *ignored)
{
    size_t cells = (size_t)d->model->cells * d->model->cells, at = z * cells;
    float *target = s->target + at;
    uint8_t *valid = s->valid + at, *ignore = s->ignore + at;

    // Ignored cells first: the same sampling, its result goes to `ignore`.
    mg_sam_target(target, valid, ignored, &d->model->sam.cfg, frame);
    for (size_t i = 0; i < cells; i++) ignore[i] = !valid[i] || target[i] > 0;
    mg_sam_target(target, valid, mask, &d->model->sam.cfg, frame);
    for (size_t i = 0; i < cells; i++) {
        valid[i] = !ignore[i];
        s->mask[at + i] = target[i] > 0;
        s->valid_cells += valid[i];
    }
}

// The union of the masks of some classes, and of what is to be ignored for them.
static mg_status read_masks(const mg_seg_data *d, const mg_seg_sample *s, uint16_t classes,
                            uint8_t *mask, uint8_t *ignore, size_t cells)
{
    uint8_t *part = mg_alloc(2 * cells);
    mg_status st = part ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a mask");

    memset(mask, 0, cells);
    memset(ignore, 0, cells);
    for (int c = 1; c <= MG_SHARD_CLASSES && !st; c++) {
        if (!(classes >> (c - 1) & 1)) continue;
        st = mg_reader_mask(d->reader, s->sample, s->first, s->slices, c, part, part + cells);
        for (size_t i = 0; i < cells && !st; i++) {
            mask[i] |= part[i];
            ignore[i] |= part[cells + i];
        }
    }
    mg_free(part);
    return st;
}

// One part from the stored masks of its classes.
static mg_status make_part(const mg_seg_data *d, mg_seg_sample *s, int p, mg_sam_frame frame,
                           bool flip, const mg_prompt_key *key)
{
    size_t pixels = (size_t)frame.height * frame.width, all = (size_t)s->slices * pixels;
    uint8_t *mask = mg_alloc(2 * all), *ignore = mask + all;

    MG_CHECK(mask, MG_ERR_MEMORY, "cannot allocate a mask");
    mg_status st = read_masks(d, s, s->part[p], mask, ignore, all);
    if (!st && d->instances && !s->unit)
        st = keep_instance(mask, s->slices, frame.height, frame.width, key);
    if (!st && flip) {
        mirror(mask, s->slices * frame.height, frame.width, 1);
        mirror(ignore, s->slices * frame.height, frame.width, 1);
    }
    for (int z = 0; z < s->slices && !st; z++)
        take_slice(d, s, p * s->slices + z, frame, mask + z * pixels, ignore + z * pixels);
    mg_free(mask);
    return st;
}

static mg_status make_target(const mg_seg_data *d, mg_seg_sample *s, mg_sam_frame frame, bool flip,
                             const mg_prompt_key *key)
{
    s->valid_cells = 0;
    for (int p = 0; p < s->parts; p++) MG_TRY(make_part(d, s, p, frame, flip, key));
    s->valid_cells /= s->parts;
    return MG_OK;
}

// Classes that are found in the slices of a stack; those of its volume if there are none.
static mg_status present_classes(const mg_seg_data *d, const mg_seg_sample *s, uint16_t *present)
{
    const mg_shard_item *item = mg_reader_item(d->reader, s->sample);
    size_t cells = (size_t)s->slices * item->height * item->width;
    uint16_t all = classes_of(item), found = 0;
    uint8_t *mask = mg_alloc(cells);
    mg_status st = MG_OK;

    MG_CHECK(mask, MG_ERR_MEMORY, "cannot allocate a mask");
    for (int c = 1; c <= MG_SHARD_CLASSES && !st; c++) {
        if (!(all >> (c - 1) & 1)) continue;
        st = mg_reader_mask(d->reader, s->sample, s->first, s->slices, c, mask, NULL);
        if (!st && memchr(mask, 1, cells)) found |= (uint16_t)(1u << (c - 1));
    }
    mg_free(mask);
    *present = found ? found : all;
    return st;
}

// Kind of prompt, the text if it has one, and what is asked for.
static void choose_prompt(const mg_seg_data *d, mg_seg_sample *s, const mg_prompt_key *key,
                          uint16_t present)
{
    uint16_t unknown = mg_reader_item(d->reader, s->sample)->unknown, classes;

    s->parts = 1;
    s->part[0] = (uint16_t)(1u << (s->class_number - 1));
    s->kind = mg_prompt_kind_draw(key, d->weight);
    s->unit = NULL;
    if (s->kind != MG_PROMPT_TEXT && s->kind != MG_PROMPT_TEXT_CLICKS) return;
    int text = mg_text_choice_draw(d->texts, key, present, unknown, d->text_absent);
    if (text < 0) {
        s->kind = MG_PROMPT_CLICKS;
        return;
    }
    s->unit = mg_text_choice_unit(d->texts, text);
    s->part[0] = classes = d->texts->classes[text];
    if (!d->text_each) return;
    s->parts = 0;
    for (int c = 0; c < MG_SHARD_CLASSES; c++)
        if (classes >> c & 1) s->part[s->parts++] = (uint16_t)(1u << c);
}

// Which slices, which class all of them are asked for, and how.
static mg_status choose(const mg_seg_data *d, mg_seg_sample *s, mg_prompt_key *key)
{
    const mg_shard_item *item = mg_reader_item(d->reader, s->sample);
    uint16_t present = classes_of(item);

    s->first = 0;
    s->slices = 1;
    if (d->volumes) {
        s->first = mg_prompt_first_slice(key, item->depth, d->slices);
        s->slices = item->depth < d->slices ? item->depth : d->slices;
        MG_TRY(present_classes(d, s, &present));
    }
    key->target = (uint32_t)(s->class_number = mg_prompt_class(key, present));
    choose_prompt(d, s, key, present);
    return MG_OK;
}

// 8-bit pixels [slices, height, width, *channels]; mg_free.
static mg_status read_pixels(const mg_seg_data *d, const mg_seg_sample *s, uint8_t **pixels,
                             int *channels)
{
    const mg_shard_item *item = mg_reader_item(d->reader, s->sample);

    *channels = item->channels;
    if (!d->volumes) return mg_source_picture(d->reader, s->sample, pixels);
    *channels = 3;
    *pixels = mg_alloc((size_t)s->slices * item->height * item->width * 3);
    MG_CHECK(*pixels, MG_ERR_MEMORY, "cannot allocate %d slices", s->slices);
    return mg_source_slices(d->reader, s->sample, s->first, s->slices, d->window, *pixels);
}

mg_status mg_seg_produce(void *ctx, int64_t epoch, int64_t entry, void *slot)
{
    const mg_seg_data *d = ctx;
    mg_seg_sample *s = slot;
    uint8_t *pixels = NULL;
    int channels;

    place(s, d, slot);
    s->sample = d->index[entry];
    const mg_shard_item *item = mg_reader_item(d->reader, s->sample);
    mg_prompt_key key = {d->seed, (uint32_t)epoch, (uint32_t)s->sample, 0};
    MG_TRY(choose(d, s, &key));
    mg_stream flips = {d->seed, MG_RNG_FLIP, (uint32_t)epoch, (uint32_t)s->sample};
    bool flip = d->flip && mg_stream_word(&flips, 0) < 0x80000000u;

    mg_status st = read_pixels(d, s, &pixels, &channels);
    if (!st && flip) mirror(pixels, s->slices * item->height, item->width, channels);
    size_t side = (size_t)d->model->side, one = (size_t)item->height * item->width * channels;
    for (int z = 0; z < s->slices && !st; z++)
        st = mg_seg_picture(d->model, s->image + z * 3 * side * side, pixels + z * one,
                            item->height, item->width, channels);
    mg_free(pixels);
    if (st) return st;
    return make_target(d, s, mg_seg_frame(d->model, item->height, item->width), flip, &key);
}
