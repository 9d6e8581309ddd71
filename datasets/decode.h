// Image files in and out: PNG (libpng; libdeflate for plain ones), JPEG (libjpeg-turbo), TIFF (libtiff), BMP,
// each in its own file; volumes (NIfTI-1).
#ifndef MG_DATASETS_DECODE_H
#define MG_DATASETS_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/nifti.h"
#include "runtime/err.h"

// Most bytes of one picture, in its file or decoded (before scaling).
enum { MG_MAX_PICTURE_BYTES = 1 << 30 };

// A picture as decoded: [height, width, channels], one byte or two bytes (native order) a value.
typedef struct {
    int height, width, channels; // 1 grey, 3 RGB (alpha dropped)
    int bytes;                   // 1, or 2 for 16 bits
    bool palette;                // decoded from a palette
    bool lossy;                  // JPEG, also inside of TIFF
    const char *decoder;         // "libpng", "libdeflate", "libjpeg-turbo", ...
    void *pixels;                // mg_free
    int full_height, full_width; // before scaled decoding
    int scale;                   // 1, 2, 4, 8
    int exif_orientation;        // 1 if absent; never applied
} mg_picture;

void mg_picture_free(mg_picture *p);

// Decode by content (not by extension). Limits: 65535 x 65535, 1 GiB decoded. MG_ERR_FORMAT names
// the file and the reason: truncated data is an error, not a grey half. `min_long_side` > 0 allows
// JPEG DCT scaling that keeps the long side at least that.
// Grey stays one channel, palettes become RGB (BMP's grey ones grey), 16-bit stays 16-bit. The orientation
// of a TIFF is applied; of several pictures in one the first is taken.
mg_status mg_decode_file(const char *path, int min_long_side, mg_picture *out);
mg_status mg_decode_memory(const void *data, size_t bytes, const char *name, int min_long_side,
                           mg_picture *out);

// Masks: raw samples, no palette lookup (the index; but BMP's palettes are looked up), no scaling of low
// bit depths, no gamma; one channel (of RGB masks the first, which must equal the others). JPEG masks are
// accepted and flagged by *lossy (may be NULL).
mg_status mg_decode_mask(const char *path, mg_picture *out, bool *lossy);
mg_status mg_decode_mask_memory(const void *data, size_t bytes, const char *name, mg_picture *out,
                                bool *lossy);

// Convert to 8 bit in place: 16-bit values v become floor(v / 257 + 0.5).
void mg_picture_to_8bit(mg_picture *p);

// Write. `pixels` [height, width, channels], channels 1 or 3, 8 bit. Written aside and renamed.
mg_status mg_write_png(const char *path, const uint8_t *pixels, int height, int width,
                       int channels);
// Palette PNG: pixels are indices, palette [colours][3].
mg_status mg_write_png_palette(const char *path, const uint8_t *pixels, int height, int width,
                               const uint8_t (*palette)[3], int colours);
mg_status mg_write_png16(const char *path, const uint16_t *pixels, int height, int width);
mg_status mg_write_jpeg(const char *path, const uint8_t *pixels, int height, int width,
                        int channels, int quality);
// A PNG in memory, for pages that carry their pictures: *data is mg_free'd by the caller.
mg_status mg_encode_png(const uint8_t *pixels, int height, int width, int channels, void **data,
                        size_t *bytes);

// --- volumes (decode_volume.c) ----------------------------------------------------------------------

enum { MG_VOLUME_FILES = 4 };

// A volume on our grid: x to the right, y to the front, z up (nifti.h). Whatever is computed on the
// file's cells goes back to the axes and the geometry of the file by mg_nifti_write with `head`.
typedef struct {
    mg_nifti_head head; // of the (first) file: sizes, affine, spacing, orientation
    mg_dtype type;      // MG_U16 for labels, otherwise MG_I16 or MG_F32
    int depth, height, width, channels;
    void *pixels; // [depth, height, width, channels]
    // Of images that were brought to another grid and kind of value; see mg_decode_volume.
    double grid[3]
               [2]; // cell i of axis a (z, y, x) lies at cell grid[a][0] + grid[a][1] i of the file
    double spacing[3];                // mm
    double range[MG_VOLUME_FILES][2]; // values of each channel that become 0 and 255
    bool ct;
    char remark[160]; // what is odd about it, "" if nothing
} mg_volume_file;

void mg_volume_file_free(mg_volume_file *v);

// Named .nii, .nii.gz or .hdr, in any case.
bool mg_is_volume(const char *path);

// A mask or label map, of whatever type: whole numbers from 0 to 65535, otherwise MG_ERR_FORMAT names
// value and voxel. One volume: a series is refused.
mg_status mg_decode_labels(const char *path, mg_volume_file *out);

// How a volume is prepared, as data sets prepare theirs for training.
typedef enum { MG_MODALITY_GUESS, MG_MODALITY_CT, MG_MODALITY_OTHER } mg_modality;
typedef struct {
    mg_modality modality; // guess: CT if a value lies below -200 (air)
    double percent[2];    // of the values of anything but CT: what becomes 0 and 255
    bool crop;            // to the box of the body
    double spacing[3];    // mm along z, y, x to resample to; 0 keeps an axis
} mg_volume_recipe;

// One to MG_VOLUME_FILES files of one grid, which become the channels. CT is int16 HU with the usual
// window as its range. Series of volumes and colours are refused. MG_ERR_FORMAT names the file.
mg_status mg_decode_volume(const char *const *paths, int count, const mg_volume_recipe *recipe,
                           mg_volume_file *out);

#endif
