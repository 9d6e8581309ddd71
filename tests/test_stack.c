// Stacks of slices: the order in which masks are carried, no gradient through a carried mask, the 3-D
// model without training as the 2-D one, and samples drawn from volumes.
#include "tests/check.h"

#include "finetune/seg_eval.h"
#include "finetune/seg_target.h"
#include "finetune/volume_blend.h"
#include "finetune/volume_grid.h"
#include "finetune/volume_session.h"
#include "nn/loss.h"
#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "tests/stack_data.h"

static mg_comm *alone;
static char folder[64];

// --- a model and a target ---------------------------------------------------------------------------

static void open_config(mg_finetune_config *c, const char *const *more, int count)
{
    const char *settings[32] = {BALLS_MODEL};
    mg_option_group group = {mg_finetune_options, c};
    int n = 0;

    while (settings[n]) n++;
    for (int i = 0; i < count; i++) settings[n++] = more[i];
    mg_list sets = {n, (char **)settings};
    memset(c, 0, sizeof *c);
    OK(mg_config_load(&group, 1, "train", NULL, NULL, &sets));
}

// Up-projections of fresh adapters are zeros: give them values. And let mask prompts weigh more.
static void shake(mg_seg_model *m)
{
    for (int i = 0; i < m->params.count; i++) {
        const mg_param *p = &m->params.list[i];
        if (strstr(p->name, "mask_downscaling") && p->ndim > 1)
            check_fill(mg_weight(&m->params, i), p->size, 77 + (uint64_t)i, 1);
        if (strstr(p->name, "D_fc2"))
            check_fill(mg_weight(&m->params, i), p->size, 77 + (uint64_t)i, 0.2);
    }
}

enum { SLICES = 3, CELLS = 16, COUNT = SLICES * CELLS * CELLS };

typedef struct {
    mg_finetune_config config;
    mg_seg_model model;
    mg_clicker *clicker;
    mg_target_work work;
    void *block;
    mg_step step;
    mg_seg_sample sample;
    float target[COUNT];
    uint8_t mask[COUNT], valid[COUNT], ignore[COUNT];
    float *embedding, *dembedding, *grads;
    size_t one; // of the embedding of a slice
    double scalars[MG_SEG_SCALARS];
} bench;

static void open_bench(bench *b, const char *const *more, int count)
{
    memset(b, 0, sizeof *b);
    open_config(&b->config, more, count);
    OK(mg_seg_model_build(&b->config, &b->model));
    shake(&b->model);
    CHECK(b->model.cells == CELLS);
    OK(mg_clicker_create(1, CELLS, CELLS, false, 1, &b->clicker));
    b->work = (mg_target_work){
        .model = &b->model, .config = &b->config, .volumes = true, .clicker = b->clicker};
    mg_layout measure = {0};
    mg_target_work_place(&measure, &b->work, SLICES);
    mg_layout at = {.base = b->block = mg_alloc(measure.used)};
    mg_target_work_place(&at, &b->work, SLICES);
    b->step = (mg_step){.seed = 5, .batch = 1, .leaf_size = 1};
    // A disc that is on all slices but the last, so clicks fall on slice 0 or 1.
    for (int k = 0; k < COUNT; k++) {
        int z = k / (CELLS * CELLS), y = k / CELLS % CELLS, x = k % CELLS;
        b->mask[k] = z < 2 && hypot(y - 6, x - 8 - z) < 3.5;
        b->target[k] = b->mask[k];
        b->valid[k] = y < 14;
        b->ignore[k] = !b->valid[k];
    }
    b->sample = (mg_seg_sample){.class_number = 1,
                                .slices = SLICES,
                                .parts = 1,
                                .target = b->target,
                                .mask = b->mask,
                                .valid = b->valid,
                                .ignore = b->ignore};
    b->one = (size_t)b->model.sam.N * b->model.sam.cfg.prompt_dim;
    b->embedding = mg_alloc(SLICES * b->one * sizeof(float));
    b->dembedding = mg_alloc(SLICES * b->one * sizeof(float));
    b->grads = mg_alloc(b->model.params.trainable_size * sizeof(float));
    check_fill(b->embedding, SLICES * b->one, 3, 0.7);
}

