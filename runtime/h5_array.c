// Arrays of numbers and texts in HDF5 files: shapes, reading with conversion, writing.
#include "runtime/h5_private.h"

#include <assert.h>
#include <string.h>

#include "runtime/mem.h"

static mg_status describe(const mg_h5 *file, const char *name, hid_t array, mg_h5_info *info)
{
    hsize_t dim[MG_H5_MAX_DIMS], chunk[MG_H5_MAX_DIMS];
    hid_t space = H5Dget_space(array), type = H5Dget_type(array);
    hid_t plist = H5Dget_create_plist(array);

    memset(info, 0, sizeof *info);
    info->ndim = H5Sget_simple_extent_dims(space, dim, NULL);
    info->chunked = H5Pget_layout(plist) == H5D_CHUNKED;
    if (info->chunked) H5Pget_chunk(plist, MG_H5_MAX_DIMS, chunk);
    info->count = 1;
    for (int i = 0; i < info->ndim; i++) {
        info->dim[i] = (int64_t)dim[i];
        info->chunk[i] = info->chunked ? (int64_t)chunk[i] : 0;
        info->count *= info->dim[i];
    }
    bool number = h5_number_type(type, &info->type);
    H5Pclose(plist);
    H5Tclose(type);
    H5Sclose(space);
    MG_CHECK(number, MG_ERR_FORMAT, "'%s' in '%s' does not hold numbers", name, file->path);
    return MG_OK;
}

mg_status mg_h5_describe(const mg_h5 *file, const char *name, mg_h5_info *info)
{
    hid_t array;

    MG_TRY(h5_open_array(file, name, &array, NULL));
    mg_status st = describe(file, name, array, info);
    H5Oclose(array);
    return st;
}

// --- reading numbers --------------------------------------------------------------------------------

// Stop a conversion that would change a value; rounding to fewer digits is allowed.
static H5T_conv_ret_t keep_values(H5T_conv_except_t what, hid_t from, hid_t to, void *old,
                                  void *value, void *changed)
{
    (void)from, (void)to, (void)old, (void)value;
    if (what == H5T_CONV_EXCEPT_PRECISION || what == H5T_CONV_EXCEPT_PINF ||
        what == H5T_CONV_EXCEPT_NINF || what == H5T_CONV_EXCEPT_NAN)
        return H5T_CONV_UNHANDLED;
    *(bool *)changed = true;
    return H5T_CONV_ABORT;
}

static mg_status read_values(const mg_h5 *file, const char *name, hid_t array,
                             const mg_h5_info *info, mg_dtype type, void *data, int64_t lo,
                             int64_t hi)
{
    bool wants_float = type == MG_F32 || type == MG_F64, changed = false;
    bool has_float = info->type == MG_F32 || info->type == MG_F64;
    hsize_t start[MG_H5_MAX_DIMS] = {0}, size[MG_H5_MAX_DIMS];
    hid_t from = H5S_ALL, to = H5S_ALL, plist;
    mg_status st = MG_OK;

    MG_CHECK(wants_float || !has_float, MG_ERR_FORMAT, "'%s' in '%s' is %s, expected %s", name,
             file->path, mg_dtype_name(info->type), mg_dtype_name(type));
    if (info->count == 0) return MG_OK;
    if (info->ndim > 0 && hi - lo < info->dim[0]) {
        for (int i = 0; i < info->ndim; i++) size[i] = (hsize_t)info->dim[i];
        start[0] = (hsize_t)lo;
        size[0] = (hsize_t)(hi - lo);
        from = H5Dget_space(array);
        H5Sselect_hyperslab(from, H5S_SELECT_SET, start, NULL, size, NULL);
        to = H5Screate_simple(info->ndim, size, NULL);
    }
    plist = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_type_conv_cb(plist, keep_values, &changed);
    if (H5Dread(array, h5_native_type(type), to, from, plist, data) < 0) {
        if (changed) {
            H5Eclear2(H5E_DEFAULT);
            st = MG_FAIL(MG_ERR_FORMAT, "'%s' in '%s' is %s and has a value that %s cannot hold",
                         name, file->path, mg_dtype_name(info->type), mg_dtype_name(type));
        } else {
            st = h5_fail(file, "read", name);
        }
    }
    H5Pclose(plist);
    if (from != H5S_ALL) H5Sclose(from);
    if (to != H5S_ALL) H5Sclose(to);
    return st;
}

