// Inner kernels in one version per instruction set (AVX-512, AVX2 with FMA, plain), chosen when the
// program runs: one binary for a mixed cluster. Private to nn/.
#ifndef MG_NN_KERNELS_H
#define MG_NN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// --- products (body_gemm.h) -----------------------------------------------------------------------

enum {
    GEMM_STRIP = 6,         // rows of a register tile
    GEMM_BLOCK = 192 * 768, // floats of the packed block of B, held in the second-level cache
    GEMM_DEPTH = 768,       // largest K of it where A is read in place
    GEMM_DEPTH_TA = 384, // where A is transposed and packed: its columns are better read less often
    GEMM_ROWS = 48,      // rows of A packed at a time
};

// Where a block's result goes: C = alpha sum + beta add + bias.
typedef struct {
    float *C;
    int ldc;
    float alpha, beta;
    const float *add; // [M, N] with leading dimension ld_add, not read if beta is 0
    int ld_add;
    const float *bias; // [N] or NULL
} gemm_result;

// Rows of A that will be packed next (GEMM_ROWS columns of a matrix [K, M] from here), to be fetched
// into the cache meanwhile: each of the block's tiles takes its share.
typedef struct {
    const float *A;
    int lda, tiles;
} gemm_ahead;

typedef struct {
    const char *name;
    int panel; // columns of a packed panel of B

    // Packed panels of op(B)[K, N], a block: panel after panel, each [K][its columns rounded
    // up to vectors], zeros after the last column.
    void (*gemm_pack_b)(float *packed, const float *B, int ldb, bool tb, int N, int K);
    // Strips of op(A)[M, K] with A stored [K, M]: strip after strip, each [K][its rows].
    void (*gemm_pack_a)(float *packed, const float *A, int lda, int M, int K);
    // One block: A natural with leading dimension lda, or packed (lda 0).
    void (*gemm_block)(const gemm_result *to, const float *A, int lda, const float *packed_b, int M,
                       int N, int K, const gemm_ahead *ahead);
} mg_kernels;

// The best version for this processor, or the one set by mg_kernels_use.
const mg_kernels *mg_kernels_get(void);

// Use the version of this name from now on ("avx512", "avx2", "plain", NULL: the best); false if
// the processor cannot. For tests and measurements.
bool mg_kernels_use(const char *name);

extern const mg_kernels mg_kernels_avx512, mg_kernels_avx2, mg_kernels_plain;

#endif
