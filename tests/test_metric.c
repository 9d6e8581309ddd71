// Scores of masks against brute force over all pairs of surface cells, and the cases that other
// tools get wrong: empty and full masks, borders, one slice, ignored cells, what a crop may change.
#include "tests/check.h"

#include <stdbool.h>

#include "finetune/metric.h"
#include "finetune/stats.h"
#include "runtime/mem.h"

enum { D = 4, H = 9, W = 11, N = D * H * W };
static const double tolerance[2] = {1, 2};

static bool inside(const uint8_t *mask, const int *n, int z, int y, int x)
{
    return z >= 0 && z < n[0] && y >= 0 && y < n[1] && x >= 0 && x < n[2] &&
           mask[((size_t)z * n[1] + y) * n[2] + x];
}

static int list_surface(const uint8_t *mask, const int *n, int ndim, int (*cell)[3])
{
    int count = 0;
    for (int z = 0; z < n[0]; z++)
        for (int y = 0; y < n[1]; y++)
            for (int x = 0; x < n[2]; x++) {
                if (!inside(mask, n, z, y, x)) continue;
                bool deep = inside(mask, n, z, y - 1, x) && inside(mask, n, z, y + 1, x) &&
                            inside(mask, n, z, y, x - 1) && inside(mask, n, z, y, x + 1);
                if (ndim == 3)
                    deep = deep && inside(mask, n, z - 1, y, x) && inside(mask, n, z + 1, y, x);
                if (deep) continue;
                cell[count][0] = z, cell[count][1] = y, cell[count][2] = x;
                count++;
            }
    return count;
}

static int brute_distances(const int (*a)[3], int na, const int (*b)[3], int nb, const double *s,
                           double *out)
{
    for (int i = 0; i < na; i++) {
        double best = INFINITY;
        for (int j = 0; j < nb; j++) {
            double square = 0;
            for (int k = 0; k < 3; k++) {
                double d = s[k] * (a[i][k] - b[j][k]);
                square += d * d;
            }
            best = fmin(best, square);
        }
        out[i] = sqrt(best);
    }
    return na;
}

static void random_masks(uint8_t *gt, uint8_t *pred, size_t n, uint32_t k, double share)
{
    mg_stream s = {11, MG_RNG_FREE, 0, k};
    for (size_t i = 0; i < n; i++) {
        gt[i] = mg_rng_u32(mg_stream_word(&s, 2 * i)) < share;
        pred[i] = mg_rng_u32(mg_stream_word(&s, 2 * i + 1)) < share;
    }
}

static void against_brute_force(void **state)
{
    (void)state;
    static const double spacing[3] = {3, 0.8, 1.1}, share[] = {0.02, 0.3, 0.8, 0.97};
    static const int shape[][3] = {{D, H, W}, {1, H, W}, {1, 1, W}, {D, 1, 1}};
    static uint8_t gt[N], pred[N];
    static int a[N][3], b[N][3];
    static double d[2 * N];

    for (uint32_t k = 0; k < 64; k++) {
        const int *n = shape[k % 4];
        int ndim = n[0] == 1 && k % 8 < 4 ? 2 : 3;
        random_masks(gt, pred, (size_t)n[0] * n[1] * n[2], k, share[k / 4 % 4]);
        mg_target t = {n[0], n[1], n[2], gt, pred, NULL};
        mg_metric m;
        OK(mg_metric_measure(&t, ndim, spacing, tolerance, 2, 1 + (int)(k % 3), &m));

        int nb = list_surface(gt, n, ndim, b), na = list_surface(pred, n, ndim, a);
        CHECK(m.surface_gt == nb && m.surface_pred == na);
        if (na == 0 || nb == 0) continue;
        brute_distances((const int(*)[3])a, na, (const int(*)[3])b, nb, spacing, d);
        brute_distances((const int(*)[3])b, nb, (const int(*)[3])a, na, spacing, d + na);
        double sum = 0, within[2] = {0, 0};
        for (int i = 0; i < na + nb; i++) {
            sum += d[i];
            for (int j = 0; j < 2; j++) within[j] += d[i] <= tolerance[j] + 1e-9;
        }
        CHECK(fabs(m.assd - sum / (na + nb)) < 1e-12);
        for (int j = 0; j < 2; j++) CHECK(fabs(m.nsd[j] - within[j] / (na + nb)) < 1e-12);
        mg_sort(d, na);
        mg_sort(d + na, nb);
        CHECK(fabs(m.hd - fmax(d[na - 1], d[na + nb - 1])) < 1e-12);
        double p95 = fmax(mg_percentile(d, na, 0.95), mg_percentile(d + na, nb, 0.95));
        CHECK(fabs(m.hd95 - p95) < 1e-12 && m.hd95_raw == m.hd95);
        mg_sort(d, na + nb);
        CHECK(fabs(m.hd95_pooled - mg_percentile(d, na + nb, 0.95)) < 1e-12);
        CHECK(fabs(m.dice - 2 * m.iou / (1 + m.iou)) < 1e-12);
    }
}

