// Texts to vectors; see text_encoder.h.
// The stand-in is one block of CLIP's transformer. Start, end and positions are zero, so the end token
// attends to all tokens alike: its state is a random projection of the mean of the tokens. A token is
// a random vector, the longer the more it tells about the target,
//   sum_t p(t | token) log(p(t | token) / p(t)),   p(t | token) = (n_t + 3 p(t)) / (n + 3),
// counted over the texts that are not held out; eps 1 keeps the layer norm from undoing that; the MLP
// gives nothing. So texts that share telling words get near vectors, and that is all it knows.
#include "finetune/text_encoder.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/clip_load.h"
#include "models/tokenizer.h"
#include "models/vocabulary_learn.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"

enum { STAND_IN_MERGES = 4096, STAND_IN_WIDTH = 256, STAND_IN_HEADS = 4 };

mg_status mg_text_encoder_open(const char *weights, const char *config, int heads,
                               const char *merges, const char *vocab, mg_text_encoder *out)
{
    *out = (mg_text_encoder){0};
    MG_TRY(mg_vocabulary_open(merges, vocab, &out->vocabulary));
    MG_TRY(mg_clip_text_load(weights, config, heads, &out->model));
    MG_CHECK(mg_vocabulary_size(out->vocabulary) == out->model.cfg.vocab, MG_ERR_FORMAT,
             "'%s' makes %d tokens, the weights of '%s' have %d", merges,
             mg_vocabulary_size(out->vocabulary), weights, out->model.cfg.vocab);
    out->name = mg_strdup(mg_path_base(weights));
    MG_CHECK(out->name, MG_ERR_MEMORY, "cannot allocate a name");
    return MG_OK;
}

// --- the stand-in -----------------------------------------------------------------------------------

// Counts of tokens by target, over texts; a text of several targets gives each an equal part.
static mg_status count_tokens(const mg_corpus *c, const mg_vocabulary *v, double *count)
{
    int32_t *ids;
    int n;

    for (int i = 0; i < c->count; i++) {
        const mg_text *t = &c->text[i];
        int parts = __builtin_popcountll(t->targets);
        if (t->held_out) continue;
        mg_status st = mg_tokenize(v, t->text, strlen(t->text), &ids, &n);
        for (int k = 0; k < n; k++)
            for (int target = 0; target < c->targets; target++)
                if (t->targets >> target & 1)
                    count[(size_t)ids[k] * c->targets + target] += 1.0 / parts;
        mg_free(ids);
        if (st) return st;
    }
    return MG_OK;
}

// Lengths of the token vectors.
static mg_status telling(const mg_corpus *c, const mg_vocabulary *v, float *length)
{
    const double prior = 3;
    int size = mg_vocabulary_size(v);
    double *count = mg_calloc((size_t)size * c->targets, sizeof *count), all = 0;
    double share[MG_TEXT_TARGETS] = {0};

    MG_CHECK(count, MG_ERR_MEMORY, "cannot allocate counts of %d tokens", size);
    mg_status st = count_tokens(c, v, count);
    for (size_t i = 0; i < (size_t)size * c->targets; i++) {
        share[i % (size_t)c->targets] += count[i];
        all += count[i];
    }
    for (int i = 0; i < size; i++) {
        double n = 0, sum = 0;
        for (int t = 0; t < c->targets; t++) n += count[(size_t)i * c->targets + t];
        for (int t = 0; t < c->targets; t++) {
            double p = share[t] / all;
            double q = (count[(size_t)i * c->targets + t] + prior * p) / (n + prior);
            if (q > 0) sum += q * log(q / p);
        }
        length[i] = 0.05f + (float)sum; // where all texts name one target nothing is telling
    }
    mg_free(count);
    return st;
}

static mg_status draw(mg_clip_text *m, uint64_t seed, const mg_corpus *corpus,
                      const mg_vocabulary *v)
{
    mg_params *p = &m->params;
    int D = m->cfg.width, vocab = m->cfg.vocab;
    float *token, *length = mg_alloc((size_t)vocab * sizeof *length);
    mg_status st = length ? telling(corpus, v, length)
                          : MG_FAIL(MG_ERR_MEMORY, "cannot allocate %d tokens", vocab);

    for (int i = 0; i < p->count && !st; i++) {
        mg_param *t = &p->list[i];
        bool gain = t->ndim == 1 && strstr(t->name, "ln_") && strstr(t->name, ".weight");
        bool none = t->ndim == 1 || strstr(t->name, "c_proj") || i == m->positions;
        t->init = gain ? MG_INIT_ONE : none ? MG_INIT_ZERO : MG_INIT_NORMAL;
        t->scale = 1 / sqrtf((float)D);
    }
    if (!st) mg_params_init(p, seed);
    token = mg_weight(p, m->tokens);
    for (int i = 0; i < vocab && !st; i++) {
        float scale = i < vocab - 2 ? length[i] : 0; // start and end say nothing
        for (int k = 0; k < D; k++) token[(size_t)i * D + k] *= scale;
    }
    mg_free(length);
    return st;
}

