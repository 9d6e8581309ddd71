// Golden kind `msa` (README.md): the whole network with adapters, 2-D or with the depth branch: taps,
// gradients, and a short training. Prompt b belongs to image b. Limits: forward and taps 1e-5,
// gradients 1e-4 (relative L2), losses of the training 1e-4, its final weights 2e-5.
#include <math.h>
#include <string.h>

#include "models/sam.h"
#include "models/vit.h"
#include "nn/loss.h"
#include "nn/nn.h"
#include "nn/optim.h"
#include "runtime/mem.h"
#include "tests/golden_model.h"
#include "tests/golden_sam.h"

typedef struct {
    golden *g;
    mg_params p;
    mg_vit vit;
    mg_sam sam;
    int B, slices, points; // images, slices of a stack, points of a prompt
    const float *images, *xy;
    const int32_t *labels;
    mg_vit_acts acts;
    float *vit_scratch;
    float *code, *grads, *dembedding; // [N, E], trainable part, [B, N, E]
} network;

static bool trains(const char *name, void *mode)
{
    return mg_sam_trains(name, mode);
}

// The rule must choose exactly the tensors that the file lists.
static void check_trainable(network *n)
{
    char **names = NULL;
    int64_t count = 0;

    golden_exact(n->g, !mg_h5_load_texts(golden_file(n->g), "trainable", &names, &count),
                 "list of trained tensors");
    for (int64_t i = 0; i < count; i++) {
        int t = mg_params_find(&n->p, names[i]);
        golden_exact(n->g, t >= 0 && n->p.list[t].trainable, "'%s' is not trained", names[i]);
        mg_free(names[i]);
    }
    mg_free(names);
    for (int i = 0; i < n->p.count; i++) count -= n->p.list[i].trainable;
    golden_exact(n->g, count == 0, "%lld trained tensors too few", (long long)count);
}

static void load(network *n)
{
    golden *g = n->g;
    mg_vit_config v = golden_vit_config(g);
    mg_sam_config c = golden_sam_config(g, true);
    mg_train_mode mode = MG_TRAIN_MSA;
    mg_layout at = {0};
    mg_h5_info info;

    n->slices = (int)golden_int(g, "/", "slices");
    v.adapter = (int)(c.ratio * v.D);
    v.adapter_scale = (float)c.scale;
    v.depth_branch = n->slices > 0;
    n->slices = n->slices > 0 ? n->slices : 1;
    mg_vit_add(&n->vit, &n->p, &v);
    n->sam = mg_sam_add(&n->p, &c);
    golden_params(g, &n->p, "params/");
    mg_params_train(&n->p, trains, &mode);
    check_trainable(n);

    n->images = golden_f32(g, "input/image", &info);
    n->B = (int)info.dim[0];
    n->xy = golden_f32(g, "input/points", &info);
    n->points = (int)info.dim[1];
    n->labels = golden_load(g, "input/labels", MG_I32, NULL);

    mg_vit_acts_layout(&at, &n->acts, &n->vit, n->B, n->sam.N, MG_KEEP_ALL);
    at = (mg_layout){.base = golden_alloc(g, at.used)};
    mg_vit_acts_layout(&at, &n->acts, &n->vit, n->B, n->sam.N, MG_KEEP_ALL);
    n->vit_scratch = golden_alloc(g, mg_vit_scratch(&n->vit, n->B, n->sam.N) * sizeof(float));
    size_t map = (size_t)n->sam.N * c.prompt_dim;
    n->code = golden_alloc(g, map * sizeof(float));
    n->dembedding = golden_alloc(g, n->B * map * sizeof(float));
    n->grads = golden_alloc(g, n->p.trainable_size * sizeof(float));
    mg_sam_dense_code(n->code, &n->sam, &n->p);
}

// Decode image b.
static mg_sam_prompt decode(network *n, int b, mg_sam_slots slots, mg_sam_pass *pass,
                            float **scratch)
{
    mg_sam_prompt prompt = {.B = 1,
                            .has_points = true,
                            .N = n->points,
                            .points = n->xy + (size_t)b * n->points * 2,
                            .labels = n->labels + (size_t)b * n->points};
    const float *embedding = n->acts.out + (size_t)b * n->sam.N * n->sam.cfg.prompt_dim;

    golden_sam_pass(n->g, &n->sam, pass, scratch, &prompt, slots);
    mg_sam_forward(pass, &n->sam, &n->p, embedding, n->code, &prompt, *scratch);
    return prompt;
}

static void decode_backward(network *n, int b, const float *dmasks, const float *diou,
                            const mg_sam_pass *pass, const mg_sam_prompt *prompt, float *scratch)
{
    float *d = n->dembedding + (size_t)b * n->sam.N * n->sam.cfg.prompt_dim;

    mg_sam_backward(n->grads, d, NULL, dmasks, diou, pass, &n->sam, &n->p, n->code, prompt,
                    scratch);
}

static void clear_gradients(network *n)
{
    memset(n->grads, 0, n->p.trainable_size * sizeof(float));
    memset(n->dembedding, 0, (size_t)n->B * n->sam.N * n->sam.cfg.prompt_dim * sizeof(float));
}

static void compare(network *n, const char *name, const float *got)
{
    mg_h5_info info;
    const float *want = golden_f32(n->g, name, &info);

    golden_note(n->g, "forward", golden_l2(got, want, (size_t)info.count, 0), 1e-5);
}

