// A PyTorch file in its zip form (text-and-weights.md d.2 to d.5): data.pkl with an OrderedDict of
// tensors, one stored entry for each tensor. It uses nothing but what torch.load(weights_only=True)
// accepts, and what our own reader accepts.
#include <stdio.h>
#include <string.h>

#include "models/weights.h"
#include "models/zip.h"
#include "runtime/mem.h"

// --- the pickle -------------------------------------------------------------------------------------

typedef struct {
    char *bytes;
    size_t count, room;
    bool failed; // no memory; told at the end
} pickle;

static void put(pickle *p, const void *bytes, size_t count)
{
    if (p->count + count > p->room) {
        size_t room = 2 * (p->count + count) + 4096;
        char *larger = mg_realloc(p->bytes, room);
        p->failed |= !larger;
        if (!larger) return;
        p->bytes = larger;
        p->room = room;
    }
    memcpy(p->bytes + p->count, bytes, count);
    p->count += count;
}

static void put_opcodes(pickle *p, const char *opcodes)
{
    put(p, opcodes, strlen(opcodes));
}

static void put_text(pickle *p, const char *text)
{
    uint32_t bytes = (uint32_t)strlen(text);

    put(p, "X", 1);
    put(p, &bytes, 4);
    put(p, text, bytes);
}

static void put_int(pickle *p, int64_t value)
{
    int32_t small = (int32_t)value;

    if (value == small) {
        put(p, "J", 1);
        put(p, &small, 4);
    } else {
        put(p, "\x8a\x08", 2);
        put(p, &value, 8);
    }
}

static void put_ints(pickle *p, const int64_t *value, int count)
{
    put(p, "(", 1);
    for (int i = 0; i < count; i++) put_int(p, value[i]);
    put(p, "t", 1);
}

static const char *storage_of(mg_tensor_type type)
{
    switch (type) {
    case MG_T_F32:
        return "ctorch\nFloatStorage\n";
    case MG_T_F64:
        return "ctorch\nDoubleStorage\n";
    case MG_T_F16:
        return "ctorch\nHalfStorage\n";
    case MG_T_BF16:
        return "ctorch\nBFloat16Storage\n";
    case MG_T_I64:
        return "ctorch\nLongStorage\n";
    case MG_T_I32:
        return "ctorch\nIntStorage\n";
    case MG_T_I16:
        return "ctorch\nShortStorage\n";
    case MG_T_I8:
        return "ctorch\nCharStorage\n";
    case MG_T_U8:
        return "ctorch\nByteStorage\n";
    case MG_T_BOOL:
        return "ctorch\nBoolStorage\n";
    default:
        return NULL;
    }
}

// name: _rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict())
static void put_tensor(pickle *p, const mg_tensor *t, int number)
{
    int64_t stride[MG_TENSOR_DIMS], step = 1;
    char key[16];

    for (int d = t->ndim - 1; d >= 0; d--) {
        stride[d] = step;
        step *= t->dim[d] ? t->dim[d] : 1;
    }
    snprintf(key, sizeof key, "%d", number);
    put_text(p, t->name);
    put_opcodes(p, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(p, "storage");
    put_opcodes(p, storage_of(t->type));
    put_text(p, key);
    put_text(p, "cpu");
    put_int(p, t->count);
    put_opcodes(p, "tQ");
    put_int(p, 0);
    put_ints(p, t->dim, t->ndim);
    put_ints(p, stride, t->ndim);
    put_opcodes(p, "\x89"
                   "ccollections\nOrderedDict\n)RtR");
}

static mg_status write_pickle(const mg_weights_source *what, mg_zip_writer *zip)
{
    pickle p = {0};
    mg_status st = MG_OK;

    put(&p, "\x80\x02", 2);
    put_opcodes(&p, "ccollections\nOrderedDict\n)R(");
    for (int i = 0; i < what->count; i++) put_tensor(&p, &what->tensor[i], i);
    put(&p, "u.", 2);
    if (p.failed) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a pickle");
    if (!st) st = mg_zip_add(zip, "archive/data.pkl", p.bytes, p.count);
    mg_free(p.bytes);
    return st;
}

// --- the file ---------------------------------------------------------------------------------------

static mg_status write_tensors(const mg_weights_source *what, mg_zip_writer *zip, void *bytes)
{
    char name[32];

    for (int i = 0; i < what->count; i++) {
        const mg_tensor *t = &what->tensor[i];
        snprintf(name, sizeof name, "archive/data/%d", i);
        MG_TRY(what->fill(what->self, i, bytes));
        MG_TRY(mg_zip_add(zip, name, bytes, (size_t)t->count * mg_tensor_type_size(t->type)));
    }
    return MG_OK;
}

mg_status mg_pth_write(const char *path, const mg_weights_source *what)
{
    mg_zip_writer *zip = NULL;
    size_t largest = 0;

    for (int i = 0; i < what->count; i++) {
        const mg_tensor *t = &what->tensor[i];
        size_t bytes = (size_t)t->count * mg_tensor_type_size(t->type);
        MG_CHECK(storage_of(t->type), MG_ERR_CONFIG,
                 "'%s': PyTorch files have no type %s, which tensor '%s' has", path,
                 mg_tensor_type_name(t->type), t->name);
        if (bytes > largest) largest = bytes;
    }
    void *bytes = mg_alloc(largest + 1);
    MG_CHECK(bytes, MG_ERR_MEMORY, "cannot allocate a tensor of %zu bytes", largest);
    mg_status st = mg_zip_create(path, &zip);
    if (!st) st = write_pickle(what, zip);
    if (!st) st = mg_zip_add(zip, "archive/byteorder", "little", 6);
    if (!st) st = write_tensors(what, zip, bytes);
    if (!st) st = mg_zip_add(zip, "archive/version", "3\n", 2);
    if (zip) {
        mg_status ended = mg_zip_finish(&zip, !st);
        if (!st) st = ended;
    }
    mg_free(bytes);
    return st;
}
