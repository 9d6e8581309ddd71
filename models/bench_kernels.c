// medgraft bench: products, attention and pointwise passes in the sizes of ViT-B.
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "models/bench.h"
#include "nn/gemm.h"
#include "nn/nn.h"
#include "runtime/mem.h"

static bool speaks(const mg_bench *b)
{
    return mg_comm_rank(b->world) == 0;
}

// Small values that are neither equal nor zero.
static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * 2654435761u >> 8 & 0xffff) + 1) / 65536 - 0.5f;
}

// A block of `floats`, filled; agreed on by all ranks.
static mg_status filled_block(const mg_bench *b, size_t floats, float **out)
{
    mg_status st = MG_OK;

    *out = mg_alloc(floats * sizeof **out);
    if (!*out) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes to measure with", floats * 4);
    st = mg_comm_agree(b->world, st);
    if (!st) fill(*out, floats);
    return st;
}

// --- ceilings and products ------------------------------------------------------------------------

static void multiply_adds(void *ctx)
{
    const mg_bench *b = ctx;

#pragma omp parallel num_threads(b->threads)
    mg_gemm_multiply_adds(1000000);
}

// A linear layer of `rows` tokens: forward, gradient of the input, gradient of the weight.
typedef struct {
    int rows, in, out, pass, threads;
    bool blas;
    mg_precision precision; // of our own product
    float *x, *w, *y;
} layer;

static void multiply(const layer *l, float *C, int ldc, const float *A, int lda, bool ta,
                     const float *B, int ldb, bool tb, int M, int N, int K, float alpha, float beta)
{
    if (l->blas)
        mg_gemm_blas(C, ldc, A, lda, ta, B, ldb, tb, M, N, K, alpha, beta);
    else
        mg_gemm_as(l->precision, C, ldc, A, lda, ta, B, ldb, tb, M, N, K, alpha, beta);
}

static void product(const layer *l, int first, int end)
{
    size_t at = (size_t)first;
    int n = end - first;

    if (l->pass == 0)
        multiply(l, l->y + at * l->out, l->out, l->x + at * l->in, l->in, false, l->w, l->in, true,
                 n, l->out, l->in, 1, 0);
    else if (l->pass == 1)
        multiply(l, l->x + at * l->in, l->in, l->y + at * l->out, l->out, false, l->w, l->in, false,
                 n, l->in, l->out, 1, 0);
    else
        multiply(l, l->w + at * l->in, l->in, l->y + at, l->out, true, l->x, l->in, false, n, l->in,
                 l->rows, 1, 1);
}

// BLAS in the way that serves it best: bands of rows of the result, one thread each.
static void product_work(void *ctx)
{
    const layer *l = ctx;
    int total = l->pass == 2 ? l->out : l->rows;

    if (!l->blas) {
        product(l, 0, total);
        return;
    }
#pragma omp parallel num_threads(l->threads)
    {
        int n = omp_get_num_threads(), t = omp_get_thread_num();
        product(l, (int)((long)total * t / n), (int)((long)total * (t + 1) / n));
    }
}

static void measure_layer(mg_bench *b, layer *l)
{
    static const char *const passes[] = {"forward", "dinp", "dweight"};
    double flops = 2e-9 * l->rows * l->in * l->out;

    for (l->pass = 0; l->pass < 3; l->pass++) {
        l->blas = true;
        double blas = flops / mg_bench_seconds(b, product_work, l);
        l->blas = false;
        l->precision = MG_FLOAT32;
        double own = flops / mg_bench_seconds(b, product_work, l);
        l->precision = MG_BFLOAT16;
        double bf16 = mg_gemm_bf16() ? flops / mg_bench_seconds(b, product_work, l) : 0;
        if (blas > b->sgemm) b->sgemm = blas;
        if (speaks(b))
            printf("product rows %d in %d out %d pass %s gflops %.1f share_of_peak %.3f "
                   "openblas_gflops %.1f bf16_gflops %.1f\n",
                   l->rows, l->in, l->out, passes[l->pass], own, own / b->peak, blas, bf16);
    }
}

