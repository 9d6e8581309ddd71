// SAM's prompt encoder and mask decoder on a tiny configuration: parameter counts, gradients by
// differences, adapters that start at zero, frozen parts, prompts one by one and together, and what lies
// around the decoder. Values against the reference are the golden files' business.
#include "tests/check.h"

#include "models/sam.h"
#include "nn/gemm.h"

// A network with one image and room for a pass.
typedef struct {
    mg_params p;
    mg_sam s;
    float *code, *embedding, *grads, *dembedding;
    void *memory;
    float *scratch;
    mg_sam_pass pass;
} fixture;

static const mg_sam_config tiny = {.prompt_dim = 16,
                                   .mask_in = 8,
                                   .depth = 2,
                                   .heads = 2,
                                   .mlp = 24,
                                   .down = 2,
                                   .n_multi = 2,
                                   .iou_hidden = 12,
                                   .iou_depth = 3,
                                   .gh = 3,
                                   .gw = 4,
                                   .height = 48,
                                   .width = 64,
                                   .ratio = 0.5,
                                   .scale = 0.5};

static bool wanted(const char *name, void *mode)
{
    return mg_sam_trains(name, mode);
}

static void open_form(fixture *f, bool adapters, mg_adapter_form form, mg_train_mode mode)
{
    mg_sam_config c = tiny;
    *f = (fixture){0};
    c.adapters = adapters;
    c.adapter_form = form;
    OK(mg_sam_check(&c));
    f->s = mg_sam_add(&f->p, &c);
    mg_params_train(&f->p, wanted, &mode);
    OK(mg_params_alloc(&f->p));
    mg_params_init(&f->p, 5);
    size_t map = (size_t)f->s.N * c.prompt_dim;
    f->code = mg_calloc(map, sizeof(float));
    f->embedding = mg_calloc(map, sizeof(float));
    f->dembedding = mg_calloc(map, sizeof(float));
    f->grads = mg_calloc(f->p.trainable_size, sizeof(float));
    mg_sam_dense_code(f->code, &f->s, &f->p);
    check_fill(f->embedding, map, 3, 1);
}

static void open_fixture(fixture *f, bool adapters, mg_train_mode mode)
{
    open_form(f, adapters, (mg_adapter_form){0}, mode);
}

static void close_fixture(fixture *f)
{
    mg_params_free(&f->p);
    mg_free(f->code);
    mg_free(f->embedding);
    mg_free(f->dembedding);
    mg_free(f->grads);
    mg_free(f->memory);
    mg_free(f->scratch);
}

// Give values to everything that starts at 0 or 1, adapters included.
static void randomise(fixture *f)
{
    for (int i = 0; i < f->p.count; i++) {
        mg_param *t = &f->p.list[i];
        float *w = mg_weight(&f->p, i);
        if (t->init != MG_INIT_ZERO && t->init != MG_INIT_ONE) continue;
        check_fill(w, t->size, 100 + i, 0.3);
        for (size_t k = 0; t->init == MG_INIT_ONE && k < t->size; k++) w[k] += 1;
    }
}

static void forward(fixture *f, const mg_sam_prompt *prompt, mg_sam_slots slots)
{
    mg_sam_shape shape = mg_sam_shape_of(prompt, slots);
    mg_layout at = {0};
    mg_sam_pass_layout(&at, &f->pass, &f->s, shape);
    mg_free(f->memory);
    mg_free(f->scratch);
    f->memory = mg_alloc(at.used);
    f->scratch = mg_alloc(mg_sam_scratch(&f->s, shape) * sizeof(float));
    at = (mg_layout){.base = f->memory};
    mg_sam_pass_layout(&at, &f->pass, &f->s, shape);
    mg_sam_forward(&f->pass, &f->s, &f->p, f->embedding, f->code, prompt, f->scratch);
}

static size_t mask_count(const fixture *f)
{
    return (size_t)f->pass.shape.B * f->pass.shape.slots.count * 16 * f->s.N;
}
static size_t iou_count(const fixture *f)
{
    return (size_t)f->pass.shape.B * f->pass.shape.slots.count;
}

enum { MASKS = 4 * 3 * 16 * 12 };
static float R_masks[MASKS], R_iou[12];

