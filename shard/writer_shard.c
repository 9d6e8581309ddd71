// One shard: items are prepared by several threads and appended in order, so that memory is one item
// per thread and the file depends on the items alone. HDF5 is only called inside the ordered region.
#include <inttypes.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/scan.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/run.h"
#include "shard/shard_file.h"
#include "shard/verify.h"
#include "shard/writer_private.h"

enum { MAX_WARNINGS = 20 }; // of one rank

char *mg_shard_path(const char *out, int64_t number)
{
    return mg_sprintf("%s/%05" PRId64 ".h5", out, number);
}

// XXH3-64 over all that is known of items [first, last): their texts with a zero byte behind each (a
// missing one is the byte 1), their folds, the number of the first.
static mg_status hash_list(const mg_shared_scan *list, int64_t first, int64_t last, char text[17])
{
    mg_hasher *hasher = mg_hasher_new();
    uint64_t part[3];

    MG_CHECK(hasher, MG_ERR_MEMORY, "cannot allocate a hash");
    for (int64_t i = first; i < last; i++)
        for (int k = 0; k < MG_ITEM_FIELDS; k++) {
            const char *t = *mg_item_text(&list->scan.item[i], k);
            mg_hasher_add(hasher, t ? t : "\x01", t ? strlen(t) + 1 : 2);
        }
    part[0] = mg_hasher_64(hasher);
    part[1] = mg_hash64(list->fold + first, (size_t)(last - first) * sizeof *list->fold);
    part[2] = (uint64_t)first;
    mg_hash64_text(mg_hash64(part, sizeof part), text);
    mg_hasher_free(&hasher);
    return MG_OK;
}

bool mg_shard_is_finished(const mg_pack_job *job, int64_t number, int64_t first, int64_t last)
{
    char *path = mg_shard_path(job->order->out, number), list[17];
    mg_shard_file *file = NULL;
    bool finished = false;

    if (!path || !mg_path_is_file(path)) goto done;
    if (mg_shard_file_open(path, &file) || hash_list(job->list, first, last, list)) {
        mg_warn("shard is written again: %s", mg_err_message());
        mg_err_clear();
        goto done;
    }
    const mg_shard_head *head = &file->head;
    finished = head->number == number && head->first == first && head->last == last &&
               !strcmp(head->settings, job->settings) && !strcmp(head->list, list) &&
               !strcmp(head->dataset, job->order->set->name);

done:
    mg_shard_file_close(&file);
    mg_free(path);
    return finished;
}

// A shard being written.
typedef struct {
    mg_h5 *h5;
    mg_table table;
    uint32_t *slot; // open hash table of row numbers, to find duplicates
    size_t slots;
} shard_writer;

// --- appending --------------------------------------------------------------------------------------

// Row with this hash, -1 if there is none; then `row` is remembered for it.
static int64_t find_or_add(shard_writer *w, mg_hash128 hash, int64_t row)
{
    size_t at = hash.low & (w->slots - 1);

    for (; w->slot[at] != UINT32_MAX; at = (at + 1) & (w->slots - 1)) {
        const mg_hash128 *h = &w->table.row[w->slot[at]].hash;
        if (h->low == hash.low && h->high == hash.high) return w->slot[at];
    }
    w->slot[at] = (uint32_t)row;
    return -1;
}

static int compare_hashes(const void *a, const void *b)
{
    const mg_hash128 *x = a, *y = b; // mg_against begins with its hash
    if (x->high != y->high) return x->high < y->high ? -1 : 1;
    return x->low < y->low ? -1 : x->low > y->low;
}

static const char *name_of_row(const mg_table *table, int64_t row)
{
    const char *name = table->text[MG_TEXT_NAME].bytes;
    for (; row > 0; row--) name += strlen(name) + 1;
    return name;
}

