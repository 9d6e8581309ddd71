// safetensors (text-and-weights.md e): eight bytes with the length N of a JSON header, the header, the
// data. Strict on every rule of the format: no holes, no overlap, nothing behind the last tensor.
// Also sets of such files with an index. Writing is in safetensors_write.c.
#include <stdlib.h>
#include <string.h>

#include "models/weights_private.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/raw_file.h"

enum { MAX_DEPTH = 32, MAX_RANK = 8, MAX_SHARDS = 10000 };
static const uint64_t MAX_HEADER = 100000000;

// One file of a set; a plain file is a set of one.
typedef struct {
    mg_raw_file file;
    uint64_t data; // first byte of the buffer
} shard;

typedef struct {
    int shard;
    uint64_t begin, end; // in the buffer
} place;

typedef struct {
    shard *shard;
    int shards;
    place *place; // [count of w]
    int room;
} st_set;

// --- the header -------------------------------------------------------------------------------------

// Nesting outside of texts, counted before the parser recurses.
static bool is_deep(const char *text, size_t bytes)
{
    int depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\') i++;
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > MAX_DEPTH) return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

static mg_status read_header(shard *s, mg_json **header)
{
    const char *path = s->file.path;
    uint64_t bytes;

    MG_CHECK(s->file.size >= 8, MG_ERR_FORMAT, "'%s' has %llu bytes, expected safetensors", path,
             (unsigned long long)s->file.size);
    MG_TRY(mg_raw_read(&s->file, 0, &bytes, 8));
    MG_CHECK(bytes >= 2 && bytes <= MAX_HEADER && bytes <= s->file.size - 8, MG_ERR_FORMAT,
             "'%s' is no safetensors file: a header of %llu bytes in a file of %llu", path,
             (unsigned long long)bytes, (unsigned long long)s->file.size);
    s->data = 8 + bytes;
    char *text = mg_alloc((size_t)bytes + 1);
    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate the header of '%s'", path);
    mg_status st = mg_raw_read(&s->file, 8, text, (size_t)bytes);
    text[bytes] = '\0';
    if (!st && text[0] != '{')
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' is no safetensors file: its header is no object", path);
    if (!st && is_deep(text, (size_t)bytes))
        st =
            MG_FAIL(MG_ERR_FORMAT, "'%s': its header is nested more than %d deep", path, MAX_DEPTH);
    if (!st) st = mg_json_parse(text, (size_t)bytes, path, header);
    mg_free(text);
    return st;
}

static mg_status take_notes(mg_weights *w, const mg_json *notes)
{
    const mg_json *value;
    const char *key;

    MG_CHECK(mg_json_is_object(notes), MG_ERR_FORMAT, "'%s': __metadata__ is no object", w->path);
    for (void *at = mg_json_next(notes, NULL, &key, &value); at;
         at = mg_json_next(notes, at, &key, &value))
        MG_CHECK(mg_json_is_text(value), MG_ERR_FORMAT, "'%s': __metadata__ '%.100s' is no text",
                 w->path, key);
    if (w->notes) return MG_OK; // those of the first shard
    w->notes = mg_json_copy(notes);
    MG_CHECK(w->notes, MG_ERR_MEMORY, "cannot allocate the notes of '%s'", w->path);
    return MG_OK;
}

// Integers from 0, at most `room` of them; -1 if that is not what it is.
static int integers(const mg_json *list, int64_t *out, int room)
{
    size_t n = mg_json_size(list);

    if (!mg_json_is_array(list) || n > (size_t)room) return -1;
    for (size_t i = 0; i < n; i++) {
        out[i] = mg_json_int(mg_json_at(list, i), -1); // a real or a boolean gives -1 too
        if (out[i] < 0) return -1;
    }
    return (int)n;
}

static mg_status add_place(mg_weights *w, place p)
{
    st_set *set = w->self;

    if (w->count >= set->room) {
        int room = set->room ? 2 * set->room : 64;
        place *larger = mg_realloc(set->place, (size_t)room * sizeof *larger);
        MG_CHECK(larger, MG_ERR_MEMORY, "cannot allocate a list of tensors");
        set->place = larger;
        set->room = room;
    }
    set->place[w->count] = p;
    return MG_OK;
}

