// Choosing, moving and replacing tokens between embedding and encoder, or encoder and decoder.
#ifndef MG_MODELS_TOKENS_H
#define MG_MODELS_TOKENS_H

#include <stdint.h>

// x[i] = (row[i] >= 0 ? src[row[i]] : filler) + pos[place[i]] for i < count; all rows have D values.
// `filler` is a learnt token (class, mask), NULL if no row is negative.
void mg_tokens_gather(float *x, const float *src, const int32_t *row, const float *filler,
                      const float *pos, const int32_t *place, int count, int D);

// The gradients: dsrc[row[i]] += dx[i], dfiller += dx[i] where row[i] < 0, i in order. Either may be
// NULL. A row of dsrc may be named once only.
void mg_tokens_scatter(float *dsrc, float *dfiller, const float *dx, const int32_t *row, int count,
                       int D);

// mean[b] = mean of rows skip .. N - 1 of y [B, N, D]; its gradient overwrites dy (0 in other rows).
void mg_tokens_mean(float *mean, const float *y, int B, int N, int skip, int D);
void mg_tokens_mean_backward(float *dy, const float *dmean, int B, int N, int skip, int D);

#endif
