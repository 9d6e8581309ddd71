// Golden kind `sam_decoder` (README.md): prompt encoder and mask decoder for every combination of
// prompts, their gradients, and post-processing. Limits: forward and taps 1e-5, gradients 1e-4
// (relative L2, floor 1e-3 of the largest gradient tensor), logits 1e-6, masks exact.
#include <math.h>
#include <string.h>

#include "models/sam.h"
#include "nn/nn.h"
#include "runtime/mem.h"
#include "tests/golden.h"
#include "tests/golden_model.h"
#include "tests/golden_sam.h"

typedef struct {
    golden *g;
    const char *name; // "cases/<name>/"
    const mg_sam *s;
    const mg_params *p;
    const float *code;
    mg_sam_prompt prompt;
    mg_sam_pass pass;
    float *scratch;
} decoder_case;

static float *array(decoder_case *c, const char *what, mg_h5_info *info)
{
    return golden_f32(c->g, golden_name(c->g, "%s%s", c->name, what), info);
}

static bool has(decoder_case *c, const char *what)
{
    return golden_has(c->g, golden_name(c->g, "%s%s", c->name, what));
}

static void read_prompt(decoder_case *c)
{
    mg_h5_info info;

    c->prompt = (mg_sam_prompt){.B = 1};
    if (has(c, "mask_input")) {
        c->prompt.masks = array(c, "mask_input", &info);
        c->prompt.B = (int)info.dim[0];
    }
    if (has(c, "boxes")) {
        c->prompt.boxes = array(c, "boxes", &info);
        c->prompt.B = (int)info.dim[0];
    }
    if (has(c, "points")) {
        c->prompt.points = array(c, "points", &info);
        c->prompt.labels = golden_load(c->g, golden_name(c->g, "%slabels", c->name), MG_I32, NULL);
        c->prompt.has_points = true;
        c->prompt.B = (int)info.dim[0];
        c->prompt.N = (int)info.dim[1];
    }
}

static void forward(decoder_case *c, mg_sam_slots slots)
{
    golden_sam_pass(c->g, c->s, &c->pass, &c->scratch, &c->prompt, slots);
    mg_sam_forward(&c->pass, c->s, c->p, golden_f32_last(c->g, "input/image_embedding", c->s->N),
                   c->code, &c->prompt, c->scratch);
}

static void compare(decoder_case *c, const char *what, const float *got)
{
    mg_h5_info info;
    const float *want = array(c, what, &info);

    golden_note(c->g, "forward", golden_l2(got, want, (size_t)info.count, 0), 1e-5);
}

// Only the wanted slots.
static void selected(decoder_case *c)
{
    forward(c, (mg_sam_slots){0, 1});
    compare(c, "masks_single", c->pass.masks);
    compare(c, "iou_single", c->pass.iou);
    forward(c, (mg_sam_slots){1, c->s->T - 1});
    compare(c, "masks_multi", c->pass.masks);
    compare(c, "iou_multi", c->pass.iou);
}

static void encodings(decoder_case *c)
{
    const mg_sam *s = c->s;
    int E = s->cfg.prompt_dim, B = c->prompt.B, n = c->pass.shape.sparse, Nt = 1 + s->T + n;
    mg_h5_info info;
    const float *sparse = array(c, "sparse", &info);
    const float *dense = golden_f32_last(c->g, golden_name(c->g, "%sdense", c->name), s->N);
    const float *image = golden_f32_last(c->g, "input/image_embedding", s->N);

    golden_exact(c->g, info.dim[0] == B && info.dim[1] == n, "%s: %d sparse tokens", c->name, n);
    for (int b = 0; b < B; b++) {
        size_t map = (size_t)s->N * E;
        golden_note(c->g, "forward",
                    golden_l2(c->pass.tok + ((size_t)b * Nt + 1 + s->T) * E,
                              sparse + (size_t)b * n * E, (size_t)n * E, 0),
                    1e-5);
        float *got = golden_alloc(c->g, map * sizeof *got);
        for (size_t i = 0; i < map; i++) got[i] = c->pass.src[b * map + i] - image[i];
        golden_note(c->g, "forward", golden_l2(got, dense + b * map, map, 0), 1e-5);
    }
}

// Sum of weighted values, and of the squares of its terms: they cancel, so an error is held against them.
static void add_terms(double *sum, double *square, const float *weight, const float *value,
                      size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double term = (double)weight[i] * value[i];
        *sum += term;
        *square += term * term;
    }
}

