// Every kind of weight file into every kind of model (text-and-weights.md f, pretraining.md 7): what a model
// takes, what starts fresh, what is listed and refused until the user lets it pass, and that a file opens as
// the model that it holds.
#include "tests/check.h"

#include "finetune/seg_model.h"
#include "models/text_prompt.h"
#include "models/weights_model.h"
#include "models/weights_save.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"

typedef enum {
    SAM,     // also MedSAM: the same names and shapes
    MSA_2D,  // adapters in encoder and decoder
    MSA_3D,  // with the depth branch
    RELEASE, // adapters in the encoder only
    TEXTS,   // SAM that takes texts
    ENCODER, // SAM's image encoder alone
    MAE,     // encoder of MAE, as it is published
    MAE_ALL, // with its decoder
    OURS,    // pretraining with the three objectives
    KINDS
} kind;
static const char *const names[KINDS] = {"sam",     "msa-2d", "msa-3d",  "release", "texts",
                                         "encoder", "mae",    "mae-all", "ours"};
enum { SIDE = 32, PATCH = 8, D = 24, WIDTH = 12, FILE_SEED = 5, MODEL_SEED = 7 };
static mg_comm *world;
static char work[64];

// --- models -----------------------------------------------------------------------------------------

static bool is_mae(kind k)
{
    return k == MAE || k == MAE_ALL || k == OURS;
}

static void sam_table(kind k, mg_params *p)
{
    bool adapters = k == MSA_2D || k == MSA_3D;
    mg_vit_config c = {.prefix = "image_encoder.", .Y = SIDE, .X = SIDE, .C = 3, .patch = PATCH};
    mg_sam_config s = mg_sam_defaults(SIDE, PATCH);
    mg_vit v;

    c.D = D, c.depth = 2, c.heads = 3, c.hidden = 4 * D;
    c.window = 2, c.global = 2, c.rel_h = c.rel_w = 4, c.neck = s.prompt_dim = 64;
    c.adapter = adapters || k == RELEASE ? D / 4 : 0;
    c.depth_branch = k == MSA_3D;
    s.mlp = 32, s.mask_in = 8, s.iou_hidden = 16, s.adapters = adapters;
    OK(mg_vit_check(&c));
    OK(mg_sam_check(&s));
    mg_vit_add(&v, p, &c);
    if (k != ENCODER) mg_sam_add(p, &s);
    if (k == TEXTS) mg_text_prompt_add(p, WIDTH, s.prompt_dim);
}

static void mae_table(kind k, mg_params *p)
{
    mg_weights_model m = {.names = MG_NAMES_MAE};

    m.vit = (mg_vit_config){.prefix = "", .mae = true, .cls = k != OURS, .Y = SIDE, .X = SIDE};
    m.vit.C = 3, m.vit.patch = PATCH, m.vit.D = D, m.vit.depth = 2, m.vit.heads = 3;
    m.vit.hidden = 4 * D;
    m.pretrain = (mg_pretrain_config){.vit = m.vit,
                                      .use_mae = k != MAE,
                                      .use_emix = k == OURS,
                                      .use_shed = k == OURS,
                                      .mae = {.ratio = 0.75, .D = 16, .depth = 1, .heads = 4},
                                      .shed_fraction = 0.15,
                                      .emix_dim = 8,
                                      .emix_alpha = 1,
                                      .emix_tau = 0.2,
                                      .leaf = 1,
                                      .each = 1};
    m.pretrain.mae.hidden = 64;
    OK(mg_weights_table(&m, p));
}

static void make(kind k, uint64_t seed, mg_params *p)
{
    *p = (mg_params){0};
    if (is_mae(k))
        mae_table(k, p);
    else
        sam_table(k, p);
    OK(mg_params_alloc(p));
    mg_params_init(p, seed);
    // Values of its own where initial ones would be constants.
    for (int i = 0; i < p->count && seed == FILE_SEED; i++)
        check_fill(mg_weight(p, i), p->list[i].size, 100 + (uint64_t)i, 1);
}