static mg_status take_tensor(mg_weights *w, int number, const char *name, const mg_json *entry)
{
    const shard *s = &((st_set *)w->self)->shard[number];
    const char *text = mg_json_text(mg_json_get(entry, "dtype")), *path = s->file.path;
    mg_tensor_type type;
    int64_t dim[MAX_RANK], range[2], bytes, buffer = (int64_t)(s->file.size - s->data);

    MG_CHECK(mg_json_is_object(entry) && text, MG_ERR_FORMAT,
             "'%s': tensor '%.200s' is no object with a dtype", path, name);
    MG_CHECK(mg_tensor_type_find(text, &type), MG_ERR_FORMAT,
             "'%s': tensor '%.200s' has the unknown dtype '%.40s'", path, name, text);
    int ndim = integers(mg_json_get(entry, "shape"), dim, MAX_RANK);
    MG_CHECK(ndim >= 0, MG_ERR_FORMAT,
             "'%s': the shape of tensor '%.200s' is no list of at most %d integers from 0", path,
             name, MAX_RANK);
    MG_CHECK(integers(mg_json_get(entry, "data_offsets"), range, 2) == 2 && range[0] <= range[1] &&
                 range[1] <= buffer,
             MG_ERR_FORMAT, "'%s': the data_offsets of tensor '%.200s' are no range of %lld bytes",
             path, name, (long long)buffer);
    bool over = false, empty = false;
    bytes = (int64_t)mg_tensor_type_size(type);
    for (int d = 0; d < ndim; d++) empty |= dim[d] == 0;
    for (int d = 0; d < ndim; d++) over |= __builtin_mul_overflow(bytes, dim[d], &bytes);
    MG_CHECK(!over && (empty ? 0 : bytes) == range[1] - range[0], MG_ERR_FORMAT,
             "'%s': tensor '%.200s' lies in %lld bytes, which is not what its shape needs", path,
             name, (long long)(range[1] - range[0]));
    MG_TRY(add_place(w, (place){number, (uint64_t)range[0], (uint64_t)range[1]}));
    return mg_weights_add(w, name, 0, type, ndim, dim);
}

// --- the data ---------------------------------------------------------------------------------------

static int by_place(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

// The tensors from `first` on must cover the buffer of their file without holes or overlap.
static mg_status check_cover(mg_weights *w, int number, int first)
{
    st_set *set = w->self;
    const shard *s = &set->shard[number];
    size_t n = (size_t)(w->count - first);
    uint64_t at = 0;
    place *sorted = mg_alloc((n + 1) * sizeof *sorted);
    mg_status st = MG_OK;

    MG_CHECK(sorted, MG_ERR_MEMORY, "cannot allocate a list of tensors");
    if (n) memcpy(sorted, set->place + first, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_place);
    for (size_t i = 0; i < n && !st; at = sorted[i++].end)
        if (sorted[i].begin != at)
            st = MG_FAIL(MG_ERR_FORMAT,
                         "'%s': a tensor begins at byte %llu of the data, expected %llu",
                         s->file.path, (unsigned long long)sorted[i].begin, (unsigned long long)at);
    if (!st && at != s->file.size - s->data)
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' has %llu bytes behind its last tensor", s->file.path,
                     (unsigned long long)(s->file.size - s->data - at));
    mg_free(sorted);
    return st;
}

// Open the next file of the set and add its tensors.
static mg_status add_shard(mg_weights *w, const char *path)
{
    st_set *set = w->self;
    int number = set->shards, first = w->count;
    mg_json *header = NULL;
    const mg_json *entry;
    const char *name;

    MG_TRY(mg_raw_open(path, &set->shard[number].file));
    set->shards++;
    mg_status st = read_header(&set->shard[number], &header);
    for (void *at = st ? NULL : mg_json_next(header, NULL, &name, &entry); at && !st;
         at = mg_json_next(header, at, &name, &entry))
        st = strcmp(name, "__metadata__") ? take_tensor(w, number, name, entry)
                                          : take_notes(w, entry);
    if (!st) st = check_cover(w, number, first);
    if (header) mg_json_free(&header);
    return st;
}

static mg_status read_tensor(mg_weights *w, int i, void *out)
{
    const st_set *set = w->self;
    const place *p = &set->place[i];
    const shard *s = &set->shard[p->shard];

    return mg_raw_read(&s->file, s->data + p->begin, out, (size_t)(p->end - p->begin));
}

static void close_set(mg_weights *w)
{
    st_set *set = w->self;

    for (int i = 0; i < set->shards; i++) mg_raw_close(&set->shard[i].file);
    mg_free(set->shard);
    mg_free(set->place);
    mg_free(set);
    w->self = NULL;
}

