// Sums over what the stages tell.
#include "models/plan.h"

void mg_plan_training(mg_plan *plan, const mg_plan_settings *s, const mg_train_config *train,
                      const mg_step *share, const mg_params *params)
{
    plan->train = *train;
    plan->share = *share;
    plan->parameters = mg_params_total(params);
    plan->trainable = mg_params_trainable(params);
    plan->weights = params->size * sizeof(float);
    plan->gradient = params->trainable_size * sizeof(float);
    plan->memory = mg_train_memory_of((int)s->ranks, train, share, params);
}

size_t mg_plan_bytes(const mg_plan *p)
{
    return p->weights + p->activations + p->loader + p->other + p->memory.gradients +
           p->memory.moments + p->memory.exchange;
}

size_t mg_plan_checkpoint(const mg_plan *p)
{
    return p->weights + 2 * p->gradient;
}

double mg_plan_sent(const mg_plan *p, int64_t ranks)
{
    double passes = p->train.shard ? 3 : 2, P = (double)ranks;

    return p->sent + passes * (P - 1) / P * (double)p->gradient;
}

mg_plan_time mg_plan_seconds(const mg_plan *p, const mg_plan_settings *s)
{
    const double backward = 2.0 / 3; // of a leaf's time
    double samples = (double)(p->share.hi - p->share.lo);
    mg_plan_time t = {0};

    if (s->gflops > 0) t.compute_s = p->work * samples / (s->gflops * 1e9);
    if (s->gbytes_per_s > 0) t.network_s = mg_plan_sent(p, s->ranks) / (s->gbytes_per_s * 1e9);
    double hidden = backward * t.compute_s / p->share.leaves;
    t.step_s = t.compute_s + (t.network_s > hidden ? t.network_s - hidden : 0);
    return t;
}
