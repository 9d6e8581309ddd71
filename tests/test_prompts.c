// Clicks and prompts: the edge cases of prompts-and-metrics.md section 8, tie rules, the laws of the
// random start against brute force, draws of a step, schedules, boxes.
#include "tests/check.h"

#include "finetune/prompts.h"
#include "runtime/mem.h"

enum { H = 24, W = 31, N = H * W };

typedef struct {
    mg_target t;
    uint8_t gt[N], pred[N], ignore[N];
} board;

static board *new_board(int height, int width)
{
    board *b = mg_calloc(1, sizeof *b);
    b->t = (mg_target){1, height, width, b->gt, b->pred, b->ignore};
    return b;
}

static void fill_box(uint8_t *mask, int width, int y0, int x0, int y1, int x1)
{
    for (int y = y0; y < y1; y++) memset(mask + (size_t)y * width + x0, 1, (size_t)(x1 - x0));
}

static mg_clicker *new_clicker(int depth)
{
    mg_clicker *c;
    OK(mg_clicker_create(depth, H, W, depth > 1, 2, &c));
    return c;
}

static void is_click(mg_click c, int x, int y, int z, int label)
{
    if (c.x != x || c.y != y || c.z != z || c.label != label)
        fail_msg("click %d %d %d label %d, expected %d %d %d label %d", c.x, c.y, c.z, c.label, x,
                 y, z, label);
}

#define NO_CLICK -1, -1, -1, -1

typedef mg_click (*slice_rule)(mg_clicker *, const mg_target *, int, const mg_click *, int);
static const slice_rule rules[] = {mg_click_edt, mg_click_component};

static void edge_cases(void **state)
{
    (void)state;
    mg_clicker *c = new_clicker(1);

    for (int r = 0; r < 2; r++) {
        board *b = new_board(H, W);
        // Nothing at all; then a prediction without a target; then a perfect one.
        is_click(rules[r](c, &b->t, 0, NULL, 0), NO_CLICK);
        fill_box(b->pred, W, 3, 4, 8, 9);
        is_click(rules[r](c, &b->t, 0, NULL, 0), 6, 5, 0, 0);
        memcpy(b->gt, b->pred, N);
        is_click(rules[r](c, &b->t, 0, NULL, 0), NO_CLICK);
        // No prediction: the centre of the target.
        memset(b->pred, 0, N);
        is_click(rules[r](c, &b->t, 0, NULL, 0), 6, 5, 0, 1);
        b->t.pred = NULL;
        b->t.ignore = NULL;
        is_click(rules[r](c, &b->t, 0, NULL, 0), 6, 5, 0, 1);
        b->t.pred = b->pred;
        b->t.ignore = b->ignore;
        // All error cells ignored.
        memcpy(b->ignore, b->gt, N);
        is_click(rules[r](c, &b->t, 0, NULL, 0), NO_CLICK);
        // One cell; clicked already; a click on another slice bars nothing.
        memset(b->ignore, 0, N);
        memset(b->gt, 0, N);
        b->gt[7 * W + 11] = 1;
        mg_click first = rules[r](c, &b->t, 0, NULL, 0);
        is_click(first, 11, 7, 0, 1);
        is_click(rules[r](c, &b->t, 0, &first, 1), NO_CLICK);
        mg_click elsewhere = {11, 7, 1, 1};
        is_click(rules[r](c, &b->t, 0, &elsewhere, 1), 11, 7, 0, 1);
        // The whole picture: the border counts as an edge.
        memset(b->gt, 1, N);
        is_click(rules[r](c, &b->t, 0, NULL, 0), 11, 11, 0, 1);
        mg_free(b);
    }
    mg_clicker_destroy(&c);
}

static void thin_pictures(void **state)
{
    (void)state;
    mg_clicker *c = new_clicker(1);
    static const int shape[][2] = {{1, 30}, {20, 1}, {1, 1}};

    for (int s = 0; s < 3; s++)
        for (int r = 0; r < 2; r++) {
            board *b = new_board(shape[s][0], shape[s][1]);
            mg_click used[2];
            memset(b->gt, 1, N);
            used[0] = rules[r](c, &b->t, 0, NULL, 0);
            is_click(used[0], 0, 0, 0, 1);
            used[1] = rules[r](c, &b->t, 0, used, 1);
            if (s == 2)
                is_click(used[1], NO_CLICK);
            else
                is_click(used[1], s == 0, s == 1, 0, 1);
            mg_free(b);
        }
    mg_clicker_destroy(&c);
}

