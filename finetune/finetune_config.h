// Every setting of `medgraft finetune`; a model's checkpoint carries them as YAML, and evaluation
// and prediction read from there what they need.
#ifndef MG_FINETUNE_FINETUNE_CONFIG_H
#define MG_FINETUNE_FINETUNE_CONFIG_H

#include "finetune/prompts.h"
#include "finetune/seg_config.h"
#include "models/sam.h"
#include "models/trainer.h"
#include "models/weights_load.h"
#include "shard/source.h"

typedef struct {
    mg_seg_config model;
    mg_source_config data;
    mg_train_config train;
    char *init; // model.init
    char *base; // model.base
    mg_load_how load;
    char *out;     // train.out
    char *preset;  // paper, release
    char *mode;    // msa, medsam, full
    char *decoder; // half, whole
    char *loss;    // sam, dice_bce, bce_pw2, dice_sq; release until the data are known
    double focal_weight;
    bool click_weighting;
    bool flip;
    char *recompute; // none, block
    // prompts.
    char *schedule, *output, *profile, *corrective, *box_mode;
    int64_t max_corrective;
    double click_weight, box_weight, text_weight, text_click_weight;
    char *texts;        // prompts.texts
    char *text_targets; // union, each
    bool text_absent;   // texts may name targets that are not in the picture
    int64_t text_width; // of the vectors of prompts.texts, 0 without; set when they are opened
    char *text_encoder; // hash of what made them
    bool instances;
    char *volume; // stack, slice
    bool carry;
    mg_list window; // data.window
    // data., what the volumes have in common (volume_facts.h)
    char *modality, *contrasts;
    mg_list spacing;
    bool crop;
} mg_finetune_config;

extern const mg_option mg_finetune_options[];

// Which losses are added up.
typedef struct {
    bool sam, dice;    // sam stands alone
    double bce_weight; // weight of the target's cells in the cross entropy; 0: none of it
} mg_seg_loss;

// The choices as the modules want them.
mg_train_mode mg_finetune_mode(const mg_finetune_config *c);
bool mg_finetune_grafts(
    const mg_finetune_config *c); // adapters are wanted where the model may have them
mg_seg_loss mg_finetune_loss(const mg_finetune_config *c);
// The loss that `release` stands for, now that the data are known. MG_ERR_MEMORY.
mg_status mg_finetune_settle_loss(mg_finetune_config *c, bool volumes);
mg_click_mode mg_finetune_click_mode(const mg_finetune_config *c);
mg_start_profile mg_finetune_profile(const mg_finetune_config *c);
mg_box_mode mg_finetune_box_mode(const mg_finetune_config *c);
void mg_finetune_prompt_weights(const mg_finetune_config *c, double weight[MG_PROMPT_KINDS]);
// data.window as two numbers in `out`; *window points there, or is NULL if none is set. MG_ERR_CONFIG.
mg_status mg_finetune_window(const mg_list *list, double out[2], const double **window);
bool mg_finetune_single_output(const mg_finetune_config *c); // slot 0 always

// Width and origin of the texts' vectors into the settings: they decide on tensors of the model. Reads
// prompts.texts.
mg_status mg_finetune_note_texts(mg_finetune_config *c);

// Parse a checkpoint's configuration text; `name` goes into messages. Release with mg_config_free
// over mg_finetune_options.
mg_status mg_finetune_parse(const char *yaml, const char *name, mg_finetune_config *out);
void mg_finetune_config_free(mg_finetune_config *c);

#endif
