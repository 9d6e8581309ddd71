// The kernel bodies for AVX2 with fused multiply-add.
#ifdef __x86_64__
#pragma GCC target("avx2,fma,bmi2")

#include "nn/kernels.h"

#define W 8
#include "nn/simd.h"

#include "nn/body_gemm.h"

const mg_kernels mg_kernels_avx2 = {
    .name = "avx2",
    .panel = PANEL,
    .gemm_pack_b = gemm_pack_b,
    .gemm_pack_a = gemm_pack_a,
    .gemm_block = gemm_block,
};
#endif
