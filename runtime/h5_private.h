// What the files of the HDF5 module (h5.c, h5_array.c, h5_attr.c, h5_chunk.c, h5_driver.c) share. Nobody else includes this.
#ifndef MG_RUNTIME_H5_PRIVATE_H
#define MG_RUNTIME_H5_PRIVATE_H

#define H5_USE_110_API
#include <hdf5.h>

#include "runtime/h5.h"

// What the driver under the library and the module tell each other about one file.
typedef struct {
    int fd;     // given to the driver, which makes a duplicate
    int error;  // errno of the first failed system call, 0 if there was none
    bool watch; // do not read array values, but note where they lie:
    uint64_t address, bytes;
} h5_io;

struct mg_h5 {
    hid_t id;
    char *path;
    bool writing;
    bool variable_texts; // may be read
    int64_t bytes;       // size of the file when it was opened for reading
    h5_io *io;           // outlives the library's handle
    hid_t open_array;    // of mg_h5_write_chunk, with its name; invalid and NULL if there is none
    char *open_name;
};

// The driver, for H5Pset_driver with an h5_io * as its information (h5_driver.c).
hid_t h5_driver(void);

// Quiet error printing, no plugins, filter 32015 known. Cheap; called by each open and create.
void h5_prepare(void);

// Make filter 32015 known to the library, so that arrays can name it (h5_chunk.c).
void h5_know_zstd(void);

// A failure of the library: "cannot <doing> '<name>' in '<file>': <reason>". The reason is the
// system's if it refused (then and when writing MG_ERR_IO, otherwise MG_ERR_FORMAT), or else the
// innermost entry of the library's error stack.
mg_status h5_fail(const mg_h5 *file, const char *doing, const char *name);

// Open an object after checking that every link on the way is a hard link, so that neither another
// file nor a loop is entered. "" and "/" are the root. H5Oclose it.
mg_status h5_open_object(const mg_h5 *file, const char *name, hid_t *object);

// The same for arrays; also refuses what is not a safe array (see h5.h). `filter` (may be NULL) gets
// MG_H5_ZSTD if that is in the pipeline, otherwise 0.
mg_status h5_open_array(const mg_h5 *file, const char *name, hid_t *array, int *filter);

// Make the groups that the name of a new object lies in.
mg_status h5_make_groups(mg_h5 *file, const char *name);

// A new type for texts of at most `bytes` bytes; H5Tclose it. Fixed length: the storage of variable
// ones has no checksum, and the library can crash when that is damaged.
hid_t h5_text_type(size_t bytes);

// Type of numbers; false if the type is no number of at most 64 bits.
bool h5_number_type(hid_t type, mg_dtype *out);
hid_t h5_native_type(mg_dtype type); // borrowed

// Refuse what is no text, or a text of variable length in a file that may be from a stranger.
mg_status h5_check_text(const mg_h5 *file, const char *name, hid_t type);

// Copy `count` texts out of library memory of a text type (variable or fixed length).
// On failure everything is released.
mg_status h5_copy_texts(const char *raw, hid_t type, int64_t count, char **text);

#endif