static double loss(const fixture *f)
{
    double sum = 0;
    CHECK(mask_count(f) <= MASKS);
    for (size_t i = 0; i < mask_count(f); i++) sum += (double)R_masks[i] * f->pass.masks[i];
    for (size_t i = 0; i < iou_count(f); i++) sum += (double)R_iou[i] * f->pass.iou[i];
    return sum;
}

static void backward(fixture *f, const mg_sam_prompt *prompt, float *dextra)
{
    mg_sam_backward(f->grads, f->dembedding, dextra, R_masks, R_iou, &f->pass, &f->s, &f->p,
                    f->code, prompt, f->scratch);
}

// A prompt of every kind: points of all labels, a box, a mask, an extra token, two prompts.
static float points[2 * 4 * 2], boxes[2 * 4], masks[2 * 16 * 12], extra[2 * 16];
static const int32_t labels[2 * 4] = {1, 0, -1, 1, 0, 1, 1, -1};

static mg_sam_prompt everything(void)
{
    for (int i = 0; i < 16; i++) points[i] = (float)(i * 7 % 45);
    for (int i = 0; i < 8; i++) boxes[i] = (float)(5 + i * 11 % 40);
    check_fill(masks, 2 * 16 * 12, 7, 1);
    check_fill(extra, 2 * 16, 8, 1);
    check_fill(R_masks, MASKS, 9, 1);
    check_fill(R_iou, 12, 10, 5);
    return (mg_sam_prompt){2, true, 4, points, labels, boxes, masks, extra, 1};
}

// --- parameters -----------------------------------------------------------------------------------------

static int64_t count_mode(mg_params *p, mg_train_mode mode)
{
    mg_params_train(p, wanted, &mode);
    return mg_params_trainable(p);
}

static void published_counts(void **state)
{
    mg_sam_config c = mg_sam_defaults(1024, 16);
    mg_params p = {0};
    (void)state;
    OK(mg_sam_check(&c));
    mg_sam_add(&p, &c);
    CHECK(mg_params_total(&p) == 4058340 + 6220);
    CHECK(count_mode(&p, MG_TRAIN_MSA) == 2478820);
    CHECK(count_mode(&p, MG_TRAIN_MEDSAM) == 4058340);
    CHECK(count_mode(&p, MG_TRAIN_RELEASE) == 4058340);
    CHECK(count_mode(&p, MG_TRAIN_FULL) == 4058340 + 6220);
    CHECK(mg_params_find(&p, "mask_decoder.transformer.layers.1.norm4.bias") + 1 ==
          mg_params_find(&p, "mask_decoder.transformer.layers.1.cross_attn_image_to_token.q_proj."
                             "weight"));
    mg_params_free(&p);
    c.adapters = true;
    mg_sam_add(&p, &c);
    CHECK(count_mode(&p, MG_TRAIN_MSA) == 2478820 + 115712);
    CHECK(mg_params_find(&p, "mask_decoder.transformer.layers.1.MLP_Adapter.D_fc1.bias") == -1);
    mg_params_free(&p);
    mg_train_mode msa = MG_TRAIN_MSA;
    CHECK(mg_sam_trains("image_encoder.blocks.3.Space_Adapter.D_fc1.weight", &msa));
    CHECK(!mg_sam_trains("image_encoder.neck.0.weight", &msa));
    CHECK(!mg_sam_trains("prompt_encoder.no_mask_embed.weight", &msa));
    CHECK(mg_sam_trains("prompt_encoder.text_proj.weight", &msa));
}

static void bad_configurations(void **state)
{
    mg_sam_config c = tiny;
    (void)state;
    c.heads = 3;
    FAILS(mg_sam_check(&c), MG_ERR_CONFIG, "3 heads");
    c = tiny;
    c.mask_in = 6;
    FAILS(mg_sam_check(&c), MG_ERR_CONFIG, "not 6");
    c = tiny;
    c.adapters = true;
    c.ratio = 0.01;
    FAILS(mg_sam_check(&c), MG_ERR_CONFIG, "0.01");
}

// --- gradients ------------------------------------------------------------------------------------------

