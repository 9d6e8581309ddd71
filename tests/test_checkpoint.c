// RUN: np=1,2
// Checkpoints: what is saved is read back on all ranks; damage is found; a full disk harms nothing.
#include "tests/check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/checkpoint.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"

enum { BIG = 50000 };

static mg_comm *world;
static int rank;
static char folder[64];

// Two arrays, one number, three facts; the values follow from `seed`.
typedef struct {
    float weight[6], moments[BIG], scalar;
    mg_ckpt_array array[3];
    mg_ckpt_fact fact[3];
    mg_ckpt all;
} sample;

static void fill(sample *s, uint64_t seed)
{
    check_fill(s->weight, 6, seed, 1);
    check_fill(s->moments, BIG, seed + 1000, 1);
    s->scalar = (float)seed;
    s->array[0] = (mg_ckpt_array){"params/a.weight", s->weight, 2, {2, 3}};
    s->array[1] = (mg_ckpt_array){"moments/m", s->moments, 1, {BIG}};
    s->array[2] = (mg_ckpt_array){"scale", &s->scalar, 0, {0}};
    s->fact[0] = (mg_ckpt_fact){"step", "1200"};
    s->fact[1] = (mg_ckpt_fact){"note", "Größe\n= 5"};
    s->fact[2] = (mg_ckpt_fact){"empty", ""};
    s->all = (mg_ckpt){.array = s->array, .arrays = 3, .fact = s->fact, .facts = 3};
}

static void expect(const char *path, uint64_t seed)
{
    sample *wanted = mg_calloc(1, sizeof *wanted), *got = mg_calloc(1, sizeof *got);
    mg_ckpt_fact *facts = NULL;
    int count = 0;

    fill(wanted, seed);
    fill(got, 77777);
    OK(mg_ckpt_load(world, path, &got->all, &facts, &count));
    CHECK(!memcmp(wanted->weight, got->weight, sizeof got->weight));
    CHECK(!memcmp(wanted->moments, got->moments, sizeof got->moments));
    CHECK(wanted->scalar == got->scalar && count == 3);
    CHECK(mg_ckpt_fact_int(facts, count, "step", -1) == 1200);
    CHECK(mg_ckpt_fact_int(facts, count, "note", -1) == -1);
    CHECK(!strcmp(mg_ckpt_fact_text(facts, count, "note"), "Größe\n= 5"));
    CHECK(!strcmp(mg_ckpt_fact_text(facts, count, "empty"), ""));
    CHECK(!mg_ckpt_fact_text(facts, count, "other"));
    mg_ckpt_facts_free(&facts, count);
    mg_free(wanted);
    mg_free(got);
}

static mg_status save(int64_t step, int keep)
{
    sample *s = mg_calloc(1, sizeof *s);
    fill(s, (uint64_t)step);
    mg_status st = mg_ckpt_save(world, folder, step, &s->all, keep);
    mg_free(s);
    return st;
}

static char *newest(void)
{
    char *path = NULL;
    OK(mg_ckpt_newest(folder, &path));
    return path;
}

static bool there(const char *name)
{
    char *path = mg_path_join(folder, name);
    bool found = mg_path_size(path) >= 0;
    mg_free(path);
    return found;
}

static void expect_latest(const char *name)
{
    char *path = mg_path_join(folder, "latest"), *text = NULL;
    OK(mg_read_file(path, 100, &text, NULL));
    CHECK(!strncmp(text, name, strlen(name)) && !strcmp(text + strlen(name), "\n"));
    mg_free(text);
    mg_free(path);
}

static int stderr_copy;

static void hush(void)
{
    stderr_copy = dup(STDERR_FILENO);
    CHECK(freopen("/dev/null", "w", stderr));
}

static void speak(void)
{
    fflush(stderr);
    dup2(stderr_copy, STDERR_FILENO);
    close(stderr_copy);
}

static void round_trip_and_keep(void **state)
{
    (void)state;
    char *path = newest();
    CHECK(!path);
    mg_comm_barrier(world);
    for (int64_t step = 100; step <= 500; step += 100) OK(save(step, 2));
    CHECK(!there("step-00000300.h5") && there("step-00000400.h5") && there("step-00000500.h5"));
    CHECK(!there("step-00000500.h5.partial"));
    expect_latest("step-00000500.h5");
    path = newest();
    CHECK(!strcmp(mg_path_base(path), "step-00000500.h5"));
    expect(path, 500);
    // Saving again from an earlier place takes the place of what came later.
    mg_comm_barrier(world);
    OK(save(450, 2));
    CHECK(there("step-00000400.h5") && there("step-00000450.h5") && !there("step-00000500.h5"));
    mg_free(path);
    mg_comm_barrier(world);
}

static void listing(void **state)
{
    mg_ckpt list;
    char *path = newest();
    (void)state;
    OK(mg_ckpt_list(path, &list));
    CHECK(list.arrays == 3 && list.facts == 3);
    CHECK(!strcmp(list.array[0].name, "params/a.weight") && list.array[0].ndim == 2);
    CHECK(list.array[0].dim[0] == 2 && list.array[0].dim[1] == 3 && !list.array[0].data);
    CHECK(!strcmp(list.array[2].name, "scale") && list.array[2].ndim == 0);
    CHECK(!strcmp(list.fact[1].key, "note"));
    mg_ckpt_list_free(&list);
    mg_free(path);
}

