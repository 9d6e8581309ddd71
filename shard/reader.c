// Several shard sets opened as one list of items, and their slices read from any thread.
// Items are ordered by set, shard and row; exact duplicates (by hash of the decoded pixels) are left
// out before a part is chosen, so that no copy of a training item is ever tested.
#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "shard/index.h"
#include "shard/shard.h"
#include "shard/shard_file.h"

// Where an item lies.
typedef struct {
    int32_t file;
    int32_t image, label, full_label; // arrays of the file, -1 for none
    int64_t image_row, label_row, full_label_row;
    uint64_t packed;
} place;

// A shard and the texts and areas that its items point to.
typedef struct {
    mg_shard_file *shard;
    char *set;
    bool phantom;
    mg_pool text[MG_ITEM_TEXTS];
    mg_pool orientation, contrasts;
    mg_shard_volume *volume;
    int64_t *area;
    int number[MG_SHARD_CLASSES + 1]; // class c of this shard is class number[c] of the reader
} source;

// Per-thread needs, kept for the next call.
typedef struct workspace {
    mg_chunk_scratch chunk;
    void *label; // one slice of a label
    size_t room;
    struct workspace *next;
} workspace;

struct mg_reader {
    source *source;
    int32_t sources, source_room;
    mg_shard_item *item;
    place *place;
    int64_t count, room, left_out;
    int classes;
    const char *class_name[MG_SHARD_CLASSES]; // inside source
    pthread_mutex_t lock;
    workspace *free;
};

static const int64_t no_area[MG_SHARD_CLASSES];

// --- opening ----------------------------------------------------------------------------------------

// Every shard stays open: ask for more files than the usual 1024 where that is allowed.
static void want_files(int64_t count)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)count + 256;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need) return;
    limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); // opening says what is wrong if this was not enough
}

static mg_status reserve(mg_reader *r, int64_t more)
{
    int64_t need = r->count + more;

    if (need <= r->room) return MG_OK;
    mg_shard_item *item = mg_realloc(r->item, (size_t)need * sizeof *item);
    if (item) r->item = item;
    place *at = mg_realloc(r->place, (size_t)need * sizeof *at);
    if (at) r->place = at;
    MG_CHECK(item && at, MG_ERR_MEMORY, "cannot allocate a list of %lld items", (long long)need);
    r->room = need;
    return MG_OK;
}

// The reader's classes are the union of the sets', by name, in the order they are met.
static mg_status join_classes(mg_reader *r, source *from)
{
    const mg_shard_file *shard = from->shard;

    for (int c = 0; c < shard->classes; c++) {
        int at = 0;
        while (at < r->classes && strcmp(r->class_name[at], shard->class_name[c])) at++;
        MG_CHECK(at < MG_SHARD_CLASSES, MG_ERR_CONFIG,
                 "set '%s' brings class '%s' as number %d, expected at most %d classes in all sets",
                 from->set, shard->class_name[c], at + 1, MG_SHARD_CLASSES);
        if (at == r->classes) r->class_name[r->classes++] = shard->class_name[c];
        from->number[c + 1] = at + 1;
    }
    return MG_OK;
}

// Classes of an item (bit c - 1) and their areas, in the reader's numbers.
static uint16_t renumber(const source *from, uint16_t classes)
{
    uint16_t out = 0;
    for (int c = 1; c <= from->shard->classes; c++)
        if (classes >> (c - 1) & 1) out |= (uint16_t)(1u << (from->number[c] - 1));
    return out;
}

static void renumber_areas(const source *from, const int64_t *area, int64_t *out)
{
    memset(out, 0, sizeof no_area);
    for (int c = 1; c <= from->shard->classes; c++) out[from->number[c] - 1] = area[c - 1];
}

static void fill_item(mg_shard_item *item, const source *from, const mg_row *row,
                      const char *const *text)
{
    const mg_slices *image = &from->shard->slices[row->image.array];
    bool labelled = row->label.array >= 0;

    *item = (mg_shard_item){
        .set = from->set,
        .name = text[MG_TEXT_NAME],
        .patient = text[MG_TEXT_PATIENT],
        .split = text[MG_TEXT_SPLIT],
        .modality = text[MG_TEXT_MODALITY],
        .label = text[MG_TEXT_LABEL],
        .fold = row->fold,
        .type = image->type,
        .depth = row->depth,
        .height = image->height,
        .width = image->width,
        .channels = image->channels,
        .full_depth = row->full_size[0],
        .full_height = row->full_size[1],
        .full_width = row->full_size[2],
        .spacing = {row->spacing[0], row->spacing[1], row->spacing[2]},
        .classes = renumber(from, row->classes),
        .unknown = renumber(from, row->unknown),
        .area = no_area,
        .labelled = labelled,
        .phantom = from->phantom,
        .hash = row->hash,
    };
}

