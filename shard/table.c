// Columns of a shard's item table: one list of them makes writing, reading and hashing.
#include "shard/table.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"

typedef struct {
    const char *name;
    mg_dtype type;
    int width; // values per item
    size_t at;
} column;

// clang-format off
static const column columns[] = {
    {"items/number",         MG_I64, 1,                offsetof(mg_row, number)},
    {"items/hash",           MG_U64, 2,                offsetof(mg_row, hash)},
    {"items/packed",         MG_U64, 1,                offsetof(mg_row, packed)},
    {"items/image",          MG_I32, 1,                offsetof(mg_row, image.array)},
    {"items/image_row",      MG_I64, 1,                offsetof(mg_row, image.row)},
    {"items/label",          MG_I32, 1,                offsetof(mg_row, label.array)},
    {"items/label_row",      MG_I64, 1,                offsetof(mg_row, label.row)},
    {"items/full_label",     MG_I32, 1,                offsetof(mg_row, full_label.array)},
    {"items/full_label_row", MG_I64, 1,                offsetof(mg_row, full_label.row)},
    {"items/depth",          MG_I32, 1,                offsetof(mg_row, depth)},
    {"items/full_size",      MG_I32, 3,                offsetof(mg_row, full_size)},
    {"items/fold",           MG_I32, 1,                offsetof(mg_row, fold)},
    {"items/spacing",        MG_F64, 3,                offsetof(mg_row, spacing)},
    {"items/classes",        MG_U16, 1,                offsetof(mg_row, classes)},
    {"items/unknown",        MG_U16, 1,                offsetof(mg_row, unknown)},
    {"items/area",           MG_I64, MG_SHARD_CLASSES, offsetof(mg_row, area)},
};
static const column volume_columns[] = {
    {"volumes/item",         MG_I64, 1,  offsetof(mg_volume_row, item)},
    {"volumes/affine",       MG_F64, 12, offsetof(mg_volume_row, affine)},
    {"volumes/file_affine",  MG_F64, 12, offsetof(mg_volume_row, file_affine)},
    {"volumes/full_spacing", MG_F64, 3,  offsetof(mg_volume_row, full_spacing)},
    {"volumes/grid",         MG_F64, 6,  offsetof(mg_volume_row, grid)},
    {"volumes/range",        MG_F64, 2 * MG_SHARD_CONTRASTS, offsetof(mg_volume_row, range)},
    {"volumes/input",        MG_I32, 3,  offsetof(mg_volume_row, input)},
};
static const column skip_columns[] = {
    {"skipped/number", MG_I64, 1, offsetof(mg_skip, number)},
    {"skipped/kind",   MG_I32, 1, offsetof(mg_skip, kind)},
};
// clang-format on
enum {
    COLUMNS = sizeof columns / sizeof *columns,
    VOLUME_COLUMNS = sizeof volume_columns / sizeof *volume_columns,
    SKIP_COLUMNS = sizeof skip_columns / sizeof *skip_columns
};

static const char *const text_columns[MG_ITEM_TEXTS] = {
    "items/name",     "items/patient", "items/split",   "items/modality",
    "items/category", "items/note",    "items/decoder",
};

_Static_assert(sizeof(mg_hash128) == 16, "the column 'items/hash' takes both halves at once");

// --- growing ----------------------------------------------------------------------------------------

// Make room for one more of `size` bytes; *base may move.
static mg_status grow(void *base, int64_t count, int64_t *room, size_t size)
{
    void *old;

    if (count < *room) return MG_OK;
    memcpy(&old, base, sizeof old);
    void *now = mg_realloc(old, (size_t)(2 * count + 16) * size);
    MG_CHECK(now, MG_ERR_MEMORY, "cannot allocate a table of %lld entries",
             (long long)(2 * count + 16));
    memcpy(base, &now, sizeof now);
    *room = 2 * count + 16;
    return MG_OK;
}

mg_status mg_pool_add(mg_pool *pool, const char *text)
{
    size_t bytes = strlen(text ? text : "") + 1;

    if (pool->used + bytes > pool->room) {
        size_t room = 2 * (pool->used + bytes) + 64;
        char *now = mg_realloc(pool->bytes, room);
        MG_CHECK(now, MG_ERR_MEMORY, "cannot allocate %zu bytes of texts", room);
        pool->bytes = now;
        pool->room = room;
    }
    memcpy(pool->bytes + pool->used, text ? text : "", bytes);
    pool->used += bytes;
    pool->count++;
    return MG_OK;
}

