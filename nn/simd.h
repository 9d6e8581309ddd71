// Vectors of W floats by GCC's vector extensions, for the kernel bodies that are compiled once per
// instruction set: the including file defines W (16 or 8) and, by `#pragma GCC target`, what the
// compiler may use. Loops over vectors in registers need constant bounds and `#pragma GCC unroll`.
#ifndef MG_NN_SIMD_H
#define MG_NN_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

#endif
