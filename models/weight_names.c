// The name tables as rules: what is put in front, and which parts of a name are called otherwise.
#include "models/weight_names.h"

#include <stdio.h>
#include <string.h>

static bool begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

static bool begins_with_one(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (begins(text, *list)) return true;
    return false;
}

const char *mg_names_text(mg_names names)
{
    static const char *const text[] = {"unknown", "SAM", "MAE", "OpenAI CLIP", "Hugging Face CLIP"};
    return text[names];
}

mg_status mg_names_parse(const char *text, mg_names *names)
{
    static const struct {
        const char *text;
        mg_names names;
    } known[] = {{"sam", MG_NAMES_SAM}, {"medsam", MG_NAMES_SAM}, {"msa", MG_NAMES_SAM},
                 {"mae", MG_NAMES_MAE}, {"clip", MG_NAMES_CLIP},  {"hf-clip", MG_NAMES_HF_CLIP}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].text, text)) {
            *names = known[i].names;
            return MG_OK;
        }
    return MG_FAIL(MG_ERR_CONFIG,
                   "unknown names '%s', expected sam, medsam, msa, mae, clip or hf-clip", text);
}

mg_names mg_names_of(const char *name)
{
    static const char *const sam[] = {"image_encoder.", "prompt_encoder.", "mask_decoder.", NULL};
    static const char *const mae[] = {"patch_embed.", "blocks.", "decoder_blocks.", NULL};
    static const char *const clip[] = {"transformer.resblocks.", "token_embedding.", NULL};

    if (begins_with_one(name, sam)) return MG_NAMES_SAM;
    if (begins(name, "text_model.")) return MG_NAMES_HF_CLIP;
    if (begins_with_one(name, clip)) return MG_NAMES_CLIP;
    return begins_with_one(name, mae) ? MG_NAMES_MAE : MG_NAMES_OTHER;
}

// `name` with the first `part` in it called `instead`, behind `prefix`. False if there is no such part.
static bool renamed(char out[MG_NAME_ROOM], const char *prefix, const char *name, const char *part,
                    const char *instead)
{
    const char *at = strstr(name, part);

    if (!at) return false;
    int n = snprintf(out, MG_NAME_ROOM, "%s%.*s%s%s", prefix, (int)(at - name), name, instead,
                     at + strlen(part));
    if (n >= MG_NAME_ROOM) out[0] = '\0';
    return true;
}

static void copied(char out[MG_NAME_ROOM], const char *prefix, const char *name)
{
    if (snprintf(out, MG_NAME_ROOM, "%s%s", prefix, name) >= MG_NAME_ROOM) out[0] = '\0';
}

// --- SAM and MAE ------------------------------------------------------------------------------------

static const char ENCODER[] = "image_encoder.";

// The released Medical SAM Adapter of 2025 calls some tensors otherwise (model.md 11).
static void name_of_release(char out[MG_NAME_ROOM], const char *name)
{
    if (begins(name, ENCODER) && renamed(out, "", name, ".attn.rel_pos_", ".attn.rel_")) return;
    if (!begins(name, "mask_decoder.transformer.layers.")) return;
    if (renamed(out, "", name, ".mlp.lin1.", ".mlp.layers.0.0.")) return;
    renamed(out, "", name, ".mlp.lin2.", ".mlp.fc.");
}

static bool is_encoder_part(const char *tail)
{
    return begins(tail, "pos_embed") || begins(tail, "patch_embed.") || begins(tail, "blocks.");
}

// A tensor of SAM's image encoder in an MAE file.
static bool sam_from_mae(const char *target, mg_take *take)
{
    const char *tail = target + strlen(ENCODER);

    if (!begins(target, ENCODER) || !is_encoder_part(tail) || strstr(tail, "_Adapter."))
        return false;
    if (!renamed(take->name[0], "", tail, ".mlp.lin", ".mlp.fc")) copied(take->name[0], "", tail);
    return true;
}

static bool mae_from_sam(const char *target, mg_take *take)
{
    if (!is_encoder_part(target)) return false;
    if (!renamed(take->name[0], ENCODER, target, ".mlp.fc", ".mlp.lin"))
        copied(take->name[0], ENCODER, target);
    if (strstr(target, ".attn.rel_pos_")) name_of_release(take->name[1], take->name[0]);
    return true;
}

// --- CLIP -------------------------------------------------------------------------------------------

static const char LAYERS[] = "transformer.resblocks.", HF_LAYERS[] = "text_model.encoder.layers.";

