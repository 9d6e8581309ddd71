// SHA-256 as in FIPS 180-4, section 6.2; the constants are the first 32 bits of the fractional parts of
// the cube roots of the first 64 primes, computed rather than listed.
#include "tests/sha256.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

// Fractional bits of the root; long double holds them exactly enough for primes below 312.
static void constants(uint32_t k[64], uint32_t h[8])
{
    int found = 0;

    for (int n = 2; found < 64; n++) {
        bool prime = true;
        for (int d = 2; d * d <= n; d++) prime &= n % d != 0;
        if (!prime) continue;
        long double cube = cbrtl(n), square = sqrtl(n);
        if (found < 8) h[found] = (uint32_t)((square - floorl(square)) * 4294967296.0L);
        k[found++] = (uint32_t)((cube - floorl(cube)) * 4294967296.0L);
    }
}

static void block(uint32_t h[8], const uint32_t k[64], const uint8_t *p)
{
    uint32_t w[64], v[8];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
        uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

void sha256_text(const void *data, size_t bytes, char text[65])
{
    uint32_t k[64], h[8];
    uint8_t tail[128] = {0};
    size_t whole = bytes / 64 * 64, rest = bytes - whole, length = rest < 56 ? 64 : 128;

    constants(k, h);
    for (size_t i = 0; i < whole; i += 64) block(h, k, (const uint8_t *)data + i);
    if (rest) memcpy(tail, (const uint8_t *)data + whole, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++) tail[length - 1 - i] = (uint8_t)((uint64_t)bytes * 8 >> 8 * i);
    for (size_t i = 0; i < length; i += 64) block(h, k, tail + i);
    for (int i = 0; i < 8; i++) snprintf(text + 8 * i, 9, "%08x", (unsigned)h[i]);
}
