// Matrix products: values, leading dimensions, alpha and beta; the bits of a row must depend neither
// on how many rows are multiplied nor on the number of threads (design.md section 5 builds on it).
#include "tests/check.h"

#include <omp.h>

#include "nn/gemm.h"
#include "nn/kernels.h"
#include "runtime/mem.h"
#include "tests/ref.h"

static float *filled(size_t n, uint64_t seed)
{
    float *x = mg_alloc(n * sizeof *x);
    check_fill(x, n, seed, 1);
    return x;
}

// As an operand is read: itself, or rounded to bfloat16 to nearest, ties to even.
static double read_as(mg_precision precision, float x)
{
    uint32_t bits;

    if (precision == MG_FLOAT32) return x;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void compare(mg_precision how, bool ta, bool tb, int M, int N, int K, float alpha,
                    float beta)
{
    int lda = (ta ? M : K) + 3, ldb = (tb ? K : N) + 5, ldc = N + 2;
    float *A = filled((size_t)lda * (ta ? K : M), 1), *B = filled((size_t)ldb * (tb ? N : K), 2);
    float *C = filled((size_t)ldc * M, 3), *before = filled((size_t)ldc * M, 3);
    double worst = 0;

    mg_gemm_as(how, C, ldc, A, lda, ta, B, ldb, tb, M, N, K, alpha, beta);
    for (int m = 0; m < M; m++)
        for (int n = 0; n < ldc; n++) {
            double sum = 0, size = 1; // size: sum of |a b|, to which the error is held
            size_t at = (size_t)m * ldc + n;
            for (int k = 0; k < K && n < N; k++) {
                double ab = read_as(how, A[ta ? k * lda + m : m * lda + k]) *
                            read_as(how, B[tb ? n * ldb + k : k * ldb + n]);
                sum += ab;
                size += fabs(ab);
            }
            double want = n < N ? alpha * sum + (double)beta * before[at] : before[at];
            double gap = fabs(C[at] - want) / size;
            worst = gap <= worst ? worst : gap;
        }
    CHECK(worst <= 3e-7);
    mg_free(A), mg_free(B), mg_free(C), mg_free(before);
}

static void all_values(mg_precision how)
{
    static const int sizes[][3] = {{1, 1, 1},     {1, 5, 7},     {3, 2, 12},
                                   {17, 33, 9},   {64, 64, 64},  {49, 96, 130},
                                   {200, 3, 300}, {2, 300, 200}, {130, 257, 65}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int t = 0; t < 4; t++) {
            compare(how, t & 1, t & 2, sizes[s][0], sizes[s][1], sizes[s][2], 1, 0);
            compare(how, t & 1, t & 2, sizes[s][0], sizes[s][1], sizes[s][2], 0.5f, 1);
        }
}

static void test_values(void **state)
{
    (void)state;
    all_values(MG_FLOAT32);
}

static void test_empty_sum(void **state)
{
    (void)state;
    float C[6] = {1, 2, 3, 4, 5, 6}, A[1] = {0}, B[1] = {0};

    mg_gemm(C, 3, A, 1, false, B, 3, false, 2, 3, 0, 1, 0);
    for (int i = 0; i < 6; i++) CHECK(C[i] == 0);
}

// Rows of A W and A W^T for several row counts and thread counts against the product of all rows.
static void row_bits(mg_precision how, int N, int K, bool tb, float beta)
{
    static const int counts[] = {1, 2, 3, 5, 7, 16, 49, 98, 196};
    enum { ALL = 200 };
    float *A = filled((size_t)ALL * K, 4), *W = filled((size_t)N * K, 5);
    float *all = mg_calloc((size_t)ALL * N, sizeof *all), *some = mg_alloc((size_t)ALL * N * 4);
    int ldw = tb ? K : N, threads = omp_get_max_threads();

    omp_set_num_threads(1);
    mg_gemm_as(how, all, N, A, K, false, W, ldw, tb, ALL, N, K, 1, beta);
    for (int t = 1; t <= 3; t += 2) {
        omp_set_num_threads(t);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            size_t rows = (size_t)counts[i], from = ((size_t)ALL - rows) / 3;

            memset(some, 0, rows * N * sizeof *some);
            mg_gemm_as(how, some, N, A + from * K, K, false, W, ldw, tb, (int)rows, N, K, 1, beta);
            if (memcmp(some, all + from * N, rows * N * sizeof *some))
                fail_msg("%zu rows of N %d K %d tb %d on %d threads: other bits", rows, N, K, tb,
                         t);
        }
    }
    omp_set_num_threads(threads);
    mg_free(A), mg_free(W), mg_free(all), mg_free(some);
}

