// CLIP's tokeniser; see tokenizer.h.
#include "models/tokenizer.h"

#include <limits.h>
#include <string.h>

#include "models/text_clean.h"
#include "runtime/mem.h"

static const char START[] = "<|startoftext|>", END[] = "<|endoftext|>";

// Number of code points of `word` (ASCII) if it stands here, else 0.
static size_t stands(const char *word, const int32_t *at, size_t left)
{
    size_t n = strlen(word);

    if (n > left) return 0;
    for (size_t i = 0; i < n; i++)
        if (at[i] != word[i]) return 0;
    return n;
}

// Length of the run of one class.
static size_t run(mg_char_class wanted, const int32_t *at, size_t left)
{
    size_t n = 0;
    while (n < left && mg_char_class_of(at[n]) == wanted) n++;
    return n;
}

// Length of the piece that begins here: the first rule that fits. Not at white space.
static size_t piece(const int32_t *at, size_t left)
{
    static const char *const first[] = {START, END,  "'s",  "'t", "'re",
                                        "'ve", "'m", "'ll", "'d", NULL};
    mg_char_class class = mg_char_class_of(at[0]);

    for (int i = 0; first[i]; i++) {
        size_t n = stands(first[i], at, left);
        if (n) return n;
    }
    return class == MG_CHAR_NUMBER ? 1 : run(class, at, left);
}

// Merge neighbours, lowest rank first, until no pair is known. Returns how many tokens remain.
static int merge(const mg_vocabulary *v, int32_t *ids, int n)
{
    for (;;) {
        int best = INT_MAX, left = 0, right = 0, kept = 0;
        for (int i = 0; i + 1 < n; i++) {
            int merged = mg_vocabulary_merged(v, ids[i], ids[i + 1]);
            if (merged < 0 || merged >= best) continue;
            best = merged;
            left = ids[i];
            right = ids[i + 1];
        }
        if (best == INT_MAX) return n;
        for (int i = 0; i < n; i++) {
            bool here = i + 1 < n && ids[i] == left && ids[i + 1] == right;
            ids[kept++] = here ? best : ids[i];
            i += here;
        }
        n = kept;
    }
}

// Tokens of one piece, written to `ids`: as many as bytes at most.
static int tokens_of(const mg_vocabulary *v, const int32_t *at, size_t length, int32_t *ids)
{
    int n = 0;
    char utf8[4];

    if (length > 2 && stands(START, at, length)) return ids[0] = mg_vocabulary_start(v), 1;
    if (length > 2 && stands(END, at, length)) return ids[0] = mg_vocabulary_end(v), 1;
    for (size_t i = 0; i < length; i++) {
        int bytes = mg_utf8_encode(at[i], utf8);
        for (int b = 0; b < bytes; b++) ids[n++] = mg_vocabulary_byte((unsigned char)utf8[b]);
    }
    ids[n - 1] += MG_VOCAB_BYTES;
    return merge(v, ids, n);
}

mg_status mg_tokenize(const mg_vocabulary *v, const char *text, size_t bytes, int32_t **ids,
                      int *count)
{
    mg_chars clean = {0};
    mg_status st = mg_text_clean(text, bytes, &clean);

    *count = 0;
    *ids = st ? NULL : mg_alloc((4 * clean.count + 1) * sizeof **ids);
    if (!st && !*ids) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu tokens", 4 * clean.count);
    for (size_t i = 0, n; !st && i < clean.count; i += n) {
        n = 1;
        if (clean.at[i] == ' ') continue;
        n = piece(clean.at + i, clean.count - i);
        *count += tokens_of(v, clean.at + i, n, *ids + *count);
    }
    mg_free(clean.at);
    return st;
}

int mg_token_frame(const mg_vocabulary *v, const int32_t *ids, int count, int32_t *out, int context,
                   bool *cut)
{
    int kept = count < context - 2 ? count : context - 2;

    memset(out, 0, (size_t)context * sizeof *out);
    out[0] = mg_vocabulary_start(v);
    if (kept) memcpy(out + 1, ids, (size_t)kept * sizeof *ids);
    out[kept + 1] = mg_vocabulary_end(v);
    if (cut) *cut = kept < count;
    return kept + 2;
}
