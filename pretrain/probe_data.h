// Pictures with one class each, for the probe: what the items of shard sets say of a whole picture,
// its training and its test part.
#ifndef MG_PRETRAIN_PROBE_DATA_H
#define MG_PRETRAIN_PROBE_DATA_H

#include "shard/shard.h"

typedef struct {
    mg_reader *reader;
    int64_t count;
    int64_t *sample; // [count] items of the reader
    int32_t *label;  // [count] classes
} mg_labelled_part;

typedef struct {
    mg_labelled_part train, test;
    int classes;
    char **class_name;
    uint8_t *held; // [train.count] 1: of the training part, kept for validation (by patient)
    int64_t held_count;
    int64_t without; // pictures left out: no class, or no 8-bit picture
    int64_t unseen;  // test pictures left out: their class is not in the training part
} mg_labelled;

// The class of a picture is its item's label text; where that is empty, the names of the classes in
// its mask joined by "+" ("none" for an empty mask). `test_part`: "test" or "val". `most` pictures of
// a part at most (0: all), drawn by (seed, part). One rank alone, or every rank by itself with the
// same result. MG_ERR_CONFIG if fewer than two classes are left; or what opening the sets fails with.
mg_status mg_labelled_open(const char *const *sets, int count, const char *test_part, int64_t most,
                           uint64_t seed, mg_labelled **out);
void mg_labelled_close(mg_labelled **data);

#endif
