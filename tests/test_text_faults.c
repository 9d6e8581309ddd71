// Injected failures (debug and san builds) on the way from CLIP's files and a corpus to a file of vectors, and
// when that is read: each failure has a message and leaves nothing, what is reported as done is complete.
#include "tests/check.h"

#include <unistd.h>

#include "finetune/text_encoder.h"
#include "runtime/fsys.h"
#include "runtime/json.h"
#include "runtime/mem.h"

static char work[64], corpus_path[96], set_path[96];
static int failures, successes;
enum { ROUNDS = 60 };

static void faults(int every, int seed)
{
    char spec[32];

    snprintf(spec, sizeof spec, "%d:%d", every, seed);
    setenv("MG_FAULT", spec, 1);
}

static bool fine(mg_status st, size_t live)
{
    unsetenv("MG_FAULT");
    mg_json_failed();
    CHECK(!st || mg_err_message()[0]);
    CHECK(mg_mem_live() == live);
    mg_err_clear();
    failures += st != MG_OK;
    successes += st == MG_OK;
    return !st;
}

static mg_status embed(const char *out)
{
    mg_corpus corpus;
    mg_text_encoder encoder = {0};
    mg_text_set made = {0};

    mg_status st = mg_corpus_read(corpus_path, NULL, &corpus);
    if (!st)
        st = mg_text_encoder_open("tests/golden/clip_text_tiny.safetensors",
                                  "tests/golden/clip_text_tiny_config.json", 0,
                                  "tests/golden/merges.txt", "tests/golden/vocab.json", &encoder);
    if (!st) st = mg_text_encoder_run(&encoder, &corpus, true, &made);
    if (!st) st = mg_text_set_write(&made, out);
    mg_corpus_free(&corpus);
    mg_text_encoder_close(&encoder);
    mg_text_set_free(&made);
    return st;
}

// What a file of vectors holds, as one number; its own checksum is tested on the way.
static mg_status read_sum(const char *path, double *sum)
{
    mg_text_set set;
    mg_status st = mg_text_set_read(path, &set);

    *sum = 0;
    for (int i = 0; !st && i < set.corpus.count; i++) {
        *sum += (double)strlen(set.corpus.text[i].text) + (double)set.corpus.text[i].targets;
        for (int k = 0; k < set.width; k++) *sum += (double)set.unit[i * set.width + k] * (k + 1);
    }
    mg_text_set_free(&set);
    return st;
}

static void test_embedding(void **state)
{
    double right, sum;

    (void)state;
    OK(embed(set_path));
    OK(read_sum(set_path, &right));
    for (int k = 0; k < ROUNDS; k++) {
        if (k % 2) unlink(set_path);
        bool before = mg_path_is_file(set_path);
        size_t live = mg_mem_live();
        faults(3 + 60 * k, k);
        bool done = fine(embed(set_path), live);
        bool there = mg_path_is_file(set_path);
        CHECK(there || (!done && !before));
        if (!there) continue;
        OK(read_sum(set_path, &sum));
        CHECK(sum == right);
    }
}

static void test_reading(void **state)
{
    double right, sum;

    (void)state;
    OK(embed(set_path));
    OK(read_sum(set_path, &right));
    for (int k = 0; k < ROUNDS; k++) {
        size_t live = mg_mem_live();
        faults(3 + 5 * k, k);
        if (fine(read_sum(set_path, &sum), live)) CHECK(sum == right);
    }
}

// Faults are made in debug builds only: there some must have hit, and some must have missed.
static void both_happened(void **state)
{
    (void)state;
#ifdef MG_DEBUG
    CHECK(failures > 20);
#else
    CHECK(failures == 0);
#endif
    CHECK(successes > 20);
}

static int set_up(void **state)
{
    static const char texts[] = "The spleen.\tspleen\nThe left kidney.\tleft kidney\n";

    (void)state;
    if (!check_folder(work, "text-faults")) return -1;
    snprintf(corpus_path, sizeof corpus_path, "%s/corpus.txt", work);
    snprintf(set_path, sizeof set_path, "%s/texts.h5", work);
    OK(mg_write_file(corpus_path, texts, sizeof texts - 1));
    return freopen("/dev/null", "w", stderr) ? 0 : -1; // dozens of expected messages
}

static int tear_down(void **state)
{
    (void)state;
    return mg_remove_tree(work) ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_embedding),
                                       cmocka_unit_test(test_reading),
                                       cmocka_unit_test(both_happened)};

    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    printf("%d failures, %d successes\n", failures, successes);
    return failed || mg_mem_live() != 0;
}