// Parts of a name that stand for each other; the attention's in_proj is cut in three.
static const struct {
    const char *clip, *hf;
} parts[] = {
    {".ln_1.", ".layer_norm1."},
    {".ln_2.", ".layer_norm2."},
    {".mlp.c_fc.", ".mlp.fc1."},
    {".mlp.c_proj.", ".mlp.fc2."},
    {".attn.out_proj.", ".self_attn.out_proj."},
};
static const struct {
    const char *clip, *hf;
} whole[] = {
    {"token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
    {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
    {"ln_final.weight", "text_model.final_layer_norm.weight"},
    {"ln_final.bias", "text_model.final_layer_norm.bias"},
    {"text_projection", "text_projection.weight"},
    {"logit_scale", "logit_scale"},
};
static const char *const thirds[] = {"q_proj.", "k_proj.", "v_proj."};
enum { PARTS = sizeof parts / sizeof *parts, WHOLE = sizeof whole / sizeof *whole };

// "<n>.attn..." of a layer's name to the other program's, with this prefix.
static bool layer_part(char out[MG_NAME_ROOM], const char *tail, bool to_hf)
{
    for (int i = 0; i < PARTS; i++)
        if (renamed(out, to_hf ? HF_LAYERS : LAYERS, tail, to_hf ? parts[i].clip : parts[i].hf,
                    to_hf ? parts[i].hf : parts[i].clip))
            return true;
    return false;
}

static bool clip_from_hf(const char *target, mg_take *take)
{
    for (int i = 0; i < WHOLE; i++)
        if (!strcmp(target, whole[i].clip)) {
            copied(take->name[0], "", whole[i].hf);
            if (!strcmp(target, "text_projection")) take->kind = MG_TAKE_TRANSPOSED;
            return true;
        }
    if (!begins(target, LAYERS)) return false;
    const char *tail = target + strlen(LAYERS);
    if (!strstr(tail, ".attn.in_proj_")) return layer_part(take->name[0], tail, true);
    take->kind = MG_TAKE_JOIN;
    for (int i = 0; i < 3; i++) {
        char instead[32];
        snprintf(instead, sizeof instead, ".self_attn.%s", thirds[i]);
        renamed(take->name[i], HF_LAYERS, tail, ".attn.in_proj_", instead);
    }
    return true;
}

static bool hf_from_clip(const char *target, mg_take *take)
{
    for (int i = 0; i < WHOLE; i++)
        if (!strcmp(target, whole[i].hf)) {
            copied(take->name[0], "", whole[i].clip);
            if (!strcmp(target, "text_projection.weight")) take->kind = MG_TAKE_TRANSPOSED;
            return true;
        }
    if (!begins(target, HF_LAYERS)) return false;
    const char *tail = target + strlen(HF_LAYERS);
    for (int i = 0; i < 3; i++) {
        char part[32];
        snprintf(part, sizeof part, ".self_attn.%s", thirds[i]);
        if (!renamed(take->name[0], LAYERS, tail, part, ".attn.in_proj_")) continue;
        take->kind = MG_TAKE_THIRD;
        take->third = i;
        return true;
    }
    return layer_part(take->name[0], tail, false);
}

// --- all --------------------------------------------------------------------------------------------

bool mg_names_take(mg_names from, mg_names to, const char *target, mg_take *take)
{
    *take = (mg_take){.kind = MG_TAKE_SAME};
    if (from == to) {
        copied(take->name[0], "", target);
        if (to == MG_NAMES_SAM) name_of_release(take->name[1], target);
        return true;
    }
    if (from == MG_NAMES_MAE && to == MG_NAMES_SAM) return sam_from_mae(target, take);
    if (from == MG_NAMES_SAM && to == MG_NAMES_MAE) return mae_from_sam(target, take);
    if (from == MG_NAMES_CLIP && to == MG_NAMES_HF_CLIP) return hf_from_clip(target, take);
    if (from == MG_NAMES_HF_CLIP && to == MG_NAMES_CLIP) return clip_from_hf(target, take);
    return false;
}

// Parts of a pretraining model that public files lack, or that another run did without.
static const char *const heads[] = {"mask_token",  "decoder_",       "emix_head.", "shed_head.",
                                    "dense_pred.", "enc_mask_token", NULL};

bool mg_names_may_lack(mg_names from, mg_names to, const char *target)
{
    mg_take take;

    if (to == MG_NAMES_SAM &&
        (strstr(target, "_Adapter.") || begins(target, "prompt_encoder.text_")))
        return true;
    if (to == MG_NAMES_MAE && begins_with_one(target, heads)) return true;
    if (from == to || from == MG_NAMES_CLIP || from == MG_NAMES_HF_CLIP) return false;
    // MAE has no tables of relative positions (or few): they stay zero.
    return strstr(target, ".attn.rel_pos_") || !mg_names_take(from, to, target, &take);
}

bool mg_names_may_ignore(mg_names from, mg_names to, const char *source)
{
    static const char *const mae[] = {"cls_token", "norm.", NULL};
    static const char *const clip[] = {"visual.",    "input_resolution", "context_length",
                                       "vocab_size", "logit_scale",      NULL};
    static const char *const hf[] = {"vision_model.", "visual_projection.",
                                     "text_model.embeddings.position_ids", "logit_scale", NULL};

    switch (from) {
    case MG_NAMES_MAE:
        return begins_with_one(source, heads) || !strcmp(source, "cls_token") ||
               (to == MG_NAMES_SAM && begins_with_one(source, mae));
    case MG_NAMES_SAM:
        return to == MG_NAMES_MAE;
    case MG_NAMES_CLIP:
        return begins_with_one(source, clip);
    case MG_NAMES_HF_CLIP:
        return begins_with_one(source, hf);
    default:
        return false;
    }
}
