// Golden file of CLIP's text transformer. The weights lie beside X.h5 as X.safetensors (Hugging
// Face's names, with X_config.json) and X.pth (OpenAI's names): both must give the same.
#include <math.h>
#include <string.h>

#include "models/clip_load.h"
#include "models/tokenizer.h"
#include "nn/nn.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "tests/golden.h"

static const double LIMIT = 2e-5;

static char *beside(golden *g, const char *ending)
{
    char *stem = mg_path_stem(golden_path(g)), *dir = mg_path_dir(golden_path(g));
    char *path = ending[0] == '/' ? golden_name(g, "%s%s", dir, ending)
                                  : golden_name(g, "%s/%s%s", dir, stem, ending);

    mg_free(stem);
    mg_free(dir);
    return path;
}

static void compare(golden *g, const char *quantity, const char *name, const float *got, size_t n)
{
    mg_h5_info info;
    const float *expected = golden_f32(g, name, &info);

    golden_exact(g, (size_t)info.count == n, "%s has %lld values", name, (long long)info.count);
    if ((size_t)info.count == n) golden_note(g, quantity, golden_max(got, expected, n), LIMIT);
}

// All hidden states, those behind the end token too.
static void run_layers(golden *g, const mg_clip_text *m, const int32_t *ids, int texts)
{
    int context = m->cfg.context, rows = texts * context;
    size_t n = (size_t)rows * m->cfg.width;
    int32_t *first = golden_alloc(g, (size_t)(texts + 1) * sizeof *first);
    mg_clip_rows r = {texts, rows, context, first};
    float *x = golden_alloc(g, n * sizeof *x);
    float *scratch = mg_alloc(mg_clip_text_scratch(m, &r) * sizeof *scratch);

    for (int t = 0; t <= texts; t++) first[t] = t * context;
    mg_clip_text_begin(x, ids, m, &r);
    compare(g, "hidden", "hidden/0", x, n);
    for (int l = 0; l < m->cfg.layers; l++) {
        mg_clip_text_layer(x, l, m, &r, scratch);
        compare(g, "hidden", golden_name(g, "hidden/%d", l + 1), x, n);
    }
    mg_clip_text_norm(x, x, m, rows, scratch);
    compare(g, "hidden", "final_ln", x, n);
    mg_free(scratch);
}

static void run_embed(golden *g, const mg_clip_text *m, const int32_t *ids, int texts)
{
    size_t E = (size_t)m->cfg.embed;
    float *unit = golden_alloc(g, (size_t)texts * E * sizeof *unit);
    mg_status st = mg_clip_text_embed(m, ids, texts, unit);

    golden_exact(g, !st, "%s", mg_err_message());
    compare(g, "unit", "unit", unit, (size_t)texts * E);
    // token = W unit + b + type
    mg_h5_info info;
    const float *weight = golden_f32(g, "prompt/proj_weight", &info);
    const float *bias = golden_f32(g, "prompt/proj_bias", NULL);
    const float *type = golden_f32(g, "prompt/type_embed", NULL);
    int out = (int)info.dim[0];
    float *token = golden_alloc(g, (size_t)texts * out * sizeof *token);
    mg_linear_forward(token, unit, weight, bias, texts, (int)E, out, MG_FLOAT32);
    mg_add_rows(token, type, texts, 1, out);
    compare(g, "prompt", "prompt/token", token, (size_t)texts * out);
}

// The sentences give the token numbers, if the vocabulary lies in the same folder.
static void run_tokens(golden *g, const int32_t *ids, int texts, int context)
{
    char **sentence = NULL, *merges = beside(g, "/merges.txt"), *json = beside(g, "/vocab.json");
    int32_t *own = NULL, *frame = golden_alloc(g, (size_t)context * sizeof *frame);
    mg_vocabulary *v = NULL;
    int64_t count = 0;
    int n;

    if (!mg_path_is_file(merges)) return;
    mg_status st = mg_vocabulary_open(merges, mg_path_is_file(json) ? json : NULL, &v);
    if (!st) st = mg_h5_load_texts(golden_file(g), "sentences", &sentence, &count);
    golden_exact(g, !st && count == texts, "sentences: %s", mg_err_message());
    for (int t = 0; t < count; t++) {
        st = mg_tokenize(v, sentence[t], strlen(sentence[t]), &own, &n);
        if (!st) mg_token_frame(v, own, n, frame, context, NULL);
        golden_exact(g, !st && !memcmp(frame, ids + (size_t)t * context, context * sizeof *ids),
                     "tokens of '%s'", sentence[t]);
        mg_free(own);
        mg_free(sentence[t]);
    }
    mg_free(sentence);
    mg_vocabulary_close(&v);
}

void golden_kind_clip_text(golden *g)
{
    static const char *const files[] = {".safetensors", ".pth"};
    mg_h5_info info;
    const int32_t *ids = golden_load(g, "token_ids", MG_I32, &info);
    int texts = (int)info.dim[0], context = (int)info.dim[1], found = 0;
    const char *config = beside(g, "_config.json");

    run_tokens(g, ids, texts, context);
    for (int i = 0; i < 2; i++) {
        const char *path = beside(g, files[i]);
        mg_clip_text m;
        if (!mg_path_is_file(path)) continue;
        found++;
        mg_status st = mg_clip_text_load(path, mg_path_is_file(config) ? config : NULL,
                                         (int)golden_int(g, "/", "heads"), &m);
        golden_exact(g, !st, "%s", mg_err_message());
        mg_err_clear();
        if (st) continue;
        golden_exact(g, m.cfg.context == context, "the weights have %d positions", m.cfg.context);
        if (m.cfg.context == context) run_layers(g, &m, ids, texts);
        if (m.cfg.context == context) run_embed(g, &m, ids, texts);
        mg_clip_text_free(&m);
    }
    if (!found) golden_skip(g, "no weights lie beside it");
}
