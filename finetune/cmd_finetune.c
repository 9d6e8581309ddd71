// medgraft finetune: wiring of settings, data, model, task and trainer.
#include <string.h>

#include "finetune/cmd.h"
#include "finetune/seg_task.h"
#include "finetune/volume_facts.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// Keys that may change between two starts of one run: they do not change its results.
static const char *const free_keys[] = {"train.out",       "train.save_every", "train.keep",
                                        "train.log_every", "data.threads",     "data.ahead",
                                        "train.recompute", "optimizer.shard",  NULL};

int mg_cmd_finetune_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){mg_finetune_options, NULL};
    return 1;
}

// A file that weights come from; all NULL without one. What is NULL in `yaml` the file does not tell.
typedef struct {
    char *file, *kind, *yaml;
} weights_file;

static void free_file(weights_file *f)
{
    mg_free(f->file), mg_free(f->kind), mg_free(f->yaml);
    *f = (weights_file){0};
}

// Sizes, the model itself, the weights of model.base and then those of model.init.
static mg_status make_model(const mg_comm *world, mg_finetune_config *c, mg_seg_model *m,
                            weights_file *base, weights_file *init)
{
    mg_load_how how = c->load;

    if (c->base[0])
        MG_TRY(mg_checkpoint_config(world, c->base, &base->file, &base->kind, &base->yaml));
    if (c->init[0])
        MG_TRY(mg_checkpoint_config(world, c->init, &init->file, &init->kind, &init->yaml));
    bool whole = init->file && strcmp(init->kind, "finetune") == 0;
    const weights_file *sizes = whole || !base->file ? init : base;
    mg_status st = mg_seg_config_resolve(c, sizes->kind, sizes->yaml);
    bool fresh = !base->file && !init->file;
    if (!st) st = fresh ? mg_seg_model_build(c, m) : mg_seg_model_make(c, m);
    st = mg_comm_agree(world, st);
    uint64_t seed = (uint64_t)c->train.seed; // of what the first file lacks
    how.seed = &seed;
    if (!st && base->file) {
        st = mg_seg_model_init(world, base->file, &how, m);
        how.seed = NULL;
        how.keep_rest = true;
    }
    if (!st && init->file) st = mg_seg_model_init(world, init->file, &how, m);
    return st;
}

// Stacks always use the single mask (prompts-and-metrics.md 4.4): a model trained on them knows no
// other, and its checkpoint says so.
static mg_status settle_output(const mg_seg_data *data, mg_finetune_config *c, mg_seg_model *m)
{
    if (!data->volumes) return MG_OK;
    mg_free(c->output);
    c->output = mg_strdup("single");
    MG_CHECK(c->output, MG_ERR_MEMORY, "cannot allocate a setting");
    m->single_output = true;
    return MG_OK;
}

static mg_status train(const mg_comm *world, const mg_finetune_config *c, mg_seg_model *m,
                       mg_seg_data *data, const char *base, const char *init, const char *yaml)
{
    mg_seg_task *task = NULL;
    mg_run *run = NULL;
    mg_step share = {0};

    mg_train_share(mg_comm_rank(world), mg_comm_size(world), &c->train, &share);
    mg_status st = mg_comm_agree(world, mg_seg_task_create(world, m, data, c, &share, yaml, &task));
    if (!st)
        st = mg_run_open(world, c->out, "finetune", mg_finetune_options, yaml, free_keys, &run);
    if (!st) mg_source_note(data->reader, run);
    if (!st && base) mg_run_input_file(run, "model.base", base);
    if (!st && init) mg_run_input_file(run, "model.init", init);
    if (!st && data->texts) mg_run_input_file(run, "prompts.texts", c->texts);
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
    mg_text_choice texts = {0};
    mg_reader *reader = NULL;
    weights_file base = {0}, init = {0};
    char *yaml = NULL;

    mg_status st = mg_args_load(args, &group, 1);
    if (!st && !c.out[0])
        st = MG_FAIL(MG_ERR_CONFIG, "train.out is not set, expected a run folder");
    st = mg_comm_agree(args->world, st);
    if (!st) st = mg_comm_agree(args->world, mg_train_check(mg_comm_size(args->world), &c.train));
    if (!st && c.texts[0]) st = mg_comm_agree(args->world, mg_finetune_note_texts(&c));
    if (!st) st = make_model(args->world, &c, &model, &base, &init);
    if (!st) st = mg_source_open(args->world, &c.data, &reader);
    if (!st) st = mg_comm_agree(args->world, mg_volume_facts_note(reader, &c));
    if (!st && c.texts[0])
        st = mg_comm_agree(args->world, mg_text_choice_open(c.texts, reader, &texts));
    if (!st)
        st = mg_comm_agree(args->world,
                           mg_seg_data_open(reader, &model, &c, c.texts[0] ? &texts : NULL, &data));
    if (!st) st = mg_comm_agree(args->world, mg_finetune_settle_loss(&c, data.volumes));
    if (!st) st = mg_comm_agree(args->world, settle_output(&data, &c, &model));
    if (!st) {
        yaml = mg_config_echo(&group, 1); // sizes and forms are resolved by now
        st = train(args->world, &c, &model, &data, base.file, init.file, yaml);
    }
    free_file(&base), free_file(&init);
    mg_free(yaml);
    mg_seg_data_close(&data);
    mg_text_choice_close(&texts);
    mg_reader_close(&reader);
    mg_seg_model_free(&model);
    mg_config_free(&group, 1);
    return st;
}
