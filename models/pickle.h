// A closed reader of the pickles in PyTorch files (text-and-weights.md d.3 to d.5, d.8). It interprets a
// fixed table of opcodes that build inert values; any other opcode, name or structure makes the file be
// refused. Nothing is ever called, imported or executed.
//
// Values lie in one array and refer to each other by index, so building and releasing need no recursion.
#ifndef MG_MODELS_PICKLE_H
#define MG_MODELS_PICKLE_H

#include <stdbool.h>

#include "models/tensor_type.h"
#include "runtime/raw_file.h"

enum { MG_PICKLE_DEPTH = 64, MG_PICKLE_DIMS = 16 };

typedef enum {
    MG_PICKLE_NONE,
    MG_PICKLE_BOOL,
    MG_PICKLE_INT,
    MG_PICKLE_BIG, // an integer that does not fit 64 bits, up to 80; kept as a text of its bytes
    MG_PICKLE_REAL,
    MG_PICKLE_TEXT,
    MG_PICKLE_TUPLE,
    MG_PICKLE_LIST,
    MG_PICKLE_DICT,
    MG_PICKLE_ORDERED, // collections.OrderedDict
    MG_PICKLE_OBJECT,  // TorchScript module: attributes as in a dict
    MG_PICKLE_ARGS,    // argparse.Namespace: attributes that nobody looks at
    MG_PICKLE_GLOBAL,  // a name of the closed list, by itself
    MG_PICKLE_STORAGE, // i: index into storages
    MG_PICKLE_TENSOR,  // i: index into tensors
} mg_pickle_kind;

typedef struct {
    uint8_t kind, depth; // depth: levels of containers below, itself included
    union {
        int64_t i; // BOOL, INT, GLOBAL, STORAGE, TENSOR
        double r;
        struct {
            uint32_t at, bytes; // into texts
        } text;
        struct {
            uint32_t first, last, count; // cells of a container; first is 0 if there is none
        } list;
    };
} mg_pickle_value;

// One member of a container: value, and in dicts and objects its key. Cell 0 is not used.
typedef struct {
    uint32_t key, value, next;
} mg_pickle_cell;

typedef struct {
    uint32_t key; // a TEXT value
    mg_tensor_type type;
    int64_t count; // values
} mg_pickle_storage;

typedef struct {
    uint32_t storage;
    int ndim;
    int64_t offset, size[MG_PICKLE_DIMS], stride[MG_PICKLE_DIMS];
    int64_t count; // product of the sizes
} mg_pickle_tensor;

typedef struct {
    mg_pickle_value *value;
    mg_pickle_cell *cell;
    char *texts;
    mg_pickle_storage *storage;
    mg_pickle_tensor *tensor;
    uint32_t values, cells, text_bytes, storages, tensors;
    uint32_t value_room, cell_room, text_room, storage_room, tensor_room;
    uint32_t root;
} mg_pickle;

// Which file the pickle is in decides what may stand there.
typedef enum {
    MG_PICKLE_ZIP,    // storages have five items
    MG_PICKLE_STREAM, // six, the last one None
    MG_PICKLE_SCRIPT, // TorchScript: module objects too
} mg_pickle_form;

// Read one pickle from bytes [*at, end) of the file; *at becomes the byte behind it.
// MG_ERR_FORMAT names the file, the byte and the reason; then nothing is to be freed.
mg_status mg_pickle_read(const mg_raw_file *file, uint64_t *at, uint64_t end, mg_pickle_form form,
                         mg_pickle *out);
void mg_pickle_free(mg_pickle *p);

// The text of a TEXT value; it may hold zero bytes. Borrowed.
const char *mg_pickle_text(const mg_pickle *p, uint32_t value, uint32_t *bytes);
bool mg_pickle_is_text(const mg_pickle *p, uint32_t value, const char *text);

#endif
