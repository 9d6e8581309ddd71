// e-Mix: the contrast against a plain double-precision version and finite differences, equal bits
// however rows are shared out, gradients through the whole model, kept and repeated passes.
#include "tests/tiny_pretrain.h"

enum { M = 7, D = 5 };

static const uint32_t pairs[M] = {2, 1, 0, 6, 3, 4, 5}; // a swap, a fixed point, a 4-cycle

// Loss by the formulas of pretraining.md 3.1, nothing shared with the code.
static double plain_loss(const float *Z, const float *ZM, const float *lam, double tau, bool mean)
{
    double total = 0, average = 0;

    for (int i = 0; i < M; i++) average += lam[i] / (double)M;
    for (int i = 0; i < M; i++) {
        double S[M], sum = 0, l = mean ? average : lam[i];

        for (int j = 0; j < M; j++) {
            S[j] = 0;
            for (int c = 0; c < D; c++) S[j] += (double)ZM[i * D + c] * Z[j * D + c] / tau;
            sum += exp(S[j]);
        }
        total += l * (log(sum) - S[i]) + (1 - l) * (log(sum) - S[pairs[i]]);
    }
    return total / M;
}

static void test_contrast(void **state)
{
    float Z[M * D], ZM[M * D], dz[M * D], dzm[M * D], lam[M], scratch[64 * M];
    double h = 1e-2;

    (void)state;
    check_fill(Z, M * D, 1, 0.5);
    check_fill(ZM, M * D, 2, 0.5);
    for (int i = 0; i < M; i++) lam[i] = 0.5f + 0.07f * (float)i;
    CHECK(mg_emix_contrast_scratch(M, D) <= 64 * M);
    for (int mean = 0; mean < 2; mean++) {
        mg_emix_loss l =
            mg_emix_contrast(dz, dzm, Z, ZM, lam, pairs, M, D, 0.3, mean, 1.5, 0, M, scratch);
        CHECK(fabs(l.loss - plain_loss(Z, ZM, lam, 0.3, mean)) <= 1e-6 * l.loss);
        for (int k = 0; k < 2 * M * D; k++) {
            float *x = k < M * D ? &Z[k] : &ZM[k - M * D], kept = *x;
            float got = k < M * D ? dz[k] : dzm[k - M * D];

            *x = kept + (float)h;
            double up = plain_loss(Z, ZM, lam, 0.3, mean);
            *x = kept - (float)h;
            double down = plain_loss(Z, ZM, lam, 0.3, mean);
            *x = kept;
            CHECK(fabs(1.5 * (up - down) / (2 * h) - got) <= 2e-3);
        }
    }
}

static void test_shares(void **state)
{
    enum { BIG = 70, W = 9 };
    float *Z = mg_alloc(BIG * W * sizeof *Z), *ZM = mg_alloc(BIG * W * sizeof *Z), lam[BIG];
    float *dz = mg_calloc(4 * BIG * W, sizeof *dz), *dzm = dz + BIG * W;
    float *dz2 = dz + 2 * BIG * W, *dzm2 = dz + 3 * BIG * W;
    float *scratch = mg_alloc(mg_emix_contrast_scratch(BIG, W) * sizeof *scratch);
    uint32_t pi[BIG];
    uint64_t keys[2 * BIG];

    (void)state;
    check_fill(Z, BIG * W, 1, 0.5);
    check_fill(ZM, BIG * W, 2, 0.5);
    mg_emix_pairs(pi, 9, 1, 4, BIG, keys);
    for (int i = 0; i < BIG; i++) lam[i] = mg_emix_draw(1, 9, 1, (uint32_t)i);
    mg_emix_loss whole =
        mg_emix_contrast(dz, dzm, Z, ZM, lam, pi, BIG, W, 0.2, false, 1, 0, BIG, scratch);
    mg_emix_loss sum = {0};
    static const int cuts[] = {0, 1, 33, 64, BIG};
    for (int k = 0; k < 4; k++) {
        int lo = cuts[k], hi = cuts[k + 1];
        mg_emix_loss l = mg_emix_contrast(dz2 + lo * W, dzm2 + lo * W, Z, ZM, lam, pi, BIG, W, 0.2,
                                          false, 1, lo, hi, scratch);
        sum.loss += l.loss;
        sum.hits += l.hits;
    }
    assert_memory_equal(dz, dz2, 2 * BIG * W * sizeof *dz);
    CHECK(fabs(sum.loss - whole.loss) <= 1e-12 * whole.loss && sum.hits == whole.hits);
    CHECK(lam[0] >= 0.5f && lam[0] <= 1);
    mg_free(Z);
    mg_free(ZM);
    mg_free(dz);
    mg_free(scratch);
}

// --- through the model ------------------------------------------------------------------------------

static const uint32_t partners[TINY_N] = {1, 2, 0, 3};
static float *constant; // partner embeddings, which the loss must not move