void mg_pool_free(mg_pool *pool)
{
    mg_free(pool->bytes);
    *pool = (mg_pool){0};
}

void mg_table_free(mg_table *table)
{
    for (int k = 0; k < MG_ITEM_TEXTS; k++) mg_pool_free(&table->text[k]);
    for (int32_t a = 0; a < table->arrays; a++) {
        mg_free(table->array[a].name);
        mg_free(table->array[a].checksum);
    }
    mg_pool_free(&table->orientation);
    mg_pool_free(&table->contrasts);
    mg_pool_free(&table->skip_name);
    mg_pool_free(&table->skip_reason);
    mg_free(table->volume);
    mg_free(table->row);
    mg_free(table->array);
    mg_free(table->skip);
    *table = (mg_table){0};
}

mg_status mg_table_add(mg_table *table, const mg_row *row, const char *const *text)
{
    MG_TRY(grow(&table->row, table->rows, &table->room, sizeof *table->row));
    for (int k = 0; k < MG_ITEM_TEXTS; k++) MG_TRY(mg_pool_add(&table->text[k], text[k]));
    table->row[table->rows++] = *row;
    return MG_OK;
}

mg_status mg_table_add_volume(mg_table *table, mg_volume_row *volume, const char *orientation,
                              const char *contrasts)
{
    MG_TRY(grow(&table->volume, table->volumes, &table->volume_room, sizeof *table->volume));
    MG_TRY(mg_pool_add(&table->orientation, orientation));
    MG_TRY(mg_pool_add(&table->contrasts, contrasts));
    volume->item = table->rows - 1;
    table->volume[table->volumes++] = *volume;
    return MG_OK;
}

mg_status mg_table_skip(mg_table *table, int64_t number, int kind, const char *name,
                        const char *reason)
{
    MG_TRY(grow(&table->skip, table->skips, &table->skip_room, sizeof *table->skip));
    MG_TRY(mg_pool_add(&table->skip_name, name));
    MG_TRY(mg_pool_add(&table->skip_reason, reason));
    table->skip[table->skips++] = (mg_skip){number, kind};
    return MG_OK;
}

mg_status mg_table_array(mg_table *table, const char *name, int32_t *array, bool *is_new)
{
    int64_t room = table->array_room;

    *is_new = false;
    for (*array = 0; *array < table->arrays; ++*array)
        if (!strcmp(table->array[*array].name, name)) return MG_OK;
    MG_TRY(grow(&table->array, table->arrays, &room, sizeof *table->array));
    table->array_room = (int32_t)room;
    char *copy = mg_strdup(name);
    MG_CHECK(copy, MG_ERR_MEMORY, "cannot allocate the name of an array");
    table->array[table->arrays++] = (mg_chunk_array){.name = copy};
    *is_new = true;
    return MG_OK;
}

mg_status mg_table_chunk(mg_table *table, int32_t array, uint64_t checksum)
{
    mg_chunk_array *a = &table->array[array];
    MG_TRY(grow(&a->checksum, a->rows, &a->room, sizeof *a->checksum));
    a->checksum[a->rows++] = checksum;
    return MG_OK;
}

// --- columns ----------------------------------------------------------------------------------------

// A column between rows of `stride` bytes and an array without gaps.
static void gather(char *flat, const char *rows, int64_t n, size_t stride, const column *c)
{
    size_t size = mg_dtype_size(c->type) * (size_t)c->width;
    for (int64_t i = 0; i < n; i++) memcpy(flat + i * size, rows + i * stride + c->at, size);
}

static void scatter(char *rows, const char *flat, int64_t n, size_t stride, const column *c)
{
    size_t size = mg_dtype_size(c->type) * (size_t)c->width;
    for (int64_t i = 0; i < n; i++) memcpy(rows + i * stride + c->at, flat + i * size, size);
}

// What to do with each column in file order: write to `file`, or add to `hash`.
typedef struct {
    mg_h5 *file;
    mg_hasher *hash;
} sink;

