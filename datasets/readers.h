// The data sets of this folder, one a file, and their phantoms; registry.c lists them.
#ifndef MG_DATASETS_READERS_H
#define MG_DATASETS_READERS_H

#include "datasets/dataset.h"

extern const mg_dataset mg_dataset_radimagenet, mg_dataset_eyepacs, mg_dataset_ham10000,
    mg_dataset_bcn20000, mg_dataset_isic, mg_dataset_tnscui, mg_dataset_folder, mg_dataset_demo_ct,
    mg_dataset_demo_fundus, mg_dataset_demo_us, mg_dataset_demo_derm, mg_dataset_demo_organs,
    mg_dataset_amos, mg_dataset_btcv, mg_dataset_brats, mg_dataset_refuge, mg_dataset_riga,
    mg_dataset_ddti;

mg_status mg_phantom_radimagenet(const mg_phantom_order *order);
mg_status mg_phantom_eyepacs(const mg_phantom_order *order);
mg_status mg_phantom_ham10000(const mg_phantom_order *order);
mg_status mg_phantom_bcn20000(const mg_phantom_order *order);
mg_status mg_phantom_isic(const mg_phantom_order *order);
mg_status mg_phantom_tnscui(const mg_phantom_order *order);
mg_status mg_phantom_amos(const mg_phantom_order *order);
mg_status mg_phantom_btcv(const mg_phantom_order *order);
mg_status mg_phantom_brats(const mg_phantom_order *order);
mg_status mg_phantom_refuge(const mg_phantom_order *order);
mg_status mg_phantom_riga(const mg_phantom_order *order);
mg_status mg_phantom_ddti(const mg_phantom_order *order);

#endif
