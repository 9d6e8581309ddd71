// Parameters and configuration out of a checkpoint, without a run: for initial weights, evaluation
// and prediction.
#include <stdio.h>
#include <string.h>

#include "models/trainer.h"
#include "runtime/checkpoint.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

mg_status mg_params_load(const mg_comm *world, const char *path, mg_params *p)
{
    mg_ckpt_array *array = mg_calloc((size_t)p->count, sizeof *array);
    mg_ckpt_fact *facts = NULL;
    int count = 0;
    mg_status st = array ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a table of arrays");

    for (int i = 0; i < p->count && !st; i++) {
        char *name = mg_sprintf("params/%s", p->list[i].name);
        array[i] = (mg_ckpt_array){.name = name, .data = mg_weight(p, i), .ndim = p->list[i].ndim};
        memcpy(array[i].dim, p->list[i].dim, sizeof array[i].dim);
        if (!name) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a name");
    }
    st = mg_comm_agree(world, st);
    mg_ckpt want = {array, p->count, NULL, 0};
    if (!st) st = mg_ckpt_load(world, path, &want, &facts, &count);
    mg_ckpt_facts_free(&facts, count);
    for (int i = 0; array && i < p->count; i++) mg_free((char *)array[i].name);
    mg_free(array);
    return st;
}

// The checkpoint that `path` means: itself, or the newest complete one of a run folder.
static mg_status locate(const char *path, char **file)
{
    *file = NULL;
    if (!mg_path_is_dir(path)) {
        *file = mg_strdup(path);
        MG_CHECK(*file, MG_ERR_MEMORY, "cannot allocate a path");
        return MG_OK;
    }
    char *dir = mg_path_join(path, "checkpoints");
    mg_status st =
        dir ? mg_ckpt_newest(dir, file) : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
    mg_free(dir);
    if (!st && !*file)
        st = MG_FAIL(MG_ERR_IO, "run folder '%s' holds no complete checkpoint", path);
    return st;
}

static mg_status read_config(const char *path, char **file, char **kind, char **config)
{
    mg_ckpt list = {0};

    MG_TRY(locate(path, file));
    MG_TRY(mg_ckpt_list(*file, &list));
    const char *k = mg_ckpt_fact_text(list.fact, list.facts, "kind");
    const char *c = mg_ckpt_fact_text(list.fact, list.facts, "config");
    mg_status st = MG_OK;
    if (!k || !c)
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' holds no model configuration", *file);
    else if (!(*kind = mg_strdup(k)) || !(*config = mg_strdup(c)))
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a configuration");
    mg_ckpt_list_free(&list);
    return st;
}

// A text of rank 0 on all ranks.
static mg_status share_text(const mg_comm *world, char **text)
{
    int64_t bytes = *text ? (int64_t)strlen(*text) + 1 : 0;

    mg_comm_bcast(world, &bytes, sizeof bytes, 0);
    if (mg_comm_rank(world) != 0) *text = mg_alloc((size_t)bytes);
    MG_TRY(mg_comm_agree(world, *text ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a text")));
    mg_comm_bcast(world, *text, (size_t)bytes, 0);
    return MG_OK;
}

mg_status mg_checkpoint_config(const mg_comm *world, const char *path, char **file, char **kind,
                               char **config)
{
    mg_status st = MG_OK;

    *file = *kind = *config = NULL;
    if (mg_comm_rank(world) == 0) st = read_config(path, file, kind, config);
    st = mg_comm_agree(world, st);
    if (!st) st = share_text(world, file);
    if (!st) st = share_text(world, kind);
    if (!st) st = share_text(world, config);
    if (st) {
        mg_free(*file), mg_free(*kind), mg_free(*config);
        *file = *kind = *config = NULL;
    }
    return st;
}