static mg_status append_part(shard_writer *w, const mg_packed_part *part, mg_extent *at)
{
    int64_t dim[4] = {0, part->height, part->width, part->channels};
    int64_t chunk[4] = {1, part->height, part->width, part->channels};
    const char *data = part->data;
    bool is_new;

    *at = (mg_extent){.array = -1};
    if (!part->array[0]) return MG_OK;
    MG_TRY(mg_table_array(&w->table, part->array, &at->array, &is_new));
    if (is_new)
        MG_TRY(mg_h5_make_chunked(w->h5, part->array, part->type, part->channels ? 4 : 3, dim,
                                  chunk, MG_H5_ZSTD));
    at->row = w->table.array[at->array].rows;
    for (int z = 0; z < part->slices; z++) {
        int64_t offset[4] = {at->row + z};
        MG_TRY(mg_h5_write_chunk(w->h5, part->array, offset, data, part->bytes[z]));
        MG_TRY(mg_table_chunk(&w->table, at->array, mg_hash64(data, part->bytes[z])));
        data += part->bytes[z];
    }
    return MG_OK;
}

static mg_status append_item(shard_writer *w, mg_pack_job *job, const mg_item *item,
                             mg_packed_item *packed)
{
    mg_row *row = &packed->row;
    char note[512];
    const char *text[MG_ITEM_TEXTS] = {
        [MG_TEXT_NAME] = item->name,         [MG_TEXT_PATIENT] = item->patient,
        [MG_TEXT_SPLIT] = item->split,       [MG_TEXT_MODALITY] = item->modality,
        [MG_TEXT_LABEL] = item->label,       [MG_TEXT_EXTRA] = note,
        [MG_TEXT_DECODER] = packed->decoder,
    };

    snprintf(note, sizeof note, "%s%s%s", item->extra, *item->extra && *packed->remark ? "; " : "",
             packed->remark);
    if (packed->reason[0]) {
        if (++job->warned <= MAX_WARNINGS)
            mg_warn("skipped '%s': %s%s", item->name, packed->reason,
                    job->warned == MAX_WARNINGS ? " (more are in index.json)" : "");
        return mg_table_skip(&w->table, row->number, MG_SKIP_UNREADABLE, item->name,
                             packed->reason);
    }
    const mg_against *held = job->against_count
                                 ? bsearch(&row->hash, job->against, (size_t)job->against_count,
                                           sizeof *job->against, compare_hashes)
                                 : NULL;
    if (held)
        return mg_table_skip(&w->table, row->number, MG_SKIP_AGAINST, item->name,
                             job->against_set[held->set]);
    int64_t same = find_or_add(w, row->hash, w->table.rows);
    if (same >= 0)
        return mg_table_skip(&w->table, row->number, MG_SKIP_DUPLICATE, item->name,
                             name_of_row(&w->table, same));
    MG_TRY(append_part(w, &packed->part[MG_PART_IMAGE], &row->image));
    MG_TRY(append_part(w, &packed->part[MG_PART_LABEL], &row->label));
    MG_TRY(append_part(w, &packed->part[MG_PART_FULL_LABEL], &row->full_label));
    MG_TRY(mg_table_add(&w->table, row, text));
    if (!packed->orientation[0]) return MG_OK;
    return mg_table_add_volume(&w->table, &packed->volume, packed->orientation, packed->contrasts);
}

// --- the loop ---------------------------------------------------------------------------------------

static mg_status append_range(shard_writer *w, mg_pack_job *job, int64_t first, int64_t last)
{
    mg_status st = MG_OK; // guarded by the ordered region
    char *error = NULL;
    bool halt = false;

#pragma omp parallel num_threads(job->order->threads)
    {
        mg_packed_item packed = {0};
#pragma omp for ordered schedule(dynamic, 1)
        for (int64_t i = first; i < last; i++) {
            bool skip;
            mg_status mine = MG_OK;
#pragma omp atomic read
            skip = halt;
            if (!skip) mine = mg_pack_item(job->order, job->list, i, &packed);
#pragma omp ordered
            if (!skip && !st) {
                if (!mine) mine = append_item(w, job, &job->list->scan.item[i], &packed);
                if (!mine && mg_stop_raised())
                    mine = MG_FAIL(MG_ERR_STOPPED, "stopped by a signal");
                st = mine;
                job->done++;
                mg_progress(job->done, job->total, "shard %s", job->order->set->name);
                if (st) {
                    error = mg_err_take();
#pragma omp atomic write
                    halt = true;
                }
            } else if (mine) {
                mg_err_clear();
            }
        }
        mg_packed_item_free(&packed);
    }
    if (st) mg_err_give(error);
    return st;
}

