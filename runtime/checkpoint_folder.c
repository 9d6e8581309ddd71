// Folders of checkpoints: saving the next one and dropping old ones, finding the newest whole one,
// and giving what rank 0 read to all ranks. The files themselves are in checkpoint.c.
#include "runtime/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// Step of "step-00001200.h5", -1 for other names. `tail` is what must follow the number.
static int64_t step_of(const char *name, const char *tail)
{
    char *end = NULL;

    if (strncmp(name, "step-", 5) || strspn(name + 5, "0123456789") < 8) return -1;
    long long step = strtoll(name + 5, &end, 10);
    return strcmp(end, tail) ? -1 : step;
}

static int newer_first(const void *a, const void *b)
{
    int64_t x = step_of(*(char *const *)a, ".h5"), y = step_of(*(char *const *)b, ".h5");
    return (x < y) - (x > y);
}

// Names of the checkpoints of a folder, newest first; none if the folder is not there.
static mg_status list_steps(const char *dir, mg_texts *steps)
{
    mg_texts files = {0};
    mg_status st = MG_OK;

    if (!mg_path_is_dir(dir)) return MG_OK;
    MG_TRY(mg_list_dir(dir, NULL, &files, NULL));
    for (size_t i = 0; i < files.count && !st; i++)
        if (step_of(files.item[i], ".h5") >= 0) st = mg_texts_add(steps, files.item[i]);
    mg_texts_free(&files);
    if (st) mg_texts_free(steps);
    if (steps->count) qsort(steps->item, steps->count, sizeof *steps->item, newer_first);
    return st;
}

static void remove_file(const char *dir, const char *name)
{
    char *path = mg_path_join(dir, name);
    if (path && unlink(path)) mg_warn("cannot remove '%s': %s", path, strerror(errno));
    mg_free(path);
}

// Remove what is older than the newest `keep`; what is of a later step (the run was taken back
// behind it); and what a killed run left unfinished. A failure here costs only room.
static void remove_old(const char *dir, int64_t step, int keep)
{
    mg_texts files = {0};
    mg_texts steps = {0};
    int kept = 0;

    if (list_steps(dir, &steps) || mg_list_dir(dir, NULL, &files, NULL)) {
        mg_warn("cannot remove old checkpoints: %s", mg_err_message());
        mg_err_clear();
    }
    for (size_t i = 0; i < steps.count; i++) {
        int64_t of = step_of(steps.item[i], ".h5");
        if (of > step || (of < step && kept >= keep))
            remove_file(dir, steps.item[i]);
        else
            kept++;
    }
    for (size_t i = 0; i < files.count; i++)
        if (step_of(files.item[i], ".h5.partial") >= 0) remove_file(dir, files.item[i]);
    mg_texts_free(&files);
    mg_texts_free(&steps);
}

// This rank's part in what mg_ckpt_write does on rank 0.
static void bring_all(const mg_ckpt *what)
{
    for (int i = 0; what->parts && i < what->arrays; i++) what->parts->bring(what->parts->ctx, i);
}

static mg_status save(const char *dir, int64_t step, const mg_ckpt *what, int keep)
{
    mg_status st = MG_OK;
    char *name = mg_sprintf("step-%08lld.h5", (long long)step);
    char *line = name ? mg_sprintf("%s\n", name) : NULL;
    char *path = name ? mg_path_join(dir, name) : NULL, *latest = mg_path_join(dir, "latest");

    if (!line || !path || !latest)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the name of a checkpoint");
    if (!st) st = mg_make_dirs(dir);
    if (st)
        bring_all(what);
    else
        st = mg_ckpt_write(path, what);
    if (!st) st = mg_write_file(latest, line, strlen(line));
    if (!st) remove_old(dir, step, keep);
    mg_free(latest);
    mg_free(path);
    mg_free(line);
    mg_free(name);
    return st;
}

mg_status mg_ckpt_save(const mg_comm *world, const char *dir, int64_t step, const mg_ckpt *what,
                       int keep)
{
    mg_status st = MG_OK;

    if (mg_comm_rank(world) == 0)
        st = save(dir, step, what, keep);
    else
        bring_all(what);
    return mg_comm_agree(world, st);
}

// Whether a checkpoint is whole; warns if it is not. Lack of memory is no fault of the file.
static mg_status check_whole(const char *path, bool *whole)
{
    const mg_ckpt nothing = {0};
    mg_ckpt_fact *facts = NULL;
    int count = 0;

    *whole = false;
    mg_status st = mg_ckpt_read(path, &nothing, &facts, &count);
    mg_ckpt_facts_free(&facts, count);
    if (st == MG_ERR_MEMORY) return st;
    if (st) {
        mg_warn("checkpoint passed over: %s", mg_err_message());
        mg_err_clear();
    }
    *whole = !st;
    return MG_OK;
}

