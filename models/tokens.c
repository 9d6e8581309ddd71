// Gathering and scattering of token rows.
#include "models/tokens.h"

#include <stddef.h>
#include <string.h>

void mg_tokens_gather(float *x, const float *src, const int32_t *row, const float *filler,
                      const float *pos, const int32_t *place, int count, int D)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < count; i++) {
        const float *from = row[i] >= 0 ? src + (size_t)row[i] * D : filler;
        const float *at = pos + (size_t)place[i] * D;
        float *to = x + (size_t)i * D;

        for (int c = 0; c < D; c++) to[c] = from[c] + at[c];
    }
}

void mg_tokens_scatter(float *dsrc, float *dfiller, const float *dx, const int32_t *row, int count,
                       int D)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < (dsrc ? count : 0); i++) {
        if (row[i] < 0) continue;
        const float *from = dx + (size_t)i * D;
        float *to = dsrc + (size_t)row[i] * D;

        for (int c = 0; c < D; c++) to[c] += from[c];
    }
    for (int i = 0; i < (dfiller ? count : 0); i++) {
        if (row[i] >= 0) continue;
        const float *from = dx + (size_t)i * D;

        for (int c = 0; c < D; c++) dfiller[c] += from[c];
    }
}

void mg_tokens_mean(float *mean, const float *y, int B, int N, int skip, int D)
{
#pragma omp parallel for schedule(static)
    for (int b = 0; b < B; b++) {
        float *to = mean + (size_t)b * D;

        memset(to, 0, (size_t)D * sizeof *to);
        for (int i = skip; i < N; i++) {
            const float *from = y + ((size_t)b * N + i) * D;
            for (int c = 0; c < D; c++) to[c] += from[c];
        }
        for (int c = 0; c < D; c++) to[c] /= (float)(N - skip);
    }
}

void mg_tokens_mean_backward(float *dy, const float *dmean, int B, int N, int skip, int D)
{
#pragma omp parallel for collapse(2) schedule(static)
    for (int b = 0; b < B; b++)
        for (int i = 0; i < N; i++) {
            float *to = dy + ((size_t)b * N + i) * D;
            float share = i < skip ? 0 : 1.0f / (float)(N - skip);

            for (int c = 0; c < D; c++) to[c] = share * dmean[(size_t)b * D + c];
        }
}
