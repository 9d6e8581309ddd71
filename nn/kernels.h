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
    BF16_TILE = 16,      // rows of A, or columns of B, of a packed tile of pairs
    BF16_DEPTH = 1024,   // largest K of a block in bfloat16
    BF16_BLOCK = 512 * 768, // values of the packed block of B, held in the second-level cache
    BF16_ROWS = 64,         // rows of A packed at a time
};

// C = alpha op(A)[M, K] op(B)[K, N] + ...; `ta`: A is stored [K, M], `tb`: B is [N, K].
typedef struct {
    const float *A, *B;
    int lda, ldb;
    bool ta, tb;
    int M, N, K;
} gemm_product;

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

// --- attention (body_attention.h) -----------------------------------------------------------------

enum {
    ATTN_QUERIES = 64, // largest block of queries
    ATTN_KEYS = 96,    // largest block of keys; a multiple of 12
};

// One thread's work on one problem and head. dp is d rounded up to ATTN_ROUND, zeros behind d.
typedef struct {
    int d, dp, nk;
    float scale;
    int gh, gw; // grid of relative positions, 0 for none
    // Of the problem and head.
    float *K, *V, *dK, *dV;     // [nk, dp]; the gradients are added to, without scale
    const int32_t *y, *x;       // [nk] place of each key
    const float *rel_h, *rel_w; // [2 gh - 1, dp], [2 gw - 1, dp]
    float *drel_h, *drel_w;     // the same, added to; may be NULL
    // Of the block of queries.
    int n;
    int32_t qy[ATTN_QUERIES], qx[ATTN_QUERIES]; // place of each query
    float *Q, *O, *dO, *dQ;                     // [n, dp]
    float lse[ATTN_QUERIES];                    // base 2
    // Rows of d floats to be fetched into the cache meanwhile, `ahead_rate` of them every 16 steps of
    // the products of scores: what comes next lies pages apart, beyond what processors foresee.
    const float **ahead;
    int ahead_count, ahead_done, ahead_rate;
    // Scratch of the kernels, queries last.
    float *Qt, *dOt;                    // [dp, queries]
    float *S, *dS;                      // [keys, queries]
    float *relh, *relw, *drelh, *drelw; // [gh or gw, queries]
    float *table_product;               // [2 max(gh, gw) - 1, queries]
    float top[ATTN_QUERIES], sum[ATTN_QUERIES], base[ATTN_QUERIES], minus_D[ATTN_QUERIES];
} attn_work;

enum { ATTN_ROUND = 16 };

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

    // Multiply-adds in registers alone, and the operations of one round.
    float (*multiply_adds)(long rounds);
    int round_flops;

    int attn_queries; // of a block
    // O and lse from Q, K, V; and dQ, dK, dV, drel_h, drel_w from Q, K, V, O, lse, dO.
    void (*attn_forward)(attn_work *w);
    void (*attn_backward)(attn_work *w);
    void (*attn_gather)(float *to, const float *from, const float *pad, const int32_t *rows,
                        size_t first, int stride, int n, int d, int dp);
    void (*attn_scatter)(float *to, float *pad_sum, const int32_t *rows, size_t first, int stride,
                         const float *from, int n, int d, int dp, float factor);

    // Pieces of passes (body_pointwise.h); see nn.h for the arithmetic.
    void (*gelu_forward)(float *out, const float *inp, size_t n);
    void (*gelu_backward)(float *dinp, const float *dout, const float *inp, size_t n);
    void (*sum_rows)(float *sum, const float *inp, int ld, int rows, int cols);
    void (*norm_forward)(float *out, float *mean, float *rstd, const float *x, const float *weight,
                         const float *bias, int cols, float eps);
    void (*norm_backward)(float *dx, float *dw, float *db, const float *dy, const float *x,
                          const float *weight, float m, float s, int cols, bool add);
} mg_kernels;

// The best version for this processor, or the one set by mg_kernels_use.
const mg_kernels *mg_kernels_get(void);

// Use the version of this name from now on ("avx512", "avx2", "plain", NULL: the best); false if
// the processor cannot. For tests and measurements.
bool mg_kernels_use(const char *name);

// Products in bfloat16 (kernels_bf16.c): operands are rounded as they are packed, sums are float32.
typedef struct {
    const char *name; // "amx", "avx512_bf16"
    // Tiles of op(A)[M, K], strip after strip, and of op(B)[K, N], panel after panel.
    void (*pack_a)(uint32_t *to, const float *A, int lda, bool ta, int M, int K);
    void (*pack_b)(uint32_t *to, const float *B, int ldb, bool tb, int N, int K);
    // Around the blocks of a thread.
    void (*begin)(void);
    void (*end)(void);
    void (*block)(const gemm_result *to, const uint32_t *a, const uint32_t *b, int M, int N, int K);
} mg_bf16_kernels;

// The best version for this processor, NULL if it has none; and the choice by name as above.
const mg_bf16_kernels *mg_bf16_kernels_get(void);
bool mg_bf16_kernels_use(const char *name);

extern const mg_kernels mg_kernels_avx512, mg_kernels_avx2, mg_kernels_plain;

#endif