static void wrong_wishes(void **state)
{
    sample *s = mg_calloc(1, sizeof *s);
    mg_ckpt_fact *facts = NULL;
    int count = 0;
    char *path = newest();
    (void)state;

    fill(s, 1);
    s->array[0].dim[1] = 2;
    FAILS(mg_ckpt_read(path, &s->all, &facts, &count), MG_ERR_FORMAT,
          "has shape [2, 3], expected [2, 2]");
    fill(s, 1);
    s->array[1].name = "moments/v";
    FAILS(mg_ckpt_read(path, &s->all, &facts, &count), MG_ERR_FORMAT, "no array 'moments/v'");
    CHECK(!facts && count == 0);
    // A part may be read alone.
    fill(s, 1);
    s->all.arrays = 1;
    OK(mg_ckpt_read(path, &s->all, &facts, &count));
    mg_ckpt_facts_free(&facts, count);
    mg_free(path);
    mg_free(s);
}

// Change one byte, or cut the file.
static void damage(const char *path, off_t at, bool cut)
{
    if (rank == 0 && cut) CHECK(truncate(path, at) == 0);
    if (rank == 0 && !cut) {
        char byte = 0;
        int fd = open(path, O_RDWR);
        CHECK(fd >= 0 && pread(fd, &byte, 1, at) == 1);
        byte ^= 0x10;
        CHECK(pwrite(fd, &byte, 1, at) == 1);
        close(fd);
    }
    mg_comm_barrier(world);
}

static void damage_is_found(void **state)
{
    char *path = newest(), *before;
    sample *s = mg_calloc(1, sizeof *s);
    mg_ckpt_fact *facts = NULL;
    int count = 0;
    (void)state;

    // Somewhere in the middle of the moments.
    off_t size = mg_path_size(path);
    mg_comm_barrier(world);
    damage(path, size / 2, false);
    fill(s, 1);
    FAILS(mg_ckpt_read(path, &s->all, &facts, &count), MG_ERR_FORMAT, "is damaged");
    hush();
    before = newest();
    speak();
    CHECK(!strcmp(mg_path_base(before), "step-00000400.h5"));
    expect(before, 400);
    mg_free(before);
    mg_comm_barrier(world);
    // Cut anywhere, it is passed over.
    for (int i = 9; i >= 0; i--) {
        damage(path, size * i / 10, true);
        hush();
        before = newest();
        speak();
        CHECK(before && !strcmp(mg_path_base(before), "step-00000400.h5"));
        mg_free(before);
        mg_comm_barrier(world);
    }
    mg_free(s);
    mg_free(path);
    OK(save(600, 2));
}

static void every_byte_counts(void **state)
{
    sample *s = mg_calloc(1, sizeof *s);
    mg_ckpt_fact *facts = NULL;
    char *path = mg_path_join(folder, "flip.h5"), *bytes = NULL;
    size_t size = 0, found = 0;
    int count = 0;
    (void)state;

    fill(s, 3);
    s->all.arrays = 1;
    if (rank == 0) {
        float weight[6];
        memcpy(weight, s->weight, sizeof weight);
        OK(mg_ckpt_write(path, &s->all));
        OK(mg_read_file(path, 1 << 20, &bytes, &size));
        for (size_t at = 0; at < size; at++) {
            bytes[at] ^= 0x40;
            FILE *file = fopen(path, "wb");
            CHECK(file && fwrite(bytes, 1, size, file) == size);
            fclose(file);
            bytes[at] ^= 0x40;
            memset(s->weight, 0, sizeof s->weight);
            mg_status st = mg_ckpt_read(path, &s->all, &facts, &count);
            // Bytes that carry nothing (gaps between objects) may change, values never.
            CHECK(st || !memcmp(weight, s->weight, sizeof weight));
            CHECK(st || mg_ckpt_fact_int(facts, count, "step", 0) == 1200);
            found += st != MG_OK;
            mg_ckpt_facts_free(&facts, count);
            mg_err_clear();
        }
        CHECK(found > size / 10);
        mg_free(bytes);
        unlink(path);
    }
    mg_comm_barrier(world);
    mg_free(path);
    mg_free(s);
}

static void full_disk(void **state)
{
    struct rlimit old, small;
    (void)state;
    // Files cannot grow beyond this: the same as a full disk, in the middle of the file.
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; limit < 4 * BIG; limit += BIG / 2 + 11) {
        CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
        small = (struct rlimit){limit, old.rlim_max};
        hush();
        if (rank == 0) CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
        mg_status st = save(700, 2);
        if (rank == 0) CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
        speak();
        CHECK(st == (rank == 0 ? MG_ERR_IO : MG_ERR_PEER));
        if (rank == 0) CHECK(strstr(mg_err_message(), "File too large"));
        mg_err_clear();
        CHECK(!there("step-00000700.h5") && !there("step-00000700.h5.partial"));
        CHECK(there("step-00000600.h5") && there("step-00000450.h5"));
        expect_latest("step-00000600.h5");
        mg_comm_barrier(world);
    }
    char *path = newest();
    expect(path, 600);
    mg_free(path);
    OK(save(700, 2));
    expect_latest("step-00000700.h5");
}

static int start(void **state)
{
    (void)state;
    int ok = rank > 0 || check_folder(folder, "ckpt");
    mg_comm_bcast(world, folder, sizeof folder, 0);
    return ok ? 0 : -1;
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
        cmocka_unit_test(round_trip_and_keep), cmocka_unit_test(listing),
        cmocka_unit_test(wrong_wishes),        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(every_byte_counts),   cmocka_unit_test(full_disk),
    };
    if (mg_comm_start(&argc, &argv, &world)) return 1;
    rank = mg_comm_rank(world);
    mg_log_init(rank, mg_comm_size(world));
    int failed = cmocka_run_group_tests(tests, start, end);
    mg_comm_end(&world);
    return failed || mg_mem_live() != 0;
}
