// CLIP's vocabulary; see vocabulary.h. Tokens are known by number; their texts, in the alphabet of
// byte symbols, serve to read the files only.
#include "models/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "models/unicode.h"
#include "runtime/gzip.h"
#include "runtime/hash.h"
#include "runtime/json.h"
#include "runtime/mem.h"

enum {
    FILE_MOST = 16 << 20,
    MERGES_MOST = 1 << 18, // five times CLIP's; bounds the tables, since zipped lines may be many
    OPENAI_MERGES = 48894, // of the 262145 lines of its file
    SYMBOL_MOST = 8,       // bytes of a byte symbol with "</w>"
};

typedef struct {
    int64_t pair; // left * size + right, -1 if free
    int32_t merged;
} pair_slot;

struct mg_vocabulary {
    int size, merges;
    // Text of token i: text + from[i], up to text + from[i + 1].
    char *text;
    size_t *from;
    int32_t *by_text; // hash table of tokens, -1 if free
    pair_slot *by_pair;
    size_t mask; // of both tables
};

// Printable characters of Latin-1 stand for themselves and come first.
static bool stands_for_itself(int byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

int mg_vocabulary_byte(unsigned char byte)
{
    int printable = 0, all = 188;

    for (int b = 0; b < byte; b++) printable += stands_for_itself(b);
    return stands_for_itself(byte) ? printable : all + byte - printable;
}

// --- tables -----------------------------------------------------------------------------------------

static size_t slot_of_text(const mg_vocabulary *v, const char *text, size_t bytes)
{
    size_t s = mg_hash64(text, bytes) & v->mask;

    for (; v->by_text[s] >= 0; s = (s + 1) & v->mask) {
        size_t from = v->from[v->by_text[s]], to = v->from[v->by_text[s] + 1];
        if (to - from == bytes && !memcmp(v->text + from, text, bytes)) break;
    }
    return s;
}

static size_t slot_of_pair(const mg_vocabulary *v, int64_t pair)
{
    size_t s = mg_hash64(&pair, sizeof pair) & v->mask;

    while (v->by_pair[s].pair >= 0 && v->by_pair[s].pair != pair) s = (s + 1) & v->mask;
    return s;
}

int mg_vocabulary_merged(const mg_vocabulary *v, int left, int right)
{
    const pair_slot *s = &v->by_pair[slot_of_pair(v, (int64_t)left * v->size + right)];
    return s->pair >= 0 ? s->merged : -1;
}

// Give token `id` the text that lies at its place already. False if another one has it.
static bool name_token(mg_vocabulary *v, int id, size_t bytes)
{
    size_t s = slot_of_text(v, v->text + v->from[id], bytes);

    if (v->by_text[s] >= 0) return false;
    v->by_text[s] = id;
    v->from[id + 1] = v->from[id] + bytes;
    return true;
}

static void add_base(mg_vocabulary *v)
{
    int32_t symbol[MG_VOCAB_BYTES], other = 0x100;

    for (int b = 0; b < MG_VOCAB_BYTES; b++)
        symbol[mg_vocabulary_byte((unsigned char)b)] = stands_for_itself(b) ? b : other++;
    for (int id = 0; id < MG_VOCAB_BASE; id++) {
        char *at = v->text + v->from[id];
        size_t n = (size_t)mg_utf8_encode(symbol[id % MG_VOCAB_BYTES], at);
        if (id >= MG_VOCAB_BYTES) memcpy(at + n, "</w>", 4), n += 4;
        name_token(v, id, n);
    }
}

static mg_status allocate(mg_vocabulary *v, int merges, size_t file_bytes)
{
    size_t slots = 1;

    v->merges = merges;
    v->size = MG_VOCAB_BASE + merges + 2;
    while (slots < 2 * (size_t)v->size) slots *= 2;
    v->mask = slots - 1;
    // A merge's text is its line without the space, so the file bounds them all.
    v->text = mg_alloc(MG_VOCAB_BASE * SYMBOL_MOST + file_bytes);
    v->from = mg_calloc((size_t)v->size + 1, sizeof *v->from);
    v->by_text = mg_alloc(slots * sizeof *v->by_text);
    v->by_pair = mg_alloc(slots * sizeof *v->by_pair);
    MG_CHECK(v->text && v->from && v->by_text && v->by_pair, MG_ERR_MEMORY,
             "cannot allocate a vocabulary of %d tokens", v->size);
    for (size_t s = 0; s < slots; s++) {
        v->by_text[s] = -1;
        v->by_pair[s].pair = -1;
    }
    return MG_OK;
}

// --- merges -----------------------------------------------------------------------------------------

// Merge number `rank`. False if its text is there already.
static bool add_pair(mg_vocabulary *v, int rank, int a, int b)
{
    int id = MG_VOCAB_BASE + rank;
    size_t left = v->from[a + 1] - v->from[a], right = v->from[b + 1] - v->from[b];
    int64_t pair = (int64_t)a * v->size + b;

    memcpy(v->text + v->from[id], v->text + v->from[a], left);
    memcpy(v->text + v->from[id] + left, v->text + v->from[b], right);
    if (!name_token(v, id, left + right)) return false;
    v->by_pair[slot_of_pair(v, pair)] = (pair_slot){pair, id};
    return true;
}

// One line, "LEFT RIGHT".
static mg_status add_merge(mg_vocabulary *v, int rank, const char *line, size_t bytes,
                           const char *path)
{
    const char *space = memchr(line, ' ', bytes);
    size_t left = space ? (size_t)(space - line) : 0, right = space ? bytes - left - 1 : 0;

    MG_CHECK(left && right && !memchr(space + 1, ' ', right), MG_ERR_FORMAT,
             "'%s' line %d is not two symbols with a space between", path, rank + 2);
    int a = v->by_text[slot_of_text(v, line, left)];
    int b = v->by_text[slot_of_text(v, space + 1, right)];
    MG_CHECK(a >= 0 && b >= 0, MG_ERR_FORMAT, "'%s' line %d: no line before makes '%.*s'", path,
             rank + 2, (int)(a < 0 ? left : right), a < 0 ? line : space + 1);
    MG_CHECK(add_pair(v, rank, a, b), MG_ERR_FORMAT, "'%s' line %d makes '%.*s%.*s' a second time",
             path, rank + 2, (int)left, line, (int)right, space + 1);
    return MG_OK;
}

static size_t line_length(const char *line, const char *end)
{
    const char *feed = memchr(line, '\n', (size_t)(end - line));
    size_t n = (size_t)((feed ? feed : end) - line);

    return n && line[n - 1] == '\r' ? n - 1 : n;
}

static const char *next_line(const char *line, const char *end)
{
    const char *feed = memchr(line, '\n', (size_t)(end - line));
    return feed ? feed + 1 : end;
}

static mg_status read_merges(mg_vocabulary *v, const char *text, size_t bytes, const char *path)
{
    const char *end = text + bytes, *first = next_line(text, end), *line = first;
    bool openai = line_length(text, end) >= 5 && !memcmp(text, "\"bpe_", 5);
    int count = 0;

    MG_CHECK(openai || (bytes >= 8 && !memcmp(text, "#version", 8)), MG_ERR_FORMAT,
             "'%s' is no list of merges: line 1 is not '#version: ...'", path);
    for (; line < end && !(openai && count == OPENAI_MERGES); line = next_line(line, end)) {
        if (!line_length(line, end) && next_line(line, end) == end) break; // empty last line
        MG_CHECK(++count <= MERGES_MOST, MG_ERR_FORMAT, "'%s' has more than %d merges", path,
                 MERGES_MOST);
    }
    MG_CHECK(!openai || count == OPENAI_MERGES, MG_ERR_FORMAT, "'%s' has %d merges, expected %d",
             path, count, OPENAI_MERGES);
    MG_TRY(allocate(v, count, bytes));
    add_base(v);
    line = first;
    for (int r = 0; r < count; r++, line = next_line(line, end))
        MG_TRY(add_merge(v, r, line, line_length(line, end), path));
    return MG_OK;
}

// --- files ------------------------------------------------------------------------------------------

static mg_status check_json(const mg_vocabulary *v, const char *path)
{
    static const char *const special[] = {"<|startoftext|>", "<|endoftext|>"};
    mg_json *json = NULL;
    mg_status st = MG_OK;
    char name[256];

    MG_TRY(mg_json_read(path, &json));
    if (!mg_json_is_object(json) || mg_json_size(json) != (size_t)v->size)
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' has %zu tokens, expected %d", path, mg_json_size(json),
                     v->size);
    for (int i = 0; !st && i < v->size; i++) {
        bool plain = i < v->size - 2;
        const char *text = plain ? v->text + v->from[i] : special[i - (v->size - 2)];
        size_t n = plain ? v->from[i + 1] - v->from[i] : strlen(text);
        char *key = mg_sprintf("%.*s", (int)n, text);
        snprintf(name, sizeof name, "%s", key ? key : "");
        int64_t found = mg_json_int(mg_json_get(json, name), -1);
        mg_free(key);
        if (found != i)
            st = MG_FAIL(MG_ERR_FORMAT, "'%s' gives '%s' number %d, expected %d", path, name,
                         (int)found, i);
    }
    mg_json_free(&json);
    return st;
}

