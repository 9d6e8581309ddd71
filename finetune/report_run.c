// What a report reads from a run folder: provenance.json, metrics.jsonl, the scores of an
// evaluation, the names of pictures/*.png, maps/*.json.
#include <math.h>
#include <string.h>

#include "finetune/cells.h"
#include "finetune/report.h"
#include "runtime/log.h"
#include "runtime/mem.h"

enum { MAX_METRICS = 1 << 30, MAX_SERIES = 64 };

void mg_report_run_free(mg_report_run *run)
{
    for (int i = 0; i < run->series_count; i++) {
        mg_free(run->series[i].key);
        mg_free(run->series[i].x);
        mg_free(run->series[i].y);
    }
    mg_free(run->series);
    mg_free(run->path);
    mg_free(run->name);
    mg_json_free(&run->provenance);
    mg_scores_free(&run->scores);
    mg_texts_free(&run->pictures);
    for (int i = 0; i < run->maps; i++) mg_json_free(&run->map[i]);
    mg_free(run->map);
    *run = (mg_report_run){0};
}

// --- metrics.jsonl -----------------------------------------------------------------------------------

static mg_series *find_series(mg_report_run *run, const char *key)
{
    for (int i = 0; i < run->series_count; i++)
        if (strcmp(run->series[i].key, key) == 0) return &run->series[i];
    return NULL;
}

static mg_status add_series(mg_report_run *run, const char *key, mg_series **out)
{
    mg_series *grown = mg_realloc(run->series, ((size_t)run->series_count + 1) * sizeof *grown);

    MG_CHECK(grown, MG_ERR_MEMORY, "cannot allocate the curve of '%s'", key);
    run->series = grown;
    *out = &grown[run->series_count];
    **out = (mg_series){.key = mg_strdup(key)};
    MG_CHECK((*out)->key, MG_ERR_MEMORY, "cannot allocate the curve of '%s'", key);
    run->series_count++;
    return MG_OK;
}

static mg_status add_point(mg_report_run *run, const char *key, double x, double y)
{
    mg_series *s = find_series(run, key);

    if (!s && run->series_count == MAX_SERIES) return MG_OK;
    if (!s) MG_TRY(add_series(run, key, &s));
    if (s->count == s->room) {
        size_t room = 2 * (size_t)s->room + 256;
        double *xs = mg_realloc(s->x, room * sizeof *xs);
        if (xs) s->x = xs;
        double *ys = mg_realloc(s->y, room * sizeof *ys);
        if (ys) s->y = ys;
        MG_CHECK(xs && ys, MG_ERR_MEMORY, "cannot allocate the curve of '%s'", key);
        s->room = (int64_t)room;
    }
    s->x[s->count] = x;
    s->y[s->count++] = y;
    return MG_OK;
}

// Numbers of an object, and of the objects in it: "health.cosine".
static mg_status add_numbers(mg_report_run *run, const mg_json *object, const char *prefix,
                             double x)
{
    for (size_t i = 0; i < mg_json_size(object); i++) {
        const mg_json *value;
        const char *key = mg_json_member(object, i, &value);
        char name[96];
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (mg_json_is_object(value)) MG_TRY(add_numbers(run, value, name, x));
        if (!mg_json_is_number(value) || strcmp(key, "step") == 0 || strcmp(key, "at_step") == 0 ||
            strcmp(key, "epoch") == 0)
            continue;
        MG_TRY(add_point(run, name, x, mg_json_real(value, NAN)));
    }
    return MG_OK;
}

// Every number of a record that belongs to a step, or was noted at one.
static mg_status add_record(mg_report_run *run, const mg_json *record)
{
    double step = mg_json_real(mg_json_get(record, "step"), NAN);

    if (isnan(step)) step = mg_json_real(mg_json_get(record, "at_step"), NAN);
    return isnan(step) ? MG_OK : add_numbers(run, record, "", step);
}

static mg_status read_metrics(mg_report_run *run, const char *path)
{
    char *text = NULL, *line;
    mg_status st = MG_OK;

    MG_TRY(mg_read_file(path, MAX_METRICS, &text, NULL));
    for (char *at = text; !st && (line = mg_next_line(&at));) {
        mg_json *record = NULL;
        if (!*line) continue;
        if (mg_json_parse(line, strlen(line), path, &record)) {
            mg_err_clear(); // a line cut short by a stop, usually the last
            run->broken++;
            continue;
        }
        st = add_record(run, record);
        mg_json_free(&record);
    }
    mg_free(text);
    if (run->broken) mg_warn("broken lines of '%s' left out: %lld", path, (long long)run->broken);
    return st;
}

// --- the folder ----------------------------------------------------------------------------------------

static mg_status list_pictures(mg_report_run *run, const char *dir)
{
    mg_texts files = {0};
    mg_status st = mg_list_dir(dir, NULL, &files, NULL);

    for (size_t i = 0; i < files.count && !st; i++)
        if (mg_path_has_ext(files.item[i], ".png"))
            st = mg_texts_add(&run->pictures, files.item[i]);
    mg_texts_free(&files);
    return st;
}

static mg_status read_maps(mg_report_run *run, const char *dir)
{
    mg_texts files = {0};
    mg_status st = mg_list_dir(dir, NULL, &files, NULL);

    if (!st && files.count && !(run->map = mg_calloc(files.count, sizeof *run->map)))
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the maps of '%s'", run->path);
    for (size_t i = 0; i < files.count && !st; i++) {
        if (!mg_path_has_ext(files.item[i], ".json")) continue;
        char *path = mg_path_join(dir, files.item[i]);
        st = path ? mg_json_read(path, &run->map[run->maps])
                  : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
        run->maps += !st;
        mg_free(path);
    }
    mg_texts_free(&files);
    return st;
}

// "runs/msa/" and "runs/msa" are named "msa", "." by its place.
static char *name_of(const char *path)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/') length--;
    char *copy = mg_sprintf("%.*s", (int)length, path);
    char *name = copy ? mg_strdup(mg_path_base(copy)) : NULL;
    mg_free(copy);
    return name;
}

mg_status mg_report_run_read(const char *path, mg_report_run *run)
{
    mg_status st = MG_OK;
    *run = (mg_report_run){.path = mg_strdup(path), .name = name_of(path)};
    char *provenance = mg_path_join(path, "provenance.json");
    char *metrics = mg_path_join(path, "metrics.jsonl");
    char *pictures = mg_path_join(path, "pictures"), *maps = mg_path_join(path, "maps");

    if (!run->path || !run->name || !provenance || !metrics || !pictures || !maps) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the run '%s'", path);
        goto done;
    }
    bool made = mg_path_is_file(provenance), trained = mg_path_is_file(metrics);
    run->scored = mg_scores_exist(path);
    if (!made && !trained && !run->scored) {
        st = MG_FAIL(MG_ERR_CONFIG,
                     "'%s' is no run folder: it has no provenance.json, metrics.jsonl or cases.csv",
                     path);
        goto done;
    }
    if (made) st = mg_json_read(provenance, &run->provenance);
    if (!st && trained) st = read_metrics(run, metrics);
    if (!st && run->scored) st = mg_scores_read(path, &run->scores);
    if (!st && mg_path_is_dir(pictures)) st = list_pictures(run, pictures);
    if (!st && mg_path_is_dir(maps)) st = read_maps(run, maps);

done:
    mg_free(provenance);
    mg_free(metrics);
    mg_free(pictures);
    mg_free(maps);
    if (st) mg_report_run_free(run);
    return st;
}
