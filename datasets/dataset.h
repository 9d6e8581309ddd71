// What a raw data set is: a list of items found on disk, each of which can be read into a sample;
// and the table of all data sets (registry.c). Only shard/writer.c and cmd_shard.c look in here.
// Rules for every reader: datasets.md.
#ifndef MG_DATASETS_DATASET_H
#define MG_DATASETS_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/config.h"
#include "runtime/err.h"
#include "runtime/fsys.h"
#include "runtime/h5.h"
#include "runtime/hash.h"

enum { MG_MAX_CLASSES = 16, MG_LABEL_IGNORE = 255, MG_MAX_CONTRASTS = 4 };

// One picture or volume as found by scanning; no pixels yet.
typedef struct {
    char *name;     // original path relative to the root: identity, order (natural) and messages
    char *image;    // path relative to the root, or the reader's own list of paths
    char *mask;     // the same, NULL if unlabelled (data sets with several masks use `extra`)
    char *patient;  // patient, lesion or case key; everything of one key stays on one side
    char *split;    // "train", "val", "test", or "" (then hash folds)
    char *stratum;  // for stratified folds, "" if none
    char *modality; // "CT", "MR", "US", "fundus", "dermoscopy", ...; "" if unknown
    char *label;    // label of the whole picture (pretraining sets), "" if none
    char *extra;    // reader's own note, "" if none
} mg_item;

// A set as scanned. Owned by the caller of scan; released with mg_scan_free.
typedef struct {
    mg_item *item;
    int64_t count, room;
    mg_arena texts;                      // of the items
    int classes;                         // of masks; 0 for an unlabelled set
    char class_name[MG_MAX_CLASSES][48]; // class c (1..classes) is class_name[c - 1]
    mg_texts skipped;                    // "name: reason" found while scanning (unpaired, ...)
    mg_texts notes;                      // facts worth logging (counts against expectations)
} mg_scan;

// Copies the texts, equal ones of an item and its predecessor once; NULL reads as "".
mg_status mg_scan_add(mg_scan *scan, const mg_item *item);
void mg_scan_sort(mg_scan *scan); // natural order of names
void mg_scan_free(mg_scan *scan);

// What volumes have beside their voxels; all zero for pictures. Their grid is RAS+: x to the right, y
// to the front, z up.
typedef struct {
    double affine[12];      // index (x, y, z) of the sample's grid to RAS mm, rows
    double file_affine[12]; // index along the file's own axes to RAS mm
    char orientation[4];    // where the file's axes point: "LPS"; "" tells a picture
    char contrasts[64];     // names of the channels where there are several: "flair,t1,t1ce,t2"
    int input[3];           // channels that a model's three inputs are made of; -1: zeros
    // Values that become 0 and 255: window of CT, percentiles of each contrast of MR.
    double range[MG_MAX_CONTRASTS][2];
    // Where the reader changed the grid (crop, spacing): cell i of axis a (z, y, x) lies at cell
    // grid[a][0] + grid[a][1] i of the original one; elsewhere 0 and 1.
    double grid[3][2];
    double full_spacing[3]; // mm, of the original grid; z, y, x
    int full_depth;         // of the original grid; its height and width stand in the sample
    uint8_t *full_label;    // the label on the original grid; NULL if the grid was not changed
    uint16_t *full_bits;    // instead of full_label, where classes overlap
} mg_volume;

// A decoded item. Pixels [depth, height, width, channels]; 2-D pictures have depth 1.
typedef struct {
    mg_dtype type; // MG_U8, MG_I16 or MG_F32
    int depth, height, width, channels;
    void *pixels;
    uint8_t *label;    // [depth, height, width]: class number, 0 background, MG_LABEL_IGNORE; NULL
    uint16_t *bits;    // instead of label, where classes overlap: bit c-1 = class c, bit 15 ignored
    uint16_t unknown;  // bit c-1: class c was not labelled here (datasets.md rule 11)
    double spacing[3]; // mm, axis order z, y, x; 0 if unknown
    int full_height, full_width; // before scaled decoding or a change of grid; 0: as they are
    int masks, rejected;         // files of several readers' masks, and how many were of no use
    char decoder[32];            // "libjpeg-turbo 1/4", "libdeflate", ...
    char remark[160]; // what is odd about it but does not stand in the way, "" if nothing
    bool hashed;      // the reader changed the grid: `hash` is of the pixels before that
    mg_hash128 hash;
    mg_volume volume;
} mg_sample;

// Identity of decoded pixels: XXH3-128 of channels, rows, columns as little-endian uint32, then the
// pixels (design.md section 4).
mg_status mg_sample_hash(const mg_sample *sample, mg_hash128 *hash);

void mg_sample_free(mg_sample *sample);

// What the reader may use to decode less than everything.
typedef struct {
    int long_side; // pictures will be shrunk to this anyway: JPEG may be decoded at 1/2, 1/4, 1/8
                   // as long as the long side stays at least this; 0 forbids it
    bool as_found; // what has a label is wanted on its own grid, neither cropped nor resampled
} mg_decode_hint;

// What a phantom holds, for its reader's test.
typedef struct {
    int64_t items;      // that a scan must find
    int64_t unreadable; // of these, items whose reading must fail
    int64_t constant;   // of these, readable items of one single value
    int64_t duplicates; // of these, other readable items with the pixels of an earlier one
    mg_texts planted;   // "what: where", one line for each defect
} mg_phantom_report;

// What a phantom writer is asked for.
typedef struct {
    const char *out;
    int64_t count;
    uint64_t seed;
    bool defects;       // also plant the known defects
    int size;           // long side in pixels, 0 for the data set's usual one
    const char *layout; // one of the set's `layouts`; NULL for the first
    int64_t lo, hi;     // this rank writes items [lo, hi); lo = 0 also writes lists and CSV files
    mg_phantom_report *report; // filled where lo = 0, released by the caller; may be NULL
} mg_phantom_order;

// What the section of datasets.md says of the cases: smallest and largest, 0 and 0 for anything. Volumes on
// the grid of their file, turned to RAS+. What lies outside is odd, not wrong.
typedef struct {
    int width[2], height[2], depth[2];
    double in_plane_mm[2], slice_mm[2];
} mg_expected;

typedef struct {
    const char *name;    // "radimagenet"
    const char *summary; // one line for --help
    bool labelled;       // masks (a segmentation set)
    int long_side;       // default of shard.long_side for this set
    mg_expected expected;
    // Settings of section "<name>."; table NULL if none. `config` is `config_bytes` large.
    const mg_option *options;
    size_t config_bytes;
    // Find the items. MG_ERR_FORMAT when nothing matches: pattern, folder, three near misses.
    mg_status (*scan)(const char *root, const void *config, mg_scan *out);
    // Read one item; thread-safe. A failure is a reason to skip it; *out then holds nothing but counts of masks.
    mg_status (*read)(const char *root, const void *config, const mg_scan *scan,
                      const mg_item *item, const mg_decode_hint *hint, mg_sample *out);
    // Write a phantom; NULL if there is none. `layouts`: the trees that it can write ("a|b"), NULL if one.
    mg_status (*phantom)(const mg_phantom_order *order);
    const char *layouts;
} mg_dataset;

const mg_dataset *mg_dataset_find(const char *name); // NULL if unknown
const mg_dataset *mg_dataset_at(int i);              // NULL behind the last

// Fold of a patient key: XXH3-64 (seed 0) of its text, mod k (datasets.md rule 10).
int mg_dataset_fold(const char *patient, int k);

#endif
