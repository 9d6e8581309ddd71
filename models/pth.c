// PyTorch checkpoint files (text-and-weights.md d): zip archives with one data.pkl and one entry for
// each storage, TorchScript archives of the same kind, and the older stream of pickles followed by raw
// storages. Tensors are read in place, gathered by stride where they are not contiguous.
// The container is models/zip.c, the pickles are models/pickle.c.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/pickle.h"
#include "models/weights_private.h"
#include "models/zip.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

enum { MAX_NODES = 1000000, MAX_NAME = 4096 };
static const uint64_t MAX_PICKLE = (uint64_t)256 << 20;
static const char *const wrappers[] = {"model", "state_dict", "model_state_dict"};
enum { WRAPPERS = 3 };

typedef struct {
    uint64_t data;             // first byte in the file; 0: not found
    const mg_zip_entry *entry; // NULL in a stream
    bool checked;
} storage_place;

typedef struct {
    mg_raw_file file;
    mg_zip zip;
    mg_pickle pickle;
    storage_place *place; // [storages]
    uint32_t *tensor;     // [count of w]: index into the pickle's tensors
    uint32_t tensors;
} pth_file;

// --- names ------------------------------------------------------------------------------------------

typedef struct {
    mg_weights *w;
    pth_file *p;
    char name[MAX_NAME + 1];
    uint32_t nodes, room;
    int first_of[WRAPPERS], last_of[WRAPPERS]; // tensors below a wrapper that is a dict
} walk;

static mg_status too_long(const walk *k)
{
    return MG_FAIL(MG_ERR_FORMAT, "'%s' has a name of more than %d bytes", k->w->path, MAX_NAME);
}

static mg_status add_leaf(walk *k, uint32_t tensor)
{
    const mg_pickle *p = &k->p->pickle;
    const mg_pickle_tensor *t = &p->tensor[tensor];

    if (k->p->tensors == k->room) {
        uint32_t room = k->room ? 2 * k->room : 64;
        uint32_t *larger = mg_realloc(k->p->tensor, room * sizeof *larger);
        MG_CHECK(larger, MG_ERR_MEMORY, "cannot allocate a list of tensors");
        k->p->tensor = larger;
        k->room = room;
    }
    MG_TRY(mg_weights_add(k->w, k->name, 0, p->storage[t->storage].type, t->ndim, t->size));
    k->p->tensor[k->p->tensors++] = tensor;
    return MG_OK;
}

// Append the key of a cell, or its index in a list, to the name; *length becomes that of the longer one.
static mg_status extend(walk *k, size_t *length, bool keyed, uint32_t key, int64_t index)
{
    const mg_pickle *p = &k->p->pickle;
    size_t at = *length, room = sizeof k->name - at;
    const char *dot = at ? "." : "";
    uint32_t bytes;

    if (!keyed || p->value[key].kind == MG_PICKLE_INT) {
        long long number = keyed ? p->value[key].i : index;
        *length = at + (size_t)snprintf(k->name + at, room, "%s%lld", dot, number);
    } else {
        const char *text = mg_pickle_text(p, key, &bytes);
        MG_CHECK(strlen(text) == bytes, MG_ERR_FORMAT, "'%s' has a name with a zero byte",
                 k->w->path);
        *length = at + (size_t)snprintf(k->name + at, room, "%s%s", dot, text);
    }
    return *length < sizeof k->name ? MG_OK : too_long(k);
}

// Nested dicts, lists and modules down to their tensors. The depth is bounded, so a container that lies
// inside itself ends here; the number of visits is, since shared tuples can expand without end.
static mg_status visit(walk *k, uint32_t value, size_t length, int depth)
{
    const mg_pickle *p = &k->p->pickle;
    const mg_pickle_value *v = &p->value[value];
    int64_t index = 0;

    MG_CHECK(++k->nodes <= MAX_NODES && depth <= MG_PICKLE_DEPTH, MG_ERR_FORMAT,
             "'%s' is refused: its values are nested more than %d deep or expand to more than %d",
             k->w->path, MG_PICKLE_DEPTH, MAX_NODES);
    k->name[length] = '\0';
    if (v->kind == MG_PICKLE_TENSOR) return add_leaf(k, (uint32_t)v->i);
    if (v->kind < MG_PICKLE_TUPLE || v->kind > MG_PICKLE_OBJECT) return MG_OK;
    bool keyed = v->kind >= MG_PICKLE_DICT;
    for (uint32_t c = v->list.first; c; c = p->cell[c].next, index++) {
        size_t longer = length;
        int before = k->w->count;
        k->name[length] = '\0';
        MG_TRY(extend(k, &longer, keyed, p->cell[c].key, index));
        MG_TRY(visit(k, p->cell[c].value, longer, depth + 1));
        mg_pickle_kind kind = p->value[p->cell[c].value].kind;
        for (int i = 0; depth == 0 && keyed && i < WRAPPERS; i++)
            if ((kind == MG_PICKLE_DICT || kind == MG_PICKLE_ORDERED) &&
                mg_pickle_is_text(p, p->cell[c].key, wrappers[i]))
                k->first_of[i] = before, k->last_of[i] = k->w->count;
    }
    return MG_OK;
}

