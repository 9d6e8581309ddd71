// Between the files of the NIfTI module: nifti_head.c (header, orientation), nifti.c (voxels in),
// nifti_write.c (files out).
#ifndef MG_DATASETS_NIFTI_PRIVATE_H
#define MG_DATASETS_NIFTI_PRIVATE_H

#include "datasets/nifti.h"

enum {
    MG_NIFTI_U8 = 2,
    MG_NIFTI_I16 = 4,
    MG_NIFTI_I32 = 8,
    MG_NIFTI_F32 = 16,
    MG_NIFTI_F64 = 64,
    MG_NIFTI_RGB = 128,
    MG_NIFTI_I8 = 256,
    MG_NIFTI_U16 = 512,
    MG_NIFTI_U32 = 768,
    MG_NIFTI_I64 = 1024,
    MG_NIFTI_U64 = 1280,
    MG_NIFTI_RGBA = 2304
};

// Places of the fields in the 348 bytes (nifti1.h).
enum {
    MG_NIFTI_HEAD = 348,
    MG_NIFTI_DATA = 352, // first place of data in a single file
    AT_DIM = 40,
    AT_DATATYPE = 70,
    AT_BITPIX = 72,
    AT_PIXDIM = 76,
    AT_VOX_OFFSET = 108,
    AT_SLOPE = 112,
    AT_INTER = 116,
    AT_UNITS = 123,
    AT_QFORM = 252,
    AT_SFORM = 254,
    AT_QUATERN = 256,
    AT_OFFSET = 268,
    AT_SROW = 280,
    AT_MAGIC = 344
};

int mg_nifti_bytes(int datatype); // of one voxel; 0 if it is not read

// Where the voxels lie, and how.
typedef struct {
    bool swapped, pair;
    uint64_t start; // byte of the first voxel
} mg_nifti_layout;

// Take the 348 bytes apart. MG_ERR_FORMAT.
mg_status mg_nifti_parse(const unsigned char *bytes, const char *name, mg_nifti_head *head,
                         mg_nifti_layout *layout);

#endif