// Slope of the loss along direction v in the array x, by differences over two step lengths (a ReLU that
// flips spoils one of them at most).
static double slope(fixture *f, const mg_sam_prompt *prompt, float *x, const float *v, size_t n,
                    double want)
{
    float *keep = malloc(n * sizeof *keep);
    double best = INFINITY;
    memcpy(keep, x, n * sizeof *keep);
    for (int k = 0; k < 3; k++) {
        double h = 8e-3 / (1 << (2 * k)), value[2];
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++) x[i] = (float)(keep[i] + (side ? -h : h) * v[i]);
            mg_sam_forward(&f->pass, &f->s, &f->p, f->embedding, f->code, prompt, f->scratch);
            value[side] = loss(f);
        }
        double got = (value[0] - value[1]) / (2 * h);
        if (fabs(got - want) < fabs(best - want)) best = got;
    }
    memcpy(x, keep, n * sizeof *keep);
    free(keep);
    return best;
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

static void check_by_differences(mg_adapter_form form)
{
    fixture f;
    mg_sam_prompt prompt = everything();
    float v[2048], dextra[2 * 16] = {0};
    open_form(&f, true, form, MG_TRAIN_FULL);
    randomise(&f);
    forward(&f, &prompt, (mg_sam_slots){0, f.s.T});
    backward(&f, &prompt, dextra);
    for (int i = 0; i < f.p.count; i++) {
        mg_param *t = &f.p.list[i];
        if (t->buffer) continue;
        CHECK(t->size <= 2048);
        check_fill(v, t->size, 200 + i, 1 / sqrt((double)t->size));
        double want = dot(v, f.grads + t->grad, t->size);
        double got = slope(&f, &prompt, mg_weight(&f.p, i), v, t->size, want);
        if (!(fabs(got - want) <= 0.02 * fabs(want) + 0.05))
            fail_msg("%s: %g, differences %g", t->name, want, got);
    }
    size_t map = (size_t)f.s.N * 16;
    check_fill(v, map, 1, 0.1);
    double want = dot(v, f.dembedding, map);
    double got = slope(&f, &prompt, f.embedding, v, map, want);
    CHECK(fabs(got - want) <= 0.02 * fabs(want) + 0.05);
    check_fill(v, 32, 2, 0.1);
    want = dot(v, dextra, 32);
    got = slope(&f, &prompt, extra, v, 32, want);
    CHECK(fabs(got - want) <= 0.02 * fabs(want) + 0.05);
    close_fixture(&f);
}

static void gradients_by_differences(void **state)
{
    (void)state;
    check_by_differences((mg_adapter_form){0});
    check_by_differences((mg_adapter_form){.gelu = true, .linear_init = true});
}

static void frozen_parts_change_no_other_gradient(void **state)
{
    fixture full, msa;
    mg_sam_prompt prompt = everything();
    (void)state;
    open_fixture(&full, true, MG_TRAIN_FULL);
    open_fixture(&msa, true, MG_TRAIN_MSA);
    fixture *both[] = {&full, &msa};
    for (int k = 0; k < 2; k++) {
        randomise(both[k]);
        forward(both[k], &prompt, (mg_sam_slots){1, 2});
        backward(both[k], &prompt, NULL);
    }
    int compared = 0;
    for (int i = 0; i < full.p.count; i++) {
        mg_param *a = &full.p.list[i], *b = &msa.p.list[i];
        if (!b->trainable) continue;
        CHECK(memcmp(full.grads + a->grad, msa.grads + b->grad, a->size * sizeof(float)) == 0);
        compared++;
    }
    CHECK(compared > 40 && compared < full.p.count - 40);
    CHECK(memcmp(full.dembedding, msa.dembedding, full.s.N * 16 * sizeof(float)) == 0);
    close_fixture(&full);
    close_fixture(&msa);
}

static void a_second_pass_adds(void **state)
{
    fixture f;
    mg_sam_prompt prompt = everything();
    (void)state;
    open_fixture(&f, false, MG_TRAIN_FULL);
    forward(&f, &prompt, (mg_sam_slots){0, 1});
    backward(&f, &prompt, NULL);
    size_t n = f.p.trainable_size;
    float *once = malloc(n * sizeof *once);
    memcpy(once, f.grads, n * sizeof *once);
    backward(&f, &prompt, NULL);
    for (size_t i = 0; i < n; i++) once[i] *= 2;
    CHECK(check_gap(f.grads, once, n) <= 1e-6);
    // Nothing but the embedding's gradient.
    float before = f.dembedding[3];
    mg_sam_backward(NULL, f.dembedding, NULL, R_masks, R_iou, &f.pass, &f.s, &f.p, f.code, &prompt,
                    f.scratch);
    CHECK(fabsf(f.dembedding[3] - 1.5f * before) <= 1e-4f * fabsf(before));
    free(once);
    close_fixture(&f);
}

