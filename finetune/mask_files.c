// Pairing mask files by name, and reading them; see mask_files.h.
#include "finetune/mask_files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datasets/decode.h"
#include "runtime/mem.h"

// --- names ------------------------------------------------------------------------------------------

// Length without an extension of pictures or volumes; 0 if the path has none.
static size_t bare_length(const char *path)
{
    static const char *const ext[] = {".nii.gz", ".nii", ".hdr",  ".png", ".jpg",
                                      ".jpeg",   ".bmp", ".tiff", ".tif"};
    size_t n = strlen(path);

    for (size_t i = 0; i < sizeof ext / sizeof *ext; i++) {
        size_t k = strlen(ext[i]);
        if (n > k && !strcasecmp(path + n - k, ext[i])) return n - k;
    }
    return 0;
}

static char *stem_of(const char *name)
{
    const char *base = mg_path_base(name);
    size_t n = bare_length(base);

    return n ? mg_sprintf("%.*s", (int)n, base) : mg_strdup(base); // a case may be a folder
}

static const char *const fields[] = {"{stem}", "{patient}", "{set}", "{target}"};
enum { STEM, PATIENT, SET, TARGET, FIELDS };

// The field that begins here, or FIELDS.
static int field_at(const char *text)
{
    int f = 0;
    while (f < FIELDS && strncmp(text, fields[f], strlen(fields[f])) != 0) f++;
    return f;
}

char *mg_mask_files_name(const mg_mask_files *f, const mg_shard_item *item, const char *target)
{
    char *stem = stem_of(item->name), *flat = mg_strdup(target), *data = NULL;
    const char *value[FIELDS] = {stem, item->patient, item->set, flat};
    size_t bytes = 0;
    FILE *out = open_memstream(&data, &bytes);

    for (char *c = flat; c && *c; c++)
        if (*c == '/') *c = '_';
    for (const char *at = f->pattern; out && stem && flat && *at;) {
        int field = field_at(at);
        if (field < FIELDS) {
            fputs(value[field], out);
            at += strlen(fields[field]);
        } else {
            fputc(*at++, out);
        }
    }
    bool ok = out && fclose(out) == 0 && stem && flat;
    char *name = ok ? mg_strdup(data) : NULL;
    free(data);
    mg_free(stem);
    mg_free(flat);
    return name;
}

// --- the folder -------------------------------------------------------------------------------------

static mg_status check_pattern(mg_mask_files *f)
{
    bool known = false;

    for (const char *at = strchr(f->pattern, '{'); at; at = strchr(at + 1, '{')) {
        int field = field_at(at);
        MG_CHECK(
            field < FIELDS, MG_ERR_CONFIG,
            "evaluate.mask_name '%s' holds '%s', expected {stem}, {patient}, {set} or {target}",
            f->pattern, at);
        known |= field == STEM || field == PATIENT;
        f->each |= field == TARGET;
    }
    MG_CHECK(known, MG_ERR_CONFIG, "evaluate.mask_name '%s' has neither {stem} nor {patient}",
             f->pattern);
    return MG_OK;
}

static int by_name(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    size_t n = bare_length(x), m = bare_length(y);
    int order = memcmp(x, y, n < m ? n : m);

    return order ? order : n < m ? -1 : n > m;
}

static mg_status list_files(mg_mask_files *f)
{
    mg_texts all = {0};
    mg_status st = mg_list_tree(f->folder, &all);

    for (size_t i = 0; i < all.count && !st; i++)
        if (bare_length(all.item[i])) st = mg_texts_add(&f->path, all.item[i]);
    mg_texts_free(&all);
    if (!st && !f->path.count)
        st = MG_FAIL(MG_ERR_FORMAT, "there is no mask in '%s', expected PNG or NIfTI files",
                     f->folder);
    if (st) return st;
    qsort(f->path.item, f->path.count, sizeof *f->path.item, by_name);
    for (size_t i = 0; i < f->path.count; i++) {
        const char *path = f->path.item[i];
        char *name = mg_sprintf("%.*s", (int)bare_length(path), path);
        st = name ? mg_texts_add(&f->name, name) : MG_FAIL(MG_ERR_MEMORY, "no memory");
        mg_free(name);
        MG_TRY(st);
        MG_CHECK(!i || strcmp(f->name.item[i], f->name.item[i - 1]), MG_ERR_FORMAT,
                 "'%s' holds two masks of one name: '%s' and '%s'", f->folder, f->path.item[i - 1],
                 path);
    }
    return MG_OK;
}

