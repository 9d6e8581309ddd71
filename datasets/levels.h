// Masks of three levels: background, rim of the optic disc, cup. Sets differ, even copies of one set, in which
// value is which, so it is told from the pixels (datasets.md section 8): the background is what most of the
// border is, the cup is what (almost) never touches it. Disc = cup and rim.
#ifndef MG_DATASETS_LEVELS_H
#define MG_DATASETS_LEVELS_H

#include "datasets/dataset.h"

// What the low, middle and high values mean, in this order.
typedef enum {
    MG_POLARITY_OPEN, // told by no mask: only discs, or too close a call
    MG_CUP_RIM_BACKGROUND,
    MG_BACKGROUND_RIM_CUP,
    MG_BACKGROUND_CUP_RIM
} mg_polarity;
#define MG_POLARITY_CHOICES "auto|cup-rim-background|background-rim-cup|background-cup-rim"
const char *mg_polarity_name(mg_polarity polarity);
mg_polarity mg_polarity_named(const char *name); // MG_POLARITY_OPEN for any other name

enum { MG_LEVEL_LOW, MG_LEVEL_MIDDLE, MG_LEVEL_HIGH };

// A mask as levels: values up to 2 as they are, otherwise below 64, up to 191, above.
typedef struct {
    int height, width;
    uint8_t *level;   // [height, width]
    unsigned present; // bit l: level l is there
    bool lossy;       // from a JPEG
} mg_levels;

// root/path. MG_ERR_FORMAT if it cannot be decoded or has one single level.
mg_status mg_levels_read(const char *root, const char *path, mg_levels *out);
void mg_levels_free(mg_levels *levels);

// What a mask of three levels says. MG_ERR_FORMAT if its background is the middle level.
mg_status mg_levels_polarity(const mg_levels *levels, const char *path, mg_polarity *out);

// Levels become 0 background, 1 rim, 2 cup, in place. A mask of two levels is a disc alone (*disc_only): its
// background is what most of the border is. MG_ERR_FORMAT if a mask of three levels speaks against the
// polarity.
mg_status mg_levels_canonical(mg_levels *levels, const char *path, mg_polarity polarity,
                              bool *disc_only);

// The polarity of a group of masks, from up to 16 of them spread evenly; noted in the scan. A mix is
// MG_ERR_FORMAT and names two masks; masks that cannot be read are passed over.
mg_status mg_levels_decide(const char *root, const mg_texts *masks, const char *group,
                           mg_scan *scan, mg_polarity *out);

#endif
