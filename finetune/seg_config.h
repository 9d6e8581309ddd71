// Settings of section "model." for promptable segmentation models: SAM's sizes by name or one by
// one, and what is grafted into it (model.md sections 2 and 10).
#ifndef MG_FINETUNE_SEG_CONFIG_H
#define MG_FINETUNE_SEG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/config.h"

typedef struct {
    char *size; // auto, vit_b, vit_l, vit_h, custom
    int64_t image, patch, dim, depth, heads, mlp_ratio, window;
    mg_list global; // blocks with global attention, numbers as texts
    int64_t prompt_dim, mask_in, decoder_depth, decoder_heads, decoder_mlp, decoder_down;
    int64_t multimask, iou_hidden;
    bool encoder_adapters, decoder_adapters, depth_branch;
    int64_t slices;
    double adapter_ratio, adapter_scale;
    // Forms in which the released code differs (model.md 11); auto until they are resolved.
    char *adapter_activation; // relu, gelu
    char *adapter_init;       // zero, linear
    char *window_cut;         // after, before
    char *resize;             // pad, square
} mg_seg_config;

// Rows of an option table for `member` (a mg_seg_config) of structure `type`.
// clang-format off
#define MG_SEG_AT(type, member, field) offsetof(type, member.field)
#define MG_SEG_ROWS(type, member)                                                                  \
    {"model.size", MG_CHOICE, MG_SEG_AT(type, member, size), "auto", 0, 0, "SAM size by name; auto: that of model.init; custom: the keys below", "auto|vit_b|vit_l|vit_h|custom"}, \
    {"model.image", MG_INT, MG_SEG_AT(type, member, image), "0", 0, 8192, "side of the model input in pixels (0: that of model.init if the size is auto, otherwise 1024)", NULL}, \
    {"model.patch", MG_INT, MG_SEG_AT(type, member, patch), "16", 4, 64, "side of a patch in pixels, a multiple of 4", NULL}, \
    {"model.dim", MG_INT, MG_SEG_AT(type, member, dim), "768", 8, 8192, "encoder width", NULL},     \
    {"model.depth", MG_INT, MG_SEG_AT(type, member, depth), "12", 1, 128, "encoder blocks", NULL},  \
    {"model.heads", MG_INT, MG_SEG_AT(type, member, heads), "12", 1, 128, "encoder heads", NULL},   \
    {"model.mlp_ratio", MG_INT, MG_SEG_AT(type, member, mlp_ratio), "4", 1, 16, "encoder MLP width over model.dim", NULL}, \
    {"model.window", MG_INT, MG_SEG_AT(type, member, window), "14", 1, 1024, "side of an attention window in tokens", NULL}, \
    {"model.global", MG_LIST, MG_SEG_AT(type, member, global), "2,5,8,11", 0, 0, "encoder blocks with global attention, counted from 0", NULL}, \
    {"model.prompt_dim", MG_INT, MG_SEG_AT(type, member, prompt_dim), "256", 8, 4096, "width of prompts and mask decoder", NULL}, \
    {"model.mask_in", MG_INT, MG_SEG_AT(type, member, mask_in), "16", 4, 1024, "channels of the mask prompt's small network", NULL}, \
    {"model.decoder_depth", MG_INT, MG_SEG_AT(type, member, decoder_depth), "2", 1, 16, "two-way layers of the mask decoder", NULL}, \
    {"model.decoder_heads", MG_INT, MG_SEG_AT(type, member, decoder_heads), "8", 1, 64, "heads of the mask decoder", NULL}, \
    {"model.decoder_mlp", MG_INT, MG_SEG_AT(type, member, decoder_mlp), "2048", 1, 65536, "MLP width of the mask decoder", NULL}, \
    {"model.decoder_down", MG_INT, MG_SEG_AT(type, member, decoder_down), "2", 1, 16, "down-projection of its cross attentions", NULL}, \
    {"model.multimask", MG_INT, MG_SEG_AT(type, member, multimask), "3", 1, 15, "masks proposed for one ambiguous click", NULL}, \
    {"model.iou_hidden", MG_INT, MG_SEG_AT(type, member, iou_hidden), "256", 1, 65536, "hidden width of the head that predicts IoU", NULL}, \
    {"model.encoder_adapters", MG_BOOL, MG_SEG_AT(type, member, encoder_adapters), "true", 0, 0, "graft adapters into every encoder block (train.mode msa)", NULL}, \
    {"model.decoder_adapters", MG_BOOL, MG_SEG_AT(type, member, decoder_adapters), "true", 0, 0, "graft adapters into the decoder's first layer (train.mode msa)", NULL}, \
    {"model.depth_branch", MG_BOOL, MG_SEG_AT(type, member, depth_branch), "false", 0, 0, "volumes: also attend over the slices of a stack, with an adapter of its own (needs model.encoder_adapters)", NULL}, \
    {"model.slices", MG_INT, MG_SEG_AT(type, member, slices), "8", 1, 1024, "volumes: slices of a stack (D)", NULL}, \
    {"model.adapter_ratio", MG_REAL, MG_SEG_AT(type, member, adapter_ratio), "0.25", 0.001, 4, "hidden width of an adapter over its width", NULL}, \
    {"model.adapter_scale", MG_REAL, MG_SEG_AT(type, member, adapter_scale), "0.5", 0, 100, "scale s of the adapter beside an MLP", NULL}, \
    {"model.adapter_activation", MG_CHOICE, MG_SEG_AT(type, member, adapter_activation), "auto", 0, 0, "between the two maps of an adapter; auto: that of model.init, otherwise relu", "auto|relu|gelu"}, \
    {"model.adapter_init", MG_CHOICE, MG_SEG_AT(type, member, adapter_init), "zero", 0, 0, "second map of a new adapter: zero, so that training starts from the model as it is, or drawn as any linear map", "zero|linear"}, \
    {"model.window_cut", MG_CHOICE, MG_SEG_AT(type, member, window_cut), "auto", 0, 0, "windows are cut after norm1, as in SAM, or before it: their padding is then norm1's bias instead of zero; auto: as in model.init, otherwise after", "auto|after|before"}, \
    {"model.resize", MG_CHOICE, MG_SEG_AT(type, member, resize), "auto", 0, 0, "pad: the long side becomes model.image, the rest is padded; square: both sides become model.image; auto: as model.init was trained, otherwise pad", "auto|pad|square"}
// clang-format on

#endif
