// What a finished run leaves for other programs: weights/model.safetensors with every tensor, and
// weights/trained.safetensors with those that were trained if that is the smaller part of the model.
#include "models/train_state.h"

#include "models/weights_save.h"
#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"

static mg_status save(const mg_task *task, const char *path, const bool *part)
{
    mg_json *notes = mg_model_notes(task->params, task->kind, task->config);
    mg_status st = notes ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate the notes of a file");

    if (!st && part) st = mg_notes_of_part(notes, task->params, part);
    if (!st) st = mg_params_save(path, task->params, part, NULL, notes);
    if (!st) mg_info("weights %s bytes %lld", path, (long long)mg_path_size(path));
    if (notes) mg_json_free(&notes);
    return st;
}

static mg_status save_part(const mg_task *task, const char *path)
{
    const mg_params *p = task->params;

    if (2 * mg_params_trainable(p) > mg_params_total(p)) return MG_OK;
    bool *part = mg_calloc((size_t)p->count + 1, sizeof *part);
    MG_CHECK(part, MG_ERR_MEMORY, "cannot allocate a list of tensors");
    for (int i = 0; i < p->count; i++) part[i] = p->list[i].trainable;
    mg_status st = save(task, path, part);
    mg_free(part);
    return st;
}

static mg_status save_all(mg_run *run, const mg_task *task, bool changed)
{
    char *dir = mg_run_file(run, "weights"), *model = mg_run_file(run, "weights/model.safetensors");
    char *trained = mg_run_file(run, "weights/trained.safetensors");
    mg_status st = dir && model && trained ? mg_make_dirs(dir)
                                           : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");

    if (!st && (changed || !mg_path_is_file(model))) {
        st = save_part(task, trained);
        if (!st) st = save(task, model, NULL);
    }
    mg_free(dir), mg_free(model), mg_free(trained);
    return st;
}

mg_status mg_train_save_weights(const mg_comm *world, mg_run *run, const mg_task *task,
                                bool changed)
{
    return mg_comm_agree(world, mg_comm_rank(world) == 0 ? save_all(run, task, changed) : MG_OK);
}
