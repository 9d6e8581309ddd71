// Texts for classes; see text_choice.h.
#include "finetune/text_choice.h"

#include "runtime/mem.h"

// Bits of the reader's classes that the text names; 0 if one of its targets is not among them.
static uint16_t match(const mg_corpus *c, uint64_t targets, const uint16_t *of_target)
{
    uint16_t bits = 0;

    for (int t = 0; t < c->targets; t++) {
        if (!(targets >> t & 1)) continue;
        if (!of_target[t]) return 0;
        bits |= of_target[t];
    }
    return bits;
}

mg_status mg_text_choice_open(const char *path, const mg_reader *reader, mg_text_choice *out)
{
    uint16_t of_target[MG_TEXT_TARGETS] = {0};
    const mg_corpus *c = &out->set.corpus;

    *out = (mg_text_choice){0};
    MG_TRY(mg_text_set_read(path, &out->set));
    for (int t = 0; t < c->targets; t++)
        for (int k = 1; k <= mg_reader_classes(reader); k++)
            if (mg_target_same(c->target[t], mg_reader_class_name(reader, k)))
                of_target[t] |= (uint16_t)(1u << (k - 1));
    out->classes = mg_alloc((size_t)c->count * sizeof *out->classes);
    MG_CHECK(out->classes, MG_ERR_MEMORY, "cannot allocate classes of %d texts", c->count);
    for (int i = 0; i < c->count; i++) out->classes[i] = match(c, c->text[i].targets, of_target);
    return MG_OK;
}

void mg_text_choice_close(mg_text_choice *c)
{
    mg_text_set_free(&c->set);
    mg_free(c->classes);
    *c = (mg_text_choice){0};
}

int mg_text_choice_count(const mg_text_choice *c, int class_number)
{
    int n = 0;
    for (int i = 0; i < c->set.corpus.count; i++)
        n += !c->set.corpus.text[i].held_out && c->classes[i] == 1u << (class_number - 1);
    return n;
}

int mg_text_choice_most(const mg_text_choice *c)
{
    int most = 1;

    for (int i = 0; i < c->set.corpus.count; i++) {
        int n = __builtin_popcount(c->classes[i]);
        if (n > most) most = n;
    }
    return most;
}

static bool may_be_drawn(const mg_text_choice *c, int i, int class_number, uint16_t present,
                         uint16_t unknown, bool absent)
{
    uint16_t bits = c->classes[i];

    if (c->set.corpus.text[i].held_out || !(bits >> (class_number - 1) & 1)) return false;
    return !(bits & unknown) && (absent || !(bits & ~present));
}

int mg_text_choice_draw(const mg_text_choice *c, const mg_prompt_key *key, uint16_t present,
                        uint16_t unknown, bool absent)
{
    int count = c->set.corpus.count, class_number = (int)key->target, n = 0;
    mg_cursor draw = mg_prompt_draw(key, MG_RNG_TEXTS, 0);

    for (int i = 0; i < count; i++) n += may_be_drawn(c, i, class_number, present, unknown, absent);
    if (!n) return -1;
    int left = (int)mg_cursor_below(&draw, (uint32_t)n);
    for (int i = 0; i < count; i++)
        if (may_be_drawn(c, i, class_number, present, unknown, absent) && left-- == 0) return i;
    return -1;
}

static bool stands_for(const mg_corpus *c, int i, const char *name)
{
    const mg_text *t = &c->text[i];

    if (!t->held_out) return false;
    for (int k = 0; k < c->targets; k++)
        if (t->targets == 1ull << k) return mg_target_same(c->target[k], name);
    return false;
}

int mg_text_choice_fixed(const mg_text_choice *c, const char *name, int64_t sample)
{
    const mg_corpus *corpus = &c->set.corpus;
    int n = 0;

    for (int i = 0; i < corpus->count; i++) n += stands_for(corpus, i, name);
    if (!n) return -1;
    int64_t left = sample % n;
    for (int i = 0; i < corpus->count; i++)
        if (stands_for(corpus, i, name) && left-- == 0) return i;
    return -1;
}

const float *mg_text_choice_unit(const mg_text_choice *c, int text)
{
    return c->set.unit + (size_t)text * c->set.width;
}
