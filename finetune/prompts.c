// Training prompts. Every draw takes exactly one word of its stream, also from a list of one.
#include "finetune/prompts.h"

#include <math.h>

#include "finetune/distance.h"

static const double pi = 3.14159265358979323846;

mg_cursor mg_prompt_draw(const mg_prompt_key *key, mg_rng_purpose purpose, uint32_t stage)
{
    uint32_t word = (uint32_t)purpose + (key->target << 8) + (stage << 20);
    return mg_cursor_at(key->seed, word, key->epoch, key->sample);
}

static mg_cursor draw_of_step(const mg_prompt_key *key, uint32_t stage)
{
    mg_prompt_key any_target = *key;
    any_target.target = 0;
    return mg_prompt_draw(&any_target, MG_RNG_CLICKS, stage);
}

int mg_prompt_class(const mg_prompt_key *key, uint32_t present)
{
    mg_cursor draw = draw_of_step(key, MG_STAGE_CLASS);
    uint32_t n = mg_cursor_below(&draw, (uint32_t)__builtin_popcount(present));

    for (int c = 1; c <= 32; c++)
        if (present >> (c - 1) & 1 && n-- == 0) return c;
    return 0;
}

int mg_prompt_first_slice(const mg_prompt_key *key, int depth, int slices)
{
    mg_cursor draw = draw_of_step(key, MG_STAGE_SLICE);
    int starts = depth - slices + 1;
    return (int)mg_cursor_below(&draw, starts > 1 ? (uint32_t)starts : 1);
}

mg_prompt_kind mg_prompt_kind_draw(const mg_prompt_key *key, const double weight[MG_PROMPT_KINDS])
{
    mg_cursor draw = draw_of_step(key, MG_STAGE_KIND);
    double total = 0, sum = 0;
    int last = 0;

    for (int k = 0; k < MG_PROMPT_KINDS; k++) total += weight[k];
    double u = mg_cursor_unit(&draw) * total;
    for (int k = 0; k < MG_PROMPT_KINDS; k++) {
        sum += weight[k];
        if (weight[k] > 0) last = k;
        if (u < sum) return (mg_prompt_kind)k;
    }
    return (mg_prompt_kind)last;
}

// --- passes ------------------------------------------------------------------------------------------

enum { SAM_CLICKS = 8 };

mg_schedule mg_schedule_draw(const mg_prompt_key *key, int max_corrective, bool sam)
{
    mg_cursor draw = mg_prompt_draw(key, MG_RNG_CLICKS, MG_STAGE_SCHEDULE);
    mg_schedule s = {.repeat_at_end = sam};

    s.single = mg_cursor_unit(&draw) < 0.5;
    s.clicks = (int)mg_cursor_below(&draw, (uint32_t)max_corrective + 1);
    if (sam) s.clicks = SAM_CLICKS;
    s.repeat_after = (int)mg_cursor_below(&draw, (uint32_t)s.clicks + 1);
    s.word = mg_cursor_word(&draw);
    s.passes = s.clicks + 2 + sam;
    return s;
}

mg_pass mg_schedule_pass(const mg_schedule *s, int i, int *stage)
{
    bool later = i > s->repeat_after;

    *stage = i - later; // the repeat took one pass
    if (i == s->repeat_after + 1 || *stage > s->clicks) {
        *stage = 0;
        return MG_PASS_REPEAT;
    }
    return *stage == 0 ? MG_PASS_START : MG_PASS_CLICK;
}

// --- random start ------------------------------------------------------------------------------------

// Distances of a random start, in cells.
typedef struct {
    double pos_margin, pos_step, neg_min, neg_max, neg_step;
    int positives, negatives;
} start_law;

static double pick(mg_cursor *draw, const double *list, uint32_t length)
{
    return list[mg_cursor_below(draw, length)];
}

// The draws of 5.1, always all of them; `deepest` is the largest squared depth of the target.
static start_law draw_law(mg_cursor *draw, mg_start_profile profile, int32_t deepest, int64_t area)
{
    static const double margins[] = {5, 10, 15, 20}, steps[] = {7, 10, 20};
    static const double nearest[] = {15, 40, 60}, farthest[] = {80}, neg_steps[] = {10, 15, 25};
    static const double r_margin[] = {0.2}, r_step[] = {0.2}, r_min[] = {0.06}, r_max[] = {0.48};
    double r = sqrt(deepest), d = 2 * sqrt((double)area / pi);
    start_law law;

    law.positives = 1 + (int)mg_cursor_below(draw, 10);
    law.negatives = (int)mg_cursor_below(draw, 11);
    if (profile == MG_START_PIXEL) {
        law.pos_margin = pick(draw, margins, 4);
        law.pos_step = pick(draw, steps, 3);
        law.neg_min = pick(draw, nearest, 3);
        law.neg_max = pick(draw, farthest, 1);
        law.neg_step = pick(draw, neg_steps, 3);
        return law;
    }
    law.pos_margin = floor(pick(draw, r_margin, 1) * r);
    law.pos_step = floor(pick(draw, r_step, 1) * d);
    double low = pick(draw, r_min, 1), high = pick(draw, r_max, 1);
    law.neg_min = fmin(fmax(floor(low * r), 3), 10);
    law.neg_max = law.neg_min * (high / low);
    law.neg_step = floor(pick(draw, r_step, 1) * d);
    return law;
}

