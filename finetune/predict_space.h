// Where the coordinates of prompts lie: on the original grid of a picture or volume, and on the grid that the
// model sees.
#ifndef MG_FINETUNE_PREDICT_SPACE_H
#define MG_FINETUNE_PREDICT_SPACE_H

#include "datasets/decode.h"
#include "finetune/predict_prompts.h"

typedef struct {
    int dims;
    double matrix[12];        // x, y, z as given to cells of the original grid, rows
    int size[3];              // cells of that grid along x, y, z
    double start[3], step[3]; // cell i of the model's grid lies at start + step i
    int cells[3];             // of that grid
    char extent[160];         // "the picture, which is 640 wide and 480 high": for messages
} mg_predict_space;

mg_predict_space mg_predict_picture_space(int height, int width);

// Of a volume coordinates are voxels of the file's own axes, from 0, or RAS mm. MG_ERR_FORMAT if they are mm
// and the file's matrix cannot be inverted.
mg_status mg_predict_volume_space(const mg_volume_file *file, bool mm, mg_predict_space *out);

// Bring everything to the model's grid, the nearest cell for clicks. MG_ERR_CONFIG if something lies outside
// of the original grid, or a target has no prompt that says where it is.
mg_status mg_predict_place(mg_predict_prompts *p, const mg_predict_space *space);

#endif