// --- forward --------------------------------------------------------------------------------------------

static void fresh_adapters_change_no_bit(void **state)
{
    fixture plain, grafted;
    mg_sam_prompt prompt = everything();
    (void)state;
    open_fixture(&plain, false, MG_TRAIN_MSA);
    open_fixture(&grafted, true, MG_TRAIN_MSA);
    forward(&plain, &prompt, (mg_sam_slots){0, 3});
    forward(&grafted, &prompt, (mg_sam_slots){0, 3});
    CHECK(memcmp(plain.pass.masks, grafted.pass.masks, mask_count(&plain) * sizeof(float)) == 0);
    CHECK(memcmp(plain.pass.iou, grafted.pass.iou, iou_count(&plain) * sizeof(float)) == 0);
    backward(&grafted, &prompt, NULL);
    int fc1 =
        mg_params_find(&grafted.p, "mask_decoder.transformer.layers.0.Prompt_Adapter.D_fc1.weight");
    int fc2 =
        mg_params_find(&grafted.p, "mask_decoder.transformer.layers.0.Prompt_Adapter.D_fc2.weight");
    const float *d1 = mg_grad(&grafted.p, grafted.grads, fc1);
    const float *d2 = mg_grad(&grafted.p, grafted.grads, fc2);
    CHECK(dot(d1, d1, grafted.p.list[fc1].size) == 0);
    CHECK(dot(d2, d2, grafted.p.list[fc2].size) > 0);
    close_fixture(&plain);
    close_fixture(&grafted);
}

static void together_as_one_by_one(void **state)
{
    fixture f;
    mg_sam_prompt prompt = everything();
    (void)state;
    open_fixture(&f, true, MG_TRAIN_FULL);
    randomise(&f);
    forward(&f, &prompt, (mg_sam_slots){0, 3});
    size_t masks_each = mask_count(&f) / 2, n = f.p.trainable_size;
    float *both = malloc(mask_count(&f) * sizeof *both), iou[6];
    float *grads = malloc(n * sizeof *grads);
    memcpy(both, f.pass.masks, mask_count(&f) * sizeof *both);
    memcpy(iou, f.pass.iou, sizeof iou);
    backward(&f, &prompt, NULL);
    memcpy(grads, f.grads, n * sizeof *grads);
    memset(f.grads, 0, n * sizeof *grads);
    for (int b = 0; b < 2; b++) {
        mg_sam_prompt one = prompt;
        one.B = 1;
        one.points += b * 8;
        one.labels += b * 4;
        one.boxes += b * 4;
        one.masks += b * 16 * 12;
        one.extra += b * 16;
        forward(&f, &one, (mg_sam_slots){0, 3});
        CHECK(check_gap(f.pass.masks, both + b * masks_each, masks_each) <= 1e-5);
        CHECK(check_gap(f.pass.iou, iou + b * 3, 3) <= 1e-5);
        mg_sam_backward(f.grads, NULL, NULL, R_masks + b * masks_each, R_iou + b * 3, &f.pass, &f.s,
                        &f.p, f.code, &one, f.scratch);
        for (int first = 0; first < 3; first++) { // wanted slots alone
            forward(&f, &one, (mg_sam_slots){first, 1});
            CHECK(check_gap(f.pass.masks, both + b * masks_each + first * masks_each / 3,
                            masks_each / 3) <= 1e-5);
            CHECK(check_gap(f.pass.iou, iou + b * 3 + first, 1) <= 1e-5);
        }
    }
    CHECK(check_gap(f.grads, grads, n) <= 1e-5);
    free(both);
    free(grads);
    close_fixture(&f);
}

