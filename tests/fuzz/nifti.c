// Fuzz target of the NIfTI reader: any bytes as a file, read as numbers, whole numbers, labels and colours; what
// can be read must come back the same after writing it.
#include "datasets/nifti.h"
#include "tests/fuzz/fuzz.h"

// The values of a volume that is small enough to be looked at.
static void look(const mg_nifti *image)
{
    const mg_nifti_head *h = &image->head;
    size_t cells = (size_t)h->depth * (size_t)h->height * (size_t)h->width;
    float *real = malloc(cells * sizeof *real);
    int16_t *whole = malloc(cells * sizeof *whole);
    uint16_t *label = malloc(cells * sizeof *label);
    uint8_t *colour = malloc(3 * cells);
    int64_t count;
    void *file = NULL;
    size_t size;

    if (!real || !whole || !label || !colour) abort();
    if (h->components > 1) {
        mg_nifti_colour(image, colour);
    } else {
        mg_nifti_real(image, real, &count);
        mg_nifti_short(image, whole, &count);
        if (mg_nifti_is_short(image) && count) abort();
        mg_nifti_whole(image, "fuzz", label);
        if (mg_nifti_encode(h, MG_F32, real, false, &file, &size)) abort();
    }
    mg_free(file);
    free(real), free(whole), free(label), free(colour);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_file file = fuzz_file_make(data, bytes);
    mg_nifti image;

    for (int frame = -1; frame < 2; frame++) {
        if (mg_nifti_read("", file.path, frame, &image) == MG_OK && image.voxels < 1 << 20)
            look(&image);
        mg_nifti_free(&image);
    }
    mg_err_clear();
    close(file.fd);
    if (mg_mem_live()) abort();
    return 0;
}
