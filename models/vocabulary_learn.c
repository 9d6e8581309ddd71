// Learning byte pairs; see vocabulary_learn.h. All texts stand in one array of tokens, in which pairs
// are counted and merged again and again. The last token of a word is known by its number.
#include "models/vocabulary_learn.h"

#include <string.h>

#include "models/tokenizer.h"
#include "runtime/hash.h"
#include "runtime/mem.h"

typedef struct {
    int64_t pair; // left * 2^32 + right, -1 if free
    int count;
} tally;

typedef struct {
    int32_t *ids;
    int n;
    char *ends; // [tokens] whether a token ends a word
    tally *table;
    size_t slots; // a power of two, at least 2 n
} work;

// Base tokens of all texts.
static mg_status spell(const char *const *text, int texts, work *w)
{
    mg_vocabulary *base = NULL;
    size_t room = 1;

    for (int t = 0; t < texts; t++) room += 4 * strlen(text[t]) + 1;
    w->ids = mg_alloc(room * sizeof *w->ids);
    MG_CHECK(w->ids, MG_ERR_MEMORY, "cannot allocate %zu tokens", room);
    mg_status st = mg_vocabulary_from_pairs(NULL, 0, &base);
    for (int t = 0; t < texts && !st; t++) {
        int32_t *ids = NULL;
        int count = 0;
        st = mg_tokenize(base, text[t], strlen(text[t]), &ids, &count);
        if (count && (size_t)(w->n + count) < room)
            memcpy(w->ids + w->n, ids, (size_t)count * sizeof *ids);
        w->n += count;
        mg_free(ids);
    }
    mg_vocabulary_close(&base);
    return st;
}

static tally *find(work *w, int64_t pair)
{
    size_t s = mg_hash64(&pair, sizeof pair) & (w->slots - 1);

    while (w->table[s].pair >= 0 && w->table[s].pair != pair) s = (s + 1) & (w->slots - 1);
    return &w->table[s];
}

// The most frequent pair within words and how often it occurs.
static tally most_frequent(work *w)
{
    tally best = {-1, 0};

    for (size_t s = 0; s < w->slots; s++) w->table[s] = (tally){-1, 0};
    for (int i = 0; i + 1 < w->n; i++) {
        if (w->ends[w->ids[i]]) continue;
        int64_t pair = (int64_t)w->ids[i] << 32 | w->ids[i + 1];
        tally *t = find(w, pair);
        t->pair = pair;
        t->count++;
        if (t->count > best.count || (t->count == best.count && pair < best.pair)) best = *t;
    }
    return best;
}

static void merge(work *w, int32_t left, int32_t right, int32_t merged)
{
    int kept = 0;

    for (int i = 0; i < w->n; i++) {
        bool here = i + 1 < w->n && w->ids[i] == left && w->ids[i + 1] == right;
        w->ids[kept++] = here ? merged : w->ids[i];
        i += here;
    }
    w->n = kept;
}

mg_status mg_vocabulary_learn(const char *const *text, int texts, int merges, mg_vocabulary **out)
{
    work w = {.slots = 1};
    int32_t *pairs = mg_alloc(((size_t)merges + 1) * 2 * sizeof *pairs);
    int made = 0;
    mg_status st = pairs ? spell(text, texts, &w) : MG_FAIL(MG_ERR_MEMORY, "cannot allocate pairs");

    *out = NULL;
    while (w.slots < 2 * (size_t)w.n + 2) w.slots *= 2;
    w.table = mg_alloc(w.slots * sizeof *w.table);
    w.ends = mg_calloc((size_t)MG_VOCAB_BASE + (size_t)merges, 1);
    if (!st && (!w.table || !w.ends))
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a table of pairs");
    if (!st) memset(w.ends + MG_VOCAB_BYTES, 1, MG_VOCAB_BASE - MG_VOCAB_BYTES);
    for (; made < merges && !st; made++) {
        tally best = most_frequent(&w);
        if (best.count < 2) break;
        int32_t left = (int32_t)(best.pair >> 32), right = (int32_t)(best.pair & 0x7FFFFFFF);
        pairs[2 * made] = left;
        pairs[2 * made + 1] = right;
        w.ends[MG_VOCAB_BASE + made] = w.ends[right];
        merge(&w, left, right, MG_VOCAB_BASE + made);
    }
    if (!st) st = mg_vocabulary_from_pairs(pairs, made, out);
    mg_free(pairs);
    mg_free(w.ids);
    mg_free(w.table);
    mg_free(w.ends);
    return st;
}
