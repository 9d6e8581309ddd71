// Facts and hash of a weight file.
#include "models/weights_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "models/weights_model.h"
#include "runtime/fsys.h"
#include "runtime/hash.h"
#include "runtime/mem.h"

bool mg_is_weight_file(const char *path)
{
    static const char *const endings[] = {".pth", ".pt", ".bin", ".safetensors",
                                          ".safetensors.index.json"};
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin"};
    bool found = false;

    if (!mg_path_is_dir(path)) {
        for (size_t i = 0; i < sizeof endings / sizeof *endings && !found; i++)
            found = mg_path_has_ext(path, endings[i]);
        return found;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) {
        char *file = mg_path_join(path, names[i]);
        found = file && mg_path_is_file(file);
        mg_free(file);
    }
    return found;
}

// --- facts ------------------------------------------------------------------------------------------

static mg_json *types_json(const mg_weights *w)
{
    int64_t count[MG_T_COUNT] = {0};
    mg_json *types = mg_json_object();

    for (int i = 0; i < mg_weights_count(w); i++) count[mg_weights_at(w, i)->type]++;
    for (int t = 0; t < MG_T_COUNT; t++)
        if (count[t]) mg_json_put_int(types, mg_tensor_type_name((mg_tensor_type)t), count[t]);
    return types;
}

static mg_json *arrays_json(const mg_weights *w)
{
    mg_json *arrays = mg_json_object();
    char text[400];

    for (int i = 0; i < mg_weights_count(w); i++) {
        const mg_tensor *t = mg_weights_at(w, i);
        int at = snprintf(text, sizeof text, "%s [", mg_tensor_type_name(t->type));
        for (int d = 0; d < t->ndim; d++)
            at += snprintf(text + at, sizeof text - (size_t)at, d ? ",%" PRId64 : "%" PRId64,
                           t->dim[d]);
        snprintf(text + at, sizeof text - (size_t)at, "]");
        mg_json_put_text(arrays, t->name, text);
    }
    return arrays;
}

// Notes that fit on a line; longer ones (settings) by their length.
static mg_json *notes_json(const mg_weights *w)
{
    mg_json *notes = mg_json_object();
    const mg_json *value, *all = mg_weights_notes(w);
    const char *key;

    for (void *at = all ? mg_json_next(all, NULL, &key, &value) : NULL; at;
         at = mg_json_next(all, at, &key, &value)) {
        const char *text = mg_json_text(value);
        if (strchr(text, '\n') || strlen(text) > 100)
            mg_json_put_int(notes, key, (int64_t)strlen(text));
        else
            mg_json_put_text(notes, key, text);
    }
    return notes;
}

// Sizes of a model whose names are known. A file of a trained part, or a damaged one, tells none.
static void put_model(const mg_weights *w, mg_json *facts)
{
    mg_weights_model m;
    mg_names names = mg_weights_names(w);
    bool told = !mg_weights_describe(w, &m);

    mg_err_clear();
    mg_json_put_text(facts, "names", mg_names_text(names));
    if (!told) return;
    if (names == MG_NAMES_SAM || names == MG_NAMES_MAE) {
        mg_json *encoder = mg_json_object();
        if (m.size) mg_json_put_text(encoder, "size", m.size);
        mg_json_put_int(encoder, "side", m.vit.Y);
        mg_json_put_int(encoder, "patch", m.vit.patch);
        mg_json_put_int(encoder, "width", m.vit.D);
        mg_json_put_int(encoder, "blocks", m.vit.depth);
        if (m.vit.adapter) mg_json_put_int(encoder, "adapters", m.vit.adapter);
        mg_json_put(facts, "image_encoder", encoder);
    } else if (names != MG_NAMES_OTHER) {
        mg_json *text = mg_json_object();
        mg_json_put_int(text, "width", m.width);
        mg_json_put_int(text, "blocks", m.layers);
        mg_json_put_int(text, "context", m.context);
        mg_json_put_int(text, "vocabulary", m.vocab);
        mg_json_put_int(text, "embedding", m.embed);
        mg_json_put(facts, "text_transformer", text);
    }
}

