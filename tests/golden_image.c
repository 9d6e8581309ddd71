// Golden kind sam_preprocess: groups "<h>x<w>" with image, resized (exact), model_input.
#include <string.h>

#include "shard/resize.h"
#include "tests/golden.h"

void golden_kind_sam_preprocess(golden *g)
{
    int groups;
    char **group = golden_list(g, "/", &groups);

    for (int i = 0; i < groups; i++) {
        char *at = group[i];
        mg_h5_info in, small, model;
        if (at[strlen(at) - 1] == '/') at[strlen(at) - 1] = '\0';
        if (!golden_has(g, golden_name(g, "%s/image", at))) continue;
        const uint8_t *image = golden_load(g, golden_name(g, "%s/image", at), MG_U8, &in);
        const uint8_t *resized = golden_load(g, golden_name(g, "%s/resized", at), MG_U8, &small);
        const float *input = golden_f32(g, golden_name(g, "%s/model_input", at), &model);
        int h = (int)in.dim[0], w = (int)in.dim[1], side = (int)model.dim[2], h2, w2;

        mg_frame_size(h, w, side, &h2, &w2);
        golden_exact(g, h2 == small.dim[0] && w2 == small.dim[1], "%s: frame %d x %d", at, h2, w2);
        if (h2 != small.dim[0] || w2 != small.dim[1]) continue;
        uint8_t *out = golden_alloc(g, (size_t)small.count);
        mg_status st = mg_resize_triangle_u8(out, h2, w2, image, h, w, 3);
        golden_exact(g, !st && !memcmp(out, resized, (size_t)small.count),
                     "%s: resized picture differs", at);
        float *frame = golden_alloc(g, (size_t)model.count * sizeof *frame);
        st = mg_frame_picture(frame, side, h2, w2, image, h, w, 3);
        golden_exact(g, !st, "%s: no frame", at);
        golden_note(g, "input", golden_max(frame, input, (size_t)model.count), 1e-6);
    }
}
