// medgraft inspect: what a shard set, a shard, a checkpoint, a run folder or a weight file is. Facts are gathered as
// one JSON object and printed as text or as they are.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "models/weights_facts.h"
#include "runtime/checkpoint.h"
#include "runtime/fsys.h"
#include "runtime/json.h"
#include "runtime/mem.h"
#include "shard/cmd.h"
#include "shard/index.h"
#include "shard/shard_file.h"

typedef struct {
    bool verify, hash, json, arrays;
} settings;

// clang-format off
static const mg_option options[] = {
    {"inspect.verify", MG_BOOL, offsetof(settings, verify), "false", 0, 0, "read every byte and hold it against every checksum", NULL},
    {"inspect.hash", MG_BOOL, offsetof(settings, hash), "false", 0, 0, "print one line only: params_xxh3 of a checkpoint, run or weight file, content of a shard set", NULL},
    {"inspect.json", MG_BOOL, offsetof(settings, json), "false", 0, 0, "print the facts as one JSON object", NULL},
    {"inspect.arrays", MG_BOOL, offsetof(settings, arrays), "false", 0, 0, "also list every array of a checkpoint or weight file", NULL},
    {0},
};
// clang-format on

int mg_cmd_inspect_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){options, NULL};
    return 1;
}

// --- printing ---------------------------------------------------------------------------------------

