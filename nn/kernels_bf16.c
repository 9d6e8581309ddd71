// Products with operands rounded to bfloat16 and float32 sums: packing, and the two blocks that use it
// (AMX tiles; AVX512-BF16). One file, since both need the same instructions for packing.
//
// A packed tile is 16 x 16 pairs of bfloat16 that follow each other in K, lower k in the lower half:
//   of A  [16 rows][16 pairs]     of B  [16 pairs][16 columns]
// Strips of 16 rows (panels of 16 columns) lie one behind the other, each [ceil(K / 32)] tiles; rows,
// columns and K are filled up with zeros. An element's sum runs over K in order within its tile, tile by
// tile, so its bits depend on its own row, column and K alone.
#include "nn/kernels.h"

#ifdef __x86_64__
#include <sys/syscall.h>
#include <unistd.h>

#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,bmi2,amx-tile,amx-bf16")

#include <immintrin.h>

#define W 16
#include "nn/simd.h"

enum { PAIRS = 16, TILE = BF16_TILE * PAIRS, BLOCK = 2 * BF16_TILE };

// --- packing ----------------------------------------------------------------------------------------

// The first n values, all of them from 16 on; zeros behind. What is not asked for is not touched.
INLINE vec load_some(const float *p, int n)
{
    return (vec)_mm512_maskz_loadu_ps(n >= W ? 0xFFFF : n > 0 ? (1u << n) - 1 : 0, p);
}

// Pairs of one row: n of 32 values.
INLINE vec pairs_along(const float *p, int n)
{
    return (vec)_mm512_cvtne2ps_pbh((__m512)load_some(p + W, n - W), (__m512)load_some(p, n));
}

// Pairs of two rows, `even` and the one behind it (`odd`: it is there), n of 16 columns.
INLINE vec pairs_across(const float *even, int ld, bool odd, int n)
{
    vec second = odd ? load_some(even + ld, n) : (vec){0};
    __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)load_some(even, n)));
    __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)second));
    return (vec)_mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

// One tile. `lines` of the side that is not K (rows of A, columns of B), k values of K. `along`: K is the
// fast index of the matrix. Transposed, the lines become the fast index of the tile.
INLINE void pack_tile(uint32_t *to, const float *from, int ld, bool along, bool transposed,
                      int lines, int k)
{
    vec x[16];

#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        if (along)
            x[i] = i < lines ? pairs_along(from + (size_t)i * ld, k) : (vec){0};
        else
            x[i] = 2 * i < k ? pairs_across(from + (size_t)2 * i * ld, ld, 2 * i + 1 < k, lines)
                             : (vec){0};
    }
    if (transposed) transpose_lanes(x);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) store((float *)(to + i * PAIRS), x[i]);
}

INLINE void pack(uint32_t *to, const float *from, int ld, bool along, bool transposed, int lines,
                 int K)
{
    size_t line = along ? (size_t)ld : 1, step = along ? 1 : (size_t)ld;

    for (int i = 0; i < lines; i += BF16_TILE)
        for (int k = 0; k < K; k += 2 * PAIRS, to += TILE) {
            int some = lines - i < BF16_TILE ? lines - i : BF16_TILE;
            int left = K - k < 2 * PAIRS ? K - k : 2 * PAIRS;
            const float *at = from + i * line + k * step;
            if (some == BF16_TILE && left == 2 * PAIRS)
                pack_tile(to, at, ld, along, transposed, BF16_TILE, 2 * PAIRS);
            else
                pack_tile(to, at, ld, along, transposed, some, left);
        }
}

static void pack_a(uint32_t *to, const float *A, int lda, bool ta, int M, int K)
{
    if (ta)
        pack(to, A, lda, false, true, M, K);
    else
        pack(to, A, lda, true, false, M, K);
}

static void pack_b(uint32_t *to, const float *B, int ldb, bool tb, int N, int K)
{
    if (tb)
        pack(to, B, ldb, true, true, N, K);
    else
        pack(to, B, ldb, false, false, N, K);
}

// --- results ----------------------------------------------------------------------------------------

// A vector of row m, columns n .. of the block; `part` > 0: only so many columns.
INLINE void finish(const gemm_result *to, vec sum, int m, int n, int part)
{
    float *c = to->C + (size_t)m * to->ldc + n;
    vec x = to->alpha * sum;

    if (to->beta != 0)
        x += to->beta * load_some(to->add + (size_t)m * to->ld_add + n, part ? part : W);
    if (to->bias) x += load_some(to->bias + n, part ? part : W);
    if (part)
        store_part(c, x, part);
    else
        store(c, x);
}

// Sums [BLOCK, BLOCK] of rows m .. and columns n .. of a block of M x N.
static void finish_block(const gemm_result *to, const float *sums, int m, int n, int M, int N)
{
    int rows = M - m < BLOCK ? M - m : BLOCK, cols = N - n < BLOCK ? N - n : BLOCK;

    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c += W)
            finish(to, load(sums + r * BLOCK + c), m + r, n + c, cols - c < W ? cols - c : 0);
}

// --- AMX --------------------------------------------------------------------------------------------

