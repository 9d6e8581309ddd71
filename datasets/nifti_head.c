// The NIfTI-1 header: byte order, sizes, types, scaling, and the three ways it gives orientation
// (datasets.md, "NIfTI-1 reader rules", 2 to 8). Voxels are nifti.c's business.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "datasets/nifti_private.h"

enum { UNIT_METRE = 1, UNIT_MICRON = 3, NIFTI_2 = 540, MAX_COUNT = 32767 };

// --- types ------------------------------------------------------------------------------------------

static const struct {
    int datatype, bytes;
    const char *name;
} types[] = {
    {MG_NIFTI_U8, 1, "uint8"},
    {MG_NIFTI_I16, 2, "int16"},
    {MG_NIFTI_I32, 4, "int32"},
    {MG_NIFTI_F32, 4, "float32"},
    {MG_NIFTI_F64, 8, "float64"},
    {MG_NIFTI_RGB, 3, "RGB24"},
    {MG_NIFTI_I8, 1, "int8"},
    {MG_NIFTI_U16, 2, "uint16"},
    {MG_NIFTI_U32, 4, "uint32"},
    {MG_NIFTI_I64, 8, "int64"},
    {MG_NIFTI_U64, 8, "uint64"},
    {MG_NIFTI_RGBA, 4, "RGBA32"},
    {1, 0, "bit"},
    {32, 0, "complex64"},
    {1536, 0, "float128"},
    {1792, 0, "complex128"},
    {2048, 0, "complex256"},
};

int mg_nifti_bytes(int datatype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].datatype == datatype) return types[i].bytes;
    return 0;
}

const char *mg_nifti_type_name(int datatype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].datatype == datatype) return types[i].name;
    return "unknown";
}

// --- fields -----------------------------------------------------------------------------------------

typedef struct {
    const unsigned char *bytes;
    bool swapped;
} fields;

static void get(const fields *f, int at, void *value, int bytes)
{
    unsigned char *to = value;
    for (int i = 0; i < bytes; i++) to[i] = f->bytes[at + (f->swapped ? bytes - 1 - i : i)];
}

static int get_int16(const fields *f, int at)
{
    int16_t value;
    get(f, at, &value, 2);
    return value;
}

static int32_t get_int32(const fields *f, int at)
{
    int32_t value;
    get(f, at, &value, 4);
    return value;
}

static float get_float(const fields *f, int at)
{
    float value;
    get(f, at, &value, 4);
    return value;
}

static void add_remark(mg_nifti_head *head, const char *text)
{
    size_t used = strlen(head->remark);
    snprintf(head->remark + used, sizeof head->remark - used, "%s%s", used ? "; " : "", text);
}

static double usable_step(float pixdim)
{
    double step = fabs((double)pixdim);
    return step > 0 && isfinite(step) ? step : 1;
}

// --- kind, sizes, type ------------------------------------------------------------------------------

static mg_status check_kind(fields *f, const char *name, bool *pair)
{
    const char *magic = (const char *)f->bytes + AT_MAGIC;
    int32_t size = get_int32(f, 0);

    f->swapped = true;
    int32_t turned = get_int32(f, 0);
    MG_CHECK(size != NIFTI_2 && turned != NIFTI_2, MG_ERR_FORMAT,
             "'%s' is NIfTI-2, expected NIfTI-1: convert it (nifti_tool, nibabel)", name);
    int dims = get_int16(f, AT_DIM);
    f->swapped = turned == MG_NIFTI_HEAD;
    if (!f->swapped) dims = get_int16(f, AT_DIM);
    MG_CHECK(f->swapped || size == MG_NIFTI_HEAD, MG_ERR_FORMAT,
             "'%s' is not NIfTI-1: its header begins with %d, expected 348", name, size);
    *pair = !memcmp(magic, "ni1", 4);
    MG_CHECK(*pair || !memcmp(magic, "n+1", 4), MG_ERR_FORMAT,
             "'%s' has no NIfTI-1 mark at byte 344 (ANALYZE 7.5 tells no orientation: convert it)",
             name);
    MG_CHECK(dims >= 1 && dims <= 7, MG_ERR_FORMAT, "'%s' has %d dimensions, expected 1 to 7", name,
             dims);
    return MG_OK;
}

static mg_status take_sizes(const fields *f, const char *name, mg_nifti_head *head)
{
    int dims = get_int16(f, AT_DIM);

    for (int i = 0; i < 7; i++) {
        int stored = get_int16(f, AT_DIM + 2 * (i + 1));
        int size = i < dims && stored > 0 ? stored : 1;
        if (i < 3) {
            head->size[i] = size;
        } else if (i == 3) {
            head->frames = size;
        } else {
            MG_CHECK(size == 1, MG_ERR_FORMAT,
                     "'%s' has %d values along dimension %d, expected a volume or a series of them",
                     name, size, i + 1);
        }
    }
    return MG_OK;
}

