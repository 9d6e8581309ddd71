// RUN: np=1,2
// Injected failures (debug and san builds): with MG_FAULT every fallible call fails now and then,
// here on one rank at a time. Whatever fails, all ranks learn it, nothing hangs, leaks or crashes,
// what was there before is still there, and what is reported as done is done.
#include "tests/check.h"

#include <unistd.h>

#include "runtime/checkpoint.h"
#include "runtime/fsys.h"
#include "runtime/h5.h"
#include "runtime/log.h"
#include "runtime/mem.h"

static mg_comm *world;
static int rank, size, failures, successes;
static char folder[64];

static void faults(int every, int seed)
{
    char spec[32];
    snprintf(spec, sizeof spec, "%d:%d", every, seed);
    setenv("MG_FAULT", spec, 1);
}

static void no_faults(void)
{
    unsetenv("MG_FAULT");
}

// All ranks failed, or none did; nothing is left behind.
static bool agreed(mg_status st, size_t live)
{
    CHECK(mg_comm_sum_int(world, st != MG_OK) == (st ? size : 0));
    CHECK(mg_mem_live() == live);
    mg_err_clear();
    failures += st != MG_OK;
    successes += st == MG_OK;
    return !st;
}

typedef struct {
    float w[12], m[500];
    mg_ckpt_array array[2];
    mg_ckpt_fact fact[2];
    mg_ckpt all;
} sample;

static void fill(sample *s, uint64_t seed)
{
    check_fill(s->w, 12, seed, 1);
    check_fill(s->m, 500, seed + 1, 1);
    s->array[0] = (mg_ckpt_array){"params/w", s->w, 2, {3, 4}};
    s->array[1] = (mg_ckpt_array){"moments/m", s->m, 1, {500}};
    s->fact[0] = (mg_ckpt_fact){"step", "7"};
    s->fact[1] = (mg_ckpt_fact){"name", "seven"};
    s->all = (mg_ckpt){.array = s->array, .arrays = 2, .fact = s->fact, .facts = 2};
}

// The newest checkpoint is whole and holds what was saved with this seed.
static void expect_newest(uint64_t seed)
{
    sample wanted, got;
    mg_ckpt_fact *facts = NULL;
    int count = 0;
    char *path = NULL;

    fill(&wanted, seed);
    fill(&got, 1 << 20);
    OK(mg_ckpt_newest(folder, &path));
    CHECK(path);
    OK(mg_ckpt_read(path, &got.all, &facts, &count));
    CHECK(!memcmp(wanted.w, got.w, sizeof got.w) && !memcmp(wanted.m, got.m, sizeof got.m));
    CHECK(count == 2 && !strcmp(mg_ckpt_fact_text(facts, count, "name"), "seven"));
    mg_ckpt_facts_free(&facts, count);
    mg_free(path);
}

static void saving(void **state)
{
    sample s;
    uint64_t saved = 1;
    (void)state;

    fill(&s, saved);
    OK(mg_ckpt_save(world, folder, 1, &s.all, 2));
    for (int k = 2; k < 120; k++) {
        size_t live = mg_mem_live();
        fill(&s, (uint64_t)k);
        if (rank == k % size) faults(10 + k / 2, k);
        mg_status st = mg_ckpt_save(world, folder, k, &s.all, 2);
        no_faults();
        if (agreed(st, live)) saved = (uint64_t)k;
        mg_comm_barrier(world);
        // A save that failed after its rename is whole, and may be found or not.
        char *path = NULL, name[32];
        OK(mg_ckpt_newest(folder, &path));
        snprintf(name, sizeof name, "step-%08d.h5", k);
        if (path && !strcmp(mg_path_base(path), name)) saved = (uint64_t)k;
        mg_free(path);
        expect_newest(saved);
        mg_comm_barrier(world);
    }
}

static void loading(void **state)
{
    sample s, wanted;
    char *path = mg_path_join(folder, "load.h5");
    (void)state;

    fill(&wanted, 99);
    if (rank == 0) OK(mg_ckpt_write(path, &wanted.all));
    mg_comm_barrier(world);
    for (int k = 0; k < 120; k++) {
        size_t live = mg_mem_live();
        mg_ckpt_fact *facts = NULL;
        int count = 0;
        fill(&s, 5);
        if (rank == k % size) faults(10 + k / 2, k);
        mg_status st = mg_ckpt_load(world, path, &s.all, &facts, &count);
        no_faults();
        if (!st) CHECK(!memcmp(s.m, wanted.m, sizeof s.m) && count == 2);
        mg_ckpt_facts_free(&facts, count);
        agreed(st, live);
    }
    mg_free(path);
}

