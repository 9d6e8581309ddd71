// Discs and cups as several readers drew them, and the label made of them (datasets.md section 8).
#ifndef MG_DATASETS_OPINIONS_H
#define MG_DATASETS_OPINIONS_H

#include "datasets/dataset.h"
#include "datasets/levels.h"

enum { MG_READERS_MOST = 7, MG_READERS_KEPT = 6 };

// Zero to begin with.
typedef struct {
    int height, width;
    uint16_t *plane; // [height, width]: bit 2 r is reader r's disc, bit 2 r + 1 his cup; r from 0
    uint16_t given;  // the bits that were drawn and passed all checks
} mg_opinions;

// Mark cell i (reader r's bit 2 r, or 2 r + 1) with mg_opinions_bit. The planes are allocated, all zero, by the
// first call of start; later ones must ask for the same size.
mg_status mg_opinions_start(mg_opinions *o, int height, int width, const char *name);
void mg_opinions_free(mg_opinions *o);
static inline uint16_t mg_opinions_bit(int reader, bool cup)
{
    return (uint16_t)(1u << (2 * reader + cup));
}

// Reader r's disc and cup from a canonical mask (levels.h) named `name`.
mg_status mg_opinions_levels(mg_opinions *o, int reader, const mg_levels *mask, bool disc_only,
                             const char *name);

typedef enum { MG_TARGET_MAJORITY, MG_TARGET_MEAN, MG_TARGET_READER, MG_TARGET_RANDOM } mg_target;
#define MG_TARGET_CHOICES "majority|mean|reader|random"
mg_target mg_target_named(const char *name);

// The label of a sample of this size, classes disc and cup:
//   majority  more than half of the readers that gave one
//   mean      at least half: the mean of their masks, cut at 0.5
//   reader    reader `one` (from 0); MG_ERR_FORMAT if he gave none
//   random    one of them, by the hash of `key`: always the same
// The cup is cut to the disc. A class that nobody gave is unknown. With `kept` the disc and the cup of each of the
// first six readers follow as classes 3, 4, 5, 6, ...: mg_opinions_classes names them.
mg_status mg_opinions_label(const mg_opinions *o, mg_target target, int one, const char *key,
                            bool kept, mg_sample *sample);
void mg_opinions_classes(mg_scan *scan);

#endif
