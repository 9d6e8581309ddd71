// Samples from NIfTI files; see volume.h. Changing their grid is in regrid.c.
#include "datasets/volume.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datasets/nifti.h"
#include "datasets/sample.h"
#include "datasets/scan.h"
#include "runtime/mem.h"

// --- names and settings -----------------------------------------------------------------------------

bool mg_volume_is_name(const char *path)
{
    return mg_scan_ends(path, ".nii") || mg_scan_ends(path, ".nii.gz");
}

char *mg_volume_stem(const char *path)
{
    const char *base = mg_path_base(path);
    size_t n = strlen(base);

    n -= mg_scan_ends(base, ".nii.gz") ? 7 : mg_scan_ends(base, ".nii") ? 4 : 0;
    return mg_sprintf("%.*s", (int)n, base);
}

bool mg_volume_in(const char *path, const char *folder)
{
    const char *end = strrchr(path, '/');
    size_t n = strlen(folder);

    if (!end || (size_t)(end - path) < n || strncasecmp(end - n, folder, n)) return false;
    return end - n == path || end[-(ptrdiff_t)n - 1] == '/';
}

mg_status mg_volume_spacing(const mg_list *list, const char *key, double spacing[3])
{
    double xyz[3] = {0};

    MG_TRY(mg_list_numbers(list, key, 3, xyz));
    for (int i = 0; i < 3; i++) {
        MG_CHECK(xyz[i] == 0 || (xyz[i] >= .05 && xyz[i] <= 100), MG_ERR_CONFIG,
                 "%s: %g mm, expected 0.05 to 100, or 0 to keep an axis", key, xyz[i]);
        spacing[2 - i] = xyz[i];
    }
    return MG_OK;
}

mg_status mg_volume_percents(const mg_list *list, const char *key, double percent[2])
{
    percent[0] = .5, percent[1] = 99.5;
    MG_TRY(mg_list_numbers(list, key, 2, percent));
    MG_CHECK(percent[0] >= 0 && percent[0] < percent[1] && percent[1] <= 100, MG_ERR_CONFIG,
             "%s are %g and %g, expected two rising numbers of 0 to 100", key, percent[0],
             percent[1]);
    return MG_OK;
}

// --- reading ----------------------------------------------------------------------------------------

static size_t cells_of(const mg_sample *s)
{
    return (size_t)s->depth * (size_t)s->height * (size_t)s->width;
}

// Everything that the header tells; pixels are still to come.
static void take_head(const mg_nifti_head *h, int channels, mg_sample *s)
{
    mg_volume *v = &s->volume;

    s->depth = h->depth;
    s->height = h->height;
    s->width = h->width;
    s->channels = channels;
    memcpy(s->spacing, h->spacing, sizeof s->spacing);
    memcpy(v->affine, h->affine, sizeof v->affine);
    memcpy(v->file_affine, h->file_affine, sizeof v->file_affine);
    memcpy(v->orientation, h->orientation, sizeof v->orientation);
    memcpy(v->full_spacing, h->spacing, sizeof v->full_spacing);
    for (int a = 0; a < 3; a++) v->grid[a][1] = 1;
    snprintf(s->decoder, sizeof s->decoder, "NIfTI-1 %s", mg_nifti_type_name(h->datatype));
    mg_sample_remark(s, "%s", h->remark);
}

static mg_status check_grey(const mg_nifti *image, const char *path)
{
    MG_CHECK(image->head.components == 1, MG_ERR_FORMAT, "'%s' holds colours, expected numbers",
             path);
    return MG_OK;
}

mg_status mg_volume_ct(const char *root, const char *path, mg_sample *out)
{
    mg_nifti image;
    int64_t clipped = 0;

    *out = (mg_sample){.type = MG_I16};
    MG_TRY(mg_nifti_read(root, path, -1, &image));
    mg_status st = check_grey(&image, path);
    if (st) goto done;
    take_head(&image.head, 1, out);
    out->pixels = mg_alloc(cells_of(out) * sizeof(int16_t));
    if (!out->pixels) {
        st = MG_FAIL(MG_ERR_MEMORY, "no memory for the volume '%s'", path);
        goto done;
    }
    mg_nifti_short(&image, out->pixels, &clipped);
    if (clipped) mg_sample_remark(out, "%lld voxels are no numbers of int16", (long long)clipped);

done:
    mg_nifti_free(&image);
    return st;
}

// --- contrasts --------------------------------------------------------------------------------------

// Largest difference between two matrices.
static double gap_between(const double a[12], const double b[12])
{
    double gap = 0;
    for (int i = 0; i < 12; i++) gap = fmax(gap, fabs(a[i] - b[i]));
    return gap;
}

// The last folder and the name: images and labels may have the same.
static const char *short_name(const char *path)
{
    const char *base = mg_path_base(path);

    if (base - path < 2) return base;
    for (base--; base > path && base[-1] != '/';) base--;
    return base;
}

