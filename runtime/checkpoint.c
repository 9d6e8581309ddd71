// Checkpoints in HDF5 (docs/formats.md, "Checkpoints"): arrays below /arrays, facts as two lists of
// texts, and one XXH3-64 over all of it in the order of /names:
//   for each array: name, '\0', ndim and dims as int64, values; for each fact: key, '\0', value, '\0'.
// What goes into a checkpoint is the trainer's business; folders of them are in
// checkpoint_folder.c.
#include "runtime/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/fsys.h"
#include "runtime/h5.h"
#include "runtime/hash.h"
#include "runtime/mem.h"

enum { VERSION = 1, MAX_DIMS = 5, PIECE_VALUES = 1 << 20 };
static const char KIND[] = "medgraft checkpoint";

// --- checksum ---------------------------------------------------------------------------------------

static void hash_header(mg_hasher *h, const char *name, int ndim, const int64_t *dim)
{
    int64_t n = ndim;

    mg_hasher_add(h, name, strlen(name) + 1);
    mg_hasher_add(h, &n, sizeof n);
    mg_hasher_add(h, dim, (size_t)ndim * sizeof *dim);
}

static void hash_facts(mg_hasher *h, const mg_ckpt_fact *fact, int count)
{
    for (int i = 0; i < count; i++) {
        mg_hasher_add(h, fact[i].key, strlen(fact[i].key) + 1);
        mg_hasher_add(h, fact[i].value, strlen(fact[i].value) + 1);
    }
}

static size_t array_count(const mg_ckpt_array *a)
{
    size_t n = 1;
    for (int i = 0; i < a->ndim; i++) n *= (size_t)a->dim[i];
    return n;
}

// --- facts ------------------------------------------------------------------------------------------

const char *mg_ckpt_fact_text(const mg_ckpt_fact *facts, int count, const char *key)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(facts[i].key, key)) return facts[i].value;
    return NULL;
}

int64_t mg_ckpt_fact_int(const mg_ckpt_fact *facts, int count, const char *key, int64_t fallback)
{
    const char *text = mg_ckpt_fact_text(facts, count, key);
    char *end = NULL;

    if (!text || !*text) return fallback;
    long long value = strtoll(text, &end, 10);
    return *end ? fallback : value;
}

void mg_ckpt_facts_free(mg_ckpt_fact **facts, int count)
{
    for (int i = 0; *facts && i < count; i++) {
        mg_free((char *)(*facts)[i].key);
        mg_free((*facts)[i].value);
    }
    mg_free(*facts);
    *facts = NULL;
}

static void texts_free(char **text, int64_t count)
{
    for (int64_t i = 0; text && i < count; i++) mg_free(text[i]);
    mg_free(text);
}

// --- writing ----------------------------------------------------------------------------------------

static mg_status write_texts(mg_h5 *file, const char *name, const mg_ckpt *what,
                             const char *(*pick)(const mg_ckpt *, int), int count)
{
    const char **text = mg_alloc(((size_t)count + 1) * sizeof *text);

    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate %d texts", count);
    for (int i = 0; i < count; i++) text[i] = pick(what, i);
    mg_status st = mg_h5_write_texts(file, name, text, count);
    mg_free(text);
    return st;
}

static const char *pick_name(const mg_ckpt *what, int i)
{
    return what->array[i].name;
}

static const char *pick_key(const mg_ckpt *what, int i)
{
    return what->fact[i].key;
}

static const char *pick_value(const mg_ckpt *what, int i)
{
    return what->fact[i].value;
}

static mg_status write_heads(mg_h5 *file, const mg_ckpt *what)
{
    MG_TRY(mg_h5_set_text(file, "", "kind", KIND));
    MG_TRY(mg_h5_set_int(file, "", "version", VERSION));
    MG_TRY(write_texts(file, "names", what, pick_name, what->arrays));
    MG_TRY(write_texts(file, "facts/keys", what, pick_key, what->facts));
    return write_texts(file, "facts/values", what, pick_value, what->facts);
}

