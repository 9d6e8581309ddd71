// medgraft finetune: wiring of settings, data, model, task and trainer.
#include <string.h>

#include "finetune/cmd.h"
#include "finetune/seg_task.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// Keys that may change between two starts of one run: they do not change its results.
static const char *const free_keys[] = {
    "train.out",    "train.save_every", "train.keep",      "train.log_every",
    "data.threads", "data.ahead",       "train.recompute", NULL};

int mg_cmd_finetune_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){mg_finetune_options, NULL};
    return 1;
}

// Sizes, the model itself, and the weights of model.init; *init is then the checkpoint they came
// from (mg_free), otherwise NULL.
static mg_status make_model(const mg_comm *world, mg_finetune_config *c, mg_seg_model *m,
                            char **init)
{
    char *kind = NULL, *yaml = NULL;

    if (c->init[0]) MG_TRY(mg_checkpoint_config(world, c->init, init, &kind, &yaml));
    mg_status st = mg_seg_config_resolve(c, kind, yaml);
    if (!st) st = mg_seg_model_build(c, m);
    st = mg_comm_agree(world, st);
    if (!st && *init) st = mg_comm_agree(world, mg_seg_model_init(world, *init, kind, m));
    mg_free(kind), mg_free(yaml);
    return st;
}

static mg_status train(const mg_comm *world, const mg_finetune_config *c, mg_seg_model *m,
                       mg_seg_data *data, const char *init, const char *yaml)
{
    mg_seg_task *task = NULL;
    mg_run *run = NULL;
    mg_step share = {0};

    mg_train_share(world, &c->train, &share);
    mg_status st = mg_comm_agree(world, mg_seg_task_create(world, m, data, c, &share, yaml, &task));
    if (!st) st = mg_run_open(world, c->out, "finetune", yaml, free_keys, &run);
    if (!st) mg_source_note(data->reader, run);
    if (!st && init) mg_run_input_file(run, "model.init", init);
    if (!st) st = mg_train(world, run, &c->train, mg_seg_task_trainer(task));
    mg_run_close(&run);
    mg_seg_task_destroy(&task);
    return st;
}

mg_status mg_cmd_finetune(const mg_args *args)
{
    mg_finetune_config c = {0};
    mg_option_group group = {mg_finetune_options, &c};
    mg_seg_model model = {0};
    mg_seg_data data = {0};
    mg_reader *reader = NULL;
    char *init = NULL, *yaml = NULL;

    mg_status st = mg_args_load(args, &group, 1);
    if (!st && !c.out[0])
        st = MG_FAIL(MG_ERR_CONFIG, "train.out is not set, expected a run folder");
    st = mg_comm_agree(args->world, st);
    if (!st) st = mg_comm_agree(args->world, mg_train_check(args->world, &c.train));
    if (!st) st = make_model(args->world, &c, &model, &init);
    if (!st) st = mg_source_open(args->world, &c.data, &reader);
    if (!st) st = mg_comm_agree(args->world, mg_seg_data_open(reader, &model, &c, &data));
    if (!st) {
        yaml = mg_config_echo(&group, 1); // sizes are resolved by now
        st = train(args->world, &c, &model, &data, init, yaml);
    }
    mg_free(init), mg_free(yaml);
    mg_seg_data_close(&data);
    mg_reader_close(&reader);
    mg_seg_model_free(&model);
    mg_config_free(&group, 1);
    return st;
}
