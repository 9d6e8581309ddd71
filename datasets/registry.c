// The table of all data sets.
#include <string.h>

#include "datasets/readers.h"

static const mg_dataset *const datasets[] = {
    &mg_dataset_radimagenet, &mg_dataset_eyepacs, &mg_dataset_ham10000,  &mg_dataset_bcn20000,
    &mg_dataset_isic,        &mg_dataset_tnscui,  &mg_dataset_folder,    &mg_dataset_demo_ct,
    &mg_dataset_demo_fundus, &mg_dataset_demo_us, &mg_dataset_demo_derm, &mg_dataset_demo_organs,
    &mg_dataset_amos,        &mg_dataset_btcv,    &mg_dataset_brats,     &mg_dataset_refuge,
    &mg_dataset_riga,        &mg_dataset_ddti,
};

enum { COUNT = sizeof datasets / sizeof *datasets };

const mg_dataset *mg_dataset_at(int i)
{
    return i >= 0 && i < COUNT ? datasets[i] : NULL;
}

const mg_dataset *mg_dataset_find(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (!strcmp(datasets[i]->name, name)) return datasets[i];
    return NULL;
}
