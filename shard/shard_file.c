// Opening one shard. Everything is checked against the file's size and against the table before a
// chunk is touched: a shard may come from a stranger.
#include "shard/shard_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "runtime/mem.h"

enum { MAX_SIDE = 65535 };

void mg_hash64_text(uint64_t hash, char text[17])
{
    snprintf(text, 17, "%016" PRIx64, hash);
}

// --- head -------------------------------------------------------------------------------------------

static mg_status read_hex(const mg_h5 *h5, const char *name, char text[17])
{
    char *value = NULL;

    MG_TRY(mg_h5_attr_text(h5, "/", name, &value));
    bool fits = strlen(value) == 16 && strspn(value, "0123456789abcdef") == 16;
    if (fits) memcpy(text, value, 17);
    mg_free(value);
    MG_CHECK(fits, MG_ERR_FORMAT, "attribute '%s' of '%s' is not 16 hex digits", name,
             mg_h5_path(h5));
    return MG_OK;
}

static mg_status check_kind(const mg_h5 *h5)
{
    char *format = NULL;
    int64_t version = 0;

    MG_CHECK(mg_h5_has_attr(h5, "/", "format"), MG_ERR_FORMAT, "'%s' is not a shard",
             mg_h5_path(h5));
    MG_TRY(mg_h5_attr_text(h5, "/", "format", &format));
    bool fits = !strcmp(format, "medgraft shard");
    mg_free(format);
    MG_CHECK(fits, MG_ERR_FORMAT, "'%s' is not a shard", mg_h5_path(h5));
    MG_TRY(mg_h5_attr_int(h5, "/", "version", &version));
    MG_CHECK(version == MG_SHARD_VERSION, MG_ERR_FORMAT,
             "'%s' has shard version %" PRId64 ", expected %d", mg_h5_path(h5), version,
             MG_SHARD_VERSION);
    return MG_OK;
}

static mg_status read_head(mg_shard_file *file, const mg_h5 *h5)
{
    mg_shard_head *head = &file->head;
    int64_t classes = 0;

    MG_TRY(check_kind(h5));
    MG_TRY(mg_h5_attr_text(h5, "/", "dataset", &head->dataset));
    MG_TRY(mg_h5_attr_int(h5, "/", "shard", &head->number));
    MG_TRY(mg_h5_attr_int(h5, "/", "first", &head->first));
    MG_TRY(mg_h5_attr_int(h5, "/", "last", &head->last));
    MG_TRY(read_hex(h5, "settings", head->settings));
    MG_TRY(read_hex(h5, "list", head->list));
    MG_TRY(read_hex(h5, "table", head->table));
    MG_TRY(mg_h5_load_texts(h5, "classes", &file->class_name, &classes));
    file->classes = (int)classes;
    MG_CHECK(classes <= MG_SHARD_CLASSES, MG_ERR_FORMAT,
             "'%s' has %" PRId64 " classes, more than %d", mg_h5_path(h5), classes,
             MG_SHARD_CLASSES);
    return MG_OK;
}

// --- arrays -----------------------------------------------------------------------------------------

// Images are [rows, Y, X, C], labels [rows, Y, X] of uint8 or uint16; one row is one chunk.
static mg_status describe_slices(const mg_h5 *h5, const char *name, mg_slices *s)
{
    bool image = !strncmp(name, "images/", 7);
    mg_h5_info info;

    MG_CHECK(image || !strncmp(name, "labels/", 7) || !strncmp(name, "full_labels/", 12),
             MG_ERR_FORMAT, "array '%s' in '%s' is no image and no label", name, mg_h5_path(h5));
    MG_TRY(mg_h5_describe(h5, name, &info));
    bool type = image ? info.type == MG_U8 || info.type == MG_I16 || info.type == MG_F32
                      : info.type == MG_U8 || info.type == MG_U16;
    bool shape = info.chunked && info.ndim == (image ? 4 : 3) && info.chunk[0] == 1;
    for (int i = 1; shape && i < info.ndim; i++)
        shape = info.dim[i] > 0 && info.dim[i] <= MAX_SIDE && info.chunk[i] == info.dim[i];
    MG_CHECK(type && shape, MG_ERR_FORMAT, "array '%s' in '%s' has the wrong type or shape", name,
             mg_h5_path(h5));
    s->type = info.type;
    s->rows = info.dim[0];
    s->height = (int)info.dim[1];
    s->width = (int)info.dim[2];
    s->channels = image ? (int)info.dim[3] : 1;
    s->slice_bytes =
        mg_dtype_size(s->type) * (size_t)s->height * (size_t)s->width * (size_t)s->channels;
    MG_CHECK(s->slice_bytes <= UINT32_MAX, MG_ERR_FORMAT, "slices of '%s' in '%s' are too large",
             name, mg_h5_path(h5));
    return MG_OK;
}