// Tiles 0 to 3 hold sums of 2 x 2, 4 and 5 rows of A, 6 and 7 columns of B. A constant, since compilers
// take the instruction to read its first 8 bytes only.
static const struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} amx_shape = {.palette = 1,
               .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
               .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

static void amx_begin(void)
{
    _tile_loadconfig(&amx_shape);
}

static void amx_end(void)
{
    _tile_release();
}

// `second_a`, `second_b`: the block has a second strip of rows, a second panel of columns; otherwise the
// first one is multiplied twice and the result not used.
static void amx_sums(float *sums, const uint32_t *a, const uint32_t *b, size_t second_a,
                     size_t second_b, int tiles)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int k = 0; k < tiles; k++, a += TILE, b += TILE) {
        _tile_loadd(4, a, 64);
        _tile_loadd(6, b, 64);
        _tile_loadd(7, b + second_b, 64);
        _tile_loadd(5, a + second_a, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, sums, BLOCK * sizeof *sums);
    _tile_stored(1, sums + BF16_TILE, BLOCK * sizeof *sums);
    _tile_stored(2, sums + BF16_TILE * BLOCK, BLOCK * sizeof *sums);
    _tile_stored(3, sums + BF16_TILE * BLOCK + BF16_TILE, BLOCK * sizeof *sums);
}

// --- AVX512-BF16 ------------------------------------------------------------------------------------

static void no_state(void) {}

enum { ROWS = 8 }; // of a register tile, two panels wide

static void dot_rows(float *sums, const uint32_t *a, const uint32_t *b, size_t second_b, int tiles)
{
    __m512 sum[ROWS][2];

#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (int k = 0; k < tiles; k++, a += TILE, b += TILE)
        for (int p = 0; p < PAIRS; p++) {
            __m512bh b0 = (__m512bh)_mm512_loadu_si512(b + p * BF16_TILE);
            __m512bh b1 = (__m512bh)_mm512_loadu_si512(b + second_b + p * BF16_TILE);
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; r++) {
                __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[r * PAIRS + p]);
                sum[r][0] = _mm512_dpbf16_ps(sum[r][0], x, b0);
                sum[r][1] = _mm512_dpbf16_ps(sum[r][1], x, b1);
            }
        }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
        _mm512_storeu_ps(sums + r * BLOCK, sum[r][0]);
        _mm512_storeu_ps(sums + r * BLOCK + BF16_TILE, sum[r][1]);
    }
}

static void dot_sums(float *sums, const uint32_t *a, const uint32_t *b, size_t second_a,
                     size_t second_b, int tiles)
{
    for (int i = 0; i < BLOCK; i += ROWS)
        dot_rows(sums + i * BLOCK, a + (i / BF16_TILE) * second_a + (size_t)(i % BF16_TILE) * PAIRS,
                 b, second_b, tiles);
}

// --- both -------------------------------------------------------------------------------------------

typedef void block_sums(float *sums, const uint32_t *a, const uint32_t *b, size_t second_a,
                        size_t second_b, int tiles);

INLINE void block(block_sums *multiply, const gemm_result *to, const uint32_t *a, const uint32_t *b,
                  int M, int N, int K)
{
    float sums[BLOCK * BLOCK] __attribute__((aligned(64)));
    int tiles = (K + 2 * PAIRS - 1) / (2 * PAIRS);
    size_t line = (size_t)tiles * TILE; // of a strip or panel

    for (int m = 0; m < M; m += BLOCK)
        for (int n = 0; n < N; n += BLOCK) {
            multiply(sums, a + (size_t)(m / BF16_TILE) * line, b + (size_t)(n / BF16_TILE) * line,
                     m + BF16_TILE < M ? line : 0, n + BF16_TILE < N ? line : 0, tiles);
            finish_block(to, sums, m, n, M, N);
        }
}

static void amx_block(const gemm_result *to, const uint32_t *a, const uint32_t *b, int M, int N,
                      int K)
{
    block(amx_sums, to, a, b, M, N, K);
}

static void dot_block(const gemm_result *to, const uint32_t *a, const uint32_t *b, int M, int N,
                      int K)
{
    block(dot_sums, to, a, b, M, N, K);
}

static const mg_bf16_kernels amx = {"amx", pack_a, pack_b, amx_begin, amx_end, amx_block};
static const mg_bf16_kernels dot = {"avx512_bf16", pack_a, pack_b, no_state, no_state, dot_block};

// The system hands out the tiles' registers on request, once for all threads of a process.
static bool amx_granted(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

    return __builtin_cpu_supports("amx-bf16") && __builtin_cpu_supports("amx-tile") &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static bool has_dot(void)
{
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static const mg_bf16_kernels *chosen; // NULL: the best

const mg_bf16_kernels *mg_bf16_kernels_get(void)
{
    static const mg_bf16_kernels *best; // written with the same value by whoever comes first
    static bool known;

    if (!known) {
        best = !has_dot() ? NULL : amx_granted() ? &amx : &dot;
        known = true;
    }
    return chosen && best ? chosen : best;
}

bool mg_bf16_kernels_use(const char *name)
{
    const mg_bf16_kernels *best;

    chosen = NULL;
    best = mg_bf16_kernels_get();
    if (!best || !name || strcmp(name, best->name) == 0) return best && name;
    if (strcmp(name, dot.name) == 0) chosen = &dot;
    return chosen;
}
#else
const mg_bf16_kernels *mg_bf16_kernels_get(void)
{
    return NULL;
}

bool mg_bf16_kernels_use(const char *name)
{
    (void)name;
    return false;
}
#endif
