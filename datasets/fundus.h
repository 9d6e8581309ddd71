// What the data sets of fundus photographs share: the bright circle, and labels of the two overlapping
// targets, optic disc and optic cup.
#ifndef MG_DATASETS_FUNDUS_H
#define MG_DATASETS_FUNDUS_H

#include "datasets/dataset.h"

// Cut to the box of the bright circle and pad with black to a square; a picture in which no circle is found stays
// whole. A label is cut along: the square is then the grid that scores are taken on, and a picture
// whose label would lose cells stays whole, with a remark.
mg_status mg_fundus_crop(mg_sample *sample);

// Classes of labels: the cup lies in the disc, so they overlap.
enum { MG_OPTIC_DISC = 1, MG_OPTIC_CUP = 2, MG_OPTIC_CLASSES = 2 };
void mg_fundus_classes(mg_scan *scan);

#endif