// Takes the checksums over from the table.
static mg_status locate_slices(const mg_h5 *h5, mg_chunk_array *array, mg_slices *s)
{
    mg_h5_chunks chunks;
    int filter;

    MG_TRY(describe_slices(h5, array->name, s));
    MG_TRY(mg_h5_chunk_table(h5, array->name, &filter, &chunks));
    bool fits = filter == MG_H5_ZSTD && chunks.count == s->rows && s->rows == array->rows;
    for (int64_t i = 0; fits && i < chunks.count; i++)
        fits = chunks.bytes[i] > 0 && chunks.bytes[i] <= mg_pack_bound(s->slice_bytes) &&
               chunks.filter_mask[i] == 0;
    if (!fits) {
        mg_h5_chunks_free(&chunks);
        return MG_FAIL(MG_ERR_FORMAT, "chunks of '%s' in '%s' are not what the table says",
                       array->name, mg_h5_path(h5));
    }
    s->address = chunks.address;
    s->bytes = chunks.bytes;
    s->checksum = array->checksum;
    array->checksum = NULL;
    mg_free(chunks.filter_mask);
    return MG_OK;
}

// Arrays and places agree: an item's label has its image's grid, its full label the original one.
static mg_status check_grids(const mg_shard_file *file)
{
    for (int64_t i = 0; i < file->table.rows; i++) {
        const mg_row *r = &file->table.row[i];
        const mg_slices *image = &file->slices[r->image.array];
        bool fits = !strncmp(file->table.array[r->image.array].name, "images/", 7);
        if (r->label.array >= 0) {
            const mg_slices *label = &file->slices[r->label.array];
            fits = fits && !strncmp(file->table.array[r->label.array].name, "labels/", 7) &&
                   label->height == image->height && label->width == image->width;
        }
        if (r->full_label.array >= 0) {
            const mg_slices *full = &file->slices[r->full_label.array];
            fits = fits && r->label.array >= 0 &&
                   !strncmp(file->table.array[r->full_label.array].name, "full_labels/", 12) &&
                   full->type == file->slices[r->label.array].type &&
                   full->height == r->full_size[1] && full->width == r->full_size[2];
        }
        MG_CHECK(fits, MG_ERR_FORMAT, "item %" PRId64 " of '%s' has a label of another grid", i,
                 file->path);
    }
    return MG_OK;
}

static mg_status check_table(const mg_shard_file *file)
{
    uint64_t hash;
    char text[17];

    MG_TRY(mg_table_hash(&file->table, &hash));
    mg_hash64_text(hash, text);
    MG_CHECK(!strcmp(text, file->head.table), MG_ERR_FORMAT,
             "item table of '%s' is damaged: hash %s, expected %s", file->path, text,
             file->head.table);
    return MG_OK;
}

static mg_status read_everything(mg_shard_file *file, const mg_h5 *h5)
{
    MG_TRY(read_head(file, h5));
    MG_TRY(mg_table_read(&file->table, h5));
    MG_TRY(check_table(file));
    file->slices = mg_calloc((size_t)file->table.arrays + 1, sizeof *file->slices);
    MG_CHECK(file->slices, MG_ERR_MEMORY, "cannot allocate the arrays of '%s'", file->path);
    file->arrays = file->table.arrays;
    for (int32_t a = 0; a < file->table.arrays; a++)
        MG_TRY(locate_slices(h5, &file->table.array[a], &file->slices[a]));
    return check_grids(file);
}