static void print_bytes(int64_t bytes)
{
    static const char *const unit[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    int u = 0;

    while (value >= 1000 && u < 4) value /= 1000, u++;
    printf(u ? "%.2f %s" : "%.0f %s", value, unit[u]);
}

static void print_value(const char *key, const mg_json *value)
{
    char *text;

    if (strstr(key, "bytes") && mg_json_is_number(value)) {
        print_bytes(mg_json_int(value, 0));
    } else if (mg_json_is_text(value)) {
        printf("%s", mg_json_text(value));
    } else {
        text = mg_json_dump(value, false);
        printf("%s", text ? text : "?");
        mg_free(text);
    }
}

// One "key value" line for each member; members of objects are indented below their key.
static void print_facts(const mg_json *facts, int indent)
{
    const mg_json *value;

    for (size_t i = 0; i < mg_json_size(facts); i++) {
        const char *key = mg_json_member(facts, i, &value);
        printf("%*s%s ", indent, "", key);
        if (mg_json_is_object(value)) {
            printf("\n");
            print_facts(value, indent + 2);
        } else {
            print_value(key, value);
            printf("\n");
        }
    }
}

static mg_status print_result(const settings *cfg, const mg_json *facts)
{
    if (!cfg->json) {
        print_facts(facts, 0);
        return MG_OK;
    }
    char *text = mg_json_dump(facts, true);
    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate the facts");
    printf("%s\n", text);
    mg_free(text);
    return MG_OK;
}

// --- shard sets and shards --------------------------------------------------------------------------

// Smallest and largest of a size over the items, "512" or "341..512".
typedef struct {
    int lo, hi;
} span;

static void widen(span *s, int value)
{
    if (s->hi == 0 || value < s->lo) s->lo = value;
    if (value > s->hi) s->hi = value;
}

static void put_span(mg_json *facts, const char *key, span s)
{
    char text[32];

    snprintf(text, sizeof text, s.lo == s.hi ? "%d" : "%d..%d", s.lo, s.hi);
    mg_json_put_text(facts, key, text);
}

static mg_json *sizes_json(const mg_reader *reader)
{
    span depth = {0}, rows = {0}, columns = {0}, channels = {0};
    int64_t type[MG_F64 + 1] = {0};
    mg_json *sizes = mg_json_object();

    for (int64_t i = 0; i < mg_reader_count(reader); i++) {
        const mg_shard_item *item = mg_reader_item(reader, i);
        widen(&depth, item->depth);
        widen(&rows, item->height);
        widen(&columns, item->width);
        widen(&channels, item->channels);
        type[item->type]++;
    }
    for (int t = 0; t <= MG_F64; t++)
        if (type[t]) mg_json_put_int(sizes, mg_dtype_name((mg_dtype)t), type[t]);
    put_span(sizes, "depth", depth);
    put_span(sizes, "rows", rows);
    put_span(sizes, "columns", columns);
    put_span(sizes, "channels", channels);
    return sizes;
}

// Items that have each class.
static mg_json *classes_json(const mg_reader *reader)
{
    int64_t count[MG_SHARD_CLASSES] = {0};
    mg_json *classes = mg_json_object();

    for (int64_t i = 0; i < mg_reader_count(reader); i++)
        for (int c = 0; c < MG_SHARD_CLASSES; c++)
            count[c] += mg_reader_item(reader, i)->classes >> c & 1;
    for (int c = 0; c < mg_reader_classes(reader); c++)
        mg_json_put_int(classes, mg_reader_class_name(reader, c + 1), count[c]);
    return classes;
}

static void copy_facts(mg_json *facts, const mg_json *from, const char *const *keys)
{
    for (; *keys; keys++)
        if (mg_json_get(from, *keys))
            mg_json_put(facts, *keys, mg_json_copy(mg_json_get(from, *keys)));
}

static mg_status describe_set(const char *path, const settings *cfg, mg_json *facts)
{
    static const char *const head[] = {"dataset",  "program", "content", "found",   "items",
                                       "labelled", "splits",  "bytes",   "options", NULL};
    static const char *const lists[] = {"shards",  "skipped",      "duplicates",
                                        "against", "scan_skipped", NULL};
    mg_index *index = NULL;
    mg_reader *reader = NULL;
    int64_t items = 0;

    mg_status st = cfg->verify ? mg_shard_verify(path, &items) : MG_OK; // names every fault
    if (!st) st = mg_index_read(path, &index);
    if (!st) st = mg_reader_open(&path, 1, "all", &reader);
    if (st) goto done;
    mg_json_put_text(facts, "kind", "shard set");
    copy_facts(facts, index->json, head);
    mg_json_put(facts, "stored", sizes_json(reader));
    if (mg_reader_classes(reader)) mg_json_put(facts, "items_with", classes_json(reader));
    for (int i = 0; lists[i]; i++)
        mg_json_put_int(facts, lists[i], (int64_t)mg_json_size(mg_json_get(index->json, lists[i])));
    if (cfg->verify) mg_json_put_int(facts, "verified", items);

done:
    mg_reader_close(&reader);
    mg_index_free(&index);
    return st;
}

static mg_status hash_set(const char *path)
{
    mg_index *index = NULL;

    MG_TRY(mg_index_read(path, &index));
    printf("content %s\n", index->content);
    mg_index_free(&index);
    return MG_OK;
}

static mg_status describe_shard(const char *path, const settings *cfg, mg_json *facts)
{
    mg_shard_file *file = NULL;
    int64_t items = 0;

    MG_TRY(mg_shard_file_open(path, &file));
    mg_json *arrays = mg_json_object();
    for (int32_t a = 0; a < file->arrays; a++)
        mg_json_put_int(arrays, file->table.array[a].name, file->slices[a].rows);
    mg_json_put_text(facts, "kind", "shard");
    mg_json_put_text(facts, "dataset", file->head.dataset);
    mg_json_put_int(facts, "number", file->head.number);
    mg_json_put_int(facts, "first", file->head.first);
    mg_json_put_int(facts, "last", file->head.last);
    mg_json_put_int(facts, "items", file->table.rows);
    mg_json_put_int(facts, "left_out", file->table.skips);
    mg_json_put_int(facts, "bytes", mg_path_size(path));
    mg_json_put_text(facts, "table", file->head.table);
    mg_json_put(facts, "rows_of", arrays);
    mg_shard_file_close(&file);
    if (!cfg->verify) return MG_OK;
    MG_TRY(mg_shard_verify(path, &items));
    mg_json_put_int(facts, "verified", items);
    return MG_OK;
}

// --- checkpoints and runs ---------------------------------------------------------------------------

static int64_t values_of(const mg_ckpt_array *a)
{
    int64_t n = 1;
    for (int d = 0; d < a->ndim; d++) n *= a->dim[d];
    return n;
}

static bool is_parameter(const mg_ckpt_array *a)
{
    return !strncmp(a->name, "params/", 7);
}

static mg_json *array_json(const mg_ckpt_array *a)
{
    mg_json *dim = mg_json_array();
    for (int d = 0; d < a->ndim; d++) mg_json_append_int(dim, a->dim[d]);
    return dim;
}

// Facts of a checkpoint that fit on a line; longer ones (a configuration) by their length.
static void put_ckpt_facts(mg_json *facts, const mg_ckpt *list)
{
    mg_json *own = mg_json_object();

    for (int i = 0; i < list->facts; i++) {
        const char *value = list->fact[i].value;
        if (strchr(value, '\n') || strlen(value) > 100)
            mg_json_put_int(own, list->fact[i].key, (int64_t)strlen(value));
        else
            mg_json_put_text(own, list->fact[i].key, value);
    }
    mg_json_put(facts, "facts", own);
}

static mg_status describe_checkpoint(const char *path, const settings *cfg, mg_json *facts)
{
    mg_ckpt list;
    mg_ckpt none = {0};
    mg_ckpt_fact *read = NULL;
    int64_t parameters = 0, tensors = 0, others = 0;
    int count = 0;
    mg_status st = MG_OK;

    MG_TRY(mg_ckpt_list(path, &list));
    for (int i = 0; i < list.arrays; i++) {
        const mg_ckpt_array *a = &list.array[i];
        tensors += is_parameter(a);
        *(is_parameter(a) ? &parameters : &others) += values_of(a);
    }
    mg_json_put_text(facts, "kind", "checkpoint");
    mg_json_put_text(facts, "file", mg_path_base(path));
    mg_json_put_int(facts, "bytes", mg_path_size(path));
    mg_json_put_int(facts, "tensors", tensors);
    mg_json_put_int(facts, "parameters", parameters);
    mg_json_put_int(facts, "other_values", others);
    put_ckpt_facts(facts, &list);
    if (cfg->arrays) {
        mg_json *arrays = mg_json_object();
        for (int i = 0; i < list.arrays; i++)
            mg_json_put(arrays, list.array[i].name, array_json(&list.array[i]));
        mg_json_put(facts, "arrays", arrays);
    }
    if (cfg->verify) st = mg_ckpt_read(path, &none, &read, &count);
    if (cfg->verify && !st) mg_json_put_int(facts, "verified", list.arrays);
    mg_ckpt_facts_free(&read, count);
    mg_ckpt_list_free(&list);
    return st;
}

// XXH3-64 of all parameters as little-endian float32 in the order of the table.
static mg_status hash_checkpoint(const char *path)
{
    mg_status st = MG_OK;
    mg_ckpt list;
    mg_ckpt_fact *facts = NULL;
    size_t size = 0, at = 0;
    int count = 0, kept = 0;

    MG_TRY(mg_ckpt_list(path, &list));
    mg_ckpt want = {.array = mg_calloc((size_t)list.arrays + 1, sizeof *want.array)};
    for (int i = 0; i < list.arrays; i++)
        if (is_parameter(&list.array[i])) size += (size_t)values_of(&list.array[i]);
    float *values = mg_alloc((size + 1) * sizeof *values);
    if (!want.array || !values) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu parameters", size);
        goto done;
    }
    for (int i = 0; i < list.arrays; i++) {
        if (!is_parameter(&list.array[i])) continue;
        want.array[kept] = list.array[i];
        want.array[kept++].data = values + at;
        at += (size_t)values_of(&list.array[i]);
    }
    want.arrays = kept;
    st = mg_ckpt_read(path, &want, &facts, &count);
    if (!st) printf("params_xxh3 %016" PRIx64 "\n", mg_hash64(values, size * sizeof *values));

done:
    mg_ckpt_facts_free(&facts, count);
    mg_ckpt_list_free(&list);
    mg_free(want.array);
    mg_free(values);
    return st;
}

