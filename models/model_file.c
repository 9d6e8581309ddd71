// Parameters and configuration out of a checkpoint or weight file, without a run: for initial weights,
// evaluation and prediction.
#include <string.h>

#include "models/trainer.h"
#include "models/weights_model.h"
#include "runtime/mem.h"

mg_status mg_params_load(const mg_comm *world, const char *path, mg_params *p)
{
    mg_load_how how = {.exact = true};

    return mg_weights_load(world, path, &how, p);
}

static mg_status read_config(const char *path, char **file, char **kind, char **config)
{
    mg_weights *w = NULL;
    const char *told;

    MG_TRY(mg_weights_open(path, 0, &w));
    mg_status st = mg_weights_settings(w, &told, config);
    if (!st && (!(*file = mg_strdup(mg_weights_path(w))) || !(*kind = mg_strdup(told))))
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a configuration");
    mg_weights_close(&w);
    return st;
}

// A text of rank 0 on all ranks.
static mg_status share_text(const mg_comm *world, char **text)
{
    int64_t bytes = *text ? (int64_t)strlen(*text) + 1 : 0;

    mg_comm_bcast(world, &bytes, sizeof bytes, 0);
    if (bytes == 0) return MG_OK; // NULL
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
