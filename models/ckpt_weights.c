// A medgraft checkpoint (runtime/checkpoint.h) as a weight file: its arrays "params/NAME" are the
// tensors, its facts the notes. HDF5 and the checksum want the arrays read together, so single reads
// keep all of them in memory.
#include <string.h>

#include "models/weights_private.h"
#include "runtime/checkpoint.h"
#include "runtime/mem.h"

static const char PREFIX[] = "params/";

typedef struct {
    float *values; // of all tensors, NULL until one is read
    float **start; // [count of w]
} ckpt_file;

static mg_status read_arrays(mg_weights *w, const mg_weights_want *want, int count)
{
    mg_ckpt_array *array = mg_calloc((size_t)count + 1, sizeof *array);
    mg_ckpt_fact *facts = NULL;
    int n = 0;
    mg_status st = array ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a table of arrays");

    for (int k = 0; k < count && !st; k++) {
        const mg_tensor *t = &w->tensor[want[k].tensor];
        array[k] = (mg_ckpt_array){.name = t->name, .data = want[k].out, .ndim = t->ndim};
        memcpy(array[k].dim, t->dim, (size_t)t->ndim * sizeof *t->dim);
        array[k].name = mg_sprintf("%s%s", PREFIX, t->name);
        if (!array[k].name) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a name");
    }
    mg_ckpt what = {.array = array, .arrays = count};
    if (!st) st = mg_ckpt_read(w->path, &what, &facts, &n);
    mg_ckpt_facts_free(&facts, n);
    for (int k = 0; array && k < count; k++) mg_free((char *)array[k].name);
    mg_free(array);
    return st;
}

static mg_status read_all(mg_weights *w)
{
    ckpt_file *f = w->self;
    mg_weights_want *want = mg_calloc((size_t)w->count + 1, sizeof *want);
    mg_status st = MG_OK;
    size_t at = 0;

    f->start = mg_calloc((size_t)w->count + 1, sizeof *f->start);
    f->values = mg_alloc((size_t)w->bytes + 1);
    if (!want || !f->start || !f->values)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the arrays of '%s'", w->path);
    for (int i = 0; i < w->count && !st; i++) {
        f->start[i] = f->values + at;
        want[i] = (mg_weights_want){i, f->start[i]};
        at += (size_t)w->tensor[i].count;
    }
    if (!st) st = read_arrays(w, want, w->count);
    mg_free(want);
    if (!st) return MG_OK;
    mg_free(f->values);
    mg_free(f->start);
    *f = (ckpt_file){0};
    return st;
}

static mg_status read_tensor(mg_weights *w, int i, void *out)
{
    ckpt_file *f = w->self;

    if (!f->values) MG_TRY(read_all(w));
    memcpy(out, f->start[i], (size_t)w->tensor[i].count * sizeof(float));
    return MG_OK;
}

// Many go straight to their place; one by one they come out of memory.
static mg_status read_f32(mg_weights *w, const mg_weights_want *want, int count)
{
    return count == 1 ? read_tensor(w, want->tensor, want->out) : read_arrays(w, want, count);
}

static void close_file(mg_weights *w)
{
    ckpt_file *f = w->self;

    mg_free(f->values);
    mg_free(f->start);
    mg_free(f);
    w->self = NULL;
}

static mg_status take_list(mg_weights *w, const mg_ckpt *list)
{
    const size_t n = strlen(PREFIX);

    w->notes = mg_json_object();
    MG_CHECK(w->notes, MG_ERR_MEMORY, "cannot allocate the notes of '%s'", w->path);
    for (int i = 0; i < list->facts; i++)
        mg_json_put_text(w->notes, list->fact[i].key, list->fact[i].value);
    MG_CHECK(!mg_json_failed(), MG_ERR_MEMORY, "cannot allocate the notes of '%s'", w->path);
    for (int i = 0; i < list->arrays; i++) {
        const mg_ckpt_array *a = &list->array[i];
        if (!strncmp(a->name, PREFIX, n))
            MG_TRY(mg_weights_add(w, a->name + n, 0, MG_T_F32, a->ndim, a->dim));
    }
    return MG_OK;
}

mg_status mg_ckpt_weights_open(mg_weights *w)
{
    static const mg_weights_reader reader = {read_tensor, read_f32, close_file};
    mg_ckpt list = {0};

    w->self = mg_calloc(1, sizeof(ckpt_file));
    MG_CHECK(w->self, MG_ERR_MEMORY, "cannot allocate a weight file");
    w->reader = &reader;
    w->format = "medgraft checkpoint";
    MG_TRY(mg_ckpt_list(w->path, &list));
    mg_status st = take_list(w, &list);
    mg_ckpt_list_free(&list);
    return st;
}
