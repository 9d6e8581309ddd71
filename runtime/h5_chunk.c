// Raw chunks: arrays whose chunks are encoded and decoded outside HDF5, and where those chunks lie
// in the file, so that they can be read by pread from many threads.
#include "runtime/h5_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/mem.h"

// --- filter 32015 -----------------------------------------------------------------------------------

static mg_h5_decoder decoder; // set once at start, by the home of zstd

void mg_h5_register_zstd(mg_h5_decoder decode)
{
    decoder = decode;
}

// HDF5 filter function: decodes *buf in place of itself. Encoding is done by mg_h5_write_chunk's
// callers, never here. Returns 0 on failure.
static size_t zstd_filter(unsigned flags, size_t n_values, const unsigned *values, size_t bytes,
                          size_t *room, void **buf)
{
    (void)n_values, (void)values;
    if (!(flags & H5Z_FLAG_REVERSE) || !decoder) return 0;
    size_t size = decoder(NULL, 0, *buf, bytes);
    if (size == 0 || size > (size_t)UINT32_MAX) return 0; // chunks are smaller than 4 GiB
    void *out = H5allocate_memory(size, false);
    if (!out) return 0;
    if (decoder(out, size, *buf, bytes) != size) {
        H5free_memory(out);
        return 0;
    }
    H5free_memory(*buf);
    *buf = out;
    *room = size;
    return size;
}

void h5_know_zstd(void)
{
    static const H5Z_class2_t filter = {
        .version = H5Z_CLASS_T_VERS,
        .id = MG_H5_ZSTD,
        .encoder_present = 1,
        .decoder_present = 1,
        .name = "zstd",
        .filter = zstd_filter,
    };
    if (H5Zfilter_avail(MG_H5_ZSTD) <= 0) H5Zregister(&filter);
}

// --- writing ----------------------------------------------------------------------------------------