static mg_status take_type(const fields *f, const char *name, mg_nifti_head *head)
{
    char text[80];
    int bits = get_int16(f, AT_BITPIX);

    head->datatype = get_int16(f, AT_DATATYPE);
    int bytes = mg_nifti_bytes(head->datatype);
    MG_CHECK(bytes > 0, MG_ERR_FORMAT, "'%s' has voxels of type %d (%s), which is not read", name,
             head->datatype, mg_nifti_type_name(head->datatype));
    if (bits != 8 * bytes) {
        snprintf(text, sizeof text, "bitpix is %d, %s has %d bits", bits,
                 mg_nifti_type_name(head->datatype), 8 * bytes);
        add_remark(head, text);
    }
    head->components = head->datatype == MG_NIFTI_RGB ? 3 : head->datatype == MG_NIFTI_RGBA ? 4 : 1;
    float slope = get_float(f, AT_SLOPE), inter = get_float(f, AT_INTER);
    head->slope = 1;
    if (head->components > 1 || slope == 0 || !isfinite(slope)) return MG_OK;
    if (!isfinite(inter)) {
        add_remark(head, "scl_inter is not finite, taken as 0");
        inter = 0;
    }
    head->slope = slope;
    head->inter = inter;
    head->scaled = slope != 1 || inter != 0;
    return MG_OK;
}

// --- orientation ------------------------------------------------------------------------------------

static bool is_usable(const double m[12])
{
    double length[3], det = m[0] * (m[5] * m[10] - m[6] * m[9]) -
                            m[1] * (m[4] * m[10] - m[6] * m[8]) +
                            m[2] * (m[4] * m[9] - m[5] * m[8]);

    for (int i = 0; i < 12; i++)
        if (!isfinite(m[i])) return false;
    for (int c = 0; c < 3; c++)
        length[c] = sqrt(m[c] * m[c] + m[4 + c] * m[4 + c] + m[8 + c] * m[8 + c]);
    return fabs(det) > 1e-6 * length[0] * length[1] * length[2];
}

// nifti1.h, "METHOD 2": rotation from the quaternion, columns scaled by pixdim.
static void quaternion_matrix(const mg_nifti_geometry *g, double m[12])
{
    double b = g->quatern[0], c = g->quatern[1], d = g->quatern[2];
    double a = sqrt(fmax(0, 1 - b * b - c * c - d * d));
    double norm = sqrt(b * b + c * c + d * d);
    double third = g->pixdim[0] < 0 ? -1 : 1;

    if (a == 0 && norm > 0) b /= norm, c /= norm, d /= norm; // half a turn, rounded
    const double r[9] = {a * a + b * b - c * c - d * d, 2 * (b * c - a * d),
                         2 * (b * d + a * c),           2 * (b * c + a * d),
                         a * a + c * c - b * b - d * d, 2 * (c * d - a * b),
                         2 * (b * d - a * c),           2 * (c * d + a * b),
                         a * a + d * d - c * c - b * b};
    for (int row = 0; row < 3; row++) {
        for (int col = 0; col < 3; col++)
            m[4 * row + col] =
                r[3 * row + col] * usable_step(g->pixdim[col + 1]) * (col == 2 ? third : 1);
        m[4 * row + 3] = g->offset[row];
    }
}

// Largest difference of a voxel step between two matrices, mm.
static double step_difference(const double a[12], const double b[12])
{
    double worst = 0;
    for (int c = 0; c < 3; c++) {
        double d = 0;
        for (int r = 0; r < 3; r++) d += pow(a[4 * r + c] - b[4 * r + c], 2);
        worst = fmax(worst, sqrt(d));
    }
    return worst;
}

static void choose_matrix(mg_nifti_head *head, double m[12])
{
    const mg_nifti_geometry *g = &head->geometry;
    double q[12];
    bool has_q, has_s;

    for (int i = 0; i < 12; i++) m[i] = g->srow[i];
    quaternion_matrix(g, q);
    has_s = g->sform_code > 0 && is_usable(m);
    has_q = g->qform_code > 0 && is_usable(q);
    if (g->sform_code > 0 && !has_s) add_remark(head, "sform is singular");
    if (g->qform_code > 0 && !has_q) add_remark(head, "qform is singular");
    if (has_s && has_q && step_difference(m, q) > 1e-2)
        add_remark(head, "sform and qform differ, sform taken");
    if (has_s) return;
    if (has_q) {
        memcpy(m, q, sizeof q);
        return;
    }
    add_remark(head, "no orientation, file axes taken as RAS");
    memset(m, 0, 12 * sizeof *m);
    for (int i = 0; i < 3; i++) m[5 * i] = usable_step(g->pixdim[i + 1]);
}

