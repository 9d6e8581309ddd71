// medgraft inspect --verify: every chunk of every item is read, held against its checksum, decoded
// and held against the item's packed hash; the set's content hash is made anew.
#include <inttypes.h>
#include <string.h>

#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "shard/index.h"
#include "shard/shard_file.h"
#include "shard/verify.h"

static mg_status add_slices(const mg_shard_file *file, const mg_extent *at, int depth,
                            mg_chunk_scratch *scratch, mg_hasher *hasher, void *slice)
{
    for (int z = 0; at->array >= 0 && z < depth; z++) {
        MG_TRY(mg_shard_file_slice(file, at->array, at->row + z, scratch, slice));
        mg_hasher_add(hasher, slice, file->slices[at->array].slice_bytes);
    }
    return MG_OK;
}

// What a thread needs to look at items.
typedef struct {
    mg_chunk_scratch scratch;
    mg_hasher *hasher;
    void *slice; // room for the largest of the file
} verifier;

static mg_status verifier_make(const mg_shard_file *file, verifier *v)
{
    size_t most = 1;

    *v = (verifier){.hasher = mg_hasher_new()};
    for (int32_t a = 0; a < file->arrays; a++)
        most = file->slices[a].slice_bytes > most ? file->slices[a].slice_bytes : most;
    v->slice = mg_alloc(most);
    MG_CHECK(v->slice && v->hasher, MG_ERR_MEMORY, "cannot allocate a slice of %zu bytes", most);
    return MG_OK;
}

static void verifier_free(verifier *v)
{
    mg_chunk_scratch_free(&v->scratch);
    mg_hasher_free(&v->hasher);
    mg_free(v->slice);
}

static mg_status verify_item(const mg_shard_file *file, int64_t item, verifier *v)
{
    const mg_row *row = &file->table.row[item];

    mg_hasher_reset(v->hasher);
    MG_TRY(add_slices(file, &row->image, row->depth, &v->scratch, v->hasher, v->slice));
    MG_TRY(add_slices(file, &row->label, row->depth, &v->scratch, v->hasher, v->slice));
    MG_TRY(add_slices(file, &row->full_label, row->full_size[0], &v->scratch, v->hasher, v->slice));
    uint64_t found = mg_hasher_64(v->hasher);
    MG_CHECK(found == row->packed, MG_ERR_FORMAT,
             "'%s' is damaged: packed hash %016" PRIx64 ", expected %016" PRIx64, file->path, found,
             row->packed);
    return MG_OK;
}

// sound[i] of every item, by all threads. One that could not be looked at is not sound.
static void verify_items(const mg_shard_file *file, bool *sound)
{
#pragma omp parallel
    {
        verifier v;
        bool ready = verifier_make(file, &v) == MG_OK;
#pragma omp for schedule(dynamic, 4)
        for (int64_t i = 0; i < file->table.rows; i++) {
            sound[i] = ready && verify_item(file, i, &v) == MG_OK;
            if (!sound[i]) mg_err_clear();
        }
        mg_err_clear();
        verifier_free(&v);
    }
}

mg_status mg_shard_file_verify(const mg_shard_file *file, int64_t *faults)
{
    const char *name = file->table.text[MG_TEXT_NAME].bytes;
    bool *sound = mg_calloc((size_t)file->table.rows + 1, sizeof *sound);
    verifier v = {0};

    MG_CHECK(sound, MG_ERR_MEMORY, "cannot allocate %" PRId64 " flags", file->table.rows);
    verify_items(file, sound);
    // Those that are not sound once more, in order, for what is to be said of them.
    mg_status st = verifier_make(file, &v);
    for (int64_t i = 0; i < file->table.rows && !st; i++, name += strlen(name) + 1) {
        mg_status bad = sound[i] ? MG_OK : verify_item(file, i, &v);
        if (bad == MG_ERR_MEMORY) st = bad;
        if (!bad || st) continue;
        mg_error("item %" PRId64 " '%s': %s", i, name, mg_err_message());
        mg_err_clear();
        ++*faults;
    }
    verifier_free(&v);
    mg_free(sound);
    return st;
}

// One shard; what cannot be opened counts as one fault.
static mg_status verify_shard(const char *path, const char *table, int64_t *items, int64_t *faults)
{
    mg_shard_file *file = NULL;
    mg_status st = mg_shard_file_open(path, &file);

    if (st == MG_ERR_MEMORY) return st;
    if (!st && table && strcmp(table, file->head.table))
        st = MG_FAIL(MG_ERR_FORMAT, "table of '%s' is not the one that the index lists", path);
    if (st) {
        mg_error("%s", mg_err_message());
        mg_err_clear();
        ++*faults;
        mg_shard_file_close(&file);
        return MG_OK;
    }
    *items += file->table.rows;
    st = mg_shard_file_verify(file, faults);
    mg_shard_file_close(&file);
    return st;
}

// The index against what its shards hold.
static mg_status verify_content(const char *set, const mg_index *index, int64_t *faults)
{
    mg_reader *reader = NULL;
    char text[17];

    MG_TRY(mg_reader_open(&set, 1, "all", &reader));
    mg_hash64_text(mg_reader_content(reader), text);
    if (strcmp(text, index->content) || mg_reader_count(reader) != index->items) {
        mg_error("'%s' lists %" PRId64 " items of content %s, its shards hold %" PRId64
                 " of content %s",
                 index->path, index->items, index->content, mg_reader_count(reader), text);
        ++*faults;
    }
    mg_reader_close(&reader);
    return MG_OK;
}

static mg_status verify_set(const char *set, int64_t *items, int64_t *faults)
{
    mg_index *index = NULL;
    mg_status st = mg_index_read(set, &index);

    if (st) return st;
    for (int64_t i = 0; i < index->shards && !st; i++)
        st = verify_shard(index->shard[i].path, index->shard[i].table, items, faults);
    if (!st && *faults == 0) st = verify_content(set, index, faults);
    mg_index_free(&index);
    return st;
}

mg_status mg_shard_verify(const char *path, int64_t *items)
{
    int64_t faults = 0;

    *items = 0;
    if (mg_path_has_ext(path, ".h5"))
        MG_TRY(verify_shard(path, NULL, items, &faults));
    else
        MG_TRY(verify_set(path, items, &faults));
    MG_CHECK(faults == 0, MG_ERR_FORMAT, "'%s' has %" PRId64 " fault%s", path, faults,
             faults == 1 ? "" : "s");
    return MG_OK;
}