mg_status mg_h5_make_chunked(mg_h5 *file, const char *name, mg_dtype type, int ndim,
                             const int64_t *dim, const int64_t *chunk, int filter)
{
    hsize_t size[MG_H5_MAX_DIMS], most[MG_H5_MAX_DIMS], piece[MG_H5_MAX_DIMS];
    const unsigned level = 3; // what hdf5plugin writes there; decoding does not use it
    mg_status st = MG_OK;

    assert(ndim >= 1 && ndim <= MG_H5_MAX_DIMS && (filter == 0 || filter == MG_H5_ZSTD));
    for (int i = 0; i < ndim; i++) {
        most[i] = size[i] = (hsize_t)dim[i];
        piece[i] = (hsize_t)chunk[i];
    }
    most[0] = H5S_UNLIMITED;
    MG_TRY(h5_make_groups(file, name));
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(ndim, size, most);
    H5Pset_obj_track_times(plist, false);
    H5Pset_chunk(plist, ndim, piece);
    if (filter) H5Pset_filter(plist, MG_H5_ZSTD, H5Z_FLAG_OPTIONAL, 1, &level);
    hid_t array =
        H5Dcreate2(file->id, name, h5_native_type(type), space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (array < 0 || H5Dclose(array) < 0) st = h5_fail(file, "create", name);
    H5Sclose(space);
    H5Pclose(plist);
    return st;
}

// The array that chunks are written to stays open until another one is written to.
static mg_status keep_open(mg_h5 *file, const char *name)
{
    if (file->open_name && !strcmp(file->open_name, name)) return MG_OK;
    if (file->open_array >= 0 && H5Dclose(file->open_array) < 0)
        return h5_fail(file, "write", file->open_name);
    file->open_array = H5I_INVALID_HID;
    mg_free(file->open_name);
    file->open_name = NULL;
    MG_TRY(h5_open_array(file, name, &file->open_array, NULL));
    file->open_name = mg_strdup(name);
    if (file->open_name) return MG_OK;
    H5Dclose(file->open_array);
    file->open_array = H5I_INVALID_HID;
    return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a name of '%s'", file->path);
}

// Make the first axis long enough for a chunk that starts at `at`; *ndim gets the number of axes.
static mg_status grow(mg_h5 *file, const char *name, int64_t at, int *ndim)
{
    hsize_t dim[MG_H5_MAX_DIMS], chunk[MG_H5_MAX_DIMS];
    hid_t array = file->open_array, space = H5Dget_space(array);

    *ndim = H5Sget_simple_extent_dims(space, dim, NULL);
    H5Sclose(space);
    if ((hsize_t)at < dim[0]) return MG_OK;
    hid_t plist = H5Dget_create_plist(array);
    H5Pget_chunk(plist, MG_H5_MAX_DIMS, chunk);
    H5Pclose(plist);
    dim[0] = (hsize_t)at + chunk[0];
    return H5Dset_extent(array, dim) < 0 ? h5_fail(file, "enlarge", name) : MG_OK;
}

mg_status mg_h5_write_chunk(mg_h5 *file, const char *name, const int64_t *at, const void *bytes,
                            size_t count)
{
    hsize_t offset[MG_H5_MAX_DIMS] = {0};
    int ndim = 0;

    MG_TRY(keep_open(file, name));
    MG_TRY(grow(file, name, at[0], &ndim));
    for (int i = 0; i < ndim; i++) offset[i] = (hsize_t)at[i];
    if (H5Dwrite_chunk(file->open_array, H5P_DEFAULT, 0, offset, count, bytes) < 0 ||
        file->io->error)
        return h5_fail(file, "write a chunk of", name);
    return MG_OK;
}

// --- where chunks lie -------------------------------------------------------------------------------

void mg_h5_chunks_free(mg_h5_chunks *chunks)
{
    mg_free(chunks->address);
    mg_free(chunks->bytes);
    mg_free(chunks->filter_mask);
    memset(chunks, 0, sizeof *chunks);
}

static mg_status chunks_alloc(const mg_h5 *file, const char *name, int64_t count,
                              mg_h5_chunks *chunks)
{
    chunks->count = count;
    chunks->address = mg_calloc((size_t)count + 1, sizeof *chunks->address);
    chunks->bytes = mg_calloc((size_t)count + 1, sizeof *chunks->bytes);
    chunks->filter_mask = mg_calloc((size_t)count + 1, sizeof *chunks->filter_mask);
    MG_CHECK(chunks->address && chunks->bytes && chunks->filter_mask, MG_ERR_MEMORY,
             "cannot allocate a table of %lld chunks of '%s' in '%s'", (long long)count, name,
             file->path);
    return MG_OK;
}

// Offset of chunk `k` in row-major order.
static void chunk_offset(const mg_h5_info *info, int64_t k, hsize_t *offset)
{
    for (int i = info->ndim - 1; i >= 0; i--) {
        int64_t along = (info->dim[i] + info->chunk[i] - 1) / info->chunk[i];
        offset[i] = (hsize_t)(k % along * info->chunk[i]);
        k /= along;
    }
}

// Ask for every chunk while the driver notes what would be read (h5_driver.c).
static mg_status read_table(const mg_h5 *file, const char *name, hid_t array,
                            const mg_h5_info *info, mg_h5_chunks *out)
{
    h5_io *io = file->io;
    char nothing[1]; // never written to
    hsize_t stored = 0, found = 0;

    hid_t space = H5Dget_space(array);
    herr_t counted = H5Dget_num_chunks(array, space, &stored);
    H5Sclose(space);
    if (counted < 0) return h5_fail(file, "count the chunks of", name);
    for (int64_t k = 0; k < out->count; k++) {
        hsize_t offset[MG_H5_MAX_DIMS] = {0}, bytes = 0;
        chunk_offset(info, k, offset);
        // A chunk that was never written is an error to the library.
        if (H5Dget_chunk_storage_size(array, offset, &bytes) < 0 || bytes == 0) {
            if (io->error) return h5_fail(file, "find the chunks of", name);
            continue;
        }
        found++;
        io->bytes = 0;
        io->watch = true;
        herr_t got = H5Dread_chunk(array, H5P_DEFAULT, offset, &out->filter_mask[k], nothing);
        io->watch = false;
        if (got < 0) return h5_fail(file, "find the chunks of", name);
        MG_CHECK(io->bytes == bytes && io->address <= (uint64_t)file->bytes &&
                     bytes <= (uint64_t)file->bytes - io->address,
                 MG_ERR_FORMAT, "chunk %lld of '%s' does not lie in '%s'", (long long)k, name,
                 file->path);
        out->address[k] = io->address;
        out->bytes[k] = bytes;
    }
    H5Eclear2(H5E_DEFAULT);
    MG_CHECK(found == stored, MG_ERR_FORMAT, "'%s' in '%s' has %llu chunks, but %llu can be found",
             name, file->path, (unsigned long long)stored, (unsigned long long)found);
    return MG_OK;
}

mg_status mg_h5_chunk_table(const mg_h5 *file, const char *name, int *filter, mg_h5_chunks *out)
{
    mg_h5_info info;
    hid_t array;
    int64_t count = 1;

    memset(out, 0, sizeof *out);
    MG_CHECK(!file->writing, MG_ERR_USAGE, "'%s' is still being written", file->path);
    MG_TRY(mg_h5_describe(file, name, &info));
    MG_CHECK(info.chunked, MG_ERR_FORMAT, "'%s' in '%s' is not chunked", name, file->path);
    for (int i = 0; i < info.ndim; i++) count *= (info.dim[i] + info.chunk[i] - 1) / info.chunk[i];
    MG_CHECK(count <= file->bytes, MG_ERR_FORMAT, "'%s' in '%s' claims %lld chunks", name,
             file->path, (long long)count);
    MG_TRY(h5_open_array(file, name, &array, filter));
    mg_status st = chunks_alloc(file, name, count, out);
    if (!st) st = read_table(file, name, array, &info, out);
    if (st) mg_h5_chunks_free(out);
    H5Oclose(array);
    return st;
}
