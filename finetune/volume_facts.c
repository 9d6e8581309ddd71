// Looking through the items of the sets; no pixels are read.
#include "finetune/volume_facts.h"

#include <math.h>
#include <string.h>

#include "runtime/mem.h"

typedef struct {
    int64_t volumes, ct;
    double spacing[3]; // z, y, x; 0: not the same for all
    bool crop;
    char contrasts[64];
} facts;

static double common(double a, double b)
{
    return fabs(a - b) <= 1e-3 * a ? a : 0;
}

// Something was cut off: the stored cells do not reach both ends of the original grid.
static bool is_cut(const mg_shard_item *item, int axis)
{
    const int stored[3] = {item->depth, item->height, item->width};
    const int full[3] = {item->full_depth, item->full_height, item->full_width};
    const double *grid = item->volume->grid[axis];
    double last = grid[0] + grid[1] * (stored[axis] - 1);

    return grid[0] > 0 || last < full[axis] - 1 - grid[1] / 2 - 1e-6;
}

// Names of the contrasts of the three inputs, "flair,t1ce,t2"; "flair" if they are the same, "" if one is
// missing.
static void name_inputs(const mg_shard_volume *v, char *out, size_t room)
{
    bool same = v->input[0] == v->input[1] && v->input[0] == v->input[2];

    out[0] = '\0';
    for (int k = 0; k < (same ? 1 : 3); k++) {
        const char *name = v->contrasts;
        for (int c = 0; c < v->input[k] && *name; c++) {
            name += strcspn(name, ",");
            name += *name == ',';
        }
        size_t used = strlen(out), length = strcspn(name, ",");
        if (v->input[k] < 0 || length == 0) {
            out[0] = '\0';
            return;
        }
        snprintf(out + used, room - used, "%s%.*s", used ? "," : "", (int)length, name);
    }
}

static void look_at(const mg_shard_item *item, facts *f)
{
    for (int a = 0; a < 3; a++) {
        f->spacing[a] = f->volumes ? common(f->spacing[a], item->spacing[a]) : item->spacing[a];
        f->crop = f->crop || is_cut(item, a);
    }
    f->volumes++;
    f->ct += strcmp(item->modality, "CT") == 0;
    if (!f->contrasts[0]) name_inputs(item->volume, f->contrasts, sizeof f->contrasts);
}

static void set_text(char **text, const char *value)
{
    mg_free(*text);
    *text = mg_strdup(value);
}

static void set_spacing(mg_list *list, const double spacing[3])
{
    for (int i = 0; i < list->count; i++) mg_free(list->item[i]);
    mg_free(list->item);
    list->count = 0;
    list->item = mg_calloc(3, sizeof *list->item);
    for (int a = 2; a >= 0 && list->item; a--) {
        list->item[list->count] = mg_sprintf("%.17g", spacing[a]);
        if (list->item[list->count]) list->count++;
    }
}

mg_status mg_volume_facts_note(const mg_reader *reader, mg_finetune_config *c)
{
    facts f = {0};

    for (int64_t i = 0; i < mg_reader_count(reader); i++)
        if (mg_reader_item(reader, i)->volume) look_at(mg_reader_item(reader, i), &f);
    if (f.volumes == 0) return MG_OK;
    set_text(&c->modality, f.ct == f.volumes ? "CT" : f.ct == 0 ? "other" : "");
    set_text(&c->contrasts, f.contrasts);
    set_spacing(&c->spacing, f.spacing);
    c->crop = f.crop;
    MG_CHECK(c->modality && c->contrasts && c->spacing.count == 3, MG_ERR_MEMORY,
             "cannot allocate the facts of volumes");
    return MG_OK;
}
