// Sizes, names and conversions of the value types of weight files.
#include "models/tensor_type.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned char size;
    bool readable;
} types[MG_T_COUNT] = {
    [MG_T_U64] = {"U64", 8, true},
    [MG_T_I64] = {"I64", 8, true},
    [MG_T_F64] = {"F64", 8, true},
    [MG_T_C64] = {"C64", 8, false},
    [MG_T_F32] = {"F32", 4, true},
    [MG_T_U32] = {"U32", 4, true},
    [MG_T_I32] = {"I32", 4, true},
    [MG_T_BF16] = {"BF16", 2, true},
    [MG_T_F16] = {"F16", 2, true},
    [MG_T_U16] = {"U16", 2, true},
    [MG_T_I16] = {"I16", 2, true},
    [MG_T_I8] = {"I8", 1, true},
    [MG_T_U8] = {"U8", 1, true},
    [MG_T_BOOL] = {"BOOL", 1, true},
    [MG_T_F8_E4M3] = {"F8_E4M3", 1, false},
    [MG_T_F8_E5M2] = {"F8_E5M2", 1, false},
};

size_t mg_tensor_type_size(mg_tensor_type type)
{
    return types[type].size;
}

const char *mg_tensor_type_name(mg_tensor_type type)
{
    return types[type].name;
}

bool mg_tensor_type_find(const char *name, mg_tensor_type *type)
{
    for (int t = 0; t < MG_T_COUNT; t++)
        if (!strcmp(types[t].name, name)) {
            *type = (mg_tensor_type)t;
            return true;
        }
    return false;
}

bool mg_tensor_type_is_float(mg_tensor_type type)
{
    return type == MG_T_F32 || type == MG_T_F64 || type == MG_T_F16 || type == MG_T_BF16;
}

bool mg_tensor_type_is_readable(mg_tensor_type type)
{
    return types[type].readable;
}

// --- half precision ---------------------------------------------------------------------------------

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float f16_value(uint16_t h)
{
    uint32_t sign = (uint32_t)(h >> 15) << 31, exponent = h >> 10 & 31, fraction = h & 1023;

    if (exponent == 31) return from_bits(sign | 0x7F800000u | fraction << 13);
    if (exponent) return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float tiny = (float)fraction * 0x1p-24f; // subnormal or zero, exact
    return sign ? -tiny : tiny;
}

// Half of an even step goes to the even neighbour: nearbyint in the default rounding mode.
static uint16_t f16_bits(float x)
{
    uint32_t bits = to_bits(x);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    float size = fabsf(x);

    if (isnan(x)) return (uint16_t)(sign | 0x7E00);
    if (size >= 65520) return (uint16_t)(sign | 0x7C00);
    if (size < 0x1p-14f) return (uint16_t)(sign | (uint16_t)nearbyintf(size * 0x1p24f));
    int exponent;
    float fraction = frexpf(size, &exponent);               // [0.5, 1): value = fraction 2^exponent
    uint32_t steps = (uint32_t)nearbyintf(fraction * 2048); // 1024 .. 2048
    return (uint16_t)(sign | (((uint32_t)(exponent + 14) << 10) + (steps - 1024)));
}

static uint16_t bf16_bits(float x)
{
    uint32_t bits = to_bits(x);

    if (isnan(x)) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// --- arrays -----------------------------------------------------------------------------------------

#define EACH(ctype, expression)                                \
    for (size_t i = 0; i < count; i++) {                       \
        ctype x;                                               \
        memcpy(&x, (const char *)in + i * sizeof x, sizeof x); \
        out[i] = (float)(expression);                          \
    }                                                          \
    break

void mg_tensor_to_f32(float *out, mg_tensor_type type, const void *in, size_t count)
{
    assert(types[type].readable);
    switch (type) {
    case MG_T_F32:
        memcpy(out, in, count * sizeof *out);
        break;
    case MG_T_F64:
        EACH(double, x);
    case MG_T_F16:
        EACH(uint16_t, f16_value(x));
    case MG_T_BF16:
        EACH(uint16_t, from_bits((uint32_t)x << 16));
    case MG_T_U64:
        EACH(uint64_t, x);
    case MG_T_I64:
        EACH(int64_t, x);
    case MG_T_U32:
        EACH(uint32_t, x);
    case MG_T_I32:
        EACH(int32_t, x);
    case MG_T_U16:
        EACH(uint16_t, x);
    case MG_T_I16:
        EACH(int16_t, x);
    case MG_T_I8:
        EACH(int8_t, x);
    case MG_T_U8:
        EACH(uint8_t, x);
    case MG_T_BOOL:
        EACH(uint8_t, x != 0);
    default:
        break;
    }
}

void mg_tensor_from_f32(void *out, mg_tensor_type type, const float *in, size_t count)
{
    assert(type == MG_T_F32 || type == MG_T_F16 || type == MG_T_BF16);
    if (type == MG_T_F32) {
        memcpy(out, in, count * sizeof *in);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t half = type == MG_T_F16 ? f16_bits(in[i]) : bf16_bits(in[i]);
        memcpy((char *)out + 2 * i, &half, 2);
    }
}