mg_status mg_vocabulary_open(const char *merges, const char *vocab_json, mg_vocabulary **out)
{
    mg_vocabulary *v = mg_calloc(1, sizeof *v);
    char *data = NULL;
    size_t bytes = 0;
    mg_status st;

    *out = NULL;
    MG_CHECK(v, MG_ERR_MEMORY, "cannot allocate a vocabulary");
    st = mg_gunzip_file(merges, FILE_MOST, &data, &bytes);
    if (!st) st = read_merges(v, data, bytes, merges);
    if (!st && vocab_json) st = check_json(v, vocab_json);
    mg_free(data);
    if (st)
        mg_vocabulary_close(&v);
    else
        *out = v;
    return st;
}

mg_status mg_vocabulary_from_pairs(const int32_t *pairs, int merges, mg_vocabulary **out)
{
    mg_vocabulary *v = mg_calloc(1, sizeof *v);
    size_t room = 0, *length = mg_alloc((MG_VOCAB_BASE + (size_t)merges) * sizeof *length);
    mg_status st = MG_OK;

    *out = NULL;
    for (int i = 0; length && i < MG_VOCAB_BASE; i++) length[i] = SYMBOL_MOST;
    for (int r = 0; length && r < merges; r++)
        room += length[MG_VOCAB_BASE + r] = length[pairs[2 * r]] + length[pairs[2 * r + 1]];
    if (!v || !length) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a vocabulary");
    if (!st) st = allocate(v, merges, room);
    if (!st) add_base(v);
    for (int r = 0; r < merges && !st; r++)
        if (!add_pair(v, r, pairs[2 * r], pairs[2 * r + 1]))
            st = MG_FAIL(MG_ERR_USAGE, "merge %d makes a token a second time", r);
    mg_free(length);
    if (st)
        mg_vocabulary_close(&v);
    else
        *out = v;
    return st;
}

void mg_vocabulary_close(mg_vocabulary **v)
{
    if (!*v) return;
    mg_free((*v)->text);
    mg_free((*v)->from);
    mg_free((*v)->by_text);
    mg_free((*v)->by_pair);
    mg_free(*v);
    *v = NULL;
}

int mg_vocabulary_size(const mg_vocabulary *v)
{
    return v->size;
}

int mg_vocabulary_start(const mg_vocabulary *v)
{
    return v->size - 2;
}

int mg_vocabulary_end(const mg_vocabulary *v)
{
    return v->size - 1;
}
