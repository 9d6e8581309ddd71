// medgraft bench: whole pretraining steps on made-up pictures, as `medgraft pretrain` runs them but
// for the reading of data: forward, backward, sums over leaves and ranks, AdamW.
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "models/bench.h"
#include "models/pretrain_model.h"
#include "models/work.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// --- pretraining ----------------------------------------------------------------------------------

typedef struct {
    mg_pretrain_model *model;
    mg_updater u;
    float *images, *e, *de;
    uint32_t *sample;
    int batch, leaves;
} pretrain_step;

static void mae_step(void *ctx)
{
    pretrain_step *s = ctx;
    int n = s->batch / s->leaves;
    mg_ready ready = {mg_grad_tree_ready, s->u.tree};
    size_t pixels = (size_t)s->model->cfg.vit.C * s->model->cfg.vit.Y * s->model->cfg.vit.X;

    for (int i = 0; i < s->leaves; i++) {
        mg_pretrain_leaf leaf = {.images = s->images + (size_t)i * n * pixels,
                                 .sample = s->sample + i * n,
                                 .n = n,
                                 .epoch = (uint32_t)s->u.step};
        float *grads = mg_grad_tree_leaf(s->u.tree, i);

        mg_pretrain_mae(s->model, &leaf, NULL, n, s->batch, 1, grads, &ready);
        mg_grad_tree_done(s->u.tree);
    }
    mg_updater_step(&s->u);
}

// All three objectives on one leaf; partners are the pictures in reverse.
static void objectives_step(void *ctx)
{
    pretrain_step *s = ctx;
    mg_pretrain_model *m = s->model;
    int n = s->batch, d = m->cfg.emix_dim;
    size_t floats = (size_t)n * m->L * m->cfg.vit.D;
    float *lam = s->de + floats, *z = lam + n, *zm = z + n * d;
    mg_ready ready = {mg_grad_tree_ready, s->u.tree};
    mg_pretrain_leaf leaf = {.images = s->images,
                             .sample = s->sample,
                             .n = n,
                             .epoch = (uint32_t)s->u.step,
                             .e = s->e,
                             .de = s->de};
    float *grads = mg_grad_tree_leaf(s->u.tree, 0);

    mg_pretrain_embed(m, s->e, s->images, n);
    memset(s->de, 0, floats * sizeof *s->de);
    mg_pretrain_mae(m, &leaf, NULL, n, n, 1, grads, NULL);
    mg_pretrain_shed(m, &leaf, NULL, n, n, 1, grads, NULL);
    mg_pretrain_emix_forward(m, 0, &leaf, NULL, n, s->e, lam, z, zm);
    // The contrast itself is n x n products of width d: nothing beside the encoder passes.
    mg_pretrain_emix_backward(m, 0, &leaf, NULL, n, s->e, lam, z, zm, grads, &ready);
    mg_pretrain_embed_backward(m, &leaf, grads);
    mg_grad_tree_done(s->u.tree);
    mg_updater_step(&s->u);
}

// GFLOP of a forward and backward pass over one picture: MAE, and with `all` three full passes beside it
// (e-Mix makes two, ShED one); patches are embedded once for all of them.
static double gflop(const mg_pretrain_model *m, bool all)
{
    mg_vit_work pass = mg_vit_work_of(&m->cfg.vit, m->L, 1);
    double work = mg_mae_work(&m->mae) + (all ? 3 * (pass.products + pass.attention) : 0);

    return 3 * 2e-9 * work;
}

static void pretrain_close(pretrain_step *s)
{
    mg_updater_close(&s->u);
    mg_pretrain_close(&s->model);
    mg_free(s->images), mg_free(s->sample), mg_free(s->e), mg_free(s->de);
}

static mg_status pretrain_open(const mg_bench *b, bool all, int64_t leaves, pretrain_step *s)
{
    mg_pretrain_config cfg;
    int batch = (int)b->batch;
    mg_status st;

    *s = (pretrain_step){.batch = batch, .leaves = (int)leaves};
    MG_TRY(mg_pretrain_defaults(b->size, 224, batch / (int)leaves, &cfg));
    cfg.use_emix = cfg.use_shed = all;
    st = mg_comm_agree(b->world, mg_pretrain_open(&cfg, &s->model));
    if (st) return st;
    size_t pixels = (size_t)batch * 3 * 224 * 224;
    size_t tokens = all ? (size_t)batch * s->model->L * cfg.vit.D : 0;
    s->images = mg_alloc(pixels * sizeof *s->images);
    s->sample = mg_alloc((size_t)batch * sizeof *s->sample);
    s->e = mg_alloc((tokens + 1) * sizeof *s->e);
    s->de = mg_alloc((tokens + (size_t)batch * (2 * cfg.emix_dim + 1)) * sizeof *s->de);
    if (!s->images || !s->sample || !s->e || !s->de)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a batch to measure with");
    st = mg_comm_agree(b->world, st);
    if (!st) st = mg_updater_open(b, &s->model->params, leaves, &s->u);
    if (st) return st;
    MG_TRY(mg_params_precision(&s->model->params, "bench.precision", b->precision));
    mg_pretrain_init(s->model, 1);
    for (size_t i = 0; i < pixels; i++) s->images[i] = (float)(i * 7919 % 1000) / 500 - 1;
    for (int i = 0; i < batch; i++) s->sample[i] = (uint32_t)i;
    return MG_OK;
}

static mg_status measure_pretraining(const mg_bench *b, bool all, int64_t leaves)
{
    pretrain_step s;
    mg_status st = pretrain_open(b, all, leaves, &s);

    if (!st) {
        double flops = gflop(s.model, all);
        double seconds = mg_bench_seconds(b, all ? objectives_step : mae_step, &s);
        double rate = flops * s.batch / seconds;
        if (mg_comm_rank(b->world) == 0)
            printf("step %s model %s side 224 batch %d ranks %d threads %d leaves %lld precision "
                   "%s seconds %.3f images_per_s %.2f gflop_per_image %.1f gflops %.1f "
                   "share_of_sgemm %.3f rss_mb %.0f\n",
                   all ? "mae+emix+shed" : "mae", b->size, s.batch, mg_comm_size(b->world),
                   b->threads, (long long)leaves, b->precision, seconds,
                   s.batch * mg_comm_size(b->world) / seconds, flops, rate, rate / b->sgemm,
                   (double)mg_mem_peak_rss() / 1e6);
    }
    pretrain_close(&s);
    return st;
}

mg_status mg_bench_mae(const mg_bench *b, int64_t leaves)
{
    return measure_pretraining(b, false, leaves);
}

mg_status mg_bench_objectives(const mg_bench *b)
{
    return measure_pretraining(b, true, 1);
}
