// Writing weights and converting them: every form gives back the same bits, names and notes; halves;
// the trained part of a model and its base; CLIP between OpenAI's names and Hugging Face's.
#include "tests/check.h"

#include "finetune/seg_model.h"
#include "models/cmd.h"
#include "models/sam.h"
#include "models/weights_facts.h"
#include "models/weights_model.h"
#include "models/weights_save.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static const char SAM[] = "tests/golden/sam_tiny.pth";
static mg_comm *world;
static char work[64];

static int set_up(void **state)
{
    (void)state;
    return check_folder(work, "convert") ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return mg_remove_tree(work) ? -1 : 0;
}

// A path in the work folder; up to four live at the same time.
static const char *at(const char *name)
{
    static char path[4][200];
    static int next;
    char *room = path[next++ % 4];

    snprintf(room, 200, "%s/%s", work, name);
    return room;
}

static mg_status convert(const char *from, const char *to, const char *option)
{
    char in[200], out[200];
    char *argv[] = {in, out};
    char *set[] = {(char *)option};
    mg_args args = {.world = world,
                    .command = "convert",
                    .sets = {option ? 1 : 0, set},
                    .argc = 2,
                    .argv = argv};

    snprintf(in, sizeof in, "%s", from);
    snprintf(out, sizeof out, "%s", to);
    return mg_cmd_convert(&args);
}

static uint64_t hash_of(const char *path)
{
    uint64_t hash = 0;

    OK(mg_weights_hash(path, &hash));
    return hash;
}

// Around all forms: the same tensors each time, and the same file at the end.
static void test_forms(void **state)
{
    char *first, *last;
    size_t bytes, again;
    uint64_t hash = hash_of(SAM);

    (void)state;
    OK(convert(SAM, at("a.safetensors"), NULL));
    OK(convert(at("a.safetensors"), at("b.pth"), NULL));
    OK(convert(at("b.pth"), at("c.h5"), NULL));
    OK(convert(at("c.h5"), at("d.safetensors"), NULL));
    CHECK(hash_of(at("a.safetensors")) == hash && hash_of(at("b.pth")) == hash);
    CHECK(hash_of(at("c.h5")) == hash);
    OK(mg_read_file(at("a.safetensors"), 1 << 24, &first, &bytes));
    OK(mg_read_file(at("d.safetensors"), 1 << 24, &last, &again));
    CHECK(bytes == again && !memcmp(first, last, bytes));
    mg_free(first);
    mg_free(last);
    FAILS(convert(SAM, at("x.zip"), NULL), MG_ERR_CONFIG, "ending of the name");
    FAILS(convert(SAM, at("x.pth"), "convert.from=mae"), MG_ERR_FORMAT, "kind SAM, expected MAE");
    FAILS(convert(SAM, at("x.pth"), "convert.to=clip"), MG_ERR_CONFIG, "no way from");
    CHECK(!mg_path_is_file(at("x.pth")));
}

static void test_halves(void **state)
{
    mg_weights *w;

    (void)state;
    OK(convert(SAM, at("half.safetensors"), "convert.type=bf16"));
    OK(convert(at("half.safetensors"), at("half.pth"), NULL)); // the type is kept
    OK(mg_weights_open(at("half.pth"), 0, &w));
    for (int i = 0; i < mg_weights_count(w); i++) CHECK(mg_weights_at(w, i)->type == MG_T_BF16);
    mg_weights_close(&w);
    CHECK(hash_of(at("half.pth")) == hash_of(at("half.safetensors")));
    CHECK(hash_of(at("half.pth")) != hash_of(SAM));
}

// What the golden writer made of these tensors: same order, same offsets.
static void test_canonical(void **state)
{
    static const char *const files[] = {"basic", "dtypes", "empty_and_scalar"};

    (void)state;
    for (int f = 0; f < 3; f++) {
        char golden[200], *want, *got;
        size_t bytes, written;
        snprintf(golden, sizeof golden, "tests/golden/safetensors_cases/%s.safetensors", files[f]);
        OK(convert(golden, at("canonical.safetensors"), NULL));
        OK(mg_read_file(golden, 1 << 20, &want, &bytes));
        OK(mg_read_file(at("canonical.safetensors"), 1 << 20, &got, &written));
        uint64_t head[2];
        memcpy(&head[0], want, 8);
        memcpy(&head[1], got, 8);
        CHECK(head[1] % 8 == 0 && bytes - head[0] == written - head[1]);
        CHECK(!memcmp(want + 8 + head[0], got + 8 + head[1], bytes - 8 - head[0]));
        mg_free(want);
        mg_free(got);
    }
}

