// Reading index.json.
#include "shard/index.h"

#include <string.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "shard/shard.h"

void mg_content_add(mg_hasher *hasher, mg_hash128 hash, uint64_t packed)
{
    unsigned char bytes[24];
    const uint64_t word[3] = {hash.high, hash.low, packed};

    for (int i = 0; i < 24; i++) bytes[i] = (unsigned char)(word[i / 8] >> (8 * (i % 8)));
    mg_hasher_add(hasher, bytes, sizeof bytes);
}

static mg_status find_paths(mg_index *index, const char *set)
{
    bool folder = mg_path_is_dir(set);

    index->dir = folder ? mg_strdup(set) : mg_path_dir(set);
    for (size_t n = index->dir ? strlen(index->dir) : 0; n > 1 && index->dir[n - 1] == '/'; n--)
        index->dir[n - 1] = '\0'; // the folder's name is the set's
    index->path = folder ? mg_path_join(set, "index.json") : mg_strdup(set);
    MG_CHECK(index->dir && index->path, MG_ERR_MEMORY, "cannot allocate the name of an index");
    MG_CHECK(mg_path_is_file(index->path), MG_ERR_IO,
             folder ? "'%s' is no shard set: it has no index.json" : "no such file: '%s'", set);
    return MG_OK;
}

static mg_status read_shard(mg_index *index, const mg_json *entry, mg_index_shard *shard)
{
    const char *file = mg_json_text(mg_json_get(entry, "file"));

    shard->table = mg_json_text(mg_json_get(entry, "table"));
    shard->items = mg_json_int(mg_json_get(entry, "items"), -1);
    shard->bytes = mg_json_int(mg_json_get(entry, "bytes"), -1);
    MG_CHECK(file && shard->table && shard->items >= 0 && shard->bytes >= 0, MG_ERR_FORMAT,
             "an entry of 'shards' in '%s' lacks file, table, items or bytes", index->path);
    MG_CHECK(*file && *file != '.' && !strchr(file, '/'), MG_ERR_FORMAT,
             "'%s' in '%s' is no plain file name", file, index->path);
    shard->path = mg_path_join(index->dir, file);
    MG_CHECK(shard->path, MG_ERR_MEMORY, "cannot allocate the name of a shard");
    shard->file = mg_path_base(shard->path);
    return MG_OK;
}

mg_status mg_index_check_files(const mg_index *index)
{
    for (int64_t i = 0; i < index->shards; i++) {
        const mg_index_shard *s = &index->shard[i];
        int64_t bytes = mg_path_size(s->path);
        MG_CHECK(bytes >= 0, MG_ERR_IO, "shard '%s' is missing", s->path);
        MG_CHECK(bytes == s->bytes && s->items <= bytes, MG_ERR_FORMAT,
                 "shard '%s' has %lld bytes, '%s' says %lld bytes and %lld items", s->path,
                 (long long)bytes, index->path, (long long)s->bytes, (long long)s->items);
    }
    return MG_OK;
}

static mg_status read_index(mg_index *index, const char *set)
{
    MG_TRY(find_paths(index, set));
    MG_TRY(mg_json_read(index->path, &index->json));
    const char *format = mg_json_text(mg_json_get(index->json, "format"));
    MG_CHECK(format && !strcmp(format, "medgraft shard set"), MG_ERR_FORMAT,
             "'%s' is not the index of a shard set", index->path);
    int64_t version = mg_json_int(mg_json_get(index->json, "version"), -1);
    MG_CHECK(version == MG_SHARD_VERSION, MG_ERR_FORMAT, "'%s' has version %lld, expected %d",
             index->path, (long long)version, MG_SHARD_VERSION);
    index->dataset = mg_json_text(mg_json_get(index->json, "dataset"));
    index->content = mg_json_text(mg_json_get(index->json, "content"));
    index->items = mg_json_int(mg_json_get(index->json, "items"), -1);
    index->phantom = mg_json_bool(mg_json_get(index->json, "phantom"), false);
    const mg_json *shards = mg_json_get(index->json, "shards");
    MG_CHECK(index->dataset && index->content && index->items >= 0 && mg_json_is_array(shards),
             MG_ERR_FORMAT, "'%s' lacks dataset, content, items or shards", index->path);
    size_t count = mg_json_size(shards);
    index->shard = mg_calloc(count + 1, sizeof *index->shard);
    MG_CHECK(index->shard, MG_ERR_MEMORY, "cannot allocate a list of %zu shards", count);
    index->shards = (int64_t)count;
    for (size_t i = 0; i < count; i++)
        MG_TRY(read_shard(index, mg_json_at(shards, i), &index->shard[i]));
    return MG_OK;
}

mg_status mg_index_read(const char *set, mg_index **out)
{
    mg_index *index = mg_calloc(1, sizeof *index);

    *out = NULL;
    MG_CHECK(index, MG_ERR_MEMORY, "cannot allocate an index");
    mg_status st = read_index(index, set);
    if (st)
        mg_index_free(&index);
    else
        *out = index;
    return st;
}

void mg_index_free(mg_index **index)
{
    if (!*index) return;
    for (int64_t i = 0; i < (*index)->shards; i++) mg_free((*index)->shard[i].path);
    mg_free((*index)->shard);
    mg_json_free(&(*index)->json);
    mg_free((*index)->path);
    mg_free((*index)->dir);
    mg_free(*index);
    *index = NULL;
}
