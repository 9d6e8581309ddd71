// Label maps; the colours are sixteen of Sasha Trubetskoy's "20 simple, distinct colors" (2017).
#include "finetune/label_map.h"

#include "datasets/decode.h"

const uint8_t mg_label_colour[MG_LABEL_COLOURS][3] = {
    {0, 0, 0},       {230, 25, 75},  {60, 180, 75},   {67, 99, 216},  {255, 225, 25},
    {245, 130, 49},  {145, 30, 180}, {66, 212, 244},  {240, 50, 230}, {191, 239, 69},
    {250, 190, 212}, {70, 153, 144}, {220, 190, 255}, {154, 99, 36},  {255, 250, 200},
    {128, 0, 0},     {170, 255, 195}};

void mg_label_merge(float *best, uint8_t *map, const float *logits, size_t cells, int number)
{
    for (size_t i = 0; i < cells; i++) {
        if (logits[i] <= best[i]) continue;
        best[i] = logits[i];
        map[i] = (uint8_t)number;
    }
}

mg_status mg_label_write(const char *path, const uint8_t *map, int height, int width)
{
    return mg_write_png_palette(path, map, height, width, mg_label_colour, MG_LABEL_COLOURS);
}
