// medgraft convert: weights from one file form into another, and from one program's names into
// another's. A file whose names are known is held against the whole list of its tensors; any other is
// copied as it is.
#include <string.h>

#include "models/cmd.h"
#include "models/sam.h"
#include "models/text_prompt.h"
#include "models/weights_model.h"
#include "models/weights_save.h"
#include "runtime/log.h"
#include "runtime/mem.h"

typedef struct {
    char *from, *to, *type, *base, *part;
    int64_t image;
    mg_load_how how;
} settings;

// clang-format off
static const mg_option options[] = {
    {"convert.from", MG_CHOICE, offsetof(settings, from), "auto", 0, 0, "names in the file (auto: told from them)", "auto|sam|medsam|msa|mae|clip|hf-clip"},
    {"convert.to", MG_CHOICE, offsetof(settings, to), "same", 0, 0, "names to write: mae to sam and back, clip to hf-clip and back", "same|sam|medsam|msa|mae|clip|hf-clip"},
    {"convert.type", MG_CHOICE, offsetof(settings, type), "keep", 0, 0, "type of the values written; keep: that of the file", "keep|f32|f16|bf16"},
    {"convert.image", MG_INT, offsetof(settings, image), "0", 0, 8192, "side of the model input in pixels for which position tables are resized (0: as they are)", NULL},
    {"convert.part", MG_CHOICE, offsetof(settings, part), "whole", 0, 0, "trained: write only what a finetuned model trained, with the hash of its base", "whole|trained"},
    {"convert.base", MG_TEXT, offsetof(settings, base), "", 0, 0, "base model of a file that holds only what was trained: both are written as one model", NULL},
    MG_LOAD_ROWS("convert.", settings, how),
    {0},
};
// clang-format on

int mg_cmd_convert_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){options, NULL};
    return 1;
}

// --- files of unknown names -------------------------------------------------------------------------

static mg_status fill_raw(void *self, int i, void *bytes)
{
    return mg_weights_read(self, i, bytes);
}

typedef struct {
    mg_weights *w;
    mg_tensor_type type;
} typed;

static mg_status fill_typed(void *self, int i, void *bytes)
{
    const typed *t = self;
    const mg_tensor *source = mg_weights_at(t->w, i);
    float *values;

    if (!mg_tensor_type_is_float(source->type)) return mg_weights_read(t->w, i, bytes);
    values = mg_alloc((size_t)source->count * sizeof *values + 1);
    MG_CHECK(values, MG_ERR_MEMORY, "cannot allocate '%s'", source->name);
    mg_status st = mg_weights_read_f32(t->w, &(mg_weights_want){i, values}, 1);
    if (!st) mg_tensor_from_f32(bytes, t->type, values, (size_t)source->count);
    mg_free(values);
    return st;
}

// The type that was asked for; MG_T_COUNT: keep.
static mg_tensor_type wanted_type(const settings *s)
{
    if (!strcmp(s->type, "f32")) return MG_T_F32;
    if (!strcmp(s->type, "f16")) return MG_T_F16;
    return strcmp(s->type, "bf16") ? MG_T_COUNT : MG_T_BF16;
}

// Every tensor as it is, under its whole name.
static mg_status copy_all(mg_weights *w, const settings *s, const char *path)
{
    int count = mg_weights_count(w);
    typed self = {w, wanted_type(s)};
    bool keep = self.type == MG_T_COUNT, plain = !s->image && !s->base[0] && s->part[0] == 'w';

    MG_CHECK(plain, MG_ERR_CONFIG,
             "'%s' has names of no known kind: neither input side, part nor base can be chosen",
             mg_weights_path(w));
    mg_tensor *tensor = mg_calloc((size_t)count + 1, sizeof *tensor);
    MG_CHECK(tensor, MG_ERR_MEMORY, "cannot allocate a list of tensors");
    for (int i = 0; i < count; i++) {
        tensor[i] = *mg_weights_at(w, i);
        if (!keep && mg_tensor_type_is_float(tensor[i].type)) tensor[i].type = self.type;
    }
    mg_weights_source what = {tensor, count, mg_weights_notes(w), keep ? fill_raw : fill_typed,
                              keep ? (void *)w : (void *)&self};
    mg_status st = mg_weights_write(path, &what);
    if (!st) mg_info("wrote %s tensors %d names unknown", path, count);
    mg_free(tensor);
    return st;
}

// --- models -----------------------------------------------------------------------------------------