// The state dict of a training checkpoint is one level down.
static void choose_root(walk *k)
{
    int i = 0;

    while (i < WRAPPERS && k->first_of[i] == k->last_of[i]) i++;
    if (i == WRAPPERS) return;
    size_t skip = strlen(wrappers[i]) + 1;
    for (int t = 0; t < k->w->count; t++) {
        mg_tensor *tensor = &k->w->tensor[t];
        tensor->key = t >= k->first_of[i] && t < k->last_of[i] ? tensor->name + skip : NULL;
    }
}

static int by_name(const void *a, const void *b, void *list)
{
    const mg_tensor *t = list;
    return strcmp(t[*(const int *)a].name, t[*(const int *)b].name);
}

static mg_status flatten(mg_weights *w, pth_file *p)
{
    walk *k = mg_calloc(1, sizeof *k);

    MG_CHECK(k, MG_ERR_MEMORY, "cannot allocate a walk");
    k->w = w;
    k->p = p;
    mg_status st = visit(k, p->pickle.root, 0, 0);
    if (!st) choose_root(k);
    mg_free(k);
    int *order = st ? NULL : mg_calloc((size_t)w->count + 1, sizeof *order);
    if (!st && !order) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a list of tensors");
    if (st) return st;
    for (int i = 0; i < w->count; i++) order[i] = i;
    qsort_r(order, (size_t)w->count, sizeof *order, by_name, w->tensor);
    for (int i = 1; i < w->count && !st; i++)
        if (!by_name(order + i - 1, order + i, w->tensor))
            st = MG_FAIL(MG_ERR_FORMAT, "'%s' has two tensors of the name '%.200s'", w->path,
                         w->tensor[order[i]].name);
    mg_free(order);
    return st;
}

static size_t storage_bytes(const mg_pickle_storage *s)
{
    return (size_t)s->count * mg_tensor_type_size(s->type);
}

static mg_status allocate_places(pth_file *p)
{
    p->place = mg_calloc((size_t)p->pickle.storages + 1, sizeof *p->place);
    MG_CHECK(p->place, MG_ERR_MEMORY, "cannot allocate a list of storages");
    return MG_OK;
}

// --- zip form ---------------------------------------------------------------------------------------

// The folder of the one data.pkl that lies one level down, with its '/'.
static mg_status find_root(const pth_file *p, char *root, size_t room)
{
    int found = 0;

    for (size_t i = 0; i < p->zip.count; i++) {
        const char *name = p->zip.entry[i].name, *slash = strchr(name, '/');
        if (!slash || strcmp(slash + 1, "data.pkl")) continue;
        size_t n = (size_t)(slash + 1 - name);
        MG_CHECK(n < room, MG_ERR_FORMAT, "'%s': the archive's folder has a name of %zu bytes",
                 p->file.path, n);
        memcpy(root, name, n);
        root[n] = '\0';
        found++;
    }
    MG_CHECK(found == 1, MG_ERR_FORMAT, "'%s' has %d data.pkl one level down, expected 1",
             p->file.path, found);
    return MG_OK;
}

static const mg_zip_entry *entry_of(const pth_file *p, const char *root, const char *name)
{
    char path[1024];
    int n = snprintf(path, sizeof path, "%s%s", root, name);

    return n > 0 && (size_t)n < sizeof path ? mg_zip_find(&p->zip, path) : NULL;
}