static mg_status write_chunks(const char *path)
{
    const int64_t dim[2] = {0, 8}, chunk[2] = {1, 8};
    const char *words[2] = {"one", "two"};
    mg_h5 *file = NULL;
    mg_status st = mg_h5_create(path, &file);
    if (!st) st = mg_h5_make_chunked(file, "x", MG_U8, 2, dim, chunk, MG_H5_ZSTD);
    for (int64_t i = 0; i < 20 && !st; i++)
        st = mg_h5_write_chunk(file, "x", (int64_t[]){i, 0}, "abcdefgh", 1 + (size_t)i % 8);
    if (!st) st = mg_h5_write_texts(file, "words", words, 2);
    if (!st) st = mg_h5_set_text(file, "", "kind", "test");
    mg_status closed = mg_h5_close(&file);
    return st ? st : closed;
}

static mg_status read_chunks(const char *path, int64_t *bytes)
{
    mg_h5_chunks table = {0};
    char **words = NULL, *kind = NULL;
    int64_t count = 0;
    int filter = 0;
    mg_h5 *file = NULL;
    mg_status st = mg_h5_open(path, &file);
    if (!st) st = mg_h5_chunk_table(file, "x", &filter, &table);
    if (!st) st = mg_h5_load_texts(file, "words", &words, &count);
    if (!st) st = mg_h5_attr_text(file, "", "kind", &kind);
    *bytes = 0;
    for (int64_t i = 0; i < table.count; i++) *bytes += (int64_t)table.bytes[i];
    for (int64_t i = 0; i < count; i++) mg_free(words[i]);
    mg_free(words);
    mg_free(kind);
    mg_h5_chunks_free(&table);
    mg_h5_close(&file);
    return st;
}

static void chunks(void **state)
{
    char name[32];
    int64_t bytes = 0;
    (void)state;

    snprintf(name, sizeof name, "chunks-%d.h5", rank);
    char *path = mg_path_join(folder, name);
    for (int k = 0; k < 120; k++) {
        size_t live = mg_mem_live();
        if (rank == k % size) faults(5 + k / 2, k);
        mg_status st = mg_comm_agree(world, write_chunks(path));
        no_faults();
        if (agreed(st, live)) {
            OK(read_chunks(path, &bytes));
            CHECK(bytes == 2 * 36 + 10);
        } else {
            OK(write_chunks(path));
        }
        if (rank == k % size) faults(5 + k / 2, k);
        st = read_chunks(path, &bytes);
        if (!st) CHECK(bytes == 2 * 36 + 10);
        st = mg_comm_agree(world, st);
        no_faults();
        agreed(st, live);
    }
    mg_free(path);
}

static void sums(void **state)
{
    float x[100];
    (void)state;
    for (int k = 0; k < 40; k++) {
        size_t live = mg_mem_live();
        mg_reducer *reducer = NULL;
        if (rank == k % size) faults(4, k);
        mg_status st = mg_reducer_create(world, true, 100, 30, &reducer);
        no_faults();
        if (!st) {
            for (int i = 0; i < 100; i++) x[i] = (float)(rank + 1);
            mg_reducer_begin(reducer, x, 100);
            mg_reducer_finish(reducer, NULL);
            for (int i = 0; i < 100; i++) CHECK(x[i] == (float)(size * (size + 1)) / 2);
        }
        mg_reducer_destroy(&reducer);
        agreed(st, live);
    }
}

// Faults are made in debug builds only: there some must have hit, and some must have missed.
static void both_happened(void **state)
{
    (void)state;
#ifdef MG_DEBUG
    CHECK(failures > 50);
#else
    CHECK(failures == 0);
#endif
    CHECK(successes > 50);
}

static int start(void **state)
{
    (void)state;
    int ok = rank > 0 || check_folder(folder, "faults");
    mg_comm_bcast(world, folder, sizeof folder, 0);
    // Hundreds of expected messages.
    return ok && freopen("/dev/null", "w", stderr) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    mg_comm_barrier(world);
    return rank == 0 && mg_remove_tree(folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saving), cmocka_unit_test(loading),       cmocka_unit_test(chunks),
        cmocka_unit_test(sums),   cmocka_unit_test(both_happened),
    };
    if (mg_comm_start(&argc, &argv, &world)) return 1;
    rank = mg_comm_rank(world);
    size = mg_comm_size(world);
    mg_log_init(rank, size);
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    int failed = cmocka_run_group_tests(tests, start, end);
    printf("%d failures, %d successes\n", failures, successes);
    mg_comm_end(&world);
    return failed || mg_mem_live() != 0;
}
