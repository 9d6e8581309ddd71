// Files of embedded texts; see text_set.h.
#include "finetune/text_set.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/fsys.h"
#include "runtime/h5.h"
#include "runtime/hash.h"
#include "runtime/mem.h"

static const char KIND[] = "medgraft texts";
enum { VERSION = 1, TEXTS_MOST = 1 << 20, WIDTH_MOST = 1 << 16 };

static void add_text(mg_hasher *h, const char *text)
{
    mg_hasher_add(h, text, strlen(text) + 1);
}

// Over texts, target bits, held-out marks, names, vectors and the encoder's parameters.
static mg_status checksum(const mg_text_set *s, char out[17])
{
    mg_hasher *h = mg_hasher_new();

    MG_CHECK(h, MG_ERR_MEMORY, "cannot allocate a checksum");
    for (int i = 0; i < s->corpus.count; i++) {
        const mg_text *t = &s->corpus.text[i];
        unsigned char held_out = t->held_out;
        add_text(h, t->text);
        mg_hasher_add(h, &t->targets, sizeof t->targets);
        mg_hasher_add(h, &held_out, 1);
    }
    for (int i = 0; i < s->corpus.targets; i++) add_text(h, s->corpus.target[i]);
    mg_hasher_add(h, s->unit, (size_t)s->corpus.count * s->width * sizeof *s->unit);
    add_text(h, s->hash);
    snprintf(out, 17, "%016" PRIx64, mg_hasher_64(h));
    mg_hasher_free(&h);
    return MG_OK;
}

// --- writing ----------------------------------------------------------------------------------------

// The columns of the table of texts.
typedef struct {
    const char **text;
    uint64_t *targets;
    int32_t *line;
    uint8_t *held_out;
} columns;

static void free_columns(columns *c)
{
    mg_free(c->text);
    mg_free(c->targets);
    mg_free(c->line);
    mg_free(c->held_out);
}

static mg_status make_columns(const mg_corpus *from, columns *c)
{
    size_t n = (size_t)from->count;

    *c = (columns){mg_alloc(n * sizeof *c->text), mg_alloc(n * sizeof *c->targets),
                   mg_alloc(n * sizeof *c->line), mg_alloc(n)};
    if (!c->text || !c->targets || !c->line || !c->held_out) {
        free_columns(c);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a table of %zu texts", n);
    }
    for (size_t i = 0; i < n; i++) {
        c->text[i] = from->text[i].text;
        c->targets[i] = from->text[i].targets;
        c->line[i] = from->text[i].line;
        c->held_out[i] = from->text[i].held_out;
    }
    return MG_OK;
}

static mg_status write_arrays(mg_h5 *file, const mg_text_set *s, const columns *c)
{
    const int64_t n = s->corpus.count, shape[2] = {n, s->width};

    MG_TRY(mg_h5_set_text(file, "/", "kind", KIND));
    MG_TRY(mg_h5_set_int(file, "/", "version", VERSION));
    MG_TRY(mg_h5_set_text(file, "/", "encoder", s->encoder));
    MG_TRY(mg_h5_set_text(file, "/", "encoder_xxh3", s->hash));
    MG_TRY(mg_h5_set_text(file, "/", "checksum", s->checksum));
    MG_TRY(mg_h5_write_texts(file, "texts", c->text, n));
    MG_TRY(mg_h5_write(file, "targets", MG_U64, c->targets, 1, &n));
    MG_TRY(mg_h5_write(file, "line", MG_I32, c->line, 1, &n));
    MG_TRY(mg_h5_write(file, "held_out", MG_U8, c->held_out, 1, &n));
    MG_TRY(mg_h5_write_texts(file, "target_names", (const char *const *)s->corpus.target,
                             s->corpus.targets));
    return mg_h5_write(file, "unit", MG_F32, s->unit, 2, shape);
}

mg_status mg_text_set_write(mg_text_set *s, const char *path)
{
    mg_h5 *file = NULL;
    columns c;
    char *aside = mg_sprintf("%s.partial", path);

    MG_CHECK(aside, MG_ERR_MEMORY, "cannot allocate a path");
    mg_status st = checksum(s, s->checksum);
    if (!st) st = make_columns(&s->corpus, &c);
    if (st) {
        mg_free(aside);
        return st;
    }
    st = mg_h5_create(aside, &file);
    if (!st) st = write_arrays(file, s, &c);
    mg_status closed = file ? mg_h5_close(&file) : MG_OK;
    if (!st) st = closed;
    if (!st) st = mg_commit_file(aside, path);
    free_columns(&c);
    mg_free(aside);
    return st;
}

// --- reading ----------------------------------------------------------------------------------------

