// Gradients of single objectives on a few samples, two at a time: a pair needs two arrays, and
// computing each gradient twice is cheaper than holding a third array of the size of the model.
#include "pretrain/health_gradients.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"

enum { OBJ_MAE, OBJ_EMIX, OBJ_SHED };

typedef struct {
    mg_pretrain_model *m;
    int count, chunk; // samples in all, and in one call
    uint64_t seed;
    size_t picture, map; // floats of a picture and of its embeddings
    float *images, *e, *de, *partner;
    uint32_t *sample, *pi;
    uint64_t *keys;
    float *lam, *z, *zm, *dz, *dzm, *contrast;
    float *grads[2];
    void *block;
} workspace;

static void place(mg_layout *at, workspace *w)
{
    size_t n = (size_t)w->count, d = n * (size_t)w->m->cfg.emix_dim;

    w->images = mg_place(at, n * w->picture);
    w->e = mg_place(at, n * w->map);
    w->de = mg_place(at, n * w->map);
    w->partner = mg_place(at, n * w->map);
    w->sample = mg_place_bytes(at, n * sizeof *w->sample);
    w->pi = mg_place_bytes(at, n * sizeof *w->pi);
    w->keys = mg_place_bytes(at, 2 * n * sizeof *w->keys);
    w->lam = mg_place(at, n);
    w->z = mg_place(at, d);
    w->zm = mg_place(at, d);
    w->dz = mg_place(at, d);
    w->dzm = mg_place(at, d);
    w->contrast = mg_place(at, mg_emix_contrast_scratch(w->count, w->m->cfg.emix_dim));
    for (int i = 0; i < 2; i++) w->grads[i] = mg_place(at, w->m->params.trainable_size);
}

// Pictures, their embeddings, and those of their partners.
static mg_status load(workspace *w, const mg_pretrain_data *data)
{
    for (int i = 0; i < w->count; i++) {
        int64_t sample = mg_pretrain_spread(data, w->count, i);
        MG_TRY(mg_pretrain_centre(data, sample, w->images + (size_t)i * w->picture));
        w->sample[i] = (uint32_t)sample;
    }
    for (int i = 0; i < w->count; i += w->chunk)
        mg_pretrain_embed(w->m, w->e + (size_t)i * w->map, w->images + (size_t)i * w->picture,
                          w->count - i < w->chunk ? w->count - i : w->chunk);
    mg_emix_pairs(w->pi, w->seed, 0, 0, w->count, w->keys);
    for (int i = 0; i < w->count; i++)
        memcpy(w->partner + (size_t)i * w->map, w->e + (size_t)w->pi[i] * w->map,
               w->map * sizeof(float));
    return MG_OK;
}

static mg_pretrain_leaf leaf_at(const workspace *w, int first)
{
    int left = w->count - first;

    return (mg_pretrain_leaf){.images = w->images + (size_t)first * w->picture,
                              .sample = w->sample + first,
                              .n = left < w->chunk ? left : w->chunk,
                              .seed = w->seed,
                              .e = w->e + (size_t)first * w->map,
                              .de = w->de + (size_t)first * w->map};
}

static void emix_forward(workspace *w, int first)
{
    mg_pretrain_leaf leaf = leaf_at(w, first);
    size_t row = (size_t)first * (size_t)w->m->cfg.emix_dim;

    mg_pretrain_emix_forward(w->m, 0, &leaf, NULL, leaf.n, w->partner + (size_t)first * w->map,
                             w->lam + first, w->z + row, w->zm + row);
}

static void emix_rows(workspace *w, double weight)
{
    const mg_pretrain_config *c = &w->m->cfg;

    for (int i = 0; i < w->count; i += w->chunk) emix_forward(w, i);
    mg_emix_contrast(w->dz, w->dzm, w->z, w->zm, w->lam, w->pi, w->count, c->emix_dim, c->emix_tau,
                     c->emix_batch_mean, weight, 0, w->count, w->contrast);
}

