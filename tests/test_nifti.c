// NIfTI-1: every type in both byte orders, scaling, the three ways of orientation, containers, masks
// that go back to the geometry of their image, and headers that must be refused.
#include "tests/check.h"

#include <unistd.h>

#include "datasets/nifti.h"
#include "runtime/fsys.h"
#include "runtime/gzip.h"
#include "runtime/mem.h"

static char root[64];

// --- files made by hand -----------------------------------------------------------------------------

// A header in its parts; what is not set is as in a plain file of int16.
typedef struct {
    int dims, size[7], datatype, bits;
    bool swapped, pair, gzip;
    float slope, inter, start, pixdim[4];
    int qform, sform, units;
    float quatern[3], offset[3], srow[12];
} recipe;

static recipe plain(int x, int y, int z, int datatype, int bits)
{
    return (recipe){.dims = 3,
                    .size = {x, y, z, 1, 1, 1, 1},
                    .datatype = datatype,
                    .bits = bits,
                    .start = 352,
                    .pixdim = {1, 1, 1, 1},
                    .units = 2,
                    .sform = 1,
                    .srow = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}};
}

static void put(unsigned char *head, int at, const void *value, int bytes, bool swapped)
{
    for (int i = 0; i < bytes; i++)
        head[at + i] = ((const unsigned char *)value)[swapped ? bytes - 1 - i : i];
}

static void put_short(unsigned char *head, int at, int value, bool swapped)
{
    int16_t v = (int16_t)value;
    put(head, at, &v, 2, swapped);
}

static void make_header(const recipe *r, unsigned char head[352])
{
    int32_t size = 348;
    bool s = r->swapped;

    memset(head, 0, 352);
    put(head, 0, &size, 4, s);
    put_short(head, 40, r->dims, s);
    for (int i = 0; i < 7; i++) put_short(head, 42 + 2 * i, r->size[i], s);
    put_short(head, 70, r->datatype, s);
    put_short(head, 72, r->bits, s);
    for (int i = 0; i < 4; i++) put(head, 76 + 4 * i, &r->pixdim[i], 4, s);
    put(head, 108, &r->start, 4, s);
    put(head, 112, &r->slope, 4, s);
    put(head, 116, &r->inter, 4, s);
    head[123] = (unsigned char)r->units;
    put_short(head, 252, r->qform, s);
    put_short(head, 254, r->sform, s);
    for (int i = 0; i < 3; i++) put(head, 256 + 4 * i, &r->quatern[i], 4, s);
    for (int i = 0; i < 3; i++) put(head, 268 + 4 * i, &r->offset[i], 4, s);
    for (int i = 0; i < 12; i++) put(head, 280 + 4 * i, &r->srow[i], 4, s);
    memcpy(head + 344, r->pair ? "ni1" : "n+1", 4);
}

static void write_bytes(const char *name, const void *data, size_t bytes)
{
    char *path = mg_path_join(root, name);
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0);
    mg_free(path);
}

// Header and voxels (values of `bits` / 8 bytes in native order) as one file.
static void write_file(const char *name, const recipe *r, const void *voxels, size_t count)
{
    size_t start = r->start >= 352 ? (size_t)r->start : 352, size = (size_t)r->bits / 8;
    size_t bytes = start + count * size;
    unsigned char *file = calloc(1, bytes);
    void *packed;

    make_header(r, file);
    memset(file + 352, 0x5A, start - 352); // an extension
    for (size_t i = 0; i < count; i++)
        put(file + start, (int)(i * size), (const char *)voxels + i * size, (int)size, r->swapped);
    if (r->gzip) {
        OK(mg_gzip(file, bytes, 6, &packed, &bytes));
        write_bytes(name, packed, bytes);
        mg_free(packed);
    } else {
        write_bytes(name, file, bytes);
    }
    free(file);
}