mg_status mg_bench_products(mg_bench *b)
{
    // Rows of a batch of 16: all tokens, a quarter of them; decoder of the MAE.
    static const int sizes[][3] = {{3136, 768, 2304}, {3136, 768, 768}, {3136, 768, 3072},
                                   {3136, 3072, 768}, {784, 768, 3072}, {3136, 512, 2048}};
    size_t most_x = (size_t)3136 * 3072, most_w = (size_t)3072 * 768;
    float *block;

    MG_TRY(filled_block(b, 2 * most_x + most_w, &block));
    b->peak =
        1e-9 * mg_gemm_multiply_adds(0) * 1e6 * b->threads / mg_bench_seconds(b, multiply_adds, b);
    if (speaks(b)) printf("peak threads %d gflops %.1f\n", b->threads, b->peak);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        layer l = {.rows = sizes[i][0], .in = sizes[i][1], .out = sizes[i][2]};
        l.threads = b->threads;
        l.x = block, l.y = block + most_x, l.w = block + 2 * most_x;
        fill(block, 2 * most_x + most_w);
        measure_layer(b, &l);
    }
    if (speaks(b))
        printf("sgemm threads %d gflops %.1f share_of_peak %.3f\n", b->threads, b->sgemm,
               b->sgemm / b->peak);
    mg_free(block);
    return MG_OK;
}

// --- attention ------------------------------------------------------------------------------------

typedef struct {
    mg_attn a;
    float *qkv, *dqkv, *out, *dout, *lse, *rel, *drel, *scratch;
} attention;

static void attention_forward(void *ctx)
{
    attention *t = ctx;
    int D = t->a.heads * t->a.d;

    mg_attn_forward(t->out, t->lse, t->qkv, t->qkv + D, t->qkv + 2 * D, &t->a, t->scratch);
}

static void attention_backward(void *ctx)
{
    attention *t = ctx;
    int D = t->a.heads * t->a.d;

    mg_attn_backward(t->dqkv, t->dqkv + D, t->dqkv + 2 * D, NULL, NULL, t->drel, t->drel, t->dout,
                     t->out, t->lse, t->qkv, t->qkv + D, t->qkv + 2 * D, &t->a, t->scratch);
}

static size_t place_attention(attention *t, float *block, int threads)
{
    size_t rows = (size_t)t->a.problems * t->a.nq, D = (size_t)t->a.heads * t->a.d, used = 0;
    size_t table = t->a.gh ? (size_t)(2 * t->a.gh - 1) * t->a.d : 0;
    const struct {
        float **at;
        size_t floats;
    } list[] = {{&t->qkv, rows * 3 * D}, {&t->dqkv, rows * 3 * D},
                {&t->out, rows * D},     {&t->dout, rows * D},
                {&t->lse, rows * D},     {&t->rel, table},
                {&t->drel, table},       {&t->scratch, mg_attn_scratch(&t->a, threads)}};

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        *list[i].at = block ? block + used : NULL;
        used += (list[i].floats + 15) / 16 * 16;
    }
    if (!table) t->rel = t->drel = NULL;
    t->a.rel_h = t->a.rel_w = t->rel;
    return used;
}

