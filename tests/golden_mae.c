// Golden files of kind mae: the default MAE, its variants (class token, raw pixels, dense), and the
// three objectives together, whose heads lie in the emix and shed files of the same folder.
#include <math.h>
#include <string.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "tests/golden_model.h"
#include "tests/golden_pretrain.h"

static mg_pretrain_config mae_config(golden *g, const char *group)
{
    mg_pretrain_config c = golden_encoder_config(g, group);
    char *objective = NULL;

    c.use_mae = true;
    c.mae = (mg_mae_config){.ratio = golden_real(g, group, "mask_ratio"),
                            .norm_pix = golden_int(g, group, "norm_pix_loss") != 0,
                            .D = (int)golden_int(g, group, "dec_dim"),
                            .depth = (int)golden_int(g, group, "dec_depth"),
                            .heads = (int)golden_int(g, group, "dec_heads")};
    c.mae.hidden = (int)(c.mae.D * golden_real(g, group, "mlp_ratio"));
    c.vit.cls = golden_int(g, group, "use_cls") != 0;
    if (!mg_h5_attr_text(golden_file(g), group, "objective", &objective))
        c.mae.dense = strcmp(objective, "dense") == 0;
    mg_free(objective);
    return c;
}

static void compare_draw(golden *g, const mg_pretrain_model *m, const char *prefix, int B)
{
    const int32_t *want =
        golden_load(g, golden_name(g, "%srand/ids_shuffle", prefix), MG_I32, NULL);

    golden_exact(g, !memcmp(want, m->mae_acts.shuffle, (size_t)B * m->L * sizeof *want),
                 "%sids_shuffle differs from the draw", prefix);
}

// Rows after the class token.
static float *without_class(golden *g, const mg_pretrain_model *m, const float *x, int B, int n)
{
    int cls = m->vit.cfg.cls ? 1 : 0;
    float *out = golden_alloc(g, (size_t)B * m->L * n * sizeof *out);

    for (int b = 0; b < B; b++)
        memcpy(out + (size_t)b * m->L * n, x + ((size_t)b * (cls + m->L) + cls) * n,
               (size_t)m->L * n * sizeof *out);
    return out;
}

static void compare_forward(golden *g, mg_pretrain_model *m, const mg_pretrain_leaf *leaf,
                            const char *prefix)
{
    const mg_mae_acts *a = &m->mae_acts;
    int cls = m->vit.cfg.cls ? 1 : 0, D = m->vit.cfg.D, DD = m->mae.cfg.D, n = m->mae.n;
    size_t enc = (size_t)leaf->n * (m->mae.cfg.dense ? m->L : cls + m->mae.keep) * D;
    size_t dec = (size_t)leaf->n * (cls + m->L) * DD, tokens = (size_t)leaf->n * m->L;
    float *target = golden_alloc(g, tokens * n * sizeof *target), mean;

    if (golden_has(g, golden_name(g, "%sout/patch_embed", prefix)))
        golden_out(g, prefix, "patch_embed", leaf->e, tokens * D);
    for (int i = 0; i < m->vit.cfg.depth; i++)
        golden_out(g, prefix, golden_name(g, "enc_block%d", i), a->enc.stack.x[i + 1], enc);
    golden_out(g, prefix, "enc_norm", a->enc.y, enc);
    if (!m->mae.cfg.dense) {
        golden_out(g, prefix, "dec_in", a->dec.x[0], dec);
        for (int i = 0; i < m->mae.cfg.depth; i++)
            golden_out(g, prefix, golden_name(g, "dec_block%d", i), a->dec.x[i + 1], dec);
        golden_out(g, prefix, "dec_norm", a->dec_norm, dec);
    }
    golden_out(g, prefix, "pred", without_class(g, m, a->pred, leaf->n, n), tokens * n);
    golden_out(g, prefix, "per_patch", a->per_patch, tokens);
    for (size_t i = 0; i < tokens; i++)
        mg_mae_target(target + i * n, &m->mae,
                      leaf->images + i / m->L * (size_t)m->vit.cfg.C * m->vit.cfg.Y * m->vit.cfg.X,
                      (int)(i % m->L), &mean);
    golden_out(g, prefix, "target", target, tokens * n);
}

