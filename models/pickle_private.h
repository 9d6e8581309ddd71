// Shared by pickle.c (the machine) and pickle_call.c (names, calls, storages, tensors).
#ifndef MG_MODELS_PICKLE_PRIVATE_H
#define MG_MODELS_PICKLE_PRIVATE_H

#include "models/pickle.h"
#include "runtime/mem.h"

// What a GLOBAL may name (d.4).
typedef enum {
    MG_GLOBAL_REBUILD_TENSOR,
    MG_GLOBAL_REBUILD_PARAMETER,
    MG_GLOBAL_ORDERED_DICT,
    MG_GLOBAL_NAMESPACE,
    MG_GLOBAL_TYPED_LIST, // torch.jit._pickle build_*list
    MG_GLOBAL_RESTORE_TYPE,
    MG_GLOBAL_MODULE,  // any class of TorchScript
    MG_GLOBAL_STORAGE, // + mg_tensor_type
} mg_pickle_global;

// A table from (container, key) to a number, so that setting an item is quick.
typedef struct {
    uint32_t owner, key, found; // found 0: free
} mg_pickle_slot;

typedef struct {
    const mg_raw_file *file;
    uint64_t at, end; // next byte that was not fetched
    uint8_t buffer[4096];
    size_t have, used;
    uint64_t opcode_at; // for messages
    mg_pickle_form form;
    mg_pickle *p;
    uint32_t *stack, *mark, *memo; // memo: value + 1, 0 where nothing was stored
    uint32_t depth, stack_room, marks, memo_room;
    mg_pickle_slot *slot; // open addressing, a power of two
    uint32_t slots, slots_used;
} mg_unpickler;

// A refusal: file, byte of the opcode, reason.
#define MG_REFUSE(u, ...) mg_pickle_refuse(u, __FILE__, __LINE__, __func__, __VA_ARGS__)
mg_status mg_pickle_refuse(const mg_unpickler *u, const char *source, int line, const char *func,
                           const char *fmt, ...) __attribute__((format(printf, 5, 6)));

mg_status mg_pickle_grow(void **array, uint32_t *room, uint32_t need, size_t size);
mg_status mg_pickle_new(mg_unpickler *u, mg_pickle_kind kind, uint32_t *value);
mg_status mg_pickle_append(mg_unpickler *u, uint32_t container, uint32_t key, uint32_t value);
// Set an item of a dict or object; the key is a text or an integer.
mg_status mg_pickle_set(mg_unpickler *u, uint32_t container, uint32_t key, uint32_t value);
// The number stored for a key, its place: for new keys *slot's `found` is 0 and the caller sets it.
mg_status mg_pickle_slot_of(mg_unpickler *u, uint32_t owner, uint32_t key, mg_pickle_slot **slot);
// Up to `room` members of a tuple or list; returns how many there are.
uint32_t mg_pickle_members(const mg_pickle *p, uint32_t container, uint32_t *member, uint32_t room);

// pickle_call.c: what each opcode that names or calls something does.
mg_status mg_pickle_name(mg_unpickler *u, const char *module, const char *name, uint32_t *value);
mg_status mg_pickle_persistent(mg_unpickler *u, uint32_t id, uint32_t *value);
mg_status mg_pickle_reduce(mg_unpickler *u, uint32_t callee, uint32_t args, uint32_t *value);
mg_status mg_pickle_new_object(mg_unpickler *u, uint32_t class, uint32_t args, uint32_t *value);
mg_status mg_pickle_build(mg_unpickler *u, uint32_t object, uint32_t state);

#endif