// The items of a shard, which begin at `first`, point to what is known of their volumes.
static mg_status add_volumes(mg_reader *r, source *from, int64_t first)
{
    mg_table *table = &from->shard->table;

    if (table->volumes == 0) return MG_OK;
    from->volume = mg_alloc((size_t)table->volumes * sizeof *from->volume);
    MG_CHECK(from->volume, MG_ERR_MEMORY, "cannot allocate facts of %lld volumes",
             (long long)table->volumes);
    from->orientation = table->orientation; // taken over
    from->contrasts = table->contrasts;
    table->orientation = table->contrasts = (mg_pool){0};
    const char *orientation = from->orientation.bytes, *contrasts = from->contrasts.bytes;
    for (int64_t i = 0; i < table->volumes; i++) {
        const mg_volume_row *row = &table->volume[i];
        mg_shard_volume *v = &from->volume[i];
        *v = (mg_shard_volume){.orientation = orientation, .contrasts = contrasts};
        memcpy(v->affine, row->affine, sizeof v->affine);
        memcpy(v->file_affine, row->file_affine, sizeof v->file_affine);
        memcpy(v->full_spacing, row->full_spacing, sizeof v->full_spacing);
        memcpy(v->grid, row->grid, sizeof v->grid);
        memcpy(v->range, row->range, sizeof v->range);
        for (int k = 0; k < 3; k++)
            v->input[k] = row->input[k] < r->item[first + row->item].channels ? row->input[k] : -1;
        r->item[first + row->item].volume = v;
        orientation += strlen(orientation) + 1;
        contrasts += strlen(contrasts) + 1;
    }
    return MG_OK;
}

// Append the items of a shard; its table is released.
static mg_status add_items(mg_reader *r, source *from, int32_t file)
{
    mg_table *table = &from->shard->table;
    const char *text[MG_ITEM_TEXTS];
    int64_t first = r->count;

    assert(r->count + table->rows <= r->room);
    if (from->shard->classes > 0) {
        from->area = mg_alloc(((size_t)table->rows + 1) * sizeof no_area);
        MG_CHECK(from->area, MG_ERR_MEMORY, "cannot allocate areas of %lld items",
                 (long long)table->rows);
    }
    for (int k = 0; k < MG_ITEM_TEXTS; k++) {
        from->text[k] = table->text[k]; // taken over
        table->text[k] = (mg_pool){0};
        text[k] = from->text[k].bytes;
    }
    for (int64_t i = 0; i < table->rows; i++) {
        const mg_row *row = &table->row[i];
        mg_shard_item *item = &r->item[r->count];
        fill_item(item, from, row, text);
        if (from->area) {
            int64_t *area = from->area + i * MG_SHARD_CLASSES;
            renumber_areas(from, row->area, area);
            item->area = area;
        }
        r->place[r->count++] = (place){
            .file = file,
            .image = row->image.array,
            .label = row->label.array,
            .full_label = row->full_label.array,
            .image_row = row->image.row,
            .label_row = row->label.row,
            .full_label_row = row->full_label.row,
            .packed = row->packed,
        };
        for (int k = 0; k < MG_ITEM_TEXTS; k++) text[k] += strlen(text[k]) + 1;
    }
    mg_status st = add_volumes(r, from, first);
    mg_shard_file_forget(from->shard);
    return st;
}

static mg_status add_shard(mg_reader *r, const mg_index *index, const mg_index_shard *entry)
{
    int32_t file = r->sources;
    source *from = &r->source[r->sources++];

    *from = (source){.set = mg_strdup(mg_path_base(index->dir)), .phantom = index->phantom};
    MG_CHECK(from->set, MG_ERR_MEMORY, "cannot allocate the name of a set");
    MG_TRY(mg_shard_file_open(entry->path, &from->shard));
    MG_CHECK(!strcmp(from->shard->head.table, entry->table) &&
                 from->shard->table.rows == entry->items &&
                 !strcmp(from->shard->head.dataset, index->dataset),
             MG_ERR_FORMAT, "shard '%s' is not the one that '%s' lists", entry->path, index->path);
    MG_TRY(join_classes(r, from));
    return add_items(r, from, file);
}

