// A shard with flipped bits, or cut short: never a crash, and what is read is right or an error.
#include "tests/check.h"

#include <fcntl.h>
#include <unistd.h>

#include "runtime/comm.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "shard/shard_file.h"
#include "shard/verify.h"
#include "shard/writer.h"

enum { ITEMS = 6, TRIES = 400 };

static char folder[] = "/tmp/mg_damage_XXXXXX";
static char *good; // bytes of the whole shard
static size_t size;

static mg_status scan(const char *root, const void *config, mg_scan *out)
{
    (void)root, (void)config;
    out->classes = 1;
    strcpy(out->class_name[0], "lesion");
    for (int i = 0; i < ITEMS; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        MG_TRY(mg_scan_add(out, &(mg_item){.name = name, .mask = name}));
    }
    return MG_OK;
}

static mg_status read_item(const char *root, const void *config, const mg_scan *found,
                           const mg_item *item, const mg_decode_hint *hint, mg_sample *out)
{
    int side = 8 + atoi(item->name) % 3;
    (void)root, (void)config, (void)found, (void)hint;
    *out = (mg_sample){.type = MG_U8, .depth = 1, .height = side, .width = side, .channels = 3};
    uint8_t *v = out->pixels = mg_alloc((size_t)side * side * 3);
    out->label = mg_calloc((size_t)side * side, 1);
    for (int k = 0; k < side * side * 3; k++) v[k] = (uint8_t)(k * k + atoi(item->name));
    return MG_OK;
}

static int pack(void **state)
{
    static const mg_dataset set = {.name = "damage", .scan = scan, .read = read_item};
    mg_comm *self = NULL;
    mg_shard_outcome outcome;
    (void)state;
    if (!mkdtemp(folder)) return -1;
    mg_shard_order order = {.set = &set,
                            .root = "",
                            .out = folder,
                            .config_text = "",
                            .size_mb = 1,
                            .level = 3,
                            .threads = 1};
    char *path = mg_path_join(folder, "00000.h5");
    OK(mg_comm_alone(&self));
    OK(mg_shard_write(self, &order, &outcome));
    OK(mg_read_file(path, 1 << 20, &good, &size));
    mg_comm_end(&self);
    mg_free(path);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    mg_free(good);
    return mg_remove_tree(folder) || mg_mem_live() != 0;
}

// Faults of the shard with these bytes; opening that fails counts as one.
static int64_t faults_of(const char *bytes, size_t n)
{
    char *path = mg_path_join(folder, "bad.h5");
    mg_shard_file *file = NULL;
    int64_t faults = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
    if (mg_shard_file_open(path, &file)) {
        CHECK(strstr(mg_err_message(), "bad.h5"));
        mg_err_clear();
        faults = 1;
    } else {
        OK(mg_shard_file_verify(file, &faults));
    }
    mg_shard_file_close(&file);
    CHECK(file == NULL);
    mg_free(path);
    return faults;
}

static void flipped_bits_are_found_or_harmless(void **state)
{
    int found = 0;
    (void)state;
    CHECK(faults_of(good, size) == 0);
    mg_cursor at = mg_cursor_at(1, MG_RNG_FREE, 0, 0);
    for (int t = 0; t < TRIES; t++) {
        size_t byte = mg_cursor_below(&at, (uint32_t)size);
        int bit = (int)mg_cursor_below(&at, 8);
        good[byte] ^= (char)(1 << bit);
        found += faults_of(good, size) > 0;
        good[byte] ^= (char)(1 << bit);
    }
    CHECK(found > TRIES / 2); // the rest lies between the structures
}

static void cut_shards_are_errors(void **state)
{
    (void)state;
    for (size_t n = 0; n < size; n += size / 40 + 1) CHECK(faults_of(good, n) == 1);
}

static void random_bytes_are_errors(void **state)
{
    mg_cursor at = mg_cursor_at(2, MG_RNG_FREE, 0, 0);
    char *bad = mg_alloc(size);
    (void)state;
    for (int t = 0; t < TRIES / 4; t++) {
        memcpy(bad, good, size);
        for (int k = 0; k < 40; k++)
            bad[mg_cursor_below(&at, (uint32_t)size)] = (char)mg_cursor_word(&at);
        CHECK(faults_of(bad, size) > 0);
    }
    mg_free(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_bits_are_found_or_harmless),
        cmocka_unit_test(cut_shards_are_errors),
        cmocka_unit_test(random_bytes_are_errors),
    };
    return cmocka_run_group_tests(tests, pack, clean);
}