mg_status mg_h5_read(const mg_h5 *file, const char *name, mg_dtype type, void *data, int64_t count)
{
    mg_h5_info info;
    hid_t array;

    MG_TRY(h5_open_array(file, name, &array, NULL));
    mg_status st = describe(file, name, array, &info);
    if (!st && info.count != count)
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' in '%s' has %lld values, expected %lld", name, file->path,
                     (long long)info.count, (long long)count);
    if (!st) st = read_values(file, name, array, &info, type, data, 0, info.dim[0]);
    H5Oclose(array);
    return st;
}

mg_status mg_h5_load(const mg_h5 *file, const char *name, mg_dtype type, void **data,
                     mg_h5_info *info)
{
    mg_h5_info found;
    hid_t array;
    void *values = NULL;

    *data = NULL;
    MG_TRY(h5_open_array(file, name, &array, NULL));
    mg_status st = describe(file, name, array, &found);
    if (st) goto done;
    size_t bytes = (size_t)found.count * mg_dtype_size(type);
    values = mg_alloc(bytes ? bytes : 1);
    if (!values) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes for '%s' of '%s'", bytes, name,
                     file->path);
        goto done;
    }
    st = read_values(file, name, array, &found, type, values, 0, found.dim[0]);
    if (st) goto done;
    *data = values;
    if (info) *info = found;

done:
    if (st) mg_free(values);
    H5Oclose(array);
    return st;
}

mg_status mg_h5_read_rows(const mg_h5 *file, const char *name, mg_dtype type, void *data,
                          int64_t lo, int64_t hi)
{
    mg_h5_info info;
    hid_t array;

    MG_TRY(h5_open_array(file, name, &array, NULL));
    mg_status st = describe(file, name, array, &info);
    if (!st && (info.ndim < 1 || lo < 0 || lo > hi || hi > info.dim[0]))
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' in '%s' has %lld rows, expected rows %lld to %lld", name,
                     file->path, (long long)info.dim[0], (long long)lo, (long long)hi);
    if (!st && lo < hi) st = read_values(file, name, array, &info, type, data, lo, hi);
    H5Oclose(array);
    return st;
}

// --- writing ----------------------------------------------------------------------------------------

mg_status h5_make_groups(mg_h5 *file, const char *name)
{
    char *group = mg_strdup(name);
    mg_status st = MG_OK;

    MG_CHECK(group, MG_ERR_MEMORY, "cannot allocate a name of '%s'", file->path);
    hid_t plist = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(plist, false); // the same contents give the same bytes
    for (char *end = strchr(group + 1, '/'); end && !st; end = strchr(end + 1, '/')) {
        *end = '\0';
        if (H5Lexists(file->id, group, H5P_DEFAULT) <= 0) {
            hid_t made = H5Gcreate2(file->id, group, H5P_DEFAULT, plist, H5P_DEFAULT);
            if (made < 0 || H5Gclose(made) < 0) st = h5_fail(file, "create", group);
        }
        *end = '/';
    }
    H5Pclose(plist);
    mg_free(group);
    return st;
}

