// Injected failures (debug and san builds) while weight files are read, written and converted: with
// MG_FAULT every allocation, read and write fails now and then. Whatever fails, there is a message, nothing
// leaks, what succeeds is complete, and under the final name there is the old file, the new one or none.
#include "tests/check.h"

#include <unistd.h>

#include "models/cmd.h"
#include "models/vocabulary.h"
#include "models/weights_facts.h"
#include "models/weights_load.h"
#include "models/weights_save.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"

static const char SAM[] = "tests/golden/pth_cases/sam_like_tiny.pth";
static mg_comm *world;
static char work[64];
static int failures, successes;
enum { ROUNDS = 40 };

static void faults(int every, int seed)
{
    char spec[32];

    snprintf(spec, sizeof spec, "%d:%d", every, seed);
    setenv("MG_FAULT", spec, 1);
}

static void no_faults(void)
{
    unsetenv("MG_FAULT");
    mg_json_failed(); // what was being built is given up
}

// After an attempt: a failure has a message, and nothing is left.
static bool fine(mg_status st, size_t live)
{
    no_faults();
    CHECK(!st || mg_err_message()[0]);
    CHECK(mg_mem_live() == live);
    mg_err_clear();
    failures += st != MG_OK;
    successes += st == MG_OK;
    return !st;
}

// --- reading ----------------------------------------------------------------------------------------

// All tensors as float32, their sum, and the notes' length.
static mg_status read_all(const char *path, double *sum, size_t *notes)
{
    mg_weights *w;

    MG_TRY(mg_weights_open(path, 0, &w));
    mg_status st = MG_OK;
    *sum = 0;
    *notes = mg_json_size(mg_weights_notes(w));
    for (int i = 0; i < mg_weights_count(w) && !st; i++) {
        int64_t n = mg_weights_at(w, i)->count;
        float *x = mg_alloc(((size_t)n + 1) * sizeof *x);
        st = x ? mg_weights_read_f32(w, &(mg_weights_want){i, x}, 1)
               : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a tensor");
        for (int64_t k = 0; k < n && !st; k++) *sum += isfinite(x[k]) ? (double)x[k] : 1;
        mg_free(x);
    }
    mg_weights_close(&w);
    return st;
}

static void try_reading(const char *path)
{
    double right, sum;
    size_t count, notes;

    OK(read_all(path, &right, &count));
    for (int k = 0; k < ROUNDS; k++) {
        size_t live = mg_mem_live();
        faults(3 + 2 * k, k);
        if (fine(read_all(path, &sum, &notes), live)) CHECK(sum == right && notes == count);
    }
}

static void test_reading(void **state)
{
    static const char *const files[] = {"pth_cases/checkpoint_full.pth",
                                        "pth_cases/noncontiguous.pth",
                                        "pth_cases/dtypes.pth",
                                        "pth_cases/legacy_shared_nested.pth",
                                        "pth_cases/torchscript_scripted.pt",
                                        "safetensors_cases/metadata.safetensors",
                                        "safetensors_cases/dtypes.safetensors",
                                        "safetensors_cases/sharded/model.safetensors.index.json"};
    char path[200];

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "tests/golden/%s", files[i]);
        try_reading(path);
    }
}

static void test_vocabulary(void **state)
{
    mg_vocabulary *v;

    (void)state;
    for (int k = 0; k < ROUNDS; k++) {
        size_t live = mg_mem_live();
        faults(2 + 40 * k, k);
        mg_status st = mg_vocabulary_open("tests/golden/merges.txt", "tests/golden/vocab.json", &v);
        if (!st) CHECK(mg_vocabulary_size(v) == 816);
        mg_vocabulary_close(&v);
        fine(st, live);
    }
}

// Values into a table: all of them, or a message.
static void test_filling(void **state)
{
    mg_params p = {0};
    uint64_t hash;

    (void)state;
    mg_params_add(&p, "image_encoder.pos_embed", MG_INIT_ZERO, 0, 4, 1, 16, 16, 12);
    mg_params_add(&p, "image_encoder.patch_embed.proj.weight", MG_INIT_ZERO, 0, 4, 12, 3, 4, 4);
    OK(mg_params_alloc(&p));
    mg_load_how how = {.allow_extra = true};
    OK(mg_weights_load(world, SAM, &how, &p));
    OK(mg_params_hash_of(&p, NULL, &hash));
    for (int k = 0; k < ROUNDS; k++) {
        size_t live = mg_mem_live();
        memset(p.data, 0, p.size * sizeof *p.data);
        faults(3 + 4 * k, k);
        if (fine(mg_weights_load(world, SAM, &how, &p), live)) CHECK(mg_params_hash(&p) == hash);
    }
    mg_params_free(&p);
}

// --- writing ----------------------------------------------------------------------------------------

