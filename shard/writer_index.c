// index.json, made from the tables of the finished shards alone, so that it is the same whoever wrote
// them: what belongs to the set, its content hash, and everything that was left out and why.
#include <inttypes.h>
#include <string.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "runtime/run.h"
#include "shard/index.h"
#include "shard/shard_file.h"
#include "shard/writer_private.h"

// What is kept of every item while the shards are gone through.
typedef struct {
    mg_hash128 *hash; // [count], open hash table beside it
    int64_t *number;  // [count] places in the list of all items
    int64_t count;
    uint32_t *slot;
    size_t slots;
    mg_hasher *content;
    mg_json *shards, *skipped, *duplicates, *against;
    int64_t split[3 + MG_FOLDS]; // train, val, test; then folds of items without a split
    int64_t kept, bytes, labelled;
} gathered;

static void gathered_free(gathered *g)
{
    mg_free(g->hash);
    mg_free(g->number);
    mg_free(g->slot);
    mg_hasher_free(&g->content);
    mg_json_free(&g->shards);
    mg_json_free(&g->skipped);
    mg_json_free(&g->duplicates);
    mg_json_free(&g->against);
}

static mg_status gathered_make(gathered *g, int64_t items)
{
    g->slots = 16;
    while (g->slots < 2 * (size_t)items) g->slots *= 2;
    g->hash = mg_alloc((size_t)(items + 1) * sizeof *g->hash);
    g->number = mg_alloc((size_t)(items + 1) * sizeof *g->number);
    g->slot = mg_alloc(g->slots * sizeof *g->slot);
    g->content = mg_hasher_new();
    g->shards = mg_json_array();
    g->skipped = mg_json_array();
    g->duplicates = mg_json_array();
    g->against = mg_json_array();
    MG_CHECK(g->hash && g->number && g->slot && g->content && g->shards && g->skipped &&
                 g->duplicates && g->against,
             MG_ERR_MEMORY, "cannot allocate the index of %" PRId64 " items", items);
    memset(g->slot, 0xFF, g->slots * sizeof *g->slot);
    return MG_OK;
}

static void list_pair(mg_json *list, const char *name, const char *key, const char *value)
{
    mg_json *pair = mg_json_object();

    mg_json_put_text(pair, "name", name);
    mg_json_put_text(pair, key, value);
    mg_json_append(list, pair);
}

static void count_split(gathered *g, const char *split, int32_t fold)
{
    static const char *const name[] = {"train", "val", "test"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(split, name[i])) g->split[i]++;
    if (!*split && fold >= 0 && fold < MG_FOLDS) g->split[3 + fold]++;
}

// One item: kept, unless an earlier shard has its pixels.
static void add_item(const mg_pack_job *job, gathered *g, const mg_shard_file *file, int64_t row,
                     const char *const *text)
{
    const mg_row *r = &file->table.row[row];
    size_t at = r->hash.low & (g->slots - 1);

    for (; g->slot[at] != UINT32_MAX; at = (at + 1) & (g->slots - 1)) {
        const mg_hash128 *h = &g->hash[g->slot[at]];
        if (h->low != r->hash.low || h->high != r->hash.high) continue;
        mg_json *entry = mg_json_object();
        mg_json_put_text(entry, "name", text[MG_TEXT_NAME]);
        mg_json_put_text(entry, "of", job->list->scan.item[g->number[g->slot[at]]].name);
        mg_json_put_int(entry, "shard", file->head.number); // still stored there
        mg_json_put_int(entry, "row", row);
        mg_json_append(g->duplicates, entry);
        return;
    }
    g->slot[at] = (uint32_t)g->count;
    g->hash[g->count] = r->hash;
    g->number[g->count++] = r->number;
    mg_content_add(g->content, r->hash, r->packed);
    count_split(g, text[MG_TEXT_SPLIT], r->fold);
    g->kept++;
    g->labelled += r->label.array >= 0;
}