static mg_status new_set(mg_weights *w, size_t shards)
{
    static const mg_weights_reader reader = {.read = read_tensor, .close = close_set};
    st_set *set = mg_calloc(1, sizeof *set);

    MG_CHECK(set, MG_ERR_MEMORY, "cannot allocate a weight file");
    w->self = set;
    w->reader = &reader;
    set->shard = mg_calloc(shards + 1, sizeof *set->shard);
    MG_CHECK(set->shard, MG_ERR_MEMORY, "cannot allocate a weight file");
    return MG_OK;
}

mg_status mg_safetensors_open(mg_weights *w)
{
    MG_TRY(new_set(w, 1));
    w->format = "safetensors";
    return add_shard(w, w->path);
}

// --- sets with an index -----------------------------------------------------------------------------

static bool is_plain_name(const char *name)
{
    return name[0] && strcmp(name, ".") && strcmp(name, "..") && !strpbrk(name, "/\\") &&
           !strstr(name, "..");
}

// Open every file that the map names, each once.
static mg_status add_shards(mg_weights *w, const mg_json *map, mg_texts *names)
{
    const mg_json *value;
    const char *key;
    char *dir = mg_path_dir(w->path);
    mg_status st = dir ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");

    for (void *at = mg_json_next(map, NULL, &key, &value); at && !st;
         at = mg_json_next(map, at, &key, &value)) {
        const char *name = mg_json_text(value);
        if (!name || !is_plain_name(name)) {
            st = MG_FAIL(MG_ERR_FORMAT, "'%s': tensor '%.200s' lies in no plain file name", w->path,
                         key);
            break;
        }
        size_t i = 0;
        while (i < names->count && strcmp(names->item[i], name)) i++;
        if (i < names->count) continue;
        if (i == MAX_SHARDS)
            st = MG_FAIL(MG_ERR_FORMAT, "'%s' names more than %d files", w->path, MAX_SHARDS);
        if (!st) st = mg_texts_add(names, name);
        char *path = mg_path_join(dir, name);
        if (!st && !path) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
        if (!st) st = add_shard(w, path);
        mg_free(path);
    }
    mg_free(dir);
    return st;
}

// Tensors that the map does not have in the file where they lie are left out.
static mg_status apply_map(mg_weights *w, const mg_json *map, const mg_texts *names)
{
    st_set *set = w->self;
    size_t found = 0;
    int kept = 0, left_out = 0;

    for (int i = 0; i < w->count; i++) {
        const char *file = mg_json_text(mg_json_get(map, w->tensor[i].name));
        if (file && !strcmp(file, names->item[set->place[i].shard])) {
            found++;
            set->place[kept] = set->place[i];
            w->tensor[kept++] = w->tensor[i];
        } else {
            left_out++;
            w->bytes -= (int64_t)(set->place[i].end - set->place[i].begin);
            mg_free((char *)w->tensor[i].name);
        }
    }
    w->count = kept;
    if (found == mg_json_size(map)) {
        if (left_out) mg_warn("'%s' leaves out %d tensors of its files", w->path, left_out);
        return MG_OK;
    }
    const mg_json *value;
    const char *key;
    for (void *at = mg_json_next(map, NULL, &key, &value); at;
         at = mg_json_next(map, at, &key, &value)) {
        int i = 0;
        while (i < w->count && strcmp(w->tensor[i].name, key)) i++;
        MG_CHECK(i < w->count, MG_ERR_FORMAT, "'%s': tensor '%.200s' is not in '%s'", w->path, key,
                 mg_json_text(value));
    }
    return MG_OK;
}

mg_status mg_safetensors_open_index(mg_weights *w)
{
    mg_json *index = NULL;
    mg_texts names = {0};

    MG_TRY(mg_json_read(w->path, &index));
    const mg_json *map = mg_json_get(index, "weight_map");
    size_t count = mg_json_size(map);
    mg_status st = MG_OK;
    if (!mg_json_is_object(map))
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' is no index of safetensors files: it has no weight_map",
                     w->path);
    if (!st) st = new_set(w, count < MAX_SHARDS ? count : MAX_SHARDS);
    w->format = "safetensors in several files";
    if (!st) st = add_shards(w, map, &names);
    if (!st) st = apply_map(w, map, &names);
    mg_texts_free(&names);
    mg_json_free(&index);
    return st;
}
