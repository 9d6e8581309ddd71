// Mask files that any program wrote: found below a folder and paired with the items of shard sets by
// name, and read onto the grid of an item's reference. A picture's mask is a PNG of the picture's
// size, a volume's a NIfTI file with the voxels and the place of the image, along any axes.
#ifndef MG_FINETUNE_MASK_FILES_H
#define MG_FINETUNE_MASK_FILES_H

#include "runtime/err.h"
#include "runtime/fsys.h"
#include "shard/shard.h"

typedef struct {
    char *folder, *pattern;
    mg_texts path; // of each file, below the folder
    mg_texts name; // the same without extension; sorted by bytes together with the paths
    bool each;     // the pattern has {target}
} mg_mask_files;

// List the folder. `pattern` says what a mask's path is called without its extension, with {stem} (name
// of the item without folders and extension), {patient}, {set} and {target} (name of a class or region, with
// '_' for '/'; then every target has a file of its own). MG_ERR_CONFIG for a wrong pattern, MG_ERR_FORMAT
// where two files have one name or nothing is a mask; MG_ERR_IO. Released with mg_mask_files_close.
mg_status mg_mask_files_open(const char *folder, const char *pattern, mg_mask_files *out);
void mg_mask_files_close(mg_mask_files *f);

// The name that the pattern gives to an item and target; mg_free, NULL without memory.
char *mg_mask_files_name(const mg_mask_files *f, const mg_shard_item *item, const char *target);
// Number of the file of that name, -1 if there is none.
int64_t mg_mask_files_find(const mg_mask_files *f, const char *name);

// Read file `at` onto the original grid of an item, [full_depth, full_height, full_width]: whole values; or,
// with mg_mask_read_share, where a probability (0 to 1; of pictures the value over 255 or 65535) is
// greater than `threshold`, and for threshold 0 the mask, which may then have only one value beside 0.
// MG_ERR_FORMAT names the file, what was found and what was expected: another size, a volume that lies
// elsewhere (by more than a tenth of a voxel), a JPEG.
mg_status mg_mask_read_values(const mg_mask_files *f, int64_t at, const mg_shard_item *item,
                              uint16_t *values);
mg_status mg_mask_read_share(const mg_mask_files *f, int64_t at, const mg_shard_item *item,
                             double threshold, uint8_t *mask);

#endif
