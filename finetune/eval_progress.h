// What an evaluation has finished, case by case, so that one that was stopped or killed goes on where it was:
// each rank appends the rows of a finished case to a file of its own in RUN/progress/, and the next start
// reads the files of all ranks there ever were. A case that was cut off while it was written does not count.
// The folder goes when the scores are written.
#ifndef MG_FINETUNE_EVAL_PROGRESS_H
#define MG_FINETUNE_EVAL_PROGRESS_H

#include "finetune/scores.h"
#include "runtime/comm.h"

typedef struct mg_eval_progress mg_eval_progress;

// Open the folder (made if need be) for cases [lo, hi) of this rank; rows of those that are finished are
// added to `scores`. `key` names what is scored (model and data): files of another key are set aside with a
// warning. Collective on `world`. MG_ERR_IO, MG_ERR_FORMAT, MG_ERR_MEMORY.
mg_status mg_eval_progress_open(const mg_comm *world, const char *folder, const char *key,
                                int64_t lo, int64_t hi, mg_scores *scores, mg_eval_progress **out);
void mg_eval_progress_close(mg_eval_progress **progress);

// Cases of this rank that were finished before; is this one among them?
int64_t mg_eval_progress_count(const mg_eval_progress *progress);
bool mg_eval_progress_has(const mg_eval_progress *progress, int64_t sample);

// All rows of a finished case: kept in the file, and added to `scores` as they will be read back.
mg_status mg_eval_progress_add(mg_eval_progress *progress, int64_t sample, const mg_scores *rows,
                               mg_scores *scores);

// Close, and remove the folder when all ranks are here. Collective on `world`.
mg_status mg_eval_progress_finish(const mg_comm *world, mg_eval_progress **progress);

#endif