static void ties(void **state)
{
    (void)state;
    mg_clicker *c = new_clicker(3);
    board *b = new_board(8, W);

    // A false positive as deep as the false negative wins by `edt`, the first by `component`.
    fill_box(b->gt, W, 1, 1, 4, 4);
    fill_box(b->pred, W, 1, 11, 4, 14);
    is_click(mg_click_edt(c, &b->t, 0, NULL, 0), 12, 2, 0, 0);
    is_click(mg_click_component(c, &b->t, 0, NULL, 0), 2, 2, 0, 1);
    // A thin region of more cells: component prefers it, edt the deep one.
    fill_box(b->gt, W, 7, 0, 8, 20);
    is_click(mg_click_edt(c, &b->t, 0, NULL, 0), 12, 2, 0, 0);
    is_click(mg_click_component(c, &b->t, 0, NULL, 0), 0, 7, 0, 1);
    // Two regions of a sign that touch by a corner are one.
    memset(b->gt, 0, N);
    memset(b->pred, 0, N);
    fill_box(b->gt, W, 0, 0, 2, 2);
    fill_box(b->gt, W, 2, 2, 4, 4);
    fill_box(b->pred, W, 5, 20, 8, 22);
    is_click(mg_click_component(c, &b->t, 0, NULL, 0), 0, 0, 0, 1);

    // A stack: the deepest slice; equally deep: negative first, then the smaller z.
    memset(b->gt, 0, N);
    memset(b->pred, 0, N);
    b->t.depth = 3;
    fill_box(b->gt + 8 * W, W, 1, 1, 4, 4);
    fill_box(b->pred + 16 * W, W, 1, 1, 4, 4);
    is_click(mg_click_stack(c, &b->t, NULL, 0), 2, 2, 2, 0);
    fill_box(b->pred, W, 1, 6, 4, 9);
    is_click(mg_click_stack(c, &b->t, NULL, 0), 7, 2, 0, 0);
    fill_box(b->gt + 8 * W, W, 0, 0, 6, 6);
    is_click(mg_click_stack(c, &b->t, NULL, 0), 2, 2, 1, 1);
    mg_free(b);
    mg_clicker_destroy(&c);
}

// A slice of thickness 10 mm: in three dimensions everything in it is as deep as the plane says, in
// a thin one the neighbouring slices are nearer.
static void volumes(void **state)
{
    (void)state;
    mg_clicker *c = new_clicker(3);
    board *b = new_board(8, W);
    double thick[3] = {10, 1, 1}, thin[3] = {1, 1, 1};

    b->t.depth = 3;
    fill_box(b->gt + 8 * W, W, 1, 1, 6, 6);
    is_click(mg_click_volume(c, &b->t, thick, NULL, 0), 3, 3, 1, 1);
    is_click(mg_click_volume(c, &b->t, thin, NULL, 0), 1, 1, 1, 1);
    mg_click used[25];
    for (int k = 0; k < 25; k++) {
        used[k] = mg_click_volume(c, &b->t, thin, used, k);
        is_click(used[k], 1 + k % 5, 1 + k / 5, 1, 1);
    }
    is_click(mg_click_volume(c, &b->t, thin, used, 25), NO_CLICK);
    // One slice alone works too: the padding is one slice away.
    b->t = (mg_target){1, 8, W, b->gt + 8 * W, NULL, NULL};
    is_click(mg_click_volume(c, &b->t, thick, NULL, 0), 3, 3, 0, 1);
    mg_free(b);
    mg_clicker_destroy(&c);
}

