// The prompt token of a text; see text_prompt.h.
#include "models/text_prompt.h"

#include <math.h>
#include <string.h>

#include "nn/nn.h"

mg_text_prompt mg_text_prompt_add(mg_params *p, int width, int out)
{
    mg_text_prompt t = {.width = width, .out = out};

    t.weight = mg_params_add(p, "prompt_encoder.text_proj.weight", MG_INIT_NORMAL,
                             1 / sqrt((double)width), 2, out, width);
    t.bias = mg_params_add(p, "prompt_encoder.text_proj.bias", MG_INIT_ZERO, 0, 1, out);
    t.type = mg_params_add(p, "prompt_encoder.text_embed.weight", MG_INIT_NORMAL, 1, 2, 1, out);
    return t;
}

bool mg_text_prompt_owns(const char *name)
{
    static const char prefix[] = "prompt_encoder.text_";
    return strncmp(name, prefix, sizeof prefix - 1) == 0;
}

void mg_text_prompt_forward(float *token, const float *unit, const mg_text_prompt *t,
                            const mg_params *p)
{
    mg_linear_forward(token, unit, mg_weight(p, t->weight), mg_weight(p, t->bias), 1, t->width,
                      t->out, MG_FLOAT32);
    mg_add(token, token, mg_weight(p, t->type), (size_t)t->out);
}

void mg_text_prompt_backward(float *grads, const float *dtoken, const float *unit,
                             const mg_text_prompt *t, const mg_params *p)
{
    float *dtype = mg_grad(p, grads, t->type);

    mg_linear_backward(NULL, mg_grad(p, grads, t->weight), mg_grad(p, grads, t->bias), dtoken, unit,
                       mg_weight(p, t->weight), 1, t->width, t->out, false, MG_FLOAT32);
    if (dtype) mg_add(dtype, dtype, dtoken, (size_t)t->out);
}