static void run_variant(golden *g, const char *group, mg_keep keep)
{
    char *prefix = strcmp(group, "/") ? golden_name(g, "%s/", group) : "";
    mg_pretrain_config cfg = mae_config(g, group);
    cfg.keep = keep;
    mg_pretrain_model *m = golden_pretrain_open(g, &cfg, prefix);
    mg_pretrain_leaf leaf = golden_leaf(g, m, prefix), alone = leaf;
    float *grads = golden_alloc(g, m->params.trainable_size * sizeof *grads);

    mg_mae_loss loss = mg_pretrain_mae(m, &leaf, NULL, leaf.n, leaf.n, 1, grads, NULL);
    compare_draw(g, m, prefix, leaf.n);
    golden_loss(g, prefix, "loss", loss.loss);
    compare_forward(g, m, &leaf, prefix);
    if (golden_has(g, golden_name(g, "%sact_grads/patch_embed", prefix)))
        golden_dout(g, prefix, "patch_embed", leaf.de, (size_t)leaf.n * m->L * m->vit.cfg.D);
    mg_pretrain_embed_backward(m, &leaf, grads);
    golden_pretrain_grads(g, &m->params, grads, prefix, true);

    // The same with visible patches embedded alone.
    memset(grads, 0, m->params.trainable_size * sizeof *grads);
    alone.e = NULL;
    loss = mg_pretrain_mae(m, &alone, NULL, leaf.n, leaf.n, 1, grads, NULL);
    golden_loss(g, prefix, "loss", loss.loss);
    golden_pretrain_grads(g, &m->params, grads, prefix, true);
    mg_pretrain_close(&m);
}

// --- the three together -----------------------------------------------------------------------------

// The file of another kind that belongs to the same model: same folder, same pictures.
static mg_h5 *sibling(golden *g, const char *kind)
{
    char *folder = golden_name(g, "%s", golden_path(g)), *slash = strrchr(folder, '/');
    mg_texts files = {0};
    mg_h5 *found = NULL;
    mg_h5_info info;
    float *images = golden_f32(g, "inputs/images", &info);

    if (slash) *slash = '\0';
    if (mg_list_tree(slash ? folder : ".", &files)) mg_err_clear();
    for (size_t i = 0; i < files.count && !found; i++) {
        char *path = mg_path_join(slash ? folder : ".", files.item[i]), *text = NULL;
        float *theirs = golden_alloc(g, (size_t)info.count * sizeof *theirs);

        if (!mg_path_has_ext(path, ".h5") || mg_h5_open(path, &found)) found = NULL;
        if (found) mg_h5_allow_variable_texts(found);
        bool fits = found && !mg_h5_attr_text(found, "/", "kind", &text) && !strcmp(text, kind) &&
                    !mg_h5_read(found, "inputs/images", MG_F32, theirs, info.count) &&
                    !memcmp(theirs, images, (size_t)info.count * sizeof *theirs);
        if (!fits) mg_h5_close(&found);
        mg_err_clear();
        mg_free(text);
        mg_free(path);
    }
    mg_texts_free(&files);
    golden_exact(g, found, "no file of kind %s with the same pictures beside this one", kind);
    return found;
}

static void read_tensor(golden *g, mg_params *p, const char *name, const mg_h5 *file)
{
    int i = mg_params_find(p, name);
    mg_status st = mg_h5_read(file, golden_name(g, "params/%s", name), MG_F32, mg_weight(p, i),
                              (int64_t)p->list[i].size);
    golden_exact(g, !st, "'%s' cannot be read: %s", name, mg_err_message());
}

static void read_heads(golden *g, mg_pretrain_model *m, const mg_h5 *emix, const mg_h5 *shed)
{
    for (int i = 0; i < m->params.count; i++) {
        const mg_param *t = &m->params.list[i];
        bool head = !strncmp(t->name, "emix_head.", 10) || !strncmp(t->name, "shed_head.", 10);

        if (head) {
            read_tensor(g, &m->params, t->name, t->name[0] == 'e' ? emix : shed);
        } else {
            float *w = golden_f32(g, golden_name(g, "params/%s", t->name), NULL);
            memcpy(mg_weight(&m->params, i), w, t->size * sizeof *w);
        }
    }
}

static double real_of(golden *g, const mg_h5 *file, const char *name)
{
    double value = 0;
    golden_exact(g, !mg_h5_attr_real(file, "/", name, &value), "no attribute '%s'", name);
    return value;
}