static void corrective(void **state)
{
    (void)state;
    mg_clicker *c = new_clicker(1);
    board *b = new_board(H, W);
    int seen[N] = {0};

    fill_box(b->gt, W, 2, 2, 9, 9);       // FN, depth 4
    fill_box(b->pred, W, 15, 15, 18, 18); // FP, depth 2
    for (uint32_t k = 0; k < 2000; k++) {
        mg_prompt_key key = {1, 0, k, 1};
        mg_cursor draw = mg_prompt_draw(&key, MG_RNG_CLICKS, 1);
        mg_click any = mg_click_corrective(c, &b->t, 0, MG_CLICK_UNIFORM, &draw, NULL, 0);
        CHECK(draw.next == 1);
        CHECK(any.label == b->gt[any.y * W + any.x] &&
              b->gt[any.y * W + any.x] != b->pred[any.y * W + any.x]);
        seen[any.y * W + any.x]++;
        mg_click inner = mg_click_corrective(c, &b->t, 0, MG_CLICK_INNER, &draw, NULL, 0);
        CHECK(draw.next == 2);
        // Deeper than half of 4: at least 3 from the outside.
        CHECK(inner.label == 1 && abs(inner.x - 5) <= 1 && abs(inner.y - 5) <= 1);
        is_click(mg_click_corrective(c, &b->t, 0, MG_CLICK_CENTRE, &draw, NULL, 0), 5, 5, 0, 1);
        CHECK(draw.next == 2);
    }
    for (int i = 0; i < N; i++) CHECK((seen[i] > 5) == (b->gt[i] != b->pred[i]));

    // Used cells are left out; nothing left gives no click and takes no word.
    mg_prompt_key key = {1, 0, 0, 1};
    mg_click used[58];
    for (int mode = 0; mode < 3; mode++)
        for (int k = 0; k <= 58; k++) {
            mg_cursor draw = mg_prompt_draw(&key, MG_RNG_CLICKS, 1);
            mg_click click = mg_click_corrective(c, &b->t, 0, (mg_click_mode)mode, &draw, used, k);
            CHECK((click.label < 0) == (k == 58));
            if (k == 58) {
                CHECK(draw.next == 0);
                break;
            }
            for (int j = 0; j < k; j++) CHECK(click.x != used[j].x || click.y != used[j].y);
            used[k] = click;
        }
    mg_free(b);
    mg_clicker_destroy(&c);
}

static void random_start(void **state)
{
    (void)state;
    mg_clicker *c = new_clicker(1);
    board *b = new_board(H, W);
    int with_negatives = 0;

    fill_box(b->gt, W, 5, 6, 17, 20);
    fill_box(b->ignore, W, 5, 6, 8, 9);
    fill_box(b->ignore, W, 0, 0, 3, 30);
    for (uint32_t k = 0; k < 300; k++)
        for (int profile = 0; profile < 2; profile++) {
            mg_click clicks[MG_MAX_START];
            mg_prompt_key key = {3, 1, k, 2};
            int n = mg_start_random(c, &b->t, 0, (mg_start_profile)profile, &key, clicks);
            CHECK(n >= 1 && n <= MG_MAX_START && clicks[0].label == 1);
            for (int i = 0; i < n; i++) {
                int at = clicks[i].y * W + clicks[i].x;
                CHECK(clicks[i].label == b->gt[at] && !b->ignore[at]);
                CHECK(i == 0 || clicks[i].label <= clicks[i - 1].label);
                for (int j = 0; j < i; j++)
                    CHECK(clicks[i].x != clicks[j].x || clicks[i].y != clicks[j].y);
            }
            with_negatives += clicks[n - 1].label == 0;
        }
    CHECK(with_negatives > 200);

    // The whole picture: no negatives. Nothing: no positives.
    mg_click clicks[MG_MAX_START];
    memset(b->ignore, 0, N);
    memset(b->gt, 1, N);
    for (uint32_t k = 0; k < 50; k++) {
        mg_prompt_key key = {3, 1, k, 2};
        int n = mg_start_random(c, &b->t, 0, MG_START_RELATIVE, &key, clicks);
        CHECK(n >= 1);
        for (int i = 0; i < n; i++) CHECK(clicks[i].label == 1);
    }
    memset(b->gt, 0, N);
    for (uint32_t k = 0; k < 50; k++) {
        mg_prompt_key key = {3, 1, k, 2};
        int n = mg_start_random(c, &b->t, 0, MG_START_RELATIVE, &key, clicks);
        for (int i = 0; i < n; i++) CHECK(clicks[i].label == 0);
    }
    // One cell is clicked, whatever the margins.
    b->gt[100] = 1;
    for (uint32_t k = 0; k < 50; k++) {
        mg_prompt_key key = {3, 1, k, 2};
        for (int profile = 0; profile < 2; profile++) {
            CHECK(mg_start_random(c, &b->t, 0, (mg_start_profile)profile, &key, clicks) >= 1);
            is_click(clicks[0], 100 % W, 100 / W, 0, 1);
        }
    }
    mg_free(b);
    mg_clicker_destroy(&c);
}