static mg_status put(const sink *to, const char *name, mg_dtype type, const void *data, int64_t n,
                     int width)
{
    static const char nothing[8];
    int64_t dim[2] = {n, width};

    if (!data) data = nothing;
    if (to->file) MG_TRY(mg_h5_write(to->file, name, type, data, width > 1 ? 2 : 1, dim));
    if (to->hash) {
        mg_hasher_add(to->hash, name, strlen(name) + 1);
        mg_hasher_add(to->hash, data, (size_t)n * (size_t)width * mg_dtype_size(type));
    }
    return MG_OK;
}

static mg_status put_columns(const sink *to, const column *list, int count, const void *rows,
                             int64_t n, size_t stride)
{
    mg_status st = MG_OK;
    char *flat = mg_alloc((size_t)n * stride + 1); // no column is wider than a row

    MG_CHECK(flat, MG_ERR_MEMORY, "cannot allocate a column of %lld items", (long long)n);
    for (int c = 0; c < count && !st; c++) {
        gather(flat, rows, n, stride, &list[c]);
        st = put(to, list[c].name, list[c].type, flat, n, list[c].width);
    }
    mg_free(flat);
    return st;
}

static mg_status put_texts(const sink *to, const char *name, const mg_pool *pool)
{
    return put(to, name, MG_U8, pool->bytes, (int64_t)pool->used, 1);
}

// Names and lengths of the arrays, and the checksums of all their chunks one after the other.
static mg_status put_arrays(const sink *to, const mg_table *table)
{
    mg_status st = MG_OK;
    mg_pool name = {0};
    int64_t chunks = 0, at = 0, *rows = mg_alloc((size_t)(table->arrays + 1) * sizeof *rows);
    uint64_t *sums = NULL;

    for (int32_t a = 0; a < table->arrays; a++) chunks += table->array[a].rows;
    sums = mg_alloc((size_t)(chunks + 1) * sizeof *sums);
    if (!rows || !sums) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %lld checksums", (long long)chunks);
        goto done;
    }
    for (int32_t a = 0; a < table->arrays && !st; a++) {
        const mg_chunk_array *array = &table->array[a];
        rows[a] = array->rows;
        if (array->rows) memcpy(sums + at, array->checksum, (size_t)array->rows * sizeof *sums);
        at += array->rows;
        st = mg_pool_add(&name, array->name);
    }
    if (!st) st = put_texts(to, "arrays/name", &name);
    if (!st) st = put(to, "arrays/rows", MG_I64, rows, table->arrays, 1);
    if (!st) st = put(to, "arrays/checksum", MG_U64, sums, chunks, 1);

done:
    mg_pool_free(&name);
    mg_free(rows);
    mg_free(sums);
    return st;
}

static mg_status put_table(const sink *to, const mg_table *t)
{
    MG_TRY(put_columns(to, columns, COLUMNS, t->row, t->rows, sizeof *t->row));
    for (int k = 0; k < MG_ITEM_TEXTS; k++) MG_TRY(put_texts(to, text_columns[k], &t->text[k]));
    MG_TRY(
        put_columns(to, volume_columns, VOLUME_COLUMNS, t->volume, t->volumes, sizeof *t->volume));
    MG_TRY(put_texts(to, "volumes/orientation", &t->orientation));
    MG_TRY(put_texts(to, "volumes/contrasts", &t->contrasts));
    MG_TRY(put_arrays(to, t));
    MG_TRY(put_columns(to, skip_columns, SKIP_COLUMNS, t->skip, t->skips, sizeof *t->skip));
    MG_TRY(put_texts(to, "skipped/name", &t->skip_name));
    MG_TRY(put_texts(to, "skipped/reason", &t->skip_reason));
    return MG_OK;
}

mg_status mg_table_hash(const mg_table *table, uint64_t *hash)
{
    mg_hasher *hasher = mg_hasher_new();

    MG_CHECK(hasher, MG_ERR_MEMORY, "cannot allocate a hash");
    mg_status st = put_table(&(sink){.hash = hasher}, table);
    *hash = mg_hasher_64(hasher);
    mg_hasher_free(&hasher);
    return st;
}

mg_status mg_table_write(const mg_table *table, mg_h5 *file)
{
    return put_table(&(sink){.file = file}, table);
}

// --- reading ----------------------------------------------------------------------------------------

