// SAM's prompt encoder and mask decoder (model.md sections 5, 6), with the decoder adapters of MSA
// (10.4) as a switch. The image encoder is models/vit.h; they meet in the image embedding.
// Everything inside is channel-last: the embedding of one image is [gh gw, E].
//
// One pass decodes B prompts of ONE image that have the same number of sparse tokens. A pass keeps
// what its backward needs in memory the caller gives it (measured once, placed before each pass), so
// several passes may be open at the same time, as the slices of a stack are; scratch is shared.
//   E prompt_dim, T = n_multi + 1 mask tokens, N = gh gw image tokens, n sparse tokens,
//   R = B (1 + T + n) token rows.
#ifndef MG_MODELS_SAM_H
#define MG_MODELS_SAM_H

#include <stdbool.h>
#include <stdint.h>

#include "models/params.h"
#include "models/sam_parts.h"
#include "runtime/mem.h"

typedef struct {
    int prompt_dim;            // E (256)
    int mask_in;               // channels of the mask prompt (16)
    int depth, heads;          // two-way layers, heads of all decoder attentions (2, 8)
    int mlp;                   // hidden width of the two-way layers (2048)
    int down;                  // cross attentions work in E / down channels (2)
    int n_multi;               // T - 1 (3)
    int iou_hidden, iou_depth; // width and number of layers of the IoU head (256, 3)
    int gh, gw;                // token grid; masks are 4 gh x 4 gw
    int height, width;         // padded model input in pixels
    bool adapters;             // in layer 0
    double ratio, scale;       // bottleneck width / E, factor s of the MLP adapter (0.25, 0.5)
    mg_adapter_form adapter_form;
} mg_sam_config;

// The published sizes for a square input of `side` pixels and patches of `patch`.
mg_sam_config mg_sam_defaults(int side, int patch);
// MG_ERR_CONFIG when sizes do not divide or are out of bounds.
mg_status mg_sam_check(const mg_sam_config *c);

enum { MG_SAM_MAX_DEPTH = 8, MG_SAM_MAX_TOKENS = 16, MG_SAM_MAX_IOU = 8 };

// The network: indices into the table of parameters.
typedef struct {
    mg_sam_config cfg;
    int T, N;
    // prompt encoder
    int gauss; // [2, E/2], a buffer
    int point[4], not_a_point, no_mask;
    mg_sam_affine mask_conv[3], mask_norm[2]; // convolutions as [out, in 4] and [out, in]
    // mask decoder
    mg_two_way layer[MG_SAM_MAX_DEPTH];
    mg_sam_attention final;
    mg_sam_affine norm_final;
    int iou_token, mask_tokens;
    mg_sam_affine up_conv[2], up_norm; // weights [in, out, 2, 2]
    mg_sam_affine hyper[MG_SAM_MAX_TOKENS][3];
    mg_sam_affine iou_head[MG_SAM_MAX_IOU];
} mg_sam;

// Add all tensors of prompt_encoder.* and mask_decoder.* in checkpoint order (model.md 8.1, 10.4) with
// their initial values (8.2, 10.6). `c` has passed mg_sam_check.
mg_sam mg_sam_add(mg_params *p, const mg_sam_config *c);

// --- a pass -------------------------------------------------------------------------------------------

typedef struct {
    int B;                 // prompts of this image
    bool has_points;       // a point list is given, perhaps an empty one
    int N;                 // points per prompt
    const float *points;   // [B, N, 2] x, y in pixels of the model input
    const int32_t *labels; // [B, N]: 1 foreground, 0 background, -1 not a point
    const float *boxes;    // [B, 4] x0, y0, x1, y1, or NULL
    const float *masks;    // [B, 4 gh, 4 gw] logits of an earlier pass, or NULL
    const float *extra;    // [B, n_extra, E] further sparse tokens (texts), or NULL
    int n_extra;
} mg_sam_prompt;

// Number of sparse tokens of each prompt: points, with the not-a-point token where there is no box,
// then boxes, then extra tokens.
int mg_sam_sparse(const mg_sam_prompt *prompt);

// Mask slots to compute: [first, first + count) of 0..T-1. The single mask is slot 0.
typedef struct {
    int first, count;
} mg_sam_slots;

typedef struct {
    int B, sparse; // sparse tokens of a prompt
    mg_sam_slots slots;
    bool masks; // a mask prompt is given
} mg_sam_shape;

mg_sam_shape mg_sam_shape_of(const mg_sam_prompt *prompt, mg_sam_slots slots);

// What a pass keeps, and its results. Filled by mg_sam_pass_layout and mg_sam_forward.
typedef struct {
    mg_sam_shape shape;
    // prompt encoder
    float *tok;     // [B, 1 + T + n, E]: iou token, mask tokens, sparse tokens
    float *src;     // image embedding + dense prompt [B, N, E]
    float *fold[2]; // input of the two strided convolutions of the mask prompt, as rows
    mg_sam_norm_acts mask_norm[2]; // behind them
    float *mask_out;               // after the second GELU [B N, mask_in]
    // mask decoder
    mg_two_way_acts layer[MG_SAM_MAX_DEPTH];
    float *pos_final;
    mg_sam_attention_acts final;
    mg_sam_norm_acts norm_final;       // out: hs [B, 1 + T + n, E]
    mg_sam_norm_acts up_norm;          // behind the first transposed convolution [B, 4N, E/4]
    float *up_mid;                     // after its GELU
    float *up_pre, *up;                // before and after the last GELU [B, 16 N, E/8]
    float *head_in;                    // hs of iou and wanted mask tokens [1 + slots, B, E]
    float *hyper_hidden[2];            // after ReLU [slots, B, E]
    float *hyper;                      // [slots, B, E/8]
    float *iou_hidden[MG_SAM_MAX_IOU]; // after ReLU [B, iou_hidden]
    // results
    float *masks; // logits [B, slots, 4 gh, 4 gw]
    float *iou;   // predicted IoU [B, slots]
} mg_sam_pass;

