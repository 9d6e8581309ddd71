// The closed list of names (text-and-weights.md d.4), and storages and tensors with all their checks
// (d.5). "Calling" a name builds an inert value; nothing else ever happens.
#include <string.h>

#include "models/pickle_private.h"

static const int64_t MAX_COUNT = (int64_t)1 << 48; // values of a storage or tensor, exclusive
enum { MAX_KEY = 64 };

static const struct {
    const char *module, *name;
    int global;
    bool script; // only in TorchScript archives
} names[] = {
    {"torch._utils", "_rebuild_tensor_v2", MG_GLOBAL_REBUILD_TENSOR, false},
    {"torch._utils", "_rebuild_parameter", MG_GLOBAL_REBUILD_PARAMETER, false},
    {"collections", "OrderedDict", MG_GLOBAL_ORDERED_DICT, false},
    {"argparse", "Namespace", MG_GLOBAL_NAMESPACE, false},
    {"torch.jit._pickle", "build_intlist", MG_GLOBAL_TYPED_LIST, true},
    {"torch.jit._pickle", "build_doublelist", MG_GLOBAL_TYPED_LIST, true},
    {"torch.jit._pickle", "build_boollist", MG_GLOBAL_TYPED_LIST, true},
    {"torch.jit._pickle", "build_tensorlist", MG_GLOBAL_TYPED_LIST, true},
    {"torch.jit._pickle", "restore_type_tag", MG_GLOBAL_RESTORE_TYPE, true},
    {"torch", "FloatStorage", MG_GLOBAL_STORAGE + MG_T_F32, false},
    {"torch", "DoubleStorage", MG_GLOBAL_STORAGE + MG_T_F64, false},
    {"torch", "HalfStorage", MG_GLOBAL_STORAGE + MG_T_F16, false},
    {"torch", "BFloat16Storage", MG_GLOBAL_STORAGE + MG_T_BF16, false},
    {"torch", "LongStorage", MG_GLOBAL_STORAGE + MG_T_I64, false},
    {"torch", "IntStorage", MG_GLOBAL_STORAGE + MG_T_I32, false},
    {"torch", "ShortStorage", MG_GLOBAL_STORAGE + MG_T_I16, false},
    {"torch", "CharStorage", MG_GLOBAL_STORAGE + MG_T_I8, false},
    {"torch", "ByteStorage", MG_GLOBAL_STORAGE + MG_T_U8, false},
    {"torch", "BoolStorage", MG_GLOBAL_STORAGE + MG_T_BOOL, false},
};

static bool is_module_class(const char *module)
{
    return !strcmp(module, "__torch__") || !strncmp(module, "__torch__.", 10);
}

mg_status mg_pickle_name(mg_unpickler *u, const char *module, const char *name, uint32_t *value)
{
    bool script = u->form == MG_PICKLE_SCRIPT;
    int global = script && is_module_class(module) ? MG_GLOBAL_MODULE : -1;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i].module, module) && !strcmp(names[i].name, name) &&
            (script || !names[i].script))
            global = names[i].global;
    if (global < 0)
        return MG_REFUSE(u,
                         "it uses '%s.%s', which is not on the list of what weight files may use "
                         "(saving only the state dict again in PyTorch leaves such things out)",
                         module, name);
    MG_TRY(mg_pickle_new(u, MG_PICKLE_GLOBAL, value));
    u->p->value[*value].i = global;
    return MG_OK;
}

static mg_pickle_kind kind_of(const mg_unpickler *u, uint32_t value)
{
    return u->p->value[value].kind;
}

static bool is_global(const mg_unpickler *u, uint32_t value, int global)
{
    return kind_of(u, value) == MG_PICKLE_GLOBAL && u->p->value[value].i == global;
}

// --- storages ---------------------------------------------------------------------------------------

static bool is_plain_key(const char *text, uint32_t bytes)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    return bytes >= 1 && bytes <= MAX_KEY && strspn(text, allowed) == bytes;
}

// The storage of this key: found again, or new.
static mg_status add_storage(mg_unpickler *u, uint32_t key, mg_tensor_type type, int64_t count,
                             uint32_t *index)
{
    mg_pickle *p = u->p;
    mg_pickle_slot *slot;

    MG_TRY(mg_pickle_slot_of(u, UINT32_MAX, key, &slot));
    if (slot->found) {
        const mg_pickle_storage *s = &p->storage[ *index = slot->found - 1];
        if (s->type != type || s->count != count)
            return MG_REFUSE(u, "storage '%s' comes with two types or sizes",
                             mg_pickle_text(p, key, NULL));
        return MG_OK;
    }
    MG_TRY(mg_pickle_grow((void **)&p->storage, &p->storage_room, p->storages + 1,
                          sizeof *p->storage));
    p->storage[p->storages] = (mg_pickle_storage){key, type, count};
    *index = p->storages++;
    slot->found = p->storages;
    return MG_OK;
}