static mg_status add_set(mg_reader *r, const char *set)
{
    mg_index *index = NULL;

    MG_TRY(mg_index_read(set, &index));
    mg_status st = mg_index_check_files(index);
    if (st) goto done;
    int64_t need = r->sources + index->shards;
    source *grown = mg_realloc(r->source, (size_t)(need + 1) * sizeof *grown);
    if (!grown) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a list of %lld shards", (long long)need);
        goto done;
    }
    r->source = grown;
    want_files(need);
    int64_t items = 0;
    for (int64_t i = 0; i < index->shards; i++) items += index->shard[i].items;
    st = reserve(r, items);
    for (int64_t i = 0; i < index->shards && !st; i++) st = add_shard(r, index, &index->shard[i]);

done:
    mg_index_free(&index);
    return st;
}

// --- choosing ---------------------------------------------------------------------------------------

static void keep_item(mg_reader *r, int64_t to, int64_t from)
{
    r->item[to] = r->item[from];
    r->place[to] = r->place[from];
}

// Leave out items whose hash was met before, by an open hash table of item numbers.
static mg_status leave_out_duplicates(mg_reader *r)
{
    size_t slots = 16;
    int64_t kept = 0;

    while (slots < 2 * (size_t)r->count) slots *= 2;
    uint32_t *slot = mg_alloc(slots * sizeof *slot);
    MG_CHECK(slot, MG_ERR_MEMORY, "cannot allocate a table of %zu hashes", slots);
    memset(slot, 0xFF, slots * sizeof *slot);
    for (int64_t i = 0; i < r->count; i++) {
        mg_hash128 h = r->item[i].hash;
        size_t at = h.low & (slots - 1);
        while (slot[at] != UINT32_MAX &&
               (r->item[slot[at]].hash.low != h.low || r->item[slot[at]].hash.high != h.high))
            at = (at + 1) & (slots - 1);
        if (slot[at] != UINT32_MAX) continue;
        slot[at] = (uint32_t)kept;
        keep_item(r, kept++, i);
    }
    mg_free(slot);
    r->left_out = r->count - kept;
    r->count = kept;
    return MG_OK;
}

static bool in_part(const mg_shard_item *item, const char *part)
{
    if (item->split[0]) return !strcmp(item->split, part);
    return !strcmp(part, item->fold == 0 ? "test" : "train");
}

static mg_status choose_part(mg_reader *r, const char *part)
{
    int64_t kept = 0;

    if (!strcmp(part, "all")) return MG_OK;
    MG_CHECK(!strcmp(part, "train") || !strcmp(part, "val") || !strcmp(part, "test"), MG_ERR_CONFIG,
             "part is '%s', expected all, train, val or test", part);
    for (int64_t i = 0; i < r->count; i++)
        if (in_part(&r->item[i], part)) keep_item(r, kept++, i);
    r->count = kept;
    return MG_OK;
}

static mg_status open_sets(mg_reader *r, const char *const *sets, int count, const char *part)
{
    MG_CHECK(count > 0, MG_ERR_CONFIG, "no shard set is given");
    for (int i = 0; i < count; i++) MG_TRY(add_set(r, sets[i]));
    MG_CHECK(r->count < UINT32_MAX, MG_ERR_CONFIG, "%lld items are more than 2^32 - 2",
             (long long)r->count);
    MG_TRY(leave_out_duplicates(r));
    int64_t all = r->count;
    MG_TRY(choose_part(r, part));
    MG_CHECK(r->count > 0, MG_ERR_CONFIG, "no item of part '%s' among %lld items of '%s'%s", part,
             (long long)all, sets[0], count > 1 ? " and the other sets" : "");
    return MG_OK;
}

mg_status mg_reader_open(const char *const *sets, int count, const char *part, mg_reader **out)
{
    mg_reader *r = mg_calloc(1, sizeof *r);

    *out = NULL;
    MG_CHECK(r, MG_ERR_MEMORY, "cannot allocate a reader");
    pthread_mutex_init(&r->lock, NULL);
    mg_status st = open_sets(r, sets, count, part);
    if (st)
        mg_reader_close(&r);
    else
        *out = r;
    return st;
}