// Files of the folder.
static int count_files(void)
{
    mg_texts files;

    OK(mg_list_dir(work, NULL, &files, NULL));
    int n = (int)files.count;
    mg_texts_free(&files);
    return n;
}

typedef mg_status (*writer)(const char *path);

static mg_status save_model(const char *path)
{
    mg_params p = {0};
    mg_json *notes = NULL;
    bool part[3] = {true, false, true};

    mg_params_add(&p, "image_encoder.pos_embed", MG_INIT_NORMAL, 1, 4, 1, 4, 4, 8);
    mg_params_add(&p, "image_encoder.patch_embed.proj.weight", MG_INIT_NORMAL, 1, 4, 8, 3, 16, 16);
    mg_params_add(&p, "image_encoder.neck.0.weight", MG_INIT_NORMAL, 1, 4, 16, 8, 1, 1);
    mg_status st = mg_params_alloc(&p);
    if (!st) {
        mg_params_init(&p, 5);
        notes = mg_model_notes(&p, "finetune", "model:\n  size: custom\n");
        if (!notes) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the notes");
    }
    if (!st) st = mg_notes_of_part(notes, &p, part);
    if (!st) st = mg_params_save(path, &p, part, NULL, notes);
    if (notes) mg_json_free(&notes);
    mg_params_free(&p);
    return st;
}

static mg_status convert(const char *path)
{
    char in[200], out[200];
    char *argv[] = {in, out};
    mg_args args = {.world = world, .command = "convert", .argc = 2, .argv = argv};

    snprintf(in, sizeof in, "tests/golden/sam_tiny.pth");
    snprintf(out, sizeof out, "%s", path);
    return mg_cmd_convert(&args);
}

// Write again and again over a file that was there (`over`) or none.
static void try_writing(const char *name, writer write, bool over, int most)
{
    char *path = mg_path_join(work, name);
    double right, sum;
    size_t count, notes;

    OK(write(path));
    OK(read_all(path, &right, &count));
    for (int k = 0; k < ROUNDS; k++) {
        if (!over) unlink(path);
        int before = count_files();
        size_t live = mg_mem_live();
        faults(3 + most * k / ROUNDS, k);
        bool done = fine(write(path), live);
        bool there = mg_path_is_file(path);
        CHECK(there || (!done && !over));
        CHECK(count_files() == before + (there && !over)); // nothing unfinished beside it
        if (!there) continue;
        OK(read_all(path, &sum, &notes));
        CHECK(sum == right && notes == count);
    }
    unlink(path);
    mg_free(path);
}

static void test_writing(void **state)
{
    static const char *const names[] = {"a.safetensors", "a.pth", "a.h5"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        try_writing(names[i], save_model, false, 300);
        try_writing(names[i], save_model, true, 300);
        try_writing(names[i], convert, true, 3000);
    }
}

// A checkpoint, whose arrays are read through HDF5.
static void test_checkpoint(void **state)
{
    char *path = mg_path_join(work, "read.h5");

    (void)state;
    OK(save_model(path));
    try_reading(path);
    mg_free(path);
}

// Names that a header cannot hold.
static void test_names(void **state)
{
    char *path = mg_path_join(work, "header.safetensors");
    mg_tensor t = {.name = "x", .type = MG_T_F32, .ndim = 2, .dim = {2, 3}, .count = 6};

    (void)state;
    mg_weights_source what = {&t, 1, NULL, NULL, NULL};
    t.name = "__metadata__";
    FAILS(mg_safetensors_write(path, &what), MG_ERR_CONFIG, "called __metadata__");
    mg_tensor two[2] = {t, t};
    two[0].name = two[1].name = "x";
    what = (mg_weights_source){two, 2, NULL, NULL, NULL};
    FAILS(mg_safetensors_write(path, &what), MG_ERR_CONFIG, "two tensors of one name");
    CHECK(!mg_path_is_file(path));
    mg_free(path);
}

// Faults are made in debug builds only: there some must have hit, and some must have missed.
static void both_happened(void **state)
{
    (void)state;
#ifdef MG_DEBUG
    CHECK(failures > 200);
#else
    CHECK(failures == 0);
#endif
    CHECK(successes > 100);
}

static int set_up(void **state)
{
    (void)state;
    // Hundreds of expected messages.
    return check_folder(work, "weight-faults") && freopen("/dev/null", "w", stderr) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return mg_remove_tree(work) ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),    cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_filling),    cmocka_unit_test(test_writing),
        cmocka_unit_test(test_checkpoint), cmocka_unit_test(test_names),
        cmocka_unit_test(both_happened)};

    if (mg_comm_alone(&world)) return 1;
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    printf("%d failures, %d successes\n", failures, successes);
    mg_comm_end(&world);
    return failed || mg_mem_live() != 0;
}
