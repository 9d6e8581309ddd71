// Bodies of passes over rows and elements, compiled once per instruction set.

// --- GELU -----------------------------------------------------------------------------------------

// x Phi(x) and its slope Phi(x) + x phi(x), from
//   e = exp(-x^2 / 2),  t = 1 / (1 + 0.2316419 |x|),  Phi(-|x|) = e (c1 t + .. + c5 t^5)
// (form of Abramowitz and Stegun 26.2.17, coefficients refitted: kernels.md section 2; error of Phi
// 7e-8). Both passes share e.

// x, held to +-16, where the tail is long zero in float: x * x cannot overflow. NaN stays.
INLINE vec limited(vec x)
{
    return -max_of(splat(-16), -max_of(splat(-16), x));
}

// Phi(x) of a limited x; *e is exp(-x^2 / 2).
INLINE vec normal_cdf(vec x, vec *e)
{
    vec size = (vec)((ivec)x & 0x7fffffff), t = 1.0f / (1.0f + 0.2316419f * size);
    vec p = splat(0.530699431f);

    *e = exp2_of(x * x * -0.72134752f);
    p = p * t - 0.726564851f;
    p = p * t + 0.71069259f;
    p = p * t - 0.142240252f;
    p = p * t + 0.127413082f;
    vec tail = *e * p * t;
    ivec positive = x > 0;
    return (vec)((positive & (ivec)(1 - tail)) | (~positive & (ivec)tail));
}

INLINE vec gelu(vec x)
{
    vec e;
    return max_of(splat(-16), x) * normal_cdf(limited(x), &e);
}

INLINE vec gelu_slope(vec x)
{
    vec e, near = limited(x), phi = normal_cdf(near, &e);
    return phi + near * e * 0.39894228f;
}

static void gelu_forward(float *out, const float *inp, size_t n)
{
    size_t i = 0;

    for (; i + W <= n; i += W) store(out + i, gelu(load(inp + i)));
    if (i < n) store_part(out + i, gelu(load_part(inp + i, (int)(n - i))), (int)(n - i));
}

static void gelu_backward(float *dinp, const float *dout, const float *inp, size_t n)
{
    size_t i = 0;

    for (; i + W <= n; i += W) store(dinp + i, load(dout + i) * gelu_slope(load(inp + i)));
    if (i < n) {
        int rest = (int)(n - i);
        store_part(dinp + i, load_part(dout + i, rest) * gelu_slope(load_part(inp + i, rest)),
                   rest);
    }
}

// --- rows -----------------------------------------------------------------------------------------

// sum[c] += column c of `rows` rows, a batch of rows after the other, in order. PIECE columns at a
// time, so that the sums stay in the first-level cache while whole pieces of rows stream by.
static void sum_rows(float *sum, const float *inp, int ld, int rows, int cols)
{
    enum { PIECE = 2048, BATCH = 256 };

    for (int lo = 0; lo < cols; lo += PIECE) {
        int n = cols - lo < PIECE ? cols - lo : PIECE;
        float part[PIECE];

        for (int r0 = 0; r0 < rows; r0 += BATCH) {
            memset(part, 0, (size_t)n * sizeof *part);
            for (int r = r0; r < rows && r < r0 + BATCH; r++) {
                const float *row = inp + (size_t)r * ld + lo;

                for (int c = 0; c < n; c++) part[c] += row[c];
            }
            for (int c = 0; c < n; c++) sum[lo + c] += part[c];
        }
    }
}

// One row of a layer norm: out, mean, rstd.
static void norm_forward(float *out, float *mean, float *rstd, const float *x, const float *weight,
                         const float *bias, int cols, float eps)
{
    float sum = 0, square = 0;

#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < cols; c++) sum += x[c];
    float m = sum / (float)cols;
#pragma omp simd reduction(+ : square)
    for (int c = 0; c < cols; c++) square += (x[c] - m) * (x[c] - m);
    float s = 1.0f / sqrtf(square / (float)cols + eps);
    for (int c = 0; c < cols; c++) out[c] = (x[c] - m) * s * weight[c] + bias[c];
    *mean = m;
    *rstd = s;
}

// One row back: dx, and its terms of dweight (dw) and dbias (db), which may be NULL.
static void norm_backward(float *dx, float *dw, float *db, const float *dy, const float *x,
                          const float *weight, float m, float s, int cols, bool add)
{
    float sum = 0, dot = 0;

#pragma omp simd reduction(+ : sum, dot)
    for (int c = 0; c < cols; c++) {
        float g = dy[c] * weight[c];
        sum += g;
        dot += g * (x[c] - m);
    }
    float a = sum / (float)cols, b = dot * s * s / (float)cols;
    if (dw)
        for (int c = 0; c < cols; c++) dw[c] += dy[c] * (x[c] - m) * s;
    if (db)
        for (int c = 0; c < cols; c++) db[c] += dy[c];
    if (add)
        for (int c = 0; c < cols; c++) dx[c] += s * (dy[c] * weight[c] - a - (x[c] - m) * b);
    else
        for (int c = 0; c < cols; c++) dx[c] = s * (dy[c] * weight[c] - a - (x[c] - m) * b);
}
