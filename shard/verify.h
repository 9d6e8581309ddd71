// Whole reading of one open shard against its checksums, for mg_shard_verify and for the writer.
#ifndef MG_SHARD_VERIFY_H
#define MG_SHARD_VERIFY_H

#include <stdint.h>

#include "shard/shard_file.h"

// Each fault is logged as an error that names file and item, and counted in *faults (added to).
// Fails only without memory.
mg_status mg_shard_file_verify(const mg_shard_file *file, int64_t *faults);

#endif