static void close_bench(bench *b)
{
    mg_free(b->embedding), mg_free(b->dembedding), mg_free(b->grads), mg_free(b->block);
    mg_clicker_destroy(&b->clicker);
    mg_seg_model_free(&b->model);
    mg_finetune_config_free(&b->config);
}

// Train on the target; returns the loss.
static double train(bench *b)
{
    mg_target_run r = {.step = &b->step,
                       .sample = &b->sample,
                       .slice_number = 40,
                       .embedding = b->embedding,
                       .dembedding = b->dembedding,
                       .grads = b->grads,
                       .scalars = b->scalars};
    memset(b->dembedding, 0, SLICES * b->one * sizeof(float));
    memset(b->grads, 0, b->model.params.trainable_size * sizeof(float));
    memset(b->scalars, 0, sizeof b->scalars);
    mg_target_train(&b->work, &r);
    return b->scalars[MG_SEG_LOSS];
}

// --- order ------------------------------------------------------------------------------------------

static void expect_plan(const char *prompted, mg_stack_plan plan, int count, const int *order,
                        const int *from)
{
    mg_seg_prompt prompt[8] = {0};
    int got_order[8], got_from[8];
    mg_seg_stack s = {
        .slices = (int)strlen(prompted), .prompt = prompt, .order = got_order, .from = got_from};

    for (int z = 0; z < s.slices; z++) {
        prompt[z].count = prompted[z] == 'x';
        prompt[z].has_box = prompted[z] == 'b';
    }
    mg_seg_stack_plan(&s, plan);
    assert_int_equal(s.count, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(got_order[i], order[i]);
        assert_int_equal(got_from[order[i]], from[i]);
    }
}

static void masks_are_carried_outward(void **state)
{
    (void)state;
    expect_plan("..x.b..", MG_PLAN_CARRY, 7, (const int[]){2, 4, 1, 3, 5, 0, 6},
                (const int[]){-1, -1, 2, 2, 4, 1, 5}); // slice 3: a tie goes to the smaller z
    expect_plan("x...x", MG_PLAN_CARRY, 5, (const int[]){0, 4, 1, 3, 2},
                (const int[]){-1, -1, 0, 4, 1});
    expect_plan("x...x", MG_PLAN_NO_CARRY, 5, (const int[]){0, 4, 1, 3, 2},
                (const int[]){-1, -1, -2, -2, -2});
    expect_plan("...", MG_PLAN_CARRY, 0, NULL, NULL);
    expect_plan(".x.", MG_PLAN_EACH, 3, (const int[]){0, 1, 2}, (const int[]){-1, -1, -1});
}

static void long_cases_are_cut_into_stacks(void **state)
{
    static const struct {
        int depth, D, count, first[4];
    } cases[] = {
        {3, 8, 1, {0}},           {8, 8, 1, {0}},    {9, 8, 2, {0, 1}},       {12, 8, 2, {0, 4}},
        {17, 8, 4, {0, 4, 8, 9}}, {5, 3, 2, {0, 2}}, {4, 1, 4, {0, 1, 2, 3}}, {6, 2, 0, {0}}};

    (void)state;
    for (int k = 0; cases[k].count; k++) {
        assert_int_equal(mg_stack_count(cases[k].depth, cases[k].D), cases[k].count);
        for (int i = 0; i < cases[k].count; i++)
            assert_int_equal(mg_stack_first(cases[k].depth, cases[k].D, i), cases[k].first[i]);
    }
}

// --- gradients --------------------------------------------------------------------------------------