static void add_skips(gathered *g, const mg_table *t)
{
    const char *name = t->skip_name.bytes, *reason = t->skip_reason.bytes;

    for (int64_t i = 0; i < t->skips; i++) {
        if (t->skip[i].kind == MG_SKIP_DUPLICATE)
            list_pair(g->duplicates, name, "of", reason);
        else if (t->skip[i].kind == MG_SKIP_AGAINST)
            list_pair(g->against, name, "in", reason);
        else
            list_pair(g->skipped, name, "reason", reason);
        name += strlen(name) + 1;
        reason += strlen(reason) + 1;
    }
}

static mg_status add_shard(const mg_pack_job *job, gathered *g, const char *path)
{
    mg_shard_file *file = NULL;
    const char *text[MG_ITEM_TEXTS];

    MG_TRY(mg_shard_file_open(path, &file));
    const mg_table *t = &file->table;
    mg_status st = MG_OK;
    for (int k = 0; k < MG_ITEM_TEXTS; k++) text[k] = t->text[k].bytes;
    for (int64_t i = 0; i < t->rows; i++) {
        if (t->row[i].number < file->head.first || t->row[i].number >= file->head.last) {
            st = MG_FAIL(MG_ERR_FORMAT,
                         "'%s' holds item %" PRId64 ", expected %" PRId64 " to %" PRId64, path,
                         t->row[i].number, file->head.first, file->head.last - 1);
            break;
        }
        add_item(job, g, file, i, text);
        for (int k = 0; k < MG_ITEM_TEXTS; k++) text[k] += strlen(text[k]) + 1;
    }
    add_skips(g, t);
    mg_json *entry = mg_json_object();
    int64_t bytes = mg_path_size(path);
    mg_json_put_text(entry, "file", mg_path_base(path));
    mg_json_put_int(entry, "bytes", bytes);
    mg_json_put_int(entry, "items", t->rows);
    mg_json_put_int(entry, "first", file->head.first);
    mg_json_put_int(entry, "last", file->head.last);
    mg_json_put_text(entry, "table", file->head.table);
    mg_json_append(g->shards, entry);
    g->bytes += bytes;
    mg_shard_file_close(&file);
    return st;
}

// --- the JSON text ----------------------------------------------------------------------------------

static mg_json *texts_json(const mg_texts *texts)
{
    mg_json *list = mg_json_array();
    for (size_t i = 0; i < texts->count; i++) mg_json_append_text(list, texts->item[i]);
    return list;
}

static mg_json *options_json(const mg_pack_job *job)
{
    const mg_shard_order *order = job->order;
    mg_json *options = mg_json_object(), *against = mg_json_array(), *own = NULL;

    mg_json_put_int(options, "long_side", order->long_side);
    mg_json_put_int(options, "size_mb", order->size_mb);
    mg_json_put_int(options, "level", order->level);
    mg_json_put_bool(options, "trim", order->trim);
    mg_json_put_bool(options, "drop_constant", order->drop_constant);
    mg_json_put_bool(options, "scaled_decode", order->scaled_decode);
    for (int i = 0; i < order->against_count; i++)
        mg_json_append_text(against, job->against_set[i]);
    mg_json_put(options, "against", against);
    if (*order->config_text && mg_yaml_parse(order->config_text, "settings", &own) == MG_OK)
        mg_json_put(options, "set", own);
    mg_err_clear();
    return options;
}

static mg_json *splits_json(const gathered *g)
{
    static const char *const name[] = {"train", "val", "test"};
    mg_json *splits = mg_json_object(), *folds = mg_json_array();

    for (int i = 0; i < 3; i++) mg_json_put_int(splits, name[i], g->split[i]);
    for (int i = 0; i < MG_FOLDS; i++) mg_json_append_int(folds, g->split[3 + i]);
    mg_json_put(splits, "folds", folds);
    return splits;
}