static double contrast(tiny *t, float *lam, float *z, float *zm, float *dz, float *dzm)
{
    float scratch[64 * TINY_N];

    return mg_emix_contrast(dz, dzm, z, zm, lam, partners, TINY_N, t->m->emix.d, t->m->cfg.emix_tau,
                            false, 1, 0, TINY_N, scratch)
        .loss;
}

static double loss(tiny *t)
{
    float z[TINY_N * D], zm[TINY_N * D], lam[TINY_N];

    tiny_embed(t);
    mg_pretrain_emix_forward(t->m, 0, &t->leaf, NULL, TINY_N, constant, lam, z, zm);
    return contrast(t, lam, z, zm, NULL, NULL);
}

// The step in leaves of `leaf` samples, leaf i in slot i.
static void train_step(tiny *t, int leaf)
{
    float z[TINY_N * D], zm[TINY_N * D], dz[TINY_N * D], dzm[TINY_N * D], lam[TINY_N];
    int32_t list[TINY_N];

    tiny_embed(t);
    for (int i = 0; i < TINY_N; i++) {
        list[i] = i;
        memcpy(constant + i * t->size, t->e + partners[i] * t->size, t->size * sizeof(float));
    }
    for (int lo = 0; lo < TINY_N; lo += leaf) {
        int slot = t->m->cfg.emix_slots > 1 ? lo / leaf : 0;
        mg_pretrain_emix_forward(t->m, slot, &t->leaf, list + lo, leaf, constant + lo * t->size,
                                 lam + lo, z + lo * D, zm + lo * D);
    }
    contrast(t, lam, z, zm, dz, dzm);
    for (int lo = 0; lo < TINY_N; lo += leaf) {
        int slot = t->m->cfg.emix_slots > 1 ? lo / leaf : 0;
        mg_pretrain_emix_backward(t->m, slot, &t->leaf, list + lo, leaf, constant + lo * t->size,
                                  lam + lo, dz + lo * D, dzm + lo * D, t->grads, NULL);
    }
    mg_pretrain_embed_backward(t->m, &t->leaf, t->grads);
}

static void test_gradients(void **state)
{
    (void)state;
    for (int cls = 0; cls < 2; cls++) {
        mg_pretrain_config c = tiny_config();
        c.use_emix = true;
        c.vit.cls = cls;
        tiny t = tiny_open(&c);

        constant = mg_alloc(TINY_N * t.size * sizeof(float));
        train_step(&t, TINY_N);
        tiny_check_gradients(&t, loss);
        mg_free(constant);
        tiny_close(&t);
    }
}

// Activations kept or passes repeated: the same bits. Leaves of two: the same sums.
static void test_slots(void **state)
{
    mg_pretrain_config c = tiny_config();

    (void)state;
    c.use_emix = true;
    tiny kept = tiny_open(&c);
    c.emix_slots = 0;
    tiny repeated = tiny_open(&c), two_repeated = tiny_open(&c);
    c.emix_slots = 2;
    tiny two_kept = tiny_open(&c);
    size_t bytes = kept.m->params.trainable_size * sizeof(float);

    constant = mg_alloc(TINY_N * kept.size * sizeof(float));
    train_step(&kept, TINY_N);
    train_step(&repeated, TINY_N);
    train_step(&two_kept, 2);
    train_step(&two_repeated, 2);
    assert_memory_equal(kept.grads, repeated.grads, bytes);
    assert_memory_equal(two_kept.grads, two_repeated.grads, bytes);
    CHECK(check_gap(two_kept.grads, kept.grads, bytes / sizeof(float)) <= 1e-5);
    CHECK(repeated.m->block_bytes < kept.m->block_bytes);
    mg_free(constant);
    tiny_close(&kept);
    tiny_close(&repeated);
    tiny_close(&two_kept);
    tiny_close(&two_repeated);
}

// Looking at the encoder gives the z of training.
static void test_project(void **state)
{
    (void)state;
    for (int cls = 0; cls < 2; cls++) {
        mg_pretrain_config c = tiny_config();
        c.use_emix = true;
        c.vit.cls = cls;
        tiny t = tiny_open(&c);
        float z[TINY_N * D], zm[TINY_N * D], again[TINY_N * D], lam[TINY_N];

        tiny_embed(&t);
        mg_pretrain_emix_forward(t.m, 0, &t.leaf, NULL, TINY_N, t.e, lam, z, zm);
        mg_pretrain_project(t.m, again, t.images, TINY_N);
        CHECK(check_gap(again, z, TINY_N * D) <= 1e-6);
        CHECK(check_gap(zm, z, TINY_N * D) <= 1e-6); // each sample mixed with itself
        tiny_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contrast),  cmocka_unit_test(test_shares),
        cmocka_unit_test(test_gradients), cmocka_unit_test(test_slots),
        cmocka_unit_test(test_project),
    };

    mg_gemm_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
