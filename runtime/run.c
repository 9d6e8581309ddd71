// Run folders. Files that must never be half there (config.yaml, provenance.json,
// a metrics.jsonl that is cut) are written aside and renamed; metrics.jsonl otherwise only grows,
// one write(2) per record, so that a crash can leave at most one broken line, the last.
#include "runtime/run.h"

#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/fsys.h"
#include "runtime/hash.h"
#include "runtime/log.h"
#include "runtime/machine.h"
#include "runtime/mem.h"
#include "runtime/yaml.h"

enum { HOST_BYTES = 64 };

struct mg_run {
    char *path;
    int rank;
    bool restarted;
    mg_json *provenance; // rank 0
    int metrics;         // file descriptor, -1 until the first record
};

// ---- provenance

// Names of the nodes in rank order, each once.
static mg_json *host_list(const char *hosts, int size)
{
    mg_json *list = mg_json_array();

    for (int r = 0; r < size; r++) {
        const char *name = hosts + (size_t)r * HOST_BYTES;
        bool seen = false;
        for (int q = r - 1; q >= 0 && !seen; q--)
            seen = strcmp(hosts + (size_t)q * HOST_BYTES, name) == 0;
        if (!seen) mg_json_append_text(list, name);
    }
    return list;
}

// What this start of the program is, and where it runs.
static mg_json *describe_start(const mg_comm *world, const char *hosts)
{
    mg_json *to = mg_json_object();
    const char *job = getenv("SLURM_JOB_ID");
    char date[32], processor[96];
    time_t now = time(NULL);
    struct tm tm;

    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    mg_json_put_text(to, "version", mg_version());
    mg_json_put_text(to, "command_line", mg_command_line());
    mg_json_put_text(to, "started", date);
    mg_json_put(to, "hosts", host_list(hosts, mg_comm_size(world)));
    mg_json_put_int(to, "ranks", mg_comm_size(world));
    mg_json_put_int(to, "threads", omp_get_max_threads());
    mg_machine_processor(processor, sizeof processor);
    mg_json_put_text(to, "processor", processor);
    mg_json_put_text(to, "mpi", mg_comm_library());
    mg_json_put_text(to, "compiler", "gcc " __VERSION__);
    if (job) mg_json_put_text(to, "slurm_job", job);
    return to;
}

static mg_status save_provenance(const mg_run *run)
{
    char *path = mg_run_file(run, "provenance.json");
    char *text = mg_json_dump(run->provenance, true);
    mg_status st = MG_OK;

    if (path && text)
        st = mg_write_file(path, text, strlen(text));
    else
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the provenance of run '%s'", run->path);
    mg_free(path);
    mg_free(text);
    return st;
}

// A run goes on, but its bits are promised only on the same kind of machine (design.md section 5).
static void warn_changes(const mg_json *before, const mg_json *now)
{
    static const char *const keys[] = {"version", "threads", "processor", "mpi", "compiler"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char *a = mg_json_dump(mg_json_get(before, keys[i]), false);
        char *b = mg_json_dump(mg_json_get(now, keys[i]), false);
        if (a && b && strcmp(a, b) != 0)
            mg_warn("%s is %s now and was %s when the run began: results may differ in their last "
                    "bits",
                    keys[i], b, a);
        mg_free(a);
        mg_free(b);
    }
}

// ---- settings of a run that is continued

// What the caller of mg_run_open asks for. Nothing is owned.
typedef struct {
    const char *command;
    const mg_option *table;
    const char *yaml;
    const char *const *free_keys;
} wanted;

static bool is_free(const char *key, const char *const *free_keys)
{
    for (; free_keys && *free_keys; free_keys++)
        if (strcmp(*free_keys, key) == 0) return true;
    return false;
}

