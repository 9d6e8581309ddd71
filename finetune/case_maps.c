// Maps of a case: sampling, protocols, files.
#include "finetune/case_maps.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "datasets/decode.h"
#include "finetune/label_map.h"
#include "runtime/fsys.h"
#include "runtime/hash.h"
#include "runtime/json.h"
#include "runtime/mem.h"

void mg_case_maps_free(mg_case_maps *m)
{
    for (int i = 0; i < m->maps; i++) mg_free(m->map[i].best);
    mg_free(m->map);
    mg_free(m->picture), mg_free(m->reference), mg_free(m->sampled);
    *m = (mg_case_maps){0};
}

mg_status mg_case_maps_begin(mg_case_maps *m, int slice, int height, int width)
{
    int side = height > width ? height : width;
    double scale = side > MG_CASE_SIDE ? (double)MG_CASE_SIDE / side : 1;

    mg_case_maps_free(m);
    m->slice = slice;
    m->grid_height = height;
    m->grid_width = width;
    m->height = (int)fmax(1, floor(height * scale + 0.5));
    m->width = (int)fmax(1, floor(width * scale + 0.5));
    size_t cells = (size_t)m->height * m->width;
    m->picture = mg_calloc(3 * cells, 1);
    m->reference = mg_calloc(cells, 1);
    m->sampled = mg_alloc(cells * sizeof *m->sampled);
    if (m->picture && m->reference && m->sampled) return MG_OK;
    mg_case_maps_free(m);
    return MG_FAIL(MG_ERR_MEMORY, "cannot allocate maps of %d x %d", height, width);
}

// Place in [height, width] of cell i of what is kept.
static size_t from_cell(const mg_case_maps *m, size_t i, int height, int width)
{
    size_t y = i / (size_t)m->width, x = i % (size_t)m->width;

    if (m->slice >= 0) { // our grid has the back first, and the left side
        y = (size_t)m->height - 1 - y;
        x = (size_t)m->width - 1 - x;
    }
    return y * (size_t)height / (size_t)m->height * (size_t)width +
           x * (size_t)width / (size_t)m->width;
}

void mg_case_maps_picture(mg_case_maps *m, const uint8_t *pixels, int height, int width,
                          int channels)
{
    size_t cells = (size_t)m->height * m->width;

    for (size_t i = 0; i < cells; i++) {
        const uint8_t *from = pixels + from_cell(m, i, height, width) * (size_t)channels;
        for (int c = 0; c < 3; c++) m->picture[3 * i + c] = from[channels == 3 ? c : 0];
    }
}

void mg_case_maps_target(mg_case_maps *m, int number, const char *name, const uint8_t *mask)
{
    size_t cells = (size_t)m->height * m->width;

    snprintf(m->name[number - 1], sizeof m->name[0], "%s", name);
    for (size_t i = 0; i < cells; i++) {
        if (!mask[from_cell(m, i, m->grid_height, m->grid_width)]) continue;
        m->nested |= m->reference[i] != 0;
        m->reference[i] = (uint8_t)number;
    }
}

static mg_case_map *find_map(mg_case_maps *m, const char *protocol)
{
    for (int i = 0; i < m->maps; i++)
        if (strcmp(m->map[i].protocol, protocol) == 0) return &m->map[i];
    return NULL;
}

static mg_status add_map(mg_case_maps *m, const char *protocol, mg_case_map **out)
{
    size_t cells = (size_t)m->height * m->width;
    mg_case_map *grown = mg_realloc(m->map, ((size_t)m->maps + 1) * sizeof *grown);

    MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate a map of '%s'", protocol);
    m->map = grown;
    *out = &grown[m->maps];
    memset(*out, 0, sizeof **out);
    snprintf((*out)->protocol, sizeof(*out)->protocol, "%s", protocol);
    for (int i = 0; i < MG_CASE_TARGETS; i++) (*out)->dice[i] = NAN;
    (*out)->best = mg_calloc(cells, sizeof(float) + 1);
    MG_CHECK((*out)->best, MG_ERR_MEMORY, "cannot allocate a map of '%s'", protocol);
    (*out)->label = (uint8_t *)((*out)->best + cells);
    m->maps++;
    return MG_OK;
}

mg_status mg_case_maps_add(mg_case_maps *m, const char *protocol, int number, double dice,
                           const float *logits)
{
    size_t cells = (size_t)m->height * m->width;
    mg_case_map *map = find_map(m, protocol);

    if (!map) MG_TRY(add_map(m, protocol, &map));
    map->dice[number - 1] = dice;
    for (size_t i = 0; i < cells; i++)
        m->sampled[i] = logits[from_cell(m, i, m->grid_height, m->grid_width)];
    if (m->nested) memset(map->best, 0, cells * sizeof *map->best);
    mg_label_merge(map->best, map->label, m->sampled, cells, number);
    return MG_OK;
}