static mg_status write_array(mg_h5 *file, const char *name, hid_t type, const void *data, int ndim,
                             const int64_t *dim)
{
    hsize_t size[MG_H5_MAX_DIMS];
    int64_t count = 1;
    mg_status st = MG_OK;

    assert(ndim <= MG_H5_MAX_DIMS);
    for (int i = 0; i < ndim; i++) {
        size[i] = (hsize_t)dim[i];
        count *= dim[i];
    }
    MG_TRY(h5_make_groups(file, name));
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = ndim ? H5Screate_simple(ndim, size, NULL) : H5Screate(H5S_SCALAR);
    H5Pset_obj_track_times(plist, false);
    hid_t array = H5Dcreate2(file->id, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (array < 0 || (count && H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0))
        st = h5_fail(file, "write", name);
    if (array >= 0 && H5Dclose(array) < 0 && !st) st = h5_fail(file, "write", name);
    if (file->io->error && !st) st = h5_fail(file, "write", name);
    H5Sclose(space);
    H5Pclose(plist);
    return st;
}

mg_status mg_h5_write(mg_h5 *file, const char *name, mg_dtype type, const void *data, int ndim,
                      const int64_t *dim)
{
    return write_array(file, name, h5_native_type(type), data, ndim, dim);
}

hid_t h5_text_type(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes ? bytes : 1);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

mg_status mg_h5_write_texts(mg_h5 *file, const char *name, const char *const *text, int64_t count)
{
    size_t most = 1;

    for (int64_t i = 0; i < count; i++) {
        size_t n = strlen(text[i]);
        most = n > most ? n : most;
    }
    char *block = mg_calloc((size_t)count + 1, most);
    MG_CHECK(block, MG_ERR_MEMORY, "cannot allocate %lld texts for '%s' in '%s'", (long long)count,
             name, file->path);
    for (int64_t i = 0; i < count; i++) memcpy(block + (size_t)i * most, text[i], strlen(text[i]));
    hid_t type = h5_text_type(most);
    mg_status st = write_array(file, name, type, block, 1, &count);
    H5Tclose(type);
    mg_free(block);
    return st;
}

// --- texts ------------------------------------------------------------------------------------------

void mg_h5_allow_variable_texts(mg_h5 *file)
{
    file->variable_texts = true;
}

mg_status h5_check_text(const mg_h5 *file, const char *name, hid_t type)
{
    MG_CHECK(H5Tget_class(type) == H5T_STRING, MG_ERR_FORMAT, "'%s' in '%s' does not hold texts",
             name, file->path);
    MG_CHECK(file->variable_texts || H5Tis_variable_str(type) == 0, MG_ERR_FORMAT,
             "'%s' in '%s' holds texts of variable length, expected a fixed length", name,
             file->path);
    return MG_OK;
}

mg_status h5_copy_texts(const char *raw, hid_t type, int64_t count, char **text)
{
    bool variable = H5Tis_variable_str(type) > 0;
    size_t size = H5Tget_size(type);

    for (int64_t i = 0; i < count; i++) {
        const char *at = variable ? ((char *const *)raw)[i] : raw + (size_t)i * size;
        size_t n = !at ? 0 : variable ? strlen(at) : strnlen(at, size);
        if (!variable && H5Tget_strpad(type) == H5T_STR_SPACEPAD)
            while (n > 0 && at[n - 1] == ' ') n--;
        text[i] = mg_alloc(n + 1);
        if (!text[i]) {
            while (i > 0) mg_free(text[--i]);
            return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a text of %zu bytes", n);
        }
        if (n) memcpy(text[i], at, n);
        text[i][n] = '\0';
    }
    return MG_OK;
}

mg_status mg_h5_load_texts(const mg_h5 *file, const char *name, char ***text, int64_t *count)
{
    mg_status st = MG_OK;
    hid_t array;
    char *raw = NULL, **list = NULL;
    bool filled = false;

    *text = NULL;
    *count = 0;
    MG_TRY(h5_open_array(file, name, &array, NULL));
    hid_t type = H5Dget_type(array), space = H5Dget_space(array);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    st = h5_check_text(file, name, type);
    if (st) goto done;
    raw = mg_calloc((size_t)n + 1, H5Tget_size(type));
    list = mg_calloc((size_t)n + 1, sizeof *list);
    if (!raw || !list) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %lld texts of '%s' in '%s'", (long long)n,
                     name, file->path);
        goto done;
    }
    if (n > 0 && H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw) < 0) {
        st = h5_fail(file, "read", name);
        goto done;
    }
    filled = n > 0 && H5Tis_variable_str(type) > 0;
    st = h5_copy_texts(raw, type, n, list);
    if (st) goto done;
    *text = list;
    *count = n;

done:
    if (filled) H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw);
    if (st) mg_free(list);
    mg_free(raw);
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(array);
    return st;
}
