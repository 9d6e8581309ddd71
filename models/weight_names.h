// Names of tensors in the files of several programs, and how one's tensor is made from another's
// (text-and-weights.md b, f; pretraining.md 7). medgraft's own models have the names of SAM (also MedSAM
// and the Medical SAM Adapter), of MAE, and of OpenAI's CLIP.
#ifndef MG_MODELS_WEIGHT_NAMES_H
#define MG_MODELS_WEIGHT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/err.h"

typedef enum {
    MG_NAMES_OTHER,
    MG_NAMES_SAM,     // image_encoder., prompt_encoder., mask_decoder.
    MG_NAMES_MAE,     // patch_embed., blocks., decoder_blocks.
    MG_NAMES_CLIP,    // transformer.resblocks., token_embedding.
    MG_NAMES_HF_CLIP, // text_model.encoder.layers.
} mg_names;

const char *mg_names_text(mg_names names); // "SAM", "MAE", ...
// As users give them: sam, medsam, msa, mae, clip, hf-clip. MG_ERR_CONFIG.
mg_status mg_names_parse(const char *text, mg_names *names);

// Whose name this is; MG_NAMES_OTHER if it tells nothing.
mg_names mg_names_of(const char *name);

enum { MG_NAME_ROOM = 256 };

// Where a tensor's values come from.
typedef enum {
    MG_TAKE_SAME,       // name[0], or name[1] under which some programs have it
    MG_TAKE_THIRD,      // rows [third n, (third + 1) n) of name[0], which has 3 n
    MG_TAKE_JOIN,       // rows of name[0], name[1], name[2] below each other
    MG_TAKE_TRANSPOSED, // name[0], columns as rows
} mg_take_kind;

typedef struct {
    mg_take_kind kind;
    int third;
    char name[3][MG_NAME_ROOM]; // "" where there is none
} mg_take;

// How tensor `target` of a model with names `to` is made from a file with names `from`. False: such a
// file has nothing for it.
bool mg_names_take(mg_names from, mg_names to, const char *target, mg_take *take);

// A tensor that keeps its initial values when a file with names `from` lacks it: adapters, text
// projection, the heads of a pretraining, and what other kinds of models do not have.
bool mg_names_may_lack(mg_names from, mg_names to, const char *target);
// A tensor of the file that a model with names `to` has no use for, and need not be told about.
bool mg_names_may_ignore(mg_names from, mg_names to, const char *source);

#endif