static mg_status write_array(mg_h5 *file, const mg_ckpt_array *a, mg_hasher *h)
{
    char *name = mg_sprintf("arrays/%s", a->name);

    MG_CHECK(name, MG_ERR_MEMORY, "cannot allocate a name");
    mg_status st = mg_h5_write(file, name, MG_F32, a->data, a->ndim, a->dim);
    mg_free(name);
    hash_header(h, a->name, a->ndim, a->dim);
    mg_hasher_add(h, a->data, array_count(a) * sizeof(float));
    return st;
}

// All arrays, and the checksum of everything. Other ranks bring their parts of each array, whatever went
// wrong before it: `st`.
static mg_status write_contents(mg_h5 *file, const mg_ckpt *what, mg_status st)
{
    mg_hasher *h = mg_hasher_new();
    char sum[17];

    if (!st && !h) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a checksum");
    if (!st) st = write_heads(file, what);
    for (int i = 0; i < what->arrays; i++) {
        if (what->parts) what->parts->bring(what->parts->ctx, i);
        if (!st) st = write_array(file, &what->array[i], h);
    }
    if (!st) {
        hash_facts(h, what->fact, what->facts);
        snprintf(sum, sizeof sum, "%016llx", (unsigned long long)mg_hasher_64(h));
        st = mg_h5_set_text(file, "", "checksum", sum);
    }
    mg_hasher_free(&h);
    return st;
}

// Everything but the values: an interrupted write would show here.
static mg_status check_written(const char *path, const mg_ckpt *what)
{
    mg_ckpt found;

    MG_TRY(mg_ckpt_list(path, &found));
    bool same = found.arrays == what->arrays && found.facts == what->facts;
    mg_ckpt_list_free(&found);
    MG_CHECK(same, MG_ERR_IO, "'%s' was written, but does not hold what was written", path);
    return MG_OK;
}

mg_status mg_ckpt_write(const char *path, const mg_ckpt *what)
{
    mg_h5 *file = NULL;
    char *aside = mg_sprintf("%s.partial", path);
    mg_status st =
        aside ? mg_h5_create(aside, &file) : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");

    st = write_contents(file, what, st);
    if (st) {
        char *why = mg_err_take(); // closing may fail once more; the first reason counts
        if (mg_h5_close(&file)) mg_err_clear();
        mg_err_give(why);
        goto done;
    }
    st = mg_h5_close(&file);
    if (!st) st = check_written(aside, what);
    if (!st) st = mg_commit_file(aside, path);

done:
    if (st && aside) unlink(aside);
    mg_free(aside);
    return st;
}

// --- reading ----------------------------------------------------------------------------------------

// Names, facts and checksum of a file.
typedef struct {
    char **name;
    int64_t arrays;
    mg_ckpt_fact *fact;
    int facts;
    char *sum;
} contents;

static void contents_free(contents *c)
{
    texts_free(c->name, c->arrays);
    mg_ckpt_facts_free(&c->fact, c->facts);
    mg_free(c->sum);
    memset(c, 0, sizeof *c);
}

// Take over two lists of texts as facts.
static mg_status join_facts(const char *path, char **key, int64_t keys, char **value,
                            int64_t values, contents *c)
{
    MG_CHECK(keys == values, MG_ERR_FORMAT, "'%s' has %lld facts with %lld values", path,
             (long long)keys, (long long)values);
    c->fact = mg_calloc((size_t)keys + 1, sizeof *c->fact);
    MG_CHECK(c->fact, MG_ERR_MEMORY, "cannot allocate the facts of '%s'", path);
    c->facts = (int)keys;
    for (int64_t i = 0; i < keys; i++) {
        c->fact[i] = (mg_ckpt_fact){key[i], value[i]};
        key[i] = value[i] = NULL;
    }
    return MG_OK;
}

