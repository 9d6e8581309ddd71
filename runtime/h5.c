// HDF5 files: opening, finding objects, listings. Values of arrays are in h5_array.c, attributes in
// h5_attr.c, raw chunks in h5_chunk.c.
// What is read may come from a stranger: links are followed by hand, storage outside the file is
// refused, and the memory an array claims is held against the size of the file.
#include "runtime/h5_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/mem.h"

// A compressed array may claim this many times the bytes of its file (deflate reaches 1032).
enum { MAX_EXPANSION = 2000, REASON_BYTES = 256 };
static const double MAX_ARRAY_BYTES = 64.0 * (1 << 30);

// --- number types -----------------------------------------------------------------------------------

size_t mg_dtype_size(mg_dtype type)
{
    static const unsigned char size[] = {1, 2, 2, 4, 4, 8, 8, 4, 8};
    return size[type];
}

const char *mg_dtype_name(mg_dtype type)
{
    static const char *const name[] = {"uint8", "int16",  "uint16",  "int32",  "uint32",
                                       "int64", "uint64", "float32", "float64"};
    return name[type];
}

hid_t h5_native_type(mg_dtype type)
{
    switch (type) {
    case MG_U8:
        return H5T_NATIVE_UINT8;
    case MG_I16:
        return H5T_NATIVE_INT16;
    case MG_U16:
        return H5T_NATIVE_UINT16;
    case MG_I32:
        return H5T_NATIVE_INT32;
    case MG_U32:
        return H5T_NATIVE_UINT32;
    case MG_I64:
        return H5T_NATIVE_INT64;
    case MG_U64:
        return H5T_NATIVE_UINT64;
    case MG_F32:
        return H5T_NATIVE_FLOAT;
    case MG_F64:
        return H5T_NATIVE_DOUBLE;
    }
    return H5I_INVALID_HID;
}

bool h5_number_type(hid_t type, mg_dtype *out)
{
    size_t size = H5Tget_size(type);

    if (H5Tget_class(type) == H5T_FLOAT) {
        *out = size <= 4 ? MG_F32 : MG_F64;
        return size <= 8;
    }
    if (H5Tget_class(type) == H5T_ENUM) { // h5py's bool
        hid_t base = H5Tget_super(type);
        bool ok = base >= 0 && H5Tget_class(base) == H5T_INTEGER && h5_number_type(base, out);
        if (base >= 0) H5Tclose(base);
        return ok;
    }
    if (H5Tget_class(type) != H5T_INTEGER) return false;
    bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
    if (size == 1) *out = is_signed ? MG_I16 : MG_U8; // there is no int8: it fits int16
    if (size == 2) *out = is_signed ? MG_I16 : MG_U16;
    if (size == 4) *out = is_signed ? MG_I32 : MG_U32;
    if (size == 8) *out = is_signed ? MG_I64 : MG_U64;
    return size == 1 || size == 2 || size == 4 || size == 8;
}

// --- failures ---------------------------------------------------------------------------------------

// Keep the description of the innermost error.
static herr_t note_reason(unsigned n, const H5E_error2_t *error, void *reason)
{
    if (n == 0 && error->desc) snprintf(reason, REASON_BYTES, "%s", error->desc);
    return 0;
}

mg_status h5_fail(const mg_h5 *file, const char *doing, const char *name)
{
    char reason[REASON_BYTES] = "unknown reason";
    mg_status code = file->writing || file->io->error ? MG_ERR_IO : MG_ERR_FORMAT;

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, note_reason, reason);
    H5Eclear2(H5E_DEFAULT);
    if (file->io->error) snprintf(reason, sizeof reason, "%s", strerror(file->io->error));
    if (!file->writing) file->io->error = 0;
    if (!*name) return MG_FAIL(code, "cannot %s '%s': %s", doing, file->path, reason);
    return MG_FAIL(code, "cannot %s '%s' in '%s': %s", doing, name, file->path, reason);
}

// --- files ------------------------------------------------------------------------------------------

void h5_prepare(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
    h5_know_zstd();
}

