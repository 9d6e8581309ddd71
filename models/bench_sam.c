// medgraft bench: the SAM encoder alone, and a training step of the Medical SAM Adapter (batch 1, one
// click, backbone frozen) on a made-up picture, as `medgraft finetune` runs it but for reading data.
#include <stdio.h>
#include <string.h>

#include "models/bench.h"
#include "models/sam.h"
#include "models/vit.h"
#include "nn/loss.h"
#include "runtime/mem.h"

typedef struct {
    mg_params params;
    mg_vit vit;
    mg_sam sam;
    mg_updater u;
    mg_vit_acts acts;
    mg_sam_pass pass;
    mg_sam_prompt prompt;
    float *images, *code, *target, *dembedding, *dmasks, *diou, *scratch, *block;
    bool trains;
} sam_step;

static const float click[2] = {100, 200};
static const int32_t foreground = 1;

static void encoder_forward(void *ctx)
{
    sam_step *s = ctx;

    mg_vit_forward(&s->acts, &s->vit, &s->params, s->images, 1, 1, s->scratch);
}

static void msa_step(void *ctx)
{
    sam_step *s = ctx;
    size_t cells = (size_t)16 * s->sam.N, embedding = (size_t)s->sam.N * s->sam.cfg.prompt_dim;
    int slots = s->pass.shape.slots.count;
    float *grads = mg_grad_tree_leaf(s->u.tree, 0);
    mg_ready ready = {mg_grad_tree_ready, s->u.tree};

    encoder_forward(s);
    mg_sam_forward(&s->pass, &s->sam, &s->params, s->acts.out, s->code, &s->prompt, s->scratch);
    memset(s->dembedding, 0, embedding * sizeof(float));
    memset(s->dmasks, 0, cells * (size_t)slots * sizeof(float));
    memset(s->diou, 0, (size_t)slots * sizeof(float));
    mg_sam_loss(s->dmasks, s->diou, NULL, NULL, s->pass.masks, s->pass.iou, s->target, NULL, NULL,
                slots, cells, 20, 1);
    mg_sam_backward(grads, s->dembedding, NULL, s->dmasks, s->diou, &s->pass, &s->sam, &s->params,
                    s->code, &s->prompt, s->scratch);
    mg_vit_backward(NULL, grads, &s->acts, &s->vit, &s->params, s->dembedding, s->images, &ready,
                    s->scratch);
    mg_grad_tree_done(s->u.tree);
    mg_updater_step(&s->u);
}

// The only list of what a step works on.
static void layout(mg_layout *at, sam_step *s, bool trains)
{
    const mg_vit_config *v = &s->vit.cfg;
    int N = s->vit.gh * s->vit.gw;
    size_t cells = (size_t)16 * N, scratch = mg_vit_scratch(&s->vit, 1, N);
    mg_sam_shape shape =
        mg_sam_shape_of(&s->prompt, mg_sam_wanted(&s->sam, 1, false, false, false));

    if (mg_sam_scratch(&s->sam, shape) > scratch) scratch = mg_sam_scratch(&s->sam, shape);
    mg_vit_acts_layout(at, &s->acts, &s->vit, 1, N, trains ? MG_KEEP_ALL : MG_KEEP_NONE);
    s->images = mg_place(at, (size_t)v->C * v->Y * v->X);
    s->scratch = mg_place(at, scratch);
    if (!trains) return;
    mg_sam_pass_layout(at, &s->pass, &s->sam, shape);
    s->code = mg_place(at, (size_t)N * s->sam.cfg.prompt_dim);
    s->dembedding = mg_place(at, (size_t)N * s->sam.cfg.prompt_dim);
    s->target = mg_place(at, cells);
    s->dmasks = mg_place(at, cells * (size_t)shape.slots.count);
    s->diou = mg_place(at, (size_t)shape.slots.count);
}

static mg_status open_model(const mg_bench *b, bool trains, sam_step *s)
{
    mg_sam_config sam = mg_sam_defaults((int)b->side, 16);
    mg_train_mode mode = MG_TRAIN_MSA;
    mg_vit_config v;

    MG_TRY(mg_vit_named(b->size, (int)b->side, &v));
    if (trains) v.adapter = v.D / 4;
    sam.adapters = trains;
    MG_TRY(mg_vit_check(&v));
    MG_TRY(mg_sam_check(&sam));
    mg_vit_add(&s->vit, &s->params, &v);
    s->sam = mg_sam_add(&s->params, &sam);
    MG_TRY(mg_params_precision(&s->params, "bench.precision", b->precision));
    mg_params_train(&s->params, mg_sam_trains, &mode);
    return mg_params_alloc(&s->params);
}

static mg_status sam_open(const mg_bench *b, bool trains, sam_step *s)
{
    mg_layout at = {0};

    *s = (sam_step){
        .trains = trains,
        .prompt = {.B = 1, .has_points = true, .N = 1, .points = click, .labels = &foreground}};
    mg_status st = open_model(b, trains, s);
    if (!st) {
        mg_params_init(&s->params, 1);
        layout(&at, s, trains);
        s->block = mg_alloc(at.used);
        if (!s->block)
            st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes of activations", at.used);
    }
    st = mg_comm_agree(b->world, st);
    if (st) return st;
    at = (mg_layout){.base = (char *)s->block};
    layout(&at, s, trains);
    size_t pixels = (size_t)s->vit.cfg.C * s->vit.cfg.Y * s->vit.cfg.X;
    for (size_t i = 0; i < pixels; i++) s->images[i] = (float)(i * 7919 % 1000) / 500 - 1;
    if (!trains) return MG_OK;
    for (int i = 0; i < 16 * s->sam.N; i++) s->target[i] = i % 3 == 0;
    mg_sam_dense_code(s->code, &s->sam, &s->params);
    return mg_updater_open(b, &s->params, 1, &s->u);
}

static mg_status measure(const mg_bench *b, bool trains)
{
    sam_step s;
    mg_status st = sam_open(b, trains, &s);

    if (!st) {
        double seconds = mg_bench_seconds(b, trains ? msa_step : encoder_forward, &s);
        if (mg_comm_rank(b->world) == 0)
            printf("step %s model %s side %lld batch 1 ranks %d threads %d leaves 1 precision %s "
                   "seconds %.3f rss_mb %.0f\n",
                   trains ? "msa" : "encoder_forward", b->size, (long long)b->side,
                   mg_comm_size(b->world), b->threads, b->precision, seconds,
                   (double)mg_mem_peak_rss() / 1e6);
    }
    mg_updater_close(&s.u);
    mg_params_free(&s.params);
    mg_free(s.block);
    return st;
}

mg_status mg_bench_encoder(const mg_bench *b)
{
    return measure(b, false);
}

mg_status mg_bench_msa(const mg_bench *b)
{
    return measure(b, true);
}
