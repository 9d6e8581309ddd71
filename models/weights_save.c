// Weight files out of a table of parameters, and the notes that go with them.
#include "models/weights_save.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/checkpoint.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"
#include "runtime/program.h"
#include "runtime/yaml.h"

typedef enum { UNKNOWN, SAFETENSORS, PTH, CHECKPOINT } form;

static form form_of(const char *path)
{
    static const struct {
        const char *ending;
        form form;
    } known[] = {{".safetensors", SAFETENSORS},
                 {".pth", PTH},
                 {".pt", PTH},
                 {".bin", PTH},
                 {".h5", CHECKPOINT}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (mg_path_has_ext(path, known[i].ending)) return known[i].form;
    return UNKNOWN;
}

mg_status mg_weights_check_name(const char *path)
{
    MG_CHECK(form_of(path) != UNKNOWN, MG_ERR_CONFIG,
             "'%s': the ending of the name tells what to write, expected .safetensors, .pth, .pt, "
             ".bin or .h5",
             path);
    return MG_OK;
}

// --- checkpoints ------------------------------------------------------------------------------------

static int copy_facts(const mg_json *notes, mg_ckpt_fact *fact)
{
    const mg_json *value;
    const char *key;
    int n = 0;

    for (void *at = notes ? mg_json_next(notes, NULL, &key, &value) : NULL; at;
         at = mg_json_next(notes, at, &key, &value))
        fact[n++] = (mg_ckpt_fact){key, (char *)mg_json_text(value)};
    return n;
}

// One array of the file; its values are somebody else's.
static mg_status set_array(mg_ckpt_array *array, const char *name, int ndim, const int64_t *dim,
                           float *values)
{
    *array = (mg_ckpt_array){.name = mg_sprintf("params/%s", name), .data = values, .ndim = ndim};
    MG_CHECK(array->name, MG_ERR_MEMORY, "cannot allocate a name");
    memcpy(array->dim, dim, (size_t)ndim * sizeof *dim);
    return MG_OK;
}

static mg_status write_arrays(const char *path, mg_ckpt_array *array, int count,
                              const mg_json *notes)
{
    mg_ckpt_fact *fact = mg_calloc((notes ? mg_json_size(notes) : 0) + 1, sizeof *fact);

    MG_CHECK(fact, MG_ERR_MEMORY, "cannot allocate a list of facts");
    mg_ckpt all = {.array = array, .arrays = count, .fact = fact, .facts = copy_facts(notes, fact)};
    mg_status st = mg_ckpt_write(path, &all);
    mg_free(fact);
    return st;
}

static void free_arrays(mg_ckpt_array *array, int count)
{
    for (int i = 0; array && i < count; i++) mg_free((char *)array[i].name);
    mg_free(array);
}

static mg_status fill_arrays(const mg_weights_source *what, mg_ckpt_array *array, float *values)
{
    for (int i = 0; i < what->count; i++) {
        const mg_tensor *t = &what->tensor[i];
        MG_CHECK(t->type == MG_T_F32 && t->ndim <= 5, MG_ERR_CONFIG,
                 "a checkpoint holds float32 of at most 5 dimensions, not '%s' of type %s", t->name,
                 mg_tensor_type_name(t->type));
        MG_TRY(set_array(&array[i], t->name, t->ndim, t->dim, values));
        MG_TRY(what->fill(what->self, i, values));
        values += t->count;
    }
    return MG_OK;
}

static mg_status write_checkpoint(const char *path, const mg_weights_source *what)
{
    size_t floats = 0;
    mg_ckpt_array *array = mg_calloc((size_t)what->count + 1, sizeof *array);

    for (int i = 0; i < what->count; i++) floats += (size_t)what->tensor[i].count;
    float *values = mg_alloc((floats + 1) * sizeof *values);
    mg_status st = array && values ? fill_arrays(what, array, values)
                                   : MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu values", floats);
    if (!st) st = write_arrays(path, array, what->count, what->notes);
    free_arrays(array, what->count);
    mg_free(values);
    return st;
}

// The same without a copy of the values.
static mg_status save_checkpoint(const char *path, const mg_params *p, const bool *wanted,
                                 const mg_json *notes)
{
    mg_ckpt_array *array = mg_calloc((size_t)p->count + 1, sizeof *array);
    int count = 0;
    mg_status st = array ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a list of arrays");

    for (int i = 0; i < p->count && !st; i++) {
        const mg_param *t = &p->list[i];
        if (wanted && !wanted[i]) continue;
        st = set_array(&array[count++], t->name, t->ndim, t->dim, mg_weight(p, i));
    }
    if (!st) st = write_arrays(path, array, count, notes);
    free_arrays(array, count);
    return st;
}

mg_status mg_weights_write(const char *path, const mg_weights_source *what)
{
    MG_TRY(mg_weights_check_name(path));
    switch (form_of(path)) {
    case SAFETENSORS:
        return mg_safetensors_write(path, what);
    case PTH:
        return mg_pth_write(path, what);
    default:
        return write_checkpoint(path, what);
    }
}

// --- out of a table ---------------------------------------------------------------------------------

typedef struct {
    const mg_params *p;
    const mg_tensor *tensor;
    const int *index; // into the table
} table;

static mg_status fill_from_table(void *self, int i, void *bytes)
{
    const table *t = self;

    mg_tensor_from_f32(bytes, t->tensor[i].type, mg_weight(t->p, t->index[i]),
                       (size_t)t->tensor[i].count);
    return MG_OK;
}

mg_status mg_params_save(const char *path, const mg_params *p, const bool *wanted,
                         const mg_tensor_type *type, const mg_json *notes)
{
    if (form_of(path) == CHECKPOINT) return save_checkpoint(path, p, wanted, notes);
    mg_tensor *tensor = mg_calloc((size_t)p->count + 1, sizeof *tensor);
    int *index = mg_calloc((size_t)p->count + 1, sizeof *index), count = 0;
    mg_status st = MG_OK;

    if (!tensor || !index) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a list of tensors");
    for (int i = 0; i < p->count && !st; i++) {
        const mg_param *t = &p->list[i];
        if (wanted && !wanted[i]) continue;
        tensor[count] = (mg_tensor){.name = t->name,
                                    .type = type ? type[i] : MG_T_F32,
                                    .ndim = t->ndim,
                                    .count = (int64_t)t->size};
        memcpy(tensor[count].dim, t->dim, (size_t)t->ndim * sizeof *t->dim);
        index[count++] = i;
    }
    table self = {p, tensor, index};
    mg_weights_source what = {tensor, count, notes, fill_from_table, &self};
    if (!st) st = mg_weights_write(path, &what);
    mg_free(tensor);
    mg_free(index);
    return st;
}

// --- notes ------------------------------------------------------------------------------------------

// Do the settings ask for square input (model.resize)? MG_ERR_MEMORY; settings that cannot be read do not.
static mg_status find_square(const char *config, bool *square)
{
    mg_json *tree = NULL;

    *square = false;
    mg_status st = config ? mg_yaml_parse(config, "settings of a model", &tree) : MG_OK;
    const char *resize = mg_json_text(mg_json_get(mg_json_get(tree, "model"), "resize"));
    *square = resize && !strcmp(resize, "square");
    if (tree) mg_json_free(&tree);
    if (st != MG_ERR_MEMORY) mg_err_clear();
    return st == MG_ERR_MEMORY ? st : MG_OK;
}

// How a picture becomes the input of a SAM of this side (model.md sections 3 and 11).
static char *preprocessing(int64_t side, bool square)
{
    return mg_sprintf(
        "{\"side\":%" PRId64 ",\"%s\":\"resized to side by the triangle filter, rounded to 8 "
        "bits\",\"mean\":[123.675,116.28,103.53],\"std\":[58.395,57.12,57.375],\"padding\":"
        "\"%s\"}",
        side, square ? "both_sides" : "long_side",
        square ? "none" : "zeros at right and bottom, after normalising");
}

mg_json *mg_model_notes(const mg_params *p, const char *kind, const char *config)
{
    int grid = mg_params_find(p, "image_encoder.pos_embed");
    int patch = mg_params_find(p, "image_encoder.patch_embed.proj.weight");
    bool pictures = grid >= 0 && patch >= 0, square;

    if (find_square(config, &square)) return NULL;
    int64_t side = pictures ? p->list[grid].dim[1] * p->list[patch].dim[2] : 0;
    char *text = pictures ? preprocessing(side, square) : NULL;
    if (pictures && !text) return NULL;
    mg_json *notes = mg_json_object();
    if (kind) mg_json_put_text(notes, "kind", kind);
    if (config) mg_json_put_text(notes, "config", config);
    mg_json_put_text(notes, "version", mg_version());
    if (text) mg_json_put_text(notes, "preprocessing", text);
    mg_free(text);
    if (mg_json_failed() && notes) mg_json_free(&notes);
    return notes;
}

mg_status mg_notes_of_part(mg_json *notes, const mg_params *p, const bool *part)
{
    bool *rest = mg_calloc((size_t)p->count + 1, sizeof *rest);
    uint64_t hash = 0;
    char text[20];

    MG_CHECK(rest, MG_ERR_MEMORY, "cannot allocate a list of tensors");
    for (int i = 0; i < p->count; i++) rest[i] = !part[i];
    mg_status st = mg_params_hash_of(p, rest, &hash);
    mg_free(rest);
    if (st) return st;
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    mg_json_put_text(notes, "part", "trained");
    mg_json_put_text(notes, "base_xxh3", text);
    MG_CHECK(!mg_json_failed(), MG_ERR_MEMORY, "cannot allocate the notes of a file");
    return MG_OK;
}