mg_status mg_mask_files_open(const char *folder, const char *pattern, mg_mask_files *f)
{
    *f = (mg_mask_files){.folder = mg_strdup(folder), .pattern = mg_strdup(pattern)};
    mg_status st = f->folder && f->pattern ? check_pattern(f)
                                           : MG_FAIL(MG_ERR_MEMORY, "cannot list '%s'", folder);
    if (!st) st = list_files(f);
    if (st) mg_mask_files_close(f);
    return st;
}

void mg_mask_files_close(mg_mask_files *f)
{
    mg_texts_free(&f->path);
    mg_texts_free(&f->name);
    mg_free(f->folder);
    mg_free(f->pattern);
    *f = (mg_mask_files){0};
}

int64_t mg_mask_files_find(const mg_mask_files *f, const char *name)
{
    size_t lo = 0, hi = f->name.count;

    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        int order = strcmp(f->name.item[middle], name);
        if (!order) return (int64_t)middle;
        if (order < 0)
            lo = middle + 1;
        else
            hi = middle;
    }
    return -1;
}

// --- the place of a volume ----------------------------------------------------------------------------

// Index (x, y, z) of the item's original grid to RAS mm, from that of its stored grid.
static void full_affine(const mg_shard_volume *v, double out[12])
{
    for (int r = 0; r < 3; r++) {
        out[4 * r + 3] = v->affine[4 * r + 3];
        for (int c = 0; c < 3; c++) { // stored cell i lies at grid[..][0] + grid[..][1] i
            out[4 * r + c] = v->affine[4 * r + c] / v->grid[2 - c][1];
            out[4 * r + 3] -= out[4 * r + c] * v->grid[2 - c][0];
        }
    }
}

static void place_of(const double affine[12], const int index[3], double mm[3])
{
    for (int r = 0; r < 3; r++) {
        const double *row = affine + 4 * r;
        mm[r] = row[0] * index[0] + row[1] * index[1] + row[2] * index[2] + row[3];
    }
}

// The corners of the two grids must lie at the same places.
static mg_status check_place(const char *path, const mg_nifti_head *head, const mg_shard_item *item)
{
    const double *s = item->volume->full_spacing;
    double limit = .1 * fmin(s[0], fmin(s[1], s[2])), affine[12];

    full_affine(item->volume, affine);
    for (int k = 0; k < 8; k++) {
        int corner[3] = {k & 1 ? head->width - 1 : 0, k & 2 ? head->height - 1 : 0,
                         k & 4 ? head->depth - 1 : 0};
        double found[3], wanted[3];
        place_of(head->affine, corner, found);
        place_of(affine, corner, wanted);
        double gap = hypot(hypot(found[0] - wanted[0], found[1] - wanted[1]), found[2] - wanted[2]);
        MG_CHECK(gap <= limit, MG_ERR_FORMAT,
                 "mask '%s': its voxel %d, %d, %d lies at %.2f %.2f %.2f mm, that of '%s' at %.2f "
                 "%.2f %.2f mm (RAS+)",
                 path, corner[0], corner[1], corner[2], found[0], found[1], found[2], item->name,
                 wanted[0], wanted[1], wanted[2]);
    }
    return MG_OK;
}

static mg_status check_volume(const char *path, const mg_nifti_head *head,
                              const mg_shard_item *item)
{
    MG_CHECK(head->width == item->full_width && head->height == item->full_height &&
                 head->depth == item->full_depth,
             MG_ERR_FORMAT,
             "mask '%s' has %d x %d x %d voxels (RAS+), expected %d x %d x %d as '%s'", path,
             head->width, head->height, head->depth, item->full_width, item->full_height,
             item->full_depth, item->name);
    return item->volume ? check_place(path, head, item) : MG_OK;
}

// --- reading ----------------------------------------------------------------------------------------

static bool is_volume(const mg_shard_item *item)
{
    return item->volume || item->full_depth > 1;
}

static mg_status read_picture(const char *path, const mg_shard_item *item, mg_picture *out)
{
    bool lossy = false;

    MG_CHECK(!mg_is_volume(path), MG_ERR_FORMAT, "mask '%s' is a volume, but '%s' is a picture",
             path, item->name);
    mg_status st = mg_decode_mask(path, out, &lossy);
    if (!st && lossy)
        st =
            MG_FAIL(MG_ERR_FORMAT, "mask '%s' is a JPEG, which changes values; expected PNG", path);
    if (!st && (out->height != item->full_height || out->width != item->full_width))
        st = MG_FAIL(MG_ERR_FORMAT, "mask '%s' has %d x %d pixels, expected %d x %d as '%s'", path,
                     out->width, out->height, item->full_width, item->full_height, item->name);
    if (st) mg_picture_free(out);
    return st;
}

