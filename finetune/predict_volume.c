// Stacks, targets and slices of a volume on their way into one label map.
#include "finetune/predict_volume.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "finetune/label_map.h"
#include "finetune/predict_sheet.h"
#include "finetune/volume_blend.h"
#include "finetune/volume_grid.h"
#include "finetune/volume_session.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "shard/levels.h"

// How far a target got on a slice of the model's grid.
enum { NOT_REACHED, EMPTY, THERE };

typedef struct {
    const mg_predict_target *asked;
    mg_blend blend;     // room for one stack
    float *slice[2];    // [height, width] logits of the last two slices, slice z in z % 2
    bool decoded[2];    // they are not empty
    uint8_t *state;     // [depth]
    float *probability; // [depth, height, width] of the file; NULL unless wanted
    double iou;         // sum over the slices of last passes
    int64_t slices, voxels;
} target;

typedef struct {
    const mg_volume_file *file;
    const mg_predict_volume_plan *plan;
    const mg_predict_prompts *prompts;
    const mg_predict_files *files;
    mg_levels levels;
    mg_volume_session *session;
    mg_grid grid;
    target *target; // [prompts->count]
    uint8_t *map;   // of the file's grid
    uint8_t *shown; // the same on the model's grid, for the overlay
    float *best;    // [height, width] of the larger of both grids
    int written;    // slices of the file's grid that are done
    double encode_s;
    int encoded; // stacks
} work;

// --- memory -----------------------------------------------------------------------------------------

static mg_status read_slices(void *ctx, int first, int slices, uint8_t *out)
{
    const work *w = ctx;
    size_t one = (size_t)w->file->height * w->file->width;
    size_t bytes = one * w->file->channels * mg_dtype_size(w->file->type);

    mg_levels_apply(&w->levels, (const char *)w->file->pixels + (size_t)first * bytes,
                    (size_t)slices * one, out);
    return MG_OK;
}

static mg_status allocate_target(const work *w, target *t)
{
    const mg_nifti_head *h = &w->file->head;
    size_t pixels = w->session->pixels, voxels = (size_t)h->depth * h->height * h->width;

    t->slice[0] = mg_alloc(2 * pixels * sizeof *t->slice[0]);
    t->state = mg_calloc((size_t)w->file->depth, 1);
    if (w->files->probability[0]) t->probability = mg_calloc(voxels, sizeof *t->probability);
    MG_CHECK(t->slice[0] && t->state && (t->probability || !w->files->probability[0]),
             MG_ERR_MEMORY, "cannot allocate target '%s'", t->asked->name);
    t->slice[1] = t->slice[0] + pixels;
    return mg_blend_create(w->session->model, w->session->frame, 1, w->session->slices, &t->blend);
}

static mg_status allocate(work *w)
{
    const mg_nifti_head *h = &w->file->head;
    const int full[3] = {h->depth, h->height, h->width};
    const int here[3] = {w->file->depth, w->file->height, w->file->width};
    size_t pixels = w->session->pixels, wide = (size_t)h->height * h->width;

    w->target = mg_calloc((size_t)w->prompts->count, sizeof *w->target);
    w->map = mg_calloc((size_t)h->depth * wide, 1);
    w->shown = mg_calloc((size_t)w->file->depth * pixels, 1);
    w->best = mg_alloc((pixels > wide ? pixels : wide) * sizeof *w->best);
    MG_CHECK(w->target && w->map && w->shown && w->best, MG_ERR_MEMORY,
             "cannot allocate a mask of %d x %d x %d", h->size[0], h->size[1], h->size[2]);
    MG_TRY(mg_grid_create(full, here, w->file->grid, &w->grid));
    for (int i = 0; i < w->prompts->count; i++) {
        w->target[i].asked = &w->prompts->target[i];
        MG_TRY(allocate_target(w, &w->target[i]));
    }
    return MG_OK;
}

