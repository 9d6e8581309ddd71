// NIfTI-1 files in and out (datasets.md, "NIfTI-1 reader rules"): .nii, .nii.gz, .hdr + .img.
//
// A file's voxels lie along its own axes. Our grid has x to the right, y to the front, z up (RAS+):
// the closest permutation and flips of the file's axes, never an interpolation. Arrays are
// [depth, height, width] of our grid. Whatever is written for an image in our grid goes back to
// the file's axes with the image's geometry, bit for bit.
#ifndef MG_DATASETS_NIFTI_H
#define MG_DATASETS_NIFTI_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/err.h"
#include "runtime/h5.h"

// What a header says about space, as stored.
typedef struct {
    float pixdim[4]; // pixdim[0] is the sign of the third axis in the quaternion form
    uint8_t units;   // xyzt_units
    int16_t qform_code, sform_code;
    float quatern[3], offset[3];
    float srow[12];
} mg_nifti_geometry;

typedef struct {
    mg_nifti_geometry geometry;
    int datatype;   // code of the standard: 2 uint8, 4 int16, 8 int32, 16 float32, ...
    int components; // values of a voxel: 1, or 3 or 4 for colours
    int frames;     // fourth axis
    bool scaled;    // value = slope * stored + inter
    double slope, inter;
    int size[3];            // voxels along the file's axes, at least 1
    double file_affine[12]; // file index to RAS mm, rows
    char orientation[4];    // where the file's axes point: "LPS"
    int axis[3]; // our axis a (x, y, z) runs along file axis axis[a], backwards if flip[a]
    bool flip[3];
    int depth, height, width; // our grid
    double affine[12];        // index (x, y, z) of our grid to RAS mm
    double spacing[3];        // mm; z, y, x of our grid
    char remark[160];         // what is odd about the header, "" if nothing
} mg_nifti_head;

// One frame in memory, as stored but in native byte order.
typedef struct {
    mg_nifti_head head;
    void *data; // along the file's axes
    size_t voxels;
} mg_nifti;

// The header of root/name alone. MG_ERR_FORMAT names the file (as `name`) and what is wrong with it.
mg_status mg_nifti_read_head(const char *root, const char *name, mg_nifti_head *out);

// Header and frame `frame`; -1: the file must have one frame only. Nothing is allocated before the
// sizes fit the file. Released with mg_nifti_free.
mg_status mg_nifti_read(const char *root, const char *name, int frame, mg_nifti *out);
void mg_nifti_free(mg_nifti *image);

// Values on our grid, scaled; one component.
// What is not finite becomes 0 and is counted.
void mg_nifti_real(const mg_nifti *image, float *out, int64_t *not_finite);
// True if every value is whole and fits int16.
bool mg_nifti_is_short(const mg_nifti *image);
// Rounded; values outside of int16 go to its end, and are counted.
void mg_nifti_short(const mg_nifti *image, int16_t *out, int64_t *clipped);
// Labels: every value must be within 1e-3 of a whole number, 0..65535; otherwise MG_ERR_FORMAT names
// value and place (along the file's axes).
mg_status mg_nifti_whole(const mg_nifti *image, const char *name, uint16_t *out);
// Colours: [depth, height, width, 3]; a fourth component is dropped.
void mg_nifti_colour(const mg_nifti *image, uint8_t *out);

// Names of colours and numbers: "float32", "RGB24"; "unknown".
const char *mg_nifti_type_name(int datatype);

// Axes of the closest RAS grid for an affine and sizes along the file's axes: fills file_affine,
// orientation, axis, flip, depth, height, width, affine, spacing.
void mg_nifti_orient(mg_nifti_head *head, const double affine[12]);

// A header for an array without a file: sizes along the file's axes, and the matrix in the sform.
void mg_nifti_make_head(const int size[3], const double affine[12], mg_nifti_head *out);

// Write one frame on our grid, [depth, height, width] of MG_U8, MG_I16, MG_U16, MG_I32, MG_F32 or
// MG_F64, with the geometry of `like`; packed if the name ends in ".gz". Written aside and renamed.
mg_status mg_nifti_write(const char *path, const mg_nifti_head *like, mg_dtype type,
                         const void *data);
// The same file in memory, mg_free'd by the caller.
mg_status mg_nifti_encode(const mg_nifti_head *like, mg_dtype type, const void *data, bool pack,
                          void **out, size_t *bytes);

#endif
