// Vectors for the texts of a prediction; see predict_text.h.
#include "finetune/predict_text.h"

#include <string.h>
#include <strings.h>

#include "finetune/text_encoder.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static mg_status check_hash(const char *path, const mg_text_set *set, const mg_finetune_config *c)
{
    MG_CHECK(!strcmp(set->hash, c->text_encoder) && set->width == c->text_width, MG_ERR_CONFIG,
             "'%s': texts embedded by %s, those of the model's training by %s", path, set->hash,
             c->text_encoder);
    return MG_OK;
}

static mg_status give(mg_predict_target *t, const mg_text_set *set, int i)
{
    size_t bytes = (size_t)set->width * sizeof *t->unit;

    t->unit = mg_alloc(bytes);
    MG_CHECK(t->unit, MG_ERR_MEMORY, "cannot allocate the vector of a text");
    memcpy(t->unit, set->unit + (size_t)i * set->width, bytes);
    return MG_OK;
}

// The text of the set that is this one, or the nearest of those that there are.
static mg_status look_up(mg_predict_target *t, const mg_text_set *set, const char *path)
{
    int nearest = 0, least = 1 << 20;

    for (int i = 0; i < set->corpus.count; i++) {
        const char *text = set->corpus.text[i].text;
        if (!strcasecmp(text, t->text)) return give(t, set, i);
        int distance = mg_text_distance(text, t->text);
        if (distance < least) least = distance, nearest = i;
    }
    return MG_FAIL(MG_ERR_CONFIG, "'%s' does not hold the text '%s'; the nearest is '%s'", path,
                   t->text, set->corpus.text[nearest].text);
}

static mg_status from_set(mg_predict_prompts *p, const char *path, const mg_finetune_config *c)
{
    mg_text_set set;
    mg_status st = mg_text_set_read(path, &set);

    if (!st) st = check_hash(path, &set, c);
    for (int i = 0; i < p->count && !st; i++)
        if (p->target[i].text) st = look_up(&p->target[i], &set, path);
    mg_text_set_free(&set);
    return st;
}

// The texts as a corpus, one for each target; those without get a word.
static mg_status as_corpus(const mg_predict_prompts *p, mg_corpus *out)
{
    *out = (mg_corpus){.text = mg_calloc((size_t)p->count, sizeof *out->text)};
    MG_CHECK(out->text, MG_ERR_MEMORY, "cannot allocate %d texts", p->count);
    for (; out->count < p->count; out->count++) {
        const char *text = p->target[out->count].text;
        mg_text *t = &out->text[out->count];
        *t = (mg_text){.text = mg_strdup(text ? text : "none"), .line = out->count + 1};
        MG_CHECK(t->text, MG_ERR_MEMORY, "cannot allocate a text");
    }
    return MG_OK;
}

static mg_status by_clip(mg_predict_prompts *p, const mg_predict_text_files *f,
                         const mg_finetune_config *c)
{
    mg_text_encoder encoder = {0};
    mg_text_set set = {0};
    mg_corpus corpus = {0};

    mg_status st = mg_text_encoder_open(f->weights, f->config[0] ? f->config : NULL, (int)f->heads,
                                        f->merges, f->vocab[0] ? f->vocab : NULL, &encoder);
    if (!st) st = as_corpus(p, &corpus);
    if (!st) st = mg_text_encoder_run(&encoder, &corpus, false, &set);
    if (!st) st = check_hash(f->weights, &set, c);
    for (int i = 0; i < p->count && !st; i++)
        if (p->target[i].text) st = give(&p->target[i], &set, i);
    mg_corpus_free(&corpus);
    mg_text_set_free(&set);
    mg_text_encoder_close(&encoder);
    return st;
}

mg_status mg_predict_embed(mg_predict_prompts *p, const mg_predict_text_files *f,
                           const mg_finetune_config *trained)
{
    int texts = 0;

    for (int i = 0; i < p->count; i++) texts += p->target[i].text != NULL;
    if (!texts) return MG_OK;
    MG_CHECK(trained->text_width > 0, MG_ERR_CONFIG, "the model was not trained with texts");
    if (f->texts[0]) return from_set(p, f->texts, trained);
    MG_CHECK(f->weights[0] && f->merges[0], MG_ERR_CONFIG,
             "a text needs predict.texts (made by medgraft text), or CLIP: predict.weights and "
             "predict.merges");
    return by_clip(p, f, trained);
}
