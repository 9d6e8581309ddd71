// What kind of weight file a path means, and what all kinds have in common: the list of tensors, finding
// by name, conversion to float32.
#include "models/weights.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "models/weights_private.h"
#include "runtime/checkpoint.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "runtime/raw_file.h"

static const int64_t DEFAULT_MAX_BYTES = (int64_t)16 << 30;
// Names are few and short in real files; in one that was made to, shared containers expand to very many.
enum { MAX_TENSORS = 100000, MAX_NAME = 4096, MAX_NAMES = 16 << 20 };

// --- the list ---------------------------------------------------------------------------------------

static mg_status count_values(const mg_weights *w, const char *name, mg_tensor *t)
{
    bool over = false, empty = false;
    int64_t bytes;

    t->count = 1;
    for (int d = 0; d < t->ndim; d++) empty |= t->dim[d] == 0;
    for (int d = 0; d < t->ndim && !empty; d++)
        over |= __builtin_mul_overflow(t->count, t->dim[d], &t->count);
    if (empty) t->count = 0;
    over |= __builtin_mul_overflow(t->count, (int64_t)mg_tensor_type_size(t->type), &bytes) ||
            __builtin_add_overflow(bytes, w->bytes, &bytes) || bytes > w->max_bytes;
    MG_CHECK(!over, MG_ERR_FORMAT,
             "'%s': with tensor '%.200s' the tensors have more than %" PRId64 " bytes together",
             w->path, name, w->max_bytes);
    return MG_OK;
}

mg_status mg_weights_add(mg_weights *w, const char *name, int skip, mg_tensor_type type, int ndim,
                         const int64_t *dim)
{
    mg_tensor t = {.type = type, .ndim = ndim};

    size_t length = strlen(name);

    MG_CHECK(
        length <= MAX_NAME && w->name_bytes + length <= MAX_NAMES && w->count < MAX_TENSORS,
        MG_ERR_FORMAT,
        "'%s' has more than %d tensors, a name of more than %d bytes, or names of more than %d "
        "bytes together",
        w->path, MAX_TENSORS, MAX_NAME, MAX_NAMES);
    memcpy(t.dim, dim, (size_t)ndim * sizeof *dim);
    MG_TRY(count_values(w, name, &t));
    if (w->count == w->room) {
        int room = w->room ? 2 * w->room : 64;
        mg_tensor *larger = mg_realloc(w->tensor, (size_t)room * sizeof *larger);
        MG_CHECK(larger, MG_ERR_MEMORY, "cannot allocate a list of tensors");
        w->tensor = larger;
        w->room = room;
    }
    t.name = mg_strdup(name);
    MG_CHECK(t.name, MG_ERR_MEMORY, "cannot allocate a name");
    if (skip >= 0) t.key = t.name + skip;
    w->name_bytes += length;
    w->bytes += t.count * (int64_t)mg_tensor_type_size(type);
    w->tensor[w->count++] = t;
    return MG_OK;
}

// State dicts saved from wrapped models: every name begins with "module.".
static void strip_module(mg_weights *w)
{
    const size_t n = strlen("module.");
    bool all = w->keys > 0;

    for (int i = 0; i < w->count && all; i++)
        all = !w->tensor[i].key || !strncmp(w->tensor[i].key, "module.", n);
    for (int i = 0; i < w->count && all; i++)
        if (w->tensor[i].key) w->tensor[i].key += n;
}

static int by_key(const void *a, const void *b, void *list)
{
    const mg_tensor *t = list;
    return strcmp(t[*(const int *)a].key, t[*(const int *)b].key);
}

static mg_status sort_keys(mg_weights *w)
{
    w->sorted = mg_calloc((size_t)w->count + 1, sizeof *w->sorted);
    MG_CHECK(w->sorted, MG_ERR_MEMORY, "cannot allocate a list of tensors");
    for (int i = 0; i < w->count; i++)
        if (w->tensor[i].key) w->sorted[w->keys++] = i;
    strip_module(w);
    qsort_r(w->sorted, (size_t)w->keys, sizeof *w->sorted, by_key, w->tensor);
    for (int i = 1; i < w->keys; i++) {
        const char *key = w->tensor[w->sorted[i]].key;
        MG_CHECK(strcmp(w->tensor[w->sorted[i - 1]].key, key), MG_ERR_FORMAT,
                 "'%s' has two tensors of the name '%.200s'", w->path, key);
    }
    return MG_OK;
}

// --- opening ----------------------------------------------------------------------------------------

// The first of these names that is a file in the folder; NULL if there is none.
static char *first_of(const char *dir, const char *const *names)
{
    for (; *names; names++) {
        char *path = mg_path_join(dir, *names);
        if (path && mg_path_is_file(path)) return path;
        mg_free(path);
    }
    return NULL;
}

static mg_status locate_in_folder(const char *dir, char **file)
{
    static const char *const known[] = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin", NULL};
    char *runs = mg_path_join(dir, "checkpoints");

    MG_CHECK(runs, MG_ERR_MEMORY, "cannot allocate a path");
    bool run = mg_path_is_dir(runs);
    mg_status st = run ? mg_ckpt_newest(runs, file) : MG_OK;
    mg_free(runs);
    if (!st && run && !*file)
        st = MG_FAIL(MG_ERR_IO, "run folder '%s' holds no complete checkpoint", dir);
    if (!st && !run) *file = first_of(dir, known);
    if (!st && !*file)
        st = MG_FAIL(MG_ERR_IO,
                     "folder '%s' holds no weights: expected a run, model.safetensors, "
                     "model.safetensors.index.json or pytorch_model.bin",
                     dir);
    return st;
}

