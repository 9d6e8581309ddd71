// Each term names the product it stands for; letters as in models/vit.h and models/sam.h.
#include "models/work.h"

// One block: `rows` tokens in `problems` attentions of `each` tokens, position terms of `places` table
// rows a token (0: none).
static void add_block(mg_vit_work *w, const mg_vit_config *c, double tokens, double problems,
                      double each, double places)
{
    double D = c->D, rows = problems * each;

    w->products += rows * 4 * D * D + tokens * 2 * D * c->hidden;
    w->attention += 2 * rows * each * D + rows * places * D;
}

static double adapters_of_block(const mg_vit_config *c, double tokens, double slices)
{
    double D = c->D, pair = 2 * D * c->adapter;

    if (!c->adapter) return 0;
    if (!c->depth_branch) return tokens * 2 * pair;
    return tokens * (3 * pair + D * D + 2 * slices * D);
}

mg_vit_work mg_vit_work_of(const mg_vit_config *c, int tokens, int slices)
{
    mg_vit_work w = {0};
    int gh = c->Y / c->patch, gw = c->X / c->patch, side = c->window;
    double windows = side ? ((gh + side - 1) / side) * ((gw + side - 1) / side) : 0;

    w.embed = (double)(tokens - c->cls) * c->C * c->patch * c->patch * c->D;
    for (int i = 0; i < c->depth; i++) {
        if (side && !(c->global >> i & 1))
            add_block(&w, c, tokens, windows, (double)side * side, c->rel_h ? 2 * side : 0);
        else
            add_block(&w, c, tokens, 1, tokens, c->rel_h ? gh + gw : 0);
        w.adapters += adapters_of_block(c, tokens, slices);
    }
    w.neck = (double)tokens * c->neck * (c->D + 9.0 * c->neck);
    return w;
}

double mg_vit_work_sum(const mg_vit_work *w)
{
    return w->embed + w->products + w->attention + w->adapters + w->neck;
}

double mg_mae_work(const mg_mae *m)
{
    const mg_vit_config *v = &m->vit->cfg;
    int visible = m->cfg.dense ? m->L : m->cls + m->keep, all = m->cls + m->L;
    mg_vit_work encoder = mg_vit_work_of(v, visible, 1);
    double sum = mg_vit_work_sum(&encoder);

    if (m->cfg.dense) return sum + (double)m->L * v->D * m->n;
    mg_vit_config blocks = {.C = v->C,
                            .Y = v->Y,
                            .X = v->X,
                            .patch = v->patch,
                            .D = m->cfg.D,
                            .depth = m->cfg.depth,
                            .hidden = m->cfg.hidden};
    mg_vit_work decoder = mg_vit_work_of(&blocks, all, 1);
    return sum + decoder.products + decoder.attention + (double)visible * v->D * m->cfg.D +
           (double)all * m->cfg.D * m->n;
}

// Attention of nq queries over nk keys, in `inner` channels; its four projections.
static double attend(double nq, double nk, double E, double inner)
{
    return 2 * (nq + nk) * E * inner + 2 * nq * nk * inner;
}

static double two_way(const mg_two_way *l, const mg_sam_config *c, double R, double N)
{
    double E = c->prompt_dim, inner = E / c->down;
    double work = attend(R, R, E, E) + 2 * attend(R, N, E, inner) + R * 2 * E * c->mlp;
    double pair = 2 * E * (double)(int)(c->ratio * E);

    return l->adapters ? work + pair * (2.5 * R + N) : work; // one has a second down-projection
}

double mg_sam_work(const mg_sam *s, int sparse, int slots)
{
    const mg_sam_config *c = &s->cfg;
    double E = c->prompt_dim, N = s->N, R = 1 + s->T + sparse, in = c->mask_in;
    double mask_prompt = 4 * N * in + N * in * in + N * in * E;
    double upscaling = N * E * E + 4 * N * (E / 4) * (E / 2) + slots * 16 * N * (E / 8);
    double heads = slots * (2 * E * E + E * E / 8) + E * c->iou_hidden +
                   (c->iou_depth - 2) * (double)c->iou_hidden * c->iou_hidden +
                   (double)c->iou_hidden * s->T;
    double work = mask_prompt + upscaling + heads + attend(R, N, E, E / c->down);

    for (int i = 0; i < c->depth; i++) work += two_way(&s->layer[i], c, R, N);
    return work;
}