// `medgraft phantom` leaves a mark in the folders it writes.
static bool is_phantom(const char *root)
{
    char *mark = mg_path_join(root, "PHANTOM");
    bool found = mark && mg_path_is_file(mark);

    mg_free(mark);
    return found;
}

// Moves the lists of `g` into the index.
static mg_json *index_json(const mg_pack_job *job, gathered *g, const char *content)
{
    const mg_scan *scan = &job->list->scan;
    mg_json *index = mg_json_object(), *classes = mg_json_array();

    mg_json_put_text(index, "format", "medgraft shard set");
    mg_json_put_int(index, "version", MG_SHARD_VERSION);
    mg_json_put_text(index, "program", mg_version());
    mg_json_put_text(index, "command", mg_command_line());
    mg_json_put_text(index, "dataset", job->order->set->name);
    mg_json_put_text(index, "content", content);
    mg_json_put_bool(index, "phantom", is_phantom(job->order->root));
    mg_json_put_text(index, "settings", job->settings);
    mg_json_put(index, "options", options_json(job));
    for (int c = 0; c < scan->classes; c++) mg_json_append_text(classes, scan->class_name[c]);
    mg_json_put(index, "classes", classes);
    mg_json_put_int(index, "found", scan->count);
    mg_json_put_int(index, "items", g->kept);
    mg_json_put_int(index, "labelled", g->labelled);
    mg_json_put(index, "splits", splits_json(g));
    mg_json_put_int(index, "bytes", g->bytes);
    mg_json_put(index, "shards", g->shards);
    mg_json_put(index, "skipped", g->skipped);
    mg_json_put(index, "duplicates", g->duplicates);
    mg_json_put(index, "against", g->against);
    mg_json_put(index, "scan_skipped", texts_json(&job->list->scan.skipped));
    mg_json_put(index, "notes", texts_json(&job->list->scan.notes));
    g->shards = g->skipped = g->duplicates = g->against = NULL;
    return index;
}

static mg_status write_index(const mg_pack_job *job, gathered *g, const char *content)
{
    mg_json *index = index_json(job, g, content);
    char *path = mg_path_join(job->order->out, "index.json");
    char *text = index ? mg_json_dump(index, true) : NULL;
    mg_status st = MG_OK;

    if (!path || !text)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the text of index.json");
    else
        st = mg_write_file(path, text, strlen(text));
    mg_json_free(&index);
    mg_free(path);
    mg_free(text);
    return st;
}

// Nothing was usable: say what stood in the way first.
static mg_status fail_empty(const mg_pack_job *job, const gathered *g)
{
    const mg_json *first = mg_json_at(g->skipped, 0);

    if (!first) return MG_FAIL(MG_ERR_FORMAT, "no item of '%s' is left", job->order->root);
    return MG_FAIL(MG_ERR_FORMAT, "none of the %" PRId64 " items of '%s' can be used; '%s': %s",
                   job->list->scan.count, job->order->root,
                   mg_json_text(mg_json_get(first, "name")),
                   mg_json_text(mg_json_get(first, "reason")));
}

mg_status mg_shard_write_index(const mg_pack_job *job, int64_t shards, mg_shard_outcome *out)
{
    gathered g = {0};
    mg_status st = gathered_make(&g, job->list->scan.count);

    for (int64_t s = 0; s < shards && !st; s++) {
        char *path = mg_shard_path(job->order->out, s);
        st = path ? add_shard(job, &g, path) : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a name");
        mg_free(path);
    }
    if (st) goto done;
    out->items = g.kept;
    out->skipped = (int64_t)mg_json_size(g.skipped);
    out->duplicates = (int64_t)mg_json_size(g.duplicates);
    out->against = (int64_t)mg_json_size(g.against);
    out->shards = shards;
    out->bytes = g.bytes;
    mg_hash64_text(mg_hasher_64(g.content), out->content);
    st = g.kept > 0 ? write_index(job, &g, out->content) : fail_empty(job, &g);

done:
    gathered_free(&g);
    return st;
}
