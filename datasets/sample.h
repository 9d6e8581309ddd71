// Samples from picture files: what the readers of 2-D data sets have in common, and remarks on any sample.
#ifndef MG_DATASETS_SAMPLE_H
#define MG_DATASETS_SAMPLE_H

#include "datasets/dataset.h"
#include "datasets/decode.h"

// The bytes of root/path, mg_free'd by the caller. Messages, which end up in shards, name the path
// below the root only, here and below.
mg_status mg_sample_load(const char *root, const char *path, char **data, size_t *bytes);

// Decode root/path into an 8-bit sample of 1 or 3 channels. `min_long_side` as in decode.h.
mg_status mg_sample_picture(const char *root, const char *path, int min_long_side, mg_sample *out);

// Something odd that does not stand in the way; the first ones fit into the sample's remark.
void mg_sample_remark(mg_sample *sample, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

// One channel: kept where all three are equal, otherwise 0.299 R + 0.587 G + 0.114 B, which
// the decoder's text then says.
void mg_sample_to_grey(mg_sample *sample);

// Cut out a rectangle of a picture in place, of its label too; what lies outside of the picture becomes 0.
// The hash of the whole picture is kept. Where there is a label, the rectangle is the original grid from now on.
mg_status mg_sample_crop(mg_sample *sample, int top, int left, int height, int width);

// Add the mask root/path of one class: value >= threshold on an 8-bit scale. A mask of another size
// is MG_ERR_FORMAT with both sizes; so is one whose values are not 0 but never reach the threshold.
mg_status mg_sample_binary_mask(const char *root, const char *path, int threshold,
                                mg_sample *sample);

// MG_ERR_FORMAT unless the mask has the picture's size.
mg_status mg_sample_check_size(const char *path, int height, int width, const mg_sample *sample);

#endif