static void encoder_taps(network *n)
{
    size_t map = (size_t)n->B * n->sam.N * n->sam.cfg.prompt_dim;
    float *embedding = golden_alloc(n->g, map * sizeof *embedding);

    for (int i = 0; i < n->vit.cfg.depth; i++)
        compare(n, golden_name(n->g, "taps/block%d", i), n->acts.stack.x[i + 1]);
    mg_to_channels_first(embedding, n->acts.out, n->B, n->sam.N, n->sam.cfg.prompt_dim);
    compare(n, "output/embedding", embedding);
}

static void once(network *n)
{
    golden *g = n->g;
    int T = n->sam.T;
    size_t masks = (size_t)T * 16 * n->sam.N;
    const float *R_masks = golden_f32(g, "loss/R_masks", NULL);
    const float *R_iou = golden_f32(g, "loss/R_iou", NULL);
    const float *want_masks = golden_f32(g, "output/masks_all", NULL);
    const float *want_iou = golden_f32(g, "output/iou_all", NULL);
    float *dimages = golden_alloc(g, (size_t)n->B * n->vit.cfg.C * n->vit.cfg.Y * n->vit.cfg.X *
                                         sizeof *dimages);

    mg_vit_forward(&n->acts, &n->vit, &n->p, n->images, n->B, n->slices, n->vit_scratch);
    encoder_taps(n);
    clear_gradients(n);
    for (int b = 0; b < n->B; b++) {
        mg_sam_pass pass;
        float *scratch;
        mg_sam_prompt prompt = decode(n, b, (mg_sam_slots){0, T}, &pass, &scratch);
        golden_note(g, "forward", golden_l2(pass.masks, want_masks + b * masks, masks, 0), 1e-5);
        golden_note(g, "forward", golden_l2(pass.iou, want_iou + b * T, (size_t)T, 0), 1e-5);
        golden_sam_taps(g, "decoder_taps/", &pass, &n->sam, b);
        decode_backward(n, b, R_masks + b * masks, R_iou + b * T, &pass, &prompt, scratch);
    }
    mg_vit_backward(dimages, n->grads, &n->acts, &n->vit, &n->p, n->dembedding, n->images, NULL,
                    n->vit_scratch);
    golden_grads(g, &n->p, n->grads, "grads/", "input_image", dimages);
}

// One step's loss, SAM's on the single mask, and its gradients.
static double train_loss(network *n, const float *target)
{
    size_t cells = (size_t)16 * n->sam.N;
    float *dmasks = golden_alloc(n->g, cells * sizeof *dmasks);
    double total = 0;

    mg_vit_forward(&n->acts, &n->vit, &n->p, n->images, n->B, n->slices, n->vit_scratch);
    clear_gradients(n);
    for (int b = 0; b < n->B; b++) {
        mg_sam_pass pass;
        float *scratch, diou = 0;
        mg_sam_prompt prompt = decode(n, b, (mg_sam_slots){0, 1}, &pass, &scratch);
        memset(dmasks, 0, cells * sizeof *dmasks);
        total += mg_sam_loss(dmasks, &diou, NULL, NULL, pass.masks, pass.iou, target + b * cells,
                             NULL, NULL, 1, cells, 20, n->B);
        decode_backward(n, b, dmasks, &diou, &pass, &prompt, scratch);
    }
    mg_vit_backward(NULL, n->grads, &n->acts, &n->vit, &n->p, n->dembedding, n->images, NULL,
                    n->vit_scratch);
    return total;
}

static void train(network *n)
{
    golden *g = n->g;
    const float *target = golden_f32(g, "train/target", NULL);
    const double *loss = golden_load(g, "train/loss_per_step", MG_F64, NULL);
    const mg_adamw o = {golden_real(g, "train", "beta1"), golden_real(g, "train", "beta2"),
                        golden_real(g, "train", "eps")};
    double lr = golden_real(g, "train", "lr"), decay = golden_real(g, "train", "weight_decay");
    int steps = (int)golden_int(g, "train", "steps"), segments = 0, count;
    mg_segment *list = golden_alloc(g, (size_t)n->p.count * sizeof *list);
    float *m = golden_alloc(g, 2 * n->p.trainable_size * sizeof *m), *v = m + n->p.trainable_size;

    for (int i = 0; i < n->p.count; i++) {
        const mg_param *t = &n->p.list[i];
        if (t->trainable)
            list[segments++] = (mg_segment){t->offset, t->grad, t->size, (float)decay};
    }
    for (int step = 0; step < steps; step++) {
        double got = train_loss(n, target);
        golden_note(g, "train", fabs(got / loss[step] - 1), 1e-4);
        mg_adamw_update(n->p.data, m, v, n->grads, list, segments, 0, SIZE_MAX, &o, step + 1, lr,
                        1);
    }
    char **names = golden_list(g, "train/final", &count);
    for (int i = 0; i < count; i++) {
        int t = mg_params_find(&n->p, names[i]);
        const float *want = golden_f32(g, golden_name(g, "train/final/%s", names[i]), NULL);
        golden_exact(g, t >= 0, "no tensor '%s'", names[i]);
        if (t >= 0)
            golden_note(g, "final", golden_l2(mg_weight(&n->p, t), want, n->p.list[t].size, 0),
                        2e-5);
    }
}

void golden_kind_msa(golden *g)
{
    network *n = golden_alloc(g, sizeof *n);

    n->g = g;
    load(n);
    once(n);
    if (golden_has(g, "train")) train(n);
    mg_params_free(&n->p);
}
