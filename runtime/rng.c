// Philox4x32-10 and the values derived from it (pretraining.md sections 8.1 to 8.3).
#include "runtime/rng.h"

#include <math.h>
#include <stdlib.h>

static const double two_pi = 6.283185307179586476925286766559;

void mg_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

void mg_stream_block(const mg_stream *s, uint32_t q, uint32_t out[4])
{
    uint32_t counter[4] = {q, s->index, s->epoch, s->purpose};
    uint32_t key[2] = {(uint32_t)s->seed, (uint32_t)(s->seed >> 32)};
    mg_philox(counter, key, out);
}

uint32_t mg_stream_word(const mg_stream *s, uint64_t j)
{
    uint32_t block[4];
    mg_stream_block(s, (uint32_t)(j / 4), block);
    return block[j % 4];
}

double mg_stream_normal(const mg_stream *s, uint64_t k)
{
    uint32_t block[4];
    uint64_t first = k / 2 * 2; // words 2k', 2k'+1 never straddle a block
    mg_stream_block(s, (uint32_t)(first / 4), block);
    double r = sqrt(-2 * log(mg_rng_u32(block[first % 4])));
    double angle = two_pi * (block[first % 4 + 1] * 0x1p-32);
    return k % 2 ? r * sin(angle) : r * cos(angle);
}

mg_cursor mg_cursor_at(uint64_t seed, uint32_t purpose, uint32_t epoch, uint32_t index)
{
    return (mg_cursor){.stream = {seed, purpose, epoch, index}};
}

uint32_t mg_cursor_word(mg_cursor *c)
{
    if (c->next % 4 == 0) mg_stream_block(&c->stream, (uint32_t)(c->next / 4), c->block);
    return c->block[c->next++ % 4];
}

uint32_t mg_cursor_below(mg_cursor *c, uint32_t n)
{
    return mg_rng_below(mg_cursor_word(c), n);
}

double mg_cursor_unit(mg_cursor *c)
{
    return mg_rng_u32(mg_cursor_word(c));
}

double mg_rng_u24(uint32_t word)
{
    return (word >> 8) * 0x1p-24;
}

double mg_rng_u32(uint32_t word)
{
    return (word + 0.5) * 0x1p-32;
}

uint32_t mg_rng_below(uint32_t word, uint32_t n)
{
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

// Pairs (key, index) in memory, sorted by key then index.
static int by_key(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
    return x[1] < y[1] ? -1 : x[1] > y[1];
}

void mg_rng_order(const mg_stream *s, uint32_t m, uint32_t *out, uint64_t *scratch)
{
    uint32_t block[4] = {0};

    for (uint32_t i = 0; i < m; i++) {
        if (i % 2 == 0) mg_stream_block(s, i / 2, block);
        const uint32_t *w = block + i % 2 * 2;
        scratch[2 * (size_t)i] = (uint64_t)w[0] << 32 | w[1];
        scratch[2 * (size_t)i + 1] = i;
    }
    qsort(scratch, m, 2 * sizeof *scratch, by_key);
    for (uint32_t i = 0; i < m; i++) out[i] = (uint32_t)scratch[2 * (size_t)i + 1];
}

// Gamma(alpha) by Marsaglia and Tsang; try t reads block first + t.
static double gamma_draw(const mg_stream *s, double alpha, uint32_t first)
{
    double shape = alpha >= 1 ? alpha : alpha + 1;
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);

    for (uint32_t t = 0;; t++) {
        uint32_t w[4];
        mg_stream_block(s, first + t, w);
        double z = sqrt(-2 * log(mg_rng_u32(w[0]))) * cos(two_pi * (w[1] * 0x1p-32));
        double v = 1 + c * z;
        if (v <= 0) continue;
        v = v * v * v;
        if (log(mg_rng_u32(w[2])) < 0.5 * z * z + d - d * v + d * log(v))
            return alpha < 1 ? d * v * pow(mg_rng_u32(w[3]), 1 / alpha) : d * v;
    }
}

double mg_rng_beta(const mg_stream *s, double alpha)
{
    if (alpha == 1) return mg_rng_u32(mg_stream_word(s, 0));
    double x = gamma_draw(s, alpha, 0), y = gamma_draw(s, alpha, 65536);
    return x / (x + y);
}

uint32_t mg_fnv1a(const char *text)
{
    uint32_t h = 0x811C9DC5u;
    for (; *text; text++) h = (h ^ (unsigned char)*text) * 0x01000193u;
    return h;
}
