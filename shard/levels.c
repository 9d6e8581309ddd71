// Ramps from the values of a channel to 0..255.
#include "shard/levels.h"

// How the values of one channel become 0..255.
typedef struct {
    bool as_is, keep_zero;
    double low, scale;
} ramp;

static ramp ramp_of(const mg_levels *l, int channel)
{
    static const double nothing[2] = {0, 0};
    const double *range = l->ct && l->window ? l->window : l->range ? l->range[channel] : nothing;
    bool none = !(range[1] > range[0]); // a volume of one value, or values that are 8-bit already

    return (ramp){.as_is = none && l->type == MG_U8,
                  .keep_zero = !l->ct,
                  .low = range[0],
                  .scale = none ? 0 : 255 / (range[1] - range[0])};
}

static double value_at(const void *pixels, mg_dtype type, size_t i)
{
    return type == MG_U8    ? ((const uint8_t *)pixels)[i]
           : type == MG_I16 ? ((const int16_t *)pixels)[i]
                            : (double)((const float *)pixels)[i];
}

static uint8_t climb(const ramp *r, double v)
{
    if (r->as_is) return (uint8_t)v;
    if (r->keep_zero && v == 0) return 0;
    double level = (v - r->low) * r->scale + .5;
    return level >= 255 ? 255 : level > 0 ? (uint8_t)level : 0; // NaN is 0
}

void mg_levels_apply(const mg_levels *l, const void *pixels, size_t cells, uint8_t *out)
{
    size_t channels = (size_t)l->channels;

    for (int k = 0; k < 3; k++) {
        int channel = l->input[k];
        if (channel < 0) { // an input without a contrast stays black
            for (size_t i = 0; i < cells; i++) out[3 * i + k] = 0;
            continue;
        }
        ramp r = ramp_of(l, channel);
        for (size_t i = 0; i < cells; i++)
            out[3 * i + k] = climb(&r, value_at(pixels, l->type, channels * i + channel));
    }
}
