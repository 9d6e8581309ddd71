// What the scans of all data sets have in common (datasets.md, rules that hold for every reader):
// notes, names told apart by their folders, pairing of images and masks by stem with both sides
// reported, and the error of a scan that found nothing.
#ifndef MG_DATASETS_SCAN_H
#define MG_DATASETS_SCAN_H

#include "datasets/csv.h"
#include "datasets/dataset.h"
#include "datasets/names.h"

// Text `field` of an item, in the order of mg_item: its place, to read or to set.
enum { MG_ITEM_FIELDS = 9 };
char **mg_item_text(mg_item *item, int field);

// "name: reason" for the shard's log; a fact worth logging. Formatted like printf.
mg_status mg_scan_skip(mg_scan *scan, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
mg_status mg_scan_note(mg_scan *scan, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// "<what>: <found>, as expected" or "<what>: <found>, expected <expected>".
mg_status mg_scan_expect(mg_scan *scan, const char *what, int64_t found, int64_t expected);

// Read a table of the data set. One that cannot be read is noted and counts as missing: *usable is
// then false (datasets.md rule 9).
mg_status mg_scan_table(mg_scan *scan, const char *root, const char *path, mg_csv *out,
                        bool *usable);

// MG_ERR_FORMAT: no file of the folder matches; names the pattern, the folder and the three files
// whose names come nearest to it.
mg_status mg_scan_nothing(const char *root, const mg_texts *files, const char *pattern);

// True if a folder of the path (not the file name) contains the word; case is ignored.
bool mg_scan_in_folder(const char *path, const char *word);
// "train", "val" or "test" by the names of the folders from the last to the first; "" if none tells.
const char *mg_scan_split_of(const char *path);
// True for the extensions of pictures: .png .jpg .jpeg .bmp .tif .tiff.
bool mg_scan_is_picture(const char *path);
// True if `text` ends in `end`; case is ignored.
bool mg_scan_ends(const char *text, const char *end);

// Files found under a stem each. Zero to begin with.
typedef struct {
    mg_texts stem, path;
    mg_names by_stem;
} mg_found;

// Keep a file under its stem. A second one is skipped: "same name as '...'", with "but other
// contents" where their bytes differ.
mg_status mg_found_add(mg_found *found, const char *root, const char *stem, const char *path,
                       mg_scan *scan);
const char *mg_found_path(const mg_found *found, const char *stem); // NULL if there is none
// Skip every image without a mask and every mask without an image.
mg_status mg_found_unpaired(const mg_found *images, const mg_found *masks, mg_scan *scan);
void mg_found_free(mg_found *found);

#endif
