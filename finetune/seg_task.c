// One leaf: encoder forward for its pictures, decoder passes target by target, encoder backward.
#include "finetune/seg_task.h"

#include <stdio.h>
#include <string.h>

#include "finetune/seg_prompt.h"
#include "nn/loss.h"
#include "runtime/mem.h"
#include "shard/source.h"

// Sums over the leaves of a step; each already carries 1 / M.
enum { LOSS, DICE_FIRST, DICE_LAST, IOU_ERROR, SCALARS };
static const char *const scalar_names[SCALARS] = {"loss", "dice_first", "dice_last", "iou_error"};

struct mg_seg_task {
    const mg_comm *world;
    mg_seg_model *model;
    const mg_finetune_config *config;
    mg_seg_data *data;
    mg_loader *loader;
    mg_task task;
    mg_clicker *clicker;
    void **slots;           // of the step, borrowed from the loader
    const int64_t *entries; // the same
    int64_t valid_cells;    // of the global batch
    // work space of a leaf
    void *block;
    float *images; // [B, 3, S, S]
    mg_vit_acts vit;
    float *vit_scratch;
    float *dembedding; // [B, N, E]
    char *pass_base;   // a decoder pass is placed here
    float *sam_scratch;
    float *logits; // [cells, cells] of the last chosen mask
    uint8_t *pred; // the same, thresholded
    float *dmasks; // [T, cells, cells]
    float *diou;   // [T]
};

// --- creation ---------------------------------------------------------------------------------------

// The largest pass: every slot, a mask prompt, as many clicks as the schedule can give.
static mg_sam_shape largest_shape(const mg_seg_task *t)
{
    int clicks = MG_MAX_START + (int)t->config->max_corrective + 8;
    return (mg_sam_shape){
        .B = 1, .sparse = clicks + 3, .slots = {0, t->model->sam.T}, .masks = true};
}

static void place(mg_layout *at, mg_seg_task *t, int B)
{
    const mg_seg_model *m = t->model;
    size_t cells = (size_t)m->cells * m->cells, side = (size_t)m->side;
    int tokens = m->vit.gh * m->vit.gw;
    bool recompute = strcmp(t->config->recompute, "block") == 0;
    mg_sam_pass pass;

    t->images = mg_place(at, B * 3 * side * side);
    mg_vit_acts_layout(at, &t->vit, &m->vit, B, tokens, recompute ? MG_KEEP_INPUTS : MG_KEEP_ALL);
    t->vit_scratch = mg_place(at, mg_vit_scratch(&m->vit, B, tokens));
    t->dembedding = mg_place(at, (size_t)B * tokens * m->sam.cfg.prompt_dim);
    mg_layout inner = {0};
    mg_sam_pass_layout(&inner, &pass, &m->sam, largest_shape(t));
    t->pass_base = mg_place_bytes(at, inner.used);
    t->sam_scratch = mg_place(at, mg_sam_scratch(&m->sam, largest_shape(t)));
    t->logits = mg_place(at, cells);
    t->pred = mg_place_bytes(at, cells);
    t->dmasks = mg_place(at, (size_t)m->sam.T * cells);
    t->diou = mg_place(at, (size_t)m->sam.T);
}

static mg_status allocate(mg_seg_task *t, int B)
{
    mg_layout measure = {0};

    place(&measure, t, B);
    t->block = mg_alloc(measure.used);
    MG_CHECK(
        t->block, MG_ERR_MEMORY,
        "cannot allocate %zu bytes of activations for %d pictures of %d px (smaller leaves, or "
        "train.recompute: block, need less)",
        measure.used, B, t->model->side);
    mg_layout at = {.base = t->block};
    place(&at, t, B);
    return mg_clicker_create(1, t->model->cells, t->model->cells, false, 1, &t->clicker);
}

// --- a target ---------------------------------------------------------------------------------------

typedef struct {
    mg_seg_task *t;
    const mg_step *step;
    const mg_seg_sample *sample;
    const float *embedding;
    float *dembedding, *grads;
    double *scalars;
    mg_prompt_key key;
    mg_schedule schedule;
    mg_target target;
    mg_seg_prompt prompt;
} target_run;

static void start_prompt(target_run *r)
{
    const mg_finetune_config *c = r->t->config;
    double weights[MG_PROMPT_KINDS] = {c->click_weight, c->box_weight};

    r->prompt.count = 0;
    r->prompt.has_box = r->prompt.has_mask = false;
    if (mg_prompt_kind_draw(&r->key, weights) == MG_PROMPT_BOX)
        r->prompt.has_box = mg_box_draw(&r->target, 0, mg_finetune_box_mode(c), MG_BOX_FRAME,
                                        &r->key, r->prompt.box);
    else
        r->prompt.count = mg_start_clicks(r->t->clicker, &r->target, mg_finetune_profile(c),
                                          &r->schedule, &r->key, r->prompt.click);
}