static void release(work *w)
{
    for (int i = 0; i < w->prompts->count && w->target; i++) {
        target *t = &w->target[i];
        mg_blend_free(&t->blend);
        mg_free(t->slice[0]), mg_free(t->state), mg_free(t->probability);
    }
    mg_free(w->target), mg_free(w->map), mg_free(w->shown), mg_free(w->best);
    mg_grid_free(&w->grid);
    mg_volume_session_destroy(&w->session);
}

// --- a target on a stack ----------------------------------------------------------------------------

// Does the target have a prompt on the slices of a stack from `first` on?
static bool is_prompted(const mg_volume_session *s, int first, const mg_predict_target *t)
{
    int last = first + s->slices - 1;
    bool any = t->unit != NULL;

    for (int k = 0; k < t->clicks; k++)
        any = any || (t->click[k].z >= first && t->click[k].z <= last);
    for (int k = 0; k < t->boxes; k++)
        any = any || (t->box[k].last >= first && t->box[k].first <= last);
    return any;
}

static void give_boxes(mg_volume_session *s, const mg_predict_target *t)
{
    for (int k = 0; k < t->boxes; k++)
        for (int z = 0; z < s->slices; z++) {
            mg_seg_prompt *p = &s->stack.prompt[z];
            int at = s->first + z;
            if (at < t->box[k].first || at > t->box[k].last) continue;
            memcpy(p->box, t->box[k].box, sizeof p->box);
            p->has_box = true;
        }
}

// A pass for each click, as in evaluation, or one without clicks.
static void decode_stack(mg_volume_session *s, const mg_predict_target *t)
{
    int passes = 0;

    for (int k = 0; k < t->clicks; k++) {
        mg_click click = t->click[k];
        if (click.z < s->first || click.z >= s->first + s->slices) continue;
        mg_seg_prompt_add(&s->stack.prompt[click.z - s->first], click);
        mg_volume_session_carry(s);
        mg_volume_session_decode(s, NULL);
        passes++;
    }
    if (passes) return;
    mg_volume_session_carry(s);
    mg_volume_session_decode(s, NULL);
}

// Click number `round` of every slice that has so many; in round 0 also what has a box or a text.
static int give_round(mg_volume_session *s, const mg_predict_target *t, int round)
{
    mg_seg_stack *stack = &s->stack;
    int count = 0;

    for (int z = 0; z < s->slices; z++) {
        mg_seg_prompt *p = &stack->prompt[z];
        int number = 0;
        bool wanted = round == 0 && (p->has_box || p->text);
        for (int k = 0; k < t->clicks; k++) {
            if (t->click[k].z != s->first + z || number++ != round) continue;
            mg_seg_prompt_add(p, t->click[k]);
            wanted = true;
        }
        if (wanted) stack->order[count++] = z;
    }
    mg_seg_stack_only(stack, stack->order, count);
    return count;
}

static void decode_slices(mg_volume_session *s, const mg_predict_target *t)
{
    for (int round = 0; give_round(s, t, round) > 0; round++) mg_volume_session_decode(s, NULL);
}

static void run_target(const work *w, target *t)
{
    mg_volume_session *s = w->session;

    mg_volume_session_reset(s);
    give_boxes(s, t->asked);
    if (t->asked->unit) mg_seg_stack_text(&s->stack, t->asked->unit);
    if (w->plan->by_slice)
        decode_slices(s, t->asked);
    else
        decode_stack(s, t->asked);
    mg_blend_add(&t->blend, 0, &s->stack, s->first);
    for (int z = 0; z < s->slices; z++) {
        if (!s->stack.prompt[z].has_mask) continue;
        t->iou += s->stack.iou[z];
        t->slices++;
    }
}

// --- slices that are done ---------------------------------------------------------------------------

