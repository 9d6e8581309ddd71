// Samples from NIfTI files: what the readers of volumes have in common. All arrays are on our grid
// (nifti.h), [depth, height, width].
#ifndef MG_DATASETS_VOLUME_H
#define MG_DATASETS_VOLUME_H

#include "datasets/dataset.h"
#include "runtime/config.h"

// The usual window of abdominal CT (datasets.md sections 5 and 6), HU.
enum { MG_CT_LOW = -175, MG_CT_HIGH = 250 };

// --- names and settings -----------------------------------------------------------------------------

bool mg_volume_is_name(const char *path); // .nii or .nii.gz, in any case
char *mg_volume_stem(const char *path);   // base without these; mg_free, NULL without memory
bool mg_volume_in(const char *path, const char *folder); // the file lies in a folder of this name

// "1.5,1.5,2" (x, y, z) as spacing z, y, x; zeros where the list is empty: no resampling.
mg_status mg_volume_spacing(const mg_list *list, const char *key, double spacing[3]);

// Two rising percentiles; 0.5 and 99.5 for an empty list.
mg_status mg_volume_percents(const mg_list *list, const char *key, double percent[2]);

// --- reading ----------------------------------------------------------------------------------------

// A CT as int16 HU, rounded; values outside go to the ends, with a remark.
mg_status mg_volume_ct(const char *root, const char *path, mg_sample *out);

// One to four contrasts of one grid as channels: int16 where every value of all of them is a whole number
// of that range, otherwise float32. Contrasts of another grid are MG_ERR_FORMAT.
mg_status mg_volume_mr(const char *root, const char *const *path, int count, mg_sample *out);

// A volume of which only the modality is known: colours as 8-bit channels, CT (with the usual window), all
// else as one contrast with the percentiles of its non-zero values. Sets range and input.
mg_status mg_volume_any(const char *root, const char *path, const char *modality, mg_sample *out);

// A label map of the sample's grid: values as stored, mg_free'd by the caller. Its axes are those of its own
// header, or with `as_image` those of the image. Another shape is MG_ERR_FORMAT; another matrix is
// a remark, and the image's stands.
mg_status mg_volume_label(const char *root, const char *path, bool as_image, mg_sample *sample,
                          uint16_t **out);

// Classes from values: class_of[v] for v < count; a value behind that, or with class -1, is MG_ERR_FORMAT
// that names `path`, value and place. Sets sample->label.
mg_status mg_volume_classes(mg_sample *sample, const char *path, const uint16_t *values,
                            const int *class_of, int count);

// The value of the empty space around a skull-stripped brain, channel by channel: that of all eight
// corners if they agree, otherwise 0. (It is not 0 where volumes were standardised before.)
void mg_volume_background(const mg_sample *sample, double background[MG_MAX_CONTRASTS]);

// Percentiles (of 100, with linear interpolation) over the values that are not background (NULL: not
// zero), channel by channel, into volume.range; a channel that has none gets 0, 0.
mg_status mg_volume_percentiles(mg_sample *sample, const double *background, double low,
                                double high);

// --- changing the grid ------------------------------------------------------------------------------

// Cells [lo, hi) of axis z, y, x.
typedef struct {
    int lo[3], hi[3];
} mg_box;

mg_box mg_box_whole(const mg_sample *sample);
// The box of all cells with a value above `limit`; of all cells with a channel that is not background
// (NULL: not zero). The whole grid if there are none.
mg_box mg_box_above(const mg_sample *sample, double limit);
mg_box mg_box_of_body(const mg_sample *sample, const double *background);

// Cut out a box, then resample to `spacing` (z, y, x; 0 keeps that axis): cell 0 keeps its place, sizes
// are floor((n - 1) old / new + 1/2) + 1, values outside of the image are those of its border. The image
// is interpolated linearly, the label taken from the nearest cell; the label before the change is kept in
// volume.full_label. Hash, matrix and spacing follow. Does nothing if nothing changes.
mg_status mg_regrid(mg_sample *sample, const mg_box *box, const double spacing[3]);

// Box and resampling in one: nothing is cut off, or what lies around the body, which in CT is above the lower
// end of the usual window, otherwise not background (as above).
typedef enum { MG_CROP_NONE, MG_CROP_CT, MG_CROP_BODY } mg_crop;
mg_status mg_regrid_body(mg_sample *sample, mg_crop crop, const double *background,
                         const double spacing[3]);

// Take away the connected parts (26 neighbours) of each class below `cells` cells; returns the number
// of parts taken. Before mg_regrid; sample->label only.
mg_status mg_drop_specks(mg_sample *sample, int64_t cells, int64_t *parts);

#endif
