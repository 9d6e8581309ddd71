// Golden kind `losses` (README-prompts-and-metrics.md): values and gradients of the prompted stage.
// Limits: relative 1e-5 plus absolute 1e-6 for a float program with double sums; `sam_best` exact.
// A deviation is |a - b| / (1e-6 + 1e-5 |b|), so its limit is 1.
// Where a logit is exactly 0 (case 009) the stored gradients are not those of section 6: they were
// taken by automatic differentiation of max(-z, 0) + log1p(exp(-|z|)), which there gives the slope -1
// instead of -1/2. The known half is added to the stored number before comparing.
#include <math.h>

#include "nn/loss.h"
#include "tests/golden.h"

typedef struct {
    golden *g;
    int number;   // of the case
    int B, M;     // targets, slots
    size_t cells; // of one slot
    float *logits, *target, *iou;
    uint8_t *valid;
    float *dlogits, *diou;
    double *half; // what is added to stored gradients by the logits
} loss_case;

static void *load(loss_case *c, const char *name, mg_dtype type, mg_h5_info *info)
{
    return golden_load(c->g, golden_name(c->g, "%03d/%s", c->number, name), type, info);
}

static void compare(loss_case *c, const char *quantity, double got, double want)
{
    golden_note(c->g, quantity, fabs(got - want) / (1e-6 + 1e-5 * fabs(want)), 1);
}

static void compare_logits(loss_case *c, const char *name, const char *quantity)
{
    const double *want = load(c, name, MG_F64, NULL);
    for (size_t i = 0; i < c->B * c->M * c->cells; i++)
        compare(c, quantity, c->dlogits[i], want[i] + c->half[i]);
}

// Slot m of target b: d(loss)/d(softplus) of the valid cells whose logit is 0, halved.
static void set_half(loss_case *c, int b, int m, double by_softplus, double pos_weight, bool focal)
{
    for (size_t i = 0; i < c->cells; i++) {
        size_t at = (b * c->M + m) * c->cells + i, cell = b * c->cells + i;
        double y = c->target[cell];
        if (c->logits[at] != 0 || !c->valid[cell]) continue;
        double factor = focal ? (0.25 * y + 0.75 * (1 - y)) * 0.25 : 1 + (pos_weight - 1) * y;
        c->half[at] = 0.5 * by_softplus * factor;
    }
}

static void clear(loss_case *c)
{
    size_t n = (size_t)c->B * c->M;
    for (size_t i = 0; i < n * c->cells; i++) c->dlogits[i] = 0;
    for (size_t i = 0; i < n * c->cells; i++) c->half[i] = 0;
    for (size_t i = 0; i < n; i++) c->diou[i] = 0;
}

static void sam(loss_case *c)
{
    static const char *const names[] = {"focal", "dice", "iou_actual", "iou_mse", "sam_combo"};
    const double *want[5];
    const int32_t *best = load(c, "sam_best", MG_I32, NULL);
    const double focal_weight = golden_real(c->g, "/", "lambda_focal");
    size_t slot_cells = c->M * c->cells, n = (size_t)c->B * c->M;
    double total = 0;

    for (int k = 0; k < 5; k++) want[k] = load(c, names[k], MG_F64, NULL);
    clear(c);
    for (int b = 0; b < c->B; b++) {
        mg_slot_loss slots[MG_MAX_SLOTS];
        int m = -1;
        total +=
            mg_sam_loss(c->dlogits + b * slot_cells, c->diou + b * c->M, &m, slots,
                        c->logits + b * slot_cells, c->iou + b * c->M, c->target + b * c->cells,
                        c->valid + b * c->cells, NULL, c->M, c->cells, focal_weight, c->B);
        golden_exact(c->g, m == best[b], "case %03d target %d: best slot %d, not %d", c->number, b,
                     m, best[b]);
        double V = fmax(1, (double)mg_valid_cells(c->valid + b * c->cells, c->cells));
        set_half(c, b, best[b], focal_weight / V / c->B, 1, true);
        for (int i = 0; i < c->M; i++) {
            double got[5] = {slots[i].focal, slots[i].dice, slots[i].iou_actual, slots[i].iou_mse,
                             slots[i].combo};
            for (int k = 0; k < 5; k++) compare(c, "sam", got[k], want[k][b * c->M + i]);
        }
    }
    compare(c, "sam", total, *(double *)load(c, "sam_total", MG_F64, NULL));
    compare_logits(c, "sam_grad_logits", "sam_grad");
    const double *diou = load(c, "sam_grad_iou", MG_F64, NULL);
    for (size_t i = 0; i < n; i++) compare(c, "sam_grad", c->diou[i], diou[i]);
}

// bce and dice_sq with their weights; 0 leaves one out.
static void plain(loss_case *c, const char *value, const char *grad, double pos_weight, bool dice)
{
    size_t slot_cells = c->M * c->cells;
    double count = (double)c->M * mg_valid_cells(c->valid, c->B * c->cells), total = 0;

    clear(c);
    for (int b = 0; b < c->B; b++) {
        float *d = c->dlogits + b * slot_cells;
        const float *z = c->logits + b * slot_cells, *y = c->target + b * c->cells;
        const uint8_t *v = c->valid + b * c->cells;
        if (pos_weight > 0)
            total += mg_bce_loss(d, z, y, v, NULL, c->M, c->cells, pos_weight, count);
        for (int m = 0; m < c->M && pos_weight > 0; m++)
            set_half(c, b, m, 1 / count, pos_weight, false);
        if (dice) total += mg_dice_sq_loss(d, z, y, v, c->M, c->cells, (double)c->B * c->M);
    }
    compare(c, value, total, *(double *)load(c, value, MG_F64, NULL));
    compare_logits(c, grad, value);
}

void golden_kind_losses(golden *g)
{
    int cases = (int)golden_int(g, "/", "n_cases");

    for (int i = 0; i < cases; i++) {
        mg_h5_info info;
        loss_case c = {.g = g, .number = i};
        c.logits = load(&c, "logits", MG_F32, &info);
        c.B = (int)info.dim[0];
        c.M = (int)info.dim[1];
        c.cells = (size_t)(info.count / (c.B * c.M));
        c.target = load(&c, "target", MG_F32, NULL);
        c.valid = load(&c, "valid", MG_U8, NULL);
        c.iou = load(&c, "pred_iou", MG_F32, NULL);
        c.dlogits = golden_alloc(g, (size_t)info.count * sizeof(float));
        c.half = golden_alloc(g, (size_t)info.count * sizeof(double));
        c.diou = golden_alloc(g, (size_t)c.B * c.M * sizeof(float));
        sam(&c);
        plain(&c, "bce", "bce_grad", 1, false);
        plain(&c, "bce_pw2", "bce_pw2_grad", 2, false);
        plain(&c, "dice_sq", "dice_sq_grad", 0, true);
        plain(&c, "medsam_total", "medsam_grad", 1, true);
    }
}