static void all_row_bits(mg_precision how)
{
    static const int shapes[][2] = {{200, 768}, {96, 1000}, {70, 100}, {48, 48}, {24, 96},
                                    {5, 7},     {33, 130},  {1, 768},  {4, 256}, {450, 64}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int t = 0; t < 4; t++) row_bits(how, shapes[s][0], shapes[s][1], t & 1, t & 2 ? 1 : 0);
}

static void test_row_bits(void **state)
{
    (void)state;
    all_row_bits(MG_FLOAT32);
}

// dW = A^T B: the same bits for any number of threads.
static void all_weight_bits(mg_precision how)
{
    static const int shapes[][3] = {{768, 256, 196}, {96, 24, 49},   {24, 96, 1000},
                                    {7, 5, 400},     {300, 70, 392}, {4, 256, 64}};
    int threads = omp_get_max_threads();

    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        int M = shapes[s][0], N = shapes[s][1], K = shapes[s][2];
        float *A = filled((size_t)K * M, 6), *B = filled((size_t)K * N, 7);
        float *one = mg_calloc((size_t)M * N, 4), *more = mg_calloc((size_t)M * N, 4);

        omp_set_num_threads(1);
        mg_gemm_as(how, one, N, A, M, true, B, N, false, M, N, K, 1, 1);
        for (int t = 2; t <= 4; t++) {
            omp_set_num_threads(t);
            memset(more, 0, (size_t)M * N * 4);
            mg_gemm_as(how, more, N, A, M, true, B, N, false, M, N, K, 1, 1);
            if (memcmp(one, more, (size_t)M * N * 4))
                fail_msg("dW %d x %d of %d rows on %d threads: other bits", M, N, K, t);
        }
        mg_free(A), mg_free(B), mg_free(one), mg_free(more);
    }
    omp_set_num_threads(threads);
}

static void test_weight_bits(void **state)
{
    (void)state;
    all_weight_bits(MG_FLOAT32);
}

// The same of every version of the products in bfloat16 that this processor has.
static void test_bf16(void **state)
{
    static const char *const versions[] = {"amx", "avx512_bf16"};

    (void)state;
    if (!mg_gemm_bf16()) {
        printf("skipped: this processor has no products in bfloat16\n");
        skip();
    }
    for (int v = 0; v < 2; v++) {
        if (!mg_bf16_kernels_use(versions[v])) continue;
        CHECK(strcmp(mg_gemm_bf16(), versions[v]) == 0);
        all_values(MG_BFLOAT16);
        all_row_bits(MG_BFLOAT16);
        all_weight_bits(MG_BFLOAT16);
    }
    mg_bf16_kernels_use(NULL);
}

static void test_in_parallel_region(void **state)
{
    (void)state;
    enum { M = 100, N = 120, K = 90 };
    float *A = filled(M * K, 8), *B = filled(K * N, 9);
    float *one = mg_alloc(M * N * 4), *both = mg_alloc(2 * M * N * 4);

    mg_gemm(one, N, A, K, false, B, N, false, M, N, K, 1, 0);
#pragma omp parallel for num_threads(2)
    for (int i = 0; i < 2; i++)
        mg_gemm(both + i * M * N, N, A, K, false, B, N, false, M, N, K, 1, 0);
    CHECK(!memcmp(one, both, M * N * 4));
    CHECK(!memcmp(one, both + M * N, M * N * 4));
    mg_free(A), mg_free(B), mg_free(one), mg_free(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_empty_sum),
        cmocka_unit_test(test_row_bits),
        cmocka_unit_test(test_weight_bits),
        cmocka_unit_test(test_in_parallel_region),
    };
    const struct CMUnitTest bf16[] = {cmocka_unit_test(test_bf16)};
    static const char *const versions[] = {"plain", "avx2", "avx512"};
    int failed = cmocka_run_group_tests_name("bfloat16", bf16, NULL, NULL);

    for (int i = 0; i < 3; i++)
        if (mg_kernels_use(versions[i]))
            failed += cmocka_run_group_tests_name(versions[i], tests, NULL, NULL);
    return failed;
}