mg_status mg_shard_file_open(const char *path, mg_shard_file **out)
{
    mg_status st = MG_OK;
    mg_h5 *h5 = NULL;
    mg_shard_file *file = mg_calloc(1, sizeof *file);

    *out = NULL;
    MG_CHECK(file, MG_ERR_MEMORY, "cannot allocate a shard handle");
    file->fd = -1;
    file->path = mg_strdup(path);
    if (!file->path) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the name of a shard");
        goto done;
    }
    st = mg_h5_open(path, &h5);
    if (st) goto done;
    st = read_everything(file, h5);
    if (st) goto done;
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        st = MG_FAIL(MG_ERR_IO, "cannot open shard '%s': %s", path, strerror(errno));
        goto done;
    }
    *out = file;

done:
    if (h5) {
        mg_status closed = mg_h5_close(&h5);
        if (!st) st = closed;
    }
    if (st) mg_shard_file_close(&file);
    if (st) *out = NULL;
    return st;
}

void mg_shard_file_forget(mg_shard_file *file)
{
    mg_table_free(&file->table);
}

void mg_shard_file_close(mg_shard_file **file)
{
    mg_shard_file *f = *file;

    if (!f) return;
    for (int32_t a = 0; a < f->arrays; a++) {
        mg_free(f->slices[a].address);
        mg_free(f->slices[a].bytes);
        mg_free(f->slices[a].checksum);
    }
    for (int c = 0; f->class_name && c < f->classes; c++) mg_free(f->class_name[c]);
    if (f->fd >= 0) close(f->fd);
    mg_table_free(&f->table);
    mg_free(f->class_name);
    mg_free(f->slices);
    mg_free(f->head.dataset);
    mg_free(f->path);
    mg_free(f);
    *file = NULL;
}

// --- chunks -----------------------------------------------------------------------------------------

void mg_chunk_scratch_free(mg_chunk_scratch *scratch)
{
    mg_unpacker_destroy(&scratch->unpacker);
    mg_free(scratch->stored);
    *scratch = (mg_chunk_scratch){0};
}

static mg_status scratch_room(mg_chunk_scratch *scratch, size_t bytes)
{
    if (!scratch->unpacker) MG_TRY(mg_unpacker_create(&scratch->unpacker));
    if (scratch->room >= bytes) return MG_OK;
    mg_free(scratch->stored);
    scratch->room = 0;
    scratch->stored = mg_alloc(bytes + bytes / 4);
    MG_CHECK(scratch->stored, MG_ERR_MEMORY, "cannot allocate %zu bytes for a chunk", bytes);
    scratch->room = bytes + bytes / 4;
    return MG_OK;
}

// All of [at, at + bytes) of the file.
static mg_status read_at(const mg_shard_file *file, uint64_t at, size_t bytes, char *out)
{
    while (bytes > 0) {
        ssize_t n = pread(file->fd, out, bytes, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        MG_CHECK(n >= 0, MG_ERR_IO, "cannot read '%s': %s", file->path, strerror(errno));
        MG_CHECK(n > 0, MG_ERR_FORMAT, "'%s' ends inside a chunk", file->path);
        out += n;
        at += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return MG_OK;
}

mg_status mg_shard_file_slice(const mg_shard_file *file, int32_t array, int64_t row,
                              mg_chunk_scratch *scratch, void *out)
{
    const mg_slices *s = &file->slices[array];
    size_t bytes = s->bytes[row];

    MG_TRY(scratch_room(scratch, bytes));
    MG_TRY(read_at(file, s->address[row], bytes, scratch->stored));
    uint64_t found = mg_hash64(scratch->stored, bytes);
    MG_CHECK(found == s->checksum[row], MG_ERR_FORMAT,
             "'%s' is damaged: the chunk at byte %" PRIu64 " has checksum %016" PRIx64
             ", expected %016" PRIx64,
             file->path, s->address[row], found, s->checksum[row]);
    return mg_unpack(scratch->unpacker, out, s->slice_bytes, scratch->stored, bytes);
}