// Fail on the first setting of `a` that is another in `b` and may not change; `swapped` says that
// `a` are the new settings and `b` the old ones.
static mg_status compare_settings(const mg_run *run, const mg_json *a, const mg_json *b,
                                  bool swapped, const char *const *free_keys)
{
    for (size_t i = 0; i < mg_json_size(a); i++) {
        const mg_json *section;
        const char *section_name = mg_json_member(a, i, &section);
        for (size_t j = 0; j < mg_json_size(section); j++) {
            const mg_json *value;
            char key[128], found[64], other[64];
            const char *name = mg_json_member(section, j, &value);
            snprintf(key, sizeof key, "%s.%s", section_name, name);
            char *x = mg_json_dump(value, false);
            char *y = mg_json_dump(mg_json_get(mg_json_get(b, section_name), name), false);
            bool same = x && y && strcmp(x, y) == 0;
            snprintf(found, sizeof found, "%s", x ? x : "not set");
            snprintf(other, sizeof other, "%s", y ? y : "not set");
            mg_free(x);
            mg_free(y);
            MG_CHECK(same || is_free(key, free_keys), MG_ERR_CONFIG,
                     "setting '%s' is %s, but the run in '%s' began with %s; give the old value or "
                     "another folder",
                     key, swapped ? found : other, run->path, swapped ? other : found);
        }
    }
    return MG_OK;
}

// The settings that a run began with, as JSON: completed by defaults, or as they stand where today's
// tables cannot read them, which the comparison will explain.
static mg_status settings_before(const mg_option *table, const char *text, const char *path,
                                 mg_json **before)
{
    mg_option_group group = {table, NULL};
    char *complete = NULL;

    if (mg_config_complete(&group, 1, text, path, &complete)) mg_err_clear();
    mg_status st = mg_yaml_parse(complete ? complete : text, path, before);
    mg_free(complete);
    return st;
}

static mg_status check_settings(const mg_run *run, const wanted *w)
{
    char *path = mg_run_file(run, "config.yaml"), *text = NULL;
    mg_json *before = NULL, *now = NULL;
    mg_status st = MG_OK;

    if (!path) return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
    st = mg_read_file(path, MG_YAML_BYTES, &text, NULL);
    if (!st) st = settings_before(w->table, text, path, &before);
    if (!st) st = mg_yaml_parse(w->yaml, "settings", &now);
    if (!st) st = compare_settings(run, before, now, false, w->free_keys);
    if (!st) st = compare_settings(run, now, before, true, w->free_keys);
    if (!st && strcmp(text, w->yaml) != 0) st = mg_write_file(path, w->yaml, strlen(w->yaml));
    mg_json_free(&before);
    mg_json_free(&now);
    mg_free(text);
    mg_free(path);
    return st;
}

// ---- opening

static mg_status continue_run(mg_run *run, const wanted *w, const mg_comm *world, const char *hosts)
{
    const char *held = mg_json_text(mg_json_get(run->provenance, "command"));
    mg_json *start = describe_start(world, hosts);

    if (!held || strcmp(held, w->command) != 0) {
        mg_json_free(&start);
        return MG_FAIL(MG_ERR_CONFIG, "'%s' holds a run of '%s', not of '%s'", run->path,
                       held ? held : "another program", w->command);
    }
    mg_status st = check_settings(run, w);
    if (st) {
        mg_json_free(&start);
        return st;
    }
    warn_changes(run->provenance, start);
    mg_json_append((mg_json *)mg_json_get(run->provenance, "restarts"), start);
    run->restarted = true;
    return save_provenance(run);
}

static mg_status begin_run(mg_run *run, const wanted *w, const mg_comm *world, const char *hosts)
{
    char *path = mg_run_file(run, "config.yaml");

    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    mg_status st = mg_write_file(path, w->yaml, strlen(w->yaml));
    mg_free(path);
    if (st) return st;
    run->provenance = mg_json_object();
    mg_json_put_text(run->provenance, "command", w->command);
    mg_json *start = describe_start(world, hosts);
    for (size_t i = 0; i < mg_json_size(start); i++) {
        const mg_json *value;
        const char *key = mg_json_member(start, i, &value);
        mg_json_put(run->provenance, key, mg_json_copy(value));
    }
    mg_json_free(&start);
    mg_json_put(run->provenance, "inputs", mg_json_object());
    mg_json_put(run->provenance, "restarts", mg_json_array());
    return save_provenance(run); // last: with it the folder is a run
}

