// Voxels of NIfTI-1 files: found in the file (single or pair, packed or not), brought to native byte
// order, and handed out on our grid as numbers of the kind that is asked for; see nifti.h.
#include "datasets/nifti.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "datasets/nifti_private.h"
#include "runtime/fsys.h"
#include "runtime/gzip.h"
#include "runtime/mem.h"

static const uint64_t most_bytes = (uint64_t)1 << 34; // of one volume

// --- the files --------------------------------------------------------------------------------------

static mg_status open_stream(const char *root, const char *path, const char *name,
                             mg_gunzip **stream)
{
    char *full = mg_path_join(root, path);

    MG_CHECK(full, MG_ERR_MEMORY, "no memory for the path '%s'", path);
    FILE *file = mg_fault() ? (errno = EIO, NULL) : fopen(full, "rb");
    mg_free(full);
    MG_CHECK(file, MG_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    return mg_gunzip_open(file, name, stream);
}

// The .img of a .hdr; with or without .gz, whichever is there.
static mg_status open_partner(const char *root, const char *name, mg_gunzip **stream)
{
    static const char *const end[] = {".img", ".img.gz", ".IMG"};
    size_t stem = strlen(name);
    char *path = NULL;

    if (mg_path_has_ext(name, ".gz")) stem -= 3;
    while (stem > 0 && name[stem - 1] != '.' && name[stem - 1] != '/') stem--;
    for (size_t i = 0; i < sizeof end / sizeof *end && stem > 0; i++) {
        path = mg_sprintf("%.*s%s", (int)stem - 1, name, end[i]);
        char *full = path ? mg_path_join(root, path) : NULL;
        MG_CHECK(full, MG_ERR_MEMORY, "no memory for the path '%s'", name);
        bool there = mg_path_is_file(full);
        mg_free(full);
        if (there) break;
        mg_free(path);
        path = NULL;
    }
    MG_CHECK(path, MG_ERR_FORMAT, "'%s' is the header of a pair, and there is no .img beside it",
             name);
    mg_status st = open_stream(root, path, name, stream);
    mg_free(path);
    return st;
}

// The header; *stream is left behind it.
static mg_status open_head(const char *root, const char *name, mg_gunzip **stream,
                           mg_nifti_head *head, mg_nifti_layout *layout)
{
    unsigned char bytes[MG_NIFTI_HEAD];

    MG_TRY(open_stream(root, name, name, stream));
    MG_TRY(mg_gunzip_read(*stream, bytes, sizeof bytes));
    return mg_nifti_parse(bytes, name, head, layout);
}

mg_status mg_nifti_read_head(const char *root, const char *name, mg_nifti_head *out)
{
    mg_gunzip *stream = NULL;
    mg_nifti_layout layout;
    mg_status st = open_head(root, name, &stream, out, &layout);

    mg_gunzip_close(&stream);
    return st;
}

static void swap_bytes(void *data, size_t values, int size)
{
    unsigned char *v = data;

    for (size_t i = 0; i < values; i++, v += size)
        for (int k = 0; k < size / 2; k++) {
            unsigned char byte = v[k];
            v[k] = v[size - 1 - k];
            v[size - 1 - k] = byte;
        }
}

// Bytes of one frame, held against the file: products of three 15-bit sizes fit 64 bits.
static mg_status frame_size(const mg_nifti_head *head, const mg_nifti_layout *layout,
                            const mg_gunzip *stream, const char *name, uint64_t *frame)
{
    uint64_t voxels = (uint64_t)head->size[0] * (uint64_t)head->size[1] * (uint64_t)head->size[2];

    *frame = voxels * (uint64_t)mg_nifti_bytes(head->datatype);
    uint64_t all = *frame * (uint64_t)head->frames + layout->start;
    MG_CHECK(*frame <= most_bytes && all <= mg_gunzip_most(stream), MG_ERR_FORMAT,
             "'%s' is too short for %d x %d x %d x %d voxels of type %s", name, head->size[0],
             head->size[1], head->size[2], head->frames, mg_nifti_type_name(head->datatype));
    return MG_OK;
}

static mg_status read_voxels(mg_gunzip *stream, const mg_nifti_layout *layout, uint64_t skip,
                             int frame, const char *name, mg_nifti *out)
{
    const mg_nifti_head *head = &out->head;
    int size = mg_nifti_bytes(head->datatype);
    uint64_t bytes;

    MG_TRY(frame_size(head, layout, stream, name, &bytes));
    out->voxels = (size_t)bytes / (size_t)size;
    out->data = mg_alloc((size_t)bytes);
    MG_CHECK(out->data, MG_ERR_MEMORY, "no memory for %d x %d x %d voxels of '%s'", head->size[0],
             head->size[1], head->size[2], name);
    MG_TRY(mg_gunzip_read(stream, NULL, skip + (uint64_t)frame * bytes));
    MG_TRY(mg_gunzip_read(stream, out->data, bytes));
    MG_TRY(mg_gunzip_read(stream, NULL, (uint64_t)(head->frames - 1 - frame) * bytes));
    MG_TRY(mg_gunzip_finish(stream));
    if (layout->swapped && head->components == 1) swap_bytes(out->data, out->voxels, size);
    return MG_OK;
}

mg_status mg_nifti_read(const char *root, const char *name, int frame, mg_nifti *out)
{
    mg_gunzip *stream = NULL;
    mg_nifti_layout layout;

    *out = (mg_nifti){0};
    mg_status st = open_head(root, name, &stream, &out->head, &layout);
    if (st) goto done;
    if (frame < 0 ? out->head.frames > 1 : frame >= out->head.frames) {
        st = frame < 0 ? MG_FAIL(MG_ERR_FORMAT, "'%s' has %d frames, expected one volume", name,
                                 out->head.frames)
                       : MG_FAIL(MG_ERR_FORMAT, "'%s' has %d frames, number %d is asked for", name,
                                 out->head.frames, frame);
        goto done;
    }
    uint64_t passed = MG_NIFTI_HEAD; // of the stream with the voxels
    if (layout.pair) {
        mg_gunzip_close(&stream);
        st = open_partner(root, name, &stream);
        passed = 0;
    }
    if (!st)
        st = read_voxels(stream, &layout, layout.start - passed, frame < 0 ? 0 : frame, name, out);

done:
    mg_gunzip_close(&stream);
    if (st) mg_nifti_free(out);
    return st;
}

void mg_nifti_free(mg_nifti *image)
{
    mg_free(image->data);
    image->data = NULL;
}

// --- rows of our grid -------------------------------------------------------------------------------

// Where the row (z, y) of our grid begins in the file's array, and the step from voxel to voxel.
static ptrdiff_t find_row(const mg_nifti_head *h, int z, int y, ptrdiff_t *step)
{
    const ptrdiff_t file[3] = {1, h->size[0], (ptrdiff_t)h->size[0] * h->size[1]};
    const int at[3] = {0, y, z}, size[3] = {h->width, h->height, h->depth};
    ptrdiff_t first = 0;

    for (int a = 0; a < 3; a++)
        first += file[h->axis[a]] * (h->flip[a] ? size[a] - 1 - at[a] : at[a]);
    *step = h->flip[0] ? -file[h->axis[0]] : file[h->axis[0]];
    return first;
}

#define FETCH(type)                                                      \
    do {                                                                 \
        const type *v = (const type *)image->data + first;               \
        for (int x = 0; x < h->width; x++) row[x] = (double)v[x * step]; \
    } while (0)

// One row of values, scaled.
static void fetch_row(const mg_nifti *image, int z, int y, double *row)
{
    const mg_nifti_head *h = &image->head;
    ptrdiff_t step, first = find_row(h, z, y, &step);

    switch (h->datatype) {
    case MG_NIFTI_U8:
        FETCH(uint8_t);
        break;
    case MG_NIFTI_I8:
        FETCH(int8_t);
        break;
    case MG_NIFTI_I16:
        FETCH(int16_t);
        break;
    case MG_NIFTI_U16:
        FETCH(uint16_t);
        break;
    case MG_NIFTI_I32:
        FETCH(int32_t);
        break;
    case MG_NIFTI_U32:
        FETCH(uint32_t);
        break;
    case MG_NIFTI_I64:
        FETCH(int64_t);
        break;
    case MG_NIFTI_U64:
        FETCH(uint64_t);
        break;
    case MG_NIFTI_F32:
        FETCH(float);
        break;
    case MG_NIFTI_F64:
        FETCH(double);
        break;
    default:
        memset(row, 0, (size_t)h->width * sizeof *row); // colours
    }
    if (!h->scaled) return;
    for (int x = 0; x < h->width; x++) row[x] = h->slope * row[x] + h->inter;
}

// Rows are at most 32767 values long.
typedef double row_buffer[32768];

void mg_nifti_real(const mg_nifti *image, float *out, int64_t *not_finite)
{
    const mg_nifti_head *h = &image->head;
    row_buffer row;

    *not_finite = 0;
    for (int z = 0; z < h->depth; z++)
        for (int y = 0; y < h->height; y++) {
            fetch_row(image, z, y, row);
            for (int x = 0; x < h->width; x++) {
                float v = (float)row[x];
                bool bad = !isfinite(v);
                *not_finite += bad;
                *out++ = bad ? 0 : v;
            }
        }
}

bool mg_nifti_is_short(const mg_nifti *image)
{
    const mg_nifti_head *h = &image->head;
    bool small =
        h->datatype == MG_NIFTI_U8 || h->datatype == MG_NIFTI_I8 || h->datatype == MG_NIFTI_I16;
    row_buffer row;

    if (small && !h->scaled) return true;
    for (int z = 0; z < h->depth; z++)
        for (int y = 0; y < h->height; y++) {
            fetch_row(image, z, y, row);
            for (int x = 0; x < h->width; x++)
                if (!(row[x] >= INT16_MIN && row[x] <= INT16_MAX && row[x] == rint(row[x])))
                    return false;
        }
    return true;
}

void mg_nifti_short(const mg_nifti *image, int16_t *out, int64_t *clipped)
{
    const mg_nifti_head *h = &image->head;
    row_buffer row;

    *clipped = 0;
    for (int z = 0; z < h->depth; z++)
        for (int y = 0; y < h->height; y++) {
            fetch_row(image, z, y, row);
            for (int x = 0; x < h->width; x++) {
                double v = floor(row[x] + .5);
                bool low = !(v >= INT16_MIN), high = v > INT16_MAX; // NaN is low
                *clipped += low || high;
                *out++ = low ? INT16_MIN : high ? INT16_MAX : (int16_t)v;
            }
        }
}

static mg_status fail_value(const mg_nifti *image, const char *name, double value, int z, int y,
                            int x)
{
    const mg_nifti_head *h = &image->head;
    const int at[3] = {x, y, z};
    int place[3];

    for (int a = 0; a < 3; a++)
        place[h->axis[a]] = h->flip[a] ? h->size[h->axis[a]] - 1 - at[a] : at[a];
    return MG_FAIL(MG_ERR_FORMAT,
                   "label '%s' has the value %g at voxel (%d, %d, %d), expected a whole number",
                   name, value, place[0], place[1], place[2]);
}

mg_status mg_nifti_whole(const mg_nifti *image, const char *name, uint16_t *out)
{
    const mg_nifti_head *h = &image->head;
    row_buffer row;

    MG_CHECK(h->components == 1, MG_ERR_FORMAT, "label '%s' holds colours", name);
    for (int z = 0; z < h->depth; z++)
        for (int y = 0; y < h->height; y++) {
            fetch_row(image, z, y, row);
            for (int x = 0; x < h->width; x++) {
                double whole = rint(row[x]);
                if (!(fabs(row[x] - whole) < 1e-3 && whole >= 0 && whole <= UINT16_MAX))
                    return fail_value(image, name, row[x], z, y, x);
                *out++ = (uint16_t)whole;
            }
        }
    return MG_OK;
}

void mg_nifti_colour(const mg_nifti *image, uint8_t *out)
{
    const mg_nifti_head *h = &image->head;

    for (int z = 0; z < h->depth; z++)
        for (int y = 0; y < h->height; y++) {
            ptrdiff_t step, first = find_row(h, z, y, &step);
            const uint8_t *v = (const uint8_t *)image->data + first * h->components;
            for (int x = 0; x < h->width; x++, v += step * h->components)
                for (int c = 0; c < 3; c++) *out++ = v[c];
        }
}
