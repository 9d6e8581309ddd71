// Random numbers: published answers, streams and cursors agree, orders are permutations by key,
// Beta has its moments, crops stay inside the picture.
#include "tests/check.h"

#include "shard/crop.h"

static void published_answers(void **state)
{
    (void)state;
    // Random123's kat_vectors for philox4x32 with ten rounds.
    static const uint32_t counter[3][4] = {
        {0, 0, 0, 0},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
    };
    static const uint32_t key[3][2] = {{0, 0}, {0xffffffff, 0xffffffff}, {0xa4093822, 0x299f31d0}};
    static const uint32_t want[3][4] = {
        {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t got[4];
        mg_philox(counter[i], key[i], got);
        CHECK(!memcmp(got, want[i], sizeof got));
    }
    CHECK(mg_fnv1a("") == 0x811c9dc5u);
    CHECK(mg_fnv1a("a") == 0xe40c292cu);
    CHECK(mg_fnv1a("foobar") == 0xbf9cf968u);
}

static void cursor_reads_the_stream(void **state)
{
    (void)state;
    mg_stream s = {0x123456789abcdef0u, MG_RNG_FREE, 3, 4};
    mg_cursor c = mg_cursor_at(s.seed, s.purpose, s.epoch, s.index);
    for (uint64_t j = 0; j < 11; j++) CHECK(mg_cursor_word(&c) == mg_stream_word(&s, j));
    // below(1) takes a word like every draw.
    CHECK(mg_cursor_below(&c, 1) == 0);
    CHECK(mg_cursor_word(&c) == mg_stream_word(&s, 12));
    // Every part of the name of a stream matters.
    mg_stream other[4] = {s, s, s, s};
    other[0].seed ^= (uint64_t)1 << 40, other[1].purpose++, other[2].epoch++, other[3].index++;
    for (int i = 0; i < 4; i++) CHECK(mg_stream_word(&other[i], 0) != mg_stream_word(&s, 0));
}

static void values_are_in_range(void **state)
{
    (void)state;
    CHECK(mg_rng_u24(0) == 0);
    CHECK(mg_rng_u24(0xffffffffu) < 1);
    CHECK(mg_rng_u32(0) > 0);
    CHECK(mg_rng_u32(0xffffffffu) < 1);
    CHECK(mg_rng_below(0xffffffffu, 7) == 6);
    CHECK(mg_rng_below(0, 7) == 0);
    CHECK(mg_rng_below(0x80000000u, 2) == 1);
}

static void orders_are_permutations(void **state)
{
    (void)state;
    enum { M = 257 };
    mg_stream s = {5, MG_RNG_ORDER, 1, 0};
    uint32_t order[M];
    uint64_t scratch[2 * M];
    bool seen[M] = {false};

    mg_rng_order(&s, M, order, scratch);
    for (int i = 0; i < M; i++) {
        CHECK(order[i] < M && !seen[order[i]]);
        seen[order[i]] = true;
    }
    // Keys ascend along the order.
    for (int i = 1; i < M; i++) {
        uint64_t a = (uint64_t)mg_stream_word(&s, 2 * order[i - 1]) << 32 |
                     mg_stream_word(&s, 2 * order[i - 1] + 1);
        uint64_t b =
            (uint64_t)mg_stream_word(&s, 2 * order[i]) << 32 | mg_stream_word(&s, 2 * order[i] + 1);
        CHECK(a < b);
    }
}

static void numbers_have_their_moments(void **state)
{
    (void)state;
    enum { N = 20000 };
    static const double alpha[] = {0.2, 0.5, 1, 2, 5};

    for (size_t a = 0; a < sizeof alpha / sizeof *alpha; a++) {
        double sum = 0, square = 0;
        for (uint32_t i = 0; i < N; i++) {
            mg_stream s = {77, MG_RNG_LAMBDA, 0, i};
            double b = mg_rng_beta(&s, alpha[a]);
            CHECK(b >= 0 && b <= 1);
            sum += b, square += b * b;
        }
        double mean = sum / N, var = square / N - mean * mean;
        CHECK(fabs(mean - 0.5) < 0.015);
        CHECK(fabs(var - 1 / (4 * (2 * alpha[a] + 1))) < 0.005);
    }
    mg_stream s = {78, MG_RNG_FREE, 0, 0};
    double sum = 0, square = 0;
    for (uint64_t k = 0; k < N; k++) {
        double z = mg_stream_normal(&s, k);
        sum += z, square += z * z;
    }
    CHECK(fabs(sum / N) < 0.03);
    CHECK(fabs(square / N - 1) < 0.04);
}

static void crops_stay_inside(void **state)
{
    (void)state;
    static const int size[][2] = {{224, 224}, {64, 1000}, {1500, 40}, {1, 1}, {1, 50}, {7, 5}};
    mg_crop_law law = mg_crop_law_default();
    int flips = 0, n = 0;

    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        for (uint32_t k = 0; k < 500; k++, n++) {
            mg_crop c = mg_crop_rect(&law, 9, 2, k, size[i][0], size[i][1]);
            CHECK(c.height >= 1 && c.width >= 1 && c.top >= 0 && c.left >= 0);
            CHECK(c.top + c.height <= size[i][0] && c.left + c.width <= size[i][1]);
            flips += c.flip;
        }
    CHECK(abs(flips - n / 2) < n / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_answers),          cmocka_unit_test(cursor_reads_the_stream),
        cmocka_unit_test(values_are_in_range),        cmocka_unit_test(orders_are_permutations),
        cmocka_unit_test(numbers_have_their_moments), cmocka_unit_test(crops_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
