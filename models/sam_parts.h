// The parts of SAM's prompt encoder and mask decoder: where their tensors lie in the table, and what a
// pass keeps of each. models/sam.h puts them together; callers need nothing from here.
// Letters as in models/sam.h: E width, T mask tokens, N image tokens, R token rows.
#ifndef MG_MODELS_SAM_PARTS_H
#define MG_MODELS_SAM_PARTS_H

#include "models/adapter.h"
#include "models/params.h"
#include "runtime/mem.h"

// Pieces of scratch start on cache lines: floats of a piece of n.
static inline size_t mg_sam_piece(size_t n)
{
    return (n + 15) / 16 * 16;
}

// --- an affine map or a norm ------------------------------------------------------------------------

typedef struct {
    int weight, bias; // linear or convolution [out, in], or norm [out]
    int in, out;      // a norm has in = out
} mg_sam_affine;

// out[rows, out] = inp[rows, in] W^T + b, onto `res` unless NULL (res may be out).
void mg_sam_linear(float *out, const float *res, const float *inp, const mg_sam_affine *a,
                   const mg_params *p, int rows);
// dinp (NULL: not wanted) is overwritten, or added to with `add`.
void mg_sam_linear_backward(float *dinp, float *grads, const float *dout, const float *inp,
                            const mg_sam_affine *a, const mg_params *p, int rows, bool add);

typedef struct {
    float *pre, *out, *mean, *rstd; // input and output [rows, width], statistics [rows]
} mg_sam_norm_acts;

void mg_sam_norm_layout(mg_layout *at, mg_sam_norm_acts *n, int rows, int width);
void mg_sam_norm(mg_sam_norm_acts *n, const mg_sam_affine *a, const mg_params *p, int rows,
                 float eps);
// dpre is overwritten and may be dout. `scratch`: mg_layernorm_scratch(width).
void mg_sam_norm_backward(float *dpre, float *grads, const float *dout, const mg_sam_norm_acts *n,
                          const mg_sam_affine *a, const mg_params *p, int rows, float *scratch);

// --- attention of the two-way transformer (models/sam_attention.c) ------------------------------------

typedef struct {
    mg_sam_affine q, k, v, o;
    int heads, inner; // width of q, k, v: E in self attention, E / down in cross attentions
} mg_sam_attention;

typedef struct {
    float *q, *k, *v; // projected [rows, inner]
    float *lse;       // [B, heads, nq]
    float *mix;       // the heads' results before out_proj [B nq, inner]
} mg_sam_attention_acts;

void mg_sam_attention_layout(mg_layout *at, mg_sam_attention_acts *a, const mg_sam_attention *m,
                             int B, int nq, int nk);
size_t mg_sam_attention_scratch(const mg_sam_attention *m, int B, int nq, int nk); // floats

// out [B nq, E] = A(xq, xk, xv), onto `res` unless NULL.  xq [B nq, E]   xk, xv [B nk, E]
void mg_sam_attend(float *out, const float *res, mg_sam_attention_acts *a, const float *xq,
                   const float *xk, const float *xv, const mg_sam_attention *m, const mg_params *p,
                   int B, int nq, int nk, float *scratch);
// dxq, dxk, dxv are ADDED to, one after the other; they may be the same array, and dout too.
void mg_sam_attend_backward(float *dxq, float *dxk, float *dxv, float *grads, const float *dout,
                            const mg_sam_attention_acts *a, const float *xq, const float *xk,
                            const float *xv, const mg_sam_attention *m, const mg_params *p, int B,
                            int nq, int nk, float *scratch);

// --- a two-way layer (models/two_way.c) ---------------------------------------------------------------

typedef struct {
    bool first;    // the first layer replaces the queries in self attention
    bool adapters; // the three below exist
    float scale;   // s of the MLP adapter
    mg_sam_attention self, token_to_image, image_to_token;
    mg_sam_affine norm1, norm2, norm3, norm4, lin1, lin2;
    mg_adapter prompt_adapter, mlp_adapter, image_adapter;
} mg_two_way;

typedef struct {
    mg_sam_attention_acts self, token_to_image, image_to_token;
    mg_sam_norm_acts norm1, norm2, norm3, norm4; // norm3.out, norm4.out: queries and keys it leaves
    float *pos0, *pos1, *pos3;                   // queries + tok before each attention [R, E]
    float *hidden;                               // after ReLU [R, mlp]
    float *hq, *hk;                              // what the adapters read [R, E], [B N, E]
    float *prompt_hidden, *mlp_hidden, *image_hidden; // of the adapters
} mg_two_way_acts;

// Sizes of one pass: B prompts of Nt tokens each over N image tokens, and the fixed codes.
typedef struct {
    int B, Nt, N, E;
    const float *tok;  // [B Nt, E] position code of the queries
    const float *code; // [N, E] position code of the keys
    float *kpos;       // [B N, E] keys + code, filled by whoever uses it
    float *scratch;    // mg_two_way_scratch floats
} mg_two_way_pass;

void mg_two_way_layout(mg_layout *at, mg_two_way_acts *a, const mg_two_way *l, int B, int Nt, int N,
                       int E);
size_t mg_two_way_scratch(const mg_two_way *l, int B, int Nt, int N, int E); // floats

// q [B Nt, E], k [B N, E] -> a->norm3.out, a->norm4.out
void mg_two_way_forward(mg_two_way_acts *a, const float *q, const float *k, const mg_two_way *l,
                        const mg_params *p, const mg_two_way_pass *s);
// dq [B Nt, E], dk [B N, E]: gradients of what the layer leaves; become those of q and k. ADDS to
// dtok [B Nt, E].
void mg_two_way_backward(float *dq, float *dk, float *dtok, float *grads, const mg_two_way_acts *a,
                         const float *q, const float *k, const mg_two_way *l, const mg_params *p,
                         const mg_two_way_pass *s);

#endif