// Loss of one pass with the mask prompts of the pass that `b` made last, at other embeddings: what the
// gradients must belong to.
static double detached_loss(bench *b, const mg_target_work *made, const float *embedding)
{
    mg_seg_stack *s = &b->work.stack;
    const mg_seg_stack *from = &made->stack;
    float iou = 0;

    mg_seg_stack_reset(s, SLICES);
    s->embedding = embedding;
    for (int z = 0; z < SLICES; z++) {
        s->prompt[z] = from->prompt[z];
        s->prompt[z].has_mask = from->from[z] >= 0;
        if (from->from[z] >= 0)
            memcpy(s->logits + z * CELLS * CELLS, from->logits + from->from[z] * CELLS * CELLS,
                   CELLS * CELLS * sizeof(float));
    }
    mg_seg_stack_plan(s, MG_PLAN_EACH);
    mg_seg_stack_decode(s);
    for (int z = 0; z < SLICES; z++) iou += s->iou[z] / SLICES;
    return mg_sam_loss(NULL, NULL, NULL, NULL, s->logits, &iou, b->target, b->valid, NULL, 1, COUNT,
                       20, 1);
}

// Along a direction in the embedding of slice z: derivative by gradient, and by differences of
// `loss`.
static double by_differences(bench *b, const mg_target_work *made, int z, double *along)
{
    size_t all = SLICES * b->one;
    float *v = mg_alloc(b->one * sizeof *v), *moved = mg_alloc(all * sizeof *moved);
    double value[2], h = 2e-3;

    check_fill(v, b->one, 100 + (uint64_t)z, 1);
    *along = 0;
    for (size_t i = 0; i < b->one; i++) *along += v[i] * b->dembedding[z * b->one + i];
    for (int side = 0; side < 2; side++) {
        memcpy(moved, b->embedding, all * sizeof *moved);
        for (size_t i = 0; i < b->one; i++) moved[z * b->one + i] += (float)(side ? -h : h) * v[i];
        if (made) {
            value[side] = detached_loss(b, made, moved);
        } else {
            float *kept = b->embedding;
            b->embedding = moved;
            value[side] = train(b);
            b->embedding = kept;
        }
    }
    mg_free(v), mg_free(moved);
    return (value[0] - value[1]) / (2 * h);
}

static void nothing_flows_through_a_carried_mask(void **state)
{
    static const char *const settings[] = {"prompts.schedule=single", "model.depth_branch=true"};
    static bench b, other; // `other` keeps the pass that `b` is compared with
    double along;

    (void)state;
    open_bench(&b, settings, 2);
    open_bench(&other, settings, 2);
    double loss = train(&b);
    CHECK(loss > 0 && loss == train(&other));
    const mg_seg_stack *s = &other.work.stack;
    assert_int_equal(s->count, SLICES);
    int clicked = s->order[0];
    CHECK(s->prompt[clicked].count == 1 && s->from[clicked] == MG_FROM_ITSELF);
    CHECK(fabs(detached_loss(&b, &other.work, b.embedding) - loss) < 1e-6);
    for (int z = 0; z < SLICES; z++) {
        double differences = by_differences(&b, &other.work, z, &along);
        if (!(fabs(differences - along) <= 0.02 * fabs(along) + 1e-4))
            fail_msg("slice %d: %g by differences, %g by gradient", z, differences, along);
    }
    // The clicked slice moves the others by its mask, and that is not in the gradient.
    double through = by_differences(&b, NULL, clicked, &along);
    train(&b);
    by_differences(&b, &other.work, clicked, &along);
    CHECK(fabs(through - along) > 0.03 * fabs(along));
    close_bench(&b);
    close_bench(&other);
}

// A slice that is not clicked knows of the click by its mask prompt alone.
static void carrying_can_be_left_out(void **state)
{
    static const char *const off[] = {"prompts.schedule=single", "prompts.carry=false"};
    static bench with, without;

    (void)state;
    open_bench(&with, off, 1);
    open_bench(&without, off, 2);
    train(&with);
    train(&without);
    const mg_seg_stack *a = &with.work.stack, *b = &without.work.stack;
    for (int z = 0; z < SLICES; z++) {
        bool same = !memcmp(a->logits + z * CELLS * CELLS, b->logits + z * CELLS * CELLS,
                            CELLS * CELLS * sizeof(float));
        CHECK(same == (z == a->order[0]));
        CHECK((b->given[z].masks != NULL) == false);
        CHECK((a->given[z].masks != NULL) == (z != a->order[0]));
    }
    close_bench(&with);
    close_bench(&without);
}

