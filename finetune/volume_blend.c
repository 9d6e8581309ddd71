// Sums, means, and the way to the original grid.
#include "finetune/volume_blend.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"

mg_status mg_blend_create(const mg_seg_model *m, mg_sam_frame frame, int depth, int moments,
                          mg_blend *b)
{
    size_t pixels = (size_t)frame.height * frame.width;

    *b = (mg_blend){.sam = &m->sam.cfg,
                    .frame = frame,
                    .depth = depth,
                    .moments = moments,
                    .cells = (size_t)m->cells * m->cells};
    b->sum = mg_alloc((size_t)moments * depth * b->cells * sizeof *b->sum);
    b->decoded = mg_alloc((size_t)moments * depth * sizeof *b->decoded);
    b->volume = mg_alloc((size_t)depth * pixels * sizeof *b->volume);
    b->scratch = mg_alloc(mg_sam_postprocess_scratch(b->sam, frame) * sizeof *b->scratch);
    if (b->sum && b->decoded && b->volume && b->scratch) return MG_OK;
    mg_blend_free(b);
    return MG_FAIL(MG_ERR_MEMORY, "cannot allocate logits of %d slices for %d numbers of clicks",
                   depth, moments);
}

void mg_blend_free(mg_blend *b)
{
    mg_free(b->sum);
    mg_free(b->decoded);
    mg_free(b->volume);
    mg_free(b->scratch);
    memset(b, 0, sizeof *b);
}

void mg_blend_reset(mg_blend *b)
{
    size_t slices = (size_t)b->moments * b->depth;

    memset(b->sum, 0, slices * b->cells * sizeof *b->sum);
    memset(b->decoded, 0, slices * sizeof *b->decoded);
}

void mg_blend_add(mg_blend *b, int moment, const mg_seg_stack *stack, int first)
{
    for (int z = 0; z < stack->slices; z++) {
        size_t to = (size_t)moment * b->depth + first + z;
        const float *logits = stack->logits + z * b->cells;
        if (!stack->prompt[z].has_mask) continue;
        for (size_t i = 0; i < b->cells; i++) b->sum[to * b->cells + i] += logits[i];
        b->decoded[to]++;
    }
}

// The mean is taken before the resizing, which is linear.
void mg_blend_take(mg_blend *b, int moment)
{
    size_t pixels = (size_t)b->frame.height * b->frame.width;

    for (int z = 0; z < b->depth; z++) {
        size_t from = (size_t)moment * b->depth + z;
        float *out = b->volume + z * pixels, *sum = b->sum + from * b->cells;
        if (b->decoded[from] == 0) {
            for (size_t i = 0; i < pixels; i++) out[i] = -INFINITY;
            continue;
        }
        for (size_t i = 0; i < b->cells; i++) sum[i] /= (float)b->decoded[from];
        b->decoded[from] = 1; // the sum is the mean now
        mg_sam_postprocess(out, sum, b->sam, b->frame, b->scratch);
    }
}

// --- the original grid ------------------------------------------------------------------------------

// Between which stored cells a cell of the original grid lies; low < 0: outside.
typedef struct {
    int low, high;
    float part; // of `high`
} spot;

// Original cells of axis a lie at (j - grid[a][0]) / grid[a][1] of the stored grid of n cells.
static void find_spots(spot *out, int full, int n, const double grid[2])
{
    for (int j = 0; j < full; j++) {
        double at = (j - grid[0]) / grid[1];
        if (!(at >= -0.5 && at < n - 0.5)) {
            out[j].low = -1;
            continue;
        }
        at = fmin(fmax(at, 0), n - 1);
        out[j].low = (int)at;
        out[j].high = out[j].low + 1 < n ? out[j].low + 1 : out[j].low;
        out[j].part = (float)(at - out[j].low);
    }
}

// a + part (b - a); an empty neighbour counts from the middle on.
static float between(float a, float b, float part)
{
    if (isinf(a) || isinf(b)) return part < 0.5f ? a : b;
    return a + part * (b - a);
}

static float value_at(const mg_blend *b, const spot *z, const spot *y, const spot *x)
{
    size_t width = (size_t)b->frame.width, pixels = (size_t)b->frame.height * width;
    float side[2];

    for (int k = 0; k < 2; k++) {
        const float *slice = b->volume + (size_t)(k ? z->high : z->low) * pixels;
        const float *low = slice + y->low * width, *high = slice + y->high * width;
        side[k] = between(between(low[x->low], low[x->high], x->part),
                          between(high[x->low], high[x->high], x->part), y->part);
    }
    return between(side[0], side[1], z->part);
}

static bool same_grid(const mg_shard_item *item)
{
    bool same = item->full_depth == item->depth && item->full_height == item->height &&
                item->full_width == item->width;
    for (int a = 0; a < 3 && item->volume; a++)
        same &= item->volume->grid[a][0] == 0 && item->volume->grid[a][1] == 1;
    return same;
}

mg_status mg_blend_mask(const mg_blend *b, const mg_shard_item *item, uint8_t *mask)
{
    static const double unchanged[3][2] = {{0, 1}, {0, 1}, {0, 1}};
    const double(*grid)[2] = item->volume ? item->volume->grid : unchanged;
    int full[3] = {item->full_depth, item->full_height, item->full_width};
    int stored[3] = {item->depth, item->height, item->width};

    if (same_grid(item)) {
        size_t all = (size_t)b->depth * b->frame.height * b->frame.width;
        for (size_t i = 0; i < all; i++) mask[i] = b->volume[i] > 0;
        return MG_OK;
    }
    spot *spots = mg_alloc((size_t)(full[0] + full[1] + full[2]) * sizeof *spots);
    MG_CHECK(spots, MG_ERR_MEMORY, "cannot allocate the way to a grid of %d x %d x %d", full[0],
             full[1], full[2]);
    spot *axis[3] = {spots, spots + full[0], spots + full[0] + full[1]};
    for (int a = 0; a < 3; a++) find_spots(axis[a], full[a], stored[a], grid[a]);
    for (int z = 0; z < full[0]; z++)
        for (int y = 0; y < full[1]; y++)
            for (int x = 0; x < full[2]; x++) {
                bool inside = axis[0][z].low >= 0 && axis[1][y].low >= 0 && axis[2][x].low >= 0;
                *mask++ = inside && value_at(b, &axis[0][z], &axis[1][y], &axis[2][x]) > 0;
            }
    mg_free(spots);
    return MG_OK;
}