void mg_reader_close(mg_reader **reader)
{
    mg_reader *r = *reader;

    if (!r) return;
    for (int32_t i = 0; i < r->sources; i++) {
        mg_shard_file_close(&r->source[i].shard);
        for (int k = 0; k < MG_ITEM_TEXTS; k++) mg_pool_free(&r->source[i].text[k]);
        mg_pool_free(&r->source[i].orientation);
        mg_pool_free(&r->source[i].contrasts);
        mg_free(r->source[i].volume);
        mg_free(r->source[i].area);
        mg_free(r->source[i].set);
    }
    while (r->free) {
        workspace *w = r->free;
        r->free = w->next;
        mg_chunk_scratch_free(&w->chunk);
        mg_free(w->label);
        mg_free(w);
    }
    pthread_mutex_destroy(&r->lock);
    mg_free(r->source);
    mg_free(r->item);
    mg_free(r->place);
    mg_free(r);
    *reader = NULL;
}

// --- facts ------------------------------------------------------------------------------------------

int64_t mg_reader_count(const mg_reader *reader)
{
    return reader->count;
}

const mg_shard_item *mg_reader_item(const mg_reader *reader, int64_t i)
{
    assert(i >= 0 && i < reader->count);
    return &reader->item[i];
}

int mg_reader_classes(const mg_reader *reader)
{
    return reader->classes;
}

const char *mg_reader_class_name(const mg_reader *reader, int c)
{
    assert(c >= 1 && c <= reader->classes);
    return reader->class_name[c - 1];
}

int64_t mg_reader_left_out(const mg_reader *reader)
{
    return reader->left_out;
}

uint64_t mg_reader_content(const mg_reader *reader)
{
    mg_hasher *hasher = mg_hasher_new();
    uint64_t content = 0;

    if (!hasher) return 0;
    for (int64_t i = 0; i < reader->count; i++)
        mg_content_add(hasher, reader->item[i].hash, reader->place[i].packed);
    content = mg_hasher_64(hasher);
    mg_hasher_free(&hasher);
    return content;
}

// --- slices -----------------------------------------------------------------------------------------

static mg_status take_workspace(const mg_reader *reader, workspace **out)
{
    mg_reader *r = (mg_reader *)reader; // the list of free workspaces is no part of its value

    pthread_mutex_lock(&r->lock);
    *out = r->free;
    if (*out) r->free = (*out)->next;
    pthread_mutex_unlock(&r->lock);
    if (!*out) *out = mg_calloc(1, sizeof **out);
    MG_CHECK(*out, MG_ERR_MEMORY, "cannot allocate a workspace");
    return MG_OK;
}

static void give_workspace(const mg_reader *reader, workspace *w)
{
    mg_reader *r = (mg_reader *)reader;

    pthread_mutex_lock(&r->lock);
    w->next = r->free;
    r->free = w;
    pthread_mutex_unlock(&r->lock);
}

static mg_status label_room(workspace *w, size_t bytes)
{
    if (w->room >= bytes) return MG_OK;
    mg_free(w->label);
    w->room = 0;
    w->label = mg_alloc(bytes);
    MG_CHECK(w->label, MG_ERR_MEMORY, "cannot allocate %zu bytes for a label", bytes);
    w->room = bytes;
    return MG_OK;
}

// Name the item in a failure that names only the file.
static mg_status item_failed(const mg_reader *r, int64_t i, int z, mg_status st)
{
    const mg_shard_item *item = &r->item[i];

    if (item->depth > 1)
        return MG_FAIL(st, "%s (item '%s' of set '%s', slice %d)", mg_err_message(), item->name,
                       item->set, z);
    return MG_FAIL(st, "%s (item '%s' of set '%s')", mg_err_message(), item->name, item->set);
}

static mg_status read_slices(const mg_reader *r, int64_t i, int32_t array, int64_t row, int z0,
                             int slices, workspace *w, char *out)
{
    const mg_shard_file *file = r->source[r->place[i].file].shard;
    size_t bytes = file->slices[array].slice_bytes;

    for (int z = 0; z < slices; z++) {
        mg_status st = mg_shard_file_slice(file, array, row + z0 + z, &w->chunk, out + z * bytes);
        if (st) return item_failed(r, i, z0 + z, st);
    }
    return MG_OK;
}

