// The data sets of this folder, one a file; registry.c lists them.
#ifndef MG_DATASETS_READERS_H
#define MG_DATASETS_READERS_H

#include "datasets/dataset.h"

extern const mg_dataset mg_dataset_folder, mg_dataset_demo_ct, mg_dataset_demo_fundus,
    mg_dataset_demo_us, mg_dataset_demo_derm;

#endif