static mg_status measure_attention(const mg_bench *b, int problems, int heads, int d, int n, int g)
{
    attention t = {.a = {.heads = heads, .d = d, .problems = problems, .nq = n, .nk = n}};
    float *block;

    t.a.q_stride = t.a.k_stride = t.a.v_stride = 3 * heads * d;
    t.a.o_stride = heads * d;
    t.a.scale = 1 / sqrtf((float)d);
    t.a.gh = t.a.gw = g;
    MG_TRY(filled_block(b, place_attention(&t, NULL, b->threads), &block));
    place_attention(&t, block, b->threads);
    double flops = 4e-9 * problems * heads * d * n * n;
    double forward = flops / mg_bench_seconds(b, attention_forward, &t);
    double backward = 2 * flops / mg_bench_seconds(b, attention_backward, &t);
    if (speaks(b))
        printf("attention problems %d tokens %d heads %d d %d positions %s forward_gflops %.1f "
               "share_of_peak %.3f backward_gflops %.1f share_of_peak %.3f\n",
               problems, n, heads, d, g ? "yes" : "no", forward, forward / b->peak, backward,
               backward / b->peak);
    mg_free(block);
    return MG_OK;
}

mg_status mg_bench_attention(const mg_bench *b)
{
    MG_TRY(measure_attention(b, 16, 12, 64, 49, 0));
    MG_TRY(measure_attention(b, 16, 12, 64, 196, 0));
    MG_TRY(measure_attention(b, 16, 16, 32, 196, 0));
    MG_TRY(measure_attention(b, 25, 12, 64, 196, 14));
    MG_TRY(measure_attention(b, 1, 4, 64, 4096, 64));
    return measure_attention(b, 1, 4, 80, 4096, 64);
}

// --- pointwise ------------------------------------------------------------------------------------

typedef struct {
    int rows, cols;
    float *x, *y, *dy, *weight, *mean, *rstd, *scratch;
} rows_pass;

static void norm_forward(void *ctx)
{
    rows_pass *t = ctx;

    mg_layernorm_forward(t->y, t->mean, t->rstd, t->x, t->weight, t->weight, t->rows, t->cols,
                         1e-6f);
}

static void norm_backward(void *ctx)
{
    rows_pass *t = ctx;

    mg_layernorm_backward(t->y, t->weight + t->cols, t->weight + t->cols, t->dy, t->x, t->weight,
                          t->mean, t->rstd, t->rows, t->cols, true, t->scratch);
}

static void gelu_forward(void *ctx)
{
    rows_pass *t = ctx;

    mg_gelu_forward(t->y, t->x, (size_t)t->rows * t->cols);
}

static void gelu_backward(void *ctx)
{
    rows_pass *t = ctx;

    mg_gelu_backward(t->y, t->y, t->x, (size_t)t->rows * t->cols);
}

// GB/s of arrays read and written once.
static void measure_pass(const mg_bench *b, const char *name, void (*work)(void *), rows_pass *t,
                         int arrays)
{
    double bytes = 4e-9 * arrays * t->rows * t->cols;

    fill(t->x, (size_t)t->rows * t->cols);
    fill(t->y, (size_t)t->rows * t->cols);
    double seconds = mg_bench_seconds(b, work, t);
    if (speaks(b))
        printf("pass %s rows %d cols %d ms %.3f gbytes_per_s %.1f\n", name, t->rows, t->cols,
               seconds * 1e3, bytes / seconds);
}

mg_status mg_bench_pointwise(const mg_bench *b)
{
    rows_pass t = {.rows = 3136, .cols = 3072};
    size_t n = (size_t)t.rows * t.cols;
    float *block;

    MG_TRY(filled_block(b, 3 * n + 4 * 3072 + 2 * 3136 + mg_layernorm_scratch(3072), &block));
    t.x = block, t.y = block + n, t.dy = block + 2 * n, t.weight = block + 3 * n;
    t.mean = t.weight + 4 * 3072, t.rstd = t.mean + 3136, t.scratch = t.rstd + 3136;
    measure_pass(b, "gelu_forward", gelu_forward, &t, 2);
    measure_pass(b, "gelu_backward", gelu_backward, &t, 3);
    t.cols = 768;
    measure_pass(b, "layernorm_forward", norm_forward, &t, 2);
    measure_pass(b, "layernorm_backward", norm_backward, &t, 4);
    mg_free(block);
    return MG_OK;
}