static mg_status read_head(const mg_h5 *file, mg_text_set *s)
{
    char *kind = NULL, *hash = NULL, *sum = NULL;
    int64_t version = 0;
    const char *path = mg_h5_path(file);
    mg_status st = mg_h5_attr_text(file, "/", "kind", &kind);

    if (!st && strcmp(kind, KIND))
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' is a '%s', expected '%s'", path, kind, KIND);
    if (!st) st = mg_h5_attr_int(file, "/", "version", &version);
    if (!st && version != VERSION)
        st =
            MG_FAIL(MG_ERR_FORMAT, "'%s' has version %d, expected %d", path, (int)version, VERSION);
    if (!st) st = mg_h5_attr_text(file, "/", "encoder", &s->encoder);
    if (!st) st = mg_h5_attr_text(file, "/", "encoder_xxh3", &hash);
    if (!st) st = mg_h5_attr_text(file, "/", "checksum", &sum);
    if (!st) {
        snprintf(s->hash, sizeof s->hash, "%s", hash);
        snprintf(s->checksum, sizeof s->checksum, "%s", sum);
    }
    mg_free(kind);
    mg_free(hash);
    mg_free(sum);
    return st;
}

static mg_status read_texts(const mg_h5 *file, mg_text_set *s)
{
    char **text = NULL;
    int64_t n = 0;

    MG_TRY(mg_h5_load_texts(file, "texts", &text, &n));
    s->corpus.text = mg_calloc((size_t)n, sizeof *s->corpus.text);
    bool fits = s->corpus.text && n > 0 && n <= TEXTS_MOST;
    for (int64_t i = 0; i < n; i++) {
        if (fits)
            s->corpus.text[s->corpus.count++].text = text[i];
        else
            mg_free(text[i]);
    }
    mg_free(text);
    MG_CHECK(fits, MG_ERR_FORMAT, "'%s' has %lld texts, expected 1 to %d", mg_h5_path(file),
             (long long)n, TEXTS_MOST);
    return MG_OK;
}

static mg_status read_names(const mg_h5 *file, mg_text_set *s)
{
    char **name = NULL;
    int64_t n = 0;

    MG_TRY(mg_h5_load_texts(file, "target_names", &name, &n));
    for (int64_t i = 0; i < n; i++) {
        if (i < MG_TEXT_TARGETS)
            s->corpus.target[s->corpus.targets++] = name[i];
        else
            mg_free(name[i]);
    }
    mg_free(name);
    MG_CHECK(n > 0 && n <= MG_TEXT_TARGETS, MG_ERR_FORMAT,
             "'%s' has %lld targets, expected 1 to %d", mg_h5_path(file), (long long)n,
             MG_TEXT_TARGETS);
    return MG_OK;
}

static mg_status read_columns(const mg_h5 *file, mg_text_set *s)
{
    int64_t n = s->corpus.count;
    columns c;

    MG_TRY(make_columns(&s->corpus, &c));
    mg_status st = mg_h5_read(file, "targets", MG_U64, c.targets, n);
    if (!st) st = mg_h5_read(file, "line", MG_I32, c.line, n);
    if (!st) st = mg_h5_read(file, "held_out", MG_U8, c.held_out, n);
    for (int64_t i = 0; i < n && !st; i++) {
        mg_text *t = &s->corpus.text[i];
        *t = (mg_text){.text = t->text,
                       .targets = c.targets[i],
                       .line = c.line[i],
                       .held_out = c.held_out[i] != 0};
        bool known = s->corpus.targets == 64 || !(t->targets >> s->corpus.targets);
        if (!t->targets || !known)
            st = MG_FAIL(MG_ERR_FORMAT, "'%s' text %d names targets that the file does not have",
                         mg_h5_path(file), (int)i);
    }
    free_columns(&c);
    return st;
}

static mg_status read_vectors(const mg_h5 *file, mg_text_set *s)
{
    mg_h5_info info;
    void *data;

    MG_TRY(mg_h5_describe(file, "unit", &info));
    MG_CHECK(info.ndim == 2 && info.dim[0] == s->corpus.count && info.dim[1] > 0 &&
                 info.dim[1] <= WIDTH_MOST,
             MG_ERR_FORMAT, "'%s' does not have one vector for each text", mg_h5_path(file));
    MG_TRY(mg_h5_load(file, "unit", MG_F32, &data, NULL));
    s->unit = data;
    s->width = (int)info.dim[1];
    for (int i = 0; i < s->corpus.count; i++) {
        double sum = 0;
        for (int k = 0; k < s->width; k++) {
            double x = s->unit[(size_t)i * s->width + k];
            sum += x * x;
        }
        MG_CHECK(fabs(sum - 1) < 1e-3, MG_ERR_FORMAT, "'%s' text %d has a vector of length %g",
                 mg_h5_path(file), i, sqrt(sum));
    }
    return MG_OK;
}

mg_status mg_text_set_read(const char *path, mg_text_set *s)
{
    mg_h5 *file = NULL;
    char sum[17];

    *s = (mg_text_set){0};
    MG_TRY(mg_h5_open(path, &file));
    mg_status st = read_head(file, s);
    if (!st) st = read_texts(file, s);
    if (!st) st = read_names(file, s);
    if (!st) st = read_columns(file, s);
    if (!st) st = read_vectors(file, s);
    if (!st) st = checksum(s, sum);
    if (!st && strcmp(sum, s->checksum))
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' is damaged: its contents have the checksum %s, not %s",
                     path, sum, s->checksum);
    mg_h5_close(&file);
    return st;
}

void mg_text_set_free(mg_text_set *s)
{
    mg_corpus_free(&s->corpus);
    mg_free(s->unit);
    mg_free(s->encoder);
    *s = (mg_text_set){0};
}