static const char *path_of(kind k)
{
    static char path[100];

    snprintf(path, sizeof path, "%s/%s.pth", work, names[k]);
    return path;
}

static int set_up(void **state)
{
    mg_params p;

    (void)state;
    if (!check_folder(work, "pairs")) return -1;
    for (kind k = 0; k < KINDS; k++) {
        make(k, FILE_SEED, &p);
        OK(mg_params_save(path_of(k), &p, NULL, NULL, NULL));
        mg_params_free(&p);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return mg_remove_tree(work) ? -1 : 0;
}

// --- pairs ------------------------------------------------------------------------------------------

static bool may_be_fresh(const char *name)
{
    return strstr(name, "_Adapter.") || strstr(name, "prompt_encoder.text_");
}

// Tensors of `a` that `b` lacks, by name; `needed`: without those that have initial values of their own.
static size_t lacking(const mg_params *a, const mg_params *b, bool needed)
{
    size_t n = 0;

    for (int i = 0; i < a->count; i++)
        n += mg_params_find(b, a->list[i].name) < 0 && !(needed && may_be_fresh(a->list[i].name));
    return n;
}

// How many names must be listed: as missing, and as without place.
static void expected(kind from, kind to, size_t *missing, size_t *extra)
{
    mg_params file, model;

    *missing = *extra = 0;
    // MAE and SAM take the encoder from each other; all else is known to differ. A class token must be there.
    if (is_mae(to) && is_mae(from)) *missing = from == OURS && to != OURS;
    if (is_mae(from) || is_mae(to)) return;
    make(from, FILE_SEED, &file);
    make(to, MODEL_SEED, &model);
    *missing = lacking(&model, &file, true);
    *extra = lacking(&file, &model, false);
    mg_params_free(&file);
    mg_params_free(&model);
}

// The name in the file of the model's tensor; "" if there is none by the tables of the specification.
static void source_of(kind from, kind to, const char *name, char out[200])
{
    const char *tail = is_mae(to) ? name : name + strlen("image_encoder.");
    const char *mlp = strstr(name, is_mae(to) ? ".mlp.fc" : ".mlp.lin");

    snprintf(out, 200, "%s", name);
    if (is_mae(from) == is_mae(to)) return;
    out[0] = '\0';
    if (!is_mae(to) && strncmp(name, "image_encoder.", 14)) return;
    snprintf(out, 200, "%s%s", is_mae(to) ? "image_encoder." : "", tail);
    if (!mlp) return;
    snprintf(out, 200, "%s%.*s%s%s", is_mae(to) ? "image_encoder." : "", (int)(mlp - tail), tail,
             is_mae(to) ? ".mlp.lin" : ".mlp.fc",
             mlp + strlen(is_mae(to) ? ".mlp.fc" : ".mlp.lin"));
}

// Every tensor of a filled model is the file's, resized from it, or as it began.
static void check_values(kind from, kind to, const mg_params *p)
{
    mg_params file, fresh;
    char name[200];

    make(from, FILE_SEED, &file);
    make(to, MODEL_SEED, &fresh);
    for (int i = 0; i < p->count; i++) {
        const mg_param *t = &p->list[i];
        source_of(from, to, t->name, name);
        int s = mg_params_find(&file, name);
        const float *wanted = s < 0 ? mg_weight(&fresh, i) : mg_weight(&file, s);
        const float *found = mg_weight(p, i);
        size_t n = t->size, row = (size_t)t->dim[t->ndim - 1];
        if (s >= 0 && file.list[s].size != n) { // positions, of one side with the class token's row
            wanted += file.list[s].dim[1] == 17 ? row : 0;
            found += t->dim[1] == 17 ? row : 0;
            n = 16 * row;
        }
        if (memcmp(found, wanted, n * sizeof *found))
            fail_msg("%s into %s: '%s' is not '%s'", names[from], names[to], t->name,
                     s < 0 ? "fresh" : name);
    }
    mg_params_free(&file);
    mg_params_free(&fresh);
}

static void try_pair(kind from, kind to)
{
    uint64_t seed = MODEL_SEED;
    mg_load_how strict = {.seed = &seed}, how = {.seed = &seed};
    size_t missing, extra;
    mg_params p;
    mg_weights *w;
    mg_load_plan plan;

    expected(from, to, &missing, &extra);
    make(to, MODEL_SEED, &p);
    OK(mg_weights_open(path_of(from), 0, &w));
    OK(mg_load_plan_make(w, &p, &strict, &plan));
    CHECK(plan.missing.count == missing && plan.extra.count == extra && !plan.misshaped.count);
    mg_load_plan_free(&plan);
    for (int allow = 0; allow < 4; allow++) {
        how.allow_missing = allow & 1;
        how.allow_extra = allow & 2;
        bool passes = (!missing || how.allow_missing) && (!extra || how.allow_extra);
        mg_status st = mg_weights_fill(w, &how, &p, &plan);
        mg_load_plan_free(&plan);
        CHECK(st == (passes ? MG_OK : MG_ERR_FORMAT));
        if (!passes) CHECK(strstr(mg_err_message(), "does not fit the model"));
        if (passes) check_values(from, to, &p);
        mg_err_clear();
    }
    mg_weights_close(&w);
    mg_params_free(&p);
}

static void test_pairs(void **state)
{
    (void)state;
    for (kind from = 0; from < KINDS; from++)
        for (kind to = 0; to < KINDS; to++) try_pair(from, to);
}

// The counts that matter, as numbers: whoever changes the rules changes them here.
static void test_lists(void **state)
{
    static const struct {
        kind from, to;
        size_t missing, extra;
    } lists[] = {
        {SAM, MSA_2D, 0, 0},          // MedSAM or SAM into adapters
        {MSA_2D, SAM, 0, 2 * 8 + 14}, // 2 adapters a block, 3 in the decoder
        {MSA_3D, MSA_2D, 0, 2 * 4},   // depth branches
        {TEXTS, SAM, 0, 3},           // text_proj.weight, text_proj.bias, text_embed.weight
        {SAM, TEXTS, 0, 0},           {MAE, SAM, 0, 0},  {MAE_ALL, SAM, 0, 0},
        {OURS, MSA_2D, 0, 0},         {SAM, OURS, 0, 0}, {OURS, MAE, 1, 0},
        {ENCODER, MSA_2D, 137, 0},
    };
    size_t missing, extra;

    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        expected(lists[i].from, lists[i].to, &missing, &extra);
        if (missing != lists[i].missing || extra != lists[i].extra)
            fail_msg("%s into %s: %zu missing, %zu extra", names[lists[i].from], names[lists[i].to],
                     missing, extra);
    }
}

