// The kernel bodies for any processor: what the compiler makes of vectors of eight.

// Vectors wider than the registers only pass through inlined functions.
#pragma GCC diagnostic ignored "-Wpsabi"

#include "nn/kernels.h"

#include <math.h>

#define W 8
#include "nn/simd.h"

#include "nn/body_attention.h"
#include "nn/body_gemm.h"
#include "nn/body_pointwise.h"

const mg_kernels mg_kernels_plain = {
    .name = "plain",
    .panel = PANEL,
    .gemm_pack_b = gemm_pack_b,
    .gemm_pack_a = gemm_pack_a,
    .gemm_block = gemm_block,
    .multiply_adds = multiply_adds,
    .round_flops = 2 * PEAK_SUMS * W,
    .attn_queries = QUERIES,
    .attn_forward = attn_forward,
    .attn_backward = attn_backward,
    .attn_gather = attn_gather,
    .attn_scatter = attn_scatter,
    .gelu_forward = gelu_forward,
    .gelu_backward = gelu_backward,
    .sum_rows = sum_rows,
    .norm_forward = norm_forward,
    .norm_backward = norm_backward,
};