static mg_status check_shape(const mg_nifti_head *h, const char *path, mg_sample *s)
{
    MG_CHECK(h->depth == s->depth && h->height == s->height && h->width == s->width, MG_ERR_FORMAT,
             "'%s' is %d x %d x %d, its image is %d x %d x %d (x, y, z of RAS)", path, h->width,
             h->height, h->depth, s->width, s->height, s->depth);
    double gap = gap_between(h->affine, s->volume.affine);
    if (gap > 1e-3) mg_sample_remark(s, "matrix of '%s' differs by %.3g mm", short_name(path), gap);
    return MG_OK;
}

static mg_status read_contrasts(const char *root, const char *const *path, int count,
                                mg_nifti *image, mg_sample *out)
{
    bool whole = true;

    for (int c = 0; c < count; c++) {
        MG_TRY(mg_nifti_read(root, path[c], -1, &image[c]));
        MG_TRY(check_grey(&image[c], path[c]));
        if (c == 0)
            take_head(&image[c].head, count, out);
        else
            MG_TRY(check_shape(&image[c].head, path[c], out));
        whole = whole && mg_nifti_is_short(&image[c]);
    }
    out->type = whole ? MG_I16 : MG_F32;
    return MG_OK;
}

// One contrast among the channels, through `plane` of its size.
static void place_contrast(const mg_nifti *image, int c, void *plane, mg_sample *out)
{
    size_t cells = cells_of(out);
    size_t step = (size_t)out->channels;
    int64_t odd = 0;

    if (out->type == MG_I16) {
        int16_t *to = (int16_t *)out->pixels + c, *v = plane;
        mg_nifti_short(image, v, &odd);
        for (size_t i = 0; i < cells; i++) to[i * step] = v[i];
    } else {
        float *to = (float *)out->pixels + c, *v = plane;
        mg_nifti_real(image, v, &odd);
        for (size_t i = 0; i < cells; i++) to[i * step] = v[i];
        if (odd) mg_sample_remark(out, "%lld voxels are not finite, taken as 0", (long long)odd);
    }
}

mg_status mg_volume_mr(const char *root, const char *const *path, int count, mg_sample *out)
{
    mg_nifti image[MG_MAX_CONTRASTS] = {0};
    void *plane = NULL;

    *out = (mg_sample){0};
    mg_status st = read_contrasts(root, path, count, image, out);
    if (st) goto done;
    size_t bytes = cells_of(out) * mg_dtype_size(out->type);
    out->pixels = mg_alloc(bytes * (size_t)count);
    plane = mg_alloc(bytes);
    if (!out->pixels || !plane) {
        st = MG_FAIL(MG_ERR_MEMORY, "no memory for the volume '%s'", path[0]);
        goto done;
    }
    for (int c = 0; c < count; c++) {
        place_contrast(&image[c], c, plane, out);
        mg_nifti_free(&image[c]);
    }

done:
    for (int c = 0; c < count; c++) mg_nifti_free(&image[c]);
    mg_free(plane);
    return st;
}

// --- any volume -------------------------------------------------------------------------------------

static mg_status read_colours(const char *root, const char *path, mg_sample *out)
{
    mg_nifti image;

    *out = (mg_sample){.type = MG_U8};
    MG_TRY(mg_nifti_read(root, path, -1, &image));
    take_head(&image.head, 3, out);
    for (int k = 0; k < 3; k++) out->volume.input[k] = k;
    out->pixels = mg_alloc(3 * cells_of(out));
    if (out->pixels) mg_nifti_colour(&image, out->pixels);
    mg_nifti_free(&image);
    MG_CHECK(out->pixels, MG_ERR_MEMORY, "no memory for the volume '%s'", path);
    return MG_OK;
}

mg_status mg_volume_any(const char *root, const char *path, const char *modality, mg_sample *out)
{
    mg_nifti_head head;

    *out = (mg_sample){0};
    MG_TRY(mg_nifti_read_head(root, path, &head));
    if (head.components > 1) return read_colours(root, path, out);
    if (strcasecmp(modality, "CT")) {
        MG_TRY(mg_volume_mr(root, &path, 1, out));
        return mg_volume_percentiles(out, NULL, .5, 99.5);
    }
    MG_TRY(mg_volume_ct(root, path, out));
    out->volume.range[0][0] = MG_CT_LOW;
    out->volume.range[0][1] = MG_CT_HIGH;
    return MG_OK;
}

// --- labels -----------------------------------------------------------------------------------------

// Take the label's axes for those of the image, whatever its own header says.
static void turn_as_image(mg_nifti_head *head, mg_sample *sample)
{
    const mg_volume *v = &sample->volume;

    if (strcmp(head->orientation, v->orientation))
        mg_sample_remark(sample, "label says %s, read as its image: %s", head->orientation,
                         v->orientation);
    else if (gap_between(head->affine, v->affine) > 1e-3)
        mg_sample_remark(sample, "matrix of the label differs by %.3g mm",
                         gap_between(head->affine, v->affine));
    mg_nifti_orient(head, v->file_affine);
}