// Slice z of the file's grid, which lies between two slices that have been taken.
static void write_slice(work *w, int z)
{
    size_t cells = (size_t)w->grid.full[1] * w->grid.full[2], at = (size_t)z * cells;
    const mg_grid_spot *spot = &w->grid.spot[0][z];
    float *logits = w->grid.slice;

    memset(w->best, 0, cells * sizeof *w->best);
    if (spot->low < 0) return;
    for (int i = 0; i < w->prompts->count; i++) {
        target *t = &w->target[i];
        int low = spot->low % 2, high = spot->high % 2;
        if (!t->decoded[low] && !t->decoded[high]) continue;
        mg_grid_slice(&w->grid, z, t->slice[low], t->slice[high], logits);
        mg_label_merge(w->best, w->map + at, logits, cells, i + 1);
        for (size_t k = 0; k < cells; k++) t->voxels += logits[k] > 0;
        for (size_t k = 0; k < cells && t->probability; k++)
            t->probability[at + k] = (float)mg_predict_probability(logits[k]);
    }
}

// Slice z of the model's grid, behind which no stack begins any more.
static void finish_slice(work *w, int z)
{
    size_t pixels = w->session->pixels;

    memset(w->best, 0, pixels * sizeof *w->best);
    for (int i = 0; i < w->prompts->count; i++) {
        target *t = &w->target[i];
        float *logits = t->slice[z % 2];
        bool there = false;
        t->decoded[z % 2] = mg_blend_take(&t->blend, 0, z, logits);
        if (!t->decoded[z % 2]) continue;
        mg_label_merge(w->best, w->shown + (size_t)z * pixels, logits, pixels, i + 1);
        for (size_t k = 0; k < pixels && !there; k++) there = logits[k] > 0;
        t->state[z] = there ? THERE : EMPTY;
    }
    for (; w->written < w->grid.full[0]; w->written++) {
        const mg_grid_spot *spot = &w->grid.spot[0][w->written];
        if (spot->low >= 0 && spot->high > z) break;
        write_slice(w, w->written);
    }
}

static mg_status run_stack(work *w, int i)
{
    mg_volume_session *s = w->session;
    int first = mg_volume_session_first(s, i);
    int next = i + 1 < s->stacks ? mg_volume_session_first(s, i + 1) : w->file->depth;
    bool any = false;

    for (int k = 0; k < w->prompts->count; k++)
        any = any || is_prompted(s, first, w->target[k].asked);
    if (any) {
        double begin = mg_now();
        MG_TRY(mg_volume_session_stack(s, i));
        w->encode_s += mg_now() - begin;
        w->encoded++;
    }
    for (int k = 0; k < w->prompts->count && any; k++)
        if (is_prompted(s, first, w->target[k].asked)) run_target(w, &w->target[k]);
    for (int z = first; z < next; z++) finish_slice(w, z);
    return MG_OK;
}

// --- results ----------------------------------------------------------------------------------------

// Slice z of the model's grid as a number along the file's own axis.
static int slice_of_file(const mg_volume_file *f, int z)
{
    const mg_nifti_head *h = &f->head;
    int at = (int)floor(f->grid[0][0] + f->grid[0][1] * z + 0.5);
    return h->flip[2] ? h->depth - 1 - at : at;
}

// Is the mask there on slice z, next to a slice that no prompt reaches?
static bool is_cut_off(const target *t, int z, int depth)
{
    bool below = z > 0 && t->state[z - 1] == NOT_REACHED;
    bool above = z + 1 < depth && t->state[z + 1] == NOT_REACHED;
    return t->state[z] == THERE && (below || above);
}

// A mask that goes on right to where no prompt reaches is probably cut off there.
static void warn_of_ends(const work *w, const target *t)
{
    int depth = w->file->depth;
    char where[64] = "";

    for (int z = 0; z < depth && !w->plan->by_slice; z++) {
        size_t used = strlen(where);
        if (!is_cut_off(t, z, depth) || used > 48) continue;
        snprintf(where + used, sizeof where - used, "%s%d", used ? ", " : "",
                 slice_of_file(w->file, z));
    }
    if (where[0])
        mg_warn(
            "the mask of target '%s' ends at slice %s because no prompt reaches further (a click "
            "reaches its stacks of %d slices): click there too, or behind it, if it goes on",
            t->asked->name, where, w->session->slices);
}