typedef struct {
    const settings *s;
    mg_weights *in, *base; // base: NULL without
    mg_weights_model model;
    mg_params p;
    bool *wanted;         // [p.count] to be written
    mg_tensor_type *type; // [p.count]
    const char *kind;
    char *config; // NULL: not known
} conversion;

static bool holds_part(const mg_weights *w)
{
    return mg_weights_note(w, "part") != NULL;
}

// Side of the model input that a file's notes name; 0 without.
static int side_of(const mg_weights *w)
{
    const char *text = mg_weights_note(w, "preprocessing");
    mg_json *notes = NULL;
    int side = 0;

    if (text && !mg_json_parse(text, strlen(text), mg_weights_path(w), &notes))
        side = (int)mg_json_int(mg_json_get(notes, "side"), 0);
    mg_err_clear();
    if (notes) mg_json_free(&notes);
    return side;
}

// Of a trained part: what its base lacks.
static void add_part(mg_params *p, const mg_weights *w)
{
    for (int i = 0; i < mg_weights_count(w); i++) {
        const mg_tensor *t = mg_weights_at(w, i);
        if (!t->key || mg_params_find(p, t->key) >= 0) continue;
        if (t->ndim == 1) mg_params_add(p, t->key, MG_INIT_ZERO, 0, 1, (int)t->dim[0]);
        if (t->ndim == 2)
            mg_params_add(p, t->key, MG_INIT_ZERO, 0, 2, (int)t->dim[0], (int)t->dim[1]);
    }
}

// The list of all tensors of the model that will be written, with memory for their values.
static mg_status make_table(conversion *c)
{
    mg_weights *sizes = c->base ? c->base : c->in;
    int side = (int)c->s->image;

    MG_CHECK(c->base || !holds_part(c->in), MG_ERR_CONFIG,
             "'%s' holds only what was trained: convert.base must name its base model",
             mg_weights_path(c->in));
    MG_CHECK(!c->base || holds_part(c->in), MG_ERR_CONFIG,
             "'%s' is a whole model and needs no convert.base", mg_weights_path(c->in));
    if (c->base && !side) side = side_of(c->in);
    mg_names names = mg_weights_names(sizes);
    if (strcmp(c->s->to, "same") != 0) MG_TRY(mg_names_parse(c->s->to, &names));
    MG_TRY(mg_weights_describe(sizes, &c->model));
    MG_TRY(mg_weights_model_as(&c->model, names, side));
    MG_TRY(mg_weights_table(&c->model, &c->p));
    if (c->base) add_part(&c->p, c->in);
    size_t n = (size_t)c->p.count + 1;
    c->wanted = mg_calloc(n, sizeof *c->wanted);
    c->type = mg_calloc(n, sizeof *c->type);
    MG_CHECK(c->wanted && c->type, MG_ERR_MEMORY, "cannot allocate a list of tensors");
    mg_tensor_type asked = wanted_type(c->s);
    for (int i = 0; i < c->p.count; i++) {
        c->type[i] = asked == MG_T_COUNT ? MG_T_F32 : asked;
        // MAE has no relative positions: for SAM they are zero. All else that is missing stays so.
        c->wanted[i] = strstr(c->p.list[i].name, ".attn.rel_pos_") != NULL;
    }
    return mg_params_alloc(&c->p);
}

// Values of one file; note which tensors it had.
static mg_status take_values(conversion *c, mg_weights *w)
{
    mg_load_plan plan = {0};
    mg_status st = mg_weights_fill(w, &c->s->how, &c->p, &plan);

    for (int k = 0; k < plan.steps && !st; k++) {
        mg_tensor_type stored = mg_weights_at(w, plan.step[k].source[0])->type;
        bool half = stored == MG_T_F16 || stored == MG_T_BF16;
        c->wanted[plan.step[k].target] = true;
        if (half && wanted_type(c->s) == MG_T_COUNT) c->type[plan.step[k].target] = stored;
    }
    mg_load_plan_free(&plan);
    return st;
}

// Settings with another input side; JSON is YAML.
static mg_status change_side(char **config, const char *name, int64_t side)
{
    mg_json *tree = NULL;

    MG_TRY(mg_yaml_parse(*config, name, &tree));
    mg_json_put_int((mg_json *)mg_json_get(tree, "model"), "image", side);
    char *text = mg_json_dump(tree, true);
    mg_json_free(&tree);
    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate the settings of a model");
    mg_free(*config);
    *config = text;
    return MG_OK;
}

