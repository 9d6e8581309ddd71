// HDF5 files: named arrays, attributes, chunks taken and given as raw bytes. The one home of HDF5.
// Files from outside are opened safely: no external links or storage, no virtual data sets, no
// plugins (H5PLset_loading_state(0)), only the filters deflate, shuffle, fletcher32 and 32015, and
// shapes that fit the file. Every failure names the file and the object.
// One thread at a time (the library is serial); chunk bytes are read without it.
#ifndef MG_RUNTIME_H5_H
#define MG_RUNTIME_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"

enum { MG_H5_MAX_DIMS = 8, MG_H5_ZSTD = 32015 };

typedef enum { MG_U8, MG_I16, MG_U16, MG_I32, MG_U32, MG_I64, MG_U64, MG_F32, MG_F64 } mg_dtype;
size_t mg_dtype_size(mg_dtype type);
const char *mg_dtype_name(mg_dtype type); // "uint8", "int16", ...

const char *mg_h5_version(void); // of the library, "HDF5 library version 1.10.8"

typedef struct mg_h5 mg_h5;

typedef struct {
    mg_dtype type;
    int ndim; // 0 for a scalar
    int64_t dim[MG_H5_MAX_DIMS];
    int64_t count; // product of dim
    bool chunked;
    int64_t chunk[MG_H5_MAX_DIMS];
} mg_h5_info;

mg_status mg_h5_open(const char *path, mg_h5 **file); // read-only, locking off; MG_ERR_IO, _FORMAT
// Texts of variable length are refused unless this is called: HDF5 keeps them in a heap without
// checksum, and the library can crash when that is damaged. Not for files from strangers.
void mg_h5_allow_variable_texts(mg_h5 *file);
mg_status mg_h5_create(const char *path, mg_h5 **file); // truncates
// Close. MG_ERR_IO if anything that was written before did not reach the file (a full disk); the
// handle is gone in any case.
mg_status mg_h5_close(mg_h5 **file);
const char *mg_h5_path(const mg_h5 *file); // borrowed

// Arrays. Names are paths ("a/b/c"); missing groups are made. Reading converts between number types
// where every value fits the wanted type's kind (integers to floats too).
bool mg_h5_has(const mg_h5 *file, const char *name); // array or group
mg_status mg_h5_describe(const mg_h5 *file, const char *name, mg_h5_info *info);
// Read a whole array whose number of values must be `count`.
mg_status mg_h5_read(const mg_h5 *file, const char *name, mg_dtype type, void *data, int64_t count);
// Read into fresh memory; caller releases *data with mg_free. `info` may be NULL.
mg_status mg_h5_load(const mg_h5 *file, const char *name, mg_dtype type, void **data,
                     mg_h5_info *info);
// Read rows [lo, hi) along the first axis.
mg_status mg_h5_read_rows(const mg_h5 *file, const char *name, mg_dtype type, void *data,
                          int64_t lo, int64_t hi);
mg_status mg_h5_write(mg_h5 *file, const char *name, mg_dtype type, const void *data, int ndim,
                      const int64_t *dim);

// UTF-8 texts as a one-dimensional array, all as long as the longest.
mg_status mg_h5_write_texts(mg_h5 *file, const char *name, const char *const *text, int64_t count);
// *text: array of mg_free'able texts, itself released with mg_free. Also
// reads variable-length texts if they are allowed.
mg_status mg_h5_load_texts(const mg_h5 *file, const char *name, char ***text, int64_t *count);

// Attributes of an object ("" or "/" is the root). Lists of int64 and double, texts. An unsigned
// 64-bit value is read as int64 with the same bits.
bool mg_h5_has_attr(const mg_h5 *file, const char *object, const char *name);
mg_status mg_h5_attr_int(const mg_h5 *file, const char *object, const char *name, int64_t *value);
mg_status mg_h5_attr_real(const mg_h5 *file, const char *object, const char *name, double *value);
mg_status mg_h5_attr_text(const mg_h5 *file, const char *object, const char *name, char **value);
// Up to `room` integers; *count gets the number there are.
mg_status mg_h5_attr_ints(const mg_h5 *file, const char *object, const char *name, int64_t *value,
                          int room, int *count);
mg_status mg_h5_set_int(mg_h5 *file, const char *object, const char *name, int64_t value);
mg_status mg_h5_set_real(mg_h5 *file, const char *object, const char *name, double value);
mg_status mg_h5_set_text(mg_h5 *file, const char *object, const char *name, const char *value);

// Names directly below a group, in alphabetical order; groups end with '/'. Caller frees each name
// and the list with mg_free.
mg_status mg_h5_list(const mg_h5 *file, const char *group, char ***names, int *count);

// Chunked arrays whose chunks are compressed elsewhere (shard/block.c).

// Decoder of filter 32015 for arrays that are read through mg_h5_read and its like; without one
// they are refused. It gets one frame and returns the number of decoded bytes, 0 if the frame is
// malformed or does not fit `room`; with `out` NULL it only says how many bytes there would be.
typedef size_t (*mg_h5_decoder)(void *out, size_t room, const void *frame, size_t bytes);
void mg_h5_register_zstd(mg_h5_decoder decode);

// Make one: `filter` is MG_H5_ZSTD or 0 for none; dim[0] may grow, chunk[0] is usually 1.
mg_status mg_h5_make_chunked(mg_h5 *file, const char *name, mg_dtype type, int ndim,
                             const int64_t *dim, const int64_t *chunk, int filter);
// Write one whole chunk, already encoded; `at` is the offset of its first value in each axis. A
// chunk behind the end of the first axis makes the array longer.
mg_status mg_h5_write_chunk(mg_h5 *file, const char *name, const int64_t *at, const void *bytes,
                            size_t count);
// Where every chunk lies in the file, in row-major chunk order: addresses and stored sizes
// (0 for a chunk that was never written). Arrays released by the caller with mg_free.
typedef struct {
    int64_t count;
    uint64_t *address;
    uint64_t *bytes;
    uint32_t *filter_mask;
} mg_h5_chunks;
mg_status mg_h5_chunk_table(const mg_h5 *file, const char *name, int *filter, mg_h5_chunks *out);
void mg_h5_chunks_free(mg_h5_chunks *chunks);

#endif
