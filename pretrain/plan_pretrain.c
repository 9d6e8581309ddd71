// What a pretraining run needs (models/plan.h).
#include <string.h>

#include "models/work.h"
#include "pretrain/cmd.h"
#include "pretrain/health.h"
#include "pretrain/pretrain_task.h"

// Operations of one sample, forward and backward (pretraining.md 5.1); with `split` and `rotate` the mean
// over the objectives.
static double work_of(const mg_pretrain_settings *s, const mg_pretrain_model *m)
{
    bool sum = mg_pretrain_mode_of(s) == MG_MODE_SUM;
    mg_objectives o = mg_pretrain_objectives(s, 2);
    mg_vit_work pass = mg_vit_work_of(&m->cfg.vit, m->L + m->cfg.vit.cls, 1);
    double blocks = pass.products + pass.attention, work = 0;

    if (o.used[0]) work += mg_mae_work(&m->mae);
    if (o.used[1]) work += 2 * blocks;
    if (o.used[2]) work += blocks;
    if ((o.used[1] || o.used[2]) && !o.used[0]) work += pass.embed;
    return 3 * 2 * work / (sum ? 1 : o.count);
}

// Vectors of e-Mix to all ranks, and embeddings of partners to those that mix with them: of a rank's own
// positions all but 1 / ranks go to others.
static double sent_of(const mg_pretrain_settings *s, const mg_pretrain_model *m,
                      const mg_plan_settings *plan)
{
    mg_objectives o = mg_pretrain_objectives(s, 2);
    double others = 1 - 1.0 / (double)plan->ranks;
    double set = (double)(s->train.batch / (mg_pretrain_mode_of(s) == MG_MODE_SPLIT ? o.count : 1));

    if (!o.used[1]) return 0;
    double often = mg_pretrain_mode_of(s) == MG_MODE_ROTATE ? 1.0 / o.count : 1;
    double vectors = set * others * (2 * m->cfg.emix_dim + 1);
    double partners = set / (double)plan->ranks * others * m->L * m->cfg.vit.D;
    return often * (vectors + partners) * sizeof(float);
}

static mg_status fill(const mg_pretrain_settings *s, const mg_plan_settings *plan, mg_plan *out)
{
    mg_pretrain_data data = {.size = (int)s->image};
    mg_pretrain_config config;
    mg_pretrain_model *m = NULL;
    mg_step share = {0};

    MG_TRY(mg_train_check((int)plan->ranks, &s->train));
    mg_train_share(0, (int)plan->ranks, &s->train, &share);
    MG_TRY(mg_pretrain_model_config(s, share.leaf_size, share.leaves, &config));
    MG_TRY(mg_pretrain_plan(&config, &m));
    mg_loader_plan loader = {.slot_bytes = mg_pretrain_floats(&data) * sizeof(float),
                             .lo = share.lo,
                             .hi = share.hi,
                             .ahead = (int)s->data.ahead,
                             .samples = plan->samples};
    mg_plan_training(out, plan, &s->train, &share, &m->params);
    out->activations = m->block_bytes + mg_pretrain_task_bytes(m, &data, s, &share);
    out->loader = mg_loader_bytes(&loader);
    out->other = mg_health_bytes(m, &data, s, (int)plan->ranks);
    out->work = work_of(s, m);
    out->sent = sent_of(s, m, plan);
    mg_pretrain_close(&m);
    return MG_OK;
}

mg_status mg_pretrain_plan_run(const mg_args *args, const mg_option_group *plan, mg_plan *out)
{
    mg_pretrain_settings s = {0};
    mg_option_group groups[2] = {*plan, {mg_pretrain_options, &s}};

    MG_TRY(mg_args_load(args, groups, 2));
    mg_status st = fill(&s, plan->base, out);
    mg_config_free(groups + 1, 1);
    return st;
}