// The name in `latest`, NULL if there is none that is one.
static mg_status read_latest(const char *dir, char **name)
{
    char *path = mg_path_join(dir, "latest");

    *name = NULL;
    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    mg_status st = mg_path_is_file(path) ? mg_read_file(path, 4096, name, NULL) : MG_OK;
    mg_free(path);
    MG_TRY(st);
    if (!*name) return MG_OK;
    (*name)[strcspn(*name, "\r\n")] = '\0';
    if (step_of(*name, ".h5") < 0) {
        mg_free(*name);
        *name = NULL;
    }
    return MG_OK;
}

mg_status mg_ckpt_newest(const char *dir, char **path)
{
    mg_texts steps = {0};
    char *latest = NULL;
    bool whole = false;
    mg_status st = MG_OK;

    *path = NULL;
    MG_TRY(read_latest(dir, &latest));
    st = list_steps(dir, &steps);
    // Round -1 is the one that `latest` names.
    for (int64_t i = latest ? -1 : 0; i < (int64_t)steps.count && !st && !whole; i++) {
        const char *name = i < 0 ? latest : steps.item[i];
        if (i >= 0 && latest && !strcmp(name, latest)) continue; // had its turn
        mg_free(*path);
        *path = mg_path_join(dir, name);
        st = *path ? check_whole(*path, &whole) : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
    }
    if (!whole) {
        mg_free(*path);
        *path = NULL;
    }
    mg_free(latest);
    mg_texts_free(&steps);
    return st;
}

// --- collective reading -----------------------------------------------------------------------------

// Facts as one block of "key\0value\0..." and back.
static mg_status share_facts(const mg_comm *world, mg_ckpt_fact **facts, int *count)
{
    int64_t size[2] = {0, *count};
    char *block = NULL;
    mg_status st = MG_OK;

    for (int i = 0; i < *count; i++)
        size[0] += (int64_t)(strlen((*facts)[i].key) + strlen((*facts)[i].value) + 2);
    mg_comm_bcast(world, size, sizeof size, 0);
    block = mg_alloc((size_t)size[0] + 1);
    if (mg_comm_rank(world) > 0) *facts = mg_calloc((size_t)size[1] + 1, sizeof **facts);
    if (!block || !*facts) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the facts of a checkpoint");
    st = mg_comm_agree(world, st);
    if (st) goto done;
    if (mg_comm_rank(world) == 0) {
        char *at = block;
        for (int i = 0; i < *count; i++) {
            at = stpcpy(at, (*facts)[i].key) + 1;
            at = stpcpy(at, (*facts)[i].value) + 1;
        }
    }
    mg_comm_bcast(world, block, (size_t)size[0], 0);
    if (mg_comm_rank(world) > 0) {
        *count = (int)size[1];
        const char *at = block;
        for (int i = 0; i < *count && !st; i++) {
            (*facts)[i].key = mg_strdup(at);
            at += strlen(at) + 1;
            (*facts)[i].value = mg_strdup(at);
            at += strlen(at) + 1;
            if (!(*facts)[i].key || !(*facts)[i].value)
                st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a fact of a checkpoint");
        }
    }
    st = mg_comm_agree(world, st);

done:
    mg_free(block);
    return st;
}

static size_t array_bytes(const mg_ckpt_array *a)
{
    size_t bytes = sizeof *a->data;
    for (int i = 0; i < a->ndim; i++) bytes *= (size_t)a->dim[i];
    return bytes;
}

// What rank 0 has read goes to all at once: the array's place in the table (-1: no more), its values.
typedef struct {
    const mg_comm *world;
    const mg_ckpt *want;
} sharing;

// False behind the last one.
static bool share(const sharing *s, int i)
{
    const mg_ckpt *want = s->want;

    mg_comm_bcast(s->world, &i, sizeof i, 0);
    if (i < 0) return false;
    mg_comm_bcast(s->world, want->array[i].data, array_bytes(&want->array[i]), 0);
    if (want->parts) want->parts->take(want->parts->ctx, i);
    return true;
}

static void share_read(void *ctx, int i)
{
    share(ctx, i);
}

mg_status mg_ckpt_load(const mg_comm *world, const char *path, const mg_ckpt *want,
                       mg_ckpt_fact **facts, int *count)
{
    sharing s = {world, want};
    const mg_ckpt_parts parts = {.ctx = &s, .take = share_read};
    mg_ckpt reading = *want;
    mg_status st = MG_OK;

    *facts = NULL;
    *count = 0;
    reading.parts = &parts;
    if (mg_comm_rank(world) == 0) {
        st = mg_ckpt_read(path, &reading, facts, count);
        share(&s, -1);
    } else {
        while (share(&s, 0)) continue; // what rank 0 says counts
    }
    st = mg_comm_agree(world, st);
    if (!st) st = share_facts(world, facts, count);
    if (st) {
        mg_ckpt_facts_free(facts, *count);
        *count = 0;
    }
    return st;
}
