// RUN: np=1
// A segmentation model from its settings: the forms of the paper and of the released code as presets and
// as single switches, the trained set of every ablation, what "auto" takes from model.init, square input.
#include "tests/check.h"

#include "finetune/seg_model.h"
#include "finetune/seg_prompt.h"
#include "models/weights_save.h"
#include "nn/gemm.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static mg_comm *alone;

static const char small[] =
    "model: {size: custom, image: 32, patch: 4, dim: 16, depth: 3, heads: 2, window: 3, global: "
    "[1], prompt_dim: 16, mask_in: 8, decoder_heads: 8, decoder_mlp: 24, iou_hidden: 8%s}\n"
    "train: {%s}\n";

// Settings `model` and `train` on top of the small ones, resolved as if model.init had `init`.
static mg_finetune_config settings(const char *model, const char *train, const char *init)
{
    mg_finetune_config c;
    char yaml[1024], more[256];

    snprintf(more, sizeof more, "%s%s", *model ? ", " : "", model);
    snprintf(yaml, sizeof yaml, small, more, train);
    OK(mg_finetune_parse(yaml, "test", &c));
    OK(mg_seg_config_resolve(&c, init ? "finetune" : NULL, init));
    return c;
}

typedef struct {
    int64_t trained, frozen; // values
    uint64_t encoder_adapters, depth, decoder_adapters, decoder, first_layer,
        rest; // trained tensors
    uint64_t hash;
} facts;

static facts facts_of(const char *model, const char *train)
{
    mg_finetune_config c = settings(model, train, NULL);
    mg_seg_model m;
    facts f = {0};

    OK(mg_seg_model_build(&c, &m));
    for (int i = 0; i < m.params.count; i++) {
        const mg_param *t = &m.params.list[i];
        bool adapter = strstr(t->name, "_Adapter.") != NULL;
        bool decoder = strncmp(t->name, "mask_decoder.", 13) == 0;
        if (!t->trainable) {
            f.frozen += (int64_t)t->size;
            continue;
        }
        f.trained += (int64_t)t->size;
        if (strstr(t->name, "Depth_Adapter."))
            f.depth++;
        else if (adapter)
            (*(decoder ? &f.decoder_adapters : &f.encoder_adapters))++;
        else if (strstr(t->name, "mask_decoder.transformer.layers.0."))
            f.first_layer++;
        else if (decoder)
            f.decoder++;
        else
            f.rest++;
    }
    f.hash = mg_params_hash(&m.params);
    mg_seg_model_free(&m);
    mg_finetune_config_free(&c);
    return f;
}

// Each switch of the paper's ablations takes out what it names, and nothing else.
static void test_ablations(void **state)
{
    (void)state;
    facts paper = facts_of("", "mode: msa"), whole = facts_of("", "mode: msa, decoder: whole");
    facts no_decoder = facts_of("decoder_adapters: false", "mode: msa");
    facts no_encoder = facts_of("encoder_adapters: false", "mode: msa");
    facts depth = facts_of("depth_branch: true", "mode: msa");
    facts release = facts_of("", "preset: release");

    CHECK(paper.encoder_adapters == 3 * 2 * 4 && paper.depth == 0 && paper.rest == 0);
    CHECK(paper.decoder_adapters == 3 * 4 + 2 && paper.first_layer == 0 && paper.decoder > 30);

    CHECK(no_decoder.decoder_adapters == 0 && no_decoder.encoder_adapters == 24);
    CHECK(no_decoder.decoder == paper.decoder && no_decoder.first_layer == 0);
    CHECK(no_decoder.frozen == paper.frozen && no_decoder.trained < paper.trained);

    CHECK(no_encoder.encoder_adapters == 0 && no_encoder.decoder_adapters == 14);
    CHECK(no_encoder.frozen == paper.frozen && no_encoder.trained < paper.trained);

    CHECK(depth.depth == 3 * 4 && depth.encoder_adapters == 24 && depth.frozen == paper.frozen);
    // D_fc1 and D_fc2 of three blocks, 16 -> 4 -> 16
    CHECK(depth.trained == paper.trained + 3 * (2 * 16 * 4 + 4 + 16));

    CHECK(whole.first_layer > 20 && whole.decoder == paper.decoder && whole.decoder_adapters == 14);
    CHECK(release.first_layer == whole.first_layer && release.decoder_adapters == 0);
    CHECK(release.encoder_adapters == 24 && release.rest == 0);
}

// Without model.init the frozen encoder is drawn from the seed.
static void test_drawn(void **state)
{
    (void)state;
    facts a = facts_of("", "mode: msa"), again = facts_of("", "mode: msa");
    facts b = facts_of("", "mode: msa, seed: 1");
    CHECK(a.frozen > 0 && a.hash == again.hash && a.hash != b.hash);
    CHECK(a.trained == b.trained && a.frozen == b.frozen);
}