// Names that need escapes, shapes without values: out and in again.
static void test_odd_names(void **state)
{
    static const char golden[] = "tests/golden/safetensors_cases/escaped_names.safetensors";
    mg_weights *a, *b;

    (void)state;
    OK(convert(golden, at("odd.pth"), NULL));
    OK(convert(at("odd.pth"), at("odd.safetensors"), NULL));
    OK(mg_weights_open(golden, 0, &a));
    OK(mg_weights_open(at("odd.safetensors"), 0, &b));
    CHECK(mg_weights_count(a) == mg_weights_count(b));
    for (int i = 0; i < mg_weights_count(a); i++)
        CHECK(mg_weights_find(b, mg_weights_at(a, i)->key) >= 0);
    mg_weights_close(&a);
    mg_weights_close(&b);
}

// --- the trained part of a model --------------------------------------------------------------------

// A model with adapters on the base SAM, as a run leaves it: model.safetensors, trained.safetensors.
// `release`: adapters in the encoder alone, the whole decoder trained.
static void make_msa(const char *model, const char *trained, bool release)
{
    const char *kind;
    char *config;
    mg_train_mode mode = release ? MG_TRAIN_RELEASE : MG_TRAIN_MSA;
    mg_weights *w;
    mg_weights_model m;
    mg_params p = {0};

    OK(mg_weights_open(SAM, 0, &w));
    OK(mg_weights_describe(w, &m));
    mg_weights_close(&w);
    m.vit.adapter = 12;
    m.vit.adapter_scale = 0.5f;
    m.sam.adapters = !release;
    m.release = release;
    m.sam.ratio = 0.25;
    m.sam.scale = 0.5;
    m.text_width = 20;
    OK(mg_weights_table(&m, &p));
    mg_params_train(&p, mg_sam_trains, &mode);
    OK(mg_params_alloc(&p));
    OK(mg_weights_load(world, SAM, &(mg_load_how){.seed = &(uint64_t){3}}, &p));
    bool *part = mg_calloc((size_t)p.count, sizeof *part);
    for (int i = 0; i < p.count; i++) {
        part[i] = p.list[i].trainable || strstr(p.list[i].name, ".text_");
        if (part[i]) mg_weight(&p, i)[0] += 1;
    }
    OK(mg_model_settings(&m, &kind, &config));
    mg_json *notes = mg_model_notes(&p, kind, config);
    mg_free(config);
    OK(mg_params_save(model, &p, NULL, NULL, notes));
    OK(mg_notes_of_part(notes, &p, part));
    OK(mg_params_save(trained, &p, part, NULL, notes));
    mg_json_free(&notes);
    mg_free(part);
    mg_params_free(&p);
}

static void check_part(bool release)
{
    char option[200];
    uint64_t hash;

    make_msa(at("model.safetensors"), at("trained.safetensors"), release);
    hash = hash_of(at("model.safetensors"));
    snprintf(option, sizeof option, "convert.base=%s", SAM);
    OK(convert(at("trained.safetensors"), at("whole.h5"), option));
    CHECK(hash_of(at("whole.h5")) == hash);
    FAILS(convert(at("trained.safetensors"), at("whole.h5"), NULL), MG_ERR_CONFIG,
          "holds only what was trained");
    FAILS(convert(SAM, at("whole.h5"), option), MG_ERR_CONFIG, "needs no convert.base");

    // Cut the part out of the whole again: the same file.
    char *a, *b;
    size_t bytes, again;
    OK(convert(at("whole.h5"), at("again.safetensors"), "convert.part=trained"));
    OK(mg_read_file(at("trained.safetensors"), 1 << 24, &a, &bytes));
    OK(mg_read_file(at("again.safetensors"), 1 << 24, &b, &again));
    CHECK(bytes == again && !memcmp(a, b, bytes));
    CHECK(bytes < (release ? 600000 : 400000));
    mg_free(a);
    mg_free(b);
}

