// What a training run consists of at a step boundary, and its way to a checkpoint and back.
#ifndef MG_MODELS_TRAIN_STATE_H
#define MG_MODELS_TRAIN_STATE_H

#include "models/moments.h"
#include "models/trainer.h"
#include "runtime/checkpoint.h"

typedef struct {
    const mg_task *task; // not owned
    mg_moments moments;
    int64_t step; // steps done
    mg_ckpt_array *array;
    int arrays;
    char **name;         // of the arrays, owned
    int *tensor;         // number of each array's tensor
    mg_ckpt_parts parts; // where moments are split over ranks
} mg_train_state;

// Moments zeroed, step 0. MG_ERR_MEMORY; release also after a failure. Stays where it is: parts point to it.
mg_status mg_train_state_create(const mg_comm *world, const mg_train_config *config,
                                const mg_task *task, mg_train_state *out);
void mg_train_state_free(mg_train_state *state);

// Write step-<step>.h5 of the run's checkpoints folder. Collective on `world`.
mg_status mg_train_state_save(const mg_comm *world, mg_run *run, const mg_train_config *config,
                              const mg_train_state *state);

// Continue from the newest complete checkpoint, if there is one: parameters, moments, step.
// Says in one line what was found. Collective on `world`.
mg_status mg_train_state_resume(const mg_comm *world, mg_run *run, const mg_train_config *config,
                                mg_train_state *state);

// The weights folder of a run that is done. `changed`: this start made steps; otherwise files that are
// there stay. Collective on `world`.
mg_status mg_train_save_weights(const mg_comm *world, mg_run *run, const mg_task *task,
                                bool changed);

#endif