mg_status mg_text_encoder_stand_in(const mg_corpus *corpus, uint64_t seed, mg_text_encoder *out)
{
    const char **text = mg_alloc((size_t)corpus->count * sizeof *text);

    *out = (mg_text_encoder){0};
    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate a list of texts");
    for (int i = 0; i < corpus->count; i++) text[i] = corpus->text[i].text;
    mg_status st = mg_vocabulary_learn(text, corpus->count, STAND_IN_MERGES, &out->vocabulary);
    mg_free(text);
    if (st) return st;
    mg_clip_config c = {.width = STAND_IN_WIDTH,
                        .heads = STAND_IN_HEADS,
                        .layers = 1,
                        .hidden = 1,
                        .context = 77,
                        .vocab = mg_vocabulary_size(out->vocabulary),
                        .embed = STAND_IN_WIDTH,
                        .eps = 1};
    MG_TRY(mg_clip_text_build(&c, &out->model));
    MG_TRY(draw(&out->model, seed, corpus, out->vocabulary));
    out->name = mg_sprintf("stand-in without CLIP, seed %" PRIu64, seed);
    MG_CHECK(out->name, MG_ERR_MEMORY, "cannot allocate a name");
    return MG_OK;
}

void mg_text_encoder_close(mg_text_encoder *e)
{
    mg_vocabulary_close(&e->vocabulary);
    mg_clip_text_free(&e->model);
    mg_free(e->name);
    *e = (mg_text_encoder){0};
}

// --- embedding --------------------------------------------------------------------------------------

// Where a text stands and how it begins, for messages.
static const char *place_of(const mg_text *t, char place[400])
{
    int length = (int)strlen(t->text), shown = length <= 60 ? length : 60;

    while (shown < length && ((unsigned char)t->text[shown] & 0xC0) == 0x80)
        shown--; // whole letters
    if (t->path)
        snprintf(place, 400, "'%.200s' line %d: text '%.*s%s'", t->path, t->line, shown, t->text,
                 shown < length ? "..." : "");
    else
        snprintf(place, 400, "text '%.*s%s'", shown, t->text, shown < length ? "..." : "");
    return place;
}

static mg_status frame(const mg_text_encoder *e, const mg_text *t, bool strict, int32_t *out)
{
    int32_t *ids = NULL;
    int count = 0, context = e->model.cfg.context;
    bool cut = false;
    char place[400];
    mg_status st = mg_tokenize(e->vocabulary, t->text, strlen(t->text), &ids, &count);

    if (!st && count == 0) st = MG_FAIL(MG_ERR_FORMAT, "%s has no tokens", place_of(t, place));
    if (!st) mg_token_frame(e->vocabulary, ids, count, out, context, &cut);
    mg_free(ids);
    if (st || !cut) return st;
    MG_CHECK(!strict, MG_ERR_FORMAT, "%s has %d tokens, at most %d fit", place_of(t, place), count,
             context - 2);
    mg_warn("%s has %d tokens: the first %d are used", place_of(t, place), count, context - 2);
    return MG_OK;
}

mg_status mg_text_encoder_run(const mg_text_encoder *e, mg_corpus *corpus, bool strict,
                              mg_text_set *out)
{
    size_t n = (size_t)corpus->count, context = (size_t)e->model.cfg.context;
    int32_t *ids = mg_alloc(n * context * sizeof *ids);
    mg_status st = MG_OK;

    *out = (mg_text_set){.width = e->model.cfg.embed};
    out->unit = mg_alloc(n * (size_t)out->width * sizeof *out->unit);
    out->encoder = mg_strdup(e->name);
    uint64_t hash = 0;
    if (!ids || !out->unit || !out->encoder)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the vectors of %zu texts", n);
    if (!st) st = mg_params_hash_of(&e->model.params, NULL, &hash);
    snprintf(out->hash, sizeof out->hash, "%016" PRIx64, hash);
    for (size_t i = 0; i < n && !st; i++)
        st = frame(e, &corpus->text[i], strict, ids + i * context);
    if (!st) st = mg_clip_text_embed(&e->model, ids, (int)n, out->unit);
    mg_free(ids);
    if (st) return st;
    out->corpus = *corpus;
    *corpus = (mg_corpus){0};
    return MG_OK;
}