// prompts.volume slice: each slice with the target gets its own clicks, from its own stream.
static void slices_can_have_their_own_clicks(void **state)
{
    static const char *const settings[] = {"prompts.schedule=single", "prompts.volume=slice"};
    static bench b;

    (void)state;
    open_bench(&b, settings, 2);
    CHECK(train(&b) > 0);
    const mg_seg_stack *s = &b.work.stack;
    for (int z = 0; z < SLICES; z++) {
        assert_int_equal(s->prompt[z].count, z < 2);
        CHECK(!s->given[z].masks);
        mg_prompt_key key = {5, 0, (uint32_t)(40 + z), 1};
        mg_schedule schedule = mg_schedule_draw(&key, 3, false);
        mg_target t = {
            1, CELLS, CELLS, b.mask + z * CELLS * CELLS, NULL, b.ignore + z * CELLS * CELLS};
        mg_click want;
        schedule.single = true;
        if (mg_start_clicks(b.clicker, &t, MG_START_RELATIVE, &schedule, &key, &want))
            CHECK(s->prompt[z].click[0].x == want.x && s->prompt[z].click[0].y == want.y);
    }
    close_bench(&b);
}

// A stack without the target gets no click: nothing is decoded, nothing learnt, nothing wrong.
static void an_empty_stack_is_empty(void **state)
{
    static bench b;

    (void)state;
    open_bench(&b, NULL, 0);
    memset(b.mask, 0, sizeof b.mask);
    memset(b.target, 0, sizeof b.target);
    CHECK(train(&b) == 0);
    CHECK(b.work.stack.count == 0 && b.scalars[MG_SEG_DICE_LAST] == 1);
    close_bench(&b);
}

// --- without training the 3-D model is the 2-D one ----------------------------------------------------

static void fresh_depth_adapters_change_nothing(void **state)
{
    static const char *const settings[] = {"model.depth_branch=true"};
    mg_finetune_config config[2];
    mg_seg_model model[2];
    float *out[2];
    mg_seg_stack stack[2];

    (void)state;
    for (int k = 0; k < 2; k++) {
        open_config(&config[k], settings, k);
        OK(mg_seg_model_build(&config[k], &model[k]));
        for (int i = 0; k && i < model[1].params.count; i++) { // the same weights
            const mg_param *p = &model[1].params.list[i];
            int same = -1;
            for (int j = 0; j < model[0].params.count; j++)
                if (!strcmp(model[0].params.list[j].name, p->name)) same = j;
            CHECK((same < 0) == (strstr(p->name, "Depth_Adapter") != NULL));
            if (same >= 0)
                memcpy(mg_weight(&model[1].params, i), mg_weight(&model[0].params, same),
                       p->size * sizeof(float));
        }
        mg_seg_model_refresh(&model[k]);
        const mg_vit *v = &model[k].vit;
        int tokens = v->gh * v->gw, slices = k ? SLICES : 1;
        size_t pixels = 3 * 32 * 32, one = (size_t)tokens * 16;
        mg_layout measure = {0};
        mg_vit_acts acts;
        mg_vit_acts_layout(&measure, &acts, v, SLICES, tokens, MG_KEEP_NONE);
        mg_layout at = {.base = mg_alloc(measure.used)};
        mg_vit_acts_layout(&at, &acts, v, SLICES, tokens, MG_KEEP_NONE);
        float *scratch = mg_alloc(mg_vit_scratch(v, SLICES, tokens) * sizeof *scratch);
        float *images = mg_alloc(SLICES * pixels * sizeof *images);
        check_fill(images, SLICES * pixels, 8, 1);
        out[k] = mg_alloc(SLICES * one * sizeof(float));
        for (int z = 0; z < SLICES; z += slices) { // one by one, and all at once
            mg_vit_forward(&acts, v, &model[k].params, images + z * pixels, slices, slices,
                           scratch);
            memcpy(out[k] + z * one, acts.out, slices * one * sizeof(float));
        }
        mg_layout need = {0};
        mg_seg_stack_place(&need, &stack[k], &model[k], SLICES, 4, false);
        mg_layout place = {.base = mg_alloc(need.used)};
        mg_seg_stack_place(&place, &stack[k], &model[k], SLICES, 4, false);
        stack[k].volume = true;
        stack[k].scale = mg_seg_scale_grid(2);
        stack[k].embedding = out[k];
        mg_seg_stack_reset(&stack[k], SLICES);
        mg_seg_prompt_add(&stack[k].prompt[1], (mg_click){5, 6, 1, 1});
        mg_seg_stack_plan(&stack[k], MG_PLAN_CARRY);
        mg_seg_stack_decode(&stack[k]);
        mg_free(at.base), mg_free(scratch), mg_free(images);
    }
    CHECK(check_gap(out[1], out[0], SLICES * 16 * 16) <= 1e-5);
    CHECK(check_gap(stack[1].logits, stack[0].logits, COUNT) <= 1e-4);
    for (int k = 0; k < 2; k++) {
        mg_free(out[k]);
        mg_free(stack[k].base);
        mg_seg_model_free(&model[k]);
        mg_finetune_config_free(&config[k]);
    }
}