// --- files -------------------------------------------------------------------------------------------

// Write FOLDER/STEM-WHAT.png and note its name under a key.
static mg_status write_labels(const mg_case_maps *m, const uint8_t *label, const char *folder,
                              const char *stem, const char *what, mg_json *note, const char *key)
{
    char *name = mg_sprintf("%s-%s.png", stem, what), *path = mg_path_join(folder, name);
    mg_status st = path ? mg_label_write(path, label, m->height, m->width)
                        : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");

    mg_json_put_text(note, key, name);
    mg_free(name), mg_free(path);
    return st;
}

// In one channel where all are equal.
static mg_status write_picture(const mg_case_maps *m, const char *path)
{
    size_t cells = (size_t)m->height * m->width;
    uint8_t *grey = mg_alloc(cells);
    bool equal = true;

    MG_CHECK(grey, MG_ERR_MEMORY, "cannot allocate a picture");
    for (size_t i = 0; i < cells; i++) {
        const uint8_t *p = m->picture + 3 * i;
        grey[i] = p[0];
        equal &= p[0] == p[1] && p[0] == p[2];
    }
    mg_status st =
        mg_write_png(path, equal ? grey : m->picture, m->height, m->width, equal ? 1 : 3);
    mg_free(grey);
    return st;
}

static mg_json *targets_of(const mg_case_maps *m)
{
    mg_json *list = mg_json_array();

    for (int i = 0; i < MG_CASE_TARGETS; i++) {
        if (!*m->name[i]) continue;
        mg_json *target = mg_json_object();
        mg_json_put_int(target, "number", i + 1);
        mg_json_put_text(target, "name", m->name[i]);
        mg_json_append(list, target);
    }
    return list;
}

static mg_status write_maps(const mg_case_maps *m, const char *folder, const char *stem,
                            mg_json *list)
{
    for (int i = 0; i < m->maps; i++) {
        const mg_case_map *map = &m->map[i];
        mg_json *note = mg_json_object(), *dice = mg_json_array();
        char what[16];
        snprintf(what, sizeof what, "%d", i + 1);
        for (int t = 0; t < MG_CASE_TARGETS; t++)
            if (*m->name[t]) mg_json_append_real(dice, map->dice[t]);
        mg_json_put_text(note, "protocol", map->protocol);
        mg_json_put(note, "dice", dice);
        mg_status st = write_labels(m, map->label, folder, stem, what, note, "file");
        mg_json_append(list, note);
        if (st) return st;
    }
    return MG_OK;
}

static mg_status write_note(const mg_json *note, const char *path)
{
    char *text = mg_json_dump(note, true);

    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate '%s'", path);
    mg_status st = mg_write_file(path, text, strlen(text));
    mg_free(text);
    return st;
}

mg_status mg_case_maps_write(const mg_case_maps *m, const char *folder, const char *stem,
                             const char *set, const char *id)
{
    char *name = mg_sprintf("%s.json", stem), *picture = mg_sprintf("%s.png", stem);
    char *note_path = mg_path_join(folder, name), *path = mg_path_join(folder, picture);
    mg_json *note = mg_json_object(), *maps = mg_json_array();
    char hash[17];
    mg_status st = MG_OK;

    if (!note_path || !path) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
    mg_json_put_text(note, "kind", "case maps");
    mg_json_put_text(note, "set", set);
    mg_json_put_text(note, "case", id);
    if (m->slice >= 0) mg_json_put_int(note, "slice", m->slice);
    snprintf(hash, sizeof hash, "%016llx",
             (unsigned long long)mg_hash64(m->reference, (size_t)m->height * m->width));
    mg_json_put_text(note, "hash", hash);
    mg_json_put_text(note, "picture", picture);
    mg_json_put(note, "targets", targets_of(m));
    if (!st) st = mg_make_dirs(folder);
    if (!st) st = write_picture(m, path);
    if (!st) st = write_labels(m, m->reference, folder, stem, "reference", note, "reference");
    if (!st) st = write_maps(m, folder, stem, maps);
    mg_json_put(note, "maps", maps);
    if (!st) st = write_note(note, note_path); // last: what it names is there
    mg_json_free(&note);
    mg_free(name), mg_free(picture), mg_free(note_path), mg_free(path);
    return st;
}