static mg_status read_contents(const mg_h5 *file, contents *c)
{
    const char *path = mg_h5_path(file);
    char *kind = NULL, **key = NULL, **value = NULL;
    int64_t version = 0, keys = 0, values = 0;

    memset(c, 0, sizeof *c);
    if (mg_h5_has_attr(file, "", "kind")) MG_TRY(mg_h5_attr_text(file, "", "kind", &kind));
    bool right = kind && !strcmp(kind, KIND);
    mg_free(kind);
    MG_CHECK(right, MG_ERR_FORMAT, "'%s' is not a checkpoint", path);
    MG_TRY(mg_h5_attr_int(file, "", "version", &version));
    MG_CHECK(version == VERSION, MG_ERR_FORMAT, "'%s' has checkpoint version %lld, expected %d",
             path, (long long)version, VERSION);

    mg_status st = mg_h5_attr_text(file, "", "checksum", &c->sum);
    if (!st) st = mg_h5_load_texts(file, "names", &c->name, &c->arrays);
    if (!st) st = mg_h5_load_texts(file, "facts/keys", &key, &keys);
    if (!st) st = mg_h5_load_texts(file, "facts/values", &value, &values);
    if (!st) st = join_facts(path, key, keys, value, values, c);
    texts_free(key, keys);
    texts_free(value, values);
    if (st) contents_free(c);
    return st;
}

static mg_status describe(const mg_h5 *file, const char *name, char **place, mg_h5_info *info)
{
    *place = mg_sprintf("arrays/%s", name);
    MG_CHECK(*place, MG_ERR_MEMORY, "cannot allocate a name");
    mg_status st = mg_h5_describe(file, *place, info);
    if (!st && (info->type != MG_F32 || info->ndim > MAX_DIMS))
        st = MG_FAIL(MG_ERR_FORMAT,
                     "'%s' in '%s' is %s with %d dimensions, expected float32 with at most %d",
                     name, mg_h5_path(file), mg_dtype_name(info->type), info->ndim, MAX_DIMS);
    if (st) {
        mg_free(*place);
        *place = NULL;
    }
    return st;
}

// Add the values of an array that nobody wants to the checksum, piece by piece.
static mg_status hash_values(const mg_h5 *file, const char *place, const mg_h5_info *info,
                             mg_hasher *h)
{
    int64_t rows = info->ndim ? info->dim[0] : 1;
    size_t row = rows ? (size_t)(info->count / rows) : 0;
    int64_t step = row && row < PIECE_VALUES ? (int64_t)(PIECE_VALUES / row) : 1;
    mg_status st = MG_OK;

    if (step > rows) step = rows;
    if (info->count == 0) return MG_OK;
    float *piece = mg_alloc((size_t)step * row * sizeof *piece);
    MG_CHECK(piece, MG_ERR_MEMORY, "cannot allocate a piece of '%s' in '%s'", place,
             mg_h5_path(file));
    for (int64_t lo = 0; lo < rows && !st; lo += step) {
        int64_t hi = lo + step < rows ? lo + step : rows;
        st = info->ndim ? mg_h5_read_rows(file, place, MG_F32, piece, lo, hi)
                        : mg_h5_read(file, place, MG_F32, piece, 1);
        if (!st) mg_hasher_add(h, piece, (size_t)(hi - lo) * row * sizeof *piece);
    }
    mg_free(piece);
    return st;
}

static mg_status check_shape(const mg_h5 *file, const mg_ckpt_array *a, const mg_h5_info *info)
{
    bool same = a->ndim == info->ndim;
    char found[160] = "", wanted[160] = "";

    for (int i = 0; i < a->ndim && same; i++) same = a->dim[i] == info->dim[i];
    if (same) return MG_OK;
    for (int i = 0, at = 0; i < info->ndim; i++)
        at += snprintf(found + at, sizeof found - (size_t)at, "%s%lld", i ? ", " : "",
                       (long long)info->dim[i]);
    for (int i = 0, at = 0; i < a->ndim; i++)
        at += snprintf(wanted + at, sizeof wanted - (size_t)at, "%s%lld", i ? ", " : "",
                       (long long)a->dim[i]);
    return MG_FAIL(MG_ERR_FORMAT, "'%s' in '%s' has shape [%s], expected [%s]", a->name,
                   mg_h5_path(file), found, wanted);
}

static const mg_ckpt_array *find_array(const mg_ckpt *want, const char *name)
{
    for (int i = 0; i < want->arrays; i++)
        if (!strcmp(want->array[i].name, name)) return &want->array[i];
    return NULL;
}

