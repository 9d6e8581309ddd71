// HDF5 attributes: single integers, numbers and texts, and lists of integers.
#include "runtime/h5_private.h"

#include <string.h>

#include "runtime/mem.h"

enum { MAX_ATTR_BYTES = 64 << 20 };

bool mg_h5_has_attr(const mg_h5 *file, const char *object, const char *name)
{
    hid_t id;

    if (!mg_h5_has(file, object)) return false;
    if (h5_open_object(file, object, &id)) {
        mg_err_clear();
        return false;
    }
    bool found = H5Aexists(id, name) > 0;
    H5Eclear2(H5E_DEFAULT);
    H5Oclose(id);
    return found;
}

// Open an attribute: its handle, type and number of values.
static mg_status open_attr(const mg_h5 *file, const char *object, const char *name, hid_t *attr,
                           hid_t *type, int64_t *count)
{
    hid_t id;

    MG_TRY(h5_open_object(file, object, &id));
    if (H5Aexists(id, name) <= 0) {
        H5Eclear2(H5E_DEFAULT);
        H5Oclose(id);
        return MG_FAIL(MG_ERR_FORMAT, "'%s' of '%s' has no attribute '%s'", *object ? object : "/",
                       file->path, name);
    }
    *attr = H5Aopen(id, name, H5P_DEFAULT);
    H5Oclose(id);
    if (*attr < 0) return h5_fail(file, "open attribute", name);
    *type = H5Aget_type(*attr);
    hid_t space = H5Aget_space(*attr);
    hssize_t n = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    if (space >= 0) H5Sclose(space);
    *count = n;
    mg_status st = MG_OK;
    if (*type < 0 || n < 0)
        st = h5_fail(file, "describe attribute", name);
    else if ((double)n * (double)H5Tget_size(*type) > MAX_ATTR_BYTES)
        st = MG_FAIL(MG_ERR_FORMAT, "attribute '%s' of '%s' claims %lld values", name, file->path,
                     (long long)n);
    if (st) {
        if (*type >= 0) H5Tclose(*type);
        H5Aclose(*attr);
    }
    return st;
}

// Read an attribute of up to `room` numbers as int64 or double.
static mg_status read_numbers(const mg_h5 *file, const char *object, const char *name,
                              mg_dtype wanted, void *value, int room, int *count)
{
    hid_t attr, type;
    int64_t n;
    mg_dtype found = MG_F64;
    mg_status st = MG_OK;
    char *raw = NULL;

    MG_TRY(open_attr(file, object, name, &attr, &type, &n));
    bool number = h5_number_type(type, &found);
    bool is_float = found == MG_F32 || found == MG_F64;
    if (!number || (wanted == MG_I64 && is_float)) {
        st = MG_FAIL(MG_ERR_FORMAT, "attribute '%s' of '%s' is no %s", name, file->path,
                     wanted == MG_I64 ? "integer" : "number");
        goto done;
    }
    raw = mg_alloc((size_t)n * 8 + 8);
    if (!raw) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate attribute '%s' of '%s'", name, file->path);
        goto done;
    }
    if (wanted == MG_I64 && found == MG_U64) wanted = MG_U64; // a seed keeps its bits
    if (n > 0 && H5Aread(attr, h5_native_type(wanted), raw) < 0) {
        st = h5_fail(file, "read attribute", name);
        goto done;
    }
    memcpy(value, raw, (size_t)(n < room ? n : room) * 8);
    *count = (int)n;

done:
    mg_free(raw);
    H5Tclose(type);
    H5Aclose(attr);
    return st;
}

static mg_status read_one(const mg_h5 *file, const char *object, const char *name, mg_dtype wanted,
                          void *value)
{
    int count = 0;

    MG_TRY(read_numbers(file, object, name, wanted, value, 1, &count));
    MG_CHECK(count == 1, MG_ERR_FORMAT, "attribute '%s' of '%s' has %d values, expected 1", name,
             file->path, count);
    return MG_OK;
}

mg_status mg_h5_attr_int(const mg_h5 *file, const char *object, const char *name, int64_t *value)
{
    return read_one(file, object, name, MG_I64, value);
}

mg_status mg_h5_attr_real(const mg_h5 *file, const char *object, const char *name, double *value)
{
    return read_one(file, object, name, MG_F64, value);
}

mg_status mg_h5_attr_ints(const mg_h5 *file, const char *object, const char *name, int64_t *value,
                          int room, int *count)
{
    return read_numbers(file, object, name, MG_I64, value, room, count);
}

mg_status mg_h5_attr_text(const mg_h5 *file, const char *object, const char *name, char **value)
{
    hid_t attr, type;
    int64_t n;
    mg_status st = MG_OK;
    char *raw = NULL;

    *value = NULL;
    MG_TRY(open_attr(file, object, name, &attr, &type, &n));
    bool variable = H5Tis_variable_str(type) > 0;
    st = h5_check_text(file, name, type);
    if (!st && n != 1)
        st = MG_FAIL(MG_ERR_FORMAT, "attribute '%s' of '%s' has %lld values, expected 1", name,
                     file->path, (long long)n);
    if (st) goto done;
    raw = mg_calloc(1, H5Tget_size(type));
    if (!raw) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate attribute '%s' of '%s'", name, file->path);
        goto done;
    }
    if (H5Aread(attr, type, raw) < 0) {
        st = h5_fail(file, "read attribute", name);
        goto done;
    }
    st = h5_copy_texts(raw, type, 1, value);
    if (variable) H5free_memory(*(char **)raw);

done:
    mg_free(raw);
    H5Tclose(type);
    H5Aclose(attr);
    return st;
}

static mg_status set_attr(mg_h5 *file, const char *object, const char *name, hid_t type,
                          const void *value)
{
    hid_t id, space = H5I_INVALID_HID, attr = H5I_INVALID_HID;
    mg_status st = MG_OK;

    MG_TRY(h5_open_object(file, object, &id));
    if (H5Aexists(id, name) > 0) H5Adelete(id, name);
    space = H5Screate(H5S_SCALAR);
    attr = H5Acreate2(id, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0 || H5Awrite(attr, type, value) < 0) st = h5_fail(file, "write attribute", name);
    if (attr >= 0) H5Aclose(attr);
    if (file->io->error && !st) st = h5_fail(file, "write attribute", name);
    H5Sclose(space);
    H5Oclose(id);
    return st;
}

mg_status mg_h5_set_int(mg_h5 *file, const char *object, const char *name, int64_t value)
{
    return set_attr(file, object, name, H5T_NATIVE_INT64, &value);
}

mg_status mg_h5_set_real(mg_h5 *file, const char *object, const char *name, double value)
{
    return set_attr(file, object, name, H5T_NATIVE_DOUBLE, &value);
}

mg_status mg_h5_set_text(mg_h5 *file, const char *object, const char *name, const char *value)
{
    hid_t type = h5_text_type(strlen(value));
    mg_status st = set_attr(file, object, name, type, value);
    H5Tclose(type);
    return st;
}
