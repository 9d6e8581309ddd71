// CLIP's text transformer, forward only: token numbers -> a unit vector that tells what a text means
// (text-and-weights.md b). Pre-norm blocks, causal attention, quick GELU; the state of the first end
// token is projected. Parameters have OpenAI's names.
#ifndef MG_MODELS_CLIP_TEXT_H
#define MG_MODELS_CLIP_TEXT_H

#include <stdint.h>

#include "models/params.h"

enum { MG_CLIP_LAYERS_MOST = 64 };

typedef struct {
    int width, heads, layers, hidden; // D, H, L, width of the MLP
    int context, vocab, embed;        // positions, tokens, E
    double eps;                       // of the layer norms, 1e-5
} mg_clip_config;

// One block: places in the parameter table.
typedef struct {
    int norm1_w, norm1_b, qkv_w, qkv_b, out_w, out_b, norm2_w, norm2_b, fc1_w, fc1_b, fc2_w, fc2_b;
} mg_clip_layer;

typedef struct {
    mg_clip_config cfg;
    mg_params params;
    int tokens, positions, final_w, final_b, projection;
    mg_clip_layer layer[MG_CLIP_LAYERS_MOST];
} mg_clip_text;

// Check the sizes (MG_ERR_CONFIG) and make the table; values are zero.
mg_status mg_clip_text_build(const mg_clip_config *cfg, mg_clip_text *out);
void mg_clip_text_free(mg_clip_text *m);

// Embed texts: ids [texts, context] as mg_token_frame makes them -> unit [texts, E], of length 1.
// MG_ERR_MEMORY; MG_ERR_NUMERIC if a vector has no direction.
mg_status mg_clip_text_embed(const mg_clip_text *m, const int32_t *ids, int texts, float *unit);

// --- step by step -----------------------------------------------------------------------------------

// Texts side by side, without what follows them: nothing behind the end token acts on it.
typedef struct {
    int texts, rows, longest;
    const int32_t *first; // [texts + 1] row where each text begins; rows after the last
} mg_clip_rows;

size_t mg_clip_text_scratch(const mg_clip_text *m, const mg_clip_rows *r); // floats

// x [rows, D] = token + position; ids [rows], text after text.
void mg_clip_text_begin(float *x, const int32_t *ids, const mg_clip_text *m, const mg_clip_rows *r);
// One block, in place.
void mg_clip_text_layer(float *x, int layer, const mg_clip_text *m, const mg_clip_rows *r,
                        float *scratch);
// The last layer norm of some rows; out may be x.
void mg_clip_text_norm(float *out, const float *x, const mg_clip_text *m, int rows, float *scratch);
// [rows, D] -> [rows, E]
void mg_clip_text_project(float *out, const float *x, const mg_clip_text *m, int rows);

#endif