static void missing_masks(void **state)
{
    (void)state;
    static uint8_t full[N], empty[N];
    static const double spacing[3] = {2, 1, 0.5};
    const double diagonal = sqrt(6 * 6 + 8 * 8 + 5 * 5);
    mg_target t = {D, H, W, empty, empty, NULL};
    mg_metric m;

    memset(full, 1, N);
    OK(mg_metric_measure(&t, 3, spacing, tolerance, 2, 1, &m));
    CHECK(m.status == MG_BOTH_EMPTY && isnan(m.dice) && isnan(m.iou) && isnan(m.hd95));
    CHECK(isnan(m.hd95_raw) && isnan(m.nsd[0]) && isnan(m.assd) && m.tn == N);
    mg_metric_empty_is_one(&m, 2);
    CHECK(m.dice == 1 && m.iou == 1 && m.hd95 == 0 && m.nsd[1] == 1);
    t.pred = NULL;
    OK(mg_metric_measure(&t, 3, spacing, tolerance, 2, 1, &m));
    CHECK(m.status == MG_BOTH_EMPTY);

    for (int missing = 0; missing < 2; missing++) {
        t.gt = missing ? empty : full;
        t.pred = missing ? full : empty;
        OK(mg_metric_measure(&t, 3, spacing, tolerance, 2, 1, &m));
        CHECK(m.status == (missing ? MG_GT_EMPTY : MG_PRED_EMPTY));
        CHECK(m.dice == 0 && m.iou == 0 && m.nsd[0] == 0 && m.nsd[1] == 0);
        CHECK(fabs(m.hd95 - diagonal) < 1e-12 && m.hd95 == m.diagonal);
        CHECK(isinf(m.hd95_raw) && isinf(m.hd) && isinf(m.assd) && isinf(m.hd95_pooled));
        mg_metric_empty_is_one(&m, 2);
        CHECK(m.dice == 0);
    }
    t.gt = t.pred = full;
    OK(mg_metric_measure(&t, 3, spacing, tolerance, 2, 1, &m));
    CHECK(m.dice == 1 && m.iou == 1 && m.hd == 0 && m.hd95 == 0 && m.nsd[0] == 1);
    // BraTS volumes: the value for a miss.
    t = (mg_target){155, 240, 240, NULL, NULL, NULL};
    uint8_t *big = mg_calloc(155 * 240, 240);
    t.gt = big;
    OK(mg_metric_measure(&t, 3, (double[]){1, 1, 1}, tolerance, 2, 1, &m));
    CHECK(fabs(m.diagonal - 371.43) < 0.005);
    mg_free(big);
}

static void ignored_cells(void **state)
{
    (void)state;
    static uint8_t gt[H * W], pred[H * W], ignore[H * W];
    static const double spacing[3] = {1, 1, 1};
    mg_target t = {1, H, W, gt, pred, ignore};
    mg_metric m;

    for (int x = 2; x < 8; x++) gt[3 * W + x] = pred[3 * W + x] = 1;
    for (int x = 0; x < W; x++) pred[8 * W + x] = ignore[8 * W + x] = 1;
    OK(mg_metric_measure(&t, 2, spacing, tolerance, 2, 1, &m));
    CHECK(m.dice == 1 && m.hd == 0 && m.tp == 6 && m.fp == 0 && m.tn == H * W - 6 - W);
    // Ignoring the whole target leaves nothing.
    for (int x = 0; x < W; x++) ignore[3 * W + x] = 1;
    OK(mg_metric_measure(&t, 2, spacing, tolerance, 2, 1, &m));
    CHECK(m.status == MG_BOTH_EMPTY);
}

// A far piece of a hundred cells' company: the union dilutes it, the maximum does not.
static void far_piece(void **state)
{
    (void)state;
    enum { S = 60 };
    static uint8_t gt[S * S], pred[S * S];
    mg_target t = {1, S, S, gt, pred, NULL};
    mg_metric m;

    for (int y = 5; y < 25; y++)
        for (int x = 5; x < 25; x++) gt[y * S + x] = pred[y * S + x] = 1;
    for (int x = 50; x < 56; x++) pred[55 * S + x] = 1;
    OK(mg_metric_measure(&t, 2, (double[]){1, 1, 1}, tolerance, 2, 1, &m));
    CHECK(m.hd95 > 30 && m.hd95_pooled < 1 && m.hd > 30);
}

// By hand: two slices of four cells, the second empty in both.
static void score_of_the_release(void **state)
{
    float logits[8] = {3, 1, 0.5f, -1, -9, -9, -9, -9};
    uint8_t gt[8] = {1, 1, 0, 0}, ignore[8] = {0};
    mg_metric m;
    (void)state;
    mg_metric_overlap(&(mg_target){1, 1, 8, gt, NULL, NULL}, &m);
    CHECK(isnan(m.msa_dice) && isnan(m.msa_iou));
    mg_metric_msa(logits, gt, ignore, 2, 4, &m);
    // Probabilities .95 .73 .62 .27: above .1 all four, above .3 and .5 three, above .7 two, above .9 one.
    double dice = (4.0 / 6 + 2 * 4.0 / 5 + 1 + 2.0 / 3) / 5,
           iou = (0.5 + 2 * 2.0 / 3 + 1 + 0.5) / 5;
    CHECK(fabs(m.msa_dice - (dice + 1) / 2) <= 1e-4 && fabs(m.msa_iou - (iou + 1) / 2) <= 1e-5);
    ignore[2] = ignore[3] = 1;
    mg_metric_msa(logits, gt, ignore, 1, 4, &m);
    CHECK(fabs(m.msa_dice - (4 + 2.0 / 3) / 5) <= 1e-4 && fabs(m.msa_iou - 4.5 / 5) <= 1e-5);
}

static void nothing_is_left_over(void **state)
{
    (void)state;
    CHECK(mg_mem_live() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_brute_force),  cmocka_unit_test(missing_masks),
        cmocka_unit_test(ignored_cells),        cmocka_unit_test(far_piece),
        cmocka_unit_test(score_of_the_release), cmocka_unit_test(nothing_is_left_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
