// Start prompts, corrective clicks, passes and their losses.
#include "finetune/seg_target.h"

#include <string.h>

#include "nn/loss.h"

// Clicks that belong together: of a picture, of a whole stack, or (prompts.volume: slice) of one slice.
struct mg_click_history {
    int first;        // slice of the stack that `target` begins with
    mg_target target; // its slices
    mg_prompt_key key;
    mg_schedule schedule;
    int passes;
    mg_click click[MG_PROMPT_CLICKS_MAX]; // so far, z within `target`
    int count;
};

void mg_target_work_place(mg_layout *at, mg_target_work *w, int slices)
{
    const mg_seg_model *m = w->model;
    size_t n = (size_t)slices, cells = (size_t)m->cells * m->cells, T = (size_t)m->sam.T;
    int clicks = MG_MAX_START + (int)w->config->max_corrective + 8;

    w->loss = mg_finetune_loss(w->config);
    mg_seg_stack_place(at, &w->stack, m, slices, clicks, true);
    w->stack.volume = w->volumes;
    w->stack.scale = mg_seg_scale_grid(m->cell);
    w->history = mg_place_bytes(at, n * sizeof *w->history);
    w->pred = mg_place_bytes(at, n * cells);
    w->dmasks = mg_place(at, (n > T ? n : T) * cells);
    w->diou = mg_place(at, T);
    w->weight = mg_place(at, w->config->click_weighting ? n * cells : 0);
    w->dtoken = mg_place(at, (size_t)m->sam.cfg.prompt_dim);
}

// --- clicks -----------------------------------------------------------------------------------------

static bool is_once(const mg_target_work *w)
{
    return strcmp(w->config->schedule, "single") == 0;
}

static bool by_slice(const mg_target_work *w)
{
    return w->volumes && strcmp(w->config->volume, "slice") == 0;
}

static void begin_history(mg_target_work *w, const mg_target_run *r, mg_click_history *h, int first,
                          int slices, int64_t sample)
{
    const mg_seg_sample *s = r->sample;
    int side = w->model->cells;
    size_t at = (size_t)first * side * side;
    bool long_schedule = strcmp(w->config->schedule, "sam") == 0;

    h->first = first;
    h->count = 0;
    h->target = (mg_target){slices, side, side, s->mask + at, w->pred + at, s->ignore + at};
    h->key = (mg_prompt_key){r->step->seed, (uint32_t)r->step->epoch, (uint32_t)sample,
                             (uint32_t)s->class_number};
    h->schedule = mg_schedule_draw(&h->key, (int)w->config->max_corrective, long_schedule);
    if (is_once(w)) h->schedule.single = true;
    h->passes = is_once(w) || s->kind == MG_PROMPT_TEXT ? 1 : h->schedule.passes;
}

// One history for the whole target, or one for each slice. Returns their number.
static int begin_histories(mg_target_work *w, const mg_target_run *r)
{
    const mg_seg_sample *s = r->sample;

    if (!by_slice(w)) {
        begin_history(w, r, w->history, 0, s->slices, s->sample);
        return 1;
    }
    for (int z = 0; z < s->slices; z++)
        begin_history(w, r, &w->history[z], z, 1, r->slice_number + z);
    return s->slices;
}

static void add_click(mg_target_work *w, mg_click_history *h, mg_click click)
{
    if (click.label < 0 || h->count == MG_PROMPT_CLICKS_MAX) return;
    h->click[h->count++] = click;
    mg_seg_prompt_add(&w->stack.prompt[h->first + click.z], click);
}

static void start_prompt(mg_target_work *w, mg_click_history *h, mg_prompt_kind kind)
{
    const mg_finetune_config *c = w->config;
    mg_target target = h->target;
    mg_click start[MG_MAX_START];

    if (kind == MG_PROMPT_TEXT) return;
    target.pred = NULL;
    if (kind == MG_PROMPT_BOX) {
        int z = mg_start_slice(&target, &h->schedule);
        mg_seg_prompt *prompt = &w->stack.prompt[h->first + z];
        prompt->has_box =
            mg_box_draw(&target, z, mg_finetune_box_mode(c), MG_BOX_FRAME, &h->key, prompt->box);
        return;
    }
    int count =
        mg_start_clicks(w->clicker, &target, mg_finetune_profile(c), &h->schedule, &h->key, start);
    for (int i = 0; i < count; i++) add_click(w, h, start[i]);
}

// The slice that 4.3 picks, the cell by the mode of 5.2.
static void corrective_click(mg_target_work *w, mg_click_history *h, int stage)
{
    mg_cursor draw = mg_prompt_draw(&h->key, MG_RNG_CLICKS, (uint32_t)stage);
    int z = 0;

    if (h->target.depth > 1) {
        mg_click worst = mg_click_stack(w->clicker, &h->target, h->click, h->count);
        if (worst.label < 0) return;
        z = worst.z;
    }
    add_click(w, h,
              mg_click_corrective(w->clicker, &h->target, z, mg_finetune_click_mode(w->config),
                                  &draw, h->click, h->count));
}

// --- loss -------------------------------------------------------------------------------------------

// Weight of every cell by the clicks so far on its own slice.
static const float *weigh_cells(mg_target_work *w, const mg_seg_sample *s)
{
    int side = w->model->cells;
    size_t one = (size_t)side * side;

    for (int z = 0; z < s->slices; z++) {
        const mg_seg_prompt *p = &w->stack.prompt[z];
        mg_click_weights(w->weight + z * one, s->mask + z * one, side, side, p->click, p->count);
    }
    return w->weight;
}

