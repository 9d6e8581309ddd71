// What model a weight file holds, told from its names and shapes: sizes of SAM (with adapters), MAE and
// CLIP's text part, the table of all tensors that belong to it, and the settings that rebuild it.
#ifndef MG_MODELS_WEIGHTS_MODEL_H
#define MG_MODELS_WEIGHTS_MODEL_H

#include "models/pretrain_model.h"
#include "models/sam.h"
#include "models/vit.h"
#include "models/weights_load.h"

typedef struct {
    mg_names names;
    const char *size;  // vit_b, vit_l, vit_h, or NULL for other sizes
    mg_vit_config vit; // image encoder; heads 0 if that cannot be told
    bool decoder;      // SAM: prompt encoder and mask decoder are there too
    mg_sam_config sam; // heads are SAM's 8: files do not tell them
    bool release;      // SAM: adapters in the encoder only, as the released code leaves them
    int text_width;    // SAM: numbers in the vector of a text prompt, 0 without
    mg_pretrain_config pretrain;                      // MAE
    int layers, width, hidden, context, vocab, embed; // CLIP's text part; embed 0: no projection
} mg_weights_model;

// MG_ERR_FORMAT if a tensor that tells a size is missing or contradicts another one; names OTHER is no
// failure: then nothing else is set.
mg_status mg_weights_describe(const mg_weights *w, mg_weights_model *m);

// The same model in another program's names, and with another input side (0: as it is). What there is no
// way to make is MG_ERR_CONFIG.
mg_status mg_weights_model_as(mg_weights_model *m, mg_names names, int side);

// Add every tensor of the model to a table (without values).
mg_status mg_weights_table(const mg_weights_model *m, mg_params *p);

// "finetune" or "pretrain" and the YAML settings from which medgraft rebuilds the model; *config is NULL
// if the sizes do not tell enough (release with mg_free).
mg_status mg_model_settings(const mg_weights_model *m, const char **kind, char **config);
// The same for a file: its own notes, or what its sizes tell.
mg_status mg_weights_settings(const mg_weights *w, const char **kind, char **config);

#endif
