// What a run of finetune needs (models/plan.h).
#include <string.h>

#include "finetune/cmd.h"
#include "finetune/seg_task.h"
#include "models/work.h"
#include "runtime/mem.h"

// Mean number of decoder passes of a target (prompts-and-metrics.md 5.4): texts alone and the single click
// have one, the others a start, K corrections, K uniform in 0 .. max, and repeats.
static double mean_passes(const mg_finetune_config *c)
{
    double weight[MG_PROMPT_KINDS], sum = 0;
    mg_prompt_key key = {0};

    if (strcmp(c->schedule, "single") == 0) return 1;
    mg_finetune_prompt_weights(c, weight);
    for (int k = 0; k < MG_PROMPT_KINDS; k++) sum += weight[k];
    bool sam = strcmp(c->schedule, "sam") == 0;
    int fixed = mg_schedule_draw(&key, 0, sam).passes;
    double passes = sam ? fixed : fixed + 0.5 * (double)c->max_corrective;
    double alone = sum > 0 ? weight[MG_PROMPT_TEXT] / sum : 0;
    return alone + (1 - alone) * passes;
}

// Operations of one sample of `slices` images. Backward: through frozen blocks only the gradient of what
// came in (attention counts twice), through trained ones twice the forward pass (model.md 9, 14).
static double work_of(const mg_finetune_config *c, const mg_seg_model *m, int slices)
{
    bool msa = mg_finetune_mode(c) == MG_TRAIN_MSA;
    mg_vit_work w = mg_vit_work_of(&m->vit.cfg, m->sam.N, slices);
    double forward = mg_vit_work_sum(&w), blocks = w.products + w.attention + w.adapters;
    double backward = msa ? w.products + 2 * (w.attention + w.adapters) + w.neck : 2 * forward;
    int slots = m->single_output ? 1 : m->sam.T - 1;
    double decoder = 3 * mean_passes(c) * mg_sam_work(&m->sam, 2, slots);

    if (strcmp(c->recompute, "block") == 0) backward += blocks;
    return 2 * slices * (forward + backward + decoder);
}

static mg_status fill(const mg_finetune_config *c, const mg_plan_settings *plan, mg_plan *out)
{
    mg_seg_model m = {0};
    mg_step share = {0};
    mg_seg_data data = {.model = &m, .parts = 1, .volumes = plan->volumes};

    MG_TRY(mg_train_check((int)plan->ranks, &c->train));
    mg_train_share(0, (int)plan->ranks, &c->train, &share);
    mg_status st = mg_seg_model_table(c, &m);
    if (!st) {
        data.slices = plan->volumes ? (int)c->model.slices : 1;
        mg_loader_plan loader = {.slot_bytes = mg_seg_slot_bytes(&data),
                                 .lo = share.lo,
                                 .hi = share.hi,
                                 .ahead = (int)c->data.ahead,
                                 .samples = plan->samples};
        mg_plan_training(out, plan, &c->train, &share, &m.params);
        out->activations = mg_seg_task_bytes(&m, &data, c, (int)share.leaf_size);
        out->loader = mg_loader_bytes(&loader);
        out->work = work_of(c, &m, data.slices);
    }
    mg_seg_model_free(&m);
    return st;
}

// Sizes from the file of model.init where model.size is auto.
static mg_status resolve(const mg_comm *world, mg_finetune_config *c)
{
    char *file = NULL, *kind = NULL, *yaml = NULL;
    mg_status st = MG_OK;

    if (c->texts[0]) MG_TRY(mg_finetune_note_texts(c));
    if (c->init[0] && strcmp(c->model.size, "auto") == 0)
        st = mg_checkpoint_config(world, c->init, &file, &kind, &yaml);
    if (!st) st = mg_seg_config_resolve(c, kind, yaml);
    mg_free(file), mg_free(kind), mg_free(yaml);
    return st;
}

mg_status mg_finetune_plan_run(const mg_args *args, const mg_option_group *plan, mg_plan *out)
{
    mg_finetune_config c = {0};
    mg_option_group groups[2] = {*plan, {mg_finetune_options, &c}};

    MG_TRY(mg_args_load(args, groups, 2));
    mg_status st = resolve(args->world, &c);
    if (!st) st = fill(&c, plan->base, out);
    mg_config_free(groups + 1, 1);
    return st;
}