// Millimetres from metres or micrometres.
static double unit_mm(uint8_t units)
{
    int space = units & 7;
    return space == UNIT_METRE ? 1e3 : space == UNIT_MICRON ? 1e-3 : 1;
}

void mg_nifti_orient(mg_nifti_head *head, const double m[12])
{
    double length[3];
    bool taken[3] = {false};

    memmove(head->file_affine, m, 12 * sizeof *m);
    m = head->file_affine;
    for (int c = 0; c < 3; c++)
        length[c] = sqrt(m[c] * m[c] + m[4 + c] * m[4 + c] + m[8 + c] * m[8 + c]);
    for (int f = 0; f < 3; f++) { // the file's axes in turn, as nibabel does
        int world = -1;
        for (int w = 0; w < 3; w++)
            if (!taken[w] && (world < 0 || fabs(m[4 * w + f]) > fabs(m[4 * world + f]))) world = w;
        taken[world] = true;
        head->axis[world] = f;
        head->flip[world] = m[4 * world + f] < 0;
        head->orientation[f] = head->flip[world] ? "LPI"[world] : "RAS"[world];
    }
    head->orientation[3] = '\0';
    for (int r = 0; r < 3; r++) head->affine[4 * r + 3] = m[4 * r + 3];
    for (int a = 0; a < 3; a++) {
        int f = head->axis[a];
        for (int r = 0; r < 3; r++) {
            head->affine[4 * r + a] = head->flip[a] ? -m[4 * r + f] : m[4 * r + f];
            if (head->flip[a]) head->affine[4 * r + 3] += m[4 * r + f] * (head->size[f] - 1);
        }
        head->spacing[2 - a] = length[f];
    }
    head->width = head->size[head->axis[0]];
    head->height = head->size[head->axis[1]];
    head->depth = head->size[head->axis[2]];
}

static void take_geometry(const fields *f, mg_nifti_head *head)
{
    mg_nifti_geometry *g = &head->geometry;
    double m[12];

    for (int i = 0; i < 4; i++) g->pixdim[i] = get_float(f, AT_PIXDIM + 4 * i);
    g->units = f->bytes[AT_UNITS];
    g->qform_code = (int16_t)get_int16(f, AT_QFORM);
    g->sform_code = (int16_t)get_int16(f, AT_SFORM);
    for (int i = 0; i < 3; i++) g->quatern[i] = get_float(f, AT_QUATERN + 4 * i);
    for (int i = 0; i < 3; i++) g->offset[i] = get_float(f, AT_OFFSET + 4 * i);
    for (int i = 0; i < 12; i++) g->srow[i] = get_float(f, AT_SROW + 4 * i);
    choose_matrix(head, m);
    for (int i = 0; i < 12; i++) m[i] *= unit_mm(g->units);
    mg_nifti_orient(head, m);
}

// --- the whole --------------------------------------------------------------------------------------

mg_status mg_nifti_parse(const unsigned char *bytes, const char *name, mg_nifti_head *head,
                         mg_nifti_layout *layout)
{
    fields f = {bytes, false};

    *head = (mg_nifti_head){0};
    MG_TRY(check_kind(&f, name, &layout->pair));
    layout->swapped = f.swapped;
    MG_TRY(take_sizes(&f, name, head));
    MG_TRY(take_type(&f, name, head));
    take_geometry(&f, head);
    float start = get_float(&f, AT_VOX_OFFSET), least = layout->pair ? 0 : MG_NIFTI_DATA;
    MG_CHECK(isfinite(start) && start < 1e9f, MG_ERR_FORMAT,
             "'%s' says that its voxels begin at byte %g", name, (double)start);
    layout->start = start > least ? (uint64_t)start : (uint64_t)least;
    return MG_OK;
}

void mg_nifti_make_head(const int size[3], const double affine[12], mg_nifti_head *out)
{
    mg_nifti_geometry *g = &out->geometry;

    *out = (mg_nifti_head){.datatype = MG_NIFTI_U8, .components = 1, .frames = 1, .slope = 1};
    memcpy(out->size, size, sizeof out->size);
    for (int i = 0; i < 12; i++) g->srow[i] = (float)affine[i];
    g->sform_code = 1;
    g->units = 2; // mm
    g->pixdim[0] = 1;
    mg_nifti_orient(out, affine);
    for (int a = 0; a < 3; a++) g->pixdim[out->axis[a] + 1] = (float)out->spacing[2 - a];
}
