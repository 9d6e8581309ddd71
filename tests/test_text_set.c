// Files of embedded texts: what is written is read, damage is found; the stand-in puts texts of one
// target near each other; texts that do not fit.
#include "tests/check.h"

#include "finetune/text_encoder.h"
#include "runtime/fsys.h"
#include "runtime/h5.h"
#include "runtime/mem.h"
#include "tests/damage.h"

static char folder[64];

static void embed(const char *corpus_file, uint64_t seed, mg_text_set *out)
{
    mg_corpus corpus;
    mg_text_encoder encoder;

    OK(mg_corpus_read(corpus_file, NULL, &corpus));
    OK(mg_text_encoder_stand_in(&corpus, seed, &encoder));
    OK(mg_text_encoder_run(&encoder, &corpus, true, out));
    CHECK(corpus.count == 0);
    mg_text_encoder_close(&encoder);
}

static void test_file(void **state)
{
    (void)state;
    mg_text_set made, again;
    char *path = mg_path_join(folder, "texts.h5"), *data;
    size_t bytes;

    embed("finetune/texts/fundus.txt", 3, &made);
    OK(mg_text_set_write(&made, path));
    OK(mg_text_set_read(path, &again));
    CHECK(again.corpus.count == made.corpus.count && again.width == made.width);
    CHECK(again.corpus.targets == 2);
    assert_string_equal(again.corpus.target[1], "optic cup");
    assert_string_equal(again.encoder, "stand-in without CLIP, seed 3");
    assert_string_equal(again.hash, made.hash);
    assert_memory_equal(again.unit, made.unit,
                        (size_t)made.corpus.count * made.width * sizeof(float));
    for (int i = 0; i < made.corpus.count; i++) {
        const mg_text *a = &again.corpus.text[i], *b = &made.corpus.text[i];
        assert_string_equal(a->text, b->text);
        CHECK(a->targets == b->targets && a->line == b->line && a->held_out == b->held_out);
    }
    mg_text_set_free(&again);

    // One letter changed.
    OK(mg_read_file(path, 1 << 24, &data, &bytes));
    char *letter = memmem(data, bytes, "Segment the optic disc.", 23);
    CHECK(letter != NULL);
    letter[0] = 's';
    OK(mg_write_file(path, data, bytes));
    FAILS(mg_text_set_read(path, &again), MG_ERR_FORMAT, "is damaged");
    mg_text_set_free(&again);
    mg_free(data);
    // A vector without direction; another kind of file.
    memset(made.unit, 0, (size_t)made.width * sizeof(float));
    OK(mg_text_set_write(&made, path));
    FAILS(mg_text_set_read(path, &again), MG_ERR_FORMAT, "text 0 has a vector of length 0");
    mg_text_set_free(&again);
    mg_h5 *file;
    OK(mg_h5_create(path, &file));
    OK(mg_h5_set_text(file, "/", "kind", "other"));
    OK(mg_h5_close(&file));
    FAILS(mg_text_set_read(path, &again), MG_ERR_FORMAT, "is a 'other', expected 'medgraft texts'");
    mg_text_set_free(&again);
    mg_text_set_free(&made);
    mg_free(path);
    CHECK(mg_mem_live() == 0);
}

static void try_set(const char *path)
{
    mg_text_set set;
    mg_status st = mg_text_set_read(path, &set);

    CHECK(st == MG_OK || st == MG_ERR_FORMAT || st == MG_ERR_IO || st == MG_ERR_MEMORY);
    mg_err_clear();
    mg_text_set_free(&set);
}

static void test_damage(void **state)
{
    (void)state;
    mg_text_set made;
    char *path = mg_path_join(folder, "whole.h5");

    embed("finetune/texts/thyroid.txt", 3, &made);
    OK(mg_text_set_write(&made, path));
    damage_each(path, folder, "damaged.h5", 400, try_set);
    mg_text_set_free(&made);
    mg_free(path);
}

// Held-out texts of one target lie nearest to the mean of the other texts of that target.
static void test_near(void **state)
{
    (void)state;
    mg_text_set s;
    int right = 0, all = 0;

    embed("finetune/texts/amos.txt", 1, &s);
    float *mean = mg_calloc((size_t)s.corpus.targets * s.width, sizeof *mean);
    for (int i = 0; i < s.corpus.count; i++)
        for (int t = 0; t < s.corpus.targets; t++)
            if (s.corpus.text[i].targets == 1ull << t && !s.corpus.text[i].held_out)
                for (int k = 0; k < s.width; k++)
                    mean[t * s.width + k] += s.unit[(size_t)i * s.width + k];
    for (int i = 0; i < s.corpus.count; i++) {
        uint64_t targets = s.corpus.text[i].targets;
        double best = -1;
        int chosen = -1;
        if (!s.corpus.text[i].held_out || targets & (targets - 1)) continue;
        for (int t = 0; t < s.corpus.targets; t++) {
            double dot = 0, norm = 0;
            for (int k = 0; k < s.width; k++) {
                dot += s.unit[(size_t)i * s.width + k] * mean[t * s.width + k];
                norm += mean[t * s.width + k] * mean[t * s.width + k];
            }
            if (dot / sqrt(norm) > best) best = dot / sqrt(norm), chosen = t;
        }
        right += targets == 1ull << chosen;
        all++;
    }
    if (all < 50 || right < 0.7 * all) fail_msg("%d of %d texts are near their target", right, all);
    mg_free(mean);
    mg_text_set_free(&s);
}

static void test_long(void **state)
{
    (void)state;
    mg_corpus corpus;
    mg_text_encoder encoder;
    mg_text_set s;
    char line[600], *path = mg_path_join(folder, "long.txt");
    size_t n = 0;

    for (int i = 0; i < 80; i++) n += (size_t)sprintf(line + n, "%d ", i % 10);
    sprintf(line + n, "\tliver\n");
    OK(mg_write_file(path, line, strlen(line)));
    for (int strict = 0; strict < 2; strict++) {
        OK(mg_corpus_read(path, NULL, &corpus));
        OK(mg_text_encoder_stand_in(&corpus, 0, &encoder));
        mg_status st = mg_text_encoder_run(&encoder, &corpus, strict, &s);
        CHECK(st == (strict ? MG_ERR_FORMAT : MG_OK));
        mg_err_clear();
        mg_corpus_free(&corpus);
        mg_text_encoder_close(&encoder);
        mg_text_set_free(&s);
    }
    mg_free(path);
}

static int end(void **state)
{
    (void)state;
    mg_remove_tree(folder);
    return mg_mem_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_long),
    };
    if (!check_folder(folder, "text-set")) return 1;
    return cmocka_run_group_tests(tests, NULL, end);
}