static mg_status find_settings(conversion *c)
{
    bool own = mg_weights_note(c->in, "config") && mg_weights_names(c->in) == c->model.names;

    if (!own) return mg_model_settings(&c->model, &c->kind, &c->config);
    MG_TRY(mg_weights_settings(c->in, &c->kind, &c->config));
    return c->s->image ? change_side(&c->config, mg_weights_path(c->in), c->s->image) : MG_OK;
}

// Keep of c->wanted what the model's training changes.
static mg_status choose_part(conversion *c)
{
    mg_json *tree = NULL;

    MG_CHECK(c->config && !strcmp(c->kind, "finetune"), MG_ERR_CONFIG,
             "'%s' does not tell what was trained", mg_weights_path(c->in));
    MG_TRY(mg_yaml_parse(c->config, mg_weights_path(c->in), &tree));
    const mg_json *train = mg_json_get(tree, "train");
    const char *text = mg_json_text(mg_json_get(train, "mode"));
    const char *decoder = mg_json_text(mg_json_get(train, "decoder"));
    bool msa = text && !strcmp(text, "msa"), whole = decoder && !strcmp(decoder, "whole");
    mg_json_free(&tree);
    MG_CHECK(msa, MG_ERR_CONFIG, "'%s' was trained as a whole: there is no small part to write",
             mg_weights_path(c->in));
    mg_train_mode mode = whole ? MG_TRAIN_RELEASE : MG_TRAIN_MSA;
    for (int i = 0; i < c->p.count; i++)
        c->wanted[i] = c->wanted[i] && (mg_text_prompt_owns(c->p.list[i].name) ||
                                        mg_sam_trains(c->p.list[i].name, &mode));
    return MG_OK;
}

static mg_status write_model(conversion *c, const char *path)
{
    bool part = !strcmp(c->s->part, "trained");
    int count = 0;

    if (part) MG_TRY(choose_part(c));
    mg_json *notes = mg_model_notes(&c->p, c->kind, c->config);
    MG_CHECK(notes, MG_ERR_MEMORY, "cannot allocate the notes of a file");
    mg_status st = part ? mg_notes_of_part(notes, &c->p, c->wanted) : MG_OK;
    if (!st) st = mg_params_save(path, &c->p, c->wanted, c->type, notes);
    for (int i = 0; i < c->p.count; i++) count += c->wanted[i];
    if (!st)
        mg_info("wrote %s names %s tensors %d left_out %d", path, mg_names_text(c->model.names),
                count, c->p.count - count);
    mg_json_free(&notes);
    return st;
}

static mg_status convert_model(const settings *s, mg_weights *in, mg_weights *base,
                               const char *path)
{
    conversion c = {.s = s, .in = in, .base = base};
    mg_status st = make_table(&c);

    if (!st && base) st = take_values(&c, base);
    if (!st) st = take_values(&c, in);
    if (!st) st = find_settings(&c);
    if (!st) st = write_model(&c, path);
    mg_params_free(&c.p);
    mg_free(c.wanted);
    mg_free(c.type);
    mg_free(c.config);
    return st;
}

static mg_status check_names(const settings *s, const mg_weights *w)
{
    mg_names given = MG_NAMES_OTHER, found = mg_weights_names(w);

    if (!strcmp(s->from, "auto")) return MG_OK;
    MG_TRY(mg_names_parse(s->from, &given));
    MG_CHECK(given == found, MG_ERR_FORMAT, "'%s' has names of the kind %s, expected %s",
             mg_weights_path(w), mg_names_text(found), mg_names_text(given));
    return MG_OK;
}

static mg_status convert(const settings *s, const char *from, const char *to)
{
    mg_weights *in = NULL, *base = NULL;

    MG_TRY(mg_weights_check_name(to));
    mg_status st = mg_weights_open(from, 0, &in);
    if (!st) st = check_names(s, in);
    if (!st && s->base[0]) st = mg_weights_open(s->base, 0, &base);
    if (!st && mg_weights_names(in) == MG_NAMES_OTHER && !strcmp(s->to, "same"))
        st = copy_all(in, s, to);
    else if (!st)
        st = convert_model(s, in, base, to);
    mg_weights_close(&base);
    mg_weights_close(&in);
    return st;
}

mg_status mg_cmd_convert(const mg_args *args)
{
    settings s = {0};
    mg_option_group group = {options, &s};

    MG_CHECK(args->argc == 2, MG_ERR_CONFIG, "convert takes two files, IN and OUT, not %d",
             args->argc);
    MG_TRY(mg_args_load(args, &group, 1));
    mg_status st = convert(&s, args->argv[0], args->argv[1]);
    mg_config_free(&group, 1);
    return st;
}