// Loss of a pass over all slices as one target; its gradients to w->dmasks and w->diou. A stack has one
// mask slot, and the mean of its slices' predictions is its predicted IoU.
static double pass_loss(mg_target_work *w, const mg_target_run *r, int passes)
{
    const mg_seg_stack *stack = &w->stack;
    const mg_seg_sample *s = r->sample;
    const mg_sam_pass *first = &stack->pass[0];
    size_t one = (size_t)w->model->cells * w->model->cells, cells = (size_t)s->slices * one;
    int M = s->slices > 1 ? 1 : first->shape.slots.count;
    const float *masks = s->slices > 1 ? stack->logits : first->masks, *iou = first->iou;
    const float *weight = w->config->click_weighting ? weigh_cells(w, s) : NULL;
    double n = (double)r->step->batch * passes * s->parts, sum = 0;
    float mean;

    if (s->slices > 1) {
        for (int z = 0; z < s->slices; z++) sum += stack->iou[z];
        mean = (float)(sum / s->slices);
        iou = &mean;
    }
    memset(w->dmasks, 0, (size_t)M * cells * sizeof *w->dmasks);
    memset(w->diou, 0, (size_t)M * sizeof *w->diou);
    if (w->loss.sam) {
        mg_slot_loss slots[MG_MAX_SLOTS];
        int best = 0;
        double loss = mg_sam_loss(w->dmasks, w->diou, &best, slots, masks, iou, s->target, s->valid,
                                  weight, M, cells, w->config->focal_weight, n);
        r->scalars[MG_SEG_IOU_ERROR] += slots[best].iou_mse / n;
        if (s->slices > 1) w->diou[0] /= (float)s->slices;
        return loss;
    }
    double loss = 0;
    if (w->loss.dice)
        loss += mg_dice_sq_loss(w->dmasks, masks, s->target, s->valid, M, cells, n * M);
    if (w->loss.bce_weight > 0)
        loss += mg_bce_loss(w->dmasks, masks, s->target, s->valid, weight, M, cells,
                            w->loss.bce_weight, (double)w->valid_cells * M * passes * s->parts);
    return loss;
}

// Dice of the thresholded mask on the logit grid; 1 if both are empty.
static double grid_dice(const uint8_t *pred, const mg_seg_sample *s, size_t cells)
{
    int64_t both = 0, sum = 0;
    for (size_t i = 0; i < cells; i++) {
        if (!s->valid[i]) continue;
        both += pred[i] && s->mask[i];
        sum += (pred[i] != 0) + (s->mask[i] != 0);
    }
    return sum ? 2 * (double)both / (double)sum : 1;
}

// --- passes -----------------------------------------------------------------------------------------

static mg_stack_plan plan_of(const mg_target_work *w)
{
    if (!w->volumes || by_slice(w)) return MG_PLAN_EACH;
    return w->config->carry ? MG_PLAN_CARRY : MG_PLAN_NO_CARRY;
}

// Decode, take the loss, go back at once: what is fed to the next pass or carried to a neighbour has
// no gradient. A stack without any click is empty, and nothing of it is decoded.
static void run_pass(mg_target_work *w, const mg_target_run *r, int passes)
{
    const mg_seg_model *m = w->model;
    mg_seg_stack *stack = &w->stack;
    size_t cells = (size_t)m->cells * m->cells;
    size_t embedding = (size_t)m->vit.gh * m->vit.gw * m->sam.cfg.prompt_dim;

    mg_seg_stack_plan(stack, plan_of(w));
    mg_seg_stack_decode(stack);
    if (stack->count == 0) return;
    r->scalars[MG_SEG_LOSS] += pass_loss(w, r, passes);
    for (int i = 0; i < stack->count; i++) {
        int z = stack->order[i];
        mg_sam_backward(r->grads, r->dembedding + z * embedding, r->sample->unit ? w->dtoken : NULL,
                        w->dmasks + z * cells, w->diou, &stack->pass[z], &m->sam, &m->params,
                        m->code, &stack->given[z], stack->scratch);
    }
    for (size_t c = 0; c < (size_t)stack->slices * cells; c++) w->pred[c] = stack->logits[c] > 0;
}

void mg_target_train(mg_target_work *w, const mg_target_run *r)
{
    const mg_text_prompt *text = &w->model->text;
    const float *unit = r->sample->unit;
    size_t cells = (size_t)r->sample->slices * w->model->cells * w->model->cells;
    int histories = begin_histories(w, r), passes = 0;

    mg_seg_stack_reset(&w->stack, r->sample->slices);
    w->stack.embedding = r->embedding;
    if (unit) mg_seg_stack_text(&w->stack, unit);
    if (unit) memset(w->dtoken, 0, (size_t)text->out * sizeof *w->dtoken);
    memset(w->pred, 0, cells);
    for (int k = 0; k < histories; k++) {
        start_prompt(w, &w->history[k], r->sample->kind);
        if (w->history[k].passes > passes) passes = w->history[k].passes;
    }
    // A slice whose own schedule is over repeats its prompt while others go on.
    for (int i = 0; i < passes; i++) {
        for (int k = 0; k < histories; k++) {
            mg_click_history *h = &w->history[k];
            int stage = 0;
            if (i < h->passes && mg_schedule_pass(&h->schedule, i, &stage) == MG_PASS_CLICK)
                corrective_click(w, h, stage);
        }
        run_pass(w, r, passes);
        double dice =
            grid_dice(w->pred, r->sample, cells) / ((double)r->step->batch * r->sample->parts);
        if (i == 0) r->scalars[MG_SEG_DICE_FIRST] += dice;
        if (i == passes - 1) r->scalars[MG_SEG_DICE_LAST] += dice;
    }
    if (unit) mg_text_prompt_backward(r->grads, w->dtoken, unit, text, &w->model->params);
}