// Chunk indexes of format 1.10 are found in constant time. No file locks: the driver has none, since
// they fail on some network folders.
static hid_t access_list(h5_io *io)
{
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(list, H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
    H5Pset_driver(list, h5_driver(), &io);
    return list;
}

static mg_status open_descriptor(mg_h5 *file)
{
    // Without O_NONBLOCK a pipe would be waited for.
    int flags = file->writing ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY | O_NONBLOCK;
    struct stat facts;

    if (!mg_fault()) file->io->fd = open(file->path, flags | O_CLOEXEC, 0666);
    MG_CHECK(file->io->fd >= 0, MG_ERR_IO, "cannot %s '%s': %s", file->writing ? "create" : "open",
             file->path, strerror(errno));
    MG_CHECK(!fstat(file->io->fd, &facts), MG_ERR_IO, "cannot open '%s': %s", file->path,
             strerror(errno));
    MG_CHECK(S_ISREG(facts.st_mode), MG_ERR_IO, "'%s' is not a file", file->path);
    file->bytes = facts.st_size;
    return MG_OK;
}

static mg_status file_alloc(const char *path, bool writing, mg_h5 **out)
{
    mg_h5 *file = mg_calloc(1, sizeof *file);

    *out = file;
    if (file) {
        file->id = file->open_array = H5I_INVALID_HID;
        file->writing = writing;
        file->path = mg_strdup(path);
        file->io = mg_calloc(1, sizeof *file->io);
        if (file->io) file->io->fd = -1;
    }
    MG_CHECK(file && file->path && file->io, MG_ERR_MEMORY, "cannot allocate a handle for '%s'",
             path);
    return MG_OK;
}

// Close whatever is open, without a word.
static void release(mg_h5 **file)
{
    mg_h5 *f = *file;

    if (!f) return;
    if (f->open_array >= 0) H5Dclose(f->open_array);
    if (f->id >= 0) H5Fclose(f->id);
    H5Eclear2(H5E_DEFAULT);
    mg_free(f->open_name);
    mg_free(f->path);
    mg_free(f->io);
    mg_free(f);
    *file = NULL;
}

static mg_status open_file(const char *path, bool writing, mg_h5 **out)
{
    mg_h5 *file;

    *out = NULL;
    h5_prepare();
    mg_status st = file_alloc(path, writing, &file);
    if (!st) st = open_descriptor(file);
    if (st) goto done;
    hid_t access = access_list(file->io), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(creation, false); // the same contents give the same bytes
    file->id = writing ? H5Fcreate(path, H5F_ACC_TRUNC, creation, access)
                       : H5Fopen(path, H5F_ACC_RDONLY, access);
    if (file->id < 0) st = h5_fail(file, writing ? "create" : "open", "");
    H5Pclose(creation);
    H5Pclose(access);

done:
    if (file && file->io && file->io->fd >= 0) close(file->io->fd);
    if (st) {
        release(&file);
        return st;
    }
    *out = file;
    return MG_OK;
}

mg_status mg_h5_open(const char *path, mg_h5 **file)
{
    return open_file(path, false, file);
}

mg_status mg_h5_create(const char *path, mg_h5 **file)
{
    return open_file(path, true, file);
}

mg_status mg_h5_close(mg_h5 **file)
{
    mg_h5 *f = *file;
    mg_status st = MG_OK;

    if (!f) return MG_OK;
    if (f->open_array >= 0 && H5Dclose(f->open_array) < 0) st = h5_fail(f, "write", f->open_name);
    f->open_array = H5I_INVALID_HID;
    if (H5Fclose(f->id) < 0 && !st) st = h5_fail(f, "close", "");
    f->id = H5I_INVALID_HID;
    if (f->writing && f->io->error && !st) st = h5_fail(f, "write", "");
    release(file);
    return st;
}

const char *mg_h5_version(void)
{
    return H5_VERS_INFO;
}

const char *mg_h5_path(const mg_h5 *file)
{
    return file->path;
}

// --- objects ----------------------------------------------------------------------------------------

enum link { LINK_HARD, LINK_NONE, LINK_AWAY };

// Follow `name` link by link. A component may lead elsewhere; then *away is its length in `name`.
static enum link follow(const mg_h5 *file, const char *name, int *away)
{
    char path[1024];
    size_t n = strlen(name);

    if (n >= sizeof path) return LINK_NONE;
    for (size_t i = 0; i < n; i++) {
        if (name[i] == '/' || (name[i + 1] && name[i + 1] != '/')) continue;
        H5L_info_t link;
        memcpy(path, name, i + 1);
        path[i + 1] = '\0';
        if (H5Lexists(file->id, path, H5P_DEFAULT) <= 0 ||
            H5Lget_info(file->id, path, &link, H5P_DEFAULT) < 0) {
            H5Eclear2(H5E_DEFAULT);
            return LINK_NONE;
        }
        *away = (int)(i + 1);
        if (link.type != H5L_TYPE_HARD) return LINK_AWAY;
    }
    return LINK_HARD;
}

mg_status h5_open_object(const mg_h5 *file, const char *name, hid_t *object)
{
    int away = 0;

    switch (follow(file, name, &away)) {
    case LINK_NONE:
        return MG_FAIL(MG_ERR_FORMAT, "'%s' has no '%s'", file->path, name);
    case LINK_AWAY:
        return MG_FAIL(MG_ERR_FORMAT, "'%.*s' in '%s' is a link, expected an object of the file",
                       away, name, file->path);
    case LINK_HARD:
        break;
    }
    *object = H5Oopen(file->id, name[strspn(name, "/")] ? name : "/", H5P_DEFAULT);
    if (*object < 0) return h5_fail(file, "open", name);
    return MG_OK;
}

bool mg_h5_has(const mg_h5 *file, const char *name)
{
    int away;
    return follow(file, name, &away) == LINK_HARD;
}

// Refuse storage outside the file and filters we do not know.
static mg_status check_storage(const mg_h5 *file, const char *name, hid_t plist, int *filter)
{
    H5D_layout_t layout = H5Pget_layout(plist);
    int filters = layout == H5D_CHUNKED ? H5Pget_nfilters(plist) : 0;

    MG_CHECK(layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED,
             MG_ERR_FORMAT, "'%s' in '%s' is a virtual array, expected data in the file", name,
             file->path);
    MG_CHECK(H5Pget_external_count(plist) == 0, MG_ERR_FORMAT,
             "'%s' in '%s' keeps its data in another file, expected data in the file", name,
             file->path);
    *filter = 0;
    for (int i = 0; i < filters; i++) {
        unsigned flags = 0, config = 0;
        size_t values = 0;
        char label[32] = "";
        H5Z_filter_t id =
            H5Pget_filter2(plist, (unsigned)i, &flags, &values, NULL, sizeof label, label, &config);
        MG_CHECK(id == H5Z_FILTER_DEFLATE || id == H5Z_FILTER_SHUFFLE ||
                     id == H5Z_FILTER_FLETCHER32 || id == MG_H5_ZSTD,
                 MG_ERR_FORMAT,
                 "'%s' in '%s' uses filter %d, expected deflate (1), shuffle (2), fletcher32 (3) "
                 "or zstd (%d)",
                 name, file->path, (int)id, MG_H5_ZSTD);
        if (id == MG_H5_ZSTD) *filter = MG_H5_ZSTD;
    }
    return MG_OK;
}

// The memory that shape and chunks claim must be in proportion to the file.
static mg_status check_claim(const mg_h5 *file, const char *name, hid_t array, hid_t plist)
{
    hsize_t dim[H5S_MAX_RANK] = {0}, chunk[H5S_MAX_RANK] = {0};
    hid_t space = H5Dget_space(array), type = H5Dget_type(array);
    H5S_class_t kind = space >= 0 ? H5Sget_simple_extent_type(space) : H5S_NO_CLASS;
    int ndim = space >= 0 ? H5Sget_simple_extent_dims(space, dim, NULL) : -1;
    bool chunked = H5Pget_layout(plist) == H5D_CHUNKED;
    double size = type >= 0 ? (double)H5Tget_size(type) : 0, whole = size, piece = size;

    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    MG_CHECK(kind == H5S_SCALAR || kind == H5S_SIMPLE, MG_ERR_FORMAT,
             "'%s' in '%s' is empty, expected an array", name, file->path);
    MG_CHECK(ndim >= 0 && ndim <= MG_H5_MAX_DIMS && size > 0, MG_ERR_FORMAT,
             "'%s' in '%s' has %d dimensions, expected at most %d", name, file->path, ndim,
             MG_H5_MAX_DIMS);
    if (chunked && H5Pget_chunk(plist, H5S_MAX_RANK, chunk) != ndim)
        return h5_fail(file, "read the chunk size of", name);
    for (int i = 0; i < ndim; i++) {
        whole *= (double)dim[i];
        piece *= (double)chunk[i];
    }
    if (file->writing) return MG_OK;
    double most = (double)file->bytes * (chunked ? MAX_EXPANSION : 1);
    if (chunked && piece > whole) whole = piece;
    MG_CHECK(whole <= most && whole <= MAX_ARRAY_BYTES, MG_ERR_FORMAT,
             "'%s' in '%s' claims %.0f bytes, the file has only %lld", name, file->path, whole,
             (long long)file->bytes);
    return MG_OK;
}

mg_status h5_open_array(const mg_h5 *file, const char *name, hid_t *array, int *filter)
{
    hid_t object, plist;
    int seen = 0;

    MG_TRY(h5_open_object(file, name, &object));
    if (H5Iget_type(object) != H5I_DATASET) {
        H5Oclose(object);
        return MG_FAIL(MG_ERR_FORMAT, "'%s' in '%s' is a group, expected an array", name,
                       file->path);
    }
    plist = H5Dget_create_plist(object);
    mg_status st = plist < 0 ? h5_fail(file, "describe", name) : MG_OK;
    if (!st) st = check_storage(file, name, plist, &seen);
    if (!st) st = check_claim(file, name, object, plist);
    if (plist >= 0) H5Pclose(plist);
    if (st) {
        H5Oclose(object);
        return st;
    }
    if (filter) *filter = seen;
    *array = object;
    return MG_OK;
}

// --- listing ----------------------------------------------------------------------------------------

typedef struct {
    char **name;
    int count, room;
    bool full; // out of memory
} name_list;

static herr_t note_name(hid_t group, const char *name, const H5L_info_t *link, void *ctx)
{
    name_list *list = ctx;
    const char *tail = "";

    if (link->type == H5L_TYPE_HARD) {
        hid_t object = H5Oopen(group, name, H5P_DEFAULT);
        if (object < 0) return -1;
        if (H5Iget_type(object) == H5I_GROUP) tail = "/";
        H5Oclose(object);
    }
    if (list->count == list->room) {
        int room = list->room ? 2 * list->room : 32;
        char **grown = mg_realloc(list->name, (size_t)room * sizeof *grown);
        if (grown) {
            list->name = grown;
            list->room = room;
        }
    }
    char *copy = list->count < list->room ? mg_sprintf("%s%s", name, tail) : NULL;
    list->full = !copy;
    if (!copy) return -1;
    list->name[list->count++] = copy;
    return 0;
}

mg_status mg_h5_list(const mg_h5 *file, const char *group, char ***names, int *count)
{
    name_list list = {0};
    mg_status st = MG_OK;
    hid_t object;

    *names = NULL;
    *count = 0;
    MG_TRY(h5_open_object(file, group, &object));
    if (H5Iget_type(object) != H5I_GROUP)
        st =
            MG_FAIL(MG_ERR_FORMAT, "'%s' in '%s' is an array, expected a group", group, file->path);
    else if (H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, NULL, note_name, &list) < 0)
        st = list.full ? MG_FAIL(MG_ERR_MEMORY, "cannot allocate the names in '%s'", file->path)
                       : h5_fail(file, "list", group);
    if (st) {
        while (list.count > 0) mg_free(list.name[--list.count]);
        mg_free(list.name);
    } else {
        *names = list.name;
        *count = list.count;
    }
    H5Oclose(object);
    return st;
}
