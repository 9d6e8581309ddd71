// One item from its file to compressed slices: read, hash, check the label, trim, shrink (triangle
// for pictures, nearest for labels; the label on its original grid is kept), compress.
#include <inttypes.h>
#include <string.h>

#include "runtime/mem.h"
#include "shard/resize.h"
#include "shard/writer_private.h"

void mg_packed_item_free(mg_packed_item *item)
{
    mg_packer_destroy(&item->packer);
    for (int p = 0; p < MG_PARTS; p++) {
        mg_free(item->part[p].data);
        mg_free(item->part[p].bytes);
    }
    memset(item, 0, sizeof *item);
}

static void reject(mg_packed_item *out, const char *reason)
{
    snprintf(out->reason, sizeof out->reason, "%s", reason);
}

static void reject_value(mg_packed_item *out, int value)
{
    snprintf(out->reason, sizeof out->reason, "its label has the value %d, which is no class",
             value);
}

static size_t cells_of(const mg_sample *s)
{
    return (size_t)s->depth * (size_t)s->height * (size_t)s->width;
}

static size_t pixel_bytes(const mg_sample *s)
{
    return cells_of(s) * (size_t)s->channels * mg_dtype_size(s->type);
}

// --- looking at the sample --------------------------------------------------------------------------

static bool is_constant(const mg_sample *s)
{
    const char *v = s->pixels;
    size_t step = (size_t)s->channels * mg_dtype_size(s->type);

    // Equal to itself one pixel further on.
    return !memcmp(v, v + step, pixel_bytes(s) - step);
}

// Cells of each class; false if a value is no class, *bad gets it.
static bool count_label(const mg_sample *s, int classes, int64_t *area, int *bad)
{
    size_t n = cells_of(s);
    int64_t count[256] = {0};

    for (size_t i = 0; s->label && i < n; i++) count[s->label[i]]++;
    for (int v = classes + 1; v < MG_LABEL_IGNORE; v++)
        if (count[v] > 0) {
            *bad = v;
            return false;
        }
    for (int c = 1; c <= classes; c++) area[c - 1] = count[c];
    for (size_t i = 0; s->bits && i < n; i++) {
        unsigned v = s->bits[i];
        if ((v & 0x7FFF) >> classes) {
            *bad = (int)v;
            return false;
        }
        for (int c = 0; c < classes; c++) area[c] += v >> c & 1;
    }
    return true;
}

static uint16_t present(const int64_t *area)
{
    uint16_t classes = 0;
    for (int c = 0; c < MG_SHARD_CLASSES; c++) classes |= (uint16_t)((area[c] > 0) << c);
    return classes;
}

static void take_volume(const mg_sample *s, mg_packed_item *out)
{
    const mg_volume *v = &s->volume;
    mg_volume_row *row = &out->volume;

    memset(row, 0, sizeof *row);
    memcpy(row->affine, v->affine, sizeof row->affine);
    memcpy(row->file_affine, v->file_affine, sizeof row->file_affine);
    memcpy(row->full_spacing, v->full_spacing, sizeof row->full_spacing);
    memcpy(row->grid, v->grid, sizeof row->grid);
    memcpy(row->range, v->range, sizeof row->range);
    for (int i = 0; i < 3; i++) row->input[i] = v->input[i];
    memcpy(out->orientation, v->orientation, sizeof out->orientation);
    memcpy(out->contrasts, v->contrasts, sizeof out->contrasts);
    if (v->full_depth > 0) out->row.full_size[0] = v->full_depth;
}

// Facts of the sample as decoded, or a reason against it.
static mg_status inspect(const mg_shard_order *order, const mg_scan *scan, const mg_sample *s,
                         mg_packed_item *out)
{
    int bad = 0;

    if (s->depth < 1 || s->height < 1 || s->width < 1 || s->channels < 1) {
        reject(out, "it has no pixels");
        return MG_OK;
    }
    out->row.hash = s->hash;
    if (!s->hashed) MG_TRY(mg_sample_hash(s, &out->row.hash));
    out->row.depth = s->depth;
    out->row.full_size[0] = s->depth;
    out->row.full_size[1] = s->full_height > 0 ? s->full_height : s->height;
    out->row.full_size[2] = s->full_width > 0 ? s->full_width : s->width;
    memcpy(out->row.spacing, s->spacing, sizeof s->spacing);
    memcpy(out->decoder, s->decoder, sizeof out->decoder);
    memcpy(out->remark, s->remark, sizeof out->remark);
    out->row.unknown = s->unknown;
    take_volume(s, out);
    if (order->drop_constant && is_constant(s)) {
        reject(out, "all its pixels are equal");
    } else if (!count_label(s, scan->classes, out->row.area, &bad)) {
        reject_value(out, bad);
    }
    out->row.classes = present(out->row.area);
    return MG_OK;
}