mg_status mg_pickle_persistent(mg_unpickler *u, uint32_t id, uint32_t *value)
{
    const mg_pickle *p = u->p;
    uint32_t m[6], expected = u->form == MG_PICKLE_STREAM ? 6 : 5, bytes, index = 0;

    if (kind_of(u, id) != MG_PICKLE_TUPLE || mg_pickle_members(p, id, m, 6) != expected ||
        !mg_pickle_is_text(p, m[0], "storage"))
        return MG_REFUSE(u, "a persistent id is no storage of %u items", expected);
    if (kind_of(u, m[1]) != MG_PICKLE_GLOBAL || p->value[m[1]].i < MG_GLOBAL_STORAGE)
        return MG_REFUSE(u, "a storage has no known type");
    if (kind_of(u, m[2]) != MG_PICKLE_TEXT || kind_of(u, m[3]) != MG_PICKLE_TEXT ||
        !is_plain_key(mg_pickle_text(p, m[2], &bytes), p->value[m[2]].text.bytes))
        return MG_REFUSE(u, "the key of a storage is no plain name");
    int64_t count = p->value[m[4]].i;
    if (kind_of(u, m[4]) != MG_PICKLE_INT || count < 0 || count >= MAX_COUNT)
        return MG_REFUSE(u, "the number of values of storage '%s' is out of bounds",
                         mg_pickle_text(p, m[2], NULL));
    if (expected == 6 && kind_of(u, m[5]) != MG_PICKLE_NONE)
        return MG_REFUSE(u, "storage '%s' is a view", mg_pickle_text(p, m[2], NULL));
    mg_tensor_type type = (mg_tensor_type)(p->value[m[1]].i - MG_GLOBAL_STORAGE);
    MG_TRY(add_storage(u, m[2], type, count, &index));
    MG_TRY(mg_pickle_new(u, MG_PICKLE_STORAGE, value));
    u->p->value[*value].i = index;
    return MG_OK;
}

// --- tensors ----------------------------------------------------------------------------------------

// The integers of a tuple, all at least 0.
static mg_status take_integers(mg_unpickler *u, uint32_t tuple, int64_t *out, int *count)
{
    const mg_pickle *p = u->p;
    uint32_t m[MG_PICKLE_DIMS];

    if (kind_of(u, tuple) != MG_PICKLE_TUPLE)
        return MG_REFUSE(u, "the shape of a tensor is no tuple");
    uint32_t n = mg_pickle_members(p, tuple, m, MG_PICKLE_DIMS);
    if (n > MG_PICKLE_DIMS)
        return MG_REFUSE(u, "a tensor has %u dimensions, at most %d are read", n, MG_PICKLE_DIMS);
    for (uint32_t i = 0; i < n; i++) {
        out[i] = p->value[m[i]].i;
        if (kind_of(u, m[i]) != MG_PICKLE_INT || out[i] < 0)
            return MG_REFUSE(u, "a size or stride of a tensor is no integer from 0");
    }
    *count = (int)n;
    return MG_OK;
}

// Does every element lie inside of its storage?
static mg_status check_extent(mg_unpickler *u, mg_pickle_tensor *t)
{
    int64_t storage = u->p->storage[t->storage].count, last = t->offset;
    bool empty = false, over = false;

    t->count = 1;
    for (int i = 0; i < t->ndim; i++) empty |= t->size[i] == 0;
    for (int i = 0; i < t->ndim && !empty; i++) {
        int64_t reach;
        over |= __builtin_mul_overflow(t->count, t->size[i], &t->count) || t->count >= MAX_COUNT;
        over |= __builtin_mul_overflow(t->size[i] - 1, t->stride[i], &reach) ||
                __builtin_add_overflow(last, reach, &last);
        if (over) return MG_REFUSE(u, "the size of a tensor is out of bounds");
    }
    if (empty) t->count = 0;
    if (empty ? t->offset > storage : last >= storage)
        return MG_REFUSE(u, "a tensor reaches past its storage of %lld values", (long long)storage);
    return MG_OK;
}

static mg_status rebuild_tensor(mg_unpickler *u, uint32_t args, uint32_t *value)
{
    mg_pickle *p = u->p;
    uint32_t m[7], n = mg_pickle_members(p, args, m, 7);
    mg_pickle_tensor t = {0};
    int strides;

    if (n != 6 && n != 7) return MG_REFUSE(u, "a tensor is made of %u values, expected 6 or 7", n);
    if (kind_of(u, m[0]) != MG_PICKLE_STORAGE)
        return MG_REFUSE(u, "a tensor is made of what is no storage");
    t.storage = (uint32_t)p->value[m[0]].i;
    t.offset = p->value[m[1]].i;
    if (kind_of(u, m[1]) != MG_PICKLE_INT || t.offset < 0)
        return MG_REFUSE(u, "the offset of a tensor is no integer from 0");
    MG_TRY(take_integers(u, m[2], t.size, &t.ndim));
    MG_TRY(take_integers(u, m[3], t.stride, &strides));
    if (strides != t.ndim)
        return MG_REFUSE(u, "a tensor has %d sizes and %d strides", t.ndim, strides);
    if (kind_of(u, m[4]) != MG_PICKLE_BOOL)
        return MG_REFUSE(u, "whether a tensor requires a gradient is neither True nor False");
    MG_TRY(check_extent(u, &t));
    MG_TRY(mg_pickle_grow((void **)&p->tensor, &p->tensor_room, p->tensors + 1, sizeof t));
    p->tensor[p->tensors] = t;
    MG_TRY(mg_pickle_new(u, MG_PICKLE_TENSOR, value));
    p->value[*value].i = p->tensors++;
    return MG_OK;
}

