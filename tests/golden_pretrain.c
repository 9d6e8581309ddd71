// Reading pretraining golden files, and their measure of deviation.
#include "tests/golden_pretrain.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"
#include "tests/golden_model.h"

mg_pretrain_config golden_encoder_config(golden *g, const char *group)
{
    mg_pretrain_config c = {.keep = MG_KEEP_ALL, .emix_slots = 1};
    char *prefix = strcmp(group, "/") ? golden_name(g, "%s/", group) : "";
    int64_t img[2] = {0};
    mg_h5_info info;

    if (golden_ints(g, group, "img", img, 2) == 1) img[1] = img[0];
    c.vit = (mg_vit_config){.prefix = "",
                            .Y = (int)img[0],
                            .X = (int)img[1],
                            .C = (int)golden_int(g, group, "chans"),
                            .patch = (int)golden_int(g, group, "patch"),
                            .D = (int)golden_int(g, group, "dim"),
                            .depth = (int)golden_int(g, group, "depth"),
                            .heads = (int)golden_int(g, group, "heads"),
                            .mae = true};
    c.vit.hidden = (int)(c.vit.D * golden_real(g, group, "mlp_ratio"));
    golden_f32(g, golden_name(g, "%sinputs/images", prefix), &info);
    c.leaf = c.each = (int)info.dim[0];
    return c;
}

mg_pretrain_model *golden_pretrain_open(golden *g, const mg_pretrain_config *cfg,
                                        const char *prefix)
{
    mg_pretrain_model *m = NULL;
    mg_status st = mg_pretrain_open(cfg, &m);

    golden_exact(g, !st, "model cannot be opened: %s", mg_err_message());
    if (!st) golden_read_params(g, &m->params, golden_name(g, "%sparams/", prefix));
    return m;
}

mg_pretrain_leaf golden_leaf(golden *g, mg_pretrain_model *m, const char *prefix)
{
    mg_h5_info info;
    const char *group = *prefix ? golden_name(g, "%.*s", (int)strlen(prefix) - 1, prefix) : "/";
    mg_pretrain_leaf leaf = {
        .images = golden_f32(g, golden_name(g, "%sinputs/images", prefix), &info),
        .sample = golden_load(g, golden_name(g, "%srand/sample_index", prefix), MG_U32, NULL),
        .n = (int)info.dim[0],
        .seed = (uint64_t)golden_int(g, group, "seed"),
        .epoch = (uint32_t)golden_int(g, group, "epoch")};
    size_t size = (size_t)leaf.n * m->L * m->vit.cfg.D;
    float *e = golden_alloc(g, size * sizeof *e);

    mg_pretrain_embed(m, e, leaf.images, leaf.n);
    leaf.e = e;
    leaf.de = golden_alloc(g, size * sizeof *e);
    return leaf;
}

static void compare(golden *g, const char *quantity, char *name, const float *a, size_t n,
                    double limit)
{
    mg_h5_info info;
    const float *b = golden_f32(g, name, &info);

    golden_exact(g, (size_t)info.count == n, "'%s' has %lld values, expected %zu", name,
                 (long long)info.count, n);
    if ((size_t)info.count == n) golden_note(g, quantity, golden_max(a, b, n), limit);
}

void golden_out(golden *g, const char *prefix, const char *name, const float *a, size_t n)
{
    compare(g, "forward", golden_name(g, "%sout/%s", prefix, name), a, n, 1e-5);
}

void golden_dout(golden *g, const char *prefix, const char *name, const float *a, size_t n)
{
    compare(g, "grads", golden_name(g, "%sact_grads/%s", prefix, name), a, n, 5e-5);
}

void golden_loss(golden *g, const char *prefix, const char *name, double loss)
{
    const double *want = golden_load(g, golden_name(g, "%sout/%s", prefix, name), MG_F64, NULL);

    golden_note(g, "loss", fabs(loss - *want) / fabs(*want), 1e-5);
}

void golden_pretrain_grads(golden *g, const mg_params *p, float *grads, const char *prefix,
                           bool all)
{
    char *group = golden_name(g, "%sgrads", prefix);
    int count = 0, found = 0;
    char **names = golden_list(g, group, &count);

    for (int i = 0; i < count; i++) {
        int t = mg_params_find(p, names[i]);
        golden_exact(g, t >= 0 && p->list[t].trainable, "no gradient of '%s'", names[i]);
        if (t < 0 || !p->list[t].trainable) continue;
        found++;
        compare(g, "grads", golden_name(g, "%s/%s", group, names[i]), mg_grad(p, grads, t),
                p->list[t].size, 5e-5);
    }
    for (int i = 0; i < p->count; i++) found -= all && p->list[i].trainable;
    golden_exact(g, found >= 0, "%d trained tensors are not in '%s'", -found, group);
}