static mg_status open_folder(mg_run *run, const wanted *w, const mg_comm *world, const char *hosts)
{
    MG_TRY(mg_make_dirs(run->path));
    char *path = mg_run_file(run, "provenance.json");
    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    bool exists = mg_path_is_file(path);
    mg_status st = exists ? mg_json_read(path, &run->provenance) : MG_OK;
    mg_free(path);
    if (st) return st;
    return exists ? continue_run(run, w, world, hosts) : begin_run(run, w, world, hosts);
}

// Each rank's host name on all ranks, HOST_BYTES each; collective.
static mg_status gather_hosts(const mg_comm *world, char **hosts)
{
    char mine[HOST_BYTES] = "";

    *hosts = mg_calloc((size_t)mg_comm_size(world), HOST_BYTES);
    mg_status st = MG_OK;
    if (!*hosts) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the names of the hosts");
    MG_TRY(mg_comm_agree(world, st));
    gethostname(mine, sizeof mine - 1);
    mg_comm_allgather(world, mine, sizeof mine, *hosts);
    return MG_OK;
}

static mg_status open_log(const mg_run *run)
{
    char *path = mg_run_file(run, "log.txt");

    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    mg_status st = mg_log_to(path);
    mg_free(path);
    return st;
}

mg_status mg_run_open(const mg_comm *world, const char *path, const char *command,
                      const mg_option *table, const char *config_yaml, const char *const *free_keys,
                      mg_run **out)
{
    const wanted w = {command, table, config_yaml, free_keys};
    mg_run *run = mg_calloc(1, sizeof *run);
    char *hosts = NULL;
    mg_status st = MG_OK;
    int restarted = 0;

    *out = NULL;
    if (run) {
        run->metrics = -1;
        run->rank = mg_comm_rank(world);
        run->path = mg_strdup(path);
    }
    if (!run || !run->path) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a run");
    st = mg_comm_agree(world, st);
    if (!st) st = gather_hosts(world, &hosts);
    if (st) goto done;
    if (run->rank == 0) st = open_folder(run, &w, world, hosts);
    st = mg_comm_agree(world, st);
    if (!st) st = mg_comm_agree(world, open_log(run));
    if (st) goto done;
    restarted = run->restarted;
    mg_comm_bcast(world, &restarted, sizeof restarted, 0);
    run->restarted = restarted;
    *out = run;
    run = NULL;

done:
    mg_free(hosts);
    mg_run_close(&run);
    return st;
}

mg_status mg_run_close(mg_run **at)
{
    mg_run *run = *at;
    mg_status st = MG_OK;

    if (!run) return MG_OK;
    if (run->metrics >= 0 && close(run->metrics))
        st = MG_FAIL(MG_ERR_IO, "cannot write the metrics of run '%s': %s", run->path,
                     strerror(errno));
    mg_json_free(&run->provenance);
    mg_free(run->path);
    mg_free(run);
    *at = NULL;
    return st;
}

bool mg_run_restarted(const mg_run *run)
{
    return run->restarted;
}

const char *mg_run_path(const mg_run *run)
{
    return run->path;
}

char *mg_run_file(const mg_run *run, const char *name)
{
    return mg_path_join(run->path, name);
}

char *mg_run_picture(const mg_run *run, const char *name)
{
    char *dir = mg_run_file(run, "pictures"), *path = NULL;

    if (dir && mg_make_dirs(dir) == MG_OK) path = mg_path_join(dir, name);
    mg_free(dir);
    return path;
}

// The run goes on without a note that cannot be written.
static void note(mg_run *run, mg_json *to, const char *key, const char *value)
{
    mg_json_put_text(to, key, value);
    if (save_provenance(run)) {
        mg_warn("%s", mg_err_message());
        mg_err_clear();
    }
}