// --- what is it -------------------------------------------------------------------------------------

static bool is_shard(const char *path)
{
    mg_h5 *file = NULL;
    char *format = NULL;
    bool shard = false;

    if (!mg_h5_open(path, &file) && mg_h5_has_attr(file, "/", "format") &&
        !mg_h5_attr_text(file, "/", "format", &format))
        shard = !strcmp(format, "medgraft shard");
    mg_free(format);
    if (file) mg_h5_close(&file);
    mg_err_clear();
    return shard;
}

static bool has(const char *dir, const char *name)
{
    char *path = mg_path_join(dir, name);
    bool there = path && (mg_path_is_file(path) || mg_path_is_dir(path));
    mg_free(path);
    return there;
}

// The newest complete checkpoint of a folder of checkpoints.
static mg_status newest(const char *dir, char **path)
{
    MG_TRY(mg_ckpt_newest(dir, path));
    MG_CHECK(*path, MG_ERR_FORMAT, "'%s' holds no shard set and no complete checkpoint", dir);
    return MG_OK;
}

// A run folder or its folder of checkpoints: *path is the checkpoint to look at.
static mg_status find_checkpoint(const char *given, char **path)
{
    char *dir;

    *path = NULL;
    if (!mg_path_is_dir(given)) {
        *path = mg_strdup(given);
        MG_CHECK(*path, MG_ERR_MEMORY, "cannot allocate a path");
        return MG_OK;
    }
    if (!has(given, "checkpoints")) return newest(given, path);
    dir = mg_path_join(given, "checkpoints");
    MG_CHECK(dir, MG_ERR_MEMORY, "cannot allocate a path");
    mg_status st = newest(dir, path);
    mg_free(dir);
    return st;
}