static void start_by_schedule(void **state)
{
    (void)state;
    mg_clicker *c = new_clicker(3);
    board *b = new_board(8, W);
    int slices[3] = {0}, singles = 0;

    b->t.depth = 3;
    fill_box(b->gt, W, 1, 1, 3, 6);           // 10 cells
    fill_box(b->gt + 16 * W, W, 1, 1, 7, 11); // 60 cells
    for (uint32_t k = 0; k < 700; k++) {
        mg_click clicks[MG_MAX_START];
        mg_prompt_key key = {3, 1, k, 2};
        mg_schedule s = mg_schedule_draw(&key, 3, false);
        int n = mg_start_clicks(c, &b->t, MG_START_RELATIVE, &s, &key, clicks);
        CHECK(s.single ? n == 1 : n >= 1);
        CHECK(b->gt[clicks[0].z * 8 * W + clicks[0].y * W + clicks[0].x]);
        for (int i = 1; i < n; i++) CHECK(clicks[i].z == clicks[0].z);
        CHECK(clicks[0].z == mg_start_slice(&b->t, &s));
        slices[clicks[0].z]++;
        singles += s.single;
    }
    CHECK(slices[1] == 0 && abs(slices[0] - 100) < 40);
    CHECK(abs(singles - 350) < 60);
    memset(b->gt, 0, N);
    mg_click clicks[MG_MAX_START];
    mg_prompt_key key = {3, 1, 0, 2};
    mg_schedule s = mg_schedule_draw(&key, 3, false);
    CHECK(mg_start_clicks(c, &b->t, MG_START_RELATIVE, &s, &key, clicks) == 0);
    mg_free(b);
    mg_clicker_destroy(&c);
}

static void schedules(void **state)
{
    (void)state;
    int seen[4][4] = {{0}};

    for (uint32_t k = 0; k < 2000; k++) {
        mg_prompt_key key = {7, 2, k, 5};
        for (int sam = 0; sam < 2; sam++) {
            mg_schedule s = mg_schedule_draw(&key, 3, sam);
            int starts = 0, clicks = 0, repeats = 0;
            CHECK(s.passes == (sam ? 11 : s.clicks + 2));
            for (int i = 0; i < s.passes; i++) {
                int stage;
                mg_pass pass = mg_schedule_pass(&s, i, &stage);
                CHECK((pass == MG_PASS_START) == (i == 0));
                starts += pass == MG_PASS_START;
                if (pass == MG_PASS_CLICK) CHECK(stage == ++clicks);
                if (pass != MG_PASS_REPEAT) continue;
                CHECK(i == s.repeat_after + 1 || (sam && i == s.passes - 1));
                repeats++;
            }
            CHECK(starts == 1 && clicks == s.clicks && repeats == 1 + sam);
            if (sam) CHECK(s.clicks == 8);
            if (!sam) seen[s.clicks][s.repeat_after]++;
        }
    }
    for (int K = 0; K < 4; K++)
        for (int m = 0; m < 4; m++) CHECK(m > K ? !seen[K][m] : seen[K][m] > 2000 / (4 * (K + 2)));

    // The words are those of the stream, in the order of the specification.
    mg_prompt_key key = {7, 2, 9, 5};
    mg_cursor draw = mg_cursor_at(7, 10 + 256 * 5 + ((uint32_t)4095 << 20), 2, 9);
    mg_schedule s = mg_schedule_draw(&key, 5, false);
    CHECK(s.single == (mg_cursor_unit(&draw) < 0.5));
    CHECK(s.clicks == (int)mg_cursor_below(&draw, 6));
    CHECK(s.repeat_after == (int)mg_cursor_below(&draw, (uint32_t)s.clicks + 1));
    CHECK(s.word == mg_cursor_word(&draw));
}

static void draws_of_a_step(void **state)
{
    (void)state;
    double weight[4] = {2, 1, 0, 1};
    int classes[6] = {0}, kinds[4] = {0}, slices[5] = {0};

    for (uint32_t k = 0; k < 3000; k++) {
        mg_prompt_key key = {1, 0, k, k % 7}; // the target must not matter
        mg_prompt_key other = {1, 0, k, 9};
        int c = mg_prompt_class(&key, 1 << 1 | 1 << 3 | 1 << 4);
        CHECK(c == mg_prompt_class(&other, 1 << 1 | 1 << 3 | 1 << 4));
        classes[c]++;
        kinds[mg_prompt_kind_draw(&key, weight)]++;
        slices[mg_prompt_first_slice(&key, 12, 8)]++;
        CHECK(mg_prompt_first_slice(&key, 8, 8) == 0 && mg_prompt_first_slice(&key, 3, 8) == 0);
    }
    CHECK(abs(classes[2] - 1000) < 120 && abs(classes[4] - 1000) < 120 &&
          abs(classes[5] - 1000) < 120);
    CHECK(abs(kinds[0] - 1500) < 150 && abs(kinds[1] - 750) < 120 && kinds[2] == 0);
    for (int i = 0; i < 5; i++) CHECK(abs(slices[i] - 600) < 100);
    mg_prompt_key key = {1, 0, 0, 0};
    CHECK(mg_prompt_class(&key, 0) == 0);
}