// For evaluation and prediction a file is the model that it holds, adapters and texts included.
static void test_open(void **state)
{
    static const kind whole[] = {SAM, MSA_2D, MSA_3D, RELEASE, TEXTS};
    mg_finetune_config config;
    mg_seg_model model;
    mg_params p;

    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        make(whole[i], FILE_SEED, &p);
        OK(mg_seg_model_open(world, path_of(whole[i]), "", &config, &model));
        CHECK(model.params.count == p.count && mg_params_hash(&model.params) == mg_params_hash(&p));
        CHECK(model.text.width == (whole[i] == TEXTS ? WIDTH : 0));
        mg_seg_model_free(&model);
        mg_finetune_config_free(&config);
        mg_params_free(&p);
    }
    FAILS(mg_seg_model_open(world, path_of(MAE_ALL), "", &config, &model), MG_ERR_CONFIG,
          "holds a pretrain model, expected one of finetune");
    mg_finetune_config_free(&config);
    FAILS(mg_seg_model_open(world, "tests/golden/clip_text_tiny.pth", "", &config, &model),
          MG_ERR_FORMAT, "its names are of the kind OpenAI CLIP");
    mg_finetune_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs), cmocka_unit_test(test_lists),
                                       cmocka_unit_test(test_open)};

    if (mg_comm_alone(&world)) return 1;
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    mg_comm_end(&world);
    return failed || mg_mem_live() != 0;
}