static void the_depth_branch_needs_adapters(void **state)
{
    static const char *const settings[] = {"model.depth_branch=true", "train.mode=full"};
    mg_finetune_config config;
    mg_seg_model model;

    (void)state;
    open_config(&config, settings, 2);
    FAILS(mg_seg_model_build(&config, &model), MG_ERR_CONFIG, "depth_branch");
    mg_seg_model_free(&model);
    mg_finetune_config_free(&config);
}

// --- samples ----------------------------------------------------------------------------------------

static void stacks_come_from_volumes(void **state)
{
    mg_finetune_config config;
    mg_seg_model model;
    mg_seg_data data;
    mg_reader *reader = NULL;
    char *set = mg_path_join(folder, "set");
    int64_t number = 0;

    (void)state;
    OK(balls_pack(alone, set));
    OK(mg_reader_open((const char *const *)&set, 1, "all", &reader));
    open_config(&config, NULL, 0);
    OK(mg_seg_model_build(&config, &model));
    OK(mg_seg_data_open(reader, &model, &config, NULL, &data));
    CHECK(data.volumes && data.slices == 4 && data.count == BALLS_ITEMS);
    mg_seg_sample *s = mg_alloc(mg_seg_slot_bytes(&data));
    for (int64_t k = 0; k < data.count; k++) {
        int depth = balls_depth((int)k);
        CHECK(data.slice_number[k] == number);
        number += depth;
        for (int epoch = 0; epoch < 3; epoch++) {
            OK(mg_seg_produce(&data, epoch, k, s));
            mg_prompt_key key = {(uint64_t)config.train.seed, (uint32_t)epoch, (uint32_t)k, 0};
            CHECK(s->slices == (depth < 4 ? depth : 4));
            CHECK(s->first == mg_prompt_first_slice(&key, depth, 4));
            CHECK(s->class_number == 1 || (s->class_number == 2 && k != BALLS_PARTIAL));
            // Every cell from the stored label: rows 20 to 27 of 32, columns 24 to 32, 2 px a cell.
            for (int i = 0; i < s->slices * CELLS * CELLS; i++) {
                int y = i / CELLS % CELLS, x = i % CELLS;
                int row = (int)((y + .5) * 2 * 20 / 27), column = (int)((x + .5) * 2 * 24 / 32);
                bool inside = (y + .5) * 2 < 27;
                double z = s->first + i / (CELLS * CELLS);
                CHECK(s->valid[i] == inside && s->ignore[i] == !inside);
                CHECK(s->mask[i] ==
                      (inside && balls_class((int)k, z, row, column) == s->class_number));
                CHECK(s->target[i] == s->mask[i]);
            }
        }
    }
    mg_free(s), mg_free(set);
    mg_seg_data_close(&data);
    mg_reader_close(&reader);
    mg_seg_model_free(&model);
    mg_finetune_config_free(&config);
}