mg_status mg_volume_label(const char *root, const char *path, bool as_image, mg_sample *sample,
                          uint16_t **out)
{
    mg_nifti image;

    *out = NULL;
    MG_TRY(mg_nifti_read(root, path, -1, &image));
    if (as_image) turn_as_image(&image.head, sample);
    mg_status st = check_shape(&image.head, path, sample);
    if (st) goto done;
    *out = mg_alloc(cells_of(sample) * sizeof **out);
    st = *out ? mg_nifti_whole(&image, path, *out)
              : MG_FAIL(MG_ERR_MEMORY, "no memory for the label '%s'", path);
    if (st) {
        mg_free(*out);
        *out = NULL;
    }

done:
    mg_nifti_free(&image);
    return st;
}

static mg_status fail_value(const mg_sample *s, const char *path, const uint16_t *values, size_t i,
                            const int *class_of, int count)
{
    size_t row = (size_t)s->width, slice = row * (size_t)s->height;
    char list[128] = "";

    for (int v = 0; v < count; v++) {
        size_t used = strlen(list);
        if (class_of[v] >= 0)
            snprintf(list + used, sizeof list - used, "%s%d", used ? ", " : "", v);
    }
    return MG_FAIL(MG_ERR_FORMAT,
                   "label '%s' has the value %d at (%zu, %zu, %zu) of the RAS grid, expected %s",
                   path, values[i], i % row, i % slice / row, i / slice, list);
}

mg_status mg_volume_classes(mg_sample *sample, const char *path, const uint16_t *values,
                            const int *class_of, int count)
{
    size_t cells = cells_of(sample);

    sample->label = mg_alloc(cells);
    MG_CHECK(sample->label, MG_ERR_MEMORY, "no memory for the label '%s'", path);
    for (size_t i = 0; i < cells; i++) {
        if (values[i] >= count || class_of[values[i]] < 0)
            return fail_value(sample, path, values, i, class_of, count);
        sample->label[i] = (uint8_t)class_of[values[i]];
    }
    return MG_OK;
}

// --- percentiles ------------------------------------------------------------------------------------

// The k-th smallest of n values, which are moved about (Hoare's selection).
static float select_value(float *v, size_t n, size_t k)
{
    size_t lo = 0, hi = n - 1;

    while (lo < hi) {
        float pivot = v[lo + (hi - lo) / 2];
        size_t i = lo, j = hi;
        for (;;) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i >= j) break;
            float swap = v[i];
            v[i++] = v[j];
            v[j--] = swap;
        }
        // v[lo..j] <= pivot <= v[j+1..hi]
        if (k <= j)
            hi = j;
        else
            lo = j + 1;
    }
    return v[k];
}

static double percentile(float *v, size_t n, double p)
{
    double at = p / 100 * (double)(n - 1);
    size_t k = (size_t)at;
    double low = select_value(v, n, k);

    if (k + 1 >= n || at == (double)k) return low;
    // What follows in order is the smallest of those behind k.
    float next = v[k + 1];
    for (size_t i = k + 2; i < n; i++) next = v[i] < next ? v[i] : next;
    return low + (at - (double)k) * (next - low);
}

void mg_volume_background(const mg_sample *s, double background[MG_MAX_CONTRASTS])
{
    for (int c = 0; c < s->channels; c++) {
        bool agree = true;
        for (int corner = 0; corner < 8; corner++) {
            size_t z = corner & 4 ? (size_t)s->depth - 1 : 0,
                   y = corner & 2 ? (size_t)s->height - 1 : 0;
            size_t x = corner & 1 ? (size_t)s->width - 1 : 0;
            size_t i = ((z * (size_t)s->height + y) * (size_t)s->width + x) * (size_t)s->channels +
                       (size_t)c;
            double v = s->type == MG_I16 ? ((const int16_t *)s->pixels)[i]
                                         : (double)((const float *)s->pixels)[i];
            agree = agree && (corner == 0 || v == background[c]);
            if (corner == 0) background[c] = v;
        }
        if (!agree) background[c] = 0;
    }
}

mg_status mg_volume_percentiles(mg_sample *sample, const double *background, double low,
                                double high)
{
    size_t cells = cells_of(sample), step = (size_t)sample->channels;
    float *v = mg_alloc(cells * sizeof *v);

    MG_CHECK(v, MG_ERR_MEMORY, "no memory for %zu values", cells);
    for (int c = 0; c < sample->channels; c++) {
        double *range = sample->volume.range[c];
        const int16_t *whole = (const int16_t *)sample->pixels + c;
        const float *real = (const float *)sample->pixels + c;
        const float empty = background ? (float)background[c] : 0;
        size_t n = 0;
        for (size_t i = 0; i < cells; i++) {
            float value = sample->type == MG_I16 ? whole[i * step] : real[i * step];
            if (value != empty) v[n++] = value;
        }
        range[0] = n ? percentile(v, n, low) : 0;
        range[1] = n ? percentile(v, n, high) : 0;
    }
    mg_free(v);
    return MG_OK;
}
