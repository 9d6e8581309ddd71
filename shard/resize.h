// Resizing of pictures and masks. Three of the four rules of the specifications live here (the
// fourth, for tables and logits, is nn/resize.c); they must not be mixed.
#ifndef MG_SHARD_RESIZE_H
#define MG_SHARD_RESIZE_H

#include <stdint.h>

#include "runtime/err.h"

// Triangle filter on uint8, bit-exact with the Pillow imaging library (model.md section 3, step 2).
//   out [h2, w2, channels], inp [h, w, channels]
mg_status mg_resize_triangle_u8(uint8_t *out, int h2, int w2, const uint8_t *inp, int h, int w,
                                int channels);

// Cubic crop (pretraining.md 6.3): the rectangle (top, left, ch, cw) of a picture to size x size,
// a = -0.5, support stretched when shrinking, taps inside the rectangle only, float, clipped to
// 0..255 at the end.   out [size, size, channels] float
mg_status mg_resize_crop(float *out, int size, const uint8_t *inp, int h, int w, int channels,
                         int top, int left, int ch, int cw);

// Nearest for label maps (model.md 4.6): i = min(floor((o + 0.5) n_in / n_out), n_in - 1).
void mg_resize_nearest_u8(uint8_t *out, int h2, int w2, const uint8_t *inp, int h, int w);
void mg_resize_nearest_u16(uint16_t *out, int h2, int w2, const uint16_t *inp, int h, int w);

// Size of an h x w picture in a model input frame (model.md section 3, step 1): h2 x w2 with the long
// side `side`.
void mg_frame_size(int h, int w, int side, int *h2, int *w2);

// Sections 3.2 to 3.4: resize to h2 x w2, normalise with SAM's mean and std, pad bottom and right with
// zeros.
//   out [3, side, side]; grey is repeated.
mg_status mg_frame_picture(float *out, int side, int h2, int w2, const uint8_t *inp, int h, int w,
                           int channels);

#endif