static mg_status keep_dice(void *ctx, const mg_eval_target *target)
{
    double *dice = ctx;
    for (int i = 0; i < target->rows; i++) dice[i] += target->row[i].metric.dice;
    return MG_OK;
}

// A model that knows three masks for one click chooses among them on a slice by itself; through a stack
// runs the single one, whatever the model knows.
static void slices_are_prompted_like_pictures(void **state)
{
    mg_finetune_config config;
    mg_seg_model model;
    mg_reader *reader = NULL;
    mg_evaluator *evaluator = NULL;
    mg_eval_plan plan = {.clicks = {1}, .click_protocols = 1, .slices = 4, .threads = 1};
    char *set = mg_path_join(folder, "set");
    double dice[2][MG_EVAL_MAX_ROWS] = {0};

    (void)state;
    plan.form[MG_EVAL_STACK] = plan.form[MG_EVAL_SLICE] = true;
    OK(mg_reader_open((const char *const *)&set, 1, "all", &reader));
    open_config(&config, NULL, 0);
    OK(mg_seg_model_build(&config, &model));
    for (int single = 0; single < 2; single++) {
        model.single_output = single;
        OK(mg_evaluator_create(&model, reader, &plan, &evaluator));
        for (int64_t i = 0; i < 4; i++)
            OK(mg_evaluator_run(evaluator, i, NULL, keep_dice, dice[single]));
        mg_evaluator_destroy(&evaluator);
    }
    CHECK(dice[0][0] == dice[1][0]);             // stack
    CHECK(fabs(dice[0][1] - dice[1][1]) > 1e-3); // slice
    mg_free(set);
    mg_reader_close(&reader);
    mg_seg_model_free(&model);
    mg_finetune_config_free(&config);
}

// --- a case put together ------------------------------------------------------------------------------

// Logits that depend on the slice alone: means where stacks overlap, a slice that nobody decoded, and a
// grid with twice the slices.
static void stacks_are_blended(void **state)
{
    mg_finetune_config config;
    mg_seg_model model;
    mg_blend blend;
    mg_sam_frame frame = {20, 24, 27, 32};
    enum { PIXELS = 20 * 24 };
    static float logits[4 * CELLS * CELLS];
    static float taken[4 * PIXELS];
    mg_seg_prompt prompt[4] = {0};
    mg_seg_stack s = {.slices = 3, .prompt = prompt, .logits = logits};
    static const float first[3] = {2, -1, 3}, second[3] = {5, -6, 1};

    (void)state;
    open_config(&config, NULL, 0);
    OK(mg_seg_model_build(&config, &model));
    for (int room = 3; room <= 4; room++) { // of a stack, of the whole case
        OK(mg_blend_create(&model, frame, 2, room, &blend));
        for (int which = 0; which < 2;
             which++) { // slices 0 to 2, then 1 to 3, the last not decoded
            for (int z = 0; z < 3; z++) {
                prompt[z].has_mask = !(which && z == 2);
                for (int i = 0; i < CELLS * CELLS; i++)
                    logits[z * CELLS * CELLS + i] = which ? second[z] : first[z];
            }
            mg_blend_add(&blend, 1, &s, which);
            if (which == 0) CHECK(mg_blend_take(&blend, 1, 0, taken)); // no later stack has it
        }
        for (int z = 1; z < 4; z++)
            CHECK(mg_blend_take(&blend, 1, z, taken + z * PIXELS) == (z < 3));
        for (int i = 0; i < PIXELS; i++) {
            CHECK(fabs(taken[i] - 2) < 1e-5 && fabs(taken[PIXELS + i] - 2) < 1e-5);
            CHECK(fabs(taken[2 * PIXELS + i] + 1.5) < 1e-5);
            CHECK(taken[3 * PIXELS + i] == -INFINITY);
        }
        CHECK(!mg_blend_take(&blend, 0, 0, taken) && taken[5] == -INFINITY); // nothing was added
        mg_blend_free(&blend);
    }
    mg_seg_model_free(&model);
    mg_finetune_config_free(&config);
}