static void corrective_click(target_run *r, int stage)
{
    mg_target target = r->target;
    mg_cursor draw = mg_prompt_draw(&r->key, MG_RNG_CLICKS, (uint32_t)stage);

    target.pred = r->t->pred;
    mg_seg_prompt_add(&r->prompt, mg_click_corrective(r->t->clicker, &target, 0,
                                                      mg_finetune_click_mode(r->t->config), &draw,
                                                      r->prompt.click, r->prompt.count));
}

static double pass_loss(target_run *r, const mg_sam_pass *pass, int passes)
{
    mg_seg_task *t = r->t;
    const mg_seg_sample *s = r->sample;
    size_t cells = (size_t)t->model->cells * t->model->cells;
    int M = pass->shape.slots.count;
    double n = (double)r->step->batch * passes;

    memset(t->dmasks, 0, (size_t)M * cells * sizeof *t->dmasks);
    memset(t->diou, 0, (size_t)M * sizeof *t->diou);
    if (t->config->loss[0] == 's') {
        mg_slot_loss slots[MG_MAX_SLOTS];
        int best = 0;
        double loss = mg_sam_loss(t->dmasks, t->diou, &best, slots, pass->masks, pass->iou,
                                  s->target, s->valid, M, cells, t->config->focal_weight, n);
        r->scalars[IOU_ERROR] += slots[best].iou_mse / n;
        return loss;
    }
    return mg_dice_sq_loss(t->dmasks, pass->masks, s->target, s->valid, M, cells, n * M) +
           mg_bce_loss(t->dmasks, pass->masks, s->target, s->valid, M, cells, 1,
                       (double)t->valid_cells * M * passes);
}

// Dice of the thresholded mask on the logit grid; 1 if both are empty.
static double grid_dice(const uint8_t *pred, const mg_seg_sample *s, size_t cells)
{
    int64_t both = 0, sum = 0;
    for (size_t i = 0; i < cells; i++) {
        if (!s->valid[i]) continue;
        both += pred[i] && s->mask[i];
        sum += (pred[i] != 0) + (s->mask[i] != 0);
    }
    return sum ? 2 * (double)both / (double)sum : 1;
}

// Decode, take the loss, go back at once: what is fed to the next pass carries no gradient.
static void run_pass(target_run *r, int i, int passes)
{
    mg_seg_task *t = r->t;
    const mg_seg_model *m = t->model;
    size_t cells = (size_t)m->cells * m->cells;
    mg_sam_prompt prompt = mg_seg_prompt_for(&r->prompt, mg_seg_scale_grid(m->cell), t->logits);
    mg_sam_slots slots = {0, 1};
    mg_layout at = {.base = t->pass_base};
    mg_sam_pass pass;

    if (!m->single_output)
        slots = mg_sam_wanted(&m->sam, r->prompt.count, r->prompt.has_box, false, false);
    mg_sam_pass_layout(&at, &pass, &m->sam, mg_sam_shape_of(&prompt, slots));
    mg_sam_forward(&pass, &m->sam, &m->params, r->embedding, m->code, &prompt, t->sam_scratch);
    r->scalars[LOSS] += pass_loss(r, &pass, passes);
    mg_sam_backward(r->grads, r->dembedding, NULL, t->dmasks, t->diou, &pass, &m->sam, &m->params,
                    m->code, &prompt, t->sam_scratch);

    const float *chosen = pass.masks + (size_t)mg_sam_best(pass.iou, slots.count) * cells;
    memcpy(t->logits, chosen, cells * sizeof *chosen);
    for (size_t c = 0; c < cells; c++) t->pred[c] = chosen[c] > 0;
    r->prompt.has_mask = true;
    double dice = grid_dice(t->pred, r->sample, cells) / (double)r->step->batch;
    if (i == 0) r->scalars[DICE_FIRST] += dice;
    if (i == passes - 1) r->scalars[DICE_LAST] += dice;
}

static void run_target(target_run *r)
{
    const mg_finetune_config *c = r->t->config;
    bool once = strcmp(c->schedule, "single") == 0;

    r->schedule =
        mg_schedule_draw(&r->key, (int)c->max_corrective, strcmp(c->schedule, "sam") == 0);
    if (once) r->schedule.single = true;
    int passes = once ? 1 : r->schedule.passes;
    start_prompt(r);
    for (int i = 0; i < passes; i++) {
        int stage = 0;
        if (mg_schedule_pass(&r->schedule, i, &stage) == MG_PASS_CLICK) corrective_click(r, stage);
        run_pass(r, i, passes);
    }
}

// --- the trainer's calls ----------------------------------------------------------------------------

static mg_status fetch(void *self, const mg_step *step, double *wait_s)
{
    mg_seg_task *t = self;
    return mg_loader_next(t->loader, step->epoch, step->step_in_epoch, &t->slots, &t->entries,
                          wait_s);
}

