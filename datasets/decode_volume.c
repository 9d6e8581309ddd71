// Volumes as later stages take them in: one NIfTI file, without a data set around it.
#include "datasets/decode.h"
#include "datasets/scan.h"
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