// Two slices of 2, one of -1.5 and an empty one, on the same grid and on one with twice the slices.
static void masks_go_to_the_original_grid(void **state)
{
    static const float slice[4] = {2, 2, -1.5f, -INFINITY};
    const int stored[3] = {4, 3, 5}, fine[3] = {8, 3, 5};
    const double same[3][2] = {{0, 1}, {0, 1}, {0, 1}};
    // Original cells 0..7 lie at -.25, .25, .75, ... of the stored grid; 2 turns to -1.5 at 1 + 4/7,
    // between cells 3 (1.25) and 4 (1.75).
    const double half[3][2] = {{0.5, 2}, {0, 1}, {0, 1}};
    // The stored grid begins one slice later, and one column: what is before it is background.
    const double later[3][2] = {{2.5, 2}, {0, 1}, {1, 1}};
    enum { PIXELS = 3 * 5 };
    float logits[4 * PIXELS];
    uint8_t mask[8 * PIXELS];
    mg_grid grid;

    (void)state;
    for (int i = 0; i < 4 * PIXELS; i++) logits[i] = slice[i / PIXELS];
    OK(mg_grid_create(stored, stored, same, &grid));
    mg_grid_mask(&grid, logits, mask);
    for (int i = 0; i < 4 * PIXELS; i++) CHECK(mask[i] == (i < 2 * PIXELS));
    mg_grid_free(&grid);
    OK(mg_grid_create(fine, stored, half, &grid));
    mg_grid_mask(&grid, logits, mask);
    for (int i = 0; i < 8 * PIXELS; i++) CHECK(mask[i] == (i < 4 * PIXELS));
    mg_grid_free(&grid);
    OK(mg_grid_create(fine, stored, later, &grid));
    mg_grid_mask(&grid, logits, mask);
    for (int i = 0; i < 8 * PIXELS; i++)
        CHECK(mask[i] == (i / PIXELS >= 2 && i / PIXELS < 6 && i % 5 >= 1));
    mg_grid_free(&grid);
}

static mg_status count_slices(void *ctx, int first, int slices, uint8_t *out)
{
    enum { BYTES = 20 * 24 * 3 }; // of a slice

    *(int *)ctx += slices;
    for (int i = 0; i < slices * BYTES; i++)
        out[i] = (uint8_t)(i % BYTES * (3 + first + i / BYTES) % 251);
    return MG_OK;
}

// Without keeping, memory does not depend on the number of stacks. Slices are encoded once, with a depth
// branch once for each stack.
static void a_session_holds_one_stack(void **state)
{
    static const char *const settings[] = {"model.depth_branch=true", "model.depth_branch=false"};
    mg_finetune_config config;
    mg_seg_model model;
    mg_volume_session *session;

    (void)state;
    for (int single = 0; single < 2; single++) {
        size_t bytes[2];
        int read = 0, stack = single ? 2 : 4; // new slices of a stack behind the first one
        open_config(&config, settings + single, 1);
        OK(mg_seg_model_build(&config, &model));
        OK(mg_volume_session_create(&model, 4, true, 2, &session));
        for (int k = 0; k < 2; k++) {
            mg_slices from = {k ? 400 : 40, 20, 24, count_slices, &read};
            size_t before = mg_mem_live_bytes();
            OK(mg_volume_session_open(session, &from, false));
            bytes[k] = mg_mem_live_bytes() - before;
            for (int i = 0; i < 3; i++) OK(mg_volume_session_stack(session, i));
            CHECK(mg_mem_live_bytes() - before == bytes[k]);
            mg_volume_session_close(session);
        }
        CHECK(bytes[0] == bytes[1] && read == 2 * (4 + 2 * stack));
        mg_volume_session_destroy(&session);
        mg_seg_model_free(&model);
        mg_finetune_config_free(&config);
    }
}