// Length of the first axis of a column, which must have `width` values in each row.
static mg_status column_length(const mg_h5 *file, const char *name, int width, int64_t *n)
{
    mg_h5_info info;

    MG_TRY(mg_h5_describe(file, name, &info));
    bool fits = width > 1 ? info.ndim == 2 && info.dim[1] == width : info.ndim == 1;
    MG_CHECK(fits, MG_ERR_FORMAT, "column '%s' in '%s' has %d axes or a wrong width", name,
             mg_h5_path(file), info.ndim);
    *n = info.dim[0];
    return MG_OK;
}

// A column whose length must be `n`; unless n is -1: then *n gets the length.
static mg_status load(const mg_h5 *file, const char *name, mg_dtype type, int width, int64_t *n,
                      void **data)
{
    int64_t length = 0;

    MG_TRY(column_length(file, name, width, &length));
    MG_CHECK(*n < 0 || length == *n, MG_ERR_FORMAT,
             "column '%s' in '%s' has %lld entries, expected %lld", name, mg_h5_path(file),
             (long long)length, (long long)*n);
    *n = length;
    return mg_h5_load(file, name, type, data, NULL);
}

static mg_status load_columns(const mg_h5 *file, const column *list, int count, void *rows,
                              int64_t n, size_t stride)
{
    for (int c = 0; c < count; c++) {
        void *flat = NULL;
        MG_TRY(load(file, list[c].name, list[c].type, list[c].width, &n, &flat));
        scatter(rows, flat, n, stride, &list[c]);
        mg_free(flat);
    }
    return MG_OK;
}

// Exactly `n` texts.
static mg_status load_texts(const mg_h5 *file, const char *name, int64_t n, mg_pool *pool)
{
    int64_t bytes = -1, ends = 0;
    void *data = NULL;

    MG_TRY(load(file, name, MG_U8, 1, &bytes, &data));
    *pool = (mg_pool){data, (size_t)bytes, (size_t)bytes, n};
    for (int64_t i = 0; i < bytes; i++) ends += pool->bytes[i] == '\0';
    MG_CHECK(ends == n && (bytes == 0 || pool->bytes[bytes - 1] == '\0'), MG_ERR_FORMAT,
             "column '%s' in '%s' has %lld texts, expected %lld", name, mg_h5_path(file),
             (long long)ends, (long long)n);
    return MG_OK;
}

static mg_status split_arrays(mg_table *t, const mg_h5 *file, const mg_pool *name,
                              const int64_t *rows, const uint64_t *sums, int64_t chunks)
{
    const char *text = name->bytes;
    int64_t at = 0;

    for (int64_t a = 0; a < name->count; a++, text += strlen(text) + 1) {
        bool is_new;
        int32_t number;
        MG_TRY(mg_table_array(t, text, &number, &is_new));
        MG_CHECK(is_new && rows[a] >= 0 && rows[a] <= chunks - at, MG_ERR_FORMAT,
                 "table of arrays in '%s' is not valid at '%s'", mg_h5_path(file), text);
        mg_chunk_array *array = &t->array[number];
        array->checksum = mg_alloc((size_t)(rows[a] + 1) * sizeof *sums);
        MG_CHECK(array->checksum, MG_ERR_MEMORY, "cannot allocate %lld checksums",
                 (long long)rows[a]);
        memcpy(array->checksum, sums + at, (size_t)rows[a] * sizeof *sums);
        array->rows = array->room = rows[a];
        at += rows[a];
    }
    MG_CHECK(at == chunks, MG_ERR_FORMAT, "'%s' has %lld checksums for %lld chunks",
             mg_h5_path(file), (long long)chunks, (long long)at);
    return MG_OK;
}

static mg_status load_arrays(mg_table *t, const mg_h5 *file)
{
    mg_status st = MG_OK;
    int64_t arrays = -1, chunks = -1;
    mg_pool name = {0};
    void *rows = NULL, *sums = NULL;

    st = load(file, "arrays/rows", MG_I64, 1, &arrays, &rows);
    if (!st) st = load_texts(file, "arrays/name", arrays, &name);
    if (!st) st = load(file, "arrays/checksum", MG_U64, 1, &chunks, &sums);
    if (!st) st = split_arrays(t, file, &name, rows, sums, chunks);
    mg_pool_free(&name);
    mg_free(rows);
    mg_free(sums);
    return st;
}