// --- changing its grid ------------------------------------------------------------------------------

// True if the line of n pixels, `step` bytes apart, has one value: that of `corner`.
static bool line_is(const uint8_t *line, int n, size_t step, const uint8_t *corner, int channels)
{
    for (int i = 0; i < n; i++, line += step)
        if (memcmp(line, corner, (size_t)channels)) return false;
    return true;
}

// Cut lines of the corner's value off all four sides of an 8-bit picture, in place.
static void trim(mg_sample *s)
{
    int c = s->channels, top = 0, left = 0, bottom = s->height, right = s->width;
    size_t row = (size_t)s->width * (size_t)c;
    uint8_t *v = s->pixels;

    if (is_constant(s)) return;
    while (line_is(v + top * row, s->width, (size_t)c, v, c)) top++;
    while (line_is(v + (bottom - 1) * row, s->width, (size_t)c, v, c)) bottom--;
    while (line_is(v + (size_t)left * c, s->height, row, v, c)) left++;
    while (line_is(v + (size_t)(right - 1) * c, s->height, row, v, c)) right--;
    // The corner's pixel was read for the last time: rows move up and left.
    size_t cut = (size_t)(right - left) * (size_t)c;
    for (int y = top; y < bottom; y++)
        memmove(v + (size_t)(y - top) * cut, v + y * row + (size_t)left * c, cut);
    s->height = bottom - top;
    s->width = right - left;
}

// The picture and its label at another size, in fresh memory.
static mg_status shrink(const mg_sample *s, int height, int width, mg_sample *out)
{
    size_t cells = (size_t)height * (size_t)width;

    *out = *s;
    out->height = height;
    out->width = width;
    out->label = s->label ? mg_alloc(cells) : NULL;
    out->bits = s->bits ? mg_alloc(cells * sizeof *out->bits) : NULL;
    out->pixels = mg_alloc(cells * (size_t)s->channels);
    if (!out->pixels || (s->label && !out->label) || (s->bits && !out->bits))
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a picture of %d x %d", height, width);
    if (s->label) mg_resize_nearest_u8(out->label, height, width, s->label, s->height, s->width);
    if (s->bits) mg_resize_nearest_u16(out->bits, height, width, s->bits, s->height, s->width);
    return mg_resize_triangle_u8(out->pixels, height, width, s->pixels, s->height, s->width,
                                 s->channels);
}

// --- compressing ------------------------------------------------------------------------------------

static mg_status part_room(mg_packed_part *part, size_t bytes, int slices)
{
    if (part->slice_room < slices) {
        mg_free(part->bytes);
        part->slice_room = 0;
        part->bytes = mg_alloc((size_t)slices * sizeof *part->bytes);
        MG_CHECK(part->bytes, MG_ERR_MEMORY, "cannot allocate %d slices", slices);
        part->slice_room = slices;
    }
    if (part->room >= bytes) return MG_OK;
    char *grown = mg_realloc(part->data, bytes + bytes / 2);
    MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate %zu bytes", bytes + bytes / 2);
    part->data = grown;
    part->room = bytes + bytes / 2;
    return MG_OK;
}

// `channels` 0: a label.
static mg_status pack_slices(mg_packed_item *out, int which, mg_dtype type, const void *data,
                             int slices, int height, int width, int channels)
{
    static const char *const group[MG_PARTS] = {"images", "labels", "full_labels"};
    static const char *const tag[] = {
        [MG_U8] = "u8", [MG_I16] = "i16", [MG_U16] = "u16", [MG_F32] = "f32"};
    mg_packed_part *part = &out->part[which];
    size_t bytes =
        mg_dtype_size(type) * (size_t)height * (size_t)width * (size_t)(channels ? channels : 1);
    size_t bound = mg_pack_bound(bytes), used = 0;

    int n = snprintf(part->array, sizeof part->array, "%s/%s_%dx%d", group[which], tag[type],
                     height, width);
    if (channels) snprintf(part->array + n, sizeof part->array - (size_t)n, "x%d", channels);
    part->type = type;
    part->height = height;
    part->width = width;
    part->channels = channels;
    part->slices = slices;
    for (int z = 0; z < slices; z++) {
        MG_TRY(part_room(part, used + bound, slices));
        MG_TRY(mg_pack(out->packer, part->data + used, bound, (const char *)data + z * bytes, bytes,
                       &part->bytes[z]));
        used += part->bytes[z];
    }
    return MG_OK;
}

