// Tokeniser: cleaning, pieces, merges with a small vocabulary of its own, files that are refused. The
// official vocabulary is covered by the golden cases.
#include "tests/check.h"

#include "models/text_clean.h"
#include "models/tokenizer.h"
#include "models/unicode.h"
#include "models/vocabulary_learn.h"
#include "runtime/fsys.h"
#include "runtime/json.h"
#include "runtime/mem.h"
#include "tests/damage.h"

static char folder[64];

static void clean_is(const char *text, const char *expected)
{
    mg_chars chars = {0};
    char utf8[512];
    size_t n = 0;

    OK(mg_text_clean(text, strlen(text), &chars));
    for (size_t i = 0; i < chars.count; i++) n += (size_t)mg_utf8_encode(chars.at[i], utf8 + n);
    utf8[n] = 0;
    assert_string_equal(utf8, expected);
    mg_free(chars.at);
}

static void test_clean(void **state)
{
    (void)state;
    clean_is("", "");
    clean_is(" \t\r\n ", "");
    clean_is("  The\u00A0LEFT \n Kidney ", "the left kidney");
    clean_is("patient\u2019s \u201Cmass\u201D", "patient's \"mass\"");
    clean_is("e\u0301dema o\uFB01 \uFF21\u3000b", "\u00E9dema ofi a b");
    clean_is("a\a"
             "b\uFEFF",
             "ab");
    clean_is("\u0130", "i\u0307");
    clean_is("\uAC00 \u1100\u1161", "\uAC00 \uAC00");
    // Entities: everywhere, twice and more; where there is markup, only after the repair.
    clean_is("it&rsquo;s", "it's");
    clean_is("<b>it&rsquo;s</b>", "<b>it\u2019s</b>");
    clean_is("a<b\n&rsquo;", "a<b \u2019");
    clean_is("&amp;amp;lt; &#x41;&#66; &unknown; &#128; &", "< ab &unknown; &#128; &");
}

static void refused(const char *text, size_t bytes)
{
    mg_chars chars = {0};
    FAILS(mg_text_clean(text, bytes, &chars), MG_ERR_FORMAT, "invalid UTF-8 at byte");
    mg_free(chars.at);
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xC3",
                                      "\xC0\x80",
                                      "\xE2\x80",
                                      "\xED\xA0\x80",
                                      "\xF4\x90\x80\x80",
                                      "\xF8\x88\x80\x80\x80",
                                      "\xFF"};
    char *copy;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n = strlen(bad[i]);
        copy = mg_alloc(n); // exactly as long, so that reading on is seen
        memcpy(copy, bad[i], n);
        refused(copy, n);
        mg_free(copy);
    }
    refused("ab\xE2\x80", 4);
    copy = mg_calloc(MG_TEXT_MOST + 1, 1);
    mg_chars chars = {0};
    FAILS(mg_text_clean(copy, MG_TEXT_MOST + 1, &chars), MG_ERR_FORMAT, "more than 65536");
    mg_free(chars.at);
    mg_free(copy);
}

// --- vocabulary -------------------------------------------------------------------------------------

static char *file(const char *name, const char *text)
{
    char *path = mg_path_join(folder, name);
    OK(mg_write_file(path, text, strlen(text)));
    return path;
}

static void test_tokens(void **state)
{
    (void)state;
    mg_vocabulary *v;
    int32_t *ids, frame[5];
    int count;
    bool cut;
    char *path = file("merges.txt", "#version: 0.2\na b\nab c</w>\nb c</w>\n");

    OK(mg_vocabulary_open(path, NULL, &v));
    CHECK(mg_vocabulary_size(v) == 517 && mg_vocabulary_start(v) == 515);
    // "abc" by rank: ab, then abc; "ab" has no merge at the end of a word; "bc".
    OK(mg_tokenize(v, "ABC ab bc!", 10, &ids, &count));
    int a = 'a' - 0x21, b = 'b' - 0x21;
    int32_t expected[] = {513, a, b + 256, 514, 256};
    CHECK(count == 5);
    assert_memory_equal(ids, expected, sizeof expected);
    CHECK(mg_token_frame(v, ids, count, frame, 5, &cut) == 5 && cut);
    int32_t framed[] = {515, 513, a, b + 256, 516};
    assert_memory_equal(frame, framed, sizeof framed);
    CHECK(mg_token_frame(v, ids, 1, frame, 5, &cut) == 3 && !cut && frame[3] == 0);
    mg_free(ids);
    // Pieces: contractions first, one number at a time, runs of the rest.
    OK(mg_tokenize(v, "'second 12 !?<|endoftext|> <|endoftext|>", 40, &ids, &count));
    CHECK(count == 2 + 5 + 2 + 4 + 9 + 2 + 1 && ids[0] == 6 && ids[count - 1] == 516);
    mg_free(ids);
    OK(mg_tokenize(v, "", 0, &ids, &count));
    CHECK(count == 0);
    mg_free(ids);
    mg_vocabulary_close(&v);
    mg_free(path);
}

static void merges_refused(const char *text, const char *message)
{
    mg_vocabulary *v;
    char *path = file("bad.txt", text);
    FAILS(mg_vocabulary_open(path, NULL, &v), MG_ERR_FORMAT, message);
    CHECK(v == NULL);
    mg_free(path);
}

