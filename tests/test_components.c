// Connected components against flood filling, for every connectivity; numbering, sizes, largest.
#include "tests/check.h"

#include <stdbool.h>

#include "finetune/components.h"

// Whether two cells that differ by (dz, dy, dx) in -1..1 touch.
static bool touch(int connectivity, int dz, int dy, int dx)
{
    int n = abs(dz) + abs(dy) + abs(dx);
    switch (connectivity) {
    case 4:
        return dz == 0 && n == 1;
    case 8:
        return dz == 0 && n >= 1;
    case 6:
        return n == 1;
    case 18:
        return n == 1 || n == 2;
    default:
        return n >= 1;
    }
}

static void flood(int32_t *labels, const uint8_t *mask, const int *dim, int connectivity, int z,
                  int y, int x, int32_t label)
{
    size_t i = ((size_t)z * dim[1] + y) * dim[2] + x;
    if (!mask[i] || labels[i]) return;
    labels[i] = label;
    for (int a = z ? z - 1 : 0; a < dim[0] && a <= z + 1; a++)
        for (int b = y ? y - 1 : 0; b < dim[1] && b <= y + 1; b++)
            for (int c = x ? x - 1 : 0; c < dim[2] && c <= x + 1; c++)
                if (touch(connectivity, a - z, b - y, c - x))
                    flood(labels, mask, dim, connectivity, a, b, c, label);
}

static void equals_flood_filling(void **state)
{
    (void)state;
    static const int shape[][3] = {{1, 1, 1}, {1, 1, 30}, {1, 30, 1}, {1, 17, 19}, {5, 7, 9}};
    static const int connectivity[] = {4, 8, 6, 18, 26};
    static const double share[] = {0, 0.2, 0.4, 0.6, 1.1};
    uint8_t mask[400];
    int32_t got[400], want[400], scratch[401];
    int64_t size[400], first[400];

    for (size_t s = 0; s < 5; s++)
        for (size_t c = 0; c < 5; c++)
            for (size_t r = 0; r < 5; r++) {
                const int *dim = shape[s];
                size_t cells = (size_t)dim[0] * dim[1] * dim[2];
                mg_stream stream = {s, MG_RNG_FREE, (uint32_t)c, (uint32_t)r};
                for (size_t i = 0; i < cells; i++)
                    mask[i] = mg_rng_u32(mg_stream_word(&stream, i)) < share[r];

                int32_t n = mg_components(got, mask, dim[2], dim[0], dim[1], dim[2],
                                          connectivity[c], scratch);
                int32_t wanted = 0;
                memset(want, 0, sizeof want);
                for (size_t i = 0; i < cells; i++)
                    if (mask[i] && !want[i])
                        flood(want, mask, dim, connectivity[c], (int)(i / dim[2] / dim[1]),
                              (int)(i / dim[2] % dim[1]), (int)(i % dim[2]), ++wanted);
                CHECK(n == wanted);
                CHECK(!memcmp(got, want, cells * sizeof *got));

                mg_components_measure(got, cells, n, size, first);
                int64_t sum = 0, ones = 0;
                for (int32_t k = 0; k < n; k++) {
                    sum += size[k];
                    CHECK(got[first[k]] == k + 1);
                    CHECK(k == 0 || first[k] > first[k - 1]);
                }
                for (size_t i = 0; i < cells; i++) ones += mask[i];
                CHECK(sum == ones);
                int32_t big = mg_components_largest(size, n);
                CHECK((big == 0) == (n == 0));
                for (int32_t k = 0; k < n; k++)
                    CHECK(k + 1 < big ? size[k] < size[big - 1] : size[k] <= size[big - 1]);
            }
}

// Long snakes make long chains of labels.
static void spiral_is_one(void **state)
{
    (void)state;
    enum { N = 65 };
    uint8_t mask[N * N];
    static int32_t labels[N * N], scratch[N * N + 1];
    for (int y = 0; y < N; y++)
        for (int x = 0; x < N; x++) mask[y * N + x] = y % 2 == 0 || x == (y % 4 == 1 ? N - 1 : 0);
    CHECK(mg_components(labels, mask, N, 1, N, N, 4, scratch) == 1);
    // Columns instead, joined only at the bottom.
    for (int y = 0; y < N; y++)
        for (int x = 0; x < N; x++) mask[y * N + x] = x % 2 == 0 || y == N - 1;
    CHECK(mg_components(labels, mask, N, 1, N, N, 8, scratch) == 1);
    for (int i = 0; i < N * N; i++) CHECK(labels[i] == mask[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_flood_filling),
        cmocka_unit_test(spiral_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
