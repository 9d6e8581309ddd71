// NIfTI-1 files out: voxels of our grid back on the axes of the image they belong to, under a header
// with that image's geometry, bit for bit. Little-endian, one frame, no scaling.
#include <string.h>

#include "datasets/nifti.h"
#include "datasets/nifti_private.h"
#include "runtime/fsys.h"
#include "runtime/gzip.h"
#include "runtime/mem.h"

enum { LEVEL = 6 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "numbers are written as they lie in memory");

static int code_of(mg_dtype type)
{
    switch (type) {
    case MG_U8:
        return MG_NIFTI_U8;
    case MG_I16:
        return MG_NIFTI_I16;
    case MG_U16:
        return MG_NIFTI_U16;
    case MG_I32:
        return MG_NIFTI_I32;
    case MG_F32:
        return MG_NIFTI_F32;
    case MG_F64:
        return MG_NIFTI_F64;
    default:
        return 0;
    }
}

static void put_int16(unsigned char *head, int at, int value)
{
    int16_t v = (int16_t)value;
    memcpy(head + at, &v, 2);
}

static void fill_head(unsigned char *head, const mg_nifti_head *like, mg_dtype type)
{
    const mg_nifti_geometry *g = &like->geometry;
    const int32_t size = MG_NIFTI_HEAD;
    const float start = MG_NIFTI_DATA, one = 1;

    memset(head, 0, MG_NIFTI_DATA);
    memcpy(head, &size, 4);
    head[38] = 'r'; // "regular", as old readers want it
    put_int16(head, AT_DIM, 3);
    for (int i = 0; i < 7; i++) put_int16(head, AT_DIM + 2 * (i + 1), i < 3 ? like->size[i] : 1);
    put_int16(head, AT_DATATYPE, code_of(type));
    put_int16(head, AT_BITPIX, 8 * (int)mg_dtype_size(type));
    memcpy(head + AT_PIXDIM, g->pixdim, sizeof g->pixdim);
    memcpy(head + AT_VOX_OFFSET, &start, 4);
    memcpy(head + AT_SLOPE, &one, 4);
    head[AT_UNITS] = g->units & 7; // of space; there is no time axis
    put_int16(head, AT_QFORM, g->qform_code);
    put_int16(head, AT_SFORM, g->sform_code);
    memcpy(head + AT_QUATERN, g->quatern, sizeof g->quatern);
    memcpy(head + AT_OFFSET, g->offset, sizeof g->offset);
    memcpy(head + AT_SROW, g->srow, sizeof g->srow);
    memcpy(head + AT_MAGIC, "n+1", 4);
}

// [depth, height, width] of our grid to the file's axes.
static void turn_back(char *file, const mg_nifti_head *h, size_t bytes, const char *ours)
{
    const ptrdiff_t step[3] = {1, h->size[0], (ptrdiff_t)h->size[0] * h->size[1]};
    const int size[3] = {h->width, h->height, h->depth};

    for (int z = 0; z < h->depth; z++)
        for (int y = 0; y < h->height; y++)
            for (int x = 0; x < h->width; x++, ours += bytes) {
                const int at[3] = {x, y, z};
                ptrdiff_t place = 0;
                for (int a = 0; a < 3; a++)
                    place += step[h->axis[a]] * (h->flip[a] ? size[a] - 1 - at[a] : at[a]);
                memcpy(file + place * (ptrdiff_t)bytes, ours, bytes);
            }
}

mg_status mg_nifti_encode(const mg_nifti_head *like, mg_dtype type, const void *data, bool pack,
                          void **out, size_t *bytes)
{
    size_t size = mg_dtype_size(type);
    size_t voxels = (size_t)like->depth * (size_t)like->height * (size_t)like->width;

    *out = NULL;
    *bytes = MG_NIFTI_DATA + voxels * size;
    MG_CHECK(code_of(type), MG_ERR_USAGE, "voxels of type %s cannot be written",
             mg_dtype_name(type));
    unsigned char *file = mg_alloc(*bytes);
    MG_CHECK(file, MG_ERR_MEMORY, "no memory for a volume of %zu bytes", *bytes);
    fill_head(file, like, type);
    turn_back((char *)file + MG_NIFTI_DATA, like, size, data);
    if (!pack) {
        *out = file;
        return MG_OK;
    }
    mg_status st = mg_gzip(file, *bytes, LEVEL, out, bytes);
    mg_free(file);
    return st;
}

mg_status mg_nifti_write(const char *path, const mg_nifti_head *like, mg_dtype type,
                         const void *data)
{
    void *file;
    size_t bytes;

    MG_TRY(mg_nifti_encode(like, type, data, mg_path_has_ext(path, ".gz"), &file, &bytes));
    mg_status st = mg_write_file(path, file, bytes);
    mg_free(file);
    return st;
}
