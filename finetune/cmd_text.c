// medgraft text: embeds corpora of free texts into one file that training and evaluation read.
#include <stdio.h>
#include <string.h>

#include "finetune/cmd.h"
#include "finetune/text_encoder.h"
#include "runtime/log.h"

typedef struct {
    mg_list corpus, targets;
    char *weights, *config, *merges, *vocab, *out;
    int64_t heads, seed;
    bool strict;
} settings;

#define AT(field) offsetof(settings, field)

// clang-format off
static const mg_option options[] = {
    {"text.corpus", MG_LIST, AT(corpus), "", 0, 0, "files of texts: a text, a tab, comma-separated target names in each line (finetune/texts/*.txt)", NULL},
    {"text.targets", MG_LIST, AT(targets), "", 0, 0, "further target names that the corpora may use", NULL},
    {"text.weights", MG_TEXT, AT(weights), "", 0, 0, "weights of CLIP: .pt, .pth, .safetensors or a folder; without them a small stand-in is drawn that knows words only", NULL},
    {"text.config", MG_TEXT, AT(config), "", 0, 0, "config.json of these weights; not set: the one beside them, if there is one", NULL},
    {"text.heads", MG_INT, AT(heads), "0", 0, 1024, "heads of the text transformer; 0: from config.json, else 64 wide", NULL},
    {"text.merges", MG_TEXT, AT(merges), "", 0, 0, "merges.txt or bpe_simple_vocab_16e6.txt.gz of CLIP", NULL},
    {"text.vocab", MG_TEXT, AT(vocab), "", 0, 0, "vocab.json, held against the merges", NULL},
    {"text.seed", MG_INT, AT(seed), "0", 0, 9e15, "seed of the stand-in", NULL},
    {"text.strict", MG_BOOL, AT(strict), "false", 0, 0, "a text that does not fit is an error instead of being cut with a warning", NULL},
    {"text.out", MG_TEXT, AT(out), "", 0, 0, "file to write (texts.h5)", NULL},
    {0},
};
// clang-format on

int mg_cmd_text_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){options, NULL};
    return 1;
}

static const char *set(const char *text)
{
    return *text ? text : NULL;
}

static mg_status open_encoder(const settings *s, const mg_corpus *corpus, mg_text_encoder *out)
{
    if (*s->weights)
        return mg_text_encoder_open(s->weights, set(s->config), (int)s->heads, s->merges,
                                    set(s->vocab), out);
    mg_warn("no weights of CLIP are given: texts are embedded by a stand-in that knows words only");
    return mg_text_encoder_stand_in(corpus, (uint64_t)s->seed, out);
}

static void print_set(const mg_text_set *set)
{
    const mg_corpus *c = &set->corpus;
    int several = 0, held_out = 0;

    printf("encoder %s\nwidth %d\n", set->encoder, set->width);
    for (int i = 0; i < c->count; i++) {
        several += (c->text[i].targets & (c->text[i].targets - 1)) != 0;
        held_out += c->text[i].held_out;
    }
    for (int t = 0; t < c->targets; t++)
        printf("target %s texts %d\n", c->target[t], mg_corpus_count(c, c->target[t], true));
    printf("several targets texts %d\ntexts %d held_out %d\nchecksum %s\n", several, c->count,
           held_out, set->checksum);
}

static mg_status run(const settings *s)
{
    mg_corpus corpus;
    mg_text_encoder encoder = {0};
    mg_text_set made = {0};

    mg_status st = mg_corpus_read_all(&s->corpus, &s->targets, &corpus);
    if (!st) st = open_encoder(s, &corpus, &encoder);
    if (!st) st = mg_text_encoder_run(&encoder, &corpus, s->strict, &made);
    if (!st) st = mg_text_set_write(&made, s->out);
    if (!st) print_set(&made);
    mg_corpus_free(&corpus);
    mg_text_encoder_close(&encoder);
    mg_text_set_free(&made);
    return st;
}

static mg_status check(const settings *s)
{
    MG_CHECK(s->corpus.count > 0, MG_ERR_CONFIG, "text.corpus names no file");
    MG_CHECK(*s->out, MG_ERR_CONFIG, "text.out is not set: the file to write");
    MG_CHECK(!*s->weights || *s->merges, MG_ERR_CONFIG,
             "text.merges is not set: weights of CLIP need its vocabulary");
    return MG_OK;
}

mg_status mg_cmd_text(const mg_args *args)
{
    settings s;
    mg_option_group group = {options, &s};

    MG_TRY(mg_args_load(args, &group, 1));
    mg_status st = check(&s);
    if (!st) st = run(&s);
    mg_config_free(&group, 1);
    return st;
}