// The cells of the target that count: gt without ignored cells, as ones or as zeros.
static int64_t mark_target(uint8_t *mask, const mg_target *t, int z, uint8_t inside)
{
    size_t cells = (size_t)t->height * t->width, at = (size_t)z * cells;
    int64_t area = 0;

    for (size_t i = 0; i < cells; i++) {
        bool in = t->gt[at + i] && !(t->ignore && t->ignore[at + i]);
        mask[i] = in ? inside : !inside;
        area += in;
    }
    return area;
}

// Up to `wanted` clicks from a list of cells, each farther than `step` from those before.
static int click_apart(int32_t *list, int64_t n, int width, int z, int label, int wanted,
                       double step, mg_cursor *draw, mg_click *clicks)
{
    int count = 0;

    while (count < wanted && n > 0) {
        int32_t cell = list[mg_cursor_below(draw, (uint32_t)n)];
        mg_click *click = &clicks[count++];
        *click = (mg_click){cell % width, cell / width, z, label};
        int64_t kept = 0;
        for (int64_t i = 0; i < n; i++) {
            double dx = list[i] % width - click->x, dy = list[i] / width - click->y;
            if (dx * dx + dy * dy > step * step) list[kept++] = list[i];
        }
        n = kept;
    }
    return count;
}

static int positive_clicks(mg_clicker *c, const mg_target *t, int z, const start_law *law,
                           int32_t deepest, mg_cursor *draw, mg_click *clicks)
{
    size_t cells = (size_t)t->height * t->width, centre = 0;
    const int32_t *d2 = c->d2[0];
    int64_t n = 0;

    for (size_t i = 0; i < cells; i++)
        if (d2[i] > 0 && d2[i] > law->pos_margin * law->pos_margin) c->labels[0][n++] = (int32_t)i;
    int count =
        click_apart(c->labels[0], n, t->width, z, 1, law->positives, law->pos_step, draw, clicks);
    if (count || deepest == 0) return count;
    while (d2[centre] != deepest) centre++;
    clicks[0] = (mg_click){(int)(centre % t->width), (int)(centre / t->width), z, 1};
    return 1;
}

static int negative_clicks(mg_clicker *c, const mg_target *t, int z, const start_law *law,
                           bool empty, mg_cursor *draw, mg_click *clicks)
{
    size_t cells = (size_t)t->height * t->width, at = (size_t)z * cells;
    double low = law->neg_min * law->neg_min, high = law->neg_max * law->neg_max;
    const int32_t *d2 = c->d2[1];
    int64_t n = 0;

    if (!empty) {
        mark_target(c->mask, t, z, 0);
        mg_distance_int(c->d2[1], c->mask, t->width, t->height, t->width, false, c->lines);
    }
    for (size_t i = 0; i < cells; i++) {
        if (t->ignore && t->ignore[at + i]) continue;
        if (empty || (d2[i] > low && d2[i] < high)) c->labels[0][n++] = (int32_t)i;
    }
    return click_apart(c->labels[0], n, t->width, z, 0, law->negatives, law->neg_step, draw,
                       clicks);
}

int mg_start_random(mg_clicker *c, const mg_target *t, int z, mg_start_profile profile,
                    const mg_prompt_key *key, mg_click *clicks)
{
    mg_cursor draw = mg_prompt_draw(key, MG_RNG_CLICKS, MG_STAGE_START);
    size_t cells = (size_t)t->height * t->width;
    int32_t deepest = 0;

    int64_t area = mark_target(c->mask, t, z, 1);
    mg_distance_int(c->d2[0], c->mask, t->width, t->height, t->width, true, c->lines);
    for (size_t i = 0; i < cells; i++) deepest = c->d2[0][i] > deepest ? c->d2[0][i] : deepest;
    start_law law = draw_law(&draw, profile, deepest, area);
    int count = positive_clicks(c, t, z, &law, deepest, &draw, clicks);
    return count + negative_clicks(c, t, z, &law, area == 0, &draw, clicks + count);
}

