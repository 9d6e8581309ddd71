// Loading follows mg_cmd_pretrain: the settings that lie in the checkpoint rebuild the model.
#include "pretrain/encoder.h"

#include <string.h>

#include "models/weights_load.h"
#include "pretrain/pretrain_data.h"
#include "runtime/log.h"
#include "runtime/mem.h"

// Model of the settings in `yaml`, without weights.
static mg_status build(mg_encoder *e, const char *kind, const char *yaml)
{
    mg_option_group group = {mg_pretrain_options, &e->settings};
    mg_pretrain_config config;

    MG_CHECK(strcmp(kind, "pretrain") == 0, MG_ERR_CONFIG,
             "'%s' is a %s checkpoint, expected one of pretrain", e->file, kind);
    MG_CHECK(yaml, MG_ERR_FORMAT, "'%s' does not tell all sizes of its encoder", e->file);
    MG_TRY(mg_config_load(&group, 1, "pretrain", yaml, e->file, NULL));
    MG_TRY(mg_pretrain_look_config(&e->settings, e->batch, &config));
    return mg_pretrain_open(&config, &e->model);
}

mg_status mg_encoder_open(const mg_comm *world, const char *path, int batch, mg_encoder **out)
{
    mg_encoder *e = mg_calloc(1, sizeof *e);
    char *kind = NULL, *yaml = NULL;
    mg_status st = MG_OK;

    *out = NULL;
    if (!e) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate an encoder");
    st = mg_comm_agree(world, st);
    if (st) goto done;
    e->batch = batch;
    st = mg_checkpoint_config(world, path, &e->file, &kind, &yaml);
    if (!st) st = mg_comm_agree(world, build(e, kind, yaml));
    if (!st) st = mg_weights_load(world, e->file, &(mg_load_how){0}, &e->model->params);
    if (!st) *out = e;

done:
    mg_free(kind);
    mg_free(yaml);
    if (st) mg_encoder_close(&e);
    return st;
}

void mg_encoder_close(mg_encoder **encoder)
{
    mg_encoder *e = *encoder;
    mg_option_group group = {mg_pretrain_options, e ? &e->settings : NULL};

    if (!e) return;
    mg_pretrain_close(&e->model);
    mg_config_free(&group, 1);
    mg_free(e->file);
    mg_free(e);
    *encoder = NULL;
}

void mg_encoder_forget(mg_encoder *e)
{
    mg_pretrain_init(e->model, (uint64_t)e->settings.train.seed);
}

// Features of samples lo .. hi - 1 of the list.
static mg_status look(mg_encoder *e, const mg_reader *reader, const int64_t *sample, int64_t lo,
                      int64_t hi, float *features)
{
    mg_pretrain_data data = {.reader = reader, .size = (int)e->settings.image};
    size_t floats = mg_pretrain_floats(&data), D = (size_t)e->model->cfg.vit.D;
    float *images = mg_alloc((size_t)e->batch * floats * sizeof *images);
    mg_status st = MG_OK;

    if (!images) return MG_FAIL(MG_ERR_MEMORY, "cannot allocate %d pictures", e->batch);
    for (int64_t i = lo; i < hi && !st; i += e->batch) {
        int n = hi - i < e->batch ? (int)(hi - i) : e->batch;
        for (int b = 0; b < n && !st; b++)
            st = mg_pretrain_centre(&data, sample[i + b], images + (size_t)b * floats);
        if (st) break;
        mg_pretrain_features(e->model, features + (size_t)(i - lo) * D, images, n);
        mg_progress(i - lo + n, hi - lo, "features of pictures");
    }
    mg_progress_end();
    mg_free(images);
    return st;
}

mg_status mg_encoder_features(const mg_comm *world, mg_encoder *e, const mg_reader *reader,
                              const int64_t *sample, int64_t count, float *features)
{
    int ranks = mg_comm_size(world), me = mg_comm_rank(world);
    size_t row = (size_t)e->model->cfg.vit.D * sizeof(float), *bytes;
    int64_t lo, hi;
    mg_status st = MG_OK;

    mg_comm_range(count, me, ranks, &lo, &hi);
    bytes = mg_alloc((size_t)ranks * sizeof *bytes);
    float *mine = mg_alloc((size_t)(hi - lo + 1) * row);
    if (!bytes || !mine)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate features of %lld pictures",
                     (long long)(hi - lo));
    if (!st) st = look(e, reader, sample, lo, hi, mine);
    st = mg_comm_agree(world, st);
    if (st) goto done;
    for (int r = 0; r < ranks; r++) {
        mg_comm_range(count, r, ranks, &lo, &hi);
        bytes[r] = (size_t)(hi - lo) * row;
    }
    mg_comm_allgatherv(world, mine, bytes, features);

done:
    mg_free(bytes);
    mg_free(mine);
    return st;
}