static void test_preset(void **state)
{
    mg_seg_model m;
    (void)state;
    mg_finetune_config c = settings("", "preset: release", NULL);
    CHECK(!c.model.decoder_adapters && !strcmp(c.model.adapter_activation, "gelu"));
    CHECK(!strcmp(c.model.adapter_init, "linear") && !strcmp(c.model.window_cut, "before"));
    CHECK(!strcmp(c.model.resize, "square") && !strcmp(c.decoder, "whole"));
    CHECK(!strcmp(c.schedule, "single") && mg_finetune_single_output(&c));
    CHECK(!strcmp(c.train.rate, "constant") && c.train.decay == 0 && c.train.warmup == 0);
    CHECK(c.train.lr == 1e-4 && mg_finetune_mode(&c) == MG_TRAIN_RELEASE);
    OK(mg_finetune_settle_loss(&c, false));
    mg_seg_loss loss = mg_finetune_loss(&c);
    CHECK(!loss.sam && !loss.dice && loss.bce_weight == 2);
    OK(mg_seg_model_make(&c, &m));
    CHECK(m.vit.cfg.early_windows && m.vit.cfg.adapter_form.gelu && m.square && m.single_output);
    CHECK(!m.sam.cfg.adapters);
    mg_seg_model_free(&m);
    mg_finetune_config_free(&c);

    c = settings("resize: pad, decoder_adapters: true", "preset: release, loss: sam", NULL);
    CHECK(!strcmp(c.model.resize, "pad") && c.model.decoder_adapters && !strcmp(c.loss, "sam"));
    CHECK(!strcmp(c.model.adapter_activation, "gelu"));
    OK(mg_seg_model_make(&c, &m));
    CHECK(m.sam.layer[0].adapters && m.sam.layer[0].image_adapter.gelu && !m.square);
    mg_seg_model_free(&m);
    mg_finetune_config_free(&c);

    c = settings("", "preset: release", NULL);
    OK(mg_finetune_settle_loss(&c, true));
    loss = mg_finetune_loss(&c);
    CHECK(!loss.sam && loss.dice && loss.bce_weight == 0);
    mg_finetune_config_free(&c);

    c = settings("", "", NULL); // the paper's form
    CHECK(c.model.decoder_adapters && !strcmp(c.model.adapter_activation, "relu"));
    CHECK(!strcmp(c.model.window_cut, "after") && !strcmp(c.model.resize, "pad"));
    CHECK(mg_finetune_loss(&c).sam && mg_finetune_mode(&c) == MG_TRAIN_MSA);
    mg_finetune_config_free(&c);
}

// A model goes on in the form that it was trained in, unless something else is asked for.
static void test_taken_over(void **state)
{
    (void)state;
    size_t before = mg_mem_live();
    mg_finetune_config first = settings("", "preset: release", NULL), c;
    mg_option_group group = {mg_finetune_options, &first};
    char *yaml = mg_config_echo(&group, 1);

    c = settings("", "mode: msa", yaml);
    CHECK(!strcmp(c.model.adapter_activation, "gelu") && !strcmp(c.model.window_cut, "before"));
    CHECK(!strcmp(c.model.resize, "square") && c.model.dim == 16);
    mg_finetune_config_free(&c);

    OK(mg_finetune_parse("model: {resize: pad, adapter_ratio: 0.5}", "test", &c)); // size: auto
    OK(mg_seg_config_resolve(&c, "finetune", yaml));
    CHECK(!strcmp(c.model.adapter_activation, "gelu") && !strcmp(c.model.resize, "pad"));
    CHECK(c.model.dim == 16 && c.model.global.count == 1 && c.model.adapter_ratio == 0.5);
    CHECK(!strcmp(c.model.adapter_init, "zero"));
    mg_finetune_config_free(&c);
    mg_finetune_config_free(&first);
    mg_free(yaml);
    CHECK(mg_mem_live() == before);
}

// A mask into the model frame and back, and a click at its corner.
static void check_frame(const mg_seg_model *m, mg_sam_frame f)
{
    enum { CELLS = 32 * 32 };
    uint8_t mask[20 * 10] = {0}, valid[CELLS];
    float target[CELLS], back[20 * 10], scratch[8192];
    mg_seg_prompt prompt = {.count = 1, .click = {{8, 15, 0, 1}}};
    int wrong = 0, padding = 0;

    CHECK(m->cells == 32 && mg_sam_postprocess_scratch(&m->sam.cfg, f) <= 8192);
    for (int y = 5; y < 16; y++) memset(mask + 10 * y + 3, 1, 6);
    mg_sam_target(target, valid, mask, &m->sam.cfg, f);
    for (int i = 0; i < CELLS; i++) {
        padding += !valid[i];
        target[i] = 8 * target[i] - 4;
    }
    CHECK(padding == (m->square ? 0 : CELLS / 2));
    mg_sam_postprocess(back, target, &m->sam.cfg, f, scratch);
    for (int i = 0; i < 20 * 10; i++) wrong += (back[i] > 0) != mask[i];
    CHECK(wrong <= 4);
    mg_seg_prompt_for(&prompt, mg_seg_scale_picture(f), NULL);
    CHECK(fabsf(prompt.point[0] - 8.0f * (float)f.width2 / 10) <= 1e-5f);
    CHECK(fabsf(prompt.point[1] - 15.0f * 32 / 20) <= 1e-5f);
}