// --- calls ------------------------------------------------------------------------------------------

// OrderedDict() or OrderedDict([[key, value], ...]).
static mg_status ordered_dict(mg_unpickler *u, uint32_t args, uint32_t *value)
{
    uint32_t pairs, n = mg_pickle_members(u->p, args, &pairs, 1), pair[2];

    if (n > 1 || (n == 1 && kind_of(u, pairs) != MG_PICKLE_LIST))
        return MG_REFUSE(u, "an OrderedDict is not made of a list of pairs");
    MG_TRY(mg_pickle_new(u, MG_PICKLE_ORDERED, value));
    for (uint32_t c = n ? u->p->value[pairs].list.first : 0; c; c = u->p->cell[c].next) {
        uint32_t item = u->p->cell[c].value;
        mg_pickle_kind kind = kind_of(u, item);
        if ((kind != MG_PICKLE_TUPLE && kind != MG_PICKLE_LIST) ||
            mg_pickle_members(u->p, item, pair, 2) != 2)
            return MG_REFUSE(u, "an OrderedDict is not made of a list of pairs");
        MG_TRY(mg_pickle_set(u, *value, pair[0], pair[1]));
    }
    return MG_OK;
}

mg_status mg_pickle_reduce(mg_unpickler *u, uint32_t callee, uint32_t args, uint32_t *value)
{
    uint32_t m[3];

    if (kind_of(u, callee) != MG_PICKLE_GLOBAL || kind_of(u, args) != MG_PICKLE_TUPLE)
        return MG_REFUSE(u, "a call of what is no known function");
    uint32_t n = mg_pickle_members(u->p, args, m, 3);
    switch (u->p->value[callee].i) {
    case MG_GLOBAL_REBUILD_TENSOR:
        return rebuild_tensor(u, args, value);
    case MG_GLOBAL_ORDERED_DICT:
        return ordered_dict(u, args, value);
    case MG_GLOBAL_REBUILD_PARAMETER:
        if (n != 3 || kind_of(u, m[0]) != MG_PICKLE_TENSOR)
            return MG_REFUSE(u, "a parameter is not made of a tensor and two values");
        break;
    case MG_GLOBAL_TYPED_LIST:
        if (n != 1) return MG_REFUSE(u, "a typed list is made of %u values, expected 1", n);
        break;
    case MG_GLOBAL_RESTORE_TYPE:
        if (n != 2) return MG_REFUSE(u, "a typed value is made of %u values, expected 2", n);
        break;
    default:
        return MG_REFUSE(u, "a call of what is no known function");
    }
    *value = m[0];
    return MG_OK;
}

mg_status mg_pickle_new_object(mg_unpickler *u, uint32_t class, uint32_t args, uint32_t *value)
{
    bool module = is_global(u, class, MG_GLOBAL_MODULE);

    if (!module && !is_global(u, class, MG_GLOBAL_NAMESPACE))
        return MG_REFUSE(u, "an object of an unknown class");
    if (kind_of(u, args) != MG_PICKLE_TUPLE || u->p->value[args].list.count)
        return MG_REFUSE(u, "an object is made of arguments, expected none");
    return mg_pickle_new(u, module ? MG_PICKLE_OBJECT : MG_PICKLE_ARGS, value);
}

mg_status mg_pickle_build(mg_unpickler *u, uint32_t object, uint32_t state)
{
    mg_pickle_kind kind = kind_of(u, object), given = kind_of(u, state);
    uint32_t last = u->p->value[state].list.last;

    if (kind != MG_PICKLE_ORDERED && kind != MG_PICKLE_OBJECT && kind != MG_PICKLE_ARGS)
        return MG_REFUSE(u, "BUILD on what is no object");
    if (given != MG_PICKLE_DICT && given != MG_PICKLE_ORDERED)
        return MG_REFUSE(u, "the state of an object is no dict");
    if (kind == MG_PICKLE_ORDERED || !u->p->value[state].list.first) return MG_OK; // _metadata
    for (uint32_t c = u->p->value[state].list.first;; c = u->p->cell[c].next) {
        if (kind_of(u, u->p->cell[c].key) != MG_PICKLE_TEXT)
            return MG_REFUSE(u, "the name of an attribute is no text");
        MG_TRY(mg_pickle_set(u, object, u->p->cell[c].key, u->p->cell[c].value));
        if (c == last) break;
    }
    return MG_OK;
}