static bool begins(const char *head, const char *with, size_t bytes)
{
    return !memcmp(head, with, bytes);
}

static mg_status open_by_kind(mg_weights *w)
{
    char head[32] = {0};
    mg_raw_file file;

    if (mg_path_has_ext(w->path, ".json")) return mg_safetensors_open_index(w);
    MG_TRY(mg_raw_open(w->path, &file));
    mg_status st = mg_raw_read(&file, 0, head, file.size < 31 ? (size_t)file.size : 31);
    mg_raw_close(&file);
    if (st) return st;
    MG_CHECK(!begins(head, "version https://git-lfs", 23), MG_ERR_FORMAT,
             "'%s' is a Git LFS pointer, not the weights themselves (git lfs pull gets them)",
             w->path);
    if (mg_path_has_ext(w->path, ".safetensors")) return mg_safetensors_open(w);
    if (begins(head, "PK\3\4", 4) || begins(head, "\x80", 1)) return mg_pth_open(w);
    if (begins(head, "\x89HDF", 4)) return mg_ckpt_weights_open(w);
    if (head[8] == '{') return mg_safetensors_open(w);
    return MG_FAIL(MG_ERR_FORMAT,
                   "'%s' is no weight file: it begins neither as a zip archive, a pickle, an HDF5 "
                   "file nor as safetensors",
                   w->path);
}

mg_status mg_weights_open(const char *path, int64_t max_bytes, mg_weights **out)
{
    mg_weights *w = mg_calloc(1, sizeof *w);
    mg_status st = MG_OK;

    *out = NULL;
    MG_CHECK(w, MG_ERR_MEMORY, "cannot allocate a weight file");
    w->max_bytes = max_bytes ? max_bytes : DEFAULT_MAX_BYTES;
    if (mg_path_is_dir(path))
        st = locate_in_folder(path, &w->path);
    else if (!(w->path = mg_strdup(path)))
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
    if (!st) st = open_by_kind(w);
    if (!st) st = sort_keys(w);
    if (st)
        mg_weights_close(&w);
    else
        *out = w;
    return st;
}

void mg_weights_close(mg_weights **weights)
{
    mg_weights *w = *weights;

    if (!w) return;
    if (w->reader && w->self) w->reader->close(w);
    for (int i = 0; i < w->count; i++) mg_free((char *)w->tensor[i].name);
    mg_free(w->tensor);
    mg_free(w->sorted);
    if (w->notes) mg_json_free(&w->notes);
    mg_free(w->path);
    mg_free(w);
    *weights = NULL;
}

// --- asking -----------------------------------------------------------------------------------------

const char *mg_weights_path(const mg_weights *w)
{
    return w->path;
}

const char *mg_weights_format(const mg_weights *w)
{
    return w->format;
}

int mg_weights_count(const mg_weights *w)
{
    return w->count;
}

const mg_tensor *mg_weights_at(const mg_weights *w, int i)
{
    return &w->tensor[i];
}

int mg_weights_find(const mg_weights *w, const char *key)
{
    int lo = 0, hi = w->keys;

    while (lo < hi) {
        int mid = lo + (hi - lo) / 2, way = strcmp(w->tensor[w->sorted[mid]].key, key);
        if (way == 0) return w->sorted[mid];
        if (way < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

const char *mg_weights_note(const mg_weights *w, const char *key)
{
    return mg_json_text(mg_json_get(w->notes, key));
}

const mg_json *mg_weights_notes(const mg_weights *w)
{
    return w->notes;
}

// --- reading ----------------------------------------------------------------------------------------

mg_status mg_weights_read(mg_weights *w, int i, void *out)
{
    const mg_tensor *t = &w->tensor[i];

    MG_CHECK(mg_tensor_type_is_readable(t->type), MG_ERR_FORMAT,
             "'%s': tensor '%.200s' has the unsupported type %s", w->path, t->name,
             mg_tensor_type_name(t->type));
    return w->reader->read(w, i, out);
}

static mg_status read_converted(mg_weights *w, int i, float *out)
{
    const mg_tensor *t = &w->tensor[i];

    if (t->type == MG_T_F32) return mg_weights_read(w, i, out);
    void *raw = mg_alloc((size_t)t->count * mg_tensor_type_size(t->type) + 1);
    MG_CHECK(raw, MG_ERR_MEMORY, "cannot allocate tensor '%s'", t->name);
    mg_status st = mg_weights_read(w, i, raw);
    if (!st) mg_tensor_to_f32(out, t->type, raw, (size_t)t->count);
    mg_free(raw);
    return st;
}

mg_status mg_weights_read_f32(mg_weights *w, const mg_weights_want *want, int count)
{
    if (w->reader->read_f32) return w->reader->read_f32(w, want, count);
    for (int k = 0; k < count; k++) MG_TRY(read_converted(w, want[k].tensor, want[k].out));
    return MG_OK;
}
