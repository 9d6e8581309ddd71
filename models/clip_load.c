// CLIP's text transformer out of a weight file; see clip_load.h. The parameter table has OpenAI's
// names and layout. In Hugging Face's layout q, k and v are three tensors, which lie one after the
// other in OpenAI's one, and the projection is transposed.
#include "models/clip_load.h"

#include <stdio.h>
#include <string.h>

#include "runtime/fsys.h"
#include "runtime/json.h"
#include "runtime/mem.h"

enum { MESSAGE = 2000 };

// A pass over the parameters: what is wanted from the file, and what is not there as it should be.
typedef struct {
    const mg_weights *file;
    mg_weights_want *want;
    int wanted;
    char wrong[MESSAGE];
} gathering;

static void note_wrong(gathering *g, const char *name, const char *what)
{
    size_t used = strlen(g->wrong);
    snprintf(g->wrong + used, MESSAGE - used, "%s'%s'%s", used ? ", " : "", name, what);
}

static void gather(gathering *g, const char *name, float *out, int ndim, const int64_t *dim)
{
    int i = mg_weights_find(g->file, name);

    if (i < 0) {
        note_wrong(g, name, "");
        return;
    }
    const mg_tensor *t = mg_weights_at(g->file, i);
    bool fits = t->ndim == ndim;
    for (int d = 0; fits && d < ndim; d++) fits = t->dim[d] == dim[d];
    if (!fits) note_wrong(g, name, " (its shape is another)");
    g->want[g->wanted++] = (mg_weights_want){i, out};
}

// --- Hugging Face's names ---------------------------------------------------------------------------

static const char HF_TOKENS[] = "text_model.embeddings.token_embedding.weight";

static const struct {
    const char *openai, *hf;
} names[] = {
    {"token_embedding.weight", HF_TOKENS},
    {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
    {"ln_final.weight", "text_model.final_layer_norm.weight"},
    {"ln_final.bias", "text_model.final_layer_norm.bias"},
    {"text_projection", "text_projection.weight"},
    // Below "transformer.resblocks.L." and "text_model.encoder.layers.L.".
    {"ln_1.weight", "layer_norm1.weight"},
    {"ln_1.bias", "layer_norm1.bias"},
    {"attn.in_proj_weight", "self_attn.%c_proj.weight"},
    {"attn.in_proj_bias", "self_attn.%c_proj.bias"},
    {"attn.out_proj.weight", "self_attn.out_proj.weight"},
    {"attn.out_proj.bias", "self_attn.out_proj.bias"},
    {"ln_2.weight", "layer_norm2.weight"},
    {"ln_2.bias", "layer_norm2.bias"},
    {"mlp.c_fc.weight", "mlp.fc1.weight"},
    {"mlp.c_fc.bias", "mlp.fc1.bias"},
    {"mlp.c_proj.weight", "mlp.fc2.weight"},
    {"mlp.c_proj.bias", "mlp.fc2.bias"},
};

// The name in Hugging Face's files; with q, k, v in its place "%c" remains. The table has all.
static void hf_name(char *out, size_t room, const char *openai)
{
    int layer = -1, skip = 0;

    if (sscanf(openai, "transformer.resblocks.%d.%n", &layer, &skip) == 1) openai += skip;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].openai, openai)) continue;
        if (layer < 0)
            snprintf(out, room, "%s", names[i].hf);
        else
            snprintf(out, room, "text_model.encoder.layers.%d.%s", layer, names[i].hf);
    }
}

static void gather_hf(gathering *g, const mg_param *t, float *out)
{
    char name[160] = "", part[160];
    int64_t dim[2] = {t->dim[0], t->ndim > 1 ? t->dim[1] : 0};

    hf_name(name, sizeof name, t->name);
    char *which = strstr(name, "%c");
    if (!which) {
        if (!strcmp(t->name, "text_projection")) dim[0] = t->dim[1], dim[1] = t->dim[0];
        gather(g, name, out, t->ndim, dim);
        return;
    }
    dim[0] /= 3;
    for (int i = 0; i < 3; i++) {
        snprintf(part, sizeof part, "%.*s%c%s", (int)(which - name), name, "qkv"[i], which + 2);
        gather(g, part, out + (size_t)i * (t->size / 3), t->ndim, dim);
    }
}

static mg_status transpose(float *matrix, int rows, int cols)
{
    size_t n = (size_t)rows * cols;
    float *from = mg_alloc(n * sizeof *from);

    MG_CHECK(from, MG_ERR_MEMORY, "cannot allocate a matrix of %zu values", n);
    memcpy(from, matrix, n * sizeof *from);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++) matrix[(size_t)c * rows + r] = from[(size_t)r * cols + c];
    mg_free(from);
    return MG_OK;
}

static mg_status read_values(mg_weights *file, bool hf, mg_clip_text *m)
{
    mg_params *p = &m->params;
    gathering *g = mg_calloc(1, sizeof *g);
    mg_status st = MG_OK;

    MG_CHECK(g, MG_ERR_MEMORY, "cannot allocate a list of tensors");
    g->file = file;
    g->want = mg_calloc(3 * (size_t)p->count, sizeof *g->want);
    if (!g->want) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a list of tensors");
    for (int i = 0; i < p->count && !st; i++) {
        const mg_param *t = &p->list[i];
        if (hf)
            gather_hf(g, t, mg_weight(p, i));
        else
            gather(g, t->name, mg_weight(p, i), t->ndim, t->dim);
    }
    if (!st && g->wrong[0])
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' lacks tensors of CLIP's text transformer: %s",
                     mg_weights_path(file), g->wrong);
    if (!st) st = mg_weights_read_f32(file, g->want, g->wanted);
    if (!st && hf) st = transpose(mg_weight(p, m->projection), m->cfg.embed, m->cfg.width);
    mg_free(g->want);
    mg_free(g);
    return st;
}

