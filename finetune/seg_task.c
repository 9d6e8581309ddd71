// One leaf: encoder forward for its pictures, decoder passes target by target, encoder backward. Pictures
// go through the encoder together, stacks of a volume one after the other.
#include "finetune/seg_task.h"

#include <stdio.h>
#include <string.h>

#include "finetune/seg_target.h"
#include "runtime/mem.h"
#include "shard/source.h"

static const char *const scalar_names[MG_SEG_SCALARS] = {"loss", "dice_first", "dice_last",
                                                         "iou_error"};

struct mg_seg_task {
    const mg_comm *world;
    const mg_seg_model *model;
    const mg_finetune_config *config;
    mg_seg_data *data;
    mg_loader *loader;
    mg_task task;
    mg_clicker *clicker;
    void **slots;           // of the step, borrowed from the loader
    const int64_t *entries; // the same
    // work space of a leaf
    void *block;
    float *images; // [B, 3, S, S]
    mg_vit_acts vit;
    float *vit_scratch;
    float *dembedding; // [B, N, E]
    mg_target_work work;
};

// --- creation ---------------------------------------------------------------------------------------

// For B images that go through the encoder together.
static void place(mg_layout *at, mg_seg_task *t, int B)
{
    const mg_seg_model *m = t->model;
    size_t side = (size_t)m->side;
    int tokens = m->vit.gh * m->vit.gw;
    bool recompute = strcmp(t->config->recompute, "block") == 0;

    t->images = mg_place(at, B * 3 * side * side);
    mg_vit_acts_layout(at, &t->vit, &m->vit, B, tokens, recompute ? MG_KEEP_INPUTS : MG_KEEP_ALL);
    t->vit_scratch = mg_place(at, mg_vit_scratch(&m->vit, B, tokens));
    t->dembedding = mg_place(at, (size_t)B * tokens * m->sam.cfg.prompt_dim);
    mg_target_work_place(at, &t->work, t->data->slices);
}

// Images that go through the encoder together.
static int group_size(const mg_seg_data *data, int leaf_size)
{
    return data->volumes ? data->slices : leaf_size;
}

// Bytes of a task's block.
static size_t measure(mg_seg_task *t, int B)
{
    mg_layout at = {0};

    t->work = (mg_target_work){
        .model = t->model, .config = t->config, .volumes = t->data->volumes, .clicker = t->clicker};
    place(&at, t, B);
    return at.used;
}

size_t mg_seg_task_bytes(const mg_seg_model *model, mg_seg_data *data,
                         const mg_finetune_config *config, int leaf_size)
{
    mg_seg_task t = {.model = model, .config = config, .data = data};
    return measure(&t, group_size(data, leaf_size));
}

static mg_status allocate(mg_seg_task *t, int leaf_size)
{
    int B = group_size(t->data, leaf_size);

    MG_TRY(mg_clicker_create(1, t->model->cells, t->model->cells, false, 1, &t->clicker));
    size_t bytes = measure(t, B);
    t->block = mg_alloc(bytes);
    MG_CHECK(
        t->block, MG_ERR_MEMORY,
        "cannot allocate %zu bytes of activations for %d pictures of %d px (smaller leaves, fewer "
        "model.slices or train.recompute: block need less)",
        bytes, B, t->model->side);
    mg_layout at = {.base = t->block};
    place(&at, t, B);
    return MG_OK;
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
    mine = mg_comm_sum_int(t->world, mine);
    t->work.valid_cells = mine > 1 ? mine : 1;
    return MG_OK;
}

// Samples whose images go through the encoder together, `n` of the same number of slices: forward,
// their targets, backward. `last`: nothing follows in this leaf.
static void run_group(mg_seg_task *t, const mg_step *step, void **slot, int n, float *grads,
                      double *scalars, const mg_ready *last)
{
    const mg_seg_model *m = t->model;
    int slices = ((const mg_seg_sample *)slot[0])->slices, B = n * slices;
    size_t pixels = (size_t)slices * 3 * m->side * m->side;
    size_t cells = (size_t)m->cells * m->cells;
    size_t embedding = (size_t)slices * m->vit.gh * m->vit.gw * m->sam.cfg.prompt_dim;

    for (int b = 0; b < n; b++)
        memcpy(t->images + b * pixels, ((const mg_seg_sample *)slot[b])->image,
               pixels * sizeof *t->images);
    mg_vit_forward(&t->vit, &m->vit, &m->params, t->images, B, m->vit.cfg.depth_branch ? slices : 1,
                   t->vit_scratch);
    memset(t->dembedding, 0, n * embedding * sizeof *t->dembedding);
    for (int b = 0; b < n; b++) {
        const mg_seg_sample *s = slot[b];
        mg_target_run r = {.step = step,
                           .slice_number = t->data->slice_number[s->sample] + s->first,
                           .embedding = t->vit.out + b * embedding,
                           .dembedding = t->dembedding + b * embedding,
                           .grads = grads,
                           .scalars = scalars};
        for (int p = 0; p < s->parts; p++) {
            mg_seg_sample part = mg_seg_sample_part(s, p, cells);
            r.sample = &part;
            mg_target_train(&t->work, &r);
        }
    }
    mg_ready_from(last, &m->params, m->sam.gauss); // the first tensor behind the encoder's
    mg_vit_backward(NULL, grads, &t->vit, &m->vit, &m->params, t->dembedding, t->images, last,
                    t->vit_scratch);
}

static mg_status leaf(void *self, const mg_step *step, int which, float *grads, double *scalars,
                      const mg_ready *ready)
{
    mg_seg_task *t = self;
    int samples = (int)step->leaf_size, n = t->data->volumes ? 1 : samples;
    void **slot = t->slots + which * step->leaf_size;

    for (int b = 0; b < samples; b += n)
        run_group(t, step, slot + b, n, grads, scalars, b + n == samples ? ready : NULL);
    return MG_OK;
}

static void record(void *self, const mg_step *step, const double *scalars, mg_json *out)
{
    (void)self, (void)step;
    for (int i = 0; i < MG_SEG_SCALARS; i++) mg_json_put_real(out, scalar_names[i], scalars[i]);
}

static void progress(void *self, const double *scalars, char *text, size_t room)
{
    (void)self;
    snprintf(text, room, "loss %.4f dice_first %.3f dice_last %.3f", scalars[MG_SEG_LOSS],
             scalars[MG_SEG_DICE_FIRST], scalars[MG_SEG_DICE_LAST]);
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
                        .scalars = MG_SEG_SCALARS,
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
