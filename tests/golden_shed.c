// Golden files of kind shed: choice, shifted tokens, head, loss, all gradients.
#include <string.h>

#include "tests/golden_pretrain.h"

static void compare_forward(golden *g, const mg_pretrain_model *m, const mg_pretrain_leaf *leaf,
                            const mg_shed_loss *loss)
{
    const mg_shed_acts *a = &m->shed_acts;
    size_t tokens = (size_t)leaf->n * m->L, map = tokens * m->vit.cfg.D;
    const int32_t *picks = golden_load(g, "rand/picks", MG_I32, NULL);
    const int32_t *source = golden_load(g, "out/source", MG_I32, NULL);

    golden_exact(g, m->shed.k == golden_int(g, "/", "num_shuffled"), "k is %d", m->shed.k);
    golden_exact(g, !memcmp(picks, a->picks, (size_t)leaf->n * m->shed.k * sizeof *picks),
                 "rand/picks differ from the draw");
    golden_exact(g, !memcmp(source, a->source, tokens * sizeof *source), "out/source differs");
    golden_out(g, "", "patch_embed", leaf->e, map);
    golden_out(g, "", "enc_in", a->enc->stack.x[0], map);
    for (int i = 0; i < m->vit.cfg.depth; i++)
        golden_out(g, "", golden_name(g, "enc_block%d", i), a->enc->stack.x[i + 1], map);
    golden_out(g, "", "enc_norm", a->enc->y, map);
    golden_out(g, "", "logits", a->logits, tokens * 2);
    golden_out(g, "", "per_token", a->per_token, tokens);
    golden_loss(g, "", "loss", loss->loss);
    float acc = (float)(loss->moved_found + loss->kept_found) / (float)tokens;
    golden_out(g, "", "acc", &acc, 1);
}

void golden_kind_shed(golden *g)
{
    mg_pretrain_config cfg = golden_encoder_config(g, "/");

    cfg.use_shed = true;
    cfg.shed_fraction = golden_real(g, "/", "shuffle_frac");
    mg_pretrain_model *m = golden_pretrain_open(g, &cfg, "");
    mg_pretrain_leaf leaf = golden_leaf(g, m, "");
    float *grads = golden_alloc(g, m->params.trainable_size * sizeof *grads);

    mg_shed_loss loss = mg_pretrain_shed(m, &leaf, NULL, leaf.n, leaf.n, 1, grads, NULL);
    compare_forward(g, m, &leaf, &loss);
    golden_dout(g, "", "patch_embed", leaf.de, (size_t)leaf.n * m->L * m->vit.cfg.D);
    mg_pretrain_embed_backward(m, &leaf, grads);
    golden_pretrain_grads(g, &m->params, grads, "", true);
    mg_pretrain_close(&m);
}