// --- sizes ------------------------------------------------------------------------------------------

// Size `d` of a tensor of two dimensions; 0 if there is none.
static int size_of(const mg_weights *file, const char *name, int d)
{
    int i = mg_weights_find(file, name);
    const mg_tensor *t = i < 0 ? NULL : mg_weights_at(file, i);

    return t && t->ndim == 2 && t->dim[d] > 0 && t->dim[d] <= 1 << 24 ? (int)t->dim[d] : 0;
}

static int count_layers(const mg_weights *file, bool hf)
{
    char name[128];
    int n = 0;

    do {
        snprintf(name, sizeof name,
                 hf ? "text_model.encoder.layers.%d.mlp.fc1.weight"
                    : "transformer.resblocks.%d.mlp.c_fc.weight",
                 n);
    } while (size_of(file, name, 0) && n++ < MG_CLIP_LAYERS_MOST);
    return n;
}

static mg_status sizes(const mg_weights *file, bool hf, mg_clip_config *c)
{
    const char *tokens = hf ? HF_TOKENS : "token_embedding.weight";
    const char *positions =
        hf ? "text_model.embeddings.position_embedding.weight" : "positional_embedding";
    const char *hidden = hf ? "text_model.encoder.layers.0.mlp.fc1.weight"
                            : "transformer.resblocks.0.mlp.c_fc.weight";
    const char *projection = hf ? "text_projection.weight" : "text_projection";

    *c = (mg_clip_config){.vocab = size_of(file, tokens, 0),
                          .width = size_of(file, tokens, 1),
                          .context = size_of(file, positions, 0),
                          .hidden = size_of(file, hidden, 0),
                          .embed = size_of(file, projection, hf ? 0 : 1),
                          .layers = count_layers(file, hf),
                          .eps = 1e-5};
    MG_CHECK(c->vocab && c->context && c->hidden && c->embed, MG_ERR_FORMAT,
             "'%s' is not a CLIP model with a text projection: it lacks '%s'",
             mg_weights_path(file),
             !c->vocab     ? tokens
             : !c->context ? positions
             : !c->hidden  ? hidden
                           : projection);
    return MG_OK;
}

static mg_status equal(const mg_json *text, const char *key, int expected, const char *path)
{
    int64_t value = mg_json_int(mg_json_get(text, key), expected);

    MG_CHECK(value == expected, MG_ERR_FORMAT, "'%s' has %s %lld, the weights have %d", path, key,
             (long long)value, expected);
    return MG_OK;
}

// What config.json alone knows, and whether the rest of it belongs to these weights.
static mg_status read_config(const char *path, mg_clip_config *c)
{
    mg_json *json = NULL;
    mg_status st;

    MG_TRY(mg_json_read(path, &json));
    const mg_json *text = mg_json_get(json, "text_config");
    if (!text) text = json;
    const char *act = mg_json_text(mg_json_get(text, "hidden_act"));
    c->heads = (int)mg_json_int(mg_json_get(text, "num_attention_heads"), 8);
    c->eps = mg_json_real(mg_json_get(text, "layer_norm_eps"), 1e-5);
    st = equal(text, "hidden_size", c->width, path);
    if (!st) st = equal(text, "intermediate_size", c->hidden, path);
    if (!st) st = equal(text, "num_hidden_layers", c->layers, path);
    if (!st) st = equal(text, "vocab_size", c->vocab, path);
    if (!st) st = equal(text, "max_position_embeddings", c->context, path);
    if (!st) st = equal(json, "projection_dim", c->embed, path);
    if (!st && act && strcmp(act, "quick_gelu"))
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' has hidden_act '%s', expected 'quick_gelu'", path, act);
    if (!st && !(c->eps > 0 && c->eps < 1))
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' has layer_norm_eps %g", path, c->eps);
    mg_json_free(&json);
    return st;
}

// config.json, or NAME_config.json, beside NAME.safetensors. NULL if there is none. mg_free.
static char *config_beside(const char *file)
{
    char *dir = mg_path_dir(file), *stem = mg_path_stem(file);
    char *own = mg_sprintf("%s/%s_config.json", dir, stem);
    char *plain = mg_sprintf("%s/config.json", dir);
    char *found = own && mg_path_is_file(own)       ? mg_strdup(own)
                  : plain && mg_path_is_file(plain) ? mg_strdup(plain)
                                                    : NULL;
    mg_free(dir);
    mg_free(stem);
    mg_free(own);
    mg_free(plain);
    return found;
}

static mg_status settle(const mg_weights *file, const char *config, int heads, bool hf,
                        mg_clip_config *c)
{
    char *beside = config ? NULL : config_beside(mg_weights_path(file));
    mg_status st = sizes(file, hf, c);

    if (!st) c->heads = c->width / 64;
    if (!st && (config || beside)) st = read_config(config ? config : beside, c);
    if (heads > 0) c->heads = heads;
    mg_free(beside);
    return st;
}

mg_status mg_clip_text_load(const char *path, const char *config, int heads, mg_clip_text *out)
{
    mg_weights *file = NULL;
    mg_clip_config c;

    *out = (mg_clip_text){0};
    MG_TRY(mg_weights_open(path, 0, &file));
    bool hf = mg_weights_find(file, HF_TOKENS) >= 0;
    mg_status st = settle(file, config, heads, hf, &c);
    if (!st) st = mg_clip_text_build(&c, out);
    if (!st) st = read_values(file, hf, out);
    if (st) mg_clip_text_free(out);
    mg_weights_close(&file);
    return st;
}
