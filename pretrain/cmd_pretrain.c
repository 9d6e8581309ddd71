// medgraft pretrain: wiring of settings, data, model, task and trainer.
#include <string.h>

#include "pretrain/cmd.h"
#include "pretrain/pretrain_task.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// Keys that may change between two starts of one run: they do not change its results.
static const char *const free_keys[] = {"train.out",
                                        "train.save_every",
                                        "train.keep",
                                        "train.log_every",
                                        "data.threads",
                                        "data.ahead",
                                        "train.recompute",
                                        "optimizer.shard",
                                        "pretrain.pictures_every",
                                        "pretrain.pictures",
                                        "pretrain.health_every",
                                        "pretrain.health_samples",
                                        "pretrain.health_gradients",
                                        "pretrain.emix_exact_accum",
                                        NULL};

int mg_cmd_pretrain_options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){mg_pretrain_options, NULL};
    return 1;
}

// Where model.init leads: its file (NULL without), and whether it is a model with SAM's names.
typedef struct {
    char *file;
    bool sam;
} origin;

// SAM's image encoder works with relative positions, so they must be there in pretraining too
// (pretraining.md section 7).
static mg_status find_origin(const mg_comm *world, mg_pretrain_settings *s, origin *from)
{
    char *kind = NULL, *yaml = NULL;

    if (!s->init[0]) return MG_OK;
    MG_TRY(mg_checkpoint_config(world, s->init, &from->file, &kind, &yaml));
    from->sam = strcmp(kind, "finetune") == 0;
    if (from->sam && !s->rel_pos) {
        mg_info("model.init is a SAM: pretrain.rel_pos_in_pretrain is now true");
        s->rel_pos = true;
    }
    mg_free(kind), mg_free(yaml);
    return MG_OK;
}

static bool is_no_table(const char *name, void *ctx)
{
    (void)ctx;
    return !strstr(name, ".attn.rel_pos_");
}

// Build the model of this rank's share and give it initial weights, or those of model.init. The
// tables of a SAM stay as they are.
static mg_status make_model(const mg_comm *world, const mg_pretrain_settings *s,
                            const mg_step *share, const origin *from, mg_pretrain_model **model)
{
    mg_pretrain_config config;
    mg_status st = mg_pretrain_model_config(s, share->leaf_size, share->leaves, &config);

    if (!st) st = mg_pretrain_open(&config, model);
    st = mg_comm_agree(world, st);
    if (st) return st;
    mg_pretrain_init(*model, (uint64_t)s->train.seed);
    if (!from->file) return MG_OK;
    if (from->sam) mg_params_train(&(*model)->params, is_no_table, NULL);
    return mg_weights_load(world, from->file, &s->load, &(*model)->params);
}

static mg_status train(const mg_comm *world, const mg_pretrain_settings *s, mg_reader *reader,
                       const origin *from, const char *yaml)
{
    mg_pretrain_data data = {.reader = reader,
                             .seed = (uint64_t)s->train.seed,
                             .flip = s->flip,
                             .crop = s->crop,
                             .law = mg_crop_law_default()};
    mg_pretrain_model *model = NULL;
    mg_pretrain_task *task = NULL;
    mg_run *run = NULL;
    mg_step share = {0};

    data.law.area[0] = s->crop_area;
    data.size = (int)s->image;
    mg_train_share(mg_comm_rank(world), mg_comm_size(world), &s->train, &share);
    mg_status st = make_model(world, s, &share, from, &model);
    if (!st)
        st = mg_run_open(world, s->out, "pretrain", mg_pretrain_options, yaml, free_keys, &run);
    if (!st) mg_source_note(reader, run);
    if (!st && from->file) mg_run_input_file(run, "model.init", from->file);
    if (!st)
        st = mg_comm_agree(
            world, mg_pretrain_task_create(world, run, model, &data, s, &share, yaml, &task));
    if (!st) st = mg_train(world, run, &s->train, mg_pretrain_task_trainer(task));
    mg_pretrain_task_destroy(&task);
    mg_run_close(&run);
    mg_pretrain_close(&model);
    return st;
}

mg_status mg_cmd_pretrain(const mg_args *args)
{
    mg_pretrain_settings s = {0};
    mg_option_group group = {mg_pretrain_options, &s};
    mg_reader *reader = NULL;
    origin from = {0};
    char *yaml = NULL;

    mg_status st = mg_args_load(args, &group, 1);
    if (!st && !s.out[0])
        st = MG_FAIL(MG_ERR_CONFIG, "train.out is not set, expected a run folder");
    st = mg_comm_agree(args->world, st);
    if (!st) st = mg_comm_agree(args->world, mg_train_check(mg_comm_size(args->world), &s.train));
    if (!st) st = find_origin(args->world, &s, &from);
    if (!st) st = mg_source_open(args->world, &s.data, &reader);
    if (!st) {
        yaml = mg_config_echo(&group, 1);
        if (!yaml) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the settings as text");
        st = mg_comm_agree(args->world, st);
    }
    if (!st) st = train(args->world, &s, reader, &from, yaml);
    mg_free(yaml);
    mg_free(from.file);
    mg_reader_close(&reader);
    mg_config_free(&group, 1);
    return st;
}
