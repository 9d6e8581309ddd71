// Distance transforms against brute force: integer and with spacing, raw and padded, 2-D and 3-D,
// odd shapes, one and several threads.
#include "tests/check.h"

#include "finetune/distance.h"
#include "runtime/mem.h"

static void fill_mask(uint8_t *mask, size_t n, uint64_t seed, double share)
{
    mg_stream s = {seed, MG_RNG_FREE, 1, 0};
    for (size_t i = 0; i < n; i++) mask[i] = mg_rng_u32(mg_stream_word(&s, i)) < share;
}

// Squared distance of cell (z, y, x) by trying every zero; padding by trying the layer outside too.
static double brute(const uint8_t *mask, const mg_grid *g, int z, int y, int x)
{
    const int *n = g->dim;
    const double *s = g->spacing;
    int pad = g->padded, padz = g->padded && g->ndim == 3;
    double best = INFINITY;

    for (int a = -padz; a < n[0] + padz; a++)
        for (int b = -pad; b < n[1] + pad; b++)
            for (int c = -pad; c < n[2] + pad; c++) {
                bool inside = a >= 0 && a < n[0] && b >= 0 && b < n[1] && c >= 0 && c < n[2];
                if (inside && mask[((size_t)a * n[1] + b) * n[2] + c]) continue;
                double d = s[0] * s[0] * (a - z) * (a - z) + s[1] * s[1] * (b - y) * (b - y) +
                           s[2] * s[2] * (c - x) * (c - x);
                best = d < best ? d : best;
            }
    return best;
}

static void check_grid(const mg_grid *g, const uint8_t *mask, int threads)
{
    const int *n = g->dim;
    size_t cells = (size_t)n[0] * n[1] * n[2];
    double *d2 = mg_alloc(cells * sizeof *d2);
    void *scratch = mg_alloc(mg_distance_scratch(g, threads));

    mg_distance(d2, mask, g, threads, scratch);
    for (size_t i = 0; i < cells; i++) {
        int x = (int)(i % n[2]), y = (int)(i / n[2] % n[1]), z = (int)(i / n[2] / n[1]);
        double want = brute(mask, g, z, y, x);
        CHECK(d2[i] == want || fabs(d2[i] - want) <= 1e-13 * want);
    }
    mg_free(d2);
    mg_free(scratch);
}

static void with_spacing(void **state)
{
    (void)state;
    static const int shape[][3] = {{1, 1, 1},  {1, 1, 23}, {1, 23, 1}, {1, 17, 19},
                                   {5, 9, 11}, {7, 1, 1},  {1, 12, 5}, {3, 10, 4}};
    static const double share[] = {0.3, 0.9, 0.98, 0, 1.1};
    uint8_t mask[1000];

    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++)
        for (size_t r = 0; r < sizeof share / sizeof *share; r++)
            for (int padded = 0; padded < 2; padded++)
                for (int ndim = shape[k][0] == 1 ? 2 : 3; ndim <= 3; ndim++) {
                    mg_grid g = {.padded = padded, .ndim = ndim, .spacing = {2.5, 0.7, 1.3}};
                    memcpy(g.dim, shape[k], sizeof g.dim);
                    fill_mask(mask, (size_t)g.dim[0] * g.dim[1] * g.dim[2], 10 * k + r, share[r]);
                    check_grid(&g, mask, 1);
                    check_grid(&g, mask, 3);
                }
}

static void integers(void **state)
{
    (void)state;
    static const int shape[][2] = {{1, 1}, {1, 40}, {40, 1}, {23, 31}, {2, 2}, {16, 64}};
    static const double share[] = {0.3, 0.9, 0.985, 0, 1.1};
    uint8_t mask[1024];
    int32_t d2[1024];

    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++)
        for (size_t r = 0; r < sizeof share / sizeof *share; r++)
            for (int padded = 0; padded < 2; padded++) {
                int h = shape[k][0], w = shape[k][1];
                mg_grid g = {.padded = padded, .ndim = 2, .dim = {1, h, w}, .spacing = {1, 1, 1}};
                void *scratch = mg_alloc(mg_distance_int_scratch(w));
                fill_mask(mask, (size_t)h * w, 100 * k + r, share[r]);
                mg_distance_int(d2, mask, w, h, w, padded, scratch);
                for (int i = 0; i < h * w; i++) {
                    double want = brute(mask, &g, 0, i / w, i % w);
                    CHECK(want < INFINITY ? d2[i] == want : d2[i] == MG_FAR);
                }
                mg_free(scratch);
            }
}

// A window of a wider mask is read through its stride.
static void window_of_a_mask(void **state)
{
    (void)state;
    uint8_t mask[20 * 30], part[8 * 9];
    int32_t a[8 * 9], b[8 * 9];
    void *scratch = mg_alloc(mg_distance_int_scratch(9));

    fill_mask(mask, sizeof mask, 3, 0.9);
    for (int y = 0; y < 8; y++) memcpy(part + 9 * y, mask + 30 * (y + 5) + 7, 9);
    mg_distance_int(a, mask + 30 * 5 + 7, 30, 8, 9, true, scratch);
    mg_distance_int(b, part, 9, 8, 9, true, scratch);
    CHECK(!memcmp(a, b, sizeof a));
    mg_free(scratch);
}

// The full square: the centre is half the side away, as the padding says.
static void full_square(void **state)
{
    (void)state;
    enum { N = 255 };
    uint8_t *mask = mg_alloc(N * N);
    int32_t *d2 = mg_alloc(N * N * sizeof *d2);
    void *scratch = mg_alloc(mg_distance_int_scratch(N));

    memset(mask, 1, N * N);
    mg_distance_int(d2, mask, N, N, N, true, scratch);
    CHECK(d2[N / 2 * N + N / 2] == 128 * 128);
    CHECK(d2[0] == 1);
    mg_distance_int(d2, mask, N, N, N, false, scratch);
    CHECK(d2[0] == MG_FAR);
    mg_free(mask);
    mg_free(d2);
    mg_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_spacing),
        cmocka_unit_test(integers),
        cmocka_unit_test(window_of_a_mask),
        cmocka_unit_test(full_square),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