static void boxes(void **state)
{
    (void)state;
    board *b = new_board(H, W);
    mg_prompt_key key = {1, 0, 0, 1};
    double box[4];

    for (int mode = 0; mode < 3; mode++) {
        CHECK(!mg_box_draw(&b->t, 0, (mg_box_mode)mode, 1024, &key, box));
        for (int k = 0; k < 4; k++) CHECK(box[k] == -1);
    }
    b->gt[5 * W + 7] = 1;
    CHECK(mg_box_draw(&b->t, 0, MG_BOX_JITTER, 1024, &key, box));
    CHECK(box[0] == 7 && box[1] == 5 && box[2] == 7 && box[3] == 5); // no side, no jitter
    fill_box(b->gt, W, 4, 3, 12, 30);
    b->ignore[4 * W + 29] = 1;
    for (uint32_t k = 0; k < 200; k++) {
        key.sample = k;
        CHECK(mg_box_draw(&b->t, 0, MG_BOX_TIGHT, 1024, &key, box));
        CHECK(box[0] == 3 && box[1] == 4 && box[2] == 29 && box[3] == 11);
        CHECK(mg_box_draw(&b->t, 0, MG_BOX_JITTER, 64, &key, box));
        CHECK(fabs(box[0] - 3) <= 2.6 && fabs(box[1] - 4) <= 0.7 && fabs(box[2] - 29) <= 2.6);
        CHECK(box[2] <= W - 1 && fabs(box[3] - 11) <= 0.7);
        CHECK(mg_box_draw(&b->t, 0, MG_BOX_WIDEN, 64, &key, box));
        CHECK(box[0] >= 0 && box[0] <= 3 && box[1] >= 0 && box[1] <= 4);
        CHECK(box[2] >= 29 && box[2] <= W - 1 && box[3] >= 11 && box[3] <= H - 1);
        CHECK(box[0] == floor(box[0]) && box[3] == floor(box[3]));
    }
    mg_free(b);
}

static void random_cells(void **state)
{
    (void)state;
    mg_clicker *c = new_clicker(1);
    board *b = new_board(H, W);
    mg_prompt_key key = {1, 0, 4, 1};
    mg_click clicks[12];

    fill_box(b->gt, W, 2, 2, 5, 5);
    CHECK(mg_random_cells(c, &b->t, 0, 3, &key, clicks) == 3);
    CHECK(mg_random_cells(c, &b->t, 0, 12, &key, clicks) == 9);
    for (int i = 0; i < 9; i++) {
        CHECK(clicks[i].label == 1 && b->gt[clicks[i].y * W + clicks[i].x]);
        for (int j = 0; j < i; j++) CHECK(clicks[i].x != clicks[j].x || clicks[i].y != clicks[j].y);
    }
    mg_free(b);
    mg_clicker_destroy(&c);
}

static void nothing_is_left_over(void **state)
{
    (void)state;
    CHECK(mg_mem_live() == 0);
}

static void weights_of_cells(void **state)
{
    mg_click clicks[] = {{2, 1, 0, 1}, {9, 1, 0, 0}, {5, 1, 0, 1}};
    uint8_t mask[2 * 130] = {0};
    float weight[2 * 130];
    (void)state;
    fill_box(mask, 130, 0, 0, 2, 7);
    mg_click_weights(weight, mask, 2, 130, clicks, 3);
    for (int y = 0; y < 2; y++)
        for (int x = 0; x < 130; x++) {
            double t = x < 7 ? fmin(hypot(x - 2, y - 1), hypot(x - 5, y - 1)) : hypot(x - 9, y - 1);
            double want = 0.8 + 1.2 * (1 - fmin(t, 100) / 100);
            CHECK(fabs(weight[y * 130 + x] - want) <= 1e-6);
        }
    CHECK(weight[130 + 2] == 2 && fabsf(weight[129] - 0.8f) <= 1e-6f);
    mg_click_weights(weight, mask, 2, 130, clicks, 1); // no negative click
    CHECK(fabsf(weight[130 + 9] - 0.8f) <= 1e-6f && weight[130 + 2] == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edge_cases),
        cmocka_unit_test(thin_pictures),
        cmocka_unit_test(ties),
        cmocka_unit_test(volumes),
        cmocka_unit_test(corrective),
        cmocka_unit_test(random_start),
        cmocka_unit_test(start_by_schedule),
        cmocka_unit_test(schedules),
        cmocka_unit_test(draws_of_a_step),
        cmocka_unit_test(weights_of_cells),
        cmocka_unit_test(boxes),
        cmocka_unit_test(random_cells),
        cmocka_unit_test(nothing_is_left_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