static void read_real(const char *name, int frame, mg_nifti *image, float *out)
{
    int64_t bad;
    OK(mg_nifti_read(root, name, frame, image));
    mg_nifti_real(image, out, &bad);
    assert_int_equal(bad, 0);
}

// --- types ------------------------------------------------------------------------------------------

typedef union {
    uint8_t u8[6];
    int8_t i8[6];
    int16_t i16[6];
    uint16_t u16[6];
    int32_t i32[6];
    uint32_t u32[6];
    int64_t i64[6];
    uint64_t u64[6];
    float f32[6];
    double f64[6];
} six;

static void every_type_in_both_orders(void **state)
{
    static const struct {
        int datatype, bits;
        six value;
        float want[6];
    } row[] = {
        {2, 8, {.u8 = {0, 1, 2, 127, 128, 255}}, {0, 1, 2, 127, 128, 255}},
        {256, 8, {.i8 = {0, 1, -1, 127, -128, 5}}, {0, 1, -1, 127, -128, 5}},
        {4, 16, {.i16 = {0, 1, -1, 32767, -32768, 258}}, {0, 1, -1, 32767, -32768, 258}},
        {512, 16, {.u16 = {0, 1, 2, 32767, 65535, 258}}, {0, 1, 2, 32767, 65535, 258}},
        {8, 32, {.i32 = {0, 1, -1, 70000, -70000, 258}}, {0, 1, -1, 70000, -70000, 258}},
        {768, 32, {.u32 = {0, 1, 2, 70000, 1u << 31, 258}}, {0, 1, 2, 70000, 1u << 31, 258}},
        {1024, 64, {.i64 = {0, 1, -1, 1LL << 40, -5, 258}}, {0, 1, -1, 1LL << 40, -5, 258}},
        {1280, 64, {.u64 = {0, 1, 2, 1ULL << 63, 5, 258}}, {0, 1, 2, 1ULL << 63, 5, 258}},
        {16, 32, {.f32 = {0, 1, -1, .5f, 1e20f, -3}}, {0, 1, -1, .5f, 1e20f, -3}},
        {64, 64, {.f64 = {0, 1, -1, .5, 1e-20, -3}}, {0, 1, -1, .5f, 1e-20f, -3}},
    };
    (void)state;

    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (int way = 0; way < 8; way++) {
            recipe r = plain(3, 2, 1, row[i].datatype, row[i].bits);
            mg_nifti image;
            float got[6];
            r.swapped = way & 1;
            r.gzip = way & 2;
            r.start = way & 4 ? 368 : 352;
            write_file("type.nii", &r, &row[i].value, 6);
            read_real("type.nii", -1, &image, got);
            for (int k = 0; k < 6; k++) CHECK(got[k] == row[i].want[k]);
            CHECK(!*image.head.remark);
            // Values that int16 holds are known as such.
            bool fits = true;
            for (int k = 0; k < 6; k++)
                fits = fits && got[k] >= -32768 && got[k] <= 32767 && got[k] == rintf(got[k]);
            CHECK(mg_nifti_is_short(&image) == fits);
            mg_nifti_free(&image);
        }
}