// The text of a small stored entry, without white space at its end; "" if there is none.
static mg_status read_small(const pth_file *p, const char *root, const char *name, char text[16])
{
    const mg_zip_entry *e = entry_of(p, root, name);

    text[0] = '\0';
    if (!e) return MG_OK;
    MG_CHECK(e->stored && e->size < 16, MG_ERR_FORMAT, "'%s': entry '%s' is not a short text",
             p->file.path, e->name);
    MG_TRY(mg_zip_verify(&p->file, e));
    MG_TRY(mg_raw_read(&p->file, e->data, text, (size_t)e->size));
    text[e->size] = '\0';
    text[strcspn(text, " \r\n")] = '\0';
    return MG_OK;
}

static mg_status check_version(const pth_file *p, const char *root)
{
    char text[16];
    const mg_zip_entry *version = entry_of(p, root, "version");

    MG_TRY(read_small(p, root, "byteorder", text));
    MG_CHECK(!text[0] || !strcmp(text, "little"), MG_ERR_FORMAT,
             "'%s' has byte order '%s', expected little", p->file.path, text);
    if (!version || !version->stored) return MG_OK;
    MG_TRY(read_small(p, root, "version", text));
    char *end;
    long number = strtol(text, &end, 10);
    MG_CHECK(end != text && !*end && number >= 1 && number <= 10, MG_ERR_FORMAT,
             "'%s' has format version '%s', expected 1 to 10", p->file.path, text);
    return MG_OK;
}

static mg_status place_entries(pth_file *p, const char *root)
{
    MG_TRY(allocate_places(p));
    for (uint32_t i = 0; i < p->pickle.storages; i++) {
        const mg_pickle_storage *s = &p->pickle.storage[i];
        char name[80];
        snprintf(name, sizeof name, "data/%s", mg_pickle_text(&p->pickle, s->key, NULL));
        const mg_zip_entry *e = entry_of(p, root, name);
        MG_CHECK(e, MG_ERR_FORMAT, "'%s': storage '%s' is missing", p->file.path, name);
        MG_CHECK(e->stored, MG_ERR_FORMAT, "'%s': storage '%s' is compressed", p->file.path, name);
        MG_CHECK(e->size == storage_bytes(s), MG_ERR_FORMAT,
                 "'%s': storage '%s' has %llu bytes, expected %zu", p->file.path, name,
                 (unsigned long long)e->size, storage_bytes(s));
        p->place[i] = (storage_place){.data = e->data, .entry = e};
    }
    return MG_OK;
}

static mg_status open_zip(mg_weights *w, pth_file *p)
{
    char root[512];

    MG_TRY(mg_zip_open(&p->file, &p->zip));
    MG_TRY(find_root(p, root, sizeof root));
    MG_TRY(check_version(p, root));
    bool script = entry_of(p, root, "constants.pkl");
    const mg_zip_entry *e = entry_of(p, root, "data.pkl");
    MG_CHECK(e && e->stored && e->size <= MAX_PICKLE, MG_ERR_FORMAT,
             "'%s': data.pkl is compressed or larger than %llu bytes", p->file.path,
             (unsigned long long)MAX_PICKLE);
    MG_TRY(mg_zip_verify(&p->file, e));
    uint64_t at = e->data, end = e->data + e->size;
    MG_TRY(
        mg_pickle_read(&p->file, &at, end, script ? MG_PICKLE_SCRIPT : MG_PICKLE_ZIP, &p->pickle));
    MG_CHECK(at == end, MG_ERR_FORMAT, "'%s': data.pkl goes on behind its end", p->file.path);
    w->format = script ? "TorchScript archive" : "PyTorch zip";
    return place_entries(p, root);
}

// --- stream form ------------------------------------------------------------------------------------

static mg_status not_a_stream(const pth_file *p, const char *what)
{
    return MG_FAIL(MG_ERR_FORMAT, "'%s' is no PyTorch stream: %s", p->file.path, what);
}

// Magic number, protocol and the dict of type sizes in front of the object.
static mg_status read_prologue(pth_file *p, uint64_t *at)
{
    static const char magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    mg_pickle head = {0};
    uint32_t bytes;
    bool fits, little = false;

    MG_TRY(mg_pickle_read(&p->file, at, p->file.size, MG_PICKLE_STREAM, &head));
    fits = head.value[head.root].kind == MG_PICKLE_BIG &&
           !memcmp(mg_pickle_text(&head, head.root, &bytes), magic, 10) && bytes == 10;
    mg_pickle_free(&head);
    if (!fits) return not_a_stream(p, "the magic number is another one");
    MG_TRY(mg_pickle_read(&p->file, at, p->file.size, MG_PICKLE_STREAM, &head));
    fits = head.value[head.root].kind == MG_PICKLE_INT && head.value[head.root].i == 1001;
    mg_pickle_free(&head);
    if (!fits) return not_a_stream(p, "the protocol is not 1001");
    MG_TRY(mg_pickle_read(&p->file, at, p->file.size, MG_PICKLE_STREAM, &head));
    const mg_pickle_value *dict = &head.value[head.root];
    for (uint32_t c = dict->kind == MG_PICKLE_DICT ? dict->list.first : 0; c; c = head.cell[c].next)
        if (mg_pickle_is_text(&head, head.cell[c].key, "little_endian"))
            little = head.value[head.cell[c].value].kind == MG_PICKLE_BOOL &&
                     head.value[head.cell[c].value].i == 1;
    mg_pickle_free(&head);
    return little ? MG_OK : not_a_stream(p, "it was not written in little-endian order");
}

