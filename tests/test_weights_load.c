// RUN: np=1,2
// Weights into models: SAM at its own and at another input size, MAE into SAM's encoder and back, both
// kinds of CLIP files, and what is said about tensors that do not fit.
#include "tests/check.h"

#include "models/weights_model.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static mg_comm *world;
static const char SAM[] = "tests/golden/sam_tiny.pth";
static const char MAE[] = "tests/golden/pth_cases/mae_like_tiny.pth";

// The table of a file as `names` at `side` (0: as it is), with values from seed 7.
static void build(const char *path, mg_names names, int side, mg_params *p)
{
    mg_weights *w;
    mg_weights_model m;

    *p = (mg_params){0};
    OK(mg_weights_open(path, 0, &w));
    OK(mg_weights_describe(w, &m));
    OK(mg_weights_model_as(&m, names, side));
    OK(mg_weights_table(&m, p));
    OK(mg_params_alloc(p));
    mg_params_init(p, 7);
    mg_weights_close(&w);
}

// Values of a tensor of a file.
static float *values(const char *path, const char *key, size_t count)
{
    mg_weights *w;
    float *x = mg_alloc(count * sizeof *x);

    OK(mg_weights_open(path, 0, &w));
    int i = mg_weights_find(w, key);
    CHECK(i >= 0 && mg_weights_at(w, i)->count == (int64_t)count);
    OK(mg_weights_read_f32(w, &(mg_weights_want){i, x}, 1));
    mg_weights_close(&w);
    return x;
}

static bool equal(const mg_params *p, const char *name, const char *path, const char *key)
{
    int i = mg_params_find(p, name);
    CHECK(i >= 0);
    float *x = values(path, key, p->list[i].size);
    bool same = !memcmp(x, mg_weight(p, i), p->list[i].size * sizeof *x);
    mg_free(x);
    return same;
}

static void test_sam(void **state)
{
    mg_params p;

    (void)state;
    build(SAM, MG_NAMES_SAM, 0, &p);
    OK(mg_weights_load(world, SAM, &(mg_load_how){.exact = true}, &p));
    for (int i = 0; i < p.count; i++) CHECK(equal(&p, p.list[i].name, SAM, p.list[i].name));
    mg_params_free(&p);
}

// Another input size: tables are resized, everything else is the same; windowed tables are.
static void test_sam_smaller(void **state)
{
    mg_params p;
    int resized = 0;

    (void)state;
    build(SAM, MG_NAMES_SAM, 96, &p);
    OK(mg_weights_load(world, SAM, &(mg_load_how){0}, &p));
    for (int i = 0; i < p.count; i++) {
        const mg_param *t = &p.list[i];
        bool global = strstr(t->name, "blocks.1.attn.rel") || strstr(t->name, "blocks.3.attn.rel");
        if (!strcmp(t->name, "image_encoder.pos_embed") || global) {
            resized++;
            CHECK(t->dim[0] == (global ? 11 : 1)); // 96 px of 16: 2 * 6 - 1 rows
        } else {
            CHECK(equal(&p, t->name, SAM, t->name));
        }
    }
    CHECK(resized == 5);
    OK(mg_weights_load(world, SAM, &(mg_load_how){.relpos_drop = true}, &p));
    mg_params_free(&p);
}

static void test_sam_into_mae(void **state)
{
    mg_params p;

    (void)state;
    build(SAM, MG_NAMES_MAE, 96, &p);
    OK(mg_weights_load(world, SAM, &(mg_load_how){0}, &p));
    CHECK(equal(&p, "blocks.0.mlp.fc1.weight", SAM, "image_encoder.blocks.0.mlp.lin1.weight"));
    CHECK(equal(&p, "blocks.2.attn.qkv.bias", SAM, "image_encoder.blocks.2.attn.qkv.bias"));
    int norm = mg_params_find(&p, "norm.weight");
    CHECK(norm >= 0 && mg_weight(&p, norm)[0] == 1);
    mg_params_free(&p);
}