static void scaling(void **state)
{
    const int16_t v[4] = {0, 1, 2, -3};
    const int32_t mask[4] = {0, INT32_MAX, INT32_MAX, 0};
    recipe r = plain(4, 1, 1, 4, 16);
    mg_nifti image;
    float got[4];
    int16_t whole[4];
    uint16_t label[4];
    int64_t clipped;
    (void)state;

    r.slope = .5f, r.inter = 10;
    write_file("scale.nii", &r, v, 4);
    read_real("scale.nii", -1, &image, got);
    CHECK(got[0] == 10 && got[1] == 10.5f && got[2] == 11 && got[3] == 8.5f);
    CHECK(!mg_nifti_is_short(&image));
    mg_nifti_short(&image, whole, &clipped);
    CHECK(whole[0] == 10 && whole[1] == 11 && whole[3] == 9 && clipped == 0);
    FAILS(mg_nifti_whole(&image, "scale.nii", label), MG_ERR_FORMAT,
          "'scale.nii' has the value 10.5 at voxel (1, 0, 0)");
    mg_nifti_free(&image);

    // None of these is a scale.
    const float none[] = {0, NAN, INFINITY};
    for (int i = 0; i < 3; i++) {
        r.slope = none[i];
        write_file("scale.nii", &r, v, 4);
        read_real("scale.nii", -1, &image, got);
        CHECK(got[1] == 1 && got[3] == -3);
        FAILS(mg_nifti_whole(&image, "x", label), MG_ERR_FORMAT, "has the value -3");
        mg_nifti_free(&image);
    }

    // A mask that is 1 only after scaling.
    r = plain(4, 1, 1, 8, 32);
    r.slope = (float)(1. / INT32_MAX * .5), r.inter = .5f;
    write_file("scale.nii", &r, mask, 4);
    OK(mg_nifti_read(root, "scale.nii", -1, &image));
    FAILS(mg_nifti_whole(&image, "x", label), MG_ERR_FORMAT, "has the value 0.5");
    mg_nifti_free(&image);
    r.slope = (float)(1. / INT32_MAX), r.inter = 0;
    write_file("scale.nii", &r, mask, 4);
    OK(mg_nifti_read(root, "scale.nii", -1, &image));
    OK(mg_nifti_whole(&image, "x", label));
    CHECK(label[0] == 0 && label[1] == 1 && label[2] == 1);
    mg_nifti_free(&image);
}

