// What the files of the HDF5 module (h5.c, h5_attr.c, h5_chunk.c) share. Nobody else includes this.
#ifndef MG_RUNTIME_H5_PRIVATE_H
#define MG_RUNTIME_H5_PRIVATE_H

#define H5_USE_110_API
#include <hdf5.h>

#include "runtime/h5.h"

struct mg_h5 {
    hid_t id;
    char *path;
    bool writing;
    int64_t bytes; // size of the file when it was opened for reading
};

// Quiet error printing, no plugins, filter 32015 known. Cheap; called by each open and create.
void h5_prepare(void);

// Make filter 32015 known to the library, so that arrays can name it (h5_chunk.c).
void h5_know_zstd(void);

// A failure of the library: "cannot <doing> '<name>' in '<file>': <reason>", where the reason is the
// innermost entry of the library's error stack. MG_ERR_IO when writing or when the system refused,
// MG_ERR_FORMAT otherwise.
mg_status h5_fail(const mg_h5 *file, const char *doing, const char *name);

// Open an object after checking that every link on the way is a hard link, so that neither another
// file nor a loop is entered. "" and "/" are the root. H5Oclose it.
mg_status h5_open_object(const mg_h5 *file, const char *name, hid_t *object);

// The same for arrays; also refuses what is not a safe array (see h5.h). `filter` (may be NULL) gets
// MG_H5_ZSTD if that is in the pipeline, otherwise 0.
mg_status h5_open_array(const mg_h5 *file, const char *name, hid_t *array, int *filter);

// Type of numbers; false if the type is no number of at most 64 bits.
bool h5_number_type(hid_t type, mg_dtype *out);
hid_t h5_native_type(mg_dtype type); // borrowed

// Copy `count` texts out of library memory of a text type (variable or fixed length).
// On failure everything is released.
mg_status h5_copy_texts(const char *raw, hid_t type, int64_t count, char **text);

#endif