static void gradients(decoder_case *c)
{
    const mg_sam *s = c->s;
    const mg_params *p = c->p;
    const float *R_masks = array(c, "loss_R_masks", NULL), *R_iou = array(c, "loss_R_iou", NULL);
    size_t map = (size_t)s->N * s->cfg.prompt_dim, masks = (size_t)c->prompt.B * s->T * 16 * s->N;
    float *grads = golden_alloc(c->g, p->trainable_size * sizeof *grads);
    float *dembedding = golden_alloc(c->g, map * sizeof *dembedding);
    double value = 0, square = 0, want;

    add_terms(&value, &square, R_masks, c->pass.masks, masks);
    add_terms(&value, &square, R_iou, c->pass.iou, (size_t)c->prompt.B * s->T);
    want = *(double *)golden_load(c->g, golden_name(c->g, "%sloss_value", c->name), MG_F64, NULL);
    golden_note(c->g, "loss", fabs(value - want) / (sqrt(square) + fabs(want)), 1e-5);

    mg_sam_backward(grads, dembedding, NULL, R_masks, R_iou, &c->pass, s, p, c->code, &c->prompt,
                    c->scratch);
    float *dimage = golden_alloc(c->g, map * sizeof *dimage);
    mg_to_channels_first(dimage, dembedding, 1, s->N, s->cfg.prompt_dim);
    golden_grads(c->g, p, grads, golden_name(c->g, "%sgrads/", c->name), "image_embedding", dimage);
}

static void run_case(decoder_case *c)
{
    read_prompt(c);
    selected(c);
    forward(c, (mg_sam_slots){0, c->s->T});
    encodings(c);
    if (has(c, "taps"))
        golden_sam_taps(c->g, golden_name(c->g, "%staps/", c->name), &c->pass, c->s, 0);
    gradients(c);
}

static void postprocess(golden *g, const char *group)
{
    mg_h5_info low, full;
    const float *low_res = golden_f32(g, golden_name(g, "%slow_res", group), &low);
    const float *want = golden_f32(g, golden_name(g, "%slogits", group), &full);
    const uint8_t *mask = golden_load(g, golden_name(g, "%smask", group), MG_U8, NULL);
    const int64_t *model = golden_load(g, golden_name(g, "%smodel_size", group), MG_I64, NULL);
    const int64_t *input = golden_load(g, golden_name(g, "%sinput_size", group), MG_I64, NULL);
    const int64_t *original =
        golden_load(g, golden_name(g, "%soriginal_size", group), MG_I64, NULL);
    mg_sam_config c = {.gh = (int)low.dim[2] / 4,
                       .gw = (int)low.dim[3] / 4,
                       .height = (int)model[0],
                       .width = (int)model[1]};
    mg_sam_frame f = {(int)original[0], (int)original[1], (int)input[0], (int)input[1]};
    size_t n_low = (size_t)(low.dim[2] * low.dim[3]), n = (size_t)(full.dim[2] * full.dim[3]);
    float *scratch = golden_alloc(g, mg_sam_postprocess_scratch(&c, f) * sizeof *scratch);
    float *got = golden_alloc(g, (size_t)full.count * sizeof *got);

    for (int b = 0; b < low.dim[0] * low.dim[1]; b++)
        mg_sam_postprocess(got + b * n, low_res + b * n_low, &c, f, scratch);
    golden_note(g, "logits", golden_l2(got, want, (size_t)full.count, 0), 1e-6);
    for (int64_t i = 0; i < full.count; i++)
        golden_exact(g, fabsf(want[i]) <= 1e-4f || mask[i] == (got[i] > 0), "%s cell %lld", group,
                     (long long)i);
}

void golden_kind_sam_decoder(golden *g)
{
    mg_sam_config cfg = golden_sam_config(g, false);
    mg_params p = {0};
    mg_h5_info info;
    int count;

    golden_exact(g, mg_sam_check(&cfg) == MG_OK, "%s", mg_err_message());
    mg_sam s = mg_sam_add(&p, &cfg);
    golden_params(g, &p, "params/");
    size_t map = (size_t)s.N * cfg.prompt_dim;
    float *code = golden_alloc(g, map * sizeof *code), *first = golden_alloc(g, map * sizeof *code);
    mg_sam_dense_code(code, &s, &p);
    mg_to_channels_first(first, code, 1, s.N, cfg.prompt_dim);
    golden_note(g, "forward", golden_l2(first, golden_f32(g, "output/dense_pe", &info), map, 0),
                1e-5);

    char **names = golden_list(g, "cases", &count);
    for (int i = 0; i < count; i++) {
        decoder_case c = {.g = g, .name = golden_name(g, "cases/%s", names[i])};
        c.s = &s;
        c.p = &p;
        c.code = code;
        run_case(&c);
    }
    names = golden_has(g, "postprocess") ? golden_list(g, "postprocess", &count) : NULL;
    for (int i = 0; names && i < count; i++)
        postprocess(g, golden_name(g, "postprocess/%s", names[i]));
    mg_params_free(&p);
}