// --- start by schedule -------------------------------------------------------------------------------

static bool in_target(const mg_target *t, size_t i)
{
    return t->gt[i] && !(t->ignore && t->ignore[i]);
}

// The uniform cell of the schedule over the whole target, -1 if it is empty.
static int64_t uniform_cell(const mg_target *t, const mg_schedule *s)
{
    size_t cells = (size_t)t->depth * t->height * t->width;
    uint32_t area = 0;

    for (size_t i = 0; i < cells; i++) area += in_target(t, i);
    if (!area) return -1;
    uint32_t n = mg_rng_below(s->word, area);
    for (size_t i = 0;; i++)
        if (in_target(t, i) && n-- == 0) return (int64_t)i;
}

int mg_start_slice(const mg_target *t, const mg_schedule *s)
{
    int64_t cell = uniform_cell(t, s);
    return cell < 0 ? 0 : (int)(cell / ((int64_t)t->height * t->width));
}

int mg_start_clicks(mg_clicker *c, const mg_target *t, mg_start_profile profile,
                    const mg_schedule *s, const mg_prompt_key *key, mg_click *clicks)
{
    int64_t cell = uniform_cell(t, s), slice = (int64_t)t->height * t->width;

    if (cell < 0) return 0;
    int z = (int)(cell / slice);
    if (!s->single) return mg_start_random(c, t, z, profile, key, clicks);
    clicks[0] = (mg_click){(int)(cell % slice % t->width), (int)(cell % slice / t->width), z, 1};
    return 1;
}

int mg_random_cells(mg_clicker *c, const mg_target *t, int z, int k, const mg_prompt_key *key,
                    mg_click *clicks)
{
    mg_cursor draw = mg_prompt_draw(key, MG_RNG_CLICKS, MG_STAGE_START);
    size_t cells = (size_t)t->height * t->width, at = (size_t)z * cells;
    int64_t n = 0;

    for (size_t i = 0; i < cells; i++)
        if (in_target(t, at + i)) c->labels[0][n++] = (int32_t)i;
    // A step of 0 leaves out only the cells that were taken.
    return click_apart(c->labels[0], n, t->width, z, 1, k, 0, &draw, clicks);
}

// --- weights of cells --------------------------------------------------------------------------------

void mg_click_weights(float *weight, const uint8_t *mask, int height, int width,
                      const mg_click *click, int count)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            size_t i = (size_t)y * width + x;
            double nearest = 100;
            for (int k = 0; k < count; k++)
                if (click[k].label == (mask[i] != 0))
                    nearest = fmin(nearest, hypot(click[k].x - x, click[k].y - y));
            weight[i] = (float)(0.8 + 1.2 * (1 - nearest / 100));
        }
}

// --- boxes -------------------------------------------------------------------------------------------

// Tight box; false if the target is empty.
static bool tight_box(const mg_target *t, int z, double box[4])
{
    size_t i = (size_t)z * t->height * t->width;
    int x0 = t->width, y0 = t->height, x1 = -1, y1 = -1;

    for (int y = 0; y < t->height; y++)
        for (int x = 0; x < t->width; x++, i++) {
            if (!in_target(t, i)) continue;
            x0 = x < x0 ? x : x0;
            x1 = x > x1 ? x : x1;
            y0 = y < y0 ? y : y0;
            y1 = y;
        }
    box[0] = x0, box[1] = y0, box[2] = x1, box[3] = y1;
    if (x1 < 0) box[0] = box[1] = box[2] = box[3] = -1;
    return x1 >= 0;
}

bool mg_box_draw(const mg_target *t, int z, mg_box_mode mode, double image_long,
                 const mg_prompt_key *key, double box[4])
{
    mg_cursor draw = mg_prompt_draw(key, MG_RNG_BOXES, 0);
    int longer = t->height > t->width ? t->height : t->width;
    double cap = 20.0 * longer / image_long;

    if (!tight_box(t, z, box)) return false;
    if (mode == MG_BOX_TIGHT) return true;
    double side[2] = {box[2] - box[0], box[3] - box[1]}, last[2] = {t->width - 1, t->height - 1};
    for (int k = 0; k < 4; k++) {
        if (mode == MG_BOX_JITTER)
            box[k] += (2 * mg_cursor_unit(&draw) - 1) * fmin(0.1 * side[k % 2], cap);
        else
            box[k] += (k < 2 ? -1.0 : 1.0) * mg_cursor_below(&draw, (uint32_t)floor(cap) + 1);
        box[k] = fmin(fmax(box[k], 0), last[k % 2]);
    }
    return true;
}