static mg_status picture_values(const char *path, const mg_shard_item *item, uint16_t *values)
{
    size_t cells = (size_t)item->full_height * item->full_width;
    mg_picture p;

    MG_TRY(read_picture(path, item, &p));
    for (size_t i = 0; i < cells; i++)
        values[i] = p.bytes == 2 ? ((uint16_t *)p.pixels)[i] : ((uint8_t *)p.pixels)[i];
    mg_picture_free(&p);
    return MG_OK;
}

static mg_status volume_values(const char *path, const mg_shard_item *item, uint16_t *values)
{
    mg_volume_file v;

    MG_CHECK(mg_is_volume(path), MG_ERR_FORMAT, "mask '%s' is no NIfTI file, but '%s' is a volume",
             path, item->name);
    MG_TRY(mg_decode_labels(path, &v));
    mg_status st = check_volume(path, &v.head, item);
    if (!st) memcpy(values, v.pixels, (size_t)v.depth * v.height * v.width * sizeof *values);
    mg_volume_file_free(&v);
    return st;
}

static char *path_of(const mg_mask_files *f, int64_t at)
{
    return mg_path_join(f->folder, f->path.item[at]);
}

mg_status mg_mask_read_values(const mg_mask_files *f, int64_t at, const mg_shard_item *item,
                              uint16_t *values)
{
    char *path = path_of(f, at);
    mg_status st = MG_OK;

    if (!path)
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
    else if (is_volume(item))
        st = volume_values(path, item, values);
    else
        st = picture_values(path, item, values);
    mg_free(path);
    return st;
}

// --- probabilities ------------------------------------------------------------------------------------

static mg_status picture_share(const char *path, const mg_shard_item *item, double threshold,
                               uint8_t *mask)
{
    size_t cells = (size_t)item->full_height * item->full_width;
    mg_picture p;

    MG_TRY(read_picture(path, item, &p));
    double limit = threshold * (p.bytes == 2 ? 65535 : 255);
    for (size_t i = 0; i < cells; i++)
        mask[i] = (p.bytes == 2 ? ((uint16_t *)p.pixels)[i] : ((uint8_t *)p.pixels)[i]) > limit;
    mg_picture_free(&p);
    return MG_OK;
}

static mg_status volume_share(const char *path, const mg_shard_item *item, double threshold,
                              uint8_t *mask)
{
    mg_nifti image;
    int64_t not_finite = 0;

    MG_CHECK(mg_is_volume(path), MG_ERR_FORMAT, "mask '%s' is no NIfTI file, but '%s' is a volume",
             path, item->name);
    MG_TRY(mg_nifti_read("", path, -1, &image));
    mg_status st = image.head.components == 1
                       ? check_volume(path, &image.head, item)
                       : MG_FAIL(MG_ERR_FORMAT, "mask '%s' holds colours, expected numbers", path);
    float *value = st ? NULL : mg_alloc(image.voxels * sizeof *value);
    if (!st && !value) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the voxels of '%s'", path);
    if (!st) mg_nifti_real(&image, value, &not_finite);
    if (!st && not_finite)
        st = MG_FAIL(MG_ERR_FORMAT, "mask '%s' holds %lld values that are no numbers", path,
                     (long long)not_finite);
    for (size_t i = 0; !st && i < image.voxels; i++) mask[i] = value[i] > threshold;
    mg_free(value);
    mg_nifti_free(&image);
    return st;
}

// 0 and one other value.
static mg_status two_values(const mg_mask_files *f, int64_t at, const mg_shard_item *item,
                            uint8_t *mask)
{
    size_t cells = (size_t)item->full_depth * item->full_height * item->full_width;
    uint16_t *values = mg_alloc(cells * sizeof *values), inside = 0;

    MG_CHECK(values, MG_ERR_MEMORY, "cannot allocate the mask '%s'", f->path.item[at]);
    mg_status st = mg_mask_read_values(f, at, item, values);
    for (size_t i = 0; !st && i < cells; i++) {
        mask[i] = values[i] != 0;
        if (values[i] && !inside) inside = values[i];
        if (values[i] && values[i] != inside)
            st = MG_FAIL(MG_ERR_FORMAT,
                         "mask '%s' holds 0, %u and %u, expected 0 and one other value; of a "
                         "probability evaluate.threshold cuts the mask out",
                         f->path.item[at], inside, values[i]);
    }
    mg_free(values);
    return st;
}

mg_status mg_mask_read_share(const mg_mask_files *f, int64_t at, const mg_shard_item *item,
                             double threshold, uint8_t *mask)
{
    if (threshold <= 0) return two_values(f, at, item, mask);
    char *path = path_of(f, at);
    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    mg_status st = is_volume(item) ? volume_share(path, item, threshold, mask)
                                   : picture_share(path, item, threshold, mask);
    mg_free(path);
    return st;
}
