// Vectors of W floats by GCC's vector extensions, for the kernel bodies that are compiled once per
// instruction set: the including file defines W (16 or 8) and, by `#pragma GCC target`, what the
// compiler may use. Loops over vectors in registers need constant bounds and `#pragma GCC unroll`.
#ifndef MG_NN_SIMD_H
#define MG_NN_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * W)));
typedef int32_t ivec __attribute__((vector_size(4 * W)));
typedef float vec_at __attribute__((vector_size(4 * W), aligned(4), may_alias));
typedef int32_t ivec_at __attribute__((vector_size(4 * W), aligned(4), may_alias));

INLINE vec load(const float *p)
{
    return *(const vec_at *)p;
}

INLINE void store(float *p, vec x)
{
    *(vec_at *)p = x;
}

INLINE vec splat(float x)
{
    return x - (vec){0};
}

// The first n < W floats, zeros after them; and back.
INLINE vec load_part(const float *p, int n)
{
    float lane[W] = {0};

    memcpy(lane, p, (size_t)n * sizeof(float));
    return load(lane);
}

INLINE void store_part(float *p, vec x, int n)
{
    float lane[W];

    store(lane, x);
    memcpy(p, lane, (size_t)n * sizeof(float));
}

// Lane by lane the larger one; y where one is not a number.
INLINE vec max_of(vec x, vec y)
{
#if W == 16 && defined __AVX512F__
    return (vec)_mm512_max_ps((__m512)x, (__m512)y);
#elif W == 8 && defined __AVX2__
    return (vec)_mm256_max_ps((__m256)x, (__m256)y);
#else
    ivec larger = x > y;
    return (vec)(((ivec)x & larger) | ((ivec)y & ~larger));
#endif
}

// 2^x for x <= 127 with relative error 2e-7 (kernels.md section 2); 2^-126 below -126.
//   n = round(x), f = x - n in [-1/2, 1/2]: a polynomial of 2^f, then n onto the exponent bits
INLINE vec exp2_of(vec x)
{
    const vec magic = splat(12582912.0f); // 1.5 * 2^23: the sum's low bits are n

    x = max_of(splat(-126), x);
    vec shifted = x + magic, f = x - (shifted - magic);
    vec p = splat(0.00132647271f);
    p = p * f + 0.00967151264f;
    p = p * f + 0.0555073374f;
    p = p * f + 0.240222421f;
    p = p * f + 0.693146978f;
    p = p * f + 1.0f;
    return (vec)(((ivec)shifted << 23) + (ivec)p);
}

// Rows and columns exchanged in a W x W block: to[c][r] = factor from[r][c], r < rows, c < cols; zeros
// where there is no row.
INLINE void transpose_part(float *to, int ld_to, const float *from, int ld_from, int rows, int cols,
                           float factor)
{
    for (int c = 0; c < cols; c++) {
        for (int r = 0; r < rows; r++)
            to[(size_t)c * ld_to + r] = factor * from[(size_t)r * ld_from + c];
        for (int r = rows; r < W; r++) to[(size_t)c * ld_to + r] = 0;
    }
}

// W vectors of W lanes exchanged, in registers: log2(W) rounds of exchanging halves.
INLINE void transpose_lanes(vec x[W])
{
    vec y[W];

#pragma GCC unroll 4
    for (int half = W / 2; half >= 1; half /= 2) {
        ivec low, high;
#pragma GCC unroll 16
        for (int i = 0; i < W; i++) {
            low[i] = i & half ? (i - half) + W : i;
            high[i] = i & half ? i + W : i + half;
        }
#pragma GCC unroll 16
        for (int r = 0; r < W; r++) {
            if (r & half) continue;
            y[r] = __builtin_shuffle(x[r], x[r + half], low);
            y[r + half] = __builtin_shuffle(x[r], x[r + half], high);
        }
#pragma GCC unroll 16
        for (int r = 0; r < W; r++) x[r] = y[r];
    }
}

// transpose_part for a whole block.
INLINE void transpose_block(float *to, int ld_to, const float *from, int ld_from, float factor)
{
    vec x[W];

#pragma GCC unroll 16
    for (int r = 0; r < W; r++) x[r] = load(from + (size_t)r * ld_from);
    transpose_lanes(x);
#pragma GCC unroll 16
    for (int r = 0; r < W; r++) store(to + (size_t)r * ld_to, factor * x[r]);
}

#endif