// Square input: each side has its own scale, nothing is padding; clicks and boxes follow.
static void test_square(void **state)
{
    mg_seg_model m;
    (void)state;
    for (int square = 0; square < 2; square++) {
        mg_finetune_config c = settings(square ? "resize: square" : "", "mode: msa", NULL);
        OK(mg_seg_model_make(&c, &m));
        mg_sam_frame f = mg_seg_frame(&m, 20, 10);
        CHECK(f.height == 20 && f.width == 10 && f.height2 == 32 && f.width2 == (square ? 32 : 16));
        uint8_t picture[20 * 10];
        float out[3 * 32 * 32];
        memset(picture, 200, sizeof picture);
        OK(mg_seg_picture(&m, out, picture, 20, 10, 1));
        CHECK((out[31] != 0) == square && out[0] != 0);
        CHECK(!square || out[31] == out[0]);
        check_frame(&m, f);
        mg_seg_model_free(&m);
        mg_finetune_config_free(&c);
    }
}

// Image embedding of a made-up picture, to be freed.
static float *embed(mg_seg_model *m, size_t *floats)
{
    int N = m->vit.gh * m->vit.gw;
    mg_layout measure = {0}, at = {0};
    mg_vit_acts acts;
    float *image = mg_alloc(3 * (size_t)m->side * m->side * sizeof *image);
    float *scratch = mg_alloc(mg_vit_scratch(&m->vit, 1, N) * sizeof *scratch);

    check_fill(image, 3 * (size_t)m->side * m->side, 1, 1);
    mg_vit_acts_layout(&measure, &acts, &m->vit, 1, N, MG_KEEP_NONE);
    at.base = mg_alloc(measure.used);
    mg_vit_acts_layout(&at, &acts, &m->vit, 1, N, MG_KEEP_NONE);
    mg_vit_forward(&acts, &m->vit, &m->params, image, 1, 0, scratch);
    *floats = (size_t)N * m->vit.cfg.neck;
    float *out = mg_alloc(*floats * sizeof *out);
    memcpy(out, acts.out, *floats * sizeof *out);
    mg_free(at.base), mg_free(image), mg_free(scratch);
    return out;
}

// A file as the released code leaves it, without a word on its form, is computed in that form; one with
// adapters in the decoder in the paper's.
static void test_released_file(void **state)
{
    char folder[64], path[96], *file, *kind, *yaml;
    mg_finetune_config c, read;
    mg_seg_model m, opened;
    size_t floats;
    (void)state;
    OK(check_folder(folder, "seg_model") ? MG_OK : MG_ERR_IO);
    for (int release = 0; release < 2; release++) {
        c = settings("depth_branch: true", release ? "preset: release" : "mode: msa", NULL);
        snprintf(path, sizeof path, "%s/%d.pth", folder, release);
        OK(mg_seg_model_build(&c, &m));
        OK(mg_params_save(path, &m.params, NULL, NULL, NULL));
        OK(mg_seg_model_open(alone, path, "", &read, &opened));
        CHECK(opened.square == release && opened.single_output == release);
        CHECK(opened.vit.cfg.early_windows == release);
        CHECK(opened.vit.cfg.adapter_form.gelu == release && opened.vit.cfg.depth_branch);
        CHECK(mg_finetune_mode(&read) == (release ? MG_TRAIN_RELEASE : MG_TRAIN_MSA));
        float *a = embed(&m, &floats), *b = embed(&opened, &floats);
        CHECK(!memcmp(a, b, floats * sizeof *a));
        mg_free(a), mg_free(b);
        mg_seg_model_free(&m), mg_seg_model_free(&opened);
        mg_finetune_config_free(&c), mg_finetune_config_free(&read);

        // Further training keeps the form.
        OK(mg_checkpoint_config(alone, path, &file, &kind, &yaml));
        c = settings("", "mode: msa", yaml);
        CHECK(!strcmp(c.model.adapter_activation, release ? "gelu" : "relu"));
        CHECK(!strcmp(c.model.window_cut, release ? "before" : "after"));
        CHECK(!strcmp(c.model.resize, release ? "square" : "pad"));
        mg_finetune_config_free(&c);
        mg_free(file), mg_free(kind), mg_free(yaml);
    }
    OK(mg_remove_tree(folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ablations), cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_preset),    cmocka_unit_test(test_taken_over),
        cmocka_unit_test(test_square),    cmocka_unit_test(test_released_file),
    };

    mg_gemm_init();
    if (mg_comm_alone(&alone)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_comm_end(&alone);
    return failed;
}