static void empty_point_lists_and_extra_tokens(void **state)
{
    fixture f;
    (void)state;
    everything();
    open_fixture(&f, false, MG_TRAIN_FULL);
    // No point at all in a given list is the not-a-point token alone: one token, as a text would be.
    mg_sam_prompt empty = {.B = 1, .has_points = true};
    mg_sam_prompt text = {.B = 1, .n_extra = 1, .extra = mg_weight(&f.p, f.s.not_a_point)};
    mg_sam_prompt none = {.B = 1};
    CHECK(mg_sam_sparse(&empty) == 1 && mg_sam_sparse(&text) == 1 && mg_sam_sparse(&none) == 0);
    forward(&f, &empty, (mg_sam_slots){0, 1});
    float *want = malloc(mask_count(&f) * sizeof *want), dextra[16] = {0};
    memcpy(want, f.pass.masks, mask_count(&f) * sizeof *want);
    forward(&f, &text, (mg_sam_slots){0, 1});
    CHECK(memcmp(want, f.pass.masks, mask_count(&f) * sizeof *want) == 0);
    backward(&f, &text, dextra);
    float *dnothing = mg_grad(&f.p, f.grads, f.s.not_a_point);
    CHECK(dot(dnothing, dnothing, 16) == 0);
    backward(&f, &empty, NULL);
    CHECK(memcmp(dnothing, dextra, sizeof dextra) == 0);
    forward(&f, &none, (mg_sam_slots){0, 1});
    CHECK(check_gap(want, f.pass.masks, mask_count(&f)) > 1e-3);
    free(want);
    close_fixture(&f);
}

// --- around the decoder -----------------------------------------------------------------------------------

static void which_masks(void **state)
{
    mg_sam s = {.T = 4};
    const float iou[3] = {0.2f, 0.7f, 0.7f};
    (void)state;
    mg_sam_slots multi = mg_sam_wanted(&s, 1, false, false, false);
    CHECK(multi.first == 1 && multi.count == 3);
    CHECK(mg_sam_wanted(&s, 2, false, false, false).count == 1);
    CHECK(mg_sam_wanted(&s, 0, true, false, false).count == 1);
    CHECK(mg_sam_wanted(&s, 1, false, true, false).first == 0);
    CHECK(mg_sam_wanted(&s, 1, false, false, true).first == 0);
    CHECK(mg_sam_best(iou, 3) == 1);
}

static void frames(void **state)
{
    // A picture of 30 x 20 in a frame of 48 x 64: resized to 48 x 32, padded at the right.
    mg_sam_frame frame = {30, 20, 48, 32};
    uint8_t mask[30 * 20] = {0}, valid[12 * 16];
    float target[12 * 16], low[12 * 16], out[30 * 20];
    (void)state;
    for (int y = 15; y < 30; y++)
        for (int x = 0; x < 10; x++) mask[y * 20 + x] = 3;
    mg_sam_target(target, valid, mask, &tiny, frame);
    for (int r = 0; r < 12; r++)
        for (int q = 0; q < 16; q++) {
            CHECK(valid[r * 16 + q] == (q < 8));
            CHECK(target[r * 16 + q] == (r >= 6 && q < 4));
        }
    CHECK(mg_sam_source(0, 4, 30, 48) == 1 && mg_sam_source(11, 4, 30, 48) == 28);
    CHECK(mg_sam_source(12, 4, 30, 48) == -1 && mg_sam_source(0, 0.5, 3, 1) == 0);

    for (int i = 0; i < 12 * 16; i++) low[i] = target[i] > 0 ? 2.0f : -2.0f;
    float *scratch = malloc(mg_sam_postprocess_scratch(&tiny, frame) * sizeof *scratch);
    mg_sam_postprocess(out, low, &tiny, frame, scratch);
    int wrong = 0;
    for (int i = 0; i < 30 * 20; i++) wrong += (out[i] > 0) != (mask[i] > 0);
    CHECK(wrong <= 1); // the corner is rounded off
    free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_counts),
        cmocka_unit_test(bad_configurations),
        cmocka_unit_test(gradients_by_differences),
        cmocka_unit_test(frozen_parts_change_no_other_gradient),
        cmocka_unit_test(a_second_pass_adds),
        cmocka_unit_test(fresh_adapters_change_no_bit),
        cmocka_unit_test(together_as_one_by_one),
        cmocka_unit_test(empty_point_lists_and_extra_tokens),
        cmocka_unit_test(which_masks),
        cmocka_unit_test(frames),
    };
    mg_gemm_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
