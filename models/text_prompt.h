// The prompt token of a text: token = W u + b + t, with u the text's embedding of length 1
// (text-and-weights.md c). W, b and t ("this token is a text") are trained with the model.
#ifndef MG_MODELS_TEXT_PROMPT_H
#define MG_MODELS_TEXT_PROMPT_H

#include "models/params.h"

typedef struct {
    int width, out; // of the embedding, of the token; width 0: the model takes no texts
    int weight, bias, type;
} mg_text_prompt;

// Add prompt_encoder.text_proj.weight, .bias and prompt_encoder.text_embed.weight.
mg_text_prompt mg_text_prompt_add(mg_params *p, int width, int out);
bool mg_text_prompt_owns(const char *name); // one of these tensors

void mg_text_prompt_forward(float *token, const float *unit, const mg_text_prompt *t,
                            const mg_params *p);
void mg_text_prompt_backward(float *grads, const float *dtoken, const float *unit,
                             const mg_text_prompt *t, const mg_params *p); // adds

#endif