static void tell(const work *w, const target *t, int i)
{
    const mg_nifti_head *h = &w->file->head;
    double ml = h->spacing[0] * h->spacing[1] * h->spacing[2] * (double)t->voxels / 1000;
    int reached = 0;
    char size[96];

    for (int z = 0; z < w->file->depth; z++) reached += t->state[z] != NOT_REACHED;
    snprintf(size, sizeof size, "voxels %lld ml %.2f slices_reached %d", (long long)t->voxels, ml,
             reached);
    mg_predict_print(t->asked, i, size, t->slices ? t->iou / (double)t->slices : 0);
    if (t->voxels == 0) mg_warn("the mask of target '%s' is empty", t->asked->name);
    warn_of_ends(w, t);
}

static mg_status write_probability(const work *w, const target *t, int i)
{
    char *name = mg_predict_probability_name(w->files, i, w->prompts->count);

    MG_CHECK(name, MG_ERR_MEMORY, "cannot allocate a name");
    mg_status st = mg_nifti_write(name, &w->file->head, MG_F32, t->probability);
    if (!st) mg_info("probability of target %d in '%s'", i + 1, name);
    mg_free(name);
    return st;
}

static mg_status write_results(work *w)
{
    mg_predict_sheet sheet = {.slices = w->session->from,
                              .map = w->shown,
                              .prompts = w->prompts,
                              .tall = w->file->spacing[1] / w->file->spacing[2]};

    for (int i = 0; i < w->prompts->count; i++) {
        tell(w, &w->target[i], i);
        if (w->target[i].probability) MG_TRY(write_probability(w, &w->target[i], i));
    }
    MG_TRY(mg_nifti_write(w->files->mask, &w->file->head, MG_U8, w->map));
    if (!w->files->overlay[0]) return MG_OK;
    MG_TRY(mg_predict_sheet_write(w->files->overlay, &sheet));
    char text[128] = "";
    for (int i = 0; i < sheet.shown; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, " %d", slice_of_file(w->file, sheet.slice[i]));
    }
    mg_info("overlay of slices%s, front up, the patient's right side on the left", text);
    return MG_OK;
}

static mg_levels levels_of(const mg_volume_file *f, const mg_predict_volume_plan *plan)
{
    mg_levels l = {.type = f->type,
                   .channels = f->channels,
                   .range = f->range,
                   .ct = f->ct,
                   .window = plan->window};

    memcpy(l.input, plan->input, sizeof l.input);
    return l;
}

mg_status mg_predict_volume(const mg_seg_model *model, const mg_volume_file *file,
                            const mg_predict_volume_plan *plan, const mg_predict_prompts *prompts,
                            const mg_predict_files *files)
{
    work w = {.file = file, .plan = plan, .prompts = prompts, .files = files};
    mg_slices from = {file->depth, file->height, file->width, read_slices, &w};
    double begin = mg_now();

    w.levels = levels_of(file, plan);
    mg_status st = mg_volume_session_create(model, plan->slices, plan->carry, MG_PROMPT_CLICKS_MAX,
                                            &w.session);
    if (!st) st = mg_volume_session_open(w.session, &from, false);
    if (!st) st = allocate(&w);
    for (int i = 0; !st && i < w.session->stacks; i++) st = run_stack(&w, i);
    if (!st) st = write_results(&w);
    if (!st)
        mg_info("stacks %d of %d encode_s %.2f decode_s %.2f peak_mb %.0f", w.encoded,
                w.session->stacks, w.encode_s, mg_now() - begin - w.encode_s,
                (double)mg_mem_peak_rss() / 1e6);
    release(&w);
    return st;
}