// The gradient of objective k alone.
static void gradient(workspace *w, int k, double weight, float *grads)
{
    size_t d = (size_t)w->m->cfg.emix_dim;

    memset(grads, 0, w->m->params.trainable_size * sizeof *grads);
    memset(w->de, 0, (size_t)w->count * w->map * sizeof *w->de);
    if (k == OBJ_EMIX) emix_rows(w, weight);
    for (int i = 0; i < w->count; i += w->chunk) {
        mg_pretrain_leaf leaf = leaf_at(w, i);
        if (k == OBJ_MAE) {
            mg_pretrain_mae(w->m, &leaf, NULL, leaf.n, w->count, weight, grads, NULL);
        } else if (k == OBJ_SHED) {
            mg_pretrain_shed(w->m, &leaf, NULL, leaf.n, w->count, weight, grads, NULL);
        } else {
            emix_forward(w, i); // the activations of this chunk again
            mg_pretrain_emix_backward(w->m, 0, &leaf, NULL, leaf.n, w->partner + (size_t)i * w->map,
                                      w->lam + i, w->dz + (size_t)i * d, w->dzm + (size_t)i * d,
                                      grads, NULL);
        }
        mg_pretrain_embed_backward(w->m, &leaf, grads);
    }
}

static bool is_shared(const char *name)
{
    static const char *const prefix[] = {"cls_token", "patch_embed.", "blocks.", "norm."};

    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
        if (strncmp(name, prefix[i], strlen(prefix[i])) == 0) return true;
    return false;
}

static double shared_dot(const mg_params *p, float *a, float *b)
{
    double sum = 0;

    for (int i = 0; i < p->count; i++) {
        const float *x = mg_grad(p, a, i), *y = mg_grad(p, b, i);
        if (!x || !is_shared(p->list[i].name)) continue;
        for (size_t k = 0; k < p->list[i].size; k++) sum += (double)x[k] * y[k];
    }
    return sum;
}

static void compare(workspace *w, const mg_objectives *o, mg_health_pull *out)
{
    static const int pair[3][2] = {{OBJ_MAE, OBJ_EMIX}, {OBJ_MAE, OBJ_SHED}, {OBJ_EMIX, OBJ_SHED}};
    const mg_params *p = &w->m->params;

    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 2; j++) {
            int k = pair[i][j];
            if (!o->used[k] || !(isnan(out->norm[k]) || o->used[pair[i][1 - j]])) continue;
            gradient(w, k, o->weight[k], w->grads[j]);
            out->norm[k] = sqrt(shared_dot(p, w->grads[j], w->grads[j]));
        }
        if (!o->used[pair[i][0]] || !o->used[pair[i][1]]) continue;
        out->cosine[i] = shared_dot(p, w->grads[0], w->grads[1]) /
                         (out->norm[pair[i][0]] * out->norm[pair[i][1]]);
    }
}

static workspace workspace_of(mg_pretrain_model *model, const mg_pretrain_data *data, int count)
{
    return (workspace){.m = model,
                       .count = count,
                       .chunk = model->cfg.each,
                       .picture = mg_pretrain_floats(data),
                       .map = (size_t)model->L * model->cfg.vit.D};
}

size_t mg_health_gradients_bytes(mg_pretrain_model *model, const mg_pretrain_data *data, int count)
{
    workspace w = workspace_of(model, data, count);
    mg_layout at = {0};

    place(&at, &w);
    return at.used;
}

mg_status mg_health_gradients(mg_pretrain_model *model, const mg_pretrain_data *data,
                              const mg_objectives *objectives, int count, uint64_t seed,
                              mg_health_pull *out)
{
    workspace w = workspace_of(model, data, count);
    size_t bytes = mg_health_gradients_bytes(model, data, count);

    *out = (mg_health_pull){{NAN, NAN, NAN}, {NAN, NAN, NAN}};
    w.seed = seed;
    w.block = mg_alloc(bytes);
    MG_CHECK(w.block, MG_ERR_MEMORY, "cannot allocate %zu bytes for gradients of each objective",
             bytes);
    mg_layout at = {.base = w.block};
    place(&at, &w);
    mg_status st = load(&w, data);
    if (!st) compare(&w, objectives, out);
    mg_free(w.block);
    return st;
}
