// Random resized crop: up to ten draws of area and log-uniform aspect, then the largest central
// rectangle within the aspect limits. Block t of the crop stream is try t. All in plain doubles;
// rint rounds ties to even.
#include "shard/crop.h"

#include <math.h>

#include "runtime/rng.h"

enum { TRIES = 10 };

mg_crop_law mg_crop_law_default(void)
{
    return (mg_crop_law){{0.2, 1.0}, {3.0 / 4, 4.0 / 3}};
}

// The largest rectangle whose aspect lies within the limits, centred.
static mg_crop central(const mg_crop_law *law, int h, int w)
{
    double q = (double)w / h;
    int ch = h, cw = w;

    if (q < law->aspect[0])
        ch = (int)rint(w / law->aspect[0]);
    else if (q > law->aspect[1])
        cw = (int)rint(h * law->aspect[1]);
    return (mg_crop){.top = (h - ch) / 2, .left = (w - cw) / 2, .height = ch, .width = cw};
}

static mg_crop draw(const mg_crop_law *law, const mg_stream *s, int h, int w)
{
    double low = log(law->aspect[0]), high = log(law->aspect[1]);

    for (uint32_t t = 0; t < TRIES; t++) {
        uint32_t word[4];
        mg_stream_block(s, t, word);
        double share = law->area[0] + (law->area[1] - law->area[0]) * mg_rng_u32(word[0]);
        double area = (double)h * w * share;
        double aspect = exp(low + (high - low) * mg_rng_u32(word[1]));
        double cw = rint(sqrt(area * aspect)), ch = rint(sqrt(area / aspect));
        if (!(cw > 0 && cw <= w && ch > 0 && ch <= h)) continue;
        return (mg_crop){.top = (int)mg_rng_below(word[2], (uint32_t)(h - (int)ch + 1)),
                         .left = (int)mg_rng_below(word[3], (uint32_t)(w - (int)cw + 1)),
                         .height = (int)ch,
                         .width = (int)cw};
    }
    return central(law, h, w);
}

mg_crop mg_crop_rect(const mg_crop_law *law, uint64_t seed, uint32_t epoch, uint32_t sample, int h,
                     int w)
{
    mg_stream crop = {seed, MG_RNG_CROP, epoch, sample}, flip = {seed, MG_RNG_FLIP, epoch, sample};
    mg_crop rect = draw(law, &crop, h, w);

    rect.flip = mg_stream_word(&flip, 0) < 0x80000000u;
    return rect;
}