// Read one array, into its place if it is wanted; *taken counts those.
static mg_status read_array(const mg_h5 *file, const char *name, const mg_ckpt *want, mg_hasher *h,
                            int *taken)
{
    const mg_ckpt_array *a = find_array(want, name);
    mg_h5_info info;
    char *place = NULL;

    MG_TRY(describe(file, name, &place, &info));
    mg_status st = a ? check_shape(file, a, &info) : MG_OK;
    hash_header(h, name, info.ndim, info.dim);
    if (!st && !a) st = hash_values(file, place, &info, h);
    if (!st && a) {
        st = mg_h5_read(file, place, MG_F32, a->data, info.count);
        if (!st) mg_hasher_add(h, a->data, (size_t)info.count * sizeof *a->data);
        if (!st && want->parts) want->parts->take(want->parts->ctx, (int)(a - want->array));
        ++*taken;
    }
    mg_free(place);
    return st;
}

static mg_status missing_array(const char *path, const contents *c, const mg_ckpt *want)
{
    for (int i = 0; i < want->arrays; i++) {
        int64_t k = 0;
        while (k < c->arrays && strcmp(c->name[k], want->array[i].name)) k++;
        MG_CHECK(k < c->arrays, MG_ERR_FORMAT, "'%s' has no array '%s'", path, want->array[i].name);
    }
    return MG_FAIL(MG_ERR_FORMAT, "'%s' names an array twice", path);
}

mg_status mg_ckpt_read(const char *path, const mg_ckpt *want, mg_ckpt_fact **facts, int *count)
{
    mg_status st = MG_OK;
    mg_h5 *file = NULL;
    contents c = {0};
    mg_hasher *h = mg_hasher_new();
    char sum[17];
    int taken = 0;

    *facts = NULL;
    *count = 0;
    MG_CHECK(h, MG_ERR_MEMORY, "cannot allocate a checksum");
    st = mg_h5_open(path, &file);
    if (!st) st = read_contents(file, &c);
    for (int64_t i = 0; i < c.arrays && !st; i++) st = read_array(file, c.name[i], want, h, &taken);
    if (!st && taken != want->arrays) st = missing_array(path, &c, want);
    if (st) goto done;
    hash_facts(h, c.fact, c.facts);
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)mg_hasher_64(h));
    if (strcmp(sum, c.sum)) {
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' is damaged: its contents have checksum %s, expected %s",
                     path, sum, c.sum);
        goto done;
    }
    *facts = c.fact;
    *count = c.facts;
    c.fact = NULL;

done:
    contents_free(&c);
    mg_h5_close(&file);
    mg_hasher_free(&h);
    return st;
}

mg_status mg_ckpt_list(const char *path, mg_ckpt *out)
{
    mg_status st = MG_OK;
    mg_h5 *file = NULL;
    contents c = {0};

    memset(out, 0, sizeof *out);
    MG_TRY(mg_h5_open(path, &file));
    st = read_contents(file, &c);
    if (st) goto done;
    out->array = mg_calloc((size_t)c.arrays + 1, sizeof *out->array);
    if (!out->array) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the arrays of '%s'", path);
    for (int64_t i = 0; i < c.arrays && !st; i++) {
        mg_h5_info info;
        char *place = NULL;
        st = describe(file, c.name[i], &place, &info);
        if (st) break;
        mg_free(place);
        mg_ckpt_array *a = &out->array[out->arrays++];
        a->name = c.name[i];
        c.name[i] = NULL;
        a->ndim = info.ndim;
        memcpy(a->dim, info.dim, sizeof a->dim);
    }
    out->fact = c.fact;
    out->facts = c.facts;
    c.fact = NULL;
    if (st) mg_ckpt_list_free(out);

done:
    contents_free(&c);
    mg_h5_close(&file);
    return st;
}

void mg_ckpt_list_free(mg_ckpt *list)
{
    for (int i = 0; i < list->arrays; i++) mg_free((char *)list->array[i].name);
    mg_free(list->array);
    mg_ckpt_facts_free(&list->fact, list->facts);
    memset(list, 0, sizeof *list);
}