static mg_status inspect_checkpoint(const char *given, const settings *cfg, mg_json *facts)
{
    char *path = NULL;

    MG_TRY(find_checkpoint(given, &path));
    mg_status st = cfg->hash ? hash_checkpoint(path) : describe_checkpoint(path, cfg, facts);
    mg_free(path);
    return st;
}

static mg_status hash_weights(const char *path)
{
    uint64_t hash;

    MG_TRY(mg_weights_hash(path, &hash));
    printf("params_xxh3 %016" PRIx64 "\n", hash);
    return MG_OK;
}

static mg_status inspect(const char *path, const settings *cfg, mg_json *facts)
{
    bool folder = mg_path_is_dir(path);

    MG_CHECK(folder || mg_path_is_file(path), MG_ERR_IO, "no such file or folder: '%s'", path);
    if (mg_is_weight_file(path))
        return cfg->hash ? hash_weights(path)
                         : mg_weights_facts(path, cfg->verify, cfg->arrays, facts);
    if (folder ? has(path, "index.json") : mg_path_has_ext(path, ".json"))
        return cfg->hash ? hash_set(path) : describe_set(path, cfg, facts);
    if (!folder && is_shard(path)) return describe_shard(path, cfg, facts);
    return inspect_checkpoint(path, cfg, facts);
}

mg_status mg_cmd_inspect(const mg_args *args)
{
    settings cfg;
    mg_option_group group = {options, &cfg};

    MG_CHECK(args->argc == 1, MG_ERR_CONFIG, "inspect takes one path, not %d", args->argc);
    MG_TRY(mg_args_load(args, &group, 1));
    mg_json *facts = mg_json_object();
    MG_CHECK(facts, MG_ERR_MEMORY, "cannot allocate the facts");
    mg_status st = inspect(args->argv[0], &cfg, facts);
    if (!st && mg_json_size(facts)) st = print_result(&cfg, facts);
    mg_json_free(&facts);
    mg_config_free(&group, 1);
    return st;
}
