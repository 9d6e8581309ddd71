// The kernel bodies for any processor: what the compiler makes of vectors of eight.

// Vectors wider than the registers only pass through inlined functions.
#pragma GCC diagnostic ignored "-Wpsabi"

#include "nn/kernels.h"

#define W 8
#include "nn/simd.h"

#include "nn/body_gemm.h"

const mg_kernels mg_kernels_plain = {
    .name = "plain",
    .panel = PANEL,
    .gemm_pack_b = gemm_pack_b,
    .gemm_pack_a = gemm_pack_a,
    .gemm_block = gemm_block,
};