static mg_status read_every(mg_weights *w)
{
    mg_status st = MG_OK;

    for (int i = 0; i < mg_weights_count(w) && !st; i++) {
        const mg_tensor *t = mg_weights_at(w, i);
        void *bytes = mg_alloc((size_t)t->count * mg_tensor_type_size(t->type) + 1);
        MG_CHECK(bytes, MG_ERR_MEMORY, "cannot allocate '%s'", t->name);
        st = mg_weights_read(w, i, bytes);
        mg_free(bytes);
    }
    return st;
}

mg_status mg_weights_facts(const char *path, bool verify, bool arrays, mg_json *facts)
{
    mg_weights *w = NULL;
    int64_t values = 0, others = 0;

    MG_TRY(mg_weights_open(path, 0, &w));
    for (int i = 0; i < mg_weights_count(w); i++) {
        const mg_tensor *t = mg_weights_at(w, i);
        *(t->key && mg_tensor_type_is_float(t->type) ? &values : &others) += t->count;
    }
    mg_json_put_text(facts, "kind", "weights");
    mg_json_put_text(facts, "file", mg_path_base(mg_weights_path(w)));
    mg_json_put_text(facts, "format", mg_weights_format(w));
    mg_json_put_int(facts, "bytes", mg_path_size(mg_weights_path(w)));
    put_model(w, facts);
    mg_json_put_int(facts, "tensors", mg_weights_count(w));
    mg_json_put_int(facts, "parameters", values);
    if (others) mg_json_put_int(facts, "other_values", others);
    mg_json_put(facts, "types", types_json(w));
    if (mg_weights_notes(w)) mg_json_put(facts, "notes", notes_json(w));
    if (arrays) mg_json_put(facts, "arrays", arrays_json(w));
    mg_status st = verify ? read_every(w) : MG_OK;
    if (verify && !st) mg_json_put_int(facts, "verified", mg_weights_count(w));
    mg_weights_close(&w);
    return st;
}

// --- hash -------------------------------------------------------------------------------------------

// Indices of the floating-point tensors of the state dict in the model's order: those of its table, then
// what the table does not have. Returns how many.
static int in_model_order(const mg_weights *w, const mg_params *table, int *order, bool *taken)
{
    int count = 0;

    for (int i = 0; i < table->count; i++) {
        int t = mg_weights_find(w, table->list[i].name);
        if (t < 0 || !mg_tensor_type_is_float(mg_weights_at(w, t)->type)) continue;
        order[count++] = t;
        taken[t] = true;
    }
    for (int t = 0; t < mg_weights_count(w); t++) {
        const mg_tensor *tensor = mg_weights_at(w, t);
        if (tensor->key && !taken[t] && mg_tensor_type_is_float(tensor->type)) order[count++] = t;
    }
    return count;
}

static mg_status hash_tensors(mg_weights *w, const int *order, int count, uint64_t *hash)
{
    mg_hasher *h = mg_hasher_new();
    mg_status st = h ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a hash");

    for (int k = 0; k < count && !st; k++) {
        size_t values = (size_t)mg_weights_at(w, order[k])->count;
        float *x = mg_alloc((values + 1) * sizeof *x);
        st = x ? mg_weights_read_f32(w, &(mg_weights_want){order[k], x}, 1)
               : MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu values", values);
        if (!st) mg_hasher_add(h, x, values * sizeof *x);
        mg_free(x);
    }
    if (!st) *hash = mg_hasher_64(h);
    if (h) mg_hasher_free(&h);
    return st;
}

mg_status mg_weights_hash(const char *path, uint64_t *hash)
{
    mg_weights *w = NULL;
    mg_weights_model m;
    mg_params table = {0};

    MG_TRY(mg_weights_open(path, 0, &w));
    if (!mg_weights_describe(w, &m) && m.names != MG_NAMES_OTHER) mg_weights_table(&m, &table);
    mg_err_clear();
    size_t n = (size_t)mg_weights_count(w) + 1;
    int *order = mg_calloc(n, sizeof *order);
    bool *taken = mg_calloc(n, sizeof *taken);
    mg_status st = MG_OK;
    if (!order || !taken) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a list of tensors");
    if (!st) st = hash_tensors(w, order, in_model_order(w, &table, order, taken), hash);
    mg_free(order);
    mg_free(taken);
    mg_params_free(&table);
    mg_weights_close(&w);
    return st;
}