static int by_key(const void *a, const void *b, void *pickle)
{
    const mg_pickle *p = pickle;
    return strcmp(mg_pickle_text(p, p->storage[*(const uint32_t *)a].key, NULL),
                  mg_pickle_text(p, p->storage[*(const uint32_t *)b].key, NULL));
}

// The storage of this key among `order`, which is sorted; NULL if there is none.
static const uint32_t *find_storage(const mg_pickle *p, const uint32_t *order, const char *key)
{
    uint32_t lo = 0, hi = p->storages;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int way = strcmp(mg_pickle_text(p, p->storage[order[mid]].key, NULL), key);
        if (way == 0) return &order[mid];
        if (way < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

// One storage behind the pickles: number of values, values.
static mg_status place_next(pth_file *p, uint32_t i, uint64_t *at)
{
    const mg_pickle_storage *s = &p->pickle.storage[i];
    const char *key = mg_pickle_text(&p->pickle, s->key, NULL);
    int64_t count;

    MG_CHECK(!p->place[i].data, MG_ERR_FORMAT, "'%s': storage '%s' is listed twice", p->file.path,
             key);
    MG_TRY(mg_raw_read(&p->file, *at, &count, sizeof count));
    MG_CHECK(count == s->count, MG_ERR_FORMAT, "'%s': storage '%s' has %lld values, expected %lld",
             p->file.path, key, (long long)count, (long long)s->count);
    *at += sizeof count;
    MG_CHECK(storage_bytes(s) <= p->file.size - *at, MG_ERR_FORMAT,
             "'%s' is cut short in storage '%s'", p->file.path, key);
    p->place[i] = (storage_place){.data = *at, .checked = true};
    *at += storage_bytes(s);
    return MG_OK;
}

static mg_status place_listed(pth_file *p, const mg_pickle *keys, const uint32_t *order,
                              uint64_t *at)
{
    const mg_pickle_value *list = &keys->value[keys->root];

    if (list->kind != MG_PICKLE_LIST || list->list.count != p->pickle.storages)
        return not_a_stream(p, "the list of storages does not fit the tensors");
    for (uint32_t c = list->list.first; c; c = keys->cell[c].next) {
        uint32_t value = keys->cell[c].value, bytes;
        if (keys->value[value].kind != MG_PICKLE_TEXT)
            return not_a_stream(p, "the key of a storage is no text");
        const char *key = mg_pickle_text(keys, value, &bytes);
        const uint32_t *i = strlen(key) == bytes ? find_storage(&p->pickle, order, key) : NULL;
        MG_CHECK(i, MG_ERR_FORMAT, "'%s': storage '%.64s' belongs to no tensor", p->file.path, key);
        MG_TRY(place_next(p, *i, at));
    }
    MG_CHECK(*at == p->file.size, MG_ERR_FORMAT, "'%s' has %llu bytes behind its last storage",
             p->file.path, (unsigned long long)(p->file.size - *at));
    return MG_OK;
}

static mg_status place_stream(pth_file *p, uint64_t *at)
{
    mg_pickle keys = {0};
    mg_status st = MG_OK;

    MG_TRY(allocate_places(p));
    MG_TRY(mg_pickle_read(&p->file, at, p->file.size, MG_PICKLE_STREAM, &keys));
    uint32_t *order = mg_alloc(((size_t)p->pickle.storages + 1) * sizeof *order);
    if (!order) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a list of storages");
    for (uint32_t i = 0; i < p->pickle.storages && !st; i++) order[i] = i;
    if (!st) qsort_r(order, p->pickle.storages, sizeof *order, by_key, &p->pickle);
    if (!st) st = place_listed(p, &keys, order, at);
    mg_free(order);
    mg_pickle_free(&keys);
    return st;
}

static mg_status open_stream(mg_weights *w, pth_file *p)
{
    uint64_t at = 0;

    MG_TRY(read_prologue(p, &at));
    uint64_t end = p->file.size - at < MAX_PICKLE ? p->file.size : at + MAX_PICKLE;
    MG_TRY(mg_pickle_read(&p->file, &at, end, MG_PICKLE_STREAM, &p->pickle));
    w->format = "PyTorch stream";
    return place_stream(p, &at);
}

// --- reading ----------------------------------------------------------------------------------------

static bool is_contiguous(const mg_pickle_tensor *t)
{
    int64_t step = 1;

    for (int i = t->ndim - 1; i >= 0; i--) {
        if (t->size[i] != 1 && t->stride[i] != step) return false;
        step *= t->size[i];
    }
    return true;
}

// Copy by stride out of `from`, the values from the tensor's first to its last.
static void gather(char *out, const char *from, const mg_pickle_tensor *t, size_t size)
{
    int64_t at[MG_PICKLE_DIMS] = {0}, place = 0;

    for (int64_t n = 0; n < t->count; n++) {
        memcpy(out + (size_t)n * size, from + (size_t)place * size, size);
        for (int d = t->ndim - 1; d >= 0; d--) {
            place += t->stride[d];
            if (++at[d] < t->size[d]) break;
            place -= t->size[d] * t->stride[d];
            at[d] = 0;
        }
    }
}

static mg_status read_strided(const pth_file *p, const mg_pickle_tensor *t, uint64_t data,
                              size_t size, void *out)
{
    int64_t span = 1;

    for (int d = 0; d < t->ndim; d++) span += (t->size[d] - 1) * t->stride[d];
    char *from = mg_alloc((size_t)span * size);
    MG_CHECK(from, MG_ERR_MEMORY, "cannot allocate %lld values", (long long)span);
    mg_status st = mg_raw_read(&p->file, data, from, (size_t)span * size);
    if (!st) gather(out, from, t, size);
    mg_free(from);
    return st;
}

static mg_status read_tensor(mg_weights *w, int i, void *out)
{
    pth_file *p = w->self;
    const mg_pickle_tensor *t = &p->pickle.tensor[p->tensor[i]];
    const mg_pickle_storage *s = &p->pickle.storage[t->storage];
    storage_place *place = &p->place[t->storage];
    size_t size = mg_tensor_type_size(s->type);
    uint64_t data = place->data + (uint64_t)t->offset * size;
    bool contiguous = is_contiguous(t), whole = contiguous && t->count == s->count;

    if (t->count == 0) return MG_OK;
    if (!whole && !place->checked) {
        MG_TRY(mg_zip_verify(&p->file, place->entry));
        place->checked = true;
    }
    if (!contiguous) return read_strided(p, t, data, size, out);
    MG_TRY(mg_raw_read(&p->file, data, out, (size_t)t->count * size));
    if (whole && !place->checked && place->entry->crc) {
        uint32_t crc = mg_zip_crc(0, out, (size_t)t->count * size);
        MG_CHECK(crc == place->entry->crc, MG_ERR_FORMAT,
                 "'%s': the checksum of tensor '%s' is %08x, expected %08x", w->path,
                 w->tensor[i].name, crc, place->entry->crc);
    }
    place->checked = true;
    return MG_OK;
}

static void close_file(mg_weights *w)
{
    pth_file *p = w->self;

    mg_raw_close(&p->file);
    mg_zip_free(&p->zip);
    mg_pickle_free(&p->pickle);
    mg_free(p->place);
    mg_free(p->tensor);
    mg_free(p);
    w->self = NULL;
}

mg_status mg_pth_open(mg_weights *w)
{
    static const mg_weights_reader reader = {.read = read_tensor, .close = close_file};
    char head[4] = {0};
    pth_file *p = mg_calloc(1, sizeof *p);

    MG_CHECK(p, MG_ERR_MEMORY, "cannot allocate a weight file");
    p->file.fd = -1;
    w->reader = &reader;
    w->self = p;
    MG_TRY(mg_raw_open(w->path, &p->file));
    MG_TRY(mg_raw_read(&p->file, 0, head, p->file.size < 4 ? (size_t)p->file.size : 4));
    MG_TRY(!memcmp(head, "PK\3\4", 4) ? open_zip(w, p) : open_stream(w, p));
    return flatten(w, p);
}