static void test_refused(void **state)
{
    (void)state;
    merges_refused("", "line 1 is not");
    merges_refused("a b\n", "line 1 is not");
    merges_refused("#version: 0.2\na b\nab\n", "line 3 is not two symbols");
    merges_refused("#version: 0.2\na  b\n", "line 2 is not two symbols");
    merges_refused("#version: 0.2\na b\n\nb c\n", "line 3 is not two symbols");
    merges_refused("#version: 0.2\na bc\n", "line 2: no line before makes 'bc'");
    merges_refused("#version: 0.2\na b\na b\n", "line 3 makes 'ab' a second time");
    merges_refused("\"bpe_simple_vocab_16e6.txt#version: 0.2\na b\n", "has 1 merges, expected");
    merges_refused("\x1f\x8b\x08", "is cut off");
    merges_refused("\x1f\x8b\x09 and more", "is damaged");
    char *many = mg_alloc(2 << 20); // as short zipped lines are: many lines, and tables for them
    CHECK(many);
    size_t at = (size_t)sprintf(many, "#version: 0.2\n");
    for (int i = 0; i <= 1 << 18; i++) memcpy(many + at, "a b\n", 5), at += 4;
    merges_refused(many, "more than 262144 merges");
    mg_free(many);
}

// A vocab.json of these merges with the number of "ab" as given.
static void check_json(const char *merges, int ab, const char *extra, const char *message)
{
    mg_vocabulary *v;
    mg_json *json = mg_json_object();
    char key[16];

    for (int id = 0; id < 512; id++) {
        int byte = 0; // whose symbol has this number
        while (mg_vocabulary_byte((unsigned char)byte) != id % 256) byte++;
        bool itself = id % 256 < 188;
        size_t n = (size_t)mg_utf8_encode(itself ? byte : 0x100 + id % 256 - 188, key);
        strcpy(key + n, id < 256 ? "" : "</w>");
        mg_json_put_int(json, key, id);
    }
    mg_json_put_int(json, extra, ab);
    mg_json_put_int(json, "<|startoftext|>", 513);
    mg_json_put_int(json, "<|endoftext|>", 514);
    char *text = mg_json_dump(json, false), *path = file("vocab.json", text);
    if (message) {
        FAILS(mg_vocabulary_open(merges, path, &v), MG_ERR_FORMAT, message);
    } else {
        OK(mg_vocabulary_open(merges, path, &v));
        mg_vocabulary_close(&v);
    }
    mg_json_free(&json);
    mg_free(text);
    mg_free(path);
}

static void test_json(void **state)
{
    (void)state;
    char *merges = file("merges.txt", "#version: 0.2\r\na b\r\n\r\n");

    check_json(merges, 512, "ab", NULL);
    check_json(merges, 511, "ab", "gives 'ab' number 511, expected 512");
    check_json(merges, 512, "ba", "gives 'ab' number -1, expected 512");
    check_json(merges, 512, "a", "has 514 tokens, expected 515");
    mg_free(merges);
}

// Frequent words become single tokens, whatever the order of the texts.
static void test_learn(void **state)
{
    (void)state;
    const char *const text[] = {"the liver", "The liver, the spleen", "a kidney"};
    const char *const turned[] = {text[2], text[1], text[0]};
    mg_vocabulary *v, *w;
    int32_t *ids;
    int count;

    OK(mg_vocabulary_learn(text, 3, 100, &v));
    OK(mg_vocabulary_learn(turned, 3, 100, &w));
    CHECK(mg_vocabulary_size(v) == mg_vocabulary_size(w));
    OK(mg_tokenize(v, "the liver the", 13, &ids, &count));
    CHECK(count == 3 && ids[0] == ids[2] && ids[0] >= 512 && ids[1] >= 512 && ids[1] != ids[0]);
    mg_free(ids);
    for (int a = 0; a < mg_vocabulary_size(v); a++)
        for (int b = 0; b < mg_vocabulary_size(v); b++)
            CHECK(mg_vocabulary_merged(v, a, b) == mg_vocabulary_merged(w, a, b));
    mg_vocabulary_close(&v);
    mg_vocabulary_close(&w);
    OK(mg_vocabulary_learn(text, 3, 1, &v));
    CHECK(mg_vocabulary_size(v) == 515);
    mg_vocabulary_close(&v);
}

// Whatever a list of merges holds, it is read or refused; a text of any bytes too.
static void try_merges(const char *path)
{
    mg_vocabulary *v;
    int32_t *ids = NULL;
    char *text;
    size_t bytes;
    int count = 0;

    mg_status st = mg_vocabulary_open(path, NULL, &v);
    CHECK(st == MG_OK || st == MG_ERR_FORMAT);
    if (st == MG_OK) {
        OK(mg_read_file(path, 1 << 20, &text, &bytes));
        st = mg_tokenize(v, text, bytes, &ids, &count);
        CHECK(st == MG_OK || st == MG_ERR_FORMAT);
        for (int i = 0; i < count; i++) CHECK(ids[i] >= 0 && ids[i] < mg_vocabulary_size(v));
        mg_free(ids);
        mg_free(text);
    }
    mg_err_clear();
    mg_vocabulary_close(&v);
}

static void test_damage(void **state)
{
    (void)state;
    char *path = file("whole.txt", "#version: 0.2\nt h\nth e</w>\nl i\nv e\nli ve\nlive r</w>\n"
                                   "o r\nor g\na n</w>\norg an</w>\n# #</w>\n");
    damage_each(path, folder, "damaged.txt", 3000, try_merges);
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
        cmocka_unit_test(test_clean),   cmocka_unit_test(test_utf8), cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_json), cmocka_unit_test(test_learn),
        cmocka_unit_test(test_damage),
    };
    if (!check_folder(folder, "tokenizer")) return 1;
    return cmocka_run_group_tests(tests, NULL, end);
}