// An encoder of 2 blocks of width 12 in SAM's form takes what the MAE file has.
static void test_mae_into_sam(void **state)
{
    mg_vit_config c = {.prefix = "image_encoder.",
                       .Y = 24,
                       .X = 24,
                       .C = 3,
                       .patch = 4,
                       .D = 12,
                       .depth = 2,
                       .heads = 3,
                       .hidden = 48,
                       .window = 2,
                       .global = 2,
                       .rel_h = 6,
                       .rel_w = 6,
                       .neck = 8};
    mg_vit v;
    mg_params p = {0};

    (void)state;
    mg_vit_add(&v, &p, &c);
    OK(mg_params_alloc(&p));
    mg_params_init(&p, 7);
    OK(mg_weights_load(world, MAE, &(mg_load_how){0}, &p));
    CHECK(equal(&p, "image_encoder.blocks.1.mlp.lin2.weight", MAE, "blocks.1.mlp.fc2.weight"));
    const float *table = mg_weight(&p, mg_params_find(&p, "image_encoder.blocks.1.attn.rel_pos_h"));
    CHECK(table[0] == 0);
    float neck = mg_weight(&p, mg_params_find(&p, "image_encoder.neck.0.weight"))[0];
    CHECK(neck != 0); // fresh

    // On top of a loaded model: patches and blocks only.
    int pos = mg_params_find(&p, "image_encoder.pos_embed");
    mg_weight(&p, pos)[0] = 5;
    OK(mg_weights_load(world, MAE, &(mg_load_how){.keep_rest = true}, &p));
    CHECK(mg_weight(&p, pos)[0] == 5);
    mg_params_free(&p);
}

// What does not fit is refused, and passes when the user says so.
static void test_complaints(void **state)
{
    mg_params p;
    bool first = mg_comm_rank(world) == 0;
    mg_status code = first ? MG_ERR_FORMAT : MG_ERR_PEER;

    (void)state;
    build(SAM, MG_NAMES_SAM, 0, &p);
    mg_params_add(&p, "mask_decoder.more.weight", MG_INIT_ONE, 0, 1, 3);
    int lost = mg_params_find(&p, "mask_decoder.iou_token.weight");
    p.list[lost].name[0] = 'x';
    int narrow = mg_params_find(&p, "mask_decoder.mask_tokens.weight");
    p.list[narrow].dim[0]--;
    mg_free(p.data);
    OK(mg_params_alloc(&p));
    mg_status st = mg_weights_load(world, SAM, &(mg_load_how){0}, &p);
    CHECK(st == code);
    CHECK(!first || strstr(mg_err_message(), "2 tensors are missing, 1 have another shape"));
    CHECK(!first || strstr(mg_err_message(), "1 have no place"));
    mg_err_clear();
    CHECK(mg_weights_load(world, SAM, &(mg_load_how){.allow_missing = true}, &p) == code);
    CHECK(mg_weights_load(world, SAM, &(mg_load_how){.allow_extra = true}, &p) == code);
    OK(mg_weights_load(world, SAM, &(mg_load_how){.allow_extra = true, .allow_missing = true}, &p));
    CHECK(mg_weight(&p, narrow)[0] == 0); // left as it was
    mg_err_clear();
    mg_params_free(&p);
}

// The settings made from shapes name the sizes.
static void test_settings(void **state)
{
    mg_weights *w;
    const char *kind;
    char *config;

    (void)state;
    OK(mg_weights_open(SAM, 0, &w));
    OK(mg_weights_settings(w, &kind, &config));
    CHECK(!strcmp(kind, "finetune"));
    CHECK(config && strstr(config, "global: [1, 3]") && strstr(config, "window: 3"));
    CHECK(strstr(config, "mode: full"));
    mg_free(config);
    mg_weights_close(&w);
    OK(mg_weights_open(MAE, 0, &w)); // its heads are not known
    OK(mg_weights_settings(w, &kind, &config));
    CHECK(!strcmp(kind, "pretrain") && !config);
    mg_weights_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sam),          cmocka_unit_test(test_sam_smaller),
        cmocka_unit_test(test_sam_into_mae), cmocka_unit_test(test_mae_into_sam),
        cmocka_unit_test(test_complaints),   cmocka_unit_test(test_settings)};

    if (mg_comm_start(&argc, &argv, &world)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_comm_end(&world);
    return failed;
}