static void run_emix(golden *g, mg_pretrain_model *m, const mg_pretrain_leaf *leaf,
                     const mg_h5 *emix, double weight, float *grads)
{
    int M = leaf->n, d = m->emix.d;
    size_t size = (size_t)m->L * m->vit.cfg.D, bytes = (size_t)M * d * sizeof(float);
    float *z = golden_alloc(g, bytes), *zm = golden_alloc(g, bytes);
    float *dz = golden_alloc(g, bytes), *dzm = golden_alloc(g, bytes);
    float *lam = golden_alloc(g, (size_t)M * sizeof(float));
    float *partner = golden_alloc(g, M * size * sizeof(float));
    float *scratch = golden_alloc(g, mg_emix_contrast_scratch(M, d) * sizeof(float));
    uint32_t *pi = golden_alloc(g, (size_t)M * sizeof *pi);

    golden_exact(g, !mg_h5_read(emix, "rand/perm", MG_U32, pi, M), "rand/perm cannot be read");
    for (int i = 0; i < M; i++)
        memcpy(partner + i * size, leaf->e + pi[i] * size, size * sizeof(float));
    mg_pretrain_emix_forward(m, 0, leaf, NULL, M, partner, lam, z, zm);
    mg_emix_loss loss = mg_emix_contrast(dz, dzm, z, zm, lam, pi, M, d, m->cfg.emix_tau, false,
                                         weight, 0, M, scratch);
    double want = golden_real(g, "combined", "loss_emix");
    golden_note(g, "combined", fabs(loss.loss - want) / want, 1e-5);
    mg_pretrain_emix_backward(m, 0, leaf, NULL, M, partner, lam, dz, dzm, grads, NULL);
}

static void run_combined(golden *g, mg_h5 *emix, mg_h5 *shed)
{
    mg_pretrain_config cfg = mae_config(g, "/");
    mg_pretrain_model *m = NULL;
    mg_h5_info info;

    cfg.use_emix = cfg.use_shed = true;
    cfg.shed_fraction = real_of(g, shed, "shuffle_frac");
    cfg.emix_alpha = real_of(g, emix, "alpha");
    cfg.emix_tau = real_of(g, emix, "temperature");
    cfg.emix_dim = (int)real_of(g, emix, "out_dim");
    golden_exact(g, !mg_pretrain_open(&cfg, &m), "model cannot be opened: %s", mg_err_message());
    read_heads(g, m, emix, shed);
    mg_pretrain_leaf leaf = golden_leaf(g, m, "");
    float *grads = golden_alloc(g, m->params.trainable_size * sizeof *grads);
    double w_mae = golden_real(g, "combined", "w_mae"),
           w_shed = golden_real(g, "combined", "w_shed");
    double w_emix = golden_real(g, "combined", "w_emix");

    golden_f32(g, "inputs/images", &info);
    golden_note(g, "combined", fabs(w_emix - 1 / log((double)info.dim[0])), 1e-6);
    mg_mae_loss mae = mg_pretrain_mae(m, &leaf, NULL, leaf.n, leaf.n, w_mae, grads, NULL);
    mg_shed_loss moved = mg_pretrain_shed(m, &leaf, NULL, leaf.n, leaf.n, w_shed, grads, NULL);
    run_emix(g, m, &leaf, emix, w_emix, grads);
    mg_pretrain_embed_backward(m, &leaf, grads);
    double want = golden_real(g, "combined", "loss_mae");
    golden_note(g, "combined", fabs(mae.loss - want) / want, 1e-5);
    want = golden_real(g, "combined", "loss_shed");
    golden_note(g, "combined", fabs(moved.loss - want) / want, 1e-5);
    golden_pretrain_grads(g, &m->params, grads, "combined/", false);
    mg_pretrain_close(&m);
}

void golden_kind_mae(golden *g)
{
    int count = 0;

    run_variant(g, "/", MG_KEEP_ALL);
    run_variant(g, "/", MG_KEEP_INPUTS);
    if (golden_has(g, "variants")) {
        char **names = golden_list(g, "variants", &count);
        for (int i = 0; i < count; i++) {
            char *group = golden_name(g, "variants/%s", names[i]);
            group[strcspn(group, "/") + 1 + strcspn(group + strcspn(group, "/") + 1, "/")] = '\0';
            run_variant(g, group, MG_KEEP_ALL);
        }
    }
    if (!golden_has(g, "combined")) return;
    mg_h5 *emix = sibling(g, "emix"), *shed = sibling(g, "shed");
    if (emix && shed) run_combined(g, emix, shed);
    mg_h5_close(&emix);
    mg_h5_close(&shed);
}