// The cross entropy is a mean over the valid cells of the whole batch: count them.
static mg_status prepare(void *self, const mg_step *step)
{
    mg_seg_task *t = self;
    int64_t mine = 0;

    for (int64_t i = 0; i < step->hi - step->lo; i++)
        mine += ((const mg_seg_sample *)t->slots[i])->valid_cells;
    t->valid_cells = mg_comm_sum_int(t->world, mine);
    if (t->valid_cells < 1) t->valid_cells = 1;
    return MG_OK;
}

static mg_status leaf(void *self, const mg_step *step, int which, float *grads, double *scalars,
                      const mg_ready *ready)
{
    mg_seg_task *t = self;
    mg_seg_model *m = t->model;
    int B = (int)step->leaf_size;
    size_t pixels = 3 * (size_t)m->side * m->side;
    size_t embedding = (size_t)m->vit.gh * m->vit.gw * m->sam.cfg.prompt_dim;
    void **slot = t->slots + which * step->leaf_size;

    for (int b = 0; b < B; b++)
        memcpy(t->images + b * pixels, ((const mg_seg_sample *)slot[b])->image,
               pixels * sizeof *t->images);
    mg_vit_forward(&t->vit, &m->vit, &m->params, t->images, B, 1, t->vit_scratch);
    memset(t->dembedding, 0, B * embedding * sizeof *t->dembedding);
    for (int b = 0; b < B; b++) {
        const mg_seg_sample *s = slot[b];
        target_run r = {.t = t,
                        .step = step,
                        .sample = s,
                        .embedding = t->vit.out + b * embedding,
                        .dembedding = t->dembedding + b * embedding,
                        .grads = grads,
                        .scalars = scalars,
                        .key = {step->seed, (uint32_t)step->epoch, (uint32_t)s->sample,
                                (uint32_t)s->class_number},
                        .target = {1, m->cells, m->cells, s->mask, NULL, s->ignore}};
        run_target(&r);
    }
    mg_ready_from(ready, &m->params, m->sam.gauss); // the first tensor behind the encoder's
    mg_vit_backward(NULL, grads, &t->vit, &m->vit, &m->params, t->dembedding, t->images, ready,
                    t->vit_scratch);
    return MG_OK;
}

static void record(void *self, const mg_step *step, const double *scalars, mg_json *out)
{
    (void)self, (void)step;
    for (int i = 0; i < SCALARS; i++) mg_json_put_real(out, scalar_names[i], scalars[i]);
}

static void progress(void *self, const double *scalars, char *text, size_t room)
{
    (void)self;
    snprintf(text, room, "loss %.4f dice_first %.3f dice_last %.3f", scalars[LOSS],
             scalars[DICE_FIRST], scalars[DICE_LAST]);
}

static char *describe(void *self, const mg_step *step, int which)
{
    mg_seg_task *t = self;
    int64_t samples[8];
    int n = step->leaf_size < 8 ? (int)step->leaf_size : 8;

    for (int i = 0; i < n; i++)
        samples[i] = ((const mg_seg_sample *)t->slots[which * step->leaf_size + i])->sample;
    return mg_source_names(t->data->reader, samples, n, 8);
}

// The decoder's position code follows from a fixed matrix, so nothing is refreshed after a step.
mg_status mg_seg_task_create(const mg_comm *world, mg_seg_model *model, mg_seg_data *data,
                             const mg_finetune_config *config, const mg_step *share,
                             const char *yaml, mg_seg_task **out)
{
    mg_seg_task *t = mg_calloc(1, sizeof *t);

    *out = NULL;
    MG_CHECK(t, MG_ERR_MEMORY, "cannot allocate a task");
    t->world = world;
    t->model = model;
    t->config = config;
    t->data = data;
    t->task = (mg_task){.self = t,
                        .params = &model->params,
                        .samples = data->count,
                        .scalars = SCALARS,
                        .scalar_name = scalar_names,
                        .losses = 1,
                        .fetch = fetch,
                        .prepare = prepare,
                        .leaf = leaf,
                        .record = record,
                        .progress = progress,
                        .describe = describe,
                        .kind = "finetune",
                        .config = yaml};
    mg_loader_plan plan = {.produce = mg_seg_produce,
                           .ctx = data,
                           .slot_bytes = mg_seg_slot_bytes(data),
                           .lo = share->lo,
                           .hi = share->hi,
                           .ahead = (int)config->data.ahead,
                           .threads = (int)config->data.threads,
                           .seed = share->seed,
                           .samples = data->count,
                           .batch = share->batch};
    mg_status st = allocate(t, (int)share->leaf_size);
    if (!st && data->count >= share->batch) st = mg_loader_open(&plan, &t->loader);
    if (st)
        mg_seg_task_destroy(&t);
    else
        *out = t;
    return st;
}

void mg_seg_task_destroy(mg_seg_task **task)
{
    mg_seg_task *t = *task;

    if (!t) return;
    mg_loader_close(&t->loader);
    mg_clicker_destroy(&t->clicker);
    mg_free(t->block);
    mg_free(t);
    *task = NULL;
}

const mg_task *mg_seg_task_trainer(mg_seg_task *t)
{
    return &t->task;
}
