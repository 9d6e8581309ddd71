// Golden cases of the tokeniser: texts and their token numbers. The vocabulary lies beside the cases:
// merges.txt with vocab.json, or OpenAI's file; cases of another size are skipped.
#include <stdlib.h>
#include <string.h>

#include "models/tokenizer.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "tests/golden.h"

static char *beside(golden *g, const char *name)
{
    char *dir = mg_path_dir(golden_path(g));
    char *path = golden_name(g, "%s/%s", dir, name);

    mg_free(dir);
    return mg_path_is_file(path) ? path : NULL;
}

// The vocabulary of this size, or NULL.
static mg_vocabulary *find_vocabulary(golden *g, int64_t size)
{
    static const char *const files[][2] = {{"merges.txt", "vocab.json"},
                                           {"merges_full.txt", "vocab_full.json"},
                                           {"bpe_simple_vocab_16e6.txt.gz", "none"},
                                           {"bpe_simple_vocab_16e6.txt", "none"}};
    mg_vocabulary *v = NULL;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *merges = beside(g, files[i][0]);
        if (!merges) continue;
        mg_status st = mg_vocabulary_open(merges, beside(g, files[i][1]), &v);
        golden_exact(g, !st, "%s", mg_err_message());
        mg_err_clear();
        if (v && mg_vocabulary_size(v) == size) return v;
        mg_vocabulary_close(&v);
    }
    return NULL;
}

static bool equals(const mg_json *list, const int32_t *ids, int count)
{
    bool equal = (int)mg_json_size(list) == count;

    for (int i = 0; equal && i < count; i++)
        equal = mg_json_int(mg_json_at(list, (size_t)i), -1) == ids[i];
    return equal;
}

static void run_case(golden *g, const mg_vocabulary *v, const mg_json *one, int context)
{
    const char *text = mg_json_text(mg_json_get(one, "text"));
    const mg_json *framed = mg_json_get(one, "framed77");
    int32_t *ids = NULL, *frame = golden_alloc(g, (size_t)context * sizeof *frame);
    int count = 0;

    if (strcmp(mg_json_text(mg_json_get(one, "level")), "core")) return;
    mg_status st = mg_tokenize(v, text, strlen(text), &ids, &count);
    golden_exact(g, !st && equals(mg_json_get(one, "ids"), ids, count), "ids of '%s'", text);
    if (!st && framed) {
        mg_token_frame(v, ids, count, frame, context, NULL);
        golden_exact(g, equals(framed, frame, context), "frame of '%s'", text);
    }
    mg_free(ids);
}

// A text in hexadecimal digits that is no UTF-8.
static void run_invalid(golden *g, const mg_vocabulary *v, const char *hex)
{
    char text[64], digits[3] = "";
    size_t bytes = strlen(hex) / 2;
    int32_t *ids = NULL;
    int count = 0;

    for (size_t i = 0; i < bytes && i < sizeof text; i++) {
        memcpy(digits, hex + 2 * i, 2);
        text[i] = (char)strtoul(digits, NULL, 16);
    }
    mg_status st = mg_tokenize(v, text, bytes, &ids, &count);
    golden_exact(g, st == MG_ERR_FORMAT && strstr(mg_err_message(), "invalid UTF-8 at byte"),
                 "bytes %s are not refused", hex);
    mg_err_clear();
    mg_free(ids);
}

void golden_kind_bpe(golden *g)
{
    const mg_json *all = golden_json(g), *cases = mg_json_get(all, "cases");
    const mg_json *invalid = mg_json_get(all, "invalid_utf8_hex");
    int context = (int)mg_json_int(mg_json_get(all, "context"), 77);
    mg_vocabulary *v = find_vocabulary(g, mg_json_int(mg_json_get(all, "vocab_size"), 0));

    if (!v) golden_skip(g, "no vocabulary of this size lies beside it");
    golden_exact(g, mg_vocabulary_start(v) == mg_json_int(mg_json_get(all, "start"), -1), "start");
    golden_exact(g, mg_vocabulary_end(v) == mg_json_int(mg_json_get(all, "end"), -1), "end");
    golden_exact(g, mg_json_size(cases) > 0, "there are no cases");
    for (size_t i = 0; i < mg_json_size(cases); i++) run_case(g, v, mg_json_at(cases, i), context);
    for (size_t i = 0; i < mg_json_size(invalid); i++)
        run_invalid(g, v, mg_json_text(mg_json_at(invalid, i)));
    mg_vocabulary_close(&v);
}