// The only list of a pass's activations: run with at->base NULL to measure the largest shape, then to
// place each pass.
void mg_sam_pass_layout(mg_layout *at, mg_sam_pass *pass, const mg_sam *s, mg_sam_shape shape);

// Floats of scratch for forward and backward of this shape.
size_t mg_sam_scratch(const mg_sam *s, mg_sam_shape shape);

// Position code of the image tokens [N, E]; computed once per model.
void mg_sam_dense_code(float *out, const mg_sam *s, const mg_params *p);

// Decode: pass->masks and pass->iou. `pass` was placed for this prompt's shape.
//   embedding [N, E]   code [N, E] from mg_sam_dense_code
void mg_sam_forward(mg_sam_pass *pass, const mg_sam *s, const mg_params *p, const float *embedding,
                    const float *code, const mg_sam_prompt *prompt, float *scratch);

// Gradients of the pass: dmasks [B, slots, 4 gh, 4 gw], diou [B, slots]. ADDS to `grads` (frozen
// tensors cost no work), to dembedding [N, E] and dextra [B, n_extra, E] (NULL: not wanted).
void mg_sam_backward(float *grads, float *dembedding, float *dextra, const float *dmasks,
                     const float *diou, const mg_sam_pass *pass, const mg_sam *s,
                     const mg_params *p, const float *code, const mg_sam_prompt *prompt,
                     float *scratch);

// --- the two halves, called by the functions above -------------------------------------------------------

// Fill tok and src (models/prompt_encoder.c).
void mg_prompt_encode(mg_sam_pass *pass, const mg_sam *s, const mg_params *p,
                      const float *embedding, const mg_sam_prompt *prompt);
// From dtok [B, 1 + T + n, E] and dsrc [B, N, E]. `scratch`: mg_prompt_encode_scratch floats.
void mg_prompt_encode_backward(float *grads, float *dembedding, float *dextra, const float *dtok,
                               const float *dsrc, const mg_sam_pass *pass, const mg_sam *s,
                               const mg_params *p, const mg_sam_prompt *prompt, float *scratch);
size_t mg_prompt_encode_scratch(const mg_sam *s, mg_sam_shape shape);

// From tok and src to masks and iou (models/mask_decoder.c); dtok, dsrc are overwritten.
void mg_mask_decode(mg_sam_pass *pass, const mg_sam *s, const mg_params *p, const float *code,
                    float *scratch);
void mg_mask_decode_backward(float *dtok, float *dsrc, float *grads, const float *dmasks,
                             const float *diou, const mg_sam_pass *pass, const mg_sam *s,
                             const mg_params *p, const float *code, float *scratch);
size_t mg_mask_decode_scratch(const mg_sam *s, mg_sam_shape shape);

// --- around the decoder (models/sam_output.c) -----------------------------------------------------------

// Which parameters a mode trains (model.md 10.5, 11, 12); texts always. For mg_params_train, with a
// pointer to the mode as context.
typedef enum {
    MG_TRAIN_MSA,     // adapters, mask decoder but for layer 0
    MG_TRAIN_RELEASE, // adapters, whole mask decoder
    MG_TRAIN_MEDSAM,  // image encoder, mask decoder
    MG_TRAIN_FULL,    // everything
} mg_train_mode;
bool mg_sam_trains(const char *name, void *mode);

// Slots to use for a prompt (model.md 6.7): the ambiguity masks 1..T-1 when the only prompt is one
// point; the single mask 0 otherwise and always in stacks.
mg_sam_slots mg_sam_wanted(const mg_sam *s, int points, bool box, bool text, bool stack);
// Index of the highest predicted IoU of `count` (tie: the lowest).
int mg_sam_best(const float *iou, int count);

// Where a picture lies in the model frame: resized to height2 x width2 (model.md section 3), padded.
typedef struct {
    int height, width;   // of the original
    int height2, width2; // h', w'
} mg_sam_frame;

// Logits [4 gh, 4 gw] to the original size [height, width] (section 7): bilinear to the model input,
// crop, bilinear. `scratch`: mg_sam_postprocess_scratch floats.
void mg_sam_postprocess(float *out, const float *logits, const mg_sam_config *c, mg_sam_frame f,
                        float *scratch);
size_t mg_sam_postprocess_scratch(const mg_sam_config *c, mg_sam_frame f);

// Source row (or column) of the original for cell i of the logit grid, -1 in the padding (13.3).
//   step: pixels of the model frame per cell (patch / 4); size, size2: of the original, h or w, h' or w'
int mg_sam_source(int i, double step, int size, int size2);
// Target [4 gh, 4 gw] of 0 and 1 from a mask [height, width] (non-zero is inside); valid 0 in the
// padding.
void mg_sam_target(float *target, uint8_t *valid, const uint8_t *mask, const mg_sam_config *c,
                   mg_sam_frame f);

#endif