mg_status mg_reader_read(const mg_reader *reader, int64_t i, int z0, int slices, void *pixels,
                         uint8_t *label)
{
    const mg_shard_item *item = mg_reader_item(reader, i);
    const place *at = &reader->place[i];
    const mg_shard_file *file = reader->source[at->file].shard;
    mg_status st = MG_OK;
    workspace *w;

    assert(z0 >= 0 && slices > 0 && z0 + slices <= item->depth);
    MG_CHECK(!label || item->labelled, MG_ERR_USAGE, "item '%s' of set '%s' has no label",
             item->name, item->set);
    MG_CHECK(!label || file->slices[at->label].type == MG_U8, MG_ERR_USAGE,
             "classes of item '%s' of set '%s' overlap: read them one by one", item->name,
             item->set);
    MG_TRY(take_workspace(reader, &w));
    if (pixels) st = read_slices(reader, i, at->image, at->image_row, z0, slices, w, pixels);
    if (label && !st)
        st = read_slices(reader, i, at->label, at->label_row, z0, slices, w, (char *)label);
    if (label && !st) {
        const source *from = &reader->source[at->file];
        size_t cells = (size_t)slices * (size_t)item->height * (size_t)item->width;
        for (size_t k = 0; k < cells; k++)
            if (label[k] <= file->classes) label[k] = (uint8_t)from->number[label[k]];
    }
    give_workspace(reader, w);
    return st;
}

// The shard's own number of a class of the reader, 0 if it does not have it.
static int own_number(const source *from, int c)
{
    int own = from->shard->classes;
    while (own > 0 && from->number[own] != c) own--;
    return own;
}

// One class of a label slice as a mask of 0 and 1; class 0: the shard does not have it.
static void split_class(const mg_slices *s, const void *label, int c, uint8_t *mask,
                        uint8_t *ignore)
{
    size_t n = (size_t)s->height * (size_t)s->width;

    if (s->type == MG_U8) {
        const uint8_t *v = label;
        for (size_t k = 0; k < n; k++) mask[k] = c > 0 && v[k] == c;
        for (size_t k = 0; ignore && k < n; k++) ignore[k] = v[k] == MG_SHARD_IGNORE;
    } else {
        const uint16_t *v = label;
        for (size_t k = 0; k < n; k++) mask[k] = c > 0 && (v[k] >> (c - 1) & 1);
        for (size_t k = 0; ignore && k < n; k++) ignore[k] = v[k] >> 15;
    }
}

static mg_status read_mask(const mg_reader *reader, int64_t i, int32_t array, int64_t row, int z0,
                           int slices, int c, uint8_t *mask, uint8_t *ignore)
{
    const mg_shard_item *item = mg_reader_item(reader, i);
    mg_status st = MG_OK;
    workspace *w;

    MG_CHECK(item->labelled, MG_ERR_USAGE, "item '%s' of set '%s' has no label", item->name,
             item->set);
    assert(c >= 1 && c <= reader->classes);
    const source *from = &reader->source[reader->place[i].file];
    const mg_slices *s = &from->shard->slices[array];
    size_t cells = (size_t)s->height * (size_t)s->width;
    MG_TRY(take_workspace(reader, &w));
    st = label_room(w, s->slice_bytes);
    for (int z = 0; z < slices && !st; z++) {
        st = read_slices(reader, i, array, row, z0 + z, 1, w, w->label);
        if (!st)
            split_class(s, w->label, own_number(from, c), mask + z * cells,
                        ignore ? ignore + z * cells : NULL);
    }
    give_workspace(reader, w);
    return st;
}

mg_status mg_reader_mask(const mg_reader *reader, int64_t i, int z0, int slices, int class_number,
                         uint8_t *mask, uint8_t *ignore)
{
    const place *at = &reader->place[i];

    assert(z0 >= 0 && slices > 0 && z0 + slices <= mg_reader_item(reader, i)->depth);
    return read_mask(reader, i, at->label, at->label_row, z0, slices, class_number, mask, ignore);
}

mg_status mg_reader_full_mask(const mg_reader *reader, int64_t i, int class_number, uint8_t *mask,
                              uint8_t *ignore)
{
    const place *at = &reader->place[i];
    const mg_shard_item *item = mg_reader_item(reader, i);

    if (at->full_label < 0) // the grid was not changed
        return read_mask(reader, i, at->label, at->label_row, 0, item->depth, class_number, mask,
                         ignore);
    return read_mask(reader, i, at->full_label, at->full_label_row, 0, item->full_depth,
                     class_number, mask, ignore);
}
