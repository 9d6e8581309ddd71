// Volumes as later stages take them in: NIfTI files without a data set around them, prepared by the same
// functions.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "datasets/decode.h"
#include "datasets/scan.h"
#include "datasets/volume.h"
#include "runtime/mem.h"

void mg_volume_file_free(mg_volume_file *v)
{
    if (!v) return;
    mg_free(v->pixels);
    *v = (mg_volume_file){0};
}

bool mg_is_volume(const char *path)
{
    return mg_scan_ends(path, ".nii") || mg_scan_ends(path, ".nii.gz") ||
           mg_scan_ends(path, ".hdr");
}

mg_status mg_decode_labels(const char *path, mg_volume_file *out)
{
    mg_nifti image;

    *out = (mg_volume_file){.type = MG_U16, .channels = 1};
    MG_TRY(mg_nifti_read("", path, -1, &image));
    out->head = image.head;
    out->depth = image.head.depth;
    out->height = image.head.height;
    out->width = image.head.width;
    out->pixels = mg_alloc(image.voxels * sizeof(uint16_t));
    mg_status st = out->pixels ? mg_nifti_whole(&image, path, out->pixels)
                               : MG_FAIL(MG_ERR_MEMORY, "no memory for the labels '%s'", path);
    mg_nifti_free(&image);
    if (st) mg_volume_file_free(out);
    return st;
}

// --- images -----------------------------------------------------------------------------------------

_Static_assert((int)MG_VOLUME_FILES == (int)MG_MAX_CONTRASTS, "one channel for each file");

// Only CT goes below -200.
static bool has_air(const mg_sample *s)
{
    size_t values = (size_t)s->depth * s->height * s->width * s->channels;

    for (size_t i = 0; i < values; i++)
        if (s->type == MG_I16 ? ((const int16_t *)s->pixels)[i] < -200
                              : ((const float *)s->pixels)[i] < -200)
            return true;
    return false;
}

// Contrasts of a skull-stripped brain may have been standardised; a single volume has zeros around it.
static mg_status prepare_contrasts(const mg_volume_recipe *r, mg_sample *s)
{
    double background[MG_MAX_CONTRASTS] = {0};

    if (s->channels > 1) mg_volume_background(s, background);
    MG_TRY(mg_volume_percentiles(s, background, r->percent[0], r->percent[1]));
    return mg_regrid_body(s, r->crop ? MG_CROP_BODY : MG_CROP_NONE, background, r->spacing);
}

static mg_status prepare_ct(const char *path, const mg_volume_recipe *r, mg_sample *s)
{
    MG_TRY(mg_volume_ct("", path, s));
    s->volume.range[0][0] = MG_CT_LOW;
    s->volume.range[0][1] = MG_CT_HIGH;
    return mg_regrid_body(s, r->crop ? MG_CROP_CT : MG_CROP_NONE, NULL, r->spacing);
}

static mg_status read_images(const char *const *paths, int count, const mg_volume_recipe *r,
                             mg_sample *s, bool *ct)
{
    *ct = r->modality == MG_MODALITY_CT && count == 1;
    if (*ct) return prepare_ct(paths[0], r, s);
    MG_TRY(mg_volume_mr("", paths, count, s));
    *ct = r->modality == MG_MODALITY_GUESS && count == 1 && has_air(s);
    if (!*ct) return prepare_contrasts(r, s);
    mg_sample_free(s);
    return prepare_ct(paths[0], r, s);
}

// Axes that have the wanted spacing already are left alone.
static void drop_same_spacing(const mg_nifti_head *head, double spacing[3])
{
    for (int a = 0; a < 3; a++)
        if (fabs(spacing[a] - head->spacing[a]) <= 1e-3 * head->spacing[a]) spacing[a] = 0;
}

mg_status mg_decode_volume(const char *const *paths, int count, const mg_volume_recipe *recipe,
                           mg_volume_file *out)
{
    mg_volume_recipe fitting = *recipe;
    mg_sample s = {0};

    *out = (mg_volume_file){0};
    MG_CHECK(count <= MG_VOLUME_FILES, MG_ERR_CONFIG, "%d volumes are named, expected at most %d",
             count, MG_VOLUME_FILES);
    MG_TRY(mg_nifti_read_head("", paths[0], &out->head));
    drop_same_spacing(&out->head, fitting.spacing);
    mg_status st = read_images(paths, count, &fitting, &s, &out->ct);
    if (!st) {
        out->type = s.type;
        out->depth = s.depth;
        out->height = s.height;
        out->width = s.width;
        out->channels = s.channels;
        out->pixels = s.pixels;
        s.pixels = NULL;
        memcpy(out->grid, s.volume.grid, sizeof out->grid);
        memcpy(out->spacing, s.spacing, sizeof out->spacing);
        memcpy(out->range, s.volume.range, sizeof out->range);
        snprintf(out->remark, sizeof out->remark, "%s", s.remark);
    }
    mg_sample_free(&s);
    return st;
}