static mg_status write_head(shard_writer *w, const mg_pack_job *job, int64_t number, int64_t first,
                            int64_t last)
{
    const mg_scan *scan = &job->list->scan;
    const char *class_name[MG_MAX_CLASSES];
    uint64_t hash;
    char table[17], list[17];

    MG_TRY(mg_table_hash(&w->table, &hash));
    mg_hash64_text(hash, table);
    MG_TRY(hash_list(job->list, first, last, list));
    for (int c = 0; c < scan->classes; c++) class_name[c] = scan->class_name[c];
    MG_TRY(mg_h5_write_texts(w->h5, "classes", class_name, scan->classes));
    MG_TRY(mg_h5_set_text(w->h5, "/", "format", "medgraft shard"));
    MG_TRY(mg_h5_set_int(w->h5, "/", "version", MG_SHARD_VERSION));
    MG_TRY(mg_h5_set_text(w->h5, "/", "program", mg_version()));
    MG_TRY(mg_h5_set_text(w->h5, "/", "dataset", job->order->set->name));
    MG_TRY(mg_h5_set_int(w->h5, "/", "shard", number));
    MG_TRY(mg_h5_set_int(w->h5, "/", "first", first));
    MG_TRY(mg_h5_set_int(w->h5, "/", "last", last));
    MG_TRY(mg_h5_set_text(w->h5, "/", "settings", job->settings));
    MG_TRY(mg_h5_set_text(w->h5, "/", "list", list));
    return mg_h5_set_text(w->h5, "/", "table", table);
}

// Read the finished file as a stranger's.
static mg_status verify_aside(const char *aside)
{
    mg_shard_file *file = NULL;
    int64_t faults = 0;

    MG_TRY(mg_shard_file_open(aside, &file));
    mg_status st = mg_shard_file_verify(file, &faults);
    mg_shard_file_close(&file);
    MG_TRY(st);
    MG_CHECK(faults == 0, MG_ERR_IO, "'%s' was not stored as written: %" PRId64 " faults", aside,
             faults);
    return MG_OK;
}

static mg_status make_table(shard_writer *w, int64_t items)
{
    w->slots = 16;
    while (w->slots < 2 * (size_t)items) w->slots *= 2;
    w->slot = mg_alloc(w->slots * sizeof *w->slot);
    MG_CHECK(w->slot, MG_ERR_MEMORY, "cannot allocate a table of %zu hashes", w->slots);
    memset(w->slot, 0xFF, w->slots * sizeof *w->slot);
    return MG_OK;
}

mg_status mg_shard_pack(mg_pack_job *job, int64_t number, int64_t first, int64_t last)
{
    mg_status st = MG_OK;
    shard_writer w = {0};
    char *path = mg_shard_path(job->order->out, number);
    char *aside = path ? mg_sprintf("%s.partial", path) : NULL;

    if (!aside) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the name of a shard");
        goto done;
    }
    st = make_table(&w, last - first);
    if (!st) st = mg_h5_create(aside, &w.h5);
    if (!st) st = append_range(&w, job, first, last);
    if (!st) st = mg_table_write(&w.table, w.h5);
    if (!st) st = write_head(&w, job, number, first, last);
    if (w.h5) {
        char *error = st ? mg_err_take() : NULL;
        mg_status closed = mg_h5_close(&w.h5);
        if (st)
            mg_err_give(error);
        else
            st = closed;
    }
    if (!st) st = verify_aside(aside);
    if (!st) st = mg_commit_file(aside, path);

done:
    if (st && aside) {
        char *error = mg_err_take();
        mg_remove_tree(aside);
        mg_err_give(error);
    }
    mg_table_free(&w.table);
    mg_free(w.slot);
    mg_free(aside);
    mg_free(path);
    return st;
}