void mg_run_input(mg_run *run, const char *name, const char *hash)
{
    if (run->rank != 0) return;
    mg_json *inputs = (mg_json *)mg_json_get(run->provenance, "inputs");
    const char *before = mg_json_text(mg_json_get(inputs, name));
    if (before && strcmp(before, hash) == 0) return;
    if (before)
        mg_warn("input '%s' has hash %s now and had %s when the run began", name, hash, before);
    note(run, inputs, name, hash);
}

void mg_run_input_file(mg_run *run, const char *name, const char *path)
{
    uint64_t hash;
    char text[17];

    if (run->rank != 0) return;
    if (mg_hash_file(path, &hash)) {
        mg_warn("%s", mg_err_message());
        mg_err_clear();
        return;
    }
    snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    mg_run_input(run, name, text);
}

void mg_run_fact(mg_run *run, const char *key, const char *value)
{
    if (run->rank == 0) note(run, run->provenance, key, value);
}

// ---- metrics

// True if the line of a metrics file stays when it is cut back to `step`.
static bool stays(const char *line, size_t bytes, int64_t step)
{
    mg_json *record;

    if (mg_json_parse(line, bytes, "metrics.jsonl", &record)) {
        mg_err_clear();
        return false;
    }
    bool keep = mg_json_is_object(record) &&
                mg_json_int(mg_json_get(record, "step"), step) <= step &&
                mg_json_int(mg_json_get(record, "at_step"), step) <= step;
    mg_json_free(&record);
    return keep;
}

mg_status mg_run_metrics_cut(mg_run *run, int64_t step)
{
    char *text = NULL, *path = NULL;
    size_t bytes = 0, kept = 0;
    mg_status st = MG_OK;

    if (run->rank != 0) return MG_OK;
    if (run->metrics >= 0) close(run->metrics);
    run->metrics = -1;
    path = mg_run_file(run, "metrics.jsonl");
    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    if (!mg_path_is_file(path)) goto done;
    st = mg_read_file(path, SIZE_MAX / 4, &text, &bytes);
    if (st) goto done;
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        if (!end) break; // half a line: it goes
        size_t n = (size_t)(end - text) - at + 1;
        if (stays(text + at, n, step)) {
            memmove(text + kept, text + at, n);
            kept += n;
        }
        at += n;
    }
    if (kept < bytes) st = mg_write_file(path, text, kept);

done:
    mg_free(text);
    mg_free(path);
    return st;
}

static mg_status open_metrics(mg_run *run)
{
    char *path = mg_run_file(run, "metrics.jsonl");

    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    run->metrics = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    mg_free(path);
    MG_CHECK(run->metrics >= 0, MG_ERR_IO, "cannot open the metrics of run '%s': %s", run->path,
             strerror(errno));
    return MG_OK;
}

static mg_status append_line(mg_run *run, const mg_json *record)
{
    char *text = mg_json_dump(record, false);

    MG_CHECK(text, MG_ERR_MEMORY, "cannot allocate a record of metrics");
    size_t bytes = strlen(text);
    text[bytes++] = '\n'; // over the end mark: bytes are counted from here on
    errno = ENOSPC;       // what a short count means
    bool ok = !mg_fault() && write(run->metrics, text, bytes) == (ssize_t)bytes;
    int why = errno;
    mg_free(text);
    MG_CHECK(ok, MG_ERR_IO, "cannot write the metrics of run '%s': %s", run->path, strerror(why));
    return MG_OK;
}

mg_status mg_run_metrics(mg_run *run, mg_json *record)
{
    mg_status st = MG_OK;

    if (run->rank == 0 && run->metrics < 0) st = open_metrics(run);
    if (run->rank == 0 && !st) st = append_line(run, record);
    mg_json_free(&record);
    return st;
}

mg_status mg_run_metrics_sync(mg_run *run)
{
    MG_CHECK(run->metrics < 0 || fsync(run->metrics) == 0, MG_ERR_IO,
             "cannot write the metrics of run '%s': %s", run->path, strerror(errno));
    return MG_OK;
}
