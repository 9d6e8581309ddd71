// The settings of section "data." that both training stages share, and the sets they open.
#ifndef MG_SHARD_SOURCE_H
#define MG_SHARD_SOURCE_H

#include <stddef.h>

#include "runtime/config.h"
#include "runtime/run.h"
#include "shard/shard.h"

typedef struct {
    mg_list sets; // shard sets, opened as one
    char *part;   // all, train, val, test
    int64_t threads, ahead;
} mg_source_config;

// Rows of an option table for `member` (a mg_source_config) of structure `type`.
// clang-format off
#define MG_SOURCE_ROWS(type, member, PART)                                                         \
    {"data.sets", MG_LIST, offsetof(type, member.sets), "", 0, 0, "shard sets (folders with an index.json), opened as one", NULL}, \
    {"data.part", MG_CHOICE, offsetof(type, member.part), PART, 0, 0, "which items: by the published split, otherwise by hash fold of the patient key (fold 0 of 5 is test)", "all|train|val|test"}, \
    {"data.threads", MG_INT, offsetof(type, member.threads), "1", 1, 64, "threads per rank that read ahead", NULL}, \
    {"data.ahead", MG_INT, offsetof(type, member.ahead), "2", 1, 64, "steps read ahead; memory is bounded by ahead + 1 steps", NULL}
// clang-format on

// Open the configured sets on every rank. Collective on `world`.
mg_status mg_source_open(const mg_comm *world, const mg_source_config *config, mg_reader **out);

// Note the hash of the samples among the inputs of a run; warns if it was another one when the run
// began.
void mg_source_note(const mg_reader *reader, mg_run *run);

// The stored picture of a 2-D item as 8-bit pixels [height, width, channels]; mg_free.
mg_status mg_source_picture(const mg_reader *reader, int64_t sample, uint8_t **pixels);

// Slices [z0, z0 + slices) of a volume as models take pictures: 8 bits, three channels, [slices, height,
// width, 3], by shard/levels.h: `window` for CT unless it is NULL, otherwise the range stored with the
// channel. Contrasts that are not there are zeros. Pictures (slices 0, 1) come as they are, grey ones
// three times.
mg_status mg_source_slices(const mg_reader *reader, int64_t sample, int z0, int slices,
                           const double window[2], uint8_t *out);

// "set/name" of up to `most` samples, for messages; mg_free.
char *mg_source_names(const mg_reader *reader, const int64_t *samples, int64_t count, int most);

#endif
