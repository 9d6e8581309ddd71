// vit_b, vit_l and vit_h without their gigabytes: the tables of all parameters (model.md 8.1, 10.5), and
// files of these shapes whose values are holes, from which sizes are told and loading is planned, at the
// side of the file and at smaller ones.
#include "tests/check.h"

#include <unistd.h>

#include "models/weights_model.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static const struct {
    const char *name;
    int entries, D, depth, heads;
    uint64_t global;
    int64_t encoder, total, trained_2d, trained_3d;
} sizes[] = {
    {"vit_b", 314, 768, 12, 12, 1 << 2 | 1 << 5 | 1 << 8 | 1 << 11, 89670912, 93735472, 9695460,
     13245924},
    {"vit_l", 482, 1024, 24, 16, 1 << 5 | 1 << 11 | 1 << 17 | 1 << 23, 308278272, 312342832,
     27821796, 40435428},
    {"vit_h", 594, 1280, 32, 16, 1 << 7 | 1 << 15 | 1 << 23 | (uint64_t)1 << 31, 637026048,
     641090608, 55125732, 81391332},
};
enum { SIZES = 3, PROMPT_ENCODER = 6220, DECODER = 4058340 };
static char work[64];

static int set_up(void **state)
{
    (void)state;
    return check_folder(work, "sam-sizes") ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return mg_remove_tree(work) ? -1 : 0;
}

// The table at `side` with adapters in the encoder (0: none, 2: 2-D, 3: with the depth branch) and, if
// asked for, in the decoder.
static void make_table(int k, int side, int adapters, bool decoder_adapters, mg_params *p)
{
    mg_vit_config c;
    mg_sam_config s = mg_sam_defaults(side, 16);
    mg_vit v;

    *p = (mg_params){0};
    OK(mg_vit_named(sizes[k].name, side, &c));
    CHECK(c.D == sizes[k].D && c.depth == sizes[k].depth && c.heads == sizes[k].heads);
    CHECK(c.global == sizes[k].global && c.window == 14 && c.hidden == 4 * c.D);
    c.rel_h = c.rel_w = side / 16;
    c.pos_h = c.pos_w = 0; // as the rest: for this side
    c.adapter = adapters ? c.D / 4 : 0;
    c.depth_branch = adapters == 3;
    s.adapters = decoder_adapters;
    OK(mg_vit_check(&c));
    mg_vit_add(&v, p, &c);
    mg_sam_add(p, &s);
    OK(mg_params_check(p));
}

static bool in_encoder(const char *name, void *ctx)
{
    (void)ctx;
    return !strncmp(name, "image_encoder.", 14);
}

static void test_counts(void **state)
{
    mg_train_mode mode = MG_TRAIN_MSA;
    mg_params p;

    (void)state;
    for (int k = 0; k < SIZES; k++) {
        make_table(k, 1024, 0, false, &p);
        CHECK(p.count == sizes[k].entries);
        CHECK(mg_params_total(&p) == sizes[k].total);
        mg_params_train(&p, in_encoder, NULL);
        CHECK(mg_params_trainable(&p) == sizes[k].encoder);
        CHECK(sizes[k].encoder + PROMPT_ENCODER + DECODER == sizes[k].total);
        mg_params_free(&p);
        for (int dims = 2; dims <= 3; dims++) {
            make_table(k, 1024, dims, true, &p);
            mg_params_train(&p, mg_sam_trains, &mode);
            CHECK(mg_params_trainable(&p) ==
                  (dims == 2 ? sizes[k].trained_2d : sizes[k].trained_3d));
            mg_params_free(&p);
        }
    }
}

// A safetensors file of this table: a true header, and a hole where the values would be. `release`: under
// the names of the released Medical SAM Adapter of 2025.
static void make_file(const char *path, const mg_params *p, bool release)
{
    mg_json *header = mg_json_object();
    int64_t at = 0;

    for (int i = 0; i < p->count; i++) {
        const mg_param *t = &p->list[i];
        mg_take take;
        mg_json *e = mg_json_object(), *shape = mg_json_array(), *range = mg_json_array();
        for (int d = 0; d < t->ndim; d++) mg_json_append_int(shape, t->dim[d]);
        mg_json_append_int(range, at);
        mg_json_append_int(range, at += 4 * (int64_t)t->size);
        mg_json_put_text(e, "dtype", "F32");
        mg_json_put(e, "shape", shape);
        mg_json_put(e, "data_offsets", range);
        CHECK(mg_names_take(MG_NAMES_SAM, MG_NAMES_SAM, t->name, &take));
        mg_json_put(header, release && take.name[1][0] ? take.name[1] : t->name, e);
    }
    CHECK(mg_json_size(header) == (size_t)p->count);
    char *text = mg_json_dump(header, false);
    CHECK(text);
    uint64_t bytes = strlen(text);
    FILE *out = fopen(path, "wb");
    CHECK(out && fwrite(&bytes, 8, 1, out) == 1 && fwrite(text, 1, bytes, out) == bytes);
    CHECK(fclose(out) == 0 && truncate(path, (off_t)(8 + bytes) + at) == 0);
    mg_free(text);
    mg_json_free(&header);
}

