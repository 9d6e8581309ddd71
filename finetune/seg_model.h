// A promptable segmentation model: image encoder, prompt encoder, mask decoder and what is grafted
// into them, with all parameters in one table. Training, evaluation and prediction share it.
#ifndef MG_FINETUNE_SEG_MODEL_H
#define MG_FINETUNE_SEG_MODEL_H

#include "finetune/finetune_config.h"
#include "models/sam.h"
#include "models/text_prompt.h"
#include "models/vit.h"
#include "runtime/comm.h"

typedef struct {
    mg_params params;
    mg_vit vit;
    mg_sam sam;
    mg_text_prompt text; // width 0: the model takes no texts
    int side;            // of the model input, pixels
    int cells;           // side of the logit grid, 4 gh
    double cell;         // pixels of the model frame per cell, patch / 4
    float *code;         // [gh gw, E] position code of the decoder
    bool square; // pictures are resized to side x side, else their long side is and they are padded
    bool single_output; // trained on the single mask: it is used for every prompt
} mg_seg_model;

// Fill in model.size and the other settings that may be "auto" from the configuration of what model.init
// names (`init_kind` and `init_config` of mg_checkpoint_config, NULL without). MG_ERR_CONFIG.
mg_status mg_seg_config_resolve(mg_finetune_config *c, const char *init_kind,
                                const char *init_config);

// Build the model of a resolved configuration with initial values from `seed`.
mg_status mg_seg_model_build(const mg_finetune_config *c, mg_seg_model *out);
// The same with all values zero, to be filled from a file.
mg_status mg_seg_model_make(const mg_finetune_config *c, mg_seg_model *out);
// The table of its parameters alone, without values, for planning.
mg_status mg_seg_model_table(const mg_finetune_config *c, mg_seg_model *out);
void mg_seg_model_free(mg_seg_model *m);

// The trained parts may have changed: compute what is derived from parameters (the code) again.
void mg_seg_model_refresh(mg_seg_model *m);

// Where a picture of this size lies in the model frame.
mg_sam_frame mg_seg_frame(const mg_seg_model *m, int height, int width);
// An 8-bit picture [height, width, channels] as model input [3, side, side]. MG_ERR_MEMORY.
mg_status mg_seg_picture(const mg_seg_model *m, float *out, const uint8_t *pixels, int height,
                         int width, int channels);

// Weights of a file into the model: of SAM or of a finetuned model by name (adapters that it lacks keep
// their initial values), or of a pretrained encoder by the hand-over of pretraining.md section 7. With
// how->keep_rest the latter replaces patches and blocks only, not the tables. Collective on `world`.
mg_status mg_seg_model_init(const mg_comm *world, const char *file, const mg_load_how *how,
                            mg_seg_model *m);

// A model with its configuration from a run folder or weight file; `base`: the file that one which holds only
// the trained part was trained on, otherwise "". Collective on `world`. Release both, also after a failure.
mg_status mg_seg_model_open(const mg_comm *world, const char *path, const char *base,
                            mg_finetune_config *config, mg_seg_model *m);

// Use another output than the one of its training: "rule", "single"; "auto" changes nothing.
void mg_seg_model_output(mg_seg_model *m, const char *output);

#endif
