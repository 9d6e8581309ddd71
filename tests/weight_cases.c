// A file that must be read has exactly the listed tensors (type, shape, sum, SHA-256 of the values) and
// notes; a file that must be refused is, with a message; each within a second and 64 MB.
#include "tests/weight_cases.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "models/weights.h"
#include "runtime/fsys.h"
#include "runtime/json.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "tests/sha256.h"

static const double MAX_S = 1, MAX_MB = 64;

static bool wrong(const char *path, const char *fmt, ...)
{
    va_list args;

    printf("  %s: ", path);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    return false;
}

static double sum_of(mg_tensor_type type, const void *data, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++) {
        int64_t whole;
        double real;
        float value;
        const char *at = (const char *)data + (size_t)i * mg_tensor_type_size(type);
        if (type == MG_T_F64) {
            memcpy(&real, at, sizeof real);
        } else if (type == MG_T_I64) {
            memcpy(&whole, at, sizeof whole);
            real = (double)whole;
        } else {
            mg_tensor_to_f32(&value, type, at, 1);
            real = value;
        }
        sum += real;
    }
    return sum;
}

static bool check_values(const char *path, const mg_tensor *t, const void *data,
                         const mg_json *expected)
{
    char hash[65];
    double want = mg_json_real(mg_json_get(expected, "sum"), NAN);
    double sum = sum_of(t->type, data, t->count);
    const char *want_hash = mg_json_text(mg_json_get(expected, "sha256"));

    sha256_text(data, (size_t)t->count * mg_tensor_type_size(t->type), hash);
    if (!want_hash || strcmp(hash, want_hash))
        return wrong(path, "'%s' has other values than expected", t->name);
    bool same = isfinite(want) ? fabs(sum - want) <= 1e-12 * fabs(want) + 1e-12 : true;
    return same || wrong(path, "the sum of '%s' is %.17g, expected %.17g", t->name, sum, want);
}

static bool check_tensor(const char *path, mg_weights *w, const mg_json *expected)
{
    const char *name = mg_json_text(mg_json_get(expected, "name"));
    const char *type = mg_json_text(mg_json_get(expected, "dtype"));
    const mg_json *shape = mg_json_get(expected, "shape");
    const mg_tensor *t = NULL;
    int i = 0;

    for (; name && i < mg_weights_count(w) && !t; i++)
        if (!strcmp(mg_weights_at(w, i)->name, name)) t = mg_weights_at(w, i);
    if (!t || !type) return wrong(path, "tensor '%s' was not found", name ? name : "?");
    bool same =
        !strcmp(type, mg_tensor_type_name(t->type)) && (size_t)t->ndim == mg_json_size(shape);
    for (int d = 0; same && d < t->ndim; d++)
        same = mg_json_int(mg_json_at(shape, (size_t)d), -1) == t->dim[d];
    if (!same) return wrong(path, "'%s' has another type or shape", name);
    void *data = mg_alloc((size_t)t->count * mg_tensor_type_size(t->type) + 1);
    bool fine = data && (!mg_weights_read(w, i - 1, data) || wrong(path, "%s", mg_err_message()));
    if (fine) fine = check_values(path, t, data, expected);
    mg_free(data);
    return fine;
}

static bool check_notes(const char *path, const mg_weights *w, const mg_json *expected)
{
    const mg_json *value;
    const char *key;
    bool fine = true;

    for (void *at = mg_json_next(expected, NULL, &key, &value); at;
         at = mg_json_next(expected, at, &key, &value)) {
        const char *note = mg_weights_note(w, key);
        fine &= note && !strcmp(note, mg_json_text(value) ? mg_json_text(value) : "");
    }
    return fine || wrong(path, "its notes are not the expected ones");
}

// Every tensor's bytes: where a file is damaged, this is where it shows.
static mg_status read_all(mg_weights *w)
{
    for (int i = 0; i < mg_weights_count(w); i++) {
        const mg_tensor *t = mg_weights_at(w, i);
        void *data = mg_alloc((size_t)t->count * mg_tensor_type_size(t->type) + 1);
        MG_CHECK(data, MG_ERR_MEMORY, "cannot allocate '%s'", t->name);
        mg_status st = mg_weights_read(w, i, data);
        mg_free(data);
        if (st) return st;
    }
    return MG_OK;
}

static bool run_good(const char *path, const mg_json *expected)
{
    const mg_json *list = mg_json_get(expected, "tensors");
    mg_weights *w = NULL;
    bool fine = true;

    if (mg_weights_open(path, 0, &w)) return wrong(path, "%s", mg_err_message());
    if ((size_t)mg_weights_count(w) != mg_json_size(list))
        fine = wrong(path, "has %d tensors, expected %zu", mg_weights_count(w), mg_json_size(list));
    for (size_t i = 0; fine && i < mg_json_size(list); i++)
        fine = check_tensor(path, w, mg_json_at(list, i));
    if (fine) fine = check_notes(path, w, mg_json_get(expected, "metadata"));
    mg_weights_close(&w);
    return fine;
}

static bool run_bad(const char *path, const mg_json *expected)
{
    mg_weights *w = NULL;
    const char *why = mg_json_text(mg_json_get(expected, "why"));
    mg_status st = mg_weights_open(path, 0, &w);

    if (!st) st = read_all(w);
    mg_weights_close(&w);
    if (!st) return wrong(path, "was read, expected a refusal (%s)", why ? why : "?");
    bool said = strlen(mg_err_message()) > 20;
    return said || wrong(path, "was refused without a reason");
}

static bool run_case(const char *path, const mg_json *expected, weight_cases *r)
{
    const char *status = mg_json_text(mg_json_get(expected, "status"));
    bool good = status && !strcmp(status, "ok");
    double start = mg_now(), before = (double)mg_mem_peak_rss();
    size_t live = mg_mem_live();
    bool fine = good ? run_good(path, expected) : run_bad(path, expected);
    double s = mg_now() - start, mb = ((double)mg_mem_peak_rss() - before) / 1e6;

    mg_err_clear();
    if (s > r->slowest_s) r->slowest_s = s;
    if (mb > r->most_mb) r->most_mb = mb;
    *(good ? &r->read : &r->refused) += 1;
    if (s > MAX_S) fine = wrong(path, "took %.2f s", s);
    if (mb > MAX_MB) fine = wrong(path, "took %.0f MB", mb);
    if (mg_mem_live() != live) fine = wrong(path, "left %zu blocks", mg_mem_live() - live);
    return fine;
}

bool weight_cases_run(const char *list, weight_cases *result)
{
    char *folder = mg_path_dir(list);
    mg_json *all = NULL;
    const mg_json *expected;
    const char *name;

    *result = (weight_cases){0};
    bool read = folder && !mg_json_read(list, &all);
    for (void *at = read ? mg_json_next(all, NULL, &name, &expected) : NULL; at;
         at = mg_json_next(all, at, &name, &expected)) {
        char *path = mg_path_join(folder, name);
        result->failed += !path || !run_case(path, expected, result);
        mg_free(path);
    }
    if (all) mg_json_free(&all);
    mg_free(folder);
    return read;
}