static void test_part(void **state)
{
    mg_weights *w;

    (void)state;
    check_part(true);
    OK(mg_weights_open(at("trained.safetensors"), 0, &w));
    CHECK(strstr(mg_weights_note(w, "preprocessing"), "both_sides"));
    mg_weights_close(&w);
    check_part(false);
    OK(mg_weights_open(at("trained.safetensors"), 0, &w));
    CHECK(strstr(mg_weights_note(w, "preprocessing"), "long_side"));
    mg_weights_close(&w);
}

// Another base, in one value of a frozen tensor, is refused.
static void test_other_base(void **state)
{
    char option[200];
    mg_weights *w;
    mg_weights_model m;
    mg_params p = {0};

    (void)state;
    OK(mg_weights_open(SAM, 0, &w));
    OK(mg_weights_describe(w, &m));
    mg_weights_close(&w);
    OK(mg_weights_table(&m, &p));
    OK(mg_params_alloc(&p));
    OK(mg_weights_load(world, SAM, &(mg_load_how){.exact = true}, &p));
    mg_weight(&p, mg_params_find(&p, "image_encoder.neck.1.weight"))[3] += 1e-6f;
    OK(mg_params_save(at("other.pth"), &p, NULL, NULL, NULL));
    mg_params_free(&p);
    snprintf(option, sizeof option, "convert.base=%s", at("other.pth"));
    FAILS(convert(at("trained.safetensors"), at("whole.h5"), option), MG_ERR_FORMAT,
          "on another base model");
}

static void expect_model(const char *file, const char *base, uint64_t hash)
{
    mg_finetune_config config;
    mg_seg_model model;

    OK(mg_seg_model_open(world, file, base, &config, &model));
    CHECK(mg_params_hash(&model.params) == hash);
    mg_seg_model_free(&model);
    mg_finetune_config_free(&config);
}

static void refuse_model(const char *file, const char *base, mg_status code, const char *text)
{
    mg_finetune_config config;
    mg_seg_model model;

    FAILS(mg_seg_model_open(world, file, base, &config, &model), code, text);
    mg_seg_model_free(&model);
    mg_finetune_config_free(&config);
}

// What evaluate and predict open: whole files of any form, and trained parts with their base.
static void test_open(void **state)
{
    uint64_t hash = hash_of(at("model.safetensors"));
    (void)state;

    expect_model(SAM, "", hash_of(SAM));
    expect_model(at("model.safetensors"), "", hash);
    expect_model(at("trained.safetensors"), SAM, hash);
    refuse_model(at("trained.safetensors"), "", MG_ERR_CONFIG, "(--base FILE)");
    refuse_model(at("trained.safetensors"), at("other.pth"), MG_ERR_FORMAT,
                 "on another base model");
    refuse_model(at("model.safetensors"), SAM, MG_ERR_CONFIG, "expected no base beside it");
    refuse_model("tests/golden/clip_text_tiny.pth", "", MG_ERR_FORMAT, "clip_text_tiny.pth");
}

// --- CLIP -------------------------------------------------------------------------------------------

static void test_clip(void **state)
{
    static const char openai[] = "tests/golden/clip_text_tiny.pth";
    static const char hf[] = "tests/golden/clip_text_tiny.safetensors";

    (void)state;
    OK(convert(openai, at("clip.safetensors"), "convert.to=hf-clip"));
    OK(convert(hf, at("clip.pth"), "convert.to=clip"));
    OK(convert(hf, at("same.safetensors"), NULL));
    CHECK(hash_of(at("clip.safetensors")) == hash_of(at("same.safetensors")));
    OK(convert(at("clip.pth"), at("back.safetensors"), "convert.to=hf-clip"));
    CHECK(hash_of(at("back.safetensors")) == hash_of(at("same.safetensors")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),     cmocka_unit_test(test_halves),
        cmocka_unit_test(test_canonical), cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_part),      cmocka_unit_test(test_other_base),
        cmocka_unit_test(test_open),      cmocka_unit_test(test_clip)};

    if (mg_comm_alone(&world)) return 1;
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    mg_comm_end(&world);
    return failed;
}
