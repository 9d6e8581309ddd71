// Labels that several people drew: how many of their files were of no use, folder by folder.
#ifndef MG_DATASETS_TALLY_H
#define MG_DATASETS_TALLY_H

#include "datasets/names.h"
#include "runtime/fsys.h"

// Zero to begin with.
typedef struct {
    mg_names index; // folder -> its place in the lists
    mg_texts folder;
    int64_t (*count)[2]; // [folder.count]: files, of no use
    size_t room;
} mg_tally;

// Add to the folder of this path.
mg_status mg_tally_add(mg_tally *tally, const char *path, int files, int rejected);
// One line of the log for each folder: "masks of no use in 'BinRushed2': 3 of 282".
void mg_tally_log(const mg_tally *tally);
void mg_tally_free(mg_tally *tally);

#endif
