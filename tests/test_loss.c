// Losses: values by naive formulas, gradients by central differences of the value, ties, ignored
// cells, global denominators.
#include "tests/check.h"

#include "nn/loss.h"

enum { M = 3, N = 83 };

static float z[M * N], y[N], q[M], dz[M * N], dq[M];
static uint8_t valid[N];
static float weights[N];
static const float *weight; // `weights`, or NULL

static void setup(int soft)
{
    check_fill(z, M * N, 1, 2);
    check_fill(q, M, 2, 0.3);
    check_fill(y, N, 3, 1);
    for (int i = 0; i < N; i++) {
        valid[i] = i % 7 != 3;
        y[i] = soft ? 0.5f + 0.5f * sinf(y[i]) : y[i] > 0.3f;
    }
    for (int i = 0; i < N; i++) weights[i] = 0.8f + 0.3f * (float)(i % 5);
    weight = NULL;
    memset(dz, 0, sizeof dz);
    memset(dq, 0, sizeof dq);
}

typedef double (*loss)(float *dz, float *dq);

static double sam(float *d, float *e)
{
    return mg_sam_loss(d, e, NULL, NULL, z, q, y, valid, weight, M, N, 20, 5);
}

static double bce(float *d, float *e)
{
    (void)e;
    return mg_bce_loss(d, z, y, valid, weight, M, N, 2, 700);
}

static double dice_sq(float *d, float *e)
{
    (void)e;
    return mg_dice_sq_loss(d, z, y, valid, M, N, 6);
}

// Central differences need exact steps in float: h is a power of two.
static void differences(loss f, const char *name)
{
    const float h = 1.0f / 1024;
    f(dz, dq);
    for (int i = 0; i < M * N + M; i++) {
        float *x = i < M * N ? &z[i] : &q[i - M * N], keep = *x;
        double got = i < M * N ? dz[i] : dq[i - M * N];
        *x = keep + h;
        double up = f(NULL, NULL), high = *x;
        *x = keep - h;
        double down = f(NULL, NULL), low = *x;
        *x = keep;
        double want = (up - down) / (high - low);
        if (!(fabs(got - want) <= 1e-6 + 1e-4 * fabs(want)))
            fail_msg("%s %d: %g, differences %g", name, i, got, want);
    }
}

static void gradients(void **state)
{
    (void)state;
    for (int soft = 0; soft < 2; soft++) {
        loss list[] = {sam, bce, dice_sq};
        const char *name[] = {"sam", "bce", "dice_sq"};
        for (int k = 0; k < 6; k++) {
            setup(soft);
            if (k > 2) weight = weights;
            differences(list[k % 3], name[k % 3]);
        }
    }
}

static void sam_values(void **state)
{
    mg_slot_loss slot[M];
    int best = -1;
    (void)state;
    setup(0);
    double L = mg_sam_loss(dz, dq, &best, slot, z, q, y, valid, weight, M, N, 20, 4);
    for (int m = 0; m < M; m++) {
        double focal = 0, p = 0, t = 0, pt = 0, hit = 0, either = 0, V = 0;
        for (int i = 0; i < N; i++) {
            if (!valid[i]) continue;
            double s = 1 / (1 + exp(-(double)z[m * N + i])), right = y[i] > 0 ? s : 1 - s;
            focal -= (y[i] > 0 ? 0.25 : 0.75) * (1 - right) * (1 - right) * log(right);
            p += s, t += y[i], pt += s * y[i], V += 1;
            hit += z[m * N + i] > 0 && y[i] > 0;
            either += z[m * N + i] > 0 || y[i] > 0;
        }
        CHECK(fabs(slot[m].focal - focal / V) <= 1e-12);
        CHECK(fabs(slot[m].dice - (1 - (2 * pt + 1) / (p + t + 1))) <= 1e-12);
        CHECK(fabs(slot[m].iou_actual - hit / either) <= 1e-12);
        CHECK(slot[m].combo >= slot[best].combo);
        for (int i = 0; i < N; i++) {
            if (m != best || !valid[i]) CHECK(dz[m * N + i] == 0);
        }
        CHECK((dq[m] != 0) == (m == best));
    }
    CHECK(fabs(L - (slot[best].combo + slot[best].iou_mse) / 4) <= 1e-12);
}

// bce_pw2 and dice_sq by their formulas, with and without weights of the cells (Dice has none).
static void other_values(void **state)
{
    (void)state;
    for (int weighted = 0; weighted < 2; weighted++) {
        double ce = 0, dice = 0;
        setup(1);
        if (weighted) weight = weights;
        for (int m = 0; m < M; m++) {
            double py = 0, pp = 0, yy = 0;
            for (int i = 0; i < N; i++) {
                if (!valid[i]) continue;
                double p = 1 / (1 + exp(-(double)z[m * N + i])), t = y[i];
                ce -= (weighted ? weights[i] : 1) * (2 * t * log(p) + (1 - t) * log(1 - p));
                py += p * t, pp += p * p, yy += t * t;
            }
            dice += 1 - (2 * py + 1e-5) / (pp + yy + 1e-5);
        }
        CHECK(fabs(bce(NULL, NULL) - ce / 700) <= 1e-12);
        CHECK(fabs(dice_sq(NULL, NULL) - dice / 6) <= 1e-12);
    }
}

static void extremes(void **state)
{
    int best = -1;
    (void)state;
    setup(0);
    memset(z, 0, sizeof z); // every slot ties
    mg_sam_loss(NULL, NULL, &best, NULL, z, q, y, valid, weight, M, N, 20, 1);
    CHECK(best == 0);
    for (int i = 0; i < M * N; i++) z[i] = y[i % N] > 0 ? -60 : 60; // all wrong
    double L = mg_sam_loss(dz, dq, NULL, NULL, z, q, y, valid, weight, M, N, 20, 1);
    CHECK(L > 100 && L < INFINITY);
    for (int i = 0; i < M * N; i++) CHECK(fabsf(dz[i]) < INFINITY);
    memset(valid, 0, sizeof valid); // nothing counts
    CHECK(fabs(mg_sam_loss(NULL, NULL, NULL, NULL, z, q, y, valid, weight, M, N, 20, 1) -
               q[0] * q[0]) <= 1e-7);
    CHECK(mg_valid_cells(valid, N) == 0 && mg_valid_cells(NULL, N) == N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients),
        cmocka_unit_test(sam_values),
        cmocka_unit_test(other_values),
        cmocka_unit_test(extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
