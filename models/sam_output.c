// Around the mask decoder: trained sets, which mask to take, logits to the original size, targets in
// the model frame (model.md 6.7, 7, 10.5, 12, 13.3).
#include <math.h>
#include <string.h>

#include "models/sam.h"
#include "nn/nn.h"

static bool starts_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

bool mg_sam_trains(const char *name, void *mode)
{
    bool decoder = starts_with(name, "mask_decoder.");

    if (starts_with(name, "prompt_encoder.text_")) return true;
    switch (*(const mg_train_mode *)mode) {
    case MG_TRAIN_MSA:
        if (strstr(name, "_Adapter.")) return true;
        return decoder && !starts_with(name, "mask_decoder.transformer.layers.0.");
    case MG_TRAIN_RELEASE:
        return decoder || strstr(name, "_Adapter.");
    case MG_TRAIN_MEDSAM:
        return decoder || starts_with(name, "image_encoder.");
    case MG_TRAIN_FULL:
        return true;
    }
    return false;
}

mg_sam_slots mg_sam_wanted(const mg_sam *s, int points, bool box, bool text, bool stack)
{
    if (points == 1 && !box && !text && !stack && s->T > 1) return (mg_sam_slots){1, s->T - 1};
    return (mg_sam_slots){0, 1};
}

int mg_sam_best(const float *iou, int count)
{
    int best = 0;

    for (int i = 1; i < count; i++)
        if (iou[i] > iou[best]) best = i;
    return best;
}

size_t mg_sam_postprocess_scratch(const mg_sam_config *c, mg_sam_frame f)
{
    size_t up = mg_resize_scratch(4 * c->gh, 4 * c->gw, 1, c->height, c->width);
    size_t back = mg_resize_scratch(f.height2, f.width2, 1, f.height, f.width);

    return (size_t)c->height * c->width + (up > back ? up : back);
}

void mg_sam_postprocess(float *out, const float *logits, const mg_sam_config *c, mg_sam_frame f,
                        float *scratch)
{
    float *frame = scratch, *rest = scratch + (size_t)c->height * c->width;

    mg_resize_forward(frame, logits, 4 * c->gh, 4 * c->gw, 1, c->height, c->width, MG_RESIZE_LINEAR,
                      rest);
    for (int r = 1; r < f.height2; r++) // crop in place
        memmove(frame + (size_t)r * f.width2, frame + (size_t)r * c->width,
                (size_t)f.width2 * sizeof *frame);
    mg_resize_forward(out, frame, f.height2, f.width2, 1, f.height, f.width, MG_RESIZE_LINEAR,
                      rest);
}

int mg_sam_source(int i, double step, int size, int size2)
{
    double at = (i + 0.5) * step;

    if (at >= size2) return -1;
    int source = (int)floor(at * size / size2);
    return source < size ? source : size - 1;
}

void mg_sam_target(float *target, uint8_t *valid, const uint8_t *mask, const mg_sam_config *c,
                   mg_sam_frame f)
{
    int Y = 4 * c->gh, X = 4 * c->gw;
    double step_y = (double)c->height / Y, step_x = (double)c->width / X;

    for (int r = 0; r < Y; r++) {
        int y = mg_sam_source(r, step_y, f.height, f.height2);
        for (int q = 0; q < X; q++) {
            int x = mg_sam_source(q, step_x, f.width, f.width2);
            size_t i = (size_t)r * X + q;
            valid[i] = y >= 0 && x >= 0;
            target[i] = valid[i] && mask[(size_t)y * f.width + x];
        }
    }
}
