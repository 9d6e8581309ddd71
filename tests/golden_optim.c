// Golden kinds `adamw` and `lr_schedule` (README-pretraining.md).
// Limits: tensors 1e-5 of the largest value; rates 1e-12 of the peak. The norm is that of stored float
// gradients, so it and the clip coefficient are held to 1e-6.
#include <math.h>
#include <string.h>

#include "nn/optim.h"
#include "tests/golden.h"

enum { MAX_TENSORS = 64 };

typedef struct {
    golden *g;
    char **names;
    int count;
    mg_segment list[MAX_TENSORS];
    size_t size;
} tensors;

static tensors list_tensors(golden *g)
{
    tensors t = {.g = g};
    t.names = golden_list(g, "params0", &t.count);
    golden_exact(g, t.count > 0 && t.count <= MAX_TENSORS, "%d tensors", t.count);
    for (int i = 0; i < t.count; i++) {
        mg_h5_info info;
        char *name = golden_name(g, "params0/%s", t.names[i]);
        golden_f32(g, name, &info);
        t.list[i] = (mg_segment){.weight = t.size,
                                 .grad = t.size,
                                 .size = (size_t)info.count,
                                 .decay = (float)golden_real(g, name, "weight_decay")};
        t.size += (size_t)info.count;
    }
    return t;
}

// Copy the tensors of a group into a flat array.
static void gather(const tensors *t, float *flat, const char *group)
{
    for (int i = 0; i < t->count; i++)
        memcpy(flat + t->list[i].grad,
               golden_f32(t->g, golden_name(t->g, "%s/%s", group, t->names[i]), NULL),
               t->list[i].size * sizeof *flat);
}

static void compare(const tensors *t, const char *quantity, const float *flat, const char *group)
{
    for (int i = 0; i < t->count; i++) {
        const float *want = golden_f32(t->g, golden_name(t->g, "%s/%s", group, t->names[i]), NULL);
        golden_note(t->g, quantity, golden_max(flat + t->list[i].grad, want, t->list[i].size),
                    1e-5);
    }
}

void golden_kind_adamw(golden *g)
{
    tensors t = list_tensors(g);
    const mg_adamw o = {golden_real(g, "/", "beta1"), golden_real(g, "/", "beta2"),
                        golden_real(g, "/", "eps")};
    double lr = golden_real(g, "/", "lr"), max_norm = golden_real(g, "/", "max_norm");
    int steps = (int)golden_int(g, "/", "steps");
    float *block = golden_alloc(g, 4 * t.size * sizeof *block);
    float *w = block, *m = w + t.size, *v = m + t.size, *grad = v + t.size;

    gather(&t, w, "params0");
    for (int step = 1; step <= steps; step++) {
        const char *group = golden_name(g, "step%d", step);
        gather(&t, grad, golden_name(g, "%s/grad", group));
        double norm = mg_grad_norm(grad, t.size), clip = mg_clip_coefficient(norm, max_norm);
        golden_note(g, "norm", fabs(norm / golden_real(g, group, "grad_norm") - 1), 1e-6);
        golden_note(g, "clip", fabs(clip / golden_real(g, group, "clip_coef") - 1), 1e-6);
        mg_adamw_update(w, m, v, grad, t.list, t.count, 0, SIZE_MAX, &o, step, lr, clip);
        compare(&t, "param", w, golden_name(g, "%s/param", group));
        compare(&t, "exp_avg", m, golden_name(g, "%s/exp_avg", group));
        compare(&t, "exp_avg_sq", v, golden_name(g, "%s/exp_avg_sq", group));
    }
}

void golden_kind_lr_schedule(golden *g)
{
    int runs;
    char **names = golden_list(g, "/", &runs);

    for (int k = 0; k < runs; k++) {
        const char *run = names[k];
        mg_h5_info info;
        const int64_t *step = golden_load(g, golden_name(g, "%sstep", run), MG_I64, &info);
        const double *lr = golden_load(g, golden_name(g, "%slr", run), MG_F64, NULL);
        int64_t per_epoch = golden_int(g, run, "iters_per_epoch");
        mg_schedule s = {.peak = golden_real(g, run, "lr"),
                         .min = golden_real(g, run, "min_lr"),
                         .warm_up = (double)golden_int(g, run, "warmup_epochs"),
                         .epochs = (double)golden_int(g, run, "epochs")};
        for (int64_t i = 0; i < info.count; i++) {
            double got = mg_schedule_rate(&s, step[i] / per_epoch, step[i] % per_epoch, per_epoch);
            golden_note(g, "rate", fabs(got - lr[i]) / s.peak, 1e-12);
        }
    }
}