static void odd_values(void **state)
{
    const float v[4] = {NAN, INFINITY, 40000, -40000.7f};
    const double d[4] = {0, 3, 14, 255.0004};
    const uint8_t rgb[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    recipe r = plain(4, 1, 1, 16, 32);
    mg_nifti image;
    float got[4];
    int16_t whole[4];
    uint16_t label[4];
    uint8_t colour[12];
    int64_t count;
    (void)state;

    write_file("odd.nii", &r, v, 4);
    OK(mg_nifti_read(root, "odd.nii", -1, &image));
    mg_nifti_real(&image, got, &count);
    CHECK(got[0] == 0 && got[1] == 0 && got[2] == 40000 && count == 2);
    mg_nifti_short(&image, whole, &count);
    CHECK(whole[0] == -32768 && whole[1] == 32767 && whole[2] == 32767 && whole[3] == -32768);
    assert_int_equal(count, 4);
    FAILS(mg_nifti_whole(&image, "x", label), MG_ERR_FORMAT, "nan");
    mg_nifti_free(&image);

    r = plain(4, 1, 1, 64, 64);
    r.bits = 64;
    write_file("odd.nii", &r, d, 4);
    OK(mg_nifti_read(root, "odd.nii", -1, &image));
    OK(mg_nifti_whole(&image, "x", label));
    CHECK(label[2] == 14 && label[3] == 255);
    mg_nifti_free(&image);

    r = plain(4, 1, 1, 128, 8);
    r.srow[0] = -1, r.slope = 7; // scaling does not apply to colours
    write_file("odd.nii", &r, rgb, 12);
    OK(mg_nifti_read(root, "odd.nii", -1, &image));
    CHECK(image.head.components == 3 && strstr(image.head.remark, "bitpix is 8"));
    mg_nifti_colour(&image, colour);
    for (int x = 0; x < 4; x++)
        for (int c = 0; c < 3; c++) CHECK(colour[3 * x + c] == 3 * (3 - x) + c + 1);
    FAILS(mg_nifti_whole(&image, "x", label), MG_ERR_FORMAT, "colours");
    mg_nifti_free(&image);
}

// --- orientation ------------------------------------------------------------------------------------

static void check_affine(const double *got, const double *want)
{
    for (int i = 0; i < 12; i++)
        if (!(fabs(got[i] - want[i]) < 1e-5))
            fail_msg("entry %d of the matrix is %g, expected %g", i, got[i], want[i]);
}

static void sform_first(void **state)
{
    // 2 x 3 x 4 voxels of axes P, S, L: x of the file runs to the back, y up, z to the left.
    recipe r = plain(2, 3, 4, 2, 8);
    const float srow[12] = {0, 0, -3, 10, -2, 0, 0, 20, 0, 5, 0, 30};
    const double ours[12] = {3, 0, 0, 10 - 3 * 3, 0, 2, 0, 20 - 2, 0, 0, 5, 30};
    uint8_t v[24];
    mg_nifti image;
    float got[24];
    (void)state;

    memcpy(r.srow, srow, sizeof srow);
    r.qform = 1; // says something else
    for (int i = 0; i < 24; i++) v[i] = (uint8_t)i;
    write_file("s.nii", &r, v, 24);
    read_real("s.nii", -1, &image, got);
    const mg_nifti_head *h = &image.head;
    assert_string_equal(h->orientation, "PSL");
    CHECK(h->width == 4 && h->height == 2 && h->depth == 3);
    CHECK(h->spacing[0] == 5 && h->spacing[1] == 2 && h->spacing[2] == 3);
    check_affine(h->affine, ours);
    CHECK(strstr(h->remark, "sform and qform differ"));
    for (int z = 0; z < 3; z++)
        for (int y = 0; y < 2; y++)
            for (int x = 0; x < 4; x++)
                CHECK(got[(z * 2 + y) * 4 + x] == (1 - y) + 2 * z + 6 * (3 - x));
    mg_nifti_free(&image);
}

static void qform_next(void **state)
{
    recipe r = plain(2, 2, 2, 2, 8);
    const uint8_t v[8] = {0};
    // Half a turn about z, third axis mirrored by qfac: LP, and the third axis down.
    const double half[12] = {-2, 0, 0, 5, 0, -3, 0, 6, 0, 0, -4, 7};
    // 30 degrees about x.
    const double c = .8660254037844387,
                 oblique[12] = {2, 0, 0, 5, 0, 3 * c, -2, 6, 0, 1.5, 4 * c, 7};
    mg_nifti_head h;
    (void)state;

    r.sform = 0, r.qform = 1;
    r.pixdim[0] = -1, r.pixdim[1] = 2, r.pixdim[2] = -3, r.pixdim[3] = 4;
    r.quatern[2] = 1;
    r.offset[0] = 5, r.offset[1] = 6, r.offset[2] = 7;
    write_file("q.nii", &r, v, 8);
    OK(mg_nifti_read_head(root, "q.nii", &h));
    assert_string_equal(h.orientation, "LPI");
    check_affine(h.file_affine, half);
    CHECK(!*h.remark);

    r.pixdim[0] = 0; // counts as +1
    r.quatern[0] = sinf((float)M_PI / 12), r.quatern[2] = 0;
    write_file("q.nii", &r, v, 8);
    OK(mg_nifti_read_head(root, "q.nii", &h));
    assert_string_equal(h.orientation, "RAS");
    check_affine(h.file_affine, oblique);
    CHECK(fabs(h.spacing[0] - 4) < 1e-6 && fabs(h.spacing[1] - 3) < 1e-6);

    // A singular or endless sform gives way to the qform.
    r.sform = 1;
    memset(r.srow, 0, sizeof r.srow);
    write_file("q.nii", &r, v, 8);
    OK(mg_nifti_read_head(root, "q.nii", &h));
    check_affine(h.file_affine, oblique);
    CHECK(strstr(h.remark, "sform is singular"));
    r.srow[0] = r.srow[5] = r.srow[10] = 1, r.srow[3] = NAN;
    write_file("q.nii", &r, v, 8);
    OK(mg_nifti_read_head(root, "q.nii", &h));
    check_affine(h.file_affine, oblique);
}

static void neither_form(void **state)
{
    recipe r = plain(2, 2, 2, 2, 8);
    const uint8_t v[8] = {0};
    const double steps[12] = {2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
    const double metres[12] = {2000, 0, 0, 0, 0, 1000, 0, 0, 0, 0, 1000, 0};
    mg_nifti_head h;
    (void)state;

    r.sform = 0;
    r.pixdim[1] = -2, r.pixdim[2] = 0, r.pixdim[3] = INFINITY;
    write_file("n.nii", &r, v, 8);
    OK(mg_nifti_read_head(root, "n.nii", &h));
    check_affine(h.file_affine, steps);
    CHECK(strstr(h.remark, "no orientation"));
    r.units = 1;
    write_file("n.nii", &r, v, 8);
    OK(mg_nifti_read_head(root, "n.nii", &h));
    check_affine(h.file_affine, metres);
    r.units = 3 | 8; // micrometres, seconds
    write_file("n.nii", &r, v, 8);
    OK(mg_nifti_read_head(root, "n.nii", &h));
    CHECK(fabs(h.spacing[2] - 2e-3) < 1e-9);
}

// --- containers -------------------------------------------------------------------------------------

static void frames(void **state)
{
    recipe r = plain(2, 1, 1, 4, 16);
    const int16_t v[6] = {1, 2, 3, 4, 5, 6};
    mg_nifti image;
    float got[2];
    (void)state;

    r.dims = 4, r.size[3] = 1;
    write_file("f.nii", &r, v, 2);
    read_real("f.nii", -1, &image, got);
    mg_nifti_free(&image);
    r.size[3] = 3;
    for (int gzip = 0; gzip < 2; gzip++) {
        r.gzip = gzip;
        write_file("f.nii", &r, v, 6);
        FAILS(mg_nifti_read(root, "f.nii", -1, &image), MG_ERR_FORMAT, "3 frames, expected one");
        FAILS(mg_nifti_read(root, "f.nii", 3, &image), MG_ERR_FORMAT, "number 3 is asked for");
        for (int t = 0; t < 3; t++) {
            read_real("f.nii", t, &image, got);
            CHECK(got[0] == 2 * t + 1 && got[1] == 2 * t + 2);
            mg_nifti_free(&image);
        }
    }
    r.dims = 5, r.size[3] = 1, r.size[4] = 3; // a vector at each voxel
    write_file("f.nii", &r, v, 6);
    FAILS(mg_nifti_read(root, "f.nii", -1, &image), MG_ERR_FORMAT, "3 values along dimension 5");
    r.dims = 2, r.size[2] = 9, r.size[4] = 1; // what is behind dim[0] does not count
    write_file("f.nii", &r, v, 2);
    read_real("f.nii", -1, &image, got);
    CHECK(image.head.depth == 1);
    mg_nifti_free(&image);
}

static void pairs(void **state)
{
    recipe r = plain(2, 1, 1, 4, 16);
    const int16_t v[3] = {99, 7, 8};
    unsigned char head[352];
    mg_nifti image;
    float got[2];
    void *packed;
    size_t bytes;
    (void)state;

    r.pair = true, r.start = 0;
    make_header(&r, head);
    write_bytes("pair.hdr", head, 348);
    FAILS(mg_nifti_read(root, "pair.hdr", -1, &image), MG_ERR_FORMAT, "no .img beside it");
    write_bytes("pair.img", v + 1, 4);
    read_real("pair.hdr", -1, &image, got);
    CHECK(got[0] == 7 && got[1] == 8);
    mg_nifti_free(&image);
    r.start = 2;
    make_header(&r, head);
    OK(mg_gzip(head, 348, 6, &packed, &bytes));
    write_bytes("pair2.hdr.gz", packed, bytes);
    mg_free(packed);
    OK(mg_gzip(v, 6, 6, &packed, &bytes));
    write_bytes("pair2.img.gz", packed, bytes);
    mg_free(packed);
    read_real("pair2.hdr.gz", -1, &image, got);
    CHECK(got[0] == 7 && got[1] == 8);
    mg_nifti_free(&image);
}

static char *load(const char *name, size_t *bytes)
{
    char *path = mg_path_join(root, name), *data;
    OK(mg_read_file(path, 1 << 20, &data, bytes));
    mg_free(path);
    return data;
}

static void gzip_streams(void **state)
{
    enum { N = 20 * 30 };
    recipe r = plain(20, 30, 1, 4, 16);
    int16_t v[N];
    float got[N];
    mg_nifti image;
    void *one, *two;
    size_t bytes, first, second;
    (void)state;

    for (int i = 0; i < N; i++) v[i] = (int16_t)(i * i);
    write_file("g.nii", &r, v, N);
    char *file = load("g.nii", &bytes);
    // Two members, cut in the middle of the voxels, and something that is no gzip behind them.
    OK(mg_gzip(file, 500, 6, &one, &first));
    OK(mg_gzip(file + 500, bytes - 500, 6, &two, &second));
    char *both = malloc(first + second + 9);
    memcpy(both, one, first), memcpy(both + first, two, second);
    memcpy(both + first + second, "trailing!", 9);
    write_bytes("two.nii.gz", both, first + second + 9);
    read_real("two.nii.gz", -1, &image, got);
    for (int i = 0; i < N; i++) CHECK(got[i] == v[i]);
    mg_nifti_free(&image);
    // Cut at any byte of the last member, its checksum included.
    for (size_t cut = first + 1; cut < first + second; cut += cut < first + second - 9 ? 37 : 1) {
        write_bytes("cut.nii.gz", both, cut);
        mg_status st = mg_nifti_read(root, "cut.nii.gz", -1, &image);
        CHECK(st == MG_ERR_FORMAT && strstr(mg_err_message(), "'cut.nii.gz'"));
        mg_err_clear();
    }
    both[first + second - 6] ^= 1;
    write_bytes("flip.nii.gz", both, first + second);
    FAILS(mg_nifti_read(root, "flip.nii.gz", -1, &image), MG_ERR_FORMAT, "damaged");
    mg_free(one), mg_free(two), mg_free(file), free(both);
    FAILS(mg_nifti_read(root, "nowhere.nii", -1, &image), MG_ERR_IO, "cannot open 'nowhere.nii'");
}

// --- what must be refused ---------------------------------------------------------------------------

static void refuse(recipe r, size_t voxels, const char *reason)
{
    static const int16_t v[64];
    mg_nifti image;
    size_t before = mg_mem_live();

    for (int gzip = 0; gzip < 2; gzip++) {
        r.gzip = gzip;
        write_file("bad.nii", &r, v, voxels);
        FAILS(mg_nifti_read(root, "bad.nii", -1, &image), MG_ERR_FORMAT, reason);
    }
    assert_int_equal(mg_mem_live(), before);
}

static void hostile_headers(void **state)
{
    recipe good = plain(4, 4, 2, 4, 16), r;
    unsigned char head[352] = {0};
    mg_nifti image;
    (void)state;

    r = good, r.dims = 0, refuse(r, 32, "0 dimensions, expected 1 to 7");
    r = good, r.dims = -3, refuse(r, 32, "-3 dimensions");
    r = good, r.dims = 8, refuse(r, 32, "8 dimensions");
    r = good, r.datatype = 32, refuse(r, 32, "type 32 (complex64)");
    r = good, r.datatype = 1, refuse(r, 32, "type 1 (bit)");
    r = good, r.datatype = 77, refuse(r, 32, "type 77 (unknown)");
    r = good, r.size[2] = 3, refuse(r, 32, "");
    r = good, r.size[0] = r.size[1] = r.size[2] = 32767, refuse(r, 32, "too short for 32767 x");
    r = good, r.dims = 4, r.size[0] = r.size[1] = r.size[2] = r.size[3] = 32767;
    write_file("bad.nii", &r, head, 32);
    FAILS(mg_nifti_read(root, "bad.nii", 5, &image), MG_ERR_FORMAT, "too short");
    // The file would be large enough for its voxels, but they begin behind its end.
    r = good, r.start = 5e8f, make_header(&r, head), write_bytes("bad.nii", head, 352);
    FAILS(mg_nifti_read(root, "bad.nii", -1, &image), MG_ERR_FORMAT, "too short");
    r.start = INFINITY, make_header(&r, head), write_bytes("bad.nii", head, 352);
    FAILS(mg_nifti_read(root, "bad.nii", -1, &image), MG_ERR_FORMAT, "begin at byte inf");
    r.start = NAN, make_header(&r, head), write_bytes("bad.nii", head, 352);
    FAILS(mg_nifti_read(root, "bad.nii", -1, &image), MG_ERR_FORMAT, "begin at byte nan");

    make_header(&good, head);
    head[344] = 0; // ANALYZE
    write_bytes("bad.nii", head, 352);
    FAILS(mg_nifti_read(root, "bad.nii", -1, &image), MG_ERR_FORMAT, "ANALYZE");
    head[0] = 540 & 255, head[1] = 540 >> 8;
    write_bytes("bad.nii", head, 352);
    FAILS(mg_nifti_read(root, "bad.nii", -1, &image), MG_ERR_FORMAT, "NIfTI-2");
    write_bytes("bad.nii", "not an image at all, but long enough to look for a header", 57);
    FAILS(mg_nifti_read(root, "bad.nii", -1, &image), MG_ERR_FORMAT, "ends early");
    write_bytes("bad.nii", "", 0);
    FAILS(mg_nifti_read(root, "bad.nii", -1, &image), MG_ERR_FORMAT, "ends early");
    memset(head, 'x', sizeof head);
    write_bytes("bad.nii", head, 352);
    FAILS(mg_nifti_read(root, "bad.nii", -1, &image), MG_ERR_FORMAT, "begins with 2021161080");
}

// Behind a small volume, 200 MB of zeros: they are not unpacked to their end.
static void a_bomb(void **state)
{
    enum { MANY = 200 << 20 };
    recipe r = plain(2, 2, 1, 2, 8);
    char *zeros = calloc(1, MANY);
    mg_nifti image;
    void *packed;
    size_t bytes;
    (void)state;

    r.size[0] = r.size[1] = r.size[2] = 1000; // 1 GB of voxels: more than it can hold
    make_header(&r, (unsigned char *)zeros);
    OK(mg_gzip(zeros, MANY, 1, &packed, &bytes));
    write_bytes("bomb.nii.gz", packed, bytes / 2);
    mg_free(packed);
    FAILS(mg_nifti_read(root, "bomb.nii.gz", -1, &image), MG_ERR_FORMAT, "too short");
    r.size[0] = r.size[1] = r.size[2] = 2;
    make_header(&r, (unsigned char *)zeros);
    OK(mg_gzip(zeros, MANY, 1, &packed, &bytes));
    write_bytes("bomb.nii.gz", packed, bytes / 2); // its end is never reached
    mg_free(packed);
    OK(mg_nifti_read(root, "bomb.nii.gz", -1, &image));
    mg_nifti_free(&image);
    free(zeros);
}

// --- out --------------------------------------------------------------------------------------------

// Everything that says where the voxels are, as it lies in the file.
static void same_geometry(const char *a, const char *b)
{
    CHECK(!memcmp(a + 42, b + 42, 6));             // dim
    CHECK(!memcmp(a + 76, b + 76, 16));            // pixdim
    CHECK((a[123] & 7) == (b[123] & 7));           // units
    CHECK(!memcmp(a + 252, b + 252, 4 + 24 + 48)); // codes, quaternion, matrix
}

static void masks_go_back(void **state)
{
    enum { X = 3, Y = 4, Z = 5, N = X * Y * Z };
    static const int order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    float ours[N];
    int16_t v[N];
    (void)state;

    for (int i = 0; i < N; i++) v[i] = (int16_t)(i * 7 - 50);
    for (int way = 0; way < 48; way++) {
        recipe r = plain(X, Y, Z, 4, 16);
        const int *to = order[way / 8];
        memset(r.srow, 0, sizeof r.srow);
        for (int f = 0; f < 3; f++) {
            for (int w = 0; w < 3; w++) r.srow[4 * w + f] = .03f * (float)(w - f);
            r.srow[4 * to[f] + f] = (way >> f & 1 ? -1.1f : 1.3f) / 3;
            r.srow[4 * f + 3] = -17.3f * (float)(f + 1) / 7;
        }
        r.qform = 2, r.sform = 4;
        r.quatern[0] = .1f, r.offset[1] = 1 / 3.f, r.pixdim[0] = -1, r.pixdim[2] = .7f;
        write_file("image.nii", &r, v, N);
        mg_nifti image;
        read_real("image.nii", -1, &image, ours);
        mg_nifti_free(&image);
        char *path = mg_path_join(root, way % 2 ? "mask.nii.gz" : "mask.nii");
        OK(mg_nifti_write(path, &image.head, MG_F32, ours));
        mg_free(path);
        float back[N];
        mg_nifti mask;
        read_real(way % 2 ? "mask.nii.gz" : "mask.nii", -1, &mask, back);
        CHECK(!memcmp(ours, back, sizeof ours));
        const float *stored = mask.data; // along the file's axes
        for (int i = 0; i < N; i++) CHECK(stored[i] == v[i]);
        CHECK(!memcmp(image.head.affine, mask.head.affine, sizeof mask.head.affine));
        mg_nifti_free(&mask);
        if (way % 2) continue;
        size_t bytes;
        char *a = load("image.nii", &bytes), *b = load("mask.nii", &bytes);
        same_geometry(a, b);
        mg_free(a), mg_free(b);
    }
}

static void from_a_matrix(void **state)
{
    const int size[3] = {4, 3, 2};
    const double m[12] = {-.5, 0, 0, 3, 0, 0, 2, -4, 0, -.7, 0, 5};
    uint8_t v[24];
    mg_nifti_head h, back;
    (void)state;

    for (int i = 0; i < 24; i++) v[i] = (uint8_t)i;
    mg_nifti_make_head(size, m, &h);
    assert_string_equal(h.orientation, "LIA");
    CHECK(h.width == 4 && h.height == 2 && h.depth == 3);
    char *path = mg_path_join(root, "made.nii.gz");
    OK(mg_nifti_write(path, &h, MG_U8, v));
    OK(mg_nifti_read_head(root, "made.nii.gz", &back));
    check_affine(back.file_affine, m);
    CHECK(fabs(back.geometry.pixdim[1] - .5) < 1e-6 && fabs(back.geometry.pixdim[3] - 2) < 1e-6);
    CHECK(!*back.remark && back.datatype == 2);
    FAILS(mg_nifti_write(path, &h, MG_I64, v), MG_ERR_USAGE, "int64");
    mg_free(path);
}

static int make_root(void **state)
{
    (void)state;
    return check_folder(root, "nifti") ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return mg_remove_tree(root) != MG_OK || mg_mem_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_in_both_orders),
        cmocka_unit_test(scaling),
        cmocka_unit_test(odd_values),
        cmocka_unit_test(sform_first),
        cmocka_unit_test(qform_next),
        cmocka_unit_test(neither_form),
        cmocka_unit_test(frames),
        cmocka_unit_test(pairs),
        cmocka_unit_test(gzip_streams),
        cmocka_unit_test(hostile_headers),
        cmocka_unit_test(a_bomb),
        cmocka_unit_test(masks_go_back),
        cmocka_unit_test(from_a_matrix),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
