// Writing safetensors (text-and-weights.md e): tensors ordered by type, then by name; compact header,
// padded with spaces to a multiple of 8 bytes; no holes.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/weights.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

static size_t bytes_of(const mg_tensor *t)
{
    return (size_t)t->count * mg_tensor_type_size(t->type);
}

static int by_type_and_name(const void *a, const void *b, void *list)
{
    const mg_tensor *x = (const mg_tensor *)list + *(const int *)a;
    const mg_tensor *y = (const mg_tensor *)list + *(const int *)b;

    return x->type != y->type ? (x->type < y->type ? -1 : 1) : strcmp(x->name, y->name);
}

static mg_json *entry(const mg_tensor *t, size_t begin)
{
    mg_json *e = mg_json_object(), *shape = mg_json_array(), *range = mg_json_array();

    for (int d = 0; d < t->ndim; d++) mg_json_append_int(shape, t->dim[d]);
    mg_json_append_int(range, (int64_t)begin);
    mg_json_append_int(range, (int64_t)(begin + bytes_of(t)));
    mg_json_put_text(e, "dtype", mg_tensor_type_name(t->type));
    mg_json_put(e, "shape", shape);
    mg_json_put(e, "data_offsets", range);
    return e;
}

// Hugging Face's loader insists on "format".
static mg_json *notes_of(const mg_weights_source *what)
{
    mg_json *notes = mg_json_object();
    const mg_json *value;
    const char *key;

    mg_json_put_text(notes, "format", "pt");
    for (void *at = what->notes ? mg_json_next(what->notes, NULL, &key, &value) : NULL; at;
         at = mg_json_next(what->notes, at, &key, &value))
        mg_json_put(notes, key, mg_json_copy(value));
    return notes;
}

// The header's text with its padding; *bytes is a multiple of 8. mg_free.
static mg_status make_header(const char *path, const mg_weights_source *what, const int *order,
                             char **out, size_t *bytes)
{
    mg_json *header = mg_json_object();
    size_t begin = 0;

    mg_json_put(header, "__metadata__", notes_of(what));
    for (int k = 0; k < what->count; k++) {
        const mg_tensor *t = &what->tensor[order[k]];
        mg_json_put(header, t->name, entry(t, begin));
        begin += bytes_of(t);
    }
    size_t members = mg_json_size(header);
    char *text = mg_json_dump(header, false); // NULL if anything is missing
    if (header) mg_json_free(&header);
    *bytes = text ? (strlen(text) + 7) / 8 * 8 : 0;
    *out = text ? mg_sprintf("%-*s", (int)*bytes, text) : NULL;
    mg_free(text);
    MG_CHECK(*out, MG_ERR_MEMORY, "cannot allocate the header of '%s'", path);
    if (members == (size_t)what->count + 1) return MG_OK;
    mg_free(*out);
    *out = NULL;
    return MG_FAIL(MG_ERR_CONFIG,
                   "'%s': safetensors cannot hold two tensors of one name, nor one that is called "
                   "__metadata__",
                   path);
}

static mg_status put(const void *bytes, size_t count, FILE *file, const char *aside)
{
    bool written = !mg_fault() && fwrite(bytes, 1, count, file) == count;

    MG_CHECK(written, MG_ERR_IO, "cannot write '%s': %s", aside, strerror(errno));
    return MG_OK;
}

static mg_status write_tensors(const mg_weights_source *what, const int *order, FILE *file,
                               const char *aside)
{
    size_t largest = 0;
    mg_status st = MG_OK;

    for (int i = 0; i < what->count; i++)
        if (bytes_of(&what->tensor[i]) > largest) largest = bytes_of(&what->tensor[i]);
    void *bytes = mg_alloc(largest + 1);
    MG_CHECK(bytes, MG_ERR_MEMORY, "cannot allocate a tensor of %zu bytes", largest);
    for (int k = 0; k < what->count && !st; k++) {
        size_t count = bytes_of(&what->tensor[order[k]]);
        st = what->fill(what->self, order[k], bytes);
        if (!st) st = put(bytes, count, file, aside);
    }
    mg_free(bytes);
    return st;
}

static mg_status write_file(const char *path, const char *aside, const mg_weights_source *what,
                            const int *order)
{
    size_t bytes;
    char *header;

    MG_TRY(make_header(path, what, order, &header, &bytes));
    FILE *file = mg_fault() ? NULL : fopen(aside, "wb");
    mg_status st =
        file ? MG_OK : MG_FAIL(MG_ERR_IO, "cannot write '%s': %s", aside, strerror(errno));
    uint64_t length = bytes;
    if (!st) st = put(&length, sizeof length, file, aside);
    if (!st) st = put(header, bytes, file, aside);
    if (!st) st = write_tensors(what, order, file, aside);
    if (file && fclose(file) && !st)
        st = MG_FAIL(MG_ERR_IO, "cannot write '%s': %s", aside, strerror(errno));
    if (!st) st = mg_commit_file(aside, path);
    if (st) remove(aside);
    mg_free(header);
    return st;
}

mg_status mg_safetensors_write(const char *path, const mg_weights_source *what)
{
    char *aside = mg_sprintf("%s.tmp", path);
    int *order = mg_alloc(((size_t)what->count + 1) * sizeof *order);
    mg_status st = MG_OK;

    if (!aside || !order) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a list of tensors");
    for (int i = 0; i < what->count && !st; i++) order[i] = i;
    if (!st)
        qsort_r(order, (size_t)what->count, sizeof *order, by_type_and_name, (void *)what->tensor);
    if (!st) st = write_file(path, aside, what, order);
    mg_free(order);
    mg_free(aside);
    return st;
}