// Kept or not, in order or with gaps: a stack has the embeddings that it has alone.
static void stacks_share_slices(void **state)
{
    mg_finetune_config config;
    mg_seg_model model;
    mg_volume_session *kept, *sliding, *fresh;
    int read = 0, ignored = 0;
    static const int order[] = {0, 1, 3, 4, 4, 1};

    (void)state;
    open_config(&config, (const char *const[]){"model.depth_branch=false"}, 1);
    OK(mg_seg_model_build(&config, &model));
    size_t floats = 4 * (size_t)model.vit.gh * model.vit.gw * model.sam.cfg.prompt_dim;
    mg_slices from = {13, 20, 24, count_slices, &read}, other = from;
    other.ctx = &ignored;
    OK(mg_volume_session_create(&model, 4, true, 2, &kept));
    OK(mg_volume_session_create(&model, 4, true, 2, &sliding));
    OK(mg_volume_session_create(&model, 4, true, 2, &fresh));
    OK(mg_volume_session_open(kept, &from, true));
    OK(mg_volume_session_open(sliding, &other, false));
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        OK(mg_volume_session_open(fresh, &other, false));
        OK(mg_volume_session_stack(fresh, order[k]));
        OK(mg_volume_session_stack(kept, order[k]));
        OK(mg_volume_session_stack(sliding, order[k]));
        CHECK(check_gap(kept->stack.embedding, fresh->stack.embedding, floats) < 1e-5);
        CHECK(check_gap(sliding->stack.embedding, fresh->stack.embedding, floats) < 1e-5);
    }
    CHECK(read ==
          13 - 1); // stack 2 was never asked for, its slices 4 to 7 lie in 1 and 3; 12 in none
    mg_volume_session_destroy(&kept);
    mg_volume_session_destroy(&sliding);
    mg_volume_session_destroy(&fresh);
    mg_seg_model_free(&model);
    mg_finetune_config_free(&config);
}

static void windows_are_two_rising_numbers(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {{"-160,240", true}, {"5", false},   {"1,2,3", false},
                 {"3,3", false},     {"a,4", false}, {"1,nan", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *set = mg_sprintf("data.window=%s", cases[i].text);
        mg_finetune_config config;
        double window[2];
        const double *given;
        open_config(&config, (const char *const[]){set}, 1);
        if (cases[i].good) {
            OK(mg_finetune_window(&config.window, window, &given));
            CHECK(given == window && window[0] == -160 && window[1] == 240);
        } else {
            FAILS(mg_finetune_window(&config.window, window, &given), MG_ERR_CONFIG, "data.window");
        }
        mg_finetune_config_free(&config);
        mg_free(set);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(masks_are_carried_outward),
                                       cmocka_unit_test(long_cases_are_cut_into_stacks),
                                       cmocka_unit_test(nothing_flows_through_a_carried_mask),
                                       cmocka_unit_test(carrying_can_be_left_out),
                                       cmocka_unit_test(slices_can_have_their_own_clicks),
                                       cmocka_unit_test(an_empty_stack_is_empty),
                                       cmocka_unit_test(fresh_depth_adapters_change_nothing),
                                       cmocka_unit_test(the_depth_branch_needs_adapters),
                                       cmocka_unit_test(stacks_come_from_volumes),
                                       cmocka_unit_test(slices_are_prompted_like_pictures),
                                       cmocka_unit_test(stacks_are_blended),
                                       cmocka_unit_test(masks_go_to_the_original_grid),
                                       cmocka_unit_test(a_session_holds_one_stack),
                                       cmocka_unit_test(stacks_share_slices),
                                       cmocka_unit_test(windows_are_two_rising_numbers)};

    (void)argc, (void)argv;
    if (mg_comm_alone(&alone) || !check_folder(folder, "stack")) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_remove_tree(folder);
    mg_comm_end(&alone);
    return failed;
}
