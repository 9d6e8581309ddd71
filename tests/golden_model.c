// Parameters and gradients of golden files by name.
#include "tests/golden_model.h"

#include <string.h>

#include "runtime/mem.h"

int golden_ints(golden *g, const char *object, const char *attr, int64_t *value, int room)
{
    int count = 0;
    mg_status st = mg_h5_attr_ints(golden_file(g), object, attr, value, room, &count);
    golden_exact(g, !st, "attribute '%s' cannot be read", attr);
    return st ? 0 : count;
}

void golden_read_params(golden *g, mg_params *p, const char *group)
{
    for (int i = 0; i < p->count; i++) {
        mg_h5_info info;
        float *w = golden_f32(g, golden_name(g, "%s%s", group, p->list[i].name), &info);
        bool fits = (size_t)info.count == p->list[i].size;

        golden_exact(g, fits, "'%s' has %lld values, expected %zu", p->list[i].name,
                     (long long)info.count, p->list[i].size);
        if (fits) memcpy(mg_weight(p, i), w, p->list[i].size * sizeof *w);
    }
}

void golden_params(golden *g, mg_params *p, const char *group)
{
    mg_params_train(p, NULL, NULL);
    golden_exact(g, mg_params_alloc(p) == MG_OK, "no memory for parameters");
    golden_read_params(g, p, group);
}

void golden_grads(golden *g, const mg_params *p, float *grads, const char *group, const char *extra,
                  const float *extra_grad)
{
    int count = 0, found = 0;
    char **names = golden_list(g, group, &count);
    double top = 0;

    for (int i = 0; i < count; i++) {
        mg_h5_info info;
        float *b = golden_f32(g, golden_name(g, "%s%s", group, names[i]), &info);
        double norm = golden_norm(b, (size_t)info.count);
        top = norm > top ? norm : top;
    }
    for (int i = 0; i < count; i++) {
        mg_h5_info info;
        float *b = golden_f32(g, golden_name(g, "%s%s", group, names[i]), &info);
        int t = mg_params_find(p, names[i]);
        const float *a = t >= 0 ? mg_grad(p, grads, t) : NULL;

        if (extra && !strcmp(names[i], extra)) a = extra_grad;
        golden_exact(g, a, "no gradient of '%s'", names[i]);
        if (!a) continue;
        found += t >= 0;
        golden_note(g, "grads", golden_l2(a, b, (size_t)info.count, 1e-3 * top), 1e-4);
    }
    for (int i = 0; i < p->count; i++) found -= p->list[i].trainable;
    golden_exact(g, found == 0, "%d trained tensors are not in '%s'", -found, group);
}