static mg_status pack_label(mg_packed_item *out, int which, const mg_sample *s)
{
    if (s->label) return pack_slices(out, which, MG_U8, s->label, s->depth, s->height, s->width, 0);
    if (s->bits) return pack_slices(out, which, MG_U16, s->bits, s->depth, s->height, s->width, 0);
    return MG_OK;
}

static void hash_label(mg_hasher *hasher, const mg_sample *s)
{
    if (s->label)
        mg_hasher_add(hasher, s->label, cells_of(s));
    else if (s->bits)
        mg_hasher_add(hasher, s->bits, cells_of(s) * sizeof *s->bits);
}

// What is stored: the sample, and the label of `full` unless it has the same grid (NULL).
static mg_status pack_sample(const mg_sample *s, const mg_sample *full, mg_packed_item *out)
{
    mg_hasher *hasher = mg_hasher_new();

    MG_CHECK(hasher, MG_ERR_MEMORY, "cannot allocate a hash");
    mg_hasher_add(hasher, s->pixels, pixel_bytes(s));
    hash_label(hasher, s);
    if (full) hash_label(hasher, full);
    out->row.packed = mg_hasher_64(hasher);
    mg_hasher_free(&hasher);
    MG_TRY(pack_slices(out, MG_PART_IMAGE, s->type, s->pixels, s->depth, s->height, s->width,
                       s->channels));
    MG_TRY(pack_label(out, MG_PART_LABEL, s));
    return full ? pack_label(out, MG_PART_FULL_LABEL, full) : MG_OK;
}

// --- the whole --------------------------------------------------------------------------------------

// The reader changed the grid, and kept the label on the original one.
static mg_status pack_regridded(const mg_scan *scan, const mg_sample *s, mg_packed_item *out)
{
    const mg_volume *v = &s->volume;
    mg_sample full = {.depth = out->row.full_size[0],
                      .height = out->row.full_size[1],
                      .width = out->row.full_size[2],
                      .label = v->full_label,
                      .bits = v->full_bits};
    int64_t area[MG_SHARD_CLASSES] = {0};
    int bad;

    if (!count_label(&full, scan->classes, area, &bad)) {
        reject_value(out, bad);
        return MG_OK;
    }
    out->row.classes |= present(area); // what nearest neighbours lost is there to be scored
    return pack_sample(s, &full, out);
}

static mg_status pack_changed(const mg_shard_order *order, const mg_scan *scan, mg_sample *s,
                              mg_packed_item *out)
{
    mg_sample small = {0};
    int64_t area[MG_SHARD_CLASSES] = {0};
    int height, width, bad, longest;
    bool picture = s->depth == 1 && s->type == MG_U8, labelled = s->label || s->bits;

    if (picture && order->trim && !labelled) trim(s);
    if (s->volume.full_label || s->volume.full_bits) return pack_regridded(scan, s, out);
    longest = s->height > s->width ? s->height : s->width;
    if (!picture || order->long_side == 0 || longest <= order->long_side)
        return pack_sample(s, NULL, out);
    mg_frame_size(s->height, s->width, order->long_side, &height, &width);
    mg_status st = shrink(s, height, width, &small);
    if (!st && labelled) {
        count_label(&small, scan->classes, area, &bad);
        memcpy(out->row.area, area, sizeof area);
        out->row.classes |= present(area);
    }
    if (!st) st = pack_sample(&small, labelled ? s : NULL, out);
    mg_sample_free(&small);
    return st;
}

mg_status mg_pack_item(const mg_shard_order *order, const mg_shared_scan *list, int64_t number,
                       mg_packed_item *out)
{
    const mg_item *item = &list->scan.item[number];
    // Hashes of other sets can only be met where everything is decoded in full.
    bool scaled = order->scaled_decode && list->scan.classes == 0 && !order->trim &&
                  order->against_count == 0;
    mg_decode_hint hint = {.long_side = scaled ? order->long_side : 0};
    mg_sample sample = {0};

    if (!out->packer) MG_TRY(mg_packer_create(order->level, &out->packer));
    for (int p = 0; p < MG_PARTS; p++) out->part[p].array[0] = '\0';
    out->row = (mg_row){.number = number, .fold = list->fold[number]};
    out->reason[0] = '\0';
    mg_status st = order->set->read(order->root, order->config, &list->scan, item, &hint, &sample);
    if (st == MG_ERR_MEMORY) goto done;
    if (st) {
        reject(out, mg_err_message());
        mg_err_clear();
        st = MG_OK;
        goto done;
    }
    st = inspect(order, &list->scan, &sample, out);
    if (!st && !out->reason[0]) st = pack_changed(order, &list->scan, &sample, out);

done:
    mg_sample_free(&sample);
    return st;
}
