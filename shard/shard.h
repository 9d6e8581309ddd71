// Shard sets: NAME/index.json + NAME/00000.h5 ... (docs/formats.md), written once, read at random.
#ifndef MG_SHARD_SHARD_H
#define MG_SHARD_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/comm.h"
#include "runtime/err.h"
#include "runtime/h5.h"
#include "runtime/hash.h"

enum { MG_SHARD_VERSION = 2, MG_SHARD_CLASSES = 16, MG_SHARD_CONTRASTS = 4, MG_SHARD_IGNORE = 255 };

// --- reader.c: opening, checking, random access -----------------------------------------------------

// What is known of a volume. Its grid is RAS+ (x to the right, y to the front, z up).
typedef struct {
    const char *orientation; // where the axes of its file point: "LPS"
    const char *contrasts;   // names of the channels where there are several: "flair,t1ce"
    double affine[12];       // index (x, y, z) to RAS mm, rows
    double file_affine[12];  // index along the file's own axes to RAS mm
    double full_spacing[3];  // mm, of the original grid; z, y, x
    double grid[3][2];       // cell i of axis a lies at cell grid[a][0] + grid[a][1] i of that grid
    double range[MG_SHARD_CONTRASTS]
                [2]; // values of each channel that become 0 and 255; equal: none
    int input[3];    // channels that the three inputs are made of; -1: zeros
} mg_shard_volume;

// What is known of an item without reading its pixels. Texts are borrowed from the reader.
typedef struct {
    const char *set;  // name of the set it came from
    const char *name; // original relative name
    const char *patient, *split, *modality, *label;
    int fold; // of 5, by patient key, where no split was published
    mg_dtype type;
    int depth, height, width, channels;      // as stored
    int full_depth, full_height, full_width; // original size: the grid of mg_reader_full_mask
    double spacing[3];                       // mm, z y x; 0 if unknown
    uint16_t classes;    // bit c-1: class c is present in the label; 0 without label
    uint16_t unknown;    // bit c-1: class c was not labelled here: never prompted, never scored
    const int64_t *area; // [MG_SHARD_CLASSES] cells of class c at [c - 1], on the stored grid
    const mg_shard_volume *volume; // NULL for pictures
    bool labelled;
    bool phantom;    // made by `medgraft phantom`
    mg_hash128 hash; // of the decoded pixels
} mg_shard_item;

typedef struct mg_reader mg_reader;

// Open several sets as one, in the order given; exact duplicates (by hash) in later sets, or later
// in the order, are left out. `part`: "all", "train", "val", "test": items whose split says so; items
// without a split belong to "test" if their fold is 0, otherwise to "train" (then "val" is empty).
// The classes are the union of the sets' by name, at most 16. One rank alone, or every rank by itself.
// Fails with MG_ERR_IO or MG_ERR_FORMAT naming set, file and reason; 0 items is MG_ERR_CONFIG.
mg_status mg_reader_open(const char *const *sets, int count, const char *part, mg_reader **out);
void mg_reader_close(mg_reader **reader);
int64_t mg_reader_count(const mg_reader *reader);
const mg_shard_item *mg_reader_item(const mg_reader *reader, int64_t i);
int mg_reader_classes(const mg_reader *reader);                   // 0 if unlabelled
const char *mg_reader_class_name(const mg_reader *reader, int c); // c = 1..classes
int64_t mg_reader_left_out(const mg_reader *reader);              // duplicates
// Hash over the items in order (pixels as decoded, and what is stored). For one whole set it is the
// "content" of its index.
uint64_t mg_reader_content(const mg_reader *reader);

// Pixels and label of an item, read by pread and zstd, not through HDF5. Thread-safe.
// Slices [z0, z0 + slices) of a volume; 0, 1 for pictures. Caller gives the memory:
//   pixels [slices, height, width, channels] of the item's type, or NULL
//   label  [slices, height, width] uint8 (class number, MG_SHARD_IGNORE), or NULL
// A checksum mismatch is MG_ERR_FORMAT and names file, item and original name. Asking for the label
// of an item that has none, or whose classes overlap (see mg_reader_mask), is MG_ERR_USAGE.
mg_status mg_reader_read(const mg_reader *reader, int64_t i, int z0, int slices, void *pixels,
                         uint8_t *label);
// Where classes overlap the label is stored as bits: the mask (0/1) of one class.
// Works for both kinds; `ignore` [..] gets 1 where a cell is ignored (NULL allowed).
mg_status mg_reader_mask(const mg_reader *reader, int64_t i, int z0, int slices, int class_number,
                         uint8_t *mask, uint8_t *ignore);
// The same for the whole item on its original grid [full_depth, full_height, full_width] (items
// whose grid was changed keep it).
mg_status mg_reader_full_mask(const mg_reader *reader, int64_t i, int class_number, uint8_t *mask,
                              uint8_t *ignore);
// Read every byte of every shard of a set, or of one shard file, and hold it against every checksum.
// Prints one line per fault to the log; MG_ERR_FORMAT if there was any. *items: items looked at.
mg_status mg_shard_verify(const char *path, int64_t *items);

// --- sampler.c: which sample at which step ----------------------------------------------------------

// Order of an epoch: pretraining.md 8.4. Holds the permutation of one epoch at a time.
typedef struct mg_sampler mg_sampler;
mg_status mg_sampler_create(uint64_t seed, int64_t samples, int64_t batch, mg_sampler **out);
void mg_sampler_destroy(mg_sampler **sampler);
size_t mg_sampler_bytes(int64_t samples);
int64_t mg_sampler_steps(const mg_sampler *s); // per epoch, floor(samples / batch)
// Sample at global position g (0..batch-1) of step s of an epoch.
int64_t mg_sampler_at(mg_sampler *s, int64_t epoch, int64_t step, int64_t g);

// --- batch.c: read ahead ----------------------------------------------------------------------------

// Fill one slot of `slot_bytes` with the prepared sample. Thread-safe, a function of its arguments.
typedef mg_status (*mg_produce)(void *ctx, int64_t epoch, int64_t sample, void *slot);

// Threads that prepare the samples of this rank's positions [lo, hi) of each step, `ahead` steps
// ahead; memory is (ahead + 1) (hi - lo) slots.
typedef struct mg_loader mg_loader;
typedef struct {
    mg_produce produce;
    void *ctx; // not owned
    size_t slot_bytes;
    int64_t lo, hi;
    int ahead, threads;
    uint64_t seed;
    int64_t samples, batch;
} mg_loader_plan;

mg_status mg_loader_open(const mg_loader_plan *plan, mg_loader **out);
size_t mg_loader_bytes(const mg_loader_plan *plan); // of its slots and its order of samples
void mg_loader_close(mg_loader **loader);
int64_t mg_loader_steps(const mg_loader *loader); // per epoch
// The slots of a step, borrowed until the next call; samples[g - lo] gives each one's sample number.
// Steps are asked for in order, from any start. `wait_s` gets the seconds spent waiting.
// A sample that cannot be produced fails the step that needs it.
mg_status mg_loader_next(mg_loader *loader, int64_t epoch, int64_t step, void ***slots,
                         const int64_t **samples, double *wait_s);

#endif
