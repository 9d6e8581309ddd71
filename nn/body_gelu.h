// Body of GELU, compiled once per instruction set: x Phi(x) and its slope Phi(x) + x phi(x), from
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