// What is told about file `path` of size k; `side` is that of its model.
static mg_weights *open_and_describe(int k, const char *path, int side, mg_weights_model *m)
{
    mg_weights *w;
    const char *kind;
    char *config, line[40];

    OK(mg_weights_open(path, 0, &w));
    OK(mg_weights_describe(w, m));
    CHECK(m->size && !strcmp(m->size, sizes[k].name) && m->vit.heads == sizes[k].heads);
    CHECK(m->vit.global == sizes[k].global && m->vit.window == 14 && m->vit.rel_h == side / 16);
    CHECK(m->decoder && m->sam.n_multi == 3 && m->sam.iou_depth == 3 && m->sam.down == 2);
    OK(mg_weights_settings(w, &kind, &config));
    snprintf(line, sizeof line, "size: %s\n  image: %d\n", sizes[k].name, side);
    CHECK(!strcmp(kind, "finetune") && config && strstr(config, line));
    mg_free(config);
    return w;
}

// Loading a file of SAM at 1024 px into models of every side, without and with adapters.
static void test_official(void **state)
{
    static const int sides[] = {1024, 512, 256};
    char *path = mg_path_join(work, "official.safetensors");
    mg_params p;
    mg_weights_model m;
    mg_load_plan plan;

    (void)state;
    for (int k = 0; k < SIZES; k++) {
        make_table(k, 1024, 0, false, &p);
        make_file(path, &p, false);
        mg_params_free(&p);
        mg_weights *w = open_and_describe(k, path, 1024, &m);
        CHECK(!m.vit.adapter && !m.sam.adapters);
        for (int s = 0; s < 6; s++) {
            make_table(k, sides[s / 2], s % 2 ? 3 : 0, s % 2, &p);
            OK(mg_load_plan_make(w, &p, &(mg_load_how){0}, &plan));
            CHECK(plan.steps == sizes[k].entries && plan.resized == (s < 2 ? 0 : 1 + 2 * 4));
            CHECK(!plan.missing.count && !plan.extra.count && !plan.misshaped.count);
            CHECK(plan.fresh == p.count - sizes[k].entries);
            mg_load_plan_free(&plan);
            mg_params_free(&p);
        }
        mg_weights_close(&w);
    }
    mg_free(path);
}

// A file of the released Medical SAM Adapter of 2025 at 256 px: positions stay at 64 x 64, tables of
// global blocks are those of 256 px, other names, no adapters in the decoder.
static void test_release(void **state)
{
    char *path = mg_path_join(work, "release.safetensors");
    mg_params p;
    mg_weights_model m;
    mg_load_plan plan;

    (void)state;
    for (int k = 0; k < SIZES; k++) {
        make_table(k, 256, 3, false, &p);
        int pos = mg_params_find(&p, "image_encoder.pos_embed");
        p.list[pos].dim[1] = p.list[pos].dim[2] = 64;
        p.list[pos].size *= 16;
        make_file(path, &p, true);
        mg_params_free(&p);
        mg_weights *w = open_and_describe(k, path, 256, &m);
        CHECK(m.vit.adapter == sizes[k].D / 4 && m.vit.depth_branch && !m.sam.adapters);
        CHECK(mg_weights_find(w, "image_encoder.blocks.0.attn.rel_h") >= 0);
        make_table(k, 256, 3, false, &p);
        OK(mg_load_plan_make(w, &p, &(mg_load_how){0}, &plan));
        CHECK(plan.steps == p.count && plan.resized == 1 && plan.fresh == 0);
        CHECK(!plan.missing.count && !plan.extra.count && !plan.misshaped.count);
        mg_load_plan_free(&plan);
        mg_params_free(&p);
        mg_weights_close(&w);
    }
    mg_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts),
                                       cmocka_unit_test(test_official),
                                       cmocka_unit_test(test_release)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