// Volumes name their items in rising order.
static mg_status check_volumes(const mg_table *t, const mg_h5 *file)
{
    for (int64_t i = 0; i < t->volumes; i++) {
        const mg_volume_row *v = &t->volume[i];
        bool fits = v->item > (i > 0 ? t->volume[i - 1].item : -1) && v->item < t->rows;
        MG_CHECK(fits, MG_ERR_FORMAT, "volume %lld of '%s' is none of its items", (long long)i,
                 mg_h5_path(file));
        for (int a = 0; a < 3; a++)
            MG_CHECK(isfinite(v->grid[a][0]) && isfinite(v->grid[a][1]) && v->grid[a][1] > 0,
                     MG_ERR_FORMAT, "volume %lld of '%s' has cells %g apart", (long long)i,
                     mg_h5_path(file), v->grid[a][1]);
    }
    return MG_OK;
}

static bool place_fits(const mg_table *t, const mg_extent *p, int depth, bool needed)
{
    if (p->array < 0) return !needed;
    return p->array < t->arrays && depth > 0 && p->row >= 0 &&
           p->row <= t->array[p->array].rows - depth;
}

static mg_status check_places(const mg_table *t, const mg_h5 *file)
{
    for (int64_t i = 0; i < t->rows; i++) {
        const mg_row *r = &t->row[i];
        bool fits = place_fits(t, &r->image, r->depth, true) &&
                    place_fits(t, &r->label, r->depth, false) &&
                    place_fits(t, &r->full_label, r->full_size[0], false) && r->full_size[0] > 0 &&
                    r->full_size[1] > 0 && r->full_size[2] > 0;
        MG_CHECK(fits, MG_ERR_FORMAT, "item %lld of '%s' points outside the arrays", (long long)i,
                 mg_h5_path(file));
    }
    return MG_OK;
}

// Rows of the volumes and their texts.
static mg_status load_volumes(mg_table *t, const mg_h5 *file)
{
    int64_t n = 0;

    MG_TRY(column_length(file, volume_columns[0].name, 1, &n));
    t->volume = mg_calloc((size_t)n + 1, sizeof *t->volume);
    MG_CHECK(t->volume, MG_ERR_MEMORY, "cannot allocate a table of %lld volumes", (long long)n);
    t->volumes = t->volume_room = n;
    MG_TRY(load_columns(file, volume_columns, VOLUME_COLUMNS, t->volume, n, sizeof *t->volume));
    MG_TRY(load_texts(file, "volumes/orientation", n, &t->orientation));
    MG_TRY(load_texts(file, "volumes/contrasts", n, &t->contrasts));
    return check_volumes(t, file);
}

mg_status mg_table_read(mg_table *table, const mg_h5 *file)
{
    mg_status st = MG_OK;
    int64_t n = 0, skips = 0;

    *table = (mg_table){0};
    st = column_length(file, columns[0].name, 1, &n);
    if (!st) st = column_length(file, skip_columns[0].name, 1, &skips);
    if (st) return mg_err_trace(st, __FILE__, __LINE__, __func__);
    table->row = mg_calloc((size_t)n + 1, sizeof *table->row);
    table->skip = mg_calloc((size_t)skips + 1, sizeof *table->skip);
    if (!table->row || !table->skip) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a table of %lld items", (long long)n);
        goto done;
    }
    table->rows = table->room = n;
    table->skips = table->skip_room = skips;
    st = load_columns(file, columns, COLUMNS, table->row, n, sizeof *table->row);
    for (int k = 0; k < MG_ITEM_TEXTS && !st; k++)
        st = load_texts(file, text_columns[k], n, &table->text[k]);
    if (!st) st = load_volumes(table, file);
    if (!st) st = load_arrays(table, file);
    if (!st)
        st =
            load_columns(file, skip_columns, SKIP_COLUMNS, table->skip, skips, sizeof *table->skip);
    if (!st) st = load_texts(file, "skipped/name", skips, &table->skip_name);
    if (!st) st = load_texts(file, "skipped/reason", skips, &table->skip_reason);
    if (!st) st = check_places(table, file);

done:
    if (st) mg_table_free(table);
    return st;
}
